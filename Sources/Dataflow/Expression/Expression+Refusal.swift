package import Columns

extension Expression {
  /// Functions that look at their constants only where a row has a value; any value does.
  private static let looksAtRows: Set<String> = [
    "DATE_FORMAT", "ENCODE", "FROM_UNIXTIME", "SHA2", "TO_TIMESTAMP_LTZ",
  ]

  private static func zero(_ type: DataType) -> Column {
    let value: Scalar
    switch type.physical {
    case .int128: value = .int128(0)
    case .float32: value = .float(0)
    case .float64: value = .double(0)
    default: value = .int(0)
    }
    return Column.repeating(value, type: type.nullable, count: 1)
  }

  /// What a call or LIKE will not do with arguments of these types, or with these constants, whatever the rows
  /// hold: a broken pattern, a path that is a column. It is asked of one row whose columns are null, which
  /// no kernel looks at.
  ///
  /// A call of constants alone is not asked: it may fail by its values, and that only where a row asks for it.
  package func refusal(in zone: SessionZone) -> TerraceError? {
    var columns: [Column] = []
    var givesValues = false
    func column(_ type: DataType) -> Column {
      guard givesValues else { return Column.repeatingNull(type.nullable, count: 1) }
      switch TypeRules.family(type) {
      case .text: return Column.repeating(.bytes([]), type: type.nullable, count: 1)
      case .number, .date, .time, .timestamp, .localTimestamp:
        return Expression.zero(type)
      default: return Column.repeatingNull(type.nullable, count: 1)
      }
    }
    func asked(_ argument: Expression) -> Expression {
      let folded = argument.folded(in: zone)
      if case .literal = folded { return folded }
      columns.append(column(argument.type))
      return .column(columns.count - 1, argument.type.nullable)
    }
    let question: Expression
    switch self {
    case .call(let name, let arguments, let type):
      guard FunctionRegistry.function(name)?.isDeterministic ?? false else { return nil }
      givesValues = Expression.looksAtRows.contains(name)
      question = .call(name, arguments.map(asked), type.nullable)
    case .like(let value, let pattern, let escape):
      question = .like(asked(value), pattern: asked(pattern), escape: escape.map(asked))
    case .cast(let inner, _, _): return inner.refusal(in: zone)
    default: return nil
    }
    if columns.isEmpty { return nil }
    let evaluator = Evaluator(context: EvaluationContext(zone: zone))
    do throws(TerraceError) {
      _ = try evaluator.evaluate(question, columns, count: 1)
      return nil
    } catch {
      func fact(_ name: String) -> String? { error.facts.first { $0.name == name }?.value }
      guard let function = fact("function"), let value = fact("value") else { return error }
      return TerraceError(
        error.kind, "\(function): \(error.message), not \(value)", hint: error.hint)
    }
  }
}
