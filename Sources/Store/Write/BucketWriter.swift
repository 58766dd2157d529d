internal import Columns

/// What the bucket writers of one table writer share.
final class WriterShared: @unchecked Sendable {
  let table: TableFiles
  /// The table as compactions see it.
  let compacted: TableFiles
  let namer: FileNamer
  let picker: CompactionPicker
  let producer: ChangelogProducerName
  /// `write-only`: others compact.
  let compacts: Bool
  /// Runs at which a bucket waits for its compaction before it writes another file.
  let stopTrigger: Int
  let workers: Workers
  let compactors: Workers
  private let budget: MemoryBudget?
  private let monitor = Monitor()
  private var inFlight = 0
  private var buffered = 0
  private var taggedUntil: Int64?

  init(
    _ table: TableFiles, workers: Workers, compactors: Workers, budget: MemoryBudget?,
    compacts: Bool?, taggedUntil: Int64?
  ) throws(TerraceError) {
    let options = table.schema.options
    self.table = table
    self.workers = workers
    self.compactors = compactors
    self.budget = budget
    namer = FileNamer(table.environment.names)
    picker = CompactionPicker(
      trigger: try options.compactionTrigger, sizeRatio: try options.compactionSizeRatio,
      maxSizeAmplification: try options.maxSizeAmplificationPercent,
      levelCount: max(2, try options.levelCount))
    producer = try options.changelogProducer
    let writeOnly = try options.writeOnly
    self.compacts = compacts ?? !writeOnly
    // Where a changelog is asked of them they belong to the commit.
    let isApart = producer == .none || producer == .input
    compacted = isApart ? try table.inBackground() : table
    stopTrigger = try options.stopTrigger
    self.taggedUntil = taggedUntil
  }

  /// Files that were there at this time are named by a tag; nil without tags. Producers that make the
  /// changelog by compacting every change upward have no use for it.
  var taggedMillis: Int64? {
    get {
      guard producer == .none || producer == .input else { return nil }
      return monitor.withLock { taggedUntil }
    }
    set { monitor.withLock { taggedUntil = newValue } }
  }

  /// Bytes of rows that wait or are being written.
  var bufferedBytes: Int { monitor.withLock { buffered } }

  /// Takes memory for rows; false when the budget has none left.
  func reserve(_ bytes: Int) -> Bool {
    guard budget?.reserve(bytes) ?? true else { return false }
    monitor.withLock { buffered += bytes }
    return true
  }

  func reserveRequired(_ bytes: Int) {
    budget?.reserveRequired(bytes)
    monitor.withLock { buffered += bytes }
  }

  func beginFlush(_ bytes: Int) { monitor.withLock { inFlight += bytes } }

  func endFlush(_ bytes: Int) {
    monitor.withLock {
      inFlight -= bytes
      buffered -= bytes
    }
    budget?.release(bytes)
    monitor.wake()
  }

  /// Waits until a flush has ended; false when none is running.
  func waitForFlush() -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    let before = inFlight
    if before == 0 { return false }
    while inFlight >= before { monitor.wait() }
    return true
  }
}

/// One bucket being written: its buffer, its live files, and what is to be committed of it.
///
/// Rows come in on the caller's thread; files are written on the bucket's lane, in order; compactions
/// run on threads of their own, one at a time.
final class BucketWriter: @unchecked Sendable {
  let place: BucketPlace
  let totalBuckets: Int
  private let shared: WriterShared
  private let lane: SerialLane
  private let monitor = Monitor()

  /// Only touched by the caller's thread.
  private(set) var buffer = WriteBuffer()
  private var nextSequence: Int64

  // Under the monitor.
  private var files: [RunFile]
  private var pending: CommitMessage
  /// Files that snapshots name, or will once the message that was taken last is committed.
  private var committed: Set<FileKey>
  private var compacting = false
  /// A compaction that read a file which another writer removed; its result is dropped.
  private var spoiled = false
  /// Our files are not those of the newest snapshot: nothing is compacted before we look again.
  private var isStale = false
  private var failure: TerraceError?

  init(
    _ shared: WriterShared, _ place: BucketPlace, totalBuckets: Int, files: [DataFile]
  ) throws(TerraceError) {
    self.shared = shared
    self.place = place
    self.totalBuckets = totalBuckets
    lane = SerialLane(shared.workers)
    self.files = try RunFile.decode(files, keyTypes: shared.table.layout.keyTypes)
    committed = Set(files.map { FileKey($0) })
    nextSequence = (files.map(\.maxSequence).max() ?? -1) + 1
    pending = CommitMessage(
      partition: place.partition, bucket: place.bucket, totalBuckets: totalBuckets)
  }

