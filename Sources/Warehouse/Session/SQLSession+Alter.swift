import Columns
import SQL
import Store

/// ALTER TABLE: changes of the schema, which leave the rows where they are.
extension SQLSession {
  func alterTable(
    _ alter: AlterTableSyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let path = alter.name
    let name = try newName(path, at)
    if temporaryTables[name] != nil {
      throw at.source.unsupported("ALTER of a temporary table", at: path.span)
    }
    if try view(name) != nil { throw at.error("'\(path.text)' is a view", path.span) }
    guard try isStored(name) else {
      if alter.ifExists { return try output.done("there is no table \(name)") }
      _ = try shape(of: path, at)
      return
    }
    if case .renameTable(let newPath) = alter.changes.first {
      let new = try renamed(name, newPath, at)
      do throws(TerraceError) {
        try mustRest()
        try haveDatabase(new.database)
        if try view(new) != nil { throw TerraceError(.invalid, "'\(newPath.text)' is a view") }
        try warehouse.rename(name, to: new)
      } catch { throw at.placed(error, newPath.span) }
      return try output.done("table \(name) is now \(new)")
    }
    if case .dropPartitions(let partitions, let ifExists) = alter.changes.first {
      return try dropPartitions(partitions, ifExists, of: name, path, at, output)
    }
    var editor: AlterChanges?
    do throws(TerraceError) {
      try mustRest()
      let schemas = SchemaDirectory(try warehouse.path(of: name), warehouse.environment)
      let schema = try schemas.latest()
      let definition = try StoredDefinition(schema)
      var changes = AlterChanges(schema, definition, at)
      defer { editor = changes }
      for change in alter.changes { try changes.add(change) }
      try checkExpressions(changes)
      let finished = changes.finish()
      _ = try TagSchedule(try schemas.preview(finished), session: zone)
      try schemas.change(finished)
    } catch {
      let named =
        error.columnName.flatMap { editor?.spans[$0] }
        ?? error.fact("option").flatMap { editor?.optionSpans[$0] }
      throw at.placed(error, named ?? path.span)
    }
    try output.done("table \(name) changed")
  }

  /// What RENAME TO makes of a name: alone it is one in the same database, as in Flink.
  func renamed(
    _ old: TableName, _ path: NamePath, _ at: SessionStatement
  ) throws(TerraceError) -> TableName {
    let new = try newName(path, at)
    return path.parts.count > 1 ? new : TableName(database: old.database, table: new.table)
  }

  private func dropPartitions(
    _ partitions: [[OptionSyntax]], _ ifExists: Bool, of name: TableName, _ path: NamePath,
    _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    do throws(TerraceError) {
      try mustRest(toWrite: name)
      let table = try warehouse.open(name)
      let texts = partitions.map { parts in
        parts.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
      }
      let selection = try PartitionSelection(texts, of: name, table.schema)
      let found = try warehouse.partitions(selection, of: table)
      if found.isEmpty, !ifExists {
        throw TerraceError(
          .notFound, "there is no partition \(texts.joined(separator: " or "))",
          hint: "SHOW PARTITIONS lists them")
      }
      if !found.isEmpty {
        _ = try table.commit().overwrite(.partitions(Set(found.map(\.row))), [])
      }
      try output.done("\(DisplayText.count(found.count, "partition")) of \(name) dropped")
    } catch { throw at.placed(error, path.span) }
  }
}

extension SQLSession {
  /// Computed columns must still be computed from the columns that were changed in type.
  private func checkExpressions(_ changes: AlterChanges) throws(TerraceError) {
    guard let column = changes.modified.last else { return }
    do throws(TerraceError) { _ = try computedTypes(changes.shape, changes.text) } catch {
      let made = changes.shape.computed.filter { $0.value.names(column.name.text) }.map(\.name)
      throw changes.at.error(
        "the computed column '\(made.first ?? "")' cannot be made of it any more: \(error.message)",
        column.typeSpan ?? column.name.span)
    }
  }
}

