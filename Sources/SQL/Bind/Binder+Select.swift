import Columns
import Dataflow

/// One output column of a SELECT.
private struct Item {
  var value: Expression
  var name: String
  var span: SourceSpan
  /// Where the columns in it are named.
  var spans: [Int: SourceSpan]
}

extension Binder {
  /// SELECT over rows that FROM and WHERE have given: grouping, windows, the list itself, DISTINCT.
  ///
  /// - Parameter orderBy: of the query around, whose expressions may name what SELECT does not give.
  func finish(_ select: SelectSyntax, _ rows: SelectRows, _ orderBy: [OrderSyntax])
    throws(TerraceError) -> Selection
  {
    let c = ExpressionContext(rows.scope, input: rows.plan, clause: "SELECT")
    var grouping = try self.grouping(select, rows.scope)
    let collector = AggregateCollector(
      isGrouped: !grouping.keys.isEmpty || grouping.window != nil || grouping.sets != nil)
    c.groupWindow = grouping.window
    c.grouping = grouping
    c.aggregates = collector
    c.overs = OverCollector(windows: select.windows)
    c.queries = QueryCollector()
    var items = try self.items(select, c)
    let own = items.count
    let around = rows.domainColumns
    for (i, column) in around.enumerated() {
      let value = Expression.column(column, rows.scope.columns[column].type)
      items.append(Item(value: value, name: "$outer\(i)", span: select.span, spans: [:]))
    }
    let having = try self.having(select, c)
    let qualify = try select.qualify.map { (e) throws(TerraceError) in
      c.clause = "QUALIFY"
      return Item(value: try condition(e, c), name: "", span: e.span, spans: c.spans)
    }
    c.clause = "ORDER BY"
    var order = try self.order(orderBy, items, own, c)
    var stage = SelectStage(plan: rows.plan, scope: rows.scope)
    let isAggregated =
      select.groupBy != nil || !collector.calls.isEmpty || select.having != nil
    if isAggregated {
      let isWhole = grouping.keys.isEmpty && grouping.window == nil && grouping.sets == nil
      let named = grouping.keys.count
      grouping.keys += items[own...].map(\.value)
      try stage.aggregate(grouping, named, collector.calls, self)
      if isWhole, let domain = rows.domain { stage.fill(domain, collector.calls) }
    }
    // From here on every expression is one over the columns of the stage's plan.
    let (plan, values) = try attach(c.queries?.queries ?? [], to: stage)
    stage.plan = plan
    stage.queries = values
    for part in having.plain {
      stage.plan = PlanBuilding.filter(stage.plan, [try stage.place(part.value, part.spans, self)])
    }
    for part in having.memberships {
      let width = stage.plan.type.count
      stage.plan = PlanBuilding.project(
        try membership(part, on: stage.plan, c) { (e) throws(TerraceError) in
          try stage.place(e, c.spans, self)
        }, Array(0..<width))
    }
    for var call in c.overs?.calls ?? [] {
      call.partition += items[own...].map(\.value)
      try stage.prepare(call, c.spans, self)
    }
    try stage.applyWindows()
    if let qualify {
      stage.plan = PlanBuilding.filter(
        stage.plan, [try stage.place(qualify.value, qualify.spans, self)])
    }
    for i in items.indices {
      if i >= own, let column = stage.outerColumn(i - own) {
        items[i].value = column
        continue
      }
      items[i].value = try stage.place(items[i].value, items[i].spans, self)
    }
    for i in order.extra.indices {
      order.extra[i].value = try stage.place(order.extra[i].value, order.extra[i].spans, self)
    }
    return try selection(select, items, order, stage)
  }

  private func attach(_ queries: [ScalarQuery], to stage: SelectStage) throws(TerraceError) -> (
    Plan, [Expression]
  ) {
    var failure: TerraceError?
    let attached = attach(queries, to: stage.plan) { e in
      do { return try stage.place(e, [:], self) } catch {
        failure = error as? TerraceError
        return e
      }
    }
    if let failure { throw failure }
    return attached
  }

  // MARK: The list

