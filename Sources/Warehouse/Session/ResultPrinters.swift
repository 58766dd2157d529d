package import Columns
package import Formats

/// Results of a script as JSON: one line a result, `{"columns":[…],"rows":[[…],…]}`.
///
/// A result is held until it is whole, so that a failing query leaves no broken line, but for results over
/// 64 MiB.
package final class JSONResultPrinter: ResultOutput {
  private let sink: any ByteSink
  private let report: (String) -> Void
  private let out = ByteWriter()
  private var formats: [ValueFormat] = []
  private var hasRow = false
  private static let heldBytes = 64 << 20

  /// - Parameter report: takes warnings, which are no part of the result.
  package init(to sink: any ByteSink, report: @escaping (String) -> Void) {
    self.sink = sink
    self.report = report
  }

  package func begin(_ type: RowType) throws(TerraceError) {
    formats = type.fields.map { ValueFormat($0.type) }
    hasRow = false
    out.removeAll()
    out.append("{\"columns\":[" as StaticString)
    for (index, field) in type.fields.enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      var name = field.name
      name.withUTF8 { JSONText.appendQuoted(UnsafeRawBufferPointer($0), to: out) }
    }
    out.append("],\"rows\":[" as StaticString)
  }

  package func rows(_ batch: Batch) throws(TerraceError) {
    for row in 0..<batch.count {
      out.append((hasRow ? ",[" : "[") as StaticString)
      hasRow = true
      for (index, format) in formats.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        format.appendResultJSON(batch.columns[index], row, to: out)
      }
      out.append(UInt8(ascii: "]"))
    }
    if out.count > JSONResultPrinter.heldBytes { try drain() }
  }

  package func end() throws(TerraceError) {
    out.append("]}\n" as StaticString)
    try drain()
  }

  private func drain() throws(TerraceError) {
    try sink.write(out.bytes)
    out.removeAll()
  }

  package func done(_ text: String) throws(TerraceError) {}
  package func warn(_ text: String) { report("warning: " + text) }
}

/// Results for people: aligned tables with their row counts, or CSV; or one JSON object a row and line.
package final class RowResultPrinter: ResultOutput {
  private let format: PrintFormat
  private let sink: any ByteSink
  private let terminalWidth: Int?
  private let isStyled: Bool
  private let report: (String) -> Void
  /// Says what statements without rows did.
  private let saysDone: Bool
  private var printer: RowPrinter?
  private var hasResult = false

  /// - Parameter report: takes row counts and warnings.
  package init(
    _ format: PrintFormat, to sink: any ByteSink, terminalWidth: Int?, isStyled: Bool,
    saysDone: Bool, report: @escaping (String) -> Void
  ) {
    self.format = format
    self.sink = sink
    self.terminalWidth = terminalWidth
    self.isStyled = isStyled
    self.saysDone = saysDone
    self.report = report
  }

  package func begin(_ type: RowType) throws(TerraceError) {
    if hasResult, format != .json {
      let blank = ByteWriter()
      blank.append(0x0a)
      try sink.write(blank.bytes)
    }
    hasResult = true
    printer = RowPrinter(
      format, type, to: sink, terminalWidth: terminalWidth, isStyled: isStyled, isResult: true)
  }

  package func rows(_ batch: Batch) throws(TerraceError) { try printer?.print(batch) }

  /// People get the lines themselves.
  package func text(_ column: String, _ text: String) throws(TerraceError) {
    guard format == .table else { return try show([column], [[text]]) }
    let lines = ByteWriter()
    if hasResult { lines.append(0x0a) }
    hasResult = true
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      lines.append(DisplayText.oneLine(String(line)) + "\n")
    }
    try sink.write(lines.bytes)
  }

  package func end() throws(TerraceError) {
    try printer?.flush()
    if format == .table, let count = printer?.rowCount {
      report("-- \(DisplayText.count(count, "row"))")
    }
    printer = nil
  }

  package func done(_ text: String) throws(TerraceError) { if saysDone { report("-- " + text) } }
  package func warn(_ text: String) { report("warning: " + text) }
}
