import Columns

/// Operators by rising strength: OR, AND, NOT, IS, comparison, BETWEEN/LIKE/IN, + -, * / % ||, unary.
private enum Level {
  static let or = 1
  static let and = 2
  static let not = 3
  static let test = 4
  static let comparison = 5
  static let range = 6
  static let sum = 7
  static let product = 8
  static let unary = 9
}

extension Parser {
  mutating func expression() throws(TerraceError) -> ExpressionSyntax {
    try expression(Level.or)
  }

  /// An expression without comparisons, as POSITION(operand IN …) needs it.
  mutating func operand() throws(TerraceError) -> ExpressionSyntax {
    try expression(Level.sum)
  }

  /// An expression of operators at least as strong as `level`.
  private mutating func expression(_ level: Int) throws(TerraceError) -> ExpressionSyntax {
    try enter()
    defer { leave() }
    var left = try prefix(level)
    while let next = try infix(left, level) { left = next }
    return left
  }

  private mutating func prefix(_ level: Int) throws(TerraceError) -> ExpressionSyntax {
    let span = current.span
    if isAt(.not), level <= Level.not {
      advance()
      let operand = try expression(Level.not)
      return try node(.not(operand), span.to(operand.span))
    }
    if accept(.dash) {
      let operand = try expression(Level.unary)
      return try node(.negate(operand), span.to(operand.span))
    }
    if accept(.plus) {
      let operand = try expression(Level.unary)
      return try node(.plus(operand), span.to(operand.span))
    }
    return try postfix()
  }

  /// The expression that `left` is the left side of, or nil when no operator of `level` follows.
  private mutating func infix(_ left: ExpressionSyntax, _ level: Int) throws(TerraceError)
    -> ExpressionSyntax?
  {
    switch current.kind {
    case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
      return level <= Level.comparison ? try comparison(left) : nil
    case .plus, .dash:
      return level <= Level.sum ? try binary(left, Level.product) : nil
    case .star, .slash, .percent, .concat:
      return level <= Level.product ? try binary(left, Level.unary) : nil
    case .word: break
    default: return nil
    }
    switch current.keyword {
    case .or: return level <= Level.or ? try chain(left, .or) : nil
    case .and: return level <= Level.and ? try chain(left, .and) : nil
    case .is: return level <= Level.test ? try test(left) : nil
    case .between, .like, .similar, .in:
      return level <= Level.range ? try range(left, negated: false) : nil
    case .not:
      guard level <= Level.range else { return nil }
      switch peek().keyword {
      case .between, .like, .similar, .in:
        advance()
        return try range(left, negated: true)
      default: return nil
      }
    default:
      if case .row = left.kind, source.text(current.span).uppercased() == "OVERLAPS" {
        throw unsupported("OVERLAPS", at: current.span)
      }
      return nil
    }
  }

  /// a OR b OR c …, flat.
  private mutating func chain(_ left: ExpressionSyntax, _ keyword: Keyword) throws(TerraceError)
    -> ExpressionSyntax
  {
    var parts = [left]
    while accept(keyword) {
      parts.append(try expression(keyword == .or ? Level.and : Level.not))
    }
    let span = left.span.to(previousSpan)
    return try node(keyword == .or ? .or(parts) : .and(parts), span)
  }

  private mutating func binary(_ left: ExpressionSyntax, _ level: Int) throws(TerraceError)
    -> ExpressionSyntax
  {
    let operation: BinaryOperator =
      switch current.kind {
      case .plus: .add
      case .dash: .subtract
      case .star: .multiply
      case .slash: .divide
      case .percent: .remainder
      default: .concat
      }
    advance()
    let right = try expression(level)
    return try node(.binary(operation, left, right), left.span.to(right.span))
  }

