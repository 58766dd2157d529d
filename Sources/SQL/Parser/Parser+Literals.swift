import Columns

extension Parser {
  /// A string literal, its quotes and escapes resolved.
  mutating func string(_ what: String = "a string") throws(TerraceError) -> String {
    let token = current
    switch token.kind {
    case .string:
      advance()
      return stringText(token, skipping: 1)
    case .unicodeString:
      advance()
      return try unicodeString(token)
    default: throw unexpected(what)
    }
  }

  private func stringText(_ token: Token, skipping: Int) -> String {
    let inner = source.text(SourceSpan(Int(token.start) + skipping, Int(token.end) - 1))
    return inner.contains("'") ? unquoted(inner, UInt8(ascii: "'")) : inner
  }

  /// `U&'\0041\+01F600'`, with another escape character after UESCAPE.
  private mutating func unicodeString(_ token: Token) throws(TerraceError) -> String {
    var escape: Unicode.Scalar = "\\"
    if current.kind == .word, source.text(current.span).uppercased() == "UESCAPE" {
      advance()
      let span = current.span
      let given = try string("the escape character")
      guard given.unicodeScalars.count == 1, let only = given.unicodeScalars.first else {
        throw error("UESCAPE takes one character", at: span)
      }
      escape = only
    }
    let scalars = Array(stringText(token, skipping: 3).unicodeScalars)
    var out = String.UnicodeScalarView()
    var i = 0
    while i < scalars.count {
      if scalars[i] != escape {
        out.append(scalars[i])
        i += 1
      } else if i + 1 < scalars.count, scalars[i + 1] == escape {
        out.append(escape)
        i += 2
      } else {
        let long = i + 1 < scalars.count && scalars[i + 1] == "+"
        let start = i + (long ? 2 : 1)
        let end = start + (long ? 6 : 4)
        guard end <= scalars.count,
          let value = UInt32(String(String.UnicodeScalarView(scalars[start..<end])), radix: 16),
          let scalar = Unicode.Scalar(value)
        else {
          throw error(
            "a Unicode escape is not well formed", at: token.span,
            hint: "write \\ and 4 hexadecimal digits, or \\+ and 6")
        }
        out.append(scalar)
        i = end
      }
    }
    return String(out)
  }

  mutating func binaryString() throws(TerraceError) -> [UInt8] {
    let token = current
    advance()
    let digits = Array(source.text(SourceSpan(Int(token.start) + 2, Int(token.end) - 1)).utf8)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    if digits.count % 2 != 0 {
      throw error("a binary string needs an even number of digits", at: token.span)
    }
    for i in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Parser.hexDigit(digits[i]), let low = Parser.hexDigit(digits[i + 1]) else {
        throw error("a binary string holds hexadecimal digits only", at: token.span)
      }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 65...70: byte - 55
    case 97...102: byte - 87
    default: nil
    }
  }

  /// INTERVAL, a string and its units; the keyword is already taken.
  mutating func interval() throws(TerraceError) -> IntervalSyntax {
    var isNegative = false
    if accept(.dash) { isNegative = true } else { _ = accept(.plus) }
    let span = current.span
    guard current.kind == .string else {
      throw error(
        "an interval takes its number as a string", at: span, hint: "write INTERVAL '5' MINUTE")
    }
    let text = try string()
    let from = try intervalUnit()
    var precision: Int?
    if accept(.leftParenthesis) {
      precision = try integer("a precision")
      if accept(.comma) { _ = try integer("a precision") }
      try expect(.rightParenthesis, "')'")
    }
    var to: TimeUnit?
    if isAt(.to), Parser.unit(peek().keyword) != nil {
      advance()
      to = try intervalUnit()
      if accept(.leftParenthesis) {
        precision = try integer("a precision")
        try expect(.rightParenthesis, "')'")
      }
    }
    return IntervalSyntax(
      isNegative: isNegative, text: text, from: from, to: to, precision: precision)
  }

  private static let spanUnits: [TimeUnit] = [
    .year, .quarter, .month, .week, .day, .hour, .minute, .second,
  ]

  private mutating func intervalUnit() throws(TerraceError) -> TimeUnit {
    guard let unit = Parser.unit(current.keyword), Parser.spanUnits.contains(unit) else {
      throw unexpected(
        "a unit such as DAY, HOUR or MINUTE", [.year, .month, .week, .day, .hour, .minute, .second])
    }
    advance()
    return unit
  }

  /// A unit for EXTRACT, FLOOR and the like.
  mutating func timeUnit() throws(TerraceError) -> TimeUnit {
    let word = current.kind == .word ? source.text(current.span).uppercased() : ""
    if word.hasPrefix("SQL_TSI_") {
      let name = word.dropFirst("SQL_TSI_".count)
      if let unit = TimeUnit(rawValue: name.lowercased()), Parser.spanUnits.contains(unit) {
        advance()
        return unit
      }
    }
    guard let unit = Parser.unit(current.keyword) else {
      if current.kind == .string {
        throw error(
          "a unit such as DAY, HOUR or MINUTE stands without quotes", at: current.span,
          hint: "write \(stringText(current, skipping: 1).uppercased())")
      }
      throw unexpected(
        "a unit such as DAY, HOUR or MINUTE", [.year, .month, .week, .day, .hour, .minute, .second])
    }
    advance()
    return unit
  }

  static func unit(_ keyword: Keyword?) -> TimeUnit? {
    switch keyword {
    case .year, .years: .year
    case .quarter, .quarters: .quarter
    case .month, .months: .month
    case .week, .weeks: .week
    case .day, .days: .day
    case .hour, .hours: .hour
    case .minute, .minutes: .minute
    case .second, .seconds: .second
    case .none: nil
    case .some(let other): TimeUnit(rawValue: other.rawValue)
    }
  }
}
