internal import Columns

/// GROUP BY over tumbling, hopping and cumulating windows: each window is sent once, when the
/// watermark reaches its last millisecond. Rows that come later for it are dropped and counted.
final class WindowAggregateOperator: Operator {
  private let node: Plan.WindowAggregate
  private let input: RowType
  private let grouping: Grouping
  private let assigner: WindowAssigner

  init(_ node: Plan.WindowAggregate, _ runtime: Runtime, type: RowType) throws(TerraceError) {
    self.node = node
    input = node.input.type
    let fields = input.fields
    assigner = WindowAssigner(
      node.window, timeType: fields[node.timeColumn].type, zone: runtime.evaluator.context.zone)
    grouping = try Grouping(
      input: input, keyTypes: node.keys.map { fields[$0].type.nullable } + [.bigint, .bigint],
      calls: node.calls, isAppendOnly: node.input.isAppendOnly,
      recordsChanges: runtime.recordsChanges)
    super.init("WindowAggregate", runtime, type: type)
  }

  override var stateBytes: Int { grouping.byteCount }
  override var stateTables: [StateTable] {
    // Windows close by time: all of them are looked at.
    grouping.stateTables.map { $0.readWhole }
  }
  override func takeState() throws(TerraceError) -> [[DeltaBatch]] { try grouping.takeState() }
  override func restore(_ table: Int, _ rows: Batch) throws(TerraceError) {
    try grouping.restore(table, rows)
  }
  override var pendingBytes: Int { grouping.pendingBytes }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    let times = delta.rows.columns[node.timeColumn]
    let (all, allStarts, allEnds) = try assigner.expand(times)
    // Windows that have passed take no more rows.
    let rows = IDList()
    let starts = Buffer(byteCount: all.count * 8)
    let ends = Buffer(byteCount: all.count * 8)
    let closed = assigner.closedEnd(watermark)
    for i in 0..<all.count where allEnds[i] > closed {
      starts.pointer(Int64.self)[rows.count] = allStarts[i]
      ends.pointer(Int64.self)[rows.count] = allEnds[i]
      rows.append(all[i])
    }
    statistics.lateRows += all.count - rows.count
    let n = rows.count
    if n == 0 { return }
    let kept = delta.gather(rows.pointer, count: n)
    let columns = kept.rows.columns
    let keys = node.keys.map { columns[$0] }
    if let validity = Bitmap.all(keys.compactMap(\.validity)) {
      statistics.nullKeys += n - validity.setCount
    }
    let bounds = [starts, ends].map { Column(type: .bigint, count: n, values: $0) }
    let ids = try grouping.number(keys + bounds, count: n)
    try grouping.add(
      columns, kept.weights.pointer(Int64.self), ids.pointer(Int32.self), count: n)
  }

  override func endEpoch() throws(TerraceError) {
    let count = grouping.count
    if count == 0 { return }
    let closed = IDList()
    let open = IDList()
    let endColumn = node.keys.count + 1
    let bound = assigner.closedEnd(watermark)
    for id in 0..<count {
      let (chunk, row) = grouping.index.keys.place(endColumn, id)
      if chunk.pointer(Int64.self)[row] > bound {
        open.append(Int32(id))
      } else if grouping.rows[id] > 0 {
        closed.append(Int32(id))
      }
    }
    if open.count == count { return }
    if closed.count > 0 { try send(closed) }
    try grouping.keep(open.pointer, open.count)
  }

  private func send(_ closed: IDList) throws(TerraceError) {
    let n = closed.count
    var columns = try grouping.results(closed.pointer, n)
    let k = node.keys.count
    let starts = columns[k].pointer(Int64.self)
    let ends = columns[k + 1].pointer(Int64.self)
    let bounds = assigner.columns(starts, ends, n)
    columns.removeSubrange(k..<k + 2)
    let weights = Buffer(byteCount: n * 8)
    weights.pointer(Int64.self).update(repeating: 1, count: n)
    try emit(columns + bounds, weights, count: n)
  }
}

/// GROUP BY over sessions: rows of a key that lie less than a gap apart. A session is sent when the
/// watermark has passed its end; until then its rows are kept.
final class SessionOperator: Operator {
  private let node: Plan.WindowAggregate
  private let gap: Int64
  private let assigner: WindowAssigner
  private let input: RowType
  private let index: KeyIndex
  private let state: KeyedState
  private let layout: RowLayout

  init(
    _ node: Plan.WindowAggregate, gap: Int64, _ runtime: Runtime, type: RowType
  ) {
    self.node = node
    self.gap = gap
    input = node.input.type
    let fields = input.fields
    assigner = WindowAssigner(
      node.window, timeType: fields[node.timeColumn].type, zone: runtime.evaluator.context.zone)
    index = KeyIndex(node.keys.map { fields[$0].type.nullable })
    state = KeyedState(input, isAppendOnly: false, recordsChanges: runtime.recordsChanges)
    layout = RowLayout(input, key: node.keys)
    super.init("SessionAggregate", runtime, type: type)
  }

