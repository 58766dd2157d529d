import Columns
import Dataflow

/// What FROM gives: a plan and the names of its columns.
struct Relation {
  var plan: Plan
  var scope: Scope
}

extension Binder {
  func from(_ table: TableSyntax, _ outer: Scope?) throws(TerraceError) -> Relation {
    switch table.kind {
    case .named(let path, let hints, let travel):
      return try renamed(try named(path, hints, travel, table), table.alias)
    case .query(let query, let isLateral):
      // Alone there is nothing to its left that it could name.
      _ = isLateral
      let bound = try self.query(query)
      let scope = Scope(bound.type, qualifier: [], eventTimes: bound.eventTimes)
      return try renamed(
        Relation(plan: PlanBuilding.unsorted(bound.plan), scope: scope), table.alias)
    case .function(let call, _):
      return try renamed(try tableFunction(call, table.span, outer), table.alias)
    case .unnest(let value, let withOrdinality):
      let one = Relation(
        plan: .values(Plan.Values(type: RowType([Field]()), rows: [[]])), scope: Scope())
      return try unnest(value, withOrdinality, table, one, keepsEmpty: false)
    case .join(let kind, let left, let right, let condition):
      return try join(kind, left, right, condition, table.span, outer)
    }
  }

  /// The relation under its alias, with the alias's column names.
  func renamed(_ relation: Relation, _ alias: AliasSyntax?) throws(TerraceError) -> Relation {
    guard let alias else { return relation }
    var scope = relation.scope
    let visible = scope.columns.indices.filter {
      !scope.columns[$0].isInternal && scope.columns[$0].level == 0
    }
    if !alias.columns.isEmpty, alias.columns.count != visible.count {
      throw error(
        "'\(alias.name.text)' has \(visible.count) columns, and \(alias.columns.count) names are given",
        alias.name.span.to(alias.columns[alias.columns.count - 1].span))
    }
    for (position, i) in visible.enumerated() {
      scope.columns[i].qualifier = [alias.name.text]
      if !alias.columns.isEmpty { scope.columns[i].name = alias.columns[position].text }
    }
    return Relation(plan: relation.plan, scope: scope)
  }

  // MARK: Named tables

  private func named(
    _ path: NamePath, _ hints: [HintSyntax], _ travel: TableSyntax.TimeTravel?,
    _ table: TableSyntax
  ) throws(TerraceError) -> Relation {
    if path.parts.count == 1,
      let common = commonTables.last(where: { $0.name == path.last.text })
    {
      if let hint = hints.first {
        throw error("a common table takes no hint", hint.name.span)
      }
      try charge(common.cost, path.span)
      let scope = Scope(
        common.query.type, qualifier: [common.name], eventTimes: common.query.eventTimes)
      return Relation(plan: common.query.plan, scope: scope)
    }
    try charge(1, path.span)
    let reference = TableReference(
      path: path.texts, options: try options(hints), travel: try self.travel(travel))
    let resolved: ResolvedTable?
    do { resolved = try resolver.resolve(reference) } catch { throw placed(error, table.span) }
    switch resolved {
    case .none:
      let names = commonTables.map(\.name) + resolver.tableNames
      throw error("table '\(path.text)' not found", path.span, hint: tableHint(path, names))
    case .table(let bound):
      mention(reference)
      return try self.bound(bound, path)
    case .view(let query, let text, let columns):
      let bound = try view(query, text, path.span)
      var scope = Scope(bound.type, qualifier: path.texts, eventTimes: bound.eventTimes)
      if !columns.isEmpty, columns.count == scope.columns.count {
        for i in columns.indices { scope.columns[i].name = columns[i] }
      }
      return Relation(plan: bound.plan, scope: scope)
    }
  }

  private func tableHint(_ path: NamePath, _ names: [String]) -> String {
    let hint = Suggestion.hint(for: path.text, among: names)
    if !hint.isEmpty { return hint }
    // The name alone may be right, and the database missing.
    let same = names.filter { $0.split(separator: ".").last.map(String.init) == path.last.text }
    if let first = same.first, first != path.text { return "did you mean '\(first)'?" }
    return ""
  }

