import Columns
import Store

/// What 'connector' = 'postgres-cdc' says, by Flink CDC's names; Debezium's are translated or refused.
struct PostgresOptions: Hashable, Sendable {
  enum Startup: Sendable { case initial, latest, snapshotOnly, never }
  /// What becomes of columns that change outside.
  enum Evolution: String, Sendable { case follow, fail, ignore }

  var server: PostgresConnection.Settings
  /// Names, or patterns that a whole name must match.
  var schema: String
  var table: String
  var slot: String
  var publication: String
  /// We may make the publication and add tables to it.
  var makesPublication: Bool
  var startup: Startup
  var tellsOldRows: Bool
  var heartbeatMillis: Int64
  var heartbeatQuery: String?
  var snapshotThreads: Int
  /// Pages (8 KiB) of a chunk of the initial snapshot.
  var chunkPages: Int64
  /// Nil: nobody asked.
  var evolution: Evolution?
  /// What becomes of rows with a value that its column cannot hold.
  var reject: RecordFormat.Reject
  /// The table at the server has no primary key: the declared one is the reader's own.
  var hasOwnKey: Bool
  /// Somebody asked to be told when the table outside changes its columns.
  var followsSchema: Bool { evolution == .follow || evolution == .fail }

  init(_ table: ConnectorTable) throws(TerraceError) {
    var options = ConnectorOptions(table)
    server = try PostgresOptions.server(&options)
    schema = options.text("schema-name") ?? "public"
    self.table = try options.required("table-name")
    slot = options.text("slot.name") ?? options.text("debezium.slot.name") ?? "terrace"
    publication =
      options.text("publication.name") ?? options.text("debezium.publication.name")
      ?? "terrace_" + slot
    makesPublication = try PostgresOptions.makesPublication(&options)
    startup = try PostgresOptions.startup(&options)
    tellsOldRows = try PostgresOptions.tellsOldRows(table, &options)
    let named = try options.duration("heartbeat.interval")
    // Flink's name of it, whose value is a duration all the same.
    let flinks = try options.duration("heartbeat.interval.ms")
    let debezium = try options.integer("debezium.heartbeat.interval.ms")
    heartbeatMillis = max(1_000, named ?? flinks ?? debezium ?? 30_000)
    heartbeatQuery =
      options.text("heartbeat.action.query") ?? options.text("debezium.heartbeat.action.query")
    snapshotThreads = Int(min(max(try options.integer("connection.pool.size") ?? 2, 1), 16))
    // Rows of Flink's chunks are small; pages hold about a hundred rows.
    let rows = try options.integer("scan.incremental.snapshot.chunk.size") ?? 200_000
    if rows < 1 {
      throw options.wrong("scan.incremental.snapshot.chunk.size", "a number from 1 on")
    }
    chunkPages = max(1, rows / 64)
    if let word = options.text("schema-evolution") {
      evolution = Evolution(rawValue: word.lowercased())
      if evolution == nil { throw options.wrong("schema-evolution", "follow, fail or ignore") }
    }
    hasOwnKey = try options.flag(SchemaDrift.ownKeyOption)
    try PostgresOptions.allowRest(&options)
    reject = try RecordFormat.Reject(&options)
    try options.finish()
  }

  /// How a table tells its changes: known without asking the server.
  static func style(of table: ConnectorTable) throws(TerraceError) -> ChangeStyle {
    var options = ConnectorOptions(table)
    return try tellsOldRows(table, &options) ? .retractions : .upserts
  }

