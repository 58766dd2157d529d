package import Columns
import Dataflow

/// An argument of CALL.
package struct ProcedureArgument: Sendable {
  /// nil when it is given by position.
  package var name: String?
  package var value: Scalar
  package var type: DataType
  package var span: SourceSpan
}

extension Binder {
  /// The rows that DELETE takes away, or that UPDATE leaves: all columns of the table, in order.
  ///
  /// - Parameter values: what UPDATE sets; empty for DELETE.
  package func rows(
    of path: NamePath, where filter: ExpressionSyntax?,
    setting values: [(column: Name, value: ExpressionSyntax)] = []
  ) throws(TerraceError) -> BoundQuery {
    var select = SelectSyntax(span: path.span)
    select.from = TableSyntax(.named(path, hints: [], travel: nil), span: path.span)
    select.filter = filter
    let found = try rows(select, outer: nil)
    let columns = found.scope.star([]).map { found.scope.columns[$0] }
    var seen: Set<String> = []
    for value in values {
      guard columns.contains(where: { $0.name == value.column.text }) else {
        throw error(
          "column '\(value.column.text)' not found in '\(path.text)'", value.column.span,
          hint: Suggestion.hint(for: value.column.text, among: columns.map(\.name)))
      }
      guard seen.insert(value.column.text).inserted else {
        throw error("column '\(value.column.text)' is given twice", value.column.span)
      }
    }
    let c = ExpressionContext(found.scope, clause: "SET")
    var expressions: [Expression] = []
    for (i, column) in zip(found.scope.star([]), columns) {
      guard let given = values.first(where: { $0.column.text == column.name }) else {
        expressions.append(.column(i, column.type))
        continue
      }
      let value = try expression(given.value, c)
      guard TypeRules.canAssign(value.type, column.type) || holds(column.type, value) else {
        throw error(
          "\(value.type.nullable.text) does not fit column '\(column.name)', which is \(column.type.nullable.text)",
          given.value.span, hint: castHint(value.type, column.type, given.value.span))
      }
      expressions.append(value.casted(to: column.type).simplified(in: zone))
    }
    let plan = Plan.map(
      Plan.Map(input: found.plan, expressions: expressions, names: columns.map(\.name)))
    return BoundQuery(plan: PlanRewriter.rewrite(plan, zone), eventTimes: [], tables: tables)
  }

  /// The number is a constant that the type has.
  private func holds(_ type: DataType, _ number: Expression) -> Bool {
    guard TypeRules.family(type) == .number, TypeRules.family(number.type) == .number,
      case .literal(let given, let own) = number.folded(in: zone),
      case .literal(let kept, _) = number.casted(to: type).casted(to: own).folded(in: zone)
    else { return false }
    return given == kept
  }

  /// The constant arguments of CALL.
  package func arguments(_ arguments: [CallSyntax.Argument]) throws(TerraceError)
    -> [ProcedureArgument]
  {
    let c = ExpressionContext(Scope(), clause: "CALL")
    var out: [ProcedureArgument] = []
    for argument in arguments {
      let span = argument.value.span
      guard
        case .literal(let value, let type) = try expression(argument.value, c).simplified(in: zone)
      else { throw error("an argument of CALL is a constant", span) }
      if argument.name == nil, out.contains(where: { $0.name != nil }) {
        throw error("an argument without a name follows one with a name", span)
      }
      out.append(
        ProcedureArgument(name: argument.name?.text, value: value, type: type, span: span))
    }
    return out
  }
}
