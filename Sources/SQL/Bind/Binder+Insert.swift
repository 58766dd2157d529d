package import Columns
package import Dataflow

/// The table that an INSERT writes, as the binder sees it.
package struct SinkTable: Sendable {
  /// For messages.
  package var name: String
  /// Columns that are written: physical and writable metadata columns, in order.
  package var type: RowType
  package var primaryKey: [String]
  package var partitionKeys: [String]
  /// It keeps every change: a print or log sink, which takes updates without a key.
  package var takesChanges: Bool
  /// Types that the writer takes, where they differ from those of ``type``; nil: they do not.
  package var taken: RowType?

  package init(
    name: String, type: RowType, primaryKey: [String] = [], partitionKeys: [String] = [],
    takesChanges: Bool = false, taken: RowType? = nil
  ) {
    self.name = name
    self.type = type
    self.primaryKey = primaryKey
    self.partitionKeys = partitionKeys
    self.takesChanges = takesChanges
    self.taken = taken
  }
}

/// A bound INSERT.
package struct BoundInsert: Sendable {
  /// Its columns are those of the sink, in order, and in the types that its writer takes.
  package var plan: Plan
  /// Columns of the sink that the statement gives; the others are null.
  package var given: Set<Int>
  package var isOverwrite: Bool
  /// Rows of one sink key come from several keys of the query: only ON CONFLICT lets that pass.
  package var onConflict: InsertSyntax.Conflict?
  package var eventTimes: Set<Int>
  package var tables: [TableReference]
}

extension Binder {
  /// Binds INSERT INTO a table, and checks that the table can take what the query gives.
  package func bind(_ insert: InsertSyntax, into sink: SinkTable) throws(TerraceError)
    -> BoundInsert
  {
    let bound = try query(insert.query)
    try refuseBareSession(bound.plan, insert.query.span)
    let targets = try targets(insert, sink)
    let dynamic = targets.filter { targetValue(insert, sink, $0) == nil }
    let fields = bound.type.fields
    guard fields.count == dynamic.count else {
      throw error(
        "the query has \(fields.count) column\(fields.count == 1 ? "" : "s"), '\(sink.name)' takes \(dynamic.count)",
        insert.query.span, hint: countHint(fields, dynamic.map { sink.type.fields[$0] }))
    }
    var expressions: [Expression] = sink.type.fields.map { .literal(.null, $0.type.nullable) }
    for (i, target) in dynamic.enumerated() {
      if PlanBuilding.isAlwaysNull(bound.plan, i) { continue }
      expressions[target] = try fitted(
        .column(i, fields[i].type), fields[i], sink.type.fields[target], i, insert.query, sink)
    }
    for target in targets where !dynamic.contains(target) {
      guard let value = targetValue(insert, sink, target) else { continue }
      let c = ExpressionContext(Scope(), clause: "PARTITION")
      let given = try expression(value, c)
      let field = sink.type.fields[target]
      // A partition value in quotes is read as the column's type.
      guard TypeRules.canCast(given.type, field.type) else {
        throw error(
          "\(given.type.nullable.text) does not fit column '\(field.name)' of type \(field.type.nullable.text)",
          value.span)
      }
      expressions[target] = given.casted(to: field.type).folded(in: zone)
    }
    for (i, field) in sink.type.fields.enumerated()
    where !targets.contains(i) && !field.type.isNullable {
      throw error(
        "column '\(field.name)' of '\(sink.name)' is NOT NULL and gets no value", insert.target.span
      )
    }
    if let taken = sink.taken {
      expressions = zip(expressions, taken.fields).map { $0.casted(to: $1.type) }
    }
    let plan = PlanRewriter.rewrite(
      .map(
        Plan.Map(
          input: bound.plan, expressions: expressions.map { $0.simplified(in: zone) },
          names: sink.type.fields.map(\.name))), zone)
    if isStreaming { try refuseUnboundedSort(insert.query) }
    try checkChanges(plan, insert.onConflict, insert.target.span, sink)
    return BoundInsert(
      plan: plan, given: Set(targets), isOverwrite: insert.isOverwrite,
      onConflict: insert.onConflict, eventTimes: bound.eventTimes, tables: tables)
  }