  private var keyValue: Bool { shared.table.schema.hasPrimaryKey }

  // MARK: - Rows

  func append(_ chunk: WriteBuffer.Chunk, byteCount: Int) {
    buffer.append(chunk, byteCount: byteCount)
    if buffer.isFull { flush() }
  }

  /// Hands the buffered rows to the lane.
  func flush() {
    if buffer.count == 0 { return }
    let full = buffer
    let first = nextSequence
    buffer = WriteBuffer()
    nextSequence += Int64(full.count)
    shared.beginFlush(full.byteCount)
    lane.submit { () throws(TerraceError) in
      defer { self.shared.endFlush(full.byteCount) }
      if self.keyValue {
        try self.writeSorted(full, first)
      } else {
        try self.writeAppended(full, first)
      }
      try self.startCompaction(full: false)
    }
  }

  private func writeSorted(_ full: WriteBuffer, _ first: Int64) throws(TerraceError) {
    waitForRoom()
    let sorted = SortedBuffer(full, shared.table.layout, firstSequence: first)
    let data = try DataFileWriter(
      shared.table, at: place, .data, level: 0, source: .append, namer: shared.namer,
      keyValue: true)
    let changelog = try DataFileWriter(
      shared.table, at: place, .changelog, level: 0, source: .append, namer: shared.namer,
      keyValue: true)
    var (written, changes): ([DataFile], [DataFile]) = ([], [])
    do throws(TerraceError) {
      try sorted.forEachKey { (rows) throws(TerraceError) in try data.write(rows) }
      written = try data.finish()
      // With each key once both hold the same rows in the same order.
      if shared.producer == .input, data.rowCount == full.count {
        changes = try changelog.copy(written)
      } else if shared.producer == .input {
        try sorted.forEachRow { (rows) throws(TerraceError) in try changelog.write(rows) }
        changes = try changelog.finish()
      }
    } catch {
      data.abandon(written)
      changelog.abandon()
      throw error
    }
    try add(written, changes)
  }

  private func writeAppended(_ full: WriteBuffer, _ first: Int64) throws(TerraceError) {
    let data = try DataFileWriter(
      shared.table, at: place, .data, level: 0, source: .append, namer: shared.namer,
      keyValue: false)
    let written: [DataFile]
    do throws(TerraceError) {
      var sequence = first
      for chunk in full.chunks {
        let rows =
          chunk.rows.map { chunk.batch.gather($0.pointer(Int32.self), count: chunk.count) }
          ?? chunk.batch
        try data.write(
          Batch(shared.table.schema.rowType, rows.columns, count: rows.count),
          firstSequence: sequence)
        sequence += Int64(chunk.count)
      }
      written = try data.finish()
    } catch {
      data.abandon()
      throw error
    }
    try add(written, [])
  }

  private func add(_ written: [DataFile], _ changes: [DataFile]) throws(TerraceError) {
    let runs = try RunFile.decode(written, keyTypes: shared.table.layout.keyTypes)
    monitor.withLock {
      files += runs
      pending.newFiles += written
      pending.changelogFiles += changes
    }
  }

  /// Back-pressure: a bucket never piles up more runs than its compaction takes away.
  private func waitForRoom() {
    guard shared.compacts else { return }
    monitor.lock()
    while compacting && runCount >= shared.stopTrigger { monitor.wait() }
    monitor.unlock()
  }

  /// Runs that compaction is to take away soon: not those that tags hold.
  private var runCount: Int {
    let tagged = shared.taggedMillis ?? .min
    let own = files.lazy.map(\.file).filter { $0.creationMillis ?? .max > tagged }
    return own.reduce(0) { $0 + bit($1.level == 0) } + Set(own.map(\.level).filter { $0 > 0 }).count
  }

  // MARK: - Compaction

