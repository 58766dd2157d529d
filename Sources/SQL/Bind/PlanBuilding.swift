import Columns
import Dataflow

/// Small steps that build plans out of bound expressions.
enum PlanBuilding {
  /// Conjuncts of a condition, nested ANDs taken apart.
  static func conjuncts(_ e: Expression) -> [Expression] {
    if case .and(let parts) = e { return parts.flatMap(conjuncts) }
    return [e]
  }

  static func conjunction(_ parts: [Expression]) -> Expression? {
    parts.isEmpty ? nil : parts.count == 1 ? parts[0] : .and(parts)
  }

  static func filter(_ plan: Plan, _ conditions: [Expression]) -> Plan {
    guard let condition = conjunction(conditions) else { return plan }
    return .map(Plan.Map(filtering: plan, by: condition))
  }

  static func columns(of plan: Plan) -> [Expression] {
    plan.type.fields.enumerated().map { .column($0.offset, $0.element.type) }
  }

  /// The same columns in other types.
  static func cast(_ plan: Plan, to type: RowType) -> Plan {
    .map(
      Plan.Map(
        input: plan,
        expressions: zip(columns(of: plan), type.fields).map { $0.casted(to: $1.type) },
        names: type.fields.map(\.name)))
  }

  /// Only some columns, in this order.
  static func project(_ plan: Plan, _ kept: [Int]) -> Plan {
    let fields = plan.type.fields
    if kept == Array(fields.indices) { return plan }
    return .map(
      Plan.Map(
        input: plan, expressions: kept.map { .column($0, fields[$0].type) },
        names: kept.map { fields[$0].name }))
  }

  /// The plan with expressions appended, those that are columns already left out.
  ///
  /// - Returns: the plan, and where each expression is.
  static func appending(_ expressions: [Expression], to plan: Plan) -> (Plan, [Int]) {
    let fields = plan.type.fields
    var all = columns(of: plan)
    var names = fields.map(\.name)
    var places: [Int] = []
    for e in expressions {
      if case .column(let index, _) = e {
        places.append(index)
      } else if let known = all[fields.count...].firstIndex(of: e) {
        places.append(known)
      } else {
        places.append(all.count)
        names.append("$\(all.count)")
        all.append(e)
      }
    }
    if all.count == fields.count { return (plan, places) }
    return (.map(Plan.Map(input: plan, expressions: all, names: names)), places)
  }

  /// A plan of just these expressions, each distinct one once.
  static func computing(_ expressions: [Expression], from plan: Plan) -> (Plan, [Int]) {
    var all: [Expression] = []
    var places: [Int] = []
    for e in expressions {
      if let known = all.firstIndex(of: e) {
        places.append(known)
      } else {
        places.append(all.count)
        all.append(e)
      }
    }
    let fields = plan.type.fields
    let names = all.enumerated().map { i, e in
      if case .column(let index, _) = e { return fields[index].name }
      return "$\(i)"
    }
    return (.map(Plan.Map(input: plan, expressions: all, names: names)), places)
  }

  /// A join on any condition: equalities between the sides become keys, the rest is residual.
  ///
  /// - Parameters:
  ///   - conditions: over the left columns followed by the right ones.
  ///   - notIn: for NOT IN: the left value and the right value, over the columns of each side alone.
  static func join(
    _ kind: Plan.Join.Kind, _ left: Plan, _ right: Plan, _ conditions: [Expression],
    notIn: (left: Expression, right: Expression)? = nil
  ) -> Plan {
    let width = left.type.count
    let rightWidth = right.type.count
    var leftKeys: [Expression] = []
    var rightKeys: [Expression] = []
    var nullSafe: [Bool] = []
    var residual: [Expression] = []
    for condition in conditions {
      guard let key = equality(condition, width) else {
        residual.append(condition)
        continue
      }
      leftKeys.append(key.left)
      rightKeys.append(key.right.renumbered { $0 - width })
      nullSafe.append(key.nullSafe)
    }
    if let notIn {
      leftKeys.append(notIn.left)
      rightKeys.append(notIn.right)
      nullSafe.append(false)
    }
    let (leftPlan, leftPlaces) = appending(leftKeys, to: left)
    let (rightPlan, rightPlaces) = appending(rightKeys, to: right)
    let wide = leftPlan.type.count
    let shifted = conjunction(residual)?.renumbered { $0 < width ? $0 : $0 - width + wide }
    let join = Plan.join(
      Plan.Join(
        kind, left: leftPlan, right: rightPlan, leftKeys: leftPlaces, rightKeys: rightPlaces,
        nullSafe: nullSafe, residual: shifted, isNullAware: notIn != nil))
    if kind == .semi || kind == .anti { return project(join, Array(0..<width)) }
    return project(join, Array(0..<width) + Array(wide..<wide + rightWidth))
  }

