package import Columns

/// What a job does first when it comes back.
extension Commit {
  /// Finishes a commit of this user that died between its two snapshots.
  ///
  /// - Returns: the newest snapshot of this user, complete and durable; nil when there is none.
  package func recover() throws(TerraceError) -> Snapshot? {
    guard let last = try newestOfUser() else { return nil }
    // Its publisher may have died before the name was durable.
    try environment.files.syncNames(path.snapshots)
    if let uuid = last.uuid { own.insert(uuid) }
    checked = max(checked, last.id)
    guard let plan = try pendingPlan(last) else { return last }
    guard try hasFiles(plan) else {
      try drop(plan)
      return last
    }
    var outcome = Outcome()
    try finish(plan, &outcome)
    return outcome.snapshots.last ?? last
  }

  /// Those identifiers, in order, that are not committed yet. Finishes a half commit first.
  package func uncommitted(_ identifiers: [Int64]) throws(TerraceError) -> [Int64] {
    guard let last = try recover() else { return identifiers.sorted() }
    return identifiers.filter { $0 > last.commitIdentifier }.sorted()
  }

  /// The newest snapshot of this user; nil when there is none any more.
  package func newestOfUser() throws(TerraceError) -> Snapshot? {
    guard let latest = try snapshots.latestID(), let earliest = try snapshots.earliestID(),
      earliest <= latest
    else { return nil }
    for id in stride(from: latest, through: earliest, by: -1) {
      if let snapshot = try snapshots.find(id), snapshot.commitUser == user { return snapshot }
    }
    return nil
  }

  /// The second half of a commit, read back from the manifest lists that the first half names.
  private func pendingPlan(_ snapshot: Snapshot) throws(TerraceError) -> CommitPlan? {
    let names = snapshot.pendingLists
    guard let deltaName = names.first, try snapshots.isHalf(snapshot) else { return nil }
    for name in names { try checkFileName(name, "name of a manifest list") }
    var plan = CommitPlan(
      .compact, snapshot.commitIdentifier, snapshot.watermark, snapshot.lastingProperties)
    let delta = try manifests.readList(deltaName)
    for manifest in delta { plan.changes += try manifests.readEntries(manifest.name) }
    var lists = PreparedLists(
      delta: (deltaName, try byteCount(deltaName)), deltaManifests: delta, changelog: nil,
      changelogManifests: [])
    if names.count > 1 {
      lists.changelog = (names[1], try byteCount(names[1]))
      lists.changelogManifests = try manifests.readList(names[1])
      for manifest in lists.changelogManifests {
        plan.changelog += try manifests.readEntries(manifest.name)
      }
    }
    plan.prepared = lists
    return plan
  }

  /// Whether the files of a second half are still there: another engine may have taken them for
  /// orphans.
  private func hasFiles(_ plan: CommitPlan) throws(TerraceError) -> Bool {
    let schema = try schemas.latest()
    for entry in plan.changes + plan.changelog where entry.kind == .add {
      let folder = path.bucket(
        entry.bucket, partition: try PartitionPath.text(entry.partition, schema))
      if try !environment.files.exists(folder + "/" + entry.file.name) { return false }
    }
    return true
  }

  private func byteCount(_ name: String) throws(TerraceError) -> Int64 {
    Int64(try environment.files.status(path.manifest(name))?.byteCount ?? 0)
  }
}

extension SnapshotDirectory {
  /// Whether the second half of this commit is still to come.
  ///
  /// It is not when the half was dropped: then its manifest list is gone.
  package func isHalf(_ snapshot: Snapshot) throws(TerraceError) -> Bool {
    guard let list = snapshot.pendingLists.first else { return false }
    try checkFileName(list, "name of a manifest list")
    guard try fileExists(path.manifest(list)) else { return false }
    guard let latest = try latestID(), latest > snapshot.id else { return true }
    for id in (snapshot.id + 1)...latest {
      if let later = try find(id), later.commitUser == snapshot.commitUser,
        later.commitIdentifier == snapshot.commitIdentifier, later.deltaManifestList == list
      {
        return false
      }
    }
    return true
  }

  /// The newest snapshot that is not the first half of an unfinished commit; nil before the first
  /// commit. Tags, consumers and positions name such snapshots.
  package func latestComplete() throws(TerraceError) -> Snapshot? {
    guard var snapshot = try latest() else { return nil }
    while try isHalf(snapshot) {
      guard let earlier = try find(snapshot.id - 1) else { return nil }
      snapshot = earlier
    }
    return snapshot
  }
}
