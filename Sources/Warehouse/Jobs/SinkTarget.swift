import Columns
import Connectors
import Store

/// A sink outside as a target: the roots lie in a hidden table of the job, one snapshot an epoch.
final class SinkTarget: JobTarget {
  private(set) var table: Table
  let tableName: TableName
  private let sink: any Sink
  private let job: String
  private let isAppendOnly: Bool
  private let key: [Int]
  private let warehouse: OpenWarehouse
  private var writer: TableWriter?

  init(
    _ connector: ConnectorTable, job: String, isAppendOnly: Bool,
    _ environment: JobEnvironment
  ) throws(TerraceError) {
    self.job = job
    self.isAppendOnly = isAppendOnly
    // Columns that are only read are no columns of the rows that are written.
    let virtual = Set(connector.metadata.filter(\.isVirtual).map(\.column))
    let written = RowType(connector.type.fields.filter { !virtual.contains($0.name) })
    key = connector.primaryKey.compactMap { written.index(of: $0) }
    warehouse = environment.warehouse
    _ = try warehouse.create(database: HiddenTables.database)
    tableName = TableName(database: HiddenTables.database, table: job)
    table = try Self.open(tableName, warehouse)
    sink = try environment.connectors.sink(connector, warehouse.environment)
  }

  private static func open(
    _ name: TableName, _ warehouse: OpenWarehouse
  ) throws(TerraceError) -> Table {
    if try !warehouse.has(name) {
      let schema = try TableSchema.create(
        columns: RowType([("epoch", .bigint)]).fields,
        timeMillis: warehouse.environment.time.nowMillis())
      _ = try warehouse.create(name, schema)
    }
    return try Table.open(warehouse.environment, try warehouse.path(of: name).root)
  }

  func recover() throws(TerraceError) -> (root: Root, snapshot: Snapshot)? {
    let found = try finished(job, table)
    switch try sink.recover(found?.root.prepared) {
    case .complete: return found
    case .redo: return try found.flatMap { (found) throws(TerraceError) in try forget(found.root) }
    }
  }

  /// Takes a root back whose epoch is lost outside: nobody has seen anything of it, so the job goes on from
  /// the root before. That one's epoch is whole, since a root is only followed by another when it is; its
  /// state and its places in the sources are kept until then.
  private func forget(_ lost: Root) throws(TerraceError) -> (root: Root, snapshot: Snapshot)? {
    let first = try table.snapshots.earliestID() ?? 1
    for id in stride(from: try table.snapshots.latestID() ?? 0, through: first, by: -1) {
      guard let snapshot = try table.snapshots.find(id), let root = try Root(snapshot),
        root.epoch < lost.epoch || root.generation < lost.generation
      else { continue }
      try Rollback(table.path, warehouse.environment).to(snapshotID: id)
      return (root, snapshot)
    }
    guard lost.epoch == 1 else {
      throw TerraceError(
        .corrupted, "an epoch was lost outside, and the root before it is gone",
        hint: "“terrace run --rebuild \(job)” starts over; what is outside stays there"
      ).with("job", job).with("epoch", lost.epoch)
    }
    try warehouse.environment.files.deleteTree(table.path.root)
    table = try Self.open(tableName, warehouse)
    return nil
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
