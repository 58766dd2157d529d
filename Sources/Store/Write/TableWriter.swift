package import Columns

/// Takes rows for a table and turns them into files and commit messages.
///
/// Rows are routed to buckets column-wise and wait in memory; a bucket's rows are sorted, merged and
/// written as one file of level 0 when memory runs short or a commit is prepared. Several buckets are
/// written at a time on the environment's workers; compactions run behind on threads of their own.
/// One thread calls; any number of writers and processes may write to the same table.
package final class TableWriter {
  package struct Settings: Sendable {
    /// Shared with others; nil: only `write-buffer-size` bounds the buffers.
    package var budget: MemoryBudget?
    /// Compactions run where they are started, and not behind.
    package var compactsInline: Bool
    /// Overrides `write-only`.
    package var compacts: Bool?

    package init(
      budget: MemoryBudget? = nil, compactsInline: Bool = false, compacts: Bool? = nil
    ) {
      self.budget = budget
      self.compactsInline = compactsInline
      self.compacts = compacts
    }
  }

  package let table: Table
  private let shared: WriterShared
  private let commit: Commit
  private let router: RowRouter
  private let totalBuckets: Int
  private let bufferLimit: Int
  private let kindColumn: Int?
  private let ignoresDeletes: Bool
  private let ignoresUpdateBefore: Bool
  private let fullCompactionCommits: Int?
  private var buckets: [BucketPlace: BucketWriter] = [:]
  private var state: TableState
  private var commitCount = 0

  /// - Parameter commit: publishes what this writer does, and knows the live files.
  init(_ table: Table, commit: Commit, settings: Settings) throws(TerraceError) {
    try table.checkWritable()
    let options = table.schema.options
    self.table = table
    self.commit = commit
    shared = try WriterShared(
      table.files, workers: table.environment.workers,
      compactors: settings.compactsInline ? Workers(count: 0) : table.environment.compactors,
      budget: settings.budget, compacts: settings.compacts,
      taggedUntil: try TagDirectory(table.path, table.environment).list()
        .map(\.snapshot.timeMillis).max())
    router = RowRouter(table.schema, buckets: try table.bucketCount)
    totalBuckets = try table.schema.bucketMode == .unaware ? -1 : try table.bucketCount
    bufferLimit = max(1 << 20, try options.writeBufferBytes)
    kindColumn = try TableWriter.kindColumn(table.schema)
    ignoresDeletes = try options.ignoreDelete
    ignoresUpdateBefore = try options.ignoreUpdateBefore
    fullCompactionCommits = try options.fullCompactionDeltaCommits
    state = try commit.state()
  }

  private static func kindColumn(_ schema: TableSchema) throws(TerraceError) -> Int? {
    guard schema.hasPrimaryKey, let name = schema.options.rowKindField else { return nil }
    guard let index = schema.indices(of: [name]).first, schema.fields[index].type.isText else {
      throw TerraceError(.invalid, "rowkind.field does not name a text column")
        .with("rowkind.field", name)
    }
    return index
  }

  // MARK: - Rows

  /// Takes rows, in the order in which they happened.
  ///
  /// - Parameters:
  ///   - batch: all fields of the table, in their order and types.
  ///   - kinds: one ``RowKind`` raw value a row; nil when all are inserts.
  /// - Throws: `invalid` for nulls in NOT NULL columns, for changes of an append table and for
  ///   unknown row kinds; otherwise what a flush or compaction before ran into.
  package func write(_ batch: Batch, kinds: Buffer? = nil) throws(TerraceError) {
    let fields = table.schema.fields
    guard batch.columns.count == fields.count,
      zip(batch.columns, fields).allSatisfy({ $0.type.kind == $1.type.kind })
    else {
      throw TerraceError(.invalid, "the rows do not have the table's columns")
        .with(
          "columns",
          batch.type.fields.map { "\($0.name) \($0.type.nullable.text)" }.joined(separator: ", "))
    }
    if batch.count == 0 { return }
    guard let (rows, marks) = try accepted(batch, kinds) else { return }
    let routed = try router.route(rows)
    for part in routed {
      let bucket = try bucket(part.place)
      let share = max(1, rows.byteCount * part.count / rows.count) + part.count * 24
      try makeRoom(share)
      // With few buckets the rows stay where they are; with many, a small part of a batch must not
      // hold on to all of it.
      if routed.count > 4, let numbers = part.rows {
        let own = numbers.pointer(Int32.self)
        bucket.append(
          WriteBuffer.Chunk(
            batch: rows.gather(own, count: part.count), rows: nil, count: part.count,
            kinds: marks.map { $0.gatherBytes(own, part.count) }), byteCount: share)
      } else {
        bucket.append(
          WriteBuffer.Chunk(batch: rows, rows: part.rows, count: part.count, kinds: marks),
          byteCount: share)
      }
    }
  }

  /// Rows and kinds after `rowkind.field`, `ignore-delete` and `ignore-update-before`; nil for none.
  private func accepted(
    _ batch: Batch, _ kinds: Buffer?
  ) throws(TerraceError) -> (Batch, Buffer?)? {
    var kinds = kinds
    if let kindColumn { kinds = try parseKinds(batch.columns[kindColumn]) }
    guard let marks = kinds?.pointer(UInt8.self) else { return (batch, nil) }
    let rows = Buffer(byteCount: batch.count * 4)
    let out = rows.pointer(Int32.self)
    var kept = 0
    var retracts = 0
    for i in 0..<batch.count {
      let kind = marks[i]
      if kind > 3 {
        throw TerraceError(.invalid, "no such row kind").with("kind", Int(kind)).with("row", i)
      }
      retracts &+= Int(kind & 1)
      let drop = (ignoresDeletes && kind & 1 != 0) || (ignoresUpdateBefore && kind == 1)
      out[kept] = Int32(truncatingIfNeeded: i)
      kept &+= bit(!drop)
    }
    if !table.schema.hasPrimaryKey {
      if retracts > 0 {
        throw TerraceError(.invalid, "rows are taken away from a table without a primary key")
      }
      return (batch, nil)
    }
    if kept == 0 { return nil }
    if kept == batch.count { return (batch, kinds) }
    return (batch.gather(out, count: kept), kinds.map { $0.gatherBytes(out, kept) })
  }

  private func parseKinds(_ column: Column) throws(TerraceError) -> Buffer {
    let out = Buffer(byteCount: column.count)
    for row in 0..<column.count {
      guard let kind = RowKind(text: String(decoding: column.bytes(row), as: UTF8.self)) else {
        throw TerraceError(.invalid, "the row kind column holds something else than +I, -U, +U, -D")
          .with("row", row)
      }
      out.pointer(UInt8.self)[row] = kind.rawValue
    }
    return out
  }

  private func bucket(_ place: BucketPlace) throws(TerraceError) -> BucketWriter {
    if let known = buckets[place] { return known }
    if let present = state.buckets[place], present.totalBuckets != totalBuckets {
      throw TerraceError(.conflict, "the partition has another number of buckets")
        .with("present", present.totalBuckets).with("wanted", totalBuckets)
        .hint("set 'bucket' back to \(present.totalBuckets), or write the rows into a new table")
    }
    let fresh = try BucketWriter(
      shared, place, totalBuckets: totalBuckets, files: state.files(in: place))
    buckets[place] = fresh
    return fresh
  }

  // MARK: - Memory

  private var bufferedBytes: Int { buckets.values.reduce(0) { $0 + $1.buffer.byteCount } }

  /// Makes room for more rows: hands the largest buffers to their lanes, then waits for those.
  private func makeRoom(_ bytes: Int) throws(TerraceError) {
    if bytes + shared.bufferedBytes <= bufferLimit && shared.reserve(bytes) { return }
    flushLargest()
    while true {
      let fits = bytes + shared.bufferedBytes <= bufferLimit || shared.bufferedBytes == 0
      if fits && shared.reserve(bytes) { return }
      for bucket in buckets.values { try bucket.check() }
      if !shared.waitForFlush() {
        if bufferedBytes > 0 {
          flushLargest()
        } else {
          // The budget is used up by others; these rows are the least we can do.
          shared.reserveRequired(bytes)
          return
        }
      }
    }
  }

  private func flushLargest() {
    var left = bufferedBytes
    let goal = left / 4
    for bucket in buckets.values.sorted(by: { $0.buffer.byteCount > $1.buffer.byteCount }) {
      if left <= goal { break }
      left -= bucket.buffer.byteCount
      bucket.flush()
    }
  }

  // MARK: - Commit

  /// Writes out all buffered rows, without waiting for it.
  package func flush() {
    for bucket in buckets.values { bucket.flush() }
  }

  /// Compacts every bucket that is there, wholly or as the picker says. Waits until it is done.
  ///
  /// - Parameter partitions: those to compact, BinaryRows with their arity; nil for all.
  package func compact(full: Bool, partitions: Set<[UInt8]>? = nil) throws(TerraceError) {
    flush()
    var chosen: [BucketWriter] = []
    for place in state.buckets.keys.sorted(by: { $0.bucket < $1.bucket })
    where partitions?.contains(place.partition) ?? true {
      chosen.append(try bucket(place))
    }
    for (place, bucket) in buckets
    where state.buckets[place] == nil && (partitions?.contains(place.partition) ?? true) {
      chosen.append(bucket)
    }
    for bucket in chosen { try bucket.waitForFlush() }
    for bucket in chosen { try bucket.startCompaction(full: full) }
    for bucket in chosen { try bucket.settle(full: full) }
  }

  /// Writes out all rows and hands over what is to be committed since the last call.
  ///
  /// - Parameters:
  ///   - waitCompaction: also wait for the compactions that are due.
  ///   - beforeTag: the snapshot will be tagged: what changed since the last tag is made one run, so that
  ///     the tag holds no file that is soon rewritten.
  package func prepareCommit(
    waitCompaction: Bool = false, beforeTag: Bool = false
  ) throws(TerraceError) -> [CommitMessage] {
    flush()
    for bucket in buckets.values { try bucket.waitForFlush() }
    commitCount += 1
    if let every = fullCompactionCommits, every > 0, commitCount % every == 0, shared.compacts {
      try compact(full: true)
    }
    let options = table.schema.options
    let lookupWaits = try options.lookupWait
    let forced = try options.forceCompact
    if waitCompaction || forced || (shared.producer == .lookup && lookupWaits) {
      for bucket in buckets.values { try bucket.settle() }
    }
    if beforeTag, shared.compacts {
      for bucket in buckets.values { try bucket.startCompaction(full: false, beforeTag: true) }
      for bucket in buckets.values { try bucket.settle(beforeTag: true) }
      shared.taggedMillis = table.environment.time.nowMillis()
    }
    var messages: [CommitMessage] = []
    for bucket in buckets.values {
      try bucket.check()
      if let message = bucket.takeMessage() { messages.append(message) }
    }
    return messages.sorted {
      $0.partition == $1.partition
        ? $0.bucket < $1.bucket : $0.partition.lexicographicallyPrecedes($1.partition)
    }
  }

  /// Prepares and commits.
  ///
  /// Without an identifier the commit is a batch's: it cannot be told from others of this user.
  @discardableResult
  package func commit(
    identifier: Int64 = Snapshot.batchIdentifier, waitCompaction: Bool = false,
    watermark: Int64? = nil, properties: [String: String]? = nil, ignoreEmpty: Bool = true,
    beforeTag: Bool = false
  ) throws(TerraceError) -> Commit.Outcome {
    let messages = try prepareCommit(waitCompaction: waitCompaction, beforeTag: beforeTag)
    let outcome = try commit.commit(
      messages, identifier: identifier, watermark: watermark, properties: properties,
      ignoreEmpty: ignoreEmpty)
    try reconcile()
    return outcome
  }

  /// Takes in what the newest snapshots say, of other writers and of a compaction that was dropped.
  /// To be called after messages of ``prepareCommit(waitCompaction:)`` were committed elsewhere.
  package func reconcile() throws(TerraceError) {
    state = try commit.state()
    for (place, bucket) in buckets {
      try bucket.reconcile(state.files(in: place))
      // Idle buckets are forgotten when there are many: their files are in the state.
      if buckets.count > 1000 && bucket.isIdle { buckets[place] = nil }
    }
  }

  /// Waits for compactions that are running, so that their files can be committed.
  package func waitForCompactions() throws(TerraceError) {
    for bucket in buckets.values { try bucket.waitForCompaction() }
  }

  /// Gives up what was not committed and removes its files, as far as the system lets us; then closes.
  /// To be called after an error, which is the one to tell.
  package func abandon() {
    for bucket in buckets.values { try? bucket.waitForFlush() }  // Its error was told already.
    for bucket in buckets.values { try? bucket.waitForCompaction() }  // Likewise.
    let messages = buckets.values.compactMap { $0.takeMessage() }
    try? commit.abort(messages)  // What stays is named by no snapshot: orphan removal finds it.
    close()
  }

  /// Ends the threads. What was not committed is lost; its files are left to orphan removal.
  package func close() {
    // What failed since the last commit is given up with it.
    for bucket in buckets.values { try? bucket.waitForFlush() }
    for bucket in buckets.values { try? bucket.waitForCompaction(isLast: true) }  // Likewise.
  }
}

