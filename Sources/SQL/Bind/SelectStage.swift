import Columns
import Dataflow

/// The plan of a SELECT as it grows, and where its expressions are to be found in it.
struct SelectStage {
  var plan: Plan
  private let scope: Scope
  /// Columns of the plan that are event times with a watermark.
  var eventTimes: Set<Int> = []
  /// Set once the rows are groups.
  private var groups: Groups?
  /// Values of the scalar sub-queries.
  var queries: [Expression] = []
  /// Window functions, with their expressions already over the plan's columns.
  private var windows: [OverCollector.Call] = []
  /// Where the result of each window function is.
  private var windowColumns: [Int] = []

  private struct Groups {
    /// Group keys over the scope, and where each is.
    var keys: [Expression]
    var keyColumns: [Int]
    /// Of GROUPING SETS: which set a row is of.
    var setColumn: Int?
    /// How many of the keys GROUP BY names.
    var named = 0
    var firstCall: Int
    var firstWindow: Int?
  }

  init(plan: Plan, scope: Scope) {
    self.plan = plan
    self.scope = scope
    for (i, column) in scope.columns.enumerated() where column.isEventTime { eventTimes.insert(i) }
  }

  // MARK: Grouping

  /// - Parameter named: how many of the keys GROUP BY names; the others are of the query around.
  mutating func aggregate(
    _ grouping: Grouping, _ named: Int, _ calls: [AggregateCollector.Call], _ binder: Binder
  ) throws(TerraceError) {
    eventTimes = []
    if let window = grouping.window {
      let found = WindowInput(
        plan: plan, expressions: PlanBuilding.columns(of: plan), conditions: [],
        window: window.window)
      let result = WindowGrouping.build(found, time: window.time, keys: grouping.keys, calls: calls)
      plan = result.plan
      groups = Groups(
        keys: result.keys, keyColumns: Array(result.keys.indices), firstCall: result.keys.count,
        firstWindow: result.keys.count + calls.count)
      eventTimes = [result.keys.count + calls.count + 2]
      return
    }
    if let sets = grouping.sets {
      let (aggregated, keys) = sets.plan(plan, keys: grouping.keys, named: named, calls: calls)
      plan = aggregated
      groups = Groups(
        keys: keys, keyColumns: Array(keys.indices), setColumn: keys.count, named: named,
        firstCall: keys.count + 1, firstWindow: nil)
      return
    }
    if let window = WindowGrouping.table(of: plan), grouping.keys.isEmpty == false,
      let built = WindowGrouping.build(
        window, grouping.keys, calls,
        sessionKeys: scope.columns.lazy.compactMap(\.sessionKeys).first)
    {
      plan = built.plan
      groups = Groups(
        keys: grouping.keys, keyColumns: built.places, firstCall: built.firstCall, firstWindow: nil)
      eventTimes = [built.timeColumn]
      return
    }
    let (aggregated, keys) = PlanBuilding.aggregate(plan, keys: grouping.keys, calls: calls)
    plan = aggregated
    groups = Groups(
      keys: keys, keyColumns: Array(keys.indices), firstCall: keys.count, firstWindow: nil)
  }

  /// A column of the query around, where GROUPING SETS may have made its namesake null.
  func outerColumn(_ index: Int) -> Expression? {
    guard let groups, groups.setColumn != nil else { return nil }
    let column = groups.named + index
    return .column(column, plan.type.fields[column].type)
  }

  /// After an aggregate without GROUP BY in a sub-query: a row also for those values of the query
  /// around that no row belongs to.
  mutating func fill(_ domain: Domain, _ calls: [AggregateCollector.Call]) {
    let count = domain.count
    let grouped = plan.type.fields
    let outer = domain.plan.type.fields
    let same = (0..<count).map { i in
      Expression.distinct(
        .column(i, outer[i].type), .column(count + i, grouped[i].type), negated: true)
    }
    let joined = PlanBuilding.join(.left, domain.plan, plan, same)
    var expressions = Array(PlanBuilding.columns(of: joined).prefix(count))
    for (i, call) in calls.enumerated() {
      let at = 2 * count + i
      let value = Expression.column(at, joined.type.fields[at].type)
      expressions.append(
        call.function == .count
          ? .branches([.init(.isNotNull(value), value)], otherwise: .bigint(0), .bigint) : value)
    }
    plan = .map(Plan.Map(input: joined, expressions: expressions, names: grouped.map(\.name)))
  }

  // MARK: Placing expressions