  /// Starts what the picker picks, unless a compaction is running.
  ///
  /// - Returns: false when none is running and there is nothing to do.
  @discardableResult
  func startCompaction(full: Bool, beforeTag: Bool = false) throws(TerraceError) -> Bool {
    guard shared.compacts || full else { return false }
    monitor.lock()
    if compacting || failure != nil || isStale {
      let running = compacting
      monitor.unlock()
      return running
    }
    let live = files
    compacting = true
    spoiled = false
    monitor.unlock()
    let work: (@Sendable () throws(TerraceError) -> CompactionResult)?
    do throws(TerraceError) {
      work =
        keyValue
        ? try mergeWork(live, full: full, beforeTag: beforeTag) : try appendWork(live, full: full)
    } catch {
      endCompaction()
      throw error
    }
    guard let work else {
      endCompaction()
      return false
    }
    shared.compactors.submit {
      do throws(TerraceError) {
        let result = try work()
        try self.accept(result)
        self.endCompaction()
        // More files may have come meanwhile.
        if !full { try self.startCompaction(full: false, beforeTag: beforeTag) }
      } catch {
        // A file that is gone was compacted by another process and has expired: this compaction is
        // dropped, and the next commit brings the files that took its place.
        self.monitor.withLock {
          if error.kind == .notFound {
            self.isStale = true
          } else if self.failure == nil {
            self.failure = error
          }
        }
        self.endCompaction()
      }
    }
    return true
  }

  private func endCompaction() {
    monitor.withLock { compacting = false }
    monitor.wake()
  }

  private func mergeWork(
    _ live: [RunFile], full: Bool, beforeTag: Bool
  ) throws(TerraceError) -> (@Sendable () throws(TerraceError) -> CompactionResult)? {
    let runs = try SortedRun.runs(live)
    let sizes = runs.map { CompactionPicker.Run(level: $0.level, bytes: $0.byteCount) }
    let pick: CompactionPicker.Pick?
    let tagged = shared.taggedMillis.map { until in
      runs.reversed().prefix { $0.files.allSatisfy { $0.file.creationMillis ?? .max <= until } }
        .count
    }
    if full {
      pick = shared.picker.pickFull(sizes)
    } else if let tagged, tagged > 0 {
      switch TaggedRuns(shared.picker).step(sizes, tagged: tagged, beforeTag: beforeTag) {
      case .merge(let merge)?: pick = merge
      case .settle(let levels)?:
        let result = BucketWriter.settled(runs.suffix(levels.count), levels)
        return { () throws(TerraceError) in result }
      case nil: pick = nil
      }
    } else if shared.producer == .lookup {
      pick = shared.picker.pickForced(sizes)
    } else {
      pick = shared.picker.pick(sizes)
    }
    guard let pick else { return nil }
    // Files that foreign writers put deeper than our options know stay the last level.
    let deepest = runs.map(\.level).max() ?? 0
    let output = pick.runCount == runs.count ? max(pick.outputLevel, deepest) : pick.outputLevel
    let job = Compactor.Job(
      runs: Array(runs.prefix(pick.runCount)), outputLevel: output,
      maxLevel: max(shared.picker.levelCount - 1, deepest),
      dropDeletes: output != 0 && output >= deepest,
      below: Array(runs.dropFirst(pick.runCount)))
    let compactor = try Compactor(shared.compacted, at: place, namer: shared.namer)
    return { () throws(TerraceError) in try compactor.run(job) }
  }

  /// The files of runs on other levels: their names and content stay.
  private static func settled(
    _ runs: ArraySlice<SortedRun>, _ levels: [Int]
  ) -> CompactionResult {
    var result = CompactionResult()
    for (run, level) in zip(runs, levels) where run.level != level {
      result.before += run.files.map(\.file)
      result.after += run.files.map { $0.file.onLevel(level) }
    }
    return result
  }

  private func appendWork(
    _ live: [RunFile], full: Bool
  ) throws(TerraceError) -> (@Sendable () throws(TerraceError) -> CompactionResult)? {
    let compactor = AppendCompactor(shared.compacted, at: place, namer: shared.namer)
    let picked = try compactor.pick(live.map(\.file), full: full)
    if picked.isEmpty { return nil }
    return { () throws(TerraceError) in try compactor.run(picked) }
  }

  /// Takes a result into the live files and into what will be committed.
  private func accept(_ result: CompactionResult) throws(TerraceError) {
    let added = try RunFile.decode(result.after, keyTypes: shared.table.layout.keyTypes)
    let gone = Set(result.before.map { FileKey($0) })
    let dropped: [String] = monitor.withLock {
      if spoiled {
        let kept = Set(result.before.map(\.name))
        return (result.after + result.changelog).map(\.name).filter { !kept.contains($0) }
      }
      files.removeAll { gone.contains(FileKey($0.file)) }
      files += added
      return merge(result)
    }
    let folder = try shared.table.folder(of: place)
    shared.table.remove(dropped.map { folder + "/" + $0 })
  }

