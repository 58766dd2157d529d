internal import Columns

extension Cast {
  static func castNumber(_ column: Column, to type: DataType) -> Column {
    switch (column.type.kind, type.kind) {
    case (.decimal, .decimal), (.decimal, _): return castDecimal(column, to: type)
    case (_, .decimal(let precision, let scale)):
      return toDecimal(column, type, precision, scale)
    default: break
    }
    switch column.physical {
    case .int8: return castInteger(column, Int8.self, to: type)
    case .int16: return castInteger(column, Int16.self, to: type)
    case .int32: return castInteger(column, Int32.self, to: type)
    case .int64: return castInteger(column, Int64.self, to: type)
    case .float32: return castFloat(column.map(.double) { (v: Float) in Double(v) }, to: type)
    default: return castFloat(column, to: type)
    }
  }

  @inline(__always)
  private static func castInteger<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
    _ column: Column, _: T.Type, to type: DataType
  ) -> Column {
    switch type.physical {
    case .int8: column.map(type) { (v: T) in Int8(truncatingIfNeeded: v) }
    case .int16: column.map(type) { (v: T) in Int16(truncatingIfNeeded: v) }
    case .int32: column.map(type) { (v: T) in Int32(truncatingIfNeeded: v) }
    case .int64: column.map(type) { (v: T) in Int64(truncatingIfNeeded: v) }
    case .float32: column.map(type) { (v: T) in Float(v) }
    default: column.map(type) { (v: T) in Double(v) }
    }
  }

  /// As Java: towards zero, saturated at Int32 (then wrapped) or Int64; NaN is 0.
  private static func castFloat(_ column: Column, to type: DataType) -> Column {
    switch type.physical {
    case .int8: column.map(type) { (v: Double) in Int8(truncatingIfNeeded: saturated32(v)) }
    case .int16: column.map(type) { (v: Double) in Int16(truncatingIfNeeded: saturated32(v)) }
    case .int32: column.map(type) { (v: Double) in saturated32(v) }
    case .int64:
      column.map(type) { (v: Double) -> Int64 in
        if v.isNaN { return 0 }
        if v >= 0x1p63 { return .max }
        return v < -0x1p63 ? .min : Int64(v)
      }
    case .float32: column.map(type) { (v: Double) in Float(v) }
    default: column.relabelled(type)
    }
  }

  private static func saturated32(_ v: Double) -> Int32 {
    if v.isNaN { return 0 }
    if v >= 0x1p31 { return .max }
    return v <= -0x1p31 ? .min : Int32(v)
  }

  static func numberToBoolean(_ column: Column) -> Column {
    switch column.physical {
    case .int8: column.map(.boolean) { (v: Int8) in UInt8(v != 0 ? 1 : 0) }
    case .int16: column.map(.boolean) { (v: Int16) in UInt8(v != 0 ? 1 : 0) }
    case .int32: column.map(.boolean) { (v: Int32) in UInt8(v != 0 ? 1 : 0) }
    case .int64: column.map(.boolean) { (v: Int64) in UInt8(v != 0 ? 1 : 0) }
    case .int128: column.map(.boolean) { (v: Int128) in UInt8(v != 0 ? 1 : 0) }
    case .float32: column.map(.boolean) { (v: Float) in UInt8(v != 0 ? 1 : 0) }
    default: column.map(.boolean) { (v: Double) in UInt8(v != 0 ? 1 : 0) }
    }
  }

  // MARK: - Decimals

  private static func decimalShape(_ type: DataType) -> (precision: Int, scale: Int) {
    if case .decimal(let precision, let scale) = type.kind { return (precision, scale) }
    return (19, 0)
  }

  /// An unscaled value with another scale, rounded half up; nil when it needs more digits.
  static func rescale(_ value: Int128, from: Int, to: Int, precision: Int) -> Int128? {
    var result = value
    if to > from {
      let (scaled, overflow) = value.multipliedReportingOverflow(by: pow10(to - from))
      if overflow { return nil }
      result = scaled
    } else if to < from {
      let divisor = pow10(from - to)
      let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
      // Twice the rest would overflow for the largest divisors.
      let up = rest.magnitude >= divisor.magnitude - rest.magnitude
      result = up ? quotient + (value < 0 ? -1 : 1) : quotient
    }
    return result.magnitude < pow10(precision).magnitude ? result : nil
  }

  private static func castDecimal(_ column: Column, to type: DataType) -> Column {
    let (_, scale) = decimalShape(column.type)
    let wide =
      column.physical == .int128
      ? column : column.map(.decimal(38, scale)) { (v: Int64) in Int128(v) }
    if case .decimal(let precision, let newScale) = type.kind {
      if type.physical == .int128 {
        return wide.mapSome(type, zero: Int128(0)) { (v: Int128) in
          rescale(v, from: scale, to: newScale, precision: precision)
        }
      }
      return wide.mapSome(type, zero: Int64(0)) { (v: Int128) in
        rescale(v, from: scale, to: newScale, precision: precision).map {
          Int64(truncatingIfNeeded: $0)
        }
      }
    }
    let unit = pow10(scale)
    switch type.physical {
    case .int8: return wide.map(type) { (v: Int128) in Int8(truncatingIfNeeded: v / unit) }
    case .int16: return wide.map(type) { (v: Int128) in Int16(truncatingIfNeeded: v / unit) }
    case .int32: return wide.map(type) { (v: Int128) in Int32(truncatingIfNeeded: v / unit) }
    case .int64: return wide.map(type) { (v: Int128) in Int64(truncatingIfNeeded: v / unit) }
    case .float32: return wide.map(type) { (v: Int128) in Float(decimalToDouble(v, scale)) }
    default: return wide.map(type) { (v: Int128) in decimalToDouble(v, scale) }
    }
  }

  /// The nearest double: exact when both parts are, else by way of the decimal text.
  private static func decimalToDouble(_ value: Int128, _ scale: Int) -> Double {
    if value.magnitude < 1 << 53 && scale <= 22 { return Double(value) / Double(pow10(scale)) }
    return Double("\(value)e-\(scale)") ?? .nan
  }

  private static func toDecimal(
    _ column: Column, _ type: DataType, _ precision: Int, _ scale: Int
  ) -> Column {
    let wide: Column
    switch column.physical {
    case .int8: wide = column.map(.decimal(38, 0)) { (v: Int8) in Int128(v) }
    case .int16: wide = column.map(.decimal(38, 0)) { (v: Int16) in Int128(v) }
    case .int32: wide = column.map(.decimal(38, 0)) { (v: Int32) in Int128(v) }
    case .int64: wide = column.map(.decimal(38, 0)) { (v: Int64) in Int128(v) }
    default:
      let doubles =
        column.physical == .float32 ? column.map(.double) { (v: Float) in Double(v) } : column
      return doubleToDecimal(doubles, type, precision, scale)
    }
    return castDecimal(wide, to: type)
  }

  private static func doubleToDecimal(
    _ column: Column, _ type: DataType, _ precision: Int, _ scale: Int
  ) -> Column {
    func convert(_ v: Double) -> Int128? {
      // Java goes through the shortest decimal text of the double.
      guard v.isFinite, let (digits, exponent) = parseDecimal(Array("\(v)".utf8)) else {
        return nil
      }
      return rescale(digits, from: exponent, to: scale, precision: precision)
    }
    if type.physical == .int128 {
      return column.mapSome(type, zero: Int128(0)) { (v: Double) in convert(v) }
    }
    return column.mapSome(type, zero: Int64(0)) { (v: Double) in
      convert(v).map { Int64(truncatingIfNeeded: $0) }
    }
  }

  /// Reads `-12.50e3` into an unscaled value and its scale (0…38); nil when it is no number, or has
  /// more digits than 128 bits hold.
  static func parseDecimal(_ text: [UInt8]) -> (Int128, Int)? {
    var at = 0
    var negative = false
    if let sign = text.first, sign == 0x2d || sign == 0x2b {
      negative = sign == 0x2d
      at = 1
    }
    var value: Int128 = 0
    var scale = 0
    var digits = 0
    var seenPoint = false
    while at < text.count {
      let c = text[at]
      if c == 0x2e && !seenPoint {
        seenPoint = true
      } else if c >= 0x30 && c <= 0x39 {
        let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
        if overflow { return nil }
        let (sum, over) = scaled.addingReportingOverflow(Int128(c - 0x30))
        if over { return nil }
        value = sum
        digits += 1
        if seenPoint { scale += 1 }
      } else {
        break
      }
      at += 1
    }
    if digits == 0 { return nil }
    if at < text.count {
      guard text[at] == 0x65 || text[at] == 0x45,
        let exponent = Int(String(decoding: text[(at + 1)...], as: UTF8.self)),
        exponent > -100, exponent < 100
      else { return nil }
      scale -= exponent
    }
    if scale < 0 {
      if scale < -38 { return value == 0 ? (0, 0) : nil }
      let (scaled, overflow) = value.multipliedReportingOverflow(by: pow10(-scale))
      if overflow { return nil }
      value = scaled
      scale = 0
    }
    while scale > 38 {
      value /= 10
      scale -= 1
    }
    return (negative ? -value : value, scale)
  }
}
