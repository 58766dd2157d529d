import Columns

extension Parser {
  /// A literal, a column, a call, or something in parentheses.
  mutating func primary() throws(TerraceError) -> ExpressionSyntax {
    let token = current
    switch token.kind {
    case .integer: return try literal(.integer(source.text(token.span)))
    case .decimal: return try literal(.decimal(source.text(token.span)))
    case .approximate: return try literal(.approximate(source.text(token.span)))
    case .string, .unicodeString:
      let text = try string()
      return try node(.literal(.string(text)), token.span.to(previousSpan))
    case .binaryString: return try node(.literal(.binary(try binaryString())), token.span)
    case .leftParenthesis: return try parenthesized()
    case .star:
      advance()
      return try node(.star([]), token.span)
    case .quoted: return try columnOrCall()
    case .word: return try wordPrimary(token)
    default: throw unexpected("an expression")
    }
  }

  private mutating func literal(_ literal: LiteralSyntax) throws(TerraceError) -> ExpressionSyntax {
    advance()
    return try node(.literal(literal), previousSpan)
  }

  private mutating func wordPrimary(_ token: Token) throws(TerraceError) -> ExpressionSyntax {
    let next = peek()
    if next.kind == .string, next.start == token.end,
      ["N", "_UTF8"].contains(
        source.text(token.span).uppercased())
    {
      // N'text' and _UTF8'text': a text is Unicode anyway.
      advance()
      return try node(.literal(.string(try string())), token.span.to(previousSpan))
    }
    guard let keyword = token.keyword else { return try columnOrCall() }
    switch keyword {
    case .null: return try literal(.null)
    case .true: return try literal(.boolean(true))
    case .false: return try literal(.boolean(false))
    case .unknown: return try literal(.null)
    case .date, .time, .timestamp:
      if next.kind == .string { return try timeLiteral(keyword) }
    case .interval:
      advance()
      let interval = try interval()
      return try node(.literal(.interval(interval)), token.span.to(previousSpan))
    case .case: return try caseExpression()
    case .cast, .try_cast:
      if keyword == .cast || next.kind == .leftParenthesis { return try cast() }
    case .exists:
      advance()
      try expect(.leftParenthesis, "'('")
      let query = try query()
      try expect(.rightParenthesis, "')'")
      return try node(.exists(query), token.span.to(previousSpan))
    case .row:
      if next.kind == .leftParenthesis { return try rowConstructor() }
    case .array, .map:
      if next.kind == .leftBracket { return try collectionConstructor(keyword) }
      if keyword == .array, next.kind == .leftParenthesis {
        throw unsupported("ARRAY of a query", at: token.span)
      }
    case .current_date, .current_time, .current_timestamp, .localtime, .localtimestamp:
      return try bareCall()
    default: break
    }
    if next.kind == .leftParenthesis, !Parser.neverFunctions.contains(keyword) {
      if let special = try special(keyword) { return special }
      return try columnOrCall()
    }
    if keyword.isReserved { throw unexpected("an expression") }
    return try columnOrCall()
  }

  /// Reserved words that are no function even before a parenthesis.
  private static let neverFunctions: Set<Keyword> = [
    .select, .from, .where, .group, .having, .order, .by, .on, .using, .as, .and, .or, .not, .in,
    .is, .between, .like, .when, .then, .else, .end, .union, .intersect, .except, .minus, .join,
    .inner, .cross, .natural, .outer, .limit, .offset, .fetch, .with, .over, .qualify, .window,
    .table, .lateral, .unnest, .into, .insert, .create, .alter, .drop, .distinct, .all, .for, .to,
  ]

  private mutating func timeLiteral(_ keyword: Keyword) throws(TerraceError) -> ExpressionSyntax {
    let start = current.span
    advance()
    let text = try string()
    let literal: LiteralSyntax =
      switch keyword {
      case .date: .date(text)
      case .time: .time(text)
      default: .timestamp(text)
      }
    return try node(.literal(literal), start.to(previousSpan))
  }

