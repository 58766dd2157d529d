import Columns

/// The rows of the benchmark table, bit for bit those of `peers/gen.py`: a row is a function of its
/// id and version.
struct BenchRows {
  static let columns: [(String, DataType)] = [
    ("id", DataType.bigint.notNull), ("a", .int), ("b", .double), ("c", .double),
    ("s20", .string), ("ts", .timestamp(3)), ("d", .decimal(12, 2)), ("s60", .string),
  ]
  static let type = RowType(columns)

  /// 4096 words of 14 letters.
  private let words: Buffer

  init() {
    words = Buffer(byteCount: 4096 * 16)
    let out = words.pointer(UInt8.self)
    for i in 0..<4096 {
      let k = BenchRows.mix(UInt64(i))
      for j in 0..<14 { out[i * 16 + j] = UInt8(97 + ((k >> UInt64(4 * j)) & 15)) }
      out[i * 16 + 14] = 32
      out[i * 16 + 15] = 32
    }
  }

  @inline(__always) static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Rows `from..<to` of `inserts` inserts in permuted order, followed by updates of random ids.
  func batch(_ from: Int, _ to: Int, inserts: Int) -> Batch {
    let count = to - from
    let ids = Buffer(byteCount: count * 8)
    let versions = Buffer(byteCount: count * 8)
    let id = ids.pointer(UInt64.self)
    let version = versions.pointer(UInt64.self)
    let n = UInt64(inserts)
    for i in 0..<count {
      let at = from + i
      if at < inserts {
        id[i] = (UInt64(at) &* 2_654_435_761) % n
        version[i] = 0
      } else {
        id[i] = (BenchRows.mix(UInt64(at - inserts) &+ 12345) >> 1) % n
        version[i] = UInt64(at - inserts + 1)
      }
    }
    return batch(ids, versions, count)
  }

  /// `count` updates from number `from` on, of `keys` ids, all of one version.
  func updates(_ from: Int, _ count: Int, keys: Int, version: Int) -> Batch {
    let ids = Buffer(byteCount: count * 8)
    let versions = Buffer(byteCount: count * 8)
    for i in 0..<count {
      ids.pointer(UInt64.self)[i] =
        (BenchRows.mix(UInt64(from + i) &+ 12345) >> 1) % UInt64(keys)
      versions.pointer(UInt64.self)[i] = UInt64(version)
    }
    return batch(ids, versions, count)
  }

  private func batch(_ ids: Buffer, _ versions: Buffer, _ count: Int) -> Batch {
    let a = Buffer(byteCount: count * 4)
    let b = Buffer(byteCount: count * 8)
    let c = Buffer(byteCount: count * 8)
    let ts = Buffer(byteCount: count * 8)
    let d = Buffer(byteCount: count * 8)
    let s20 = Buffer(byteCount: count * 20)
    let s60 = Buffer(byteCount: count * 59)
    let id = ids.pointer(UInt64.self)
    let version = versions.pointer(UInt64.self)
    for i in 0..<count {
      let h = BenchRows.mix(
        id[i] &* 0x9e37_79b9_7f4a_7c15 &+ version[i] &* 0xd1b5_4a32_d192_ed03)
      let h2 = BenchRows.mix(h)
      a.pointer(Int32.self)[i] = Int32(truncatingIfNeeded: h & 0x7fff_ffff)
      b.pointer(Double.self)[i] = Double(h >> 11) * 0x1p-53 * 1000
      c.pointer(Double.self)[i] = Double(h2 & 0xffff) * 0.01
      ts.pointer(Int64.self)[i] =
        1_700_000_000_000 &+ Int64(id[i]) &* 100 &+ Int64(version[i]) &* 10
      d.pointer(Int64.self)[i] = Int64((h >> 20) % 10_000_000_000)
      text20(h2, s20.base + i * 20)
      text59(BenchRows.mix(h2 &+ 1), s60.base + i * 59)
    }
    return Batch(
      BenchRows.type,
      [
        fixed(0, ids, count), fixed(1, a, count), fixed(2, b, count), fixed(3, c, count),
        texts(4, s20, 20, count), fixed(5, ts, count), fixed(6, d, count),
        texts(7, s60, 59, count),
      ], count: count)
  }

  /// `user_` and 15 digits.
  @inline(__always) private func text20(_ h2: UInt64, _ out: UnsafeMutableRawPointer) {
    let bytes = out.assumingMemoryBound(to: UInt8.self)
    out.storeBytes(of: 0x7265_7375, as: UInt32.self)
    bytes[4] = 95
    var x = (h2 >> 16) % 1_000_000
    var k = 19
    while k > 4 {
      bytes[k] = 48 + UInt8(truncatingIfNeeded: x % 10)
      x /= 10
      k -= 1
    }
  }

  /// Four words with spaces between; writes up to 5 bytes more.
  @inline(__always) private func text59(_ h3: UInt64, _ out: UnsafeMutableRawPointer) {
    let table = UnsafeRawPointer(words.base)
    for k in 0..<4 {
      let word = Int((h3 >> UInt64(12 * k)) & 4095)
      (out + k * 15).storeBytes(
        of: table.loadUnaligned(fromByteOffset: word * 16, as: SIMD16<UInt8>.self),
        as: SIMD16<UInt8>.self)
    }
  }

  private func fixed(_ column: Int, _ values: Buffer, _ count: Int) -> Column {
    Column(type: BenchRows.columns[column].1, count: count, values: values)
  }

  private func texts(_ column: Int, _ values: Buffer, _ width: Int, _ count: Int) -> Column {
    let offsets = Buffer(byteCount: (count + 1) * 4)
    for i in 0...count { offsets.pointer(Int32.self)[i] = Int32(i * width) }
    return Column(
      type: BenchRows.columns[column].1, count: count, values: values, offsets: offsets)
  }
}
