import Columns
import Connectors
import Dataflow
import Formats

/// Records of one source in their order: changes, and between them what could not be read.
struct FeedBatch {
  var delta: DeltaBatch
  var letters: [DeadLetter] = []
  /// Numbers of letters put aside before, whose rows these are; such a batch is taken whole.
  var reread: [Int64] = []
  /// See ``SourceBatch/isNew``.
  var isNew = false

  var rowCount: Int { delta.count }
  var recordCount: Int { delta.count + letters.count }
  var byteCount: Int { delta.rows.byteCount + delta.count * 8 }

  /// Letters that stand before row `row`.
  private func letterCount(before row: Int) -> Int { letters.count { $0.row <= row } }

  /// The rows before `row` with the letters that stand before it, and the rest.
  func split(at row: Int) -> (FeedBatch, FeedBatch) {
    let first = letterCount(before: row)
    let rest = letters[first...].map { $0.moved(by: row) }
    return (
      FeedBatch(delta: delta.slice(0..<row), letters: Array(letters[..<first]), isNew: isNew),
      FeedBatch(delta: delta.slice(row..<delta.count), letters: rest, isNew: isNew)
    )
  }

  /// What is left behind the first `records` records; letters stand before the row of their number.
  func dropping(records: Int) -> FeedBatch {
    var rows = 0
    var gone = 0
    var letter = 0
    while gone < records {
      if letter < letters.count, letters[letter].row <= rows {
        letter += 1
      } else {
        rows += 1
      }
      gone += 1
    }
    let rest = letters[letter...].map { $0.moved(by: rows) }
    return FeedBatch(delta: delta.slice(rows..<delta.count), letters: rest, isNew: isNew)
  }

  /// The first `records` records.
  func prefix(records: Int) -> FeedBatch {
    var rows = 0
    var letter = 0
    for _ in 0..<records {
      if letter < letters.count, letters[letter].row <= rows { letter += 1 } else { rows += 1 }
    }
    return FeedBatch(
      delta: delta.slice(0..<rows), letters: Array(letters[..<letter]), isNew: isNew)
  }
}

extension DeltaBatch {
  func slice(_ range: Range<Int>) -> DeltaBatch {
    if range == 0..<count { return self }
    let copy = Buffer(
      copying: UnsafeRawBufferPointer(
        start: weights.base + range.lowerBound * 8, count: range.count * 8))
    return DeltaBatch(rows.slice(range), weights: copy)
  }

  func negatedWeights() -> DeltaBatch {
    let out = Buffer(byteCount: count * 8)
    let (to, from) = (out.pointer(Int64.self), weights.pointer(Int64.self))
    for i in 0..<count { to[i] = 0 &- from[i] }
    return DeltaBatch(rows, weights: out)
  }
}

/// One source of a plan as a job reads it: records in an order that is the same each time, and a position
/// after each epoch from which they go on.
class Feed {
  /// In the root.
  let name: String
  let source: Plan.Source
  /// What the pipeline takes.
  let type: RowType
  /// Records taken since the process began, and those that were read again.
  var taken: Int64 = 0
  var reread: Int64 = 0
  /// Records that were no rows and were passed over since the process began.
  var passedOver: Int64 { 0 }
  /// End instant of the barrier that the feed stands at: nothing behind it is given before it has passed.
  var standing: Int64?
  /// The feed is past a barrier of which it never stood at the exact place.
  var passedInexactly = false
  /// Greatest event time expression so far, of the part that has come least far; least when there is none.
  var watermark = Int64.min
  /// Of a source in parts, or one that may fall idle.
  var parts: PartWatermarks?
  /// Which part the batch is of that ``next(rows:bytes:)`` gave last, and of how many.
  var part: (number: Int, count: Int)? { nil }

  init(_ name: String, _ source: Plan.Source) {
    self.name = name
    self.source = source
    type = Plan.source(source).type
  }

  /// The next records; nil when there are none now.
  func next(rows: Int, bytes: Int) throws(TerraceError) -> FeedBatch? { nil }

  /// The last batch, from row `row` on, comes again with the next call.
  func giveBack(from row: Int) {}

  /// Whether an epoch may end here.
  var canPause: Bool { true }
  /// What was given since the last state commit can be given again. When not, batches are never cut.
  var canReplay: Bool { true }
  /// Why the job must empty its target and begin anew; nil in general.
  var restart: String? { nil }
  /// Whether that may yet come, of what was given so far.
  var mayBeginAnew: Bool { false }
  var position: JSONValue { .null }
  /// Goes on behind this position. The feed has given nothing yet.
  func seek(_ position: JSONValue) throws(TerraceError) {}
  /// Until this position and no further: what comes was given before.
  func replay(to position: JSONValue) throws(TerraceError) {}
  var isReplayed: Bool { true }
  func endReplay() {}
  /// Once before each epoch: looks what there is.
  func beginEpoch(after barrier: Int64?, schedule: TagSchedule?) throws(TerraceError) {}

  func stopAtPresent() throws(TerraceError) {}
  func endInput() {}
  var isDrained: Bool { false }
  var backlog: (amount: Int64, unit: String)? { nil }
  var trouble: SourceTrouble? { nil }
  /// See ``Source/drift``; set when everything before it was given.
  var drift: SchemaDrift? { nil }
  /// See ``Source/hold(at:)`` and ``Source/hasGiven(before:)``.
  func hold(at millis: Int64?) {}
  func hasGiven(before millis: Int64) -> Bool? { nil }
  /// See ``Source/announce(to:)`` and ``Source/isQuiet``.
  func announce(to wake: @escaping @Sendable () -> Void) {}
  var isQuiet: Bool { false }
  func takeNotices() -> [String] { [] }
  /// What a state commit at this place must write first.
  func commitPositions(identifier: Int64) throws(TerraceError) -> (table: String, id: Int64)? {
    nil
  }
  /// Makes others keep what recovery from this position needs.
  func pin(_ position: JSONValue) throws(TerraceError) {}
  func close() {}
}
