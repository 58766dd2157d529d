import Columns
import Connectors
import Store

/// Where a job's rows and roots go. One thread calls.
protocol JobTarget: AnyObject {
  /// The newest root; half commits are finished first.
  ///
  /// - Throws: `invalid` when there is output but no root.
  func recover() throws(TerraceError) -> (root: Root, snapshot: Snapshot)?
  /// Gets ready to write, after ``recover``.
  func open(generation: Int64) throws(TerraceError)
  func write(_ delta: DeltaBatch) throws(TerraceError) -> Int
  /// Takes rows of keys that it does not have and that come once.
  func writeNew(_ rows: Batch) throws(TerraceError) -> Int
  /// Begins to write out what was written, without waiting for it.
  func flush()
  /// Publishes what was written together with the root.
  func commit(_ root: Root, watermark: Int64?) throws(TerraceError) -> Snapshot
  /// Whether the sources may yet ask to begin anew: told before rows are written and committed.
  func expect(restart: Bool)
  /// Whether rows that were written can be taken back, as when the job begins anew.
  var canTakeBack: Bool { get }
  /// Empties the target and publishes a root of epoch 0, from which the job begins anew.
  ///
  /// - Parameter clears: rows outside are to go, too, with the first epoch of the job that begins.
  func startOver(_ root: Root, clears: Bool) throws(TerraceError)
  /// Nothing of what was written since the last commit may become visible.
  func abandon()
  func close()
  /// The last commit found rows of other writers.
  var hasForeignRows: Bool { get }
  /// The table that holds the roots.
  var table: Table { get }
  var tableName: TableName { get }
}

extension JobTarget {
  var hasForeignRows: Bool { false }
  func expect(restart: Bool) {}
  var canTakeBack: Bool { true }
  func writeNew(_ rows: Batch) throws(TerraceError) -> Int {
    try write(DeltaBatch(inserting: rows))
  }
  func flush() {}

  /// Names of the job's commits: of the table, the job and how often it was started over.
  static func user(_ job: String, _ generation: Int64) -> String { "terrace-\(job)-\(generation)" }

  /// The newest snapshot that carries a root of a job, our own compactions' among them.
  func newestRoot(
    _ job: String, _ table: Table
  ) throws(TerraceError) -> (root: Root, snapshot: Snapshot)? {
    guard let latest = try table.snapshots.latestID(), let first = try table.snapshots.earliestID(),
      first <= latest
    else { return nil }
    for id in stride(from: latest, through: first, by: -1) {
      guard let snapshot = try table.snapshots.find(id), let root = try Root(snapshot) else {
        continue
      }
      if root.job == job { return (root, snapshot) }
      throw TerraceError(
        .held, "the table is the target of another job",
        hint: "a table has one job: put its INSERTs into one file"
      ).with("job", root.job).with("table", table.path.root)
    }
    return nil
  }

  /// Finishes what the job's newest commit left half done.
  func finished(
    _ job: String, _ table: Table
  ) throws(TerraceError) -> (root: Root, snapshot: Snapshot)? {
    guard let found = try newestRoot(job, table) else { return nil }
    let commit = try table.commit(user: Self.user(job, found.root.generation))
    guard let last = try commit.recover(), let root = try Root(last) else {
      // The newest root is the copy that another writer's compaction carries on.
      return found
    }
    return root.epoch >= found.root.epoch ? (root, last) : found
  }
}

/// A table of the warehouse as a target.
final class TableTarget: JobTarget {
  let tableName: TableName
  private(set) var table: Table
  private let job: String
  private let isAppendOnly: Bool
  private let key: [Int]
  private let budget: MemoryBudget?
  private let changes: ChangeCache?
  private let writesOld: Bool
  private var writer: TableWriter?
  /// What was written since the last commit, for those who read it next; nil when it is too much.
  private var written: [DeltaBatch]? = []
  private var writtenBytes = 0
  /// Bytes of a first load since files were written last, and how many make it worth to.
  private var loadedBytes = 0
  private static let loadBytes = 64 << 20
  /// The newest snapshot that was seen.
  private var newest: Int64 = 0
  private(set) var hasForeignRows = false

  init(
    _ name: TableName, _ table: Table, job: String, isAppendOnly: Bool, key: [Int],
    budget: MemoryBudget?, changes: ChangeCache?
  ) throws(TerraceError) {
    tableName = name
    self.table = table
    self.job = job
    self.isAppendOnly = isAppendOnly
    self.key = key
    self.budget = budget
    let producer = try table.schema.options.changelogProducer
    writesOld = producer == .input
    // Where compactions write the changelog, it is not known yet when we commit.
    self.changes = producer == .input || producer == .none ? changes : nil
  }

