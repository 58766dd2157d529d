import Columns

extension Parser {
  /// Whether a query starts here (a parenthesis is not looked into).
  var isAtQuery: Bool {
    isAt(.select) || isAt(.with) || isAt(.values)
      || isAt(.table) && isName(peek()) && peek(2).kind != .leftParenthesis
  }

  /// Whether what was read as a query in parentheses goes on as a larger one.
  var isAtQueryTail: Bool {
    switch current.keyword {
    case .union, .intersect, .except, .minus, .order, .limit, .offset, .fetch: true
    default: false
    }
  }

  mutating func query() throws(TerraceError) -> QuerySyntax {
    try enter()
    defer { leave() }
    let start = current.span
    var with: [QuerySyntax.CommonTable] = []
    var isRecursive = false
    if accept(.with) {
      isRecursive = accept(.recursive)
      repeat { with.append(try commonTable()) } while accept(.comma)
    }
    var query = try tail(try setOperation(try intersection(try queryPrimary())), start)
    if !with.isEmpty {
      query = QuerySyntax(
        with: with, isRecursive: isRecursive, body: query.body, orderBy: query.orderBy,
        offset: query.offset, limit: query.limit, span: start.to(previousSpan))
    }
    return try checked(query)
  }

  /// A query whose first operand, in parentheses, is already read.
  mutating func queryRest(_ first: QuerySyntax) throws(TerraceError) -> QuerySyntax {
    let nested = QuerySyntax(body: .nested(first), span: first.span)
    return try checked(try tail(try setOperation(try intersection(nested)), first.span))
  }

  private func checked(_ query: QuerySyntax) throws(TerraceError) -> QuerySyntax {
    if query.depth > Parser.depthMax { throw tooDeep(query.span) }
    return query
  }

  private mutating func commonTable() throws(TerraceError) -> QuerySyntax.CommonTable {
    let name = try name("the name of a common table")
    let columns = isAt(.leftParenthesis) ? try nameList() : []
    try expect(.as)
    try expect(.leftParenthesis, "'('")
    let query = try query()
    try expect(.rightParenthesis, "')'")
    return .init(name: name, columns: columns, query: query)
  }

  /// ORDER BY, LIMIT, OFFSET and FETCH.
  private mutating func tail(_ body: QuerySyntax, _ start: SourceSpan) throws(TerraceError)
    -> QuerySyntax
  {
    var orderBy: [OrderSyntax] = []
    var offset: ExpressionSyntax?
    var limit: ExpressionSyntax?
    if try acceptPair(.order, .by) { orderBy = try orderItems() }
    while true {
      if limit == nil, accept(.limit) {
        if !accept(.all) { limit = try expression() }
      } else if offset == nil, accept(.offset) {
        offset = try expression()
        if !accept(.row) { _ = accept(.rows) }
      } else if limit == nil, accept(.fetch) {
        if !accept(.first) { try expect(.next) }
        let one = ExpressionSyntax(.literal(.integer("1")), previousSpan)
        limit = isAt(.row) || isAt(.rows) ? one : try expression()
        if !accept(.row) { try expect(.rows) }
        try expect(.only)
      } else {
        break
      }
    }
    if orderBy.isEmpty, offset == nil, limit == nil { return body }
    return QuerySyntax(
      body: body.isBare ? body.body : .nested(body), orderBy: orderBy, offset: offset,
      limit: limit, span: start.to(previousSpan))
  }

  private mutating func setOperation(_ first: QuerySyntax) throws(TerraceError) -> QuerySyntax {
    var left = first
    while true {
      let kind: SetOperator
      if accept(.union) {
        kind = .union
      } else if accept(.except) || accept(Keyword.minus) {
        kind = .except
      } else {
        return left
      }
      let all = accept(.all)
      if !all { _ = accept(.distinct) }
      let right = try intersection(try queryPrimary())
      left = try joined(left, kind, all, right, isFirst: left.span == first.span)
    }
  }

