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

    init(_ name: MySQLTableName, _ plan: ImagePlan, missing: [Int]) {
      self.name = name
      self.plan = plan
      self.missing = missing
    }
  }

  struct Wants {
    var table: ConnectorTable
    var options: MySQLOptions
    var zone: String
    var tables: [MySQLTableName: MySQLTable]
    /// Transactions before are passed over.
    var fromMillis: Int64 = .min
  }

  let wanted: Wants
  private let names: MySQLNames
  private var tables: [MySQLTableName: MySQLTable]
  private var stale: Set<MySQLTableName> = []
  private let rows: MySQLRows
  private let zone: MySQLZone
  private var lastFlush: Int64 = 0
  private var saidMissing = false

  init(_ wanted: Wants, from place: LogPlace<MySQLPosition>) throws(TerraceError) {
    self.wanted = wanted
    tables = wanted.tables
    names = try MySQLNames(wanted.options)
    rows = try MySQLRows(wanted.table)
    guard let zone = MySQLZone(wanted.zone) else {
      throw TerraceError(.invalid, "no such time zone").with("server-time-zone", wanted.zone)
    }
    self.zone = zone
    super.init(wanted.table.reader, from: place)
  }

  override func drain() throws(TerraceError) -> SourceBatch { rows.take(allInserts: false) }
  override func reset() { _ = rows.take(allInserts: false) }

  var isFull: Bool { pending >= 16_384 || rows.byteCount > 4 << 20 }

  func flushIfDue(_ now: Int64, isIdle: Bool) {
    if pending == 0 { return }
    if isIdle || isFull || now - lastFlush >= 20 || now < lastFlush {
      flush()
      lastFlush = now
    }
  }

  // MARK: Tables

  func reads(_ name: MySQLTableName) -> Bool { names.matches(name) }

  /// How a table of the log is read; what keeps it from being read goes to the source.
  func route(
    _ map: TableMap, _ ask: () throws(TerraceError) -> MySQLSchema
  ) throws(TerraceError) -> Route? {
    let name = MySQLTableName(database: map.database, table: map.table)
    guard names.matches(name) else { return nil }
    do throws(TerraceError) {
      if tables[name] == nil || stale.contains(name) { try learn(name, ask) }
      if let route = try made(map, name) { return route }
      try learn(name, ask)
      if let route = try made(map, name) { return route }
      throw TerraceError(
        .invalid, "the binary log has other columns than the table \(name.text) has now",
        hint: "SET GLOBAL binlog_row_metadata = 'FULL' tells the columns in the log; "
          + "“terrace run --rebuild” reads the table again"
      ).with("log", map.types.count).with("table", tables[name]?.columns.count ?? 0)
    } catch {
      if error.kind == .unavailable { throw error }
      flush(failure: error)
      halt()
      return nil
    }
  }

  private func learn(
    _ name: MySQLTableName, _ ask: () throws(TerraceError) -> MySQLSchema
  ) throws(TerraceError) {
    stale.remove(name)
    tables[name] = try ask().described(name)
  }

  /// Nil when what is known of the table does not fit its rows.
  private func made(_ map: TableMap, _ name: MySQLTableName) throws(TerraceError) -> Route? {
    let known = tables[name]?.columns ?? []
    var found: [MySQLColumn?] = []
    if let told = map.names {
      found = told.map { name in known.first { $0.name == name } }
    } else {
      guard known.count == map.types.count,
        zip(known, map.types).allSatisfy({ $0.isLogged(as: $1) })
      else { return nil }
      found = known
    }
    var columns: [LoggedColumn] = []
    var missing = Array(rows.physical.indices)
    for (c, type) in map.types.enumerated() {
      let logged = LoggedColumn(type: type, meta: map.meta[c])
      let columnName = map.names?[c] ?? found[c]?.name
      if let i = rows.physical.firstIndex(where: { $0.name == columnName }) {
        // By name it is surely this column, also when its type was another one then.
        guard let column = found[c],
          map.names == nil ? column.isLogged(as: type) : column.wasLogged(as: type)
        else { return nil }
        let declared = rows.type.fields[rows.physical[i].place].type
        if !column.fits(declared) { throw Self.misfit(column, declared) }
        logged.target = i
        missing.removeAll { $0 == i }
        try Self.fill(logged, column, declared)
      }
      columns.append(logged)
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
    _ statement: String, _ database: String, _ ask: () throws(TerraceError) -> MySQLSchema
  ) throws(TerraceError) {
    let lower = statement.lowercased()
    for name in tables.keys.sorted() {
      guard lower.contains(name.table.lowercased()) else { continue }
      let isNamed = database == name.database || lower.contains(name.database.lowercased())
      guard isNamed else { continue }
      if MySQLStatement.truncates(lower, name) {
        flush(restart: "TRUNCATE emptied \(name.text)")
        halt()
        return
      }
      stale.insert(name)
      guard wanted.options.followsSchema else { continue }
      if let drift = try drift(name, statement, try ask()) {
        flush(drift: drift)
        halt()
        return
      }
    }
  }

  private func drift(
    _ name: MySQLTableName, _ statement: String, _ schema: MySQLSchema
  ) throws(TerraceError) -> SchemaDrift? {
    guard let now = try schema.described(name) else {
      return SchemaDrift(
        columns: [], primaryKey: [], isDropped: true, reason: "the table \(name.text) is gone")
    }
    let shape = MySQLCatalog.shape(now, wanted.options.switches)
    let declared = wanted.table.declared
    var reasons: [String] = []
    for field in shape.columns {
      guard let old = declared.fields.first(where: { $0.name == field.name }) else {
        reasons.append("column \(field.name) is new")
        continue
      }
      if let column = now.columns.first(where: { $0.name == field.name }), !column.fits(old.type) {
        reasons.append("column \(field.name) is \(column.full) now")
      }
    }
    let names = Set(shape.columns.map(\.name))
    for field in declared.fields where !names.contains(field.name) {
      reasons.append("column \(field.name) is gone")
    }
    if reasons.isEmpty { return nil }
    return SchemaDrift(
      columns: shape.columns, primaryKey: shape.primaryKey, comment: shape.comment,
      renamed: MySQLStatement.renames(statement),
      reason: "\(name.text): " + reasons.joined(separator: ", "))
  }

  // MARK: Rows

  /// Decodes the rows of an event; a row that cannot be told from its bytes stops the table, not the others.
  func take(
    _ event: BinlogRows, _ route: Route, _ transaction: LogTransaction<MySQLPosition>
  ) {
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

/// The tables that a source's patterns name.
struct MySQLNames {
  private let database: String
  private let table: String
  private let databasePattern: Regex<AnyRegexOutput>
  private let tablePattern: Regex<AnyRegexOutput>

  init(_ options: MySQLOptions) throws(TerraceError) {
    database = options.database
    table = options.table
    databasePattern = try Self.pattern(options.database, "database-name")
    tablePattern = try Self.pattern(options.table, "table-name")
  }

  private static func pattern(
    _ text: String, _ option: String
  ) throws(TerraceError) -> Regex<AnyRegexOutput> {
    do { return try Regex(text) } catch {
      throw TerraceError(.invalid, "the option '\(option)' is no regular expression")
        .with("value", text)
    }
  }

  func matches(_ name: MySQLTableName) -> Bool {
    Self.matches(name.database, database, databasePattern)
      && Self.matches(name.table, table, tablePattern)
  }

  private static func matches(
    _ name: String, _ text: String, _ pattern: Regex<AnyRegexOutput>
  ) -> Bool {
    if name == text { return true }
    // A pattern that runs too long says no.
    return (try? pattern.wholeMatch(in: name)) != nil
  }
}

/// What statements in the log say, as far as it must be known.
enum MySQLStatement {
  /// Statements that may change columns or names.
  static func isDefinition(_ text: String) -> Bool {
    let head = body(text).prefix(24).uppercased()
    return ["ALTER", "RENAME", "DROP", "TRUNCATE", "CREATE"].contains { head.hasPrefix($0) }
  }

  /// Without comments before it.
  private static func body(_ text: String) -> Substring {
    var rest = text.drop { $0.isWhitespace }
    while rest.hasPrefix("/*"), let end = rest.firstRange(of: "*/") {
      rest = rest[end.upperBound...].drop { $0.isWhitespace }
    }
    return rest
  }

  static func truncates(_ lower: String, _ name: MySQLTableName) -> Bool {
    let words = body(lower).split { " `.;\n\t".contains($0) }.map(String.init)
    guard words.first == "truncate" else { return false }
    return words.last == name.table.lowercased() || words.contains(name.table.lowercased())
  }

  /// Old name to new name of RENAME COLUMN a TO b and CHANGE [COLUMN] a b.
  static func renames(_ text: String) -> [String: String] {
    let words = text.replacing(",", with: " , ").split { $0.isWhitespace }.map(String.init)
    func plain(_ word: String) -> String {
      word.hasPrefix("`") && word.hasSuffix("`") && word.count > 2
        ? String(word.dropFirst().dropLast()) : word
    }
    var found: [String: String] = [:]
    for (i, word) in words.enumerated() {
      let upper = word.uppercased()
      if upper == "RENAME", i + 4 < words.count, words[i + 1].uppercased() == "COLUMN",
        words[i + 3].uppercased() == "TO"
      {
        found[plain(words[i + 2])] = plain(words[i + 4])
      } else if upper == "CHANGE", i + 2 < words.count {
        let at = words[i + 1].uppercased() == "COLUMN" ? i + 2 : i + 1
        if at + 1 < words.count, plain(words[at]) != plain(words[at + 1]) {
          found[plain(words[at])] = plain(words[at + 1])
        }
      }
    }
    return found
  }
}