  private func items(_ select: SelectSyntax, _ c: ExpressionContext) throws(TerraceError) -> [Item]
  {
    var items: [Item] = []
    for (i, item) in select.items.enumerated() {
      if case .star(let qualifier) = item.value.kind {
        let columns = c.scope.star(qualifier.map(\.text))
        if columns.isEmpty, let fields = try rowItems(qualifier, item.value.span, c) {
          items += fields
          continue
        }
        if columns.isEmpty {
          throw qualifier.isEmpty
            ? error("'*' has nothing to stand for: there is no FROM", item.value.span)
            : error(
              "table or alias '\(qualifier.map(\.text).joined(separator: "."))' not found",
              qualifier[0].span,
              hint: Suggestion.hint(
                for: qualifier[0].text, among: c.scope.columns.compactMap(\.qualifier.last)))
        }
        for index in columns {
          let column = c.scope.columns[index]
          items.append(
            Item(
              value: .column(index, column.type), name: column.name, span: item.value.span,
              spans: [index: item.value.span]))
        }
        continue
      }
      c.spans = [:]
      var value = try expression(item.value, c)
      if TypeRules.family(value.type) == .null { value = value.casted(to: .string) }
      items.append(
        Item(
          value: value, name: item.alias?.text ?? Binder.derivedName(item.value) ?? "EXPR$\(i)",
          span: item.value.span, spans: c.spans))
    }
    Binder.makeDistinct(&items)
    return items
  }

  /// `r.*` of a column that is a ROW: its fields. Nil when there is no such column.
  private func rowItems(_ path: [Name], _ span: SourceSpan, _ c: ExpressionContext)
    throws(TerraceError) -> [Item]?
  {
    guard !path.isEmpty, case .column = c.scope.find(path.map(\.text)) else { return nil }
    guard case .row(let fields) = try column(NamePath(path), c).type.kind else { return nil }
    var items: [Item] = []
    for field in fields {
      c.spans = [:]
      let value = try column(NamePath(path + [Name(field.name, span)]), c)
      items.append(Item(value: value, name: field.name, span: span, spans: c.spans))
    }
    return items
  }

  private static func derivedName(_ e: ExpressionSyntax) -> String? {
    switch e.kind {
    case .column(let path): path.last.text
    case .member(_, let name): name.text
    default: nil
    }
  }

  /// A name that comes again gets a number, as Flink gives it: a, a0, a1.
  private static func makeDistinct(_ items: inout [Item]) {
    var taken = Set(items.map(\.name))
    var seen: Set<String> = []
    var next: [String: Int] = [:]
    for i in items.indices where !seen.insert(items[i].name).inserted {
      let base = items[i].name
      var number = next[base] ?? 0
      while taken.contains("\(base)\(number)") { number += 1 }
      next[base] = number + 1
      items[i].name = "\(base)\(number)"
      taken.insert(items[i].name)
      seen.insert(items[i].name)
    }
  }

  private func selection(
    _ select: SelectSyntax, _ items: [Item], _ order: OrderPlan, _ stage: SelectStage
  ) throws(TerraceError) -> Selection {
    if select.isDistinct, let extra = order.extra.first {
      throw error("ORDER BY after DISTINCT takes only what is selected", extra.span)
    }
    let all = items + order.extra
    var plan = Plan.map(
      Plan.Map(
        input: stage.plan, expressions: all.map { $0.value.simplified(in: zone) },
        names: items.map(\.name) + order.extra.indices.map { "$order\($0)" }))
    if select.isDistinct { plan = Binder.distinct(plan) }
    var selection = Selection(plan: plan, visible: items.count)
    selection.order = order.keys
    for (i, item) in items.enumerated() {
      if case .column(let index, _) = item.value, stage.eventTimes.contains(index),
        !select.isDistinct
      {
        selection.eventTimes.insert(i)
      }
    }
    return selection
  }

  // MARK: ORDER BY

  private struct OrderPlan {
    var keys: [SortKey] = []
    /// What is not in the list, to be computed behind it.
    var extra: [Item] = []
  }

