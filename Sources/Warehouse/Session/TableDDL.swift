import Columns
import SQL
package import Store

/// A stored table as the CREATE TABLE that makes it.
package enum TableDDL {
  package static func createTable(
    _ name: String, _ schema: TableSchema, withOptions: Bool = true
  ) -> String {
    let options = schema.options.entries
    var columns = schema.fields.map { field in
      "  \(quoted(field.name)) \(field.type.text)" + comment(field.comment)
    }
    // Computed columns stand where they were declared.
    let indices = options.keys.compactMap { key -> Int? in
      guard key.hasPrefix("schema."), key.hasSuffix(".expr") else { return nil }
      return Int(key.dropFirst(7).dropLast(5))
    }
    for index in indices.sorted() {
      guard let name = options["schema.\(index).name"], let e = options["schema.\(index).expr"]
      else { continue }
      columns.insert(
        "  \(quoted(name)) AS \(e)" + comment(options["schema.\(index).comment"]),
        at: min(max(index, 0), columns.count))
    }
    if let time = options["schema.watermark.0.rowtime"],
      let e = options["schema.watermark.0.strategy.expr"]
    {
      columns.append("  WATERMARK FOR \(quoted(time)) AS \(e)")
    }
    if !schema.primaryKeys.isEmpty {
      columns.append("  PRIMARY KEY \(list(schema.primaryKeys)) NOT ENFORCED")
    }
    var text = "CREATE TABLE \(name) (\n" + columns.joined(separator: ",\n") + "\n)"
    if let comment = schema.comment, !comment.isEmpty { text += " COMMENT \(string(comment))" }
    if !schema.partitionKeys.isEmpty { text += "\nPARTITIONED BY \(list(schema.partitionKeys))" }
    let shown = options.filter { !$0.key.hasPrefix("schema.") }.sorted { $0.key < $1.key }
    if withOptions, !shown.isEmpty {
      let lines = shown.map {
        "  \(string($0.key)) = \(string(Redaction.shown($0.key, $0.value)))"
      }
      text += "\nWITH (\n" + lines.joined(separator: ",\n") + "\n)"
    }
    return text
  }

  /// A table with a connector.
  static func createTemporary(_ shape: TableShape, _ name: String) -> String {
    var columns: [String] = []
    for column in shape.order {
      var line = "  \(quoted(column)) "
      if let computed = shape.computed.first(where: { $0.name == column }) {
        line += "AS " + SyntaxText.expression(computed.value)
      } else if let field = shape.type.fields.first(where: { $0.name == column }) {
        line += field.type.text
        if let metadata = shape.metadata.first(where: { $0.column == column }) {
          line += " METADATA FROM \(string(metadata.key))" + (metadata.isVirtual ? " VIRTUAL" : "")
        }
      }
      columns.append(line + comment(shape.comments[column]))
    }
    if let watermark = shape.watermark {
      columns.append(
        "  WATERMARK FOR \(watermark.column.text) AS \(SyntaxText.expression(watermark.value))")
    }
    if !shape.primaryKey.isEmpty {
      columns.append("  PRIMARY KEY \(list(shape.primaryKey)) NOT ENFORCED")
    }
    var text =
      "CREATE TEMPORARY TABLE \(quoted(name)) (\n" + columns.joined(separator: ",\n") + "\n)"
    if !shape.partitionKeys.isEmpty { text += "\nPARTITIONED BY \(list(shape.partitionKeys))" }
    let options = shape.options.map {
      "  \(string($0.key)) = \(string(Redaction.shown($0.key, $0.value)))"
    }
    return text + "\nWITH (\n" + options.joined(separator: ",\n") + "\n)"
  }

  private static func comment(_ text: String?) -> String {
    text.map { " COMMENT \(string($0))" } ?? ""
  }

  private static func list(_ names: [String]) -> String {
    "(" + names.map(quoted).joined(separator: ", ") + ")"
  }

  static func quoted(_ name: String) -> String { "`" + name.replacing("`", with: "``") + "`" }
  static func string(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
}
