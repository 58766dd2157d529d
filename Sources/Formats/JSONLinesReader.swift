package import Columns

/// JSON lines straight into columns: one object a line, its members matched by name.
///
/// - A member that no column has is passed over; a column without a member is null.
/// - Numbers and booleans may be quoted; DECIMAL is read from its digits, DATE, TIME and TIMESTAMP
///   from their SQL or ISO text, BINARY from `0x…`.
/// - MAP is an object or `[[key, value], …]`; MULTISET the same with counts.
/// - A STRING takes numbers, booleans, arrays and objects as they are written.
/// - Gzip and zstd are unpacked. A line feed at the end, CRLF, a byte order mark and blank lines do
///   no harm.
package final class JSONLinesReader {
  private let type: RowType
  private let options: RecordOptions
  private let input: any ByteStream
  @exclusivity(unchecked) private var window: RecordWindow
  private let tree: InputTree
  private let parser: JSONRecordParser
  /// Of the next record, from 1.
  @exclusivity(unchecked) private var line = 1
  @exclusivity(unchecked) private var rows = 0
  @exclusivity(unchecked) private var dropped: [Int32] = []
  @exclusivity(unchecked) private var searched = 0
  package private(set) var rejectedCount = 0

  package init(_ input: any ByteStream, type: RowType, options: RecordOptions = RecordOptions()) {
    self.type = type
    self.options = options
    self.input = InflatingStream(input)
    window = RecordWindow(self.input, limit: options.maxRecordBytes)
    tree = InputTree(type)
    parser = JSONRecordParser(tree)
  }

  /// Bytes of the unpacked stream that were read as records so far.
  package var bytesRead: Int { window.offset }

  /// The next rows, `batchRows` of them unless the input ends; nil at the end.
  ///
  /// - Throws: kind `invalid`, naming line, column, field and what stands there, for a record that
  ///   is no row, unless such are skipped.
  package func next() throws(TerraceError) -> Batch? {
    repeat {
      let from = window.offset
      // Dropped rows take room too, so there may not be many times the batch of them.
      tree.reserve(min(options.batchRows, 1 << 16))
      while rows - dropped.count < options.batchRows, rows < 4 * options.batchRows,
        window.offset - from < options.batchBytes
      {
        guard let length = try lineLength() else { break }
        let start = window.base
        if length > 0, !isBlank(start, length) { try record(start, length) }
        window.consume(length)
        line += 1
      }
      let batch = tree.finish(type, rows: rows, dropped: dropped)
      rows = 0
      dropped = []
      if batch.count > 0 { return batch }
    } while !window.isAtEnd
    return nil
  }

  private func isBlank(_ start: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    if start[0] == UInt8(ascii: "{") { return false }
    for i in 0..<length where start[i] != 0x20 && start[i] != 0x09 && start[i] != 0x0d {
      return false
    }
    return true
  }

  /// Bytes before the next line feed, read as far as needed; nil at the end of the input.
  private func lineLength() throws(TerraceError) -> Int? {
    while true {
      if let length = window.lineLength(after: searched) {
        searched = 0
        return length
      }
      searched = window.count
      if window.count > window.limit { try passOversized() }
      let before = window.offset
      if try !window.fill() { return nil }
      // A byte order mark was cut off.
      if window.offset != before { searched = 0 }
    }
  }

  /// Rejects a record over the limit and passes over the rest of its line.
  private func passOversized() throws(TerraceError) {
    let head = min(window.count, 4096)
    let bytes = UnsafeRawBufferPointer(start: window.base, count: head)
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
    searched = 0
  }

  private func record(_ start: UnsafePointer<UInt8>, _ length: Int) throws(TerraceError) {
    if length > window.limit {
      let bytes = UnsafeRawBufferPointer(start: start, count: 4096)
      return try reject(RecordProblem(reason: .tooLong, at: start), bytes)
    }
    do throws(RecordProblem) {
      try parser.parse(start, start + length, row: rows)
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
