package import Columns
import Glibc

/// CSV straight into columns (RFC 4180; delimiter, quote, escape and null text may be others).
///
/// Columns are found by the header's names, or by position without one. Unquoted text that equals
/// the null text is null; quoted text never is. Quoted fields may hold line breaks. Values are read
/// by ``ValueParser``, nested ones as JSON. Gzip and zstd are unpacked.
package final class CSVReader {
  private let type: RowType
  private let options: RecordOptions
  private let format: CSVOptions
  private let input: any ByteStream
  @exclusivity(unchecked) private var window: RecordWindow
  private let tree: InputTree
  private let fields: CSVFieldParser
  private var isOpen = false
  /// Of the next record's first line, from 1.
  @exclusivity(unchecked) private var line = 1
  @exclusivity(unchecked) private var rows = 0
  @exclusivity(unchecked) private var dropped: [Int32] = []
  package private(set) var rejectedCount = 0
  /// Names of the header that no column has; known after the first batch.
  package private(set) var unknownColumns: [String] = []

  package init(
    _ input: any ByteStream, type: RowType, format: CSVOptions = CSVOptions(),
    options: RecordOptions = RecordOptions()
  ) throws(TerraceError) {
    let isDigit = format.delimiter &- 0x30 <= 9
    let isLine = [0x0a, 0x0d].contains(format.delimiter) || [0x0a, 0x0d].contains(format.quote)
    if isDigit || isLine || format.delimiter == format.quote {
      throw TerraceError(.invalid, "this delimiter or quote cannot be used")
        .with("delimiter", format.delimiter).with("quote", format.quote)
    }
    self.type = type
    self.format = format
    self.options = options
    self.input = InflatingStream(input)
    window = RecordWindow(self.input, limit: options.maxRecordBytes)
    tree = InputTree(type)
    fields = CSVFieldParser(tree, format)
  }

  /// Bytes of the unpacked stream that were read as records so far.
  package var bytesRead: Int { window.offset }

  /// The next rows, `batchRows` of them unless the input ends; nil at the end.
  ///
  /// - Throws: kind `invalid`, naming line, column, field and what stands there, for a record that
  ///   is no row, unless such are skipped; always for a header that does not fit.
  package func next() throws(TerraceError) -> Batch? {
    if !isOpen {
      try open()
      isOpen = true
    }
    repeat {
      let from = window.offset
      tree.reserve(min(options.batchRows, 1 << 16))
      while rows - dropped.count < options.batchRows, rows < 4 * options.batchRows,
        window.offset - from < options.batchBytes
      {
        guard let extent = try recordExtent() else { break }
        if extent.length > 0 || fields.isSingle { try record(extent.length) }
        window.consume(extent.whole)
        line += extent.lines
      }
      let batch = tree.finish(type, rows: rows, dropped: dropped)
      rows = 0
      dropped = []
      if batch.count > 0 { return batch }
    } while !window.isAtEnd
    return nil
  }

  private func open() throws(TerraceError) {
    if !format.hasHeader { return try fields.useAll(type) }
    guard let extent = try recordExtent() else { return try fields.useAll(type) }
    let bytes = UnsafeRawBufferPointer(start: window.base, count: extent.length)
    let names: [String]
    do throws(RecordProblem) {
      names = try fields.texts(bytes)
    } catch { throw error.error(file: input.name, line: line, record: bytes, field: nil) }
    do throws(TerraceError) {
      try fields.use(names, type)
    } catch { throw error.with("file", input.name) }
    unknownColumns = names.filter { type.index(of: $0) == nil }
    window.consume(extent.whole)
    line += extent.lines
  }

  /// Where the next record ends: bytes without its line end, bytes before its line feed, lines.
  private typealias Extent = (length: Int, whole: Int, lines: Int)

  private func recordExtent() throws(TerraceError) -> Extent? {
    var from = 0
    var lines = 1
    // Quotes are looked at only where a line has any.
    var scan = CSVQuoteScan(format)
    while true {
      guard let end = window.lineLength(after: from) else {
        if window.count > window.limit {
          try passOversized()
          (from, lines, scan) = (0, 1, CSVQuoteScan(format))
          continue
        }
        let before = window.offset
        if try window.fill() {
          if window.offset != before { from = 0 }
          continue
        }
        if window.count == 0 { return nil }
        // The input ends inside quotes: the parser says so.
        return (window.count - 1, window.count - 1, lines)
      }
      let base = window.base
      if memchr(base + from, Int32(format.quote), end - from) != nil || scan.isInside {
        scan.advance(base, from, end)
        if scan.isInside {
          from = end + 1
          lines += 1
          continue
        }
      }
      let hasReturn = end > 0 && base[end - 1] == 0x0d
      return (hasReturn ? end - 1 : end, end, lines)
    }
  }

  private func passOversized() throws(TerraceError) {
    let bytes = UnsafeRawBufferPointer(start: window.base, count: min(window.count, 4096))
    try reject(RecordProblem(reason: .tooLong, at: window.base), bytes)
    while true {
      if let length = window.lineLength() {
        window.consume(length)
        break
      }
      window.consume(window.count)
      if try !window.fill() { break }
    }
    line += 1
  }

  private func record(_ length: Int) throws(TerraceError) {
    let start = window.base
    if length > window.limit {
      let bytes = UnsafeRawBufferPointer(start: start, count: 4096)
      return try reject(RecordProblem(reason: .tooLong, at: start), bytes)
    }
    do throws(RecordProblem) {
      try fields.parse(start, start + length)
      rows += 1
    } catch {
      tree.levelRow(tree.nodes, to: rows + 1)
      dropped.append(Int32(rows))
      rows += 1
      try reject(error, UnsafeRawBufferPointer(start: start, count: length))
    }
  }

  private func reject(
    _ problem: RecordProblem, _ bytes: UnsafeRawBufferPointer
  ) throws(TerraceError) {
    rejectedCount += 1
    let error = problem.error(
      file: input.name, line: line, record: bytes, field: tree.path(of: problem.node))
    guard case .skip(let take) = options.onReject else { throw error }
    take(RejectedRecord(line: line, offset: window.offset, bytes: bytes, error: error))
  }
}

/// Whether a line feed stands inside quotes; carried over the lines of a record.
struct CSVQuoteScan {
  private(set) var isInside = false
  private var startsField = true
  private let delimiter: UInt8
  private let quote: UInt8
  private let escape: UInt8?

  init(_ format: CSVOptions) {
    delimiter = format.delimiter
    quote = format.quote
    escape = format.escape == format.quote ? nil : format.escape
  }

  /// Looks at `from ..< end` of the record and at the line feed at `end`.
  mutating func advance(_ bytes: UnsafePointer<UInt8>, _ from: Int, _ end: Int) {
    var at = from
    while at < end {
      let byte = bytes[at]
      if isInside {
        if byte == escape {
          at += 1
        } else if byte == quote {
          // A doubled quote goes out and at once in again.
          if at + 1 < end, bytes[at + 1] == quote {
            at += 1
          } else {
            isInside = false
          }
        }
      } else if byte == quote && startsField {
        isInside = true
      } else if byte == escape {
        at += 1
      }
      startsField = byte == delimiter && !isInside
      at += 1
    }
    if !isInside { startsField = true }
  }
}
