import Columns
import Store
import Synchronization

/// A server's log while it is open. Only the hub's thread calls.
protocol DatabaseLog: AnyObject {
  associatedtype Position: LogPosition
  associatedtype Subscription: LogSubscription<Position>

  /// Ends what its connections wait for; any thread.
  var cut: ConnectionCut { get }
  /// Opens the log behind `position` for these tables; a log that is open is closed first.
  func open(behind position: Position, _ tables: [Subscription]) throws(TerraceError)
  /// Decodes what has come into the subscriptions, and waits at most `millis` for something to come.
  ///
  /// - Returns: false when nothing came.
  func read(waiting millis: Int) throws(TerraceError) -> Bool
  /// Everything committed before was read; nil before anything is known.
  var readPosition: Position? { get }
  /// Server time up to which everything was read.
  var readMillis: Int64 { get }
  /// Nothing before is wanted any more.
  func confirm(_ position: Position) throws(TerraceError)
  func close()
}

/// One reader of a server's log for all tables of the process that are read from it.
///
/// A thread of its own decodes the log into the tables' queues, which are bounded together: when they are
/// full the reader waits. A table that stands behind what was read makes the reader open the log again, at
/// the least place of all; each table passes over what it has. The server is told what no table needs, those
/// of the ledger that are not attached now among them.
final class LogHub<Log: DatabaseLog & SendableMetatype>: @unchecked Sendable {
  typealias Position = Log.Position

  private struct State: ~Copyable {
    var tables: [Log.Subscription] = []
    /// Tables that are not read yet, and hold the log from here on: their initial snapshot is under way.
    var pins: [String: Position] = [:]
    /// Somebody attached or left: the log must be opened again.
    var isChanged = false
    var failure: TerraceError?
    /// The server is away, and tried again.
    var trouble: SourceTrouble?
    var isEnded = false
    var lastConfirmed: Position?
  }

  private let setup = Mutex<Void>(())
  private let state: Mutex<State>
  private let log: Log
  private let ledger: LogLedger<Position>?
  private let time: any Timekeeper
  private let limit: Int
  private var thread: Workers?

  /// - Parameter limit: bytes in the queues of all tables.
  init(
    _ log: Log, ledger: LogLedger<Position>?, time: any Timekeeper, limit: Int
  ) {
    self.log = log
    self.ledger = ledger
    self.time = time
    self.limit = limit
    state = Mutex(State())
  }

  func start() {
    let thread = Workers(count: 1)
    self.thread = thread
    thread.submit { self.run() }
  }

  /// Ends the reader; returns when its connection is closed.
  func stop() {
    state.withLock { $0.isEnded = true }
    log.cut.cut()
    thread?.stop()
    thread = nil
  }

  // MARK: Tables

  /// Makes on the server what the log needs: for one source at a time.
  ///
  /// - Returns: nil when `begin` was ended before its turn came.
  func setUp<Made: Sendable>(
    _ begin: LogBegin<Log>, _ make: () throws(TerraceError) -> Made
  ) throws(TerraceError) -> Made? {
    while !begin.isEnded {
      let made = setup.withLockIfAvailable { _ -> Result<Made, TerraceError> in
        do throws(TerraceError) { return .success(try make()) } catch { return .failure(error) }
      }
      if let made { return try made.get() }
      time.sleep(millis: 20)
    }
    return nil
  }

  /// A table begins, and the server holds its log from `position` on.
  ///
  /// - Parameter marks: what is to be known of the log.
  func begin(
    _ reader: String, at position: Position, marks: [String: String] = [:]
  ) throws(TerraceError) {
    ledger?.mark(marks)
    try ledger?.begin(reader, at: position)
  }

  /// A table that is about to be read from `position` on, or from where the server was told to forget.
  ///
  /// - Returns: the position from which on the server keeps the log now.
  func pin(_ reader: String, at position: Position) throws(TerraceError) -> Position {
    let held = state.withLock { state in
      let held = max(position, state.lastConfirmed ?? position)
      state.pins[reader] = held
      return held
    }
    try ledger?.note(reader, held)
    return held
  }

  func attach(_ table: Log.Subscription) throws(TerraceError) {
    try ledger?.note(table.reader, table.from.position)
    state.withLock {
      $0.tables.removeAll { $0.reader == table.reader }
      $0.tables.append(table)
      $0.pins[table.reader] = nil
      $0.isChanged = true
    }
  }

