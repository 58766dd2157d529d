import Columns
import Formats

/// Publishing one snapshot.
extension Commit {
  /// Tries until the snapshot is published or something stands in its way.
  func publish(_ plan: CommitPlan) throws(TerraceError) -> Snapshot {
    var options = try schemas.latest().options
    let started = environment.time.nowMillis()
    var lists = plan.prepared
    var attempt = 0
    do {
      if lists == nil, plan.scope == nil { lists = try prepare(plan) }
      while true {
        if let snapshot = try attemptPublish(plan, lists) { return snapshot }
        attempt += 1
        options = try schemas.latest().options
        try pause(afterAttempt: attempt, since: started, options)
      }
    } catch {
      // Prepared halves belong to the caller.
      if plan.prepared == nil, !error.isUnknownOutcome, !error.isCommitted { discard(lists) }
      throw error
    }
  }

  private func pause(
    afterAttempt attempt: Int, since started: Int64, _ options: TableOptions
  ) throws(TerraceError) {
    let waited = environment.time.nowMillis() - started
    let timeout = try options.commitTimeoutMillis ?? .max
    let retries = try options.commitMaxRetries
    if waited > timeout || attempt > retries {
      throw TerraceError(.conflict, "other writers were faster each time")
        .with("attempts", attempt).with("milliseconds", waited).with("table", path.root)
        .hint("raise commit.max-retries, or let fewer writers commit to the table")
    }
    let least = max(1, try options.commitMinRetryWaitMillis)
    let most = max(least, try options.commitMaxRetryWaitMillis)
    let base = min(most, least << Int64(min(attempt - 1, 20)))
    // Half of it by chance, so that writers do not meet again.
    var random = SystemRandomNumberGenerator()
    let extra = Int64(random.next() % UInt64(base / 2 + 1))
    environment.time.sleep(millis: Int(base / 2 + extra))
  }

  /// Writes the manifests and lists of fixed changes; they are good for any number of attempts.
  func prepare(
    _ plan: CommitPlan, changes: [ManifestEntry]? = nil
  ) throws(TerraceError) -> PreparedLists {
    let schemaID = try schemas.latest().id
    let delta = try manifests.writeEntries(changes ?? plan.changes, schemaID: schemaID)
    var changelog: [Manifest] = []
    do throws(TerraceError) {
      if !plan.changelog.isEmpty {
        changelog = try manifests.writeEntries(plan.changelog, schemaID: schemaID)
      }
      let deltaList = try manifests.writeList(delta)
      var lists = PreparedLists(
        delta: deltaList, deltaManifests: delta, changelog: nil, changelogManifests: changelog)
      do throws(TerraceError) {
        if !changelog.isEmpty { lists.changelog = try manifests.writeList(changelog) }
      } catch {
        manifests.discard(list: deltaList.name)
        throw error
      }
      return lists
    } catch {
      manifests.discard(delta + changelog)
      throw error
    }
  }

  func discard(_ lists: PreparedLists?) {
    guard let lists else { return }
    manifests.discard(list: lists.delta.name)
    if let changelog = lists.changelog { manifests.discard(list: changelog.name) }
    manifests.discard(lists.deltaManifests + lists.changelogManifests)
  }

  /// - Returns: nil when another writer took the id.
  private func attemptPublish(
    _ plan: CommitPlan, _ prepared: PreparedLists?
  ) throws(TerraceError) -> Snapshot? {
    let latest = try snapshots.latest()
    try checkNotSuperseded(latest)
    let schema = try schemas.latest()
    let changes = try checkedChanges(plan, latest, schema)
    let lists: PreparedLists
    if let prepared { lists = prepared } else { lists = try prepare(plan, changes: changes) }
    var merged = ManifestMerge.Result(manifests: [])
    var baseName: String?
    var keep = false
    defer {
      if !keep {
        if let baseName { manifests.discard(list: baseName) }
        manifests.discard(merged.written)
        if prepared == nil { discard(lists) }
      }
    }
    if let latest {
      merged = try ManifestMerge(manifests, schema.options).merge(
        try manifestsOf(latest), schemaID: schema.id)
    }
    let base = try manifests.writeList(merged.manifests)
    baseName = base.name
    var snapshot = try makeSnapshot(plan, lists, changes, after: latest, schema)
    snapshot.baseManifestList = base.name
    snapshot.baseManifestListBytes = base.byteCount
    switch try put(snapshot, plan.folders) {
    case .taken: return nil
    case .failed(let error): throw error
    case .unknown(let error):
      keep = true
      throw TerraceError(.unavailable, "nobody can say whether the commit happened")
        .with("snapshot", snapshot.id).with("outcome", "unknown").with("cause", error)
    case .published(let undurable):
      keep = true
      committed(snapshot, changes, merged.manifests + lists.deltaManifests)
      if let undurable {
        throw TerraceError(
          .unavailable, "the commit is visible, but it may not survive a loss of power"
        )
        .with("snapshot", snapshot.id).with("committed", true).with("cause", undurable)
      }
      return snapshot
    }
  }

  /// Makes everything that the snapshot names durable, and then gives it its name.
  ///
  /// All files are written before the first is synced: the file system then does most of the work once.
  private func put(
    _ snapshot: Snapshot, _ folders: [String]
  ) throws(TerraceError) -> PublishOutcome {
    let bytes = Array(snapshot.json.text(pretty: true).utf8)
    let file = path.snapshot(snapshot.id)
    let temporary = try startSnapshot(file, bytes)
    do {
      try manifests.sync(with: [temporary.sink], folders: folders)
    } catch {
      environment.files.discard(temporary.path)
      throw error
    }
    return environment.files.publishTemporary(temporary.path, as: file, bytes)
  }

