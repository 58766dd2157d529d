package import Columns
import Formats

/// Takes a table back to an earlier snapshot: everything after it is removed.
///
/// Snapshots go newest first, so that the table stays whole if the process dies on the way; calling
/// again finishes the work.
package struct Rollback {
  package let path: TablePath
  private let environment: Environment

  package init(_ path: TablePath, _ environment: Environment) {
    self.path = path
    self.environment = environment
  }

  private var files: any FileIO { environment.files }

  /// - Throws: kind `notFound` when there is no such snapshot.
  package func to(snapshotID: Int64) throws(TerraceError) {
    try to(try SnapshotDirectory(path, environment).snapshot(snapshotID))
  }

  /// The last snapshot that was committed at this time or before.
  package func to(millis: Int64) throws(TerraceError) {
    guard let snapshot = try SnapshotDirectory(path, environment).atOrBefore(millis: millis) else {
      throw TerraceError(.notFound, "the table has no snapshot of that time").with("millis", millis)
    }
    try to(snapshot)
  }

  /// A tag's snapshot, also when only the tag is left of it.
  package func to(tag name: String) throws(TerraceError) {
    var snapshot = try TagDirectory(path, environment).tag(name).snapshot
    let snapshots = SnapshotDirectory(path, environment)
    if let live = try snapshots.find(snapshot.id) { return try to(live) }
    // A tag does not keep its changelog.
    if let list = snapshot.changelogManifestList, try !files.exists(path.manifest(list)) {
      snapshot.changelogManifestList = nil
      snapshot.changelogManifestListBytes = nil
      snapshot.changelogRecordCount = nil
    }
    try files.makeDirectories(path.snapshots)
    let bytes = Array(snapshot.json.text(pretty: true).utf8)
    _ = try files.publishNew(path.snapshot(snapshot.id), bytes, names: environment.names)
    snapshots.hintEarliest(snapshot.id)
    try to(snapshot)
  }

  private func to(_ kept: Snapshot) throws(TerraceError) {
    let snapshots = SnapshotDirectory(path, environment)
    let tags = TagDirectory(path, environment)
    let reach = try FileReach(path, environment)
    let later = try snapshots.ids().filter { $0 > kept.id }
    let laterTags = try tags.list().filter { $0.snapshot.id > kept.id }
    var gone: [Snapshot] = laterTags.map(\.snapshot)
    for id in later { if let snapshot = try snapshots.find(id) { gone.append(snapshot) } }
    for id in try snapshots.changelogIDs() where id > kept.id {
      if let changelog = try snapshots.findChangelog(id) { gone.append(changelog) }
    }
    var doomed = try collect(gone, reach)
    // Of what was expired in between, only these still hold the files.
    var states = laterTags.map(\.snapshot)
    if let first = later.first, let earliest = try snapshots.find(first) { states.append(earliest) }
    for snapshot in states { doomed.data.formUnion(try reach.data(of: snapshot)) }

    for id in later.reversed() {
      try files.delete(path.snapshot(id))
      // Each step is a table that somebody may open: the order must be the disk's order, too.
      try files.syncNames(path.snapshots)
    }
    snapshots.hintLatest(kept.id)
    for tag in laterTags { try files.delete(path.tag(tag.name)) }
    if !laterTags.isEmpty { try files.syncNames(path.tags) }
    for id in try snapshots.changelogIDs() where id > kept.id {
      try files.delete(path.changelog(id))
    }
    try files.syncNames(path.changelogs)
    try remove(doomed, keeping: kept, reach)
  }

  private func collect(
    _ gone: [Snapshot], _ reach: FileReach
  ) throws(TerraceError) -> (data: Set<DataPath>, metadata: Set<String>) {
    var data: Set<DataPath> = []
    var metadata: Set<String> = []
    for snapshot in gone {
      var entries = try reach.remainingEntries(list: snapshot.deltaManifestList)
      entries += try reach.remainingEntries(list: snapshot.changelogManifestList)
      for list in snapshot.pendingLists {
        entries += try reach.remainingEntries(list: list)
        metadata.formUnion(try reach.remainingMetadata(list: list))
      }
      for entry in entries where entry.kind == .add {
        data.formUnion(FileReach.paths(entry.place, entry.file))
      }
      metadata.formUnion(try reach.remainingMetadata(of: snapshot))
    }
    return (data, metadata)
  }

  private func remove(
    _ doomed: (data: Set<DataPath>, metadata: Set<String>), keeping kept: Snapshot,
    _ reach: FileReach
  ) throws(TerraceError) {
    let others = try reach.heldByOtherBranches()
    // Upgrades give a file that was there before a second entry.
    var data = doomed.data.subtracting(others.data).subtracting(try reach.data(of: kept))
    for entry in try reach.entries(list: kept.changelogManifestList) {
      data.subtract(FileReach.paths(entry.place, entry.file))
    }
    var metadata = doomed.metadata.subtracting(others.metadata)
    metadata.subtract(try reach.metadata(of: kept))
    // Statistics and index files of older snapshots and tags may be the same ones.
    try TagDirectory(path, environment).withHolders { tags throws(TerraceError) in
      for tag in tags {
        metadata.subtract(try reach.metadata(of: tag, changelog: false))
        data.subtract(try reach.data(of: tag))
      }
    }
    // The lists first: when the second half of a commit is rolled back, nobody may find it pending.
    try reach.delete(metadata: metadata)
    try files.syncNames(path.manifests)
    try reach.delete(data)
  }
}
