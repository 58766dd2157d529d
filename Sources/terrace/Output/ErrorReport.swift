import Columns
import Formats
import Warehouse

/// What a user sees of an error, and with which exit code the process ends.
///
///     terrace: not found: table ods.ordres (warehouse=warehouse)
///       hint: did you mean orders?
///
///     orders.csv:12:7: not a whole number (value=abc)
///
///     --where:1:1: ods.orders has no column amout
///       amout > 5
///       ^^^^^
///       hint: did you mean amount?
enum ErrorReport {
  /// For programs: kind, message, place and the other facts.
  static func json(_ error: TerraceError) -> JSONValue {
    let places: Set = ["source", "text", "line", "column", "length"]
    let facts = error.facts.filter { !places.contains($0.name) && !$0.value.isEmpty }
    func number(_ name: String) -> JSONValue? {
      error.fact(name).flatMap { Int64($0) }.map { .int($0) }
    }
    return .members([
      ("kind", .string(error.kind.rawValue)), ("message", .string(error.message)),
      ("file", (error.fact("source") ?? error.fact("file")).map { .string($0) }),
      ("line", number("line")), ("column", number("column")), ("length", number("length")),
      ("hint", error.hint.isEmpty ? nil : .string(error.hint)),
      (
        "facts",
        .object(facts.map { JSONValue.Member($0.name, .string($0.value)) })
      ),
    ])
  }

  /// 2 for what the user asked for wrongly, 4 for what another process holds, 1 for the rest.
  static func exitCode(_ error: TerraceError) -> Int32 {
    switch error.kind {
    case .invalid: isAboutData(error) ? 1 : 2
    case .held: 4
    default: 1
    }
  }

  /// A record of a data file or a value that a query met is at fault, not the command line.
  private static func isAboutData(_ error: TerraceError) -> Bool {
    if error.fact("stage") == "run" { return true }
    return error.fact("file") != nil && (error.fact("line") != nil || error.fact("record") != nil)
  }

  static func text(_ error: TerraceError, isStyled: Bool) -> String {
    var text = ""
    let place = place(error)
    if let place {
      text += bold("\(place): ", isStyled)
      text += error.kind == .unsupported ? "\(error.kind.rawValue): " : ""
      text += DisplayText.oneLine(error.message)
    } else {
      text += bold("terrace: ", isStyled)
      text += saysItself(error) ? "" : "\(error.kind.rawValue): "
      text += DisplayText.oneLine(error.message)
    }
    let placeFacts: Set = ["source", "text", "line", "column", "length", "file", "record", "stage"]
    let facts = error.facts.filter {
      !$0.value.isEmpty && (place == nil || !placeFacts.contains($0.name))
    }
    if !facts.isEmpty {
      let shown = facts.map { "\($0.name)=\(DisplayText.oneLine($0.value))" }
      text += " (" + shown.joined(separator: " ") + ")"
    }
    text += "\n"
    if place != nil { text += caret(error) }
    if !error.hint.isEmpty { text += "  hint: \(DisplayText.oneLine(error.hint))\n" }
    return text
  }

  /// “not found: no such file” says it twice.
  private static func saysItself(_ error: TerraceError) -> Bool {
    let message = error.message.lowercased()
    return error.kind == .invalid
      || error.kind == .notFound
        && (message.hasPrefix("no such") || message.hasPrefix("there is no"))
  }

  /// `file:line:column`, when the error says where it is.
  private static func place(_ error: TerraceError) -> String? {
    guard let name = error.fact("source") ?? error.fact("file") else { return nil }
    if let record = error.fact("record") { return DisplayText.oneLine(name) + ": record \(record)" }
    guard let line = error.fact("line") else { return nil }
    let column = error.fact("column").flatMap { Int($0) }
    return DisplayText.oneLine(name) + ":\(line)" + (column.map { ":\($0)" } ?? "")
  }

  private static func caret(_ error: TerraceError) -> String {
    guard let line = error.fact("text"), let column = error.fact("column").flatMap({ Int($0) })
    else { return "" }
    let scalars = Array(line.unicodeScalars)
    let start = min(max(column - 1, 0), scalars.count)
    let length = error.fact("length").flatMap { Int($0) } ?? 1
    let end = min(start + max(length, 1), scalars.count)
    // A long line is shown around the place only.
    let from = max(0, start - 60)
    let to = min(scalars.count, max(end, start + 60))
    func part(_ range: Range<Int>) -> String {
      var view = String.UnicodeScalarView()
      view.append(contentsOf: scalars[range])
      return DisplayText.oneLine(String(view))
    }
    let lead = (from > 0 ? "…" : "") + part(from..<start)
    let marks = max(1, DisplayText.width(part(start..<end)))
    return "  " + (from > 0 ? "…" : "") + part(from..<to) + (to < scalars.count ? "…" : "") + "\n"
      + "  " + String(repeating: " ", count: DisplayText.width(lead))
      + String(repeating: "^", count: marks) + "\n"
  }

  private static func bold(_ text: String, _ isStyled: Bool) -> String {
    isStyled ? "\u{1b}[1m\(text)\u{1b}[0m" : text
  }
}
