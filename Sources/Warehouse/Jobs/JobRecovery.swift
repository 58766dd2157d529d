import Columns
import Connectors
import Dataflow
import Formats
import Store

/// From the newest root to a job that goes on.
extension JobRun {
  func start() throws(TerraceError) {
    var found = try target.recover()
    if let begun = found, begun.root.epoch == 0 {
      root.generation = begun.root.generation
      found = nil
    }
    if let found {
      root = found.root
      rootSnapshot = found.snapshot
      try checkFingerprint(found.root)
      barriers.last = found.root.tags?.last
      // State that is kept stays kept.
      plan.plays = found.root.played.intersection(plan.mayPlay)
    }
    let lacksState = root.played != plan.plays
    root.played = plan.plays
    letters = try DeadLetters(
      spec.name, environment, user: user, at: root.letters, count: root.letterCount)
    try target.open(generation: root.generation)
    if let found {
      // The tags of a snapshot are there before the next one is.
      _ = try makeTags(of: found.root, found.snapshot)
      if found.root.epoch > 0, lacksState { try rebuild() } else { try goOn() }
    } else {
      try begin()
    }
    lastStateMillis = time.nowMillis()
    lastCommitMillis = lastStateMillis
    counters.epoch = root.epoch
    counters.snapshot = rootSnapshot?.id
    counters.deadLetters = root.letterCount
    noteSources()
  }

  /// See ``Job/startOver()``.
  func startOver(clears: Bool) throws(TerraceError) {
    let old = try target.newestRoot(spec.name, target.table)
    root.generation = (old?.root.generation ?? 0) + 1
    try target.startOver(root, clears: clears)
  }

  private var user: String { "terrace-\(spec.name)-\(root.generation)" }

  private func checkFingerprint(_ root: Root) throws(TerraceError) {
    if root.fingerprint == spec.fingerprint { return }
    throw TerraceError(
      .invalid, "the query of \(spec.name) is another one than the one that made the table's rows",
      hint: "“terrace run --rebuild \(spec.name)” starts the table over, or put the old query back")
  }

  // MARK: Parts

  /// Pipeline, state and feeds, new.
  private func makeParts(state: [String: Int64]?, watermarks: [Int64]) throws(TerraceError) {
    for feed in feeds { feed.close() }
    store?.close()
    store = nil
    feeds = []
    pipeline = try JobRun.pipeline(plan, environment, spec.zone(environment))
    if !pipeline.stateTables.isEmpty {
      let warehouse = environment.warehouse
      _ = try warehouse.create(database: HiddenTables.database)
      let store = StateStore(
        pipeline, environment: warehouse.environment,
        folder: warehouse.location.path + "/" + HiddenTables.database + ".db",
        prefix: hiddenName + "-", user: user, budget: environment.budget)
      try store.open(at: state, watermarks: watermarks)
      self.store = store
    }
    feeds = try makeFeeds(state)
    if let wake { for feed in feeds { feed.announce(to: wake) } }
    for (source, side, _) in pipeline.playedSides {
      guard let feed = feeds[source] as? TableFeed else { continue }
      feed.isPlaying = true
      feed.isUncut = !side.isCuttable
      try pipeline.play(side, from: PlayedFeed(feed, side, environment.budget))
    }
    cuts = []
    for source in pipeline.sources {
      cuts.append(try EventCut(plan.plan, source, zone: spec.zone(environment)))
    }
    cutAt = cuts.map { _ in nil }
    try barriers.settle(feeds)
    if barriers.kind == .watermark, cuts.allSatisfy({ $0 == nil }) {
      throw TerraceError(
        .invalid, "'tag.automatic-creation' = 'watermark' needs a source with a WATERMARK",
        hint: "add WATERMARK FOR … AS … to the source, or tag by 'process-time'")
    }
  }

  /// Of the job's tables in the hidden database.
  private var hiddenName: String { spec.name.replacing(".", with: "__") }

