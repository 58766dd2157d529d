import Columns
import Warehouse

/// The rows that a command is asked to print, from its flags to its output.
final class ReadRequest {
  private(set) var query: RowQuery
  /// What is printed: the selected columns, and the leading one.
  let printedType: RowType
  private let printer: RowPrinter
  private let console: Console
  private let format: PrintFormat

  /// - Parameters:
  ///   - type: what can be selected.
  ///   - owner: what has these columns, for errors.
  ///   - limit: rows printed when no limit is given; 0 for all.
  ///   - leading: a column that is printed before the others, and cannot be selected.
  init(
    _ arguments: Arguments, type: RowType, owner: String, console: Console, limit: Int,
    leading: Field? = nil
  ) throws(TerraceError) {
    format = arguments.printFormat
    query = try RowQuery(
      type, owner: owner, select: arguments.text("--select"),
      condition: arguments.text("--where"), limit: try arguments.integer("--limit") ?? limit)
    printedType = RowType((leading.map { [$0] } ?? []) + query.outputType.fields)
    printer = RowPrinter(
      format, printedType, to: console.output, terminalWidth: console.width,
      isStyled: console.styledOutput)
    self.console = console
  }

  var wantsMore: Bool { query.wantsMore }

  /// Rows of the whole type, the condition not yet asked.
  func print(whole batch: Batch) throws(TerraceError) {
    try print(scanned: batch.project(query.scanColumns))
  }

  /// Rows of the scan columns, the condition not yet asked.
  func print(scanned batch: Batch) throws(TerraceError) {
    try printer.print(query.filter(batch))
  }

  /// Rows to print.
  func print(_ batch: Batch) throws(TerraceError) { try printer.print(query.take(batch)) }

  /// Shows what was printed so far to somebody who waits.
  func flush() throws(TerraceError) {
    try printer.flush(isEnd: false)
    try console.output.flush()
  }

  func finish() throws(TerraceError) {
    try printer.flush()
    guard query.isCut else { return }
    try console.output.flush()
    if format == .table {
      console.note("-- the first \(query.limit) rows; there are more (-l 0 prints all)")
    }
  }
}
