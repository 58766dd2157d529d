import Columns
import Dataflow
import Formats
import Store

/// A source table: the content of a snapshot, then what each later one changed.
final class TableFeed: Feed {
  let table: Table
  let tableName: TableName
  let columns: [Int]
  private let predicate: Columns.Predicate
  private let changes: ChangeCache?
  private let consumer: String
  let tags: TagWatch

  private var at = TablePosition()
  private var isStarted = false
  /// The content, or the changes of the snapshot `opened`.
  private var stream: SnapshotChanges?
  private var opened: Snapshot?
  /// Rows to be passed over, after a restart in the middle of a snapshot.
  private var toSkip = 0
  private var pending: DeltaBatch?
  private var lastGiven = 0
  /// Rows taken of the open snapshot in this epoch.
  private var inEpoch = 0
  private var pauseRows = Int.max
  /// Nothing behind this snapshot is read in this epoch.
  private var bound: Int64 = 0
  private var newest: Int64 = 0
  private var end: Int64?
  private var goal: TablePosition?
  private var pinned: Int64 = 0
  private var knownSchema: Int

  /// The table plays the state of a join. Then a snapshot ends when its last row was given (``settle()``),
  /// and not when more is asked for.
  var isPlaying = false
  /// An epoch does not end within a snapshot.
  var isUncut = false
  /// Snapshots that an epoch might have to end within are not begun.
  var beginsSmallOnly = false
  /// In a replay the snapshot that it is to end within is not begun.
  var leavesLast = false

  init(
    _ name: String, _ source: Plan.Source, _ tableName: TableName, _ environment: JobEnvironment,
    consumer: String, usesCache: Bool
  ) throws(TerraceError) {
    let path = try environment.warehouse.path(of: tableName)
    table = try Table.open(environment.warehouse.environment, path.root, branch: path.branch)
    self.tableName = tableName
    self.consumer = consumer
    changes = usesCache ? environment.changes : nil
    tags = try TagWatch(table, session: environment.zone)
    var fields: [Int] = []
    for c in source.columns {
      let name = source.tableType.fields[c].name
      guard let index = table.schema.fields.firstIndex(where: { $0.name == name }) else {
        throw TerraceError(.invalid, "the source table has no such column")
          .with("column", name).with("table", tableName)
      }
      fields.append(index)
    }
    columns = fields
    predicate = source.predicate.weakened { fields[$0] }
    knownSchema = table.schema.id
    super.init(name, source)
  }

  // MARK: Where it begins

  /// Goes to the start: the content of a snapshot, or the changes behind one.
  func start(_ snapshot: Snapshot?, content: Bool) throws(TerraceError) {
    at = snapshot.map { TablePosition($0, isContent: content) } ?? TablePosition()
    isStarted = true
    try pin(position)
    if let snapshot, try table.snapshots.find(snapshot.id) == nil {
      throw TerraceError(.unavailable, "a snapshot expired while it was being pinned")
        .with("table", tableName).with("snapshot", snapshot.id)
    }
  }

  override func seek(_ position: JSONValue) throws(TerraceError) {
    at = try TablePosition(position)
    watermark = try position.optionalInt("watermark") ?? .min
    toSkip = at.skip
    isStarted = true
    try checkPlace()
  }

  /// The position's snapshot must still be the commit that it was.
  private func checkPlace() throws(TerraceError) {
    if at.snapshot == 0 { return }
    func gone(_ what: String) -> TerraceError {
      TerraceError(
        .conflict, "\(tableName) \(what)",
        hint: "“terrace run --rebuild TABLE” starts the job over from what the table holds now"
      ).with("snapshot", at.snapshot)
    }
    if let found = try table.snapshots.find(at.snapshot) {
      if !at.names(found) {
        throw gone("was rolled back: the snapshot that was read last is another commit now")
      }
      return
    }
    guard let latest = try table.snapshots.latestID(), latest > at.snapshot else {
      throw gone("was rolled back to a time before what was read last")
    }
    let next = try table.snapshots.find(at.snapshot + 1)
    if at.isContent || next == nil {
      throw gone("has expired snapshots that were not read yet")
    }
  }

  override func replay(to position: JSONValue) throws(TerraceError) {
    goal = try TablePosition(position)
  }

  override var isReplayed: Bool {
    guard let goal else { return true }
    if at.isContent != goal.isContent { return !at.isContent && at.snapshot > goal.snapshot }
    return (at.snapshot, at.skip) >= (goal.snapshot, goal.skip)
  }

  override func endReplay() {
    goal = nil
  }

  // MARK: Epochs

