package import Columns

/// Building expressions with the casts that the operands need.
extension Expression {
  /// This expression as `type`; itself when it is of that kind already.
  package func casted(to type: DataType) -> Expression {
    if self.type.kind == type.kind { return self }
    let target = DataType(type.kind, nullable: self.type.isNullable)
    if case .literal(.null, _) = self { return .literal(.null, target.nullable) }
    return .cast(self, target, orNull: false)
  }

  /// CAST or TRY_CAST as written.
  ///
  /// - Throws: `invalid`, when there is no such cast.
  package static func casting(
    _ operand: Expression, to type: DataType, orNull: Bool = false
  ) throws(TerraceError) -> Expression {
    guard TypeRules.canCast(operand.type, type) else {
      throw TerraceError(
        .invalid, "cannot cast \(operand.type.nullable.text) to \(type.nullable.text)")
    }
    if case .literal(.null, _) = operand { return .literal(.null, type.nullable) }
    let nullable = orNull || operand.type.isNullable
    return .cast(operand, DataType(type.kind, nullable: nullable), orNull: orNull)
  }

  /// A call of a registered function, arguments cast to its parameters.
  ///
  /// - Throws: `invalid`, when there is no such function or the arguments do not fit.
  package static func calling(
    _ name: String, _ arguments: [Expression]
  ) throws(TerraceError) -> Expression {
    let (name, arguments) = composingJSON(name, arguments)
    // a[i] of an array is by position, m[k] of a map by key.
    let isArray = arguments.first.map { TypeRules.family($0.type) == .array } ?? false
    guard
      let function = FunctionRegistry.function(name == "$ELEMENT" && isArray ? "$AT" : name)
    else {
      throw TerraceError(.invalid, "no function \(name.uppercased())")
    }
    return try function.bind(arguments)
  }

  /// `left op right` over their common type.
  ///
  /// - Throws: `invalid`, when values of these types are not compared.
  package static func comparing(
    _ op: Predicate.Comparison, _ left: Expression, _ right: Expression
  ) throws(TerraceError) -> Expression {
    let (a, b) = try matched(left, right, "compare")
    if TypeRules.holdsBoth(left.type, right.type) { return .compare(op, a, b) }
    let exact = Expression.compare(
      op, try calling("$ORDER", [left, right]), .literal(.int(0), DataType.int.notNull))
    // What is equal is equal when it is rounded, too: so a join still finds its rows by key.
    return op == .equal ? .and([.compare(op, a, b), exact]) : exact
  }

  /// `left IS [NOT] DISTINCT FROM right`.
  package static func distinguishing(
    _ left: Expression, _ right: Expression, negated: Bool
  ) throws(TerraceError) -> Expression {
    let (a, b) = try matched(left, right, "compare")
    return .distinct(a, b, negated: negated)
  }

  private static func matched(
    _ left: Expression, _ right: Expression, _ verb: String
  ) throws(TerraceError) -> (Expression, Expression) {
    guard let type = TypeRules.comparable(left.type, right.type) else {
      throw TerraceError(
        .invalid,
        "cannot \(verb) \(left.type.nullable.text) with \(right.type.nullable.text)"
      ).hint("cast one side to the type of the other")
    }
    let target = TypeRules.family(type) == .null ? DataType.string : type
    return (left.casted(to: target), right.casted(to: target))
  }

  /// `operand IN (list)`: a literal list where all members are constants, else a chain of OR.
  package static func membership(
    of operand: Expression, in list: [Expression], zone: SessionZone
  ) throws(TerraceError) -> Expression {
    guard let type = TypeRules.common([operand.type] + list.map(\.type)),
      list.allSatisfy({ TypeRules.holdsBoth(operand.type, $0.type) })
    else {
      var parts: [Expression] = []
      for member in list { parts.append(try comparing(.equal, operand, member)) }
      return .or(parts)
    }
    let cast = operand.casted(to: type)
    var literals: [Scalar] = []
    for member in list {
      guard case .literal(let value, _) = member.casted(to: type).folded(in: zone) else {
        var parts: [Expression] = []
        for member in list { parts.append(try comparing(.equal, operand, member)) }
        return .or(parts)
      }
      literals.append(value)
    }
    return .inList(cast, literals)
  }

  /// CASE WHEN … with all values of one type; `otherwise` nil is NULL.
  package static func choosing(
    _ branches: [(condition: Expression, value: Expression)], otherwise: Expression?
  ) throws(TerraceError) -> Expression {
    let last = otherwise ?? .untypedNull
    let values = branches.map(\.value) + [last]
    guard let type = TypeRules.common(values.map(\.type)) else {
      // NULL, and an ELSE that is not there, have no type of their own.
      let typed = values.filter { TypeRules.family($0.type) != .null }
      let names = typed.map { $0.type.nullable.text }.joined(separator: ", ")
      throw TerraceError(.invalid, "the results of CASE have no common type: \(names)")
    }
    let target = TypeRules.family(type) == .null ? DataType.string : type
    return .branches(
      branches.map { Branch($0.condition, $0.value.casted(to: target)) },
      otherwise: last.casted(to: target), target)
  }

  /// The literal this expression always gives, or itself: when it is not constant, is nested, or
  /// fails (which then is said when rows come).
  ///
  /// - Parameter zone: of the session, as rows are computed in.
  package func folded(in zone: SessionZone) -> Expression {
    if case .literal = self { return self }
    guard isConstant, type.physical != .list, type.physical != .map, type.physical != .row else {
      return self
    }
    let evaluator = Evaluator(context: EvaluationContext(zone: zone))
    // A constant that fails is left as it is: it must fail only when a row asks for it.
    guard let column = try? evaluator.evaluate(self, [], count: 1) else { return self }
    return .literal(column.scalar(0), type)
  }
}
