import Columns

@testable import Dataflow

/// Foundation, which XCTest brings along, has one of its own.
typealias Expression = Dataflow.Expression

/// A seeded generator (splitmix64), so that a failure can be run again.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func below(_ n: Int) -> Int { Int(next() % UInt64(max(n, 1))) }
  mutating func chance(_ n: Int) -> Bool { below(n) == 0 }
  mutating func pick<T>(_ list: [T]) -> T { list[below(list.count)] }
}

/// Random queries over three small tables, and random histories of those tables.
struct RandomPlans {
  var random: SeededRandom
  static let tables = ["a", "b", "c"]
  static let columns: [(String, DataType)] = [
    ("k", .int), ("v", .bigint), ("s", .string), ("d", .double), ("flag", .boolean),
  ]
  static let tableType = RowType(columns)

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  // MARK: - Rows

  mutating func scalar(_ type: DataType) -> Scalar {
    if random.chance(6) { return .null }
    switch type.physical {
    case .boolean: return .boolean(random.chance(2))
    case .int32: return .int(Int64(random.below(6)))
    case .int64: return .int(random.chance(20) ? Int64.max : Int64(random.below(9)) - 3)
    case .float64: return .double(Double(random.below(12)) / 4 - 1)
    default: return .text(random.pick(["", "a", "b", "ab", "abcdefghij", "é"]))
    }
  }

  mutating func row() -> Row { RandomPlans.columns.map { scalar($0.1) } }

  /// Changes of one table that leave no row negative: inserts, deletes and updates, shuffled.
  mutating func changes(of bag: inout Bag, count: Int, mayDelete: Bool) -> [(Row, Int)] {
    var out: [(Row, Int)] = []
    func apply(_ row: Row, _ n: Int) {
      out.append((row, n))
      bag[row, default: 0] += n
      if bag[row] == 0 { bag[row] = nil }
    }
    for _ in 0..<count {
      let keys = bag.keys.sorted { "\($0)" < "\($1)" }
      switch keys.isEmpty || !mayDelete ? 0 : random.below(4) {
      case 0, 1: apply(row(), random.chance(5) ? 2 : 1)
      case 2: apply(random.pick(keys), -1)
      default:
        let old = random.pick(keys)
        apply(old, -1)
        var new = old
        let column = random.below(new.count)
        new[column] = scalar(RandomPlans.columns[column].1)
        apply(new, 1)
      }
    }
    out.shuffle(using: &random)
    return out
  }

  // MARK: - Plans

  mutating func plan(depth: Int, appendOnly: Bool) -> Plan {
    if depth == 0 { return source(appendOnly) }
    switch random.below(14) {
    case 0, 1: return map(plan(depth: depth - 1, appendOnly: appendOnly))
    case 2, 3, 4, 5:
      return join(
        plan(depth: depth - 1, appendOnly: appendOnly),
        plan(depth: random.below(depth), appendOnly: appendOnly))
    case 6, 7: return aggregate(plan(depth: depth - 1, appendOnly: appendOnly))
    case 8: return rank(plan(depth: depth - 1, appendOnly: appendOnly))
    case 9: return over(plan(depth: depth - 1, appendOnly: appendOnly))
    case 10: return notIn(plan(depth: depth - 1, appendOnly: appendOnly), source(appendOnly))
    case 11:
      return .union([
        narrowed(plan(depth: depth - 1, appendOnly: appendOnly)), narrowed(source(appendOnly)),
      ])
    case 12:
      return .setOperation(
        Plan.SetOperation(
          random.pick([.intersect, .except]), all: random.chance(2),
          left: narrowed(plan(depth: depth - 1, appendOnly: appendOnly)),
          right: narrowed(source(appendOnly))))
    default:
      let input = plan(depth: depth - 1, appendOnly: appendOnly)
      return .sort(
        Plan.Sort(
          input: input, order: order(input.type), offset: random.below(3),
          limit: 1 + random.below(6)))
    }
  }

