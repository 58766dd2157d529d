import Columns
import XCTest

@testable import Dataflow

/// Design 5a.3: upserts become weights only after a keyed step.
final class UpsertTests: XCTestCase {
  private let type = RowType([("v", .bigint), ("k", .int), ("s", .string)])

  private var plan: Plan {
    .upsert(
      Plan.Upsert(
        input: .source(Plan.Source(reference: "t", tableType: type, isAppendOnly: true)),
        key: [1]))
  }

  private func row(_ v: Int64, _ k: Int64?, _ s: String) -> Row {
    [.int(v), k.map { .int($0) } ?? .null, .text(s)]
  }

  private func collect(_ deltas: [DeltaBatch]) -> Bag {
    deltas.reduce(into: [:]) { Bags.add($1, to: &$0) }
  }

  func test_upsert_givesOldAndNewRowAtTheEndOfTheEpoch() throws {
    let pipeline = try Pipeline(plan)
    XCTAssertFalse(plan.isAppendOnly)
    XCTAssertEqual(plan.uniqueKeys, [[1]])
    try pipeline.push(
      Bags.delta([(row(1, 7, "a"), 1), (row(2, 7, "b"), 1), (row(3, nil, "n"), 1)], type), to: 0)
    try pipeline.push(Bags.delta([(row(4, 8, "c"), 1)], type), to: 0)
    XCTAssertEqual(
      collect(try pipeline.endEpoch()),
      [row(2, 7, "b"): 1, row(3, nil, "n"): 1, row(4, 8, "c"): 1])
    // An equal row says nothing, even after another; the key alone takes the row away.
    try pipeline.push(
      Bags.delta(
        [
          (row(9, 7, "x"), 1), (row(2, 7, "b"), 1), ([.null, .int(8), .null], -1),
          (row(5, nil, "n"), 1), ([.null, .int(99), .null], -1),
        ], type), to: 0)
    XCTAssertEqual(
      collect(try pipeline.endEpoch()),
      [row(4, 8, "c"): -1, row(3, nil, "n"): -1, row(5, nil, "n"): 1])
    try pipeline.push(Bags.delta([([.null, .int(7), .null], -1)], type), to: 0)
    try pipeline.push(Bags.delta([(row(2, 7, "b"), 1)], type), to: 0)
    XCTAssertTrue(try pipeline.endEpoch().isEmpty)
  }

  func test_upsert_equalsLastRowsOfRandomHistories() throws {
    for seed in UInt64(1)...30 {
      var random = SeededRandom(seed: seed)
      var pipeline = try Pipeline(plan, recordsChanges: true)
      var stored = pipeline.stateTables.map { StoredState($0) }
      var last: [Scalar: Row] = [:]
      var result: Bag = [:]
      for _ in 0..<6 {
        for _ in 0..<random.below(3) {
          let changes = (0..<random.below(20)).map { _ -> (Row, Int) in
            let k = random.chance(9) ? nil : Int64(random.below(7))
            let row = row(Int64(random.below(3)), k, random.pick(["a", "b"]))
            let weight = random.chance(4) ? -1 : 1
            last[row[1]] = weight > 0 ? row : nil
            return (row, weight)
          }
          try pipeline.push(Bags.delta(changes, type), to: 0)
        }
        for delta in try pipeline.endEpoch() { Bags.add(delta, to: &result) }
        XCTAssertEqual(
          result, Dictionary(uniqueKeysWithValues: last.values.map { ($0, 1) }), "seed \(seed)")
        for (i, deltas) in try pipeline.takeState().enumerated() {
          for delta in deltas { stored[i].apply(delta) }
        }
        if random.chance(2) {
          pipeline = try Pipeline(plan, recordsChanges: true)
          for (i, state) in stored.enumerated() { try pipeline.restore(state.rows, to: i) }
          try pipeline.finishRestore(watermarks: [])
        }
      }
    }
  }

  func test_upsert_forgetsRowsThatWereReplaced() throws {
    let pipeline = try Pipeline(plan)
    for epoch in 0..<40 {
      let changes = (0..<1000).map { (row(Int64(epoch), Int64($0), "s"), 1) }
      try pipeline.push(Bags.delta(changes, type), to: 0)
      XCTAssertEqual(try pipeline.endEpoch().reduce(0) { $0 + $1.count }, epoch == 0 ? 1000 : 2000)
    }
    try pipeline.push(Bags.delta([(row(39, 5, "s"), 1), (row(0, 6, "s"), 1)], type), to: 0)
    XCTAssertEqual(collect(try pipeline.endEpoch()), [row(39, 6, "s"): -1, row(0, 6, "s"): 1])
  }
}
