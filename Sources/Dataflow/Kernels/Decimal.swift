internal import Columns

/// Exact decimal numbers: 128-bit unscaled values with a scale.
enum Decimal {
  /// 10 to the power 0…38.
  static let powers: [Int128] = {
    var powers: [Int128] = [1]
    for _ in 1...38 { powers.append(powers[powers.count - 1] * 10) }
    return powers
  }()

  static func fits(_ value: Int128, _ precision: Int) -> Bool {
    value.magnitude < powers[precision].magnitude
  }

  /// Divides, rounding half away from zero.
  static func dividedHalfUp(_ value: Int128, _ divisor: Int128) -> Int128 {
    let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
    if rest.magnitude < divisor.magnitude - rest.magnitude { return quotient }
    return (value < 0) == (divisor < 0) ? quotient + 1 : quotient - 1
  }

  /// The value at another scale, rounded half up; nil when it needs more digits than `precision`.
  static func rescale(_ value: Int128, from: Int, to: Int, precision: Int) -> Int128? {
    var result = value
    if to > from {
      let (scaled, over) = value.multipliedReportingOverflow(by: powers[min(to - from, 38)])
      if over || to - from > 38 { return value == 0 ? 0 : nil }
      result = scaled
    } else if to < from {
      if from - to > 38 { return 0 }
      result = dividedHalfUp(value, powers[from - to])
    }
    return fits(result, precision) ? result : nil
  }

  /// `a + b` or, with `minus`, `a - b` at scale `to`, rounded half up; nil when it does not fit.
  static func add(
    _ a: Int128, _ scaleA: Int, _ b: Int128, _ scaleB: Int, minus: Bool, to: Int, precision: Int
  ) -> Int128? {
    let common = max(scaleA, scaleB)
    let (x, overA) = a.multipliedReportingOverflow(by: powers[common - scaleA])
    let (y, overB) = b.multipliedReportingOverflow(by: powers[common - scaleB])
    if !overA, !overB {
      let (sum, over) =
        minus ? x.subtractingReportingOverflow(y) : x.addingReportingOverflow(y)
      if !over { return rescale(sum, from: common, to: to, precision: precision) }
    }
    let sum = WideInteger(a, times: powers[common - scaleA])
      .adding(WideInteger(minus ? -b : b, times: powers[common - scaleB]))
    return sum.divided(by: powers[max(0, common - to)]).flatMap {
      rescale($0, from: min(common, to), to: to, precision: precision)
    }
  }

  /// Below, above or equal: -1, 1, 0. Exact at any two scales.
  static func order(_ a: Int128, _ scaleA: Int, _ b: Int128, _ scaleB: Int) -> Int {
    let common = max(scaleA, scaleB)
    return WideInteger(a, times: powers[common - scaleA])
      .adding(WideInteger(-b, times: powers[common - scaleB])).sign
  }

  /// `a × b` at scale `from`, given at scale `to`; nil when it does not fit. Exact over 256 bits.
  static func multiply(
    _ a: Int128, _ b: Int128, scale from: Int, to: Int, precision: Int
  ) -> Int128? {
    let (product, over) = a.multipliedReportingOverflow(by: b)
    if !over { return rescale(product, from: from, to: to, precision: precision) }
    // Only a scale that shrinks can bring so large a product back into 38 digits.
    if from - to <= 0 || from - to > 38 { return nil }
    let wide = a.magnitude.multipliedFullWidth(by: b.magnitude)
    let divisor = powers[from - to].magnitude
    if wide.high >= divisor { return nil }
    let (quotient, rest) = divisor.dividingFullWidth(wide)
    let rounded = rest >= divisor - rest ? quotient + 1 : quotient
    guard rounded < powers[precision].magnitude else { return nil }
    let value = Int128(rounded)
    return (a < 0) != (b < 0) ? -value : value
  }

