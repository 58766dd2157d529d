import Columns
import Dataflow

/// Where an expression stands: what it can name and what it may contain.
final class ExpressionContext {
  let scope: Scope
  /// Columns of the query around; nil where it cannot be seen.
  var outer: Scope?
  /// The rows that the scope is of, column for column; sub-queries that depend on them need it.
  var input: Plan?
  /// For messages: `WHERE`, `GROUP BY`, ….
  var clause: String
  /// Aggregates found so far; nil where none may be.
  var aggregates: AggregateCollector?
  /// Window functions found so far; nil where none may be.
  var overs: OverCollector?
  /// Scalar sub-queries found so far; nil where none may be.
  var queries: QueryCollector?
  /// What GROUP BY says, for GROUPING(…).
  var grouping: Grouping?
  /// The group window of GROUP BY TUMBLE(…), that TUMBLE_START and its like refer to.
  var groupWindow: GroupWindow?
  /// Where each column was last named, for messages about it.
  var spans: [Int: SourceSpan] = [:]
  /// Inside an aggregate's argument.
  var isInsideAggregate = false

  init(_ scope: Scope, outer: Scope? = nil, input: Plan? = nil, clause: String) {
    self.scope = scope
    self.input = input
    self.outer = outer
    self.clause = clause
  }
}

/// Aggregates of one SELECT over expressions of its input, each distinct one once.
final class AggregateCollector {
  struct Call: Hashable {
    var function: AggregateCall.Function
    var argument: Expression?
    var isDistinct: Bool
    var filter: Expression?
    var separator: [UInt8]
    var type: DataType
  }

  let isGrouped: Bool
  private(set) var calls: [Call] = []

  init(isGrouped: Bool) { self.isGrouped = isGrouped }

  func marker(_ call: Call) -> Expression {
    let index: Int
    if let known = calls.firstIndex(of: call) {
      index = known
    } else {
      index = calls.count
      calls.append(call)
    }
    return .column(Marker.aggregate + index, call.type)
  }
}

/// Window functions of one SELECT.
final class OverCollector {
  struct Order: Hashable {
    var value: Expression
    var descending: Bool
    var nullsFirst: Bool?
  }

  enum Function: Hashable {
    case aggregate(AggregateCollector.Call)
    case rowNumber, rank, denseRank, percentRank, cumulativeDistribution
    case tiles(Int)
    case lag(Expression, offset: Int, fallback: Expression?)
  }

  struct Call: Hashable {
    var function: Function
    var partition: [Expression]
    var order: [Order]
    var frame: OverCall.Frame
    var type: DataType
    var name: String
  }

  /// Windows that WINDOW names.
  let windows: [SelectSyntax.NamedWindow]
  private(set) var calls: [Call] = []

  init(windows: [SelectSyntax.NamedWindow]) { self.windows = windows }

  func marker(_ call: Call) -> Expression {
    let index: Int
    if let known = calls.firstIndex(of: call) {
      index = known
    } else {
      index = calls.count
      calls.append(call)
    }
    return .column(Marker.over + index, call.type)
  }
}

/// Scalar sub-queries of one SELECT.
final class QueryCollector {
  private(set) var queries: [ScalarQuery] = []

  func marker(_ query: ScalarQuery) -> Expression {
    queries.append(query)
    return .column(Marker.query + queries.count - 1, query.type)
  }
}

/// GROUP BY TUMBLE(time, size) and its like.
struct GroupWindow {
  var call: CallSyntax
  var time: Expression
  var window: Window
}
