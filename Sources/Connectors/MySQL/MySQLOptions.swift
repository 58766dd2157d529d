import Columns
import Glibc
import Store

/// What 'connector' = 'mysql-cdc' (or 'mariadb-cdc') says, by Flink CDC's names; Debezium's and the JDBC
/// driver's are translated or refused.
struct MySQLOptions: Hashable, Sendable {
  enum Startup: Hashable, Sendable {
    case initial, earliest, latest, snapshotOnly
    case gtids(String)
    case file(String, UInt64)
    case timestamp(Int64)
  }

  var server: MySQLConnection.Settings
  /// Names, or patterns that a whole name must match.
  var database: String
  var table: String
  var servers: ClosedRange<UInt32>
  /// Nil: the server's own.
  var zone: String?
  var startup: Startup
  var chunkRows: Int
  /// Rows of a batch of the first read.
  var fetchRows: Int
  /// How often the place of a table that does not change moves on; nil: with the files of the log.
  var heartbeatMillis: Int64?
  /// Options that were given and do nothing.
  var idle: [String]
  /// What becomes of rows with a value that its column cannot hold.
  var reject: RecordFormat.Reject
  var switches: MySQLTypeSwitches
  var followsSchema: Bool
  /// The table was made by what a catalog said of it: its columns are those of the server.
  var isSynced: Bool
  /// The last change of columns that was followed.
  var followed: MySQLPosition?
  static let freshPlace = "new"

  init(_ table: ConnectorTable) throws(TerraceError) {
    var options = ConnectorOptions(table)
    server = try MySQLOptions.server(&options)
    database = try options.required("database-name")
    self.table = try options.required("table-name")
    servers = try MySQLOptions.servers(&options)
    zone = options.text("server-time-zone")
    if let zone, MySQLZone(zone) == nil {
      throw options.wrong("server-time-zone", "a zone such as UTC, +08:00 or Asia/Shanghai")
    }
    startup = try MySQLOptions.startup(&options)
    let chunk = try options.integer("scan.incremental.snapshot.chunk.size") ?? 8096
    if chunk < 1 {
      throw options.wrong("scan.incremental.snapshot.chunk.size", "a number from 1 on")
    }
    chunkRows = Int(min(chunk, 1 << 20))
    let fetch = try options.integer("scan.snapshot.fetch.size") ?? 16_384
    if fetch < 1 { throw options.wrong("scan.snapshot.fetch.size", "a number from 1 on") }
    fetchRows = Int(min(fetch, 16_384))
    heartbeatMillis = try options.duration("heartbeat.interval")
    if let millis = try options.integer("debezium.heartbeat.interval.ms"), millis > 0 {
      heartbeatMillis = heartbeatMillis ?? millis
    }
    if let millis = heartbeatMillis, millis < 1 {
      throw options.wrong("heartbeat.interval", "a duration such as 30 s")
    }
    switches = try MySQLTypeSwitches(&options)
    let place = options.text(SchemaDrift.placeOption)
    isSynced = place != nil
    let evolution = (options.text("schema-evolution") ?? "ignore").lowercased()
    if !["follow", "fail", "ignore"].contains(evolution) {
      throw options.wrong("schema-evolution", "follow, fail or ignore")
    }
    // Of a synced table it is the table here that ignores what its log tells.
    followsSchema = isSynced || ["follow", "fail"].contains(evolution)
    if let place, place != MySQLOptions.freshPlace { followed = try MySQLPosition(text: place) }
    options.allow([SchemaDrift.ownKeyOption])
    idle = try MySQLOptions.allowRest(&options)
    reject = try RecordFormat.Reject(&options)
    try options.finish()
  }

