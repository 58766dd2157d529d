package import Columns

/// How a source tells changes.
package enum ChangeStyle: Sendable {
  /// Rows are only ever added.
  case inserts
  /// Every row that goes is given whole, as it was: -U/+U and -D.
  case retractions
  /// The last row of a key counts; a delete may have nothing but the key.
  case upserts
}

/// A record that is no row: kept with what it was, where it stood and why it was refused.
package struct DeadLetter: Sendable {
  /// Rows of the batch that stood before it.
  package var row: Int
  /// Where it stood: `orders-3.json:17`, a partition and offset.
  package var place: String
  package var bytes: [UInt8]
  package var reason: String
  /// Of a message: the bytes of its key, if it has one and the table reads keys.
  package var key: [UInt8]?
  /// A message without a value, which is not an empty one.
  package var isTombstone = false

  /// The same, with so many rows fewer before it.
  package func moved(by rows: Int) -> DeadLetter {
    var moved = self
    moved.row = max(0, row - rows)
    return moved
  }

  package init(row: Int, place: String, bytes: [UInt8], reason: String) {
    self.row = row
    self.place = place
    self.bytes = bytes
    self.reason = reason
  }
}

/// Some records, in the order in which they stood.
package struct SourceBatch: Sendable {
  package var rows: Batch
  /// One ``RowKind`` raw value a row; nil when all are inserts.
  package var kinds: Buffer?
  package var deadLetters: [DeadLetter]
  /// Of a source in parts (partitions) that have an order of their own each: which one all of this is from,
  /// and how many there are. The event time of such a source is the least of its parts'.
  package var part: (number: Int, count: Int)?
  /// Part of a first load: inserts, and no two rows of all such batches have a primary key in common. They
  /// come while ``Source/canReplay`` is false, before all others.
  package var isNew = false

  package init(rows: Batch, kinds: Buffer? = nil, deadLetters: [DeadLetter] = []) {
    self.rows = rows
    self.kinds = kinds
    self.deadLetters = deadLetters
  }
}

/// What is read from outside. One thread calls.
///
/// Positions: ``position`` says what has been given so far, as far as it differs from the position
/// table; it is written into the root of each epoch, and must be small. Large sets (files read) are rows
/// of the position table, a keyed state table (+1 replaces the row of its key, -1 removes it) that is
/// committed less often: ``takePositions()`` moves what has changed into it, and ``position`` is short
/// again afterwards. A source that is restored with the rows and then the position goes on exactly behind
/// the last record given, and gives the same records in the same order as before.
package protocol Source: AnyObject {
  /// The table's columns, in its order.
  var type: RowType { get }
  var style: ChangeStyle { get }

  /// The next records: about `rows` or `bytes` of them at most; nil when there is nothing now.
  func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch?

  /// From now on nothing is taken that was not there at this call: `run --once`.
  func stopAtPresent() throws(TerraceError)
  /// What is there is complete: a last line without a line end counts.
  func endInput()
  /// After ``stopAtPresent()``: everything has been given.
  var isDrained: Bool { get }

  var position: String { get }
  /// The same, as something that is kept for each batch: its text is made when somebody wants it.
  var mark: SourceMark { get }
  /// Type and number of key columns of the position table; nil for sources that need none.
  var positionTable: (type: RowType, keyCount: Int)? { get }
  func takePositions() throws(TerraceError) -> DeltaBatch?
  func restorePositions(_ rows: DeltaBatch) throws(TerraceError)
  func seek(_ position: String) throws(TerraceError)
  /// Called after ``seek(_:)`` with an older position, when records up to this newer one are read
  /// again: they must come in the order in which they came then.
  func replay(to position: String) throws(TerraceError)

  /// Whether the records behind ``position`` come again, the same in the same order, after a ``seek(_:)``.
  /// False while rows of an initial snapshot are given: the job then takes batches whole and commits its
  /// state with every epoch, so that nothing of them is ever asked for again.
  var canReplay: Bool { get }
  /// Nothing up to this position will be asked for again. Called now and then, when all that it stands
  /// for is durable: a replication slot may let go of its log, a consumer group moves on.
  func confirm(_ position: String) throws(TerraceError)

  /// The table outside has other columns from here on: set when all records before the change were given,
  /// and nothing more is given. The job commits, and is opened anew with a table that fits.
  var drift: SchemaDrift? { get }

  /// Why what was given so far is worthless, and the job must empty its target and begin anew: an initial
  /// snapshot that was interrupted, a table that was emptied outside.
  var restart: String? { get }
  /// A first read is under way that would have to begin anew, were it interrupted now.
  var mayBeginAnew: Bool { get }

  /// For tags by the clock, in sources that know when a record was committed: nothing committed at or after
  /// `millis` (since 1970) is given any more; nil takes the bound away.
  func hold(at millis: Int64?)
  /// Whether everything that was committed before `millis` has been given; nil when the source does not
  /// know times, and what was polled before `millis` counts.
  func hasGiven(before millis: Int64) -> Bool?

  /// Has `wake` called, from any thread, when there is something to poll for; before the first poll.
  func announce(to wake: @escaping @Sendable () -> Void)
  /// Nothing is to be had before `wake` is called: nobody needs to poll. False for sources that announce nothing.
  var isQuiet: Bool { get }

  /// Its batches cost much to decode, and come again in the same order: they may be decoded ahead.
  var worksToDecode: Bool { get }

  /// For `status`: records that were no rows and were passed over without a word, since it was opened.
  var skipped: Int64 { get }
  /// For `status`: bytes or records known to be there and not yet given, and what they are.
  var backlog: (amount: Int64, unit: String)? { get }
  /// Why it gives nothing now although there may be more; nil while all is well.
  var trouble: SourceTrouble? { get }
  /// Things a person should know (a file shrank or vanished), each once; handed over and forgotten.
  func takeNotices() -> [String]
  func close()
}

