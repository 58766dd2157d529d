/// Numbers from text.
extension ValueParser {
  /// `[+-]digits` that fit 64 bits.
  public static func integer(_ text: UnsafeRawBufferPointer) throws(TextProblem) -> Int64 {
    guard let first = text.first else { throw .empty }
    let isNegative = first == UInt8(ascii: "-")
    let from = bit(isNegative || first == UInt8(ascii: "+"))
    if from == text.count { throw .notInteger }
    var value: UInt64 = 0
    if text.count &- from <= 18 {
      for i in from..<text.count {
        let digit = text[i] &- 0x30
        if digit > 9 { throw .notInteger }
        value = value &* 10 &+ UInt64(digit)
      }
    } else {
      var overflows = false
      for i in from..<text.count {
        let digit = text[i] &- 0x30
        if digit > 9 { throw .notInteger }
        let (product, over) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
        overflows = overflows || over || carry
        value = sum
      }
      if overflows || value > 1 << 63 || (value == 1 << 63 && !isNegative) { throw .outOfRange }
    }
    return isNegative ? 0 &- Int64(bitPattern: value) : Int64(bitPattern: value)
  }

  /// A number as written: ±`mantissa` · 10^`exponent`, or `isExact` false when the mantissa needs
  /// over 19 digits.
  struct Written {
    var isNegative = false
    var mantissa: UInt64 = 0
    var exponent = 0
    var isExact = true
  }

