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
    if tables.isEmpty { throw missing(options, declared) }
    return tables
  }

  static func missing(_ options: PostgresOptions, _ declared: ConnectorTable) -> TerraceError {
    TerraceError(
      .notFound, "no table \(options.schema).\(options.table) in \(options.server.place)"
    ).with("table", declared.name)
  }

  /// What became of a table that is followed, when that is told by no log.
  ///
  /// - Parameter names: that it may have.
  /// - Returns: nil while it is there under one of them.
  static func stray(
    _ id: UInt32, _ names: Set<PostgresTableName>, _ schema: PostgresSchema
  ) throws(TerraceError) -> SchemaDrift? {
    let now = try schema.tables([id])[id]
    if let now, names.contains(now.name) { return nil }
    var what = now.map { "it is called \($0.name.text) now" } ?? "it was dropped"
    for name in names {
      let others = try schema.tables(schema: name.schema, table: name.table)
      if others.contains(where: { $0.name == name }) { what += ", and another one has its name" }
    }
    return gone(names.min()?.text ?? "", what)
  }

  static func gone(_ name: String, _ what: String) -> SchemaDrift {
    SchemaDrift(columns: [], primaryKey: [], isDropped: true, reason: "\(name): \(what)")
  }

  /// - Throws: `invalid` or `unsupported` when it cannot be read as declared.
  static func check(
    _ table: PostgresTable, _ declared: ConnectorTable, _ options: PostgresOptions
  ) throws(TerraceError) {
    do throws(TerraceError) { try checkColumns(table, declared, options) } catch {
      throw error.with("table", table.name.text)
    }
  }

  private static func checkColumns(
    _ table: PostgresTable, _ declared: ConnectorTable, _ options: PostgresOptions
  ) throws(TerraceError) {
    let metadata = Set(declared.metadata.map(\.column))
    for field in declared.type.fields where !metadata.contains(field.name) {
      guard let column = table.column(field.name) else {
        throw TerraceError(.invalid, "the table has no column \(field.name)")
          .with("columns", table.columns.map(\.name).joined(separator: " "))
      }
      if column.isGenerated {
        throw TerraceError(
          .unsupported, "the generated column \(field.name): the server's log does not hold it",
          hint: "declare it as a computed column: \(field.name) AS …")
      }
      if !column.type.fits(field.type) {
        let own = column.type.columnType.text
        throw TerraceError(
          .invalid,
          "the column \(field.name) is \(column.type.name), and cannot be read as \(field.type.text)",
          hint: own == "STRING" ? "declare STRING" : "declare \(own), or STRING for its text")
      }
    }
    if options.startup == .snapshotOnly { return }
    if table.isUnlogged {
      throw TerraceError(
        .unsupported, "an unlogged table: the server's log does not hold its rows",
        hint: "ALTER TABLE \(table.name.quoted) SET LOGGED; or 'scan.startup.mode' = 'snapshot'")
    }
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
        .invalid,
        "the table has no primary key that is checked at once, and its log says nothing of old rows",
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
