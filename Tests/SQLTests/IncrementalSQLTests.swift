import Columns
import Dataflow
import XCTest

@testable import SQL

/// Tables a, b and c, all alike.
private struct ThreeTables: TableResolver {
  static let type = RowType([
    ("k", .int), ("v", .bigint), ("s", .string), ("n", .decimal(8, 2)), ("f", .boolean),
  ])

  func resolve(_ reference: TableReference) throws(TerraceError) -> ResolvedTable? {
    guard let name = reference.path.last, tableNames.contains(name) else { return nil }
    return .table(BoundTable(reference: name, type: ThreeTables.type, isAppendOnly: false))
  }

  var tableNames: [String] { ["a", "b", "c"] }

  static func bind(_ text: String, streaming: Bool) throws(TerraceError) -> Plan {
    let source = SourceText(text, name: "q.sql")
    let query = try Parser.query(source)
    return try Binder(source, resolver: ThreeTables(), isStreaming: streaming).bind(query).plan
  }
}

/// Random SQL over random histories: after every epoch the changes, added up, are what the same
/// query gives over the tables as they are then.
final class IncrementalSQLTests: XCTestCase {
  private typealias Row = [Scalar]
  private typealias Bag = [Row: Int]

  private struct History {
    var random: SeededNumbers
    var tables: [String: Bag] = ["a": [:], "b": [:], "c": [:]]

    private mutating func scalar(_ column: Int) -> Scalar {
      if random.chance(6) { return .null }
      switch column {
      case 0: return .int(Int64(random.below(4)))
      case 1: return .int(Int64(random.below(9)) - 3)
      case 2: return .text(random.pick(["", "a", "b", "ab", "é"]))
      case 3: return .int(Int64(random.below(12)) * 25 - 100)
      default: return .boolean(random.chance(2))
      }
    }

    /// Inserts, deletes and updates that leave no row negative, in any order.
    mutating func changes(_ table: String, _ count: Int) -> [(Row, Int)] {
      var bag = tables[table] ?? [:]
      var out: [(Row, Int)] = []
      func apply(_ row: Row, _ n: Int) {
        out.append((row, n))
        bag[row, default: 0] += n
        if bag[row] == 0 { bag[row] = nil }
      }
      for _ in 0..<count {
        let known = bag.keys.sorted { "\($0)" < "\($1)" }
        switch known.isEmpty ? 0 : random.below(4) {
        case 0, 1: apply((0..<5).map { scalar($0) }, random.chance(5) ? 2 : 1)
        case 2: apply(random.pick(known), -1)
        default:
          var row = random.pick(known)
          apply(row, -1)
          let column = random.below(5)
          row[column] = scalar(column)
          apply(row, 1)
        }
      }
      tables[table] = bag
      out.shuffle(using: &random)
      return out
    }
  }

  /// Rows as a source reads them.
  private static func delta(_ changes: [(Row, Int)], _ source: Plan.Source) -> DeltaBatch {
    let fields = source.columns.map { source.tableType.fields[$0] }
    let builders = fields.map { ColumnBuilder($0.type) }
    let weights = Buffer(byteCount: changes.count * 8)
    for (i, (row, n)) in changes.enumerated() {
      for (builder, column) in zip(builders, source.columns) { builder.append(row[column]) }
      weights.pointer(Int64.self)[i] = Int64(n)
    }
    let type = RowType(fields.map { ($0.name, $0.type) })
    return DeltaBatch(
      Batch(type, builders.map { $0.finish() }, count: changes.count), weights: weights)
  }

  private static func add(_ rows: Batch, _ weight: (Int) -> Int, to bag: inout Bag) {
    for i in 0..<rows.count {
      let row = rows.columns.map { $0.scalar(i) }
      bag[row, default: 0] += weight(i)
      if bag[row] == 0 { bag[row] = nil }
    }
  }

  /// What an operator has met in all trials.
  private struct Met {
    var inserts = 0
    var deletes = 0
    var updates = 0
    var nullKeys = 0

