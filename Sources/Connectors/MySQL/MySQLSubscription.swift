import Columns
import Formats
import Store

/// One source's share of the log: rows of its tables, decoded as the log tells them.
final class MySQLSubscription: LogSubscription<MySQLPosition>, @unchecked Sendable {
  /// How a table of the log becomes rows of the source.
  final class Route {
    let name: MySQLTableName
    let plan: ImagePlan
    /// Columns of the source that the log has not.
    let missing: [Int]
    /// Why its rows can only be passed over.
    let refusal: TerraceError?
    /// The job must follow the table first.
    let drift: SchemaDrift?

    init(
      _ name: MySQLTableName, _ plan: ImagePlan, missing: [Int] = [], refusal: TerraceError? = nil,
      drift: SchemaDrift? = nil
    ) {
      self.name = name
      self.plan = plan
      self.missing = missing
      self.refusal = refusal
      self.drift = drift
    }
  }

  struct Wants {
    var table: ConnectorTable
    var options: MySQLOptions
    var zone: String
    var tables: [MySQLTableName: MySQLTable]
    /// Transactions before are passed over.
    var fromMillis: Int64 = .min
    /// `tables` is how they were at the place in the log, and not only how they are now.
    var isSure = false
    /// Nothing was given so far.
    var isFresh = false
    /// The server does not tell names of tables apart by upper and lower case.
    var ignoresCase = false
    /// Of all tables that the names match this one alone.
    var only: MySQLTableName?
  }

  let wanted: Wants
  let names: MySQLNames
  private(set) var tables: [MySQLTableName: MySQLTable]
  private var stale: Set<MySQLTableName> = []
  /// Tables of which a statement about columns was not understood: the log shows what it did.
  private var unclear: Set<MySQLTableName> = []
  /// Tables that rows were given of.
  private(set) var given: Set<MySQLTableName> = []
  /// Tables of which the columns are known as they were at the place in the log.
  private var sure: Set<MySQLTableName>
  private let rows: MySQLRows
  private let zone: MySQLZone
  private var saidMissing: Set<String> = []

  init(_ wanted: Wants, from place: LogPlace<MySQLPosition>) throws(TerraceError) {
    self.wanted = wanted
    tables = wanted.tables
    sure = wanted.isSure ? Set(wanted.tables.keys) : []
    names = try MySQLNames(wanted.options)
    rows = try MySQLRows(wanted.table)
    guard let zone = MySQLZone(wanted.zone) else {
      throw TerraceError(.invalid, "no such time zone").with("server-time-zone", wanted.zone)
    }
    self.zone = zone
    super.init(wanted.table.reader, from: place)
  }

  override func drain() throws(TerraceError) -> SourceBatch {
    try rows.take(allInserts: false)
  }
  override func reset() { rows.forget() }

  override var isFull: Bool { pending >= 16_384 || rows.byteCount > 4 << 20 }

  // MARK: Tables

  /// How a table of the log is read; what keeps it from being read goes to the source.
  func route(_ map: TableMap, _ ask: any LogQuestions) throws(TerraceError) -> Route? {
    let name = MySQLTableName(database: map.database, table: map.table)
    guard !isHalted, names.matches(name), wanted.only == nil || wanted.only == name else {
      return nil
    }
    do throws(TerraceError) {
      if tables[name] == nil || stale.contains(name) { try learn(name, ask) }
      if let route = try made(map, name, ask) { return route }
      try learn(name, ask)
      if let route = try made(map, name, ask) { return route }
      throw other(name, map)
    } catch {
      if error.kind == .unavailable { throw error }
      // What the source has already may stand there again.
      let columns = map.types.indices.map { LoggedColumn(type: map.types[$0], meta: map.meta[$0]) }
      return Route(name, ImagePlan(columns, rows, zone), refusal: error)
    }
  }

  private func other(_ name: MySQLTableName, _ map: TableMap) -> TerraceError {
    TerraceError(
      .invalid,
      "rows in the binary log are from before a change of the columns of \(name.text), and do not "
        + "name their columns",
      hint: "SET GLOBAL binlog_row_metadata = 'FULL' lets the log name them from then on; "
        + "“terrace run --rebuild TABLE” reads the table again"
    ).with("log", map.types.count).with("table", tables[name]?.columns.count ?? 0)
  }

