package import Columns
import Glibc

/// A record of a block that is no row.
package struct RejectedLine: Sendable {
  /// Rows of the block's batch that stood before it.
  package var row: Int
  /// Line of the block, from 0.
  package var line: Int
  /// Where its bytes lie in the block.
  package var range: Range<Int>
  package var reason: String

  package init(row: Int, line: Int, range: Range<Int>, reason: String) {
    self.row = row
    self.line = line
    self.range = range
    self.reason = reason
  }
}

/// A piece of a block of bytes.
package struct TextSpan: Sendable {
  package var start: Int
  /// Bytes; -1: there is none, not even an empty one.
  package var count: Int

  package init(start: Int, count: Int) {
    self.start = start
    self.count = count
  }

  @inlinable package var isNone: Bool { count < 0 }
}

/// The rows of a block of text.
package struct DecodedBlock {
  package var batch: Batch
  package var rejects: [RejectedLine] = []
  /// Bytes of whole records that were read.
  package var consumed = 0
  package var lines = 0
  /// Of each row, when they were asked for: where its record begins, and its line from 0.
  package var starts: [Int32] = []
  package var lineNumbers: [Int32] = []
}

/// A block while its records are decoded one after another into the columns of a tree.
struct BlockRecords {
  private let tree: InputTree
  private(set) var block = DecodedBlock(batch: Batch(RowType([Field]()), [], count: 0))
  /// Records so far, with those that were refused.
  private(set) var rows = 0
  private var dropped: [Int32] = []

  /// - Parameter most: records that may come.
  init(_ tree: InputTree, _ most: Int) {
    self.tree = tree
    tree.reserve(min(most, 1 << 16))
  }

  /// Counts a record that was read.
  ///
  /// - Parameter place: where it begins, and its line.
  mutating func take(place: (start: Int, line: Int)?) {
    if let place {
      block.starts.append(Int32(truncatingIfNeeded: place.start))
      block.lineNumbers.append(Int32(truncatingIfNeeded: place.line))
    }
    rows += 1
  }

  /// Puts a record aside, whose columns may be of different lengths by now.
  ///
  /// - Parameter record: its bytes, which lie at `range` of the block.
  mutating func refuse(
    _ problem: RecordProblem, _ record: UnsafeRawBufferPointer, line: Int, range: Range<Int>
  ) {
    tree.levelRow(tree.nodes, to: rows + 1)
    block.rejects.append(
      RejectedLine(
        row: rows - dropped.count, line: line, range: range,
        reason: problem.reason(record, field: tree.path(of: problem.node))))
    dropped.append(Int32(rows))
    rows += 1
  }

  mutating func consume(_ bytes: Int, lines: Int) {
    block.consumed += bytes
    block.lines += lines
  }

  mutating func finish(_ type: RowType) -> DecodedBlock {
    block.batch = tree.finish(type, rows: rows, dropped: dropped)
    return block
  }
}

/// JSON lines that lie in memory, straight into columns; see ``JSONLinesReader`` for the values.
package final class JSONBlockDecoder {
  package let type: RowType
  private let tree: InputTree
  private let parser: JSONRecordParser
  private let keepsPlaces: Bool
  /// Lines that are only `null` are passed over: a change stream's mark that a key is gone.
  private let passesNull: Bool

  package init(
    _ type: RowType, requiresMembers: Bool = false, keepsPlaces: Bool = false,
    passesNull: Bool = false, conventions: JSONConventions = JSONConventions()
  ) {
    self.type = type
    self.keepsPlaces = keepsPlaces
    self.passesNull = passesNull
    tree = InputTree(type)
    tree.use(conventions)
    parser = JSONRecordParser(tree)
    parser.requiresMembers = requiresMembers
    parser.nullsErrors = conventions.nullsErrors
  }

  /// Uses other conventions for one member; a path that is none of ours does nothing.
  package func use(_ conventions: JSONConventions, at path: [String]) {
    if let node = tree.node(at: path) { tree.use(conventions, at: node) }
  }

  /// Decodes whole lines, up to `limit` records.
  ///
  /// - Parameter count: bytes, the last one a line feed; words may be loaded over their end.
  package func decode(
    _ bytes: UnsafePointer<UInt8>, count: Int, rows limit: Int
  ) -> DecodedBlock {
    var records = BlockRecords(tree, limit)
    var at = 0
    var line = 0
    while records.rows < limit, at < count {
      let start = bytes + at
      guard let hit = memchr(start, 0x0a, count - at) else { break }
      let length = UnsafeRawPointer(hit) - UnsafeRawPointer(start)
      if !isBlank(start, length) {
        do throws(RecordProblem) {
          try parser.parse(start, start + length, row: records.rows)
          records.take(place: keepsPlaces ? (at, line) : nil)
        } catch {
          let record = UnsafeRawBufferPointer(start: start, count: length)
          records.refuse(error, record, line: line, range: at..<at + length)
        }
      }
      at += length + 1
      line += 1
    }
    records.consume(at, lines: line)
    return records.finish(type)
  }

  /// Decodes messages: each holds one record, whatever its spaces; numbers of lines are theirs.
  ///
  /// - Parameter messages: a line feed follows each, and none is in it; missing ones are passed over, empty
  ///   ones are where `null` is.
  package func decode(
    _ bytes: UnsafePointer<UInt8>, messages: [TextSpan]
  ) -> DecodedBlock {
    var records = BlockRecords(tree, messages.count)
    for (number, message) in messages.enumerated() where !message.isNone {
      let start = bytes + message.start
      if passesNull, isBlank(start, message.count) { continue }
      do throws(RecordProblem) {
        try parser.parse(start, start + message.count, row: records.rows)
        records.take(place: (message.start, number))
      } catch {
        let record = UnsafeRawBufferPointer(start: start, count: message.count)
        records.refuse(
          error, record, line: number, range: message.start..<message.start + message.count)
      }
    }
    records.consume(0, lines: messages.count)
    return records.finish(type)
  }

  private func isBlank(_ start: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    if length > 0, start[0] == UInt8(ascii: "{") { return false }
    var end = length
    // Spaces of JSON; other control characters are what nobody meant.
    while end > 0, start[end - 1] <= 0x20, 0x1_0000_2600 &>> UInt64(start[end - 1]) & 1 != 0 {
      end -= 1
    }
    if end == 0 { return true }
    if !passesNull || end != 4 { return false }
    return UnsafeRawPointer(start).loadUnaligned(as: UInt32.self) == 0x6c6c_756e
  }
}

extension RecordProblem {
  /// Why and where in the record, in one line.
  func reason(_ record: UnsafeRawBufferPointer, field: String?) -> String {
    let error = error(file: "", line: 0, record: record, field: field)
    var text = error.message
    for fact in error.facts where fact.name != "file" && fact.name != "line" {
      text += fact.name == "near" ? ", near \(fact.value)" : ", \(fact.name) \(fact.value)"
    }
    return text
  }
}