  /// Adds a result to the pending message. Files that an earlier compaction of the same commit made
  /// and this one consumed never show; returns the names of those to be deleted.
  private func merge(_ result: CompactionResult) -> [String] {
    var intermediate: [DataFile] = []
    for file in result.before {
      if let at = pending.compactAfter.firstIndex(where: { FileKey($0) == FileKey(file) }) {
        pending.compactAfter.remove(at: at)
        intermediate.append(file)
      } else {
        pending.compactBefore.append(file)
      }
    }
    pending.compactAfter += result.after
    pending.compactChangelog += result.changelog
    // An upgraded file keeps its name: it may live on, or be needed by the APPEND before.
    let needed = Set(
      (pending.compactAfter + pending.compactBefore + pending.newFiles).map(\.name))
    return intermediate.map(\.name).filter { !needed.contains($0) }
  }

  private struct FileKey: Hashable {
    let name: String
    let level: Int
    init(_ file: DataFile) {
      name = file.name
      level = file.level
    }
  }

  /// Compacts until there is nothing left to do.
  func settle(full: Bool = false, beforeTag: Bool = false) throws(TerraceError) {
    // One that ends may leave a moment before the next begins: ask until the answer is no. No tree
    // needs as many rounds as this.
    for _ in 0..<100 {
      if try !startCompaction(full: full, beforeTag: beforeTag) { break }
      try waitForCompaction()
    }
    try waitForCompaction()
  }

  /// Waits for the compaction that is running; the last one, if so said.
  func waitForCompaction(isLast: Bool = false) throws(TerraceError) {
    monitor.lock()
    isStale = isStale || isLast
    while compacting { monitor.wait() }
    monitor.unlock()
    if let failed = monitor.withLock({ failure }) { throw failed }
  }

  // MARK: - Commit

  func waitForFlush() throws(TerraceError) { try lane.wait() }

  func check() throws(TerraceError) {
    try lane.check()
    if let failed = monitor.withLock({ failure }) { throw failed }
  }

  /// What is to be committed since the last call; nil when nothing is.
  func takeMessage() -> CommitMessage? {
    monitor.withLock {
      let message = pending
      if !message.hasAppend && !message.hasCompaction { return nil }
      pending = CommitMessage(
        partition: place.partition, bucket: place.bucket, totalBuckets: totalBuckets)
      committed.formUnion(message.newFiles.map { FileKey($0) })
      committed.subtract(message.compactBefore.map { FileKey($0) })
      committed.formUnion(message.compactAfter.map { FileKey($0) })
      return message
    }
  }

  /// Compares with the files that the newest snapshot names, and takes in what others have changed,
  /// or that our own compaction was dropped.
  func reconcile(_ live: [DataFile]) throws(TerraceError) {
    let now = Set(live.map { FileKey($0) })
    let known = monitor.withLock {
      isStale = false
      return committed
    }
    if now == known { return }
    let added = live.filter { !known.contains(FileKey($0)) }
    let fresh = try RunFile.decode(added, keyTypes: shared.table.layout.keyTypes)
    let gone = known.subtracting(now)
    let dropped: [String] = monitor.withLock {
      var dropped: [String] = []
      if !gone.isEmpty {
        if compacting { spoiled = true }
        if pending.compactBefore.contains(where: { gone.contains(FileKey($0)) }) {
          dropped = dropPendingCompaction()
        }
      }
      files.removeAll { gone.contains(FileKey($0.file)) }
      files += fresh
      committed = now
      return dropped
    }
    let folder = try shared.table.folder(of: place)
    shared.table.remove(dropped.map { folder + "/" + $0 })
    nextSequence = max(nextSequence, (added.map(\.maxSequence).max() ?? -1) + 1)
  }

  /// Takes a finished compaction back: it read a file that is gone. Returns the files to delete.
  private func dropPendingCompaction() -> [String] {
    let after = Set(pending.compactAfter.map { FileKey($0) })
    let kept = Set((pending.compactBefore + pending.newFiles).map(\.name))
    let dropped = (pending.compactAfter + pending.compactChangelog).map(\.name)
      .filter { !kept.contains($0) }
    files.removeAll { after.contains(FileKey($0.file)) }
    do throws(TerraceError) {
      files += try RunFile.decode(
        pending.compactBefore, keyTypes: shared.table.layout.keyTypes)
    } catch {
      // Their key ranges decoded before; if not now, this writer must not go on without them.
      if failure == nil { failure = error }
    }
    pending.compactBefore = []
    pending.compactAfter = []
    pending.compactChangelog = []
    return dropped
  }

  var isIdle: Bool {
    monitor.withLock { !compacting && !pending.hasAppend && !pending.hasCompaction }
      && buffer.count == 0
  }
}
