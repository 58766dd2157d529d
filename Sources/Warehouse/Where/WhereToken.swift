import Columns

/// A word of a WHERE condition, and where it stands (in Unicode scalars from the start).
struct WhereToken {
  enum Kind: Equatable {
    /// An unquoted name or keyword, as written.
    case word(String)
    /// `name`, or "name" where a column is expected.
    case quotedName(String)
    case string(String)
    /// X'0aff'.
    case binary([UInt8])
    /// Digits with an optional point and exponent, without a sign.
    case number(String)
    /// An operator or a parenthesis.
    case symbol(String)
    case end
  }

  let kind: Kind
  let offset: Int
  let length: Int

  func isKeyword(_ keyword: String) -> Bool {
    if case .word(let text) = kind { return text.uppercased() == keyword }
    return false
  }

  func isSymbol(_ symbol: String) -> Bool { kind == .symbol(symbol) }

  /// As errors name it.
  var shown: String {
    switch kind {
    case .word(let text), .number(let text), .symbol(let text): "“\(text)”"
    case .quotedName(let text): "“`\(text)`”"
    case .string(let text): "'\(text)'"
    case .binary: "the binary literal"
    case .end: "the end"
    }
  }
}

/// Cuts a condition into words.
struct WhereLexer {
  private let source: PlacedText
  private let scalars: [Unicode.Scalar]
  private var at = 0

  /// A condition longer than this is refused.
  static let limit = 1 << 20

  static func tokens(_ source: PlacedText) throws(TerraceError) -> [WhereToken] {
    var lexer = WhereLexer(source)
    guard lexer.scalars.count <= limit else {
      throw TerraceError(.invalid, "the condition is too long")
        .with("characters", lexer.scalars.count).with("limit", limit)
    }
    var tokens: [WhereToken] = []
    while let token = try lexer.next() { tokens.append(token) }
    tokens.append(WhereToken(kind: .end, offset: lexer.scalars.count, length: 1))
    return tokens
  }

  private init(_ source: PlacedText) {
    self.source = source
    scalars = Array(source.text.unicodeScalars)
  }

  private mutating func next() throws(TerraceError) -> WhereToken? {
    while at < scalars.count, scalars[at].properties.isWhitespace { at += 1 }
    guard at < scalars.count else { return nil }
    let start = at
    let kind = try kind()
    return WhereToken(kind: kind, offset: start, length: at - start)
  }

  private mutating func kind() throws(TerraceError) -> WhereToken.Kind {
    let first = scalars[at]
    switch first {
    case "'": return .string(try quoted("'", "string"))
    case "`": return .quotedName(try quoted("`", "name"))
    case "\"": return .quotedName(try quoted("\"", "name"))
    case "0"..."9": return .number(try number())
    case "." where at + 1 < scalars.count && Self.isDigit(scalars[at + 1]):
      return .number(try number())
    case "x" where at + 1 < scalars.count && scalars[at + 1] == "'",
      "X" where at + 1 < scalars.count && scalars[at + 1] == "'":
      return .binary(try binary())
    default: break
    }
    if Self.isNameStart(first) {
      return .word(take { Self.isNameStart($0) || Self.isDigit($0) || $0 == "$" })
    }
    for symbol in ["<=", ">=", "<>", "!=", "=", "<", ">", "(", ")", ",", "-", "+"] {
      let letters = Array(symbol.unicodeScalars)
      if scalars[at...].starts(with: letters) {
        at += letters.count
        return .symbol(symbol == "!=" ? "<>" : symbol)
      }
    }
    let hint = first == ";" ? "a condition is not ended by a semicolon" : ""
    throw source.error("“\(first)” has no meaning in a condition", at: at, hint: hint)
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

  private static func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "_" || scalar.properties.isAlphabetic
  }

  private mutating func take(while holds: (Unicode.Scalar) -> Bool) -> String {
    var text = String.UnicodeScalarView()
    while at < scalars.count, holds(scalars[at]) {
      text.append(scalars[at])
      at += 1
    }
    return String(text)
  }

  /// Between two of `mark`; a doubled mark stands for itself.
  private mutating func quoted(
    _ mark: Unicode.Scalar, _ what: String
  ) throws(TerraceError) -> String {
    let start = at
    at += 1
    var text = String.UnicodeScalarView()
    while at < scalars.count {
      let scalar = scalars[at]
      at += 1
      if scalar != mark {
        text.append(scalar)
      } else if at < scalars.count, scalars[at] == mark {
        text.append(mark)
        at += 1
      } else {
        return String(text)
      }
    }
    throw source.error("the \(what) is not closed", at: start, hint: "a \(mark) is missing")
  }

  private mutating func number() throws(TerraceError) -> String {
    let start = at
    var text = take(while: Self.isDigit)
    if at < scalars.count, scalars[at] == "." {
      at += 1
      text += "." + take(while: Self.isDigit)
    }
    if at < scalars.count, scalars[at] == "e" || scalars[at] == "E" {
      at += 1
      text += "e"
      if at < scalars.count, scalars[at] == "-" || scalars[at] == "+" {
        text.unicodeScalars.append(scalars[at])
        at += 1
      }
      let digits = take(while: Self.isDigit)
      if digits.isEmpty {
        throw source.error("the exponent is missing", at: start, length: at - start)
      }
      text += digits
    }
    if at < scalars.count, Self.isNameStart(scalars[at]) {
      _ = take { Self.isNameStart($0) || Self.isDigit($0) }
      throw source.error(
        "a number runs into a name", at: start, length: at - start,
        hint: "put text between ' '")
    }
    return text
  }

  private mutating func binary() throws(TerraceError) -> [UInt8] {
    let start = at
    at += 1
    let digits = Array(try quoted("'", "binary literal").utf8)
    var bytes: [UInt8] = []
    var half: UInt8?
    for digit in digits {
      let value: UInt8
      switch digit {
      case 0x30...0x39: value = digit - 0x30
      case 0x41...0x46: value = digit - 0x37
      case 0x61...0x66: value = digit - 0x57
      default:
        throw source.error("not hexadecimal digits", at: start, length: at - start)
      }
      if let high = half {
        bytes.append(high << 4 | value)
        half = nil
      } else {
        half = value
      }
    }
    if half != nil {
      throw source.error("an odd number of hexadecimal digits", at: start, length: at - start)
    }
    return bytes
  }
}
