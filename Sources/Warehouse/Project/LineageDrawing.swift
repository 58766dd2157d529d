/// Lineage as a picture: a column a layer, from left to right, and a curve for each read.
struct LineageDrawing {
  /// Columns of names, left to right; each column under its heading.
  let columns: [(heading: String, names: [String])]
  let edges: [(from: String, to: String)]

  private let width = 190
  private let gap = 90
  private let height = 34
  private let step = 52
  private let top = 56

  private func place(_ name: String) -> (x: Int, y: Int)? {
    for (c, column) in columns.enumerated() {
      if let row = column.names.firstIndex(of: name) {
        return (20 + c * (width + gap), top + row * step)
      }
    }
    return nil
  }

  var svg: String {
    let rows = columns.map(\.names.count).max() ?? 0
    let size = (w: 40 + columns.count * (width + gap) - gap, h: top + rows * step + 10)
    var text = """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(size.w)" height="\(size.h)" \
      viewBox="0 0 \(size.w) \(size.h)" font-family="sans-serif" font-size="13">

      """
    for edge in edges {
      guard let a = place(edge.from), let b = place(edge.to) else { continue }
      let (x, y, u, v) = (a.x + width, a.y + height / 2, b.x, b.y + height / 2)
      let bend = max(40, abs(u - x) / 2)
      text += """
          <path d="M \(x) \(y) C \(x + bend) \(y), \(u - bend) \(v), \(u) \(v)" \
        fill="none" stroke="#888"/>

        """
    }
    for (c, column) in columns.enumerated() {
      let x = 20 + c * (width + gap)
      text += "  <text x=\"\(x)\" y=\"32\" font-weight=\"bold\">\(escaped(column.heading))</text>\n"
      for (r, name) in column.names.enumerated() {
        let y = top + r * step
        text += """
            <rect x="\(x)" y="\(y)" width="\(width)" height="\(height)" rx="5" fill="#eef3fa" \
          stroke="#5577aa"/>
            <text x="\(x + width / 2)" y="\(y + 22)" text-anchor="middle">\(escaped(name))</text>

          """
      }
    }
    return text + "</svg>\n"
  }

  private func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}
