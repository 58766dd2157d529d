import Columns
import Store
import Synchronization

/// Brings a source to the place in the log from which it is streamed: on a thread of its own, so that the
/// job's thread never waits for a server. A new source's rows are read first.
final class MySQLBegin: @unchecked Sendable {
  /// What the source is to become.
  enum Aim: Sendable {
    case begin
    case goOn(LogPlace<MySQLPosition>)
  }

  struct Start: Sendable {
    var place: LogPlace<MySQLPosition>
    var wants: MySQLSubscription.Wants
  }

  private struct State: ~Copyable {
    var queue: [SourceBatch] = []
    var bytes = 0
    var outcome: Result<Start, TerraceError>?
    var notices: [String] = []
    var isEnded = false
    var rows: Int64 = 0
  }

  let table: ConnectorTable
  let options: MySQLOptions
  let time: any Timekeeper
  private let state = Mutex(State())
  private var thread: Workers?
  private static let queueBytes = 48 << 20

  init(_ table: ConnectorTable, _ options: MySQLOptions, _ environment: Environment) {
    self.table = table
    self.options = options
    time = environment.time
  }

  func start(_ aim: Aim) {
    let thread = Workers(count: 1)
    self.thread = thread
    thread.submit {
      let outcome: Result<Start, TerraceError>
      do throws(TerraceError) { outcome = .success(try self.run(aim)) } catch {
        outcome = .failure(error)
      }
      self.state.withLock { $0.outcome = outcome }
    }
  }

  func stop() {
    state.withLock { $0.isEnded = true }
    thread?.stop()
    thread = nil
  }

  // MARK: The job's thread

  /// A batch of the snapshot; nil when none has come within `millis`.
  func next(waiting millis: Int) -> SourceBatch? {
    var left = millis
    while true {
      let (batch, isOver) = state.withLock { state -> (SourceBatch?, Bool) in
        if state.queue.isEmpty { return (nil, state.outcome != nil) }
        let first = state.queue.removeFirst()
        state.bytes -= first.rows.byteCount
        return (first, false)
      }
      if let batch { return batch }
      if isOver || left <= 0 { return nil }
      time.sleep(millis: 1)
      left -= 1
    }
  }

  /// Set when all batches were taken and the thread is done.
  var outcome: Result<Start, TerraceError>? {
    state.withLock { $0.queue.isEmpty ? $0.outcome : nil }
  }

  func takeNotices() -> [String] {
    state.withLock { state in
      let notices = state.notices
      state.notices = []
      return notices
    }
  }

  // MARK: The own threads

  var isEnded: Bool { state.withLock { $0.isEnded } }
  func say(_ text: String) { state.withLock { $0.notices.append(text) } }

  /// Hands a batch over; waits while too much lies in the queue.
  ///
  /// - Returns: false when nobody wants it any more.
  func push(_ batch: SourceBatch) -> Bool {
    while true {
      let (isEnded, isFull) = state.withLock { ($0.isEnded, $0.bytes > MySQLBegin.queueBytes) }
      if isEnded { return false }
      if !isFull { break }
      time.sleep(millis: 2)
    }
    state.withLock {
      $0.queue.append(batch)
      $0.bytes += batch.rows.byteCount
      $0.rows += Int64(batch.rows.count)
    }
    return true
  }

  private func run(_ aim: Aim) throws(TerraceError) -> Start {
    let connection = try MySQLConnection(options.server)
    try connection.query("SET SESSION sql_mode = '', time_zone = '+00:00'")
    let schema = MySQLSchema(connection: connection)
    let server = MySQLServer(connection: connection)
    if options.startup != .snapshotOnly { try server.check() }
    let zone: String
    if let named = options.zone { zone = named } else { zone = try server.zone() }
    var tables: [MySQLTableName: MySQLTable] = [:]
    for table in try found(schema, aim) { tables[table.name] = table }
    var wants = MySQLSubscription.Wants(
      table: table, options: options, zone: zone, tables: tables)
    if case .goOn(let place) = aim { return Start(place: place, wants: wants) }
    if !options.idle.isEmpty {
      say("without effect here: " + options.idle.joined(separator: ", "))
    }
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
      let snapshot = MySQLSnapshot(self, connection, wants)
      position = try snapshot.read(tables.values.sorted { $0.name < $1.name })
    }
    return Start(place: LogPlace(position, records: 0), wants: wants)
  }

  /// The tables that the options name, checked against what is declared.
  private func found(
    _ schema: MySQLSchema, _ aim: Aim
  ) throws(TerraceError) -> [MySQLTable] {
    let names = try MySQLNames(options)
    var tables: [MySQLTable] = []
    for name in try schema.tableNames(database: nil, table: nil) where names.matches(name) {
      guard let found = try schema.described(name) else { continue }
      do throws(TerraceError) { try check(found, aim) } catch {
        throw error.with("table", name.text)
      }
      tables.append(found)
    }
    if tables.isEmpty {
      throw TerraceError(
        .notFound, "no table \(options.database).\(options.table) in \(options.server.place)",
        hint: "or the user has no right to see it"
      ).with("table", table.name)
    }
    return tables
  }

  private func check(_ found: MySQLTable, _ aim: Aim) throws(TerraceError) {
    let metadata = Set(table.metadata.map(\.column))
    for field in table.type.fields where !metadata.contains(field.name) {
      guard let column = found.columns.first(where: { $0.name == field.name }) else {
        // With schema evolution the job is told in time; else it is null from where it went.
        if options.followsSchema { continue }
        if case .goOn = aim { continue }
        throw TerraceError(.invalid, "the table has no column \(field.name)")
          .with("columns", found.columns.map(\.name).joined(separator: " "))
      }
      if column.isGenerated {
        throw TerraceError(
          .unsupported, "the generated column \(field.name): the binary log need not hold it",
          hint: "declare it as a computed column: \(field.name) AS …")
      }
      if !column.fits(field.type) { throw MySQLSubscription.misfit(column, field.type) }
    }
  }
}
