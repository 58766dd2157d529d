import Columns
import Connectors
import SQL
import Store

/// Makes specs of the statements that sync tables and databases, by asking their servers.
///
/// A table that is followed already is as its log was read last; a new one as the server says it is now.
struct SyncExpansion {
  /// Whom to ask.
  enum Asking: Sendable {
    /// The servers; where one cannot be reached, what it said last.
    case servers
    /// What they said last; the servers where nothing is known.
    case memory
  }

  private(set) var files: [SpecFile] = []
  private(set) var tables: [SyncTable] = []
  private(set) var problems: [TerraceError] = []
  private(set) var warnings: [String] = []
  /// Of statements whose servers cannot be asked, where nothing is known from before.
  private(set) var absent: [AbsentJob] = []

  /// Tables that cannot be made are warned of and left out.
  var leavesOutWrong = false

  private let asking: Asking
  private let memory: SyncMemory
  private let catalogs: SyncCatalogs
  private let warehouse: OpenWarehouse
  /// Tables that are to be made anew: what is known of them is worth nothing.
  private let rebuilds: Set<String>

  init(
    _ asking: Asking, _ memory: SyncMemory, _ catalogs: SyncCatalogs, _ warehouse: OpenWarehouse,
    rebuilds: Set<String> = []
  ) {
    self.asking = asking
    self.memory = memory
    self.catalogs = catalogs
    self.warehouse = warehouse
    self.rebuilds = rebuilds
  }

  mutating func add(_ statement: SyncStatement) {
    do throws(TerraceError) {
      let (listed, isLive) = try listing(statement)
      let gone = isLive ? try gone(statement, listed) : []
      let tables = try selected(statement, among: listed + gone)
      if isLive, let any = tables.first { try catalogs.check(statement, any) }
      var chosen = targets(tables.filter { !gone.contains($0) }, statement)
      try add(tables.filter(gone.contains), to: &chosen, statement)
      for (name, sources) in chosen.sorted(by: { $0.key.table < $1.key.table }) {
        add(name, sources, statement, isLive: isLive)
      }
      warnAboutGone(statement, Set(chosen.keys), isLive: isLive)
    } catch {
      if !leaveOut(statement.absentName, statement) { problems.append(statement.placed(error)) }
    }
  }

  /// Notes a job that cannot be made now; false when its server is not to blame for that.
  private mutating func leaveOut(_ name: String, _ statement: SyncStatement) -> Bool {
    guard let failure = catalogs.failure(of: statement) else { return false }
    absent.append(
      AbsentJob(
        name: name, reason: statement.placed(failure),
        askedAgainMillis: min(statement.options.discoveryMillis, 10_000)))
    return true
  }

  // MARK: Which tables

  /// Tables by what they are called here. One that cannot be called so does not stop the others.
  private mutating func targets(
    _ tables: [DatabaseTable], _ statement: SyncStatement
  ) -> [TableName: [DatabaseTable]] {
    var chosen: [TableName: [DatabaseTable]] = [:]
    for table in tables {
      do throws(TerraceError) {
        chosen[try target(of: table, statement), default: []].append(table)
      } catch {
        if statement.isDatabase {
          warnings.append("\(statement.catalog.text).\(table.text) is left out: \(error.message)")
        } else {
          problems.append(statement.placed(error))
        }
      }
    }
    return chosen
  }

  /// Tables that are followed here and are not at the server any more.
  private func gone(
    _ statement: SyncStatement, _ listed: [DatabaseTable]
  ) throws(TerraceError) -> [DatabaseTable] {
    let catalog = statement.catalog.text
    var found: [DatabaseTable] = []
    for table in memory.tables(of: catalog) where !listed.contains(table) {
      // A name that cannot be one here never was.
      guard let name = try? target(of: table, statement),
        memory.source(name, table, catalog: catalog) != nil, try schema(of: name) != nil
      else { continue }
      found.append(table)
    }
    return found
  }

  /// Jobs of tables that are gone read the log to its end, and say so; shards go without a word.
  private mutating func add(
    _ gone: [DatabaseTable], to chosen: inout [TableName: [DatabaseTable]],
    _ statement: SyncStatement
  ) throws(TerraceError) {
    for table in gone {
      let name = try target(of: table, statement)
      if chosen[name] != nil { continue }
      chosen[name] = [table]
      warnings.append(
        "\(statement.catalog.text).\(table.text) is not there any more; \(name) stays as it is until "
          + "it is dropped, or its statement leaves it out")
    }
  }

