import Catalog
package import Columns
import Store

/// What the partitions of a table hold at one snapshot.
package enum PartitionList {
  package struct Partition: Sendable {
    /// `dt=2026-11-20/hh=07`.
    package let name: String
    /// Physical rows: older versions of a key and deletes count too.
    package var recordCount: Int64 = 0
    package var byteCount: Int64 = 0
    package var fileCount = 0
    package var lastCreationMillis: Int64?
  }

  /// - Parameter pattern: `dt=2026*`, where `*` is any text; nil for all.
  package static func read(
    _ warehouse: OpenWarehouse, _ name: TableName, pattern: String?
  ) throws(TerraceError) -> [Partition] {
    let schema = try warehouse.schema(of: name)
    if schema.partitionKeys.isEmpty, schema.options["metastore.tag-to-partition"] != nil {
      return try readTags(try warehouse.tagPartitions(of: name), pattern)
    }
    guard !schema.partitionKeys.isEmpty else {
      throw TerraceError(.invalid, "table \(name) has no partitions")
    }
    let path = try warehouse.path(of: name)
    let environment = warehouse.environment
    guard let snapshot = try SnapshotDirectory(path, environment).latest() else { return [] }
    let state = try TableState(at: snapshot, try ManifestFiles(path, schema, environment))
    var found: [String: Partition] = [:]
    let parts = pattern.map { Array($0.split(separator: "*", omittingEmptySubsequences: false)) }
    for (place, bucket) in state.buckets {
      let values = try PartitionPath.values(place.partition, schema)
      let name = values.map { "\($0.name)=\($0.text)" }.joined(separator: "/")
      if let parts, !matches(name, parts) { continue }
      var partition = found[name] ?? Partition(name: name)
      for file in bucket.files {
        partition.recordCount += file.rowCount
        partition.byteCount += file.byteCount
        partition.fileCount += 1
        if let millis = file.creationMillis {
          partition.lastCreationMillis = max(partition.lastCreationMillis ?? millis, millis)
        }
      }
      found[name] = partition
    }
    return found.values.sorted { $0.name < $1.name }
  }

  /// Tags that are partitions, and the running one where the table previews it.
  private static func readTags(
    _ directory: PartitionDirectory, _ pattern: String?
  ) throws(TerraceError) -> [Partition] {
    let parts = pattern.map { Array($0.split(separator: "*", omittingEmptySubsequences: false)) }
    return try directory.shown().map { tag in
      Partition(
        name: "\(tag.column)=\(tag.value)", recordCount: tag.rows, byteCount: tag.bytes,
        fileCount: tag.files, lastCreationMillis: tag.createdMillis)
    }.filter { partition in parts.map { matches(partition.name, $0) } ?? true }
  }

  /// Whether the text is the parts in order, with anything between them.
  private static func matches(_ text: String, _ parts: [Substring]) -> Bool {
    guard parts.count > 1 else { return text == parts[0] }
    guard text.hasPrefix(parts[0]), let last = parts.last else { return false }
    var rest = text.dropFirst(parts[0].count)
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let place = rest.firstRange(of: part) else { return false }
      rest = rest[place.upperBound...]
    }
    return rest.hasSuffix(last)
  }
}
