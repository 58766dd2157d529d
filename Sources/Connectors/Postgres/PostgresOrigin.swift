import Columns
import Store
import Synchronization

/// Tables of a PostgreSQL server: first rows of one snapshot, then the log of a slot.
struct PostgresOrigin: LogOrigin {
  struct HubKey: Hashable, Sendable {
    var server: PostgresConnection.Settings
    var slot: String
    var folder: String
  }

  private static let hubs = LogHubs<HubKey, PostgresLog>()

  let type: RowType
  let style: ChangeStyle
  let hub: LogHub<PostgresLog>
  private let table: ConnectorTable
  private let options: PostgresOptions
  private let key: HubKey

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    let options = try PostgresOptions(table)
    self.table = table
    self.options = options
    style = options.tellsOldRows ? .retractions : .upserts
    // Also a check of the columns.
    let rows = try PostgresRows(
      table, database: options.server.database, tellsUnchanged: !options.tellsOldRows)
    type = rows.type
    key = HubKey(server: options.server, slot: options.slot, folder: table.folder)
    hub = try Self.hubs.acquire(key) { () throws(TerraceError) in
      let server = options.server
      let name = "\(server.host)-\(server.port)-\(server.database)-\(options.slot)"
      let plain = String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
      let ledger = try LogLedger<PostgresPosition>(
        LogLedgers.path(table.folder, "postgres-\(plain)"), environment.files)
      ledger.mark(["@slot": options.slot, "@place": server.place])
      let beat = options.heartbeatQuery.map { (query: $0, millis: options.heartbeatMillis) }
      let log = PostgresLog(server, slot: options.slot, heartbeat: beat, time: environment.time)
      return LogHub(
        log, ledger: ledger, time: environment.time, limit: environment.aheadBytes)
    }
  }

  var place: String { options.server.place }
  var reject: RecordFormat.Reject { options.reject }
  func release() { Self.hubs.release(key, hub, reader: table.reader) }

  func begin(
    _ aim: LogBegin<PostgresLog>.Aim, _ begin: LogBegin<PostgresLog>
  ) throws(TerraceError) -> LogStart<PostgresLog> {
    let connection = try PostgresConnection(
      options.server, quietSeconds: PostgresConnection.readSeconds, cut: begin.cut)
    let schema = PostgresSchema(connection)
    let slot = PostgresSlot(connection: connection, options: options)
    if case .goOn(let place, let overlap) = aim {
      return try goOn(place, overlap, begin, schema, slot)
    }
    let tables = try PostgresTables.found(options, table, schema)
    if tables.count == 1, options.followsSchema,
      let drift = PostgresDrift.drift(tables[0], table, options)
    {
      return LogStart(drift: drift)
    }
    for one in tables { try PostgresTables.check(one, table, options) }
    let followed = tables.count == 1 ? tables[0].id : nil
    let wants = try wants(tables, followed, Set(tables.map(\.name)), schema, connection)
    let snapshot = PostgresSnapshot(begin, connection, schema, slot, wants)
    if options.startup == .snapshotOnly {
      _ = try snapshot.read(tables)
      return LogStart()
    }
    let (held, isMade, wasChanged) = try setUp(slot, tables, true, begin)
    try hub.begin(table.reader, at: held, marks: isMade ? ["@made": "by Terrace"] : [:])
    let pinned = try hub.pin(table.reader, at: held)
    // Everything before the place is seen by what is read now.
    if wasChanged || options.startup == .initial {
      try slot.awaitRunning(PostgresPatience(options.server, begin))
    }
    if options.startup == .initial {
      return try start(wants, LogPlace(pinned, records: 0), try snapshot.read(tables))
    }
    // With `never`, what the slot holds already counts.
    let from = options.startup == .never ? pinned : max(pinned, try present(connection))
    return try start(wants, LogPlace(from, records: 0), nil)
  }

  /// Goes on at a place of the log: the log tells what became of the table since, and the catalog only what
  /// no log tells.
  private func goOn(
    _ place: LogPlace<PostgresPosition>, _ overlap: SnapshotOverlap<PostgresPosition>?,
    _ begin: LogBegin<PostgresLog>, _ schema: PostgresSchema, _ slot: PostgresSlot
  ) throws(TerraceError) -> LogStart<PostgresLog> {
    let known = begin.followed.flatMap { UInt32($0) }
    let found = try schema.tables(schema: options.schema, table: options.table)
    // Places that were written before had no table.
    let followed = known ?? (found.count == 1 ? found[0].id : nil)
    if followed == nil, found.isEmpty { throw PostgresTables.missing(options, table) }
    var names = Set(found.filter { followed == nil || $0.id == followed }.map(\.name))
    names.insert(PostgresTableName(schema: options.schema, table: options.table))
    let (held, _, _) = try setUp(slot, [], false, begin)
    if let told = try hub.told(), held > told {
      throw PostgresSlot.lost(options.slot, "was made anew, or moved on by somebody else")
    }
    var wants = try wants(found, followed, names, schema, slot.connection)
    if let followed, let drift = try PostgresTables.stray(followed, names, schema) {
      wants.fate = PostgresSubscription.Fate(position: try present(slot.connection), drift: drift)
    } else {
      for one in found where followed == nil || one.id == followed { try slot.checkPublished(one) }
    }
    return try start(wants, place, overlap)
  }

  private func wants(
    _ tables: [PostgresTable], _ followed: UInt32?, _ names: Set<PostgresTableName>,
    _ schema: PostgresSchema, _ connection: PostgresConnection
  ) throws(TerraceError) -> PostgresSubscription.Wants {
    var wants = PostgresSubscription.Wants(
      table: table, options: options, roots: names, names: names.union(tables.map(\.name)),
      followed: followed,
      checksText: connection.parameter("server_encoding") == "SQL_ASCII")
    for table in tables where table.isPartitioned {
      let partitions = try schema.partitions(table.id)
      wants.names.formUnion(partitions.values)
      if table.id == followed { wants.partitions = partitions }
    }
    return wants
  }

  private func start(
    _ wants: PostgresSubscription.Wants, _ place: LogPlace<PostgresPosition>,
    _ overlap: SnapshotOverlap<PostgresPosition>?
  ) throws(TerraceError) -> LogStart<PostgresLog> {
    let seen: PostgresVisibility?
    if let text = overlap?.seen { seen = try PostgresVisibility(text) } else { seen = nil }
    return LogStart(
      subscription: try PostgresSubscription(wants, from: place, seen: seen), overlap: overlap,
      followed: wants.followed.map { String($0) })
  }

  func present() throws(TerraceError) -> PostgresPosition {
    try present(try PostgresConnection(options.server))
  }

  private func present(_ connection: PostgresConnection) throws(TerraceError) -> PostgresPosition {
    let text = try connection.query("SELECT pg_current_wal_flush_lsn()").text(0, 0) ?? ""
    return try PostgresPosition(text: text)
  }

  /// Publication, then slot: the log of a slot must know the publication from its beginning on.
  private func setUp(
    _ slot: PostgresSlot, _ tables: [PostgresTable], _ isNew: Bool,
    _ begin: LogBegin<PostgresLog>
  ) throws(TerraceError) -> (held: PostgresPosition, isMade: Bool, wasChanged: Bool) {
    let patience = PostgresPatience(options.server, begin)
    let made = try hub.setUp(begin) {
      () throws(TerraceError) -> (held: PostgresPosition, isMade: Bool, wasChanged: Bool) in
      let wasChanged = isNew ? try slot.publish(tables) : false
      let (held, isMade) = try slot.begin(makes: isNew, patience)
      return (held, isMade, wasChanged)
    }
    guard let made else { throw PostgresPatience.stopped }
    return made
  }
}
