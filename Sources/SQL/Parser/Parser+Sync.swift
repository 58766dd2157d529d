import Columns

/// CREATE TABLE … AS TABLE and CREATE DATABASE … AS DATABASE, as Alibaba's Flink has them.
extension Parser {
  /// Whether a table of another catalog follows, at TABLE: one or two names are a query of a table here.
  var isAtSyncedTable: Bool {
    guard isAt(.table) else { return false }
    var dots = 0
    while peek(2 + dots * 2).kind == .dot { dots += 1 }
    return dots >= 2 && nameText(peek()) != Parser.ownCatalog
  }

  /// Names of three parts that begin with it mean tables of the warehouse.
  static let ownCatalog = "paimon"

  /// At TABLE.
  mutating func syncTable() throws(TerraceError) -> SyncTableSyntax {
    try expect(.table)
    let source = try path("a table of a catalog")
    if source.parts.count > 4 {
      throw error(
        "a table of a server has at most four parts: catalog, database, schema, table",
        at: source.span)
    }
    let options = try optionsHint()
    var added: [SyncTableSyntax.Added] = []
    if isAt(.add) {
      advance()
      try expect(.column)
      if accept(.leftParenthesis) {
        repeat { added.append(try addedColumn()) } while accept(.comma)
        try expect(.rightParenthesis, "')' or ','")
      } else {
        added.append(try addedColumn())
      }
    }
    return SyncTableSyntax(source: source, options: options, added: added)
  }

  private mutating func addedColumn() throws(TerraceError) -> SyncTableSyntax.Added {
    let name = try name("a column name")
    try expect(.as)
    var column = ColumnSyntax(name: name, kind: .computed(try expression()))
    if accept(.comment) { column.comment = try string() }
    if accept(.first) { return .init(column: column, place: .first) }
    if accept(.after) {
      return .init(column: column, place: .after(try self.name("a column name")))
    }
    return .init(column: column, place: nil)
  }

  /// After CREATE DATABASE … [COMMENT …] [WITH (…)], at AS.
  mutating func syncDatabase(
    _ database: CreateNamespaceSyntax
  ) throws(TerraceError) -> SyncDatabaseSyntax {
    try expect(.as, .database)
    let source = try path("a database of a catalog")
    guard (2...3).contains(source.parts.count) else {
      throw error(
        "a database of a server is named CATALOG.DATABASE or CATALOG.DATABASE.SCHEMA",
        at: source.span)
    }
    var sync = SyncDatabaseSyntax(
      name: database.name, ifNotExists: database.ifNotExists, comment: database.comment,
      withOptions: database.options, source: source, options: try optionsHint())
    try expect(.including)
    if accept(.all) {
      try expect(.tables)
    } else {
      try expect(.table)
      sync.including = try pattern()
    }
    if accept(.excluding) {
      try expect(.table)
      sync.excluding = try pattern()
    }
    sync.options += try optionsHint()
    return sync
  }

  private mutating func pattern() throws(TerraceError) -> SyncDatabaseSyntax.Pattern {
    let span = current.span
    return .init(text: try string("a regular expression in quotes"), span: span)
  }

  /// `/*+ OPTIONS('key' = 'value', …) */`
  private mutating func optionsHint() throws(TerraceError) -> [OptionSyntax] {
    var options: [OptionSyntax] = []
    for hint in try hints() {
      guard hint.name.text.uppercased() == "OPTIONS" else {
        throw unsupported("the hint \(hint.name.text) here", at: hint.name.span)
      }
      options += hint.options
    }
    return options
  }
}
