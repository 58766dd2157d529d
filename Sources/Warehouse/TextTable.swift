/// Rows of text in aligned columns, two spaces apart, under a header.
///
/// Rows come in pieces. The widths are those of the first piece, and a later piece with wider cells
/// widens them from there on, so that memory stays bounded however many rows there are.
package struct TextTable {
  package struct Heading: Sendable {
    package let name: String
    /// Numbers stand at the right.
    package let isRight: Bool

    package init(_ name: String, isRight: Bool = false) {
      self.name = name
      self.isRight = isRight
    }
  }

  private let headings: [Heading]
  private let isStyled: Bool
  /// Columns a cell may take; nil for no limit.
  private let cellLimit: Int?
  private var widths: [Int]
  private var hasHeader = false

  /// - Parameters:
  ///   - terminalWidth: columns of the terminal; nil when the text does not go to one. Cells are cut
  ///     for a terminal only.
  ///   - isStyled: whether NULL and the header are set off by terminal styles.
  package init(_ headings: [Heading], terminalWidth: Int? = nil, isStyled: Bool = false) {
    self.headings = headings.map { Heading(DisplayText.oneLine($0.name), isRight: $0.isRight) }
    self.isStyled = isStyled
    widths = self.headings.map { DisplayText.width($0.name) }
    let share = max(1, min(headings.count, 4))
    cellLimit = terminalWidth.map { max(16, ($0 - 2 * (headings.count - 1)) / share) }
  }

  /// The lines of some rows, preceded by the header the first time.
  ///
  /// - Parameter rows: as many cells each as there are headings; nil is NULL.
  package mutating func lines(_ rows: [[String?]]) -> String {
    let cells = rows.map { row in row.map { $0.map(shown) } }
    for row in cells {
      for (index, cell) in row.enumerated() {
        widths[index] = max(widths[index], cell.map(DisplayText.width) ?? 4)
      }
    }
    var text = ""
    if !hasHeader {
      hasHeader = true
      text += line(headings.map { .some($0.name) }, isHeader: true)
      text += line(widths.map { .some(String(repeating: "-", count: $0)) }, isHeader: false)
    }
    for row in cells { text += line(row, isHeader: false) }
    return text
  }

  private func shown(_ cell: String) -> String {
    let text = DisplayText.oneLine(cell)
    return cellLimit.map { DisplayText.cut(text, to: $0) } ?? text
  }

  private func line(_ cells: [String?], isHeader: Bool) -> String {
    var text = ""
    for (index, cell) in cells.enumerated() {
      let shown = cell ?? "NULL"
      let gap = String(repeating: " ", count: max(0, widths[index] - DisplayText.width(shown)))
      let isLast = index == cells.count - 1
      let styled: String
      if isStyled, isHeader {
        styled = "\u{1b}[1m\(shown)\u{1b}[0m"
      } else if isStyled, cell == nil {
        styled = "\u{1b}[2m\(shown)\u{1b}[0m"
      } else {
        styled = shown
      }
      if headings[index].isRight {
        text += gap + styled
      } else {
        text += styled + (isLast ? "" : gap)
      }
      if !isLast { text += "  " }
    }
    return text + "\n"
  }
}