  private func learn(
    _ name: MySQLTableName, _ ask: any LogQuestions
  ) throws(TerraceError) {
    stale.remove(name)
    sure.remove(name)
    tables[name] = try ask.schema().described(name)
  }

  /// Nil when what is known of the table does not fit its rows.
  private func made(
    _ map: TableMap, _ name: MySQLTableName, _ ask: any LogQuestions
  ) throws(TerraceError) -> Route? {
    let known = tables[name]?.columns ?? []
    if map.told == nil {
      // By their places: they must be the places of that time.
      guard known.count == map.types.count,
        zip(known, map.types).allSatisfy({ $0.isLogged(as: $1) })
      else { return nil }
      if !sure.contains(name) {
        if try ask.movesAhead(name) { return nil }
        sure.insert(name)
      }
    }
    var columns: [LoggedColumn] = []
    var described: [MySQLColumn] = []
    var missing = Array(rows.physical.indices)
    var misfit: TerraceError?
    for (c, type) in map.types.enumerated() {
      let logged = LoggedColumn(type: type, meta: map.meta[c])
      let columnName = map.told?[c].name ?? known[c].name
      columns.append(logged)
      let place = rows.physical.firstIndex { $0.name == columnName }
      // Of others it is only asked when the whole table is compared.
      if place == nil, !unclear.contains(name) { continue }
      var column = known.count == map.types.count ? known[c] : nil
      if let told = map.told?[c] {
        column = try MySQLColumn(told, type, map.meta[c], try ask.schema().collations())
      }
      guard let column else { continue }
      described.append(column)
      guard let i = place else { continue }
      let declared = rows.type.fields[rows.physical[i].place].type
      // How long texts may be the log does not say: each value shows it.
      if map.told == nil || !column.isText || column.type(MySQLTypeSwitches()) == nil,
        !column.fits(declared)
      {
        misfit = Self.misfit(column, declared)
        continue
      }
      logged.target = i
      missing.removeAll { $0 == i }
      try Self.fill(logged, column, declared)
    }
    var drift: SchemaDrift?
    if wanted.options.followsSchema, misfit != nil || !missing.isEmpty || unclear.contains(name) {
      drift = try compared(name, described, ask)
    }
    if drift == nil, let misfit { throw misfit }
    return Route(name, ImagePlan(columns, rows, zone), missing: missing, drift: drift)
  }

  /// What the rows in the log have to say of a change that no statement told.
  private func compared(
    _ name: MySQLTableName, _ logged: [MySQLColumn], _ ask: any LogQuestions
  ) throws(TerraceError) -> SchemaDrift? {
    let now = try ask.schema().described(name)
    var drift = MySQLDrift(wanted.table, wanted.options.switches)
    let takesNew = unclear.remove(name) != nil
    try drift.compare(logged, now: now?.columns ?? [], takesNew: takesNew)
    return drift.drift(name, now: now, place: nil)
  }

  private func sayMissing(_ route: Route) {
    guard !route.missing.isEmpty else { return }
    let list = route.missing.map { rows.physical[$0].name }.joined(separator: ", ")
    guard saidMissing.insert(list).inserted else { return }
    say("\(route.name.text) has no column \(list) in the log: it is null from here on")
  }

  static func misfit(_ column: MySQLColumn, _ declared: DataType) -> TerraceError {
    let natural = column.type(MySQLTypeSwitches())
    return TerraceError(
      natural == nil ? .unsupported : .invalid,
      natural == nil
        ? column.refusal
        : "the column \(column.name) is \(column.full), and cannot be read as \(declared.nullable.text)",
      hint: natural.map { "declare \($0.nullable.text), or STRING for its text" } ?? ""
    ).with("column", column.name)
  }

  private static func fill(
    _ logged: LoggedColumn, _ column: MySQLColumn, _ declared: DataType
  ) throws(TerraceError) {
    logged.isUnsigned = column.isUnsigned
    logged.fraction = column.fraction
    logged.isBinary =
      column.base == "binary" || column.base == "varbinary"
      || column.base.hasSuffix("blob")
    logged.members = logged.type == 247 || logged.type == 248 ? column.members : []
    if case .timestampLTZ = declared.kind {} else { logged.isShifted = column.base == "timestamp" }
    let texts = ["char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json"]
    if texts.contains(column.base) {
      if let name = column.charset, !["utf8", "utf8mb3", "utf8mb4", "ascii"].contains(name) {
        guard let charset = MySQLCharset(name) else {
          throw TerraceError(.unsupported, "the character set \(name)").with("column", column.name)
        }
        logged.charset = charset
      }
    } else if logged.type == 252 || logged.type == 255, !logged.isBinary {
      logged.isGeometry = true
    }
  }