  /// An expression over the scope, with markers, as one over the plan's columns.
  ///
  /// - Throws: when it names a column that is neither grouped nor aggregated.
  func place(_ e: Expression, _ spans: [Int: SourceSpan], _ binder: Binder) throws(TerraceError)
    -> Expression
  {
    var failure: TerraceError?
    let fields = plan.type.fields
    func visit(_ e: Expression) -> Expression {
      if let groups, let i = groups.keys.firstIndex(of: e) {
        let column = groups.keyColumns[i]
        return .column(column, fields[column].type)
      }
      guard case .column(let index, let type) = e else { return e.mapChildren(visit) }
      switch Marker.kind(index) {
      case Marker.query: return queries[Marker.index(index)]
      case Marker.over: return .column(windowColumns[Marker.index(index)], type)
      case Marker.aggregate:
        let column = (groups?.firstCall ?? 0) + Marker.index(index)
        return .column(column, fields[column].type)
      case Marker.key:
        guard let column = groups?.setColumn else { break }
        return .column(column, type)
      case Marker.window:
        guard let first = groups?.firstWindow else { break }
        return .column(first + Marker.index(index), type)
      case 0:
        if groups == nil { return e }
        let text = scope.text(index)
        let span = spans[index]
        let message = "column '\(text)' is neither grouped nor aggregated"
        let hint = "add it to GROUP BY, or take an aggregate of it"
        failure =
          span.map { binder.error(message, $0, hint: hint) }
          ?? TerraceError(.invalid, message, hint: hint)
      default: break
      }
      return e
    }
    let placed = visit(e)
    if let failure { throw failure }
    return placed
  }

  // MARK: Window functions

  /// Takes a window function on, in the order of the markers.
  mutating func prepare(
    _ call: OverCollector.Call, _ spans: [Int: SourceSpan], _ binder: Binder
  ) throws(TerraceError) {
    func put(_ e: Expression) throws(TerraceError) -> Expression { try place(e, spans, binder) }
    var call = call
    var partition: [Expression] = []
    for e in call.partition { partition.append(try put(e)) }
    call.partition = partition
    for i in call.order.indices { call.order[i].value = try put(call.order[i].value) }
    switch call.function {
    case .aggregate(var inner):
      if let argument = inner.argument { inner.argument = try put(argument) }
      if let filter = inner.filter { inner.filter = try put(filter) }
      call.function = .aggregate(inner)
    case .lag(let value, let offset, let fallback):
      var placed: Expression?
      if let fallback { placed = try put(fallback) }
      call.function = .lag(try put(value), offset: offset, fallback: placed)
    default: break
    }
    windows.append(call)
  }

  /// Puts the window functions into the plan: one operator for all with the same window.
  mutating func applyWindows() throws(TerraceError) {
    windowColumns = Array(repeating: 0, count: windows.count)
    var done: Set<Int> = []
    for i in windows.indices where !done.contains(i) {
      let same = windows.indices.filter {
        windows[$0].partition == windows[i].partition && windows[$0].order == windows[i].order
      }
      done.formUnion(same)
      apply(same)
    }
  }

  private mutating func apply(_ same: [Int]) {
    let first = windows[same[0]]
    var needed = first.partition + first.order.map(\.value)
    for i in same {
      switch windows[i].function {
      case .aggregate(let call):
        if let argument = call.argument { needed.append(argument) }
        if let filter = call.filter { needed.append(filter) }
      case .lag(let value, _, let fallback):
        needed.append(value)
        if let fallback { needed.append(fallback) }
      default: break
      }
    }
    let (input, places) = PlanBuilding.appending(needed, to: plan)
    var next = first.partition.count
    func take() -> Int {
      next += 1
      return places[next - 1]
    }
    let order = first.order.map {
      SortKey(take(), descending: $0.descending, nullsFirst: $0.nullsFirst)
    }
    let width = input.type.count
    var calls: [OverCall] = []
    for i in same {
      let call = windows[i]
      let function: OverCall.Function
      switch call.function {
      case .aggregate(let inner):
        let argument = inner.argument == nil ? nil : take()
        let filter = inner.filter == nil ? nil : take()
        function = .aggregate(
          AggregateCall(
            inner.function, argument: argument, filter: filter, separator: inner.separator,
            type: inner.type))
      case .lag(_, let offset, let fallback):
        let value = take()
        function = .lag(column: value, offset: offset, fallback: fallback == nil ? nil : take())
      case .rowNumber: function = .rowNumber
      case .rank: function = .rank
      case .denseRank: function = .denseRank
      case .percentRank: function = .percentRank
      case .cumulativeDistribution: function = .cumulativeDistribution
      case .tiles(let count): function = .tiles(count)
      }
      windowColumns[i] = width + calls.count
      calls.append(
        OverCall(function, frame: call.frame, name: "\(call.name)$\(i)", type: call.type))
    }
    plan = .over(
      Plan.Over(
        input: input, partition: Array(places[..<first.partition.count]), order: order,
        calls: calls))
  }
}