  /// Columns of the sink that are given, static partition columns among them.
  private func targets(_ insert: InsertSyntax, _ sink: SinkTable) throws(TerraceError) -> [Int] {
    func index(_ name: Name) throws(TerraceError) -> Int {
      guard let index = sink.type.index(of: name.text) else {
        throw error(
          "column '\(name.text)' not found in '\(sink.name)'", name.span,
          hint: Suggestion.hint(for: name.text, among: sink.type.fields.map(\.name)))
      }
      return index
    }
    for part in insert.partition {
      guard sink.partitionKeys.contains(part.column.text) else {
        throw error(
          "'\(part.column.text)' is no partition column of '\(sink.name)'", part.column.span,
          hint: Suggestion.hint(for: part.column.text, among: sink.partitionKeys))
      }
    }
    if insert.columns.isEmpty { return Array(sink.type.fields.indices) }
    var targets: [Int] = []
    for name in insert.columns {
      let target = try index(name)
      if targets.contains(target) {
        throw error("column '\(name.text)' is given twice", name.span)
      }
      targets.append(target)
    }
    for part in insert.partition where part.value != nil {
      let target = try index(part.column)
      if targets.contains(target) {
        throw error("column '\(part.column.text)' is given twice", part.column.span)
      }
      targets.append(target)
    }
    return targets
  }

  private func targetValue(_ insert: InsertSyntax, _ sink: SinkTable, _ target: Int)
    -> ExpressionSyntax?
  {
    insert.partition.first { $0.column.text == sink.type.fields[target].name }?.value
  }

  private func countHint(_ given: [Field], _ wanted: [Field]) -> String {
    let missing = wanted.map(\.name).filter { name in !given.contains { $0.name == name } }
    // Names of a query that are all columns of the table tell which are missing; others tell nothing.
    if given.count + missing.count == wanted.count, missing.count <= 5 {
      return "missing: \(missing.joined(separator: ", "))"
    }
    return wanted.count <= 8 ? "it takes \(wanted.map(\.name).joined(separator: ", "))" : ""
  }

  private func fitted(
    _ value: Expression, _ given: Field, _ wanted: Field, _ position: Int, _ query: QuerySyntax,
    _ sink: SinkTable
  ) throws(TerraceError) -> Expression {
    guard TypeRules.canAssign(given.type, wanted.type) else {
      let (span, type) = misfit(query, position, wanted.type)
      throw error(
        "column \(position + 1) of the query, '\(given.name)', is \((type ?? given.type).nullable.text) and does not fit column '\(wanted.name)' of '\(sink.name)', which is \(wanted.type.nullable.text)",
        span, hint: castHint(given.type, wanted.type, span))
    }
    return value.casted(to: wanted.type)
  }

  /// The CAST that makes a value fit, around what is written there; nothing when there is none.
  func castHint(_ from: DataType, _ to: DataType, _ span: SourceSpan?) -> String {
    guard TypeRules.canCast(from, to) else { return "" }
    var text = span.map { source.text($0) } ?? "…"
    if text.count > 40 || text.contains("\n") || text.hasSuffix("*") { text = "…" }
    return "write CAST(\(text) AS \(to.nullable.text))"
  }

  /// Where a column of a query is written.
  private func itemSpan(_ query: QuerySyntax, _ position: Int) -> SourceSpan {
    guard case .select(let select) = query.body else { return query.span }
    for (i, item) in select.items.enumerated() {
      // How many columns a star stands for is not seen here; behind it nothing can be counted.
      if case .star = item.value.kind { return item.value.span }
      if i == position { return item.value.span }
    }
    return query.span
  }

