import Columns
import XCTest

@testable import Dataflow

/// Aggregates whose answer depends on order or on rounding, which the random plans leave out.
final class AccumulatorTests: XCTestCase {
  private let type = RowType([("k", .int), ("s", .string), ("d", .double), ("m", .decimal(10, 2))])

  private func plan(appendOnly: Bool) -> Plan {
    func call(_ f: AggregateCall.Function, _ column: Int, distinct: Bool = false) -> AggregateCall {
      AggregateCall(
        f, argument: column, isDistinct: distinct, name: "\(f.rawValue)\(column)\(distinct)",
        type: AggregateCall.resultType(f, type.fields[column].type, grouped: true) ?? .int)
    }
    return .aggregate(
      Plan.Aggregate(
        input: .source(Plan.Source(reference: "t", tableType: type, isAppendOnly: appendOnly)),
        keys: [0],
        calls: [
          call(.listAggregate, 1), call(.listAggregate, 1, distinct: true),
          call(.arrayAggregate, 1), call(.collect, 1), call(.first, 1), call(.last, 1),
          call(.standardDeviationPopulation, 2), call(.varianceSample, 2),
          call(.varianceSample, 3), call(.average, 3), call(.sum, 3, distinct: true),
        ]))
  }

  private func row(_ random: inout SeededRandom) -> Row {
    let text = random.pick(["a", "b", "c", ""])
    return [
      .int(Int64(random.below(3))), random.chance(5) ? .null : .text(text),
      random.chance(6) ? .null : .double(Double(random.below(100)) / 7),
      random.chance(6) ? .null : .int(Int64(random.below(1000))),
    ]
  }

  /// Members of a list-like value in an order of their own; numbers to ten digits.
  private func canonical(_ column: Column, _ row: Int) -> String {
    if column.isNull(row) { return "NULL" }
    if case .double = column.type.kind {
      let value = column.pointer(Double.self)[row]
      return "\((value * 1e9).rounded() / 1e9)"
    }
    var text: [UInt8] = []
    ValueText(zone: .utc).write(column, row, into: &text)
    return String(decoding: text, as: UTF8.self).filter { !"[]{} ".contains($0) }
      .split(separator: ",", omittingEmptySubsequences: false).map(String.init).sorted()
      .joined(separator: ",")
  }

  private func state(_ deltas: [DeltaBatch]) -> [String: Int] {
    var rows: [String: Int] = [:]
    for delta in deltas {
      for i in 0..<delta.count {
        // First and last depend on the order of arrival: only that there is one is compared.
        let parts = delta.rows.columns.enumerated().map { c, column in
          c == 5 || c == 6 ? "\(column.isNull(i))" : canonical(column, i)
        }
        rows[parts.joined(separator: "|"), default: 0] +=
          Int(delta.weights.pointer(Int64.self)[i])
      }
    }
    return rows.filter { $0.value != 0 }
  }

  func test_lists_areAsRecomputedAfterRandomChanges() throws {
    for seed in UInt64(1)...60 {
      var random = SeededRandom(seed: seed)
      let pipeline = try Pipeline(plan(appendOnly: false))
      var table: Bag = [:]
      var deltas: [DeltaBatch] = []
      for _ in 0..<5 {
        var changes: [(Row, Int)] = []
        for _ in 0..<6 {
          if random.chance(2), let old = table.keys.sorted(by: { "\($0)" < "\($1)" }).first {
            changes.append((old, -1))
          } else {
            changes.append((row(&random), 1))
          }
          let (row, n) = changes[changes.count - 1]
          table[row, default: 0] += n
          if table[row] == 0 { table[row] = nil }
        }
        try pipeline.push(Bags.delta(changes, type), to: 0)
        deltas += try pipeline.endEpoch()
        let fresh = try Pipeline(plan(appendOnly: false))
        if !table.isEmpty {
          try fresh.push(Bags.delta(table.map { ($0.key, $0.value) }, type), to: 0)
        }
        XCTAssertEqual(state(deltas), state(try fresh.endEpoch()), "seed \(seed)")
      }
    }
  }

  func test_lists_keepTheOrderOfArrivalWhenNothingIsTakenBack() throws {
    let pipeline = try Pipeline(plan(appendOnly: true))
    func row(_ text: String) -> (Row, Int) { ([.int(1), .text(text), .double(1), .int(100)], 1) }
    try pipeline.push(Bags.delta([row("b"), row("a"), row("b")], type), to: 0)
    let delta = try XCTUnwrap(try pipeline.endEpoch().first)
    var texts: [String] = []
    for column in delta.rows.columns {
      var text: [UInt8] = []
      if !column.isNull(0) { ValueText(zone: .utc).write(column, 0, into: &text) }
      texts.append(String(decoding: text, as: UTF8.self))
    }
    XCTAssertEqual(
      texts,
      [
        "1", "b,a,b", "b,a", "[b, a, b]", "{b=2, a=1}", "b", "b", "0.0", "0.0", "0.000000",
        "1.000000", "1.00",
      ])
  }