  override func beginEpoch(after barrier: Int64?, schedule: TagSchedule?) throws(TerraceError) {
    inEpoch = 0
    standing = nil
    passedInexactly = false
    let latest = try table.snapshots.latestComplete()
    try checkPlace()
    newest = latest?.id ?? 0
    bound = min(newest, end ?? .max)
    if goal != nil { return }
    try tags.refresh(latest)
    guard let schedule, isStarted else { return }
    for (snapshot, end) in tags.barriers(schedule.calendar) where end > barrier ?? .min {
      if snapshot < at.snapshot || (snapshot == at.snapshot && at.skip > 0 && !at.isContent) {
        // The tag came when its snapshot had been read already: some other writer's.
        standing = max(standing ?? .min, end)
        passedInexactly = true
      } else if snapshot == at.snapshot && !at.isContent {
        standing = max(standing ?? .min, end)
      } else {
        if standing == nil { bound = min(bound, snapshot) }
        break
      }
    }
    // What is played must come to the end of its snapshot, before others can go on.
    if standing != nil { bound = at.snapshot + (isPlaying && isWithin ? 1 : 0) }
  }

  /// Allows an epoch to end within a snapshot when it has given this many rows.
  func limitPause(_ rows: Int) { pauseRows = rows }

  override var canPause: Bool {
    guard let stream else { return true }
    return at.isContent || (stream.isOrdered && !isUncut && inEpoch >= pauseRows)
  }

  override func next(rows: Int, bytes: Int) throws(TerraceError) -> FeedBatch? {
    while true {
      if goal != nil, isReplayed { return nil }
      if let delta = try take() {
        at.skip += delta.count
        inEpoch += delta.count
        lastGiven = delta.count
        taken += Int64(delta.count)
        lastDelta = delta
        return FeedBatch(delta: delta)
      }
      guard try open() else { return nil }
    }
  }

  private var lastDelta: DeltaBatch?

  /// The next rows of what is open; nil when there are none, or nothing is open.
  private func take() throws(TerraceError) -> DeltaBatch? {
    guard let stream else { return nil }
    while true {
      var next = pending
      pending = nil
      if next == nil { next = try stream.next() }
      guard let delta = next else { break }
      var part = delta
      if toSkip > 0 {
        let gone = min(toSkip, delta.count)
        toSkip -= gone
        part = delta.slice(gone..<delta.count)
      }
      if let goal, goal.snapshot == at.snapshot, goal.isContent == at.isContent {
        let left = goal.skip - at.skip
        if part.count > left {
          pending = part.slice(left..<part.count)
          part = part.slice(0..<left)
          if left == 0 { return nil }
        }
      }
      if part.count > 0 { return part }
    }
    endSnapshot()
    return nil
  }

  private func endSnapshot() {
    stream = nil
    if let opened { stand(behind: opened) }
    opened = nil
    toSkip = 0
    inEpoch = 0
  }

  private func stand(behind snapshot: Snapshot) {
    at = TablePosition(snapshot)
    if let reached = snapshot.watermark { watermark = max(watermark, reached) }
  }

  // MARK: Playing state

  /// Some rows of a snapshot were given, and some are still to come.
  var isWithin: Bool { at.isContent || at.skip > 0 }

  /// Ends a snapshot of which nothing is left; the pipeline has all that was given.
  func settle() throws(TerraceError) {
    guard isPlaying, let stream, pending == nil, goal == nil || !isReplayed else { return }
    pending = try stream.next()
    if pending == nil { endSnapshot() }
  }

  /// The content is not given: nobody is there whom it could meet, and later it is looked up.
  func skipContent() throws(TerraceError) {
    guard at.isContent else { return }
    stand(behind: try table.snapshots.snapshot(at.snapshot))
  }

  private func isSmall(_ snapshot: Snapshot) -> Bool {
    let rows = max(snapshot.changelogRecordCount ?? 0, abs(snapshot.deltaRecordCount))
    return snapshot.kind != .overwrite && rows <= Int64(pauseRows)
  }

  override func giveBack(from row: Int) {
    guard let delta = lastDelta else { return }
    at.skip -= delta.count - row
    taken -= Int64(delta.count - row)
    pending =
      pending.map { DeltaBatch.concat([delta.slice(row..<delta.count), $0]) }
      ?? delta.slice(row..<delta.count)
    lastDelta = nil
  }

  /// Opens what comes next; false when there is nothing that may be read now.
  private func open() throws(TerraceError) -> Bool {
    if stream != nil { return false }
    guard isStarted else { return false }
    if at.isContent {
      let snapshot = try table.snapshots.snapshot(at.snapshot)
      opened = snapshot
      stream = try content(of: snapshot)
      return true
    }
    let id = at.snapshot + 1
    if let goal {
      guard id <= goal.snapshot || goal.skip > 0 else { return false }
      if isPlaying, leavesLast, id > goal.snapshot, at.skip == 0 { return false }
    } else if id > bound {
      return false
    }
    let scan = table.changes(columns: columns, predicate: predicate)
    let snapshot = try scan.snapshot(id)
    if beginsSmallOnly, !isSmall(snapshot) { return false }
    try checkSchema(snapshot)
    opened = snapshot
    stream = try changes(of: snapshot, scan)
    return true
  }

  private func content(of snapshot: Snapshot) throws(TerraceError) -> SnapshotChanges {
    let producer = try table.schema.options.changelogProducer
    if table.schema.hasPrimaryKey, producer != .none, producer != .input {
      let read = try table.changes(columns: columns, predicate: predicate).content(of: snapshot)
      return SnapshotChanges([.changelog(read)])
    }
    return SnapshotChanges([.content(try read(snapshot), weight: 1)])
  }

