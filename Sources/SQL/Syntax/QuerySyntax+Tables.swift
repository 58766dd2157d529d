/// The tables that a text names, before anything is known of them.
extension QuerySyntax {
  /// Names of the tables read, sub-queries included and common tables left out, each once and in
  /// the order of first mention. What the order of a project's tables is made of.
  package var tableNames: [NamePath] {
    var collector = TableNameCollector()
    collector.visit(self)
    return collector.names
  }

  /// Every place where a table is named, common tables left out.
  package var tableMentions: [NamePath] {
    var collector = TableNameCollector()
    collector.visit(self)
    return collector.mentions
  }
}

private struct TableNameCollector {
  private(set) var names: [NamePath] = []
  private(set) var mentions: [NamePath] = []
  private var seen: Set<[String]> = []
  private var common: [String] = []

  mutating func visit(_ query: QuerySyntax) {
    let depth = common.count
    for table in query.with {
      visit(table.query)
      common.append(table.name.text)
    }
    switch query.body {
    case .select(let select): visit(select)
    case .values(let rows): for row in rows { visit(row) }
    case .set(_, _, let parts): for part in parts { visit(part) }
    case .nested(let inner): visit(inner)
    }
    for item in query.orderBy { visit(item.value) }
    common.removeSubrange(depth...)
  }

  private mutating func visit(_ select: SelectSyntax) {
    if let table = select.from { visit(table) }
    for item in select.items { visit(item.value) }
    for e in [select.filter, select.having, select.qualify].compactMap({ $0 }) { visit(e) }
    for part in select.groupBy ?? [] { for e in part.expressions { visit(e) } }
  }

  private mutating func visit(_ table: TableSyntax) {
    switch table.kind {
    case .named(let path, _, _):
      if path.parts.count == 1, common.contains(path.last.text) { return }
      mentions.append(path)
      if seen.insert(path.texts).inserted { names.append(path) }
    case .query(let query, _): visit(query)
    case .function(let call, _): visit(call)
    case .unnest(let e, _): visit(e)
    case .join(_, let left, let right, let condition):
      visit(left)
      visit(right)
      if case .on(let e) = condition { visit(e) }
    }
  }

  private mutating func visit(_ call: CallSyntax) {
    for argument in call.arguments { visit(argument.value) }
    if let filter = call.filter { visit(filter) }
    for e in call.over?.partitionBy ?? [] { visit(e) }
    for item in (call.over?.orderBy ?? []) + call.orderBy + call.withinGroup { visit(item.value) }
  }

  private mutating func visit(_ e: ExpressionSyntax) {
    switch e.kind {
    case .literal, .column, .star, .unit, .descriptor, .words: return
    case .negate(let e), .plus(let e), .not(let e), .test(let e, _, _), .cast(let e, _, _, _),
      .member(let e, _):
      visit(e)
    case .binary(_, let a, let b), .distinctFrom(let a, let b, _), .element(let a, let b):
      visit(a)
      visit(b)
    case .and(let parts), .or(let parts), .row(let parts), .array(let parts), .map(let parts):
      for part in parts { visit(part) }
    case .between(let value, let low, let high, _, _):
      for part in [value, low, high] { visit(part) }
    case .like(let value, let pattern, _, _, _):
      visit(value)
      visit(pattern)
    case .inList(let value, let list, _): for part in [value] + list { visit(part) }
    case .inQuery(let value, let query, _):
      visit(value)
      visit(query)
    case .exists(let query), .query(let query): visit(query)
    case .choose(let operand, let branches, let otherwise):
      if let operand { visit(operand) }
      for branch in branches {
        visit(branch.when)
        visit(branch.then)
      }
      if let otherwise { visit(otherwise) }
    case .call(let call): visit(call)
    case .trim(_, let characters, let value):
      if let characters { visit(characters) }
      visit(value)
    case .table(let table): visit(table)
    }
  }
}
