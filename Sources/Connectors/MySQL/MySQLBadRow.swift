import Columns
import Formats

/// A row that its columns cannot hold, until its batch is given.
struct MySQLBadRow {
  /// Among the rows in hand, the bad ones counted.
  var row: Int
  var kind: RowKind
  /// The column that is wrong, its value as text; without one the row is no letter: it was not read to its end.
  var column = 0
  var reason = ""
  var text: [UInt8]?
  var source: MySQLTableName?
  var place: MySQLPosition?

  /// The rows as dead letters: `{"table":"shop.orders","kind":"+I","row":{…}}`, with the place of their transaction
  /// in the log.
  static func letters(
    _ bad: [MySQLBadRow], _ columns: [(field: Field, column: Column)]
  ) throws(TerraceError) -> [DeadLetter] {
    let cells = columns.map { JSONCell($0.field.type, JSONCell.Style()) }
    let out = ByteWriter()
    var letters: [DeadLetter] = []
    for (number, found) in bad.enumerated() {
      guard let source = found.source else { continue }
      out.removeAll()
      out.append("{\"table\":")
      quote(source.text, to: out)
      out.append(",\"kind\":\"\(found.kind.text)\",\"row\":{")
      for (c, (field, column)) in columns.enumerated() {
        if c > 0 { out.append(",") }
        quote(field.name, to: out)
        out.append(":")
        if c == found.column, let text = found.text {
          let isText = String(validating: text, as: UTF8.self) != nil
          let shown = isText ? text : Array(("0x" + MySQLConnection.hex(text)).utf8)
          shown.withUnsafeBytes { JSONText.appendQuoted($0, to: out) }
        } else {
          try cells[c].append(column, found.row, to: out)
        }
      }
      out.append("}}")
      let place = found.place.map { " \($0.file):\($0.offset)" } ?? ""
      letters.append(
        DeadLetter(
          row: found.row - number, place: source.text + place, bytes: Array(out.bytes),
          reason: "\(found.reason), column \(columns[found.column].field.name)"))
    }
    return letters
  }

  private static func quote(_ text: String, to out: ByteWriter) {
    Array(text.utf8).withUnsafeBytes { JSONText.appendQuoted($0, to: out) }
  }
}