  /// left = right with each side over columns of one input only.
  private static func equality(_ e: Expression, _ width: Int) -> (
    left: Expression, right: Expression, nullSafe: Bool
  )? {
    let a: Expression
    let b: Expression
    let nullSafe: Bool
    switch e {
    case .compare(.equal, let x, let y): (a, b, nullSafe) = (x, y, false)
    case .distinct(let x, let y, negated: true): (a, b, nullSafe) = (x, y, true)
    default: return nil
    }
    guard a.type.kind == b.type.kind, a.isDeterministic, b.isDeterministic else { return nil }
    let (left, right) = (a.columns, b.columns)
    if left.isEmpty || right.isEmpty { return nil }
    if left.allSatisfy({ $0 < width }), right.allSatisfy({ $0 >= width }) {
      return (a, b, nullSafe)
    }
    if right.allSatisfy({ $0 < width }), left.allSatisfy({ $0 >= width }) {
      return (b, a, nullSafe)
    }
    return nil
  }

  /// Without a sort that cuts nothing: below other operators an order means nothing.
  static func unsorted(_ plan: Plan) -> Plan {
    switch plan {
    case .sort(let sort) where sort.limit == nil && sort.offset == 0: return sort.input
    case .map(var map):
      map.input = unsorted(map.input)
      return .map(map)
    default: return plan
    }
  }

  /// Whether a column is NULL as written, and so has any type that is asked for.
  static func isAlwaysNull(_ plan: Plan, _ column: Int) -> Bool {
    switch plan {
    case .map(let map):
      switch map.expressions[column] {
      case .literal(let value, _): return value == .null
      case .column(let index, _): return isAlwaysNull(map.input, index)
      default: return false
      }
    case .values(let values):
      return values.rows.allSatisfy { row in
        if case .literal(.null, _) = row[column] { return true }
        return false
      }
    case .union(let inputs): return inputs.allSatisfy { isAlwaysNull($0, column) }
    case .sort(let sort): return isAlwaysNull(sort.input, column)
    default: return false
    }
  }

  /// OFFSET and LIMIT among the rows that agree in the columns of `partition`.
  static func cut(
    _ plan: Plan, partition: [Int], order: [SortKey], offset: Int, limit: Int?
  ) -> Plan {
    if limit == nil, offset == 0 { return plan }
    let width = plan.type.count
    let type = DataType.bigint.notNull
    let over = Plan.over(
      Plan.Over(
        input: plan, partition: partition, order: order,
        calls: [OverCall(.rowNumber, frame: .upToCurrent, name: "$row", type: type)]))
    let row = Expression.column(width, type)
    var conditions: [Expression] = []
    if offset > 0 { conditions.append(.compare(.greater, row, .bigint(Int64(offset)))) }
    if let limit {
      conditions.append(.compare(.lessOrEqual, row, .bigint(Int64(offset + limit))))
    }
    return project(filter(over, conditions), Array(0..<width))
  }

  /// At most one row, whatever comes in.
  static func isSingleRow(_ plan: Plan) -> Bool {
    switch plan {
    case .aggregate(let node): node.keys.isEmpty
    case .map(let node): isSingleRow(node.input)
    case .values(let values): values.rows.count <= 1
    case .sort(let sort): sort.limit.map { $0 <= 1 } ?? false || isSingleRow(sort.input)
    case .join(let join): join.leftKeys.isEmpty && isSingleRow(join.left) && isSingleRow(join.right)
    default: false
    }
  }
}

extension PlanBuilding {
  /// GROUP BY over expressions of the input.
  ///
  /// - Returns: the plan, whose columns are the distinct keys and then the calls; and these keys.
  static func aggregate(
    _ plan: Plan, keys: [Expression], calls: [AggregateCollector.Call]
  ) -> (Plan, [Expression]) {
    var distinct: [Expression] = []
    for key in keys where !distinct.contains(key) { distinct.append(key) }
    var needed = distinct
    for call in calls {
      if let argument = call.argument { needed.append(argument) }
      if let filter = call.filter { needed.append(filter) }
    }
    // COUNT(*) alone reads nothing; a column is kept so that there are rows to count.
    if needed.isEmpty { needed = [.boolean(true)] }
    let (input, places) = computing(needed, from: plan)
    let aggregate = Plan.Aggregate(
      input: input, keys: Array(places[..<distinct.count]),
      calls: self.calls(calls, Array(places[distinct.count...])))
    return (.aggregate(aggregate), distinct)
  }

  /// Calls whose arguments and filters stand, in turn, at `places`.
  static func calls(_ calls: [AggregateCollector.Call], _ places: [Int]) -> [AggregateCall] {
    var next = 0
    func place(_ e: Expression?) -> Int? {
      if e == nil { return nil }
      next += 1
      return places[next - 1]
    }
    return calls.enumerated().map { i, call in
      let argument = place(call.argument)
      return AggregateCall(
        call.function, argument: argument, isDistinct: call.isDistinct,
        filter: place(call.filter), separator: call.separator,
        name: "\(call.function.rawValue)$\(i)", type: call.type)
    }
  }
}