  func recover() throws(TerraceError) -> (root: Root, snapshot: Snapshot)? {
    if let found = try finished(job, table) { return found }
    guard let latest = try table.snapshots.latest() else { return nil }
    throw TerraceError(
      .invalid,
      "\(tableName) holds data, but no root of job \(job): it is not started over silently",
      hint: "“terrace run --rebuild \(tableName)” empties the table and starts from the sources"
    ).with("snapshot", latest.id)
  }

  func open(generation: Int64) throws(TerraceError) {
    writer = try table.writer(
      user: Self.user(job, generation), settings: TableWriter.Settings(budget: budget))
    newest = try table.snapshots.latestID() ?? 0
    written = []
    writtenBytes = 0
  }

  func write(_ delta: DeltaBatch) throws(TerraceError) -> Int {
    if delta.count == 0 { return 0 }
    guard let writer else { preconditionFailure("written before it was opened") }
    let rows: Batch
    var kinds: Buffer?
    if isAppendOnly {
      rows = try TargetChanges.inserts(delta)
    } else {
      let keyed = try TargetChanges.keyed(delta, key: key)
      rows = keyed.rows
      kinds = keyed.kinds
    }
    return try write(rows, kinds, writer)
  }

  func writeNew(_ rows: Batch) throws(TerraceError) -> Int {
    guard let writer else { preconditionFailure("written before it was opened") }
    loadedBytes += rows.byteCount
    let count = try write(rows, nil, writer)
    // A first load is long: files are written while it is read.
    if loadedBytes >= TableTarget.loadBytes {
      loadedBytes = 0
      writer.flush()
    }
    return count
  }

  private func write(
    _ rows: Batch, _ kinds: Buffer?, _ writer: TableWriter
  ) throws(TerraceError) -> Int {
    if rows.count == 0 { return 0 }
    let fields = table.schema.fields
    let typed = zip(rows.columns, fields).map { $0.type == $1.type ? $0 : $0.retyped($1.type) }
    let whole = Batch(table.schema.rowType, typed, count: rows.count)
    keep(whole, kinds)
    do throws(TerraceError) {
      if let kinds, !writesOld {
        let (now, marks) = TableTarget.newest(whole, kinds)
        try writer.write(now, kinds: marks)
      } else {
        try writer.write(whole, kinds: kinds)
      }
    } catch { throw error.with("table", tableName).with("job", job) }
    return rows.count
  }

  /// Without the old rows of updates: nobody would read them.
  private static func newest(_ rows: Batch, _ kinds: Buffer) -> (Batch, Buffer) {
    let marks = kinds.pointer(UInt8.self)
    let kept = Buffer(byteCount: rows.count * 4)
    let out = Buffer(byteCount: rows.count)
    var n = 0
    for i in 0..<rows.count where marks[i] != RowKind.updateBefore.rawValue {
      kept.pointer(Int32.self)[n] = Int32(truncatingIfNeeded: i)
      out.pointer(UInt8.self)[n] = marks[i]
      n += 1
    }
    if n == rows.count { return (rows, kinds) }
    return (rows.gather(kept.pointer(Int32.self), count: n), out)
  }

  private func keep(_ rows: Batch, _ kinds: Buffer?) {
    guard let changes, written != nil else { return }
    writtenBytes += rows.byteCount
    if writtenBytes > changes.limitBytes / 4 {
      written = nil
      return
    }
    written?.append(
      kinds.map { DeltaBatch(rows, kinds: $0.pointer(UInt8.self)) } ?? DeltaBatch(inserting: rows))
  }

  func flush() { writer?.flush() }

  func commit(_ root: Root, watermark: Int64?) throws(TerraceError) -> Snapshot {
    guard let writer else { preconditionFailure("committed before it was opened") }
    let outcome = try writer.commit(
      identifier: root.epoch, watermark: watermark, properties: root.properties,
      ignoreEmpty: false, beforeTag: !(root.tags?.made.isEmpty ?? true))
    if let changes, let written, let first = outcome.snapshots.first, first.kind == .append {
      changes.put(written, of: first)
    }
    written = []
    writtenBytes = 0
    guard let last = outcome.snapshots.last else {
      throw TerraceError(.unavailable, "the commit made no snapshot").with("table", tableName)
    }
    hasForeignRows = try foreignRows(before: outcome.snapshots.first ?? last)
    newest = last.id
    return last
  }

  /// Whether somebody else has committed rows since the commit before.
  private func foreignRows(before snapshot: Snapshot) throws(TerraceError) -> Bool {
    if snapshot.id <= newest + 1 { return false }
    for id in newest + 1..<snapshot.id {
      // One that has expired may have been anything.
      if try table.snapshots.find(id)?.kind != .compact { return true }
    }
    return false
  }

  func startOver(_ root: Root, clears: Bool) throws(TerraceError) {
    let commit = try table.commit(user: Self.user(job, root.generation))
    _ = try commit.overwrite(
      .table, [], identifier: root.epoch, properties: root.properties)
  }

  func abandon() { writer?.abandon() }
  func close() { writer?.close() }
}
