import Columns
import Connectors
import Dataflow
import Formats
import Store

/// What a state that is being written reflects.
struct StateUnderWay {
  /// Snapshots of the sources' position tables.
  var tables: [String: Int64]
  var sources: [String: JSONValue]
  var watermarks: [Int64]
}

/// A job between two recoveries: the parts that are thrown away together when something fails.
final class JobRun {
  let spec: JobSpec
  /// With files that count.
  let environment: JobEnvironment
  let files: FileCounters
  /// What compactions read and write in the background.
  let compaction: FileCounters
  private var compactionNoted = (0, 0)
  let target: any JobTarget
  var plan: JobPlan
  var pipeline: Pipeline
  var feeds: [Feed]
  var cuts: [EventCut?]
  /// Where a watermark cut has stopped a feed: the end of the last period that has passed there.
  var cutAt: [Int64?]
  let barriers: Barriers
  var counters: JobCounters

  var store: StateStore?
  /// The target as the state of the plan's upsert, once it has rows that are not in memory.
  var played: TargetRows?
  var letters: DeadLetters?
  /// The newest root that is committed.
  var root: Root
  var rootSnapshot: Snapshot?
  /// State that is being written while the next slice is taken.
  var stateUnderWay: StateUnderWay?
  var lastStateMillis: Int64 = 0
  var lastCommitMillis: Int64 = 0
  var lastMaintenanceMillis: Int64 = 0
  /// Rows were written, or letters, since the last commit.
  var hasOutput = false
  /// Positions moved since the last commit.
  var hasMoved = false
  /// Rows of a first load were written since the last commit: the upsert does not have them.
  var hasLoaded = false
  /// The state is behind the root.
  var stateLags = false
  /// Others keep more than the newest root needs.
  var pinLags = false
  var stops = false
  var ends = false
  var hasEnded = false
  var hasToldWaiting = false
  /// Called by sources that have something.
  var wake: (@Sendable () -> Void)?
  var ownNotices: [String] = []

  static let stateMillis: Int64 = 10_000
  /// Places that moved without rows, and wishes for dead letters, are looked at as often.
  static let patienceMillis: Int64 = 5_000

  /// Opens the target and the sources, and reads nothing.
  init(
    _ spec: JobSpec, _ environment: JobEnvironment, counters: JobCounters
  ) throws(TerraceError) {
    self.spec = spec
    let counting = CountingFileIO(environment.warehouse.environment.files)
    files = counting.counters
    var counted = environment
    var inner = environment.warehouse.environment
    let apart = CountingFileIO(inner.files)
    compaction = apart.counters
    inner.files = counting.files
    inner.background = apart.files
    counted.warehouse = OpenWarehouse(environment.warehouse.location, inner)
    self.environment = counted
    self.counters = counters
    root = Root(
      job: spec.name, fingerprint: spec.fingerprint, generation: 1, epoch: 0, sources: [:])
    let opened = try TargetOpening.open(spec, counted)
    target = opened.target
    plan = opened.plan
    barriers = try Barriers(opened.target.table, zone: environment.zone)
    pipeline = try JobRun.pipeline(opened.plan, counted, spec.zone(environment))
    feeds = []
    cuts = []
    cutAt = []
  }

  static func pipeline(
    _ plan: JobPlan, _ environment: JobEnvironment, _ zone: SessionZone
  ) throws(TerraceError) -> Pipeline {
    let now = environment.warehouse.environment.time.nowMillis()
    return try Pipeline(
      plan.plan, context: EvaluationContext(now: now, zone: zone),
      recordsChanges: true, budget: environment.budget, played: plan.plays)
  }

  var time: any Timekeeper { environment.warehouse.environment.time }

  // MARK: Epochs

  /// One slice of the sources.
  func epoch(_ limits: EpochLimits) throws(TerraceError) -> EpochOutcome {
    let started = time.nowMillis()
    let before = (files.total(.read).bytes, files.total(.write).bytes)
    var report = EpochReport()
    try beginFeeds()
    if let drifted = try drifted() { return drifted }
    if try passBarrier(started, &report) {
      return .committed(finished(report, started, before))
    }
    report.rowsIn = try collect(limits, started)
    let closes = stops && ends && !hasEnded && feeds.allSatisfy(\.isDrained)
    let hasFallenIdle = passIdle(time.nowMillis())
    if report.rowsIn == 0 && !closes && !hasOutput && !hasFallenIdle {
      return try idle(started, report, before)
    }
    let outputs = try pipeline.endEpoch(now: time.nowMillis(), endOfInput: closes)
    hasEnded = hasEnded || closes
    for delta in outputs { report.rowsOut += try write(delta) }
    report.rowsOut += writtenEarly
    writtenEarly = 0
    if hasOutput || closes || isCommitDue(started) || (stops && isDrained)
      || !feeds.allSatisfy(\.canReplay)
    {
      try commit(isLast: closes)
      report.snapshot = rootSnapshot?.id
    }
    count(report)
    return .committed(finished(report, started, before))
  }

