import Columns
import Dataflow
import Formats
import Store

/// Making what was done durable: state, dead letters, and with the root the target.
extension JobRun {
  /// Publishes what was written with a root that names the positions.
  ///
  /// - Parameters:
  ///   - isLast: the state may not lag behind: nobody commits it later.
  ///   - tags: set at a barrier.
  func commit(isLast: Bool = false, tags: Root.Tags? = nil) throws(TerraceError) {
    let now = time.nowMillis()
    var next = root
    next.epoch += 1
    next.sources = positions()
    next.watermarks = pipeline.watermarks
    next.tags = tags ?? barriers.last.map { Root.Tags(last: $0) }
    next.schedule = barriers.schedule?.encoded
    let isFirst = root.epoch == 0
    let isDue = now - lastStateMillis >= JobRun.stateMillis || plan.needsStateEachEpoch
    let isMuch = (store?.pendingBytes ?? 0) >= environment.stateBytes
    // Rows of the epoch are encoded while the state is.
    target.flush()
    stateLags = true
    try finishState(&next)
    if isFirst || isLast || isDue || isMuch || !feeds.allSatisfy(\.canReplay) {
      let waits = isFirst || isLast || isDue || !mayOverlap
      try beginState(next)
      if waits { try finishState(&next) }
      lastStateMillis = now
    }
    try letters?.commit(identifier: next.epoch)
    next.letters = letters?.snapshotID
    next.letterCount = letters?.count ?? 0
    target.expect(restart: mayBeginAnew)
    let snapshot = try target.commit(next, watermark: watermark)
    try keepPlaying()
    if store == nil, !plan.plays.isEmpty, let budget = environment.budget,
      budget.usedBytes > budget.limitBytes / 2
    {
      try pipeline.evictPlayed(toBytes: budget.limitBytes / 8)
    }
    root = next
    rootSnapshot = snapshot
    lastCommitMillis = now
    hasOutput = false
    hasMoved = false
    counters.commits += 1
    counters.epoch = next.epoch
    counters.snapshot = snapshot.id
    counters.lastCommitMillis = now
    pinLags = true
    if isFirst || isLast || now - lastMaintenanceMillis >= JobRun.stateMillis {
      try maintain(now)
    }
  }

  func positions() -> [String: JSONValue] {
    Dictionary(feeds.map { ($0.name, $0.position) }) { $1 }
  }

  /// The state may be written while the next slice is taken: what comes can be read again, and there is
  /// memory for both.
  private var mayOverlap: Bool {
    store != nil && feeds.allSatisfy(\.canReplay)
      && (environment.budget.map { $0.usedBytes <= $0.limitBytes / 2 } ?? true)
  }

  /// Takes what has changed in the state as of now, and begins to write it. The positions of this root stay
  /// what they are until the state is finished: they belong to the position tables that it names.
  private func beginState(_ next: Root) throws(TerraceError) {
    var state: [String: Int64] = [:]
    for feed in feeds {
      if let (table, id) = try feed.commitPositions(identifier: next.epoch) { state[table] = id }
    }
    try store?.begin()
    stateLags = true
    stateUnderWay = StateUnderWay(
      tables: state, sources: positions(), watermarks: next.watermarks)
  }

  /// Makes durable what was begun, with this commit or the one before; the root names it.
  private func finishState(_ next: inout Root) throws(TerraceError) {
    guard let begun = stateUnderWay else { return }
    next.state = begun.tables
    if let store {
      next.state.merge(try store.finish(identifier: next.epoch)) { $1 }
      // When half of the memory is in use, state gives way: it is read back by key as it is met.
      if let budget = environment.budget, budget.usedBytes > budget.limitBytes / 2 {
        try store.evict(toBytes: budget.limitBytes / 8)
      }
    }
    next.stateSources = begun.sources
    next.stateWatermarks = begun.watermarks
    stateUnderWay = nil
    // Positions are shorter when part of them went to a table.
    next.sources = positions()
    stateLags = next.sources != begun.sources
  }

  /// The target has all rows now that the upsert has in memory.
  private func keepPlaying() throws(TerraceError) {
    guard let columns = plan.playedColumns else { return }
    let isMuch = environment.budget.map {
      $0.usedBytes > $0.limitBytes / 2 && pipeline.playedBytes > $0.limitBytes / 16
    }
    if isMuch == true || target.hasForeignRows || hasLoaded {
      hasLoaded = false
      let rows = try TargetRows(target.table, columns: columns)
      try pipeline.play(rows)
      played = rows
    } else {
      try played?.advance()
    }
  }

  /// Event time that is complete in the target: the query's own, else what all its source tables have.
  private var watermark: Int64? {
    let own = pipeline.watermark
    if own != .min && own != .max { return own }
    if barriers.kind == .watermark {
      let marked = zip(feeds, cuts).filter { $0.1 != nil }.map(\.0.watermark)
      return marked.min().flatMap { $0 == .min ? nil : $0 }
    }
    let tables = feeds.compactMap { $0 as? TableFeed }
    guard tables.count == feeds.count else { return nil }
    return tables.map(\.watermark).min().flatMap { $0 == .min ? nil : $0 }
  }

  /// Lets others expire what recovery no longer needs.
  func pin() throws(TerraceError) {
    let kept = root.stateSources ?? root.sources
    for feed in feeds {
      if let position = kept[feed.name] { try feed.pin(position) }
    }
    pinLags = false
  }

  /// Lets others expire what recovery no longer needs, and clears away what is old.
  private func maintain(_ now: Int64) throws(TerraceError) {
    lastMaintenanceMillis = now
    try pin()
    let table = target.table
    if let rootSnapshot {
      try Consumers(table.path, table.environment).set(
        "terrace-root-\(spec.name)", next: rootSnapshot.id)
    }
    try store?.expire(keeping: root.state)
    // Expiration may fail without harm: it is tried again.
    if let problem = table.maintain() { counters.lastError = Redaction.clean(problem.description) }
  }

  /// What waits is committed, so that the next run reads nothing again.
  func finish() throws(TerraceError) {
    if root.epoch == 0 { return }
    if hasOutput || hasMoved || stateLags { try commit(isLast: true) }
    let kept = root.stateSources ?? root.sources
    for feed in feeds {
      if let position = kept[feed.name] { try feed.pin(position) }
    }
  }

  func stopAtPresent() throws(TerraceError) {
    stops = true
    for feed in feeds { try feed.stopAtPresent() }
  }

  func endInput() {
    ends = true
    for feed in feeds { feed.endInput() }
  }

  func takeNotices() -> [String] {
    var notices = feeds.flatMap { $0.takeNotices() } + ownNotices
    ownNotices = []
    if stops, isDrained, !hasToldWaiting, let waiting = barriers.waiting {
      hasToldWaiting = true
      notices.append(
        "\(spec.name) leaves what is behind the \(waiting) for the next run; "
          + "--end-of-input takes it now")
    }
    return notices
  }

  func abandon() {
    target.abandon()
    letters?.abandon()
    store?.close()
    for feed in feeds { feed.close() }
  }

  func close() {
    target.close()
    letters?.close()
    store?.close()
    for feed in feeds { feed.close() }
  }
}
