/// Names and texts inside statements that take no parameters: COPY, replication, CREATE PUBLICATION.
enum PostgresText {
  /// `"name"`, as an identifier.
  static func name(_ name: String) -> String {
    "\"" + name.replacing("\"", with: "\"\"").replacing("\0", with: "") + "\""
  }

  /// `'text'`, whatever standard_conforming_strings says.
  static func literal(_ text: String) -> String {
    let plain = text.replacing("'", with: "''").replacing("\0", with: "")
    return plain.contains("\\")
      ? " E'" + plain.replacing("\\", with: "\\\\") + "'" : "'" + plain + "'"
  }
}

/// A table of one database: schema and name.
struct PostgresTableName: Hashable, Sendable, Comparable {
  var schema: String
  var table: String

  var quoted: String { PostgresText.name(schema) + "." + PostgresText.name(table) }
  var text: String { schema + "." + table }

  static func < (a: PostgresTableName, b: PostgresTableName) -> Bool {
    (a.schema, a.table) < (b.schema, b.table)
  }
}
