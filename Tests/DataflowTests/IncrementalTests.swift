import Columns
import Store
import XCTest

@testable import Dataflow

/// Rows and weights to and from the engine's columns.
enum Bags {
  static func delta(_ changes: [(Row, Int)], _ type: RowType) -> DeltaBatch {
    let builders = type.fields.map { ColumnBuilder($0.type) }
    let weights = Buffer(byteCount: changes.count * 8)
    for (i, (row, n)) in changes.enumerated() {
      for (builder, value) in zip(builders, row) { builder.append(value) }
      weights.pointer(Int64.self)[i] = Int64(n)
    }
    return DeltaBatch(
      Batch(type, builders.map { $0.finish() }, count: changes.count), weights: weights)
  }

  static func add(_ delta: DeltaBatch, to bag: inout Bag) {
    let w = delta.weights.pointer(Int64.self)
    for i in 0..<delta.count {
      let row = delta.rows.columns.map { normalized($0.scalar(i)) }
      bag[row, default: 0] += Int(w[i])
      if bag[row] == 0 { bag[row] = nil }
    }
  }

  private static func normalized(_ value: Scalar) -> Scalar {
    if case .double(let v) = value { return .double(v + 0.0) }
    return value
  }
}

/// One query over one history: after every epoch the changes, added up, are what a naive
/// evaluation of the tables gives.
struct Trial {
  enum Outcome: Equatable {
    case equal(pairs: Int)
    case differs(String)
  }

  let seed: UInt64
  /// What the incremental side runs instead: nothing, or a planted bug.
  var mutatePlan: (Plan) -> Plan = { $0 }
  var mutateInput: ([(Row, Int)]) -> [(Row, Int)] = { $0 }
  var mutateOutput: ([DeltaBatch]) -> [DeltaBatch] = { $0 }
  /// The pipeline is thrown away after each epoch, and a new one goes on from its state tables.
  var restarts = false
  /// The same with a ``StateStore`` on files in memory; state is also freed at random.
  var storesState = false
  /// Of that store.
  var wholeAfter = 1024
  var met: (String, OperatorStatistics) -> Void = { _, _ in }

  func run() throws -> Outcome {
    var plans = RandomPlans(seed: seed)
    let appendOnly = plans.random.chance(5)
    let plan = plans.plan(depth: 1 + plans.random.below(3), appendOnly: appendOnly)
    let pairsMax = 1 + plans.random.below(40)
    var pipeline = try Pipeline(
      mutatePlan(plan), recordsChanges: restarts || storesState, pairsMax: pairsMax)
    let disk = MemoryFileIO()
    var store = StateStore(
      pipeline, environment: Environment(files: disk), folder: "state", user: "job",
      wholeAfter: wholeAfter)
    if storesState { try store.open(at: nil) }
    var stored = pipeline.stateTables.map { StoredState($0) }
    var tables = Dictionary(uniqueKeysWithValues: RandomPlans.tables.map { ($0, Bag()) })
    var result: Bag = [:]
    var pairs = 0
    for epoch in 0..<4 {
      for (i, source) in pipeline.sources.enumerated() {
        var bag = tables[source.reference] ?? [:]
        let changes = plans.changes(
          of: &bag, count: plans.random.below(epoch == 0 ? 14 : 8), mayDelete: !appendOnly)
        tables[source.reference] = bag
        // Cut anywhere: an epoch may come in several pieces.
        let cut = plans.random.below(changes.count + 1)
        for piece in [Array(changes[..<cut]), Array(changes[cut...])] where !piece.isEmpty {
          try pipeline.push(Bags.delta(mutateInput(piece), RandomPlans.tableType), to: i)
        }
      }
      for delta in mutateOutput(try pipeline.endEpoch()) { Bags.add(delta, to: &result) }
      let expected = Reference(tables: tables).evaluate(plan)
      pairs += 1
      if restarts {
        for (i, deltas) in try pipeline.takeState().enumerated() {
          for delta in deltas { stored[i].apply(delta) }
        }
        let marks = pipeline.watermarks
        let bases = stored.indices.map { pipeline.numberBase(of: $0) }
        pipeline = try Pipeline(mutatePlan(plan), recordsChanges: true, pairsMax: pairsMax)
        for (i, state) in stored.enumerated() {
          pipeline.setNumberBase(bases[i], of: i)
          try pipeline.restore(state.rows, to: i)
        }
        try pipeline.finishRestore(watermarks: marks)
      }
      if storesState {
        let snapshots = try store.commit(identifier: Int64(epoch + 1))
        switch plans.random.below(3) {
        case 0: try store.evict(toBytes: plans.random.chance(2) ? 0 : 1000)
        case 1:
          let marks = pipeline.watermarks
          store.close()
          pipeline = try Pipeline(mutatePlan(plan), recordsChanges: true, pairsMax: pairsMax)
          store = StateStore(
            pipeline, environment: Environment(files: disk), folder: "state", user: "job",
            wholeAfter: wholeAfter)
          try store.open(at: snapshots, watermarks: marks)
        default: try store.expire(keeping: snapshots)
        }
      }
      if result != expected {
        return .differs(Trial.describe(plan, epoch, result, expected))
      }
    }
    for (name, statistics) in pipeline.statistics { met(name, statistics) }
    return .equal(pairs: pairs)
  }

