/// One value outside a column: a literal, a partition value, a statistic.
///
/// The case follows the physical layout: every integer type, dates, times, timestamps up to
/// microseconds and decimals up to 18 digits are `int`; longer ones `int128`; text and binary `bytes`.
public enum Scalar: Hashable, Sendable {
  case null
  case boolean(Bool)
  case int(Int64)
  case int128(Int128)
  case float(Float)
  case double(Double)
  case bytes([UInt8])

  public static func text(_ string: String) -> Scalar { .bytes(Array(string.utf8)) }

  public var isNull: Bool { self == .null }

  /// -0.0 as 0.0, which SQL's comparisons take for equal and key order does not.
  var withoutNegativeZero: Scalar {
    switch self {
    case .float(let v): .float(v + 0.0)
    case .double(let v): .double(v + 0.0)
    default: self
    }
  }

  /// Orders two values of one type as keys are ordered: null first, false before true, bytes
  /// unsigned, and floats as Java's `compare`: -0.0 before 0.0, NaN last and equal to itself.
  ///
  /// - Returns: negative, zero or positive.
  public static func compare(_ left: Scalar, _ right: Scalar) -> Int {
    switch (left, right) {
    case (.null, .null): 0
    case (.null, _): -1
    case (_, .null): 1
    case (.boolean(let a), .boolean(let b)): bit(a) - bit(b)
    case (.int(let a), .int(let b)): a < b ? -1 : bit(a > b)
    case (.int128(let a), .int128(let b)): a < b ? -1 : bit(a > b)
    case (.int(let a), .int128(let b)): Int128(a) < b ? -1 : bit(Int128(a) > b)
    case (.int128(let a), .int(let b)): a < Int128(b) ? -1 : bit(a > Int128(b))
    case (.float(let a), .float(let b)):
      compareBits(UInt64(orderedBits(a)), UInt64(orderedBits(b)))
    case (.double(let a), .double(let b)): compareBits(orderedBits(a), orderedBits(b))
    case (.bytes(let a), .bytes(let b)):
      a.lexicographicallyPrecedes(b) ? -1 : bit(a != b)
    default: preconditionFailure("compared \(left) with \(right)")
    }
  }

  private static func compareBits(_ a: UInt64, _ b: UInt64) -> Int { a < b ? -1 : bit(a > b) }
}

/// Bits that compare as unsigned numbers the way Java's `Double.compare` orders the values.
@inlinable @inline(__always) public func orderedBits(_ value: Double) -> UInt64 {
  let bits = value.isNaN ? 0x7ff8_0000_0000_0000 : value.bitPattern
  // Negative: flip all; positive: flip the sign.
  return bits ^ (UInt64(bitPattern: Int64(bitPattern: bits) >> 63) | 0x8000_0000_0000_0000)
}

/// Bits that compare as unsigned numbers the way Java's `Float.compare` orders the values.
@inlinable @inline(__always) public func orderedBits(_ value: Float) -> UInt32 {
  let bits = value.isNaN ? 0x7fc0_0000 : value.bitPattern
  return bits ^ (UInt32(bitPattern: Int32(bitPattern: bits) >> 31) | 0x8000_0000)
}

extension Column {
  /// The value of one row of a scalar column. For single values only: never in a loop over rows.
  public func scalar(_ row: Int) -> Scalar {
    if isNull(row) { return .null }
    switch physical {
    case .boolean: return .boolean(pointer(UInt8.self)[row] != 0)
    case .int8: return .int(Int64(pointer(Int8.self)[row]))
    case .int16: return .int(Int64(pointer(Int16.self)[row]))
    case .int32: return .int(Int64(pointer(Int32.self)[row]))
    case .int64: return .int(pointer(Int64.self)[row])
    case .int128: return .int128(pointer(Int128.self)[row])
    case .float32: return .float(pointer(Float.self)[row])
    case .float64: return .double(pointer(Double.self)[row])
    case .bytes: return .bytes(Array(bytes(row)))
    case .list, .map, .row: preconditionFailure("\(type) has no scalar")
    }
  }

  /// A column of `count` rows that all hold `value`.
  public static func repeating(_ value: Scalar, type: DataType, count: Int) -> Column {
    let builder = ColumnBuilder(type, capacity: count)
    for _ in 0..<count { builder.append(value) }
    return builder.finish()
  }
}

extension ColumnBuilder {
  /// Appends a value that fits the builder's physical layout.
  public func append(_ value: Scalar) {
    switch (value, physical) {
    case (.null, _): appendNull()
    case (.boolean(let v), .boolean): append(UInt8(v ? 1 : 0))
    case (.int(let v), .int8): append(Int8(truncatingIfNeeded: v))
    case (.int(let v), .int16): append(Int16(truncatingIfNeeded: v))
    case (.int(let v), .int32): append(Int32(truncatingIfNeeded: v))
    case (.int(let v), .int64): append(v)
    case (.int(let v), .int128): append(Int128(v))
    case (.int128(let v), .int128): append(v)
    case (.float(let v), .float32): append(v)
    case (.double(let v), .float64): append(v)
    case (.bytes(let v), .bytes): v.withUnsafeBytes { append(bytes: $0) }
    default: preconditionFailure("\(value) does not lie as \(type)")
    }
  }
}
