internal import Columns

/// Functions over neighbouring rows: each touched partition is computed anew.
final class OverOperator: PartitionOperator {
  private let node: Plan.Over

  init(_ node: Plan.Over, _ runtime: Runtime, type: RowType) throws(TerraceError) {
    self.node = node
    for call in node.calls where call.frame.unit == .range {
      let isBound = (call.frame.preceding ?? 0) != 0 || (call.frame.following ?? 0) != 0
      guard isBound, case .aggregate = call.function else { continue }
      let physical =
        node.order.count == 1
        ? node.input.type.fields[node.order[0].column].type.physical : .bytes
      guard [.int8, .int16, .int32, .int64].contains(physical) else {
        throw TerraceError(.unsupported, "RANGE over a span of anything but one number or time")
      }
    }
    super.init(
      "Over", runtime, type: type, input: node.input.type, partition: node.partition,
      isAppendOnly: false)
  }

  override func compute(
    _ ids: UnsafePointer<Int32>, _ n: Int
  ) throws(TerraceError) -> DeltaBatch? {
    let rows = OverRows(sorted(ids, n, by: node.order))
    let count = rows.slots.count
    if count == 0 { return nil }
    let columns = state.rows.gather(rows.slots.pointer, count)
    var results = columns
    for call in node.calls { results.append(try evaluate(call, rows, columns)) }
    let ones = Buffer(byteCount: count * 8)
    ones.pointer(Int64.self).update(repeating: 1, count: count)
    let typed = zip(results, type.fields).map { $0.retyped($1.type) }
    return DeltaBatch(Batch(type, typed, count: count), weights: ones)
  }

  private func evaluate(
    _ call: OverCall, _ rows: OverRows, _ columns: [Column]
  ) throws(TerraceError) -> Column {
    switch call.function {
    case .aggregate(let aggregate): return try frames(call, aggregate, rows, columns)
    case .lag(let column, let offset, let fallback):
      let places = Buffer(byteCount: rows.count * 4)
      let p = places.pointer(Int32.self)
      for i in 0..<rows.count {
        let at = i - offset
        p[i] = at >= rows.first[i] && at <= rows.last[i] ? Int32(at) : -1
      }
      let values = columns[column].gatherOrNull(p, rows.count)
      guard let fallback else { return values }
      let sources = Buffer(byteCount: rows.count * 2)
      let own = Buffer(byteCount: rows.count * 4)
      for i in 0..<rows.count {
        // As in Flink: also where the row is there, and its value null.
        sources.pointer(UInt16.self)[i] = values.isNull(i) ? 1 : 0
        own.pointer(Int32.self)[i] = Int32(i)
      }
      return Column.interleave(
        [values, columns[fallback].retyped(values.type)], sources: sources.pointer(UInt16.self),
        rows: own.pointer(Int32.self), count: rows.count)
    default: return numbered(call, rows)
    }
  }

  /// ROW_NUMBER and its kin: facts of the place in the partition.
  private func numbered(_ call: OverCall, _ rows: OverRows) -> Column {
    let builder = ColumnBuilder(call.type, capacity: rows.count)
    var dense: Int64 = 0
    for i in 0..<rows.count {
      let size = rows.last[i] - rows.first[i] + 1
      let place = i - rows.first[i]
      let rank = rows.peersFrom[i] - rows.first[i] + 1
      if place == 0 { dense = 0 }
      if rows.peersFrom[i] == i { dense += 1 }
      switch call.function {
      case .rowNumber: builder.append(Int64(place + 1))
      case .rank: builder.append(Int64(rank))
      case .denseRank: builder.append(dense)
      case .percentRank: builder.append(size == 1 ? 0.0 : Double(rank - 1) / Double(size - 1))
      case .cumulativeDistribution:
        builder.append(Double(rows.peersTo[i] - rows.first[i] + 1) / Double(size))
      case .tiles(let wanted):
        let tiles = max(1, wanted)
        // The first size % tiles tiles have one row more.
        let small = size / tiles
        let larger = size % tiles
        let edge = larger * (small + 1)
        let tile = place < edge ? place / (small + 1) : larger + (place - edge) / max(small, 1)
        if call.type.physical == .int64 {
          builder.append(Int64(tile + 1))
        } else {
          builder.append(Int32(tile + 1))
        }
      case .aggregate, .lag: builder.appendNull()
      }
    }
    return builder.finish()
  }