  /// Commits what came before a source's columns changed.
  private func drifted() throws(TerraceError) -> EpochOutcome? {
    for feed in feeds {
      guard let drift = feed.drift else { continue }
      if hasOutput || hasMoved || stateLags || positions() != root.sources {
        for delta in try pipeline.endEpoch(now: time.nowMillis()) { _ = try write(delta) }
        try commit(isLast: true)
      }
      noteSources()
      return .drifted(reference: feed.source.reference, drift)
    }
    return nil
  }

  /// Looks at what the sources have.
  private func beginFeeds() throws(TerraceError) {
    try barriers.settle(feeds)
    for feed in feeds {
      try feed.beginEpoch(
        after: barriers.last, schedule: barriers.kind == .aligned ? barriers.schedule : nil)
    }
    try barriers.settle(feeds)
    if barriers.kind == .clock {
      barriers.begin(at: time.nowMillis())
      // What was committed later belongs behind the tag.
      for feed in feeds { feed.hold(at: barriers.nextEnd) }
    }
  }

  /// Sources that know when their records were committed are cut there, not where the clock stands.
  private var clockLimit: Int64 {
    guard barriers.kind == .clock, feeds.contains(where: { $0.hasGiven(before: .min) == nil })
    else { return .max }
    return barriers.nextDue ?? .max
  }

  private func idle(
    _ started: Int64, _ report: EpochReport, _ before: (Int, Int)
  ) throws(TerraceError) -> EpochOutcome {
    let drained = stops && isDrained
    // Positions without rows are committed lazily: what would be read again stays little.
    let isDue = drained || started - lastCommitMillis >= JobRun.stateMillis
    if isDue && (hasMoved || stateLags || positions() != root.sources) {
      try commit(isLast: drained)
      var report = report
      report.snapshot = rootSnapshot?.id
      return .committed(finished(report, started, before))
    }
    if pinLags, started - lastMaintenanceMillis >= JobRun.stateMillis { try pin() }
    noteSources()
    return drained ? .drained : .idle
  }

  /// See ``RunnableJob/patience``.
  var patience: Int64? {
    guard feeds.allSatisfy({ $0.isQuiet && $0.parts == nil }) else { return nil }
    switch barriers.kind {
    case .none: return JobRun.patienceMillis
    case .clock:
      // Where the clock has passed, the sources' own times are waited for.
      guard let left = barriers.nextDue.map({ $0 - time.nowMillis() }), left > 0 else { return nil }
      return min(left, JobRun.patienceMillis)
    case .watermark, .aligned: return nil
    }
  }

  /// Everything that may be taken was taken. A source that stands at a barrier others have not reached, and
  /// will not in this run, keeps what is behind it.
  var isDrained: Bool {
    feeds.indices.allSatisfy {
      feeds[$0].isDrained || (isBlocked($0) && barriers.waiting != nil)
    }
  }

  private func isStateDue(_ now: Int64) -> Bool {
    now - lastStateMillis >= JobRun.stateMillis
      || (store?.pendingBytes ?? 0) >= environment.stateBytes || plan.needsStateEachEpoch
  }

  private func isCommitDue(_ now: Int64) -> Bool {
    now - lastCommitMillis >= JobRun.stateMillis || isStateDue(now)
  }

  private func finished(
    _ report: EpochReport, _ started: Int64, _ before: (Int, Int)
  ) -> EpochReport {
    var report = report
    report.epoch = root.epoch
    report.millis = time.nowMillis() - started
    report.bytesRead = files.total(.read).bytes - before.0
    report.bytesWritten = files.total(.write).bytes - before.1
    counters.bytesRead += Int64(report.bytesRead)
    counters.bytesWritten += Int64(report.bytesWritten)
    let compacted = (compaction.total(.read).bytes, compaction.total(.write).bytes)
    counters.compactionRead += Int64(compacted.0 - compactionNoted.0)
    counters.compactionWritten += Int64(compacted.1 - compactionNoted.1)
    compactionNoted = compacted
    if report.rowsIn > 0 {
      counters.lastBytesRead = report.bytesRead
      counters.lastBytesWritten = report.bytesWritten
      counters.lastMillis = report.millis
    }
    noteSources()
    return report
  }

