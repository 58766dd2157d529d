package import Columns

/// A layer of the project.
package struct LayerRow: Hashable, Sendable {
  package var name: String
  /// 0 is the lowest.
  package var position: Int

  package init(name: String, position: Int) {
    self.name = name
    self.position = position
  }
}

/// What a table was declared as when it was last applied.
package struct SchemaRow: Hashable, Sendable {
  /// `dwd.orders`
  package var table: String
  /// Nil for a table that no layer's file declares.
  package var layer: String?
  /// The text of the spec.
  package var ddl: String
  /// Of the spec: an equal hash is an unchanged spec.
  package var hash: String
  package var updatedMillis: Int64

  package init(
    table: String, layer: String?, ddl: String, hash: String, updatedMillis: Int64
  ) {
    self.table = table
    self.layer = layer
    self.ddl = ddl
    self.hash = hash
    self.updatedMillis = updatedMillis
  }
}

/// Databases and tables, as Paimon's JDBC catalog lists them; layers and specs.
extension Metastore {
  // MARK: Databases

  /// Makes a database known. Its properties are added to those it has.
  ///
  /// - Parameter location: the database's folder, absolute, as other engines see it.
  package func register(
    database: String, location: String, properties: [String: String] = [:]
  ) throws(TerraceError) {
    try transaction { () throws(TerraceError) in
      var all = properties
      all["exists"] = "true"
      all["location"] = location
      for (key, value) in all {
        try run(
          """
          INSERT OR REPLACE INTO paimon_database_properties
          (catalog_key, database_name, property_key, property_value) VALUES (?, ?, ?, ?)
          """,
          [.text(Metastore.catalogKey), .text(database), .text(key), .text(value)])
      }
    }
  }

  /// Names in order; those that only a table's row tells are among them, as Paimon has it.
  package func databases() throws(TerraceError) -> [String] {
    try rows(
      """
      SELECT database_name FROM paimon_database_properties WHERE catalog_key = ?1
      UNION SELECT database_name FROM paimon_tables WHERE catalog_key = ?1 ORDER BY 1
      """, [.text(Metastore.catalogKey)]
    ).map { $0.text(0) }
  }

  /// Without `exists`, which every database has.
  package func properties(ofDatabase database: String) throws(TerraceError) -> [String: String] {
    let found = try rows(
      """
      SELECT property_key, property_value FROM paimon_database_properties
      WHERE catalog_key = ? AND database_name = ? AND property_key <> 'exists'
      """, [.text(Metastore.catalogKey), .text(database)])
    return Dictionary(found.map { ($0.text(0), $0.text(1)) }) { $1 }
  }

  /// Forgets a database with all its tables.
  package func forget(database: String) throws(TerraceError) {
    try transaction { () throws(TerraceError) in
      for table in try tables(in: database) { try forget(database: database, table: table) }
      try run(
        "DELETE FROM paimon_database_properties WHERE catalog_key = ? AND database_name = ?",
        [.text(Metastore.catalogKey), .text(database)])
    }
  }

  // MARK: Tables

  package func register(database: String, table: String) throws(TerraceError) {
    try run(
      "INSERT OR IGNORE INTO paimon_tables (catalog_key, database_name, table_name) VALUES (?, ?, ?)",
      [.text(Metastore.catalogKey), .text(database), .text(table)])
  }

  package func tables(in database: String) throws(TerraceError) -> [String] {
    try rows(
      """
      SELECT table_name FROM paimon_tables
      WHERE catalog_key = ? AND database_name = ? ORDER BY 1
      """, [.text(Metastore.catalogKey), .text(database)]
    ).map { $0.text(0) }
  }

  /// Forgets a table, its spec and its partitions.
  package func forget(database: String, table: String) throws(TerraceError) {
    let name = database + "." + table
    try transaction { () throws(TerraceError) in
      for paimon in ["paimon_tables", "paimon_table_properties"] {
        try run(
          "DELETE FROM \(paimon) WHERE catalog_key = ? AND database_name = ? AND table_name = ?",
          [.text(Metastore.catalogKey), .text(database), .text(table)])
      }
      for ours in ["terrace_schemas", "terrace_tag_partitions"] {
        try run("DELETE FROM \(ours) WHERE table_name = ?", [.text(name)])
      }
    }
  }

  package func rename(
    database: String, table: String, to new: (database: String, table: String)
  ) throws(TerraceError) {
    let (old, name) = (database + "." + table, new.database + "." + new.table)
    try transaction { () throws(TerraceError) in
      for paimon in ["paimon_tables", "paimon_table_properties"] {
        try run(
          """
          UPDATE \(paimon) SET database_name = ?, table_name = ?
          WHERE catalog_key = ? AND database_name = ? AND table_name = ?
          """,
          [
            .text(new.database), .text(new.table), .text(Metastore.catalogKey), .text(database),
            .text(table),
          ])
      }
      for ours in ["terrace_schemas", "terrace_tag_partitions"] {
        try run(
          "UPDATE \(ours) SET table_name = ? WHERE table_name = ?", [.text(name), .text(old)])
      }
    }
  }

  // MARK: Layers and specs

  /// The lowest first.
  package func layers() throws(TerraceError) -> [LayerRow] {
    try rows("SELECT name, position FROM terrace_layers ORDER BY position, name").map {
      LayerRow(name: $0.text(0), position: Int($0.int(1)))
    }
  }

  /// Puts these layers, the lowest first, in the place of all that there were.
  package func replaceLayers(_ names: [String]) throws(TerraceError) {
    try transaction { () throws(TerraceError) in
      for layer in try layers() where !names.contains(layer.name) {
        try run("DELETE FROM terrace_layers WHERE name = ?", [.text(layer.name)])
      }
      for (position, name) in names.enumerated() {
        try run(
          """
          INSERT INTO terrace_layers(name, position) VALUES (?, ?)
          ON CONFLICT(name) DO UPDATE SET position = excluded.position
          """, [.text(name), .int(Int64(position))])
      }
    }
  }

  package func put(_ schema: SchemaRow) throws(TerraceError) {
    try run(
      """
      INSERT OR REPLACE INTO terrace_schemas(table_name, layer, ddl, hash, updated)
      VALUES (?, ?, ?, ?, ?)
      """,
      [
        .text(schema.table), schema.layer.map { .text($0) } ?? .null, .text(schema.ddl),
        .text(schema.hash), .int(schema.updatedMillis),
      ])
  }

  package func schema(of table: String) throws(TerraceError) -> SchemaRow? {
    try schemas("WHERE table_name = ?", [.text(table)]).first
  }

  package func schemas() throws(TerraceError) -> [SchemaRow] { try schemas("", []) }

  package func deleteSchema(of table: String) throws(TerraceError) {
    try run("DELETE FROM terrace_schemas WHERE table_name = ?", [.text(table)])
  }

  private func schemas(
    _ condition: String, _ values: [SQLiteValue]
  ) throws(TerraceError) -> [SchemaRow] {
    try rows(
      """
      SELECT table_name, layer, ddl, hash, updated FROM terrace_schemas \(condition)
      ORDER BY table_name
      """, values
    ).map {
      SchemaRow(
        table: $0.text(0), layer: $0.optionalText(1), ddl: $0.text(2), hash: $0.text(3),
        updatedMillis: $0.int(4))
    }
  }
}
