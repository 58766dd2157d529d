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
    case .connector(let table): table.shape.sink(table.connector, takesChanges: true)
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
    let binder = Binder(at.source, resolver: catalog, isStreaming: false)
    let bound = try binder.bind(insert, into: target.sink)
    switch target {
    case .stored(let name, let table, _):
      try mustRest(toWrite: name)
      let count: Int
      do throws(TerraceError) {
        if insert.isOverwrite {
          count = try overwrite(bound.plan, insert, catalog, table)
        } else {
          count = try append(bound.plan, catalog, to: table)
        }
      } catch {
        guard let column = error.columnName, error.fact("line") == nil else { throw error }
        throw at.placed(error, binder.span(of: column, insert, into: target.sink))
      }
      try output.done("\(DisplayText.count(count, "row")) written to \(name)")
    case .connector(let temporary):
      if insert.isOverwrite {
        throw at.source.unsupported(
          "INSERT OVERWRITE of a table with a connector", at: insert.target.span)
      }
      do throws(TerraceError) {
        let count = try send(bound.plan, catalog, to: temporary.connector)
        try output.done("\(DisplayText.count(count, "row")) written to \(insert.target.text)")
      } catch {
        throw at.placed(temporary.text.placed(error, temporary.shape.options), insert.target.span)
      }
    }
  }

  /// Writes the rows of a plan as one commit.
  ///
  /// - Returns: how many there were.
  func append(
    _ plan: Plan, _ catalog: SessionCatalog, to table: Table
  ) throws(TerraceError) -> Int {
    guard let exact = try ExactChanges(table) else {
      return try commit(table) { (writer) throws(TerraceError) in
        var count = 0
        try self.run(plan, catalog) { (batch) throws(TerraceError) in
          count += batch.count
          try writer.write(batch)
        }
        return count
      }
    }
    // The last row of each key is the one that counts.
    let key = table.schema.indices(of: table.schema.primaryKeys)
    let last = Plan.upsert(Plan.Upsert(input: plan, key: key))
    return try change(table, exact, last, catalog, isDelete: false)
  }

  /// Writes exact changes, unless somebody else has committed since the old rows were read.
  func change(
    _ table: Table, _ exact: ExactChanges, _ plan: Plan, _ catalog: SessionCatalog, isDelete: Bool
  ) throws(TerraceError) -> Int {
    try commit(table, after: exact.snapshot) { (writer) throws(TerraceError) in
      var count = 0
      try self.run(plan, catalog) { (batch) throws(TerraceError) in
        count += batch.count
        try exact.write(batch, isDelete: isDelete, to: writer)
      }
      return count
    }
  }

  /// - Throws: `conflict` when the newest snapshot is another than this one.
  func expect(_ snapshot: Snapshot?, in table: Table) throws(TerraceError) {
    if try table.snapshots.latestID() == snapshot?.id { return }
    throw TerraceError(.conflict, "somebody else wrote to the table meanwhile")
      .hint("run the statement again")
  }

  /// Gives a writer rows and commits them, or leaves nothing behind.
  ///
  /// - Parameter snapshot: the newest snapshot must be this one still; `.some(nil)`: there is none.
  func commit(
    _ table: Table, after snapshot: Snapshot?? = nil,
    _ fill: (TableWriter) throws(TerraceError) -> Int
  ) throws(TerraceError) -> Int {
    let writer = try table.writer()
    let count: Int
    do throws(TerraceError) {
      count = try fill(writer)
      if let snapshot {
        let messages = try writer.prepareCommit()
        try expect(snapshot, in: table)
        _ = try table.commit().commit(messages)
      } else {
        try writer.commit()
      }
    } catch {
      writer.abandon()
      throw error
    }
    writer.close()
    maintain(table)
    return count
  }

  /// Old snapshots that stay do no harm, and the rows are committed: a failure is told and no more.
  func maintain(_ table: Table) {
    guard let failure = table.maintain() else { return }
    notices.append("the rows are committed, but old snapshots could not be removed: \(failure)")
  }

  /// INSERT OVERWRITE: the table, or the partitions that PARTITION names whole or that rows go to.
  private func overwrite(
    _ plan: Plan, _ insert: InsertSyntax, _ catalog: SessionCatalog, _ table: Table
  ) throws(TerraceError) -> Int {
    warnOfOverwrite(table)
    let writer = try table.writer()
    var count = 0
    do throws(TerraceError) {
      try run(plan, catalog) { (batch) throws(TerraceError) in
        count += batch.count
        try writer.write(batch)
      }
      let messages = try writer.prepareCommit()
      let scope = try self.scope(insert, table, messages)
      if let scope { _ = try table.commit().overwrite(scope, messages) }
    } catch {
      writer.abandon()
      throw error
    }
    writer.close()
    maintain(table)
    return count
  }

  /// What is overwritten is in no changelog.
  func warnOfOverwrite(_ table: Table) {
    // A producer that cannot be read is told when the table is written.
    guard (try? table.schema.options.changelogProducer) != ChangelogProducerName.none else {
      return
    }
    notices.append("readers of the table's changes do not see what is overwritten")
  }

  /// What is replaced; nil for nothing.
  private func scope(
    _ insert: InsertSyntax, _ table: Table, _ messages: [CommitMessage]
  ) throws(TerraceError) -> OverwriteScope? {
    let schema = table.schema
    if schema.partitionKeys.isEmpty { return .table }
    let fixed = insert.partition.filter { $0.value != nil }
    let isDynamic = try schema.options.dynamicPartitionOverwrite
    // Partitions that are named whole are replaced even by nothing; else those that rows go to.
    if fixed.count < schema.partitionKeys.count, isDynamic {
      let touched = Set(messages.map(\.partition))
      return touched.isEmpty ? nil : .partitions(touched)
    }
    if fixed.isEmpty { return .table }
    var parts: [Columns.Predicate] = []
    let type = schema.partitionType
    for part in fixed {
      guard let index = type.index(of: part.column.text), let value = part.value else { continue }
      let scalar = try partitionValue(value, type.fields[index].type)
      parts.append(
        scalar.isNull ? .isNull(column: index) : .compare(column: index, .equal, scalar))
    }
    return .matching(
      ManifestFilter(
        partitionType: type, partition: parts.count == 1 ? parts[0] : .and(parts)))
  }

  /// A constant of PARTITION (…) as a value of its column.
  private func partitionValue(
    _ value: ExpressionSyntax, _ type: DataType
  ) throws(TerraceError) -> Scalar {
    let text = SourceText(
      "SELECT CAST(\(SyntaxText.expression(value)) AS \(type.nullable.text))", name: "PARTITION")
    let plan = try Binder(text, resolver: SessionCatalog(self), isStreaming: false)
      .bind(try Parser.query(text)).plan
    let rows = try BatchQuery(plan, context: context()).finish()
    return rows.columns[0].scalar(0)
  }

  /// Writes the rows of a plan to a connector.
  func send(
    _ plan: Plan, _ catalog: SessionCatalog, to connector: ConnectorTable
  ) throws(TerraceError) -> Int {
    let sink = try Connectors.sink(connector, warehouse.environment)
    defer { sink.close() }
    _ = try sink.recover(nil)
    var count = 0
    try run(plan, catalog) { (batch) throws(TerraceError) in
      count += batch.count
      try sink.write(batch, kinds: nil)
    }
    try sink.publish(try sink.prepare(epoch: warehouse.environment.time.nowMillis()))
    return count
  }
}
