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

  private let partialType = RowType([
    ("v", .bigint), ("k", .int), ("s", .string), ("n", .string), ("f", .bytes),
  ])

  private var partialPlan: Plan {
    .upsert(
      Plan.Upsert(
        input: .source(
          Plan.Source(reference: "t", tableType: partialType, isAppendOnly: true)),
        key: [1], unchanged: [9, -1, 0, 3]))
  }

  /// A change with values left out, and what a careful reader makes of it.
  private func partial(
    _ random: inout SeededRandom, _ last: inout [Scalar: Row], _ changes: inout [(Row, Int)],
    _ unresolved: inout [Scalar]
  ) {
    let key = Scalar.int(Int64(random.below(6)))
    if random.chance(5) {
      last[key] = nil
      changes.append(([.null, key, .null, .null, .null], -1))
      return
    }
    var origin = last[key]
    if random.chance(6), let old = last.keys.filter({ $0 != key }).min(by: { "\($0)" < "\($1)" }) {
      // The key itself is changed.
      changes.append(([.null, old, .null, .null, .bytes([])], -1))
      if origin == nil { origin = last[old] }
      last[old] = nil
    }
    var row: Row = [
      .int(Int64(random.below(4))), key, random.chance(4) ? .null : .text("s\(random.below(5))"),
      .text("n\(random.below(5))"), .null,
    ]
    if random.chance(2) {
      let kept = [0, 2, 3].filter { _ in random.chance(2) }
      var bits: [UInt8] = [0, 0]
      for c in kept {
        let bit = [0: 9, 2: 0, 3: 3][c, default: 0]
        bits[bit / 8] |= 1 << UInt8(bit % 8)
        row[c] = random.chance(2) ? .null : row[c]
      }
      row[4] = .bytes(kept.contains(0) ? bits : [bits[0]])
      changes.append((row, 1))
      guard origin != nil || kept.isEmpty else {
        unresolved.append(key)
        return
      }
      for c in kept { row[c] = origin?[c] ?? .null }
    } else {
      changes.append((row, 1))
    }
    last[key] = Array(row[..<4])
  }

  func test_upsert_takesUnchangedValuesFromTheLastRowOfTheKey() throws {
    XCTAssertEqual(partialPlan.type.count, 4)
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      var pipeline = try Pipeline(partialPlan, recordsChanges: true)
      var stored = pipeline.stateTables.map { StoredState($0) }
      var last: [Scalar: Row] = [:]
      var result: Bag = [:]
      for _ in 0..<8 {
        var changes: [(Row, Int)] = []
        var unresolved: [Scalar] = []
        for _ in 0..<random.below(25) { partial(&random, &last, &changes, &unresolved) }
        let cut = random.below(changes.count + 1)
        for piece in [Array(changes[..<cut]), Array(changes[cut...])] {
          try pipeline.push(Bags.delta(piece, partialType), to: 0)
        }
        XCTAssertEqual(
          pipeline.takeUnresolved().map { $0.row.columns[1].scalar(0) }, unresolved, "seed \(seed)")
        for delta in try pipeline.endEpoch() { Bags.add(delta, to: &result) }
        XCTAssertEqual(
          result, Dictionary(uniqueKeysWithValues: last.values.map { ($0, 1) }), "seed \(seed)")
        for (i, deltas) in try pipeline.takeState().enumerated() {
          for delta in deltas { stored[i].apply(delta) }
        }
        if random.chance(2) {
          pipeline = try Pipeline(partialPlan, recordsChanges: true)
          for (i, state) in stored.enumerated() { try pipeline.restore(state.rows, to: i) }
          try pipeline.finishRestore(watermarks: [])
        }
      }
    }
  }

  func test_upsert_setsRowsAsideWhoseValuesAreNotKnown() throws {
    let type = RowType([("k", .int), ("s", DataType.string.notNull), ("f", .bytes)])
    let plan = Plan.upsert(
      Plan.Upsert(
        input: .source(Plan.Source(reference: "t", tableType: type, isAppendOnly: true)),
        key: [0], unchanged: [-1, 1]))
    let pipeline = try Pipeline(plan)
    func push(_ changes: [(Row, Int)]) throws -> Bag {
      try pipeline.push(Bags.delta(changes, type), to: 0)
      return collect(try pipeline.endEpoch())
    }
    XCTAssertEqual(try push([([.int(1), .text(""), .bytes([2])], 1)]), [:])
    let found = try XCTUnwrap(pipeline.takeUnresolved().first)
    XCTAssertEqual([found.key, found.leftOut], [[0], [1]])
    // The row of another key that was deleted right before has nothing to do with it.
    _ = try push([([.int(2), .text("two"), .null], 1)])
    XCTAssertEqual(
      try push([([.int(2), .text(""), .null], -1), ([.int(1), .text(""), .bytes([2])], 1)]),
      [[.int(2), .text("two")]: -1])
    XCTAssertEqual(pipeline.takeUnresolved().count, 1)
    // A row that is whole makes the key known.
    _ = try push([([.int(1), .text("x"), .null], 1), ([.int(1), .text(""), .bytes([2])], 1)])
    XCTAssertTrue(pipeline.takeUnresolved().isEmpty)
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
