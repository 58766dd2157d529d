package import Columns
import SQL
package import Store

/// What the commands `query` and `sql` need beside running scripts.
extension SQLSession {
  /// Runs a text that is one query, or SHOW, DESCRIBE or EXPLAIN.
  ///
  /// - Throws: `invalid` for a text of several statements or one that changes something.
  package func runQuery(
    _ text: SQLText, to output: any ResultOutput
  ) throws(TerraceError) {
    let source = text.source
    let statements: [Statement]
    do throws(TerraceError) { statements = try Parser.script(source) } catch {
      throw source.placed(error, nil)
    }
    guard let first = statements.first else { throw TerraceError(.invalid, "the query is empty") }
    if statements.count > 1 {
      throw source.placed(
        source.error(
          "one query is expected", at: statements[1].span, hint: "terrace sql runs several"), nil)
    }
    switch first.kind {
    case .query, .show, .describe, .explain: try run(first, of: source, to: output)
    default:
      throw source.placed(
        source.error(
          "a query is expected", at: first.span, hint: "terrace sql runs other statements"), nil)
    }
  }

  /// Makes a database the current one.
  package func use(_ name: String) throws(TerraceError) {
    try haveDatabase(name)
    database = name
  }
}

/// SQL that somebody wrote, and what to call it in messages.
package struct SQLText: Sendable {
  let source: SourceText

  package static let byteCountMax = SourceText.byteCountMax

  package init(_ text: String, name: String) { source = SourceText(text, name: name) }
  package init(bytes: [UInt8], name: String) { source = SourceText(bytes: bytes, name: name) }

  /// Whether a person who types this has come to the end of a statement.
  package var isWhole: Bool {
    var end = source.bytes.count
    while end > 0, source.bytes[end - 1] <= 0x20 { end -= 1 }
    guard end > 0 else { return false }
    do throws(TerraceError) {
      let (_, failure) = try Parser.statements(source)
      guard let failure else { return source.bytes[end - 1] == UInt8(ascii: ";") }
      // Something is still open, or the text goes on: a string, a parenthesis, BEGIN STATEMENT SET.
      return source.bytes[end - 1] == UInt8(ascii: ";") && !failure.message.contains("not closed")
        && !failure.message.hasSuffix("found the end of the text")
    } catch { return true }  // Whoever runs it tells what is wrong.
  }

  /// A file of SQL.
  package init(file: String, _ files: any FileIO) throws(TerraceError) {
    guard let bytes = try files.readSmall(file, limit: SourceText.byteCountMax + 1) else {
      throw TerraceError(.notFound, "no such file").with("file", file)
    }
    self.init(bytes: bytes, name: file)
  }
}
