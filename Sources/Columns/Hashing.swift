/// Hashes of rows for hash tables inside one process. Not the bucket hash of the tables on disk.
public enum RowHash {
  @inlinable @inline(__always) static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.low ^ product.high
  }

  @inlinable @inline(__always) static func mix(_ value: UInt64) -> UInt64 {
    fold(value ^ 0x9e37_79b9_7f4a_7c15, 0xe703_7ed1_a0b4_28db)
  }

  /// Hashes whole rows: equal rows have equal hashes, null equals null.
  ///
  /// - Parameter out: `count` hashes.
  public static func hash(
    _ columns: [Column], count: Int, into out: UnsafeMutablePointer<UInt64>
  ) {
    out.update(repeating: 0, count: count)
    for column in columns { add(column, count, out) }
  }

  private static func add(_ column: Column, _ count: Int, _ out: UnsafeMutablePointer<UInt64>) {
    if column.validity == nil, column.physical.width == 8, column.physical == .int64 {
      let values = column.pointer(UInt64.self)
      for i in 0..<count { out[i] = mix(out[i] ^ values[i]) }
      return
    }
    for i in 0..<count { out[i] = mix(out[i] ^ value(column, i)) }
  }

  private static func value(_ column: Column, _ row: Int) -> UInt64 {
    if column.isNull(row) { return 0x5bd1_e995_9f6e_3a27 }
    switch column.physical {
    case .boolean, .int8: return UInt64(column.pointer(UInt8.self)[row])
    case .int16: return UInt64(column.pointer(UInt16.self)[row])
    case .int32: return UInt64(column.pointer(UInt32.self)[row])
    case .int64: return column.pointer(UInt64.self)[row]
    case .float32: return UInt64(orderedBits(column.pointer(Float.self)[row]))
    case .float64: return orderedBits(column.pointer(Double.self)[row])
    case .int128:
      let bits = column.pointer(UInt128.self)[row]
      return mix(UInt64(truncatingIfNeeded: bits)) ^ UInt64(truncatingIfNeeded: bits >> 64)
    case .bytes: return bytes(column.bytes(row))
    case .list, .map:
      var h = UInt64(UInt32(bitPattern: column.offsets[row + 1] - column.offsets[row]))
      for i in Int(column.offsets[row])..<Int(column.offsets[row + 1]) {
        for child in column.children { h = mix(h ^ value(child, i)) }
      }
      return h
    case .row:
      var h: UInt64 = 1
      for child in column.children { h = mix(h ^ value(child, row)) }
      return h
    }
  }

  /// Eight bytes at a time, folded by 64 × 64 → 128 bit products (wyhash's idea).
  public static func bytes(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var h = UInt64(bytes.count) &* 0xa076_1d64_78bd_642f
    var i = 0
    while i &+ 8 <= bytes.count {
      h = fold(
        h ^ bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self), 0xe703_7ed1_a0b4_28db)
      i &+= 8
    }
    var tail: UInt64 = 0
    var shift: UInt64 = 0
    while i < bytes.count {
      tail |= UInt64(bytes[i]) << shift
      shift += 8
      i &+= 1
    }
    return mix(h ^ tail)
  }
}
