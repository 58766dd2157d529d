package import Columns

/// An expression as it is written.
package struct ExpressionSyntax: Sendable {
  package indirect enum Kind: Sendable {
    case literal(LiteralSyntax)
    case column(NamePath)
    /// `*` or `t.*`
    case star([Name])
    case negate(ExpressionSyntax)
    case plus(ExpressionSyntax)
    case not(ExpressionSyntax)
    case binary(BinaryOperator, ExpressionSyntax, ExpressionSyntax)
    /// Two or more; chains of one operator are flat.
    case and([ExpressionSyntax])
    case or([ExpressionSyntax])
    case test(ExpressionSyntax, TruthTest, negated: Bool)
    case distinctFrom(ExpressionSyntax, ExpressionSyntax, negated: Bool)
    case between(
      ExpressionSyntax, low: ExpressionSyntax, high: ExpressionSyntax, symmetric: Bool,
      negated: Bool)
    case like(
      ExpressionSyntax, pattern: ExpressionSyntax, escape: ExpressionSyntax?, similar: Bool,
      negated: Bool)
    case inList(ExpressionSyntax, [ExpressionSyntax], negated: Bool)
    case inQuery(ExpressionSyntax, QuerySyntax, negated: Bool)
    case exists(QuerySyntax)
    case query(QuerySyntax)
    case choose(
      ExpressionSyntax?, [(when: ExpressionSyntax, then: ExpressionSyntax)],
      otherwise: ExpressionSyntax?)
    /// The type's text span is kept for messages.
    case cast(ExpressionSyntax, DataType, typeSpan: SourceSpan, isTry: Bool)
    case call(CallSyntax)
    case row([ExpressionSyntax])
    case array([ExpressionSyntax])
    /// Keys and values in turn.
    case map([ExpressionSyntax])
    case element(ExpressionSyntax, ExpressionSyntax)
    case member(ExpressionSyntax, Name)
    case trim(TrimSide, ExpressionSyntax?, ExpressionSyntax)
    /// A unit as argument of EXTRACT, FLOOR, CEIL, TIMESTAMPADD, TIMESTAMPDIFF.
    case unit(TimeUnit)
    /// A table as argument of a table function.
    case table(TableSyntax)
    /// `DESCRIPTOR(a, b)`
    case descriptor([Name])
    /// A word with a meaning for the function before it, like `NULL ON ERROR` in JSON functions.
    case words(String)
  }

  package let kind: Kind
  package let span: SourceSpan
  /// Levels below this one, itself counted.
  let depth: Int32

  init(_ kind: Kind, _ span: SourceSpan) {
    self.kind = kind
    self.span = span
    self.depth = 1 + ExpressionSyntax.depthBelow(kind)
  }

  private static func deepest(_ parts: [ExpressionSyntax]) -> Int32 {
    parts.reduce(0) { max($0, $1.depth) }
  }

  private static func depthBelow(_ kind: Kind) -> Int32 {
    switch kind {
    case .literal, .column, .star, .unit, .descriptor, .words: 0
    case .negate(let e), .plus(let e), .not(let e), .test(let e, _, _), .cast(let e, _, _, _),
      .member(let e, _):
      e.depth
    case .binary(_, let a, let b), .distinctFrom(let a, let b, _), .element(let a, let b):
      max(a.depth, b.depth)
    case .and(let parts), .or(let parts), .row(let parts), .array(let parts), .map(let parts):
      deepest(parts)
    case .between(let e, let low, let high, _, _): max(e.depth, low.depth, high.depth)
    case .like(let e, let pattern, let escape, _, _):
      max(e.depth, pattern.depth, escape?.depth ?? 0)
    case .inList(let e, let list, _): max(e.depth, deepest(list))
    case .inQuery(let e, let query, _): max(e.depth, query.depth)
    case .exists(let query), .query(let query): query.depth
    case .choose(let operand, let branches, let otherwise):
      max(
        operand?.depth ?? 0, otherwise?.depth ?? 0, deepest(branches.map(\.when)),
        deepest(branches.map(\.then)))
    case .call(let call): call.depth
    case .trim(_, let characters, let e): max(characters?.depth ?? 0, e.depth)
    case .table(let table): table.depth
    }
  }
}

