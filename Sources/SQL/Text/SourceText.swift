package import Columns

/// A piece of a source text: UTF-8 byte offsets, the end not included.
package struct SourceSpan: Hashable, Sendable {
  package var start: Int32
  package var end: Int32

  package init(_ start: Int, _ end: Int) {
    self.start = Int32(truncatingIfNeeded: start)
    self.end = Int32(truncatingIfNeeded: end)
  }

  /// From the start of this span to the end of the other.
  package func to(_ other: SourceSpan) -> SourceSpan {
    SourceSpan(Int(start), Int(max(end, other.end)))
  }
}

/// SQL text with the name of its file, from which positions and error messages are told.
///
/// Errors about a text carry their place as the facts `line`, `column` (1-based, in code points) and
/// `length` (code points); ``describe(_:)`` turns such an error into what a user reads.
package struct SourceText: Sendable {
  package let name: String
  package let bytes: [UInt8]

  /// Where the first bytes lie that are no UTF-8; nil when all of the text is.
  package var firstOtherThanUTF8: Int? {
    if String(validating: bytes, as: UTF8.self) != nil { return nil }
    var rest = bytes.makeIterator()
    var parser = Unicode.UTF8.ForwardParser()
    var offset = 0
    while true {
      switch parser.parseScalar(from: &rest) {
      case .valid(let scalar): offset += scalar.count
      case .emptyInput: return nil
      case .error: return offset
      }
    }
  }

  /// Longer texts are refused before anything is read of them.
  package static let byteCountMax = 16 << 20

  package init(_ text: String, name: String = "query") {
    self.name = name
    self.bytes = Array(text.utf8)
  }

  package init(bytes: [UInt8], name: String) {
    self.name = name
    self.bytes = bytes
  }

  package func text(_ span: SourceSpan) -> String {
    let start = min(max(0, Int(span.start)), bytes.count)
    let end = min(max(start, Int(span.end)), bytes.count)
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  /// Line and column of a byte offset, from 1; the column counts code points.
  package func position(_ offset: Int) -> (line: Int, column: Int) {
    var line = 1
    var column = 1
    for byte in bytes[..<min(max(0, offset), bytes.count)] {
      if byte == 0x0a {
        line += 1
        column = 1
      } else if byte & 0xc0 != 0x80 {
        column += 1
      }
    }
    return (line, column)
  }

  /// An error about a place in this text.
  package func error(
    _ message: String, at span: SourceSpan, hint: String = "", kind: TerraceError.Kind = .invalid
  ) -> TerraceError {
    let (line, column) = position(Int(span.start))
    let length = text(span).unicodeScalars.count
    return TerraceError(kind, message, hint: hint)
      .with("line", line).with("column", column).with("length", max(1, length))
  }

  /// An error of another part at a place in this text, its facts kept; one that has a place stays as it is.
  package func placed(_ error: TerraceError, at span: SourceSpan) -> TerraceError {
    if error.facts.contains(where: { $0.name == "line" }) { return error }
    var out = self.error(error.message, at: span, hint: error.hint, kind: error.kind)
    for (name, value) in error.facts {
      // `file` and `column` are where the place is; here it is another file, or a column of a table.
      let bare = value.filter { $0 != "'" }
      if name == "column", error.message.contains("'\(bare)'") { continue }
      out = out.with(name == "file" ? "in" : name == "column" ? "field" : name, value)
    }
    return out
  }

  package func unsupported(_ what: String, at span: SourceSpan, hint: String = "") -> TerraceError {
    error(what, at: span, hint: hint, kind: .unsupported)
  }

  /// An error with a line of this text, with what is needed to show it: the facts `source` and `text`.
  /// One that has them already stays as it is.
  package func named(_ error: TerraceError) -> TerraceError {
    if error.facts.contains(where: { $0.name == "source" || $0.name == "file" }) { return error }
    guard let line = error.facts.last(where: { $0.name == "line" }).flatMap({ Int($0.value) })
    else { return error }
    let start = offset(ofLine: line) ?? bytes.count
    let end = bytes[start...].firstIndex(of: 0x0a) ?? bytes.count
    var shown = text(SourceSpan(start, end))
    if shown.hasSuffix("\r") { shown.removeLast() }
    return error.with("source", name).with("text", shown)
  }

  /// What a user reads: `file:line:column: what is wrong`, the line, a caret, and a hint.
  ///
  /// An error without a place is told without one.
  package func describe(_ error: TerraceError) -> String {
    let facts = Dictionary(error.facts.map { ($0.name, $0.value) }) { first, _ in first }
    let what = error.kind == .unsupported ? "not supported: \(error.message)" : error.message
    let hint = error.hint.isEmpty ? "" : "\nhint: \(error.hint)"
    guard let line = facts["line"].flatMap(Int.init), let column = facts["column"].flatMap(Int.init)
    else { return "\(name): \(what)\(hint)" }
    let length = facts["length"].flatMap(Int.init) ?? 1
    var out = "\(name):\(line):\(column): \(what)"
    if let shown = excerpt(line: line, column: column, length: length) { out += "\n" + shown }
    return out + hint
  }

  /// The line and a second line of carets below the place. Long lines are cut around it.
  private func excerpt(line: Int, column: Int, length: Int) -> String? {
    guard let start = offset(ofLine: line) else { return nil }
    let end = bytes[start...].firstIndex(of: 0x0a) ?? bytes.count
    var scalars = Array(String(decoding: bytes[start..<end], as: UTF8.self).unicodeScalars)
    while scalars.last == "\r" { scalars.removeLast() }
    let widthMax = 160
    var first = 0
    if scalars.count > widthMax, column > widthMax / 2 { first = column - widthMax / 2 }
    let last = min(scalars.count, first + widthMax)
    guard first <= last else { return nil }
    var shown = "  "
    var carets = "  "
    for (i, scalar) in scalars[first..<last].enumerated() {
      let visible = scalar.value < 0x20 && scalar != "\t" ? " " : scalar
      shown.unicodeScalars.append(visible)
      if first + i + 1 < column { carets.append(scalar == "\t" ? "\t" : " ") }
    }
    let room = max(1, last - (column - 1))
    return shown + "\n" + carets + String(repeating: "^", count: max(1, min(length, room)))
  }

  private func offset(ofLine line: Int) -> Int? {
    if line <= 1 { return 0 }
    var current = 1
    for (i, byte) in bytes.enumerated() where byte == 0x0a {
      current += 1
      if current == line { return i + 1 }
    }
    return nil
  }
}
