import Columns
import Dataflow

/// The rows of a SELECT after FROM and WHERE.
struct SelectRows {
  var plan: Plan
  var scope: Scope
  /// Conditions that name columns of the query around, by markers.
  var correlation: [Expression]
  /// Of a sub-query that is bound with one.
  var domain: Domain?

  /// Where the domain's columns are.
  var domainColumns: [Int] { domain?.places(in: scope) ?? [] }
}

/// A sub-query that stands for one value.
struct ScalarQuery {
  /// What is joined to the rows around.
  var plan: Plan
  /// Equalities: an expression of the rows around (with outer markers), and a column of `plan`.
  var keys: [(outer: Expression, inner: Int, nullSafe: Bool)]
  /// Over the columns of `plan`.
  var value: Expression

  var type: DataType { value.type.nullable }
}

extension Binder {
  func rows(_ select: SelectSyntax, outer: Scope?, _ domain: Domain? = nil) throws(TerraceError)
    -> SelectRows
  {
    for hint in select.hints { try check(hint) }
    var rows: SelectRows
    if let table = select.from {
      let relation = try from(table, outer, domain)
      rows = SelectRows(plan: relation.plan, scope: relation.scope, correlation: [])
    } else if let domain {
      rows = SelectRows(plan: domain.plan, scope: domain.scope, correlation: [])
    } else {
      let one = Plan.values(Plan.Values(type: RowType([Field]()), rows: [[]]))
      rows = SelectRows(plan: one, scope: Scope(), correlation: [])
    }
    rows.domain = domain
    if let filter = select.filter { try apply(filter, to: &rows, outer) }
    return rows
  }

  private func check(_ hint: HintSyntax) throws(TerraceError) {
    switch hint.name.text.uppercased() {
    // They choose among ways to the same rows.
    case "BROADCAST", "SHUFFLE_HASH", "SHUFFLE_MERGE", "NEST_LOOP", "MULTI_JOIN": return
    default: throw unsupported("the hint \(hint.name.text.uppercased())", hint.name.span)
    }
  }

  func apply(_ filter: ExpressionSyntax, to rows: inout SelectRows, _ outer: Scope?)
    throws(TerraceError)
  {
    let context = ExpressionContext(
      rows.scope, outer: outer, input: rows.plan, clause: "WHERE")
    let collector = QueryCollector()
    context.queries = collector
    var plain: [Expression] = []
    var later: [Expression] = []
    var memberships: [ExpressionSyntax] = []
    for part in Binder.conjuncts(filter) {
      if Binder.isMembership(part) {
        memberships.append(part)
        continue
      }
      let bound = try condition(part, context)
      let kinds = Set(bound.columns.map(Marker.kind))
      if kinds.contains(Marker.outer) {
        if kinds.contains(Marker.query) {
          throw unsupported("a sub-query beside columns of the query around", part.span)
        }
        rows.correlation += PlanBuilding.conjuncts(bound)
      } else if kinds.contains(Marker.query) {
        later.append(bound)
      } else {
        plain.append(bound)
      }
    }
    rows.plan = PlanBuilding.filter(rows.plan, plain)
    let width = rows.plan.type.count
    if !later.isEmpty {
      let (plan, values) = attach(collector.queries, to: rows.plan) { $0 }
      let conditions = later.map { condition in
        condition.replacingMarkers {
          Marker.kind($0) == Marker.query ? values[Marker.index($0)] : nil
        }
      }
      rows.plan = PlanBuilding.project(
        PlanBuilding.filter(plan, conditions), Array(0..<width))
    }
    for part in memberships {
      rows.plan = try membership(part, on: rows.plan, context) { (e) throws(TerraceError) in e }
    }
  }

  static func conjuncts(_ e: ExpressionSyntax) -> [ExpressionSyntax] {
    if case .and(let parts) = e.kind { return parts.flatMap(conjuncts) }
    return [e]
  }

  /// IN (query) or EXISTS, negated or not.
  static func isMembership(_ e: ExpressionSyntax) -> Bool {
    switch e.kind {
    case .inQuery, .exists: true
    case .not(let inner): isMembership(inner)
    default: false
    }
  }

