package import Columns
import Dataflow

/// What a plan does to its rows over time.
enum ChangeAnalysis {
  /// The lowest operator, from the left, because of which rows are taken back; a source names its table.
  static func culprit(of plan: Plan) -> String {
    for input in plan.inputs where !input.isAppendOnly { return culprit(of: input) }
    if case .source(let source) = plan { return "Source \(source.reference)" }
    return plan.operatorName
  }

  /// Keys by which the rows are unique. Columns that are constant count for nothing.
  static func uniqueKeys(of plan: Plan) -> [[Int]] {
    guard case .map(let map) = plan else { return plan.uniqueKeys }
    var keys = plan.uniqueKeys
    // A cast that loses nothing keeps rows apart.
    let stripped = map.expressions.map { e -> Expression in
      if case .cast(let inner, let type, _) = e, isLossless(inner.type, type) { return inner }
      return e
    }
    for key in map.input.uniqueKeys {
      let mapped = key.compactMap { column in
        stripped.firstIndex {
          if case .column(column, _) = $0 { return true }
          return false
        }
      }
      if mapped.count == key.count, !keys.contains(mapped) { keys.append(mapped) }
    }
    return keys
  }

  private static func isLossless(_ from: DataType, _ to: DataType) -> Bool {
    switch (from.kind, to.kind) {
    case (.char(let m), .varchar(let n)), (.varchar(let m), .varchar(let n)): return m <= n
    case (_, .varchar(DataType.unbounded)): return from.hasOwnTexts
    default:
      guard let (p, s) = TypeRules.decimalShape(from), let (q, t) = TypeRules.decimalShape(to)
      else {
        return false
      }
      return t >= s && q - t >= p - s
    }
  }

  /// A function of clock or chance whose value an operator with state would have to see again.
  static func unstableFunction(below plan: Plan) -> String? {
    switch plan {
    case .map(let map):
      // The top of the plan may add a time of its own: rows are found by their key.
      return unstableFunction(below: map.input)
    case .source, .values: return nil
    default:
      for input in plan.inputs where !input.isAppendOnly || isStateful(plan) {
        if !input.isAppendOnly, let found = firstUnstable(in: input) { return found }
        if let found = unstableFunction(below: input) { return found }
      }
      return nil
    }
  }

  private static func isStateful(_ plan: Plan) -> Bool {
    switch plan {
    case .source, .values, .map, .union, .watermark, .unnest, .windowTable: false
    default: true
    }
  }

  private static func firstUnstable(in plan: Plan) -> String? {
    if case .map(let map) = plan {
      for e in map.expressions + [map.condition].compactMap({ $0 }) {
        if let found = unstable(e) { return found }
      }
    }
    for input in plan.inputs {
      if let found = firstUnstable(in: input) { return found }
    }
    return nil
  }

  private static func unstable(_ e: Expression) -> String? {
    if case .call(let name, _, _) = e, FunctionRegistry.function(name)?.isDeterministic == false {
      return name
    }
    for child in e.children {
      if let found = unstable(child) { return found }
    }
    return nil
  }
}

extension DataType {
  /// Whether two values never have one text: keys that become STRING stay keys.
  ///
  /// Instants have not: an hour comes twice when clocks are set back; nor have bytes, which need not be text.
  package var hasOwnTexts: Bool {
    switch kind {
    case .boolean, .tinyint, .smallint, .int, .bigint, .decimal, .float, .double, .date, .time,
      .timestamp, .char, .varchar:
      true
    default: false
    }
  }
}