  private func count(_ report: EpochReport) {
    counters.rowsIn += Int64(report.rowsIn)
    counters.rowsOut += Int64(report.rowsOut)
    counters.lastRowsIn = report.rowsIn
    counters.lastRowsOut = report.rowsOut
    counters.stateBytes = pipeline.stateBytes
    counters.lateRows = pipeline.statistics.reduce(0) { $0 + $1.1.lateRows }
  }

  func noteSources() {
    counters.waiting = barriers.waiting
    counters.trouble = feeds.lazy.compactMap(\.trouble).first
    counters.lastError = counters.trouble.map { Redaction.clean($0.text) }
    counters.lastTag = barriers.last.map { InstantText.text(millis: $0) }
    for feed in feeds {
      let backlog = feed.backlog
      counters.sources[feed.name] = JobCounters.Source(
        rows: feed.taken, reread: feed.reread, skipped: feed.passedOver, backlog: backlog?.amount,
        backlogUnit: backlog?.unit ?? "", position: feed.position.text(),
        watermark: feed.watermark == .min ? nil : feed.watermark,
        plays: plan.plays.contains(feed.source.reference))
    }
  }

  // MARK: Taking

  /// Rows that went to the target before the end of the epoch.
  private var writtenEarly = 0
  /// Counts the slices.
  private var turn = 0

  private func collect(_ limits: EpochLimits, _ started: Int64) throws(TerraceError) -> Int {
    var rows = 0
    var bytes = 0
    // By the clock no row may come in that belongs behind a tag.
    let until = min(started + limits.millis, clockLimit)
    for feed in feeds { (feed as? TableFeed)?.limitPause(limits.rows) }
    let turns = SourceTurns(feeds, number: turn)
    turn &+= 1
    var given = true
    while given {
      given = false
      for i in turns.order {
        let feed = feeds[i]
        let isPlaying = turns.prepare(feed)
        if isBlocked(i), !turns.mustEnd(feed) { continue }
        repeat {
          let share = max(1, min(1 << 16, limits.rows - rows))
          guard let batch = try feed.next(rows: share, bytes: max(1 << 16, limits.bytes / 4))
          else { break }
          given = true
          turns.note(feed)
          rows += try take(batch, i)
          bytes += batch.byteCount
          // Of large rows one more might be far too much.
          if batch.byteCount > limits.bytes / 2 { bytes = max(bytes, limits.bytes) }
          if isPlaying { try (feed as? TableFeed)?.settle() }
        } while isPlaying
          ? turns.mustGoOn(feed) || (rows < limits.rows && time.nowMillis() < until)
          : !feed.canPause && !isBlocked(i)
        if turns.mustEnd(feed) || rows >= limits.rows || bytes >= limits.bytes
          || time.nowMillis() >= until
        {
          given = false
          break
        }
      }
    }
    return rows
  }

  private func isBlocked(_ feed: Int) -> Bool {
    if cutAt[feed] != nil { return true }
    guard barriers.kind == .aligned, let end = feeds[feed].standing else { return false }
    return end > barriers.last ?? .min
  }

  /// Takes a batch up to the row at which the watermark ends a period.
  ///
  /// - Returns: the rows taken.
  private func take(_ given: FeedBatch, _ i: Int) throws(TerraceError) -> Int {
    var batch = given
    let feed = feeds[i]
    if let cut = cuts[i], batch.rowCount > 0, feed.canReplay {
      if let row = try cutRow(cut, batch.delta.rows, i) {
        feed.giveBack(from: row)
        batch = batch.split(at: row).0
      }
    }
    if !batch.letters.isEmpty {
      try letters?.write(batch.letters, source: feed.name)
      counters.deadLetters += Int64(batch.letters.count)
      hasOutput = true
      hasMoved = true
    }
    if !batch.reread.isEmpty {
      try letters?.remove(batch.reread)
      hasOutput = true
    }
    if batch.rowCount == 0 { return 0 }
    hasMoved = true
    driveWatermark(i)
    if batch.isNew, plan.takesNewRows {
      try load(batch.delta, i)
      return batch.rowCount
    }
    try pipeline.push(batch.delta, to: i)
    try putAside(pipeline.takeUnresolved(), feed)
    if plan.isAppendOnly, pipeline.plan.isAppendOnly {
      for delta in pipeline.takeOutput() { writtenEarly += try write(delta) }
    }
    return batch.rowCount
  }