  // MARK: Changes of the table

  /// A statement that may have changed one of the tables.
  func changed(
    _ statement: String, _ database: String, _ transaction: LogTransaction<MySQLPosition>,
    _ ask: any LogQuestions
  ) throws(TerraceError) {
    guard isAhead(transaction) else { return }
    for name in tables.keys.sorted() where MySQLStatement.concerns(statement, database, name) {
      // Rows before are not read again with what is known behind it.
      flush()
      stale.insert(name)
    }
    for change in MySQLDefinition(statement, in: database).changes {
      try take(change, transaction, ask)
      if isHalted { return }
    }
  }

  /// The table of the source that is called so; nil when it is none.
  private func own(_ name: MySQLTableName) -> MySQLTableName? {
    if names.matches(name) { return name }
    guard wanted.ignoresCase else { return nil }
    let lower = MySQLTableName(
      database: name.database.lowercased(), table: name.table.lowercased())
    return names.matches(lower) ? lower : nil
  }

  private func take(
    _ change: MySQLTableChange, _ transaction: LogTransaction<MySQLPosition>,
    _ ask: any LogQuestions
  ) throws(TerraceError) {
    switch change {
    case .emptied(let name):
      if let name = own(name) { emptied("TRUNCATE emptied \(name.text)", name) }
    case .moved(let name, let by):
      if let name = own(name) {
        emptied("\(by) changed rows of \(name.text), and the log does not have them", name)
      }
    case .dropped(let name): if let name = own(name) { gone(name, "was dropped") }
    case .droppedDatabase(let database):
      for name in tables.keys.sorted() where name.database == database {
        gone(name, "was dropped")
        if isHalted { return }
      }
    case .replaced(let name):
      if let name = own(name), !isUnread(name) { stop("\(name.text) was dropped and made anew") }
    case .renamed(let from, let to):
      if let name = own(from) { gone(name, "was renamed to \(to.text)") }
      if !isHalted, let name = own(to) { stop("\(from.text) was renamed to \(name.text)") }
    case .altered(let name, let changes):
      if let name = own(name) { try altered(name, changes, transaction, ask) }
    }
  }

  private func altered(
    _ name: MySQLTableName, _ changes: [MySQLColumnChange],
    _ transaction: LogTransaction<MySQLPosition>, _ ask: any LogQuestions
  ) throws(TerraceError) {
    guard wanted.options.followsSchema else { return }
    if let followed = wanted.options.followed, transaction.position <= followed { return }
    if changes.contains(.unclear) { unclear.insert(name) }
    var drift = MySQLDrift(wanted.table, wanted.options.switches)
    do throws(TerraceError) { try drift.apply(changes) } catch {
      flush(failure: error.with("table", name.text))
      return halt()
    }
    for notice in drift.notices { say("\(name.text): \(notice)") }
    if drift.reasons.isEmpty { return }
    let now = try ask.schema().described(name)
    flush(drift: drift.drift(name, now: now, place: transaction.position.text))
    halt()
  }

  /// Nothing of it was given: whatever became of it before is of no interest.
  private func isUnread(_ name: MySQLTableName) -> Bool {
    wanted.isFresh && wanted.options.startup != .initial && !given.contains(name)
  }

  private func emptied(_ reason: String, _ name: MySQLTableName) {
    if isUnread(name) { return }
    if wanted.options.startup == .initial {
      flush(restart: reason)
    } else {
      flush(
        failure: TerraceError(
          .invalid, reason,
          hint: "with 'scan.startup.mode' = 'initial' the table would be read again"
        ).with("table", name.text))
    }
    halt()
  }

  private func gone(_ name: MySQLTableName, _ what: String) {
    if isUnread(name) { return }
    if names.isOne { return stop("\(name.text) \(what)") }
    say("\(name.text) \(what): its rows stay here")
  }

