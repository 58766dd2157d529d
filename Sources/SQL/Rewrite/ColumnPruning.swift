import Columns
import Dataflow

/// Leaves out columns that nobody reads.
enum ColumnPruning {
  /// A plan that gives at least the columns asked for.
  struct Pruned {
    var plan: Plan
    /// Old numbers of the columns it gives, in their new order.
    var kept: [Int]

    /// New numbers of old columns.
    func places(_ old: [Int]) -> [Int] { old.map(place) }

    func place(_ old: Int) -> Int {
      guard let place = kept.firstIndex(of: old) else {
        preconditionFailure("column \(old) was left out and is asked for")
      }
      return place
    }

    var numbers: [Int: Int] {
      Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($0.element, $0.offset) })
    }
  }

  static func prune(_ plan: Plan, needed: Set<Int>) -> Pruned {
    let width = plan.type.count
    // Rows without columns cannot be counted.
    let wanted = needed.isEmpty && width > 0 ? [cheapest(plan)] : needed
    switch plan {
    case .source(let source): return self.source(source, wanted)
    case .values(let values):
      let kept = wanted.sorted()
      let type = RowType(kept.map { (values.type.fields[$0].name, values.type.fields[$0].type) })
      let rows = values.rows.map { row in kept.map { row[$0] } }
      return Pruned(plan: .values(Plan.Values(type: type, rows: rows)), kept: kept)
    case .map(let map): return self.map(map, wanted)
    case .join(let join): return self.join(join, wanted)
    case .aggregate(let node): return aggregate(node, wanted)
    case .windowAggregate(let node): return windowAggregate(node, wanted)
    case .windowTable(var node):
      let count = node.input.type.count
      let below = prune(node.input, needed: wanted.filter { $0 < count }.union([node.timeColumn]))
      node.input = below.plan
      node.timeColumn = below.place(node.timeColumn)
      return Pruned(plan: .windowTable(node), kept: below.kept + Array(count..<count + 3))
    case .rank(let node): return rank(node, wanted)
    case .over(let node): return over(node, wanted)
    case .union(let inputs):
      let kept = wanted.sorted()
      return Pruned(plan: .union(inputs.map { exactly($0, kept) }), kept: kept)
    case .setOperation(var node):
      let all = Array(0..<width)
      node.left = exactly(node.left, all)
      node.right = exactly(node.right, all)
      return Pruned(plan: .setOperation(node), kept: all)
    case .sort(var node):
      let below = prune(node.input, needed: wanted.union(node.order.map(\.column)))
      node.input = below.plan
      node.order = renumbered(node.order, below)
      return Pruned(plan: .sort(node), kept: below.kept)
    case .unnest(var node):
      let count = node.input.type.count
      let below = prune(node.input, needed: wanted.filter { $0 < count }.union([node.column]))
      node.input = below.plan
      node.column = below.place(node.column)
      return Pruned(plan: .unnest(node), kept: below.kept + Array(count..<width))
    case .watermark(var node):
      let below = prune(
        node.input, needed: wanted.union(node.expression.columns).union([node.timeColumn]))
      node.input = below.plan
      node.timeColumn = below.place(node.timeColumn)
      node.expression = renumbered(node.expression, below)
      return Pruned(plan: .watermark(node), kept: below.kept)
    case .upsert(var node):
      precondition(node.unchanged == nil, "rows are completed in jobs only")
      let below = prune(node.input, needed: wanted.union(node.key))
      node.input = below.plan
      node.key = below.places(node.key)
      return Pruned(plan: .upsert(node), kept: below.kept)
    }
  }

  /// The plan with just these columns, in this order.
  private static func exactly(_ plan: Plan, _ kept: [Int]) -> Plan {
    let below = prune(plan, needed: Set(kept))
    return PlanBuilding.project(below.plan, below.places(kept))
  }

  private static func renumbered(_ e: Expression, _ below: Pruned) -> Expression {
    let numbers = below.numbers
    return e.renumbered { numbers[$0] ?? below.place($0) }
  }

  private static func renumbered(_ order: [SortKey], _ below: Pruned) -> [SortKey] {
    order.map {
      SortKey(below.place($0.column), descending: $0.descending, nullsFirst: $0.nullsFirst)
    }
  }

  /// A column of fixed width, if there is one.
  private static func cheapest(_ plan: Plan) -> Int {
    plan.type.fields.firstIndex { $0.type.physical.width > 0 } ?? 0
  }

  private static func source(_ source: Plan.Source, _ wanted: Set<Int>) -> Pruned {
    let kept = wanted.union(source.predicate.columns).sorted()
    var out = source
    out.columns = kept.map { source.columns[$0] }
    let numbers = Dictionary(
      uniqueKeysWithValues: kept.enumerated().map { ($0.element, $0.offset) })
    out.predicate = source.predicate.remapped { numbers[$0] } ?? .always
    let key = source.primaryKey.compactMap { numbers[$0] }
    out.primaryKey = key.count == source.primaryKey.count ? key : []
    return Pruned(plan: .source(out), kept: kept)
  }

  private static func map(_ map: Plan.Map, _ wanted: Set<Int>) -> Pruned {
    let kept = wanted.sorted()
    var needed = map.condition?.columns ?? []
    for i in kept { needed.formUnion(map.expressions[i].columns) }
    let below = prune(map.input, needed: needed)
    return Pruned(
      plan: .map(
        Plan.Map(
          input: below.plan, condition: map.condition.map { renumbered($0, below) },
          expressions: kept.map { renumbered(map.expressions[$0], below) },
          names: kept.map { map.names[$0] })),
      kept: kept)
  }

  private static func join(_ join: Plan.Join, _ wanted: Set<Int>) -> Pruned {
    let width = join.left.type.count
    let asked = wanted.union(join.residual?.columns ?? [])
    let isHalf = join.kind == .semi || join.kind == .anti
    let left = prune(join.left, needed: asked.filter { $0 < width }.union(join.leftKeys))
    let right = prune(
      join.right,
      needed: Set(asked.filter { $0 >= width }.map { $0 - width }).union(join.rightKeys))
    var out = join
    out.left = left.plan
    out.right = right.plan
    out.leftKeys = left.places(join.leftKeys)
    out.rightKeys = right.places(join.rightKeys)
    let both = left.kept + right.kept.map { $0 + width }
    out.residual = join.residual.map {
      renumbered($0, Pruned(plan: left.plan, kept: both))
    }
    return Pruned(plan: .join(out), kept: isHalf ? left.kept : both)
  }

  private static func renumbered(_ call: AggregateCall, _ below: Pruned) -> AggregateCall {
    var out = call
    out.argument = call.argument.map(below.place)
    out.filter = call.filter.map(below.place)
    return out
  }

  private static func inputs(_ calls: [AggregateCall]) -> [Int] {
    calls.flatMap { [$0.argument, $0.filter].compactMap { $0 } }
  }

  private static func aggregate(_ node: Plan.Aggregate, _ wanted: Set<Int>) -> Pruned {
    let first = node.keys.count
    var keptCalls = node.calls.indices.filter { wanted.contains(first + $0) }
    if keptCalls.isEmpty, node.keys.isEmpty { keptCalls = Array(node.calls.indices.prefix(1)) }
    let calls = keptCalls.map { node.calls[$0] }
    let below = prune(node.input, needed: Set(node.keys + inputs(calls)))
    let out = Plan.Aggregate(
      input: below.plan, keys: below.places(node.keys), calls: calls.map { renumbered($0, below) })
    return Pruned(
      plan: .aggregate(out), kept: Array(0..<first) + keptCalls.map { first + $0 })
  }

  private static func windowAggregate(_ node: Plan.WindowAggregate, _ wanted: Set<Int>) -> Pruned {
    let first = node.keys.count
    let keptCalls = node.calls.indices.filter { wanted.contains(first + $0) }
    let calls = keptCalls.map { node.calls[$0] }
    let below = prune(node.input, needed: Set(node.keys + inputs(calls) + [node.timeColumn]))
    let out = Plan.WindowAggregate(
      input: below.plan, timeColumn: below.place(node.timeColumn), window: node.window,
      keys: below.places(node.keys), calls: calls.map { renumbered($0, below) })
    let bounds = first + node.calls.count
    return Pruned(
      plan: .windowAggregate(out),
      kept: Array(0..<first) + keptCalls.map { first + $0 } + Array(bounds..<bounds + 3))
  }

  private static func rank(_ node: Plan.Rank, _ wanted: Set<Int>) -> Pruned {
    let width = node.input.type.count
    let below = prune(
      node.input,
      needed: wanted.filter { $0 < width }.union(node.partition).union(node.order.map(\.column)))
    var out = node
    out.input = below.plan
    out.partition = below.places(node.partition)
    out.order = renumbered(node.order, below)
    out.emitsRank = node.emitsRank && wanted.contains(width)
    return Pruned(plan: .rank(out), kept: below.kept + (out.emitsRank ? [width] : []))
  }

  private static func over(_ node: Plan.Over, _ wanted: Set<Int>) -> Pruned {
    let width = node.input.type.count
    let keptCalls = node.calls.indices.filter { wanted.contains(width + $0) }
    if keptCalls.isEmpty { return prune(node.input, needed: wanted) }
    var needed = wanted.filter { $0 < width }.union(node.partition)
    needed.formUnion(node.order.map(\.column))
    for i in keptCalls { needed.formUnion(columns(node.calls[i].function)) }
    let below = prune(node.input, needed: needed)
    var out = node
    out.input = below.plan
    out.partition = below.places(node.partition)
    out.order = renumbered(node.order, below)
    out.calls = keptCalls.map { i in
      var call = node.calls[i]
      switch call.function {
      case .aggregate(let inner): call.function = .aggregate(renumbered(inner, below))
      case .lag(let column, let offset, let fallback):
        call.function = .lag(
          column: below.place(column), offset: offset, fallback: fallback.map(below.place))
      default: break
      }
      return call
    }
    return Pruned(plan: .over(out), kept: below.kept + keptCalls.map { width + $0 })
  }

  private static func columns(_ function: OverCall.Function) -> [Int] {
    switch function {
    case .aggregate(let call): inputs([call])
    case .lag(let column, _, let fallback): [column] + (fallback.map { [$0] } ?? [])
    default: []
    }
  }
}
