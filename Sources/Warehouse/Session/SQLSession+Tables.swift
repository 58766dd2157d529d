import Columns
import Connectors
import Dataflow
import SQL
import Store

extension SQLSession {
  /// The name of a table to be made.
  func newName(_ path: NamePath, _ at: SessionStatement) throws(TerraceError) -> TableName {
    do throws(TerraceError) {
      guard let name = try name(path.texts) else {
        throw TerraceError(.notFound, "catalog '\(path.texts[0])'")
      }
      if name.branch != nil {
        throw TerraceError(.invalid, "a branch is made by CALL sys.create_branch")
      }
      return name
    } catch { throw at.placed(error, path.span) }
  }

  func createTable(
    _ create: CreateTableSyntax, _ at: SessionStatement, _ output: any ResultOutput,
    isMaterialized: Bool = false
  ) throws(TerraceError) {
    if let sync = create.sync {
      throw at.source.unsupported(
        "CREATE TABLE … AS TABLE of a server in a script", at: sync.source.span,
        hint: SQLSession.syncHint)
    }
    let name = try newName(create.name, at)
    let connector = create.definition.options.last { $0.key == "connector" }?.value
    if try exists(name) {
      if create.ifNotExists { return try output.done("\(name) is there already") }
      // Without a query nothing is replaced: in Flink it is an ordinary CREATE TABLE.
      guard create.orReplace, create.query != nil else {
        throw at.error(
          "'\(create.name.text)' is there already", create.name.span,
          hint: isMaterialized
            ? "write CREATE OR ALTER MATERIALIZED TABLE, or drop it first"
            : create.orReplace
              ? "CREATE OR REPLACE TABLE replaces rows only with AS; DROP TABLE drops it"
              : "write CREATE TABLE IF NOT EXISTS, or drop it first")
      }
    }
    let binder = Binder(at.source, resolver: SessionCatalog(self), isStreaming: false)
    if create.isTemporary || (connector != nil && connector != "paimon") {
      return try createTemporary(create, name, binder, at, output)
    }
    if let query = create.query {
      return try createFilled(create, query, name, at, output)
    }
    let shape = try binder.shape(of: create.definition, like: try like(create, at), create.like)
    try store(shape, create, name, at)
    try output.done("table \(name) created")
  }

  private func like(
    _ create: CreateTableSyntax, _ at: SessionStatement
  ) throws(TerraceError) -> TableShape? {
    guard let like = create.like else { return nil }
    return try self.shape(of: like.source, at)
  }

  private func store(
    _ shape: TableShape, _ create: CreateTableSyntax, _ name: TableName, _ at: SessionStatement
  ) throws(TerraceError) {
    do throws(TerraceError) {
      let schema = try shape.schema(
        timeMillis: warehouse.environment.time.nowMillis(),
        computedTypes: try computedTypes(shape, at.source),
        distribution: create.definition.distribution)
      _ = try TagSchedule(schema, session: zone)
      try haveDatabase(name.database)
      if create.orReplace { try dropIfThere(name) }
      guard try warehouse.create(name, schema) else {
        throw TerraceError(.conflict, "somebody else made \(name) at the same time")
      }
    } catch { throw at.placed(error, create.definition, else: create.name.span) }
  }

  /// Types of computed columns, found by reading them.
  func computedTypes(
    _ shape: TableShape, _ source: SourceText
  ) throws(TerraceError) -> [String: DataType] {
    if shape.computed.isEmpty { return [:] }
    let query = try Parser.query(SourceText("SELECT * FROM t"))
    let table = shape.bound(reference: "t", isAppendOnly: true, text: source)
    let type = try Binder(source, resolver: OneTable(table: table), isStreaming: false)
      .bind(query).type
    return Dictionary(type.fields.map { ($0.name, $0.type) }) { first, _ in first }
  }

  private func createFilled(
    _ create: CreateTableSyntax, _ query: QuerySyntax, _ name: TableName, _ at: SessionStatement,
    _ output: any ResultOutput
  ) throws(TerraceError) {
    let catalog = SessionCatalog(self)
    let (shape, bound) = try Binder(at.source, resolver: catalog, isStreaming: false)
      .shape(of: create.definition, filledBy: query)
    try store(shape, create, name, at)
    let path = try warehouse.path(of: name)
    let count: Int
    do throws(TerraceError) {
      let table = try Table.open(warehouse.environment, path.root)
      // The store numbers the fields of rows itself.
      let expressions = table.schema.fields.enumerated().map {
        Expression.column($0, bound.type.fields[$0].type).casted(to: $1.type)
      }
      let plan = Plan.map(
        Plan.Map(
          input: bound.plan, expressions: expressions, names: table.schema.fields.map(\.name)))
      count = try append(plan, catalog, to: table)
    } catch {
      try warehouse.drop(name)
      throw error
    }
    try output.done("table \(name) created with \(DisplayText.count(count, "row"))")
  }

