package import Columns
package import Formats

/// Prints rows as they come, in bounded memory.
package final class RowPrinter {
  private let format: PrintFormat
  private let type: RowType
  private let sink: any ByteSink
  private let formats: [ValueFormat]
  /// Of JSON members, quoted and with the colon.
  private let names: [[UInt8]]
  private let out = ByteWriter()
  private var table: TextTable
  private var hasHeader = false
  /// Rows of an aligned table that wait for their widths.
  private var waiting: [[String?]] = []
  private var waitingBytes = 0
  package private(set) var rowCount = 0

  private static let chunkBytes = 64 << 10
  private static let tableRows = 1000
  private static let tableBytes = 1 << 20

  package init(
    _ format: PrintFormat, _ type: RowType, to sink: any ByteSink, terminalWidth: Int? = nil,
    isStyled: Bool = false
  ) {
    self.format = format
    self.type = type
    self.sink = sink
    formats = type.fields.map { ValueFormat($0.type) }
    names = type.fields.map { ValueFormat.jsonName($0.name) }
    table = TextTable(
      type.fields.map { TextTable.Heading($0.name, isRight: $0.type.isNumeric) },
      terminalWidth: terminalWidth, isStyled: isStyled)
  }

  package func print(_ batch: Batch) throws(TerraceError) {
    for row in 0..<batch.count {
      switch format {
      case .json: appendJSON(batch, row)
      case .csv: appendCSV(batch, row)
      case .table: appendCells(batch, row)
      }
      if out.count >= RowPrinter.chunkBytes { try drain() }
      if waiting.count >= RowPrinter.tableRows || waitingBytes >= RowPrinter.tableBytes {
        try drain()
      }
    }
    rowCount += batch.count
  }

  /// Prints what waits. Call it at the end, and whenever somebody is waiting for the rows.
  ///
  /// - Parameter isEnd: a header is printed even when there was no row.
  package func flush(isEnd: Bool = true) throws(TerraceError) {
    if format == .csv, isEnd { appendCSVHeader() }
    if format == .table, isEnd, !hasHeader, waiting.isEmpty {
      out.append(table.lines([]))
      hasHeader = true
    }
    try drain()
  }

  private func drain() throws(TerraceError) {
    if !waiting.isEmpty {
      hasHeader = true
      out.append(table.lines(waiting))
      waiting.removeAll(keepingCapacity: true)
      waitingBytes = 0
    }
    try sink.write(out.bytes)
    out.removeAll()
  }

  private func appendJSON(_ batch: Batch, _ row: Int) {
    out.append(UInt8(ascii: "{"))
    for (index, column) in batch.columns.enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      names[index].withUnsafeBytes { out.append($0) }
      formats[index].appendJSON(column, row, to: out)
    }
    out.append("}\n" as StaticString)
  }

  private func appendCSVHeader() {
    if hasHeader { return }
    hasHeader = true
    for (index, field) in type.fields.enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      let start = out.count
      out.append(field.name)
      quote(from: start)
    }
    out.append("\r\n" as StaticString)
  }

  /// NULL is an empty field, and an empty text is `""`.
  private func appendCSV(_ batch: Batch, _ row: Int) {
    appendCSVHeader()
    for (index, column) in batch.columns.enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      if column.isNull(row) { continue }
      let start = out.count
      formats[index].append(column, row, to: out)
      quote(from: start)
    }
    out.append("\r\n" as StaticString)
  }

  /// Puts quotes around the field that begins at `start`, when it needs them (RFC 4180).
  private func quote(from start: Int) {
    let field = UnsafeRawBufferPointer(rebasing: out.bytes[start...])
    let needs =
      field.isEmpty
      || field.contains {
        $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: ",") || $0 == 0x0a || $0 == 0x0d
      }
    guard needs else { return }
    let copy = Array(field)
    out.truncate(to: start)
    out.append(UInt8(ascii: "\""))
    for byte in copy {
      if byte == UInt8(ascii: "\"") { out.append(byte) }
      out.append(byte)
    }
    out.append(UInt8(ascii: "\""))
  }

  private func appendCells(_ batch: Batch, _ row: Int) {
    let cells = batch.columns.indices.map { index -> String? in
      let column = batch.columns[index]
      if column.isNull(row) { return nil }
      out.removeAll()
      formats[index].append(column, row, to: out)
      waitingBytes += out.count
      return out.text
    }
    out.removeAll()
    waiting.append(cells)
  }
}

extension DataType {
  /// Numbers stand at the right of a column.
  fileprivate var isNumeric: Bool {
    switch kind {
    case .tinyint, .smallint, .int, .bigint, .float, .double, .decimal: true
    default: false
    }
  }
}
