import Columns
import Dataflow
import Store
import XCTest

@testable import Warehouse

final class JobTests: XCTestCase {
  private func fixture(handOn: Bool = true) -> JobFixture {
    let time = ManualTime()
    return JobFixture(MemoryFileIO(time: time), time, changes: handOn ? ChangeCache() : nil)
  }

  private func check(_ fixture: JobFixture, _ model: ShopModel, _ what: String = "") throws {
    XCTAssertEqual(try fixture.rows("dwd.wide"), model.wide, what)
    XCTAssertEqual(try fixture.rows("dws.totals"), model.totals, what)
  }

  func test_epochs_followChangesThroughTwoJobs() throws {
    for handOn in [true, false] {
      let fixture = fixture(handOn: handOn)
      try fixture.createChain()
      try fixture.startChain()
      var model = ShopModel()
      var random = SplitMix(seed: 5)
      for turn in 0..<20 {
        let some = model.change(&random, count: 8)
        try fixture.commit("ods.orders", some.orders)
        try fixture.commit("ods.shops", some.shops)
        try fixture.settle()
        try check(fixture, model, "turn \(turn), hand on \(handOn)")
        fixture.time.advance(millis: 3000)
      }
      XCTAssertEqual(fixture.changes.map { $0.hits > 0 } ?? true, true)
      fixture.jobs.forEach { $0.close() }
    }
  }

  func test_start_readsWhatIsThereInPieces() throws {
    let fixture = fixture()
    try fixture.createChain()
    var model = ShopModel()
    var random = SplitMix(seed: 6)
    for _ in 0..<5 {
      let some = model.change(&random, count: 20)
      try fixture.commit("ods.orders", some.orders)
      try fixture.commit("ods.shops", some.shops)
    }
    try fixture.startChain()
    try fixture.settle(EpochLimits(rows: 1))
    try check(fixture, model)
  }

  func test_restart_goesOnWhereItStood() throws {
    for handOn in [true, false] {
      let fixture = fixture(handOn: handOn)
      try fixture.createChain()
      var model = ShopModel()
      var random = SplitMix(seed: 7)
      for turn in 0..<25 {
        // Every other time the jobs are not closed: as after a kill.
        if turn % 2 == 0 { fixture.jobs.forEach { $0.close() } }
        try fixture.startChain()
        let some = model.change(&random, count: 6)
        try fixture.commit("ods.orders", some.orders)
        try fixture.settle()
        try fixture.commit("ods.shops", some.shops)
        try fixture.settle()
        try check(fixture, model, "turn \(turn)")
        fixture.time.advance(millis: Int64(random.next() % 12_000))
      }
      let reread = fixture.jobs[0].counters.sources.values.reduce(0) { $0 + $1.reread }
      XCTAssertLessThan(reread, 200)
    }
  }

  func test_rebuild_makesLostStateAnew() throws {
    let fixture = fixture()
    try fixture.createChain()
    var model = ShopModel()
    var random = SplitMix(seed: 8)
    for turn in 0..<6 {
      try fixture.startChain()
      let some = model.change(&random, count: 10)
      try fixture.commit("ods.orders", some.orders)
      try fixture.commit("ods.shops", some.shops)
      try fixture.settle()
      try check(fixture, model, "turn \(turn)")
      fixture.jobs.forEach { $0.close() }
      try fixture.disk.deleteTree("/wh/_state.db")
    }
  }

  func test_rule4_outputWithoutRoot_stops() throws {
    let fixture = fixture()
    try fixture.createChain()
    try fixture.commit("dwd.wide", [(.insert, [.int(1), .null, .int(2), .null])])
    try fixture.startChain()
    XCTAssertThrowsError(try fixture.jobs[0].runEpoch()) { error in
      let error = error as? TerraceError
      XCTAssertEqual(error?.kind, .invalid)
      XCTAssertTrue(error?.message.contains("no root") ?? false, "\(String(describing: error))")
    }
  }

  func test_rule4_otherFingerprint_stops() throws {
    let fixture = fixture()
    try fixture.createChain()
    try fixture.startChain()
    try fixture.settle()
    fixture.jobs.forEach { $0.close() }
    let other = try fixture.spec("dwd.wide", JobFixture.widePlan, fingerprint: "2")
    let job = try Job(other, in: fixture.environment)
    XCTAssertThrowsError(try job.recover()) { error in
      XCTAssertEqual((error as? TerraceError)?.kind, .invalid)
    }
  }

