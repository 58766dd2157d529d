package import Columns
import Glibc

/// CSV records that lie in memory, straight into columns; see ``CSVReader`` for the values.
package final class CSVBlockDecoder {
  package let type: RowType
  private let format: CSVOptions
  private let tree: InputTree
  private let fields: CSVFieldParser
  private let comment: UInt8?

  /// - Parameters:
  ///   - names: the columns of the file, in its order.
  ///   - comment: lines that begin with it are passed over.
  package init(
    _ type: RowType, names: [String], format: CSVOptions, comment: UInt8? = nil
  ) throws(TerraceError) {
    let isLine = [0x0a, 0x0d].contains(format.delimiter) || [0x0a, 0x0d].contains(format.quote)
    if isLine || format.delimiter == format.quote || format.delimiter &- 0x30 <= 9 {
      throw TerraceError(.invalid, "this delimiter or quote cannot be used")
    }
    self.type = type
    self.format = format
    self.comment = comment
    tree = InputTree(type)
    if format.flink != nil { tree.use(.flink) }
    fields = CSVFieldParser(tree, format)
    try fields.use(names, type)
  }

  /// Decodes whole records, up to `limit`; a record that does not end yet is left.
  ///
  /// - Parameters:
  ///   - count: bytes, the last one a line feed; words may be loaded over their end.
  ///   - isLast: nothing follows, so a record inside quotes ends too, and is rejected.
  package func decode(
    _ bytes: UnsafePointer<UInt8>, count: Int, isLast: Bool, rows limit: Int
  ) -> DecodedBlock {
    var records = BlockRecords(tree, limit)
    var at = 0
    var line = 0
    while records.rows < limit, at < count {
      let start = bytes + at
      guard let extent = extent(start, count - at, isLast) else { break }
      if isRecord(start, extent.length) {
        do throws(RecordProblem) {
          try fields.parse(start, start + extent.length)
          records.take(place: nil)
        } catch {
          let record = UnsafeRawBufferPointer(start: start, count: extent.length)
          records.refuse(error, record, line: line, range: at..<at + extent.length)
        }
      }
      at += extent.whole + 1
      line += extent.lines
    }
    records.consume(at, lines: line)
    return records.finish(type)
  }

  /// Decodes messages: each is one record, with or without a line end; numbers of lines are theirs.
  ///
  /// - Parameter messages: a line feed follows each; missing ones are passed over.
  package func decode(
    _ bytes: UnsafePointer<UInt8>, messages: [TextSpan]
  ) -> DecodedBlock {
    var records = BlockRecords(tree, messages.count)
    for (number, message) in messages.enumerated() where !message.isNone {
      let start = bytes + message.start
      var length = message.count
      if length > 0, start[length - 1] == 0x0a { length -= 1 }
      if length > 0, start[length - 1] == 0x0d { length -= 1 }
      if isComment(start, length) { continue }
      do throws(RecordProblem) {
        if let second = lineEnd(start, length) {
          throw RecordProblem(reason: .secondRecord, at: start + second)
        }
        try fields.parse(start, start + length)
        records.take(place: (message.start, number))
      } catch {
        let record = UnsafeRawBufferPointer(start: start, count: length)
        records.refuse(
          error, record, line: number, range: message.start..<message.start + message.count)
      }
    }
    records.consume(0, lines: messages.count)
    return records.finish(type)
  }

  /// The first line end outside quotes; nil when there is none.
  private func lineEnd(_ start: UnsafePointer<UInt8>, _ count: Int) -> Int? {
    var from = 0
    var scan = CSVQuoteScan(format)
    while from < count, let hit = memchr(start + from, 0x0a, count - from) {
      let end = UnsafeRawPointer(hit) - UnsafeRawPointer(start)
      scan.advance(start, from, end)
      if !scan.isInside { return end }
      from = end + 1
    }
    return nil
  }

  private func isRecord(_ start: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    if length == 0 { return fields.isSingle }
    return !isComment(start, length)
  }

  /// Blanks may precede the mark.
  private func isComment(_ start: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    guard let comment else { return false }
    var at = 0
    while at < length, start[at] == 0x20 || start[at] == 0x09 { at += 1 }
    return at < length && start[at] == comment
  }

  /// Bytes without the line end, bytes before the line feed, lines.
  private func extent(
    _ bytes: UnsafePointer<UInt8>, _ count: Int, _ isLast: Bool
  ) -> (length: Int, whole: Int, lines: Int)? {
    var from = 0
    var lines = 1
    var scan = CSVQuoteScan(format)
    let isComment = isComment(bytes, count)
    while from < count, let hit = memchr(bytes + from, 0x0a, count - from) {
      let end = UnsafeRawPointer(hit) - UnsafeRawPointer(bytes)
      let hasQuote = memchr(bytes + from, Int32(format.quote), end - from) != nil
      if !isComment, hasQuote || scan.isInside {
        scan.advance(bytes, from, end)
        if scan.isInside, end + 1 < count || !isLast {
          from = end + 1
          lines += 1
          continue
        }
      }
      let hasReturn = end > 0 && bytes[end - 1] == 0x0d
      return (hasReturn ? end - 1 : end, end, lines)
    }
    return nil
  }
}
