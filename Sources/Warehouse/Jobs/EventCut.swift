import Columns
import Dataflow
import Store

/// The WATERMARK expression of a source, computed for raw rows, to find the row at which a period ends.
final class EventCut {
  private let pipeline: Pipeline
  /// In the job's plan.
  let node: Plan.Watermark

  /// Nil when the plan has no watermark over this source.
  ///
  /// - Parameter plan: with keyed steps where upserts need them; they are passed over here.
  init?(_ plan: Plan, _ source: Plan.Source, zone: SessionZone) throws(TerraceError) {
    guard let node = EventCut.find(plan, source) else { return nil }
    self.node = node
    let rows = EventCut.bare(node.input)
    let time = Expression.column(node.timeColumn, rows.type.fields[node.timeColumn].type)
    let map = Plan.Map(
      input: rows, expressions: [time, node.expression], names: ["time", "watermark"])
    pipeline = try Pipeline(.map(map), context: EvaluationContext(zone: zone))
  }

  private static func find(_ plan: Plan, _ source: Plan.Source) -> Plan.Watermark? {
    if case .watermark(let node) = plan, reads(node.input, source) { return node }
    for input in plan.inputs {
      if let found = find(input, source) { return found }
    }
    return nil
  }

  private static func reads(_ plan: Plan, _ source: Plan.Source) -> Bool {
    switch plan {
    case .source(source): true
    case .map, .upsert: plan.inputs.allSatisfy { reads($0, source) }
    default: false
    }
  }

  /// Every row gives exactly one: no conditions, no keyed steps.
  private static func bare(_ plan: Plan) -> Plan {
    switch plan {
    case .source(var source):
      source.predicate = .always
      source.isAppendOnly = true
      return .source(source)
    case .map(var map):
      map.input = bare(map.input)
      map.condition = nil
      return .map(map)
    case .upsert(let node): return bare(node.input)
    default: return plan
    }
  }

  /// Event time and watermark of each row, milliseconds; least where they are null.
  func times(of rows: Batch) throws(TerraceError) -> (times: [Int64], watermarks: [Int64]) {
    try pipeline.push(DeltaBatch(inserting: rows), to: 0)
    var times: [Int64] = []
    var watermarks: [Int64] = []
    times.reserveCapacity(rows.count)
    watermarks.reserveCapacity(rows.count)
    for delta in pipeline.takeOutput() {
      let (time, mark) = (delta.rows.columns[0], delta.rows.columns[1])
      for i in 0..<delta.count {
        times.append(time.isNull(i) ? .min : time.eventMillis(i))
        watermarks.append(mark.isNull(i) ? .min : mark.eventMillis(i))
      }
    }
    return (times, watermarks)
  }
}
