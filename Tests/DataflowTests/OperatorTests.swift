import Columns
import XCTest

@testable import Dataflow

/// Rules of operators that random plans do not state, or not by name.
final class OperatorTests: XCTestCase {
  private let type = RowType([
    ("k", .int), ("t", .timestamp(3)), ("v", .bigint), ("d", .double),
  ])

  private func source(appendOnly: Bool = true) -> Plan {
    .source(Plan.Source(reference: "t", tableType: type, isAppendOnly: appendOnly))
  }

  private func row(_ k: Int64, _ t: Int64, _ v: Int64, _ d: Double = 0) -> Row {
    [.int(k), .int(t), .int(v), .double(d)]
  }

  private func sum(_ column: Int) -> AggregateCall {
    AggregateCall(.sum, argument: column, type: type.fields[column].type.nullable)
  }

  private func collect(_ deltas: [DeltaBatch]) -> Bag {
    var bag: Bag = [:]
    for delta in deltas { Bags.add(delta, to: &bag) }
    return bag
  }

  func test_windows_equalRecomputeWhenTheInputEnds() throws {
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      let window = random.pick([
        Window.tumble(size: 10, offset: 3), .hop(size: 12, slide: 4, offset: 0),
        .cumulate(size: 12, step: 3, offset: 0), .session(gap: 5),
      ])
      let plan = Plan.windowAggregate(
        Plan.WindowAggregate(
          input: .watermark(
            Plan.Watermark(
              input: source(), timeColumn: 1,
              expression: try .calling(
                "$ADD_MILLIS", [.column(1, .timestamp(3)), .bigint(-1000)]))),
          timeColumn: 1, window: window, keys: [0],
          calls: [
            sum(2), AggregateCall(.count, type: DataType.bigint.notNull),
          ]))
      let pipeline = try Pipeline(plan)
      var table: Bag = [:]
      for _ in 0..<5 {
        let rows = (0..<8).map { _ in
          row(Int64(random.below(3)), Int64(random.below(80)), Int64(random.below(9)))
        }
        for row in rows { table[row, default: 0] += 1 }
        try pipeline.push(Bags.delta(rows.map { ($0, 1) }, type), to: 0)
        XCTAssertTrue(try pipeline.endEpoch().isEmpty, "seed \(seed): no window has passed yet")
      }
      let result = collect(try pipeline.endEpoch(endOfInput: true))
      let expected = Reference(tables: ["t": table]).evaluate(plan)
      XCTAssertEqual(result, expected, "seed \(seed), \(window)")
    }
  }

  func test_tumble_firesAtTheWatermarkAndDropsLateRows() throws {
    let time = Expression.column(1, .timestamp(3))
    let plan = Plan.windowAggregate(
      Plan.WindowAggregate(
        input: .watermark(Plan.Watermark(input: source(), timeColumn: 1, expression: time)),
        timeColumn: 1, window: .tumble(size: 10, offset: 0), keys: [], calls: [sum(2)]))
    let pipeline = try Pipeline(plan)
    try pipeline.push(Bags.delta([(row(1, 1, 5), 1), (row(1, 8, 6), 1)], type), to: 0)
    XCTAssertTrue(try pipeline.endEpoch().isEmpty)
    try pipeline.push(Bags.delta([(row(1, 9, 1), 1), (row(1, 12, 7), 1)], type), to: 0)
    XCTAssertEqual(
      collect(try pipeline.endEpoch()), [[.int(12), .int(0), .int(10), .int(9)]: 1])
    try pipeline.push(Bags.delta([(row(1, 3, 100), 1)], type), to: 0)
    XCTAssertTrue(try pipeline.endEpoch().isEmpty)
    XCTAssertEqual(pipeline.statistics.map(\.1.lateRows).reduce(0, +), 1)
    XCTAssertEqual(
      collect(try pipeline.endEpoch(endOfInput: true)),
      [[.int(7), .int(10), .int(20), .int(19)]: 1])
  }

  /// Design 5a.12: sums of floats are compensated; NaN and infinities are counted apart.
  func test_rule12_floatSum_isAsRecomputedWhenRowsAreTakenBack() throws {
    let plan = Plan.aggregate(
      Plan.Aggregate(input: source(appendOnly: false), keys: [0], calls: [sum(3)]))
    let pipeline = try Pipeline(plan)
    let noise: [Double] = [1e16, -3e15, .nan, .infinity, 7e12, -.infinity]
    let stays = [0.1, 0.2, 0.3]
    try pipeline.push(
      Bags.delta((stays + noise).map { (row(1, 0, 0, $0), 1) }, type), to: 0)
    _ = try pipeline.endEpoch()
    try pipeline.push(Bags.delta(noise.map { (row(1, 0, 0, $0), -1) }, type), to: 0)
    let deltas = try pipeline.endEpoch()
    var sums: [Double] = []
    for delta in deltas {
      for i in 0..<delta.count where delta.weights.pointer(Int64.self)[i] > 0 {
        sums.append(delta.rows.columns[1].pointer(Double.self)[i])
      }
    }
    XCTAssertEqual(sums.count, 1)
    XCTAssertEqual(sums[0], stays.reduce(0, +), accuracy: 1e-12)
  }

  /// Design 5a.12: within 1e-12 of a recompute, however rows come and go.
  func test_rule12_floatSums_equalRecomputesOfRandomHistories() throws {
    let plan = Plan.aggregate(
      Plan.Aggregate(input: source(appendOnly: false), keys: [0], calls: [sum(3)]))
    for seed in UInt64(1)...20 {
      var random = SeededRandom(seed: seed)
      let pipeline = try Pipeline(plan)
      var live: [Double] = []
      var sum: Double?
      for _ in 0..<12 {
        var changes: [(Row, Int)] = []
        for _ in 0..<1 + random.below(30) {
          if random.chance(2), !live.isEmpty {
            changes.append((row(1, 0, 0, live.remove(at: random.below(live.count))), -1))
          } else {
            // Of all sizes, so that a plain sum would lose the small ones.
            let exponent = random.below(30) - 10
            let value =
              (Double(random.below(2_000_001)) - 1e6)
              * Double(sign: .plus, exponent: exponent, significand: 1)
            live.append(value)
            changes.append((row(1, 0, 0, value), 1))
          }
        }
        try pipeline.push(Bags.delta(changes, type), to: 0)
        for delta in try pipeline.endEpoch() {
          for i in 0..<delta.count {
            let isNew = delta.weights.pointer(Int64.self)[i] > 0
            if isNew { sum = delta.rows.columns[1].pointer(Double.self)[i] }
            if !isNew, delta.count == 1 { sum = nil }
          }
        }
        XCTAssertEqual(sum == nil, live.isEmpty, "seed \(seed)")
        guard let sum else { continue }
        // In order of size the recompute itself loses nothing that counts.
        let expected = live.sorted { abs($0) < abs($1) }.reduce(0, +)
        let scale = live.reduce(0) { max($0, abs($1)) }
        XCTAssertEqual(sum, expected, accuracy: 1e-12 * max(scale, 1), "seed \(seed)")
      }
    }
  }

  /// FLINK-40681: an upsert counted as a second partner must not lose the row when one partner goes.
  func test_leftJoin_keepsTheRowWhenItsPartnerIsReplacedAndDeleted() throws {
    let left = Plan.source(Plan.Source(reference: "a", tableType: type, isAppendOnly: false))
    let right = Plan.source(Plan.Source(reference: "b", tableType: type, isAppendOnly: false))
    let plan = Plan.join(Plan.Join(.left, left: left, right: right, leftKeys: [0], rightKeys: [0]))
    let pipeline = try Pipeline(plan)
    var result: Bag = [:]
    func step(_ changes: [(Row, Int)], _ source: Int) throws {
      try pipeline.push(Bags.delta(changes, type), to: source)
      for delta in try pipeline.endEpoch() { Bags.add(delta, to: &result) }
    }
    try step([(row(1, 0, 1), 1)], 0)
    try step([(row(1, 0, 10), 1)], 1)
    try step([(row(1, 0, 10), -1), (row(1, 0, 11), 1)], 1)
    try step([(row(1, 0, 11), -1)], 1)
    XCTAssertEqual(result, [row(1, 0, 1) + [.null, .null, .null, .null]: 1])
  }

  func test_globalAggregate_hasOneRowWhenTheTableIsEmpty() throws {
    let plan = Plan.aggregate(
      Plan.Aggregate(
        input: source(appendOnly: false), keys: [],
        calls: [AggregateCall(.count, type: DataType.bigint.notNull), sum(2)]))
    let pipeline = try Pipeline(plan)
    XCTAssertEqual(collect(try pipeline.endEpoch()), [[.int(0), .null]: 1])
    try pipeline.push(Bags.delta([(row(1, 0, 4), 1)], type), to: 0)
    XCTAssertEqual(
      collect(try pipeline.endEpoch()), [[.int(0), .null]: -1, [.int(1), .int(4)]: 1])
    try pipeline.push(Bags.delta([(row(1, 0, 4), -1)], type), to: 0)
    XCTAssertEqual(
      collect(try pipeline.endEpoch()), [[.int(0), .null]: 1, [.int(1), .int(4)]: -1])
  }

  func test_case_asksNoBranchForRowsItDoesNotReach() throws {
    let v = Expression.column(2, .bigint)
    let safe = try Expression.choosing(
      [(try .comparing(.notEqual, v, .bigint(0)), try .arithmetic("/", .bigint(10), v))],
      otherwise: nil)
    let plan = Plan.map(Plan.Map(input: source(), expressions: [safe], names: ["x"]))
    let pipeline = try Pipeline(plan)
    try pipeline.push(Bags.delta([(row(1, 0, 0), 1), (row(1, 0, 5), 1)], type), to: 0)
    XCTAssertEqual(collect(try pipeline.endEpoch()), [[.null]: 1, [.int(2)]: 1])
    let bare = Plan.map(
      Plan.Map(
        input: source(), expressions: [try .arithmetic("/", .bigint(10), v)], names: ["x"]))
    let failing = try Pipeline(bare)
    XCTAssertThrowsError(try failing.push(Bags.delta([(row(1, 0, 0), 1)], type), to: 0)) {
      XCTAssertTrue("\($0)".contains("division by zero (function=/"), "\($0)")
    }
  }

  func test_batchQuery_givesRowsInTheOrderAskedFor() throws {
    let sorted = Plan.sort(
      Plan.Sort(input: source(), order: [SortKey(2, descending: true)], offset: 1, limit: 2))
    let plan = Plan.map(Plan.Map(input: sorted, expressions: [.column(0, .int)], names: ["k"]))
    let query = try BatchQuery(plan)
    let rows = (1...5).map { (row(Int64($0), 0, Int64($0) * 10), 1) }
    try query.push(Bags.delta(rows, type).rows, to: 0)
    let answer = try query.finish()
    XCTAssertEqual((0..<answer.count).map { answer.columns[0].scalar($0) }, [.int(4), .int(3)])
  }

  func test_equalSubPlans_areOneOperator() throws {
    let twice = Plan.union([source(), source()])
    let pipeline = try Pipeline(twice)
    XCTAssertEqual(pipeline.sources.count, 1)
    try pipeline.push(Bags.delta([(row(1, 0, 1), 1)], type), to: 0)
    XCTAssertEqual(collect(try pipeline.endEpoch()), [row(1, 0, 1): 2])
  }

  func test_takeDelta_givesWhatTheStateChangedBy() throws {
    let left = Plan.source(Plan.Source(reference: "a", tableType: type, isAppendOnly: false))
    let right = Plan.source(Plan.Source(reference: "b", tableType: type, isAppendOnly: false))
    let plan = Plan.join(Plan.Join(.inner, left: left, right: right, leftKeys: [0], rightKeys: [0]))
    let pipeline = try Pipeline(plan, recordsChanges: true)
    try pipeline.push(
      Bags.delta([(row(1, 0, 1), 1), (row(2, 0, 1), 1), (row(2, 0, 1), -1)], type), to: 0)
    _ = try pipeline.endEpoch()
    let deltas = try pipeline.takeState()[0]
    // Key, number within the key, the other columns, weight.
    XCTAssertEqual(
      collect(deltas), [[.int(1), .int(0), .int(0), .int(1), .double(0), .int(1)]: 1])
    XCTAssertEqual(try pipeline.takeState()[0].reduce(0) { $0 + $1.count }, 0)
    XCTAssertEqual(pipeline.stateTables.map(\.name), ["2-left", "2-right"])
  }
}
