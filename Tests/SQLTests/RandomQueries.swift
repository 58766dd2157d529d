/// Random SQL over tables a, b and c (k INT, v BIGINT, s STRING, n DECIMAL(8, 2), f BOOLEAN), in
/// which every answer is determined by the rows: what has an order has a total one.
struct RandomQueries {
  var random: SeededNumbers
  private var next = 0

  init(seed: UInt64) { random = SeededNumbers(seed: seed) }

  enum Kind: CaseIterable { case int, text, decimal, truth }

  /// A table in FROM: its alias and its columns.
  struct Source {
    var alias: String
    var columns: [(name: String, kind: Kind)]
  }

  static let columns: [(name: String, kind: Kind)] = [
    ("k", .int), ("v", .int), ("s", .text), ("n", .decimal), ("f", .truth),
  ]

  private mutating func alias() -> String {
    next += 1
    return "x\(next)"
  }

  // MARK: Expressions

  private mutating func literal(_ kind: Kind) -> String {
    if random.chance(8) {
      switch kind {
      case .int: return "CAST(NULL AS BIGINT)"
      case .text: return "CAST(NULL AS STRING)"
      case .decimal: return "CAST(NULL AS DECIMAL(8, 2))"
      case .truth: return "CAST(NULL AS BOOLEAN)"
      }
    }
    switch kind {
    case .int: return "CAST(\(random.below(5)) AS BIGINT)"
    case .text: return random.pick(["''", "'a'", "'b'", "'ab'", "'é'"])
    case .decimal: return "CAST(\(random.below(5)).5 AS DECIMAL(8, 2))"
    case .truth: return random.pick(["TRUE", "FALSE"])
    }
  }

  private mutating func column(_ kind: Kind, _ scope: [Source]) -> String? {
    let found = scope.flatMap { source in
      source.columns.filter { $0.kind == kind }.map { "\(source.alias).\($0.name)" }
    }
    return found.isEmpty ? nil : random.pick(found)
  }

  mutating func expression(_ kind: Kind, _ scope: [Source], _ depth: Int, _ outer: [Source] = [])
    -> String
  {
    if !outer.isEmpty, random.chance(6), let around = column(kind, outer) { return around }
    if depth <= 0 || random.chance(3) {
      if let own = column(kind, scope), !random.chance(6) { return own }
      return literal(kind)
    }
    func e(_ kind: Kind) -> String { expression(kind, scope, depth - 1, outer) }
    if random.chance(7) { return "CASE WHEN \(e(.truth)) THEN \(e(kind)) ELSE \(e(kind)) END" }
    if random.chance(9) { return "COALESCE(\(e(kind)), \(e(kind)))" }
    switch kind {
    case .int:
      switch random.below(4) {
      case 0: return "(\(e(.int)) + \(e(.int)))"
      case 1: return "(\(e(.int)) % 3)"
      case 2: return "CAST(CHAR_LENGTH(\(e(.text))) AS BIGINT)"
      default: return "(- \(e(.int)))"
      }
    case .text:
      return random.pick(["UPPER(\(e(.text)))", "(\(e(.text)) || \(e(.text)))"])
    case .decimal: return "CAST((\(e(.decimal)) + \(e(.decimal))) AS DECIMAL(8, 2))"
    case .truth:
      let kind = random.pick([Kind.int, .text, .decimal])
      switch random.below(6) {
      case 0: return "(\(e(.truth)) AND \(e(.truth)))"
      case 1: return "(\(e(.truth)) OR \(e(.truth)))"
      case 2: return "(NOT \(e(.truth)))"
      case 3: return "(\(e(kind)) IS \(random.pick(["", "NOT "]))NULL)"
      default: return "(\(e(kind)) \(random.pick(["=", "<>", "<", ">="])) \(e(kind)))"
      }
    }
  }

  // MARK: FROM and WHERE

  private mutating func table(_ depth: Int) -> (String, Source) {
    let alias = alias()
    if depth > 0, random.chance(4) {
      let kinds = [Kind.int, random.pick(Kind.allCases)]
      let columns = kinds.enumerated().map { (name: "c\($0.offset)", kind: $0.element) }
      return (
        "(\(query(depth - 1, kinds))) AS \(alias)", Source(alias: alias, columns: columns)
      )
    }
    return (
      "\(random.pick(["a", "b", "c"])) AS \(alias)",
      Source(alias: alias, columns: RandomQueries.columns)
    )
  }

  private mutating func equality(_ left: [Source], _ right: [Source]) -> String {
    let kind = random.pick([Kind.int, .int, .text, .decimal])
    guard let a = column(kind, left), let b = column(kind, right) else { return "TRUE" }
    return "\(a) \(random.pick(["=", "=", "=", "IS NOT DISTINCT FROM"])) \(b)"
  }

  private mutating func from(_ depth: Int) -> (String, [Source]) {
    var (text, first) = table(depth)
    var scope = [first]
    for _ in 0..<random.pick([0, 1, 1, 1, 2]) {
      if random.chance(8) {
        let alias = alias()
        let inner = query(0, [.int, .text], scope)
        text +=
          random.chance(2)
          ? " LEFT JOIN LATERAL (\(inner)) AS \(alias) ON TRUE"
          : " CROSS JOIN LATERAL (\(inner)) AS \(alias)"
        scope.append(Source(alias: alias, columns: [("c0", .int), ("c1", .text)]))
        continue
      }
      let (other, source) = table(depth)
      var condition = equality(scope, [source])
      if random.chance(3) {
        condition += " AND \(expression(.truth, scope + [source], 1))"
      }
      let kind = random.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
      text += " \(kind) \(other) ON \(condition)"
      first = source
      scope.append(source)
    }
    return (text, scope)
  }

