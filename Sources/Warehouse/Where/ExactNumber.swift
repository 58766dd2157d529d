/// A decimal number, exact: `digits` × 10^-`scale`, of at most 38 digits.
///
/// Numbers, dates and times of a condition all come down to this, so that comparing never rounds.
struct ExactNumber: Equatable {
  /// Signed.
  var digits: Int128
  var scale: Int

  init(digits: Int128, scale: Int) {
    self.digits = digits
    self.scale = scale
  }

  /// Reads `-12.50e3`; nil when it is no number or does not fit 38 digits.
  init?(_ text: some StringProtocol) {
    var digits: Int128 = 0
    var scale = 0
    var count = 0
    var significant = 0
    var seenPoint = false
    var bytes = Array(text.utf8)[...]
    var isNegative = false
    if let sign = bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      isNegative = sign == UInt8(ascii: "-")
      bytes = bytes.dropFirst()
    }
    var exponent = 0
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        count += 1
        if significant > 0 || byte != UInt8(ascii: "0") { significant += 1 }
        guard significant <= 38 else { return nil }
        digits = digits * 10 + Int128(byte - UInt8(ascii: "0"))
        if seenPoint { scale += 1 }
      case UInt8(ascii: ".") where !seenPoint: seenPoint = true
      case UInt8(ascii: "e"), UInt8(ascii: "E"):
        guard let value = Int(String(decoding: bytes, as: UTF8.self)), abs(value) < 1000 else {
          return nil
        }
        exponent = value
        bytes = []
      default: return nil
      }
    }
    guard count > 0 else { return nil }
    self.digits = isNegative ? -digits : digits
    self.scale = scale - exponent
  }

  /// The largest whole multiple of 10^-`wanted` that is not above the number, and whether it is the
  /// number; nil when it does not fit 128 bits. Its sign tells which way it does not.
  func floor(scale wanted: Int) -> (value: Int128, isExact: Bool)? {
    if digits == 0 { return (0, true) }
    if scale <= wanted {
      var value = digits
      for _ in 0..<(wanted - scale) {
        let (next, overflow) = value.multipliedReportingOverflow(by: 10)
        if overflow { return nil }
        value = next
      }
      return (value, true)
    }
    var value = digits
    var isExact = true
    for _ in 0..<(scale - wanted) {
      let (quotient, remainder) = value.quotientAndRemainder(dividingBy: 10)
      isExact = isExact && remainder == 0
      value = remainder < 0 ? quotient - 1 : quotient
      // What is left cannot change any more: 0, or -1 for a number just below zero.
      if value == 0 || value == -1, !isExact { break }
      if value == 0 { break }
    }
    return (value, isExact)
  }

  var isNegative: Bool { digits < 0 }
}
