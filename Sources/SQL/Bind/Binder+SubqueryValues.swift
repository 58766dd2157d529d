import Columns
import Dataflow

/// IN and EXISTS as values: under OR, in CASE, in the select list. Each is a count that is looked up.
extension Binder {
  /// EXISTS as a value: whether the count of the rows that belong to this one is positive.
  func existsValue(_ query: QuerySyntax, _ span: SourceSpan, _ c: ExpressionContext)
    throws(TerraceError) -> Expression
  {
    let collector = try queries(c, span)
    let inner = try innerRows(query, c, isExists: true, byEquality: true)
    let keys = try equalities(inner.correlation, span)
    return isPositive(collector.marker(counting(inner.plan, keys)))
  }

  /// `operand IN (query)` as a value, unknown where SQL says so: three counts decide.
  func inValue(
    _ operand: ExpressionSyntax, _ query: QuerySyntax, _ negated: Bool, _ span: SourceSpan,
    _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    let collector = try queries(c, span)
    if case .row = operand.kind { throw unsupported("a row before IN here", operand.span) }
    let inner = try innerRows(query, c, isExists: false, byEquality: true)
    guard inner.values.count == 1 else {
      throw error("IN compares 1 value with \(inner.values.count) columns", query.span)
    }
    let keys = try equalities(inner.correlation, span)
    let subject = try expression(operand, c)
    let width = Marker.width * 8
    let equality: Expression
    do {
      equality = try .comparing(.equal, subject, inner.values[0].renumbered { $0 + width })
    } catch { throw placed(error, operand.span) }
    guard case .compare(_, let left, let shifted) = equality else { return equality }
    let right = shifted.renumbered { $0 - width }
    let matches = isPositive(collector.marker(counting(inner.plan, keys + [(left, right, false)])))
    var value = matches
    if equality.type.isNullable {
      let rows = isPositive(collector.marker(counting(inner.plan, keys)))
      let missing = PlanBuilding.filter(inner.plan, [.isNull(right)])
      let nulls = isPositive(collector.marker(counting(missing, keys)))
      let unknown = Expression.literal(.null, .boolean)
      value = .branches(
        [
          .init(matches, .boolean(true)), .init(.not(rows), .boolean(false)),
          .init(.or([.isNull(left), nulls]), unknown),
        ], otherwise: .boolean(false), .boolean)
    }
    return negated ? .not(value) : value
  }

  private func queries(_ c: ExpressionContext, _ span: SourceSpan) throws(TerraceError)
    -> QueryCollector
  {
    guard let collector = c.queries else {
      throw unsupported("a sub-query in \(c.clause)", span)
    }
    if c.isInsideAggregate { throw unsupported("a sub-query inside an aggregate", span) }
    return collector
  }

  /// True when there is a count and it is positive; never null.
  private func isPositive(_ count: Expression) -> Expression {
    .isTruth(.compare(.greater, count, .bigint(0)), true)
  }

  /// COUNT(*) of the rows of a plan for each value of the keys.
  private func counting(
    _ plan: Plan, _ keys: [(outer: Expression, inner: Expression, nullSafe: Bool)]
  ) -> ScalarQuery {
    let call = AggregateCollector.Call(
      function: .count, argument: nil, isDistinct: false, filter: nil, separator: [],
      type: DataType.bigint.notNull)
    let (counted, distinct) = PlanBuilding.aggregate(plan, keys: keys.map(\.inner), calls: [call])
    let pairs = keys.map { key in
      (
        outer: key.outer, inner: distinct.firstIndex(of: key.inner) ?? 0, nullSafe: key.nullSafe
      )
    }
    return ScalarQuery(
      plan: counted, keys: pairs, value: .column(distinct.count, DataType.bigint.nullable))
  }

  /// Conditions of the form outer = inner, taken apart.
  func equalities(_ correlation: [Expression], _ span: SourceSpan) throws(TerraceError) -> [(
    outer: Expression, inner: Expression, nullSafe: Bool
  )] {
    func isOuter(_ e: Expression) -> Bool {
      !e.columns.isEmpty && e.columns.allSatisfy { Marker.kind($0) == Marker.outer }
    }
    func isInner(_ e: Expression) -> Bool { e.columns.allSatisfy { !Marker.isMarker($0) } }
    var keys: [(outer: Expression, inner: Expression, nullSafe: Bool)] = []
    for condition in correlation {
      let sides: (Expression, Expression, Bool)
      switch condition {
      case .compare(.equal, let a, let b): sides = (a, b, false)
      case .distinct(let a, let b, negated: true): sides = (a, b, true)
      default: throw unsupported("a sub-query correlated by other than = here", span)
      }
      if isOuter(sides.0), isInner(sides.1) {
        keys.append((sides.0, sides.1, sides.2))
      } else if isOuter(sides.1), isInner(sides.0) {
        keys.append((sides.1, sides.0, sides.2))
      } else {
        throw unsupported("a sub-query correlated by other than = here", span)
      }
    }
    return keys
  }
}