  private mutating func condition(_ scope: [Source], _ depth: Int, _ outer: [Source]) -> String {
    guard depth > 0, random.chance(2) else { return expression(.truth, scope, 2, outer) }
    let not = random.pick(["", "NOT "])
    let kind = random.pick([Kind.int, .text])
    switch random.below(4) {
    case 0: return "\(not)EXISTS (\(query(depth - 1, [.int], scope)))"
    case 1:
      let around = random.chance(2) ? scope : []
      let inner = query(depth - 1, [kind], around)
      return "\(expression(kind, scope, 1, outer)) \(not)IN (\(inner))"
    case 2:
      let inner = aggregated(kind, depth - 1, scope)
      return "\(expression(kind, scope, 1, outer)) \(random.pick(["=", "<", ">="])) (\(inner))"
    default:
      return "(\(condition(scope, depth - 1, outer)) OR \(condition(scope, depth - 1, outer)))"
    }
  }

  private mutating func filter(_ scope: [Source], _ depth: Int, _ outer: [Source]) -> String {
    if !outer.isEmpty {
      let tie = random.chance(3) ? expression(.truth, scope, 2, outer) : equality(scope, outer)
      return " WHERE \(tie)"
    }
    return random.chance(2) ? " WHERE \(condition(scope, depth, outer))" : ""
  }

  // MARK: SELECT

  private mutating func aggregate(_ kind: Kind, _ scope: [Source], _ outer: [Source]) -> String {
    func e(_ kind: Kind) -> String { expression(kind, scope, 1, outer) }
    let call: String
    switch kind {
    case .int:
      call = random.pick([
        "COUNT(*)", "COUNT(DISTINCT \(e(.text)))", "SUM(\(e(.int)))", "SUM(DISTINCT \(e(.int)))",
        "MAX(\(e(.int)))", "AVG(\(e(.int)))", "COUNT(\(e(.decimal)))",
      ])
    case .text: call = "\(random.pick(["MIN", "MAX"]))(\(e(.text)))"
    case .decimal: call = "MIN(\(e(.decimal)))"
    case .truth: return "(COUNT(*) > \(random.below(3)))"
    }
    return random.chance(4) ? "\(call) FILTER (WHERE \(e(.truth)))" : call
  }

  private mutating func aggregated(_ kind: Kind, _ depth: Int, _ outer: [Source]) -> String {
    let (text, scope) = from(0)
    let value = aggregate(kind, scope, outer)
    return "SELECT \(value) FROM \(text)\(filter(scope, depth, outer))"
  }

  private mutating func total(_ scope: [Source]) -> String {
    scope.flatMap { source in source.columns.map { "\(source.alias).\($0.name)" } }
      .map { "\($0)\(random.pick(["", " DESC", " DESC NULLS FIRST"]))" }.joined(separator: ", ")
  }

  private static func items(_ values: [String]) -> String {
    values.enumerated().map { "\($0.element) AS c\($0.offset)" }.joined(separator: ", ")
  }

  mutating func query(_ depth: Int, _ kinds: [Kind], _ outer: [Source] = []) -> String {
    if depth > 0, random.chance(6) {
      let operation = random.pick([
        "UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL",
      ])
      return "(\(query(depth - 1, kinds, outer))) \(operation) (\(query(depth - 1, kinds, outer)))"
    }
    let (text, scope) = from(depth)
    let rest = "FROM \(text)\(filter(scope, depth, outer))"
    switch random.below(8) {
    case 0:
      let values = kinds.map { aggregate($0, scope, outer) }
      return "SELECT \(RandomQueries.items(values)) \(rest)"
    case 1, 2:
      let key = column(random.pick([.int, .text]), scope) ?? "\(scope[0].alias).c0"
      let values = kinds.map { aggregate($0, scope, outer) }
      let having = random.chance(4) ? " HAVING COUNT(*) > 1" : ""
      let by = random.chance(4) ? "ROLLUP (\(key))" : key
      return "SELECT \(RandomQueries.items(values)) \(rest) GROUP BY \(by)\(having)"
    case 3:
      let partition = random.chance(3) ? "" : "PARTITION BY \(expression(.int, scope, 1)) "
      let over = "OVER (\(partition)ORDER BY \(total(scope)))"
      let values = kinds.map { kind in
        kind == .int && random.chance(2)
          ? random.pick(["ROW_NUMBER() \(over)", "LAG(\(expression(.int, scope, 1))) \(over)"])
          : expression(kind, scope, 1)
      }
      let qualify = random.chance(2) ? " QUALIFY ROW_NUMBER() \(over) <= 2" : ""
      return "SELECT \(RandomQueries.items(values)) \(rest)\(qualify)"
    case 4:
      let values = kinds.map { expression($0, scope, 1, outer) }
      return
        "SELECT \(RandomQueries.items(values)) \(rest) ORDER BY \(total(scope)) LIMIT \(random.below(4))"
    default:
      let values = kinds.map { kind in
        depth > 0 && random.chance(6)
          ? "(\(aggregated(kind, 0, scope)))" : expression(kind, scope, 2, outer)
      }
      let distinct = random.chance(5) ? "DISTINCT " : ""
      return "SELECT \(distinct)\(RandomQueries.items(values)) \(rest)"
    }
  }
}

/// A seeded generator (splitmix64), so that a failure can be run again.
struct SeededNumbers: RandomNumberGenerator {
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