  func read(_ snapshot: Snapshot) throws(TerraceError) -> TableRead {
    let scan = table.scan(columns: columns, predicate: predicate)
    return try scan.read(try scan.plan(snapshot))
  }

  private func changes(
    of snapshot: Snapshot, _ scan: ChangeScan
  ) throws(TerraceError) -> SnapshotChanges {
    if snapshot.kind == .overwrite { return try replaced(by: snapshot) }
    if toSkip == 0, goal == nil, let known = changes?.changes(of: snapshot) {
      return SnapshotChanges([.deltas(known.map(chosen))], isOrdered: false)
    }
    let producer = try table.schema.options.changelogProducer
    guard table.schema.hasPrimaryKey, producer == .none else {
      return SnapshotChanges([.changelog(try scan.changes(of: snapshot))])
    }
    if snapshot.kind != .append { return SnapshotChanges([]) }
    let earlier = snapshot.id > 1 ? try table.snapshots.snapshot(snapshot.id - 1) : nil
    return SnapshotChanges([
      .looked(
        try KeyDifference(
          table, columns: columns, predicate: predicate, of: snapshot, after: earlier))
    ])
  }

  private func chosen(_ delta: DeltaBatch) -> DeltaBatch {
    if predicate == .always {
      return DeltaBatch(delta.rows.project(columns), weights: delta.weights)
    }
    let (rows, count) = predicate.select(delta.rows.columns, count: delta.count)
    let numbers = rows.pointer(Int32.self)
    let weights = Buffer(byteCount: max(8, count * 8))
    let from = delta.weights.pointer(Int64.self)
    for i in 0..<count { weights.pointer(Int64.self)[i] = from[Int(numbers[i])] }
    return DeltaBatch(
      delta.rows.project(columns).gather(numbers, count: count), weights: weights)
  }

  /// INSERT OVERWRITE, TRUNCATE, DELETE of partitions: all that was there goes, what is there now comes.
  private func replaced(by snapshot: Snapshot) throws(TerraceError) -> SnapshotChanges {
    if source.isAppendOnly {
      throw TerraceError(
        .unsupported, "following an overwrite of \(tableName), from which rows are only ever added",
        hint: "“terrace run --rebuild TABLE” starts the job over from what the table holds now"
      ).with("snapshot", snapshot.id)
    }
    var parts: [SnapshotChanges.Part] = []
    if snapshot.id > 1 {
      parts.append(
        .content(try read(try table.snapshots.snapshot(snapshot.id - 1)), weight: -1))
    }
    parts.append(.content(try read(snapshot), weight: 1))
    return SnapshotChanges(parts)
  }

  /// Columns in use must stay what they are.
  private func checkSchema(_ snapshot: Snapshot) throws(TerraceError) {
    if snapshot.schemaID == knownSchema { return }
    let now = try table.schemas.schema(snapshot.schemaID)
    for index in Set(columns).union(predicate.columns).sorted() {
      let field = table.schema.fields[index]
      let other = now.fields.first { $0.id == field.id }
      if let other, other.type.isLonger(field.type) { continue }
      if other?.type.kind != field.type.kind {
        let what = other.map { "is now \($0.type.text)" } ?? "was dropped"
        throw TerraceError(
          .invalid, "column \(field.name) of \(tableName), which the job reads, \(what)",
          hint: "change the spec, or make its table anew as it is: “terrace run --rebuild TABLE”"
        ).with("snapshot", snapshot.id)
      }
    }
    knownSchema = snapshot.schemaID
  }

  // MARK: Positions

  override var position: JSONValue { at.json(watermark: watermark) }
  /// The snapshot that was read last, or is being read.
  var snapshotID: Int64 { at.snapshot }
  var isAtSnapshotEnd: Bool { !at.isContent && at.skip == 0 }

  override func pin(_ position: JSONValue) throws(TerraceError) {
    let wanted = max(1, try TablePosition(position).snapshot)
    if wanted == pinned { return }
    try Consumers(table.path, table.environment).set(consumer, next: wanted)
    pinned = wanted
  }

  override func stopAtPresent() throws(TerraceError) {
    end = try table.snapshots.latestComplete()?.id ?? 0
  }

  override var isDrained: Bool {
    guard let end else { return false }
    return stream == nil && !at.isContent && at.snapshot >= end
  }

  override var backlog: (amount: Int64, unit: String)? {
    // As of the last look: status need not touch files.
    let left = max(0, newest - at.snapshot) + (at.isContent ? 1 : 0)
    return (left, "snapshots")
  }
}

extension DataType {
  /// A text or bytes like the other, that may be longer: its values lie alike.
  fileprivate func isLonger(_ other: DataType) -> Bool {
    switch (kind, other.kind) {
    case (.varchar(let now), .varchar(let before)): now >= before
    case (.varbinary(let now), .varbinary(let before)): now >= before
    default: false
    }
  }
}
