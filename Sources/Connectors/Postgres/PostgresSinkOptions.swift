import Columns

/// What 'connector' = 'jdbc' says when its URL names PostgreSQL, by Flink's option names.
struct PostgresSinkOptions: Sendable {
  var server: PostgresConnection.Settings
  var target: PostgresTableName

  static let scheme = "jdbc:postgresql:"

  init(_ table: ConnectorTable) throws(TerraceError) {
    var options = ConnectorOptions(table)
    let url = try options.required("url")
    guard url.hasPrefix(Self.scheme) else {
      throw options.wrong("url", "jdbc:postgresql://host:port/database")
    }
    var (settings, schema) = try Self.parsed(String(url.dropFirst(Self.scheme.count)), options)
    if let user = options.text("username") { settings.user = user }
    if let password = options.text("password") { settings.password = password }
    if settings.user.isEmpty { _ = try options.required("username") }
    server = settings
    let name = try options.required("table-name")
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    if parts.count == 2 { schema = parts[0] }
    target = PostgresTableName(schema: schema, table: parts[parts.count - 1])
    _ = try options.integer("sink.buffer-flush.max-rows")
    _ = try options.duration("sink.buffer-flush.interval")
    options.allow([
      "driver", "sink.max-retries", "sink.parallelism", "connection.max-retry-timeout",
      "compatible-mode",
    ])
    try options.finish()
  }

  /// `//host:port/database?key=value&…`, with the driver's defaults.
  private static func parsed(
    _ text: String, _ options: ConnectorOptions
  ) throws(TerraceError) -> (PostgresConnection.Settings, schema: String) {
    let form = "jdbc:postgresql://host:port/database?key=value"
    var rest = Substring(text)
    var query = Substring()
    if let mark = rest.firstIndex(of: "?") {
      query = rest[rest.index(after: mark)...]
      rest = rest[..<mark]
    }
    var host = "localhost"
    var port = 5432
    if rest.hasPrefix("//") {
      rest = rest.dropFirst(2)
      guard let slash = rest.firstIndex(of: "/") else { throw options.wrong("url", form) }
      var server = rest[..<slash]
      rest = rest[rest.index(after: slash)...]
      if server.contains(",") {
        throw TerraceError(.unsupported, "several hosts in one url")
          .with("table", options.table.name).with("option", "url")
      }
      let end = server.lastIndex(of: "]") ?? server.startIndex
      if let colon = server[end...].lastIndex(of: ":") {
        guard let number = Int(server[server.index(after: colon)...]), (1...65_535).contains(number)
        else { throw options.wrong("url", form) }
        port = number
        server = server[..<colon]
      }
      let bare = server.filter { $0 != "[" && $0 != "]" }
      if !bare.isEmpty { host = bare }
    }
    var settings = PostgresConnection.Settings(
      host: host, port: port, database: decoded(rest), user: "")
    var schema = "public"
    var tls: [String: String] = [:]
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let value = parts.count == 2 ? decoded(parts[1]) : ""
      switch parts[0] {
      case "user": settings.user = value
      case "password": settings.password = value
      case "currentSchema": schema = value
      case "sslmode", "sslrootcert", "sslcert", "sslkey", "ssl": tls[String(parts[0])] = value
      case "connectTimeout": settings.connectSeconds = max(2, Int(value) ?? 30)
      case "ApplicationName", "reWriteBatchedInserts", "stringtype", "tcpKeepAlive", "loginTimeout",
        "socketTimeout":
        break
      default:
        throw TerraceError(.unsupported, "'\(parts[0])' in a url of PostgreSQL")
          .with("table", options.table.name).with("option", "url")
      }
    }
    settings.tls = try self.tls(tls, options.table)
    if settings.database.isEmpty { throw options.wrong("url", form) }
    return (settings, schema)
  }

  private static func tls(
    _ given: [String: String], _ table: ConnectorTable
  ) throws(TerraceError) -> [String: String] {
    var plain = table
    plain.options = given
    var options = ConnectorOptions(plain)
    return try PostgresOptions.tls(&options)
  }

  /// `%41` and the like.
  private static func decoded(_ text: some StringProtocol) -> String {
    var bytes: [UInt8] = []
    let all = Array(text.utf8)
    var i = 0
    while i < all.count {
      if all[i] == UInt8(ascii: "%"), i + 2 < all.count,
        let value = UInt8(String(decoding: all[(i + 1)...(i + 2)], as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        i += 3
      } else {
        bytes.append(all[i])
        i += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
