import Columns

/// Removes long-lived changelogs, the files in `changelog/`, by the `changelog.*` options.
struct ChangelogExpiration {
  let path: TablePath
  let environment: Environment

  init(_ path: TablePath, _ environment: Environment) {
    self.path = path
    self.environment = environment
  }

  func run(
    _ options: TableOptions, _ snapshots: SnapshotDirectory,
    _ outcome: inout Expiration.Outcome
  ) throws(TerraceError) {
    let ids = try snapshots.changelogIDs()
    guard let latest = try snapshots.latestID(), !ids.isEmpty else { return }
    let (least, most) = try (options.changelogRetainedMin, options.changelogRetainedMax)
    let oldest = environment.time.nowMillis() - (try options.changelogTimeRetainedMillis)
    let mandatory = latest - Int64(most) + 1
    var end = latest - Int64(least) + 1
    if let next = try Consumers(path, environment).minNext() { end = min(end, next) }
    var gone: [Snapshot] = []
    for id in ids where id < end {
      guard let changelog = try snapshots.findChangelog(id) else { continue }
      if id >= mandatory, changelog.timeMillis >= oldest { break }
      gone.append(changelog)
    }
    try remove(gone, &outcome)
  }

  private func remove(
    _ gone: [Snapshot], _ outcome: inout Expiration.Outcome
  ) throws(TerraceError) {
    if gone.isEmpty { return }
    let reach = try FileReach(path, environment)
    var data: Set<DataPath> = []
    var metadata: Set<String> = []
    for changelog in gone {
      guard let list = changelog.changelogManifestList else { continue }
      for entry in try reach.remainingEntries(list: list) {
        data.formUnion(FileReach.paths(entry.place, entry.file))
      }
      metadata.formUnion(try reach.remainingMetadata(list: list))
    }
    for changelog in gone where try environment.files.delete(path.changelog(changelog.id)) {
      outcome.changelogs += 1
    }
    try environment.files.syncNames(path.changelogs)
    let others = try reach.heldByOtherBranches()
    outcome.dataFiles += try reach.delete(data.subtracting(others.data))
    try reach.delete(metadata: metadata.subtracting(others.metadata))
  }
}
