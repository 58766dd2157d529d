import Columns

/// Cuts SQL text into tokens. Comments (`--`, `//`, `/* */`) are dropped, hints (`/*+ */`) are kept.
struct Lexer {
  private let source: SourceText
  private let count: Int
  private var at = 0
  private var insideHint = false

  init(_ source: SourceText) {
    self.source = source
    self.count = source.bytes.count
  }

  /// - Throws: kind `invalid` with the place, for text that is no token, is not closed, or is too long.
  static func tokens(of source: SourceText) throws(TerraceError) -> [Token] {
    let (tokens, failure) = try tokensUntilFailure(source)
    if let failure { throw failure }
    return tokens
  }

  /// The tokens up to the first text that is none, ended by an ``Token/Kind/endOfText``.
  static func tokensUntilFailure(
    _ source: SourceText
  ) throws(TerraceError) -> (tokens: [Token], failure: TerraceError?) {
    if source.bytes.count > SourceText.byteCountMax {
      throw TerraceError(
        .invalid, "the text has \(source.bytes.count) bytes, at most 16 MiB are read"
      )
      .with("file", source.name)
    }
    if let offset = source.firstOtherThanUTF8 {
      throw source.error(
        "the text is not UTF-8 from here on", at: SourceSpan(offset, offset + 1),
        hint: "save the file as UTF-8")
    }
    var lexer = Lexer(source)
    var tokens: [Token] = []
    tokens.reserveCapacity(source.bytes.count / 5 + 1)
    while true {
      let token: Token
      do throws(TerraceError) { token = try lexer.next() } catch {
        tokens.append(lexer.token(.endOfText, tokens.last.map { Int($0.end) } ?? 0))
        return (tokens, error)
      }
      tokens.append(token)
      if token.kind == .endOfText { return (tokens, nil) }
    }
  }

  private func byte(_ offset: Int) -> UInt8 { offset < count ? source.bytes[offset] : 0 }

  private func fail(_ message: String, _ start: Int, _ end: Int, _ hint: String = "")
    -> TerraceError
  {
    source.error(message, at: SourceSpan(start, end), hint: hint)
  }

  private mutating func next() throws(TerraceError) -> Token {
    try skipBlanks()
    let start = at
    guard at < count else { return token(.endOfText, start) }
    let first = source.bytes[at]
    switch first {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case UInt8(ascii: "."):
      if Lexer.isDigit(byte(at + 1)) { return try number() }
      return symbol(.dot, 1)
    case UInt8(ascii: "'"):
      try skipQuoted(UInt8(ascii: "'"), "a string", start)
      return token(.string, start)
    case UInt8(ascii: "`"):
      try skipQuoted(UInt8(ascii: "`"), "a quoted name", start)
      if at - start == 2 { throw fail("a quoted name is empty", start, at) }
      return token(.quoted, start)
    default: break
    }
    if Lexer.isWordStart(first) { return try word() }
    if let kind = operatorKind() { return kind }
    throw unexpectedCharacter()
  }

  private func token(_ kind: Token.Kind, _ start: Int, _ keyword: Keyword? = nil) -> Token {
    Token(
      kind: kind, keyword: keyword, start: Int32(truncatingIfNeeded: start),
      end: Int32(truncatingIfNeeded: at))
  }

  private mutating func symbol(_ kind: Token.Kind, _ length: Int) -> Token {
    let start = at
    at += length
    return token(kind, start)
  }

  private mutating func operatorKind() -> Token? {
    let second = byte(at + 1)
    switch source.bytes[at] {
    case UInt8(ascii: "("): return symbol(.leftParenthesis, 1)
    case UInt8(ascii: ")"): return symbol(.rightParenthesis, 1)
    case UInt8(ascii: "["): return symbol(.leftBracket, 1)
    case UInt8(ascii: "]"): return symbol(.rightBracket, 1)
    case UInt8(ascii: ","): return symbol(.comma, 1)
    case UInt8(ascii: ";"): return symbol(.semicolon, 1)
    case UInt8(ascii: ":"): return symbol(.colon, 1)
    case UInt8(ascii: "?"): return symbol(.question, 1)
    case UInt8(ascii: "+"): return symbol(.plus, 1)
    case UInt8(ascii: "-"): return symbol(.dash, 1)
    case UInt8(ascii: "%"): return symbol(.percent, 1)
    case UInt8(ascii: "*"):
      if insideHint, second == UInt8(ascii: "/") {
        insideHint = false
        return symbol(.hintEnd, 2)
      }
      return symbol(.star, 1)
    case UInt8(ascii: "/"):
      if second == UInt8(ascii: "*") {
        insideHint = true
        return symbol(.hintStart, 3)
      }
      return symbol(.slash, 1)
    case UInt8(ascii: "|"): return second == UInt8(ascii: "|") ? symbol(.concat, 2) : nil
    case UInt8(ascii: "="):
      return symbol(
        second == UInt8(ascii: ">") ? .arrow : .equal, second == UInt8(ascii: ">") ? 2 : 1)
    case UInt8(ascii: "<"):
      if second == UInt8(ascii: "=") { return symbol(.lessOrEqual, 2) }
      return second == UInt8(ascii: ">") ? symbol(.notEqual, 2) : symbol(.less, 1)
    case UInt8(ascii: ">"):
      return second == UInt8(ascii: "=") ? symbol(.greaterOrEqual, 2) : symbol(.greater, 1)
    case UInt8(ascii: "!"): return second == UInt8(ascii: "=") ? symbol(.notEqual, 2) : nil
    default: return nil
    }
  }

