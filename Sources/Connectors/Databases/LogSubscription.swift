import Columns
import Store
import Synchronization

/// A table's share of a server's log: the reader decodes into it, the table's source takes from it.
///
/// A kind of server subclasses it with its way to decode a row. What is not said to be shared belongs to the
/// reader's thread.
class LogSubscription<Position: LogPosition>: @unchecked Sendable {
  struct Shared: ~Copyable {
    var queue: [LogBatch<Position>] = []
    var bytes = 0
    /// Nothing up to here will be asked for again.
    var confirmed: LogPlace<Position>
    /// Behind the last record that was decoded.
    var last: LogPlace<Position>
    /// Everything committed before it has been read.
    var read: Position
    var readMillis: Int64 = 0
    var notices: [String] = []
    /// Behind the last batch that the source took.
    var taken: LogPlace<Position>?
    /// Called when there is something to take.
    var wake: @Sendable () -> Void = {}
  }

  /// Who reads: names the subscription in the ledger of its server's log.
  let reader: String
  let shared: Mutex<Shared>
  /// Where the source stood when it attached, or after the reader began anew.
  private(set) var from: LogPlace<Position>

  private var transaction: LogTransaction<Position>?
  /// Records of the transaction in hand that were met so far.
  @exclusivity(unchecked) private var met = 0
  private var transactions: [(record: Int, of: LogTransaction<Position>)] = []
  /// Behind the last record that was taken, when that is not one of the transaction in hand.
  private var end: LogPlace<Position>
  /// Records of the transaction in hand up to the last that was taken; 0 when none was.
  @exclusivity(unchecked) private var taken = 0
  /// Records of the transaction in hand that are not wanted again.
  private var passedOver = 0
  private var isNoted = false
  private(set) var isHalted = false
  private var lastFlush: Int64 = 0
  /// Records decoded and not yet in the queue.
  @exclusivity(unchecked) private(set) var pending = 0

  /// - Parameter place: behind which the records are wanted.
  init(_ reader: String, from place: LogPlace<Position>) {
    self.reader = reader
    from = place
    end = place
    shared = Mutex(Shared(confirmed: place, last: place, read: place.position))
  }

  // MARK: The reader

  /// Whether the next record of this transaction is wanted; counts it.
  final func wants(_ transaction: LogTransaction<Position>) -> Bool {
    if isHalted { return false }
    if self.transaction?.number != transaction.number { begin(transaction) }
    met += 1
    if met <= passedOver { return false }
    if !isNoted {
      transactions.append((pending, transaction))
      isNoted = true
    }
    return true
  }

  /// Whether a statement of this transaction has not been met before.
  final func isAhead(_ transaction: LogTransaction<Position>) -> Bool {
    if isHalted || transaction.position < from.position { return false }
    return transaction.position > from.position || from.records == 0
  }

  private func begin(_ transaction: LogTransaction<Position>) {
    settle()
    self.transaction = transaction
    met = 0
    isNoted = false
    if transaction.position < from.position {
      passedOver = .max
    } else {
      passedOver = transaction.position == from.position ? from.records : 0
    }
  }

  /// A record that is wanted was decoded: `rows` of its rows or letters.
  final func took(_ rows: Int) {
    pending += rows
    taken = met
  }

  private func settle() {
    guard taken > 0, let transaction else { return }
    end = LogPlace(transaction.position, records: taken)
    taken = 0
  }

  /// Nothing more is wanted, and nothing behind what was given may be forgotten: the table changed.
  final func halt() {
    isHalted = true
    guard let transaction else { return }
    let last = LogPlace(transaction.position, records: LogPlace<Position>.whole)
    shared.withLock { if $0.last < last { $0.last = last } }
  }

  /// The decoded rows; builders are empty afterwards.
  func drain() throws(TerraceError) -> SourceBatch {
    preconditionFailure("a kind of server says how")
  }

  /// Forgets what was decoded and not taken: the log is read anew.
  func reset() {}

  /// Whether enough waits to be handed over in any case.
  var isFull: Bool { false }

  /// Hands over what waits, when nothing more comes or it has waited for a while.
  final func flushIfDue(_ now: Int64, isIdle: Bool) {
    if pending == 0 { return }
    if isIdle || isFull || now - lastFlush >= 20 || now < lastFlush {
      flush()
      lastFlush = now
    }
  }

  final func flush(
    drift: SchemaDrift? = nil, restart: String? = nil, failure: TerraceError? = nil
  ) {
    if pending == 0, drift == nil, restart == nil, failure == nil { return }
    settle()
    let last = end
    var failure = failure
    var batch = SourceBatch(rows: Batch(RowType([Field]()), [], count: 0))
    do throws(TerraceError) { batch = try drain() } catch { failure = error }
    let made = LogBatch(
      batch: batch, transactions: transactions, end: end, drift: drift, restart: restart,
      failure: failure)
    pending = 0
    transactions = []
    isNoted = false
    shared.withLock {
      if $0.last < last { $0.last = last }
      $0.queue.append(made)
      $0.bytes += made.bytes
    }
    arrive()
  }

  /// Tells the source that there is something.
  final func arrive() { shared.withLock { $0.wake }() }

  /// Everything committed before `position` was read and is in the queue or was not of this table.
  ///
  /// - Returns: false while rows of the table are not in the queue yet.
  final func passed(_ position: Position, millis: Int64) -> Bool {
    if pending > 0 { return false }
    shared.withLock {
      if $0.read < position { $0.read = position }
      $0.readMillis = max($0.readMillis, millis)
    }
    return true
  }

  /// What the server may forget, as far as this table goes.
  final func forgettable(read: Position) -> Position {
    shared.withLock {
      $0.confirmed < $0.last || pending > 0
        ? $0.confirmed.position : max(read, $0.confirmed.position)
    }
  }

  /// The log is opened again: the queue stays, what comes goes on behind it.
  final func rewind() {
    pending = 0
    transactions = []
    transaction = nil
    taken = 0
    isHalted = false
    reset()
    from = shared.withLock { $0.queue.last?.end ?? $0.taken } ?? from
    end = from
  }

  // MARK: The source

  final func take() -> LogBatch<Position>? {
    shared.withLock { shared in
      if shared.queue.isEmpty { return nil }
      let first = shared.queue.removeFirst()
      shared.bytes -= first.bytes
      shared.taken = first.end
      return first
    }
  }

  /// Puts back what is not to be given yet.
  final func putBack(_ batch: LogBatch<Position>) {
    shared.withLock {
      $0.queue.insert(batch, at: 0)
      $0.bytes += batch.bytes
    }
  }

  final var queuedBytes: Int { shared.withLock { $0.bytes } }

  final func confirm(_ place: LogPlace<Position>) {
    shared.withLock { if $0.confirmed < place { $0.confirmed = place } }
  }

  final func takeNotices() -> [String] {
    shared.withLock { shared in
      let notices = shared.notices
      shared.notices = []
      return notices
    }
  }

  final func say(_ text: String) {
    shared.withLock { $0.notices.append(text) }
    arrive()
  }
}
