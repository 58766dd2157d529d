import Columns

/// What 'connector' = 'jdbc' says when its URL names PostgreSQL, by Flink's option names.
struct PostgresSinkOptions: Sendable {
  var server: PostgresConnection.Settings
  var target: PostgresTableName

  static let scheme = "jdbc:postgresql:"

  init(_ table: ConnectorTable) throws(TerraceError) {
    var options = ConnectorOptions(table)
    let url = try JDBCURL(
      &options, schemes: [Self.scheme], form: "jdbc:postgresql://host:port/database?key=value")
    var settings = PostgresConnection.Settings(
      host: url.host ?? "localhost", port: url.port ?? 5432, database: url.database, user: "")
    var schema = "public"
    var tls: [String: String] = [:]
    for (name, value) in url.properties {
      switch name {
      case "user": settings.user = value
      case "password": settings.password = value
      case "currentSchema": schema = value
      case "sslmode", "sslrootcert", "sslcert", "sslkey", "ssl": tls[name] = value
      case "connectTimeout": settings.connectSeconds = max(2, Int(value) ?? 30)
      case "ApplicationName", "reWriteBatchedInserts", "stringtype", "tcpKeepAlive", "loginTimeout",
        "socketTimeout":
        break
      default: throw options.unknownProperty(name, of: "PostgreSQL")
      }
    }
    settings.tls = try Self.tls(tls, table)
    if let user = options.text("username") { settings.user = user }
    if let password = options.text("password") { settings.password = password }
    if settings.user.isEmpty { _ = try options.required("username") }
    server = settings
    let name = try options.target()
    target = PostgresTableName(schema: name.place ?? schema, table: name.table)
    try options.finishTarget()
  }

  private static func tls(
    _ given: [String: String], _ table: ConnectorTable
  ) throws(TerraceError) -> [String: String] {
    var plain = table
    plain.options = given
    var options = ConnectorOptions(plain)
    return try PostgresOptions.tls(&options)
  }
}
