import Columns
import Store

/// Tables of a MySQL or MariaDB server: first rows at one moment of the binary log, then the log.
struct MySQLOrigin: LogOrigin {
  struct HubKey: Hashable, Sendable {
    var server: MySQLConnection.Settings
    var servers: ClosedRange<UInt32>
    var folder: String
  }

  private static let hubs = LogHubs<HubKey, MySQLLog>()

  let type: RowType
  let hub: LogHub<MySQLLog>
  private let table: ConnectorTable
  private let options: MySQLOptions
  private let key: HubKey

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    let options = try MySQLOptions(table)
    self.table = table
    self.options = options
    // Also a check of the columns.
    type = try MySQLRows(table).type
    key = HubKey(server: options.server, servers: options.servers, folder: table.folder)
    hub = try Self.hubs.acquire(key) { () throws(TerraceError) in
      let log = MySQLLog(options.server, servers: options.servers, time: environment.time)
      return LogHub(
        log, ledger: nil, time: environment.time, limit: environment.aheadBytes)
    }
  }

  /// A server throws old files of its log away.
  func movesOn(from place: MySQLPosition, to read: MySQLPosition, after millis: Int64) -> Bool {
    read.file != place.file || options.heartbeatMillis.map { millis >= $0 } ?? false
  }

  var style: ChangeStyle { .retractions }
  var place: String { options.server.place }
  var reject: RecordFormat.Reject { options.reject }
  func release() { Self.hubs.release(key, hub, reader: table.reader) }

  func begin(
    _ aim: LogBegin<MySQLLog>.Aim, _ begin: LogBegin<MySQLLog>
  ) throws(TerraceError) -> LogStart<MySQLLog> {
    let connection = try MySQLConnection(options.server, cut: begin.cut)
    try connection.query("SET SESSION sql_mode = '', time_zone = '+00:00'")
    let schema = MySQLSchema(connection: connection)
    let server = MySQLServer(connection: connection, number: options.servers.lowerBound)
    if options.startup != .snapshotOnly { try server.check() }
    let zone: String
    if let named = options.zone { zone = named } else { zone = try server.zone() }
    var tables: [MySQLTableName: MySQLTable] = [:]
    for table in try found(schema, aim) { tables[table.name] = table }
    var wants = MySQLSubscription.Wants(
      table: table, options: options, zone: zone, tables: tables)
    wants.ignoresCase = try server.variable("lower_case_table_names") != "0"
    if case .goOn(let place, _) = aim {
      if tables.isEmpty {
        begin.say(
          "there is no table \(options.database).\(options.table) any more: its log goes on")
      }
      return LogStart(subscription: try MySQLSubscription(wants, from: place))
    }
    if !options.idle.isEmpty {
      begin.say("without effect here: " + options.idle.joined(separator: ", "))
    }
    if let drift = try drift(tables) { return LogStart(drift: drift) }
    wants.isFresh = true
    let position: MySQLPosition
    // What the tables are now is what they were there, too.
    wants.isSure = [.initial, .latest].contains(options.startup)
    switch options.startup {
    case .latest: position = try server.position()
    case .earliest: position = try server.earliest()
    case .timestamp(let millis):
      position = try server.earliest()
      wants.fromMillis = millis
    case .gtids(let text): position = try server.position(gtids: text)
    case .file(let file, let offset): position = try server.position(file: file, offset)
    case .initial, .snapshotOnly:
      let snapshot = MySQLSnapshot(begin, connection, wants)
      position = try snapshot.read(tables.values.sorted { $0.name < $1.name })
    }
    if options.startup == .snapshotOnly { return LogStart() }
    return LogStart(
      subscription: try MySQLSubscription(wants, from: LogPlace(position, records: 0)))
  }

  func present() throws(TerraceError) -> MySQLPosition {
    try MySQLServer(connection: try MySQLConnection(options.server, readSeconds: 60)).position()
  }

  /// The tables that the options name, checked against what is declared.
  private func found(
    _ schema: MySQLSchema, _ aim: LogBegin<MySQLLog>.Aim
  ) throws(TerraceError) -> [MySQLTable] {
    let names = try MySQLNames(options)
    var tables: [MySQLTable] = []
    for name in try schema.tableNames(database: nil, table: nil) where names.matches(name) {
      guard let found = try schema.described(name) else { continue }
      // Of a table that is followed already the log tells what became of it, and where.
      if case .begin = aim {
        do throws(TerraceError) { try check(found) } catch {
          throw error.with("table", name.text)
        }
      }
      tables.append(found)
    }
    if tables.isEmpty, case .begin = aim {
      throw TerraceError(
        .notFound, "no table \(options.database).\(options.table) in \(options.server.place)",
        hint: "or the user has no right to see it"
      ).with("table", table.name)
    }
    return tables
  }

  /// What became of a table since the catalog told of it, before its first rows are read.
  private func drift(
    _ tables: [MySQLTableName: MySQLTable]
  ) throws(TerraceError) -> SchemaDrift? {
    guard options.followsSchema, options.isSynced, tables.count == 1,
      let now = tables.first?.value,
      [.initial, .latest, .snapshotOnly].contains(options.startup)
    else { return nil }
    var drift = MySQLDrift(table, options.switches)
    try drift.compare(now)
    return drift.drift(now.name, now: now, place: nil)
  }

  private func check(_ found: MySQLTable) throws(TerraceError) {
    let metadata = Set(table.metadata.map(\.column))
    for field in table.type.fields where !metadata.contains(field.name) {
      guard let column = found.columns.first(where: { $0.name == field.name }) else {
        // With schema evolution the job is told in time.
        if options.followsSchema { continue }
        throw TerraceError(.invalid, "the table has no column \(field.name)")
          .with("columns", found.columns.map(\.name).joined(separator: " "))
      }
      if column.isGenerated {
        throw TerraceError(
          .unsupported, "the generated column \(field.name): the binary log need not hold it",
          hint: "declare it as a computed column: \(field.name) AS …")
      }
      if options.followsSchema, options.isSynced { continue }
      if !column.fits(field.type) { throw MySQLSubscription.misfit(column, field.type) }
    }
  }
}