  private mutating func source(_ appendOnly: Bool) -> Plan {
    .source(
      Plan.Source(
        reference: random.pick(RandomPlans.tables), tableType: RandomPlans.tableType,
        isAppendOnly: appendOnly))
  }

  /// Columns k INT and s STRING, wherever they come from, so that set operations fit.
  private mutating func narrowed(_ input: Plan) -> Plan {
    let fields = input.type.fields
    func first(_ kind: DataType.Kind, _ fallback: DataType) -> Expression {
      if let i = fields.firstIndex(where: { $0.type.kind == kind }) {
        return .column(i, fields[i].type)
      }
      return .literal(.null, fallback)
    }
    return .map(
      Plan.Map(
        input: input,
        expressions: [first(.int, .int), first(DataType.string.kind, .string)],
        names: ["k", "s"]))
  }

  private mutating func columns(_ type: RowType, _ kinds: [DataType.Kind]) -> [Int] {
    type.fields.indices.filter { kinds.contains(type.fields[$0].type.kind) }
  }

  mutating func condition(_ type: RowType) -> Expression {
    let i = random.below(type.count)
    let column = Expression.column(i, type.fields[i].type)
    func literal() -> Expression {
      var value = scalar(type.fields[i].type)
      if value.isNull { value = scalar(type.fields[i].type) }
      return .literal(value, type.fields[i].type)
    }
    switch random.below(7) {
    case 0: return .isNull(column)
    case 1: return .not(.isNull(column))
    case 2: return .inList(column, [scalar(column.type), scalar(column.type)])
    case 3: return .and([.isNotNull(column), condition(type)])
    case 4: return .or([.compare(.equal, column, literal()), condition(type)])
    case 5: return .distinct(column, literal(), negated: random.chance(2))
    default:
      return .compare(
        random.pick([.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual]), column,
        literal())
    }
  }

  private mutating func map(_ input: Plan) -> Plan {
    let type = input.type
    var expressions: [Expression] = []
    for (i, field) in type.fields.enumerated() {
      let column = Expression.column(i, field.type)
      if random.chance(8) && expressions.count > 1 { continue }
      switch (random.below(4), field.type.kind) {
      case (0, .bigint):
        expressions.append(.call(random.pick(["+", "-", "*"]), [column, .bigint(2)], field.type))
      case (1, _):
        expressions.append(
          .branches(
            [.init(condition(type), column)],
            otherwise: .literal(scalar(field.type), field.type.nullable), field.type.nullable))
      default: expressions.append(column)
      }
    }
    return .map(
      Plan.Map(
        input: input, condition: random.chance(2) ? condition(type) : nil,
        expressions: expressions, names: expressions.indices.map { "c\($0)" }))
  }

  private mutating func join(_ left: Plan, _ right: Plan) -> Plan {
    let (a, b) = (left.type, right.type)
    var pairs: [(Int, Int)] = []
    for i in a.fields.indices {
      for j in b.fields.indices
      where a.fields[i].type.kind == b.fields[j].type.kind
        && a.fields[i].type.kind != .double && a.fields[i].type.kind != .boolean
      { pairs.append((i, j)) }
    }
    pairs.shuffle(using: &random)
    let keys = Array(pairs.prefix(random.pick([0, 1, 1, 1, 2])))
    let kind = random.pick([Plan.Join.Kind.inner, .left, .right, .full, .semi, .anti])
    let nullSafe = keys.map { _ in random.chance(3) }
    let all = RowType(a.pairs + b.pairs)
    return .join(
      Plan.Join(
        kind, left: left, right: right, leftKeys: keys.map(\.0), rightKeys: keys.map(\.1),
        nullSafe: nullSafe, residual: random.chance(2) || keys.isEmpty ? condition(all) : nil))
  }

