import Columns
package import Dataflow

/// Makes a bound plan cheap without changing its rows: conditions move towards the sources, ranks
/// with a bound become Top-N, maps above maps become one, and columns that nobody reads are left out.
enum PlanRewriter {
  /// - Parameter zone: of the session.
  static func rewrite(_ plan: Plan, _ zone: SessionZone) -> Plan {
    let filtered = FilterPushing(zone: zone).push([], into: plan)
    let width = filtered.type.count
    let pruned = ColumnPruning.prune(filtered, needed: Set(0..<width))
    return MapMerging.merge(PlanBuilding.project(pruned.plan, pruned.places(Array(0..<width))))
  }
}

/// Two maps in a row as one.
enum MapMerging {
  static func merge(_ plan: Plan) -> Plan {
    let below = plan.mapInputs(merge)
    guard case .map(let upper) = below else { return below }
    if case .map(let lower) = upper.input, let merged = merged(upper, lower) {
      return withoutIdentity(merged)
    }
    return withoutIdentity(upper)
  }

  private static func merged(_ upper: Plan.Map, _ lower: Plan.Map) -> Plan.Map? {
    // An expression that is not free must not be computed twice.
    var uses = Array(repeating: 0, count: lower.expressions.count)
    for e in upper.expressions + [upper.condition].compactMap({ $0 }) { count(e, &uses) }
    for (i, e) in lower.expressions.enumerated() where uses[i] > 0 {
      switch e {
      case .column, .literal: continue
      default:
        if uses[i] > 1 || !e.isDeterministic || e.nodeCount(upTo: 200) >= 200 { return nil }
      }
    }
    func lowered(_ e: Expression) -> Expression { e.replacingColumns { lower.expressions[$0] } }
    let conditions = [lower.condition, upper.condition.map(lowered)].compactMap { $0 }
    return Plan.Map(
      input: lower.input,
      condition: PlanBuilding.conjunction(conditions.flatMap(PlanBuilding.conjuncts)),
      expressions: upper.expressions.map(lowered), names: upper.names)
  }

  private static func count(_ e: Expression, _ uses: inout [Int]) {
    if case .column(let index, _) = e { uses[index] += 1 }
    for child in e.children { count(child, &uses) }
  }

  /// A map that changes nothing, not even a name, is left out.
  private static func withoutIdentity(_ map: Plan.Map) -> Plan {
    if map.condition == nil {
      let fields = map.input.type.fields
      let isSame =
        fields.count == map.expressions.count
        && fields.indices.allSatisfy {
          map.expressions[$0] == .column($0, fields[$0].type) && map.names[$0] == fields[$0].name
        }
      if isSame { return map.input }
    }
    return .map(map)
  }
}

extension Plan {
  /// The same operator over changed inputs.
  package func mapInputs(_ change: (Plan) -> Plan) -> Plan {
    switch self {
    case .source, .values: return self
    case .map(var node):
      node.input = change(node.input)
      return .map(node)
    case .join(var node):
      node.left = change(node.left)
      node.right = change(node.right)
      return .join(node)
    case .aggregate(var node):
      node.input = change(node.input)
      return .aggregate(node)
    case .windowTable(var node):
      node.input = change(node.input)
      return .windowTable(node)
    case .windowAggregate(var node):
      node.input = change(node.input)
      return .windowAggregate(node)
    case .rank(var node):
      node.input = change(node.input)
      return .rank(node)
    case .over(var node):
      node.input = change(node.input)
      return .over(node)
    case .union(let inputs): return .union(inputs.map(change))
    case .setOperation(var node):
      node.left = change(node.left)
      node.right = change(node.right)
      return .setOperation(node)
    case .sort(var node):
      node.input = change(node.input)
      return .sort(node)
    case .unnest(var node):
      node.input = change(node.input)
      return .unnest(node)
    case .watermark(var node):
      node.input = change(node.input)
      return .watermark(node)
    case .upsert(var node):
      node.input = change(node.input)
      return .upsert(node)
    }
  }
}
