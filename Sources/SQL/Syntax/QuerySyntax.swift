/// A query: WITH, body, ORDER BY, OFFSET, LIMIT.
package struct QuerySyntax: Sendable {
  package struct CommonTable: Sendable {
    package var name: Name
    package var columns: [Name]
    package var query: QuerySyntax
  }

  package indirect enum Body: Sendable {
    case select(SelectSyntax)
    case values([ExpressionSyntax])
    /// Two or more bodies joined by one operator, from the left.
    case set(SetOperator, all: Bool, [QuerySyntax])
    /// `(query)` with its own ORDER BY and LIMIT.
    case nested(QuerySyntax)
  }

  package var with: [CommonTable]
  package var isRecursive: Bool
  package var body: Body
  package var orderBy: [OrderSyntax]
  package var offset: ExpressionSyntax?
  package var limit: ExpressionSyntax?
  package var span: SourceSpan
  let depth: Int32

  init(
    with: [CommonTable] = [], isRecursive: Bool = false, body: Body, orderBy: [OrderSyntax] = [],
    offset: ExpressionSyntax? = nil, limit: ExpressionSyntax? = nil, span: SourceSpan
  ) {
    self.with = with
    self.isRecursive = isRecursive
    self.body = body
    self.orderBy = orderBy
    self.offset = offset
    self.limit = limit
    self.span = span
    var deepest = max(offset?.depth ?? 0, limit?.depth ?? 0)
    for table in with { deepest = max(deepest, table.query.depth) }
    for order in orderBy { deepest = max(deepest, order.value.depth) }
    switch body {
    case .select(let select): deepest = max(deepest, select.depth)
    case .values(let rows): for row in rows { deepest = max(deepest, row.depth) }
    case .set(_, _, let parts): for part in parts { deepest = max(deepest, part.depth) }
    case .nested(let query): deepest = max(deepest, query.depth)
    }
    depth = deepest + 1
  }
}

package enum SetOperator: String, Sendable {
  case union = "UNION", intersect = "INTERSECT", except = "EXCEPT"
}

package struct SelectSyntax: Sendable {
  package struct Item: Sendable {
    package var value: ExpressionSyntax
    package var alias: Name?
  }

  package indirect enum Grouping: Sendable {
    case expression(ExpressionSyntax)
    /// Keys together: only inside of `sets`.
    case set([ExpressionSyntax])
    case sets([Grouping])
    case rollup([ExpressionSyntax])
    case cube([ExpressionSyntax])

    var expressions: [ExpressionSyntax] {
      switch self {
      case .expression(let e): [e]
      case .sets(let sets): sets.flatMap(\.expressions)
      case .set(let parts), .rollup(let parts), .cube(let parts): parts
      }
    }

    var depth: Int32 {
      switch self {
      case .expression(let e): e.depth
      case .sets(let sets): sets.reduce(0) { max($0, $1.depth) } + 1
      case .set(let parts), .rollup(let parts), .cube(let parts):
        parts.reduce(0) { max($0, $1.depth) }
      }
    }
  }

  package struct NamedWindow: Sendable {
    package var name: Name
    package var window: WindowSyntax
  }

  package var hints: [HintSyntax] = []
  package var isDistinct = false
  package var items: [Item] = []
  package var from: TableSyntax?
  package var filter: ExpressionSyntax?
  /// nil without GROUP BY; empty for `GROUP BY ()`.
  package var groupBy: [Grouping]?
  package var groupSpan: SourceSpan?
  package var having: ExpressionSyntax?
  package var windows: [NamedWindow] = []
  package var qualify: ExpressionSyntax?
  package var span: SourceSpan

  var depth: Int32 {
    var deepest = max(filter?.depth ?? 0, having?.depth ?? 0, qualify?.depth ?? 0)
    deepest = max(deepest, from?.depth ?? 0)
    for item in items { deepest = max(deepest, item.value.depth) }
    for part in groupBy ?? [] { deepest = max(deepest, part.depth) }
    for named in windows { deepest = max(deepest, named.window.depth) }
    return deepest
  }
}

package struct AliasSyntax: Sendable {
  package var name: Name
  package var columns: [Name]
}

/// One thing a query reads from.
package struct TableSyntax: Sendable {
  package enum JoinKind: String, Sendable {
    case inner = "INNER", left = "LEFT", right = "RIGHT", full = "FULL", cross = "CROSS"
    /// A comma between tables.
    case comma = ","
  }

  package enum JoinCondition: Sendable {
    case none
    case on(ExpressionSyntax)
    case using([Name])
    case natural
  }

  package enum TimeTravel: Sendable {
    /// `FOR SYSTEM_TIME AS OF e`, or `TIMESTAMP AS OF e`.
    case time(ExpressionSyntax)
    /// `VERSION AS OF 3` or `VERSION AS OF 'tag'`.
    case version(ExpressionSyntax)

    var value: ExpressionSyntax {
      switch self {
      case .time(let e), .version(let e): e
      }
    }
  }

  package indirect enum Kind: Sendable {
    case named(NamePath, hints: [HintSyntax], travel: TimeTravel?)
    case query(QuerySyntax, isLateral: Bool)
    /// `TABLE(f(…))`, `LATERAL TABLE(f(…))`, or a bare call.
    case function(CallSyntax, isLateral: Bool)
    case unnest(ExpressionSyntax, withOrdinality: Bool)
    case join(JoinKind, TableSyntax, TableSyntax, JoinCondition)
  }

  package var kind: Kind
  package var alias: AliasSyntax?
  package var span: SourceSpan
  let depth: Int32

  init(_ kind: Kind, alias: AliasSyntax? = nil, span: SourceSpan) {
    self.kind = kind
    self.alias = alias
    self.span = span
    switch kind {
    case .named(_, _, let travel): depth = 1 + (travel?.value.depth ?? 0)
    case .query(let query, _): depth = 1 + query.depth
    case .function(let call, _): depth = 1 + call.depth
    case .unnest(let e, _): depth = 1 + e.depth
    case .join(_, let left, let right, let condition):
      var deepest = max(left.depth, right.depth)
      if case .on(let e) = condition { deepest = max(deepest, e.depth) }
      depth = 1 + deepest
    }
  }
}