  private mutating func comparison(_ left: ExpressionSyntax) throws(TerraceError)
    -> ExpressionSyntax
  {
    let operation: BinaryOperator =
      switch current.kind {
      case .equal: .equal
      case .notEqual: .notEqual
      case .less: .less
      case .lessOrEqual: .lessOrEqual
      case .greater: .greater
      default: .greaterOrEqual
      }
    advance()
    if isAt(.all) || isAt(.any) || isAt(.some) {
      // Equal to any is IN, and different from all is NOT IN, with the same unknowns.
      if operation == (isAt(.all) ? .notEqual : .equal) {
        let negated = isAt(.all)
        advance()
        return try membership(left, negated: negated)
      }
      throw unsupported(
        "comparison with \(source.text(current.span).uppercased())", at: current.span,
        hint: "use IN, EXISTS, or a comparison with MIN or MAX")
    }
    let right = try expression(Level.range)
    return try node(.binary(operation, left, right), left.span.to(right.span))
  }

  private mutating func test(_ left: ExpressionSyntax) throws(TerraceError) -> ExpressionSyntax {
    advance()
    let negated = accept(.not)
    if accept(.distinct) {
      try expect(.from)
      let right = try expression(Level.range)
      return try node(
        .distinctFrom(left, right, negated: negated), left.span.to(right.span))
    }
    let what: TruthTest
    switch current.keyword {
    case .null: what = .null
    case .true: what = .isTrue
    case .false: what = .isFalse
    case .unknown: what = .unknown
    case .json:
      switch peek().keyword {
      case .value: what = .jsonValue
      case .object: what = .jsonObject
      case .array: what = .jsonArray
      case .scalar: what = .jsonScalar
      default: what = .json
      }
      if what != .json { advance() }
    default:
      throw unexpected(
        "NULL, TRUE, FALSE, UNKNOWN, DISTINCT FROM or JSON",
        [.null, .true, .false, .unknown, .distinct, .json])
    }
    advance()
    return try node(.test(left, what, negated: negated), left.span.to(previousSpan))
  }

  private mutating func range(_ left: ExpressionSyntax, negated: Bool) throws(TerraceError)
    -> ExpressionSyntax
  {
    switch current.keyword {
    case .between:
      advance()
      let symmetric = accept(.symmetric)
      if !symmetric { _ = accept(.asymmetric) }
      let low = try expression(Level.sum)
      try expect(.and)
      let high = try expression(Level.sum)
      return try node(
        .between(left, low: low, high: high, symmetric: symmetric, negated: negated),
        left.span.to(high.span))
    case .in:
      advance()
      return try membership(left, negated: negated)
    default:
      let similar = isAt(.similar)
      advance()
      if similar { try expect(.to) }
      let pattern = try expression(Level.sum)
      var escape: ExpressionSyntax?
      if accept(.escape) { escape = try expression(Level.sum) }
      return try node(
        .like(left, pattern: pattern, escape: escape, similar: similar, negated: negated),
        left.span.to(previousSpan))
    }
  }

  private mutating func membership(_ left: ExpressionSyntax, negated: Bool) throws(TerraceError)
    -> ExpressionSyntax
  {
    try expect(.leftParenthesis, "'('")
    if isAtQuery {
      let query = try query()
      try expect(.rightParenthesis, "')'")
      return try node(.inQuery(left, query, negated: negated), left.span.to(previousSpan))
    }
    var list: [ExpressionSyntax] = []
    repeat { list.append(try expression()) } while accept(.comma)
    if list.count == 1, case .query(let first) = list[0].kind, isAtQueryTail {
      let query = try queryRest(first)
      try expect(.rightParenthesis, "')'")
      return try node(.inQuery(left, query, negated: negated), left.span.to(previousSpan))
    }
    try expect(.rightParenthesis, "')' or ','")
    // IN ((SELECT …)) is IN (SELECT …).
    if list.count == 1, case .query(let query) = list[0].kind {
      return try node(.inQuery(left, query, negated: negated), left.span.to(previousSpan))
    }
    return try node(.inList(left, list, negated: negated), left.span.to(previousSpan))
  }

  /// A primary and what follows it: `[index]` and `.field`.
  private mutating func postfix() throws(TerraceError) -> ExpressionSyntax {
    var base = try primary()
    while true {
      if accept(.leftBracket) {
        let index = try expression()
        try expect(.rightBracket, "']'")
        base = try node(.element(base, index), base.span.to(previousSpan))
      } else if isAt(.dot), peek().kind == .word || peek().kind == .quoted {
        advance()
        let name = takeName()
        base = try node(.member(base, name), base.span.to(name.span))
      } else {
        return base
      }
    }
  }
}