  private func stop(_ reason: String) {
    if wanted.options.followsSchema {
      flush(drift: SchemaDrift(columns: [], primaryKey: [], isDropped: true, reason: reason))
    } else {
      flush(
        failure: TerraceError(
          .invalid, "\(reason): its rows here are not those of the server any more",
          hint: "“terrace run --rebuild TABLE” begins anew"
        ).with("table", wanted.table.name))
    }
    halt()
  }

  /// A statement that writes rows stands in the log in place of these.
  func wrote(_ written: [MySQLTableName], _ transaction: LogTransaction<MySQLPosition>) {
    guard isAhead(transaction), let name = written.lazy.compactMap(own).first else { return }
    flush(
      failure: TerraceError(
        .invalid, "a statement changed \(name.text), and its rows are not in the binary log",
        hint:
          "a session has binlog_format = STATEMENT; when it has ROW, “terrace run --rebuild TABLE” "
          + "reads the table again"
      ).with("table", name.text))
    halt()
  }

  /// A statement stands in the log that may have written any table.
  func wroteAnything(_ transaction: LogTransaction<MySQLPosition>) {
    stop(
      at: transaction,
      "a statement stands in the binary log that may have changed rows by a function",
      "a session has binlog_format = STATEMENT; when it has ROW, “terrace run --rebuild TABLE” reads "
        + "the table again")
  }

  /// Rows that were given are none.
  func tookBack(_ transaction: LogTransaction<MySQLPosition>) {
    stop(
      at: transaction, "the binary log has rows of a transaction that was rolled back",
      "it made a temporary table, or wrote a table without transactions; “terrace run --rebuild "
        + "TABLE” reads the table again")
  }

  private func stop(
    at transaction: LogTransaction<MySQLPosition>, _ reason: String, _ hint: String
  ) {
    guard isAhead(transaction) else { return }
    flush(failure: TerraceError(.invalid, reason, hint: hint))
    halt()
  }

  // MARK: Rows

  /// Decodes the rows of an event; a row that cannot be told from its bytes stops the table, not the others.
  func take(
    _ event: BinlogRows, _ route: Route, _ transaction: LogTransaction<MySQLPosition>
  ) {
    rows.place = transaction.position
    do throws(TerraceError) {
      guard event.columnCount == route.plan.columns.count else {
        throw TerraceError(.corrupted, "rows of another table than the log says")
      }
      try decode(event, route, transaction)
    } catch {
      rows.abandon()
      flush(failure: error.with("table", route.name.text))
      halt()
    }
  }

  private func decode(
    _ event: BinlogRows, _ route: Route, _ transaction: LogTransaction<MySQLPosition>
  ) throws(TerraceError) {
    let isFull = Self.isFull(event.present, event.columnCount)
    let isFullAfter =
      event.kind == .update ? Self.isFull(event.presentAfter, event.columnCount) : isFull
    let plan = route.plan
    var bytes = ImageBytes(event.images)
    let isLate = transaction.millis >= wanted.fromMillis
    if wanted.isFresh { given.insert(route.name) }
    while !bytes.isAtEnd {
      guard isLate, wants(transaction) else {
        try plan.pass(&bytes, present: event.present, isFull: isFull)
        if event.kind == .update {
          try plan.pass(&bytes, present: event.presentAfter, isFull: isFullAfter)
        }
        continue
      }
      if let refusal = route.refusal { throw refusal }
      if let drift = route.drift {
        flush(drift: drift)
        return halt()
      }
      if !route.missing.isEmpty { sayMissing(route) }
      try plan.read(&bytes, present: event.present, isFull: isFull)
      switch event.kind {
      case .write: end(.insert, route, transaction)
      case .delete: end(.delete, route, transaction)
      case .update:
        let before = rows.count
        end(.updateBefore, route, transaction)
        try plan.read(&bytes, present: event.presentAfter, isFull: isFullAfter)
        end(.updateAfter, route, transaction)
        rows.mendUpdate(before)
      }
      took(event.kind == .update ? 2 : 1)
      if self.isFull { flush() }
    }
  }

  private func end(
    _ kind: RowKind, _ route: Route, _ transaction: LogTransaction<MySQLPosition>
  ) {
    for i in route.missing { rows.appendNull(i) }
    rows.end(kind, route.name, millis: transaction.millis)
  }

  private static func isFull(_ bits: UnsafeRawBufferPointer, _ count: Int) -> Bool {
    for c in 0..<count where bits[c >> 3] >> UInt8(c & 7) & 1 == 0 { return false }
    return true
  }
}
