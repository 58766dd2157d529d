package import Columns
import Connectors
import Dataflow
import SQL
import Store

/// What of a table goes to files, and where they lie.
package struct TableExport: Sendable {
  package var table: TableName
  /// A folder that is empty or not there yet.
  package var folder: String
  /// `json`, `csv`, `parquet` or `avro`.
  package var format: String
  /// An SQL condition; nil: all rows.
  package var condition: String?
  /// A snapshot's number or a tag; nil: the newest snapshot.
  package var version: String?
  /// Columns that become `column=value` folders.
  package var partitions: [String]

  package init(
    table: TableName, folder: String, format: String, condition: String? = nil,
    version: String? = nil, partitions: [String] = []
  ) {
    self.table = table
    self.folder = folder
    self.format = format
    self.condition = condition
    self.version = version
    self.partitions = partitions
  }

  /// The condition stands on a line of its own: errors in it are placed there.
  fileprivate var query: String {
    func quoted(_ name: String) -> String { "`" + name.replacing("`", with: "``") + "`" }
    var text = "SELECT * FROM \(quoted(table.database)).\(quoted(table.table))"
    if let version {
      let isNumber = Int64(version) != nil
      text +=
        " VERSION AS OF "
        + (isNumber ? version : "'" + version.replacing("'", with: "''") + "'")
    }
    if let condition { text += "\nWHERE \(condition)" }
    return text
  }
}

extension SQLSession {
  /// Writes rows of a table to files, once: hidden until all are durable, `_SUCCESS` last.
  ///
  /// - Returns: the number of rows.
  /// - Throws: `invalid` for a folder that holds something, and for what the query is wrong in.
  package func export(_ export: TableExport) throws(TerraceError) -> Int {
    let files = warehouse.environment.files
    if try files.status(export.folder) != nil, try !files.list(export.folder).isEmpty {
      throw TerraceError(
        .invalid, "the folder is not empty", hint: "export into a new one, or empty it before"
      ).with("folder", export.folder)
    }
    let catalog = SessionCatalog(self)
    let source = SourceText(export.query, name: "export")
    let plan: Plan
    do throws(TerraceError) {
      let query = try Parser.query(source)
      plan = try Binder(source, resolver: catalog, isStreaming: false).bind(query).plan
    } catch { throw source.placed(error, nil) }
    for name in export.partitions where plan.type.index(of: name) == nil {
      throw TerraceError(
        .notFound, "no column '\(name)'",
        hint: NearestName.hint(name, among: plan.type.fields.map(\.name), else: "there are "))
    }
    var table = ConnectorTable(
      name: export.table.table, type: plan.type, partitionKeys: export.partitions,
      options: [
        "connector": "filesystem", "path": export.folder, "format": export.format,
      ], folder: folder)
    table.reader = "export"
    table.isExport = true
    try files.makeDirectories(export.folder)
    let count = try send(plan, catalog, to: table)
    try files.write([], to: export.folder + "/_SUCCESS")
    try files.syncDirectory(export.folder)
    return count
  }
}
