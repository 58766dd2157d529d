import Columns
import Dataflow

/// Inner joins in an order in which each table has an equality with those before it, so that
/// `FROM a, b, c WHERE a.x = c.x AND b.y = c.y` forms no product of a and b.
///
/// The order that was written is kept as far as it does so.
struct JoinOrder {
  /// What is joined, and where its first column is in the columns of all.
  private var leaves: [Plan] = []
  private var starts: [Int] = []
  /// Over the columns of all leaves.
  private var conditions: [Expression] = []

  /// The joined rows for which the conditions hold; nil when fewer than three tables are joined.
  ///
  /// - Parameter conditions: over the join's columns; deterministic.
  /// - Parameter push: rewrites a leaf with conditions over its columns.
  static func plan(
    _ join: Plan.Join, _ conditions: [Expression], _ zone: SessionZone,
    push: ([Expression], Plan) -> Plan
  ) -> Plan? {
    var order = JoinOrder()
    var width = 0
    order.flatten(.join(join), &width)
    guard order.leaves.count > 2 else { return nil }
    order.conditions += conditions
    order.conditions = order.conditions.flatMap {
      PlanBuilding.conjuncts(sharedFactored($0.simplified(in: zone)))
    }
    return order.built(width, push)
  }

  private mutating func flatten(_ plan: Plan, _ width: inout Int) {
    guard case .join(let join) = plan, join.kind == .inner,
      join.residual?.isDeterministic ?? true
    else {
      leaves.append(plan)
      starts.append(width)
      width += plan.type.count
      return
    }
    let start = width
    flatten(join.left, &width)
    let middle = width
    flatten(join.right, &width)
    let (left, right) = (join.left.type.fields, join.right.type.fields)
    for i in join.leftKeys.indices {
      let a = Expression.column(start + join.leftKeys[i], left[join.leftKeys[i]].type)
      let b = Expression.column(middle + join.rightKeys[i], right[join.rightKeys[i]].type)
      conditions.append(
        join.nullSafe[i] ? .distinct(a, b, negated: true) : .compare(.equal, a, b))
    }
    if let residual = join.residual {
      conditions += PlanBuilding.conjuncts(residual.renumbered { $0 + start })
    }
  }

  private func leaf(of column: Int) -> Int { (starts.lastIndex { $0 <= column }) ?? 0 }

  private func built(_ width: Int, _ push: ([Expression], Plan) -> Plan) -> Plan {
    var own: [[Expression]] = leaves.map { _ in [] }
    var between: [(condition: Expression, leaves: Set<Int>)] = []
    var constant: [Expression] = []
    for condition in conditions {
      let touched = Set(condition.columns.map(leaf(of:)))
      if touched.count == 1, let only = touched.first {
        own[only].append(condition.renumbered { $0 - starts[only] })
      } else if touched.isEmpty {
        constant.append(condition)
      } else {
        between.append((condition, touched))
      }
    }
    var groups: [JoinedLeaves] = leaves.indices.map { i in
      let columns = leaves[i].type.fields.indices.map { starts[i] + $0 }
      return JoinedLeaves(plan: push(own[i], leaves[i]), columns: columns, leaves: [i])
    }
    // Each step takes the first table that an equality ties to a group begun earlier.
    var first = 0
    while groups.count > 1 {
      let found = groups.indices.dropFirst(first + 1).first { candidate in
        between.contains { Self.ties($0.condition, groups[first], groups[candidate]) }
      }
      if let found {
        groups[first].join(groups.remove(at: found), &between)
      } else if first + 1 < groups.count {
        first += 1
      } else {
        // Nothing is tied any more: products, in the order that was written.
        groups[0].join(groups.remove(at: 1), &between)
        first = 0
      }
    }
    let kept = (0..<width).map { groups[0].place(of: $0) }
    return PlanBuilding.filter(PlanBuilding.project(groups[0].plan, kept), constant)
  }

  /// Whether a condition is an equality of something of one group with something of the other.
  private static func ties(_ e: Expression, _ a: JoinedLeaves, _ b: JoinedLeaves) -> Bool {
    let sides: (Expression, Expression)
    switch e {
    case .compare(.equal, let x, let y): sides = (x, y)
    case .distinct(let x, let y, negated: true): sides = (x, y)
    default: return false
    }
    let (x, y) = (sides.0.columns, sides.1.columns)
    if x.isEmpty || y.isEmpty { return false }
    return a.has(x) && b.has(y) || a.has(y) && b.has(x)
  }

  /// `(a AND b) OR (a AND c)` as `a AND (b OR c)`: what all alternatives ask can go down.
  static func sharedFactored(_ e: Expression) -> Expression {
    guard case .or(let parts) = e, parts.count > 1 else { return e }
    let alternatives = parts.map(PlanBuilding.conjuncts)
    let shared = alternatives[0].filter { part in
      part.isDeterministic && alternatives.dropFirst().allSatisfy { $0.contains(part) }
    }
    if shared.isEmpty { return e }
    let rest = alternatives.map { $0.filter { !shared.contains($0) } }
    if rest.contains(where: \.isEmpty) { return .and(shared) }
    return .and(shared + [.or(rest.map { $0.count == 1 ? $0[0] : .and($0) })])
  }
}

/// Tables that are joined already.
private struct JoinedLeaves {
  var plan: Plan
  /// What each column of the plan is in the columns of all.
  var columns: [Int]
  var leaves: Set<Int>
  private var places: [Int: Int]

  init(plan: Plan, columns: [Int], leaves: Set<Int>) {
    self.plan = plan
    self.columns = columns
    self.leaves = leaves
    places = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1, $0) })
  }

  func has(_ wanted: some Sequence<Int>) -> Bool { wanted.allSatisfy { places[$0] != nil } }

  func place(of column: Int) -> Int { places[column] ?? 0 }

  mutating func join(
    _ other: JoinedLeaves, _ between: inout [(condition: Expression, leaves: Set<Int>)]
  ) {
    let joined = leaves.union(other.leaves)
    for (i, column) in other.columns.enumerated() { places[column] = columns.count + i }
    columns += other.columns
    let ready = between.filter { $0.leaves.isSubset(of: joined) }
    between.removeAll { $0.leaves.isSubset(of: joined) }
    plan = PlanBuilding.join(
      .inner, plan, other.plan, ready.map { $0.condition.renumbered { places[$0] ?? $0 } })
    leaves = joined
  }
}