/// The schema changes of one ALTER TABLE.
///
/// Computed columns and the watermark are options of the schema, numbered by their place among all
/// columns: they are written anew when columns come, go or move.
private struct AlterChanges {
  /// The options of the schema that hold computed columns and the watermark.
  private let stored: [String: String]
  private(set) var shape: TableShape
  /// What the expressions of the shape stand in.
  let text: SourceText
  let at: SessionStatement
  private var changes: [SchemaChange] = []
  /// Where columns are named in the statement.
  private(set) var spans: [String: SourceSpan] = [:]
  private(set) var optionSpans: [String: SourceSpan] = [:]
  /// Columns that get another type, which computed columns are made of.
  private(set) var modified: [ColumnSyntax] = []

  init(_ schema: TableSchema, _ definition: StoredDefinition, _ at: SessionStatement) {
    stored = schema.options.entries.filter { $0.key.hasPrefix("schema.") }
    shape = definition.shape
    text = definition.text
    self.at = at
  }

  mutating func add(_ change: AlterTableSyntax.Change) throws(TerraceError) {
    switch change {
    case .addColumn(let column, let place): try add(column, place)
    case .modifyColumn(let column, let place): try modify(column, place)
    case .dropColumns(let names): for name in names { try drop(name) }
    case .renameColumn(let old, let new): try rename(old, new)
    case .setOptions(let options):
      for option in options {
        if option.key.hasPrefix("schema.") || option.key == "connector" {
          throw at.error("'\(option.key)' is not an option to set", option.keySpan)
        }
        optionSpans[option.key] = option.valueSpan
        changes.append(.setOption(option.key, option.value))
      }
    case .resetOptions(let keys):
      for key in keys { changes.append(.removeOption(key.text)) }
    case .addWatermark(let watermark):
      if shape.watermark != nil {
        throw at.error("the table has a watermark already", watermark.column.span)
      }
      try set(watermark)
    case .modifyWatermark(let watermark): try set(watermark)
    case .dropWatermark:
      if shape.watermark == nil { throw at.error("the table has no watermark", at.span) }
      shape.watermark = nil
    case .addPrimaryKey(let key), .modifyPrimaryKey(let key):
      throw at.source.unsupported("changing the primary key of a table", at: key.span)
    case .dropPrimaryKey, .dropConstraint:
      throw at.source.unsupported("dropping the primary key of a table", at: at.span)
    case .addPartitions:
      throw at.source.unsupported(
        "ADD PARTITION", at: at.span, hint: "a partition comes with its first row")
    case .renameTable, .dropPartitions:
      throw at.source.unsupported("this with other changes", at: at.span)
    }
  }

  private func unsupported(_ what: String, _ span: SourceSpan) -> TerraceError {
    at.source.unsupported(what, at: span)
  }

  private func isComputed(_ name: String) -> Bool {
    shape.computed.contains { $0.name == name }
  }

  private func known(_ name: Name) throws(TerraceError) {
    if shape.order.contains(name.text) { return }
    throw at.error(
      "column '\(name.text)' not found", name.span,
      hint: NearestName.hint(name.text, among: shape.order, else: "the columns are "))
  }

  private mutating func add(
    _ column: ColumnSyntax, _ place: AlterTableSyntax.Place?
  ) throws(TerraceError) {
    let name = column.name.text
    spans[name] = column.name.span
    if shape.order.contains(name) {
      throw at.error("the column '\(name)' is there already", column.name.span)
    }
    if column.isPrimaryKey {
      throw unsupported("changing the primary key of a table", column.name.span)
    }
    guard case .physical(let type) = column.kind else {
      throw unsupported("adding a computed or metadata column", column.name.span)
    }
    try insert(name, place)
    changes.append(.addColumn([name], type, comment: column.comment, position(of: name, place)))
  }

  /// Puts a name into the order of all columns.
  private mutating func insert(
    _ name: String, _ place: AlterTableSyntax.Place?
  ) throws(TerraceError) {
    switch place {
    case .first: shape.order.insert(name, at: 0)
    case .after(let other):
      try known(other)
      shape.order.insert(name, at: (shape.order.firstIndex(of: other.text) ?? -1) + 1)
    case nil: shape.order.append(name)
    }
  }