  /// Place, credentials and TLS; for the catalog too.
  static func server(
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> MySQLConnection.Settings {
    let port = try options.port(3306)
    var settings = MySQLConnection.Settings(
      host: try options.required("hostname"), port: port,
      user: try options.required("username"), password: options.text("password"))
    let jdbc = try options.integer("jdbc.properties.connectTimeout")
    let millis = try options.duration("connect.timeout") ?? jdbc ?? 30_000
    settings.connectSeconds = Int(min(max(millis / 1000, 1), 3600))
    try tls(&options, &settings)
    return settings
  }

  /// When TLS is asked for in any way, the server must prove who it is unless another mode is named.
  static func tls(
    _ options: inout ConnectorOptions, _ settings: inout MySQLConnection.Settings
  ) throws(TerraceError) {
    let jdbc = options.text("jdbc.properties.sslMode")
    let mode = (options.text("sslmode") ?? jdbc)?.lowercased()
    settings.authority =
      options.text("sslrootcert") ?? options.text("jdbc.properties.serverSslCert")
    settings.certificate = options.text("sslcert")
    settings.key = options.text("sslkey")
    let asked = try options.flag("ssl")
    let isAsked = try options.flag("jdbc.properties.useSSL") || asked
    switch mode {
    case "disable", "disabled": settings.tls = .off
    case "require", "required", "trust": settings.tls = .encrypted
    case "verify-ca", "verify_ca", "verify-full", "verify_identity": settings.tls = .verified
    case nil:
      let isNamed = settings.authority != nil || settings.certificate != nil
      settings.tls = isAsked || isNamed ? .verified : .off
    case "prefer", "preferred":
      throw TerraceError(
        .unsupported, "'sslmode' = 'prefer': it would fall back to no encryption silently",
        hint: "use disable, require or verify-full")
    default: throw options.wrong("sslmode", "disable, require, verify-ca or verify-full")
    }
    if settings.tls == .off, isAsked {
      throw TerraceError(.invalid, "TLS is asked for and disabled at once")
        .with("table", options.table.name).with("option", "sslmode")
    }
  }

  private static func servers(
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> ClosedRange<UInt32> {
    let wanted = "a number or a range such as 5400-5408"
    guard let text = options.text("server-id") else {
      // Far from what people give their servers; another one is tried when it is taken.
      let first = (1 << 30) + UInt32(truncatingIfNeeded: getpid()) &* 977 % (1 << 29)
      return first...first + 1000
    }
    let ends = text.split(separator: "-").map { UInt32($0.trimmed) }
    guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, first > 0,
      first <= last
    else { throw options.wrong("server-id", wanted) }
    return first...last
  }

  private static func startup(_ options: inout ConnectorOptions) throws(TerraceError) -> Startup {
    let mode = options.text("scan.startup.mode")?.lowercased()
    let debezium = options.text("debezium.snapshot.mode")?.lowercased()
    let file = options.text("scan.startup.specific-offset.file")
    let offset = try options.integer("scan.startup.specific-offset.pos")
    let gtids = options.text("scan.startup.specific-offset.gtid-set")
    let millis = try options.integer("scan.startup.timestamp-millis")
    for name in ["skip-events", "skip-rows"] {
      let option = "scan.startup.specific-offset.\(name)"
      if try options.integer(option) ?? 0 != 0 {
        throw TerraceError(.unsupported, "the option '\(option)'")
          .with("table", options.table.name)
      }
    }
    switch mode ?? debezium ?? "initial" {
    case "initial", "when_needed": return .initial
    case "earliest-offset": return .earliest
    case "latest-offset", "never", "schema_only", "no_data": return .latest
    case "snapshot", "initial_only": return .snapshotOnly
    case "timestamp":
      guard let millis else {
        throw TerraceError(.invalid, "the option 'scan.startup.timestamp-millis' is missing")
          .with("table", options.table.name)
      }
      return .timestamp(millis)
    case "specific-offset":
      if let gtids { return .gtids(gtids) }
      guard let file, let offset, offset >= 4 else {
        throw TerraceError(
          .invalid, "'specific-offset' needs a place",
          hint: "'scan.startup.specific-offset.gtid-set', or '….file' and '….pos'"
        ).with("table", options.table.name)
      }
      return .file(file, UInt64(offset))
    default:
      throw options.wrong(
        "scan.startup.mode",
        "initial, earliest-offset, latest-offset, specific-offset, timestamp or snapshot")
    }
  }

  /// - Returns: options that were given and mean nothing here, because they are about many machines, Java, or a
  ///   first read in parts that are put right later.
  private static func allowRest(
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> [String] {
    let idle = [
      "scan.incremental.snapshot.enabled", "scan.incremental.snapshot.chunk.key-column",
      "connect.max-retries", "connection.pool.size", "chunk-meta.group.size",
      "chunk-key.even-distribution.factor.upper-bound",
      "chunk-key.even-distribution.factor.lower-bound",
      "scan.incremental.close-idle-reader.enabled", "scan.incremental.snapshot.backfill.skip",
      "scan.newly-added-table.enabled", "scan.parse.online.schema.changes.enabled",
      "scan.incremental.snapshot.unbounded-chunk-first.enabled", "use.legacy.json.format",
      "scan.parallelism", "debezium.snapshot.locking.mode", "jdbc.properties.useUnicode",
      "jdbc.properties.characterEncoding", "jdbc.properties.allowPublicKeyRetrieval",
    ]
    options.allow(idle)
    let known = [
      "debezium.snapshot.mode", "debezium.heartbeat.interval.ms",
      "debezium.snapshot.locking.mode", "jdbc.properties.sslMode", "jdbc.properties.useSSL",
      "jdbc.properties.serverSslCert", "jdbc.properties.useUnicode",
      "jdbc.properties.characterEncoding", "jdbc.properties.allowPublicKeyRetrieval",
      "jdbc.properties.connectTimeout",
    ]
    for name in options.table.options.keys.sorted()
    where (name.hasPrefix("debezium.") || name.hasPrefix("jdbc.properties."))
      && !known.contains(name)
    {
      throw TerraceError(
        .unsupported, "the option '\(name)': there is no Debezium and no JDBC driver inside",
        hint: "these are translated: " + known.joined(separator: ", ")
      ).with("table", options.table.name).with("option", name)
    }
    let given = options.table.options
    return idle.filter { given[$0] != nil }
  }
}
