import Columns
import Formats
import Store
import Synchronization

/// Tables of a MySQL or MariaDB server: their rows as they are at first, then every change from the server's log.
///
/// Positions: `new`; `snapshot` while the first rows are given, which cannot be gone on from; then a place in
/// the log; `done` without a log.
final class MySQLSource: Source {
  private enum Phase {
    case fresh
    /// Something is under way on another thread; rows may come from it.
    case beginning(MySQLBegin, isNew: Bool)
    case streaming
    case done
  }

  let type: RowType
  let style: ChangeStyle
  private let table: ConnectorTable
  private let options: MySQLOptions
  private let environment: Environment
  private let hub: (key: MySQLHubs.Key, hub: LogHub<MySQLLog>)
  private var phase = Phase.fresh
  private var gaveRows = false
  private var subscription: MySQLSubscription?
  private var place = LogPlace(MySQLPosition(.file, file: "", offset: 0), records: 0)
  /// A batch of which a part may not be given yet.
  private var front: LogBatch<MySQLPosition>?
  private var held: Int64?
  private var present: MySQLPosition?
  private var stops = false
  /// When the place of a table that does not change moved on last.
  private var beatMillis: Int64 = 0
  private var replayEnd: LogPlace<MySQLPosition>?
  private var isClosed = false
  private(set) var drift: SchemaDrift?
  private(set) var restart: String?

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    var table = table
    if table.reader.isEmpty { table.reader = table.name }
    self.table = table
    self.environment = environment
    options = try MySQLOptions(table)
    style = .retractions
    // Also a check of the columns.
    type = try MySQLRows(table).type
    hub = MySQLHubs.acquire(options, folder: table.folder, environment)
  }

  // MARK: Records

  func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    if drift != nil || restart != nil { return nil }
    var left = replayEnd.map { place < $0 } ?? false ? 60_000 : 0
    while true {
      if let batch = try step() { return batch }
      if left <= 0 || drift != nil || restart != nil { return nil }
      environment.time.sleep(millis: 5)
      left -= 5
      if left <= 0 {
        throw TerraceError(.unavailable, "the server's log does not come")
          .with("table", table.name).with("server", options.server.place)
      }
    }
  }

  private func step() throws(TerraceError) -> SourceBatch? {
    switch phase {
    case .fresh:
      let begin = MySQLBegin(table, options, environment)
      phase = .beginning(begin, isNew: true)
      begin.start(.begin)
      return nil
    case .beginning(let begin, let isNew):
      if let batch = begin.next(waiting: isNew ? 50 : 0) {
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

  private func adopt(_ start: MySQLBegin.Start) throws(TerraceError) {
    if options.startup == .snapshotOnly {
      phase = .done
      return
    }
    let made = try MySQLSubscription(start.wants, from: start.place)
    try hub.hub.attach(made)
    subscription = made
    place = start.place
    phase = .streaming
    if stops { try markPresent() }
  }

  private func stream() throws(TerraceError) -> SourceBatch? {
    try hub.hub.check()
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

  /// A server throws old files of its log away: the place of a table that does not change goes on with the log,
  /// from file to file, or at each heartbeat that was asked for.
  private func moveOn() {
    guard replayEnd.map({ place >= $0 }) ?? true, let read = laterPlace else { return }
    beatMillis = environment.time.nowMillis()
    moved(to: LogPlace(read, records: 0))
  }

  private var laterPlace: MySQLPosition? {
    let read = subscription?.shared.withLock { $0.queue.isEmpty ? $0.read : nil }
    guard let read, read > place.position else { return nil }
    if read.file != place.position.file { return read }
    guard let interval = options.heartbeatMillis else { return nil }
    return environment.time.nowMillis() - beatMillis >= interval ? read : nil
  }

  private func moved(to place: LogPlace<MySQLPosition>) {
    self.place = max(self.place, place)
  }

  /// Records of a batch that may be given now.
  private func cut(_ batch: LogBatch<MySQLPosition>) -> Int {
    for (record, transaction) in batch.transactions {
      // A transaction of which a part was given is given whole.
      if transaction.position == place.position, place.records > 0 { continue }
      if let held, transaction.millis >= held { return record }
      if let present, transaction.position >= present { return record }
    }
    return batch.batch.rows.count + batch.batch.deadLetters.count
  }

  private func isBehind(_ batch: LogBatch<MySQLPosition>) -> Bool {
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
    if present != nil { return }
    present = try MySQLServer(connection: try MySQLConnection(options.server)).position()
  }

  func endInput() {}

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
    switch phase {
    case .beginning(_, let isNew): return !isNew
    default: return true
    }
  }

  var position: String {
    switch phase {
    case .fresh: return Self.text([("phase", .string("new"))])
    case .beginning(_, true):
      return Self.text([("phase", .string(gaveRows ? "snapshot" : "new"))])
    case .done: return Self.text([("phase", .string("done"))])
    case .beginning(_, false), .streaming:
      return Self.text(place.members)
    }
  }

  private static func text(_ members: [(String, JSONValue?)]) -> String {
    JSONValue.members(members).text()
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
    place = try LogPlace(value)
    let begin = MySQLBegin(table, options, environment)
    phase = .beginning(begin, isNew: false)
    begin.start(.goOn(place))
  }

  func replay(to position: String) throws(TerraceError) {
    let value = try JSONValue.parse(position)
    if try value.optionalString("phase") == nil { replayEnd = try LogPlace(value) }
  }

  func confirm(_ position: String) throws(TerraceError) {
    guard let subscription else { return }
    let value = try JSONValue.parse(position)
    if try value.optionalString("phase") == nil { subscription.confirm(try LogPlace(value)) }
  }

  var positionTable: (type: RowType, keyCount: Int)? { nil }
  func takePositions() throws(TerraceError) -> DeltaBatch? { nil }
  func restorePositions(_ rows: DeltaBatch) throws(TerraceError) {}

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

  // MARK: Status

  private var kept: [String] = []

  var backlog: (amount: Int64, unit: String)? {
    guard let subscription else { return nil }
    return (Int64(subscription.queuedBytes), "bytes")
  }

  func takeNotices() -> [String] {
    var notices = kept
    kept = []
    if case .beginning(let begin, _) = phase { notices += begin.takeNotices() }
    notices += subscription?.takeNotices() ?? []
    return notices
  }

  func close() {
    if isClosed { return }
    isClosed = true
    if case .beginning(let begin, _) = phase { begin.stop() }
    MySQLHubs.release(hub.key, hub.hub, reader: table.reader)
  }

  deinit { close() }
}
