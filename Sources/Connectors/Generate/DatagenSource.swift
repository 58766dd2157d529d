import Columns
import Formats
import Store

/// Rows made up, by Flink's options; the same ones for the same `seed`, so that they can be read again.
///
/// Times are those of the clock when the source began, moved on by the rate.
final class DatagenSource: Source {
  let type: RowType
  let style = ChangeStyle.inserts
  private let columns: [GeneratedColumn]
  private let time: any Timekeeper
  private let rate: Int64
  /// Rows in all; nil: no end.
  private let total: Int64?
  private var row: Int64 = 0
  private var start: Int64
  /// Since when the rate counts, and from which row on.
  private var rateStart: (millis: Int64, row: Int64)
  private var isStopped = false

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    var options = ConnectorOptions(table)
    rate = try options.integer("rows-per-second") ?? 10_000
    if rate < 1 { throw options.wrong("rows-per-second", "a number from 1 on") }
    let rows = try options.integer("number-of-rows")
    if let rows, rows < 0 { throw options.wrong("number-of-rows", "a number from 0 on") }
    let seed = try options.integer("seed") ?? 0
    options.allow(["scan.parallelism"])
    var made: [String: GeneratedColumn] = [:]
    // Options of columns that nobody reads are known too.
    for field in table.declared.fields {
      made[field.name] = try GeneratedColumn(
        field.name, field.type, seed: UInt64(bitPattern: seed), &options)
    }
    for kind in ["min", "max", "length", "var-len", "max-past", "start", "end"] {
      options.allow(table.declared.fields.map { "fields.\($0.name).\(kind)" })
    }
    try options.finish()
    if let column = table.metadata.first {
      throw TerraceError(.invalid, "datagen has no metadata").with("table", table.name)
        .with("column", column.column)
    }
    type = table.type
    columns = table.type.fields.compactMap { made[$0.name] }
    total = (made.values.compactMap(\.length) + [rows].compactMap { $0 }).min()
    time = environment.time
    start = time.nowMillis()
    rateStart = (start, 0)
  }

  func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    var count = Int64(max(rows, 1))
    if let total { count = min(count, total - row) }
    if !isStopped {
      let seconds = Double(max(time.nowMillis() - rateStart.millis, 0)) / 1000
      // The first second's rows may come at once, as Flink's rate limiter lets them.
      let allowed = min(Double(rate) * (seconds + 0.1), 9e18)
      count = min(count, rateStart.row + max(Int64(allowed), 1) - row)
    }
    if count <= 0 { return nil }
    let builders = type.fields.map { ColumnBuilder($0.type, capacity: Int(count)) }
    for (column, builder) in zip(columns, builders) {
      for i in row..<row + count { column.append(i, time: moment(i), to: builder) }
    }
    row += count
    return SourceBatch(rows: Batch(type, builders.map { $0.finish() }, count: Int(count)))
  }

  private func moment(_ row: Int64) -> Int64 {
    start &+ row / rate &* 1000 &+ row % rate &* 1000 / rate
  }

  /// A generator with an end gives all its rows, and at once.
  func stopAtPresent() throws(TerraceError) {
    if total == nil {
      throw TerraceError(
        .invalid, "a generator without an end", hint: "set 'number-of-rows', or let it run")
    }
    isStopped = true
  }

  func endInput() {}
  var isDrained: Bool { total.map { row >= $0 } ?? false }

  var position: String { "{\"row\":\(row),\"start\":\(start)}" }
  var positionTable: (type: RowType, keyCount: Int)? { nil }
  func takePositions() throws(TerraceError) -> DeltaBatch? { nil }
  func restorePositions(_ rows: DeltaBatch) throws(TerraceError) {}

  func seek(_ position: String) throws(TerraceError) {
    let value = try JSONValue.parse(position)
    row = try value.int("row")
    start = try value.int("start")
    rateStart = (time.nowMillis(), row)
  }

  var backlog: (amount: Int64, unit: String)? { total.map { ($0 - row, "records") } }
  func takeNotices() -> [String] { [] }
  func close() {}
}
