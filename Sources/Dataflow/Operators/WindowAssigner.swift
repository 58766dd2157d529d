internal import Columns

/// Which windows a row's time lies in. Bounds are wall clock readings: of a TIMESTAMP_LTZ those of the session's
/// zone.
struct WindowAssigner {
  let window: Window
  let zone: SessionZone
  /// Times are instants.
  let isLocal: Bool

  init(_ window: Window, timeType: DataType, zone: SessionZone) {
    self.window = window
    self.zone = zone
    if case .timestampLTZ = timeType.kind { isLocal = true } else { isLocal = false }
  }

  /// The wall clock at a time.
  func wall(_ time: Int64) -> Int64 {
    isLocal ? time &+ zone.offsetMillis(atInstant: time) : time
  }

  /// Windows that end here or before take no more rows: no time behind the watermark has an earlier reading.
  /// When the clock is put back, a window waits for the second time its hour comes.
  func closedEnd(_ watermark: Int64) -> Int64 {
    if watermark == .min || watermark == .max { return watermark }
    let next = watermark + 1
    if !isLocal || next.magnitude >= 1 << 54 { return next }
    let now = zone.offsetMillis(atInstant: next)
    let day: Int64 = 86_400_000
    let later = zone.offsetMillis(atInstant: next + day)
    if later >= now { return next + now }
    // Where the clock is put back within a day: the first reading behind it may be less than that of now.
    var (before, after) = (next, next + day)
    while after - before > 1 {
      let middle = before + (after - before) / 2
      if zone.offsetMillis(atInstant: middle) == now { before = middle } else { after = middle }
    }
    return min(next + now, after + later)
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
      throw TerraceError(
        .invalid, "the time of a row is null, so it lies in no window",
        hint: "WHERE … IS NOT NULL leaves such rows out")
    }
    let time = millis(column, row)
    guard time.magnitude < 1 << 54 else {
      throw TerraceError(.invalid, "the time of a row is out of range").with("milliseconds", time)
    }
    return time
  }

  /// The windows of a time; never for SESSION.
  func forEach(_ time: Int64, _ body: (_ start: Int64, _ end: Int64) -> Void) {
    let local = wall(time)
    func floored(_ size: Int64, _ offset: Int64) -> Int64 {
      floorDivide(local - offset, size) * size + offset
    }
    switch window {
    case .tumble(let size, let offset):
      let start = floored(size, offset)
      body(start, start + size)
    case .hop(let size, let slide, let offset):
      var start = floored(slide, offset)
      while start > local - size {
        body(start, start + size)
        start -= slide
      }
    case .cumulate(let size, let step, let offset):
      let start = floored(size, offset)
      var end = floored(step, offset) + step
      while end <= start + size {
        body(start, end)
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

  /// window_start, window_end and window_time columns. The last millisecond of a window as an instant is
  /// the earlier of two, and one that no clock shows is moved on.
  func columns(
    _ starts: UnsafePointer<Int64>, _ ends: UnsafePointer<Int64>, _ n: Int
  ) -> [Column] {
    let a = Buffer(byteCount: n * 8)
    let b = Buffer(byteCount: n * 8)
    let c = Buffer(byteCount: n * 8)
    var known: (last: Int64, time: Int64)?
    for i in 0..<n {
      a.pointer(Int64.self)[i] = starts[i]
      b.pointer(Int64.self)[i] = ends[i]
      let last = ends[i] - 1
      if known?.last != last {
        known = (last, isLocal ? last &- zone.offsetMillis(atLocal: last) : last)
      }
      c.pointer(Int64.self)[i] = known?.time ?? last
    }
    let bound = DataType.timestamp(3).notNull
    return [
      Column(type: bound, count: n, values: a), Column(type: bound, count: n, values: b),
      Column(
        type: isLocal ? DataType(.timestampLTZ(3), nullable: false) : bound, count: n, values: c),
    ]
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
    try emit(
      out.rows.columns + assigner.columns(starts.pointer, ends.pointer, rows.count), out.weights,
      count: rows.count)
  }
}
