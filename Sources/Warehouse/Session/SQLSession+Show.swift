import Catalog
import Columns
import Dataflow
import SQL
import Store

/// SHOW and DESCRIBE, with Flink's column names.
extension SQLSession {
  func show(
    _ show: ShowSyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    func names(_ column: String, _ names: [String]) throws(TerraceError) {
      let kept = names.filter { name in show.like.map { $0.keeps(name) } ?? true }
      try output.show([column], kept.map { [$0] })
    }
    switch show.kind {
    case .catalogs:
      try names("catalog name", [SQLSession.catalogName] + (try project?.catalogNames() ?? []))
    case .currentCatalog: try names("current catalog name", [SQLSession.catalogName])
    case .currentDatabase: try names("current database name", [database])
    case .databases: try names("database name", try databaseNames())
    case .tables: try names("table name", try tableNames(show, at))
    case .views: try names("view name", try views(in: try database(show, at)))
    case .materializedTables:
      throw at.source.unsupported(
        "SHOW MATERIALIZED TABLES", at: at.span, hint: "“terrace status” lists them")
    case .functions: try names("function name", SQLSession.functionNames)
    case .procedures:
      try names("procedure name", Procedure.allCases.map { "sys.\($0.rawValue)" })
    case .modules: try names("module name", ["core"])
    case .jobs:
      throw at.source.unsupported("SHOW JOBS", at: at.span, hint: "“terrace status” lists them")
    case .columns: try showColumns(try described(show, at), show.like, output)
    case .partitions: try showPartitions(show, at, output)
    case .createTable, .createMaterializedTable:
      try output.text("result", try createText(show, at))
    case .createView: try output.text("result", try viewText(show, at))
    case .createCatalog, .createDatabase:
      throw at.source.unsupported("SHOW \(show.kind.rawValue)", at: at.span)
    }
  }

  private static let functionNames: [String] =
    (FunctionRegistry.names + AggregateCall.Function.allCases.map(\.rawValue)).map {
      $0.lowercased()
    }.sorted()

  /// Databases that a user sees; the default one is always there.
  private func databaseNames() throws(TerraceError) -> [String] {
    let known = try warehouse.hasFolder ? try warehouse.databases() : []
    return Set(known + [SQLSession.defaultDatabase]).sorted()
  }

  private func database(
    _ show: ShowSyntax, _ at: SessionStatement
  ) throws(TerraceError) -> String {
    guard let path = show.name else { return database }
    let name = path.last.text
    guard try databaseNames().contains(name) else {
      throw at.error(
        "database '\(name)' not found", path.span,
        hint: NearestName.hint(name, among: try databaseNames(), else: "there are "))
    }
    return name
  }

  private func tableNames(
    _ show: ShowSyntax, _ at: SessionStatement
  ) throws(TerraceError) -> [String] {
    let database = try database(show, at)
    var names = Set(try views(in: database))
    names.formUnion(temporaryTables.keys.filter { $0.database == database }.map(\.table))
    if try warehouse.hasFolder, try warehouse.databases().contains(database) {
      names.formUnion(try warehouse.tables(in: database))
    }
    return names.sorted()
  }

  // MARK: Columns

  private struct Described {
    var shape: TableShape
    var isView = false
  }

  private func described(
    _ show: ShowSyntax, _ at: SessionStatement
  ) throws(TerraceError) -> Described {
    guard let path = show.name else { throw at.error("a table name is missing", at.span) }
    return try described(path, at)
  }

  private func described(
    _ path: NamePath, _ at: SessionStatement
  ) throws(TerraceError) -> Described {
    if let name = try name(path.texts), try view(name) != nil {
      let type = try typeOfAll(path, at)
      return Described(shape: TableShape(type: type), isView: true)
    }
    if path.last.text.contains("$") {
      return Described(shape: TableShape(type: try typeOfAll(path, at)))
    }
    var shape = try shape(of: path, at)
    // Tags as partitions: a column of queries only.
    if let column = shape.options.last(where: { $0.key == "metastore.tag-to-partition" })?.value {
      shape.type.fields.append(Field(id: shape.type.count, name: column, type: .string))
      shape.order.append(column)
      shape.partitionKeys.append(column)
      shape.comments[column] = "the tag, as a partition"
    }
    return Described(shape: shape)
  }

  /// The columns that `SELECT *` of a table or view gives.
  private func typeOfAll(
    _ path: NamePath, _ at: SessionStatement
  ) throws(TerraceError) -> RowType {
    let quoted = path.texts.map(TableDDL.quoted).joined(separator: ".")
    let text = SourceText("SELECT * FROM \(quoted)", name: at.source.name)
    do throws(TerraceError) {
      return try Binder(text, resolver: SessionCatalog(self), isStreaming: false)
        .bind(try Parser.query(text)).type
    } catch {
      if error.fact("source") != nil { throw error }
      throw at.error(error.message, path.span, hint: error.hint)
    }
  }