  private func options(_ hints: [HintSyntax]) throws(TerraceError) -> [TableReference.Option] {
    var options: [TableReference.Option] = []
    for hint in hints {
      guard hint.name.text.uppercased() == "OPTIONS" else {
        throw unsupported(
          "the hint \(hint.name.text.uppercased()) at a table", hint.name.span,
          hint: "tables take OPTIONS('key'='value')")
      }
      if let bad = hint.arguments.first {
        throw error("OPTIONS takes 'key'='value' pairs", bad.span)
      }
      for option in hint.options {
        options.removeAll { $0.key == option.key }
        options.append(.init(key: option.key, value: option.value))
      }
    }
    return options
  }

  private func travel(_ travel: TableSyntax.TimeTravel?) throws(TerraceError)
    -> TableReference.Travel?
  {
    guard let travel else { return nil }
    let e = travel.value
    let context = ExpressionContext(Scope(), clause: "AS OF")
    if case .column(let path) = e.kind {
      throw unsupported(
        "a temporal join (FOR SYSTEM_TIME AS OF \(path.text))", e.span,
        hint: "time travel takes a constant; an ordinary join follows later changes too")
    }
    let value = try expression(e, context)
    switch travel {
    case .version:
      switch value {
      case .literal(.int(let id), _): return .version(String(id))
      case .literal(.bytes(let name), _): return .version(String(decoding: name, as: UTF8.self))
      default: throw error("VERSION AS OF takes a snapshot id or a tag in quotes", e.span)
      }
    case .time:
      guard TypeRules.canCast(value.type, .timestamp(3)), TypeRules.family(value.type) != .number,
        case .literal(.int(let millis), _) = value.casted(to: .timestamp(3)).folded(in: zone)
      else {
        throw error(
          "AS OF takes a constant time", e.span, hint: "write TIMESTAMP '2026-11-19 00:00:00'")
      }
      return .time(millis)
    }
  }

  /// The plan of a table: its reader, computed columns and watermark.
  private func bound(_ table: BoundTable, _ path: NamePath) throws(TerraceError) -> Relation {
    let key = table.primaryKey.compactMap { table.type.index(of: $0) }
    var plan = Plan.source(
      Plan.Source(
        reference: table.reference, tableType: table.type,
        primaryKey: key.count == table.primaryKey.count ? key : [],
        isAppendOnly: table.isAppendOnly))
    if let declared = table.declared { plan = PlanBuilding.cast(plan, to: declared) }
    let text = Binder(table.text ?? source, resolver: resolver, isStreaming: isStreaming)
    if !table.computed.isEmpty || !table.order.isEmpty {
      plan = try text.computing(table, plan)
    }
    var scope = Scope(plan.type, qualifier: path.texts)
    if let watermark = table.watermark {
      guard case .column(let index, parts: _) = scope.find(watermark.column.texts) else {
        throw text.error("column '\(watermark.column.text)' not found", watermark.column.span)
      }
      scope.columns[index].isEventTime = true
      if isStreaming {
        let context = ExpressionContext(scope, clause: "WATERMARK")
        let value = try text.expression(watermark.value, context)
        plan = .watermark(Plan.Watermark(input: plan, timeColumn: index, expression: value))
      }
    }
    return Relation(plan: plan, scope: scope)
  }

  private func computing(_ table: BoundTable, _ plan: Plan) throws(TerraceError) -> Plan {
    let type = plan.type
    let scope = Scope(type, qualifier: [])
    let context = ExpressionContext(scope, clause: "a computed column")
    let order =
      table.order.isEmpty
      ? type.fields.map(\.name) + table.computed.map(\.name) : table.order
    var expressions: [Expression] = []
    for name in order {
      if let computed = table.computed.first(where: { $0.name == name }) {
        expressions.append(try expression(computed.value, context))
      } else if let index = type.index(of: name) {
        expressions.append(.column(index, type.fields[index].type))
      } else {
        throw TerraceError(.invalid, "column '\(name)' has neither a type nor an expression")
      }
    }
    return .map(Plan.Map(input: plan, expressions: expressions, names: order))
  }

  // MARK: Joins

