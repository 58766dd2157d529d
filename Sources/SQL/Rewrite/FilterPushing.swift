import Columns
import Dataflow

/// Moves conditions towards the sources.
struct FilterPushing {
  /// Of the session: constants in conditions are computed in it.
  let zone: SessionZone

  /// The plan with conditions over its output columns applied as far down as they can go.
  func push(_ conditions: [Expression], into plan: Plan) -> Plan {
    switch plan {
    case .source(let source): return self.source(source, conditions)
    case .values: return PlanBuilding.filter(plan, conditions)
    case .map(let map): return self.map(map, conditions)
    case .join(let join): return self.join(join, conditions)
    case .union(let inputs):
      let (down, up) = split(conditions) { _ in true }
      return PlanBuilding.filter(.union(inputs.map { push(down, into: $0) }), up)
    case .setOperation(var node):
      let (down, up) = split(conditions) { _ in true }
      node.left = push(down, into: node.left)
      node.right = push(down, into: node.right)
      return PlanBuilding.filter(.setOperation(node), up)
    case .sort(var node):
      let (down, up) = split(conditions) { _ in node.limit == nil && node.offset == 0 }
      node.input = push(down, into: node.input)
      return PlanBuilding.filter(.sort(node), up)
    case .aggregate(var node):
      let keys = node.keys
      let (down, up) = split(conditions) {
        $0.columns.allSatisfy { $0 < keys.count } && !keys.isEmpty
      }
      node.input = push(down.map { $0.renumbered { keys[$0] } }, into: node.input)
      return PlanBuilding.filter(.aggregate(node), up)
    case .windowAggregate(var node):
      let keys = node.keys
      let (down, up) = split(conditions) {
        $0.columns.allSatisfy { $0 < keys.count } && !keys.isEmpty
      }
      node.input = push(down.map { $0.renumbered { keys[$0] } }, into: node.input)
      return PlanBuilding.filter(.windowAggregate(node), up)
    case .windowTable(var node):
      let width = node.input.type.count
      let (down, up) = split(conditions) { $0.columns.allSatisfy { $0 < width } }
      node.input = push(down, into: node.input)
      return PlanBuilding.filter(.windowTable(node), up)
    case .unnest(var node):
      let width = node.input.type.count
      let (down, up) = split(conditions) { $0.columns.allSatisfy { $0 < width } }
      node.input = push(down, into: node.input)
      return PlanBuilding.filter(.unnest(node), up)
    case .watermark(var node):
      // The clock goes by all rows, those filtered out as well.
      node.input = push([], into: node.input)
      return PlanBuilding.filter(.watermark(node), conditions)
    case .upsert(var node):
      // Below it only keys may be chosen: a row that is left out would bring back the one before.
      let key = Set(node.key)
      let (down, up) = split(conditions) {
        !$0.columns.isEmpty && $0.columns.isSubset(of: key)
      }
      node.input = push(down, into: node.input)
      return PlanBuilding.filter(.upsert(node), up)
    case .rank(var node):
      let partition = Set(node.partition)
      let (down, up) = split(conditions) {
        !$0.columns.isEmpty && $0.columns.isSubset(of: partition)
      }
      node.input = push(down, into: node.input)
      return PlanBuilding.filter(.rank(node), up)
    case .over(let over): return self.over(over, conditions)
    }
  }

  /// Conditions that may go down, and those that stay. What depends on chance or clock stays.
  private func split(_ conditions: [Expression], _ mayPass: (Expression) -> Bool) -> (
    down: [Expression], up: [Expression]
  ) {
    var down: [Expression] = []
    var up: [Expression] = []
    for e in conditions {
      if e.isDeterministic, mayPass(e) { down.append(e) } else { up.append(e) }
    }
    return (down, up)
  }

  // MARK: Maps

  private func map(_ map: Plan.Map, _ conditions: [Expression]) -> Plan {
    let own = map.condition.map { PlanBuilding.conjuncts($0.simplified(in: zone)) } ?? []
    var (down, stay) = split(own) { _ in true }
    // Below a condition that stays, none may be asked before it.
    if !stay.isEmpty { (down, stay) = ([], own) }
    var above: [Expression] = []
    for e in conditions {
      if let lowered = lowered(e, map), stay.isEmpty {
        down.append(lowered)
      } else {
        above.append(e)
      }
    }
    let below = push(down, into: map.input)
    let out = Plan.map(
      Plan.Map(
        input: below, condition: PlanBuilding.conjunction(stay), expressions: map.expressions,
        names: map.names))
    return PlanBuilding.filter(out, above)
  }

