package import Columns
package import Formats

/// Prints rows as they come, in bounded memory.
package final class RowPrinter {
  private let format: PrintFormat
  private let type: RowType
  private let sink: any ByteSink
  private let formats: [ValueFormat]
  private let jsonRows: JSONRows
  private let csvRows: CSVRows
  private let out = ByteWriter()
  private var table: TextTable
  private var hasHeader = false
  /// Rows of an aligned table that wait for their widths.
  private var waiting: [[String?]] = []
  private var waitingBytes = 0
  package private(set) var rowCount = 0

  private static let chunkBytes = 64 << 10
  private static let chunkRows = 512
  private static let tableRows = 1000
  private static let tableBytes = 1 << 20

  /// - Parameter isResult: JSON values are those of a query's answer.
  package init(
    _ format: PrintFormat, _ type: RowType, to sink: any ByteSink, terminalWidth: Int? = nil,
    isStyled: Bool = false, isResult: Bool = false
  ) {
    self.format = format
    self.type = type
    self.sink = sink
    formats = type.fields.map { ValueFormat($0.type) }
    jsonRows = JSONRows(type, isResult: isResult)
    csvRows = CSVRows(type)
    table = TextTable(
      type.fields.map { TextTable.Heading($0.name, isRight: $0.type.isNumeric) },
      terminalWidth: terminalWidth, isStyled: isStyled)
  }

  package func print(_ batch: Batch) throws(TerraceError) {
    rowCount += batch.count
    if format == .csv { appendHeader() }
    var from = 0
    while from < batch.count {
      let to = min(from + RowPrinter.chunkRows, batch.count)
      let chunk = batch.slice(from..<to)
      switch format {
      case .json: jsonRows.append(chunk, to: out)
      case .csv: csvRows.append(chunk, to: out)
      case .table: for row in 0..<chunk.count { appendCells(chunk, row) }
      }
      from = to
      let isFull =
        format == .table
        ? waiting.count >= RowPrinter.tableRows || waitingBytes >= RowPrinter.tableBytes
        : out.count >= RowPrinter.chunkBytes
      if isFull { try drain() }
    }
  }

  /// Prints what waits. Call it at the end, and whenever somebody is waiting for the rows.
  ///
  /// - Parameter isEnd: a header is printed even when there was no row.
  package func flush(isEnd: Bool = true) throws(TerraceError) {
    if format == .csv, isEnd { appendHeader() }
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

  /// The names of the columns, once.
  private func appendHeader() {
    if hasHeader { return }
    hasHeader = true
    csvRows.appendHeader(to: out)
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
