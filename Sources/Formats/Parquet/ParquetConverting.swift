import Columns

/// Converts runs of stored values. `target` has room for `count` values of `width` bytes.
struct ParquetConverter {
  let conversion: ParquetConversion
  /// Bytes of a stored value; 0 for BYTE_ARRAY.
  let storedWidth: Int
  let width: Int

  init(_ leaf: ParquetLeaf, to wanted: DataType) throws(TerraceError) {
    conversion = try ParquetConversion.from(leaf, to: wanted)
    width = wanted.physical.width
    storedWidth =
      switch leaf.physical {
      case .boolean: 1
      case .int32, .float: 4
      case .int64, .double: 8
      case .int96: 12
      case .byteArray: 0
      case .fixedLenByteArray: leaf.typeLength
      }
  }

  /// From fixed-width values.
  func convert(
    _ source: UnsafeRawPointer, _ count: Int, into target: UnsafeMutableRawPointer
  ) throws(TerraceError) {
    switch conversion {
    case .none: target.copyMemory(from: source, byteCount: count * width)
    case .integers(let from, let signed):
      let fits: Bool
      switch (from, signed) {
      case (4, true): fits = widen(source, Int32.self, count, target)
      case (4, false): fits = widen(source, UInt32.self, count, target)
      case (8, true): fits = widen(source, Int64.self, count, target)
      default: fits = widen(source, UInt64.self, count, target)
      }
      if !fits { throw outside() }
    case .scaled(_, let multiply, let divide):
      if !scale(source, count, multiply, divide, target) { throw outside() }
    case .decimalBytes:
      let length = storedWidth
      for i in 0..<count {
        try store(bigEndian(source + i * length, length), i, target)
      }
    case .int96(let perSecond): try int96(source, count, perSecond, target)
    case .floatToDouble:
      let from = source.assumingMemoryBound(to: Float.self)
      let to = target.assumingMemoryBound(to: Double.self)
      for i in 0..<count { to[i] = Double(from[i]) }
    case .halfToFloat:
      let to = target.assumingMemoryBound(to: Float.self)
      for i in 0..<count {
        to[i] = Self.half(source.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self))
      }
    case .fixedToBytes: break
    }
  }

  /// From variable-length values, which lie between `offsets`.
  func convert(
    bytes: UnsafeRawPointer, _ offsets: UnsafePointer<Int32>, _ count: Int,
    into target: UnsafeMutableRawPointer
  ) throws(TerraceError) {
    for i in 0..<count {
      let start = Int(offsets[i])
      let length = Int(offsets[i + 1]) - start
      try store(bigEndian(bytes + start, length), i, target)
    }
  }

  private func outside() -> TerraceError {
    TerraceError(.corrupted, "a stored value does not fit the column's type")
  }

  private func store(
    _ value: Int128?, _ i: Int, _ target: UnsafeMutableRawPointer
  ) throws(TerraceError) {
    guard let value else { throw outside() }
    if width == 16 {
      target.assumingMemoryBound(to: Int128.self)[i] = value
    } else {
      guard let narrow = Int64(exactly: value) else { throw outside() }
      target.assumingMemoryBound(to: Int64.self)[i] = narrow
    }
  }

  /// Nil when the value takes more than 16 bytes.
  private func bigEndian(_ p: UnsafeRawPointer, _ length: Int) -> Int128? {
    if length == 0 { return 0 }
    let sign = Int8(bitPattern: p.load(as: UInt8.self)) < 0
    var value: UInt128 = sign ? ~0 : 0
    for k in 0..<length {
      if k < length - 16 {
        if p.load(fromByteOffset: k, as: UInt8.self) != (sign ? 0xff : 0) { return nil }
        continue
      }
      value = value << 8 | UInt128(p.load(fromByteOffset: k, as: UInt8.self))
    }
    let out = Int128(truncatingIfNeeded: value)
    return (out < 0) == sign ? out : nil
  }

  private func widen<T: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafeRawPointer, _ type: T.Type, _ count: Int, _ target: UnsafeMutableRawPointer
  ) -> Bool {
    let from = source.assumingMemoryBound(to: T.self)
    switch width {
    case 1: return copy(from, target.assumingMemoryBound(to: Int8.self), count)
    case 2: return copy(from, target.assumingMemoryBound(to: Int16.self), count)
    case 4: return copy(from, target.assumingMemoryBound(to: Int32.self), count)
    case 8: return copy(from, target.assumingMemoryBound(to: Int64.self), count)
    default: return copy(from, target.assumingMemoryBound(to: Int128.self), count)
    }
  }

  @inline(__always)
  private func copy<T: FixedWidthInteger, U: FixedWidthInteger>(
    _ from: UnsafePointer<T>, _ to: UnsafeMutablePointer<U>, _ count: Int
  ) -> Bool {
    var bad = 0
    for i in 0..<count {
      let value = U(truncatingIfNeeded: from[i])
      bad |= bit(T(truncatingIfNeeded: value) != from[i]) | bit((value < 0) != (from[i] < 0))
      to[i] = value
    }
    return bad == 0
  }

  private func scale(
    _ source: UnsafeRawPointer, _ count: Int, _ multiply: Int64, _ divide: Int64,
    _ target: UnsafeMutableRawPointer
  ) -> Bool {
    let from = source.assumingMemoryBound(to: Int64.self)
    var bad = 0
    switch width {
    case 16:
      let to = target.assumingMemoryBound(to: Int128.self)
      for i in 0..<count { to[i] = Int128(from[i]) &* Int128(multiply) }
    case 8 where divide == 1:
      let to = target.assumingMemoryBound(to: Int64.self)
      for i in 0..<count {
        let (value, over) = from[i].multipliedReportingOverflow(by: multiply)
        bad |= bit(over)
        to[i] = value
      }
    default:
      for i in 0..<count {
        let value = Self.floorDivide(from[i], divide)
        if width == 8 {
          target.assumingMemoryBound(to: Int64.self)[i] = value
        } else {
          let narrow = Int32(truncatingIfNeeded: value)
          bad |= bit(Int64(narrow) != value)
          target.assumingMemoryBound(to: Int32.self)[i] = narrow
        }
      }
    }
    return bad == 0
  }

  @inline(__always) static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
    let quotient = value / by
    return quotient &- Int64(bit(quotient &* by > value))
  }

  /// Eight bytes nanoseconds of the day, four bytes Julian day, both little-endian.
  private func int96(
    _ source: UnsafeRawPointer, _ count: Int, _ perSecond: Int64,
    _ target: UnsafeMutableRawPointer
  ) throws(TerraceError) {
    for i in 0..<count {
      let nanos = source.loadUnaligned(fromByteOffset: i * 12, as: Int64.self)
      let day = source.loadUnaligned(fromByteOffset: i * 12 + 8, as: Int32.self)
      let days = Int128(day) - 2_440_588
      let total = days * 86_400_000_000_000 + Int128(nanos)
      if perSecond == 1_000_000_000 {
        target.assumingMemoryBound(to: Int128.self)[i] = total
      } else {
        let by = Int128(1_000_000_000 / perSecond)
        let quotient = total / by
        try store(quotient * by > total ? quotient - 1 : quotient, i, target)
      }
    }
  }

  static func half(_ bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 31
    let fraction = UInt32(bits & 1023)
    if exponent == 31 { return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13) }
    if exponent == 0 {
      let value = Float(fraction) * 0x1p-24
      return sign == 0 ? value : -value
    }
    return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
  }
}
