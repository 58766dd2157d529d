import Columns
import Dataflow

/// GROUPING SETS, ROLLUP and CUBE: each row once for each set, with the keys that are not in the set
/// null, and grouped by the keys and the number of the set.
struct GroupingSets {
  static let countMax = 1024

  /// For each set the keys in it, as places in the list of all keys.
  var sets: [[Int]]

  /// Bits of GROUPING(arguments), for each set: 1 for a key that is not in it, the last argument lowest.
  func bits(_ arguments: [Int]) -> [Int64] {
    sets.map { set in
      arguments.reduce(0) { $0 << 1 | (set.contains($1) ? 0 : 1) }
    }
  }

  /// - Parameter keys: all keys; those that no set can name (of a query around) are in every set.
  /// - Returns: a plan of the keys, the number of the set, and the calls; and the keys, each distinct one once.
  func plan(
    _ input: Plan, keys: [Expression], named: Int, calls: [AggregateCollector.Call]
  ) -> (Plan, [Expression]) {
    var needed = keys
    for call in calls {
      if let argument = call.argument { needed.append(argument) }
      if let filter = call.filter { needed.append(filter) }
    }
    let (base, places) = PlanBuilding.computing(needed, from: input)
    let fields = base.type.fields
    let own = PlanBuilding.columns(of: base)
    let names =
      keys.indices.map { "$key\($0)" } + ["$set"] + fields.map(\.name)
    let copies = sets.enumerated().map { number, set -> Plan in
      let key = keys.indices.map { i -> Expression in
        set.contains(i) || i >= named
          ? own[places[i]] : .literal(.null, fields[places[i]].type.nullable)
      }
      return .map(
        Plan.Map(input: base, expressions: key + [.bigint(Int64(number))] + own, names: names))
    }
    let shift = keys.count + 1
    let aggregate = Plan.Aggregate(
      input: copies.count == 1 ? copies[0] : .union(copies), keys: Array(0..<shift),
      calls: PlanBuilding.calls(calls, places[keys.count...].map { $0 + shift }))
    return (.aggregate(aggregate), keys)
  }
}

extension Binder {
  /// What one element of GROUP BY stands for: the sets that it offers.
  func groupingSets(_ part: SelectSyntax.Grouping, _ span: SourceSpan) throws(TerraceError)
    -> [[ExpressionSyntax]]
  {
    func members(_ e: ExpressionSyntax) -> [ExpressionSyntax] {
      if case .row(let parts) = e.kind { return parts }
      return [e]
    }
    switch part {
    case .expression(let e): return [[e]]
    case .set(let parts): return [parts.flatMap(members)]
    case .sets(let sets):
      var all: [[ExpressionSyntax]] = []
      for set in sets { all += try groupingSets(set, span) }
      return all
    case .rollup(let parts):
      return (0...parts.count).reversed().map { parts.prefix($0).flatMap(members) }
    case .cube(let parts):
      guard parts.count <= 10 else {
        throw error("over \(GroupingSets.countMax) grouping sets", span)
      }
      return (0..<(1 << parts.count)).map { left in
        parts.indices.filter { left >> (parts.count - 1 - $0) & 1 == 0 }
          .flatMap { members(parts[$0]) }
      }
    }
  }

  /// GROUPING(a, b), GROUPING_ID(a, b): which of the keys a row of the answer is not grouped by.
  func groupingCall(_ call: CallSyntax, _ name: String, _ span: SourceSpan, _ c: ExpressionContext)
    throws(TerraceError) -> Expression
  {
    guard let grouping = c.grouping, !c.isInsideAggregate else {
      throw error("\(name) stands beside GROUP BY only", span)
    }
    if name == "GROUP_ID" { throw unsupported("the function GROUP_ID", call.name.span) }
    if call.arguments.isEmpty { throw error("\(name) takes one argument or more", span) }
    var keys: [Int] = []
    for argument in call.arguments {
      let value = try expression(argument.value, c)
      guard let key = grouping.keys.firstIndex(of: value) else {
        throw error("\(name) takes what is grouped by", argument.value.span)
      }
      keys.append(key)
    }
    let type = DataType.bigint.notNull
    guard let sets = grouping.sets else { return .bigint(0) }
    let set = Expression.column(Marker.key, type)
    let branches = sets.bits(keys).enumerated().filter { $0.element != 0 }.map { number, bits in
      Expression.Branch(.compare(.equal, set, .bigint(Int64(number))), .bigint(bits))
    }
    return branches.isEmpty ? .bigint(0) : .branches(branches, otherwise: .bigint(0), type)
  }
}
