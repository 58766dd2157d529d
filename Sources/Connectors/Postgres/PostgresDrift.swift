import Columns

/// Whether a table of the log still looks as it was declared.
enum PostgresDrift {
  /// What the table looks like now; nil when the declared columns hold all that the log tells.
  static func drift(
    _ relation: ReplicationRelation, _ table: ConnectorTable, _ schema: PostgresSchema
  ) throws(TerraceError) -> SchemaDrift? {
    var reasons: [String] = []
    for column in relation.columns {
      guard let declared = table.declared.fields.first(where: { $0.name == column.name }) else {
        reasons.append("column \(column.name) is new")
        continue
      }
      let type = try schema.type(column.type, column.modifier)
      if !holds(declared.type, type.columnType) {
        reasons.append("column \(column.name) is \(type.name) now")
      }
    }
    let names = Set(relation.columns.map(\.name))
    for field in table.declared.fields where !names.contains(field.name) {
      reasons.append("column \(field.name) is gone")
    }
    if reasons.isEmpty { return nil }
    let found = try schema.tables(schema: relation.name.schema, table: relation.name.table)
    guard let first = found.first(where: { $0.name == relation.name }) else {
      return SchemaDrift(
        columns: [], primaryKey: [], isDropped: true,
        reason: "the table \(relation.name.text) is gone")
    }
    let now = try schema.described(first)
    let shape = PostgresCatalog.shape(now, database: "")
    return SchemaDrift(
      columns: shape.columns, primaryKey: now.primaryKey, comment: now.comment,
      reason: "\(relation.name.text): " + reasons.joined(separator: ", "))
  }

  /// Whether every value of a type stands unchanged in a declared one.
  static func holds(_ declared: DataType, _ type: DataType) -> Bool {
    switch (declared.kind, type.kind) {
    case (.varchar(let a), .varchar(let b)), (.varchar(let a), .char(let b)),
      (.char(let a), .char(let b)):
      return a >= b
    // Any value has a text.
    case (.varchar(let a), _): return a == DataType.unbounded
    case (.decimal(let p, let s), .decimal(let q, let t)): return s >= t && p - s >= q - t
    case (.timestamp(let a), .timestamp(let b)), (.timestampLTZ(let a), .timestampLTZ(let b)),
      (.time(let a), .time(let b)):
      return a >= min(b, 6)
    case (.array(let a), .array(let b)): return holds(a, b)
    default: break
    }
    let widths: [DataType.Kind] = [.tinyint, .smallint, .int, .bigint]
    if let a = widths.firstIndex(of: declared.kind), let b = widths.firstIndex(of: type.kind) {
      return a >= b
    }
    if declared.kind == .double, type.kind == .float { return true }
    return declared.kind == type.kind
  }
}