  func test_single_failsWhenThereAreTwoRows() throws {
    let single = Plan.aggregate(
      Plan.Aggregate(
        input: .source(Plan.Source(reference: "t", tableType: type, isAppendOnly: false)),
        keys: [], calls: [AggregateCall(.single, argument: 0, type: .int)]))
    let pipeline = try Pipeline(single)
    let row: Row = [.int(1), .null, .null, .null]
    try pipeline.push(Bags.delta([(row, 2)], type), to: 0)
    XCTAssertThrowsError(try pipeline.endEpoch()) {
      XCTAssertTrue("\($0)".contains("several rows"))
    }
  }

  func test_unnest_givesARowAnElement() throws {
    let nested = RowType([("id", .int), ("items", .array(.string))])
    let source = Plan.source(Plan.Source(reference: "t", tableType: nested, isAppendOnly: true))
    let plan = Plan.unnest(
      Plan.Unnest(
        input: source, column: 1, names: ["item", "at"], withOrdinality: true, keepsEmpty: true))
    let ids = ColumnBuilder(.int)
    let items = ColumnBuilder(.array(.string))
    ids.append(Int32(1))
    items.children[0].append("x")
    items.children[0].append("y")
    items.endList()
    ids.append(Int32(2))
    items.appendNull()
    let pipeline = try Pipeline(plan)
    try pipeline.push(
      DeltaBatch(inserting: Batch(nested, [ids.finish(), items.finish()], count: 2)), to: 0)
    let out = try XCTUnwrap(try pipeline.endEpoch().first).rows
    XCTAssertEqual((0..<3).map { out.columns[2].scalar($0) }, [.text("x"), .text("y"), .null])
    XCTAssertEqual((0..<3).map { out.columns[3].scalar($0) }, [.int(1), .int(2), .null])
  }

  func test_decimals_sumExactlyBeyond128BitsAndThroughTheirState() throws {
    var random = SeededRandom(seed: 20_261_121)
    let most = Decimal.powers[38] - 1
    let type = DataType.decimal(38, 6)
    func call(_ function: AggregateCall.Function) throws -> AggregateCall {
      AggregateCall(
        function, argument: 0, name: "c",
        type: try XCTUnwrap(AggregateCall.resultType(function, type, grouped: true)))
    }
    func made(_ function: AggregateCall.Function) throws -> DecimalSumAccumulator {
      let made = DecimalSumAccumulator(try call(function), scale: 6)
      made.reserve(1)
      return made
    }
    var (sum, average) = (try made(.sum), try made(.average))
    var held: [Int128: Int64] = [most: 0, -most: 0]
    let group = Buffer(byteCount: 8)
    let zero = group.pointer(Int32.self)
    zero[0] = 0
    defer { withExtendedLifetime(group) {} }
    for step in 0..<400 {
      let value = random.chance(step < 200 ? 4 : 2) ? -most : most
      let isTaken = random.chance(3)
      let weight = Int64(random.pick([1, 1, 3])) * (isTaken ? -1 : 1)
      if held[value, default: 0] + weight < 0 { continue }
      held[value, default: 0] += weight
      let net = held[most, default: 0] - held[-most, default: 0]
      let count = held[most, default: 0] + held[-most, default: 0]
      let column = ColumnBuilder(type, capacity: 1)
      column.append(Scalar.int128(value))
      let weights = Buffer(byteCount: 8)
      weights.pointer(Int64.self)[0] = weight
      defer { withExtendedLifetime(weights) {} }
      let input = AccumulatorInput(
        column: column.finish(), groups: UnsafePointer(zero),
        weights: UnsafePointer(weights.pointer(Int64.self)), count: 1)
      sum.add(input)
      average.add(input)
      if random.chance(5) {
        for (old, function) in [(sum, AggregateCall.Function.sum), (average, .average)] {
          let next = try made(function)
          next.importState(old.exportState(zero, 1), zero, 1)
          if function == .sum { sum = next } else { average = next }
        }
      }
      func result(_ of: DecimalSumAccumulator) -> Int128? {
        let column = of.results(zero, 1)
        return column.isNull(0) ? nil : column.pointer(Int128.self)[0]
      }
      XCTAssertEqual(
        result(sum), count > 0 && abs(net) <= 1 ? most * Int128(net) : nil, "\(step) \(net)")
      let mean = Decimal.divide(
        most * Int128(max(-1, min(1, net))), 6, Int128(max(count, 1)), 0, to: 6, precision: 38)
      XCTAssertEqual(
        result(average), count > 0 && abs(net) <= 1 ? mean : nil, "\(step) \(net) of \(count)")
    }
  }

  func test_decimals_readStateOfSumsThatFit() {
    for count: Int64 in [0, 1, -1, 5_000_000_000, .max >> 2] {
      XCTAssertEqual(DecimalSumAccumulator.packed(count, 0), count)
      XCTAssertEqual(DecimalSumAccumulator.unpacked(count).count, count)
      XCTAssertEqual(DecimalSumAccumulator.unpacked(count).over, 0)
    }
    for over: Int64 in [1, -1, 77, -500_000_000] {
      let stored = DecimalSumAccumulator.packed(4_000_000_000, over)
      XCTAssertEqual(DecimalSumAccumulator.unpacked(stored).count, 4_000_000_000)
      XCTAssertEqual(DecimalSumAccumulator.unpacked(stored).over, over)
    }
    XCTAssertNotEqual(
      DecimalSumAccumulator.unpacked(DecimalSumAccumulator.packed(1, 1 << 40)).over, 0)
  }
}