package enum LiteralSyntax: Sendable {
  case null
  case boolean(Bool)
  /// Digits without a point, as written.
  case integer(String)
  /// Digits with a point, as written.
  case decimal(String)
  /// With an exponent, as written.
  case approximate(String)
  case string(String)
  case binary([UInt8])
  case date(String)
  case time(String)
  case timestamp(String)
  case interval(IntervalSyntax)
}

/// `INTERVAL '1-2' YEAR TO MONTH`
package struct IntervalSyntax: Sendable {
  package var isNegative: Bool
  package var text: String
  package var from: TimeUnit
  package var to: TimeUnit?
  package var precision: Int?
}

package enum TimeUnit: String, Sendable, CaseIterable {
  case millennium, century, decade, year, quarter, month, week, day, hour, minute, second
  case millisecond, microsecond, nanosecond, epoch, doy, dow, isodow, isoyear
}

package enum BinaryOperator: String, Sendable {
  case equal = "=", notEqual = "<>", less = "<", lessOrEqual = "<=", greater = ">"
  case greaterOrEqual = ">="
  case add = "+", subtract = "-", multiply = "*", divide = "/", remainder = "%", concat = "||"

  var isComparison: Bool {
    switch self {
    case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: true
    default: false
    }
  }
}

package enum TruthTest: String, Sendable {
  case null = "NULL", isTrue = "TRUE", isFalse = "FALSE", unknown = "UNKNOWN", json = "JSON"
  case jsonValue = "JSON VALUE", jsonObject = "JSON OBJECT", jsonArray = "JSON ARRAY"
  case jsonScalar = "JSON SCALAR"
}

package enum TrimSide: String, Sendable {
  case both = "BOTH", leading = "LEADING", trailing = "TRAILING"
}

/// A call of a function, an aggregate or a window function.
package struct CallSyntax: Sendable {
  package struct Argument: Sendable {
    /// `name => value`
    package var name: Name?
    package var value: ExpressionSyntax
  }

  package var name: NamePath
  package var arguments: [Argument]
  package var isDistinct = false
  /// `CURRENT_DATE` and its like are called without parentheses.
  package var isBare = false
  /// Of a table argument, as in SESSION(TABLE t PARTITION BY k, …).
  package var partitionBy: [ExpressionSyntax] = []
  /// Inside the parentheses, as in ARRAY_AGG(x ORDER BY y).
  package var orderBy: [OrderSyntax] = []
  package var ignoresNulls: Bool?
  package var filter: ExpressionSyntax?
  package var withinGroup: [OrderSyntax] = []
  package var over: WindowSyntax?

  /// The name in upper case, which is how built-in functions are known.
  package var upperName: String { name.text.uppercased() }

  var depth: Int32 {
    var deepest = max(filter?.depth ?? 0, over?.depth ?? 0)
    for argument in arguments { deepest = max(deepest, argument.value.depth) }
    for part in partitionBy { deepest = max(deepest, part.depth) }
    for order in orderBy + withinGroup { deepest = max(deepest, order.value.depth) }
    return deepest
  }
}

package struct OrderSyntax: Sendable {
  package var value: ExpressionSyntax
  package var isDescending: Bool
  package var nullsFirst: Bool?
}

/// What stands after OVER, or is named by WINDOW.
package struct WindowSyntax: Sendable {
  package enum Bound: Sendable {
    case unboundedPreceding, currentRow, unboundedFollowing
    indirect case preceding(ExpressionSyntax)
    indirect case following(ExpressionSyntax)

    var depth: Int32 {
      switch self {
      case .preceding(let e), .following(let e): e.depth
      default: 0
      }
    }
  }

  package struct Frame: Sendable {
    package var isRows: Bool
    package var from: Bound
    package var to: Bound?
  }

  /// `OVER w` or `OVER (w …)`
  package var base: Name?
  package var partitionBy: [ExpressionSyntax]
  package var orderBy: [OrderSyntax]
  package var frame: Frame?
  package var span: SourceSpan

  var depth: Int32 {
    var deepest = max(frame?.from.depth ?? 0, frame?.to?.depth ?? 0)
    for e in partitionBy { deepest = max(deepest, e.depth) }
    for order in orderBy { deepest = max(deepest, order.value.depth) }
    return deepest
  }
}