  private mutating func listing(
    _ statement: SyncStatement
  ) throws(TerraceError) -> (tables: [DatabaseTable], isLive: Bool) {
    let name = try catalogs.definition(of: statement).name
    let known = memory.tables(of: name)
    if case .memory = asking, !known.isEmpty { return (known, false) }
    do throws(TerraceError) {
      return (
        try catalogs.ask(statement) { (catalog) throws(TerraceError) in
          try SyncExpansion.list(catalog, statement)
        }, true
      )
    } catch {
      guard catalogs.failure(of: statement) != nil, !known.isEmpty else { throw error }
      let at = InstantText.text(millis: memory.askedMillis[name] ?? 0)
      let warning =
        "catalog \(name) cannot be asked: \(error.message); its tables are taken as of \(at)"
      if !warnings.contains(warning) { warnings.append(warning) }
      return (known, false)
    }
  }

  private static func list(
    _ catalog: any DatabaseCatalog, _ statement: SyncStatement
  ) throws(TerraceError) -> [DatabaseTable] {
    let database = statement.database
    if !SyncStatement.isPattern(database.text) {
      return try catalog.tables(database: database.text, schema: nil)
    }
    let names = try SyncStatement.chosen(
      database, among: try catalog.databases(), statement.text)
    if names.isEmpty { throw missing("database", database, [], statement) }
    var tables: [DatabaseTable] = []
    for name in names.sorted() { tables += try catalog.tables(database: name, schema: nil) }
    return tables
  }

  private static func missing(
    _ what: String, _ name: Name, _ known: [String], _ statement: SyncStatement
  ) -> TerraceError {
    statement.text.error(
      "catalog \(statement.catalog.text) has no \(what) "
        + (SyncStatement.isPattern(name.text) ? "that matches '\(name.text)'" : "'\(name.text)'"),
      at: name.span,
      hint: NearestName.hint(name.text, among: known, else: "there are "))
  }

  private func selected(
    _ statement: SyncStatement, among listed: [DatabaseTable]
  ) throws(TerraceError) -> [DatabaseTable] {
    let databases = try SyncStatement.chosen(
      statement.database, among: Set(listed.map(\.database)).sorted(), statement.text)
    var tables = listed.filter { databases.contains($0.database) }
    func narrow(schema name: Name) throws(TerraceError) {
      let known = Set(tables.compactMap(\.schema)).sorted()
      let names = try SyncStatement.chosen(name, among: known, statement.text)
      if names.isEmpty { throw SyncExpansion.missing("schema", name, known, statement) }
      tables = tables.filter { $0.schema.map(names.contains) ?? false }
    }
    let parts = statement.source.parts
    switch statement.kind {
    case .database(let sync):
      if parts.count == 3 { try narrow(schema: parts[2]) }
      if let including = sync.including {
        let matches = try SyncStatement.matcher(including.text, including.span, statement.text)
        tables = tables.filter { SyncExpansion.matches($0, matches) }
        if tables.isEmpty {
          throw statement.text.error(
            "no table of \(statement.source.text) matches '\(including.text)'", at: including.span,
            hint: "a pattern matches the whole name, or schema.name")
        }
      }
      if let excluding = sync.excluding {
        let matches = try SyncStatement.matcher(excluding.text, excluding.span, statement.text)
        tables = tables.filter { !SyncExpansion.matches($0, matches) }
      }
    case .table:
      if parts.count == 4 { try narrow(schema: parts[2]) }
      let name = parts[parts.count - 1]
      let known = Set(tables.map(\.table)).sorted()
      let names = try SyncStatement.chosen(name, among: known, statement.text)
      if names.isEmpty { throw SyncExpansion.missing("table", name, known, statement) }
      tables = tables.filter { names.contains($0.table) }
      // One name in several schemas: the one that PostgreSQL itself would take.
      let schemas = Set(tables.compactMap(\.schema))
      if parts.count == 3, schemas.count > 1 {
        guard schemas.contains("public") else {
          throw statement.text.error(
            "'\(name.text)' is in the schemas \(schemas.sorted().joined(separator: ", "))",
            at: name.span, hint: "name one: \(statement.catalog.text).database.schema.table")
        }
        tables = tables.filter { $0.schema == "public" }
      }
    }
    return tables
  }

  private static func matches(_ table: DatabaseTable, _ matches: SyncStatement.Matcher) -> Bool {
    matches(table.table) || table.schema.map { matches($0 + "." + table.table) } ?? false
  }

