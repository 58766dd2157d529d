package import Columns
import Formats

/// Turns the work of writers into snapshots, against any number of other writers.
///
/// A commit writes manifests, makes them and the data files durable, and then gives the next snapshot
/// its name; whoever is second looks at what the first did, checks for conflicts, and tries again.
///
/// One call becomes up to two snapshots, APPEND for new rows and COMPACT for rewritten files, with one
/// user and identifier. The second half is written before the first is published, and the first
/// names its manifest lists in a property: if the process dies in between, ``recover()`` publishes the
/// second half, or drops it when another writer has replaced the files it rewrote. Without the property a
/// snapshot is complete.
///
/// One thread at a time; any number of objects and processes.
package final class Commit {
  /// Under which snapshots are found again; ours alone.
  package let user: String
  let environment: Environment
  let path: TablePath
  let schemas: SchemaDirectory
  let snapshots: SnapshotDirectory
  let manifests: ManifestFiles
  let live: LiveState
  /// Snapshots that this object published, by uuid.
  var own: Set<String> = []
  /// The newest snapshot that was checked for a successor of ours.
  var checked: Int64
  /// What the newest snapshot that we published holds, so that the next commit need not read it.
  var lastManifests: (snapshot: Snapshot, manifests: [Manifest])?

  package init(
    _ path: TablePath, _ environment: Environment, schemas: SchemaDirectory,
    snapshots: SnapshotDirectory, user: String
  ) throws(TerraceError) {
    self.user = user
    self.path = path
    self.environment = environment
    self.schemas = schemas
    self.snapshots = snapshots
    manifests = try ManifestFiles(path, try schemas.latest(), environment)
    live = LiveState(snapshots, manifests)
    checked = try snapshots.latestID() ?? 0
  }

  /// What came of a commit.
  package struct Outcome: Sendable {
    /// Published now, oldest first; empty when there was nothing to commit.
    package var snapshots: [Snapshot] = []
    /// Why the compaction of the commit was dropped: the new rows are committed all the same. The files
    /// it wrote are gone; its writer must read the bucket's files again.
    package var droppedCompaction: TerraceError?
  }

  /// The live files now, kept in memory between calls.
  package func state() throws(TerraceError) -> TableState {
    try live.advance(to: try snapshots.latest())
  }

  /// Commits what writers did.
  ///
  /// - Parameters:
  ///   - identifier: greater than that of any earlier commit of this user; see ``committed(_:)``.
  ///   - watermark: milliseconds since 1970; the table's never goes back.
  ///   - properties: become the snapshot's.
  ///   - ignoreEmpty: without files there will be no snapshot.
  /// - Throws: `conflict` after too many retries or when a removed file is gone, `held` when another
  ///   process commits as the same user, `unavailable` when the system refuses: nothing is visible
  ///   then, unless the fact `snapshot` says otherwise. Data files stay; see ``abort(_:)``.
  package func commit(
    _ messages: [CommitMessage], identifier: Int64 = Snapshot.batchIdentifier,
    watermark: Int64? = nil, properties: [String: String]? = nil, ignoreEmpty: Bool = true
  ) throws(TerraceError) -> Outcome {
    var plan = CommitPlan(.append, identifier, watermark, properties)
    for message in messages {
      plan.changes += message.entries(.add, message.newFiles)
      plan.changelog += message.entries(.add, message.changelogFiles)
    }
    return try run(plan, messages, ignoreEmpty: ignoreEmpty)
  }

  /// Replaces all files of some partitions by the new ones in the messages.
  package func overwrite(
    _ scope: OverwriteScope, _ messages: [CommitMessage],
    identifier: Int64 = Snapshot.batchIdentifier, watermark: Int64? = nil,
    properties: [String: String]? = nil
  ) throws(TerraceError) -> Outcome {
    var plan = CommitPlan(.overwrite, identifier, watermark, properties)
    plan.scope = scope
    for message in messages { plan.changes += message.entries(.add, message.newFiles) }
    return try run(plan, messages, ignoreEmpty: false)
  }

  /// Commits a statistics file (format.md of Paimon: `statistics/stat-UUID-N`).
  package func analyze(
    statistics: String, identifier: Int64 = Snapshot.batchIdentifier
  ) throws(TerraceError) -> Snapshot {
    let name = "stat-\(environment.names.uuid())-0"
    let file = path.statistics + "/" + name
    try environment.files.makeDirectories(path.statistics)
    try environment.files.write(Array(statistics.utf8), to: file)
    try environment.files.syncDirectory(path.statistics)
    var plan = CommitPlan(.analyze, identifier, nil, nil)
    plan.statistics = name
    do {
      return try publish(plan)
    } catch {
      environment.files.discard(file)
      throw error
    }
  }

  private func run(
    _ first: CommitPlan, _ messages: [CommitMessage], ignoreEmpty: Bool
  ) throws(TerraceError) -> Outcome {
    var outcome = Outcome()
    var first = first
    var second = compactionPlan(after: first, messages)
    first.folders = try dataFolders(messages)
    // The first half makes the names of all files durable.
    let hasFirst = !first.changes.isEmpty || !first.changelog.isEmpty || first.scope != nil
    if !hasFirst, second != nil || ignoreEmpty {
      second?.folders = first.folders
      if let second { try finish(second, &outcome) }
      return outcome
    }
    guard var second else {
      outcome.snapshots.append(try publish(first))
      return outcome
    }
    second.prepared = try prepare(second)
    first.pending = second.prepared
    do {
      outcome.snapshots.append(try publish(first))
    } catch {
      if !error.isUnknownOutcome && !error.isCommitted { discard(second.prepared) }
      throw error
    }
    try finish(second, &outcome)
    return outcome
  }

  /// Publishes the COMPACT half. A conflict drops it, never the commit.
  func finish(_ plan: CommitPlan, _ outcome: inout Outcome) throws(TerraceError) {
    do {
      outcome.snapshots.append(try publish(plan))
    } catch {
      if error.kind != .conflict { throw error }
      try drop(plan)
      outcome.droppedCompaction = error
    }
  }

  /// Gives up a second half. Its lists go first and durably: it is then pending no more.
  func drop(_ plan: CommitPlan) throws(TerraceError) {
    discard(plan.prepared)
    try manifests.sync()
    try removeFiles(plan.changes, plan.changelog)
    live.forget()
  }

  private func compactionPlan(
    after first: CommitPlan, _ messages: [CommitMessage]
  ) -> CommitPlan? {
    var plan = CommitPlan(.compact, first.identifier, first.watermark, first.properties)
    for message in messages {
      plan.changes += message.entries(.delete, message.compactBefore)
      plan.changes += message.entries(.add, message.compactAfter)
      plan.changelog += message.entries(.add, message.compactChangelog)
    }
    return plan.changes.isEmpty && plan.changelog.isEmpty ? nil : plan
  }

  /// Removes the files that a failed commit leaves behind.
  package func abort(_ messages: [CommitMessage]) throws(TerraceError) {
    for message in messages {
      try removeFiles(
        message.entries(.add, message.newFiles) + message.entries(.delete, message.compactBefore)
          + message.entries(.add, message.compactAfter),
        message.entries(.add, message.changelogFiles + message.compactChangelog))
    }
  }

  /// Removes added files, but not those that are merely upgraded: they were there before.
  private func removeFiles(
    _ changes: [ManifestEntry], _ changelog: [ManifestEntry]
  ) throws(TerraceError) {
    let schema = try schemas.latest()
    let before = Set(changes.filter { $0.kind == .delete }.map(\.file.name))
    for entry in changes + changelog where entry.kind == .add && !before.contains(entry.file.name) {
      let folder = path.bucket(
        entry.bucket, partition: try PartitionPath.text(entry.partition, schema))
      for name in [entry.file.name] + entry.file.extraFiles {
        environment.files.discard(folder + "/" + name)
      }
    }
  }

  /// Folders that got new files, whose content is durable already.
  private func dataFolders(_ messages: [CommitMessage]) throws(TerraceError) -> [String] {
    let schema = try schemas.latest()
    var folders: Set<String> = []
    for message in messages where message.writesFiles {
      let partition = try PartitionPath.text(message.partition, schema)
      folders.insert(path.bucket(message.bucket, partition: partition))
    }
    return folders.sorted()
  }
}

extension CommitMessage {
  fileprivate var writesFiles: Bool {
    !newFiles.isEmpty || !changelogFiles.isEmpty || !compactAfter.isEmpty
      || !compactChangelog.isEmpty
  }

  fileprivate func entries(_ kind: ManifestEntry.Kind, _ files: [DataFile]) -> [ManifestEntry] {
    files.map {
      ManifestEntry(
        kind, partition: partition, bucket: bucket, totalBuckets: totalBuckets, file: $0)
    }
  }
}
