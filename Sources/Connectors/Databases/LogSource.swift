import Columns
import Formats
import Store
import Synchronization

/// Tables of a server that keeps a log of changes: their rows as they are at first, then every change.
///
/// Positions: `new`; `snapshot` while the first rows are given, which cannot be gone on from; then a place in
/// the log, with the table that is followed, and what the snapshot saw until the log has passed it; `done`
/// without a log.
final class LogSource<Origin: LogOrigin>: Source {
  private typealias Position = Origin.Log.Position

  private enum Phase {
    case fresh
    /// Something is under way on another thread; rows may come from it.
    case beginning(LogBegin<Origin.Log>)
    case streaming
    case done
  }

  private let table: ConnectorTable
  private let origin: Origin
  private let time: any Timekeeper
  private let aheadBytes: Int
  private var phase = Phase.fresh
  private var gaveRows = false
  private var begunMillis: Int64 = 0
  private var subscription: Origin.Log.Subscription?
  /// Nil before it is known where the log begins.
  private var place: LogPlace<Position>?
  private var overlap: SnapshotOverlap<Position>?
  /// The table in the server's words, where another one may get its name.
  private var followed: String?
  /// A batch of which a part may not be given yet.
  private var front: LogBatch<Position>?
  private var held: Int64?
  private var present: Position?
  private var stops = false
  /// When the place of a table without changes moved on last.
  private var beatMillis: Int64 = 0
  private var replayEnd: LogPlace<Position>?
  private var isClosed = false
  private(set) var drift: SchemaDrift?
  private(set) var restart: String?
  private(set) var skipped: Int64 = 0
  private var wake: @Sendable () -> Void = {}

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    var table = table
    if table.reader.isEmpty { table.reader = table.name }
    self.table = table
    time = environment.time
    aheadBytes = environment.aheadBytes
    origin = try Origin(table, environment)
  }

  var type: RowType { origin.type }
  var style: ChangeStyle { origin.style }

  // MARK: Records

  func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    if drift != nil || restart != nil { return nil }
    var left = isReplaying ? 60_000 : 0
    while true {
      if let batch = try step(), let given = try judged(batch) { return given }
      if left <= 0 || drift != nil || restart != nil { return nil }
      time.sleep(millis: 5)
      left -= 5
      if left <= 0 {
        throw TerraceError(.unavailable, "the server's log does not come")
          .with("table", table.name).with("server", origin.place)
      }
    }
  }

  /// The batch without the rows that are none, where they are to be passed over.
  private func judged(_ batch: SourceBatch) throws(TerraceError) -> SourceBatch? {
    guard let letter = batch.deadLetters.first else { return batch }
    switch origin.reject {
    case .deadLetter: return batch
    case .fail:
      throw TerraceError(.invalid, letter.reason).with("table", table.name)
        .with("place", letter.place)
    case .skip:
      skipped += Int64(batch.deadLetters.count)
      var kept = batch
      kept.deadLetters = []
      return kept.rows.count == 0 ? nil : kept
    }
  }

  private var isReplaying: Bool {
    guard let replayEnd else { return false }
    return place.map { $0 < replayEnd } ?? true
  }

  private func step() throws(TerraceError) -> SourceBatch? {
    switch phase {
    case .fresh:
      begin()
      return nil
    case .beginning(let begin):
      if let batch = begin.next(waiting: place == nil ? 50 : 0) {
        gaveRows = true
        return batch
      }
      guard let outcome = begin.outcome else { return nil }
      kept += begin.takeNotices()
      begin.stop()
      do throws(TerraceError) { try adopt(try outcome.get()) } catch {
        // Rows of a snapshot that broke are worthless; the next attempt begins anew.
        if gaveRows {
          restart = "the initial snapshot was interrupted: \(error.message)"
          return nil
        }
        phase = .fresh
        throw error.with("table", table.name)
      }
      return nil
    case .streaming: return try stream()
    case .done: return nil
    }
  }

  private func begin() {
    let aim = place.map { LogBegin<Origin.Log>.Aim.goOn($0, overlap) } ?? .begin
    let begin = LogBegin<Origin.Log>(time, followed: followed, limit: aheadBytes, wake: wake)
    phase = .beginning(begin)
    begunMillis = time.nowMillis()
    begin.start { [origin] (begin) throws(TerraceError) in try origin.begin(aim, begin) }
  }

  private func adopt(_ start: LogStart<Origin.Log>) throws(TerraceError) {
    if let drift = start.drift {
      self.drift = drift
      phase = .fresh
      return
    }
    followed = start.followed ?? followed
    guard let made = start.subscription else {
      phase = .done
      return
    }
    made.shared.withLock { $0.wake = wake }
    (place, overlap) = (made.from, start.overlap)
    try origin.hub.attach(made)
    subscription = made
    phase = .streaming
    if stops { try markPresent() }
  }

  private func stream() throws(TerraceError) -> SourceBatch? {
    try origin.hub.check()
    guard let batch = front ?? subscription?.take() else {
      moveOn()
      return nil
    }
    front = nil
    let count = batch.batch.rows.count + batch.batch.deadLetters.count
    let cut = cut(batch)
    if cut < count || (cut == 0 && count == 0 && isBehind(batch)) {
      let position =
        batch.transactions.first { $0.record >= cut }?.of.position ?? batch.end.position
      let (first, rest) = batch.split(at: cut)
      front = rest
      if cut == 0 { return nil }
      moved(to: LogPlace(position, records: 0))
      return first.batch
    }
    moved(to: batch.end)
    drift = batch.drift
    restart = batch.restart
    if let failure = batch.failure { throw failure.with("table", table.name) }
    return count == 0 ? nil : batch.batch
  }

  private func moveOn() {
    guard !isReplaying, let read = laterPlace else { return }
    beatMillis = time.nowMillis()
    moved(to: LogPlace(read, records: 0))
  }

  private var laterPlace: Position? {
    let read = subscription?.shared.withLock { $0.queue.isEmpty ? $0.read : nil }
    guard let read, let place, read > place.position,
      origin.movesOn(from: place.position, to: read, after: time.nowMillis() - beatMillis)
    else { return nil }
    return read
  }

  private func moved(to place: LogPlace<Position>) {
    let now = max(self.place ?? place, place)
    self.place = now
    if let overlap, now.position >= overlap.until { self.overlap = nil }
  }

  /// Records of a batch that may be given now.
  private func cut(_ batch: LogBatch<Position>) -> Int {
    for (record, transaction) in batch.transactions {
      // A transaction of which a part was given is given whole.
      if let place, transaction.position == place.position, place.records > 0 { continue }
      if let held, transaction.millis >= held { return record }
      if let present, transaction.position >= present { return record }
    }
    return batch.batch.rows.count + batch.batch.deadLetters.count
  }

  private func isBehind(_ batch: LogBatch<Position>) -> Bool {
    cut(batch) == 0 && !batch.transactions.isEmpty
      && batch.transactions.contains { entry in
        (held.map { entry.of.millis >= $0 } ?? false)
          || (present.map { entry.of.position >= $0 } ?? false)
      }
  }

  // MARK: The present

  func stopAtPresent() throws(TerraceError) {
    stops = true
    if case .streaming = phase { try markPresent() }
  }

  private func markPresent() throws(TerraceError) {
    if present == nil { present = try origin.present() }
  }

  var isDrained: Bool {
    switch phase {
    case .done: return true
    case .streaming:
      guard let present, let subscription else { return false }
      if front != nil { return true }
      return subscription.shared.withLock { $0.queue.isEmpty && $0.read >= present }
        && laterPlace == nil
    default: return false
    }
  }

  // MARK: Positions

  var canReplay: Bool {
    if case .beginning = phase { return place != nil }
    return true
  }

  var mayBeginAnew: Bool {
    if case .done = phase { return false }
    return place == nil
  }

  var position: String {
    if case .done = phase { return Self.phase("done") }
    guard let place else { return Self.phase(gaveRows ? "snapshot" : "new") }
    let table = ("table", followed.map { JSONValue.string($0) })
    return JSONValue.members(place.members + [table] + (overlap?.members ?? [])).text()
  }

  private static func phase(_ name: String) -> String {
    JSONValue.members([("phase", .string(name))]).text()
  }

  func seek(_ position: String) throws(TerraceError) {
    let value = try JSONValue.parse(position)
    switch try value.optionalString("phase") {
    case "new": return
    case "snapshot":
      restart = "the initial snapshot was interrupted"
      return
    case "done":
      phase = .done
      return
    default: break
    }
    let place = try LogPlace<Position>(value)
    overlap = try SnapshotOverlap(value)
    followed = try value.optionalString("table")
    self.place = place
    _ = try origin.hub.pin(table.reader, at: place.position)
    begin()
  }

  func replay(to position: String) throws(TerraceError) {
    let value = try JSONValue.parse(position)
    if try value.optionalString("phase") != nil { return }
    let end = try LogPlace<Position>(value)
    replayEnd = max(replayEnd ?? end, end)
  }

  func confirm(_ position: String) throws(TerraceError) {
    guard let subscription else { return }
    let value = try JSONValue.parse(position)
    if try value.optionalString("phase") == nil { subscription.confirm(try LogPlace(value)) }
  }

  // MARK: Tags

  func hold(at millis: Int64?) { held = millis }

  func hasGiven(before millis: Int64) -> Bool? {
    switch phase {
    case .done: return true
    case .fresh, .beginning: return false
    case .streaming:
      guard let subscription else { return false }
      if let front { return front.transactions.first.map { $0.of.millis >= millis } ?? false }
      return subscription.shared.withLock { shared in
        if let first = shared.queue.first {
          return first.transactions.first.map { $0.of.millis >= millis } ?? false
        }
        return shared.readMillis >= millis
      }
    }
  }

  // MARK: Quiet

  func announce(to wake: @escaping @Sendable () -> Void) { self.wake = wake }

  /// What is held back until a time comes is not announced.
  var isQuiet: Bool {
    if drift != nil || restart != nil || front != nil || !kept.isEmpty { return false }
    switch phase {
    // How long they take is looked at.
    case .fresh, .beginning: return false
    case .done: return true
    case .streaming:
      if origin.hub.trouble != nil { return false }
      return subscription?.shared.withLock { $0.queue.isEmpty && $0.notices.isEmpty } ?? true
    }
  }

  // MARK: Status

  private var kept: [String] = []

  var backlog: (amount: Int64, unit: String)? {
    guard let subscription else { return nil }
    return (Int64(subscription.queuedBytes), "bytes")
  }

  var trouble: SourceTrouble? {
    switch phase {
    case .beginning(let begin):
      if let wait = begin.wait { return wait }
      // Servers that are there answer sooner.
      if gaveRows || time.nowMillis() - begunMillis < 3_000 { return nil }
      return SourceTrouble("an answer of \(origin.place)", sinceMillis: begunMillis)
    case .streaming: return origin.hub.trouble
    case .fresh, .done: return nil
    }
  }

  func takeNotices() -> [String] {
    var notices = kept
    kept = []
    if case .beginning(let begin) = phase { notices += begin.takeNotices() }
    notices += subscription?.takeNotices() ?? []
    return notices
  }

  func close() {
    if isClosed { return }
    isClosed = true
    if case .beginning(let begin) = phase { begin.stop() }
    origin.release()
  }

  deinit { close() }
}
