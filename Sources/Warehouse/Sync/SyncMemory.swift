import Catalog
import Columns
import Connectors
import Formats
import Store

/// What servers said last of the tables that are synced, by the table here.
struct SyncMemory: Sendable {
  private(set) var sources: [String: [SyncSource]] = [:]
  /// When a catalog was asked last.
  private(set) var askedMillis: [String: Int64] = [:]

  init() {}

  init(_ metastore: Metastore) throws(TerraceError) {
    for row in try metastore.synced() {
      let json = try parseJSON(Array(row.shape.utf8))
      sources[row.table, default: []].append(try SyncSource(json, catalog: row.catalog))
      askedMillis[row.catalog] = max(askedMillis[row.catalog] ?? 0, row.updatedMillis)
    }
  }

  /// Tables of a catalog, each once.
  func tables(of catalog: String) -> [DatabaseTable] {
    var found: Set<DatabaseTable> = []
    for source in sources.values.joined() where source.catalog == catalog {
      found.insert(source.shape.table)
    }
    return found.sorted()
  }

  func source(_ table: TableName, _ source: DatabaseTable, catalog: String) -> SyncSource? {
    sources[table.description]?.first { $0.catalog == catalog && $0.shape.table == source }
  }

  /// Writes down what is known of a table now.
  static func remember(
    _ table: SyncTable, _ metastore: Metastore, nowMillis: Int64
  ) throws(TerraceError) {
    try metastore.transaction { () throws(TerraceError) in
      try metastore.deleteSynced(table.name.description)
      for source in table.sources {
        try metastore.put(
          SyncedRow(
            table: table.name.description, source: source.name, catalog: source.catalog,
            shape: source.json.text(), updatedMillis: nowMillis))
      }
    }
  }

  /// Whether a job made a consumer: for a source of its, or for its own roots.
  static func isConsumer(_ name: String, of job: String) -> Bool {
    if name == "terrace-root-" + job || name == "terrace-" + job { return true }
    guard name.hasPrefix("terrace-" + job + "-") else { return false }
    return Int(name.dropFirst("terrace-".count + job.count + 1)) != nil
  }
}
