package import Columns
package import Store

/// The state of one pipeline in tables of the store: one hidden table a state table.
///
/// A commit appends what changed since the last one as a sorted run of level 0, so it is an incremental
/// checkpoint; the root of the job names the snapshots. One thread calls.
package final class StateStore {
  package struct Counters: Hashable, Sendable {
    package var bytesRead = 0
    package var bytesWritten = 0
    /// Commits of state, and rows put and taken away by them.
    package var commits = 0
    package var rowsWritten = 0
    package var rowsRead = 0
  }

  private let pipeline: Pipeline
  private let environment: Environment
  private let folder: String
  private let prefix: String
  private let user: String
  private let budget: MemoryBudget?
  private let wholeAfter: Int
  private let files: FileCounters
  private var tables: [OpenState] = []
  private var counts = Counters()
  /// A commit failed half way: what the operators gave is lost.
  private var isBroken = false

  /// - Parameters:
  ///   - pipeline: records its changes, and has seen nothing yet.
  ///   - folder: where the tables lie, each in a folder of its name.
  ///   - prefix: of these names, where the pipelines of several jobs share a folder.
  ///   - user: commits under this name, which is the job's own.
  ///   - wholeAfter: a table that was asked for so many keys may be read as a whole, if that costs less than
  ///     to ask on.
  package init(
    _ pipeline: Pipeline, environment: Environment, folder: String, prefix: String = "",
    user: String, budget: MemoryBudget? = nil, wholeAfter: Int = 1024
  ) {
    ProcessMemory.tune()
    self.pipeline = pipeline
    let counting = CountingFileIO(environment.files)
    var counted = environment
    counted.files = counting.files
    files = counting.counters
    self.environment = counted
    self.folder = folder
    self.prefix = prefix
    self.user = user
    self.budget = budget
    self.wholeAfter = wholeAfter
  }

  /// Takes the tables back to these snapshots and gives the pipeline the state it had then.
  ///
  /// - Parameters:
  ///   - snapshots: what `commit` gave; nil for a job that begins: what lies there is removed.
  ///   - watermarks: as the pipeline gave them.
  /// - Throws: `notFound` when a snapshot is gone, `corrupted` when the tables are another plan's.
  package func open(
    at snapshots: [String: Int64]?, watermarks: [Int64] = []
  ) throws(TerraceError) {
    precondition(tables.isEmpty, "state is opened once")
    let lazy = pipeline.lazyTables
    for (i, table) in pipeline.stateTables.enumerated() {
      let state = OpenState(
        StateFormat(table), environment, folder + "/" + prefix + table.name, user: user,
        budget: budget)
      tables.append(state)
      guard let id = snapshots?[table.name] else {
        try state.remove()
        continue
      }
      try state.open(at: id)
      pipeline.setNumberBase(try state.numberBase(), of: i)
      if lazy.contains(i) { continue }
      try state.readAll { (rows) throws(TerraceError) in try pipeline.restore(rows, to: i) }
    }
    if snapshots != nil {
      try pipeline.finishRestore(watermarks: watermarks)
      pipeline.attach(wholeAfter: wholeAfter) { tables[$0].backing }
    }
  }

  /// Writes what changed since the last commit, durably.
  ///
  /// - Parameter identifier: greater than that of any commit before.
  /// - Returns: by table the snapshot that holds its state now; tables without rows ever have none.
  package func commit(identifier: Int64) throws(TerraceError) -> [String: Int64] {
    try begin()
    return try finish(identifier: identifier)
  }

  /// Takes what has changed and begins to write it, on the environment's workers. Epochs may go on until
  /// `finish`; what they change belongs to the next commit.
  package func begin() throws(TerraceError) {
    if isBroken {
      throw TerraceError(.held, "a commit of state failed before: the job must start from its root")
    }
    isBroken = true
    let deltas = try pipeline.takeState()
    for (i, (table, delta)) in zip(tables, deltas).enumerated() {
      counts.rowsWritten += delta.reduce(0) { $0 + $1.count }
      try table.write(delta, numberBase: pipeline.numberBase(of: i))
    }
  }

  /// Waits for what `begin` began and makes it durable; otherwise as `commit`.
  package func finish(identifier: Int64) throws(TerraceError) -> [String: Int64] {
    for table in tables { try table.commit(identifier: identifier) }
    counts.commits += 1
    isBroken = false
    return snapshots
  }

  /// The snapshot that each table stands at.
  package var snapshots: [String: Int64] {
    var out: [String: Int64] = [:]
    for table in tables { if let id = table.snapshot { out[table.format.table.name] = id } }
    return out
  }

  /// Bytes that wait for the next commit, roughly.
  package var pendingBytes: Int { pipeline.pendingStateBytes }

  /// Bytes read and written since the store was made.
  package var counters: Counters {
    var out = counts
    for table in tables { out.rowsRead += table.rowsRead }
    for (key, count) in files.all {
      switch key.call {
      case .read: out.bytesRead += count.bytes
      case .write: out.bytesWritten += count.bytes
      default: break
      }
    }
    return out
  }

  /// Removes snapshots from before these, which are the oldest that a root still names.
  package func expire(keeping oldest: [String: Int64]) throws(TerraceError) {
    for table in tables {
      if let id = oldest[table.format.table.name] { try table.expire(before: id) }
    }
  }

  /// Frees memory until the state holds no more than this, as far as that is possible.
  ///
  /// What was not committed stays, and so does the state of operators that look at all of it. The rest is
  /// read again, by key, as it is needed.
  package func evict(toBytes limit: Int) throws(TerraceError) {
    if isBroken || pipeline.stateBytes <= limit { return }
    try pipeline.evict(toBytes: limit) { tables[$0].backing }
  }

  /// Ends the writers. What was not committed is lost.
  package func close() {
    for table in tables { table.close() }
    tables = []
  }
}