  // MARK: IN and EXISTS

  /// The rows of a plan for which IN or EXISTS holds: a semi or anti join.
  ///
  /// - Parameter place: turns an expression over the context's scope into one over `plan`.
  func membership(
    _ e: ExpressionSyntax, on plan: Plan, _ c: ExpressionContext, negated: Bool = false,
    place: (Expression) throws(TerraceError) -> Expression
  ) throws(TerraceError) -> Plan {
    switch e.kind {
    case .not(let inner):
      return try membership(inner, on: plan, c, negated: !negated, place: place)
    case .exists(let query):
      let inner = try innerRows(query, c, isExists: true, byEquality: false)
      let conditions = try placed(inner.correlation, plan.type.count, place)
      return PlanBuilding.join(negated ? .anti : .semi, plan, inner.plan, conditions)
    case .inQuery(let operand, let query, let isNegated):
      let inner = try innerRows(
        query, c, isExists: false, byEquality: isNegated != negated)
      let operands: [ExpressionSyntax]
      if case .row(let parts) = operand.kind { operands = parts } else { operands = [operand] }
      guard operands.count == inner.values.count else {
        throw error(
          "IN compares \(operands.count) value\(operands.count == 1 ? "" : "s") with \(inner.values.count) columns",
          query.span)
      }
      return try membership(
        operands, inner, plan, c, e.span, isAnti: isNegated != negated, place: place)
    default: throw error("IN or EXISTS is expected", e.span)
    }
  }

  private func membership(
    _ operands: [ExpressionSyntax], _ inner: InnerRows, _ plan: Plan, _ c: ExpressionContext,
    _ span: SourceSpan, isAnti: Bool,
    place: (Expression) throws(TerraceError) -> Expression
  ) throws(TerraceError) -> Plan {
    let width = plan.type.count
    var equalities: [Expression] = []
    for (operand, value) in zip(operands, inner.values) {
      let bound = try place(try expression(operand, c))
      var value = value
      if case .column(let index, _) = value, index < inner.plan.type.count,
        PlanBuilding.isAlwaysNull(inner.plan, index)
      {
        value = .literal(.null, bound.type.nullable)
      }
      if bound.columns.contains(where: Marker.isMarker) {
        throw unsupported("a sub-query or outer column before IN", operand.span)
      }
      do {
        equalities.append(
          try .comparing(.equal, bound, value.renumbered { $0 < Marker.width ? $0 + width : $0 }))
      } catch { throw placed(error, operand.span) }
    }
    let correlation = try placed(inner.correlation, width, place)
    let isNullable = equalities.contains { $0.type.isNullable }
    if !isAnti || !isNullable {
      return PlanBuilding.join(
        isAnti ? .anti : .semi, plan, inner.plan, correlation + equalities)
    }
    guard equalities.count == 1, case .compare(_, let a, let b) = equalities[0] else {
      // The row goes when a row of the sub-query is equal to it, or may be.
      let equal = Expression.and(equalities)
      return PlanBuilding.join(
        .anti, plan, inner.plan, correlation + [.not(.isTruth(equal, false))])
    }
    let right = b.renumbered { $0 - width }
    return PlanBuilding.join(
      .anti, plan, inner.plan, correlation, notIn: (a, right))
  }

  /// Conditions over inner columns and outer markers, as conditions of a join.
  private func placed(
    _ conditions: [Expression], _ width: Int,
    _ place: (Expression) throws(TerraceError) -> Expression
  ) throws(TerraceError) -> [Expression] {
    var out: [Expression] = []
    for condition in conditions {
      var outer: [Int: Expression] = [:]
      for column in condition.columns where Marker.kind(column) == Marker.outer {
        let type = condition.typeOfColumn(column) ?? .boolean
        outer[column] = try place(.column(Marker.index(column), type))
      }
      out.append(
        condition.replacingColumnsTyped { column, type in
          outer[column] ?? .column(column + width, type)
        })
    }
    return out
  }

  struct InnerRows {
    var plan: Plan
    /// What IN compares with, over the plan's columns.
    var values: [Expression]
    var correlation: [Expression]
  }

