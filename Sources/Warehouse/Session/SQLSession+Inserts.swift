import Columns
import Connectors
import Dataflow
import SQL
import Store

/// What an INSERT writes to.
enum InsertTarget {
  case stored(TableName, Table, StoredDefinition)
  case connector(TemporaryTable)

  var sink: SinkTable {
    switch self {
    case .stored(let name, _, let definition):
      SinkTable(
        name: name.description, type: definition.shape.sinkType,
        primaryKey: definition.shape.primaryKey, partitionKeys: definition.shape.partitionKeys)
    case .connector(let table):
      SinkTable(
        name: table.connector.name, type: table.shape.sinkType,
        primaryKey: table.shape.primaryKey, partitionKeys: table.shape.partitionKeys,
        takesChanges: true)
    }
  }
}

extension SQLSession {
  func target(
    _ path: NamePath, _ hints: [HintSyntax], _ at: SessionStatement
  ) throws(TerraceError) -> InsertTarget {
    var overrides: [String: String] = [:]
    for hint in hints {
      for option in hint.options { overrides[option.key] = option.value }
    }
    do throws(TerraceError) {
      if let name = try name(path.texts) {
        if var temporary = temporaryTables[name] {
          temporary.connector.options.merge(overrides) { $1 }
          return .connector(temporary)
        }
        if try view(name) != nil { throw at.error("'\(path.text)' is a view", path.span) }
        if try isStored(name) {
          let path = try warehouse.path(of: name)
          let table = try Table.open(
            writing, path.root, branch: path.branch, overrides: overrides)
          return .stored(name, table, try StoredDefinition(table.schema))
        }
      }
    } catch { throw at.placed(error, path.span) }
    throw at.error(
      "table '\(path.text)' not found", path.span,
      hint: NearestName.hint(path.text, among: SessionCatalog(self).tableNames) ?? "")
  }

  /// The environment with threads for writers.
  private var writing: Environment {
    var environment = warehouse.environment
    if environment.workers.count == 0 { environment.workers = SQLSession.writers }
    return environment
  }

  private static let writers = Workers(count: 2)

  func bound(
    _ insert: InsertSyntax, _ at: SessionStatement, _ catalog: SessionCatalog
  ) throws(TerraceError) -> BoundInsert {
    let target = try target(insert.target, insert.hints, at)
    return try Binder(at.source, resolver: catalog, isStreaming: false)
      .bind(insert, into: target.sink)
  }

  func insert(
    _ insert: InsertSyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let target = try target(insert.target, insert.hints, at)
    let catalog = SessionCatalog(self)
    let bound = try Binder(at.source, resolver: catalog, isStreaming: false)
      .bind(insert, into: target.sink)
    switch target {
    case .stored(let name, let table, _):
      if insert.isOverwrite {
        throw at.source.unsupported("INSERT OVERWRITE", at: insert.span)
      }
      let count = try append(bound.plan, catalog, to: table)
      try output.done("\(DisplayText.count(count, "row")) written to \(name)")
    case .connector(let temporary):
      throw TerraceError(.unsupported, "writing to \(temporary.connector.name)")
    }
  }

  /// Writes the rows of a plan as one commit.
  ///
  /// - Returns: how many there were.
  func append(
    _ plan: Plan, _ catalog: SessionCatalog, to table: Table
  ) throws(TerraceError) -> Int {
    let writer = try table.writer()
    var count = 0
    do throws(TerraceError) {
      try run(plan, catalog) { (batch) throws(TerraceError) in
        count += batch.count
        try writer.write(batch)
      }
      try writer.commit()
    } catch {
      writer.abandon()
      throw error
    }
    writer.close()
    return count
  }
}
