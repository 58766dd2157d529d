import Columns

extension Parser {
  private static let starts: [Keyword] = [
    .select, .insert, .with, .values, .create, .alter, .drop, .execute, .set, .reset, .show,
    .describe, .desc, .explain, .use, .call, .delete, .update, .truncate,
  ]

  mutating func statement() throws(TerraceError) -> Statement {
    implicitAlias = nil
    let start = current.span
    let kind = try statementKind()
    return Statement(kind: kind, span: start.to(previousSpan))
  }

  private mutating func statementKind() throws(TerraceError) -> Statement.Kind {
    switch current.keyword {
    case .select, .with, .values: return .query(try query())
    case .table where isName(peek()): return .query(try query())
    case .insert, .upsert: return .insert(try insert())
    case .create, .replace: return try create()
    case .alter: return try alter()
    case .drop: return .drop(try drop())
    case .execute: return try execute()
    case .begin: return .statementSet(try statementSet(opened: false))
    case .set: return .set(try setting())
    case .reset:
      advance()
      return .reset(isAt(.semicolon) || isAt(.endOfText) ? nil : try key())
    case .show: return .show(try show())
    case .describe, .desc: return try describe()
    case .explain: return try explain()
    case .use: return try use()
    case .call: return try callStatement()
    case .delete: return try delete()
    case .update: return try update()
    case .truncate:
      advance()
      try expect(.table)
      return .truncate(try tablePath())
    case .merge, .analyze, .compile, .load, .unload, .remove, .stop:
      throw unsupported(source.text(current.span).uppercased() + " statements", at: current.span)
    case .add where peek().keyword == .jar:
      throw unsupported("ADD JAR", at: current.span)
    default:
      if isAt(.leftParenthesis) { return .query(try query()) }
      throw unexpected("a statement", Parser.starts)
    }
  }

  // MARK: INSERT

  private mutating func insert() throws(TerraceError) -> InsertSyntax {
    let start = current.span
    if isAt(.upsert) {
      throw unsupported(
        "UPSERT INTO", at: start, hint: "INSERT INTO a table with a primary key upserts")
    }
    advance()
    let isOverwrite = accept(.overwrite)
    if isOverwrite {
      _ = accept(.into)
    } else if !accept(.into) {
      throw unexpected("INTO or OVERWRITE", [.into, .overwrite])
    }
    if isAt(.table), isName(peek()) { advance() }
    let target = try tablePath()
    let hints = try hints()
    var partition: [InsertSyntax.StaticPartition] = []
    if accept(.partition) {
      try expect(.leftParenthesis, "'('")
      repeat {
        let column = try name("a partition column")
        partition.append(.init(column: column, value: accept(.equal) ? try operand() : nil))
      } while accept(.comma)
      try expect(.rightParenthesis, "')' or ','")
    }
    var columns: [Name] = []
    if isAt(.leftParenthesis), isName(peek()) { columns = try nameList() }
    let query = try query()
    var onConflict: InsertSyntax.Conflict?
    if accept(.on) {
      try expect(.conflict, .do)
      switch current.keyword {
      case .nothing: onConflict = .nothing
      case .error: onConflict = .error
      case .deduplicate: onConflict = .deduplicate
      default: throw unexpected("NOTHING, ERROR or DEDUPLICATE", [.nothing, .error, .deduplicate])
      }
      advance()
    }
    return InsertSyntax(
      target: target, isOverwrite: isOverwrite, hints: hints, partition: partition,
      columns: columns, query: query, onConflict: onConflict, span: start.to(previousSpan))
  }

  private mutating func execute() throws(TerraceError) -> Statement.Kind {
    advance()
    if isAt(.plan) { throw unsupported("EXECUTE PLAN", at: current.span) }
    if isAt(.insert) { return .insert(try insert()) }
    if isAt(.select) || isAt(.with) || isAt(.values) { return .query(try query()) }
    return .statementSet(try statementSet(opened: true))
  }

  /// `STATEMENT SET BEGIN …; END` or `BEGIN STATEMENT SET; …; END`.
  private mutating func statementSet(opened: Bool) throws(TerraceError) -> [InsertSyntax] {
    if opened {
      try expect(.statement, .set)
      try expect(.begin)
    } else {
      try expect(.begin, .statement, .set)
      try expect(.semicolon, "';'")
    }
    var inserts: [InsertSyntax] = []
    while !accept(Keyword.end) {
      if accept(.semicolon) { continue }
      guard isAt(.insert) else { throw unexpected("INSERT or END", [.insert, .end]) }
      inserts.append(try insert())
      if !isAt(Keyword.end) { try expect(.semicolon, "';'") }
    }
    if inserts.isEmpty { throw error("a statement set needs an INSERT", at: previousSpan) }
    return inserts
  }

  // MARK: CREATE and DROP

