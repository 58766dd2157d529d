package import Formats

/// How results are printed.
package enum PrintFormat: String, CaseIterable, Sendable {
  /// Aligned columns.
  case table
  /// RFC 4180 with a header, and a line feed at the end of a line as elsewhere on this system.
  case csv
  /// One object a row and line.
  case json
}

/// A short list of things with a few properties each: tables, snapshots, tags.
package struct Listing: Sendable {
  private let columns: [String]
  private var rows: [[JSONValue]] = []

  package init(_ columns: String...) { self.columns = columns }

  package var isEmpty: Bool { rows.isEmpty }

  /// As many cells as there are columns. Numbers stand at the right of an aligned table.
  package mutating func add(_ cells: JSONValue...) {
    precondition(cells.count == columns.count, "\(cells.count) cells in \(columns.count) columns")
    rows.append(cells)
  }

  package func text(
    _ format: PrintFormat, terminalWidth: Int? = nil, isStyled: Bool = false
  ) -> String {
    switch format {
    case .json:
      return rows.map { row in
        JSONValue.members(Array(zip(columns, row.map { $0 }))).text() + "\n"
      }.joined()
    case .csv:
      let lines = [columns] + rows.map { row in row.map { Listing.plain($0) ?? "" } }
      return lines.map { $0.map(Listing.quoted).joined(separator: ",") + "\n" }.joined()
    case .table:
      let headings = columns.indices.map { index in
        TextTable.Heading(
          columns[index], isRight: rows.contains { $0[index].isNumber })
      }
      var table = TextTable(headings, terminalWidth: terminalWidth, isStyled: isStyled)
      return table.lines(rows.map { row in row.map { Listing.plain($0) ?? "-" } })
    }
  }

  private static func plain(_ value: JSONValue) -> String? {
    switch value {
    case .null: nil
    case .string(let text): text
    default: value.text()
    }
  }

  private static func quoted(_ cell: String) -> String {
    let needsQuotes = cell.utf8.contains { $0 == 0x22 || $0 == 0x2c || $0 == 0x0a || $0 == 0x0d }
    return needsQuotes ? "\"" + cell.replacing("\"", with: "\"\"") + "\"" : cell
  }
}

extension JSONValue {
  fileprivate var isNumber: Bool {
    switch self {
    case .int, .number: true
    default: false
    }
  }

  package init(_ number: Int) { self = .int(Int64(number)) }
  package init(_ number: Int64?) { self = number.map { .int($0) } ?? .null }
  package init(_ text: String?) { self = text.map { .string($0) } ?? .null }
  /// A point in time, as `2026-11-20 12:30:00.000` in UTC.
  package init(millis: Int64?) {
    self = millis.map { .string(InstantText.text(millis: $0)) } ?? .null
  }
}