  /// The rows of a sub-query, with the conditions that tie them to the query around.
  ///
  /// - Parameter byEquality: the conditions are to be equalities.
  func innerRows(
    _ query: QuerySyntax, _ c: ExpressionContext, isExists: Bool, byEquality: Bool
  ) throws(TerraceError) -> InnerRows {
    do throws(TerraceError) {
      let rows = try plainInnerRows(query, c, isExists: isExists)
      if byEquality { _ = try equalities(rows.correlation, query.span) }
      return rows
    } catch {
      guard let found = try correlatedQuery(query, c) else { throw error }
      return InnerRows(plan: found.plan, values: found.values, correlation: found.correlation)
    }
  }

  /// Where the sub-query is a SELECT that is tied by conditions of its WHERE alone.
  private func plainInnerRows(_ query: QuerySyntax, _ c: ExpressionContext, isExists: Bool)
    throws(TerraceError) -> InnerRows
  {
    guard query.isBare, case .select(let select) = query.body else {
      let bound = try self.query(query)
      return InnerRows(
        plan: bound.plan, values: PlanBuilding.columns(of: bound.plan), correlation: [])
    }
    let rows = try self.rows(select, outer: c.scope)
    if rows.correlation.isEmpty {
      let plan = try finish(select, rows, []).plan
      return InnerRows(plan: plan, values: PlanBuilding.columns(of: plan), correlation: [])
    }
    try refuseCorrelated(select, query.span)
    let context = ExpressionContext(rows.scope, clause: "a correlated sub-query")
    var values: [Expression] = []
    for item in select.items {
      if case .star(let qualifier) = item.value.kind {
        for i in rows.scope.star(qualifier.map(\.text)) {
          values.append(.column(i, rows.scope.columns[i].type))
        }
      } else {
        values.append(try expression(item.value, context))
      }
    }
    return InnerRows(
      plan: rows.plan, values: isExists ? [] : values, correlation: rows.correlation)
  }

  private func refuseCorrelated(_ select: SelectSyntax, _ span: SourceSpan) throws(TerraceError) {
    if let group = select.groupSpan {
      throw unsupported("GROUP BY in a correlated sub-query", group)
    }
    if let having = select.having {
      throw unsupported("HAVING in a correlated sub-query", having.span)
    }
    if let qualify = select.qualify {
      throw unsupported("QUALIFY in a correlated sub-query", qualify.span)
    }
  }

  // MARK: Scalar sub-queries

  func scalarQuery(_ query: QuerySyntax, _ span: SourceSpan, _ c: ExpressionContext)
    throws(TerraceError) -> Expression
  {
    guard let collector = c.queries else {
      throw unsupported("a sub-query in \(c.clause)", span)
    }
    if c.isInsideAggregate { throw unsupported("a sub-query inside an aggregate", span) }
    let found: ScalarQuery
    do throws(TerraceError) { found = try plainScalar(query, span, c) } catch {
      guard let correlated = try correlatedQuery(query, c) else { throw error }
      found = try single(correlated, span)
    }
    return collector.marker(found)
  }

  private func plainScalar(_ query: QuerySyntax, _ span: SourceSpan, _ c: ExpressionContext)
    throws(TerraceError) -> ScalarQuery
  {
    if query.isBare, case .select(let select) = query.body {
      let rows = try self.rows(select, outer: c.scope)
      if !rows.correlation.isEmpty { return try correlated(select, rows, span) }
      return try single(try finish(select, rows, []).plan, span)
    }
    return try single(try self.query(query).plan, span)
  }

  /// The one row for each of the domain's.
  private func single(_ query: CorrelatedQuery, _ span: SourceSpan) throws(TerraceError)
    -> ScalarQuery
  {
    guard query.width == 1 else {
      throw error("a scalar sub-query gives one column, not \(query.width)", span)
    }
    let type = query.plan.type.fields[0].type.nullable
    let keys = Array(1..<query.plan.type.count)
    let plan = Plan.aggregate(
      Plan.Aggregate(
        input: query.plan, keys: keys,
        calls: [AggregateCall(.single, argument: 0, type: type)]))
    let pairs = query.outer.enumerated().map { i, column in
      let outer = Expression.column(Marker.outer + column, plan.type.fields[i].type)
      return (outer: outer, inner: i, nullSafe: true)
    }
    return ScalarQuery(plan: plan, keys: pairs, value: .column(keys.count, type))
  }

