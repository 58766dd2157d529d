/// In which order a batch query reads its sources, so that little has to be kept and nothing taken back.
///
/// The side of a join that is looked up is read first, as a whole: then rows of the other side meet all
/// their partners at once, and need not be kept themselves.
struct BatchOrder {
  /// Sources, each once.
  let sources: [Plan.Source]
  /// Whether every row that comes out in this order stays.
  let growsOnly: Bool

  /// - Parameter size: rows of a source, roughly; of an inner join the smaller side is read first.
  init(_ plan: Plan, size: (Plan.Source) -> Int) {
    var found: [Plan.Source] = []
    BatchOrder.collect(plan, size, &found)
    sources = found
    var places: [Plan.Source: Int] = [:]
    for (place, source) in found.enumerated() { places[source] = place }
    growsOnly = BatchOrder.growsOnly(plan, places)
  }

  private static func collect(
    _ plan: Plan, _ size: (Plan.Source) -> Int, _ found: inout [Plan.Source]
  ) {
    if case .source(let source) = plan {
      if !found.contains(source) { found.append(source) }
      return
    }
    var inputs = plan.inputs
    if case .join(let join) = plan {
      let readsRightFirst: Bool
      switch join.kind {
      case .left, .semi, .anti, .full: readsRightFirst = true
      case .right: readsRightFirst = false
      case .inner:
        func rows(_ side: Plan) -> Int {
          side.sources.reduce(0) { $0.addingReportingOverflow(size($1)).partialValue }
        }
        readsRightFirst = rows(join.right) <= rows(join.left)
      }
      inputs = readsRightFirst ? [join.right, join.left] : [join.left, join.right]
    }
    for input in inputs { collect(input, size, &found) }
  }

  private static func growsOnly(_ plan: Plan, _ places: [Plan.Source: Int]) -> Bool {
    switch plan {
    case .source(let source): return source.isAppendOnly
    case .values: return true
    // They speak once, when their input is whole.
    case .aggregate, .windowAggregate, .rank, .over, .setOperation: return true
    case .upsert: return false
    case .sort(let sort) where sort.limit != nil || sort.offset > 0: return true
    case .join(let join):
      guard growsOnly(join.left, places), growsOnly(join.right, places) else { return false }
      switch join.kind {
      case .inner, .semi: return true
      case .left, .anti: return precedes(join.right, join.left, places)
      case .right: return precedes(join.left, join.right, places)
      case .full: return false
      }
    default: return plan.inputs.allSatisfy { growsOnly($0, places) }
    }
  }

  /// Whether all of one side has come before anything of the other.
  private static func precedes(
    _ first: Plan, _ second: Plan, _ places: [Plan.Source: Int]
  ) -> Bool {
    if second.hasValues { return false }
    let last = first.sources.compactMap { places[$0] }.max() ?? -1
    guard let begin = second.sources.compactMap({ places[$0] }).min() else { return false }
    return last < begin
  }
}

extension Plan {
  /// Constant rows, which come before all others, are somewhere below.
  fileprivate var hasValues: Bool {
    if case .values = self { return true }
    return inputs.contains { $0.hasValues }
  }
}
