import Columns
import Store

/// The tables of a PostgreSQL server: what CREATE CATALOG with 'type' = 'postgres-cdc' names.
final class PostgresCatalog: DatabaseCatalog {
  private let written: [String: String]
  private let settings: PostgresConnection.Settings
  private var connections: [String: PostgresConnection] = [:]

  /// - Parameters:
  ///   - written: the catalog's options, secrets unresolved.
  ///   - environment: resolves them.
  init(
    name: String, _ written: [String: String], folder: String, _ environment: Environment
  ) throws(TerraceError) {
    self.written = written
    var options = try ConnectorOptions(catalog: name, written, folder: folder, environment)
    settings = try PostgresOptions.server(&options)
    // They go to every table: a slip is told before that.
    _ = try PostgresOptions(options.table(of: "t"))
  }

  private func connection(_ database: String?) throws(TerraceError) -> PostgresConnection {
    let name = database ?? settings.database
    if let open = connections[name], !open.isBroken { return open }
    var settings = settings
    settings.database = name
    let made = try PostgresConnection(settings)
    connections[name] = made
    return made
  }

  func tables(database: String?, schema: String?) throws(TerraceError) -> [DatabaseTable] {
    let found = try PostgresSchema(try connection(database)).tables(schema: nil, table: nil)
    return found.filter { schema == nil || $0.name.schema == schema }.map {
      DatabaseTable(
        database: database ?? settings.database, schema: $0.name.schema, table: $0.name.table)
    }.sorted()
  }

  func shape(of table: DatabaseTable) throws(TerraceError) -> DatabaseTableShape {
    let schema = PostgresSchema(try connection(table.database))
    let wanted = PostgresTableName(schema: table.schema ?? "public", table: table.table)
    let found = try schema.tables(schema: nil, table: nil).first { $0.name == wanted }
    guard let found else {
      throw TerraceError(.notFound, "no such table").with("table", table.text)
    }
    let described = try schema.described(found)
    try Self.check(described)
    return Self.shape(described, database: table.database)
  }

  /// - Throws: `unsupported` when the log does not tell what is needed, whatever is declared.
  private static func check(_ table: PostgresTable) throws(TerraceError) {
    if table.isUnlogged {
      throw TerraceError(.unsupported, "an unlogged table: the server's log does not hold its rows")
    }
    if table.primaryKey.isEmpty || Set(table.primaryKey).isSubset(of: table.identityColumns) {
      return
    }
    throw TerraceError(
      .unsupported,
      table.identity == "n"
        ? "REPLICA IDENTITY NOTHING: the log tells nothing of old rows"
        : "a REPLICA IDENTITY without the primary key",
      hint: "ALTER TABLE \(table.name.quoted) REPLICA IDENTITY DEFAULT")
  }

  /// Columns that the server computes are left out: its log does not hold them.
  private static func shape(_ table: PostgresTable, database: String) -> DatabaseTableShape {
    let columns = table.columns.filter { !$0.isGenerated }
    var shape = DatabaseTableShape(
      table: DatabaseTable(
        database: database, schema: table.name.schema, table: table.name.table),
      columns: columns.enumerated().map { place, column in
        var type = column.type.columnType
        // Rounded keys could meet.
        let isKey = table.primaryKey.contains(column.name)
        if isKey, case .numeric(nil, _) = column.type.kind { type = .string }
        return Field(
          id: place, name: column.name, type: column.isNullable ? type : type.notNull,
          comment: column.comment)
      },
      primaryKey: table.primaryKey, comment: table.comment, tellsOldRows: table.tellsOldRows)
    shape.notes = table.columns.filter(\.isGenerated).map {
      "the generated column \($0.name) is left out: the server's log does not hold it"
    }
    return shape
  }

  func options(for table: DatabaseTable) -> [String: String] {
    var options = written
    options["type"] = nil
    options["connector"] = "postgres-cdc"
    options["database-name"] = table.database
    options["schema-name"] = table.schema ?? "public"
    options["table-name"] = table.table
    return options
  }

  func close() { connections = [:] }
}
