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

  /// A file of SQL.
  package init(file: String, _ files: any FileIO) throws(TerraceError) {
    guard let bytes = try files.readSmall(file, limit: SourceText.byteCountMax + 1) else {
      throw TerraceError(.notFound, "no such file").with("file", file)
    }
    self.init(bytes: bytes, name: file)
  }
}
