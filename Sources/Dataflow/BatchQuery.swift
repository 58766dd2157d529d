package import Columns

/// A plan run once over whole tables: the rows of the answer, in the order that was asked for.
///
/// Rows go in batch by batch. ``take()`` gives what is known of the answer already, as far as it does not
/// hang on what is still to come; so a filter or a LIMIT over a large table holds no more than a batch,
/// and ORDER BY with LIMIT no more than a few times the limit.
package final class BatchQuery {
  private let pipeline: Pipeline
  /// The outermost ORDER BY, OFFSET and LIMIT, and what is computed above it.
  private let sort: Plan.Sort?
  private let above: [Plan.Map]
  private let evaluator: Evaluator
  /// Sources in the order in which they are to be read.
  private let order: BatchOrder
  private var hasBegun = false
  /// The source that is read now, as long as all come in their order.
  private var current = 0
  private var isInOrder = true
  /// What came out and may be taken back.
  private var pending: [DeltaBatch] = []
  /// Rows that wait to be sorted.
  private var held: [Batch] = []
  private var heldRows = 0
  private var heldBytes = 0
  /// Of a limit without an order.
  private var skipped = 0
  private var passed = 0
  /// Rows of the answer.
  package let type: RowType

  /// - Parameter size: rows of a source, roughly.
  package init(
    _ plan: Plan, context: EvaluationContext = EvaluationContext(),
    size: (Plan.Source) -> Int = { _ in 0 }
  ) throws(TerraceError) {
    evaluator = Evaluator(context: context)
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
    order = BatchOrder(pipeline.plan, size: size)
  }

  /// Rows that come out stay, and may be passed on at once.
  private var isStreaming: Bool { order.growsOnly && isInOrder }

  /// What to read, each source once, and best in this order.
  package var sources: [Plan.Source] { order.sources }

  /// Rows of a source; all of them before `finish`.
  package func push(_ rows: Batch, to source: Int) throws(TerraceError) {
    try push(DeltaBatch(inserting: rows), to: source)
  }

  /// Changes of a source, such as those of a change stream.
  package func push(_ delta: DeltaBatch, to source: Int) throws(TerraceError) {
    try begin()
    if source != current { isInOrder = false }
    try pipeline.push(delta, to: try place(source))
  }

  /// A source has given all its rows. Sources must have ended in their order for rows to leave early.
  package func end(source: Int) throws(TerraceError) {
    try begin()
    try pipeline.endInput(of: try place(source))
    if source == current { current += 1 } else { isInOrder = false }
  }

  private func begin() throws(TerraceError) {
    if hasBegun { return }
    hasBegun = true
    try pipeline.beginBatch()
  }

  private func place(_ source: Int) throws(TerraceError) -> Int {
    guard let place = pipeline.sources.firstIndex(of: order.sources[source]) else {
      throw TerraceError(.invalid, "a source that the plan does not read")
    }
    return place
  }

  /// Bytes of state and of rows that wait.
  package var heldByteCount: Int { pipeline.stateBytes + heldBytes }

  /// Whether no further row can change the answer.
  package var isComplete: Bool {
    guard let sort, let limit = sort.limit else { return false }
    return limit == 0 || (isStreaming && sort.order.isEmpty && passed >= limit)
  }

  /// Rows of the answer that are certain already, in their order.
  package func take() throws(TerraceError) -> [Batch] {
    if !isStreaming {
      let changes = pipeline.takeChanges()
      pending += changes
      heldBytes += changes.reduce(0) { $0 + $1.rows.byteCount + $1.count * 8 }
      return []
    }
    return try passOn(pipeline.takeChanges())
  }

  /// What is left of the answer.
  package func finishBatches() throws(TerraceError) -> [Batch] {
    try begin()
    try pipeline.finishEpoch(endOfInput: true)
    var changes = pending + pipeline.takeChanges()
    pending = []
    // Rows that were taken back again are put together with what they take back.
    if !isStreaming, changes.contains(where: \.hasRetraction) {
      for column in pipeline.type.fields.indices {
        try Column.checkWhole(changes.map { $0.rows.columns[column] }, "the query")
      }
      changes = [DeltaBatch.concat(changes).consolidated()]
    }
    var out = try passOn(changes)
    guard let sort, !sort.order.isEmpty else { return out }
    for column in sort.input.type.fields.indices {
      try Column.checkWhole(held.map { $0.columns[column] }, "ORDER BY")
    }
    let rows = BatchQuery.whole(held, sort.input.type)
    held = []
    heldRows = 0
    heldBytes = 0
    out.append(try finished(BatchQuery.sorted(rows, sort)))
    return out
  }

  /// The answer, or what ``take()`` has left of it.
  package func finish() throws(TerraceError) -> Batch {
    BatchQuery.whole(try finishBatches(), type)
  }

  private static func whole(_ batches: [Batch], _ type: RowType) -> Batch {
    if batches.count == 1 { return batches[0] }
    if batches.isEmpty {
      return Batch(type, type.fields.map { ColumnBuilder($0.type).finish() }, count: 0)
    }
    return Batch.concat(batches)
  }

  /// Rows that come out of the pipeline: kept for the sort, or cut to the limit and passed on.
  private func passOn(_ deltas: [DeltaBatch]) throws(TerraceError) -> [Batch] {
    var out: [Batch] = []
    for delta in deltas {
      var rows = BatchQuery.rows(delta)
      if rows.count == 0 { continue }
      guard let sort else {
        out.append(rows)
        continue
      }
      if !sort.order.isEmpty {
        hold(rows, sort)
        continue
      }
      if skipped < sort.offset {
        let skip = min(sort.offset - skipped, rows.count)
        skipped += skip
        rows = rows.slice(skip..<rows.count)
      }
      if let limit = sort.limit { rows = rows.slice(0..<min(rows.count, limit - passed)) }
      passed += rows.count
      if rows.count > 0 { out.append(try finished(rows)) }
    }
    return out
  }

  private func hold(_ rows: Batch, _ sort: Plan.Sort) {
    held.append(rows)
    heldRows += rows.count
    heldBytes += rows.byteCount
    // With a limit only the first rows so far can be in the answer.
    guard let limit = sort.limit,
      case let (last, over) = limit.addingReportingOverflow(sort.offset),
      !over, heldRows > 1 << 16, heldRows / 4 > last
    else { return }
    var best = sort
    best.offset = 0
    best.limit = last
    let kept = BatchQuery.sorted(Batch.concat(held), best)
    held = [kept]
    heldRows = kept.count
    heldBytes = kept.byteCount
  }

  /// What is computed above the sort.
  private func finished(_ sorted: Batch) throws(TerraceError) -> Batch {
    var rows = sorted
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
  private static func rows(_ delta: DeltaBatch) -> Batch {
    let weights = delta.weights
    let w = weights.pointer(Int64.self)
    if (0..<delta.count).allSatisfy({ w[$0] == 1 }) { return delta.rows }
    let ids = IDList()
    for i in 0..<delta.count { for _ in 0..<max(0, w[i]) { ids.append(Int32(i)) } }
    return delta.rows.gather(ids.pointer, count: ids.count)
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
    let encoder = KeyEncoder(columns.map { $0.type.nullable }, descending: descending)
    let order = encoder.encode(columns, count: rows.count).sortedRows()
    let from = min(sort.offset, rows.count)
    let count = min(sort.limit ?? Int.max, rows.count - from)
    return rows.gather(order.pointer(Int32.self) + from, count: count)
  }
}

extension DeltaBatch {
  /// Whether a row is taken away.
  fileprivate var hasRetraction: Bool {
    let w = weights.pointer(Int64.self)
    return (0..<count).contains { w[$0] < 0 }
  }
}