  func test_rule5_rolledBackSource_stops() throws {
    let fixture = fixture()
    try fixture.createChain()
    var model = ShopModel()
    try fixture.commit("ods.orders", model.put(order: 1, shop: 1, amount: 5))
    try fixture.commit("ods.orders", model.put(order: 2, shop: 1, amount: 5))
    try fixture.startChain()
    try fixture.settle()
    let table = try fixture.open("ods.orders")
    try Rollback(table.path, table.environment).to(snapshotID: 1)
    try fixture.commit("ods.orders", model.put(order: 3, shop: 1, amount: 5))
    XCTAssertThrowsError(try fixture.jobs[0].runEpoch()) { error in
      XCTAssertEqual((error as? TerraceError)?.kind, .conflict)
    }
    XCTAssertThrowsError(try fixture.jobs[0].runEpoch())
  }

  func test_rule5_consumer_namesWhatTheStateReflects() throws {
    let fixture = fixture()
    try fixture.createChain(options: [
      "snapshot.num-retained.min": "1", "snapshot.num-retained.max": "1",
    ])
    try fixture.startChain()
    var model = ShopModel()
    try fixture.settle()
    let table = try fixture.open("ods.orders")
    for i in 0..<30 {
      try fixture.commit("ods.orders", model.put(order: Int64(i % 7), shop: 1, amount: Int64(i)))
      if i % 3 == 0 { try fixture.settle() }
      fixture.time.advance(millis: 2500)
      _ = try Maintenance(table.path, table.environment).run()
      let pinned = try XCTUnwrap(
        try Consumers(table.path, table.environment).find("terrace-dwd.wide"))
      let root = try XCTUnwrap(
        try Root(try XCTUnwrap(try fixture.open("dwd.wide").snapshots.latest())))
      let state = try TablePosition(try XCTUnwrap(root.stateSources?["ods.orders"]))
      XCTAssertLessThanOrEqual(pinned, max(1, state.snapshot))
    }
    try fixture.startChain()
    try fixture.settle()
    try check(fixture, model)
    XCTAssertGreaterThan(try XCTUnwrap(try table.snapshots.earliestID()), 5)
  }

  func test_rule6_otherProcess_takesOver() throws {
    let fixture = fixture()
    try fixture.createChain()
    try fixture.startChain()
    try fixture.settle()
    let old = fixture.jobs
    var model = ShopModel()
    try fixture.commit("ods.orders", model.put(order: 1, shop: 1, amount: 5))
    try fixture.startChain()
    try fixture.settle()
    try fixture.commit("ods.orders", model.put(order: 2, shop: 1, amount: 5))
    XCTAssertThrowsError(try old[0].runEpoch()) { error in
      XCTAssertEqual((error as? TerraceError)?.kind, .held)
    }
    try fixture.settle()
    try check(fixture, model)
  }

  func test_rule6_foreignCommits_areRetried() throws {
    let fixture = fixture()
    try fixture.createChain()
    try fixture.startChain()
    try fixture.settle()
    var model = ShopModel()
    for i in 0..<5 {
      try fixture.commit("ods.orders", model.put(order: Int64(i), shop: 1, amount: 5))
      _ = try fixture.open("dwd.wide").compact(full: true)
      try fixture.settle()
    }
    try check(fixture, model)
  }

  func test_rule2_tableWithoutChangelog_isReadByLookup() throws {
    try check(producer: "none")
  }

  func test_rule2_tableThatLooksUp_isFollowed() throws { try check(producer: "lookup") }

  private func check(producer: String) throws {
    let fixture = fixture()
    try fixture.createChain(
      options: ["changelog-producer": producer], wide: ["changelog-producer": producer])
    try fixture.startChain()
    var model = ShopModel()
    var random = SplitMix(seed: 9)
    for turn in 0..<10 {
      let some = model.change(&random, count: 8)
      // Writers of such a table give new rows only.
      try fixture.commit("ods.orders", some.orders.filter { $0.0 != .updateBefore })
      try fixture.commit("ods.shops", some.shops.filter { $0.0 != .updateBefore })
      try fixture.settle()
      try check(fixture, model, "turn \(turn)")
    }
  }

  func test_overwrittenSource_isFollowed() throws {
    let fixture = fixture()
    try fixture.createChain()
    try fixture.startChain()
    var model = ShopModel()
    try fixture.commit("ods.shops", model.put(shop: 1, name: "a"))
    for i in 0..<4 {
      try fixture.commit("ods.orders", model.put(order: Int64(i), shop: 1, amount: 5))
    }
    try fixture.settle()
    let table = try fixture.open("ods.orders")
    _ = try table.commit().overwrite(.table, [])
    model.orders = [:]
    try fixture.settle()
    try check(fixture, model)
  }
}