extension Buffer {
  /// One byte a row, for these rows.
  func gatherBytes(_ rows: UnsafePointer<Int32>, _ count: Int) -> Buffer {
    let out = Buffer(byteCount: count)
    let source = pointer(UInt8.self)
    let target = out.pointer(UInt8.self)
    for i in 0..<count { target[i] = source[Int(rows[i])] }
    return out
  }
}

extension Table {
  /// A writer that commits under a user name of its own, or under the given one.
  package func writer(
    user: String? = nil, settings: TableWriter.Settings = TableWriter.Settings()
  ) throws(TerraceError) -> TableWriter {
    try TableWriter(self, commit: try commit(user: user), settings: settings)
  }

  package func commit(user: String? = nil) throws(TerraceError) -> Commit {
    try Commit(
      path, environment, schemas: schemas, snapshots: snapshots,
      user: user ?? environment.names.uuid())
  }

  /// Compacts and commits; nil when there was nothing to do.
  ///
  /// - Parameter full: merge everything into the last level; else only what the picker picks.
  /// - Throws: `conflict` when another writer compacted the same files meanwhile.
  @discardableResult
  package func compact(
    full: Bool, partitions: Set<[UInt8]>? = nil, user: String? = nil
  ) throws(TerraceError) -> Snapshot? {
    let writer = try writer(
      user: user, settings: TableWriter.Settings(compacts: true))
    defer { writer.close() }
    try writer.compact(full: full, partitions: partitions)
    let outcome = try writer.commit()
    if let dropped = outcome.droppedCompaction { throw dropped }
    return outcome.snapshots.last
  }
}
