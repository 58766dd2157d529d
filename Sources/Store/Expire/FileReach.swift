import Columns
import Formats

/// One file among the data, wherever it stands in the LSM tree: an upgraded file is still one file.
struct DataPath: Hashable, Sendable {
  var place: BucketPlace
  var name: String
}

/// Which files can be reached from which snapshots. Everything that deletes asks this.
///
/// A file is live over one unbroken run of snapshots, and so is a manifest: what a snapshot does not
/// use, and an older one does, no later one uses. Therefore the neighbours of what is deleted decide.
final class FileReach {
  let path: TablePath
  let environment: Environment
  let manifests: ManifestFiles
  private let schema: TableSchema
  private var states: [Snapshot: Set<DataPath>] = [:]
  private var lists: [String: [Manifest]] = [:]

  init(_ path: TablePath, _ environment: Environment) throws(TerraceError) {
    self.path = path
    self.environment = environment
    schema = try SchemaDirectory(path, environment).latest()
    manifests = try ManifestFiles(path, schema, environment)
  }

  /// Data files that a snapshot's state consists of, with their extra files.
  func data(of snapshot: Snapshot) throws(TerraceError) -> Set<DataPath> {
    if let known = states[snapshot] { return known }
    var names: Set<DataPath> = []
    for (place, bucket) in try TableState(at: snapshot, manifests).buckets {
      for file in bucket.files { names.formUnion(FileReach.paths(place, file)) }
    }
    states[snapshot] = names
    return names
  }

  static func paths(_ place: BucketPlace, _ file: DataFile) -> [DataPath] {
    ([file.name] + file.extraFiles).map { DataPath(place: place, name: $0) }
  }

  /// Entries of a manifest list; empty when it is gone already.
  func entries(list name: String?) throws(TerraceError) -> [ManifestEntry] {
    guard let name else { return [] }
    var found: [ManifestEntry] = []
    for manifest in try list(name) {
      do {
        found += try manifests.readEntries(manifest.name)
      } catch {
        if error.kind != .notFound { throw error }
      }
    }
    return found
  }

  private func list(_ name: String) throws(TerraceError) -> [Manifest] {
    if let known = lists[name] { return known }
    do {
      let read = try manifests.readList(name)
      lists[name] = read
      return read
    } catch {
      if error.kind != .notFound { throw error }
      return []
    }
  }

  /// Files in `manifest/`, `index/` and `statistics/` that a snapshot names, by their path.
  ///
  /// - Parameter changelog: whether the changelog's lists count.
  func metadata(
    of snapshot: Snapshot, changelog: Bool = true
  ) throws(TerraceError) -> Set<String> {
    var names: Set<String> = []
    var wanted = [snapshot.baseManifestList, snapshot.deltaManifestList]
    if changelog, let list = snapshot.changelogManifestList { wanted.append(list) }
    for name in wanted { names.formUnion(try metadata(list: name)) }
    if let index = snapshot.indexManifest {
      names.insert(path.manifest(index))
      for file in try indexFiles(index) { names.insert(path.indexes + "/" + file) }
    }
    if let statistics = snapshot.statistics { names.insert(path.statistics + "/" + statistics) }
    return names
  }

  /// A manifest list and the manifests it names, by their path.
  func metadata(list name: String) throws(TerraceError) -> Set<String> {
    var names: Set = [path.manifest(name)]
    for manifest in try list(name) { names.insert(path.manifest(manifest.name)) }
    return names
  }

  private func indexFiles(_ name: String) throws(TerraceError) -> [String] {
    let column = Field(id: 0, name: "_FILE_NAME", type: DataType.string.notNull)
    do {
      let source = try environment.files.open(path.manifest(name))
      let batch = try AvroFile.read(source, as: RowType([column]))
      var names: [String] = []
      for row in 0..<batch.count {
        let file = String(decoding: batch.columns[0].bytes(row), as: UTF8.self)
        try checkFileName(file, "name of an index file")
        names.append(file)
      }
      return names
    } catch {
      if error.kind == .notFound { return [] }
      throw error
    }
  }

  /// Data files and metadata that other branches of the table reach; they lie in the same folders.
  func heldByOtherBranches() throws(TerraceError) -> (data: Set<DataPath>, metadata: Set<String>) {
    var data: Set<DataPath> = []
    var metadata: Set<String> = []
    for other in try Branches(path, environment).paths() where other != path {
      let snapshots = SnapshotDirectory(other, environment)
      var held = try TagDirectory(other, environment).list().map(\.snapshot)
      for id in try snapshots.ids() {
        if let snapshot = try snapshots.find(id) { held.append(snapshot) }
      }
      for snapshot in held {
        data.formUnion(try self.data(of: snapshot))
        for entry in try entries(list: snapshot.changelogManifestList) {
          data.formUnion(FileReach.paths(entry.place, entry.file))
        }
        metadata.formUnion(try self.metadata(of: snapshot))
      }
    }
    return (data, metadata)
  }

  // MARK: Deleting

  /// Removes data files; what is missing is no error.
  ///
  /// - Returns: how many there were.
  @discardableResult func delete(_ files: Set<DataPath>) throws(TerraceError) -> Int {
    var count = 0
    var folders: [BucketPlace: String] = [:]
    for file in files {
      if folders[file.place] == nil {
        folders[file.place] = path.bucket(
          file.place.bucket, partition: try PartitionPath.text(file.place.partition, schema))
      }
      try checkFileName(file.name, "name of a data file")
      if try environment.files.delete((folders[file.place] ?? "") + "/" + file.name) { count += 1 }
    }
    if try schema.options.cleanEmptyDirectories {
      for folder in Set(folders.values) { try deleteEmpty(folder) }
    }
    return count
  }

  /// Removes a bucket's folder and those of its partition, as far as they are empty.
  private func deleteEmpty(_ folder: String) throws(TerraceError) {
    var current = folder
    while current != path.root, current.hasPrefix(path.root + "/") {
      guard try environment.files.deleteDirectory(current) else { return }
      current = splitPath(current).folder
    }
  }

  func delete(metadata paths: Set<String>) throws(TerraceError) {
    for path in paths { try environment.files.delete(path) }
  }
}
