package import Columns

/// Files in a table's folder that nothing names: what crashes, aborted writers and dropped branches
/// leave behind.
package struct Orphans {
  package let path: TablePath
  private let environment: Environment

  package init(_ path: TablePath, _ environment: Environment) {
    self.path = TablePath(path.root)
    self.environment = environment
  }

  private var files: any FileIO { environment.files }

  /// Younger files may belong to a writer that is about to commit them.
  package static let standardAgeMillis: Int64 = 86_400_000

  package struct File: Hashable, Sendable {
    package var path: String
    package var byteCount: Int
  }

  /// - Parameter olderThanMillis: files that changed at this time or later are left alone; nil for a
  ///   day ago. Milliseconds since 1970.
  package func list(olderThanMillis: Int64? = nil) throws(TerraceError) -> [File] {
    let limit = olderThanMillis ?? environment.time.nowMillis() - Orphans.standardAgeMillis
    // Candidates first: what is committed while we look is reachable then.
    var found: [File] = []
    for folder in try metadataFolders() {
      for name in try files.list(folder) { try add(folder + "/" + name, limit, &found) }
    }
    try walk(path.root, limit, &found)
    if found.isEmpty { return [] }
    let reachable = try reachablePaths()
    return found.filter { !reachable.contains($0.path) }
  }

  /// Removes them.
  @discardableResult
  package func remove(olderThanMillis: Int64? = nil) throws(TerraceError) -> [File] {
    let found = try list(olderThanMillis: olderThanMillis)
    for file in found { try files.delete(file.path) }
    return found
  }

  private func add(_ file: String, _ limit: Int64, _ found: inout [File]) throws(TerraceError) {
    guard let status = try files.status(file), status.kind == .file,
      status.modifiedMillis < limit
    else { return }
    found.append(File(path: file, byteCount: status.byteCount))
  }

  private func metadataFolders() throws(TerraceError) -> [String] {
    [path.manifests, path.indexes, path.statistics]
  }

  /// Data files, and unfinished temporary files of any folder of metadata.
  private func walk(
    _ folder: String, _ limit: Int64, _ found: inout [File]
  ) throws(TerraceError) {
    let isBucket = splitPath(folder).name.hasPrefix("bucket-")
    for name in try files.list(folder) {
      let file = folder + "/" + name
      if isBucket || name.hasPrefix(".") && name.hasSuffix(".tmp") {
        try add(file, limit, &found)
      } else if try files.status(file)?.isDirectory == true, isOurs(name, in: folder) {
        try walk(file, limit, &found)
      }
    }
  }

  /// Folders that Paimon makes; anything else in a table's folder is none of our business.
  private func isOurs(_ name: String, in folder: String) -> Bool {
    let metadata = ["schema", "snapshot", "changelog", "tag", "consumer", "branch"]
    return name.contains("=") || name.hasPrefix("bucket-") || name.hasPrefix("branch-")
      || metadata.contains(name)
  }

  private func reachablePaths() throws(TerraceError) -> Set<String> {
    let schema = try SchemaDirectory(path, environment).latest()
    let reach = try FileReach(path, environment)
    var held = FileReach.Held()
    for line in try Branches(path, environment).paths() {
      let snapshots = SnapshotDirectory(line, environment)
      try reach.collectHeld(by: line, &held)
      // After the snapshots, which become long-lived changelogs.
      for id in try snapshots.changelogIDs() {
        guard let list = try snapshots.findChangelog(id)?.changelogManifestList else { continue }
        held.add(try reach.remainingEntries(list: list))
        held.metadata.formUnion(try reach.remainingMetadata(list: list))
      }
    }
    for file in held.data {
      let partition = try PartitionPath.text(file.place.partition, schema)
      held.metadata.insert(
        path.bucket(file.place.bucket, partition: partition) + "/" + file.name)
    }
    return held.metadata
  }
}