/// One state table that is open.
private final class OpenState: WholeBacking {
  let format: StateFormat
  private let environment: Environment
  private let path: String
  private let user: String
  private let budget: MemoryBudget?
  private var table: Table?
  private var writer: TableWriter?
  private(set) var snapshot: Int64?
  private var hasRows = false
  private var base: Int32 = 0

  init(
    _ format: StateFormat, _ environment: Environment, _ path: String, user: String,
    budget: MemoryBudget?
  ) {
    self.format = format
    self.environment = environment
    self.path = path
    self.user = user
    self.budget = budget
  }

  private static let options = [
    "bucket": "1", "file.compression": "lz4", "data-file.thin-mode": "true",
    "metadata.stats-mode": "none", "parquet.writer.version": "v2",
    "parquet.enable.dictionary": "false", "parquet.page.row.count.limit": "512",
    Table.lookupOption: "512 b", "write-buffer-size": "256 mb",
    "parquet.column.statistics.enabled": "false",
  ]

  func remove() throws(TerraceError) {
    if try environment.files.exists(path) { try environment.files.deleteTree(path) }
  }

  func open(at id: Int64) throws(TerraceError) {
    let files = TablePath(path)
    let table = try Table.open(environment, path)
    guard table.schema.fields.map(\.name) == format.fields.map(\.name),
      table.schema.fields.map(\.type) == format.fields.map(\.type)
    else {
      throw TerraceError(.corrupted, "the stored state is that of another plan").with("table", path)
    }
    try Rollback(files, environment).to(snapshotID: id)
    self.table = table
    snapshot = id
  }

  /// All rows, in the order of the key.
  func readAll(
    _ body: (Batch) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    guard let table, let snapshot else { return }
    let scan = table.scan()
    let read = try scan.read(try scan.plan(try table.snapshots.snapshot(snapshot)))
    defer { read.close() }
    while let rows = try read.next() {
      rowsRead += rows.count
      try body(format.loaded(rows))
    }
  }

  // MARK: - Lookup

