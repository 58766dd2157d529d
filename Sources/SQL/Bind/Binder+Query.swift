import Columns
import Dataflow

extension Binder {
  /// - Parameter domain: columns of a query around, which the plan then has as its last columns.
  func query(_ query: QuerySyntax, _ domain: Domain? = nil) throws(TerraceError) -> BoundQuery {
    if query.isRecursive, let first = query.with.first {
      throw unsupported("WITH RECURSIVE", first.name.span)
    }
    let depth = commonTables.count
    defer { commonTables.removeSubrange(depth...) }
    for (i, table) in query.with.enumerated() {
      if query.with[..<i].contains(where: { $0.name.text == table.name.text }) {
        throw error("the name '\(table.name.text)' is given twice in WITH", table.name.span)
      }
      try bindCommon(table)
    }
    switch query.body {
    case .select(let select):
      let rows = try self.rows(select, outer: nil, domain)
      return try sorted(try finish(select, rows, query.orderBy), query, domain)
    case .values(let values):
      return try sorted(try self.values(values, query.span, domain), query, domain)
    case .set(let kind, let all, let parts):
      return try sorted(try setOperation(kind, all, parts, domain), query, domain)
    case .nested(let inner):
      return try sorted(Selection(try self.query(inner, domain)), query, domain)
    }
  }

  private func bindCommon(_ table: QuerySyntax.CommonTable) throws(TerraceError) {
    let before = cost
    var bound = try query(table.query)
    if !table.columns.isEmpty {
      let fields = bound.type.fields
      guard fields.count == table.columns.count else {
        throw error(
          "'\(table.name.text)' has \(fields.count) column\(fields.count == 1 ? "" : "s"), and \(table.columns.count) names are given",
          table.name.span)
      }
      bound.plan = .map(
        Plan.Map(
          input: bound.plan, expressions: PlanBuilding.columns(of: bound.plan),
          names: table.columns.map(\.text)))
    }
    commonTables.append((table.name.text, bound, max(1, cost - before)))
  }

  // MARK: ORDER BY, OFFSET, LIMIT

  /// Sorts and cuts; columns that only ORDER BY needed go.
  private func sorted(_ selection: Selection, _ query: QuerySyntax, _ domain: Domain?)
    throws(TerraceError) -> BoundQuery
  {
    var selection = selection
    let own = selection.visible - (domain?.count ?? 0)
    if selection.order == nil { selection.order = try outputOrder(query.orderBy, selection, own) }
    let order = selection.order ?? []
    let limit = try query.limit.map { (e) throws(TerraceError) in try count(e, "LIMIT") }
    let offset = try query.offset.map { (e) throws(TerraceError) in try count(e, "OFFSET") } ?? 0
    var plan = selection.plan
    if domain != nil {
      plan = PlanBuilding.cut(
        plan, partition: Array(own..<selection.visible), order: order, offset: offset, limit: limit)
    } else if !order.isEmpty || limit != nil || offset > 0 {
      plan = .sort(Plan.Sort(input: plan, order: order, offset: offset, limit: limit))
    }
    if selection.visible < plan.type.count {
      plan = PlanBuilding.project(plan, Array(0..<selection.visible))
    }
    return BoundQuery(plan: plan, eventTimes: selection.eventTimes, tables: [])
  }

  private func count(_ e: ExpressionSyntax, _ what: String) throws(TerraceError) -> Int {
    let context = ExpressionContext(Scope(), clause: what)
    guard case .literal(.int(let value), let type) = try expression(e, context).folded(in: zone),
      TypeRules.isInteger(type), value >= 0, value <= 1 << 40
    else { throw error("\(what) takes a whole number as constant", e.span) }
    return Int(value)
  }

  /// ORDER BY over what a query gives, by name, position or expression of its columns.
  private func outputOrder(_ items: [OrderSyntax], _ selection: Selection, _ own: Int)
    throws(TerraceError) -> [SortKey]
  {
    var keys: [SortKey] = []
    let scope = Scope(selection.plan.type, qualifier: [])
    let context = ExpressionContext(scope, clause: "ORDER BY")
    for item in items {
      if let position = try self.position(item.value, own) {
        keys.append(SortKey(position, item))
        continue
      }
      guard case .column(let index, _) = try expression(item.value, context) else {
        throw unsupported(
          "ORDER BY an expression here", item.value.span, hint: "compute it in a sub-query")
      }
      keys.append(SortKey(index, item))
    }
    return keys
  }

  /// The output column that ORDER BY 1 means.
  func position(_ e: ExpressionSyntax, _ count: Int) throws(TerraceError) -> Int? {
    guard case .literal(.integer(let digits)) = e.kind else { return nil }
    guard let position = Int(digits), position >= 1, position <= count else {
      throw error("ORDER BY position \(digits) is not in the select list", e.span)
    }
    return position - 1
  }

  // MARK: VALUES and set operations