  private mutating func bareCall() throws(TerraceError) -> ExpressionSyntax {
    let name = takeName()
    var call = CallSyntax(name: NamePath([name]), arguments: [])
    call.isBare = true
    if accept(.leftParenthesis) {
      if current.kind == .integer {
        call.isBare = false
        call.arguments.append(.init(name: nil, value: try primary()))
      }
      try expect(.rightParenthesis, "')'")
    }
    return try node(.call(call), name.span.to(previousSpan))
  }

  /// `(expression)`, `(a, b)` or `(query)`.
  private mutating func parenthesized() throws(TerraceError) -> ExpressionSyntax {
    let start = current.span
    advance()
    if isAtQuery {
      let query = try query()
      try expect(.rightParenthesis, "')'")
      return try node(.query(query), start.to(previousSpan))
    }
    let first = try expression()
    if case .query(let inner) = first.kind, isAtQueryTail {
      let query = try queryRest(inner)
      try expect(.rightParenthesis, "')'")
      return try node(.query(query), start.to(previousSpan))
    }
    if accept(.rightParenthesis) { return ExpressionSyntax(first.kind, start.to(previousSpan)) }
    var parts = [first]
    while accept(.comma) { parts.append(try expression()) }
    try expect(.rightParenthesis, "')' or ','")
    return try node(.row(parts), start.to(previousSpan))
  }

  private mutating func rowConstructor() throws(TerraceError) -> ExpressionSyntax {
    let start = current.span
    advance()
    advance()
    var parts: [ExpressionSyntax] = []
    if !isAt(.rightParenthesis) {
      repeat { parts.append(try expression()) } while accept(.comma)
    }
    try expect(.rightParenthesis, "')' or ','")
    return try node(.row(parts), start.to(previousSpan))
  }

  private mutating func collectionConstructor(_ keyword: Keyword) throws(TerraceError)
    -> ExpressionSyntax
  {
    let start = current.span
    advance()
    advance()
    var parts: [ExpressionSyntax] = []
    if !isAt(.rightBracket) {
      repeat { parts.append(try expression()) } while accept(.comma)
    }
    try expect(.rightBracket, "']' or ','")
    let span = start.to(previousSpan)
    if keyword == .map, parts.count % 2 != 0 {
      throw error("MAP takes keys and values in turn", at: span, hint: "write MAP['k', 1, 'l', 2]")
    }
    return try node(keyword == .map ? .map(parts) : .array(parts), span)
  }

  private mutating func caseExpression() throws(TerraceError) -> ExpressionSyntax {
    let start = current.span
    advance()
    let operand = isAt(.when) ? nil : try expression()
    var branches: [(when: ExpressionSyntax, then: ExpressionSyntax)] = []
    while accept(.when) {
      // CASE x WHEN 1, 2 THEN …
      var tests = [try expression()]
      while operand != nil, accept(.comma) { tests.append(try expression()) }
      try expect(.then)
      let value = try expression()
      for test in tests { branches.append((test, value)) }
    }
    if branches.isEmpty { throw unexpected("WHEN", [.when]) }
    var otherwise: ExpressionSyntax?
    if accept(.else) { otherwise = try expression() }
    if !accept(Keyword.end) { throw unexpected("WHEN, ELSE or END", [.when, .else, .end]) }
    return try node(
      .choose(operand, branches, otherwise: otherwise), start.to(previousSpan))
  }

  private mutating func cast() throws(TerraceError) -> ExpressionSyntax {
    let start = current.span
    let isTry = isAt(.try_cast)
    advance()
    try expect(.leftParenthesis, "'('")
    let value = try expression()
    try expect(.as)
    let typeStart = current.span
    let type = try type()
    let typeSpan = typeStart.to(previousSpan)
    try expect(.rightParenthesis, "')'")
    return try node(
      .cast(value, type, typeSpan: typeSpan, isTry: isTry), start.to(previousSpan))
  }

  /// A column with its qualifiers, `t.*`, or a call.
  private mutating func columnOrCall() throws(TerraceError) -> ExpressionSyntax {
    var parts = [takeName()]
    while isAt(.dot) {
      if peek().kind == .star {
        advance()
        advance()
        return try node(.star(parts), parts[0].span.to(previousSpan))
      }
      advance()
      parts.append(try memberName())
    }
    let path = NamePath(parts)
    if isAt(.leftParenthesis) { return try call(path) }
    return try node(.column(path), path.span)
  }
}