  private func join(
    _ kind: TableSyntax.JoinKind, _ leftTable: TableSyntax, _ rightTable: TableSyntax,
    _ condition: TableSyntax.JoinCondition, _ span: SourceSpan, _ outer: Scope?
  ) throws(TerraceError) -> Relation {
    let left = try from(leftTable, outer)
    if rightTable.isLateral { return try lateral(kind, left, rightTable, condition, span) }
    let right = try from(rightTable, outer)
    return try joined(kind, left, right, rightTable, condition, span)
  }

  /// - Parameter tied: further conditions, over the left columns followed by the right ones.
  func joined(
    _ kind: TableSyntax.JoinKind, _ left: Relation, _ right: Relation, _ rightTable: TableSyntax,
    _ condition: TableSyntax.JoinCondition, _ span: SourceSpan, tied: [Expression] = []
  ) throws(TerraceError) -> Relation {
    try refuseSameAlias(left.scope, right.scope, rightTable)
    let planKind: Plan.Join.Kind
    switch kind {
    case .inner, .cross, .comma: planKind = .inner
    case .left: planKind = .left
    case .right: planKind = .right
    case .full: planKind = .full
    }
    let both = left.scope + right.scope
    let scope =
      left.scope.allNullable(planKind == .right || planKind == .full)
      + right.scope.allNullable(planKind == .left || planKind == .full)
    var shared: [String] = []
    var conditions: [Expression] = []
    var later: [ExpressionSyntax] = []
    switch condition {
    case .none: break
    case .on(let e):
      let context = ExpressionContext(both, clause: "ON")
      for part in Binder.conjuncts(e) {
        // In an inner join a condition may as well stand in WHERE, which takes sub-queries.
        if planKind == .inner, part.hasQuery {
          later.append(part)
        } else {
          conditions += PlanBuilding.conjuncts(try self.condition(part, context))
        }
      }
    case .using(let names):
      shared = names.map(\.text)
      for name in names {
        conditions.append(try sharedColumn(name.text, name.span, left.scope, right.scope))
      }
    case .natural:
      shared = left.scope.star([]).map { left.scope.columns[$0].name }.filter { name in
        right.scope.star([]).contains { right.scope.columns[$0].name == name }
      }
      for name in shared {
        conditions.append(try sharedColumn(name, span, left.scope, right.scope))
      }
    }
    let plan = PlanBuilding.join(planKind, left.plan, right.plan, tied + conditions)
    // A regular join mixes the times of its sides.
    var joined = scope
    for i in joined.columns.indices { joined.columns[i].isEventTime = false }
    var rows = SelectRows(plan: plan, scope: joined, correlation: [])
    for part in later { try apply(part, to: &rows, nil) }
    let relation = Relation(plan: rows.plan, scope: joined)
    return shared.isEmpty ? relation : merged(relation, shared, left.scope.columns.count, planKind)
  }

  private func refuseSameAlias(_ left: Scope, _ right: Scope, _ table: TableSyntax)
    throws(TerraceError)
  {
    guard let alias = table.alias?.name.text ?? right.columns.first?.qualifier.last else { return }
    if left.columns.contains(where: { $0.qualifier == [alias] && $0.level == 0 })
      && right.columns.contains(where: { $0.qualifier == [alias] })
    {
      throw error(
        "the alias '\(alias)' is given twice", table.alias?.name.span ?? table.span,
        hint: "give each table its own alias")
    }
  }

  private func sharedColumn(_ name: String, _ span: SourceSpan, _ left: Scope, _ right: Scope)
    throws(TerraceError) -> Expression
  {
    func side(_ scope: Scope, _ which: String) throws(TerraceError) -> Int {
      switch scope.find([name]) {
      case .column(let index, parts: _): return index
      case .ambiguous:
        throw error("column '\(name)' is ambiguous on the \(which) side of the join", span)
      case .none:
        throw error(
          "column '\(name)' not found on the \(which) side of the join", span,
          hint: Suggestion.hint(for: name, among: scope.names))
      }
    }
    let a = try side(left, "left")
    let b = try side(right, "right")
    do {
      return try .comparing(
        .equal, .column(a, left.columns[a].type),
        .column(left.columns.count + b, right.columns[b].type))
    } catch { throw placed(error, span) }
  }

