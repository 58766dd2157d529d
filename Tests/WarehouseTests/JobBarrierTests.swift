import Columns
import Dataflow
import Store
import XCTest

@testable import Warehouse

/// Tags are barriers: dt = T of a table is what dt = T of its sources implies.
final class JobBarrierTests: XCTestCase {
  private static let day: Int64 = 86_400_000
  private static let hour: Int64 = 3_600_000
  /// 2023-11-15 00:00 UTC.
  private static let midnight: Int64 = 1_700_006_400_000

  private func fixture(_ start: Int64, handOn: Bool = true) -> JobFixture {
    let time = ManualTime(startMillis: start)
    return JobFixture(MemoryFileIO(time: time), time, changes: handOn ? ChangeCache() : nil)
  }

  private static let events = RowType([
    ("id", .bigint), ("time", DataType(.timestamp(3))), ("amount", .bigint),
  ])

  private static func event(_ id: Int64, _ time: Int64) -> (RowKind, [Scalar]) {
    (.insert, [.int(id), .int(time), .int(id * 10)])
  }

  /// Copies a stream of events into a table that is tagged by their time.
  private func addEvents(
    _ fixture: JobFixture, _ name: String, period: String = "daily", delay: String = "0 ms"
  ) throws {
    try fixture.create("raw.\(name)", JobBarrierTests.events, key: [])
    try fixture.create(
      "ods.\(name)", JobBarrierTests.events, key: ["id"],
      options: [
        "tag.automatic-creation": "watermark", "tag.creation-period": period,
        "tag.creation-delay": delay, "metastore.tag-to-partition": "dt",
      ])
    let source = Plan.source(
      Plan.Source(
        reference: "raw.\(name)", tableType: JobBarrierTests.events, isAppendOnly: true))
    let marked = Plan.watermark(
      Plan.Watermark(
        input: source, timeColumn: 1, expression: .column(1, DataType(.timestamp(3)))))
    let fields = marked.type.fields
    let plan = Plan.map(
      Plan.Map(
        input: marked,
        expressions: [
          .cast(.column(0, .bigint), JobFixture.big, orNull: false),
          .column(1, fields[1].type), .column(2, .bigint),
        ], names: ["id", "time", "amount"]))
    fixture.jobs.append(
      try Job(try fixture.spec("ods.\(name)", plan), in: fixture.environment))
  }

  private func stored(_ name: String) -> Plan {
    var type = JobBarrierTests.events
    type.fields[0].type = JobFixture.big
    return JobFixture.source(name, type, key: [0])
  }

  /// Counts and sums the rows of two tables by id.
  private func addJoin(_ fixture: JobFixture, options: [String: String] = [:]) throws {
    let type = RowType([("id", JobFixture.big), ("a", .bigint), ("b", .bigint)])
    try fixture.create("dwd.both", type, key: ["id"], options: options)
    let join = Plan.join(
      Plan.Join(.left, left: stored("ods.a"), right: stored("ods.b"), leftKeys: [0], rightKeys: [0])
    )
    let plan = Plan.map(
      Plan.Map(
        input: join,
        expressions: [.column(0, JobFixture.big), .column(2, .bigint), .column(5, .bigint)],
        names: ["id", "a", "b"]))
    fixture.jobs.append(try Job(try fixture.spec("dwd.both", plan), in: fixture.environment))
  }

  private func ids(_ fixture: JobFixture, _ table: String, _ tag: String) throws -> [Int64] {
    try fixture.rows(table, tag: tag).compactMap { row -> Int64? in
      if case .int(let id) = row[0] { return id }
      return nil
    }.sorted()
  }