  /// The place among the physical columns.
  private func position(
    of name: String, _ place: AlterTableSyntax.Place?
  ) -> SchemaChange.Position {
    guard place != nil, let index = shape.order.firstIndex(of: name) else { return .last }
    guard let before = shape.order[..<index].last(where: { !isComputed($0) }) else { return .first }
    return .after(before)
  }

  private mutating func modify(
    _ column: ColumnSyntax, _ place: AlterTableSyntax.Place?
  ) throws(TerraceError) {
    let name = column.name.text
    try known(column.name)
    spans[name] = column.typeSpan ?? column.name.span
    guard case .physical(let type) = column.kind, !isComputed(name),
      let index = shape.type.index(of: name)
    else { throw unsupported("changing a computed or metadata column", column.name.span) }
    let field = shape.type.fields[index]
    if field.type.kind != type.kind {
      if let watermark = shape.watermark, watermark.column.text == name {
        throw at.error("the watermark is made of '\(name)'", column.name.span)
      }
      changes.append(.setType([name], type))
      shape.type.fields[index].type = DataType(type.kind, nullable: field.type.isNullable)
      if shape.computed.contains(where: { $0.value.names(name) }) { modified.append(column) }
    }
    let isKey = shape.primaryKey.contains(name)
    if field.type.isNullable != type.isNullable, !(isKey && type.isNullable) {
      changes.append(.setNullable([name], type.isNullable))
    }
    if let comment = column.comment { changes.append(.setColumnComment([name], comment)) }
    if let place {
      shape.order.removeAll { $0 == name }
      try insert(name, place)
      changes.append(.moveColumn([name], position(of: name, place)))
    }
  }

  private mutating func drop(_ name: Name) throws(TerraceError) {
    try known(name)
    try refuseUse(of: name)
    spans[name.text] = name.span
    shape.order.removeAll { $0 == name.text }
    if isComputed(name.text) {
      shape.computed.removeAll { $0.name == name.text }
    } else {
      changes.append(.dropColumn([name.text]))
    }
  }

  private mutating func rename(_ old: Name, _ new: Name) throws(TerraceError) {
    try known(old)
    try refuseUse(of: old)
    spans[old.text] = old.span
    spans[new.text] = new.span
    if shape.order.contains(new.text) {
      throw at.error("the column '\(new.text)' is there already", new.span)
    }
    shape.order = shape.order.map { $0 == old.text ? new.text : $0 }
    if let index = shape.computed.firstIndex(where: { $0.name == old.text }) {
      shape.computed[index].name = new.text
    } else {
      changes.append(.renameColumn([old.text], to: new.text))
    }
  }

  /// A column that computed columns or the watermark are made of stays.
  private func refuseUse(of name: Name) throws(TerraceError) {
    for computed in shape.computed where computed.value.names(name.text) {
      throw at.error(
        "the computed column '\(computed.name)' is made of '\(name.text)'", name.span)
    }
    if let watermark = shape.watermark,
      watermark.column.text == name.text || watermark.value.names(name.text)
    {
      throw at.error("the watermark is made of '\(name.text)'", name.span)
    }
  }

  private mutating func set(_ watermark: WatermarkSyntax) throws(TerraceError) {
    shape.watermark = watermark
  }

  /// Everything that is to be changed.
  func finish() -> [SchemaChange] {
    // Types are those of before: whoever reads the expressions finds their types himself.
    var types: [String: DataType] = [:]
    for (key, name) in stored where key.hasSuffix(".name") {
      let type = stored[key.dropLast(5) + ".data-type"]
      types[name] = type.flatMap { text in try? DataType(text: text) }  // Then it is left out.
    }
    let new = shape.storedExpressions(types)
    var all = changes
    for key in stored.keys.sorted() where new[key] == nil { all.append(.removeOption(key)) }
    for (key, value) in new.sorted(by: { $0.key < $1.key }) where stored[key] != value {
      all.append(.setOption(key, value))
    }
    return all
  }
}

extension ExpressionSyntax {
  /// Whether a column of this name may be meant somewhere in the expression.
  fileprivate func names(_ column: String) -> Bool {
    let text = SyntaxText.expression(self)
    return text.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "$") }
      .contains { $0 == column }
  }
}
