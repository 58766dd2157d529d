import Columns
import Dataflow

/// The values that a correlated sub-query is asked for: columns of the query around, each combination
/// once. The sub-query is bound over `FROM … × domain`, grouped by it wherever it groups, and then
/// joined back to the rows around on these columns.
final class Domain {
  let plan: Plan
  private(set) var scope = Scope()
  /// Columns of the plan that the sub-query names.
  var used: Set<Int> = []

  /// - Parameter columns: of the scope, whose rows `input` gives.
  init(_ columns: [Int], of around: Scope, input: Plan) {
    let names = columns.indices.map { "$outer\($0)" }
    plan = Binder.distinct(
      .map(
        Plan.Map(
          input: input, expressions: columns.map { .column($0, around.columns[$0].type) },
          names: names)))
    scope = Scope(
      columns.enumerated().map { i, index in
        var column = around.columns[index]
        column.level += 1
        column.isEventTime = false
        column.sessionKeys = nil
        column.domain = self
        column.domainIndex = i
        return column
      })
  }

  var count: Int { scope.columns.count }
  var names: [String] { scope.columns.indices.map { "$outer\($0)" } }

  /// Where the domain's columns are in a relation that was bound with it.
  func places(in relation: Scope) -> [Int] {
    var places = Array(repeating: 0, count: count)
    for (i, column) in relation.columns.enumerated() where column.domain === self {
      if !column.isInternal { places[column.domainIndex] = i }
    }
    return places
  }
}

/// A sub-query bound with its domain.
struct CorrelatedQuery {
  /// Its own columns, then those of the domain.
  var plan: Plan
  /// Columns of the query around, one for each of the plan's last columns.
  var outer: [Int]
  var eventTimes: Set<Int>

  var width: Int { plan.type.count - outer.count }

  /// Its own columns.
  var values: [Expression] { Array(PlanBuilding.columns(of: plan).prefix(width)) }

  /// What ties it to the rows around: outer markers and columns of the plan, null equal to null.
  var correlation: [Expression] {
    let fields = plan.type.fields
    return outer.enumerated().map { i, column in
      let type = fields[width + i].type
      return .distinct(
        .column(Marker.outer + column, type), .column(width + i, type), negated: true)
    }
  }
}

extension Binder {
  /// A sub-query of any form that names columns of the query around; nil when it names none.
  func correlatedQuery(_ query: QuerySyntax, _ c: ExpressionContext) throws(TerraceError)
    -> CorrelatedQuery?
  {
    guard let input = c.input else { return nil }
    var candidates: Set<Int> = []
    for path in query.columnMentions {
      if case .column(let index, parts: _) = c.scope.find(path.texts) { candidates.insert(index) }
    }
    if candidates.isEmpty { return nil }
    try charge(1, query.span)
    var columns = candidates.sorted()
    let domain = Domain(columns, of: c.scope, input: input)
    var bound = try self.query(query, domain)
    // A name may have turned out to be one of the sub-query's own.
    if domain.used.count < columns.count {
      columns = domain.used.sorted().map { columns[$0] }
      if columns.isEmpty { return nil }
      bound = try self.query(query, Domain(columns, of: c.scope, input: input))
    }
    for column in columns { c.scope.use(column) }
    return CorrelatedQuery(plan: bound.plan, outer: columns, eventTimes: bound.eventTimes)
  }

  /// FROM of a sub-query that is bound with a domain: its rows beside each of the domain's.
  func from(_ table: TableSyntax, _ outer: Scope?, _ domain: Domain?) throws(TerraceError)
    -> Relation
  {
    guard let domain else { return try from(table, outer) }
    do throws(TerraceError) {
      let own = try from(table, nil)
      return Relation(
        plan: PlanBuilding.join(.inner, own.plan, domain.plan, []), scope: own.scope + domain.scope)
    } catch {
      if !table.columnMentions.contains(where: { domain.scope.names($0.texts) }) { throw error }
      let around = Relation(plan: domain.plan, scope: domain.scope)
      switch table.kind {
      case .query(let query, _): return try derived(query, table, domain)
      case .unnest(let value, let withOrdinality):
        return try unnest(value, withOrdinality, table, around, keepsEmpty: false)
      case .join(let kind, let left, let right, let condition):
        return try join(kind, left, right, condition, table.span, domain)
      default: throw error
      }
    }
  }

