import Columns

/// The tables that a source's options name, and whether they can be read as declared.
enum PostgresTables {
  static func found(
    _ options: PostgresOptions, _ declared: ConnectorTable, _ schema: PostgresSchema
  ) throws(TerraceError) -> [PostgresTable] {
    var tables: [PostgresTable] = []
    for table in try schema.tables(schema: options.schema, table: options.table) {
      tables.append(try schema.described(table))
    }
    if tables.isEmpty {
      throw TerraceError(
        .notFound, "no table \(options.schema).\(options.table) in \(options.server.place)"
      ).with("table", declared.name)
    }
    for table in tables {
      do throws(TerraceError) { try check(table, declared, options) } catch {
        throw error.with("table", table.name.text)
      }
    }
    return tables
  }

  private static func check(
    _ table: PostgresTable, _ declared: ConnectorTable, _ options: PostgresOptions
  ) throws(TerraceError) {
    let metadata = Set(declared.metadata.map(\.column))
    for field in declared.type.fields where !metadata.contains(field.name) {
      guard let column = table.column(field.name) else {
        // With schema evolution the job is told in time; else a later column may be missing for a while.
        if options.followsSchema { continue }
        throw TerraceError(.invalid, "the table has no column \(field.name)")
          .with("columns", table.columns.map(\.name).joined(separator: " "))
      }
      if column.isGenerated {
        throw TerraceError(
          .unsupported, "the generated column \(field.name): the server's log does not hold it",
          hint: "declare it as a computed column: \(field.name) AS …")
      }
      if !column.type.fits(field.type) {
        throw TerraceError(
          .invalid,
          "the column \(field.name) is \(column.type.name), and cannot be read as \(field.type.text)",
          hint: "declare \(column.type.columnType.text), or STRING for its text")
      }
    }
    if options.startup == .snapshotOnly { return }
    try checkIdentity(table, declared, metadata, options)
  }

  private static func checkIdentity(
    _ table: PostgresTable, _ declared: ConnectorTable, _ metadata: Set<String>,
    _ options: PostgresOptions
  ) throws(TerraceError) {
    let advice = "ALTER TABLE \(table.name.quoted) REPLICA IDENTITY FULL"
    if options.tellsOldRows, !table.tellsOldRows {
      throw TerraceError(
        .invalid, "the server's log does not hold the table's old rows",
        hint: advice + "; or declare a PRIMARY KEY and leave 'changelog-mode' out")
    }
    if table.identityColumns.isEmpty {
      // In a publication, updates of such a table would fail on the server.
      throw TerraceError(
        .invalid, "the table has no primary key, and its log says nothing of old rows",
        hint: advice)
    }
    for name in declared.primaryKey where !metadata.contains(name) {
      if !table.identityColumns.contains(name) {
        throw TerraceError(
          .invalid,
          "the PRIMARY KEY has \(name), which the server's log does not tell of old rows",
          hint: advice + "; or declare \(table.identityColumns.joined(separator: ", "))")
      }
    }
  }
}
