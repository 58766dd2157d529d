internal import Columns
internal import Formats
internal import Synchronization

/// What everything that touches the files of one table needs to know of it.
///
/// A value of one schema version: writers that outlive a schema change get a new one.
final class TableFiles: Sendable {
  let environment: Environment
  let path: TablePath
  let schema: TableSchema
  let schemas: SchemaDirectory
  /// The merge over all columns of the table.
  let layout: KeyValueLayout
  let engine: MergeEngine
  let thinMode: Bool
  let targetFileBytes: Int
  let statsModes: [StatsMode]
  /// Of data files, and of those without rows by key.
  let parquetOptions: ParquetWriteOptions
  let plainOptions: ParquetWriteOptions
  private let partitionTypes: [DataType]
  private let made = Mutex<Set<String>>([])

  init(
    _ environment: Environment, _ path: TablePath, _ schemas: SchemaDirectory,
    _ schema: TableSchema
  ) throws(TerraceError) {
    self.environment = environment
    self.path = path
    self.schemas = schemas
    self.schema = schema
    let options = schema.options
    layout = try TableFiles.layout(schema, columns: nil)
    engine = MergeEngine(ignoresDeletes: try options.ignoreDelete)
    thinMode = try options.thinMode
    targetFileBytes = max(1, try options.targetFileBytes(hasPrimaryKey: schema.hasPrimaryKey))
    var modes: [StatsMode] = []
    for field in schema.fields { modes.append(try options.statsMode(of: field.name)) }
    statsModes = modes
    plainOptions = try options.parquetWriteOptions(columns: schema.fields.map(\.name))
    var parquet = plainOptions
    if schema.hasPrimaryKey, let pageBytes = try options.bytes(Table.lookupOption) {
      let first = KeyValueFields.fileType(schema, thin: thinMode).count - schema.fields.count
      parquet.lookup = ParquetLookupOptions(
        columns: layout.keyColumns.map { first + $0 }, types: layout.keyTypes,
        pageBytes: max(64, pageBytes))
      let isNested = schema.fields.contains {
        $0.type.physical.width == 0 && $0.type.physical != .bytes
      }
      if isNested { parquet.lookup = nil }
      // Where bounds of pages are not wanted, the lookup index stands for the page index.
      parquet.pageIndex = isNested || plainOptions.boundedColumns == nil
    }
    parquetOptions = parquet
    partitionTypes = schema.partitionType.fields.map(\.type)
  }

  /// The same table, worked on in the background.
  func inBackground() throws(TerraceError) -> TableFiles {
    guard let files = environment.background else { return self }
    var other = environment
    other.files = files
    return try TableFiles(other, path, schemas, schema)
  }

  /// A merge over some columns: those asked for, then keys and sequence fields that are missing.
  ///
  /// - Parameter columns: indices into the schema's fields; nil for all, in order.
  static func layout(_ schema: TableSchema, columns: [Int]?) throws(TerraceError) -> KeyValueLayout
  {
    var indices = columns ?? Array(schema.fields.indices)
    let keys = schema.trimmedKeyIndices
    let names = schema.hasPrimaryKey ? schema.options.sequenceFields : []
    let order = schema.indices(of: names)
    if order.count != names.count {
      throw TerraceError(.invalid, "sequence.field names a column that does not exist")
        .with("sequence.field", names.joined(separator: ","))
    }
    for index in keys + order where !indices.contains(index) { indices.append(index) }
    return KeyValueLayout(
      type: RowType(indices.map { schema.fields[$0] }),
      keyColumns: keys.compactMap { indices.firstIndex(of: $0) },
      orderColumns: order.compactMap { indices.firstIndex(of: $0) },
      descending: try schema.options.sequenceSortOrder == .descending)
  }

  func schema(_ id: Int) throws(TerraceError) -> TableSchema {
    id == schema.id ? schema : try schemas.schema(id)
  }

  // MARK: - Folders

  /// The folder of a bucket.
  func folder(of place: BucketPlace) throws(TerraceError) -> String {
    path.bucket(place.bucket, partition: try partitionPath(place.partition))
  }

  func partitionPath(_ partition: [UInt8]) throws(TerraceError) -> String {
    if partitionTypes.isEmpty { return "" }
    return try PartitionPath.text(partition, schema)
  }

  func path(of file: DataFile, at place: BucketPlace) throws(TerraceError) -> String {
    if let path = file.externalPath { return path }
    try checkFileName(file.name, "data file")
    return try folder(of: place) + "/" + file.name
  }

  /// Makes a folder before the first file goes there.
  func prepare(folder: String) throws(TerraceError) {
    if made.withLock({ $0.contains(folder) }) { return }
    try environment.files.makeDirectories(folder)
    made.withLock { _ = $0.insert(folder) }
  }

  /// Removes files that no snapshot names.
  func remove(_ paths: [String]) {
    // What cannot be removed is left to `orphans`.
    for path in paths { _ = try? environment.files.delete(path) }
  }
}