  /// `[+-]digits[.digits][e[+-]digits]`, with a digit before or after the point.
  static func written(_ text: UnsafeRawBufferPointer) throws(TextProblem) -> Written {
    var result = Written()
    var at = 0
    guard let first = text.first else { throw .empty }
    if first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
      result.isNegative = first == UInt8(ascii: "-")
      at = 1
    }
    var digits = 0
    var significant = 0
    var pointAt = -1
    while at < text.count {
      let byte = text[at]
      let digit = byte &- 0x30
      if digit <= 9 {
        digits &+= 1
        if significant > 0 || digit > 0 { significant &+= 1 }
        if significant <= 19 {
          result.mantissa = result.mantissa &* 10 &+ UInt64(digit)
          if pointAt >= 0 { result.exponent &-= 1 }
        } else {
          if digit > 0 { result.isExact = false }
          if pointAt < 0 { result.exponent &+= 1 }
        }
      } else if byte == UInt8(ascii: "."), pointAt < 0 {
        pointAt = at
      } else {
        break
      }
      at &+= 1
    }
    if digits == 0 { throw .notNumber }
    if at == text.count { return result }
    guard text[at] | 0x20 == UInt8(ascii: "e") else { throw .notNumber }
    result.exponent &+= try exponent(text, at &+ 1)
    return result
  }

  /// The digits after the `e`; beyond six they are all the same: far out of range.
  private static func exponent(
    _ text: UnsafeRawBufferPointer, _ start: Int
  ) throws(TextProblem) -> Int {
    var at = start
    var isNegative = false
    if at < text.count, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
      isNegative = text[at] == UInt8(ascii: "-")
      at += 1
    }
    if at == text.count { throw .notNumber }
    var value = 0
    while at < text.count {
      let digit = text[at] &- 0x30
      if digit > 9 { throw .notNumber }
      value = min(value * 10 + Int(digit), 1_000_000)
      at += 1
    }
    return isNegative ? -value : value
  }

  /// The nearest DOUBLE; `NaN`, `Infinity` and `inf` in any case too.
  public static func double(_ text: UnsafeRawBufferPointer) throws(TextProblem) -> Double {
    let number: Written
    do throws(TextProblem) { number = try written(text) } catch {
      return try special(text, error)
    }
    // Clinger: both factors are exact, so their one product or quotient is rounded right.
    if number.isExact, number.mantissa <= 1 << 53, number.exponent >= -22, number.exponent <= 22 {
      let value = Double(number.mantissa)
      let scaled =
        number.exponent < 0
        ? value / power(-number.exponent) : value * power(number.exponent)
      return number.isNegative ? -scaled : scaled
    }
    guard let value = Double(String(decoding: text, as: UTF8.self)) else { throw .notNumber }
    if value.isInfinite { throw .outOfRange }
    return value
  }

  /// The nearest FLOAT.
  public static func float(_ text: UnsafeRawBufferPointer) throws(TextProblem) -> Float {
    let number: Written
    do throws(TextProblem) { number = try written(text) } catch {
      return Float(try special(text, error))
    }
    if number.isExact, number.mantissa <= 1 << 24, number.exponent >= -10, number.exponent <= 10 {
      let value = Float(number.mantissa)
      let factor = Float(power(abs(number.exponent)))
      let scaled = number.exponent < 0 ? value / factor : value * factor
      return number.isNegative ? -scaled : scaled
    }
    guard let value = Float(String(decoding: text, as: UTF8.self)) else { throw .notNumber }
    if value.isInfinite { throw .outOfRange }
    return value
  }

  private static func special(
    _ text: UnsafeRawBufferPointer, _ problem: TextProblem
  ) throws(TextProblem) -> Double {
    if matches(text, "nan") { return .nan }
    guard let first = text.first else { throw problem }
    let isNegative = first == UInt8(ascii: "-")
    let from = bit(isNegative || first == UInt8(ascii: "+"))
    let word = UnsafeRawBufferPointer(rebasing: text[from...])
    if matches(word, "infinity") || matches(word, "inf") {
      return isNegative ? -.infinity : .infinity
    }
    throw problem
  }

  /// 10 to the 0…22: exact doubles.
  @inline(__always) private static func power(_ exponent: Int) -> Double {
    powersOfTen[exponent]
  }

  private static let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
  ]

  /// The unscaled value at exactly `scale` digits after the point; nothing is rounded.
  public static func decimal(
    _ text: UnsafeRawBufferPointer, precision: Int, scale: Int
  ) throws(TextProblem) -> Int128 {
    let number = try written(text)
    guard number.isExact, number.mantissa < 1 << 59 else {
      return try longDecimal(text, precision: precision, scale: scale)
    }
    let shift = number.exponent + scale
    var value = Int128(number.mantissa)
    if shift > 0 {
      if value != 0, shift > 38 { throw .tooManyDigits }
      // A product beyond 128 bits is caught before it is made: the mantissa has up to 18 digits.
      if shift > 20 && value != 0 {
        return try longDecimal(text, precision: precision, scale: scale)
      }
      value *= value == 0 ? 1 : powerOfTen(shift)
    } else if shift < 0, value != 0 {
      if shift < -19 { throw .tooFine }
      let (quotient, rest) = number.mantissa.quotientAndRemainder(
        dividingBy: UInt64(powerOfTen(-shift)))
      if rest != 0 { throw .tooFine }
      value = Int128(quotient)
    }
    if value >= powerOfTen(precision) { throw .tooManyDigits }
    return number.isNegative ? -value : value
  }

  /// Digit by digit; zeros wait until another digit follows, so that any number of trailing ones
  /// does no harm.
  private static func longDecimal(
    _ text: UnsafeRawBufferPointer, precision: Int, scale: Int
  ) throws(TextProblem) -> Int128 {
    var value: Int128 = 0
    var digits = 0
    var zeros = 0
    var after = 0
    var isAfter = false
    var exponentAt = text.count
    for at in 0..<text.count {
      let byte = text[at]
      if byte == UInt8(ascii: ".") { isAfter = true }
      if byte | 0x20 == UInt8(ascii: "e") {
        exponentAt = at + 1
        break
      }
      let digit = byte &- 0x30
      if digit > 9 { continue }
      after += bit(isAfter)
      if digit == 0 {
        zeros += 1
        continue
      }
      if digits > 0 { digits += zeros }
      digits += 1
      if digits > 38 { throw isAfter ? .tooFine : .tooManyDigits }
      if value != 0 { value *= powerOfTen(zeros) }
      value = value * 10 + Int128(digit)
      zeros = 0
    }
    if value == 0 { return 0 }
    let written = exponentAt < text.count ? try exponent(text, exponentAt) : 0
    let shift = zeros - after + written + scale
    if shift < 0 { throw .tooFine }
    if digits + shift > precision { throw .tooManyDigits }
    value *= powerOfTen(shift)
    return text.first == UInt8(ascii: "-") ? -value : value
  }

  /// The same, with what lies behind the scale rounded half up, or cut: as Java's BigDecimal has it.
  public static func rounded(
    _ text: UnsafeRawBufferPointer, precision: Int, scale: Int, cuts: Bool
  ) throws(TextProblem) -> Int128 {
    do throws(TextProblem) {
      return try decimal(text, precision: precision, scale: scale)
    } catch {
      if error != .tooFine && error != .tooManyDigits { throw error }
    }
    var digits: [UInt8] = []
    var pointAt: Int?
    var exponent = 0
    for at in 0..<text.count {
      if text[at] == UInt8(ascii: ".") { pointAt = digits.count }
      if text[at] | 0x20 == UInt8(ascii: "e") {
        exponent = try Self.exponent(text, at + 1)
        break
      }
      if text[at] &- 0x30 <= 9 { digits.append(text[at] &- 0x30) }
    }
    // How many of the digits stand before the place where the scale ends.
    let kept = (pointAt ?? digits.count) + exponent + scale
    var value: Int128 = 0
    let room = powerOfTen(37)
    for at in 0..<max(kept, 0) {
      if at >= digits.count, value == 0 { break }
      if value >= room { throw .tooManyDigits }
      value = value * 10 + Int128(at < digits.count ? digits[at] : 0)
    }
    if !cuts, kept >= 0, kept < digits.count, digits[kept] >= 5 { value += 1 }
    if value >= powerOfTen(precision) { throw .tooManyDigits }
    return text.first == UInt8(ascii: "-") ? -value : value
  }

  /// 10 to the 0…38.
  static func powerOfTen(_ exponent: Int) -> Int128 {
    var value: Int128 = 1
    var left = exponent
    while left >= 18 {
      value *= 1_000_000_000_000_000_000
      left -= 18
    }
    var low: Int64 = 1
    for _ in 0..<left { low *= 10 }
    return value * Int128(low)
  }
}
