import Columns
import Connectors
import Dataflow
import SQL
import Store

/// Binds the files of a project: shapes of tables first, as they are asked for, then the jobs.
final class SpecBinder {
  let files: [SpecFile]
  let folder: String
  let warehouse: OpenWarehouse
  private(set) var tables: [TableName: ProjectTable] = [:]
  /// Queries of materialized tables and CREATE TABLE … AS, bound with their shapes.
  private(set) var queries: [TableName: (query: BoundQuery, catalog: SpecCatalog)] = [:]
  private(set) var problems: [TerraceError] = []
  /// What stops single jobs when they run.
  private(set) var warnings: [String] = []
  private let declared: [TableName: Int]
  private var isBound: Set<TableName> = []
  private var stored: [TableName: ProjectTable?] = [:]

  private let config: ProjectConfig
  let connectors: ConnectorDoor
  private var variables: [String: String] { config.variables }
  /// A name that is no zone is refused where the configuration is checked, and before jobs run.
  var zone: SessionZone { (try? config.zone) ?? .utc }

  /// Names of the catalogs of servers.
  let catalogs: [String]

  init(
    _ files: [SpecFile], catalogs: [String] = [], folder: String, _ config: ProjectConfig,
    _ warehouse: OpenWarehouse, _ connectors: ConnectorDoor = ConnectorDoor()
  ) {
    self.catalogs = catalogs
    self.connectors = connectors
    self.files = files
    self.config = config
    self.folder = folder
    self.warehouse = warehouse
    declared = Dictionary(
      files.indices.filter { files[$0].table != nil }.map { (files[$0].name, $0) }
    ) { first, _ in first }
  }

  func bindTables() {
    for file in files where file.table != nil { _ = table(file.name) }
  }

  /// A table that the project declares; nil when it does not, or when its spec is wrong.
  func table(_ name: TableName) -> ProjectTable? {
    if let known = tables[name] { return known }
    guard let index = declared[name], isBound.insert(name).inserted else { return nil }
    let file = files[index]
    do throws(TerraceError) { try bind(file) } catch {
      problems.append(file.text.placed(error, file.table?.path.span))
    }
    return tables[name]
  }

  func isDeclared(_ name: TableName) -> Bool { declared[name] != nil }

  private func bind(_ file: SpecFile) throws(TerraceError) {
    guard let declaration = file.table else { return }
    let catalog = SpecCatalog(self, file)
    let binder = Binder(file.text, resolver: catalog, isStreaming: !file.isRefreshed)
    var shape: TableShape
    var isMaterialized = false
    var distribution: DistributionSyntax?
    switch declaration.kind {
    case .table(let create):
      try TableOptionNames.check(create.definition.options, file.text)
      distribution = create.definition.distribution
      if let query = create.query {
        (shape, queries[file.name]) = try fill(create.definition, query, binder, catalog)
      } else {
        shape = try binder.shape(
          of: create.definition, like: try like(create, file), create.like)
      }
    case .materialized(let create):
      isMaterialized = true
      try TableOptionNames.check(create.definition.options, file.text)
      distribution = create.definition.distribution
      if let start = create.startMode, start.name != "FROM_BEGINNING" {
        throw file.text.unsupported("START_MODE = \(start.name)", at: create.name.span)
      }
      (shape, queries[file.name]) = try fill(create.definition, create.query, binder, catalog)
    }
    try check(shape, file)
    for key in ProjectKeys.tableDefaults {
      guard let value = config.values[key], !shape.options.contains(where: { $0.key == key })
      else { continue }
      shape.options.append(
        OptionSyntax(
          key: key, value: value, keySpan: SourceSpan(0, 0), valueSpan: SourceSpan(0, 0)))
    }
    let table = ProjectTable(
      name: file.name, file: file.path, shape: shape, isMaterialized: isMaterialized,
      text: file.text, distribution: distribution,
      computedTypes: try computedTypes(shape, file.text))
    // What the store would refuse is refused before anything is made.
    let schema = try table.schema(timeMillis: 0)
    let tags = try TagSchedule(schema, session: .utc)
    if file.isRefreshed, tags.mode != .none {
      throw file.text.unsupported(
        "automatic tags of a table with REFRESH_MODE = FULL", at: declaration.path.span,
        hint: "they are barriers in a stream of changes, which REFRESH_MODE = CONTINUOUS keeps")
    }
    tables[file.name] = table
    if let bound = queries[file.name]?.query {
      try binder.check(bound, fills: sink(table), at: declaration.path.span)
    }
  }

  private func fill(
    _ definition: TableDefinition, _ query: QuerySyntax, _ binder: Binder, _ catalog: SpecCatalog
  ) throws(TerraceError) -> (TableShape, (query: BoundQuery, catalog: SpecCatalog)) {
    let (shape, bound) = try binder.shape(of: definition, filledBy: query)
    return (shape, (bound, catalog))
  }