  override var stateTables: [StateTable] { [layout.table("rows", isLookedUp: false)] }
  override func takeState() throws(TerraceError) -> [[DeltaBatch]] {
    [try state.takeChanges().map(layout.stored)]
  }
  override func restore(_ table: Int, _ rows: Batch) throws(TerraceError) {
    let stored = layout.split(rows)
    let ids = try number(stored.columns, stored.count)
    let slots = Buffer(byteCount: stored.count * 4)
    try state.apply(
      stored.columns, weights: stored.weights, keys: ids.pointer(Int32.self), count: stored.count,
      slots: slots.pointer(Int32.self), stored: stored.numbers)
  }
  override var stateBytes: Int { state.byteCount + index.byteCount }
  override var pendingBytes: Int { state.pendingBytes }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    let times = delta.rows.columns[node.timeColumn]
    for row in 0..<delta.count { _ = try WindowAssigner.time(times, row) }
    // A row whose own session would have passed comes too late.
    let closed = assigner.closedEnd(watermark)
    let timely = Rows(count: delta.count) {
      let (end, over) = assigner.wall(WindowAssigner.millis(times, $0)).addingReportingOverflow(gap)
      return over || end > closed
    }
    statistics.lateRows += delta.count - timely.count
    let n = timely.count
    if n == 0 { return }
    let kept = delta.gather(timely.buffer.pointer(Int32.self), count: n)
    if let validity = Bitmap.all(node.keys.compactMap { kept.rows.columns[$0].validity }) {
      statistics.nullKeys += n - validity.setCount
    }
    let ids = try number(kept.rows.columns, n)
    let slots = Buffer(byteCount: n * 4)
    try state.apply(
      kept.rows.columns, weights: kept.weights.pointer(Int64.self), keys: ids.pointer(Int32.self),
      count: n, slots: slots.pointer(Int32.self))
  }

  private func number(_ columns: [Column], _ n: Int) throws(TerraceError) -> Buffer {
    let ids = Buffer(byteCount: n * 4)
    let p = ids.pointer(Int32.self)
    if node.keys.isEmpty {
      p.update(repeating: 0, count: n)
      state.reserve(keys: 1)
    } else {
      let keys = KeyIndex.normalized(node.keys.map { columns[$0] })
      try index.insert(keys, hashes: index.hash(keys, count: n), count: n, into: p)
      state.reserve(keys: index.count)
    }
    return ids
  }

  override func endEpoch() throws(TerraceError) {
    let keyCount = node.keys.isEmpty ? min(1, state.count) : index.count
    if keyCount == 0 { return }
    let all = Buffer(byteCount: keyCount * 4)
    for i in 0..<keyCount { all.pointer(Int32.self)[i] = Int32(i) }
    let (slots, ordinals) = state.slots(of: all.pointer(Int32.self), keyCount)
    let rows = SortedPartitions(state, slots, ordinals, [SortKey(node.timeColumn)])
    if rows.count == 0 { return }
    let (order, walls) = readings(of: rows)
    let bound = assigner.closedEnd(watermark)
    let closed = IDList()
    let starts = Lane<Int64>()
    let ends = Lane<Int64>()
    var first = 0
    while first < rows.count {
      var last = first
      while last + 1 < rows.count, rows.partitions[last + 1] == rows.partitions[first],
        walls[last + 1] - walls[last] < gap
      {
        last += 1
      }
      let (start, end) = (walls[first], walls[last] + gap)
      if end <= bound {
        for row in first...last {
          starts.reserve(closed.count + 1)
          ends.reserve(closed.count + 1)
          starts[closed.count] = start
          ends[closed.count] = end
          closed.append(rows.slots[order[row]])
        }
      }
      first = last + 1
    }
    if closed.count == 0 { return }
    try send(closed, starts.pointer, ends.pointer)
    state.remove(closed)
    try state.compact()
  }

  /// The rows of each key in the order of their wall clocks, and these. It is that of the instants, but where the
  /// clock is put back.
  private func readings(of rows: SortedPartitions) -> (order: [Int], walls: [Int64]) {
    let times = state.rows.gather(node.timeColumn, rows.slots.pointer, rows.count)
    var walls = (0..<rows.count).map { assigner.wall(WindowAssigner.millis(times, $0)) }
    var order = Array(0..<rows.count)
    if assigner.isLocal {
      order.sort {
        (rows.partitions[$0], walls[$0], $0) < (rows.partitions[$1], walls[$1], $1)
      }
      walls = order.map { walls[$0] }
    }
    return (order, walls)
  }

  private func send(
    _ closed: IDList, _ starts: UnsafePointer<Int64>, _ ends: UnsafePointer<Int64>
  ) throws(TerraceError) {
    let n = closed.count
    let columns = state.rows.gather(closed.pointer, n)
    let weights = Buffer(byteCount: n * 8)
    for i in 0..<n { weights.pointer(Int64.self)[i] = state.weights[Int(closed[i])] }
    let grouping = try Grouping(
      input: input,
      keyTypes: node.keys.map { input.fields[$0].type.nullable } + [.bigint, .bigint],
      calls: node.calls, isAppendOnly: true, recordsChanges: false)
    let bounds = assigner.columns(starts, ends, n)[..<2]
    let keys = node.keys.map { columns[$0] } + bounds.map { $0.retyped(.bigint) }
    let ids = try grouping.number(keys, count: n)
    try grouping.add(columns, weights.pointer(Int64.self), ids.pointer(Int32.self), count: n)
    let count = grouping.count
    let groups = Buffer(byteCount: count * 4)
    for i in 0..<count { groups.pointer(Int32.self)[i] = Int32(i) }
    var results = try grouping.results(groups.pointer(Int32.self), count)
    let k = node.keys.count
    let windows = assigner.columns(
      results[k].pointer(Int64.self), results[k + 1].pointer(Int64.self), count)
    results.removeSubrange(k..<k + 2)
    let ones = Buffer(byteCount: count * 8)
    ones.pointer(Int64.self).update(repeating: 1, count: count)
    try emit(results + windows, ones, count: count)
  }
}
