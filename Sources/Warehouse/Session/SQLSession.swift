package import Columns
import Dataflow
import SQL
import Store

/// Batch statements over a warehouse, one after another: queries, definitions, changes.
///
/// Holds what lives as long as the session does: the current database, settings, temporary tables and
/// views. One thread calls.
package final class SQLSession {
  package let warehouse: OpenWarehouse
  /// Folder that relative paths of connectors start from.
  package let folder: String
  package internal(set) var database = SQLSession.defaultDatabase
  /// What SET has set, over ``defaults``.
  package internal(set) var settings: [String: String] = [:]
  /// From `terrace.conf`: what RESET goes back to.
  package let defaults: [String: String]
  var temporaryTables: [TableName: TemporaryTable] = [:]
  var temporaryViews: [TableName: StoredView] = [:]
  /// Of the project; nil for a bare warehouse.
  var layersFolder: String?
  /// Nil for a bare warehouse.
  var project: OpenProject?
  /// Things to tell at the end of the statement.
  var notices: [String] = []
  /// Asked between batches: true ends a statement with an error.
  package var isInterrupted: () -> Bool = { false }

  /// Told what was read so far while no row has come out; nil when rows come or the statement ends.
  package var onProgress: (QueryProgress?) -> Void = { _ in }

  package static let defaultDatabase = "default"
  /// The one catalog there is; names may begin with it.
  package static let catalogName = "terrace"

  package init(_ warehouse: OpenWarehouse, folder: String = ".", defaults: [String: String] = [:]) {
    self.warehouse = warehouse
    self.folder = folder
    self.defaults = defaults
  }

  /// The value of a setting; nil when neither SET nor the configuration has it.
  package func setting(_ key: String) -> String? { settings[key] ?? defaults[key] }

  /// Runs the statements of a script until the first that fails.
  ///
  /// - Throws: why it failed, with the place in the script as facts.
  package func runScript(
    _ text: SQLText, to output: any ResultOutput
  ) throws(TerraceError) {
    let source = text.source
    let statements: [Statement]
    let failure: TerraceError?
    do throws(TerraceError) {
      (statements, failure) = try Parser.statements(source)
    } catch { throw source.placed(error, nil) }
    for statement in statements { try run(statement, of: source, to: output) }
    if let failure { throw source.placed(failure, nil) }
  }

  /// Runs one statement of a text.
  func run(
    _ statement: Statement, of source: SourceText, to output: any ResultOutput
  ) throws(TerraceError) {
    defer {
      onProgress(nil)
      for notice in notices { output.warn(notice) }
      notices = []
    }
    do throws(TerraceError) {
      try execute(statement.kind, SessionStatement(source: source, span: statement.span), output)
    } catch {
      throw source.placed(error, statement.span)
    }
  }

  static let syncHint = "write it into a file under layers/; “terrace run” keeps the tables in step"

  private func execute(
    _ kind: Statement.Kind, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    switch kind {
    case .query(let query): try select(query, at, output)
    case .insert(let insert): try self.insert(insert, at, output)
    case .statementSet(let inserts):
      for insert in inserts { try self.insert(insert, at, output) }
    case .createTable(let create): try createTable(create, at, output)
    case .createMaterializedTable(let create): try createMaterialized(create, at, output)
    case .createView(let create): try createView(create, at, output)
    case .createDatabase(let create): try createDatabase(create, at, output)
    case .createCatalog(let create):
      throw at.source.unsupported(
        "CREATE CATALOG", at: create.name.span,
        hint: "the warehouse is the catalog, \(SQLSession.catalogName)")
    case .syncDatabase(let sync):
      throw at.source.unsupported(
        "CREATE DATABASE … AS DATABASE in a script", at: sync.name.span, hint: SQLSession.syncHint)
    case .drop(let drop): try self.drop(drop, at, output)
    case .alterTable(let alter): try alterTable(alter, at, output)
    case .alterView(let name, let change): try alterView(name, change, at, output)
    case .alterMaterializedTable(let name, _):
      throw at.source.unsupported(
        "ALTER MATERIALIZED TABLE in a script", at: name.span,
        hint: "a materialized table is a file under layers/; “terrace apply” takes its changes in")
    case .alterDatabase(let name, _):
      throw at.source.unsupported("options of a database", at: name.span)
    case .set(let option): try set(option, at, output)
    case .reset(let key): try reset(key, at, output)
    case .show(let show): try self.show(show, at, output)
    case .describe(let kind, let name, _): try describe(kind, name, at, output)
    case .explain(_, let statement): try explain(statement, at, output)
    case .use(let kind, let name): try use(kind, name, at, output)
    case .call(let name, let arguments): try call(name, arguments, at, output)
    case .delete(let name, let filter): try delete(name, filter, at, output)
    case .update(let name, let values, let filter):
      try update(name, values, filter, at, output)
    case .truncate(let name): try truncate(name, at, output)
    }
  }
}

/// How far a query has read.
package struct QueryProgress: Sendable {
  package var rows = 0
  package var bytes = 0
  /// The source that is being read.
  package var source = ""
}

extension TerraceError {
  /// The column of a table that it is about, without quotes.
  var columnName: String? { fact("column").map { $0.filter { $0 != "'" } } }
}

/// The text of a statement and its place in it.
struct SessionStatement {
  let source: SourceText
  let span: SourceSpan

  func error(_ message: String, _ span: SourceSpan, hint: String = "") -> TerraceError {
    source.error(message, at: span, hint: hint)
  }

  /// An error from below with the place of the words that caused it.
  func placed(_ error: TerraceError, _ span: SourceSpan) -> TerraceError {
    source.placed(error, at: span)
  }

  /// The same, at the column or option that the error is about, where it is written here.
  func placed(_ error: TerraceError, _ definition: TableDefinition, else span: SourceSpan)
    -> TerraceError
  {
    let column = error.columnName
    let option = error.fact("option")
    return placed(
      error,
      definition.columns.first { $0.name.text == column }?.name.span
        ?? definition.options.first { $0.key == option }?.keySpan ?? span)
  }
}

extension SourceText {
  /// The error as a user reads it: with the name of this text and the line in question.
  ///
  /// - Parameter span: of the statement that failed, for an error that has no place of its own.
  func placed(_ error: TerraceError, _ span: SourceSpan?) -> TerraceError {
    if error.fact("source") != nil { return error }
    // A record of a data file has its own place.
    if error.fact("file") != nil, error.fact("line") ?? error.fact("record") != nil { return error }
    var out = error
    if error.fact("line") == nil {
      guard let span else { return error }
      let first = text(span).prefix { !$0.isNewline }.utf8.count
      // Nothing was wrong with the words: it failed at work.
      out = self.placed(error, at: SourceSpan(Int(span.start), Int(span.start) + first))
        .with("stage", "run")
    }
    return named(out)
  }
}
