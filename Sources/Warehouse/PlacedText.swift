package import Columns

/// A text that somebody wrote, and where it stands: a WHERE condition, a list of columns.
///
/// Errors about it carry the facts `source`, `text`, `line`, `column` and `length`, from which the
/// command prints the line with a caret under the place.
package struct PlacedText: Sendable {
  /// What to call it: `--where`, `schema.json`.
  package let name: String
  package let text: String

  package init(_ name: String, _ text: String) {
    self.name = name
    self.text = text
  }

  /// An error about `length` characters from `offset` on, both counted in Unicode scalars.
  package func error(
    _ message: String, at offset: Int, length: Int = 1, hint: String = "",
    kind: TerraceError.Kind = .invalid
  ) -> TerraceError {
    var line = 1
    var column = 1
    var lineText = String.UnicodeScalarView()
    for (index, scalar) in text.unicodeScalars.enumerated() {
      if scalar == "\n" {
        if index >= offset { break }
        line += 1
        column = 1
        lineText = String.UnicodeScalarView()
      } else {
        if index < offset { column += 1 }
        lineText.append(scalar)
      }
    }
    return TerraceError(kind, message, hint: hint)
      .with("source", name).with("line", line).with("column", column)
      .with("text", String(lineText)).with("length", max(length, 1))
  }
}

extension TerraceError {
  package func fact(_ name: String) -> String? { facts.last { $0.name == name }?.value }
}