  private func target(
    of table: DatabaseTable, _ statement: SyncStatement
  ) throws(TerraceError) -> TableName {
    var name = table.table
    if case .table(let create, _) = statement.kind {
      let path = create.name
      if path.parts.count > 1, path.texts[path.parts.count - 2] != statement.layer {
        throw statement.text.error(
          "'\(path.text)' is not in layer \(statement.layer), where the file lies", at: path.span)
      }
      name = path.last.text
    } else {
      name = statement.options.prefix + name + statement.options.suffix
      if name.contains("$") {
        throw TerraceError(.unsupported, "“\(name)”: behind a '$' stands a system table")
      }
    }
    try TableName.check(name, "table")
    return TableName(database: statement.layer, table: name)
  }

  // MARK: One table

  private mutating func add(
    _ name: TableName, _ found: [DatabaseTable], _ statement: SyncStatement, isLive: Bool
  ) {
    do throws(TerraceError) {
      if let table = try made(name, found, statement, isLive: isLive) { add(table) }
    } catch {
      if error.fact("catalog") != nil, leaveOut(name.description, statement) { return }
      let known = found.filter { memory.source(name, $0, catalog: statement.catalog.text) != nil }
      if !known.isEmpty, known.count < found.count, !rebuilds.contains(name.description) {
        let all = fitting(name, found, known, statement, isLive: isLive)
        return add(name, all, statement, isLive: isLive)
      }
      let told = statement.placed(error.fact("table") == nil ? error.with("table", name) : error)
      if statement.isDatabase,
        leavesOutWrong || error.kind == .unsupported || statement.options.ignoresIncompatible
      {
        warnings.append("\(name) is left out: \(error.message)")
      } else {
        problems.append(told)
      }
    }
  }

  /// Those that are followed already, and of the others those that make one table with them: what came does not
  /// stop what is there.
  private mutating func fitting(
    _ name: TableName, _ found: [DatabaseTable], _ known: [DatabaseTable],
    _ statement: SyncStatement, isLive: Bool
  ) -> [DatabaseTable] {
    var kept = known
    for table in found where !known.contains(table) {
      let before = warnings
      do throws(TerraceError) {
        _ = try made(name, (kept + [table]).sorted(), statement, isLive: isLive)
        kept.append(table)
        warnings = before
      } catch {
        let text = "\(statement.catalog.text).\(table.text)"
        warnings = before + ["\(text) is left out of \(name): \(error.message)"]
      }
    }
    return kept.sorted()
  }

  /// - Returns: nil when nothing of it can be followed, which is warned of.
  private mutating func made(
    _ name: TableName, _ found: [DatabaseTable], _ statement: SyncStatement, isLive: Bool
  ) throws(TerraceError) -> SyncTable? {
    if found.count > 1, !statement.options.mergesShards {
      throw TerraceError(
        .invalid, "\(name) would be made of \(found.map(\.text).joined(separator: " and "))",
        hint: "'merge-shards' = 'true' makes one table of them; EXCLUDING TABLE leaves one out")
    }
    let stored = try schema(of: name)
    let order = memory.sources[name.description]?.map(\.shape.table) ?? []
    func place(_ table: DatabaseTable) -> Int { order.firstIndex(of: table) ?? order.count }
    var sources: [SyncSource] = []
    for table in found.sorted(by: { (place($0), $0) < (place($1), $1) }) {
      sources.append(
        try source(table, of: name, statement, isKnown: stored != nil, isLive: isLive))
    }
    if statement.isDatabase, sources.contains(where: \.shape.primaryKey.isEmpty) {
      let names = sources.filter(\.shape.primaryKey.isEmpty).map(\.name)
      warnings.append(
        "\(names.joined(separator: ", ")) has no primary key and is left out; CREATE TABLE "
          + "\(name.table) (PRIMARY KEY (…) NOT ENFORCED) AS TABLE … syncs it")
      sources.removeAll(where: \.shape.primaryKey.isEmpty)
      if sources.isEmpty { return nil }
    }
    let table = try SyncTable(name, statement, sources, stored: stored)
    if statement.isDatabase, stored == nil { try check(table) }
    return table
  }

