internal import Columns

/// Which windows a row's time lies in.
struct WindowAssigner {
  let window: Window
  /// Times are instants, and windows begin with the days of this zone.
  let zone: SessionZone
  let isLocal: Bool

  init(_ window: Window, timeType: DataType, zone: SessionZone) {
    self.window = window
    self.zone = zone
    if case .timestampLTZ = timeType.kind { isLocal = true } else { isLocal = false }
  }

  /// Milliseconds of a TIMESTAMP or TIMESTAMP_LTZ row.
  static func millis(_ column: Column, _ row: Int) -> Int64 {
    let unit = TimeUnit.perSecond(column.type)
    if column.physical == .int128 {
      return Int64(
        truncatingIfNeeded: floorDivide(column.pointer(Int128.self)[row], Int128(unit / 1000)))
    }
    let value = column.pointer(Int64.self)[row]
    return unit == 1000 ? value : floorDivide(value, unit / 1000)
  }

  /// The time of a row, when it has one that windows can be counted from.
  ///
  /// - Throws: `invalid`, when it is null or hundreds of thousands of years away.
  static func time(_ column: Column, _ row: Int) throws(TerraceError) -> Int64 {
    if column.isNull(row) {
      throw TerraceError(.invalid, "the time of a row is null, so it lies in no window")
    }
    let time = millis(column, row)
    guard time.magnitude < 1 << 54 else {
      throw TerraceError(.invalid, "the time of a row is out of range").with("milliseconds", time)
    }
    return time
  }

  /// The windows of a time as wall clock bounds; never for SESSION.
  func forEach(_ time: Int64, _ body: (_ start: Int64, _ end: Int64) -> Void) {
    let local = isLocal ? time + zone.offsetMillis(atInstant: time) : time
    func back(_ wall: Int64) -> Int64 { isLocal ? wall - zone.offsetMillis(atLocal: wall) : wall }
    func floored(_ size: Int64, _ offset: Int64) -> Int64 {
      floorDivide(local - offset, size) * size + offset
    }
    switch window {
    case .tumble(let size, let offset):
      let start = floored(size, offset)
      body(back(start), back(start + size))
    case .hop(let size, let slide, let offset):
      var start = floored(slide, offset)
      while start > local - size {
        body(back(start), back(start + size))
        start -= slide
      }
    case .cumulate(let size, let step, let offset):
      let start = floored(size, offset)
      var end = floored(step, offset) + step
      while end <= start + size {
        body(back(start), back(end))
        end += step
      }
    case .session: break
    }
  }

  /// Rows of `times` repeated once a window: which rows, window starts and ends.
  ///
  /// - Throws: `invalid`, when a time is null.
  func expand(
    _ times: Column
  ) throws(TerraceError) -> (rows: IDList, starts: Lane<Int64>, ends: Lane<Int64>) {
    let rows = IDList()
    let starts = Lane<Int64>()
    let ends = Lane<Int64>()
    for row in 0..<times.count {
      forEach(try WindowAssigner.time(times, row)) { start, end in
        let at = rows.count
        starts.reserve(at + 1)
        ends.reserve(at + 1)
        starts[at] = start
        ends[at] = end
        rows.append(Int32(truncatingIfNeeded: row))
      }
    }
    return (rows, starts, ends)
  }

  /// window_start, window_end and window_time columns.
  static func columns(
    _ starts: UnsafePointer<Int64>, _ ends: UnsafePointer<Int64>, _ n: Int, _ type: DataType
  ) -> [Column] {
    let a = Buffer(byteCount: n * 8)
    let b = Buffer(byteCount: n * 8)
    let c = Buffer(byteCount: n * 8)
    for i in 0..<n {
      a.pointer(Int64.self)[i] = starts[i]
      b.pointer(Int64.self)[i] = ends[i]
      c.pointer(Int64.self)[i] = ends[i] - 1
    }
    return [a, b, c].map { Column(type: type, count: n, values: $0) }
  }
}

/// TUMBLE, HOP and CUMULATE as a table: rows with the bounds of their windows.
final class WindowTableOperator: Operator {
  private let node: Plan.WindowTable

  init(_ node: Plan.WindowTable, _ runtime: Runtime, type: RowType) {
    self.node = node
    super.init("WindowTable", runtime, type: type)
  }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    let times = delta.rows.columns[node.timeColumn]
    let assigner = WindowAssigner(
      node.window, timeType: times.type, zone: runtime.evaluator.context.zone)
    let (rows, starts, ends) = try assigner.expand(times)
    let out = delta.gather(rows.pointer, count: rows.count)
    let bound = type.fields[type.count - 1].type
    try emit(
      out.rows.columns
        + WindowAssigner.columns(starts.pointer, ends.pointer, rows.count, bound),
      out.weights, count: rows.count)
  }
}