  private func values(_ rows: [ExpressionSyntax], _ span: SourceSpan, _ domain: Domain?)
    throws(TerraceError) -> Selection
  {
    let context = ExpressionContext(domain?.scope ?? Scope(), clause: "VALUES")
    var bound: [[Expression]] = []
    for row in rows {
      guard case .row(let cells) = row.kind else { continue }
      var out: [Expression] = []
      for cell in cells { out.append(try expression(cell, context)) }
      if let first = bound.first, first.count != out.count {
        throw error(
          "this row has \(out.count) values, the first has \(first.count)", row.span)
      }
      bound.append(out)
    }
    let width = bound.first?.count ?? 0
    var types: [(String, DataType)] = []
    for i in 0..<width {
      guard let type = TypeRules.common(bound.map { $0[i].type }) else {
        throw error("the values of column \(i + 1) have no common type", span)
      }
      let isNull = TypeRules.family(type) == .null
      types.append(("EXPR$\(i)", isNull ? DataType.string.nullable : type))
    }
    let cast = bound.map { row in
      row.enumerated().map { $0.element.casted(to: types[$0.offset].1).folded(in: zone) }
    }
    if let domain {
      let outer = PlanBuilding.columns(of: domain.plan)
      let names = types.map(\.0) + domain.names
      return Selection(
        plan: .union(
          cast.map { .map(Plan.Map(input: domain.plan, expressions: $0 + outer, names: names)) }),
        visible: names.count)
    }
    return Selection(
      plan: .values(Plan.Values(type: RowType(types), rows: cast)), visible: width)
  }

  private func setOperation(
    _ kind: SetOperator, _ all: Bool, _ parts: [QuerySyntax], _ domain: Domain?
  ) throws(TerraceError) -> Selection {
    var bound: [BoundQuery] = []
    let hidden = domain?.count ?? 0
    for part in parts {
      let next = try query(part, domain)
      if let first = bound.first, first.type.count != next.type.count {
        throw error(
          "\(kind.rawValue) of queries with \(first.type.count - hidden) and \(next.type.count - hidden) columns",
          part.span)
      }
      bound.append(next)
    }
    var types: [DataType] = []
    for i in bound[0].type.fields.indices {
      let columns = bound.map { query -> DataType in
        PlanBuilding.isAlwaysNull(query.plan, i)
          ? TypeRules.untypedNull : query.type.fields[i].type
      }
      guard let type = TypeRules.common(columns) else {
        let texts = bound.map { $0.type.fields[i].type.nullable.text }
        throw error(
          "column \(i + 1) of \(kind.rawValue) has no common type: \(texts.joined(separator: ", "))",
          parts[0].span.to(parts[parts.count - 1].span))
      }
      types.append(TypeRules.family(type) == .null ? .string : type)
    }
    let plans = bound.map { Binder.casted(PlanBuilding.unsorted($0.plan), types) }
    let plan: Plan
    var eventTimes: Set<Int> = []
    switch kind {
    case .union:
      plan = all ? .union(plans) : Binder.distinct(.union(plans))
      if all {
        eventTimes = bound.dropFirst().reduce(bound[0].eventTimes) {
          $0.intersection($1.eventTimes)
        }
      }
    case .intersect, .except:
      plan = plans.dropFirst().reduce(plans[0]) { left, right in
        .setOperation(
          Plan.SetOperation(
            kind == .except ? .except : .intersect, all: all, left: left, right: right))
      }
    }
    var selection = Selection(plan: plan, visible: types.count)
    selection.eventTimes = eventTimes
    return selection
  }

  private static func casted(_ plan: Plan, _ types: [DataType]) -> Plan {
    let fields = plan.type.fields
    if zip(fields, types).allSatisfy({ $0.type.kind == $1.kind }) { return plan }
    let expressions = zip(PlanBuilding.columns(of: plan), types).enumerated().map { i, pair in
      PlanBuilding.isAlwaysNull(plan, i)
        ? Expression.literal(.null, pair.1.nullable) : pair.0.casted(to: pair.1)
    }
    return .map(
      Plan.Map(
        input: plan, expressions: expressions,
        names: fields.map(\.name)))
  }

  static func distinct(_ plan: Plan) -> Plan {
    .aggregate(Plan.Aggregate(input: plan, keys: Array(plan.type.fields.indices), calls: []))
  }
}

/// What SELECT gives before it is sorted and cut.
struct Selection {
  var plan: Plan
  /// Columns that count; further ones serve ORDER BY only.
  var visible: Int
  /// nil when ORDER BY is still to be looked up.
  var order: [SortKey]?
  var eventTimes: Set<Int> = []

  init(plan: Plan, visible: Int) {
    self.plan = plan
    self.visible = visible
  }

  init(_ query: BoundQuery) {
    plan = query.plan
    visible = query.type.count
    eventTimes = query.eventTimes
  }
}

extension SortKey {
  init(_ column: Int, _ item: OrderSyntax) {
    self.init(column, descending: item.isDescending, nullsFirst: item.nullsFirst)
  }
}
