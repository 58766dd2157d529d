import Columns
import Formats

/// Where a transaction stands in a server's log: ordered, the same each time the log is read.
protocol LogPosition: Comparable, Hashable, Sendable {
  init(text: String) throws(TerraceError)
  var text: String { get }
}

/// How far a table has come: a transaction, and how many of the table's records in it were given.
struct LogPlace<Position: LogPosition>: Hashable, Sendable, Comparable {
  /// Everything in transactions before it was given.
  var position: Position
  /// Records of the transaction that were given; ``whole`` when nothing of it is wanted.
  var records: Int

  static var whole: Int { .max }

  init(_ position: Position, records: Int) {
    self.position = position
    self.records = records
  }

  static func < (a: LogPlace, b: LogPlace) -> Bool {
    (a.position, a.records) < (b.position, b.records)
  }

  init(_ json: JSONValue) throws(TerraceError) {
    position = try Position(text: try json.string("at"))
    records = Int(try json.optionalInt("records") ?? Int64(Int.max))
  }

  var members: [(String, JSONValue?)] {
    [
      ("at", .string(position.text)),
      ("records", records == Self.whole ? nil : .int(Int64(records))),
    ]
  }
}

/// A transaction as its first record is met.
struct LogTransaction<Position: LogPosition>: Sendable {
  var position: Position
  /// Counts the transactions read since the log was opened.
  var number: Int64
  /// Commit time since 1970; never less than that of a transaction before it.
  var millis: Int64
}

/// Records of one table, as the reader decoded them.
struct LogBatch<Position: LogPosition>: Sendable {
  var batch: SourceBatch
  /// The transactions in it: first row or letter of each, counted over both.
  var transactions: [(record: Int, of: LogTransaction<Position>)]
  /// Behind its last record.
  var end: LogPlace<Position>
  /// Stands behind the records.
  var drift: SchemaDrift?
  var restart: String?
  var failure: TerraceError?

  var bytes: Int { batch.rows.byteCount + batch.rows.count * 8 + 256 }
}

extension LogBatch {
  /// The first `records` rows and letters, and the rest.
  func split(at records: Int) -> (LogBatch, LogBatch) {
    var first = self
    var rest = self
    var rows = 0
    var letters = 0
    let all = batch.deadLetters
    for _ in 0..<records {
      if letters < all.count, all[letters].row <= rows { letters += 1 } else { rows += 1 }
    }
    let count = batch.rows.count
    first.batch = SourceBatch(
      rows: batch.rows.slice(0..<rows), kinds: batch.kinds?.part(0..<rows),
      deadLetters: Array(all[..<letters]))
    rest.batch = SourceBatch(
      rows: batch.rows.slice(rows..<count), kinds: batch.kinds?.part(rows..<count),
      deadLetters: all[letters...].map { $0.moved(by: rows) })
    first.transactions = transactions.filter { $0.record < records }
    rest.transactions = transactions.filter { $0.record >= records }.map {
      ($0.record - records, $0.of)
    }
    first.drift = nil
    first.restart = nil
    first.failure = nil
    return (first, rest)
  }
}

extension Buffer {
  fileprivate func part(_ range: Range<Int>) -> Buffer {
    Buffer(copying: UnsafeRawBufferPointer(rebasing: bytes[range]))
  }
}