  func detach(_ reader: String) {
    state.withLock { state in
      let count = state.tables.count
      state.tables.removeAll { $0.reader == reader }
      if state.tables.count < count { state.isChanged = true }
      state.pins[reader] = nil
    }
  }

  /// - Throws: what ended the reader.
  func check() throws(TerraceError) {
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  /// What any process of the project has told the server at most that it may forget; nil when that is not
  /// known. A server that has forgotten more was not told so by us.
  func told() throws(TerraceError) -> Position? { ledger?.told }

  /// Why nothing comes of the log; nil while it is read.
  var trouble: SourceTrouble? { state.withLock { $0.trouble } }

  /// Its reader has not ended with an error.
  var isAlive: Bool { state.withLock { $0.failure == nil } }

  /// What the server was told last that it may forget.
  var lastConfirmed: Position? { state.withLock { $0.lastConfirmed } }

  // MARK: The reader's thread

  private func run() {
    var pause = 0
    var tables: [Log.Subscription] = []
    var isOpen = false
    var confirmedMillis: Int64 = 0
    // What the queues may be fuller by, and where all tables were told that the log was read to.
    var cameMore = true
    var noted: (position: Position, millis: Int64)?
    defer { log.close() }
    while !state.withLock({ $0.isEnded }) {
      do throws(TerraceError) {
        if let changed = reopened(isOpen, tables) {
          tables = changed
          isOpen = false
          for table in tables { table.rewind() }
          guard let least = tables.map(\.from.position).min() else {
            log.close()
            continue
          }
          try log.open(behind: least, tables)
          isOpen = true
          pause = 0
          state.withLock { $0.trouble = nil }
          noted = nil
        }
        guard isOpen else {
          time.sleep(millis: 20)
          continue
        }
        if cameMore, tables.reduce(0, { $0 + $1.queuedBytes }) > limit {
          time.sleep(millis: 2)
          try keepAlive(tables, &confirmedMillis)
          continue
        }
        cameMore = try log.read(waiting: 50)
        if !cameMore {
          for table in tables { table.flush() }
        }
        note(tables, &noted)
        try keepAlive(tables, &confirmedMillis)
      } catch {
        isOpen = false
        log.close()
        if error.kind != .unavailable {
          let tables = state.withLock { state in
            state.failure = error
            return state.tables
          }
          for table in tables { table.arrive() }
          return
        }
        pause = min(max(pause * 2, 200), 30_000)
        let now = time.nowMillis()
        state.withLock { state in
          state.trouble = SourceTrouble(
            error.message, sinceMillis: state.trouble?.sinceMillis ?? now,
            nextMillis: now + Int64(pause))
        }
        for table in tables { table.arrive() }
        wait(pause)
      }
    }
  }

  /// The tables when the log is to be opened, else nil.
  private func reopened(_ isOpen: Bool, _ tables: [Log.Subscription]) -> [Log.Subscription]? {
    state.withLock { state in
      if isOpen, !state.isChanged { return nil }
      if !isOpen, state.tables.isEmpty, tables.isEmpty { return nil }
      state.isChanged = false
      return state.tables
    }
  }

  private func note(
    _ tables: [Log.Subscription], _ noted: inout (position: Position, millis: Int64)?
  ) {
    guard let position = log.readPosition else { return }
    let millis = log.readMillis
    if let noted, noted.position == position, noted.millis == millis { return }
    var isWhole = true
    for table in tables where !table.passed(position, millis: millis) { isWhole = false }
    noted = isWhole ? (position, millis) : nil
  }

  /// Tells the server, about once a second, what it may forget.
  private func keepAlive(
    _ tables: [Log.Subscription], _ last: inout Int64
  ) throws(TerraceError) {
    let now = time.nowMillis()
    if now - last < 1000 && now >= last { return }
    last = now
    guard let read = log.readPosition else { return }
    var least = tables.map { $0.forgettable(read: read) }.min() ?? read
    if let ledger {
      ledger.note(tables.map { ($0.reader, $0.forgettable(read: read)) })
      least = min(least, ledger.least ?? least)
    }
    let bound = least
    // What is told is noted first: a pin that comes later begins there.
    let told = state.withLock { state in
      let told = state.pins.values.reduce(bound) { min($0, $1) }
      state.lastConfirmed = max(state.lastConfirmed ?? told, told)
      return told
    }
    try ledger?.tell(told)
    try log.confirm(told)
  }

  private func wait(_ millis: Int) {
    var left = millis
    while left > 0, !state.withLock({ $0.isEnded || $0.isChanged }) {
      time.sleep(millis: min(left, 50))
      left -= 50
    }
  }
}
