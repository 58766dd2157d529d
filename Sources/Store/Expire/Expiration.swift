package import Columns
import Formats

/// Removes old snapshots and the files that only they used.
///
/// The order is safe against a crash at any point: the snapshot files go first and durably, then the
/// files that nothing names any more. What a crash leaves behind are orphans, never a snapshot that
/// names a missing file. Runs of several processes do not disturb each other.
package struct Expiration {
  package let path: TablePath
  let environment: Environment

  package init(_ path: TablePath, _ environment: Environment) {
    self.path = path
    self.environment = environment
  }

  /// What to keep; nil members come from the table's options.
  package struct Policy: Sendable {
    package var retainMin: Int?
    package var retainMax: Int?
    /// Snapshots from this time on are kept. Milliseconds since 1970.
    package var olderThanMillis: Int64?
    /// How many snapshots may go at once.
    package var limit: Int?

    package init(
      retainMin: Int? = nil, retainMax: Int? = nil, olderThanMillis: Int64? = nil,
      limit: Int? = nil
    ) {
      self.retainMin = retainMin
      self.retainMax = retainMax
      self.olderThanMillis = olderThanMillis
      self.limit = limit
    }
  }

  package struct Outcome: Hashable, Sendable {
    package var snapshots = 0
    package var changelogs = 0
    package var dataFiles = 0

    package init(snapshots: Int = 0, changelogs: Int = 0, dataFiles: Int = 0) {
      self.snapshots = snapshots
      self.changelogs = changelogs
      self.dataFiles = dataFiles
    }
  }

  /// Removes what the policy lets go.
  package func run(_ policy: Policy = Policy()) throws(TerraceError) -> Outcome {
    let options = try SchemaDirectory(path, environment).latest().options
    let snapshots = SnapshotDirectory(path, environment)
    var outcome = Outcome()
    if let range = try range(policy, options, snapshots) {
      do {
        try remove(range, options, snapshots, &outcome)
      } catch {
        // The first to be kept is gone: another process expires these snapshots and more.
        if error.kind != .notFound { throw error }
        if try snapshots.find(range.upperBound) != nil { throw error }
      }
    }
    if try keepsChangelogs(options) {
      try ChangelogExpiration(path, environment).run(options, snapshots, &outcome)
    }
    return outcome
  }

  /// Whether changelogs stay when their snapshots go. Those that are derived from the changes
  /// themselves (producer `none`) go with them.
  private func keepsChangelogs(_ options: TableOptions) throws(TerraceError) -> Bool {
    let producer = try options.changelogProducer
    let longer = try options.changelogLivesLonger
    return longer && producer != .none
  }

  /// Ids to remove, always from the earliest on.
  func range(
    _ policy: Policy, _ options: TableOptions, _ snapshots: SnapshotDirectory
  ) throws(TerraceError) -> Range<Int64>? {
    // Listed, not hinted: a run that died may have left snapshots before the hint.
    guard let latest = try snapshots.latestID(), let earliest = try snapshots.ids().first,
      earliest <= latest
    else { return nil }
    let (optionMin, optionMax) = try (options.snapshotRetainedMin, options.snapshotRetainedMax)
    let retainMin = Int64(max(1, policy.retainMin ?? optionMin))
    let retainMax = Int64(max(1, policy.retainMax ?? optionMax))
    if retainMax < retainMin {
      throw TerraceError(.invalid, "the most snapshots to retain are fewer than the least")
        .with("min", retainMin).with("max", retainMax)
    }
    let optionLimit = try options.snapshotExpireLimit
    let limit = Int64(max(0, policy.limit ?? optionLimit))
    let kept = try options.snapshotTimeRetainedMillis
    let olderThan = policy.olderThanMillis ?? environment.time.nowMillis() - kept
    let mandatory = max(earliest, latest - retainMax + 1)
    var end = latest - retainMin + 1
    if let next = try Consumers(path, environment).minNext() { end = min(end, next) }
    if let root = try newestRoot(earliest, latest, snapshots) { end = min(end, root) }
    end = min(end, earliest.addingClamped(limit))
    var id = mandatory
    while id < end {
      // A snapshot is the table until the next one is committed: that one's time counts.
      if let next = try snapshots.find(id + 1), next.timeMillis >= olderThan { break }
      id += 1
    }
    let stop = min(end, max(id, mandatory))
    return stop > earliest ? earliest..<stop : nil
  }

  /// The newest snapshot that carries a job's positions; it and what follows are kept.
  private func newestRoot(
    _ earliest: Int64, _ latest: Int64, _ snapshots: SnapshotDirectory
  ) throws(TerraceError) -> Int64? {
    for id in stride(from: latest, through: earliest, by: -1) {
      if let snapshot = try snapshots.find(id), snapshot.isRoot { return id }
    }
    return nil
  }

  private func remove(
    _ range: Range<Int64>, _ options: TableOptions, _ snapshots: SnapshotDirectory,
    _ outcome: inout Outcome
  ) throws(TerraceError) {
    let reach = try FileReach(path, environment)
    let first = try snapshots.snapshot(range.upperBound)
    var gone: [Snapshot] = []
    for id in range { if let snapshot = try snapshots.find(id) { gone.append(snapshot) } }
    var doomed = Doomed(keepsChangelogs: try keepsChangelogs(options))
    // Everything is read before the first name goes: what another process does to these snapshots
    // afterwards must not look as if they held nothing.
    let kept = try reach.metadata(of: first)
    for snapshot in gone { try doomed.collect(snapshot, reach) }
    for snapshot in gone.dropFirst() + [first] { try doomed.collectRemovals(by: snapshot, reach) }
    if doomed.keepsChangelogs { try keepChangelogs(gone) }

    for snapshot in gone where try environment.files.delete(path.snapshot(snapshot.id)) {
      outcome.snapshots += 1
    }
    try environment.files.syncNames(path.snapshots)
    snapshots.hintEarliest(range.upperBound)

    // Listed after the snapshots went: a tag that was made in time is here.
    doomed.metadata.subtract(kept)
    doomed = try TagDirectory(path, environment).withHolders { tags throws(TerraceError) in
      try doomed.sparing(tags.filter { $0.id < first.id }, reach)
    }
    let others = try reach.heldByOtherBranches()
    let data = doomed.allData.subtracting(others.data)
    outcome.dataFiles += try reach.delete(data)
    try reach.delete(metadata: doomed.metadata.subtracting(others.metadata))
  }

  /// Copies snapshots whose changelog outlives them.
  private func keepChangelogs(_ gone: [Snapshot]) throws(TerraceError) {
    let kept = gone.filter { $0.changelogManifestList != nil }
    if kept.isEmpty { return }
    try environment.files.makeDirectories(path.changelogs)
    for snapshot in kept {
      let (name, files) = (path.changelog(snapshot.id), environment.files)
      let bytes = Array(snapshot.json.text(pretty: true).utf8)
      let temporary = try files.writeTemporary(for: name, bytes, names: environment.names)
      guard try files.publish(temporary, as: name) else {
        files.discard(temporary)
        continue
      }
      // Another process removed the snapshot, and since then its changelog: not again.
      if try !files.exists(path.snapshot(snapshot.id)) { try files.delete(name) }
    }
    try environment.files.syncNames(path.changelogs)
  }
}