  private mutating func create() throws(TerraceError) -> Statement.Kind {
    let start = current.span
    var orReplace = accept(.replace)
    var orAlter = false
    if !orReplace {
      advance()
      if accept(.or) {
        if accept(.replace) {
          orReplace = true
        } else if accept(.alter) {
          orAlter = true
        } else {
          throw unexpected("REPLACE or ALTER", [.replace, .alter])
        }
      }
    }
    if accept(.materialized) {
      if orReplace {
        throw unsupported(
          "OR REPLACE for a materialized table", at: start.to(previousSpan),
          hint: "write CREATE OR ALTER MATERIALIZED TABLE")
      }
      if isAt(.view) {
        throw unsupported(
          "MATERIALIZED VIEW", at: current.span, hint: "write CREATE MATERIALIZED TABLE")
      }
      try expect(.table)
      return .createMaterializedTable(try createMaterializedTable(orAlter: orAlter))
    }
    if orAlter { throw unexpected("MATERIALIZED TABLE", [.materialized]) }
    let isTemporary = accept(.temporary)
    if isAt(.table) {
      advance()
      return .createTable(try createTable(isTemporary: isTemporary, orReplace: orReplace))
    }
    if accept(.view) { return .createView(try createView(isTemporary, orReplace)) }
    if accept(.database) {
      let database = try createNamespace()
      return isAt(.as) ? .syncDatabase(try syncDatabase(database)) : .createDatabase(database)
    }
    if accept(.catalog) { return .createCatalog(try createNamespace()) }
    if isAt(.function) || isAt(.system) || isAt(.model) || isAt(.connection) {
      throw unsupported("CREATE \(source.text(current.span).uppercased())", at: current.span)
    }
    throw unexpected(
      "TABLE, MATERIALIZED TABLE, VIEW, DATABASE or CATALOG",
      [.table, .materialized, .view, .database, .catalog, .temporary])
  }

  private mutating func createView(_ isTemporary: Bool, _ orReplace: Bool) throws(TerraceError)
    -> CreateViewSyntax
  {
    let ifNotExists = accept(.if, .not, .exists)
    let name = try tablePath()
    let columns = isAt(.leftParenthesis) ? try nameList() : []
    let comment = accept(.comment) ? try string() : nil
    try expect(.as)
    return CreateViewSyntax(
      name: name, isTemporary: isTemporary, ifNotExists: ifNotExists, orReplace: orReplace,
      columns: columns, comment: comment, query: try query())
  }

  private mutating func createNamespace() throws(TerraceError) -> CreateNamespaceSyntax {
    let ifNotExists = accept(.if, .not, .exists)
    let name = try tablePath()
    let comment = accept(.comment) ? try string() : nil
    return CreateNamespaceSyntax(
      name: name, ifNotExists: ifNotExists, comment: comment,
      options: accept(.with) ? try options() : [])
  }

  private mutating func drop() throws(TerraceError) -> DropSyntax {
    advance()
    let isTemporary = accept(.temporary)
    let kind = try objectKind([.table, .materializedTable, .view, .database, .catalog])
    let ifExists = accept(.if, .exists)
    let name = try tablePath()
    let isCascade = accept(.cascade)
    if !isCascade { _ = accept(.restrict) }
    return DropSyntax(
      kind: kind, name: name, ifExists: ifExists, isTemporary: isTemporary, isCascade: isCascade)
  }

  private mutating func objectKind(_ allowed: [ObjectKind]) throws(TerraceError) -> ObjectKind {
    let found: ObjectKind?
    switch current.keyword {
    case .table: found = .table
    case .materialized where peek().keyword == .table: found = .materializedTable
    case .view: found = .view
    case .database: found = .database
    case .catalog: found = .catalog
    case .function, .model, .connection, .module, .system:
      throw unsupported("\(source.text(current.span).uppercased()) here", at: current.span)
    default: found = nil
    }
    guard let found, allowed.contains(found) else {
      let texts = allowed.map(\.rawValue)
      throw unexpected(
        texts.count < 2
          ? texts.joined()
          : texts.dropLast().joined(separator: ", ") + " or " + texts[texts.count - 1],
        [.table, .materialized, .view, .database, .catalog])
    }
    if found == .materializedTable { advance() }
    advance()
    return found
  }

  // MARK: SET, SHOW, DESCRIBE, EXPLAIN, USE, CALL

  /// `SET`, `SET 'k' = 'v'`, or `SET k = v` as the old client took it.
  private mutating func setting() throws(TerraceError) -> OptionSyntax? {
    advance()
    if isAt(.semicolon) || isAt(.endOfText) { return nil }
    let key = try key()
    try expect(.equal, "'='")
    let span = current.span
    if current.kind == .string || current.kind == .unicodeString {
      let value = try string()
      return OptionSyntax(key: key.text, value: value, keySpan: key.span, valueSpan: span)
    }
    throw error(
      "the value of a setting is a string", at: span,
      hint: "write SET '\(key.text)' = '\(source.text(span))'")
  }

