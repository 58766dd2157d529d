package import Columns

/// Recursive descent over the tokens of a script in Flink's SQL dialect.
///
/// The grammar's parts are extensions: expressions, queries, tables, definitions, statements.
/// Nesting is capped (``Parser/nestingMax`` levels while reading, ``Parser/depthMax`` in the tree), so
/// that no text overflows the stack here or later.
package struct Parser {
  let source: SourceText
  let tokens: [Token]
  var at = 0
  private var nesting = 0
  /// The last alias given without AS: a misspelt keyword ends up there.
  var implicitAlias: Token?

  static let nestingMax = 150
  static let depthMax = 300

  init(_ source: SourceText) throws(TerraceError) {
    self.source = source
    tokens = try Lexer.tokens(of: source)
  }

  private init(_ source: SourceText, _ tokens: [Token]) {
    self.source = source
    self.tokens = tokens
  }

  /// The statements before the first that cannot be read, and why that cannot: what a script runs
  /// before it fails.
  package static func statements(
    _ source: SourceText
  ) throws(TerraceError) -> (statements: [Statement], failure: TerraceError?) {
    let (tokens, failure) = try Lexer.tokensUntilFailure(source)
    var parser = Parser(source, tokens)
    var statements: [Statement] = []
    do throws(TerraceError) {
      while true {
        while parser.accept(.semicolon) {}
        if parser.current.kind == .endOfText { return (statements, failure) }
        let statement = try parser.statement()
        // What a wrong token cuts off may go on after it.
        if parser.current.kind == .endOfText, let failure { return (statements, failure) }
        if parser.current.kind != .endOfText {
          try parser.expect(.semicolon, "';' or the end of the text")
        }
        statements.append(statement)
      }
    } catch {
      return (statements, parser.current.kind == .endOfText ? failure ?? error : error)
    }
  }

  /// All statements of a text, split by `;`.
  ///
  /// - Throws: kind `invalid` or `unsupported`, with line, column and length as facts.
  package static func script(_ source: SourceText) throws(TerraceError) -> [Statement] {
    var parser = try Parser(source)
    var statements: [Statement] = []
    while true {
      while parser.accept(.semicolon) {}
      if parser.current.kind == .endOfText { return statements }
      statements.append(try parser.statement())
      if parser.current.kind == .endOfText { return statements }
      try parser.expect(.semicolon, "';' or the end of the text")
    }
  }

  /// A text that is one query.
  package static func query(_ source: SourceText) throws(TerraceError) -> QuerySyntax {
    var parser = try Parser(source)
    let query = try parser.query()
    _ = parser.accept(.semicolon)
    try parser.expectEnd()
    return query
  }

  /// A text that is one expression.
  package static func expression(_ source: SourceText) throws(TerraceError) -> ExpressionSyntax {
    var parser = try Parser(source)
    let expression = try parser.expression()
    try parser.expectEnd()
    return expression
  }

  // MARK: Tokens

  var current: Token { tokens[at] }
  var previousSpan: SourceSpan { tokens[max(0, at - 1)].span }

  func peek(_ distance: Int = 1) -> Token { tokens[min(at + distance, tokens.count - 1)] }

  func isAt(_ keyword: Keyword) -> Bool { tokens[at].keyword == keyword }

  func isAt(_ kind: Token.Kind) -> Bool { tokens[at].kind == kind }

  func isAt(_ first: Keyword, _ second: Keyword) -> Bool {
    tokens[at].keyword == first && peek().keyword == second
  }

  mutating func advance() { if at < tokens.count - 1 { at += 1 } }

  mutating func accept(_ keyword: Keyword) -> Bool {
    if tokens[at].keyword != keyword { return false }
    at += 1
    return true
  }

  /// Takes the keywords only if all of them are there.
  mutating func accept(_ first: Keyword, _ second: Keyword) -> Bool {
    if !isAt(first, second) { return false }
    at += 2
    return true
  }

  mutating func accept(_ first: Keyword, _ second: Keyword, _ third: Keyword) -> Bool {
    if !isAt(first, second) || peek(2).keyword != third { return false }
    at += 3
    return true
  }

  /// Takes the first keyword, which must then be followed by the second: `ORDER BY`.
  mutating func acceptPair(_ first: Keyword, _ second: Keyword) throws(TerraceError) -> Bool {
    if !accept(first) { return false }
    try expect(second)
    return true
  }

  mutating func accept(_ kind: Token.Kind) -> Bool {
    if tokens[at].kind != kind { return false }
    advance()
    return true
  }

  mutating func expect(_ keyword: Keyword) throws(TerraceError) {
    if !accept(keyword) { throw unexpected(keyword.text, [keyword]) }
  }

  mutating func expect(_ keywords: Keyword...) throws(TerraceError) {
    for keyword in keywords { try expect(keyword) }
  }

  mutating func expect(_ kind: Token.Kind, _ what: String) throws(TerraceError) {
    if !accept(kind) { throw unexpected(what) }
  }

  func expectEnd() throws(TerraceError) {
    if current.kind != .endOfText { throw unexpected("the end of the text") }
  }

  // MARK: Errors

  /// `expected …, found …` at the current token, with a hint when a keyword is misspelt.
  func unexpected(_ expected: String, _ keywords: [Keyword] = []) -> TerraceError {
    let token = current
    var hint = ""
    if token.kind == .word,
      let near = Suggestion.nearest(to: source.text(token.span), among: keywords.map(\.text)),
      near != source.text(token.span).uppercased()
    {
      hint = "did you mean \(near)?"
    } else if let alias = implicitAlias, alias.end <= token.start, at > 0,
      tokens[at - 1].start == alias.start,
      let near = Suggestion.nearest(
        to: source.text(alias.span), among: Parser.clauses.map(\.text))
    {
      hint = "did you mean \(near) instead of '\(source.text(alias.span))'?"
    } else if token.kind == .word, let keyword = token.keyword, keyword.isReserved,
      expected.contains("name")
    {
      hint = "\(keyword.text) is a reserved word; quote it with `back-ticks` to use it as a name"
    }
    return source.error(
      "expected \(expected), found \(describe(token))", at: token.span, hint: hint)
  }

  private static let clauses: [Keyword] = [
    .from, .where, .group, .having, .order, .limit, .join, .left, .right, .full, .inner, .cross,
    .on,
    .union, .window, .qualify, .as, .fetch, .offset,
  ]

  func describe(_ token: Token) -> String {
    if token.kind == .endOfText { return "the end of the text" }
    let text = source.text(token.span)
    let short = text.prefix(while: { $0 != "\n" }).prefix(40)
    if token.kind == .string { return short.count < text.count ? short + "…" : text }
    return "'\(short)'"
  }

  func error(_ message: String, at span: SourceSpan, hint: String = "") -> TerraceError {
    source.error(message, at: span, hint: hint)
  }

  func unsupported(_ what: String, at span: SourceSpan, hint: String = "") -> TerraceError {
    source.unsupported(what, at: span, hint: hint)
  }

  // MARK: Depth

  mutating func enter() throws(TerraceError) {
    nesting += 1
    if nesting > Parser.nestingMax { throw tooDeep(current.span) }
  }

  mutating func leave() { nesting -= 1 }

  func tooDeep(_ span: SourceSpan) -> TerraceError {
    error("the text is nested too deeply", at: span, hint: "split the statement into views")
  }

  /// An expression node, refused when the tree below it has grown too high.
  func node(_ kind: ExpressionSyntax.Kind, _ span: SourceSpan) throws(TerraceError)
    -> ExpressionSyntax
  {
    let node = ExpressionSyntax(kind, span)
    if node.depth > Parser.depthMax { throw tooDeep(span) }
    return node
  }

  // MARK: Names and lists

  /// Whether the current token may be a name.
  var isAtName: Bool { isName(current) }

  func isName(_ token: Token) -> Bool {
    token.kind == .quoted || (token.kind == .word && !(token.keyword?.isReserved ?? false))
  }

  mutating func name(_ what: String = "a name") throws(TerraceError) -> Name {
    guard isAtName else { throw unexpected(what) }
    return takeName()
  }

  /// The current token as a name, whatever it is.
  mutating func takeName() -> Name {
    let token = current
    advance()
    return Name(nameText(token), token.span)
  }

  func nameText(_ token: Token) -> String {
    if token.kind != .quoted { return source.text(token.span) }
    let inner = source.text(SourceSpan(Int(token.start) + 1, Int(token.end) - 1))
    return inner.contains("`") ? unquoted(inner, "`") : inner
  }

  func unquoted(_ inner: String, _ quote: UInt8) -> String {
    var out: [UInt8] = []
    var skip = false
    for byte in inner.utf8 {
      if byte == quote, !skip {
        skip = true
        out.append(byte)
      } else if byte == quote {
        skip = false
      } else {
        skip = false
        out.append(byte)
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private func unquoted(_ inner: String, _ quote: Character) -> String {
    unquoted(inner, quote.asciiValue ?? 0)
  }

  mutating func path(_ what: String = "a name") throws(TerraceError) -> NamePath {
    var parts = [try name(what)]
    while accept(.dot) { parts.append(try memberName()) }
    return NamePath(parts)
  }

  /// After a dot every word is a name.
  mutating func memberName() throws(TerraceError) -> Name {
    guard current.kind == .word || current.kind == .quoted else { throw unexpected("a name") }
    return takeName()
  }

  mutating func tablePath() throws(TerraceError) -> NamePath {
    let path = try path("a table name")
    if path.parts.count > 3 {
      throw error("a table name has at most three parts", at: path.span)
    }
    return path
  }

  /// `(a, b, c)`
  mutating func nameList(_ what: String = "a column name") throws(TerraceError) -> [Name] {
    try expect(.leftParenthesis, "'('")
    var names: [Name] = []
    repeat { names.append(try name(what)) } while accept(.comma)
    try expect(.rightParenthesis, "')' or ','")
    return names
  }

  mutating func integer(_ what: String) throws(TerraceError) -> Int {
    guard current.kind == .integer else { throw unexpected(what) }
    let text = source.text(current.span)
    guard let value = Int(text), value <= 2_147_483_647 else {
      throw error("\(what) is too large", at: current.span)
    }
    advance()
    return value
  }
}