  /// Where the value stands that does not fit a column, and its type if that is not the query's: in the
  /// first row of VALUES, or the first part of a UNION, that has one.
  private func misfit(_ query: QuerySyntax, _ position: Int, _ wanted: DataType)
    -> (SourceSpan, DataType?)
  {
    switch query.body {
    case .select: return (itemSpan(query, position), nil)
    case .nested(let inner): return misfit(inner, position, wanted)
    case .set(_, _, let parts):
      for part in parts {
        // A part that cannot be bound alone is not the one that is looked for.
        guard let bound = try? self.query(part), position < bound.type.count else { continue }
        if !TypeRules.canAssign(bound.type.fields[position].type, wanted) {
          return misfit(part, position, wanted)
        }
      }
      return (query.span, nil)
    case .values(let rows):
      let c = ExpressionContext(Scope(), clause: "VALUES")
      for row in rows {
        var values = [row]
        if case .row(let parts) = row.kind { values = parts }
        // What cannot be bound alone is not what is looked for.
        guard position < values.count, let type = try? expression(values[position], c).type
        else { continue }
        if !TypeRules.canAssign(type, wanted) { return (values[position].span, type) }
      }
      return (query.span, nil)
    }
  }

  /// Where an INSERT says what goes into a column of its table: the NULL that is written for it, else the
  /// item of the query.
  package func span(of column: String, _ insert: InsertSyntax, into sink: SinkTable) -> SourceSpan {
    let fixed = Set(insert.partition.filter { $0.value != nil }.map(\.column.text))
    let names =
      insert.columns.isEmpty ? sink.type.fields.map(\.name) : insert.columns.map(\.text)
    guard let place = names.filter({ !fixed.contains($0) }).firstIndex(of: column) else {
      return insert.target.span
    }
    guard case .values(let rows) = insert.query.body else { return itemSpan(insert.query, place) }
    for row in rows {
      let values: [ExpressionSyntax]
      if case .row(let parts) = row.kind { values = parts } else { values = [row] }
      if place < values.count, case .literal(.null) = values[place].kind {
        return values[place].span
      }
    }
    return insert.query.span
  }

  // MARK: Changes

  func checkChanges(
    _ plan: Plan, _ onConflict: InsertSyntax.Conflict?, _ span: SourceSpan, _ sink: SinkTable
  ) throws(TerraceError) {
    if plan.isAppendOnly || !isStreaming { return }
    if sink.takesChanges { return }
    let culprit = ChangeAnalysis.culprit(of: plan)
    if sink.primaryKey.isEmpty {
      throw error(
        "the query updates rows (operator \(culprit)), but '\(sink.name)' has no primary key to update by",
        span, hint: "declare PRIMARY KEY (…) NOT ENFORCED")
    }
    let key = Set(sink.primaryKey.compactMap { sink.type.index(of: $0) })
    let unique = ChangeAnalysis.uniqueKeys(of: plan)
    if !unique.contains(where: { Set($0).isSubset(of: key) }), onConflict == nil {
      let names = sink.primaryKey.joined(separator: ", ")
      let by = unique.min { $0.count < $1.count }.map { key in
        "its rows are unique by (\(key.map { sink.type.fields[$0].name }.joined(separator: ", ")))"
      }
      throw error(
        "the query updates rows (operator \(culprit)) and \(by ?? "no column of it identifies a row"), but '\(sink.name)' has the primary key (\(names))",
        span,
        hint: by == nil
          ? "a GROUP BY on top makes its columns the key"
          : "make the keys agree: GROUP BY or PRIMARY KEY")
    }
    if let function = ChangeAnalysis.unstableFunction(below: plan) {
      throw error(
        "\(function) gives another value when a row is taken back, and the query updates rows (operator \(culprit))",
        span, hint: "compute it where rows are only added")
    }
  }
}