  private var lookup: PrefixLookup?
  private(set) var rowsRead = 0

  /// Nil while there are no rows.
  var backing: OpenState? { snapshot == nil ? nil : self }

  /// Nil as well when the rows would leave no room in memory for others.
  var wholeCount: Int? {
    guard let lookup else { return nil }
    // Columns unpacked, and what finds a row.
    let bytes = lookup.byteCount * 3 + lookup.rowCount * 64
    if let budget, budget.usedBytes + bytes > budget.limitBytes / 4 { return nil }
    return lookup.rowCount
  }

  func rows(for keys: [Column], count: Int) throws(TerraceError) -> Batch? {
    guard let table, let snapshot else { return nil }
    let lookup: PrefixLookup
    if let known = self.lookup {
      lookup = known
    } else {
      lookup = try table.prefixLookup(
        width: format.lookupFields, at: try table.snapshots.snapshot(snapshot))
      self.lookup = lookup
    }
    guard let found = try lookup.rows(format.lookupKeys(keys, count: count), count: count) else {
      return nil
    }
    rowsRead += found.count
    return format.loaded(found)
  }

  // MARK: - Commits

  private static let nextRow = "terrace.state.next-row"

  /// Where the numbers of rows that are not stored yet begin.
  func numberBase() throws(TerraceError) -> Int32 {
    guard let table, let snapshot else { return 0 }
    let text = try table.snapshots.snapshot(snapshot).properties?[OpenState.nextRow] ?? ""
    guard let base = Int32(text) else {
      throw TerraceError(.corrupted, "a snapshot of state without \(OpenState.nextRow)")
        .with("table", path).with("snapshot", snapshot)
    }
    return base
  }

  func write(_ deltas: [DeltaBatch], numberBase: Int32) throws(TerraceError) {
    for delta in deltas where delta.count > 0 {
      let kinds = Buffer(byteCount: delta.count)
      let k = kinds.pointer(UInt8.self)
      let w = delta.weights.pointer(Int64.self)
      // An insert is 0 and a delete 3.
      for i in 0..<delta.count { k[i] = w[i] > 0 ? 0 : RowKind.delete.rawValue }
      try openWriter().write(format.stored(delta.rows), kinds: kinds)
      hasRows = true
    }
    if hasRows { try openWriter().flush() }
    base = numberBase
  }

  private func openWriter() throws(TerraceError) -> TableWriter {
    if let writer { return writer }
    let table: Table
    if let known = self.table { table = known } else { table = try create() }
    self.table = table
    let fresh = try table.writer(user: user, settings: TableWriter.Settings(budget: budget))
    writer = fresh
    return fresh
  }

  private func create() throws(TerraceError) -> Table {
    let schemas = SchemaDirectory(TablePath(path), environment)
    // Only keys are looked for.
    var options = OpenState.options
    for name in format.primaryKey { options["parquet.column.statistics.enabled#\(name)"] = "true" }
    let schema = try TableSchema.create(
      columns: format.fields, primaryKeys: format.primaryKey, options: options,
      timeMillis: environment.time.nowMillis())
    guard try schemas.publish(schema) else {
      throw TerraceError(.conflict, "another process made the same state table").with("table", path)
    }
    return try Table.open(environment, path)
  }

  func commit(identifier: Int64) throws(TerraceError) {
    guard hasRows, let writer else { return }
    let outcome = try writer.commit(
      identifier: identifier, properties: [OpenState.nextRow: String(base)])
    if let last = outcome.snapshots.last {
      snapshot = last.id
      try lookup?.advance(to: last)
    }
    hasRows = false
  }

  func expire(before id: Int64) throws(TerraceError) {
    guard table != nil, let snapshot, id <= snapshot else { return }
    let kept = Int(snapshot - id) + 1
    _ = try Expiration(TablePath(path), environment).run(
      Expiration.Policy(
        retainMin: kept, retainMax: kept, olderThanMillis: 0, limit: Int.max))
  }

  func close() { writer?.close() }
}
