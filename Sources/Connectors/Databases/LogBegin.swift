import Columns
import Formats
import Store
import Synchronization

/// What a kind of server knows of how a ``LogSource`` reads it.
protocol LogOrigin: Sendable {
  associatedtype Log: DatabaseLog & SendableMetatype

  /// Checks options and columns, and joins the readers of the server's log; does not connect.
  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError)
  var type: RowType { get }
  var style: ChangeStyle { get }
  /// Host and port, for messages.
  var place: String { get }
  /// What becomes of rows with a value that its column cannot hold.
  var reject: RecordFormat.Reject { get }
  var hub: LogHub<Log> { get }
  /// Reads what is to be read before the log; on a thread of `begin`.
  func begin(
    _ aim: LogBegin<Log>.Aim, _ begin: LogBegin<Log>
  ) throws(TerraceError) -> LogStart<Log>
  /// Everything that is committed now lies before.
  func present() throws(TerraceError) -> Log.Position
  /// Whether the place of a table without changes, which moved last before `millis`, is to go on with the log.
  func movesOn(from place: Log.Position, to read: Log.Position, after millis: Int64) -> Bool
  func release()
}

extension LogOrigin {
  /// Servers that are told what they may forget.
  func movesOn(from place: Log.Position, to read: Log.Position, after millis: Int64) -> Bool {
    false
  }
}

/// How a source goes on from its first rows.
struct LogStart<Log: DatabaseLog & SendableMetatype>: Sendable {
  /// Nil when nothing comes after the first rows.
  var subscription: Log.Subscription?
  var overlap: SnapshotOverlap<Log.Position>?
  /// What the server calls the table that is followed, as ``LogBegin/followed`` gets it when the source goes on.
  var followed: String?
  /// The table is another one than declared: no row was read yet.
  var drift: SchemaDrift?
}

/// What the log tells that the first rows hold already.
struct SnapshotOverlap<Position: LogPosition>: Hashable, Sendable {
  /// What the snapshot saw, in the server's words.
  var seen: String
  /// Behind it, nothing of that comes any more.
  var until: Position

  init(seen: String, until: Position) {
    self.seen = seen
    self.until = until
  }

  /// As it stands in a position; nil when there is none.
  init?(_ json: JSONValue) throws(TerraceError) {
    guard let seen = try json.optionalString("seen") else { return nil }
    self.init(seen: seen, until: try Position(text: try json.string("until")))
  }

  var members: [(String, JSONValue?)] {
    [("seen", .string(seen)), ("until", .string(until.text))]
  }
}

/// Brings a source to the place in the log from which it is streamed: on a thread of its own, so that the
/// job's thread never waits for a server. A new source's rows are read first.
final class LogBegin<Log: DatabaseLog & SendableMetatype>: @unchecked Sendable {
  /// What the source is to become.
  enum Aim: Sendable {
    case begin
    case goOn(LogPlace<Log.Position>, SnapshotOverlap<Log.Position>?)
  }

  private struct State: ~Copyable {
    var queue: [SourceBatch] = []
    var bytes = 0
    var outcome: Result<LogStart<Log>, TerraceError>?
    var notices: [String] = []
    /// What is waited for at the server.
    var wait: SourceTrouble?
    var isEnded = false
  }

  let time: any Timekeeper
  /// The table of a source that goes on, in the server's words, where names are given again; nil: not known.
  let followed: String?
  /// Ends what its connections wait for.
  let cut = ConnectionCut()
  private let state = Mutex(State())
  private var thread: Workers?
  /// Called when there is a batch, an outcome or a notice.
  private let wake: @Sendable () -> Void
  private let limit: Int

  /// - Parameter limit: bytes in the queue.
  init(
    _ time: any Timekeeper, followed: String?, limit: Int, wake: @escaping @Sendable () -> Void
  ) {
    self.time = time
    self.limit = limit
    self.followed = followed
    self.wake = wake
  }

  func start(
    _ work: @escaping @Sendable (LogBegin) throws(TerraceError) -> LogStart<Log>
  ) {
    let thread = Workers(count: 1)
    self.thread = thread
    thread.submit {
      let outcome: Result<LogStart<Log>, TerraceError>
      do throws(TerraceError) { outcome = .success(try work(self)) } catch {
        outcome = .failure(error)
      }
      self.state.withLock { $0.outcome = outcome }
      self.wake()
    }
  }

  func stop() {
    state.withLock { $0.isEnded = true }
    cut.cut()
    thread?.stop()
    thread = nil
  }

  // MARK: The job's thread

  /// A batch of the snapshot; nil when none has come within `millis`.
  func next(waiting millis: Int) -> SourceBatch? {
    var left = millis
    while true {
      let (batch, isOver) = state.withLock { state -> (SourceBatch?, Bool) in
        if state.queue.isEmpty { return (nil, state.outcome != nil) }
        let first = state.queue.removeFirst()
        state.bytes -= first.rows.byteCount
        return (first, false)
      }
      if let batch { return batch }
      if isOver || left <= 0 { return nil }
      time.sleep(millis: 1)
      left -= 1
    }
  }

  /// Set when all batches were taken and the thread is done.
  var outcome: Result<LogStart<Log>, TerraceError>? {
    state.withLock { $0.queue.isEmpty ? $0.outcome : nil }
  }

  /// What keeps it waiting, as far as is known.
  var wait: SourceTrouble? { state.withLock { $0.wait } }

  func takeNotices() -> [String] {
    state.withLock { state in
      let notices = state.notices
      state.notices = []
      return notices
    }
  }

  // MARK: The own threads

  var isEnded: Bool { state.withLock { $0.isEnded } }
  func say(_ text: String) {
    state.withLock { $0.notices.append(text) }
    wake()
  }

  /// Tells what is waited for at the server; nil: nothing any more.
  func waits(for reason: String?) {
    let now = time.nowMillis()
    state.withLock { state in
      state.wait = reason.map { SourceTrouble($0, sinceMillis: state.wait?.sinceMillis ?? now) }
    }
    wake()
  }

  /// Hands a batch over; waits while too much lies in the queue.
  ///
  /// - Returns: false when nobody wants it any more.
  func push(_ batch: SourceBatch) -> Bool {
    while true {
      let (isEnded, isFull) = state.withLock { ($0.isEnded, $0.bytes > limit) }
      if isEnded { return false }
      if !isFull { break }
      time.sleep(millis: 2)
    }
    state.withLock {
      $0.queue.append(batch)
      $0.bytes += batch.rows.byteCount
    }
    wake()
    return true
  }
}