  /// USING and NATURAL: the shared columns once and first, the pairs reached by qualifier only.
  private func merged(
    _ relation: Relation, _ shared: [String], _ width: Int, _ kind: Plan.Join.Kind
  ) -> Relation {
    var scope = relation.scope
    var expressions = PlanBuilding.columns(of: relation.plan)
    var front: [Scope.Column] = []
    var merged: [Expression] = []
    for name in shared {
      let pair = scope.star([]).filter { scope.columns[$0].name == name }
      guard let a = pair.first(where: { $0 < width }), let b = pair.first(where: { $0 >= width })
      else { continue }
      let (left, right) = (expressions[a], expressions[b])
      let value: Expression
      switch kind {
      case .right: value = right
      case .full:
        let type = TypeRules.common([left.type, right.type]) ?? left.type
        value = .branches(
          [.init(.isNotNull(left), left.casted(to: type))], otherwise: right.casted(to: type), type)
      default: value = left
      }
      merged.append(value)
      front.append(Scope.Column(name: name, qualifier: [], type: value.type))
      scope.columns[a].isHidden = true
      scope.columns[b].isHidden = true
    }
    expressions = merged + expressions
    scope = Scope(front + scope.columns)
    return Relation(
      plan: .map(
        Plan.Map(
          input: relation.plan, expressions: expressions, names: scope.columns.map(\.name))),
      scope: scope)
  }

  // MARK: UNNEST

  func joinUnnest(
    _ kind: TableSyntax.JoinKind, _ left: Relation, _ table: TableSyntax,
    _ value: ExpressionSyntax, _ withOrdinality: Bool, _ condition: TableSyntax.JoinCondition
  ) throws(TerraceError) -> Relation {
    switch condition {
    case .none: break
    case .on(let e):
      guard case .literal(.boolean(true)) = e.kind else {
        throw unsupported("a condition on UNNEST other than ON TRUE", e.span)
      }
    default: throw unsupported("USING with UNNEST", table.span)
    }
    if kind == .right || kind == .full {
      throw unsupported("\(kind.rawValue) JOIN with UNNEST", table.span)
    }
    return try unnest(value, withOrdinality, table, left, keepsEmpty: kind == .left)
  }

  func unnest(
    _ value: ExpressionSyntax, _ withOrdinality: Bool, _ table: TableSyntax, _ left: Relation,
    keepsEmpty: Bool
  ) throws(TerraceError) -> Relation {
    let context = ExpressionContext(left.scope, clause: "UNNEST")
    let collection = try expression(value, context)
    let types: [(String, DataType)]
    switch collection.type.kind {
    case .array(let element):
      if case .row(let fields) = element.kind {
        types = fields.map { ($0.name, $0.type.nullable) }
      } else {
        types = [("EXPR$0", element)]
      }
    case .map(let key, let value): types = [("KEY", key), ("VALUE", value)]
    case .multiset(let element): types = [("EXPR$0", element)]
    default:
      throw error(
        "UNNEST takes an ARRAY, MAP or MULTISET, not \(collection.type.nullable.text)", value.span)
    }
    var names = types.map(\.0) + (withOrdinality ? ["ORDINALITY"] : [])
    // The alias of a table of one column is the column's name, too.
    if let alias = table.alias, names == ["EXPR$0"] { names = [alias.name.text] }
    if let alias = table.alias, !alias.columns.isEmpty {
      guard alias.columns.count == names.count else {
        throw error(
          "UNNEST gives \(names.count) columns, and \(alias.columns.count) names are given",
          alias.name.span)
      }
      names = alias.columns.map(\.text)
    }
    let (input, places) = PlanBuilding.appending([collection], to: left.plan)
    let plan = Plan.unnest(
      Plan.Unnest(
        input: input, column: places[0], names: names, withOrdinality: withOrdinality,
        keepsEmpty: keepsEmpty))
    let fields = plan.type.fields
    var scope = left.scope
    while scope.columns.count < fields.count - names.count {
      let field = fields[scope.columns.count]
      var column = Scope.Column(name: field.name, qualifier: [], type: field.type)
      column.isInternal = true
      scope.columns.append(column)
    }
    for field in fields.suffix(names.count) {
      scope.columns.append(
        Scope.Column(
          name: field.name, qualifier: table.alias.map { [$0.name.text] } ?? [], type: field.type))
    }
    return Relation(plan: plan, scope: scope)
  }
}
