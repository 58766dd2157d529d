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
  private let written: RowType
  private var writer: TableWriter?
  private var generation: Int64 = 1
  private var mayBeginAnew = false
  /// What the root says of rows that may have to be taken back, and these rows while they are kept.
  private var place: TentativeRows.Place?
  private var tentative: TentativeRows?
  /// The rows outside go before those of the epoch in hand.
  private var clears = false
  /// Nobody else in the project writes there.
  private let isOwn: Bool

  init(
    _ connector: ConnectorTable, job: String, isAppendOnly: Bool,
    _ environment: JobEnvironment
  ) throws(TerraceError) {
    self.job = job
    self.isAppendOnly = isAppendOnly
    let written = connector.written.type
    self.written = written
    isOwn = !environment.sharedTargets.contains(job)
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
    let whole =
      switch try sink.recover(found?.root.prepared) {
      case .complete: found
      case .redo: try found.flatMap { (found) throws(TerraceError) in try forget(found.root) }
      }
    place = whole?.root.tentative
    clears = whole?.root.clears ?? false
    return whole
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
      user: Self.user(job, generation), settings: TableWriter.Settings(compactsInline: true))
    self.generation = generation
    if place == nil { try dropTentative() } else { try keep() }
  }

  // MARK: A first read that may begin anew

  func expect(restart: Bool) { mayBeginAnew = restart && !isAppendOnly && sink.keepsRows }
  var canTakeBack: Bool {
    place != nil || clears || (sink.canClear && isOwn) || !sink.keepsRows
  }

  private func clearIfDue() throws(TerraceError) {
    if clears { try sink.clear() }
    clears = false
  }

  private var tentativeName: String { job.replacing(".", with: "__") + "-tentative" }

  private func keep() throws(TerraceError) {
    if tentative != nil { return }
    tentative = try TentativeRows(
      tentativeName, written, key: key, warehouse, user: Self.user(job, generation),
      at: place ?? TentativeRows.Place(snapshot: 0, since: generation), generation: generation)
  }

  private func dropTentative() throws(TerraceError) {
    let name = TableName(database: HiddenTables.database, table: tentativeName)
    guard try warehouse.has(name) else { return }
    try warehouse.environment.files.deleteTree(try warehouse.path(of: name).root)
  }

  /// Once the first read is whole, takes back what only attempts before it gave.
  private func settle(epoch: Int64) throws(TerraceError) {
    if mayBeginAnew { try keep() }
    guard let tentative else { return }
    place = try tentative.commit(identifier: epoch)
    if mayBeginAnew { return }
    if tentative.hasOlder {
      try tentative.older { (delta) throws(TerraceError) in
        let (rows, kinds) =
          key.isEmpty
          ? TargetChanges.unkeyed(delta) : try TargetChanges.keyed(delta, key: key)
        try sink.write(rows, kinds: kinds)
      }
    }
    place = nil
  }

  func write(_ delta: DeltaBatch) throws(TerraceError) -> Int {
    if delta.count == 0 { return 0 }
    try clearIfDue()
    if isAppendOnly {
      let rows = try typed(try TargetChanges.inserts(delta))
      try sink.write(rows, kinds: nil)
      return rows.count
    }
    if mayBeginAnew { try keep() }
    let (changes, kinds) =
      key.isEmpty
      ? TargetChanges.unkeyed(delta) : try TargetChanges.keyed(delta, key: key)
    let rows = try typed(changes)
    if rows.count > 0 { try sink.write(rows, kinds: kinds) }
    if key.isEmpty {
      try tentative?.write(delta)
    } else {
      try tentative?.write(rows, kinds: kinds)
    }
    return rows.count
  }

  /// The rows as the target declares them, and not as the query has them: formats such as Avro write values
  /// that may be null otherwise.
  private func typed(_ rows: Batch) throws(TerraceError) -> Batch {
    for (column, field) in zip(rows.columns, written.fields)
    where !field.type.isNullable && column.nullCount > 0 {
      throw TerraceError(
        .invalid, "null in a column that is NOT NULL",
        hint: "leave such rows out (WHERE … IS NOT NULL), or give them a value (COALESCE)"
      ).with("column", field.name).with("job", job)
    }
    let columns = zip(rows.columns, written.fields).map {
      $0.type == $1.type ? $0 : $0.retyped($1.type)
    }
    return Batch(written, columns, count: rows.count)
  }

  func commit(_ root: Root, watermark: Int64?) throws(TerraceError) -> Snapshot {
    guard let writer else { preconditionFailure("committed before it was opened") }
    var root = root
    try clearIfDue()
    try settle(epoch: root.epoch)
    root.tentative = place
    let prepared = try sink.prepare(epoch: root.epoch)
    root.prepared = prepared
    let outcome = try writer.commit(
      identifier: root.epoch, watermark: watermark, properties: root.properties,
      ignoreEmpty: false)
    guard let last = outcome.snapshots.last else {
      throw TerraceError(.unavailable, "the commit made no snapshot").with("table", tableName)
    }
    try sink.publish(prepared)
    if place == nil, tentative != nil {
      // No root asks for them any more, whatever becomes of the process.
      tentative?.close()
      tentative = nil
      try dropTentative()
    }
    return last
  }

  /// What was written outside stays there until the job has come through a first read, if rows were kept for
  /// that: they are taken back then, if the read did not give them again.
  func startOver(_ root: Root, clears: Bool) throws(TerraceError) {
    var root = root
    let newest = try newestRoot(job, table)?.root
    root.tentative = newest?.tentative
    root.clears = root.tentative == nil && (clears || newest?.clears ?? false)
    let commit = try table.commit(user: Self.user(job, root.generation))
    _ = try commit.commit(
      [], identifier: root.epoch, properties: root.properties, ignoreEmpty: false)
  }

  func abandon() {
    writer?.abandon()
    tentative?.abandon()
    sink.close()
  }

  func close() {
    writer?.close()
    tentative?.close()
    sink.close()
  }
}