  /// A key in quotes, or dotted words.
  private mutating func key() throws(TerraceError) -> Name {
    let span = current.span
    if current.kind == .string { return Name(try string(), span) }
    throw unexpected("a key in quotes")
  }

  private mutating func show() throws(TerraceError) -> ShowSyntax {
    advance()
    var show = ShowSyntax(kind: try showKind())
    switch show.kind {
    case .createTable, .createView, .createMaterializedTable, .createCatalog, .createDatabase:
      show.name = try tablePath()
      return show
    case .columns:
      if !accept(.from) { try expect(.in) }
      show.name = try tablePath()
    case .partitions:
      show.name = try tablePath()
      if accept(.partition) { show.partition = try partitionSpec() }
    case .tables, .views, .materializedTables, .functions, .databases, .procedures:
      if accept(.from) || accept(.in) { show.name = try tablePath() }
    default: break
    }
    let isNegated = isAt(.not) && peek().keyword == .like
    if isNegated { advance() }
    if accept(.like) { show.like = .init(pattern: try string(), isNegated: isNegated) }
    return show
  }

  private mutating func showKind() throws(TerraceError) -> ShowSyntax.Kind {
    _ = isAt(.full) && peek().keyword != nil && accept(.full)
    let first = current.keyword
    let second = peek().keyword
    let pairs: [(Keyword, Keyword, ShowSyntax.Kind)] = [
      (.materialized, .tables, .materializedTables), (.create, .table, .createTable),
      (.create, .view, .createView), (.create, .catalog, .createCatalog),
      (.create, .database, .createDatabase), (.current, .catalog, .currentCatalog),
      (.current, .database, .currentDatabase),
    ]
    for (a, b, kind) in pairs where a == first && b == second {
      advance()
      advance()
      return kind
    }
    if accept(.create, .materialized, .table) { return .createMaterializedTable }
    let singles: [(Keyword, ShowSyntax.Kind)] = [
      (.catalogs, .catalogs), (.databases, .databases), (.tables, .tables), (.views, .views),
      (.functions, .functions), (.columns, .columns), (.partitions, .partitions),
      (.procedures, .procedures), (.jobs, .jobs), (.modules, .modules),
    ]
    for (keyword, kind) in singles where keyword == first {
      advance()
      return kind
    }
    throw unexpected("what to show", singles.map(\.0) + [.create, .current, .materialized])
  }

  private mutating func describe() throws(TerraceError) -> Statement.Kind {
    advance()
    var kind = ObjectKind.table
    if isAt(.materialized) {
      throw unsupported(
        "DESCRIBE MATERIALIZED TABLE", at: current.span, hint: "write DESCRIBE and the name")
    }
    switch current.keyword {
    case .database where isName(peek()): kind = .database
    case .catalog where isName(peek()): kind = .catalog
    default: break
    }
    if kind != .table || isAt(.table) || isAt(.view) { advance() }
    let word = source.text(current.span).uppercased()
    let isExtended = word == "EXTENDED" && isName(peek())
    if isExtended { advance() }
    return .describe(kind, try tablePath(), isExtended: isExtended)
  }

  private mutating func explain() throws(TerraceError) -> Statement.Kind {
    advance()
    var details: [String] = []
    if accept(.plan) {
      try expect(.for)
    } else {
      let known = ["CHANGELOG_MODE", "ESTIMATED_COST", "PLAN_ADVICE", "JSON_EXECUTION_PLAN"]
      while current.kind == .word, known.contains(source.text(current.span).uppercased()) {
        details.append(source.text(current.span).uppercased())
        advance()
        if !accept(.comma) { break }
      }
    }
    return .explain(details: details, try statement())
  }

  private mutating func use() throws(TerraceError) -> Statement.Kind {
    advance()
    if isAt(.modules) { throw unsupported("USE MODULES", at: current.span) }
    if isAt(.catalog), isName(peek()) {
      advance()
      return .use(.catalog, try tablePath())
    }
    return .use(.database, try tablePath())
  }

  private mutating func callStatement() throws(TerraceError) -> Statement.Kind {
    advance()
    let call = try callSyntax(try path("a procedure"))
    return .call(call.name, call.arguments)
  }

  // MARK: DELETE and UPDATE

  private mutating func delete() throws(TerraceError) -> Statement.Kind {
    advance()
    try expect(.from)
    let table = try tablePath()
    return .delete(table, filter: accept(.where) ? try expression() : nil)
  }

  private mutating func update() throws(TerraceError) -> Statement.Kind {
    advance()
    let table = try tablePath()
    try expect(.set)
    var values: [(column: Name, value: ExpressionSyntax)] = []
    repeat {
      let column = try name("a column name")
      try expect(.equal, "'='")
      values.append((column, try expression()))
    } while accept(.comma)
    return .update(table, values, filter: accept(.where) ? try expression() : nil)
  }
}