  private func startSnapshot(
    _ file: String, _ bytes: [UInt8]
  ) throws(TerraceError) -> (path: String, sink: any FileSink) {
    do {
      return try environment.files.startTemporary(for: file, bytes, names: environment.names)
    } catch {
      if error.kind != .notFound { throw error }
      try environment.files.makeDirectories(path.snapshots)
      return try environment.files.startTemporary(for: file, bytes, names: environment.names)
    }
  }

  private func committed(
    _ snapshot: Snapshot, _ changes: [ManifestEntry], _ held: [Manifest]
  ) {
    if let uuid = snapshot.uuid { own.insert(uuid) }
    checked = max(checked, snapshot.id)
    lastManifests = (snapshot, held)
    live.committed(changes, snapshot)
    snapshots.hintLatest(snapshot.id)
  }

  /// The changes as they are to be committed on top of `latest`, free of conflicts.
  private func checkedChanges(
    _ plan: CommitPlan, _ latest: Snapshot?, _ schema: TableSchema
  ) throws(TerraceError) -> [ManifestEntry] {
    let onlyAdds = plan.scope == nil && plan.changes.allSatisfy { $0.kind == .add }
    // Without buckets and without removals nothing can be in the way, and nothing need be read.
    let mode = try schema.bucketMode
    if onlyAdds && (mode == .unaware || plan.changes.isEmpty) { return plan.changes }
    let state = try live.advance(to: latest)
    var changes: [ManifestEntry] = []
    var replaced: Set<[UInt8]> = []
    if let scope = plan.scope {
      var decided: [[UInt8]: Bool] = [:]
      for entry in state.entries {
        if decided[entry.partition] == nil {
          decided[entry.partition] = try scope.covers(entry.partition)
        }
        guard decided[entry.partition] == true else { continue }
        replaced.insert(entry.partition)
        changes.append(
          ManifestEntry(
            .delete, partition: entry.partition, bucket: entry.bucket,
            totalBuckets: entry.totalBuckets, file: entry.file))
      }
    }
    changes += plan.changes
    try CommitConflicts(schema: schema).check(changes, on: state, replaced: replaced)
    return changes
  }

  private func manifestsOf(_ snapshot: Snapshot) throws(TerraceError) -> [Manifest] {
    if let last = lastManifests, last.snapshot == snapshot { return last.manifests }
    return try manifests.manifests(of: snapshot)
  }

  private func makeSnapshot(
    _ plan: CommitPlan, _ lists: PreparedLists, _ changes: [ManifestEntry],
    after latest: Snapshot?, _ schema: TableSchema
  ) throws(TerraceError) -> Snapshot {
    var rows: Int64 = 0
    for entry in changes {
      rows &+= entry.kind == .add ? entry.file.rowCount : -entry.file.rowCount
    }
    var snapshot = Snapshot(
      id: (latest?.id ?? 0) + 1, schemaID: schema.id, baseManifestList: "",
      deltaManifestList: lists.delta.name, commitUser: user, commitIdentifier: plan.identifier,
      kind: plan.kind,
      // Time travel searches by it, so it never goes back.
      timeMillis: max(environment.time.nowMillis(), latest?.timeMillis ?? 0),
      totalRecordCount: (latest?.totalRecordCount ?? 0) &+ rows, deltaRecordCount: rows)
    snapshot.deltaManifestListBytes = lists.delta.byteCount
    snapshot.changelogManifestList = lists.changelog?.name
    snapshot.changelogManifestListBytes = lists.changelog?.byteCount
    if !plan.changelog.isEmpty {
      snapshot.changelogRecordCount = plan.changelog.reduce(0) { $0 &+ $1.file.rowCount }
    }
    snapshot.indexManifest = latest?.indexManifest
    snapshot.watermark = [latest?.watermark, plan.watermark].compactMap { $0 }.max()
    let inherited = try inheritedStatistics(latest, schema)
    snapshot.statistics = plan.statistics ?? inherited
    // Compaction changes no rows: what the last commit said of positions is still so.
    let inherits = plan.kind == .compact || plan.kind == .analyze
    snapshot.properties = plan.properties ?? (inherits ? latest?.lastingProperties : nil)
    if let pending = plan.pending {
      let names = [pending.delta.name] + (pending.changelog.map { [$0.name] } ?? [])
      snapshot.properties = snapshot.properties ?? [:]
      snapshot.properties?[Snapshot.pendingProperty] = names.joined(separator: " ")
    }
    snapshot.nextRowID = latest?.nextRowID
    snapshot.uuid = environment.names.uuid()
    snapshot.writerVersion = "terrace"
    return snapshot
  }

  /// Statistics hold as long as the schema is the one they were made for.
  private func inheritedStatistics(
    _ latest: Snapshot?, _ schema: TableSchema
  ) throws(TerraceError) -> String? {
    guard let latest, let name = latest.statistics else { return nil }
    guard let bytes = try environment.files.readSmall(path.statistics + "/" + name) else {
      return nil
    }
    return try parseJSON(bytes).optionalInt("schemaId") == Int64(schema.id) ? name : nil
  }

  /// A commit by our user that we did not make means that another process took over.
  private func checkNotSuperseded(_ latest: Snapshot?) throws(TerraceError) {
    guard let latest, latest.id > checked else { return }
    for id in (checked + 1)...latest.id {
      guard let snapshot = id == latest.id ? latest : try snapshots.find(id) else { continue }
      if snapshot.commitUser == user, !own.contains(snapshot.uuid ?? "") {
        throw TerraceError(.held, "another process commits as the same user: it has taken over")
          .with("user", shown(user)).with("snapshot", id)
      }
    }
    checked = latest.id
  }
}

extension TerraceError {
  /// Whether the commit is visible although an error is reported.
  var isCommitted: Bool { facts.contains { $0.name == "committed" } }
}
