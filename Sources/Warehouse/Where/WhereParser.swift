package import Columns

/// WHERE conditions, from text to a ``Predicate`` over the columns of a row type.
///
///     condition  = and { OR and }
///     and        = not { AND not }
///     not        = [NOT] primary
///     primary    = "(" condition ")" | TRUE | FALSE | literal comparison column
///                | column [ comparison literal | [NOT] IN (literal, …) | [NOT] BETWEEN literal AND
///                  literal | [NOT] LIKE 'pattern' [ESCAPE 'c'] | IS [NOT] NULL | IS [NOT] TRUE|FALSE ]
///     literal    = [-] number | 'text' | X'hex' | TRUE | FALSE | DATE '…' | TIME '…' | TIMESTAMP '…'
///
/// A column alone must be BOOLEAN. Literals are typed by the column and compared exactly: a value that
/// the column cannot hold compares as the number that it is, and never wraps or rounds.
package struct WhereParser {
  let source: PlacedText
  let type: RowType
  /// What to call the row type in errors: `ods.orders`.
  let owner: String
  private let tokens: [WhereToken]
  private var at = 0
  private var depth = 0

  /// Parentheses and NOTs may nest this deep.
  private static let depthLimit = 200
  /// Conditions joined in one text.
  private static let termLimit = 10_000
  private var terms = 0

  /// - Throws: kind `invalid`, pointing into the text.
  package static func parse(
    _ text: String, _ type: RowType, owner: String, source: String = "--where"
  ) throws(TerraceError) -> Predicate {
    let source = PlacedText(source, text)
    var parser = WhereParser(
      source: source, type: type, owner: owner, tokens: try WhereLexer.tokens(source))
    if case .end = parser.current.kind {
      throw parser.error("the condition is empty", hint: "for example “amount > 5”")
    }
    let predicate = try parser.condition()
    guard case .end = parser.current.kind else {
      throw parser.error("AND, OR or the end is expected, not \(parser.current.shown)")
    }
    return predicate
  }

  private init(source: PlacedText, type: RowType, owner: String, tokens: [WhereToken]) {
    self.source = source
    self.type = type
    self.owner = owner
    self.tokens = tokens
  }

  private var current: WhereToken { tokens[at] }

  private mutating func advance() -> WhereToken {
    let token = tokens[at]
    if at < tokens.count - 1 { at += 1 }
    return token
  }

  private mutating func accept(_ keyword: String) -> Bool {
    guard current.isKeyword(keyword) else { return false }
    _ = advance()
    return true
  }

  private mutating func expect(_ keyword: String, _ why: String) throws(TerraceError) {
    guard accept(keyword) else {
      throw error("\(keyword) is expected \(why), not \(current.shown)")
    }
  }

  private mutating func acceptSymbol(_ symbol: String) -> Bool {
    guard current.isSymbol(symbol) else { return false }
    _ = advance()
    return true
  }

  func error(_ message: String, _ token: WhereToken? = nil, hint: String = "") -> TerraceError {
    let token = token ?? current
    return source.error(message, at: token.offset, length: token.length, hint: hint)
  }

  private mutating func condition() throws(TerraceError) -> Predicate {
    var parts = [try conjunction()]
    while accept("OR") { parts.append(try conjunction()) }
    return parts.count == 1 ? parts[0] : .or(parts)
  }

  private mutating func conjunction() throws(TerraceError) -> Predicate {
    var parts = [try negation()]
    while accept("AND") { parts.append(try negation()) }
    return parts.count == 1 ? parts[0] : .and(parts)
  }

  private mutating func negation() throws(TerraceError) -> Predicate {
    depth += 1
    terms += 1
    defer { depth -= 1 }
    if depth > WhereParser.depthLimit { throw error("the condition is nested too deep") }
    if terms > WhereParser.termLimit { throw error("the condition has too many parts") }
    if accept("NOT") { return .not(try negation()) }
    return try primary()
  }

  private mutating func primary() throws(TerraceError) -> Predicate {
    if acceptSymbol("(") {
      let inner = try condition()
      guard acceptSymbol(")") else {
        throw error("a closing parenthesis is expected, not \(current.shown)")
      }
      return inner
    }
    if isColumnAhead {
      let column = try column()
      return try tail(of: column)
    }
    if accept("TRUE") { return .always }
    if accept("FALSE") { return .never }
    return try mirrored()
  }

  /// A name that is not the beginning of a literal. A column called `date` is still a column.
  private var isColumnAhead: Bool {
    switch current.kind {
    case .quotedName: return true
    case .word(let word):
      let name = word.uppercased()
      if ["DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ"].contains(name), at + 1 < tokens.count,
        case .string = tokens[at + 1].kind
      {
        return false
      }
      let isConstant = name == "TRUE" || name == "FALSE" || name == "NULL"
      return !isConstant || type.index(of: word) != nil
    default: return false
    }
  }

  private mutating func column() throws(TerraceError) -> WhereColumn {
    let token = advance()
    let name: String
    switch token.kind {
    case .word(let text), .quotedName(let text): name = text
    default: throw error("a column is expected, not \(token.shown)", token)
    }
    if let index = type.index(of: name) {
      return WhereColumn(index: index, field: type.fields[index], token: token)
    }
    let alike = type.fields.filter { $0.name.lowercased() == name.lowercased() }
    if alike.count == 1, let index = type.index(of: alike[0].name), case .word = token.kind {
      return WhereColumn(index: index, field: alike[0], token: token)
    }
    let keywords = ["AND", "OR", "IN", "BETWEEN", "LIKE", "IS"]
    if keywords.contains(name.uppercased()) {
      throw error("a column is expected before \(name.uppercased())", token)
    }
    throw error(
      "\(owner) has no column \(name)", token,
      hint: NearestName.hint(name, among: type.fields.map(\.name), else: "it has "))
  }

  /// What follows a column.
  private mutating func tail(of column: WhereColumn) throws(TerraceError) -> Predicate {
    if accept("IS") { return try isTail(of: column) }
    guard let binder = LiteralBinder(column) else {
      throw error(
        "\(column.field.name) is \(column.typeName); only single values can be compared",
        column.token, hint: "IS NULL and IS NOT NULL work on every column")
    }
    if let comparison = acceptComparison() {
      let literal = try literal(for: column)
      return try bind(binder, comparison, literal)
    }
    let negated = accept("NOT")
    var predicate: Predicate
    if accept("IN") {
      predicate = try list(binder, column)
    } else if accept("BETWEEN") {
      let low = try literal(for: column)
      try expect("AND", "in BETWEEN … AND …")
      let high = try literal(for: column)
      predicate = .and([
        try bind(binder, .greaterOrEqual, low), try bind(binder, .lessOrEqual, high),
      ])
    } else if accept("LIKE") {
      predicate = try like(column)
    } else if negated {
      throw error("IN, BETWEEN or LIKE is expected after NOT, not \(current.shown)")
    } else if column.field.type.kind == .boolean {
      predicate = .compare(column: column.index, .equal, .boolean(true))
    } else {
      throw error(
        "a comparison is expected after \(column.field.name), not \(current.shown)",
        hint: "one of = <> < <= > >= IN BETWEEN LIKE IS")
    }
    return negated ? .not(predicate) : predicate
  }

  private mutating func isTail(of column: WhereColumn) throws(TerraceError) -> Predicate {
    let negated = accept("NOT")
    if accept("NULL") {
      return negated ? .isNotNull(column: column.index) : .isNull(column: column.index)
    }
    let token = current
    guard accept("TRUE") || accept("FALSE") else {
      throw error("NULL, TRUE or FALSE is expected after IS, not \(token.shown)")
    }
    guard column.field.type.kind == .boolean else {
      throw error("\(column.field.name) is \(column.typeName), not BOOLEAN", column.token)
    }
    let value: Predicate = .and([
      .isNotNull(column: column.index),
      .compare(column: column.index, .equal, .boolean(token.isKeyword("TRUE"))),
    ])
    return negated ? .not(value) : value
  }

  private mutating func acceptComparison() -> Predicate.Comparison? {
    guard case .symbol(let symbol) = current.kind,
      let comparison = Predicate.Comparison(rawValue: symbol)
    else { return nil }
    _ = advance()
    return comparison
  }

  /// `5 < amount`
  private mutating func mirrored() throws(TerraceError) -> Predicate {
    let literal = try literal(for: nil)
    guard let comparison = acceptComparison() else {
      throw error("a comparison is expected, not \(current.shown)")
    }
    guard isColumnAhead else { throw error("a column is expected, not \(current.shown)") }
    let column = try column()
    guard let binder = LiteralBinder(column) else {
      throw error("\(column.field.name) is \(column.typeName); only single values can be compared")
    }
    return try bind(binder, comparison.mirrored, literal)
  }

  private mutating func list(
    _ binder: LiteralBinder, _ column: WhereColumn
  ) throws(TerraceError) -> Predicate {
    guard acceptSymbol("(") else { throw error("( is expected after IN, not \(current.shown)") }
    var values: [Scalar] = []
    repeat {
      let literal = try literal(for: column)
      // A value that the column cannot hold equals none of its values.
      if case .compare(_, .equal, let value) = try bind(binder, .equal, literal) {
        values.append(value)
      }
    } while acceptSymbol(",")
    guard acceptSymbol(")") else { throw error(") or , is expected, not \(current.shown)") }
    return .isIn(column: column.index, values)
  }

  private mutating func like(_ column: WhereColumn) throws(TerraceError) -> Predicate {
    guard column.field.type.isText else {
      throw error(
        "LIKE compares text, and \(column.field.name) is \(column.typeName)", column.token)
    }
    let token = advance()
    guard case .string(let pattern) = token.kind else {
      throw error("a pattern such as 'A%' is expected, not \(token.shown)", token)
    }
    var escape: Unicode.Scalar?
    if accept("ESCAPE") {
      let token = advance()
      guard case .string(let text) = token.kind, text.unicodeScalars.count == 1 else {
        throw error("ESCAPE takes one character between ' '", token)
      }
      escape = text.unicodeScalars.first
    }
    // The predicate's escape character is the backslash; SQL has none unless it is named.
    var translated = String.UnicodeScalarView()
    var scalars = Array(pattern.unicodeScalars)[...]
    while let scalar = scalars.popFirst() {
      if scalar == escape {
        guard let next = scalars.popFirst() else {
          throw error("the pattern ends in its escape character", token)
        }
        translated.append("\\")
        translated.append(next)
      } else {
        if scalar == "\\" { translated.append("\\") }
        translated.append(scalar)
      }
    }
    return .like(column: column.index, pattern: Array(String(translated).utf8))
  }

  private mutating func literal(for column: WhereColumn?) throws(TerraceError) -> WhereLiteral {
    let start = at
    var token = advance()
    let value: WhereLiteral.Value
    switch token.kind {
    case .symbol("-"), .symbol("+"):
      let sign = token.isSymbol("-") ? "-" : ""
      token = advance()
      guard case .number(let digits) = token.kind else {
        throw error("a number is expected, not \(token.shown)", token)
      }
      value = .number(sign + digits)
    case .number(let digits): value = .number(digits)
    case .string(let text): value = .string(text)
    // As pypaimon does: a "text" where a value belongs is a value.
    case .quotedName(let text) where type.index(of: text) == nil: value = .string(text)
    case .binary(let bytes): value = .binary(bytes)
    case .word(let word): value = try typedLiteral(word, token, column)
    default: throw error("a value is expected, not \(token.shown)", token)
    }
    let end = tokens[at - 1]
    return WhereLiteral(
      value: value, offset: tokens[start].offset,
      length: max(1, end.offset + end.length - tokens[start].offset))
  }

  private mutating func typedLiteral(
    _ word: String, _ token: WhereToken, _ column: WhereColumn?
  ) throws(TerraceError) -> WhereLiteral.Value {
    switch word.uppercased() {
    case "TRUE": return .boolean(true)
    case "FALSE": return .boolean(false)
    case "NULL":
      throw error(
        "a comparison with NULL is never true", token,
        hint: column.map { "write \($0.field.name) IS NULL" } ?? "write IS NULL")
    case "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ":
      guard case .string(let text) = current.kind else { break }
      _ = advance()
      switch word.uppercased() {
      case "DATE": return .date(text)
      case "TIME": return .time(text)
      default: return .timestamp(text)
      }
    default: break
    }
    if type.index(of: word) != nil {
      throw error("a column can be compared with a value only, not with another column", token)
    }
    throw error(
      "a value is expected, not \(token.shown)", token, hint: "put text between ' ': '\(word)'")
  }

  private func bind(
    _ binder: LiteralBinder, _ comparison: Predicate.Comparison, _ literal: WhereLiteral
  ) throws(TerraceError) -> Predicate {
    switch binder.bind(comparison, literal.value) {
    case .predicate(let predicate): return predicate
    case .refused(let message, let hint):
      throw source.error(message, at: literal.offset, length: literal.length, hint: hint)
    }
  }
}

/// A column that a condition names.
struct WhereColumn {
  let index: Int
  let field: Field
  let token: WhereToken

  var typeName: String { field.type.nullable.text }
}

struct WhereLiteral {
  enum Value {
    case number(String)
    case string(String)
    case binary([UInt8])
    case boolean(Bool)
    case date(String)
    case time(String)
    case timestamp(String)
  }

  let value: Value
  let offset: Int
  let length: Int
}

extension Predicate.Comparison {
  /// The comparison with its sides changed: `5 < a` is `a > 5`.
  var mirrored: Predicate.Comparison {
    switch self {
    case .equal, .notEqual: self
    case .less: .greater
    case .lessOrEqual: .greaterOrEqual
    case .greater: .less
    case .greaterOrEqual: .lessOrEqual
    }
  }
}