  private func check(_ shape: TableShape, _ file: SpecFile) throws(TerraceError) {
    guard let column = shape.metadata.first, let table = file.table else { return }
    throw file.text.unsupported(
      "the metadata column '\(column.column)' in a table of the warehouse", at: table.path.span,
      hint: "declare it in a CREATE TEMPORARY TABLE with a connector, and select it")
  }

  private func like(_ create: CreateTableSyntax, _ file: SpecFile) throws(TerraceError)
    -> TableShape?
  {
    guard let like = create.like else { return nil }
    if like.source.parts.count == 1,
      let other = file.connectors.first(where: { $0.name.last.text == like.source.last.text })
    {
      var shape = try connectorShape(other, file)
      shape.options.removeAll { $0.key == "connector" }
      return shape
    }
    if let name = file.target(like.source), let table = table(name) { return table.shape }
    throw file.text.error("table '\(like.source.text)' not found", at: like.source.span)
  }

  func connectorShape(_ create: CreateTableSyntax, _ file: SpecFile) throws(TerraceError)
    -> TableShape
  {
    let binder = Binder(file.text, resolver: NoTables(), isStreaming: true)
    var like: TableShape?
    if let source = create.like?.source {
      guard
        let other = file.connectors.first(where: {
          $0.name.last.text == source.last.text && $0.name.last.text != create.name.last.text
        }), other.like == nil
      else {
        throw file.text.error("table '\(source.text)' not found in this file", at: source.span)
      }
      like = try connectorShape(other, file)
    }
    return try binder.shape(of: create.definition, like: like, create.like)
  }

  func connector(_ create: CreateTableSyntax, _ file: SpecFile) throws(TerraceError) -> (
    shape: TableShape, table: ConnectorTable
  ) {
    let shape = try connectorShape(create, file)
    var options: [String: String] = [:]
    for option in shape.options {
      options[option.key] = try ProjectConfig.reference(
        option.key, option.value, variables
      ) { file.text.error($0, at: option.valueSpan, hint: $1) }
      for name in ProjectConfig.unset(in: options[option.key] ?? "", variables) {
        let warning =
          "\(file.text.name): the environment has no variable \(name), which "
          + "'\(option.key)' of \(create.name.text) needs: its job fails"
        if !warnings.contains(warning) { warnings.append(warning) }
      }
    }
    return (
      shape,
      try ConnectorTable(create, shape, options: options, folder: folder, file.text)
    )
  }

  /// Refuses options that are wrong, at their place.
  func check(
    _ table: ConnectorTable, _ shape: TableShape, isSource: Bool, _ file: SpecFile
  ) throws(TerraceError) {
    do throws(TerraceError) {
      try connectors.check(table, isSource, warehouse.environment)
    } catch {
      throw file.text.placed(error, shape.options)
    }
  }

  func sink(_ table: ProjectTable) -> SinkTable {
    SinkTable(
      name: table.name.description, type: table.shape.sinkType, primaryKey: table.shape.primaryKey,
      partitionKeys: table.shape.partitionKeys)
  }

  private func computedTypes(
    _ shape: TableShape, _ text: SourceText
  ) throws(TerraceError) -> [String: DataType] {
    if shape.computed.isEmpty { return [:] }
    let query = try Parser.query(SourceText("SELECT * FROM t"))
    let bound = shape.bound(reference: "t", isAppendOnly: true, text: text)
    let type = try Binder(text, resolver: OneTable(table: bound), isStreaming: false)
      .bind(query).type
    return Dictionary(type.fields.map { ($0.name, $0.type) }) { first, _ in first }
  }

  /// A table of the warehouse that no file declares, as it lies there; nil when there is none.
  func foreign(_ name: TableName) throws(TerraceError) -> ProjectTable? {
    if let known = stored[name] { return known }
    guard try warehouse.hasFolder, try warehouse.databases().contains(name.database),
      try warehouse.has(name)
    else {
      stored[name] = .some(nil)
      return nil
    }
    let schema = try warehouse.schema(of: name)
    let definition = try StoredDefinition(schema)
    var shape = definition.shape
    shape.options = schema.options.entries.sorted { $0.key < $1.key }.map {
      OptionSyntax(
        key: $0.key, value: $0.value, keySpan: SourceSpan(0, 0), valueSpan: SourceSpan(0, 0))
    }
    let table = ProjectTable(
      name: name, file: "", shape: shape, isMaterialized: false,
      text: definition.text, distribution: nil, computedTypes: [:])
    stored[name] = table
    return table
  }

  /// A table that a file declares, or that lies in the warehouse without one.
  func known(_ name: TableName) throws(TerraceError) -> ProjectTable? {
    isDeclared(name) ? table(name) : try foreign(name)
  }

  /// Whether a file makes this table anew as a whole each time.
  func isRefreshed(_ name: TableName) -> Bool {
    declared[name].map { files[$0].isRefreshed } ?? false
  }

  var tableNames: [TableName] { Array(declared.keys) }
}

private struct NoTables: TableResolver {
  func resolve(_ reference: TableReference) throws(TerraceError) -> ResolvedTable? { nil }
  var tableNames: [String] { [] }
}
