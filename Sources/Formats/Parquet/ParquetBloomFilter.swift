import Columns

/// The split-block Bloom filter of Parquet (BloomFilter.md): blocks of eight 32-bit words, one bit
/// in each, hashed with xxHash64.
enum ParquetBloomFilter {
  private static let salt: [UInt32] = [
    0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947,
    0x5c6b_fb31,
  ]
  static let byteLimit = 128 << 20
  private static let largest = 8 << 20

  @inline(__always)
  private static func block(_ hash: UInt64, _ blocks: Int) -> Int {
    Int(truncatingIfNeeded: ((hash >> 32) &* UInt64(truncatingIfNeeded: blocks)) >> 32)
  }

  static func make(_ hashes: [UInt64], falsePositives: Double) -> Buffer {
    let rate = min(max(falsePositives, 0.0001), 0.5)
    // Bits a value at eight bits a block: about 1.44 * log2(1/rate) rounded up for the blocking.
    var bits = 6.0
    var reached = 0.5
    while reached > rate && bits < 48 {
      bits += 1
      reached = estimate(bits)
    }
    var bytes = 32
    while bytes < largest && Double(bytes * 8) < bits * Double(hashes.count) { bytes *= 2 }
    let filter = Buffer(byteCount: bytes)
    filter.base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    let words = filter.pointer(UInt32.self)
    for hash in hashes {
      let at = words + block(hash, bytes / 32) * 8
      let low = UInt32(truncatingIfNeeded: hash)
      for k in 0..<8 { at[k] |= 1 << ((low &* salt[k]) >> 27) }
    }
    return filter
  }

  /// The share of false positives when each value has `bits` bits: (1 - e^(-8/bits))^8.
  private static func estimate(_ bits: Double) -> Double {
    var term = 1.0
    var sum = 1.0
    let x = 8 / bits
    for k in 1..<24 {
      term *= -x / Double(k)
      sum += term
    }
    let one = 1 - sum
    let two = one * one
    let four = two * two
    return four * four
  }

  static func mayContain(_ filter: UnsafeRawBufferPointer, _ hash: UInt64) -> Bool {
    let blocks = filter.count / 32
    if blocks == 0 { return true }
    let at = block(hash, blocks) * 32
    let low = UInt32(truncatingIfNeeded: hash)
    for k in 0..<8 {
      let word = filter.loadUnaligned(fromByteOffset: at + 4 * k, as: UInt32.self)
      if word >> ((low &* salt[k]) >> 27) & 1 == 0 { return false }
    }
    return true
  }

  private static let p1: UInt64 = 0x9E37_79B1_85EB_CA87
  private static let p2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  private static let p3: UInt64 = 0x1656_67B1_9E37_79F9
  private static let p4: UInt64 = 0x85EB_CA77_C2B2_AE63
  private static let p5: UInt64 = 0x27D4_EB2F_1656_67C5

  @inline(__always) private static func turn(_ x: UInt64, _ by: UInt64) -> UInt64 {
    x << by | x >> (64 - by)
  }
  @inline(__always) private static func round(_ a: UInt64, _ input: UInt64) -> UInt64 {
    turn(a &+ input &* p2, 31) &* p1
  }

  /// xxHash64 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
  static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var i = 0
    let n = bytes.count
    func word(_ at: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) }
    var h: UInt64
    if n >= 32 {
      var a = p1 &+ p2
      var b = p2
      var c: UInt64 = 0
      var d = 0 &- p1
      while i + 32 <= n {
        a = round(a, word(i))
        b = round(b, word(i + 8))
        c = round(c, word(i + 16))
        d = round(d, word(i + 24))
        i += 32
      }
      h = turn(a, 1) &+ turn(b, 7) &+ turn(c, 12) &+ turn(d, 18)
      for v in [a, b, c, d] { h = (h ^ round(0, v)) &* p1 &+ p4 }
    } else {
      h = p5
    }
    h &+= UInt64(n)
    while i + 8 <= n {
      h = turn(h ^ round(0, word(i)), 27) &* p1 &+ p4
      i += 8
    }
    if i + 4 <= n {
      let four = UInt64(bytes.loadUnaligned(fromByteOffset: i, as: UInt32.self))
      h = turn(h ^ four &* p1, 23) &* p2 &+ p3
      i += 4
    }
    while i < n {
      h = turn(h ^ UInt64(bytes[i]) &* p5, 11) &* p1
      i += 1
    }
    h ^= h >> 33
    h = h &* p2
    h ^= h >> 29
    h = h &* p3
    return h ^ h >> 32
  }
}