  private static func describe(_ plan: Plan, _ epoch: Int, _ got: Bag, _ wanted: Bag) -> String {
    let extra = got.filter { wanted[$0.key] != $0.value }.map { "\($0)" }.sorted().prefix(5)
    let missing = wanted.filter { got[$0.key] != $0.value }.map { "\($0)" }.sorted().prefix(5)
    return "epoch \(epoch) of \(plan)\n got \(extra.joined(separator: "\n     "))"
      + "\n wanted \(missing.joined(separator: "\n        "))"
  }
}

/// A state table as a store would keep it.
struct StoredState {
  let table: StateTable
  private var rowOfKey: [Row: Row] = [:]

  init(_ table: StateTable) { self.table = table }

  mutating func apply(_ delta: DeltaBatch) {
    let w = delta.weights.pointer(Int64.self)
    for i in 0..<delta.count {
      let row = delta.rows.columns.map { $0.scalar(i) }
      rowOfKey[Array(row[..<table.keyCount])] = w[i] > 0 ? row : nil
    }
  }

  /// In the order of their keys.
  var rows: Batch {
    let all = Bags.delta(rowOfKey.values.map { ($0, 1) }, table.type).rows
    if table.keyCount == 0 { return all }
    let keys = Array(all.columns[..<table.keyCount])
    let order = KeyEncoder(keys.map { $0.type.nullable }).encode(keys, count: all.count)
      .sortedRows()
    return all.gather(order.pointer(Int32.self), count: all.count)
  }
}

final class IncrementalTests: XCTestCase {
  /// Design 5: state is what its tables say; a restart goes on from them.
  func test_pipeline_goesOnFromItsStateTablesAfterEveryEpoch() throws {
    var pairs = 0
    for seed in UInt64(1)...300 {
      var trial = Trial(seed: seed)
      trial.restarts = true
      switch try trial.run() {
      case .equal(let count): pairs += count
      case .differs(let text): return XCTFail("seed \(seed): \(text)")
      }
    }
    print("restarted from state tables: \(pairs) pairs, seeds 1…300")
  }

  /// Design 5: state lies in tables of the store, is read on demand, and may leave memory at any time.
  func test_pipeline_goesOnFromStoredStateThatWasFreed() throws {
    var pairs = 0
    for seed in UInt64(1)...120 {
      var trial = Trial(seed: seed)
      trial.storesState = true
      // Half of the runs read what is left as a whole after a key or two.
      if seed % 2 == 0 { trial.wholeAfter = 1 + Int(seed / 2 % 3) }
      switch try trial.run() {
      case .equal(let count): pairs += count
      case .differs(let text): return XCTFail("seed \(seed): \(text)")
      }
    }
    print("stored state: \(pairs) pairs, seeds 1…120")
  }

  func test_pipeline_equalsRecomputeAfterEveryEpoch() throws {
    let first: UInt64 = 1
    var pairs = 0
    var totals: [String: OperatorStatistics] = [:]
    for seed in first..<first + 600 {
      var trial = Trial(seed: seed)
      trial.met = { name, statistics in
        var sum = totals[name] ?? OperatorStatistics()
        sum.inserts += statistics.inserts
        sum.deletes += statistics.deletes
        sum.updates += statistics.updates
        sum.nullKeys += statistics.nullKeys
        totals[name] = sum
      }
      switch try trial.run() {
      case .equal(let count): pairs += count
      case .differs(let text): return XCTFail("seed \(seed): \(text)")
      }
    }
    print("incremental = recompute: \(pairs) pairs, seeds \(first)…\(first + 599)")
    for (name, sum) in totals.sorted(by: { $0.key < $1.key }) {
      print(
        "  \(name): \(sum.inserts) inserts, \(sum.deletes) deletes, \(sum.updates) updates, "
          + "\(sum.nullKeys) null keys")
      XCTAssertGreaterThan(sum.inserts, 0, name)
      XCTAssertGreaterThan(sum.deletes, 0, name)
    }
    let joins = ["InnerJoin", "LeftJoin", "RightJoin", "FullJoin", "SemiJoin", "AntiJoin"]
    for name in joins + [
      "NotInJoin", "Aggregate", "Distinct", "Rank", "Over", "Intersect", "Except",
    ] {
      XCTAssertGreaterThan(totals[name]?.nullKeys ?? 0, 0, "\(name) met no null key")
    }
    for name in ["NotInJoin", "Aggregate", "Rank", "Over", "Intersect", "Except"] {
      XCTAssertGreaterThan(totals[name]?.updates ?? 0, 0, "\(name) met no update")
    }
    XCTAssertGreaterThanOrEqual(pairs, 2000)
  }
}