  /// CREATE MATERIALIZED TABLE in a script: a table that is filled once, now.
  func createMaterialized(
    _ create: CreateMaterializedTableSyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let table = CreateTableSyntax(
      name: create.name, isTemporary: false, ifNotExists: false, orReplace: create.orAlter,
      definition: create.definition, query: create.query)
    try createTable(table, at, output, isMaterialized: true)
    output.warn(
      "\(create.name.text) was filled once; “terrace run” keeps it fresh when it is a file under layers/"
    )
  }

  private func createTemporary(
    _ create: CreateTableSyntax, _ name: TableName, _ binder: Binder, _ at: SessionStatement,
    _ output: any ResultOutput
  ) throws(TerraceError) {
    if let query = create.query {
      throw at.source.unsupported("CREATE TEMPORARY TABLE … AS", at: query.span)
    }
    let shape = try binder.shape(of: create.definition, like: try like(create, at), create.like)
    var options: [String: String] = [:]
    for option in shape.options {
      options[option.key] = option.value
      if Redaction.isSecret(option.key) { Redaction.note(option.value) }
    }
    guard options["connector"] != nil else {
      throw at.error(
        "a temporary table needs the option 'connector'", create.name.span,
        hint: "CREATE TABLE keeps a table in the warehouse; CREATE TEMPORARY VIEW names a query")
    }
    let connector = try ConnectorTable(
      create, shape, options: options, folder: folder, at.source)
    temporaryViews[name] = nil
    temporaryTables[name] = TemporaryTable(shape: shape, connector: connector, text: at.source)
    try output.done("temporary table \(name) created")
  }

  /// The definition of a table that LIKE or DESCRIBE names.
  func shape(of path: NamePath, _ at: SessionStatement) throws(TerraceError) -> TableShape {
    do throws(TerraceError) {
      if let name = try name(path.texts) {
        if let temporary = temporaryTables[name] { return temporary.shape }
        if try isStored(name) {
          let schema = try warehouse.schema(of: name)
          var shape = try StoredDefinition(schema).shape
          shape.options = schema.options.entries.filter { !$0.key.hasPrefix("schema.") }
            .sorted { $0.key < $1.key }
            .map {
              OptionSyntax(
                key: $0.key, value: $0.value, keySpan: path.span, valueSpan: path.span)
            }
          return shape
        }
      }
    } catch { throw at.placed(error, path.span) }
    throw at.error(
      "table '\(path.text)' not found", path.span,
      hint: NearestName.hint(path.text, among: SessionCatalog(self).tableNames) ?? "")
  }

  func exists(_ name: TableName) throws(TerraceError) -> Bool {
    if temporaryTables[name] != nil { return true }
    if try view(name) != nil { return true }
    return try isStored(name)
  }

  func isStored(_ name: TableName) throws(TerraceError) -> Bool {
    guard try warehouse.hasFolder else { return false }
    return try warehouse.has(name)
  }

  /// The default database is made when it is first needed.
  func haveDatabase(_ name: String) throws(TerraceError) {
    if name == SQLSession.defaultDatabase {
      _ = try warehouse.create(database: name)
    } else {
      try warehouse.mustHave(database: name)
    }
  }

  private func dropIfThere(_ name: TableName) throws(TerraceError) {
    guard try warehouse.has(name) else { return }
    try mustRest()
    try warehouse.drop(name)
  }

  func drop(
    _ drop: DropSyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    switch drop.kind {
    case .table, .materializedTable:
      let name = try newName(drop.name, at)
      if temporaryTables.removeValue(forKey: name) != nil {
        return try output.done("temporary table \(name) dropped")
      }
      guard !drop.isTemporary, try isStored(name) else {
        if drop.ifExists { return try output.done("there is no table \(name)") }
        throw at.error("table '\(drop.name.text)' not found", drop.name.span)
      }
      do throws(TerraceError) {
        try mustRest()
        try warehouse.drop(name)
      } catch { throw at.placed(error, drop.name.span) }
      try output.done("table \(name) dropped")
    case .database:
      do throws(TerraceError) {
        let name = drop.name.last.text
        let known = try warehouse.hasFolder ? try warehouse.databases() : []
        if drop.ifExists, !known.contains(name) {
          return try output.done("there is no database \(name)")
        }
        try mustRest()
        try warehouse.drop(database: name, cascade: drop.isCascade)
        try output.done("database \(name) dropped")
      } catch { throw at.placed(error, drop.name.span) }
    case .view: try dropView(drop, at, output)
    case .catalog, .function:
      throw at.source.unsupported("DROP \(drop.kind.rawValue)", at: at.span)
    }
  }

  func createDatabase(
    _ create: CreateNamespaceSyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let name = create.name.last.text
    do throws(TerraceError) {
      let isNew = try warehouse.create(database: name)
      guard isNew || create.ifNotExists else {
        throw TerraceError(.invalid, "database '\(name)' is there already")
      }
      try output.done(isNew ? "database \(name) created" : "database \(name) is there already")
    } catch { throw at.placed(error, create.name.span) }
  }
}

/// A catalog of one table named `t`.
struct OneTable: TableResolver {
  let table: BoundTable

  func resolve(_ reference: TableReference) throws(TerraceError) -> ResolvedTable? {
    .table(table)
  }
  var tableNames: [String] { ["t"] }
}
