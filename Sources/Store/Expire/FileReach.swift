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
///
/// What stays must be known whole: reading it fails with `notFound` when a part is missing, for the
/// snapshot may have been expired by another process meanwhile. What goes may be gone already.
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

  /// The same of a snapshot that goes; none when a part of it is gone already.
  func remainingData(of snapshot: Snapshot) throws(TerraceError) -> Set<DataPath> {
    do { return try data(of: snapshot) } catch { return Set(try FileReach.none(error)) }
  }

  static func paths(_ place: BucketPlace, _ file: DataFile) -> [DataPath] {
    ([file.name] + file.extraFiles).map { DataPath(place: place, name: $0) }
  }

  /// Entries of a manifest list, all of them.
  func entries(list name: String?) throws(TerraceError) -> [ManifestEntry] {
    guard let name else { return [] }
    var found: [ManifestEntry] = []
    for manifest in try list(name) { found += try manifests.readEntries(manifest.name) }
    return found
  }

  /// Entries of a list that goes; none when a part is gone already: with half of them, an upgraded
  /// file would look deleted.
  func remainingEntries(list name: String?) throws(TerraceError) -> [ManifestEntry] {
    do { return try entries(list: name) } catch { return try FileReach.none(error) }
  }

  private func list(_ name: String) throws(TerraceError) -> [Manifest] {
    if let known = lists[name] { return known }
    let read = try manifests.readList(name)
    lists[name] = read
    return read
  }

  private static func none<Element>(_ error: TerraceError) throws(TerraceError) -> [Element] {
    if error.kind != .notFound { throw error }
    return []
  }

  /// Files in `manifest/`, `index/` and `statistics/` that a snapshot names, by their path.
  ///
  /// - Parameter changelog: whether the changelog's lists count.
  func metadata(
    of snapshot: Snapshot, changelog: Bool = true
  ) throws(TerraceError) -> Set<String> {
    var names = FileReach.ownNames(of: snapshot, path)
    for name in snapshot.lists(changelog: changelog) {
      names.formUnion(try metadata(list: name))
    }
    if let index = snapshot.indexManifest {
      for file in try indexFiles(index) { names.insert(path.indexes + "/" + file) }
    }
    return names
  }

  /// The same of a snapshot that goes, as far as it is there.
  func remainingMetadata(
    of snapshot: Snapshot, changelog: Bool = true
  ) throws(TerraceError) -> Set<String> {
    var names = FileReach.ownNames(of: snapshot, path)
    for name in snapshot.lists(changelog: changelog) {
      names.formUnion(try remainingMetadata(list: name))
    }
    if let index = snapshot.indexManifest {
      let files: [String]
      do { files = try indexFiles(index) } catch { files = try FileReach.none(error) }
      for file in files { names.insert(path.indexes + "/" + file) }
    }
    return names
  }

  /// The index manifest and the statistics themselves.
  private static func ownNames(of snapshot: Snapshot, _ path: TablePath) -> Set<String> {
    var names: Set<String> = []
    if let index = snapshot.indexManifest { names.insert(path.manifest(index)) }
    if let statistics = snapshot.statistics { names.insert(path.statistics + "/" + statistics) }
    return names
  }

  /// A manifest list and the manifests it names, by their path.
  func metadata(list name: String) throws(TerraceError) -> Set<String> {
    Set(try [path.manifest(name)] + list(name).map { path.manifest($0.name) })
  }

  /// The same of a list that goes, as far as it is there.
  func remainingMetadata(list name: String) throws(TerraceError) -> Set<String> {
    let manifests: [Manifest]
    do { manifests = try list(name) } catch { manifests = try FileReach.none(error) }
    return Set([path.manifest(name)] + manifests.map { path.manifest($0.name) })
  }

  private func indexFiles(_ name: String) throws(TerraceError) -> [String] {
    let column = Field(id: 0, name: "_FILE_NAME", type: DataType.string.notNull)
    let source = try environment.files.open(path.manifest(name))
    let batch = try AvroFile.read(source, as: RowType([column]))
    var names: [String] = []
    for row in 0..<batch.count {
      let file = String(decoding: batch.columns[0].bytes(row), as: UTF8.self)
      try checkFileName(file, "name of an index file")
      names.append(file)
    }
    return names
  }

  /// Data files and metadata that other branches of the table reach; they lie in the same folders.
  func heldByOtherBranches() throws(TerraceError) -> Held {
    var held = Held()
    for other in try Branches(path, environment).paths() where other != path {
      try collectHeld(by: other, &held)
    }
    return held
  }

  /// What is reached from a line's snapshots and tags.
  struct Held {
    var data: Set<DataPath> = []
    var metadata: Set<String> = []

    mutating func add(_ entries: [ManifestEntry]) {
      for entry in entries { data.formUnion(FileReach.paths(entry.place, entry.file)) }
    }
  }

  /// Adds what a line holds, whatever other processes commit, tag and expire meanwhile: looks until
  /// nothing is there that was not read.
  func collectHeld(by line: TablePath, _ held: inout Held) throws(TerraceError) {
    let snapshots = SnapshotDirectory(line, environment)
    var read: Set<Int64> = []
    var isSettled = false
    while !isSettled {
      isSettled = true
      for id in try snapshots.ids() where !read.contains(id) {
        isSettled = false
        guard let snapshot = try snapshots.find(id) else { continue }
        do {
          try add(snapshot, to: &held)
          read.insert(id)
        } catch {
          // Expired while it was read: then there is a newer one, which is read in its turn.
          if error.kind != .notFound { throw error }
          if try snapshots.find(id) != nil { throw error }
        }
      }
    }
    let found = held
    held = try TagDirectory(line, environment).withHolders { tags throws(TerraceError) in
      var held = found
      for tag in tags { try self.add(tag, to: &held, changelog: false) }
      return held
    }
  }

  /// Adds what a snapshot holds.
  func add(
    _ snapshot: Snapshot, to held: inout Held, changelog: Bool = true
  ) throws(TerraceError) {
    held.data.formUnion(try data(of: snapshot))
    held.metadata.formUnion(try metadata(of: snapshot, changelog: changelog))
    if changelog { held.add(try entries(list: snapshot.changelogManifestList)) }
    // A second half that was rolled back is gone, but the first still names it.
    for list in snapshot.pendingLists {
      held.add(try remainingEntries(list: list))
      held.metadata.formUnion(try remainingMetadata(list: list))
    }
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

extension Snapshot {
  /// Names of its manifest lists.
  fileprivate func lists(changelog: Bool) -> [String] {
    [baseManifestList, deltaManifestList]
      + (changelog ? [changelogManifestList].compactMap(\.self) : [])
  }
}
