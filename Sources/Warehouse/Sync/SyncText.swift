import Columns
import Connectors
import SQL
import Store

/// A synced table as the spec that a person would write for it: the sources, the table, an INSERT of each.
enum SyncText {
  static func spec(_ table: SyncTable) -> String {
    let statement = table.statement
    var parts: [String] = []
    for (key, value) in statement.settings.sorted(by: { $0.key < $1.key }) {
      parts.append("SET \(string(key)) = \(string(value))")
    }
    parts += table.sources.map { source($0, statement) }
    parts.append(target(table))
    parts += table.sources.map { insert($0, table) }
    return parts.joined(separator: ";\n") + ";\n"
  }

  // MARK: The source

  static func source(_ source: SyncSource, _ statement: SyncStatement) -> String {
    let key = source.key(statement)
    var lines = source.shape.columns.map { column in
      // Null may be allowed at the server without a word in its log.
      let type = key.contains(column.name) ? column.type.notNull : column.type.nullable
      return "  \(quoted(column.name)) \(type.text)" + comment(column.comment)
    }
    let options = statement.options
    for (key, type) in SyncOptions.metadataTypes where options.metadata.contains(key) {
      lines.append(
        "  \(quoted(options.metadataPrefix + key)) \(type.text) METADATA FROM \(string(key)) VIRTUAL"
      )
    }
    for column in statement.definition.columns {
      guard case .metadata(let type, let key, _) = column.kind else { continue }
      lines.append(
        "  \(quoted(column.name.text)) \(type.text) METADATA FROM "
          + string(key ?? column.name.text) + " VIRTUAL")
    }
    lines += computed(statement).map { "  \(quoted($0.name.text)) AS \(value($0))" }
    if !key.isEmpty { lines.append("  PRIMARY KEY \(list(key)) NOT ENFORCED") }
    var connector = source.options
    if source.shape.primaryKey.isEmpty { connector[SchemaDrift.ownKeyOption] = "true" }
    if let place = source.place { connector[SchemaDrift.placeOption] = place }
    return "CREATE TEMPORARY TABLE \(quoted(source.name)) (\n" + lines.joined(separator: ",\n")
      + "\n)\(comment(source.shape.comment)) WITH (\n\(entries(connector))\n)"
  }

  /// Computed columns of the statement, in the order written.
  static func computed(_ statement: SyncStatement) -> [ColumnSyntax] {
    let listed = statement.definition.columns.filter {
      if case .computed = $0.kind { return true }
      return false
    }
    return listed + statement.added.map(\.column)
  }

  static func value(_ column: ColumnSyntax) -> String {
    guard case .computed(let value) = column.kind else { return "NULL" }
    return SyntaxText.expression(value)
  }

  // MARK: The table

  private static func target(_ table: SyncTable) -> String {
    let definition = table.statement.definition
    var lines = table.fields.map { field in
      "  \(quoted(field.name)) \(field.type.text)" + comment(field.comment)
    }
    lines.append("  PRIMARY KEY \(list(table.primaryKey)) NOT ENFORCED")
    var text =
      "CREATE TABLE \(quoted(table.name.table)) (\n" + lines.joined(separator: ",\n") + "\n)"
      + comment(table.comment)
    if !definition.partitionedBy.isEmpty {
      text += " PARTITIONED BY " + list(definition.partitionedBy.map(\.text))
    }
    var options = Dictionary(table.statement.options.table.map { ($0.key, $0.value) }) { $1 }
    // One file a bucket and commit: many small tables cost little so.
    if options["bucket"] == nil { options["bucket"] = "1" }
    return text + " WITH (\n\(entries(options))\n)"
  }

  private static func insert(_ source: SyncSource, _ table: SyncTable) -> String {
    let options = table.statement.options
    var own = Set(options.metadata.map { options.metadataPrefix + $0 })
    own.formUnion(computed(table.statement).map(\.name.text))
    for column in table.statement.definition.columns {
      if case .metadata = column.kind { own.insert(column.name.text) }
    }
    let values = table.fields.map { field -> String in
      let name = quoted(field.name)
      if own.contains(field.name) { return name }
      guard
        let column = source.shape.columns.first(where: { source.target(of: $0.name) == field.name })
      else { return "CAST(NULL AS \(field.type.nullable.text)) AS \(name)" }
      if column.type.kind == field.type.kind {
        return quoted(column.name) + (column.name == field.name ? "" : " AS \(name)")
      }
      return "CAST(\(quoted(column.name)) AS \(field.type.nullable.text)) AS \(name)"
    }
    return "INSERT INTO \(quoted(table.name.table))\nSELECT \(values.joined(separator: ", "))\n"
      + "FROM \(quoted(source.name))"
  }

  // MARK: Words

  private static func entries(_ options: [String: String]) -> String {
    options.sorted { $0.key < $1.key }.map { "  \(string($0.key)) = \(string($0.value))" }
      .joined(separator: ",\n")
  }

  private static func comment(_ text: String?) -> String {
    text.map { $0.isEmpty ? "" : " COMMENT \(string($0))" } ?? ""
  }

  private static func list(_ names: [String]) -> String {
    "(" + names.map(quoted).joined(separator: ", ") + ")"
  }

  private static func quoted(_ name: String) -> String { TableDDL.quoted(name) }
  private static func string(_ text: String) -> String { TableDDL.string(text) }
}