  /// `a / b` at scale `to`, rounded half up; nil when it does not fit. `b` is not zero.
  static func divide(
    _ a: Int128, _ scaleA: Int, _ b: Int128, _ scaleB: Int, to: Int, precision: Int
  ) -> Int128? {
    // a / 10^sA ÷ (b / 10^sB) × 10^to = a × 10^(to - sA + sB) / b
    let shift = to - scaleA + scaleB
    if shift < 0 {
      guard shift >= -38 else { return 0 }
      let (divisor, over) = b.multipliedReportingOverflow(by: powers[-shift])
      if over { return 0 }
      let value = dividedHalfUp(a, divisor)
      return fits(value, precision) ? value : nil
    }
    if a == 0 { return 0 }
    guard shift <= 38 else {
      // Two steps: the remainder carries what the first one leaves.
      guard let first = a.magnitude.multipliedFullWidth(by: powers[38].magnitude) as Wide?,
        first.high == 0, let rest = Int128(exactly: first.low)
      else { return nil }
      return divide(a < 0 ? -rest : rest, 0, b, 0, to: shift - 38, precision: precision)
    }
    let wide = a.magnitude.multipliedFullWidth(by: powers[shift].magnitude)
    if wide.high >= b.magnitude { return nil }
    let (quotient, rest) = b.magnitude.dividingFullWidth(wide)
    let rounded = rest >= b.magnitude - rest ? quotient + 1 : quotient
    guard rounded < powers[precision].magnitude else { return nil }
    let value = Int128(rounded)
    return (a < 0) != (b < 0) ? -value : value
  }

  private typealias Wide = (high: UInt128, low: UInt128)

  /// The nearest double.
  static func double(_ value: Int128, _ scale: Int) -> Double {
    if value.magnitude < 1 << 53 && scale <= 22 { return Double(value) / Double(powers[scale]) }
    return Double("\(value)e-\(scale)") ?? .nan
  }

  static func write(_ value: Int128, _ scale: Int, into out: inout [UInt8]) {
    if value < 0 { out.append(UInt8(ascii: "-")) }
    var digits = Array(String(value.magnitude).utf8)
    if scale > 0 {
      if digits.count <= scale {
        digits = [UInt8](repeating: 0x30, count: scale + 1 - digits.count) + digits
      }
      digits.insert(UInt8(ascii: "."), at: digits.count - scale)
    }
    out.append(contentsOf: digits)
  }

  /// Reads `-12.50e3` as an unscaled value and its scale; nil when it is no number or has more than
  /// 38 digits.
  static func parse(_ text: UnsafeRawBufferPointer) -> (Int128, Int)? {
    var at = 0
    var negative = false
    if let sign = text.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      negative = sign == UInt8(ascii: "-")
      at = 1
    }
    var value: Int128 = 0
    var scale = 0
    var digits = 0
    var pointSeen = false
    while at < text.count {
      let c = text[at]
      if c == UInt8(ascii: "."), !pointSeen {
        pointSeen = true
      } else if c >= 0x30, c <= 0x39 {
        digits += 1
        if value >= powers[37] {
          // Digits behind the point that no decimal can hold are left out.
          if !pointSeen { return nil }
        } else {
          value = value * 10 + Int128(c - 0x30)
          if pointSeen { scale += 1 }
        }
      } else {
        break
      }
      at += 1
    }
    if digits == 0 { return nil }
    if at < text.count {
      guard text[at] | 0x20 == UInt8(ascii: "e"),
        let exponent = Int(String(decoding: text[(at + 1)...], as: UTF8.self)),
        abs(exponent) < 400
      else { return nil }
      scale -= exponent
    }
    if scale < 0 {
      if value == 0 { return (0, 0) }
      guard scale >= -38 else { return nil }
      let (scaled, over) = value.multipliedReportingOverflow(by: powers[-scale])
      if over { return nil }
      return (negative ? -scaled : scaled, 0)
    }
    return (negative ? -value : value, scale)
  }
}

extension Column {
  /// A number column's rows as unscaled decimals: what exact arithmetic works on.
  func decimals() -> (values: Buffer, scale: Int) {
    let out = Buffer(byteCount: count * 16)
    let p = out.pointer(Int128.self)
    switch physical {
    case .int8: for i in 0..<count { p[i] = Int128(pointer(Int8.self)[i]) }
    case .int16: for i in 0..<count { p[i] = Int128(pointer(Int16.self)[i]) }
    case .int32: for i in 0..<count { p[i] = Int128(pointer(Int32.self)[i]) }
    case .int64: for i in 0..<count { p[i] = Int128(pointer(Int64.self)[i]) }
    default: for i in 0..<count { p[i] = pointer(Int128.self)[i] }
    }
    return (out, TypeRules.decimalShape(type)?.scale ?? 0)
  }
}
