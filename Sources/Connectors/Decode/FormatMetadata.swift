import Columns

/// A metadata column that the format's records have themselves.
struct FormatMetadata {
  var column: Field
  /// Members from the envelope down.
  var path: [String]

  /// By Flink's names; nil when the format has no such metadata.
  init?(_ field: Field, key: String, _ kind: RecordFormat.Kind) {
    column = field
    switch (kind, key) {
    case (.debezium, "ingestion-timestamp"): path = ["ts_ms"]
    case (.debezium, "source.timestamp"): path = ["source", "ts_ms"]
    case (.debezium, "source.database"): path = ["source", "db"]
    case (.debezium, "source.schema"): path = ["source", "schema"]
    case (.debezium, "source.table"): path = ["source", "table"]
    case (.canal, "ingestion-timestamp"): path = ["ts"]
    case (.canal, "event-timestamp"): path = ["es"]
    case (.canal, "database"): path = ["database"]
    case (.canal, "table"): path = ["table"]
    default: return nil
    }
  }

  static func names(_ kind: RecordFormat.Kind) -> [String] {
    switch kind {
    case .debezium:
      [
        "ingestion-timestamp", "source.timestamp", "source.database", "source.schema",
        "source.table",
      ]
    case .canal: ["ingestion-timestamp", "event-timestamp", "database", "table"]
    default: []
    }
  }

  /// Whether the column's declared type can hold it as it is.
  var fits: Bool {
    let last = path[path.count - 1]
    if ["ts_ms", "ts", "es"].contains(last) {
      switch column.type.kind {
      case .timestampLTZ(3), .bigint: return true
      default: return false
      }
    }
    return column.type.kind == DataType.string.kind
  }

  /// The column of an envelope's columns.
  func column(_ columns: [Column], _ fields: [Field]) -> Column {
    var (columns, fields) = (columns, fields)
    for (depth, name) in path.enumerated() {
      guard let index = fields.firstIndex(where: { $0.name == name }) else { break }
      if depth == path.count - 1 { return columns[index].retyped(column.type) }
      guard case .row(let inner) = fields[index].type.kind else { break }
      (columns, fields) = (columns[index].children, inner)
    }
    preconditionFailure("the envelope lacks \(path)")
  }
}