/// A source whose other side does not answer, or whom others at that side keep waiting.
package struct SourceTrouble: Hashable, Sendable {
  /// What is wrong; of something that passes by itself: what is waited for.
  package var reason: String
  /// Milliseconds since 1970.
  package var sinceMillis: Int64
  /// When it is tried again; nil: it passes by itself.
  package var nextMillis: Int64?

  package init(_ reason: String, sinceMillis: Int64, nextMillis: Int64? = nil) {
    self.reason = reason
    self.sinceMillis = sinceMillis
    self.nextMillis = nextMillis
  }

  /// As people read it: the same as long as nothing changes.
  package var text: String { nextMillis == nil ? "waits for \(reason)" : reason }
}

/// What most sources are: without parts that need more than a position, and with nothing to tell or to close.
extension Source {
  package func endInput() {}
  package var positionTable: (type: RowType, keyCount: Int)? { nil }
  package func takePositions() throws(TerraceError) -> DeltaBatch? { nil }
  package func restorePositions(_ rows: DeltaBatch) throws(TerraceError) {}
  package var backlog: (amount: Int64, unit: String)? { nil }
  package var trouble: SourceTrouble? { nil }
  package func takeNotices() -> [String] { [] }
  package func close() {}
  /// Sources whose order follows from the position alone need nothing.
  package func replay(to position: String) throws(TerraceError) {}
  package var mark: SourceMark { SourceMark(position) }
  package var canReplay: Bool { true }
  package func confirm(_ position: String) throws(TerraceError) {}
  package var drift: SchemaDrift? { nil }
  package var restart: String? { nil }
  package var mayBeginAnew: Bool { false }
  package var worksToDecode: Bool { false }
  package func announce(to wake: @escaping @Sendable () -> Void) {}
  package var isQuiet: Bool { false }
  package func hold(at millis: Int64?) {}
  package func hasGiven(before millis: Int64) -> Bool? { nil }
  /// Sources that pass over nothing.
  package var skipped: Int64 { 0 }
}

/// A place of a source.
package struct SourceMark: Sendable {
  private let make: @Sendable () -> String

  init(_ make: @escaping @Sendable () -> String) { self.make = make }
  package init(_ position: String) { make = { position } }

  package var position: String { make() }
}