  func test_rule10_watermark_cutsAtTheRow() throws {
    for handOn in [true, false] {
      let start = JobBarrierTests.midnight
      let fixture = fixture(start, handOn: handOn)
      try addEvents(fixture, "a")
      try addEvents(fixture, "b")
      try addJoin(fixture)
      // One commit holds rows of both days: the cut is within it.
      try fixture.commit(
        "raw.a",
        [
          JobBarrierTests.event(1, start + 10), JobBarrierTests.event(2, start + 20),
          JobBarrierTests.event(3, start + JobBarrierTests.day),
          JobBarrierTests.event(4, start + 30),
        ])
      try fixture.settle()
      XCTAssertEqual(try fixture.tags("ods.a"), ["2023-11-15"])
      XCTAssertEqual(try ids(fixture, "ods.a", "2023-11-15"), [1, 2])
      // The other table has not come that far: the join waits.
      XCTAssertEqual(try fixture.tags("dwd.both"), [])
      try fixture.commit("raw.b", [JobBarrierTests.event(1, start + 5)])
      try fixture.settle()
      XCTAssertEqual(try fixture.tags("dwd.both"), [])
      try fixture.commit(
        "raw.b",
        [
          JobBarrierTests.event(2, start + 7),
          JobBarrierTests.event(3, start + JobBarrierTests.day + 1),
        ])
      try fixture.settle()
      XCTAssertEqual(try fixture.tags("dwd.both"), ["2023-11-15"])
      let expected: [[Scalar]] = [[.int(1), .int(10), .int(10)], [.int(2), .int(20), .int(20)]]
      XCTAssertEqual(try fixture.rows("dwd.both", tag: "2023-11-15"), expected)
      // Late rows and updates of the next day leave the tag as it is.
      try fixture.commit("raw.a", [JobBarrierTests.event(1, start + 1)])
      try fixture.commit("raw.b", [(.insert, [.int(2), .int(start + 50), .int(99)])])
      try fixture.settle()
      XCTAssertEqual(try fixture.rows("dwd.both", tag: "2023-11-15"), expected)
      XCTAssertEqual(try fixture.rows("dwd.both").count, 4)
      XCTAssertEqual(try fixture.rows("dwd.both")[1][2], .int(99))
    }
  }

  func test_watermarkFarAhead_makesTheLastTagOnly() throws {
    let start = JobBarrierTests.midnight
    let fixture = fixture(start)
    try addEvents(fixture, "a")
    let day = JobBarrierTests.day
    try fixture.commit(
      "raw.a",
      [
        JobBarrierTests.event(1, start + 10), JobBarrierTests.event(2, start + 3 * day),
        JobBarrierTests.event(3, start + 5000 * day), JobBarrierTests.event(4, start + 5001 * day),
      ])
    try fixture.settle()
    XCTAssertEqual(
      try fixture.tags("ods.a"),
      ["2023-11-15", "2023-11-16", "2023-11-17", "2037-07-23", "2037-07-24"])
  }

  func test_rule10_hourlyAndDaily_meetDaily() throws {
    let start = JobBarrierTests.midnight
    let fixture = fixture(start)
    try addEvents(fixture, "a", period: "hourly")
    try addEvents(fixture, "b")
    try addJoin(fixture)
    for step in 0..<52 {
      let time = start + Int64(step) * JobBarrierTests.hour + 5
      try fixture.commit("raw.a", [JobBarrierTests.event(Int64(step), time)])
      if step % 5 == 0 {
        try fixture.commit("raw.b", [JobBarrierTests.event(Int64(step), time)])
      }
      try fixture.settle()
    }
    XCTAssertEqual(try fixture.tags("ods.a").count, 51)
    XCTAssertEqual(try fixture.tags("ods.b"), ["2023-11-15", "2023-11-16"])
    XCTAssertEqual(try fixture.tags("dwd.both"), ["2023-11-15", "2023-11-16"])
    XCTAssertEqual(try ids(fixture, "dwd.both", "2023-11-15"), Array(0..<24))
    XCTAssertEqual(
      try ids(fixture, "dwd.both", "2023-11-16"), Array(0..<48))
  }

  func test_rule10_processTime_makesUpMissedTags() throws {
    let start = JobBarrierTests.midnight + 1000
    let fixture = fixture(start)
    try fixture.createChain(options: [:], wide: ["tag.automatic-creation": "process-time"])
    try fixture.startChain()
    var model = ShopModel()
    try fixture.commit("ods.orders", model.put(order: 1, shop: nil, amount: 1))
    try fixture.settle()
    // The clock passes midnight, and no data comes: the tag does.
    fixture.time.advance(millis: JobBarrierTests.day)
    try fixture.settle()
    XCTAssertEqual(try fixture.tags("dwd.wide"), ["2023-11-15"])
    XCTAssertEqual(try fixture.tags("dws.totals"), ["2023-11-15"])
    fixture.jobs.forEach { $0.close() }
    // Down for three days; what came meanwhile belongs to the running day.
    fixture.time.advance(millis: 3 * JobBarrierTests.day)
    try fixture.commit("ods.orders", model.put(order: 2, shop: nil, amount: 1))
    try fixture.startChain()
    try fixture.settle()
    XCTAssertEqual(
      try fixture.tags("dwd.wide"), ["2023-11-15", "2023-11-16", "2023-11-17", "2023-11-18"])
    XCTAssertEqual(try ids(fixture, "dwd.wide", "2023-11-18"), [1])
    XCTAssertEqual(try fixture.rows("dwd.wide"), model.wide)
    XCTAssertEqual(try fixture.tags("dws.totals").count, 4)
  }