  /// The condition over a map's input; nil when that would grow too large or compute anew what has
  /// no one value.
  private func lowered(_ e: Expression, _ map: Plan.Map) -> Expression? {
    for column in e.columns where !map.expressions[column].isDeterministic { return nil }
    if e.columns.contains(where: { map.expressions[$0].nodeCount(upTo: 100) >= 100 }) { return nil }
    let out = e.replacingColumns { map.expressions[$0] }
    return e.isDeterministic && out.nodeCount(upTo: 2000) < 2000 ? out.simplified(in: zone) : nil
  }

  // MARK: Joins

  private func join(_ join: Plan.Join, _ conditions: [Expression]) -> Plan {
    if join.kind == .inner {
      let (movable, rest) = split(conditions) { !$0.columns.isEmpty }
      if let ordered = JoinOrder.plan(join, movable, zone, push: { push($0, into: $1) }) {
        return PlanBuilding.filter(ordered, rest)
      }
    }
    var join = join
    let width = join.left.type.count
    func isLeft(_ e: Expression) -> Bool { e.columns.allSatisfy { $0 < width } }
    func isRight(_ e: Expression) -> Bool { e.columns.allSatisfy { $0 >= width } }
    var residual =
      join.residual.map {
        PlanBuilding.conjuncts(JoinOrder.sharedFactored($0.simplified(in: zone)))
      } ?? []
    var left: [Expression] = []
    var right: [Expression] = []
    var up: [Expression] = []
    for e in conditions {
      let mayMove = e.isDeterministic && !e.columns.isEmpty
      switch join.kind {
      case .inner where mayMove:
        residual += PlanBuilding.conjuncts(JoinOrder.sharedFactored(e.simplified(in: zone)))
      case .left where mayMove && isLeft(e), .semi where mayMove, .anti where mayMove:
        left.append(e)
      case .right where mayMove && isRight(e): right.append(e)
      default: up.append(e)
      }
    }
    // A part of the join's own condition that asks one side only goes to that side, unless the
    // rows of that side stay without a match.
    residual = residual.filter { e in
      guard e.isDeterministic, !e.columns.isEmpty else { return true }
      if isLeft(e), [.inner, .right, .semi].contains(join.kind) {
        left.append(e)
        return false
      }
      if isRight(e), [.inner, .left, .semi, .anti].contains(join.kind), !join.isNullAware {
        right.append(e)
        return false
      }
      return true
    }
    join.left = push(left, into: join.left)
    join.right = push(right.map { $0.renumbered { $0 - width } }, into: join.right)
    join.residual = nil
    return PlanBuilding.filter(withKeys(join, residual), up)
  }

  /// The join with equalities of its residual condition as keys.
  private func withKeys(_ join: Plan.Join, _ residual: [Expression]) -> Plan {
    var join = join
    guard join.kind == .inner, !residual.isEmpty else {
      join.residual = PlanBuilding.conjunction(residual)
      return .join(join)
    }
    let width = join.left.type.count
    let (left, right) = (join.left.type.fields, join.right.type.fields)
    var conditions = residual
    for i in join.leftKeys.indices {
      let a = Expression.column(join.leftKeys[i], left[join.leftKeys[i]].type)
      let b = Expression.column(width + join.rightKeys[i], right[join.rightKeys[i]].type)
      conditions.insert(
        join.nullSafe[i] ? .distinct(a, b, negated: true) : .compare(.equal, a, b), at: i)
    }
    return PlanBuilding.join(.inner, join.left, join.right, conditions)
  }

  // MARK: Top-N

  /// ROW_NUMBER() … <= n as a rank with a bound, which keeps only the first rows.
  private func over(_ over: Plan.Over, _ conditions: [Expression]) -> Plan {
    var over = over
    let partition = Set(over.partition)
    let (down, up) = split(conditions) {
      !$0.columns.isEmpty && $0.columns.isSubset(of: partition)
    }
    over.input = push(down, into: over.input)
    let width = over.input.type.count
    let function: Plan.Rank.Function
    switch over.calls.count == 1 ? over.calls[0].function : .tiles(1) {
    case .rowNumber: function = .rowNumber
    case .rank: function = .rank
    case .denseRank: function = .denseRank
    default: return PlanBuilding.filter(.over(over), up)
    }
    var low = 1
    var high = Int.max
    let others = up.filter { e in
      guard let bounds = rankBounds(e, width) else { return true }
      low = max(low, bounds.low)
      high = min(high, bounds.high)
      return false
    }
    guard high < 1 << 30, !over.order.isEmpty || function == .rowNumber else {
      return PlanBuilding.filter(.over(over), up)
    }
    if low > high { return PlanBuilding.filter(.over(over), [.boolean(false)]) }
    let rank = Plan.Rank(
      input: over.input, function: function, partition: over.partition, order: over.order,
      ranks: low...high, emitsRank: true)
    return PlanBuilding.filter(.rank(rank), others)
  }

