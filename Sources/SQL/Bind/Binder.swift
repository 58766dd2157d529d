package import Columns
import Dataflow

/// Turns syntax into a typed plan: names are looked up, types inferred, casts inserted,
/// sub-queries turned into joins.
///
/// One binder serves one statement. It is not for use by several threads at once.
package final class Binder {
  let source: SourceText
  let resolver: any TableResolver
  /// A query over changes that never end, as opposed to one over tables as they are.
  let isStreaming: Bool
  /// Of the session: constants are computed in it, as rows are.
  var zone: SessionZone { resolver.zone }
  /// WITH tables in reach, innermost last.
  var commonTables: [(name: String, query: BoundQuery, cost: Int)] = []
  /// Tables mentioned so far.
  private(set) var tables: [TableReference] = []
  /// Tables put into the plan so far, those of common tables counted at each use.
  private(set) var cost = 0
  private var viewDepth: Int

  static let costMax = 5_000
  static let viewDepthMax = 32

  package init(
    _ source: SourceText, resolver: any TableResolver, isStreaming: Bool
  ) {
    self.source = source
    self.resolver = resolver
    self.isStreaming = isStreaming
    viewDepth = 0
  }

  /// Binds a query and rewrites it: conditions moved down, columns that nobody reads left out.
  ///
  /// - Throws: kind `invalid`, `unsupported` or `notFound`, with the place as facts.
  package func bind(_ query: QuerySyntax) throws(TerraceError) -> BoundQuery {
    var bound = try self.query(query)
    if isStreaming { try refuseUnboundedSort(query) }
    try refuseBareSession(bound.plan, query.span)
    bound.plan = PlanRewriter.rewrite(bound.plan, zone)
    bound.tables = tables
    return bound
  }

  // MARK: Errors

  func error(_ message: String, _ span: SourceSpan, hint: String = "") -> TerraceError {
    source.error(message, at: span, hint: hint)
  }

  func unsupported(_ what: String, _ span: SourceSpan, hint: String = "") -> TerraceError {
    source.unsupported(what, at: span, hint: hint)
  }

  /// Gives an error from below its place; one that has a place keeps it.
  func placed(_ error: TerraceError, _ span: SourceSpan) -> TerraceError {
    source.placed(error, at: span)
  }

  func charge(_ amount: Int, _ span: SourceSpan) throws(TerraceError) {
    cost += amount
    if cost > Binder.costMax {
      throw error(
        "the query reads over \(Binder.costMax) tables, views counted by what they read", span)
    }
  }

  // MARK: Tables

  func mention(_ reference: TableReference) {
    if !tables.contains(reference) { tables.append(reference) }
  }

  /// The query of a view, bound where it stands.
  func view(_ query: QuerySyntax, _ text: SourceText, _ span: SourceSpan) throws(TerraceError)
    -> BoundQuery
  {
    if viewDepth >= Binder.viewDepthMax {
      throw error("views are nested over \(Binder.viewDepthMax) deep, or in a circle", span)
    }
    let inner = Binder(text, resolver: resolver, isStreaming: isStreaming)
    inner.viewDepth = viewDepth + 1
    inner.cost = cost
    let bound: BoundQuery
    // What is wrong in a view is shown in its own text.
    do throws(TerraceError) { bound = try inner.query(query) } catch {
      throw text.name == source.name ? error : text.named(error)
    }
    for table in inner.tables { mention(table) }
    cost = inner.cost
    return bound
  }

  /// SESSION has no rows of its own: which session a row is in shows when the session ends.
  func refuseBareSession(_ plan: Plan, _ span: SourceSpan) throws(TerraceError) {
    if case .windowTable(let table) = plan, case .session = table.window {
      throw unsupported(
        "SESSION without GROUP BY window_start, window_end and the columns of its PARTITION BY",
        span)
    }
    for input in plan.inputs { try refuseBareSession(input, span) }
  }

  func refuseUnboundedSort(_ query: QuerySyntax) throws(TerraceError) {
    if case .nested(let inner) = query.body, query.isBare { return try refuseUnboundedSort(inner) }
    guard query.limit == nil, query.offset == nil, let first = query.orderBy.first else { return }
    throw unsupported(
      "ORDER BY without LIMIT in a streaming query", first.value.span,
      hint: "add LIMIT, or sort when you query the table")
  }
}
