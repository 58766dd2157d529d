import Columns
import Formats
import Store

/// What 'connector' = 'jdbc' says when its URL names MySQL or MariaDB, by Flink's option names.
struct MySQLSinkOptions: Sendable {
  var server: MySQLConnection.Settings
  var target: MySQLTableName
  /// In which clocks are read and shown; nil: the server's own.
  var zone: String?

  static let schemes = ["jdbc:mysql:", "jdbc:mariadb:"]

  static func isOurs(_ url: String?) -> Bool {
    schemes.contains { url?.hasPrefix($0) ?? false }
  }

  init(_ table: ConnectorTable) throws(TerraceError) {
    var options = ConnectorOptions(table)
    let form = "jdbc:mysql://host:port/database?key=value"
    let url = try JDBCURL(&options, schemes: Self.schemes, form: form)
    guard let host = url.host else { throw options.wrong("url", form) }
    var settings = MySQLConnection.Settings(
      host: host, port: url.port ?? 3306, user: options.text("username") ?? "",
      password: options.text("password"), database: url.database)
    try Self.read(url, &settings, &zone, options)
    if settings.user.isEmpty { _ = try options.required("username") }
    server = settings
    let name = try options.target()
    target = MySQLTableName(database: name.place ?? url.database, table: name.table)
    try options.finishTarget()
  }

  /// The driver's properties: TLS is heard, those without a meaning here are passed over by name.
  private static func read(
    _ url: JDBCURL, _ settings: inout MySQLConnection.Settings, _ zone: inout String?,
    _ given: ConnectorOptions
  ) throws(TerraceError) {
    var tls = given.table
    tls.options = [:]
    for (name, value) in url.properties {
      switch name {
      case "user": settings.user = value
      case "password": settings.password = value
      case "connectionTimeZone", "serverTimezone", "serverTimeZone":
        switch value.uppercased() {
        case "SERVER": zone = nil
        case "LOCAL": zone = MySQLZone.ownName
        default: zone = value
        }
        if let zone, MySQLZone(zone) == nil {
          throw given.wrong("url", "\(name) = a zone such as UTC, +08:00 or Asia/Shanghai")
        }
      case "sslMode", "useSSL", "serverSslCert": tls.options["jdbc.properties." + name] = value
      case "rewriteBatchedStatements", "useUnicode", "characterEncoding",
        "allowPublicKeyRetrieval", "useServerPrepStmts", "cachePrepStmts", "connectTimeout",
        "socketTimeout", "autoReconnect", "zeroDateTimeBehavior", "tinyInt1isBit":
        break
      default: throw given.unknownProperty(name, of: "MySQL")
      }
    }
    var options = ConnectorOptions(tls)
    try MySQLOptions.tls(&options, &settings)
  }
}

