import Catalog
import Columns
import Connectors
import Formats
import Store

/// What servers said last of the tables that are synced, by the table here.
struct SyncMemory: Sendable {
  ///
  /// Sources stand in the order in which they came: state of their rows is kept by it.
  private(set) var sources: [String: [SyncSource]] = [:]
  /// When a catalog was asked last.
  private(set) var askedMillis: [String: Int64] = [:]

  init() {}

  init(_ metastore: Metastore) throws(TerraceError) {
    var places: [String: [(place: Int64, source: SyncSource)]] = [:]
    for row in try metastore.synced() {
      let json = try parseJSON(Array(row.shape.utf8))
      let source = try SyncSource(json, catalog: row.catalog)
      places[row.table, default: []].append((try json.optionalInt("number") ?? 0, source))
      askedMillis[row.catalog] = max(askedMillis[row.catalog] ?? 0, row.updatedMillis)
    }
    // Those of one number stay in the order of their names.
    sources = places.mapValues { found in
      found.enumerated().sorted { ($0.element.place, $0.offset) < ($1.element.place, $1.offset) }
        .map(\.element.source)
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
      for (number, source) in table.sources.enumerated() {
        try metastore.put(
          SyncedRow(
            table: table.name.description, source: source.name, catalog: source.catalog,
            shape: source.json(number: number).text(), updatedMillis: nowMillis))
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