  private mutating func notIn(_ left: Plan, _ right: Plan) -> Plan {
    let ints = columns(left.type, [.int])
    let texts = columns(left.type, [DataType.string.kind])
    guard let k = ints.first, let s = texts.first else { return map(left) }
    let correlated = random.chance(2)
    let all = RowType(left.type.pairs + right.type.pairs)
    return .join(
      Plan.Join(
        .anti, left: left, right: right, leftKeys: correlated ? [s, k] : [k],
        rightKeys: correlated ? [2, 0] : [0],
        residual: random.chance(4) ? condition(all) : nil, isNullAware: true))
  }

  private mutating func aggregate(_ input: Plan) -> Plan {
    let type = input.type
    var keys: [Int] = []
    for i in type.fields.indices where random.chance(3) { keys.append(i) }
    var calls: [AggregateCall] = []
    let flags = columns(type, [.boolean])
    for _ in 0..<random.below(4) {
      let function = random.pick([AggregateCall.Function.count, .sum, .average, .min, .max])
      let numeric = columns(type, [.int, .bigint, .double])
      let any = Array(type.fields.indices)
      let chosen = function == .sum || function == .average ? numeric : any
      guard !chosen.isEmpty else { continue }
      let argument = function == .count && random.chance(2) ? nil : random.pick(chosen)
      let filter = !flags.isEmpty && random.chance(3) ? random.pick(flags) : nil
      guard
        let result = AggregateCall.resultType(
          function, argument.map { type.fields[$0].type }, grouped: !keys.isEmpty,
          filtered: filter != nil)
      else { continue }
      calls.append(
        AggregateCall(
          function, argument: argument, isDistinct: argument != nil && random.chance(3),
          filter: filter, name: "x\(calls.count)", type: result))
    }
    if keys.isEmpty && calls.isEmpty { keys = [0] }
    return .aggregate(Plan.Aggregate(input: input, keys: keys, calls: calls))
  }

  mutating func order(_ type: RowType) -> [SortKey] {
    (0..<1 + random.below(2)).map { _ in
      SortKey(
        random.below(type.count), descending: random.chance(2),
        nullsFirst: random.chance(3) ? random.chance(2) : nil)
    }
  }

  private mutating func rank(_ input: Plan) -> Plan {
    let type = input.type
    let low = 1 + random.below(2)
    return .rank(
      Plan.Rank(
        input: input, function: random.pick([.rowNumber, .rank, .denseRank]),
        partition: random.chance(3) ? [] : [random.below(type.count)], order: order(type),
        ranks: low...(low + random.below(3)), emitsRank: random.chance(2)))
  }

  private mutating func over(_ input: Plan) -> Plan {
    let type = input.type
    var calls: [OverCall] = [
      OverCall(.rowNumber, frame: .whole, name: "n", type: DataType.bigint.notNull),
      OverCall(.rank, frame: .whole, name: "r", type: DataType.bigint.notNull),
    ]
    let column = random.below(type.count)
    calls.append(
      OverCall(
        .lag(column: column, offset: random.pick([1, 2, -1]), fallback: nil), frame: .whole,
        name: "l", type: type.fields[column].type.nullable))
    let frame = random.pick([
      .upToCurrent, .whole, OverCall.Frame(.rows, preceding: 2, following: 1),
      OverCall.Frame(.rows, preceding: nil, following: 0),
      OverCall.Frame(.rows, preceding: 3, following: -1),
    ])
    let count = AggregateCall(.count, argument: column, name: "c", type: DataType.bigint.notNull)
    let low = AggregateCall(
      .min, argument: column, name: "m", type: type.fields[column].type.nullable)
    for call in [count, low] {
      calls.append(OverCall(.aggregate(call), frame: frame, name: call.name, type: call.type))
    }
    return .over(
      Plan.Over(
        input: input, partition: random.chance(3) ? [] : [random.below(type.count)],
        order: order(type), calls: calls))
  }
}
