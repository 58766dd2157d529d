import Columns
import Dataflow

/// What a query asks of a table's tag partitions, beyond what is in the source's own predicate.
struct PartitionCondition: Hashable {
  /// Over the partition column alone, as column 0; all must hold.
  var conditions: [Expression] = []
  /// The column decides in some other way which rows are in the answer: a join, a condition above a
  /// grouping. Every partition is read then.
  var isUsed = false
}

/// Finds the conditions on partition columns in a plan, and names each read after its own.
///
/// Two reads of one table may ask for different partitions, and equal sources are one at run time; so
/// a source is renamed where its condition is not all in its predicate.
struct PartitionConditions {
  /// The partition column of a source's table; nil for other tables.
  let column: (Plan.Source) -> Int?
  /// Called for each read with a condition; gives the name of that read.
  let name: (Plan.Source, PartitionCondition) -> String

  func rewrite(_ plan: Plan) -> Plan { rewrite(plan, used: [], direct: []) }

  /// - Parameters:
  ///   - used: columns of the plan's output that decide something above.
  ///   - direct: conditions over the plan's output that each row of it must meet, with nothing but
  ///     projections in between.
  private func rewrite(_ plan: Plan, used: Set<Int>, direct: [Expression]) -> Plan {
    switch plan {
    case .source(let source): return .source(renamed(source, used, direct))
    case .map(var map):
      let own = map.condition.map(Self.conjuncts) ?? []
      let passed = direct.map { e in e.replacingColumns { map.expressions[$0] } }
      var below: Set<Int> = []
      for e in own { below.formUnion(e.columns) }
      for column in used { below.formUnion(map.expressions[column].columns) }
      let isChain: Bool
      switch map.input {
      case .source, .map: isChain = true
      default: isChain = false
      }
      map.input = rewrite(map.input, used: below, direct: isChain ? own + passed : [])
      return .map(map)
    case .join(var join):
      let width = join.left.type.count
      var all = used
      if let residual = join.residual { all.formUnion(residual.columns) }
      join.left = rewrite(
        join.left, used: all.filter { $0 < width }.union(join.leftKeys), direct: [])
      join.right = rewrite(
        join.right, used: Set(all.filter { $0 >= width }.map { $0 - width }).union(join.rightKeys),
        direct: [])
      return .join(join)
    case .aggregate(var node):
      let keys = Set(used.compactMap { $0 < node.keys.count ? node.keys[$0] : nil })
      node.input = rewrite(node.input, used: keys, direct: [])
      return .aggregate(node)
    case .windowAggregate(var node):
      let keys = Set(used.compactMap { $0 < node.keys.count ? node.keys[$0] : nil })
      node.input = rewrite(node.input, used: keys, direct: [])
      return .windowAggregate(node)
    case .union(let inputs):
      return .union(inputs.map { rewrite($0, used: used, direct: []) })
    case .setOperation(var node):
      node.left = rewrite(node.left, used: used, direct: [])
      node.right = rewrite(node.right, used: used, direct: [])
      return .setOperation(node)
    case .values: return plan
    case .rank, .over, .sort, .unnest, .windowTable, .watermark:
      // The columns of the input come first.
      let width = plan.inputs[0].type.count
      return plan.replacingInput(
        rewrite(plan.inputs[0], used: used.filter { $0 < width }, direct: []))
    default: return plan
    }
  }

  private func renamed(
    _ source: Plan.Source, _ used: Set<Int>, _ direct: [Expression]
  ) -> Plan.Source {
    guard let place = column(source), let output = source.columns.firstIndex(of: place) else {
      return source
    }
    var condition = PartitionCondition()
    for e in direct where e.columns == [output] && e.isDeterministic {
      condition.conditions.append(e.renumbered { _ in 0 })
    }
    condition.isUsed = used.contains(output)
    if condition == PartitionCondition() { return source }
    var renamed = source
    renamed.reference = name(source, condition)
    return renamed
  }

  private static func conjuncts(_ e: Expression) -> [Expression] {
    if case .and(let parts) = e { return parts.flatMap(conjuncts) }
    return [e]
  }
}

extension Plan {
  /// The same operator over another input, for operators with one.
  fileprivate func replacingInput(_ input: Plan) -> Plan {
    switch self {
    case .rank(var node):
      node.input = input
      return .rank(node)
    case .over(var node):
      node.input = input
      return .over(node)
    case .sort(var node):
      node.input = input
      return .sort(node)
    case .unnest(var node):
      node.input = input
      return .unnest(node)
    case .windowTable(var node):
      node.input = input
      return .windowTable(node)
    case .watermark(var node):
      node.input = input
      return .watermark(node)
    default: return self
    }
  }
}

extension Columns.Predicate {
  /// The condition for rows of which one column has this value: what is left of it.
  func substituting(_ column: Int, _ value: Column) -> Columns.Predicate {
    switch self {
    case .always, .never: return self
    case .and(let parts):
      let rest = parts.map { $0.substituting(column, value) }.filter { $0 != .always }
      if rest.contains(.never) { return .never }
      return rest.isEmpty ? .always : rest.count == 1 ? rest[0] : .and(rest)
    case .or(let parts):
      let rest = parts.map { $0.substituting(column, value) }.filter { $0 != .never }
      if rest.contains(.always) { return .always }
      return rest.isEmpty ? .never : rest.count == 1 ? rest[0] : .or(rest)
    case .not(let part):
      switch part.substituting(column, value) {
      case .always: return .never
      case .never:
        // Unknown stays unknown when it is negated.
        return value.isNull(0) && part.columns.contains(column) ? .never : .always
      case let rest: return .not(rest)
      }
    default:
      guard columns == [column], let leaf = remapped({ _ in 0 }) else { return self }
      return leaf.select([value], count: 1).count == 1 ? .always : .never
    }
  }

  /// Values that a column is compared with for equality.
  func values(of wanted: Int) -> [Scalar] {
    switch self {
    case .compare(column: wanted, .equal, let value): return [value]
    case .isIn(column: wanted, let values): return values
    case .and(let parts), .or(let parts): return parts.flatMap { $0.values(of: wanted) }
    default: return []
    }
  }
}
