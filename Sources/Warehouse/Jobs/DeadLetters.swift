import Columns
import Connectors
import Store

/// The table of records that could not be read: `dead_letters.<layer>_<table>`, committed in the epoch
/// that met them.
final class DeadLetters {
  private let warehouse: OpenWarehouse
  private let name: TableName
  private let user: String
  private var writer: TableWriter?
  private var hasRows = false
  private(set) var snapshotID: Int64?
  private(set) var count: Int64

  /// Takes the table back to what the root says.
  init(
    _ job: String, _ warehouse: OpenWarehouse, user: String, at root: Int64?, count: Int64
  ) throws(TerraceError) {
    self.warehouse = warehouse
    self.user = user
    self.count = count
    name = TableName(
      database: "dead_letters", table: job.split(separator: ".").joined(separator: "_"))
    snapshotID = root
    if try warehouse.has(name) { _ = try opened(at: root ?? 0) }
  }

  private func opened(at id: Int64) throws(TerraceError) -> Table {
    let schema = try TableSchema.create(
      columns: RowType([
        ("place", .string), ("reason", .string), ("bytes", .bytes),
        ("time", DataType(.timestampLTZ(3))),
      ]).fields, timeMillis: warehouse.environment.time.nowMillis())
    return try HiddenTables.open(name.table, schema, warehouse, at: id, database: name.database)
  }

  func write(_ letters: [DeadLetter]) throws(TerraceError) {
    if letters.isEmpty { return }
    let writer: TableWriter
    if let open = self.writer {
      writer = open
    } else {
      writer = try opened(at: snapshotID ?? 0).writer(
        user: user, settings: TableWriter.Settings(compactionThreads: 0))
      self.writer = writer
    }
    let fields = writer.table.schema.rowType.fields
    let builders = fields.map { ColumnBuilder($0.type, capacity: letters.count) }
    let now = warehouse.environment.time.nowMillis()
    for letter in letters {
      builders[0].append(letter.place)
      builders[1].append(letter.reason)
      builders[2].append(.bytes(letter.bytes))
      builders[3].append(.int(now))
    }
    try writer.write(
      Batch(writer.table.schema.rowType, builders.map { $0.finish() }, count: letters.count))
    hasRows = true
    count += Int64(letters.count)
  }

  func commit(identifier: Int64) throws(TerraceError) {
    guard hasRows, let writer else { return }
    let outcome = try writer.commit(identifier: identifier)
    hasRows = false
    if let last = outcome.snapshots.last { snapshotID = last.id }
  }

  func abandon() {
    writer?.abandon()
    writer = nil
  }

  func close() {
    writer?.close()
    writer = nil
  }
}