  /// The ranks that a condition on the rank's column lets pass; nil when it is another condition.
  private func rankBounds(_ e: Expression, _ column: Int) -> (low: Int, high: Int)? {
    guard case .compare(let op, let a, let b) = e.simplified(in: zone) else { return nil }
    let (value, comparison): (Expression, Columns.Predicate.Comparison)
    if FilterPushing.isRank(a, column) {
      (value, comparison) = (b, op)
    } else if FilterPushing.isRank(b, column) {
      (value, comparison) = (a, FilterPushing.flipped(op))
    } else {
      return nil
    }
    guard case .literal(.int(let number), let type) = value, TypeRules.isInteger(type),
      abs(number) < 1 << 30
    else { return nil }
    let n = Int(number)
    switch comparison {
    case .equal: return (n, n)
    case .less: return (1, n - 1)
    case .lessOrEqual: return (1, n)
    case .greater: return (n + 1, Int.max)
    case .greaterOrEqual: return (n, Int.max)
    case .notEqual: return nil
    }
  }

  private static func isRank(_ e: Expression, _ column: Int) -> Bool {
    switch e {
    case .column(column, _): true
    case .cast(let inner, let type, _): TypeRules.isInteger(type) && isRank(inner, column)
    default: false
    }
  }

  static func flipped(_ op: Columns.Predicate.Comparison) -> Columns.Predicate.Comparison {
    switch op {
    case .less: .greater
    case .lessOrEqual: .greaterOrEqual
    case .greater: .less
    case .greaterOrEqual: .lessOrEqual
    default: op
    }
  }

  // MARK: Sources

  private func source(_ source: Plan.Source, _ conditions: [Expression]) -> Plan {
    var source = source
    var predicates: [Columns.Predicate] = source.predicate == .always ? [] : [source.predicate]
    var up: [Expression] = []
    for e in conditions {
      if let predicate = FilterPushing.predicate(e.simplified(in: zone)) {
        predicates.append(predicate)
      } else {
        up.append(e)
      }
    }
    source.predicate =
      predicates.isEmpty ? .always : predicates.count == 1 ? predicates[0] : .and(predicates)
    return PlanBuilding.filter(.source(source), up)
  }

  /// A condition as a predicate over columns; nil when it is more than that.
  static func predicate(_ given: Expression) -> Columns.Predicate? {
    let e = given.mapChildren(uncast)
    switch e {
    case .compare(let op, .column(let column, let type), .literal(let value, let other)):
      return compared(column, op, type, value, other)
    case .compare(let op, .literal(let value, let other), .column(let column, let type)):
      return compared(column, flipped(op), type, value, other)
    case .isNull(.column(let column, let type)):
      return isScalar(type) ? .isNull(column: column) : nil
    case .isNotNull(.column(let column, let type)):
      return isScalar(type) ? .isNotNull(column: column) : nil
    case .inList(.column(let column, let type), let list):
      return isScalar(type) && !list.isEmpty && !list.contains(.null)
        ? .isIn(column: column, list) : nil
    case .and(let parts): return all(parts).map { .and($0) }
    case .or(let parts): return all(parts).map { .or($0) }
    case .not(let inner): return predicate(inner).map { .not($0) }
    default: return nil
    }
  }

  private static func all(_ parts: [Expression]) -> [Columns.Predicate]? {
    var out: [Columns.Predicate] = []
    for part in parts {
      guard let one = predicate(part) else { return nil }
      out.append(one)
    }
    return out
  }

  private static func compared(
    _ column: Int, _ op: Columns.Predicate.Comparison, _ type: DataType, _ value: Scalar,
    _ other: DataType
  ) -> Columns.Predicate? {
    // NaN compares as SQL says in expressions, and as keys order in predicates.
    guard isScalar(type), type.kind == other.kind, value != .null, !TypeRules.isApproximate(type)
    else { return nil }
    return .compare(column: column, op, value)
  }

  /// Text made longer in type only is the same text.
  private static func uncast(_ e: Expression) -> Expression {
    guard case .cast(.column(let column, let type), let target, _) = e,
      case .varchar(let length) = type.kind, case .varchar(let longer) = target.kind,
      longer >= length
    else { return e }
    return .column(column, target)
  }

  private static func isScalar(_ type: DataType) -> Bool {
    switch type.physical {
    case .list, .map, .row: false
    default: true
    }
  }
}
