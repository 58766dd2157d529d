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

    init(
      _ name: MySQLTableName, _ plan: ImagePlan, missing: [Int] = [], refusal: TerraceError? = nil
    ) {
      self.name = name
      self.plan = plan
      self.missing = missing
      self.refusal = refusal
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
  }

  let wanted: Wants
  private let names: MySQLNames
  private var tables: [MySQLTableName: MySQLTable]
  private var stale: Set<MySQLTableName> = []
  /// Tables of which the columns are known as they were at the place in the log.
  private var sure: Set<MySQLTableName>
  private let rows: MySQLRows
  private let zone: MySQLZone
  private var saidMissing = false

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
    guard names.matches(name) else { return nil }
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
    var missing = Array(rows.physical.indices)
    for (c, type) in map.types.enumerated() {
      let logged = LoggedColumn(type: type, meta: map.meta[c])
      let columnName = map.told?[c].name ?? known[c].name
      columns.append(logged)
      guard let i = rows.physical.firstIndex(where: { $0.name == columnName }) else { continue }
      let declared = rows.type.fields[rows.physical[i].place].type
      let column: MySQLColumn
      if let told = map.told?[c] {
        column = try MySQLColumn(told, type, map.meta[c], try ask.schema().collations())
        let now = known.first { $0.name == columnName }
        let judged = now.map { $0.wasLogged(as: type) ? $0 : column } ?? column
        if !judged.isText, !judged.fits(declared) { throw Self.misfit(judged, declared) }
      } else {
        column = known[c]
        if !column.fits(declared) { throw Self.misfit(column, declared) }
      }
      logged.target = i
      missing.removeAll { $0 == i }
      try Self.fill(logged, column, declared)
    }
    if !missing.isEmpty, !saidMissing {
      saidMissing = true
      let list = missing.map { rows.physical[$0].name }.joined(separator: ", ")
      say("\(name.text) has no column \(list) in the log: it is null from here on")
    }
    return Route(name, ImagePlan(columns, rows, zone), missing: missing)
  }

  static func misfit(_ column: MySQLColumn, _ declared: DataType) -> TerraceError {
    let natural = column.type(MySQLTypeSwitches())
    return TerraceError(
      natural == nil ? .unsupported : .invalid,
      natural == nil
        ? "columns of type \(column.full)"
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
    _ statement: String, _ database: String, _ ask: any LogQuestions
  ) throws(TerraceError) {
    for name in tables.keys.sorted() where MySQLStatement.concerns(statement, database, name) {
      if MySQLStatement.truncates(statement.lowercased(), name) {
        flush(restart: "TRUNCATE emptied \(name.text)")
        halt()
        return
      }
      // Rows before are not read again with what is known behind it.
      flush()
      stale.insert(name)
      guard wanted.options.followsSchema else { continue }
      if let drift = try drift(name, statement, try ask.schema()) {
        flush(drift: drift)
        halt()
        return
      }
    }
  }

  /// What this statement made of the table. The server tells its columns as they are by now, when later
  /// statements may have changed them too: what this one does not name is left to those.
  private func drift(
    _ name: MySQLTableName, _ statement: String, _ schema: MySQLSchema
  ) throws(TerraceError) -> SchemaDrift? {
    guard let now = try schema.described(name) else {
      return SchemaDrift(
        columns: [], primaryKey: [], isDropped: true, reason: "the table \(name.text) is gone")
    }
    let shape = MySQLCatalog.shape(now, wanted.options.switches)
    let words = MySQLStatement.names(statement)
    let isWhole = !MySQLStatement.namesColumns(statement)
    func isNamed(_ column: String) -> Bool {
      isWhole || words.contains(column.lowercased())
    }
    let declared = wanted.table.declared.fields
    let renamed = MySQLStatement.renames(statement).filter { old, _ in
      declared.contains { $0.name == old }
    }
    var reasons: [String] = []
    var columns: [Field] = []
    for field in declared {
      let called = renamed[field.name] ?? field.name
      if called != field.name { reasons.append("column \(field.name) is called \(called)") }
      let there = shape.columns.first { $0.name == called }
      if there == nil, called == field.name, isNamed(called) {
        reasons.append("column \(called) is gone")
        continue
      }
      var kept = field
      kept.name = called
      if let there, isNamed(called) {
        kept = there
        if let column = now.columns.first(where: { $0.name == called }), !column.fits(field.type) {
          reasons.append("column \(called) is \(column.full) now")
        }
      }
      columns.append(kept)
    }
    for field in shape.columns where !columns.contains(where: { $0.name == field.name }) {
      guard isNamed(field.name) else { continue }
      reasons.append("column \(field.name) is new")
      columns.append(field)
    }
    if reasons.isEmpty { return nil }
    return SchemaDrift(
      columns: columns, primaryKey: shape.primaryKey, comment: shape.comment, renamed: renamed,
      reason: "\(name.text): " + reasons.joined(separator: ", "))
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
    while !bytes.isAtEnd {
      guard isLate, wants(transaction) else {
        try plan.pass(&bytes, present: event.present, isFull: isFull)
        if event.kind == .update {
          try plan.pass(&bytes, present: event.presentAfter, isFull: isFullAfter)
        }
        continue
      }
      if let refusal = route.refusal { throw refusal }
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
