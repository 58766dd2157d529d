package import Columns

/// Columns as text: `id BIGINT NOT NULL, name STRING COMMENT 'as printed', PRIMARY KEY (id)`.
package struct ColumnListText {
  package private(set) var fields: [Field] = []
  /// Of a `PRIMARY KEY (…)` among the columns; empty when there is none.
  package private(set) var primaryKeys: [String] = []

  private let source: PlacedText
  private let scalars: [Unicode.Scalar]
  private var at = 0

  /// - Throws: kind `invalid`, pointing into the text.
  package init(_ text: String, source name: String = "--columns") throws(TerraceError) {
    source = PlacedText(name, text)
    scalars = Array(text.unicodeScalars)
    while true {
      skipSpace()
      if at == scalars.count {
        throw source.error(
          fields.isEmpty ? "no column is named" : "a column is expected after the comma",
          at: at, hint: "for example “id BIGINT NOT NULL, name STRING”")
      }
      try element()
      skipSpace()
      if at == scalars.count { break }
      guard scalars[at] == "," else { throw source.error("a comma is expected", at: at) }
      at += 1
    }
  }

  /// One column, as `table alter add-column` takes it apart already.
  private mutating func element() throws(TerraceError) {
    let start = at
    let name = try self.name()
    if name.uppercased() == "PRIMARY", scalars[start] != "`" {
      let mark = at
      skipSpace()
      if word().uppercased() == "KEY" {
        try primaryKey(at: start)
        return
      }
      at = mark
    }
    if fields.contains(where: { $0.name == name }) {
      throw source.error("the column \(name) is named twice", at: start, length: at - start)
    }
    skipSpace()
    let typeStart = at
    let (typeText, comment) = try typeAndComment()
    let type: DataType
    do {
      type = try DataType(text: typeText)
    } catch {
      let what =
        typeText.isEmpty ? "the type of \(name) is missing" : "\(error.message): \(typeText)"
      throw source.error(
        what, at: typeText.isEmpty ? start : typeStart,
        length: max(1, typeText.isEmpty ? at - start : typeText.unicodeScalars.count),
        hint: ColumnListText.typeHint(typeText), kind: error.kind)
    }
    fields.append(Field(id: fields.count, name: name, type: type, comment: comment))
  }

  /// The known type nearest to a misspelt one.
  package static func typeHint(_ text: String) -> String {
    let names = [
      "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "STRING",
      "VARCHAR", "CHAR", "BYTES", "BINARY", "VARBINARY", "DATE", "TIME", "TIMESTAMP",
      "TIMESTAMP_LTZ", "ARRAY", "MAP", "MULTISET", "ROW",
    ]
    let word = String(text.prefix { $0.isLetter || $0 == "_" || $0.isNumber }).uppercased()
    if names.contains(word) { return "" }
    let others = [
      "TEXT": "STRING", "LONG": "BIGINT", "SHORT": "SMALLINT", "BYTE": "TINYINT", "BLOB": "BYTES",
      "DATETIME": "TIMESTAMP", "REAL": "FLOAT", "INT64": "BIGINT", "INT32": "INT", "UUID": "STRING",
      "JSON": "STRING", "FLOAT64": "DOUBLE", "STRUCT": "ROW", "LIST": "ARRAY", "BOOL": "BOOLEAN",
    ]
    if let same = others[word] { return "did you mean \(same)?" }
    return NearestName.hint(word, among: names, else: "types are ")
  }

  private mutating func primaryKey(at start: Int) throws(TerraceError) {
    skipSpace()
    guard at < scalars.count, scalars[at] == "(" else {
      throw source.error("PRIMARY KEY takes columns in parentheses", at: start, length: at - start)
    }
    repeat {
      at += 1
      skipSpace()
      primaryKeys.append(try name())
      skipSpace()
    } while at < scalars.count && scalars[at] == ","
    guard at < scalars.count, scalars[at] == ")" else {
      throw source.error("a closing parenthesis is expected", at: at)
    }
    at += 1
    let mark = at
    skipSpace()
    if word().uppercased() == "NOT" {
      skipSpace()
      if word().uppercased() == "ENFORCED" { return }
    }
    at = mark
  }

  private mutating func skipSpace() {
    while at < scalars.count, scalars[at].properties.isWhitespace { at += 1 }
  }

  private mutating func word() -> String {
    var text = String.UnicodeScalarView()
    while at < scalars.count, Self.isNamePart(scalars[at]) {
      text.append(scalars[at])
      at += 1
    }
    return String(text)
  }

  private static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "_" || scalar == "$" || scalar.properties.isAlphabetic
      || scalar.properties.numericType != nil
  }

  private mutating func name() throws(TerraceError) -> String {
    guard at < scalars.count else { throw source.error("a name is expected", at: at) }
    if scalars[at] == "`" || scalars[at] == "\"" { return try quoted(scalars[at]) }
    let name = word()
    if name.isEmpty {
      throw source.error("a column name is expected, not “\(scalars[at])”", at: at)
    }
    return name
  }

  private mutating func quoted(_ mark: Unicode.Scalar) throws(TerraceError) -> String {
    let start = at
    at += 1
    var text = String.UnicodeScalarView()
    while at < scalars.count {
      let scalar = scalars[at]
      at += 1
      if scalar != mark {
        text.append(scalar)
      } else if at < scalars.count, scalars[at] == mark {
        text.append(mark)
        at += 1
      } else {
        return String(text)
      }
    }
    throw source.error("a closing \(mark) is missing", at: start)
  }

  /// Everything up to the comma that ends the column, brackets and quotes respected.
  private mutating func typeAndComment() throws(TerraceError) -> (String, String?) {
    var text = String.UnicodeScalarView()
    var depth = 0
    while at < scalars.count {
      let scalar = scalars[at]
      switch scalar {
      case "<", "(": depth += 1
      case ">", ")": depth -= 1
      case "'", "`", "\"":
        let start = at
        _ = try quoted(scalar)
        text.append(contentsOf: scalars[start..<at])
        continue
      case "," where depth <= 0: return (trimmed(text), nil)
      default: break
      }
      if depth == 0, scalar == "C" || scalar == "c", let comment = try comment(after: text) {
        return (trimmed(text), comment)
      }
      text.append(scalar)
      at += 1
    }
    return (trimmed(text), nil)
  }

  /// `COMMENT 'text'`, when that is what comes now.
  private mutating func comment(
    after text: String.UnicodeScalarView
  ) throws(TerraceError) -> String? {
    guard text.last?.properties.isWhitespace ?? false else { return nil }
    let mark = at
    if word().uppercased() == "COMMENT" {
      skipSpace()
      if at < scalars.count, scalars[at] == "'" { return try quoted("'") }
      throw source.error("COMMENT takes text between ' '", at: mark, length: at - mark)
    }
    at = mark
    return nil
  }

  private func trimmed(_ text: String.UnicodeScalarView) -> String {
    var rest = text[...]
    while rest.last?.properties.isWhitespace ?? false { rest.removeLast() }
    return String(rest)
  }
}
