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
  private var pace: GeneratorPace
  private var start: Int64

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    var options = ConnectorOptions(table)
    let rate = try options.integer("rows-per-second") ?? 10_000
    if rate < 1 { throw options.wrong("rows-per-second", "a number from 1 on") }
    let rows = try options.integer("number-of-rows")
    if let rows, rows < 0 { throw options.wrong("number-of-rows", "a number from 0 on") }
    let seed = try options.integer("seed") ?? 0
    try options.parallelism("scan.parallelism")
    var made: [String: GeneratedColumn] = [:]
    // Options of columns that nobody reads are known too.
    for field in table.declared.fields {
      made[field.name] = try GeneratedColumn(
        field.name, field.type, seed: UInt64(bitPattern: seed), &options)
    }
    try options.finish()
    if let column = table.metadata.first {
      throw TerraceError(.invalid, "datagen has no metadata").with("table", table.name)
        .with("column", column.column)
    }
    type = table.type
    columns = table.type.fields.compactMap { made[$0.name] }
    pace = GeneratorPace(
      rate: rate, total: (made.values.compactMap(\.length) + [rows].compactMap { $0 }).min(),
      environment.time)
    start = environment.time.nowMillis()
  }

  func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    guard let numbers = pace.take(rows) else { return nil }
    let builders = type.fields.map { ColumnBuilder($0.type, capacity: numbers.count) }
    for (column, builder) in zip(columns, builders) {
      for row in numbers { column.append(row, time: moment(row), to: builder) }
    }
    return SourceBatch(rows: Batch(type, builders.map { $0.finish() }, count: numbers.count))
  }

  private func moment(_ row: Int64) -> Int64 {
    start &+ pace.millis(row)
  }

  func stopAtPresent() throws(TerraceError) { try pace.stop(endOption: "number-of-rows") }
  var isDrained: Bool { pace.isDone }

  var position: String { "{\"row\":\(pace.next),\"start\":\(start)}" }

  func seek(_ position: String) throws(TerraceError) {
    let value = try JSONValue.parse(position)
    pace.seek(try value.int("row"))
    start = try value.int("start")
  }

  var backlog: (amount: Int64, unit: String)? { pace.left.map { ($0, "records") } }
}
