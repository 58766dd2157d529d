package import Columns

/// A table or one of its branches: the door to reading, writing and compacting it.
///
/// A value of one schema version. After a change of the schema, open the table again.
package final class Table: Sendable {
  package let environment: Environment
  package let path: TablePath
  package let schema: TableSchema
  package let schemas: SchemaDirectory
  package let snapshots: SnapshotDirectory
  let files: TableFiles
  /// Set to about how many bytes a page is to take, data files get an index by which rows are looked up.
  package static let lookupOption = "terrace.lookup.page-size"

  /// - Parameter overrides: options that hold for this value only and are not stored.
  /// - Throws: `notFound` when there is no table, `unsupported` for what Terrace cannot read.
  package static func open(
    _ environment: Environment, _ root: String, branch: String? = nil,
    overrides: [String: String] = [:]
  ) throws(TerraceError) -> Table {
    let path = TablePath(root, branch: branch)
    let schemas = SchemaDirectory(path, environment)
    return try Table(environment, path, schemas, try schemas.latest(), overrides)
  }

  private init(
    _ environment: Environment, _ path: TablePath, _ schemas: SchemaDirectory,
    _ schema: TableSchema, _ overrides: [String: String]
  ) throws(TerraceError) {
    var schema = schema
    for (name, value) in overrides { schema.options[name] = value }
    self.environment = environment
    self.path = path
    self.schemas = schemas
    self.schema = schema
    snapshots = SnapshotDirectory(path, environment)
    files = try TableFiles(environment, path, schemas, schema)
    try Table.checkReadable(schema)
  }

  /// The table with the columns it had at a snapshot.
  package func at(_ snapshot: Snapshot) throws(TerraceError) -> Table {
    if snapshot.schemaID == schema.id { return self }
    return try Table(environment, path, schemas, try schemas.schema(snapshot.schemaID), [:])
  }

  private static func checkReadable(_ schema: TableSchema) throws(TerraceError) {
    let options = schema.options
    func refuse(_ what: String) -> TerraceError { TerraceError(.unsupported, what) }
    for name in ["row-tracking.enabled", "data-evolution.enabled", "pk-clustering-override"]
    where try options.flag(name, false) {
      throw refuse(name)
    }
    switch try schema.bucketMode {
    case .postpone: throw refuse("postponed buckets (bucket = -2)")
    case .crossPartition: throw refuse("a primary key without the partition columns")
    case .fixed, .unaware, .dynamic: break
    }
    if try options.deletionVectors { throw refuse("deletion-vectors.enabled") }
    guard schema.hasPrimaryKey else { return }
    let engine = try options.mergeEngine
    if engine != .deduplicate { throw refuse("merge-engine \(engine.rawValue)") }
    if try options.flag("sequence.snapshot-ordering", false) {
      throw refuse("sequence.snapshot-ordering")
    }
  }

  /// - Throws: `unsupported` for tables that can only be read.
  func checkWritable() throws(TerraceError) {
    if try schema.bucketMode == .dynamic {
      throw TerraceError(
        .unsupported, "writing to dynamic buckets (bucket = -1 with a primary key)"
      )
      .hint("create the table with a number of buckets")
    }
    let format = schema.options.fileFormat
    if format != "parquet" { throw TerraceError(.unsupported, "writing file.format \(format)") }
    for name in ["file.format.per.level", "file.compression.per.level"]
    where schema.options[name] != nil {
      throw TerraceError(.unsupported, name)
    }
    for name in schema.options.entries.keys.sorted() where name.hasPrefix("file-index.") {
      throw TerraceError(.unsupported, "writing file indexes").with("option", name)
    }
  }

  /// Buckets that rows are spread over; 1 for unaware tables.
  var bucketCount: Int {
    get throws(TerraceError) {
      if case .fixed(let count) = try schema.bucketMode { return count }
      return 1
    }
  }

  /// A new reader of the table's manifests.
  package func manifests() throws(TerraceError) -> ManifestFiles {
    try ManifestFiles(path, schema, environment)
  }

  /// The live files at a snapshot; none before the first commit.
  func state(
    at snapshot: Snapshot?, filter: ManifestFilter = .all
  ) throws(TerraceError) -> TableState {
    guard let snapshot else { return TableState() }
    return try TableState(at: snapshot, try manifests(), filter: filter)
  }
}