  private static func tellsOldRows(
    _ table: ConnectorTable, _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Bool {
    let mode = options.text("changelog-mode")?.lowercased()
    switch mode {
    case nil: return table.primaryKey.isEmpty
    case "all": return true
    case "upsert":
      if table.primaryKey.isEmpty {
        throw TerraceError(
          .invalid, "'changelog-mode' = 'upsert' needs a PRIMARY KEY",
          hint: "add PRIMARY KEY (…) NOT ENFORCED to the table"
        ).with("table", table.name).with("option", "changelog-mode")
      }
      return false
    default: throw options.wrong("changelog-mode", "all or upsert")
    }
  }

  /// Place, credentials and TLS; for the catalog too.
  static func server(
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> PostgresConnection.Settings {
    let port = try options.port(5432)
    var settings = PostgresConnection.Settings(
      host: try options.required("hostname"), port: port,
      database: try options.required("database-name"), user: try options.required("username"),
      password: options.text("password"))
    let millis = try options.duration("connect.timeout") ?? 30_000
    settings.connectSeconds = Int(min(max(millis / 1000, 2), 3600))
    settings.tls = try tls(&options)
    return settings
  }

  /// When TLS is asked for in any way, the server must prove who it is unless another mode is named.
  static func tls(_ options: inout ConnectorOptions) throws(TerraceError) -> [String: String] {
    var found: [String: String] = [:]
    for name in ["sslmode", "sslrootcert", "sslcert", "sslkey"] {
      let own = options.text(name)
      let debezium = options.text("debezium.database.\(name)")
      found[name] = own ?? debezium
    }
    let isAsked = try options.flag("ssl")
    if isAsked, found["sslmode"] == nil { found["sslmode"] = "verify-full" }
    if let mode = found["sslmode"]?.lowercased() {
      try check(mode, isAsked: isAsked, options)
      found["sslmode"] = mode
    } else if !found.isEmpty {
      found["sslmode"] = "verify-full"
    }
    if found["sslmode"]?.hasPrefix("verify") == true, found["sslrootcert"] == nil {
      // What the system trusts; libpq itself looks only in the home folder.
      found["sslrootcert"] = "/etc/ssl/certs/ca-certificates.crt"
    }
    return found
  }

  private static func check(
    _ mode: String, isAsked: Bool, _ options: ConnectorOptions
  ) throws(TerraceError) {
    switch mode {
    case "require", "verify-ca", "verify-full": break
    case "disable":
      if isAsked {
        throw TerraceError(.invalid, "TLS is asked for and disabled at once")
          .with("table", options.table.name).with("option", "sslmode")
      }
    case "prefer", "allow":
      throw TerraceError(
        .unsupported, "'sslmode' = '\(mode)': it would fall back to no encryption silently",
        hint: "use disable, require or verify-full"
      ).with("table", options.table.name).with("option", "sslmode")
    default: throw options.wrong("sslmode", "disable, require, verify-ca or verify-full")
    }
  }

  private static func makesPublication(
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Bool {
    let name = "debezium.publication.autocreate.mode"
    switch options.text(name)?.lowercased() {
    case nil, "filtered", "all_tables": return true
    case "disabled": return false
    default: throw options.wrong(name, "filtered, all_tables or disabled")
    }
  }

  private static func startup(
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Startup {
    let mode = options.text("scan.startup.mode")?.lowercased()
    let debezium = options.text("debezium.snapshot.mode")?.lowercased()
    switch mode ?? debezium ?? "initial" {
    case "initial": return .initial
    case "latest-offset", "never", "no_data": return mode == "never" ? .never : .latest
    case "snapshot", "initial_only": return .snapshotOnly
    case "committed-offset": return .never
    case "never-initial": return .never
    default:
      if mode == nil {
        throw options.wrong("debezium.snapshot.mode", "initial, initial_only, never or no_data")
      }
      throw options.wrong(
        "scan.startup.mode", "initial, latest-offset, committed-offset, never-initial or snapshot")
    }
  }

  /// Options that are refused, or mean nothing here because they are about many machines.
  private static func allowRest(_ options: inout ConnectorOptions) throws(TerraceError) {
    for name in ["decoding.plugin.name", "debezium.plugin.name"] {
      if let plugin = options.text(name), plugin.lowercased() != "pgoutput" {
        throw TerraceError(
          .unsupported, "the decoding plugin '\(plugin)'", hint: "use 'pgoutput'"
        ).with("table", options.table.name).with("option", name)
      }
    }
    if try options.flag("debezium.slot.drop.on.stop") {
      throw TerraceError(
        .unsupported, "a slot that is dropped at the end: changes would be lost"
      ).with("table", options.table.name).with("option", "debezium.slot.drop.on.stop")
    }
    let refused = [
      (
        "scan.newly-added-table.enabled", "tables that come later",
        "CREATE DATABASE … AS DATABASE takes them"
      ),
      (
        "scan.read-changelog-as-append-only.enabled", "changes as rows that are only added",
        "the metadata column 'row_kind' tells what each change was"
      ),
    ]
    for (name, what, hint) in refused where try options.flag(name) {
      throw TerraceError(.unsupported, what, hint: hint)
        .with("table", options.table.name).with("option", name)
    }
    // Partitions are read as their table in any case.
    _ = try options.flag("scan.include-partitioned-tables.enabled")
    options.allow([
      "scan.incremental.snapshot.enabled", "scan.snapshot.fetch.size", "connect.max-retries",
      "scan.incremental.snapshot.chunk.key-column", "chunk-meta.group.size",
      "chunk-key.even-distribution.factor.upper-bound",
      "chunk-key.even-distribution.factor.lower-bound",
      "scan.incremental.close-idle-reader.enabled", "scan.incremental.snapshot.backfill.skip",
      "scan.lsn-commit.checkpoints-num-delay", "scan.parallelism", "server-time-zone",
      "type-mapping",
      "scan.incremental.snapshot.unbounded-chunk-first.enabled",
    ])
    for name in options.table.options.keys.sorted() where name.hasPrefix("debezium.") {
      let own = [
        "slot.name", "publication.name", "publication.autocreate.mode", "snapshot.mode",
        "heartbeat.interval.ms", "heartbeat.action.query", "plugin.name", "slot.drop.on.stop",
        "database.sslmode", "database.sslrootcert", "database.sslcert", "database.sslkey",
      ]
      if !own.contains(String(name.dropFirst(9))) {
        throw TerraceError(
          .unsupported, "the option '\(name)': there is no Debezium inside",
          hint: "these are translated: "
            + own.map { "debezium.\($0)" }.joined(separator: ", ")
        ).with("table", options.table.name).with("option", name)
      }
    }
  }
}
