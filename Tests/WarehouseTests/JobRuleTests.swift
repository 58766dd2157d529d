import Catalog
import Columns
import Dataflow
import Foundation
import Store
import XCTest

@testable import Warehouse

/// Further rules of the flow, each by its number.
final class JobRuleTests: XCTestCase {
  private func fixture(handOn: Bool = true) -> JobFixture {
    let time = ManualTime()
    return JobFixture(MemoryFileIO(time: time), time, changes: handOn ? ChangeCache() : nil)
  }

  private func root(_ fixture: JobFixture, _ table: String) throws -> Root {
    try XCTUnwrap(try Root(try XCTUnwrap(try fixture.open(table).snapshots.latest())))
  }

  func test_rule1_halfCommit_isFinishedFirst() throws {
    let fixture = fixture()
    // Every commit compacts, so each has two halves.
    try fixture.createChain(wide: [
      "num-sorted-run.compaction-trigger": "2", "force-compact": "true",
    ])
    var model = ShopModel()
    try fixture.startChain()
    try fixture.settle()
    try fixture.commit("ods.shops", model.put(shop: 1, name: "a"))
    for i in 0..<6 {
      try fixture.commit("ods.orders", model.put(order: Int64(i), shop: 1, amount: 1))
      try fixture.jobs[0].runEpochs()
    }
    // The process dies between the two halves of the last commit.
    let table = try fixture.open("dwd.wide")
    let last = try XCTUnwrap(try table.snapshots.latest())
    XCTAssertEqual(last.kind, .compact)
    let first = try table.snapshots.snapshot(last.id - 1)
    XCTAssertEqual(first.commitIdentifier, last.commitIdentifier)
    XCTAssertEqual(try Root(last)?.epoch, try Root(first)?.epoch)
    try fixture.disk.delete(table.path.snapshot(last.id))
    // Nobody reads the half.
    try fixture.jobs[1].runEpochs()
    let half = try XCTUnwrap(try root(fixture, "dws.totals").sources["dwd.wide"])
    XCTAssertLessThan(try TablePosition(half).snapshot, first.id)
    try fixture.startChain()
    try fixture.settle()
    XCTAssertEqual(try fixture.rows("dwd.wide"), model.wide)
    let position = try root(fixture, "dws.totals").sources["dwd.wide"]
    XCTAssertEqual(
      try TablePosition(try XCTUnwrap(position)).snapshot,
      try fixture.open("dwd.wide").snapshots.latestComplete()?.id)
  }

  func test_rule7_state_lagsAndIsReplayed() throws {
    let fixture = fixture()
    try fixture.createChain()
    try fixture.startChain()
    try fixture.settle()
    var model = ShopModel()
    for i in 0..<9 {
      try fixture.commit("ods.orders", model.put(order: Int64(i % 4), shop: 1, amount: Int64(i)))
      try fixture.settle()
      fixture.time.advance(millis: 1000)
    }
    let root = try root(fixture, "dwd.wide")
    let state = try TablePosition(try XCTUnwrap(root.stateSources?["ods.orders"]))
    let target = try TablePosition(try XCTUnwrap(root.sources["ods.orders"]))
    XCTAssertLessThan(state.snapshot, target.snapshot)
    let before = try fixture.open("dwd.wide").snapshots.latestID()
    // Killed; the next one reads the lag again and writes nothing.
    try fixture.startChain()
    try fixture.settle()
    XCTAssertEqual(try fixture.open("dwd.wide").snapshots.latestID(), before)
    let counters = try XCTUnwrap(fixture.jobs[0].counters.sources["ods.orders"])
    XCTAssertGreaterThan(counters.reread, 0)
    XCTAssertLessThanOrEqual(counters.reread, 2 * (target.snapshot - state.snapshot))
    // Ten seconds later the state is committed with the next epoch.
    fixture.time.advance(millis: 10_000)
    try fixture.commit("ods.orders", model.put(order: 1, shop: 2, amount: 1))
    try fixture.settle()
    let later = try self.root(fixture, "dwd.wide")
    XCTAssertEqual(later.stateSources, later.sources)
    XCTAssertEqual(try fixture.rows("dwd.wide"), model.wide)
  }

  func test_rule8_handOn_givesWhatTheChangelogGives() throws {
    let cache = ChangeCache()
    let time = ManualTime()
    let fixture = JobFixture(MemoryFileIO(time: time), time, changes: cache)
    try fixture.createChain()
    try fixture.startChain()
    var model = ShopModel()
    var random = SplitMix(seed: 21)
    for turn in 0..<12 {
      let some = model.change(&random, count: 10)
      try fixture.commit("ods.orders", some.orders)
      try fixture.commit("ods.shops", some.shops)
      try fixture.jobs[0].runEpochs()
      if turn % 3 == 0 { cache.drop() }
      let table = try fixture.open("dwd.wide")
      for id in 1...(try XCTUnwrap(try table.snapshots.latestID())) {
        let snapshot = try table.snapshots.snapshot(id)
        guard let kept = cache.changes(of: snapshot) else { continue }
        var read: [DeltaBatch] = []
        let changes = try table.changes().changes(of: snapshot)
        while let some = try changes.next() { read.append(some.delta) }
        XCTAssertEqual(JobRuleTests.sum(kept), JobRuleTests.sum(read), "snapshot \(id)")
      }
      try fixture.settle()
      XCTAssertEqual(try fixture.rows("dws.totals"), model.totals)
    }
  }

