import Columns
import Store

/// A keyed table of a job in the hidden database: one row a key, changed by weights.
final class PositionTable {
  let name: String
  private let writer: HiddenWriter
  private var table: Table { writer.table }

  /// Makes the table when it is not there, and takes it back to the snapshot that the root names.
  ///
  /// - Parameters:
  ///   - root: snapshot by table name; nil before the first root, 0 for an empty table.
  init(
    _ name: String, _ type: RowType, keyCount: Int, _ warehouse: OpenWarehouse, user: String,
    at root: Int64?
  ) throws(TerraceError) {
    self.name = name
    let keys = type.fields.prefix(keyCount).map(\.name)
    let schema = try TableSchema.create(
      columns: type.fields, primaryKeys: keys, options: ["bucket": "1"],
      timeMillis: warehouse.environment.time.nowMillis())
    writer = HiddenWriter(
      try HiddenTables.open(name, schema, warehouse, at: root ?? 0), user: user)
  }

  /// All rows; nil when there are none.
  func rows() throws(TerraceError) -> DeltaBatch? {
    let scan = table.scan()
    let read = try scan.read(try scan.plan(try table.snapshots.latestComplete()))
    var batches: [Batch] = []
    while let batch = try read.next() { batches.append(batch) }
    return batches.isEmpty ? nil : DeltaBatch(inserting: Batch.concat(batches))
  }

  func write(_ rows: DeltaBatch, identifier: Int64) throws(TerraceError) {
    let kinds = Buffer(byteCount: rows.count)
    let weights = rows.weights.pointer(Int64.self)
    for i in 0..<rows.count {
      kinds.pointer(UInt8.self)[i] = (weights[i] > 0 ? RowKind.updateAfter : .delete).rawValue
    }
    let typed = zip(rows.rows.columns, table.schema.fields).map { $0.retyped($1.type) }
    try writer.write(Batch(table.schema.rowType, typed, count: rows.count), kinds: kinds)
    try writer.commit(identifier: identifier)
    _ = table.maintain()  // Old snapshots may stay: they cost disk only.
  }

  var snapshotID: Int64 {
    get throws(TerraceError) { try table.snapshots.latestComplete()?.id ?? 0 }
  }

  func close() { writer.close() }
}

/// Tables that belong to jobs: in the database `_state`.
enum HiddenTables {
  static let database = "_state"

  /// Opens a hidden table as it was at a snapshot; 0: empty. Makes it when it is missing.
  ///
  /// - Throws: `notFound` when the snapshot is gone, with the fact `snapshot`.
  static func open(
    _ name: String, _ schema: TableSchema, _ warehouse: OpenWarehouse, at id: Int64,
    database: String = HiddenTables.database
  ) throws(TerraceError) -> Table {
    _ = try warehouse.create(database: database)
    let table = TableName(database: database, table: name)
    let path = try warehouse.path(of: table)
    let environment = warehouse.environment
    if try warehouse.has(table) {
      let latest = try SnapshotDirectory(path, environment).latestID() ?? 0
      if latest < id {
        throw TerraceError(.notFound, "a table of the job has lost its newest snapshots")
          .with("table", table).with("snapshot", id).with("latest", latest)
      }
      if latest > id {
        if id == 0 {
          try environment.files.deleteTree(path.root)
        } else {
          try Rollback(path, environment).to(snapshotID: id)
        }
      }
    } else if id > 0 {
      throw TerraceError(.notFound, "a table of the job is missing").with("table", table)
        .with("snapshot", id)
    }
    if try !warehouse.has(table) { _ = try warehouse.create(table, schema) }
    return try Table.open(environment, path.root)
  }
}
