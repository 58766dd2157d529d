import Columns
import Dataflow
import SQL
import Store

/// DELETE, UPDATE and TRUNCATE.
///
/// In a table with a primary key they are changes by key. Any other table is rewritten: the rows that stay
/// replace its files in one commit.
extension SQLSession {
  private func changed(
    _ path: NamePath, _ what: String, _ at: SessionStatement
  ) throws(TerraceError) -> (TableName, Table, StoredDefinition) {
    guard case .stored(let name, let table, let definition) = try target(path, [], at) else {
      throw at.source.unsupported("\(what) of a table with a connector", at: path.span)
    }
    try mustRest(toWrite: name)
    return (name, table, definition)
  }

  func truncate(
    _ path: NamePath, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let (name, table, _) = try changed(path, "TRUNCATE", at)
    warnOfOverwrite(table)
    do throws(TerraceError) { _ = try table.commit().overwrite(.table, []) } catch {
      throw at.placed(error, path.span)
    }
    try output.done("\(name) is empty")
  }

  func delete(
    _ path: NamePath, _ filter: ExpressionSyntax?, _ at: SessionStatement,
    _ output: any ResultOutput
  ) throws(TerraceError) {
    let (name, table, definition) = try changed(path, "DELETE", at)
    let isTold = try table.schema.options.changelogProducer != .none
    guard filter != nil || isTold else { return try truncate(path, at, output) }
    let catalog = SessionCatalog(self)
    let binder = Binder(at.source, resolver: catalog, isStreaming: false)
    let bound = try binder.rows(of: path, where: filter)
    let plan = SQLSession.stored(bound.plan, definition)
    let count: Int
    if table.schema.hasPrimaryKey {
      count = try write(plan, .delete, catalog, to: table)
    } else {
      let all = try Binder(at.source, resolver: catalog, isStreaming: false)
        .rows(of: path, where: nil)
      let stay = Plan.setOperation(
        Plan.SetOperation(
          .except, all: true, left: SQLSession.stored(all.plan, definition), right: plan))
      count = try rewrite(stay, counting: plan, catalog, table, path)
    }
    try output.done("\(DisplayText.count(count, "row")) deleted from \(name)")
  }

  func update(
    _ path: NamePath, _ values: [(column: Name, value: ExpressionSyntax)],
    _ filter: ExpressionSyntax?, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let (name, table, definition) = try changed(path, "UPDATE", at)
    for value in values {
      let column = value.column
      if definition.shape.computed.contains(where: { $0.name == column.text }) {
        throw at.error("'\(column.text)' is computed from other columns", column.span)
      }
      if table.schema.primaryKeys.contains(column.text) {
        throw at.source.unsupported(
          "UPDATE of the primary key column '\(column.text)'", at: column.span,
          hint: "delete the row and insert the new one")
      }
    }
    let catalog = SessionCatalog(self)
    func rows(_ set: Bool) throws(TerraceError) -> Plan {
      let bound = try Binder(at.source, resolver: catalog, isStreaming: false)
        .rows(of: path, where: filter, setting: set ? values : [])
      return SQLSession.stored(bound.plan, definition)
    }
    let new = try rows(true)
    let count: Int
    if table.schema.hasPrimaryKey {
      count = try write(new, .updateAfter, catalog, to: table)
    } else {
      let all = try Binder(at.source, resolver: catalog, isStreaming: false)
        .rows(of: path, where: nil)
      let stay = Plan.setOperation(
        Plan.SetOperation(
          .except, all: true, left: SQLSession.stored(all.plan, definition),
          right: try rows(false)))
      count = try rewrite(.union([stay, new]), counting: new, catalog, table, path)
    }
    try output.done("\(DisplayText.count(count, "row")) of \(name) updated")
  }

  /// The stored columns of rows of a table, in the table's order.
  private static func stored(_ plan: Plan, _ definition: StoredDefinition) -> Plan {
    let shape = definition.shape
    let given = plan.type
    if given.fields.map(\.name) == shape.type.fields.map(\.name) { return plan }
    let expressions = shape.type.fields.map { field -> Expression in
      guard let index = given.index(of: field.name) else { return .literal(.null, field.type) }
      return .column(index, given.fields[index].type)
    }
    return .map(
      Plan.Map(
        input: plan, expressions: expressions, names: shape.type.fields.map(\.name)))
  }

  /// Writes the rows of a plan as changes of one kind.
  private func write(
    _ plan: Plan, _ kind: RowKind, _ catalog: SessionCatalog, to table: Table
  ) throws(TerraceError) -> Int {
    if let exact = try ExactChanges(table) {
      return try change(table, exact, plan, catalog, isDelete: kind == .delete)
    }
    return try commit(table) { (writer) throws(TerraceError) in
      var count = 0
      try self.run(plan, catalog) { (batch) throws(TerraceError) in
        count += batch.count
        let kinds = Buffer(byteCount: batch.count)
        kinds.pointer(UInt8.self).update(repeating: kind.rawValue, count: batch.count)
        try writer.write(batch, kinds: kinds)
      }
      return count
    }
  }

  /// Replaces all rows of a table.
  ///
  /// - Throws: `conflict` when somebody else committed meanwhile: their rows would be lost.
  private func rewrite(
    _ stay: Plan, counting plan: Plan, _ catalog: SessionCatalog, _ table: Table, _ path: NamePath
  ) throws(TerraceError) -> Int {
    var count = 0
    try run(plan, catalog) { (batch) throws(TerraceError) in count += batch.count }
    if count == 0 { return 0 }
    let seen = catalog.snapshots
    let writer = try table.writer()
    do throws(TerraceError) {
      try run(stay, catalog) { (batch) throws(TerraceError) in try writer.write(batch) }
      let messages = try writer.prepareCommit()
      if let latest = try table.snapshots.latestID(), !seen.contains(latest) {
        throw TerraceError(.conflict, "somebody else wrote to '\(path.text)' meanwhile")
          .hint("run the statement again")
      }
      _ = try table.commit().overwrite(.table, messages)
    } catch {
      writer.abandon()
      throw error
    }
    writer.close()
    return count
  }
}