extension Snapshot {
  /// Properties that begin so make a snapshot a job's root.
  package static let rootPropertyPrefix = "terrace.root."

  package var isRoot: Bool {
    properties?.keys.contains { $0.hasPrefix(Snapshot.rootPropertyPrefix) } ?? false
  }
}

/// What goes with some snapshots.
private struct Doomed {
  let keepsChangelogs: Bool
  /// Data files that went out of use, with the snapshot whose changes say so.
  var removedAt: [DataPath: Int64] = [:]
  var changelog: Set<DataPath> = []
  var metadata: Set<String> = []

  init(keepsChangelogs: Bool) { self.keepsChangelogs = keepsChangelogs }

  var allData: Set<DataPath> { changelog.union(removedAt.keys) }

  mutating func collect(
    _ snapshot: Snapshot, _ reach: FileReach
  ) throws(TerraceError) {
    metadata.formUnion(try reach.remainingMetadata(of: snapshot, changelog: !keepsChangelogs))
    if !keepsChangelogs {
      for entry in try reach.remainingEntries(list: snapshot.changelogManifestList) {
        changelog.formUnion(FileReach.paths(entry.place, entry.file))
      }
    }
  }

  /// Files that a snapshot's changes take out of use; an upgraded file goes on under its name.
  mutating func collectRemovals(
    by snapshot: Snapshot, _ reach: FileReach
  ) throws(TerraceError) {
    let entries = try reach.remainingEntries(list: snapshot.deltaManifestList)
    for entry in entries where entry.kind == .delete {
      for file in FileReach.paths(entry.place, entry.file) { removedAt[file] = snapshot.id }
    }
    for entry in entries where entry.kind == .add {
      for file in FileReach.paths(entry.place, entry.file) { removedAt[file] = nil }
    }
  }

  /// Without what tags before the first kept snapshot hold.
  ///
  /// - Parameter tags: in the order of their ids.
  func sparing(_ tags: [Snapshot], _ reach: FileReach) throws(TerraceError) -> Doomed {
    var left = self
    for tag in tags { left.metadata.subtract(try reach.metadata(of: tag, changelog: false)) }
    // A file that went at s was live up to s - 1: the last tag before s decides.
    for (file, id) in removedAt {
      guard let tag = tags.last(where: { $0.id < id }) else { continue }
      if try reach.data(of: tag).contains(file) { left.removedAt[file] = nil }
    }
    return left
  }
}
