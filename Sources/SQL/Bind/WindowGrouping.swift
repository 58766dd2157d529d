import Columns
import Dataflow

/// What stands above a window table: expressions and conditions over its input and its bounds.
struct WindowInput {
  /// The input of the window table.
  var plan: Plan
  /// Output columns over the input's columns, followed by window_start, window_end, window_time.
  var expressions: [Expression]
  var conditions: [Expression]
  var window: Window
  var timeColumn = 0
}

/// GROUP BY over windows: one operator that closes a window when its end has passed.
enum WindowGrouping {
  /// The window table that a plan only filters and maps; nil when there is none.
  static func table(of plan: Plan) -> WindowInput? {
    switch plan {
    case .windowTable(let table):
      return WindowInput(
        plan: table.input, expressions: PlanBuilding.columns(of: plan), conditions: [],
        window: table.window, timeColumn: table.timeColumn)
    case .map(let map):
      guard var found = table(of: map.input) else { return nil }
      func lowered(_ e: Expression) -> Expression? {
        let size = e.nodeCount(upTo: 200)
        let below = found.expressions
        let out = e.replacingColumns { below[$0] }
        return size < 200 && out.nodeCount(upTo: 1000) < 1000 ? out : nil
      }
      var expressions: [Expression] = []
      for e in map.expressions {
        guard let out = lowered(e) else { return nil }
        expressions.append(out)
      }
      if let condition = map.condition {
        guard let out = lowered(condition) else { return nil }
        found.conditions += PlanBuilding.conjuncts(out)
      }
      found.expressions = expressions
      return found
    default: return nil
    }
  }

  struct Built {
    var plan: Plan
    /// Where each given key is.
    var places: [Int]
    var firstCall: Int
    var timeColumn: Int
  }

  /// Grouping by window_start and window_end, and perhaps by more; nil when it is not that.
  ///
  /// - Parameter sessionKeys: what a SESSION is partitioned by; the other keys must be just these.
  static func build(
    _ window: WindowInput, _ keys: [Expression], _ calls: [AggregateCollector.Call],
    sessionKeys: [Int]?
  ) -> Built? {
    let width = window.plan.type.count
    let below = window.expressions
    let lowered = keys.map { $0.replacingColumns { below[$0] } }
    func bound(_ e: Expression) -> Int? {
      if case .column(let index, _) = e, index >= width { return index - width }
      return nil
    }
    func usesWindow(_ e: Expression) -> Bool { e.columns.contains { $0 >= width } }
    let bounds = Set(lowered.compactMap(bound))
    guard bounds.contains(0), bounds.contains(1) else { return nil }
    let others = lowered.filter { bound($0) == nil }
    if case .session = window.window {
      let columns = others.map { e -> Int in
        if case .column(let index, _) = e { return index }
        return -1
      }
      guard let sessionKeys, Set(columns) == Set(sessionKeys) else { return nil }
    }
    let lowCalls = calls.map { call in
      var call = call
      call.argument = call.argument?.replacingColumns { below[$0] }
      call.filter = call.filter?.replacingColumns { below[$0] }
      return call
    }
    let inside = others + lowCalls.compactMap(\.argument) + lowCalls.compactMap(\.filter)
    if (inside + window.conditions).contains(where: usesWindow) { return nil }
    let type = window.plan.type.fields[window.timeColumn].type
    let input = WindowInput(
      plan: PlanBuilding.filter(window.plan, window.conditions), expressions: [], conditions: [],
      window: window.window)
    let result = build(
      input, time: .column(window.timeColumn, type), keys: others, calls: lowCalls)
    let first = result.keys.count + calls.count
    let places = lowered.map { key in
      bound(key).map { first + $0 } ?? result.keys.firstIndex(of: key) ?? 0
    }
    return Built(
      plan: result.plan, places: places, firstCall: result.keys.count, timeColumn: first + 2)
  }

  /// - Returns: a plan of the distinct keys, the calls, and the three bounds of the window.
  static func build(
    _ window: WindowInput, time: Expression, keys: [Expression], calls: [AggregateCollector.Call]
  ) -> (plan: Plan, keys: [Expression]) {
    var distinct: [Expression] = []
    for key in keys where !distinct.contains(key) { distinct.append(key) }
    var needed = [time] + distinct
    for call in calls {
      if let argument = call.argument { needed.append(argument) }
      if let filter = call.filter { needed.append(filter) }
    }
    let (input, places) = PlanBuilding.computing(needed, from: window.plan)
    let aggregate = Plan.WindowAggregate(
      input: input, timeColumn: places[0], window: window.window,
      keys: Array(places[1..<distinct.count + 1]),
      calls: PlanBuilding.calls(calls, Array(places[(distinct.count + 1)...])))
    return (.windowAggregate(aggregate), distinct)
  }
}
