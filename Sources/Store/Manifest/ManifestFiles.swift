package import Columns
import Formats

/// Reads and writes the Avro files in `manifest/`.
///
/// Names are one UUID an object and a counter, so no two writers ever choose the same.
package final class ManifestFiles {
  package let path: TablePath
  private let environment: Environment
  private let codec: AvroCodec
  private let targetBytes: Int
  private let partitionTypes: [DataType]
  private let uuid: String
  /// Files that are written but not durable yet, by path.
  private var unsynced: [String: any FileSink] = [:]
  private var manifestCount = 0
  private var listCount = 0

  /// - Parameter schema: for the options and the partition columns.
  package init(
    _ path: TablePath, _ schema: TableSchema, _ environment: Environment
  ) throws(TerraceError) {
    self.path = path
    self.environment = environment
    partitionTypes = schema.partitionType.fields.map(\.type)
    targetBytes = try schema.options.manifestTargetBytes
    uuid = environment.names.uuid()
    switch schema.options.manifestCompression {
    case "zstd", "zstandard": codec = .zstandard
    case "snappy": codec = .snappy
    case "deflate", "gzip", "zlib": codec = .deflate
    case "none", "null", "uncompressed": codec = .null
    case let other: throw TerraceError(.unsupported, "manifest.compression \(shown(other))")
    }
  }

  // MARK: Reading

  /// - Throws: kind `notFound` when the list is gone.
  package func readList(_ name: String) throws(TerraceError) -> [Manifest] {
    let source = try environment.files.open(path.manifest(name))
    do {
      return try Manifest.read(try AvroFile.read(source, as: ManifestFormat.list))
    } catch {
      throw error.with("file", path.manifest(name))
    }
  }

  /// Entries in the order of the file.
  package func readEntries(
    _ name: String, filter: ManifestFilter = .all
  ) throws(TerraceError) -> [ManifestEntry] {
    let source = try environment.files.open(path.manifest(name))
    do {
      let batch = try AvroFile.read(source, as: ManifestFormat.manifest)
      var decided: [[UInt8]: Bool] = [:]
      return try ManifestEntry.read(batch) { place, total throws(TerraceError) in
        if filter.keepsAll { return true }
        if let bucket = filter.bucket, !bucket(place.bucket, total) { return false }
        if let known = decided[place.partition] { return known }
        let keeps = try filter.keeps(partition: place.partition)
        decided[place.partition] = keeps
        return keeps
      }
    } catch {
      throw error.with("file", path.manifest(name))
    }
  }

  /// Manifests of the state at a snapshot: those before it, then those of its own changes.
  package func manifests(of snapshot: Snapshot) throws(TerraceError) -> [Manifest] {
    try readList(snapshot.baseManifestList) + readList(snapshot.deltaManifestList)
  }

  // MARK: Writing

  /// Writes entries into one or more manifests of about the target size. They are not durable before
  /// ``sync()``.
  package func writeEntries(
    _ entries: [ManifestEntry], schemaID: Int
  ) throws(TerraceError) -> [Manifest] {
    var written: [Manifest] = []
    var rest = entries[...]
    // Entries a file: from the bytes that an entry took in the files so far.
    var perFile = max(1, targetBytes / 256)
    do {
      while !rest.isEmpty {
        let part = rest.prefix(perFile)
        let name = "manifest-\(uuid)-\(manifestCount)"
        manifestCount += 1
        let bytes = try write(ManifestEntry.batch(part), name)
        written.append(
          try Manifest(
            name: name, byteCount: bytes, entries: part, schemaID: schemaID,
            partitionTypes: partitionTypes))
        perFile = max(1, targetBytes / max(1, Int(bytes) / part.count))
        rest = rest.dropFirst(part.count)
      }
    } catch {
      discard(written)
      throw error
    }
    return written
  }

  /// Writes a manifest list; as ``writeEntries(_:schemaID:)``.
  package func writeList(
    _ manifests: [Manifest]
  ) throws(TerraceError) -> (name: String, byteCount: Int64) {
    let name = "manifest-list-\(uuid)-\(listCount)"
    listCount += 1
    return (name, try write(Manifest.batch(manifests), name))
  }

  private func write(_ batch: Batch, _ name: String) throws(TerraceError) -> Int64 {
    let file = path.manifest(name)
    do {
      let sink = try create(file)
      try AvroFile.write(batch, codec: codec, to: sink)
      try sink.startSync()
      unsynced[file] = sink
      return Int64(sink.byteCount)
    } catch {
      environment.files.discard(file)
      throw error
    }
  }

  private func create(_ file: String) throws(TerraceError) -> any FileSink {
    do {
      return try environment.files.create(file)
    } catch {
      if error.kind != .notFound { throw error }
      try environment.files.makeDirectories(path.manifests)
      return try environment.files.create(file)
    }
  }

  /// Makes everything written so far durable, and more files and folders with it.
  ///
  /// All syncs run at once, as far as there are workers: the file system then commits its journal once
  /// for many. After a failure the files are not to be used: syncing them again could wrongly succeed.
  package func sync(
    with more: [any FileSink] = [], folders: [String] = []
  ) throws(TerraceError) {
    let written = unsynced.sorted { $0.key < $1.key }.map(\.value)
    unsynced.removeAll()
    let sinks = SyncedSinks(written + more)
    let files = environment.files
    let names = [path.manifests] + folders
    try environment.workers.forEach(sinks.count + names.count) { index throws(TerraceError) in
      if index < sinks.count {
        try sinks.finish(index)
      } else {
        try files.syncDirectory(names[index - sinks.count])
      }
    }
  }

  /// Removes manifests that no snapshot came to name.
  package func discard(_ manifests: [Manifest]) {
    for manifest in manifests { discard(list: manifest.name) }
  }

  package func discard(list name: String) {
    let file = path.manifest(name)
    unsynced[file] = nil
    environment.files.discard(file)
  }
}

/// Files that are synced and closed, each by one thread.
private struct SyncedSinks: @unchecked Sendable {
  private let sinks: [any FileSink]

  init(_ sinks: [any FileSink]) { self.sinks = sinks }

  var count: Int { sinks.count }

  func finish(_ index: Int) throws(TerraceError) {
    try sinks[index].sync()
    try sinks[index].close()
  }
}
