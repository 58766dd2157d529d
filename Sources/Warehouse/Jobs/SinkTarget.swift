import Columns
import Connectors
import Store

/// A sink outside as a target: the roots lie in a hidden table of the job, one snapshot an epoch.
final class SinkTarget: JobTarget {
  let table: Table
  let tableName: TableName
  private let sink: any Sink
  private let job: String
  private let isAppendOnly: Bool
  private let key: [Int]
  private var writer: TableWriter?

  init(
    _ connector: ConnectorTable, job: String, isAppendOnly: Bool,
    _ environment: JobEnvironment
  ) throws(TerraceError) {
    self.job = job
    self.isAppendOnly = isAppendOnly
    key = connector.primaryKey.compactMap { connector.type.index(of: $0) }
    let warehouse = environment.warehouse
    let schema = try TableSchema.create(
      columns: RowType([("epoch", .bigint)]).fields,
      timeMillis: warehouse.environment.time.nowMillis())
    _ = try warehouse.create(database: HiddenTables.database)
    tableName = TableName(database: HiddenTables.database, table: job)
    if try !warehouse.has(tableName) { _ = try warehouse.create(tableName, schema) }
    table = try Table.open(warehouse.environment, try warehouse.path(of: tableName).root)
    sink = try environment.connectors.sink(connector, warehouse.environment)
  }

  func recover() throws(TerraceError) -> (root: Root, snapshot: Snapshot)? {
    let found = try finished(job, table)
    if case .redo = try sink.recover(found?.root.prepared) {
      throw TerraceError(.unsupported, "an epoch that is lost outside").with("job", job)
    }
    return found
  }

  func open(generation: Int64) throws(TerraceError) {
    writer = try table.writer(
      user: Self.user(job, generation), settings: TableWriter.Settings(compactionThreads: 0))
  }

  func write(_ delta: DeltaBatch) throws(TerraceError) -> Int {
    if delta.count == 0 { return 0 }
    if isAppendOnly {
      let rows = try TargetChanges.inserts(delta)
      try sink.write(rows, kinds: nil)
      return rows.count
    }
    let (rows, kinds) =
      key.isEmpty
      ? TargetChanges.unkeyed(delta) : try TargetChanges.keyed(delta, key: key)
    if rows.count > 0 { try sink.write(rows, kinds: kinds) }
    return rows.count
  }

  func commit(_ root: Root, watermark: Int64?) throws(TerraceError) -> Snapshot {
    guard let writer else { preconditionFailure("committed before it was opened") }
    var root = root
    let prepared = try sink.prepare(epoch: root.epoch)
    root.prepared = prepared
    let outcome = try writer.commit(
      identifier: root.epoch, watermark: watermark, properties: root.properties,
      ignoreEmpty: false)
    guard let last = outcome.snapshots.last else {
      throw TerraceError(.unavailable, "the commit made no snapshot").with("table", tableName)
    }
    try sink.publish(prepared)
    return last
  }

  /// What was written outside stays there: only the job begins anew.
  func startOver(_ root: Root) throws(TerraceError) {
    let commit = try table.commit(user: Self.user(job, root.generation))
    _ = try commit.commit(
      [], identifier: root.epoch, properties: root.properties, ignoreEmpty: false)
  }

  func abandon() {
    writer?.abandon()
    writer = nil
    sink.close()
  }

  func close() {
    writer?.close()
    writer = nil
    sink.close()
  }
}