  /// Aggregates over frames. Both ends of a frame only move forward within a partition, so rows
  /// are added at one end and taken away at the other.
  private func frames(
    _ call: OverCall, _ aggregate: AggregateCall, _ rows: OverRows, _ columns: [Column]
  ) throws(TerraceError) -> Column {
    let bounds = FrameBounds(call.frame, rows, columns, node.order)
    var pieces: [Column] = []
    var from = 0
    while from < rows.count {
      let last = rows.last[from]
      let grouping = try Grouping(
        input: node.input.type, keyTypes: [], calls: [aggregate], isAppendOnly: false,
        recordsChanges: false)
      grouping.reserve(1)
      var low = from
      var high = from
      for i in from...last {
        let (start, end) = bounds.frame(i)
        // An empty frame keeps the ends where they are.
        let to = max(end + 1, high)
        try add(grouping, columns, high..<to, 1)
        high = to
        let begin = min(max(start, low), high)
        try add(grouping, columns, low..<begin, -1)
        low = begin
        let zero: [Int32] = [0]
        pieces.append(try grouping.results(zero, 1)[0])
      }
      from = last + 1
    }
    return Column.concat(pieces)
  }

  private func add(
    _ grouping: Grouping, _ columns: [Column], _ range: Range<Int>, _ weight: Int64
  ) throws(TerraceError) {
    if range.isEmpty { return }
    let weights = Buffer(byteCount: range.count * 8)
    weights.pointer(Int64.self).update(repeating: weight, count: range.count)
    let ids = Buffer(byteCount: range.count * 4)
    ids.pointer(Int32.self).update(repeating: 0, count: range.count)
    try grouping.add(
      columns.map { $0.slice(range) }, weights.pointer(Int64.self), ids.pointer(Int32.self),
      count: range.count)
  }
}

/// Rows in order, one a row and weight, with the ends of their partition and of their peers.
private final class OverRows {
  let slots = IDList()
  var first: [Int] = []
  var last: [Int] = []
  var peersFrom: [Int] = []
  var peersTo: [Int] = []
  var count: Int { slots.count }

  init(_ rows: SortedPartitions) {
    for i in 0..<rows.count {
      let begins = i == 0 || rows.partitions[i] != rows.partitions[i - 1]
      for copy in 0..<max(0, rows.weights[i]) {
        let at = slots.count
        slots.append(rows.slots[i])
        let newPeers = copy == 0 && !rows.ties[i]
        first.append(begins && copy == 0 ? at : first[at - 1])
        peersFrom.append(newPeers || (begins && copy == 0) ? at : peersFrom[at - 1])
      }
    }
    last = Array(repeating: 0, count: slots.count)
    peersTo = last
    for i in stride(from: slots.count - 1, through: 0, by: -1) {
      let ends = i == slots.count - 1
      last[i] = ends || first[i + 1] != first[i] ? i : last[i + 1]
      peersTo[i] = ends || peersFrom[i + 1] != peersFrom[i] ? i : peersTo[i + 1]
    }
  }
}

/// Where the frame of a row begins and ends, as row numbers; the end may lie before the beginning.
private struct FrameBounds {
  private let frame: OverCall.Frame
  private let rows: OverRows
  private let values: [Int64?]
  private let descending: Bool

  init(_ frame: OverCall.Frame, _ rows: OverRows, _ columns: [Column], _ order: [SortKey]) {
    self.frame = frame
    self.rows = rows
    descending = order.first?.descending ?? false
    let spans = frame.unit == .range && ((frame.preceding ?? 0) != 0 || (frame.following ?? 0) != 0)
    guard spans, let key = order.first else {
      values = []
      return
    }
    let column = columns[key.column]
    // Spans of time are in milliseconds, whatever the column counts in.
    let isTime =
      TypeRules.family(column.type) == .timestamp
      || TypeRules.family(column.type) == .localTimestamp
    values = (0..<rows.count).map { row in
      if column.isNull(row) { return nil }
      if isTime { return WindowAssigner.millis(column, row) }
      guard case .int(let value) = column.scalar(row) else { return nil }
      return value
    }
  }

  func frame(_ i: Int) -> (Int, Int) {
    switch frame.unit {
    case .rows:
      let start = frame.preceding.map { i - Int(clamping: $0) } ?? rows.first[i]
      let end = frame.following.map { i + min(Int(clamping: $0), rows.count) } ?? rows.last[i]
      return (max(start, rows.first[i]), min(end, rows.last[i]))
    case .range:
      return (start(i), end(i))
    }
  }

  private func start(_ i: Int) -> Int {
    guard let span = frame.preceding else { return rows.first[i] }
    guard span != 0, let value = values.isEmpty ? nil : values[i] else { return rows.peersFrom[i] }
    var at = rows.peersFrom[i]
    while at > rows.first[i], let other = values[at - 1], distance(value, other) <= span { at -= 1 }
    return at
  }

  private func end(_ i: Int) -> Int {
    guard let span = frame.following else { return rows.last[i] }
    guard span != 0, let value = values.isEmpty ? nil : values[i] else { return rows.peersTo[i] }
    var at = rows.peersTo[i]
    while at < rows.last[i], let other = values[at + 1], distance(other, value) <= span { at += 1 }
    return at
  }

  private func distance(_ later: Int64, _ earlier: Int64) -> Int64 {
    descending ? earlier &- later : later &- earlier
  }
}