  private mutating func intersection(_ first: QuerySyntax) throws(TerraceError) -> QuerySyntax {
    var left = first
    while accept(.intersect) {
      let all = accept(.all)
      if !all { _ = accept(.distinct) }
      left = try joined(left, .intersect, all, try queryPrimary(), isFirst: left.span == first.span)
    }
    return left
  }

  /// Chains of one operator stay flat, so that a union of thousands is no deep tree.
  private func joined(
    _ left: QuerySyntax, _ kind: SetOperator, _ all: Bool, _ right: QuerySyntax, isFirst: Bool
  ) throws(TerraceError) -> QuerySyntax {
    let span = left.span.to(right.span)
    if !isFirst, case .set(kind, all, let parts) = left.body {
      return QuerySyntax(body: .set(kind, all: all, parts + [right]), span: span)
    }
    return try checked(QuerySyntax(body: .set(kind, all: all, [left, right]), span: span))
  }

  private mutating func queryPrimary() throws(TerraceError) -> QuerySyntax {
    let start = current.span
    if isAt(.select) {
      let select = try select()
      return QuerySyntax(body: .select(select), span: select.span)
    }
    if accept(.values) {
      var rows: [ExpressionSyntax] = []
      repeat {
        let row = try expression()
        if case .row = row.kind {
          rows.append(row)
        } else {
          rows.append(try node(.row([row]), row.span))
        }
      } while accept(.comma)
      return QuerySyntax(body: .values(rows), span: start.to(previousSpan))
    }
    if isAt(.table), isName(peek()) {
      advance()
      let path = try tablePath()
      var select = SelectSyntax(span: path.span)
      select.items = [.init(value: ExpressionSyntax(.star([]), path.span))]
      select.from = TableSyntax(.named(path, hints: [], travel: nil), span: path.span)
      return QuerySyntax(body: .select(select), span: start.to(path.span))
    }
    if accept(.leftParenthesis) {
      let inner = try query()
      try expect(.rightParenthesis, "')'")
      return QuerySyntax(body: .nested(inner), span: start.to(previousSpan))
    }
    throw unexpected("a query", [.select, .with, .values])
  }

  // MARK: SELECT

  private mutating func select() throws(TerraceError) -> SelectSyntax {
    let start = current.span
    advance()
    var select = SelectSyntax(span: start)
    select.hints = try hints()
    if accept(.distinct) { select.isDistinct = true } else { _ = accept(.all) }
    if select.isDistinct, isAt(.on) {
      throw unsupported(
        "DISTINCT ON", at: current.span,
        hint: "use ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) = 1")
    }
    repeat { select.items.append(try selectItem()) } while accept(.comma)
    if accept(.from) { select.from = try tableList() }
    if accept(.where) { select.filter = try expression() }
    if isAt(.group) {
      let span = current.span
      advance()
      try expect(.by)
      select.groupSpan = span.to(previousSpan)
      _ = accept(.distinct)
      if isAt(.all) {
        throw unsupported("GROUP BY ALL", at: current.span, hint: "name the grouping columns")
      }
      var parts: [SelectSyntax.Grouping] = []
      repeat { try groupingElement(&parts) } while accept(.comma)
      select.groupBy = parts
    }
    if accept(.having) { select.having = try expression() }
    if accept(.window) {
      repeat {
        let name = try name("a window name")
        try expect(.as)
        select.windows.append(.init(name: name, window: try window()))
      } while accept(.comma)
    }
    if accept(.qualify) { select.qualify = try expression() }
    select.span = start.to(previousSpan)
    return select
  }

  private mutating func selectItem() throws(TerraceError) -> SelectSyntax.Item {
    let value = try expression()
    if case .star = value.kind { return .init(value: value, alias: nil) }
    if accept(.as) {
      // After AS any word that is not reserved will do, and so will a string in other dialects.
      if current.kind == .string {
        throw error(
          "an alias is a name, not a string", at: current.span, hint: "quote it with `back-ticks`")
      }
      return .init(value: value, alias: try name("an alias name"))
    }
    if isAtName {
      implicitAlias = current
      return .init(value: value, alias: takeName())
    }
    return .init(value: value, alias: nil)
  }