  func test_rule10_lateSource_isWaitedForSoLong() throws {
    let start = JobBarrierTests.midnight
    let fixture = fixture(start)
    try addEvents(fixture, "a")
    try addEvents(fixture, "b")
    try addJoin(fixture, options: ["tag.alignment-timeout": "10 min"])
    try fixture.commit("raw.b", [JobBarrierTests.event(1, start + 5)])
    try fixture.commit(
      "raw.a",
      [JobBarrierTests.event(1, start), JobBarrierTests.event(2, start + JobBarrierTests.day)])
    try fixture.settle()
    XCTAssertEqual(try fixture.tags("dwd.both"), [])
    XCTAssertTrue(try XCTUnwrap(fixture.jobs[2].counters.waiting).contains("ods.b"))
    fixture.time.advance(millis: 601_000)
    try fixture.settle()
    XCTAssertEqual(try fixture.tags("dwd.both"), ["2023-11-15"])
    let table = try fixture.open("dwd.both")
    let tag = try TagDirectory(table.path, table.environment).tag("2023-11-15")
    XCTAssertEqual(try Root.Tags(of: tag.snapshot)?.partial, ["ods.b"])
    let notices = fixture.jobs[2].takeNotices()
    XCTAssertEqual(
      notices,
      ["tagged without ods.b, waited for until tag.alignment-timeout: 2023-11-15"])
    // The other comes at last, and nothing is tagged twice.
    try fixture.commit("raw.b", [JobBarrierTests.event(2, start + JobBarrierTests.day)])
    try fixture.settle()
    XCTAssertEqual(try fixture.tags("dwd.both"), ["2023-11-15"])
    XCTAssertEqual(try fixture.rows("dwd.both").count, 2)
  }

  func test_rule10_newJob_findsEarlierTags() throws {
    let start = JobBarrierTests.midnight
    let fixture = fixture(start)
    try addEvents(fixture, "a")
    try addEvents(fixture, "b")
    for step in 0..<4 {
      let time = start + Int64(step) * JobBarrierTests.day
      for name in ["raw.a", "raw.b"] {
        try fixture.commit(name, [JobBarrierTests.event(Int64(step), time)])
      }
      try fixture.settle()
    }
    try addJoin(fixture)
    try fixture.settle()
    XCTAssertEqual(try fixture.tags("dwd.both"), ["2023-11-15", "2023-11-16", "2023-11-17"])
    for (step, tag) in try fixture.tags("dwd.both").enumerated() {
      XCTAssertEqual(try ids(fixture, "dwd.both", tag), Array(0...Int64(step)))
    }
  }

  func test_rule10_once_leavesWhatIsBehindAnUnfinishedBarrier() throws {
    for ends in [false, true] {
      let start = JobBarrierTests.midnight
      let fixture = fixture(start)
      try addEvents(fixture, "a")
      try addEvents(fixture, "b")
      try addJoin(fixture)
      try fixture.commit("raw.b", [JobBarrierTests.event(1, start + 5)])
      try fixture.commit(
        "raw.a",
        [JobBarrierTests.event(1, start), JobBarrierTests.event(2, start + JobBarrierTests.day)])
      for job in fixture.jobs {
        try job.stopAtPresent()
        if ends { job.endInput() }
        try job.runUntilDrained()
      }
      // The end of the input is behind every barrier; without it the other source may still come.
      XCTAssertEqual(try fixture.tags("dwd.both"), ends ? ["2023-11-15"] : [])
      XCTAssertEqual(try fixture.rows("dwd.both").count, ends ? 2 : 1)
      if ends { XCTAssertEqual(try ids(fixture, "dwd.both", "2023-11-15"), [1]) }
      fixture.jobs.forEach { $0.close() }
    }
  }
}

extension Job {
  func runUntilDrained() throws {
    for _ in 0..<100 {
      if case .drained = try runEpoch() { return }
    }
    throw TerraceError(.unavailable, "the job is never drained")
  }
}