  private func derived(_ query: QuerySyntax, _ table: TableSyntax, _ domain: Domain)
    throws(TerraceError) -> Relation
  {
    let bound = try self.query(query, domain)
    let own = bound.type.count - domain.count
    var scope = Scope(RowType(Array(bound.type.fields.prefix(own))), qualifier: [])
    scope = scope + domain.scope
    return try renamed(Relation(plan: bound.plan, scope: scope), table.alias)
  }

  private func join(
    _ kind: TableSyntax.JoinKind, _ leftTable: TableSyntax, _ rightTable: TableSyntax,
    _ condition: TableSyntax.JoinCondition, _ span: SourceSpan, _ domain: Domain
  ) throws(TerraceError) -> Relation {
    let left = try from(leftTable, nil, domain)
    if rightTable.isLateral {
      return try lateral(kind, left, rightTable, condition, span)
    }
    if kind == .full { throw unsupported("FULL JOIN that names columns of the query around", span) }
    if kind != .right {
      do throws(TerraceError) {
        let right = try from(rightTable, nil)
        return try joined(kind, left, right, rightTable, condition, span)
      } catch {
        // It may name columns of the query around, or be wrong: then the next step says so.
        if !rightTable.columnMentions.contains(where: { domain.scope.names($0.texts) }) {
          throw error
        }
      }
    }
    var right = try from(rightTable, nil, domain)
    var hidden = left
    let width = left.scope.columns.count
    var tied: [Expression] = []
    for (a, b) in zip(domain.places(in: left.scope), domain.places(in: right.scope)) {
      let type = left.scope.columns[a].type
      tied.append(.distinct(.column(a, type), .column(width + b, type), negated: true))
      if kind == .right {
        hidden.scope.columns[a].isInternal = true
      } else {
        right.scope.columns[b].isInternal = true
      }
    }
    return try joined(kind, hidden, right, rightTable, condition, span, tied: tied)
  }

  /// A table on the right that may name columns of the tables to its left.
  func lateral(
    _ kind: TableSyntax.JoinKind, _ left: Relation, _ table: TableSyntax,
    _ condition: TableSyntax.JoinCondition, _ span: SourceSpan
  ) throws(TerraceError) -> Relation {
    if case .unnest(let value, let withOrdinality) = table.kind {
      return try joinUnnest(kind, left, table, value, withOrdinality, condition)
    }
    guard case .query(let query, _) = table.kind else { throw unsupported("LATERAL", table.span) }
    let context = ExpressionContext(left.scope, input: left.plan, clause: "LATERAL")
    guard let found = try correlatedQuery(query, context) else {
      let bound = try self.query(query)
      let scope = Scope(bound.type, qualifier: [])
      let right = try renamed(
        Relation(plan: PlanBuilding.unsorted(bound.plan), scope: scope), table.alias)
      return try joined(kind, left, right, table, condition, span)
    }
    if kind == .right || kind == .full {
      throw unsupported("\(kind.rawValue) JOIN LATERAL", table.span)
    }
    var scope = Scope(found.plan.type, qualifier: [])
    for i in found.width..<scope.columns.count { scope.columns[i].isInternal = true }
    let right = try renamed(Relation(plan: found.plan, scope: scope), table.alias)
    let width = left.scope.columns.count
    let tied = found.outer.enumerated().map { i, column in
      let type = left.scope.columns[column].type
      return Expression.distinct(
        .column(column, type), .column(width + found.width + i, type), negated: true)
    }
    return try joined(kind, left, right, table, condition, span, tied: tied)
  }
}

extension TableSyntax {
  /// Whether it sees the columns of the tables to its left.
  var isLateral: Bool {
    switch kind {
    case .unnest, .query(_, isLateral: true): true
    default: false
    }
  }
}

extension Scope {
  /// Whether a path names a column.
  func names(_ path: [String]) -> Bool {
    if case .none = find(path) { return false }
    return true
  }
}
