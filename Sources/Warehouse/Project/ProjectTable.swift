package import Columns
package import SQL
package import Store

/// A table that a project declares.
package struct ProjectTable: Sendable {
  package var name: TableName
  /// `layers/ods/orders.sql`
  package var file: String
  package var shape: TableShape
  package var isMaterialized: Bool
  /// Of the text: what the spans of computed columns refer to.
  package var text: SourceText
  package var distribution: DistributionSyntax?
  package var computedTypes: [String: DataType]
  /// The SQL of the whole file.
  package var sql: String { String(decoding: text.bytes, as: UTF8.self) }

  /// As the spec or the stored schema has it.
  func option(_ key: String) -> String? { shape.options.last { $0.key == key }?.value }

  /// The schema of the table when it is made.
  ///
  /// Jobs know the exact changes of a table with a primary key and write them down: producer `input`, unless
  /// the spec says otherwise.
  package func schema(timeMillis: Int64) throws(TerraceError) -> TableSchema {
    var shape = shape
    if !shape.primaryKey.isEmpty, !shape.options.contains(where: { $0.key == "changelog-producer" })
    {
      shape.options.append(
        OptionSyntax(
          key: "changelog-producer", value: "input", keySpan: SourceSpan(0, 0),
          valueSpan: SourceSpan(0, 0)))
    }
    return try shape.schema(
      timeMillis: timeMillis, computedTypes: computedTypes, distribution: distribution)
  }
}