  private func order(
    _ orderBy: [OrderSyntax], _ items: [Item], _ own: Int, _ c: ExpressionContext
  ) throws(TerraceError) -> OrderPlan {
    var plan = OrderPlan()
    for item in orderBy {
      if let position = try position(item.value, own) {
        plan.keys.append(SortKey(position, item))
        continue
      }
      // An alias of the list goes before a column of the tables.
      if case .column(let path) = item.value.kind, path.parts.count == 1,
        let index = items.firstIndex(where: { $0.name == path.last.text })
      {
        plan.keys.append(SortKey(index, item))
        continue
      }
      c.spans = [:]
      let value = try expression(item.value, c)
      if let index = items.firstIndex(where: { $0.value == value }) {
        plan.keys.append(SortKey(index, item))
      } else {
        plan.keys.append(SortKey(items.count + plan.extra.count, item))
        plan.extra.append(
          Item(value: value, name: "", span: item.value.span, spans: c.spans))
      }
    }
    return plan
  }

  // MARK: GROUP BY and HAVING

  private func grouping(_ select: SelectSyntax, _ scope: Scope) throws(TerraceError) -> Grouping {
    var grouping = Grouping()
    let c = ExpressionContext(scope, clause: "GROUP BY")
    let span = select.groupSpan ?? select.span
    var sets: [[Int]] = [[]]
    var hasSets = false
    for part in select.groupBy ?? [] {
      if case .expression(let e) = part {
        if case .call(let call) = e.kind, let window = try groupWindow(call, e.span, c) {
          if grouping.window != nil { throw unsupported("two windows in GROUP BY", e.span) }
          grouping.window = window
          continue
        }
      } else {
        hasSets = true
      }
      let offered = try groupingSets(part, span)
      guard offered.count * sets.count <= GroupingSets.countMax else {
        throw error("over \(GroupingSets.countMax) grouping sets", span)
      }
      var next: [[Int]] = []
      var numbers: [[Int]] = []
      for set in offered {
        var members: [Int] = []
        for e in set { members.append(try groupKey(e, &grouping, select, c)) }
        numbers.append(members)
      }
      for set in sets { for members in numbers { next.append(set + members) } }
      sets = next
    }
    if hasSets {
      if grouping.window != nil {
        throw unsupported("a window beside GROUPING SETS, ROLLUP or CUBE", span)
      }
      grouping.sets = GroupingSets(sets: sets)
    }
    return grouping
  }

  /// Where a key is in the list of keys, to which it is added if it is new.
  private func groupKey(
    _ e: ExpressionSyntax, _ grouping: inout Grouping, _ select: SelectSyntax,
    _ c: ExpressionContext
  ) throws(TerraceError) -> Int {
    if case .literal(.integer) = e.kind {
      throw unsupported("positions in GROUP BY", e.span, hint: "repeat the expression")
    }
    let key: Expression
    do throws(TerraceError) { key = try expression(e, c) } catch {
      throw aliasHint(error, e, select)
    }
    if let known = grouping.keys.firstIndex(of: key) { return known }
    grouping.keys.append(key)
    return grouping.keys.count - 1
  }

  /// GROUP BY takes no aliases: says so where one was meant.
  private func aliasHint(_ error: TerraceError, _ e: ExpressionSyntax, _ select: SelectSyntax)
    -> TerraceError
  {
    guard case .column(let path) = e.kind, path.parts.count == 1,
      select.items.contains(where: { $0.alias?.text == path.last.text })
    else { return error }
    return error.hint(
      "GROUP BY takes no aliases of the select list; repeat the expression, or use a sub-query")
  }

  private struct Having {
    var plain: [Item] = []
    var memberships: [ExpressionSyntax] = []
  }

  private func having(_ select: SelectSyntax, _ c: ExpressionContext) throws(TerraceError) -> Having
  {
    var having = Having()
    guard let e = select.having else { return having }
    c.clause = "HAVING"
    let overs = c.overs
    c.overs = nil
    defer { c.overs = overs }
    for part in Binder.conjuncts(e) {
      if Binder.isMembership(part) {
        having.memberships.append(part)
      } else {
        c.spans = [:]
        having.plain.append(
          Item(value: try condition(part, c), name: "", span: part.span, spans: c.spans))
      }
    }
    return having
  }
}

/// What GROUP BY says.
struct Grouping {
  var keys: [Expression] = []
  var window: GroupWindow?
  /// nil: grouped by all keys.
  var sets: GroupingSets?
}