  /// Rows that nothing is known of yet go straight to the target, which is asked for them from now on.
  private func load(_ delta: DeltaBatch, _ i: Int) throws(TerraceError) {
    pipeline.insertsNew = true
    defer { pipeline.insertsNew = false }
    try pipeline.push(delta, to: i)
    for delta in pipeline.takeChanges() {
      let rows = try target.writeNew(delta.rows)
      writtenEarly += rows
      if rows > 0 { hasOutput = true }
    }
    hasLoaded = true
  }

  func write(_ delta: DeltaBatch) throws(TerraceError) -> Int {
    target.expect(restart: mayBeginAnew)
    let rows = try target.write(delta)
    if rows > 0 { hasOutput = true }
    return rows
  }

  var mayBeginAnew: Bool { feeds.contains(where: \.mayBeginAnew) }

  // MARK: Barriers

  /// Commits and tags the target when all sources stand at a barrier.
  private func passBarrier(
    _ now: Int64, _ report: inout EpochReport
  ) throws(TerraceError) -> Bool {
    var standing: [(feed: Feed, end: Int64?)] = []
    for (i, feed) in feeds.enumerated() {
      // Behind the end of the input nothing can be missing: it is past every barrier.
      let over = stops && ends && feed.isDrained ? Int64.max : nil
      if barriers.kind == .clock, let end = barriers.nextEnd, let given = feed.hasGiven(before: end)
      {
        standing.append((feed, given ? end : nil))
      }
      if barriers.kind == .watermark, cuts[i] != nil {
        standing.append((feed, cutAt[i] ?? over))
      }
      let isTagged = (feed as? TableFeed)?.tags.schedule.isAutomatic ?? false
      if barriers.kind == .aligned, isTagged {
        let end = feed.standing.flatMap { $0 > barriers.last ?? .min ? $0 : nil }
        standing.append((feed, end ?? over))
      }
    }
    guard let passing = barriers.passing(standing, now: now) else { return false }
    var tags = Root.Tags(last: passing.end)
    tags.made = passing.periods.map(\.endMillis)
    tags.partial = passing.partial
    barriers.last = passing.end
    for i in cutAt.indices where (cutAt[i] ?? .max) <= passing.end { cutAt[i] = nil }
    guard !passing.periods.isEmpty else {
      hasMoved = true
      return true
    }
    // What was held back until the end of an epoch belongs to this side of the barrier.
    for delta in try pipeline.endEpoch(now: now) { report.rowsOut += try write(delta) }
    try commit(tags: tags)
    report.snapshot = rootSnapshot?.id
    report.tags = try makeTags(of: root, rootSnapshot)
    if !report.tags.isEmpty, !passing.partial.isEmpty {
      ownNotices.append(
        "tagged without \(passing.partial.joined(separator: ", ")), waited for until "
          + "tag.alignment-timeout: \(report.tags.joined(separator: ", "))")
    }
    return true
  }

  /// Makes the tags that a root's snapshot is to have, and lets old ones go.
  func makeTags(of root: Root, _ snapshot: Snapshot?) throws(TerraceError) -> [String] {
    guard let snapshot, let tags = root.tags, !tags.made.isEmpty, case .table = spec.target else {
      return []
    }
    let own = try TagSchedule(target.table.schema, session: environment.zone)
    let schedule = root.schedule.flatMap { own.inheriting(encoded: $0) } ?? own
    let directory = try PartitionDirectory(
      target.tableName, target.table, session: environment.zone,
      metastore: environment.metastore, sources: schedule)
    var names: [String] = []
    for end in tags.made {
      guard let period = schedule.calendar.period(endingAt: end) else { continue }
      // A job that was started over makes its tags anew.
      let tag = try directory.publish(period, snapshotID: snapshot.id) {
        Root.isOutlived($0, by: snapshot)
      }
      names.append(tag.name)
    }
    try directory.retain()
    return names
  }
}
