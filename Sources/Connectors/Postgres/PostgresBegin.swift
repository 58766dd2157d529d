import Columns
import Store
import Synchronization

/// Brings a source to the place in the log from which it is streamed: on a thread of its own, so that the
/// job's thread never waits for a server. A new source's rows are read first, in parallel.
final class PostgresBegin: @unchecked Sendable {
  /// What the source is to become.
  enum Aim: Sendable {
    case snapshot, latest
    case goOn(LogPlace<PostgresPosition>, seen: PostgresVisibility?, until: PostgresPosition?)
  }

  struct Start: Sendable {
    var place: LogPlace<PostgresPosition>
    var seen: PostgresVisibility?
    /// Behind it, what `seen` sees does not come any more.
    var until: PostgresPosition?
    var wants: PostgresSubscription.Wants
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
  let options: PostgresOptions
  let entry: PostgresHubs.Entry
  let time: any Timekeeper
  private let state = Mutex(State())
  private var thread: Workers?
  private static let queueBytes = 48 << 20

  init(
    _ table: ConnectorTable, _ options: PostgresOptions, _ entry: PostgresHubs.Entry,
    _ environment: Environment
  ) {
    self.table = table
    self.options = options
    self.entry = entry
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
      let (isEnded, isFull) = state.withLock { ($0.isEnded, $0.bytes > PostgresBegin.queueBytes) }
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
    let connection = try PostgresConnection(options.server)
    let schema = PostgresSchema(connection)
    let tables = try PostgresTables.found(options, table, schema)
    let slot = PostgresSlot(connection: connection, options: options)
    var names = Set(tables.map(\.name))
    for table in tables where table.isPartitioned {
      names.formUnion(try schema.leaves(table))
    }
    let wants = PostgresSubscription.Wants(
      table: table, database: options.server.database, names: names,
      publication: options.publication, tellsOldRows: options.tellsOldRows,
      followsSchema: options.followsSchema,
      checksText: connection.parameter("server_encoding") == "SQL_ASCII")
    if case .snapshot = aim, options.startup == .snapshotOnly {
      let place = LogPlace(PostgresPosition(0), records: 0)
      let snapshot = PostgresSnapshot(self, connection, schema, slot, wants)
      _ = try snapshot.read(tables)
      return Start(place: place, wants: wants)
    }
    var isNew = true
    if case .goOn = aim { isNew = false }
    let (begin, wasChanged) = try setUp(slot, tables, isNew)
    switch aim {
    case .goOn(let place, let seen, let until):
      if let told = try entry.hub.told(), begin > told {
        throw PostgresSlot.lost(options.slot, "was made anew, or moved on by somebody else")
      }
      return Start(place: place, seen: seen, until: until, wants: wants)
    case .latest:
      let pinned = try entry.hub.pin(table.reader, at: begin)
      if wasChanged { try awaitRunning(slot) }
      if options.startup == .never {
        // What the slot holds already counts.
        return Start(place: LogPlace(pinned, records: 0), wants: wants)
      }
      let now = try connection.query("SELECT pg_current_wal_flush_lsn()").text(0, 0) ?? ""
      return Start(
        place: LogPlace(max(pinned, try PostgresPosition(text: now)), records: 0), wants: wants)
    case .snapshot:
      let pinned = try entry.hub.pin(table.reader, at: begin)
      if wasChanged { try awaitRunning(slot) }
      let snapshot = PostgresSnapshot(self, connection, schema, slot, wants)
      let (seen, until) = try snapshot.read(tables)
      return Start(
        place: LogPlace(pinned, records: 0), seen: seen, until: until, wants: wants)
    }
  }

  private func awaitRunning(_ slot: PostgresSlot) throws(TerraceError) {
    try slot.awaitRunning(
      isEnded: { self.isEnded }, say: { self.say("\(self.table.name): \($0)") },
      time: { self.time.sleep(millis: $0) })
  }

  /// Publication, then slot: the log of a slot must know the publication from its beginning on.
  private func setUp(
    _ slot: PostgresSlot, _ tables: [PostgresTable], _ isNew: Bool
  ) throws(TerraceError) -> (PostgresPosition, Bool) {
    let result = entry.setup.withLock { _ -> Result<(PostgresPosition, Bool), TerraceError> in
      do throws(TerraceError) {
        let wasChanged = isNew ? try slot.publish(tables) : false
        return .success((try slot.begin(makes: isNew), wasChanged))
      } catch { return .failure(error) }
    }
    return try result.get()
  }
}

/// The tables that a source's options name, and whether they can be read as declared.
enum PostgresTables {
  static func found(
    _ options: PostgresOptions, _ declared: ConnectorTable, _ schema: PostgresSchema
  ) throws(TerraceError) -> [PostgresTable] {
    var tables: [PostgresTable] = []
    for table in try schema.tables(schema: options.schema, table: options.table) {
      tables.append(try schema.described(table))
    }
    if tables.isEmpty {
      throw TerraceError(
        .notFound, "no table \(options.schema).\(options.table) in \(options.server.place)"
      ).with("table", declared.name)
    }
    for table in tables {
      do throws(TerraceError) { try check(table, declared, options) } catch {
        throw error.with("table", table.name.text)
      }
    }
    return tables
  }

  private static func check(
    _ table: PostgresTable, _ declared: ConnectorTable, _ options: PostgresOptions
  ) throws(TerraceError) {
    let metadata = Set(declared.metadata.map(\.column))
    for field in declared.type.fields where !metadata.contains(field.name) {
      guard let column = table.column(field.name) else {
        // With schema evolution the job is told in time; else a later column may be missing for a while.
        if options.followsSchema { continue }
        throw TerraceError(.invalid, "the table has no column \(field.name)")
          .with("columns", table.columns.map(\.name).joined(separator: " "))
      }
      if column.isGenerated {
        throw TerraceError(
          .unsupported, "the generated column \(field.name): the server's log does not hold it",
          hint: "declare it as a computed column: \(field.name) AS …")
      }
      if !column.type.fits(field.type) {
        throw TerraceError(
          .invalid,
          "the column \(field.name) is \(column.type.name), and cannot be read as \(field.type.text)",
          hint: "declare \(column.type.columnType.text), or STRING for its text")
      }
    }
    if options.startup == .snapshotOnly { return }
    try checkIdentity(table, declared, metadata, options)
  }

  private static func checkIdentity(
    _ table: PostgresTable, _ declared: ConnectorTable, _ metadata: Set<String>,
    _ options: PostgresOptions
  ) throws(TerraceError) {
    let advice = "ALTER TABLE \(table.name.quoted) REPLICA IDENTITY FULL"
    if options.tellsOldRows, !table.tellsOldRows {
      throw TerraceError(
        .invalid, "the server's log does not hold the table's old rows",
        hint: advice + "; or declare a PRIMARY KEY and leave 'changelog-mode' out")
    }
    if table.identityColumns.isEmpty {
      // In a publication, updates of such a table would fail on the server.
      throw TerraceError(
        .invalid, "the table has no primary key, and its log says nothing of old rows",
        hint: advice)
    }
    for name in declared.primaryKey where !metadata.contains(name) {
      if !table.identityColumns.contains(name) {
        throw TerraceError(
          .invalid,
          "the PRIMARY KEY has \(name), which the server's log does not tell of old rows",
          hint: advice + "; or declare \(table.identityColumns.joined(separator: ", "))")
      }
    }
  }
}