  private func unexpectedCharacter() -> TerraceError {
    var end = at + 1
    while end < count, source.bytes[end] & 0xc0 == 0x80 { end += 1 }
    let shown = source.text(SourceSpan(at, end))
    let hint =
      switch shown {
      case "\"": "names are quoted with `back-ticks`, strings with 'single quotes'"
      case "‘", "’", "“", "”": "this is a typographic quote; strings take the plain '"
      default: ""
      }
    return fail("unexpected character '\(shown)'", at, end, hint)
  }

  private mutating func skipBlanks() throws(TerraceError) {
    while at < count {
      let current = source.bytes[at]
      let second = byte(at + 1)
      if current == 0x20 || (current >= 0x09 && current <= 0x0d) {
        at += 1
      } else if current == second, current == UInt8(ascii: "-") || current == UInt8(ascii: "/") {
        while at < count, source.bytes[at] != 0x0a { at += 1 }
      } else if current == UInt8(ascii: "/"), second == UInt8(ascii: "*"),
        byte(at + 2) != UInt8(ascii: "+")
      {
        try skipComment()
      } else if current == 0xef, second == 0xbb, byte(at + 2) == 0xbf {
        at += 3  // A byte order mark.
      } else if current == 0xc2, second == 0xa0 {
        at += 2  // A no-break space, as copied from web pages.
      } else {
        return
      }
    }
  }

  private mutating func skipComment() throws(TerraceError) {
    let start = at
    at += 2
    while at + 1 < count {
      if source.bytes[at] == UInt8(ascii: "*"), source.bytes[at + 1] == UInt8(ascii: "/") {
        at += 2
        return
      }
      at += 1
    }
    throw fail("a comment is not closed", start, start + 2)
  }

  private mutating func skipQuoted(_ quote: UInt8, _ what: String, _ start: Int)
    throws(TerraceError)
  {
    at += 1
    while at < count {
      if source.bytes[at] == quote {
        at += 1
        if byte(at) != quote || at >= count { return }
      }
      at += 1
    }
    let end = source.bytes[start...].firstIndex(of: 0x0a) ?? count
    throw fail("\(what) is not closed", start, min(end, start + 1))
  }

  private mutating func word() throws(TerraceError) -> Token {
    let start = at
    let first = source.bytes[at] | 0x20
    if byte(at + 1) == UInt8(ascii: "'"), first == UInt8(ascii: "x") {
      at += 1
      try skipQuoted(UInt8(ascii: "'"), "a string", start)
      return token(.binaryString, start)
    }
    if first == UInt8(ascii: "u"), byte(at + 1) == UInt8(ascii: "&"),
      byte(at + 2) == UInt8(ascii: "'")
    {
      at += 2
      try skipQuoted(UInt8(ascii: "'"), "a string", start)
      return token(.unicodeString, start)
    }
    while at < count, Lexer.isWordPart(source.bytes[at]) {
      if source.bytes[at] == 0xc2, byte(at + 1) == 0xa0 { break }
      at += 1
    }
    guard at - start <= Keyword.lengthMax else { return token(.word, start) }
    let lower = String(decoding: source.bytes[start..<at].lazy.map(Lexer.lowercased), as: UTF8.self)
    return token(.word, start, Keyword(word: lower))
  }

  private mutating func number() throws(TerraceError) -> Token {
    let start = at
    var kind = Token.Kind.integer
    while Lexer.isDigit(byte(at)) { at += 1 }
    if byte(at) == UInt8(ascii: ".") {
      kind = .decimal
      at += 1
      while Lexer.isDigit(byte(at)) { at += 1 }
    }
    if byte(at) | 0x20 == UInt8(ascii: "e") {
      let signed = byte(at + 1) == UInt8(ascii: "+") || byte(at + 1) == UInt8(ascii: "-")
      let digits = at + (signed ? 2 : 1)
      if Lexer.isDigit(byte(digits)) {
        kind = .approximate
        at = digits
        while Lexer.isDigit(byte(at)) { at += 1 }
      }
    }
    if at < count, Lexer.isWordPart(source.bytes[at]) {
      while at < count, Lexer.isWordPart(source.bytes[at]) { at += 1 }
      throw fail(
        "'\(source.text(SourceSpan(start, min(at, start + 60))))' is neither a number nor a name",
        start, at, "names that start with a digit are quoted with `back-ticks`")
    }
    return token(kind, start)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
  }

  private static func isWordStart(_ byte: UInt8) -> Bool {
    let letter = byte | 0x20
    // Beyond ASCII every character but the typographic quotes (e2 80 98…9d) may start a name.
    return (letter >= 0x61 && letter <= 0x7a) || byte == UInt8(ascii: "_")
      || (byte >= 0xc3 && byte != 0xe2 && byte != 0xef)
  }

  private static func isWordPart(_ byte: UInt8) -> Bool {
    isWordStart(byte) || isDigit(byte) || byte == UInt8(ascii: "$") || byte >= 0x80
  }
}
