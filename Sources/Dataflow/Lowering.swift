internal import Columns

/// Plans in terms of simpler ones.
enum Lowering {
  /// Spans of windows are positive, and a window is a whole number of its steps.
  private static func check(_ window: Window) throws(TerraceError) {
    let (size, step): (Int64, Int64)
    switch window {
    case .tumble(let span, _): (size, step) = (span, span)
    case .hop(let span, let slide, _): (size, step) = (span, slide)
    case .cumulate(let span, let piece, _): (size, step) = (span, piece)
    case .session(let gap): (size, step) = (gap, gap)
    }
    guard step > 0, size > 0, size % step == 0, size < 1 << 50, size / step <= 100_000 else {
      throw TerraceError(.invalid, "a window's size is a whole number of its steps")
        .with("size", size).with("step", step)
    }
  }

  static func lower(_ plan: Plan) throws(TerraceError) -> Plan {
    switch plan {
    case .sort(let sort) where sort.limit != nil || sort.offset > 0:
      let (last, over) = sort.offset.addingReportingOverflow(sort.limit ?? (Int.max - sort.offset))
      guard !over, last > sort.offset else {
        return .map(Plan.Map(filtering: sort.input, by: .boolean(false)))
      }
      return .rank(
        Plan.Rank(
          input: sort.input, partition: [], order: sort.order, ranks: sort.offset + 1...last,
          emitsRank: false))
    case .join(let join) where join.isNullAware && join.residual != nil:
      // A further condition decides which rows the sub-query has: every pair is looked at.
      var plain = join
      let left = join.left.type
      let right = join.right.type
      let a = join.leftKeys[join.leftKeys.count - 1]
      let b = join.rightKeys[join.rightKeys.count - 1]
      let x = Expression.column(a, left.fields[a].type)
      let y = Expression.column(left.count + b, right.fields[b].type)
      let unknown = Expression.or([
        try Expression.comparing(.equal, x, y), .isNull(x), .isNull(y),
      ])
      plain.isNullAware = false
      plain.leftKeys.removeLast()
      plain.rightKeys.removeLast()
      plain.nullSafe.removeLast()
      plain.residual = join.residual.map { .and([$0, unknown]) }
      return .join(plain)
    case .map(let map):
      guard case .join(let join) = map.input, !join.isNullAware else { return plan }
      return JoinInputs.pruned(map, join).map { .map($0) } ?? plan
    case .windowAggregate(let node):
      try check(node.window)
      return plan
    case .windowTable(let node):
      try check(node.window)
      if case .session = node.window {
        throw TerraceError(.unsupported, "SESSION without GROUP BY window_start, window_end")
      }
      return plan
    default: return plan
    }
  }
}

/// A join need not keep, nor gather, what nobody asks for: columns that only a condition below it goes by.
private enum JoinInputs {
  /// The same map over a join of fewer columns; nil when all are in use.
  static func pruned(_ map: Plan.Map, _ join: Plan.Join) -> Plan.Map? {
    let width = join.left.type.count
    var used = join.residual?.columns ?? []
    used.formUnion(join.leftKeys)
    used.formUnion(join.rightKeys.map { $0 + width })
    for expression in map.expressions { used.formUnion(expression.columns) }
    if let condition = map.condition { used.formUnion(condition.columns) }
    let left = (0..<width).filter { used.contains($0) }
    let right = join.right.type.fields.indices.filter { used.contains($0 + width) }
    if left.count == width && right.count == join.right.type.count { return nil }
    var places: [Int: Int] = [:]
    for (place, column) in (left + right.map { $0 + width }).enumerated() { places[column] = place }
    func moved(_ expression: Expression) -> Expression {
      expression.renumbered { places[$0] ?? $0 }
    }
    var fewer = join
    fewer.left = chosen(join.left, left)
    fewer.right = chosen(join.right, right)
    fewer.leftKeys = join.leftKeys.map { places[$0] ?? $0 }
    fewer.rightKeys = join.rightKeys.map { (places[$0 + width] ?? $0) - left.count }
    fewer.residual = join.residual.map(moved)
    return Plan.Map(
      input: .join(fewer), condition: map.condition.map(moved),
      expressions: map.expressions.map(moved), names: map.names)
  }

  private static func chosen(_ plan: Plan, _ columns: [Int]) -> Plan {
    let fields = plan.type.fields
    if columns.count == fields.count { return plan }
    return .map(
      Plan.Map(
        input: plan, expressions: columns.map { .column($0, fields[$0].type) },
        names: columns.map { fields[$0].name }))
  }
}
