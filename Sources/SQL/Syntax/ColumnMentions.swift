/// The columns that a query names anywhere in it, before anything is known of them: which of them
/// belong to a query around is a question of scopes.
extension QuerySyntax {
  package var columnMentions: [NamePath] {
    var collector = ColumnCollector()
    collector.visit(self)
    return collector.mentions
  }
}

extension TableSyntax {
  package var columnMentions: [NamePath] {
    var collector = ColumnCollector()
    collector.visit(self)
    return collector.mentions
  }
}

extension ExpressionSyntax {
  /// Whether a query stands in it.
  var hasQuery: Bool {
    var collector = ColumnCollector()
    collector.visit(self)
    return collector.hasQuery
  }
}

private struct ColumnCollector {
  private(set) var mentions: [NamePath] = []
  private(set) var hasQuery = false

  mutating func visit(_ query: QuerySyntax) {
    hasQuery = true
    for table in query.with { visit(table.query) }
    switch query.body {
    case .select(let select): visit(select)
    case .values(let rows): visit(rows)
    case .set(_, _, let parts): for part in parts { visit(part) }
    case .nested(let inner): visit(inner)
    }
    for item in query.orderBy { visit(item.value) }
  }

  private mutating func visit(_ select: SelectSyntax) {
    if let table = select.from { visit(table) }
    for item in select.items { visit(item.value) }
    visit([select.filter, select.having, select.qualify].compactMap { $0 })
    for part in select.groupBy ?? [] {
      visit(part.expressions)
    }
    for named in select.windows { visit(named.window) }
  }

  mutating func visit(_ table: TableSyntax) {
    switch table.kind {
    case .named: return
    case .query(let query, _): visit(query)
    case .function(let call, _): visit(call)
    case .unnest(let e, _): visit(e)
    case .join(_, let left, let right, let condition):
      visit(left)
      visit(right)
      if case .on(let e) = condition { visit(e) }
    }
  }

  private mutating func visit(_ window: WindowSyntax) {
    visit(window.partitionBy)
    for item in window.orderBy { visit(item.value) }
  }

  private mutating func visit(_ call: CallSyntax) {
    for argument in call.arguments { visit(argument.value) }
    if let filter = call.filter { visit(filter) }
    if let over = call.over { visit(over) }
    for item in call.orderBy + call.withinGroup { visit(item.value) }
  }

  private mutating func visit(_ list: [ExpressionSyntax]) { for e in list { visit(e) } }

  mutating func visit(_ e: ExpressionSyntax) {
    switch e.kind {
    case .column(let path): mentions.append(path)
    case .literal, .star, .unit, .descriptor, .words: return
    case .negate(let e), .plus(let e), .not(let e), .test(let e, _, _), .cast(let e, _, _, _),
      .member(let e, _):
      visit(e)
    case .binary(_, let a, let b), .distinctFrom(let a, let b, _), .element(let a, let b):
      visit([a, b])
    case .and(let parts), .or(let parts), .row(let parts), .array(let parts), .map(let parts):
      visit(parts)
    case .between(let value, let low, let high, _, _): visit([value, low, high])
    case .like(let value, let pattern, _, _, _): visit([value, pattern])
    case .inList(let value, let list, _): visit([value] + list)
    case .inQuery(let value, let query, _):
      visit(value)
      visit(query)
    case .exists(let query), .query(let query): visit(query)
    case .choose(let operand, let branches, let otherwise):
      visit([operand, otherwise].compactMap { $0 })
      for branch in branches { visit([branch.when, branch.then]) }
    case .call(let call): visit(call)
    case .trim(_, let characters, let value): visit([characters, value].compactMap { $0 })
    case .table(let table): visit(table)
    }
  }
}
