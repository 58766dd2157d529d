package import Columns

/// A bound, typed scalar expression over the columns of one input row.
///
/// Values are three-valued as SQL's: null is unknown. Operands of comparisons, of IN lists and the
/// results of CASE branches have one type: whoever builds an expression inserts the casts (see
/// `Expression.comparing`, `Expression.calling` and their neighbours, which do that).
///
/// Intervals are no column type. A day-time interval is a BIGINT literal of milliseconds, a
/// year-month interval an INT literal of months, and they are added by the functions `$ADD_MILLIS`
/// and `$ADD_MONTHS`. Time units of EXTRACT, TIMESTAMPADD, FLOOR(… TO …) are text literals.
package indirect enum Expression: Hashable, Sendable {
  /// Column of the input row, from 0.
  case column(Int, DataType)
  /// A constant that lies as its type does. Nested constants are calls of ARRAY, MAP and ROW.
  case literal(Scalar, DataType)
  /// A function of ``FunctionRegistry`` by its name there, arguments as its binding asks for.
  case call(String, [Expression], DataType)
  /// CAST, or TRY_CAST when `orNull`.
  case cast(Expression, DataType, orNull: Bool)
  /// CASE WHEN …: the first branch whose condition is true.
  case branches([Branch], otherwise: Expression, DataType)
  case and([Expression])
  case or([Expression])
  case not(Expression)
  case compare(Predicate.Comparison, Expression, Expression)
  /// IS [NOT] DISTINCT FROM; never null.
  case distinct(Expression, Expression, negated: Bool)
  case isNull(Expression)
  case isNotNull(Expression)
  /// IS TRUE (true), IS FALSE (false), IS UNKNOWN (nil); never null. Their negations by `not`.
  case isTruth(Expression, Bool?)
  /// Literals that lie as the operand does; `.null` among them makes a miss unknown.
  case inList(Expression, [Scalar])
  /// LIKE. The escape is one character of text, or nil.
  case like(Expression, pattern: Expression, escape: Expression?)

  /// WHEN condition THEN value.
  package struct Branch: Hashable, Sendable {
    package var condition: Expression
    package var value: Expression
    package init(_ condition: Expression, _ value: Expression) {
      self.condition = condition
      self.value = value
    }
  }

  /// The type of its values, nullability included.
  package var type: DataType {
    switch self {
    case .column(_, let type), .literal(_, let type), .call(_, _, let type),
      .cast(_, let type, _), .branches(_, _, let type):
      return type
    case .distinct, .isNull, .isNotNull, .isTruth: return DataType.boolean.notNull
    case .inList(let operand, let list):
      return DataType(.boolean, nullable: operand.type.isNullable || list.contains(.null))
    case .and, .or, .not, .compare, .like:
      return DataType(.boolean, nullable: children.contains { $0.type.isNullable })
    }
  }

  package var children: [Expression] {
    switch self {
    case .column, .literal: []
    case .call(_, let arguments, _): arguments
    case .cast(let e, _, _), .not(let e), .isNull(let e), .isNotNull(let e), .isTruth(let e, _),
      .inList(let e, _):
      [e]
    case .branches(let branches, let otherwise, _):
      branches.flatMap { [$0.condition, $0.value] } + [otherwise]
    case .and(let parts), .or(let parts): parts
    case .compare(_, let a, let b), .distinct(let a, let b, _): [a, b]
    case .like(let text, let pattern, let escape):
      [text, pattern] + (escape.map { [$0] } ?? [])
    }
  }

  /// The same expression with every direct child replaced by `change(child)`.
  package func mapChildren(_ change: (Expression) -> Expression) -> Expression {
    switch self {
    case .column, .literal: self
    case .call(let name, let arguments, let type): .call(name, arguments.map(change), type)
    case .cast(let e, let type, let orNull): .cast(change(e), type, orNull: orNull)
    case .branches(let branches, let otherwise, let type):
      .branches(
        branches.map { Branch(change($0.condition), change($0.value)) },
        otherwise: change(otherwise), type)
    case .and(let parts): .and(parts.map(change))
    case .or(let parts): .or(parts.map(change))
    case .not(let e): .not(change(e))
    case .compare(let op, let a, let b): .compare(op, change(a), change(b))
    case .distinct(let a, let b, let negated): .distinct(change(a), change(b), negated: negated)
    case .isNull(let e): .isNull(change(e))
    case .isNotNull(let e): .isNotNull(change(e))
    case .isTruth(let e, let truth): .isTruth(change(e), truth)
    case .inList(let e, let list): .inList(change(e), list)
    case .like(let text, let pattern, let escape):
      .like(change(text), pattern: change(pattern), escape: escape.map(change))
    }
  }

  /// The same expression over other columns: column i becomes `replacement(i)`.
  package func replacingColumns(_ replacement: (Int) -> Expression) -> Expression {
    if case .column(let index, _) = self { return replacement(index) }
    return mapChildren { $0.replacingColumns(replacement) }
  }

  /// Column i becomes column `map(i)`, of the same type.
  package func renumbered(_ map: (Int) -> Int) -> Expression {
    if case .column(let index, let type) = self { return .column(map(index), type) }
    return mapChildren { $0.renumbered(map) }
  }

  /// Input columns it reads.
  package var columns: Set<Int> {
    if case .column(let index, _) = self { return [index] }
    return children.reduce(into: []) { $0.formUnion($1.columns) }
  }

  /// False when it calls something like RAND(), UUID() or NOW() anywhere.
  package var isDeterministic: Bool {
    if case .call(let name, _, _) = self,
      FunctionRegistry.function(name)?.isDeterministic == false
    {
      return false
    }
    return children.allSatisfy(\.isDeterministic)
  }

  /// Needs no row: can be evaluated once.
  package var isConstant: Bool { columns.isEmpty && isDeterministic }

  package static func boolean(_ value: Bool) -> Expression {
    .literal(.boolean(value), DataType.boolean.notNull)
  }
  package static func int(_ value: Int) -> Expression {
    .literal(.int(Int64(value)), DataType.int.notNull)
  }
  package static func bigint(_ value: Int64) -> Expression {
    .literal(.int(value), DataType.bigint.notNull)
  }
  /// A string literal: CHAR(n) NOT NULL, as Flink types it.
  package static func text(_ value: String) -> Expression {
    .literal(.text(value), DataType(.char(max(1, value.unicodeScalars.count)), nullable: false))
  }
  /// NULL before its type is known.
  package static let untypedNull = Expression.literal(.null, TypeRules.untypedNull)
}