  private func makeFeeds(_ state: [String: Int64]?) throws(TerraceError) -> [Feed] {
    var made: [Feed] = []
    var seen: [String: Int] = [:]
    let usesCuts = target.table.schema.options["tag.automatic-creation"] == "watermark"
    for (i, source) in pipeline.sources.enumerated() {
      let number = (seen[source.reference] ?? 0) + 1
      seen[source.reference] = number
      let name = number == 1 ? source.reference : "\(source.reference) #\(number)"
      switch spec.sources[source.reference] {
      case .connector(let connector)?:
        let table = "\(hiddenName)-positions-\(i)"
        made.append(
          try ConnectorFeed(name, source, connector, job: spec.name, environment) {
            (type, keyCount) throws(TerraceError) -> PositionTable in
            try PositionTable(
              table, type, keyCount: keyCount, environment.warehouse, user: user,
              at: state?[table])
          })
      case .table(let table, _)?:
        made.append(
          try TableFeed(
            name, source, table, environment,
            consumer: "terrace-" + spec.name + (made.isEmpty ? "" : "-\(i)"),
            usesCache: !usesCuts))
      case nil: preconditionFailure("checked when the job was made")
      }
    }
    return made
  }

  // MARK: The beginning

  private func begin() throws(TerraceError) {
    try makeParts(state: nil, watermarks: [])
    try startTables()
    try skipContents()
    if barriers.kind == .clock { barriers.begin(at: time.nowMillis()) }
    // The first root: from here on there is no way to start over silently.
    for delta in try pipeline.endEpoch(now: time.nowMillis()) { _ = try write(delta) }
    try commit()
  }

  /// Where the source tables are read from on: the newest tag barrier that all tagged ones still hold the
  /// history since, oldest first; else what they hold now.
  private func startTables() throws(TerraceError) {
    let tables = feeds.compactMap { $0 as? TableFeed }
    for feed in tables {
      try feed.tags.refresh(try feed.table.snapshots.latestComplete())
    }
    try barriers.settle(feeds)
    var first: [Int64] = []
    let tagged = tables.filter(\.tags.schedule.isAutomatic)
    if barriers.kind == .aligned, let schedule = barriers.schedule {
      for feed in tagged {
        let live = try feed.table.snapshots.earliestID() ?? 1
        let ends = feed.tags.barriers(schedule.calendar).filter { $0.snapshot >= live }.map(\.end)
        if let end = ends.min() { first.append(end) }
      }
    }
    // Those without a tag yet have not come to any barrier.
    let common = first.max()
    for feed in tables {
      let options = options(of: feed)
      let start = try TableStart(options)
      if start == .full, let common, let schedule = barriers.schedule,
        feed.tags.schedule.isAutomatic,
        let at = feed.tags.barriers(schedule.calendar).last(where: { $0.end <= common })
      {
        try feed.start(try feed.table.snapshots.snapshot(at.snapshot), content: true)
      } else {
        try start.apply(to: feed)
      }
    }
    if barriers.kind == .aligned, barriers.last == nil { barriers.last = common.map { $0 - 1 } }
    if barriers.last == nil, let schedule = barriers.schedule {
      let passed = tagged.flatMap { feed in
        feed.tags.barriers(schedule.calendar).filter { $0.snapshot <= feed.snapshotID }.map(\.end)
      }
      barriers.last = passed.max()
    }
  }

  /// What played tables hold now is looked up when somebody comes whom it meets.
  private func skipContents() throws(TerraceError) {
    for (source, _, skipsContent) in pipeline.playedSides where skipsContent {
      try (feeds[source] as? TableFeed)?.skipContent()
    }
  }

  private func options(of feed: TableFeed) -> [String: String] {
    if case .table(_, let options)? = spec.sources[feed.source.reference] { return options }
    return [:]
  }

  // MARK: Going on

  private func goOn() throws(TerraceError) {
    let positions = root.sources
    do throws(TerraceError) {
      try makeParts(
        state: root.stateSources == nil ? nil : root.state, watermarks: root.stateWatermarks)
    } catch {
      // A hidden table is gone: the state is made anew from the sources.
      if error.kind != .notFound { throw error }
      return try rebuild()
    }
    if store == nil {
      for feed in feeds where !isNew(feed) { try feed.seek(try position(of: feed, in: positions)) }
    } else {
      guard let from = root.stateSources, holdsOurState else { return try rebuild() }
      for feed in feeds where !isNew(feed) { try feed.seek(try position(of: feed, in: from)) }
      try replay()
    }
    try play()
    for feed in feeds where !isNew(feed) {
      try feed.pin(try position(of: feed, in: root.stateSources ?? positions))
    }
  }

  /// A table of a server that came to a synced table later begins at its start.
  private func isNew(_ feed: Feed) -> Bool {
    spec.sync != nil && feed is ConnectorFeed && root.sources[feed.name] == nil
  }

