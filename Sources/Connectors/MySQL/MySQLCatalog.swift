import Columns
import Store

/// The tables of a MySQL or MariaDB server: what CREATE CATALOG with 'type' = 'mysql-cdc' names.
final class MySQLCatalog: DatabaseCatalog {
  private let written: [String: String]
  private let settings: MySQLConnection.Settings
  private let switches: MySQLTypeSwitches
  private let database: String?
  private var open: MySQLConnection?

  /// - Parameters:
  ///   - written: the catalog's options, secrets unresolved.
  ///   - environment: resolves them.
  init(
    name: String, _ written: [String: String], folder: String, _ environment: Environment
  ) throws(TerraceError) {
    self.written = written
    var options = try ConnectorOptions(catalog: name, written, folder: folder, environment)
    settings = try MySQLOptions.server(&options)
    switches = try MySQLTypeSwitches(&options)
    database = options.text("database-name")
    // They go to every table: a slip is told before that.
    _ = try MySQLOptions(options.table(of: "t"))
  }

  private func schema() throws(TerraceError) -> MySQLSchema {
    if let open, !open.isBroken { return MySQLSchema(connection: open) }
    let made = try MySQLConnection(settings)
    try made.query("SET SESSION sql_mode = ''")
    open = made
    return MySQLSchema(connection: made)
  }

  func tables(database: String?, schema: String?) throws(TerraceError) -> [DatabaseTable] {
    if schema != nil { return [] }
    return try self.schema().tableNames(database: database ?? self.database, table: nil).map {
      DatabaseTable(database: $0.database, table: $0.table)
    }
  }

  func databases() throws(TerraceError) -> [String] { try schema().databases() }

  func shape(of table: DatabaseTable) throws(TerraceError) -> DatabaseTableShape {
    let name = MySQLTableName(database: table.database, table: table.table)
    guard let found = try schema().described(name) else {
      throw TerraceError(.notFound, "no such table").with("table", table.text)
    }
    if found.isVersioned {
      throw TerraceError(.unsupported, "a table WITH SYSTEM VERSIONING: its log has old rows too")
        .with("table", table.text)
    }
    for column in found.columns where !column.isGenerated && column.type(switches) == nil {
      throw TerraceError(.unsupported, column.refusal)
        .with("column", column.name).with("table", table.text)
    }
    for name in found.primaryKey {
      guard let type = found.columns.first(where: { $0.name == name })?.type(switches),
        type.isNested
      else { continue }
      throw TerraceError(.unsupported, "a key of type \(type.text)").with("column", name)
        .with("table", table.text)
    }
    var shape = Self.shape(found, switches)
    for column in found.columns where column.isGenerated {
      shape.notes.append("the generated column \(column.name) is left out")
    }
    for cascade in try schema().cascades(name) {
      shape.notes.append(
        "rows change with those of \(cascade.table) (\(cascade.rules)): the server's log does not tell "
          + "it, and they stay as they are here")
    }
    if !found.isTransactional {
      shape.obstacle = "first rows of a table without transactions (ENGINE = \(found.engine))"
    }
    return shape
  }

  /// Columns that the server computes are left out: its log need not hold them.
  static func shape(_ table: MySQLTable, _ switches: MySQLTypeSwitches) -> DatabaseTableShape {
    var columns: [Field] = []
    for column in table.columns where !column.isGenerated {
      guard let type = column.type(switches) else { continue }
      let isKey = table.primaryKey.contains(column.name)
      columns.append(
        Field(
          id: columns.count, name: column.name, type: isKey ? type.notNull : type,
          comment: column.comment))
    }
    return DatabaseTableShape(
      table: DatabaseTable(database: table.name.database, table: table.name.table),
      columns: columns, primaryKey: table.primaryKey, comment: table.comment, tellsOldRows: true)
  }

  func options(for table: DatabaseTable) -> [String: String] {
    var options = written
    options["type"] = nil
    options["connector"] = "mysql-cdc"
    options[SchemaDrift.placeOption] = MySQLOptions.freshPlace
    options["database-name"] = Self.quoted(table.database)
    options["table-name"] = Self.quoted(table.table)
    return options
  }

  /// A name as a pattern that matches nothing else; plain names stay as they are.
  private static func quoted(_ name: String) -> String {
    var text = ""
    for c in name {
      if ".^$*+?()[]{}|\\".contains(c) { text.append("\\") }
      text.append(c)
    }
    return text
  }

  func close() { open = nil }
}
