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
    var block = DecodedBlock(batch: Batch(RowType([Field]()), [], count: 0))
    var rows = 0
    var dropped: [Int32] = []
    tree.reserve(min(limit, 1 << 16))
    while rows < limit, block.consumed < count {
      let start = bytes + block.consumed
      guard let hit = memchr(start, 0x0a, count - block.consumed) else { break }
      let length = UnsafeRawPointer(hit) - UnsafeRawPointer(start)
      if !isBlank(start, length) {
        do throws(RecordProblem) {
          try parser.parse(start, start + length, row: rows)
          if keepsPlaces {
            block.starts.append(Int32(truncatingIfNeeded: block.consumed))
            block.lineNumbers.append(Int32(truncatingIfNeeded: block.lines))
          }
        } catch {
          tree.levelRow(tree.nodes, to: rows + 1)
          let record = UnsafeRawBufferPointer(start: start, count: length)
          block.rejects.append(
            RejectedLine(
              row: rows - dropped.count, line: block.lines,
              range: block.consumed..<block.consumed + length,
              reason: error.reason(record, field: tree.path(of: error.node))))
          dropped.append(Int32(rows))
        }
        rows += 1
      }
      block.consumed += length + 1
      block.lines += 1
    }
    block.batch = tree.finish(type, rows: rows, dropped: dropped)
    return block
  }

  /// Decodes messages: each holds one record, whatever its spaces; numbers of lines are theirs.
  ///
  /// - Parameter messages: a line feed follows each, and none is in it; missing ones are passed over, empty
  ///   ones are where `null` is.
  package func decode(
    _ bytes: UnsafePointer<UInt8>, messages: [TextSpan]
  ) -> DecodedBlock {
    var block = DecodedBlock(batch: Batch(RowType([Field]()), [], count: 0))
    var rows = 0
    var dropped: [Int32] = []
    tree.reserve(min(messages.count, 1 << 16))
    block.starts.reserveCapacity(messages.count)
    block.lineNumbers.reserveCapacity(messages.count)
    for (number, message) in messages.enumerated() where !message.isNone {
      let start = bytes + message.start
      if passesNull, isBlank(start, message.count) { continue }
      do throws(RecordProblem) {
        try parser.parse(start, start + message.count, row: rows)
        block.starts.append(Int32(truncatingIfNeeded: message.start))
        block.lineNumbers.append(Int32(truncatingIfNeeded: number))
      } catch {
        tree.levelRow(tree.nodes, to: rows + 1)
        let record = UnsafeRawBufferPointer(start: start, count: message.count)
        block.rejects.append(
          RejectedLine(
            row: rows - dropped.count, line: number,
            range: message.start..<message.start + message.count,
            reason: error.reason(record, field: tree.path(of: error.node))))
        dropped.append(Int32(rows))
      }
      rows += 1
    }
    block.lines = messages.count
    block.batch = tree.finish(type, rows: rows, dropped: dropped)
    return block
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
