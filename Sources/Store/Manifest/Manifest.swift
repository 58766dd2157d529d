package import Columns

/// What a manifest list says about one manifest (Paimon `ManifestFileMeta`).
package struct Manifest: Hashable, Sendable {
  /// Bare name in `manifest/`.
  package var name: String
  package var byteCount: Int64
  package var addedCount: Int64
  package var deletedCount: Int64
  /// Over the partition rows of the entries.
  package var partitionStats: SimpleStats
  package var schemaID: Int
  /// Nil when an older writer did not say.
  package var minBucket: Int?
  package var maxBucket: Int?
  package var minLevel: Int?
  package var maxLevel: Int?
  package var minRowID: Int64?
  package var maxRowID: Int64?

  /// What there is to say about a manifest with these entries.
  init(
    name: String, byteCount: Int64, entries: some Collection<ManifestEntry>, schemaID: Int,
    partitionTypes: [DataType]
  ) throws(TerraceError) {
    self.name = name
    self.byteCount = byteCount
    self.schemaID = schemaID
    deletedCount = Int64(entries.count { $0.kind == .delete })
    addedCount = Int64(entries.count) - deletedCount
    minBucket = entries.map(\.bucket).min()
    maxBucket = entries.map(\.bucket).max()
    minLevel = entries.map(\.file.level).min()
    maxLevel = entries.map(\.file.level).max()
    partitionStats = try Manifest.statistics(entries, partitionTypes)
  }

  private static func statistics(
    _ entries: some Collection<ManifestEntry>, _ types: [DataType]
  ) throws(TerraceError) -> SimpleStats {
    if types.isEmpty { return .empty }
    var minimum = [Scalar](repeating: .null, count: types.count)
    var maximum = minimum
    var nulls = [Int64](repeating: 0, count: types.count)
    var counts: [[UInt8]: Int64] = [:]
    for entry in entries { counts[entry.partition, default: 0] += 1 }
    for (partition, count) in counts {
      for (i, value) in try decodeRow(partition, types).enumerated() {
        if value.isNull {
          nulls[i] += count
        } else {
          if minimum[i].isNull || Scalar.compare(value, minimum[i]) < 0 { minimum[i] = value }
          if maximum[i].isNull || Scalar.compare(value, maximum[i]) > 0 { maximum[i] = value }
        }
      }
    }
    return SimpleStats(
      minValues: BinaryRow(minimum, types).serialized,
      maxValues: BinaryRow(maximum, types).serialized, nullCounts: nulls)
  }

  static func batch(_ manifests: [Manifest]) -> Batch {
    let type = ManifestFormat.list
    let builders = type.fields.map { ColumnBuilder($0.type, capacity: manifests.count) }
    for manifest in manifests {
      builders[0].append(ManifestFormat.version)
      builders[1].append(manifest.name)
      builders[2].append(manifest.byteCount)
      builders[3].append(manifest.addedCount)
      builders[4].append(manifest.deletedCount)
      builders[5].append(stats: manifest.partitionStats)
      builders[6].append(Int64(manifest.schemaID))
      builders[7].append(optional: manifest.minBucket)
      builders[8].append(optional: manifest.maxBucket)
      builders[9].append(optional: manifest.minLevel)
      builders[10].append(optional: manifest.maxLevel)
      builders[11].append(optional: manifest.minRowID)
      builders[12].append(optional: manifest.maxRowID)
    }
    return Batch(type, builders.map { $0.finish() }, count: manifests.count)
  }

  static func read(_ batch: Batch) throws(TerraceError) -> [Manifest] {
    var manifests: [Manifest] = []
    for index in 0..<batch.count {
      manifests.append(try Manifest(MetadataRow(columns: batch.columns, row: index)))
    }
    return manifests
  }

  private init(_ row: MetadataRow) throws(TerraceError) {
    let version = row.int32(0)
    if version != ManifestFormat.version {
      throw TerraceError(.unsupported, "manifest list version \(version)")
    }
    name = row.text(1)
    byteCount = row.int64(2)
    addedCount = row.int64(3)
    deletedCount = row.int64(4)
    partitionStats = row.stats(5)
    schemaID = Int(clamping: row.int64(6))
    minBucket = row.optionalInt32(7)
    maxBucket = row.optionalInt32(8)
    minLevel = row.optionalInt32(9)
    maxLevel = row.optionalInt32(10)
    minRowID = row.optionalInt64(11)
    maxRowID = row.optionalInt64(12)
    try checkFileName(name, "name of a manifest")
  }
}

/// Values of a BinaryRow that stands with its arity in a manifest.
package func decodeRow(
  _ bytes: [UInt8], _ types: [DataType]
) throws(TerraceError) -> [Scalar] {
  var result: Result<[Scalar], TerraceError> = .success([])
  bytes.withUnsafeBytes { raw in
    do throws(TerraceError) {
      result = .success(try BinaryRow.decode(serialized: raw, types))
    } catch {
      result = .failure(error)
    }
  }
  return try result.get()
}