  /// - Throws: `unsupported` for a table that cannot be made here, whatever the statement says.
  private func check(_ table: SyncTable) throws(TerraceError) {
    do throws(TerraceError) {
      _ = try TableSchema.create(
        columns: table.fields, primaryKeys: table.primaryKey, options: ["bucket": "1"],
        timeMillis: 0)
    } catch {
      let column = error.fact("column").map { ": \($0)" } ?? ""
      throw TerraceError(.unsupported, error.message + column, hint: error.hint)
    }
  }

  private func schema(of name: TableName) throws(TerraceError) -> TableSchema? {
    guard try warehouse.hasFolder, try warehouse.databases().contains(name.database),
      try warehouse.has(name)
    else { return nil }
    return try warehouse.schema(of: name)
  }

  private mutating func source(
    _ table: DatabaseTable, of name: TableName, _ statement: SyncStatement, isKnown: Bool,
    isLive: Bool
  ) throws(TerraceError) -> SyncSource {
    let catalog = statement.catalog.text
    let known = try memory.source(name, table, catalog: catalog).map {
      (known) throws(TerraceError) in try catalogs.completed(known, statement)
    }
    let followed = isKnown && !rebuilds.contains(name.description) ? known : nil
    if !isLive {
      if let known { return known }
      // Another table here follows it.
      for other in memory.sources.values.joined()
      where other.catalog == catalog && other.shape.table == table {
        return try catalogs.completed(other, statement)
      }
    }
    let options = try catalogs.options(statement, table)
    do throws(TerraceError) {
      let now = try catalogs.ask(statement) { (catalog) throws(TerraceError) in
        try catalog.shape(of: table)
      }
      let mode = options["scan.startup.mode"]?.lowercased() ?? "initial"
      if followed == nil, let obstacle = now.obstacle, mode == "initial" {
        throw TerraceError(
          .unsupported, obstacle, hint: "'scan.startup.mode' = 'latest-offset' does without them")
      }
      warnings += now.notes.map { "\(catalog).\(table.text): \($0)" }
      guard let followed else { return SyncSource(shape: now, catalog: catalog, options: options) }
      var source = SyncSource(
        shape: followed.shape, catalog: catalog, options: options, renamed: followed.renamed,
        place: followed.place)
      source.takeComments(now)
      return source
    } catch {
      if catalogs.failure(of: statement) != nil, let known { return known }
      // What became of it is told by its log.
      guard let followed, error.kind == .notFound || error.kind == .unsupported else { throw error }
      return followed
    }
  }

  /// Adds the spec of a table.
  mutating func add(_ table: SyncTable) {
    if let other = tables.first(where: { $0.name == table.name }) {
      let place = other.statement.text.position(Int(other.statement.span.start))
      problems.append(
        table.statement.placed(
          TerraceError(
            .invalid, "two statements make \(table.name)",
            hint: "the other one is \(other.statement.file):\(place.line)")))
      return
    }
    tables.append(table)
    files.append(SyncExpansion.file(table))
  }

  static func file(_ table: SyncTable) -> SpecFile {
    var file = SpecFile(
      path: table.statement.file, layer: table.name.database, stem: table.name.table,
      text: SourceText(SyncText.spec(table), name: "\(table.statement.file) (\(table.name))"))
    file.sync = table
    return file
  }

  private mutating func warnAboutGone(
    _ statement: SyncStatement, _ chosen: Set<TableName>, isLive: Bool
  ) {
    guard isLive, statement.isDatabase else { return }
    for (table, sources) in memory.sources.sorted(by: { $0.key < $1.key }) {
      guard let source = sources.first, source.catalog == statement.catalog.text,
        source.shape.table.database == statement.database.text,
        table.hasPrefix(statement.layer + "."),
        !chosen.contains(where: { $0.description == table })
      else { continue }
      warnings.append("\(source.name) is not synced any more; \(table) stays as it is")
    }
  }

  /// What is wrong with the specs that were made, told of the statements they were made for.
  func placed(_ problem: TerraceError) -> TerraceError {
    guard let file = files.first(where: { $0.text.name == problem.fact("source") }),
      let table = file.sync
    else { return problem }
    return table.statement.placed(
      TerraceError(problem.kind, problem.message, hint: problem.hint).with("table", table.name))
  }
}

extension SyncSource {
  /// Takes in comments that a log does not tell.
  mutating func takeComments(_ now: DatabaseTableShape) {
    if let comment = now.comment { shape.comment = comment }
    for index in shape.columns.indices {
      guard let column = now.columns.first(where: { $0.name == shape.columns[index].name }) else {
        continue
      }
      shape.columns[index].comment = column.comment ?? shape.columns[index].comment
    }
  }
}
