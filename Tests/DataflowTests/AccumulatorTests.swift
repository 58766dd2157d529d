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
}