  private static func sum(_ deltas: [DeltaBatch]) -> [[Scalar]: Int64] {
    var sum: [[Scalar]: Int64] = [:]
    for delta in deltas {
      for i in 0..<delta.count {
        sum[delta.rows.columns.map { $0.scalar(i) }, default: 0] +=
          delta.weights.pointer(Int64.self)[i]
      }
    }
    return sum.filter { $0.value != 0 }
  }

  func test_rule8_smallCache_isOnlyACache() throws {
    let time = ManualTime()
    let fixture = JobFixture(MemoryFileIO(time: time), time, changes: ChangeCache(limitBytes: 600))
    try fixture.createChain()
    try fixture.startChain()
    var model = ShopModel()
    var random = SplitMix(seed: 22)
    for _ in 0..<8 {
      let some = model.change(&random, count: 10)
      try fixture.commit("ods.orders", some.orders)
      try fixture.commit("ods.shops", some.shops)
      try fixture.settle()
      XCTAssertEqual(try fixture.rows("dws.totals"), model.totals)
      XCTAssertLessThanOrEqual(try XCTUnwrap(fixture.changes).usedBytes, 600)
    }
  }

  func test_rule11_columnInUse_stopsThatJobAlone() throws {
    let fixture = fixture()
    try fixture.createChain()
    try fixture.startChain()
    var model = ShopModel()
    try fixture.commit("ods.orders", model.put(order: 1, shop: 1, amount: 1))
    try fixture.settle()
    let table = try fixture.open("ods.orders")
    // A new column concerns nobody.
    try table.schemas.change([.addColumn(["note"], .string)])
    let row = model.put(order: 2, shop: 1, amount: 1).map { ($0.0, $0.1 + [Scalar.null]) }
    try fixture.commit("ods.orders", row)
    try fixture.settle()
    XCTAssertEqual(try fixture.rows("dwd.wide"), model.wide)
    try table.schemas.change([.dropColumn(["amount"])])
    try fixture.commit("ods.orders", [(.insert, [.int(9), .int(1), .null])])
    XCTAssertThrowsError(try fixture.jobs[0].runEpoch()) { error in
      let message = (error as? TerraceError)?.message ?? ""
      XCTAssertTrue(message.contains("column amount of ods.orders"), message)
    }
    XCTAssertNoThrow(try fixture.jobs[1].runEpoch())
  }

  func test_sleepingJob_readsOnWithoutAGap() throws {
    let few = ["snapshot.num-retained.min": "1", "snapshot.num-retained.max": "1"]
    let fixture = fixture(handOn: false)
    try fixture.createChain(wide: few)
    try fixture.startChain()
    var model = ShopModel()
    try fixture.settle()
    for i in 0..<25 {
      try fixture.commit("ods.orders", model.put(order: Int64(i % 6), shop: 1, amount: Int64(i)))
      try fixture.jobs[0].runEpochs()
      fixture.time.advance(millis: 11_000)
    }
    try fixture.commit("ods.shops", model.put(shop: 1, name: "x"))
    try fixture.settle()
    XCTAssertEqual(try fixture.rows("dws.totals"), model.totals)
    // Awake, it lets the others go.
    for i in 0..<4 {
      fixture.time.advance(millis: 11_000)
      try fixture.commit("ods.orders", model.put(order: 1, shop: 1, amount: Int64(100 + i)))
      try fixture.settle()
    }
    XCTAssertGreaterThan(try XCTUnwrap(try fixture.open("dwd.wide").snapshots.earliestID()), 20)
  }

  func test_rule10_tagAndPartition_areMadeTogether() throws {
    let folder = FileManager.default.temporaryDirectory.path + "/job-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let metastore = try Metastore.open(folder + "/metastore.db")
    let fixture = fixture()
    try fixture.createChain(
      wide: [
        "tag.automatic-creation": "process-time", "metastore.tag-to-partition": "dt",
        "tag.num-retained-max": "2",
      ], totals: ["metastore.tag-to-partition": "dt"])
    var environment = fixture.environment
    environment.metastore = metastore
    fixture.jobs = [
      try Job(try fixture.spec("dwd.wide", JobFixture.widePlan), in: environment),
      try Job(try fixture.spec("dws.totals", JobFixture.totalsPlan), in: environment),
    ]
    try fixture.settle()
    for _ in 0..<4 {
      fixture.time.advance(millis: 86_400_000)
      try fixture.settle()
    }
    let rows = try metastore.partitions(of: "dwd.wide")
    XCTAssertEqual(rows.map(\.value), try fixture.tags("dwd.wide"))
    XCTAssertEqual(rows.count, 2)
    XCTAssertEqual(try metastore.partitions(of: "dws.totals").count, 4)
    for row in rows {
      let table = try fixture.open("dwd.wide")
      let tag = try TagDirectory(table.path, table.environment).tag(row.tag)
      XCTAssertEqual(tag.snapshot.id, row.snapshotID)
    }
  }
}

extension Job {
  /// This job alone, until it has nothing to do.
  func runEpochs() throws {
    while case .committed = try runEpoch() {}
  }
}
