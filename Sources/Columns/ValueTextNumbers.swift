/// Text of numbers and bytes.
extension ValueText {
  public static func append(_ value: Int64, to out: ByteWriter) {
    if value < 0 { out.append(UInt8(ascii: "-")) }
    append(unsigned: value.magnitude, to: out)
  }

  /// Decimal digits, at least `width` of them.
  static func append(unsigned value: UInt64, width: Int = 1, to out: ByteWriter) {
    out.reserve(20)
    var length = 1
    var limit: UInt64 = 10
    while length < 19, value >= limit {
      length &+= 1
      limit &*= 10
    }
    if length == 19, value >= 10_000_000_000_000_000_000 { length = 20 }
    length = max(length, width)
    var rest = value
    let target = out.base + out.count
    for at in stride(from: length &- 1, through: 0, by: -1) {
      let next = rest / 10
      target.storeBytes(
        of: 0x30 &+ UInt8(truncatingIfNeeded: rest &- next &* 10), toByteOffset: at, as: UInt8.self)
      rest = next
    }
    out.advance(length)
  }

  /// `unscaled` · 10⁻ˢᶜᵃˡᵉ in plain notation with exactly `scale` digits after the point.
  public static func appendDecimal(_ unscaled: Int128, scale: Int, to out: ByteWriter) {
    if unscaled < 0 { out.append(UInt8(ascii: "-")) }
    let magnitude = unscaled.magnitude
    if magnitude <= UInt128(UInt64.max) {
      append(unsigned: UInt64(truncatingIfNeeded: magnitude), width: scale + 1, to: out)
    } else {
      let billion: UInt128 = 1_000_000_000_000_000_000
      let (upper, low) = magnitude.quotientAndRemainder(dividingBy: billion)
      let (top, middle) = upper.quotientAndRemainder(dividingBy: billion)
      var width = max(scale + 1 - 18, 1)
      if top > 0 || width > 18 {
        append(unsigned: UInt64(truncatingIfNeeded: top), width: max(width - 18, 1), to: out)
        width = 18
      }
      append(unsigned: UInt64(truncatingIfNeeded: middle), width: width, to: out)
      append(unsigned: UInt64(truncatingIfNeeded: low), width: 18, to: out)
    }
    if scale == 0 { return }
    out.reserve(1)
    let point = out.base + (out.count - scale)
    (point + 1).copyMemory(from: point, byteCount: scale)
    point.storeBytes(of: UInt8(ascii: "."), as: UInt8.self)
    out.advance(1)
  }

  /// The shortest text that reads back as the same value: `1.5`, `1e+16`, `NaN`, `-Infinity`.
  public static func append(_ value: Double, to out: ByteWriter) {
    if !value.isFinite { return appendSpecial(value.isNaN, value < 0, to: out) }
    out.append(value.description)
  }

  public static func append(_ value: Float, to out: ByteWriter) {
    if !value.isFinite { return appendSpecial(value.isNaN, value < 0, to: out) }
    out.append(value.description)
  }

  /// As Java's `Double.toString`: `1.0E10`, `100.0`, `1.0E-5`. Paimon's partition paths use it.
  public static func appendJava(_ value: Double, to out: ByteWriter) {
    if !value.isFinite { return appendSpecial(value.isNaN, value < 0, to: out) }
    appendJava(value.description, to: out)
  }

  /// As Java's `Float.toString`.
  public static func appendJava(_ value: Float, to out: ByteWriter) {
    if !value.isFinite { return appendSpecial(value.isNaN, value < 0, to: out) }
    appendJava(value.description, to: out)
  }

  private static func appendSpecial(_ isNaN: Bool, _ isNegative: Bool, to out: ByteWriter) {
    if isNaN { return out.append("NaN" as StaticString) }
    out.append(isNegative ? "-Infinity" : "Infinity" as StaticString)
  }

  /// Java writes plainly from 10⁻³ up to 10⁷ and scientifically beyond; Swift has other borders.
  private static func appendJava(_ text: String, to out: ByteWriter) {
    var digits: [UInt8] = []
    var exponent = 0
    var point: Int?
    var bytes = Array(text.utf8)
    if bytes.first == UInt8(ascii: "-") {
      out.append(UInt8(ascii: "-"))
      bytes.removeFirst()
    }
    if let e = bytes.firstIndex(of: UInt8(ascii: "e")) {
      exponent = Int(String(decoding: bytes[(e + 1)...], as: UTF8.self)) ?? 0
      bytes.removeSubrange(e...)
    }
    for byte in bytes {
      if byte == UInt8(ascii: ".") { point = digits.count } else { digits.append(byte) }
    }
    // The value is 0.DIGITS · 10^exponent from here on.
    exponent += point ?? digits.count
    while digits.count > 1, digits.first == 0x30 {
      digits.removeFirst()
      exponent -= 1
    }
    while digits.count > 1, digits.last == 0x30 { digits.removeLast() }
    if digits == [0x30] { return out.append("0.0" as StaticString) }
    if exponent > -3 && exponent <= 7 {
      let whole = max(exponent, 0)
      if whole == 0 { out.append(0x30) }
      for i in 0..<whole { out.append(i < digits.count ? digits[i] : 0x30) }
      out.append(UInt8(ascii: "."))
      for _ in 0..<max(-exponent, 0) { out.append(0x30) }
      if digits.count <= whole { return out.append(0x30) }
      for digit in digits[whole...] { out.append(digit) }
      return
    }
    out.append(digits[0])
    out.append(UInt8(ascii: "."))
    if digits.count == 1 { out.append(0x30) }
    for digit in digits.dropFirst() { out.append(digit) }
    out.append(UInt8(ascii: "E"))
    append(Int64(exponent - 1), to: out)
  }

  /// `0x` and two lower-case digits a byte.
  public static func appendHex(_ bytes: UnsafeRawBufferPointer, to out: ByteWriter) {
    out.reserve(2 + 2 * bytes.count)
    out.append("0x" as StaticString)
    for byte in bytes {
      out.append(hexDigit(byte >> 4))
      out.append(hexDigit(byte & 15))
    }
  }

  static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
}