/// A table of MySQL or MariaDB as a target.
///
/// Of the rows of one key the last one counts; they are sent in statements of many rows.
final class MySQLSink: EpochSink<MySQLConnection> {
  private let options: MySQLSinkOptions
  private let columns: [Field]
  private let key: [Int]
  private let out = ByteWriter()
  private let texts: [ValueFormat]
  private let scratch = ByteWriter()
  /// How the seconds of each column change on their way; known when the target is.
  private var shifts: [Shift] = []
  private var zone: MySQLZone?
  private enum Shift { case none, toMoment, toClock }
  /// Whether the statement in hand deletes; nil when there is none.
  private var deletes: Bool?
  /// Keys in the statement in hand: none may come twice in it.
  private var keys: Set<[UInt8]> = []
  private static let flushBytes = 1 << 20

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    options = try MySQLSinkOptions(table)
    for field in table.type.fields {
      switch field.type.kind {
      case .map, .multiset, .row, .array:
        throw TerraceError(.unsupported, "a column \(field.type.text) in MySQL")
          .with("table", table.name).with("column", field.name)
      default: break
      }
    }
    columns = table.type.fields
    texts = columns.map { ValueFormat($0.type) }
    key = table.primaryKey.compactMap { table.type.index(of: $0) }
    let marks = MySQLTableName(database: options.target.database, table: "terrace_epochs")
    try super.init(table, marks: marks.quoted, environment)
  }

  // MARK: Writing

  override func add(_ rows: Batch, _ row: Int, isDelete: Bool) throws(TerraceError) {
    if shifts.isEmpty { _ = try opened() }
    if deletes != isDelete || out.count >= Self.flushBytes { try flush() }
    if !key.isEmpty {
      scratch.removeAll()
      for c in key { try append(rows.columns[c], c, row, to: scratch) }
      let bytes = Array(scratch.bytes)
      if keys.contains(bytes) { try flush() }
      keys.insert(bytes)
    }
    if deletes == nil {
      deletes = isDelete
      let target = options.target.quoted
      out.append(
        isDelete
          ? "DELETE FROM \(target) WHERE (\(list(key))) IN ("
          : "INSERT INTO \(target) (\(list(Array(columns.indices)))) VALUES ")
    } else {
      out.append(",")
    }
    out.append(UInt8(ascii: "("))
    for (i, c) in (isDelete ? key : Array(columns.indices)).enumerated() {
      if i > 0 { out.append(UInt8(ascii: ",")) }
      try append(rows.columns[c], c, row, to: out)
    }
    out.append(UInt8(ascii: ")"))
  }

  private func list(_ numbers: [Int]) -> String {
    numbers.map { MySQLConnection.name(columns[$0].name) }.joined(separator: ", ")
  }

  /// A literal that means the same whatever sql_mode says.
  ///
  /// - Throws: `invalid` for numbers that the server has not.
  private func append(
    _ column: Column, _ c: Int, _ row: Int, to writer: ByteWriter
  ) throws(TerraceError) {
    if column.isNull(row) { return writer.append("NULL") }
    switch columns[c].type.kind {
    case .tinyint, .smallint, .int, .bigint, .decimal: texts[c].append(column, row, to: writer)
    case .boolean: writer.append(column.pointer(UInt8.self)[row] == 0 ? "0" : "1")
    case .float, .double:
      let start = writer.count
      texts[c].append(column, row, to: writer)
      let text = String(decoding: writer.bytes[start...], as: UTF8.self)
      if !text.utf8.contains(where: { (0x30...0x39).contains($0) }) {
        throw TerraceError(
          .invalid, "\(text) is no number that MySQL can hold",
          hint: "write another value for it, as in CASE WHEN … THEN NULL ELSE … END"
        ).with("table", options.target.text).with("column", columns[c].name)
      }
    case .binary, .varbinary: appendBytes(column.bytes(row), "", to: writer)
    case .char, .varchar:
      let bytes = column.bytes(row)
      if bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x27 && $0 != 0x5c }) {
        writer.append(UInt8(ascii: "'"))
        writer.append(bytes)
        writer.append(UInt8(ascii: "'"))
      } else {
        appendBytes(bytes, "_utf8mb4 ", to: writer)
      }
    case .timestampLTZ(let precision), .timestamp(let precision):
      var (second, nano) = ValueText.moment(column, row, precision: precision)
      if let zone {
        switch shifts[c] {
        case .none: break
        case .toMoment: second = zone.moment(clock: second)
        case .toClock: second += zone.seconds(at: second)
        }
      }
      writer.append(UInt8(ascii: "'"))
      ValueText.appendTimestamp(
        second: second, nanosecond: nano, precision: min(precision, 6), to: writer)
      writer.append(UInt8(ascii: "'"))
    default:
      writer.append(UInt8(ascii: "'"))
      texts[c].append(column, row, to: writer)
      writer.append(UInt8(ascii: "'"))
    }
  }

  /// A TIMESTAMP of the server is a moment, which it takes and shows in UTC here; a DATETIME is what a clock shows.
  private func learnShifts(
    _ target: MySQLTable, _ connection: MySQLConnection
  ) throws(TerraceError) {
    shifts = columns.map { field in
      let base = target.columns.first { $0.name.lowercased() == field.name.lowercased() }?.base
      switch (field.type.kind, base) {
      case (.timestamp, "timestamp"): return .toMoment
      case (.timestampLTZ, "datetime"): return .toClock
      default: return .none
      }
    }
    if zone != nil || shifts.allSatisfy({ $0 == .none }) { return }
    var name = options.zone
    if name == nil {
      do throws(TerraceError) { name = try MySQLServer(connection: connection).zone() } catch {
        throw TerraceError(
          error.kind, error.message, hint: "name it in the url: ?connectionTimeZone=…"
        ).with("table", options.target.text)
      }
    }
    zone = name.flatMap { MySQLZone($0) }
  }

  private func appendBytes(_ bytes: UnsafeRawBufferPointer, _ lead: String, to writer: ByteWriter) {
    writer.append(lead)
    if bytes.isEmpty {
      writer.append("''")
    } else {
      ValueText.appendHex(bytes, to: writer)
    }
  }

  /// Sends the statement in hand.
  override func flush() throws(TerraceError) {
    guard let isDelete = deletes else { return }
    if isDelete {
      out.append(")")
    } else if !key.isEmpty {
      let rest = columns.indices.filter { !key.contains($0) }
      let set = rest.isEmpty ? Array(key.prefix(1)) : Array(rest)
      let parts = set.map { c in
        let name = MySQLConnection.name(columns[c].name)
        return "\(name) = VALUES(\(name))"
      }
      out.append(" ON DUPLICATE KEY UPDATE " + parts.joined(separator: ", "))
    }
    let connection = try opened()
    do throws(TerraceError) { try connection.execute(Array(out.bytes)) } catch {
      throw error.with("table", options.target.text)
    }
    forget()
  }

  override func forget() {
    out.removeAll()
    keys.removeAll(keepingCapacity: true)
    deletes = nil
  }

  override var target: String { options.target.quoted }

  override func connect() throws(TerraceError) -> MySQLConnection {
    let made = try MySQLConnection(options.server)
    // Values that do not fit are errors, not cut; times are moments.
    try made.query(
      "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', "
        + "innodb_lock_wait_timeout = 30, wait_timeout = 28800")
    try made.query(
      "CREATE TABLE IF NOT EXISTS \(marks) (mark VARCHAR(100) PRIMARY KEY, "
        + "at TIMESTAMP DEFAULT CURRENT_TIMESTAMP) ENGINE = InnoDB")
    let target = try MySQLSchema(connection: made).described(options.target)
    guard let target else {
      throw TerraceError(.notFound, "no such table").with("table", options.target.text)
    }
    guard target.isTransactional else {
      throw TerraceError(
        .unsupported, "a target without transactions",
        hint: "ALTER TABLE \(options.target.quoted) ENGINE = InnoDB"
      ).with("table", options.target.text)
    }
    try learnShifts(target, made)
    let wanted = Set(key.map { columns[$0].name })
    if !key.isEmpty, Set(target.primaryKey) != wanted {
      throw TerraceError(
        .invalid, "the target has another primary key than declared",
        hint: "declare PRIMARY KEY (\(target.primaryKey.joined(separator: ", "))) NOT ENFORCED"
      ).with("table", options.target.text)
    }
    return made
  }
}

extension MySQLConnection: EpochConnection {
  func run(_ statement: String) throws(TerraceError) -> Bool { try !query(statement).isEmpty }

  static func lookup(_ mark: String, in marks: String) -> String {
    "SELECT 1 FROM \(marks) WHERE mark = \(literal(mark)) FOR UPDATE"
  }
}
