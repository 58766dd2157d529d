import Columns
import SQL

/// One CREATE TABLE … AS TABLE or CREATE DATABASE … AS DATABASE, as a file of a layer has it.
package struct SyncStatement: Sendable {
  enum Kind: Sendable {
    case table(CreateTableSyntax, SyncTableSyntax)
    case database(SyncDatabaseSyntax)
  }

  let kind: Kind
  /// `layers/ods/shop.sql`
  let file: String
  let layer: String
  let text: SourceText
  let span: SourceSpan
  /// SET statements of the file.
  let settings: [String: String]
  let options: SyncOptions

  /// - Throws: `invalid` with the place.
  init(
    _ kind: Kind, file: SpecFile, span: SourceSpan
  ) throws(TerraceError) {
    self.kind = kind
    self.file = file.path
    layer = file.layer
    text = file.text
    self.span = span
    settings = file.settings
    switch kind {
    case .table(let create, let sync):
      options = try SyncOptions(
        create.definition.options, hint: sync.options, isDatabase: false, file.text)
    case .database(let sync):
      options = try SyncOptions(
        sync.withOptions, hint: sync.options, isDatabase: true, file.text)
      guard sync.name.last.text == file.layer else {
        throw file.text.error(
          "the database is called '\(sync.name.text)', the layer of its file \(file.layer)",
          at: sync.name.span, hint: "write CREATE DATABASE \(file.layer), or move the file")
      }
      for pattern in [sync.including, sync.excluding] {
        if let pattern { _ = try SyncStatement.matcher(pattern.text, pattern.span, file.text) }
      }
    }
  }

  var source: NamePath {
    switch kind {
    case .table(_, let sync): sync.source
    case .database(let sync): sync.source
    }
  }

  var catalog: Name { source.parts[0] }
  var database: Name { source.parts[1] }

  /// Of CREATE TABLE; empty for databases.
  var definition: TableDefinition {
    if case .table(let create, _) = kind { return create.definition }
    return TableDefinition()
  }

  var added: [SyncTableSyntax.Added] {
    if case .table(_, let sync) = kind { return sync.added }
    return []
  }

  var isDatabase: Bool {
    if case .database = kind { return true }
    return false
  }

  /// What its jobs are called while nobody knows what tables there are.
  var absentName: String {
    if case .table(let create, _) = kind { return layer + "." + create.name.last.text }
    return layer + ".*"
  }

  // MARK: Patterns

  /// Whether a whole name matches.
  typealias Matcher = (String) -> Bool

  static func matcher(
    _ pattern: String, _ span: SourceSpan, _ text: SourceText
  ) throws(TerraceError) -> Matcher {
    let regex: Regex<AnyRegexOutput>
    do { regex = try Regex(pattern) } catch {
      throw text.error(
        "'\(pattern)' is no regular expression", at: span, hint: "\(error)".firstLine)
    }
    return { name in
      // A pattern that fails on a name does not match it.
      (try? regex.wholeMatch(in: name)) != nil
    }
  }

  static func isPattern(_ name: String) -> Bool {
    name.contains { "\\^$.|?*+()[]{}".contains($0) }
  }

  /// Of the names that there are, the one that is meant, or those that match a pattern.
  static func chosen(
    _ name: Name, among known: [String], _ text: SourceText
  ) throws(TerraceError) -> Set<String> {
    if known.contains(name.text) { return [name.text] }
    guard isPattern(name.text) else { return [] }
    let matches = try matcher(name.text, name.span, text)
    return Set(known.filter(matches))
  }

  /// An error of another part at this statement.
  func placed(_ error: TerraceError) -> TerraceError {
    if error.fact("source") != nil { return error }
    if error.fact("line") != nil { return text.named(error) }
    if let option = error.fact("option"), options.connector.contains(where: { $0.key == option }) {
      return text.placed(error, options.connector)
    }
    let first = text.text(span).prefix { !$0.isNewline }.utf8.count
    return text.named(
      text.placed(error, at: SourceSpan(Int(span.start), Int(span.start) + first)))
  }
}

extension String {
  var firstLine: String { String(prefix { !$0.isNewline }) }
}
