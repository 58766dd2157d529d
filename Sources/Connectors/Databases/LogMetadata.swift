import Columns

/// What a METADATA column of a table in a server's log is filled from.
package enum LogMetadata {
  case table, schema, database, time, kind

  /// Whether it tells of the change, and not of the row.
  package static func isOfChange(_ key: String) -> Bool { key == "op_ts" || key == "row_kind" }

  /// Columns that tell the tables apart which a pattern names: rows of theirs may have the same key.
  package static func origins(_ table: ConnectorTable) -> [String] {
    let names = ["database-name", "schema-name", "table-name"].compactMap { table.options[$0] }
    let isPlain = names.allSatisfy { name in
      name.utf8.allSatisfy { byte in
        byte >= 0x80 || "_$-. ".utf8.contains(byte) || byte &- 0x30 <= 9
          || (byte | 0x20) &- 0x61 <= 25
      }
    }
    if isPlain { return [] }
    return table.metadata.filter {
      ["table_name", "schema_name", "database_name"].contains($0.key)
    }.map(\.column)
  }

  /// - Parameters:
  ///   - key: `op_ts` and others, as the column's METADATA FROM has it.
  ///   - hasSchemas: the server's tables lie in schemas of a database.
  /// - Throws: `invalid` for a key that there is not, and for a type that cannot hold it.
  init(
    _ key: String, _ field: Field, _ table: ConnectorTable, hasSchemas: Bool
  ) throws(TerraceError) {
    switch key {
    case "table_name": self = .table
    case "schema_name" where hasSchemas: self = .schema
    case "database_name": self = .database
    case "op_ts": self = .time
    case "row_kind": self = .kind
    default:
      let connector = table.options["connector"] ?? "the connector"
      throw TerraceError(
        .invalid, "\(connector) has no metadata '\(key)'",
        hint: (hasSchemas ? "table_name, schema_name" : "table_name")
          + ", database_name, op_ts, row_kind"
      ).with("table", table.name).with("column", field.name)
    }
    let fits: Bool
    switch (self, field.type.kind) {
    case (.time, .timestampLTZ(let p)): fits = p <= 6
    case (.time, .bigint): fits = true
    case (.time, _): fits = false
    default: fits = field.type.isText
    }
    if !fits {
      throw TerraceError(
        .invalid, "the metadata '\(key)' is a \(self == .time ? "TIMESTAMP_LTZ(3)" : "STRING")"
      ).with("table", table.name).with("column", field.name)
    }
  }

  /// The type that the values of a key are read as; nil for a key that there is not.
  static func type(of key: String, declared: DataType) -> DataType? {
    switch key {
    case "op_ts":
      switch declared.kind {
      case .bigint: return declared
      case .timestampLTZ(let precision) where precision <= 6: return declared
      default: return DataType(.timestampLTZ(3))
      }
    case "table_name", "schema_name", "database_name", "row_kind": return .string
    default: return nil
    }
  }

  /// Where a row is from.
  struct Origin {
    var table: String
    var schema = ""
    var database: String
    /// Time of the commit since 1970.
    var millis: Int64
  }

  /// - Parameter type: of the column.
  func append(_ kind: RowKind, from origin: Origin, to builder: ColumnBuilder, _ type: DataType) {
    switch self {
    case .table: builder.append(origin.table)
    case .schema: builder.append(origin.schema)
    case .database: builder.append(origin.database)
    case .kind: builder.append(kind.text)
    case .time:
      switch type.kind {
      case .timestampLTZ(let p) where p > 3: builder.append(origin.millis &* 1000)
      default: builder.append(origin.millis)
      }
    }
  }
}
