package import Columns

/// A plan run once over whole tables: the rows of the answer, in the order that was asked for.
package final class BatchQuery {
  private let pipeline: Pipeline
  /// The outermost ORDER BY, and what is computed above it.
  private let sort: Plan.Sort?
  private let above: [Plan.Map]
  private let context: EvaluationContext
  /// Rows of the answer.
  package let type: RowType

  package init(
    _ plan: Plan, context: EvaluationContext = EvaluationContext()
  ) throws(TerraceError) {
    self.context = context
    type = plan.type
    var maps: [Plan.Map] = []
    var below = plan
    // A projection keeps the order of what is below it; a filter does, too.
    while case .map(let map) = below {
      maps.append(map)
      below = map.input
    }
    if case .sort(let sort) = below {
      self.sort = sort
      above = maps.reversed()
      pipeline = try Pipeline(sort.input, context: context)
    } else {
      sort = nil
      above = []
      pipeline = try Pipeline(plan, context: context)
    }
  }

  /// What to read, each source once.
  package var sources: [Plan.Source] { pipeline.sources }

  /// Rows of a source; all of them before `finish`.
  package func push(_ rows: Batch, to source: Int) throws(TerraceError) {
    try pipeline.push(DeltaBatch(inserting: rows), to: source)
  }

  /// The answer.
  package func finish() throws(TerraceError) -> Batch {
    let deltas = try pipeline.endEpoch(endOfInput: true)
    var rows = BatchQuery.rows(deltas, pipeline.type)
    guard let sort else { return rows }
    rows = BatchQuery.sorted(rows, sort)
    let evaluator = Evaluator(context: context)
    for map in above {
      if let condition = map.condition {
        let (kept, count) = try evaluator.select(condition, rows.columns, count: rows.count)
        rows = rows.gather(kept.pointer(Int32.self), count: count)
      }
      var columns: [Column] = []
      let type = Plan.map(map).type
      for (expression, field) in zip(map.expressions, type.fields) {
        let column = try evaluator.evaluate(expression, rows.columns, count: rows.count)
        columns.append(column.retyped(field.type))
      }
      rows = Batch(type, columns, count: rows.count)
    }
    return rows
  }

  /// Rows as often as their weights say.
  static func rows(_ deltas: [DeltaBatch], _ type: RowType) -> Batch {
    if deltas.isEmpty {
      return Batch(type, type.fields.map { ColumnBuilder($0.type).finish() }, count: 0)
    }
    let all = DeltaBatch.concat(deltas)
    let w = all.weights.pointer(Int64.self)
    if (0..<all.count).allSatisfy({ w[$0] == 1 }) { return all.rows }
    let ids = IDList()
    for i in 0..<all.count { for _ in 0..<max(0, w[i]) { ids.append(Int32(i)) } }
    return all.rows.gather(ids.pointer, count: ids.count)
  }

  private static func sorted(_ rows: Batch, _ sort: Plan.Sort) -> Batch {
    var columns: [Column] = []
    var descending: [Bool] = []
    for key in sort.order {
      let column = KeyIndex.normalized([rows.columns[key.column]])[0]
      if key.nullsFirst == key.descending {
        columns.append(column.nullFlags(first: key.nullsFirst))
        descending.append(false)
      }
      columns.append(column)
      descending.append(key.descending)
    }
    var order: Buffer
    if columns.isEmpty {
      order = Buffer(byteCount: rows.count * 4)
      for i in 0..<rows.count { order.pointer(Int32.self)[i] = Int32(i) }
    } else {
      let encoder = KeyEncoder(
        columns.map { $0.type.nullable }, descending: descending)
      order = encoder.encode(columns, count: rows.count).sortedRows()
    }
    let from = min(sort.offset, rows.count)
    let count = min(sort.limit ?? Int.max, rows.count - from)
    return rows.gather(order.pointer(Int32.self) + from, count: count)
  }
}