  /// Whether the root's state is of operators that the pipeline has: another version may cut a plan into
  /// other ones.
  private var holdsOurState: Bool {
    let known = Set(pipeline.stateTables.map(\.name))
    return root.state.keys.allSatisfy {
      known.contains($0) || $0.hasPrefix(hiddenName + "-positions-")
    }
  }

  private func position(
    of feed: Feed, in positions: [String: JSONValue]
  ) throws(TerraceError) -> JSONValue {
    guard let position = positions[feed.name] else {
      throw TerraceError(.invalid, "the root says nothing of a source")
        .with("source", feed.name).with("job", spec.name)
        .hint("“terrace run --rebuild \(spec.name)” starts the table over")
    }
    return position
  }

  /// State from what the sources hold: the content of source tables where the root stands, and all records
  /// of the others.
  private func rebuild() throws(TerraceError) {
    try makeParts(state: nil, watermarks: [])
    // Their log tells changes of rows that nobody would know.
    if spec.sync != nil, store != nil, feeds.contains(where: { $0 is ConnectorFeed && !isNew($0) })
    {
      throw TerraceError(
        .invalid, "after a change of columns the job needs rows that it does not keep",
        hint: "“terrace run --rebuild \(spec.name)” makes the table anew"
      ).with("job", spec.name)
    }
    for feed in feeds {
      guard let table = feed as? TableFeed else { continue }
      let at = try TablePosition(try position(of: feed, in: root.sources))
      let snapshot = at.snapshot == 0 ? nil : try table.table.snapshots.snapshot(at.snapshot)
      if let snapshot, !at.names(snapshot) {
        throw TerraceError(
          .conflict, "\(table.tableName) was rolled back: its snapshot is another commit now"
        ).with("snapshot", at.snapshot)
      }
      try table.start(snapshot, content: true)
    }
    try skipContents()
    try replay()
    try play()
    stateLags = true
    lastStateMillis = 0
  }

  /// The target stands at the root, whatever the state of other operators reflected.
  private func play() throws(TerraceError) {
    guard let columns = plan.playedColumns else { return }
    let rows = try TargetRows(target.table, columns: columns)
    try pipeline.play(rows)
    played = rows
  }

  /// Takes again what lies between the state and the root, and writes nothing.
  private func replay() throws(TerraceError) {
    for feed in feeds where !isNew(feed) {
      try feed.replay(to: try position(of: feed, in: root.sources))
    }
    pipeline.skipsPlayed = true
    defer { pipeline.skipsPlayed = false }
    while !feeds.allSatisfy(\.isReplayed) {
      // The job begins anew: nothing needs to be taken again.
      if feeds.contains(where: { $0.restart != nil }) { return }
      for feed in feeds { try feed.beginEpoch(after: nil, schedule: nil) }
      var taken = 0
      let turns = SourceTurns(feeds, number: 0)
      for i in turns.order {
        let feed = feeds[i]
        turns.prepareReplay(feed)
        while taken < 1 << 18 || !feed.canPause {
          guard let batch = try feed.next(rows: 1 << 16, bytes: 16 << 20) else { break }
          taken += batch.recordCount
          if batch.rowCount > 0 { try pipeline.push(batch.delta, to: i) }
          _ = pipeline.takeOutput()
          _ = pipeline.takeUnresolved()
          try (feed as? TableFeed)?.settle()
        }
        if turns.mustEnd(feed), !feed.isReplayed { break }
      }
      _ = try pipeline.endEpoch(now: time.nowMillis())
      // One that waited for another to pass over snapshots without rows has its turn now.
      if taken == 0, !feeds.allSatisfy(\.isReplayed),
        turns.unfinished == SourceTurns(feeds, number: 0).unfinished
      {
        let missing = feeds.filter { !$0.isReplayed }.map(\.name)
        throw TerraceError(
          .unavailable, "a source gives less than it gave before",
          hint: "the job stands behind records that are not there any more"
        ).with("sources", missing.joined(separator: ", "))
      }
    }
    pipeline.watermarks = root.watermarks
    for feed in feeds {
      feed.endReplay()
      feed.reread += feed.taken
      feed.taken = 0
      if isNew(feed) { continue }
      if let mark = try position(of: feed, in: root.sources).optionalInt("watermark") {
        feed.watermark = mark
      }
      if feed.reread > 0 { stateLags = true }
    }
  }
}