  private func single(_ plan: Plan, _ span: SourceSpan) throws(TerraceError) -> ScalarQuery {
    let fields = plan.type.fields
    guard fields.count == 1 else {
      throw error("a scalar sub-query gives one column, not \(fields.count)", span)
    }
    let type = fields[0].type.nullable
    var plan = plan
    if !PlanBuilding.isSingleRow(plan) {
      plan = .aggregate(
        Plan.Aggregate(
          input: plan, keys: [], calls: [AggregateCall(.single, argument: 0, type: type)]))
    }
    return ScalarQuery(plan: plan, keys: [], value: .column(0, type))
  }

  /// Groups the sub-query by what ties it to the rows around, and looks its value up by that.
  private func correlated(_ select: SelectSyntax, _ rows: SelectRows, _ span: SourceSpan)
    throws(TerraceError) -> ScalarQuery
  {
    try refuseCorrelated(select, span)
    guard select.items.count == 1, !select.isDistinct else {
      throw error("a scalar sub-query gives one column, not \(select.items.count)", span)
    }
    let equalities = try equalities(rows.correlation, span)
    let context = ExpressionContext(rows.scope, clause: "a correlated sub-query")
    let collector = AggregateCollector(isGrouped: true)
    context.aggregates = collector
    var value = try expression(select.items[0].value, context)
    var calls = collector.calls
    if calls.isEmpty {
      calls = [
        .init(
          function: .single, argument: value, isDistinct: false, filter: nil, separator: [],
          type: value.type.nullable)
      ]
      value = .column(Marker.aggregate, value.type.nullable)
    }
    let (plan, keys) = PlanBuilding.aggregate(
      rows.plan, keys: equalities.map(\.inner), calls: calls)
    let bare = value.columns.filter { !Marker.isMarker($0) }
    if !bare.isEmpty {
      throw error("a correlated sub-query mixes columns with aggregates", span)
    }
    let fields = plan.type.fields
    value = value.replacingMarkers { marker in
      let index = keys.count + Marker.index(marker)
      let column = Expression.column(index, fields[index].type.nullable)
      guard calls[Marker.index(marker)].function == .count else { return column }
      // No row matched: the count is zero, not null.
      return .branches(
        [.init(.isNotNull(column), column)], otherwise: .bigint(0), DataType.bigint.nullable)
    }
    let pairs = equalities.map { pair in
      (
        outer: pair.outer, inner: keys.firstIndex(of: pair.inner) ?? 0, nullSafe: pair.nullSafe
      )
    }
    return ScalarQuery(plan: plan, keys: pairs, value: value)
  }

  /// Joins sub-queries to a plan, whose own columns stay where they are.
  ///
  /// - Returns: the plan, and the value of each sub-query over its columns.
  func attach(
    _ queries: [ScalarQuery], to plan: Plan, place: (Expression) -> Expression
  ) -> (Plan, [Expression]) {
    var plan = plan
    var values: [Expression] = []
    for query in queries {
      let width = plan.type.count
      let fields = query.plan.type.fields
      let conditions = query.keys.map { key in
        let outer = place(
          key.outer.replacingColumnsTyped { column, type in
            let isOuter = Marker.kind(column) == Marker.outer
            return .column(isOuter ? Marker.index(column) : column, type)
          })
        let inner = Expression.column(width + key.inner, fields[key.inner].type)
        return key.nullSafe
          ? Expression.distinct(outer, inner, negated: true) : .compare(.equal, outer, inner)
      }
      plan = PlanBuilding.join(.left, plan, query.plan, conditions)
      values.append(
        query.value.replacingColumnsTyped { .column($0 + width, $1.nullable) })
    }
    return (plan, values)
  }
}