  private mutating func groupingElement(_ parts: inout [SelectSyntax.Grouping])
    throws(TerraceError)
  {
    if let sets = try groupingSets() {
      parts.append(sets)
    } else if isAt(.leftParenthesis), peek().kind == .rightParenthesis {
      advance()
      advance()
    } else {
      let value = try expression()
      if case .row(let inner) = value.kind {
        for part in inner { parts.append(.expression(part)) }
      } else {
        parts.append(.expression(value))
      }
    }
  }

  /// GROUPING SETS, ROLLUP or CUBE; nil when there is none of them here. They stand in each other.
  private mutating func groupingSets(depth: Int = 0) throws(TerraceError)
    -> SelectSyntax.Grouping?
  {
    if accept(.grouping, .sets) {
      let start = previousSpan
      try expect(.leftParenthesis, "'('")
      if depth > 16 { throw error("GROUPING SETS are nested over 16 deep", at: start) }
      var sets: [SelectSyntax.Grouping] = []
      repeat {
        if let inner = try groupingSets(depth: depth + 1) {
          sets.append(inner)
        } else {
          sets.append(.set(try groupingSet()))
        }
      } while accept(.comma)
      try expect(.rightParenthesis, "')' or ','")
      return .sets(sets)
    }
    guard isAt(.rollup) || isAt(.cube), peek().kind == .leftParenthesis else { return nil }
    let isRollup = isAt(.rollup)
    advance()
    let set = try groupingSet()
    return isRollup ? .rollup(set) : .cube(set)
  }

  private mutating func groupingSet() throws(TerraceError) -> [ExpressionSyntax] {
    if !isAt(.leftParenthesis) { return [try expression()] }
    advance()
    var set: [ExpressionSyntax] = []
    if !isAt(.rightParenthesis) {
      repeat { set.append(try expression()) } while accept(.comma)
    }
    try expect(.rightParenthesis, "')' or ','")
    return set
  }

  // MARK: Hints

  /// `/*+ A('k'='v'), B(x, y) */`, or nothing.
  mutating func hints() throws(TerraceError) -> [HintSyntax] {
    var hints: [HintSyntax] = []
    while accept(.hintStart) {
      repeat { hints.append(try hint()) } while accept(.comma) || !isAt(.hintEnd)
      try expect(.hintEnd, "'*/'")
    }
    return hints
  }

  private mutating func hint() throws(TerraceError) -> HintSyntax {
    guard current.kind == .word || current.kind == .quoted else { throw unexpected("a hint name") }
    var hint = HintSyntax(name: takeName(), options: [], arguments: [])
    guard accept(.leftParenthesis) else { return hint }
    if accept(.rightParenthesis) { return hint }
    repeat {
      let start = current
      if start.kind == .string {
        let key = try string()
        if accept(.equal) {
          let valueSpan = current.span
          let value = try string("a value in quotes")
          hint.options.append(
            OptionSyntax(key: key, value: value, keySpan: start.span, valueSpan: valueSpan))
        } else {
          hint.arguments.append(Name(key, start.span))
        }
      } else {
        guard start.kind == .word || start.kind == .quoted || start.kind == .integer else {
          throw unexpected("a hint argument")
        }
        var text = nameText(start)
        advance()
        while accept(.dot) { text += "." + (try memberName()).text }
        hint.arguments.append(Name(text, start.span.to(previousSpan)))
      }
    } while accept(.comma)
    try expect(.rightParenthesis, "')' or ','")
    return hint
  }
}

extension QuerySyntax {
  /// Neither sorted nor cut, and without common tables of its own.
  var isBare: Bool { with.isEmpty && orderBy.isEmpty && offset == nil && limit == nil }
}