    mutating func add(_ statistics: OperatorStatistics) {
      inserts += statistics.inserts
      deletes += statistics.deletes
      updates += statistics.updates
      nullKeys += statistics.nullKeys
    }
  }

  private enum Outcome {
    case equal(pairs: Int)
    case differs(String)
  }

  private func trial(_ seed: UInt64, _ met: (String, OperatorStatistics) -> Void) throws -> Outcome
  {
    var queries = RandomQueries(seed: seed)
    let kinds = (0...queries.random.below(3)).map { _ in
      queries.random.pick(RandomQueries.Kind.allCases)
    }
    let text = queries.query(2, kinds)
    let pipeline = try Pipeline(
      try ThreeTables.bind(text, streaming: true), pairsMax: 1 + queries.random.below(40))
    let plan = try ThreeTables.bind(text, streaming: false)
    var history = History(random: SeededNumbers(seed: seed &* 31))
    var result: Bag = [:]
    var pairs = 0
    for epoch in 0..<4 {
      for table in ["a", "b", "c"] {
        let changes = history.changes(table, history.random.below(epoch == 0 ? 10 : 6))
        for (i, source) in pipeline.sources.enumerated() where source.reference == table {
          let cut = history.random.below(changes.count + 1)
          for piece in [Array(changes[..<cut]), Array(changes[cut...])] where !piece.isEmpty {
            try pipeline.push(IncrementalSQLTests.delta(piece, source), to: i)
          }
        }
      }
      let batch = try BatchQuery(plan)
      for (i, source) in batch.sources.enumerated() {
        let rows = (history.tables[source.reference] ?? [:]).map { ($0.key, $0.value) }
        if !rows.isEmpty { try batch.push(IncrementalSQLTests.delta(rows, source), to: i) }
      }
      var expected: Bag = [:]
      IncrementalSQLTests.add(try batch.finish(), { _ in 1 }, to: &expected)
      for delta in try pipeline.endEpoch() {
        let weights = delta.weights
        IncrementalSQLTests.add(delta.rows, { Int(weights.pointer(Int64.self)[$0]) }, to: &result)
      }
      pairs += 1
      if result != expected {
        let extra = result.filter { expected[$0.key] != $0.value }.prefix(4)
        let missing = expected.filter { result[$0.key] != $0.value }.prefix(4)
        return .differs("epoch \(epoch) of \(text)\n got \(extra)\n wanted \(missing)")
      }
    }
    for (name, statistics) in pipeline.statistics { met(name, statistics) }
    return .equal(pairs: pairs)
  }

  func test_query_keptUpToDateEqualsTheQueryRunAnew() throws {
    let seeds = UInt64(1)...510
    var pairs = 0
    var totals: [String: Met] = [:]
    for seed in seeds {
      let outcome = try trial(seed) { name, statistics in
        totals[name, default: Met()].add(statistics)
      }
      switch outcome {
      case .equal(let count): pairs += count
      case .differs(let text): XCTFail("seed \(seed): \(text)")
      }
    }
    print("SQL kept up to date = run anew: \(pairs) pairs, seeds \(seeds)")
    for (name, sum) in totals.sorted(by: { $0.key < $1.key }) {
      print(
        "  \(name): \(sum.inserts) inserts, \(sum.deletes) deletes, \(sum.updates) updates, "
          + "\(sum.nullKeys) null keys")
    }
    for name in [
      "InnerJoin", "LeftJoin", "RightJoin", "FullJoin", "SemiJoin", "AntiJoin", "NotInJoin",
      "Aggregate", "Distinct", "Rank", "Over", "Intersect", "Except",
    ] {
      let sum = totals[name] ?? Met()
      XCTAssertGreaterThan(sum.inserts, 0, name)
      XCTAssertGreaterThan(sum.deletes, 0, name)
      XCTAssertGreaterThan(sum.nullKeys, 0, name)
    }
    for name in ["NotInJoin", "Aggregate", "Rank", "Over", "Intersect", "Except"] {
      XCTAssertGreaterThan(totals[name]?.updates ?? 0, 0, name)
    }
    XCTAssertGreaterThanOrEqual(pairs, 2000)
  }
}