  func describe(
    _ kind: ObjectKind, _ path: NamePath, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    switch kind {
    case .table: try showColumns(try described(path, at), nil, output)
    case .database:
      let name = path.last.text
      guard try databaseNames().contains(name) else {
        throw at.error("database '\(name)' not found", path.span)
      }
      try output.show(
        ["info name", "info value"],
        [["name", name], ["location", warehouse.location.path + "/" + name + ".db"]])
    default: throw at.source.unsupported("DESCRIBE \(kind.rawValue)", at: path.span)
    }
  }

  private func showColumns(
    _ described: Described, _ like: ShowSyntax.Like?, _ output: any ResultOutput
  ) throws(TerraceError) {
    let shape = described.shape
    let types = try computedTypes(shape, SourceText("", name: "schema"))
    let fields: [(String, DataType)] = [
      ("name", .string), ("type", .string), ("null", .boolean), ("key", .string),
      ("extras", .string), ("watermark", .string), ("comment", .string),
    ]
    let builders = fields.map { ColumnBuilder($0.1) }
    var count = 0
    let key = "PRI(\(shape.primaryKey.joined(separator: ", ")))"
    for name in shape.order {
      if let like, !like.keeps(name) { continue }
      count += 1
      let type = shape.type.fields.first { $0.name == name }?.type ?? types[name]
      builders[0].append(name)
      builders[1].append(type?.nullable.text ?? "")
      builders[2].append(UInt8(type?.isNullable ?? true ? 1 : 0))
      append(shape.primaryKey.contains(name) ? key : nil, builders[3])
      append(extras(name, shape), builders[4])
      let isTime = shape.watermark?.column.text == name
      append(isTime ? shape.watermark.map { SyntaxText.expression($0.value) } : nil, builders[5])
      append(shape.comments[name], builders[6])
    }
    let type = RowType(fields)
    try output.begin(type)
    if count > 0 {
      try output.rows(Batch(type, builders.map { $0.finish() }, count: count))
    }
    try output.end()
  }

  private func append(_ text: String?, _ builder: ColumnBuilder) {
    if let text { builder.append(text) } else { builder.appendNull() }
  }

  private func extras(_ name: String, _ shape: TableShape) -> String? {
    if let computed = shape.computed.first(where: { $0.name == name }) {
      return "AS " + SyntaxText.expression(computed.value)
    }
    guard let metadata = shape.metadata.first(where: { $0.column == name }) else {
      return shape.partitionKeys.contains(name) ? "PARTITION KEY" : nil
    }
    return "METADATA" + (metadata.key == name ? "" : " FROM \(TableDDL.string(metadata.key))")
      + (metadata.isVirtual ? " VIRTUAL" : "")
  }

  // MARK: Texts

  private func createText(
    _ show: ShowSyntax, _ at: SessionStatement
  ) throws(TerraceError) -> String {
    guard let path = show.name, let name = try name(path.texts) else {
      throw at.error("a table name is missing", at.span)
    }
    if try view(name) != nil {
      throw at.error("'\(path.text)' is a view", path.span, hint: "write SHOW CREATE VIEW")
    }
    if let temporary = temporaryTables[name] {
      return TableDDL.createTemporary(temporary.shape, name.table)
    }
    _ = try shape(of: path, at)
    let quoted = TableDDL.quoted(name.database) + "." + TableDDL.quoted(name.table)
    return TableDDL.createTable(quoted, try warehouse.schema(of: name))
  }

  private func viewText(
    _ show: ShowSyntax, _ at: SessionStatement
  ) throws(TerraceError) -> String {
    guard let path = show.name, let name = try name(path.texts), let view = try view(name) else {
      throw at.error("view '\(show.name?.text ?? "")' not found", show.name?.span ?? at.span)
    }
    var text = view.text.text(SourceSpan(0, view.text.bytes.count))
    while text.last?.isNewline ?? false { text.removeLast() }
    if temporaryViews[name] != nil, text.hasPrefix("CREATE VIEW") {
      text = "CREATE TEMPORARY VIEW" + text.dropFirst(11)
    }
    return text
  }

  private func showPartitions(
    _ show: ShowSyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    guard let path = show.name, let name = try name(path.texts) else {
      throw at.error("a table name is missing", at.span)
    }
    _ = try shape(of: path, at)
    do throws(TerraceError) {
      let directory = try warehouse.tagPartitions(of: name, session: zone)
      let all: [String]
      if let column = directory.column {
        all = try directory.shown().map { "\(column)=\($0.value)" }
      } else {
        all = try PartitionList.read(warehouse, name, pattern: nil).map(\.name)
      }
      let wanted = show.partition.map { "\($0.key)=\($0.value)" }
      let kept = all.filter { partition in
        let parts = partition.split(separator: "/").map(String.init)
        return wanted.allSatisfy(parts.contains) && (show.like?.keeps(partition) ?? true)
      }
      try output.show(["partition name"], kept.map { [$0] })
    } catch { throw at.placed(error, path.span) }
  }
}

extension ShowSyntax.Like {
  func keeps(_ name: String) -> Bool {
    let column = ColumnBuilder(.string)
    column.append(name)
    let columns = [column.finish()]
    let like = Columns.Predicate.like(column: 0, pattern: Array(pattern.utf8))
    return (like.select(columns, count: 1).count == 1) != isNegated
  }
}
