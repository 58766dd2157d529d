import Columns
import Connectors
import Store
import Synchronization
import XCTest

@testable import Warehouse

final class SyncRunTests: XCTestCase {
  private let id = ("id", DataType.bigint.notNull)

  private func fixture(
    _ options: String = "", time: any Timekeeper = SystemTime()
  ) throws -> SyncFixture {
    let fixture = try SyncFixture(time: time)
    try fixture.write(
      "layers/ods/shop.sql",
      "CREATE DATABASE ods \(options) AS DATABASE pg.shop INCLUDING ALL TABLES")
    fixture.server.create("shop.a", [id, ("v", .int)], key: ["id"])
    fixture.server.create("shop.b", [id, ("v", .int)], key: ["id"])
    return fixture
  }

  func test_columns_areFollowedInOneRunExactlyOnce() throws {
    let fixture = try fixture()
    let server = fixture.server
    server.put("shop.a", ["id": .int(1), "v": .int(10)])
    try fixture.run()
    server.alter("shop.a", [id, ("v", .int), ("备注", .string)])
    server.put("shop.a", ["id": .int(2), "v": .int(20), "备注": .text("新")])
    server.alter("shop.a", [id, ("v", .bigint), ("备注", .string)])
    server.put("shop.a", ["id": .int(3), "v": .int(1 << 40), "备注": .null])
    server.alter(
      "shop.a", [id, ("值", .bigint), ("备注", .string)], renamed: ["v": "值"], reason: "RENAME")
    server.put("shop.a", ["id": .int(1), "值": .int(11), "备注": .text("y")], .updateAfter)
    server.alter("shop.a", [id, ("值", .bigint)])
    server.put("shop.a", ["id": .int(2), "值": .int(21)], .updateAfter)
    server.put("shop.b", ["id": .int(9), "v": .int(9)])
    let states = try fixture.run()
    XCTAssertEqual(states.map(\.phase), [.drained, .drained], "\(states.compactMap(\.error))")
    let schema = try fixture.table("ods.a").schema
    XCTAssertEqual(schema.fields.map(\.name), ["id", "值", "备注"])
    XCTAssertEqual(schema.fields.map(\.id), [0, 1, 2], "renamed, not made anew")
    XCTAssertEqual(
      try fixture.rows("ods.a"),
      [
        [.int(1), .int(11), .text("y")], [.int(2), .int(21), .null],
        [.int(3), .int(1 << 40), .null],
      ])
    // The next run knows how the tables are, and has nothing to do.
    server.put("shop.a", ["id": .int(2)], .delete)
    XCTAssertEqual(try fixture.run().map(\.phase), [.drained, .drained])
    XCTAssertEqual(try fixture.rows("ods.a").count, 2)
  }

  func test_aLoginThatIsRefused_failsTheTablesOfItsServerAlone() throws {
    let fixture = try fixture()
    let server = fixture.server
    try fixture.write(
      "layers/ods/g.sql",
      "CREATE TEMPORARY TABLE s (n INT, PRIMARY KEY (n) NOT ENFORCED) "
        + "WITH ('connector' = 'fake', 'hostname' = 'other'); "
        + "CREATE TABLE g (PRIMARY KEY (n) NOT ENFORCED) AS SELECT * FROM s")
    server.put("shop.a", ["id": .int(1), "v": .int(10)])
    // Before anything is known of its tables.
    server.content.withLock { $0.refusal = "password authentication failed" }
    func phases() throws -> [String] {
      try fixture.run().map { "\($0.name) \($0.phase) \($0.error?.message ?? "")" }.sorted()
    }
    let refused = "failed password authentication failed"
    XCTAssertEqual(try phases(), ["ods.* " + refused, "ods.g drained "])
    server.content.withLock { $0.refusal = nil }
    XCTAssertEqual(try phases(), ["ods.a drained ", "ods.b drained ", "ods.g drained "])
    // Afterwards: what is known stays, and nothing is forgotten.
    server.content.withLock { $0.refusal = "password authentication failed" }
    XCTAssertEqual(try phases(), ["ods.a " + refused, "ods.b " + refused, "ods.g drained "])
    server.content.withLock { $0.refusal = nil }
    server.put("shop.a", ["id": .int(2), "v": .int(20)])
    XCTAssertEqual(try phases(), ["ods.a drained ", "ods.b drained ", "ods.g drained "])
    XCTAssertEqual(try fixture.rows("ods.a").count, 2)
  }

  func test_aServerThatComesLater_isAskedAgainWhileTheOthersRun() throws {
    let fixture = try fixture("WITH ('table.discovery-interval' = '1 s')")
    fixture.server.put("shop.a", ["id": .int(1), "v": .int(10)])
    fixture.server.content.withLock { $0.isAway = true }
    var hasWaited = false
    let states = try fixture.run(once: false) { states in
      if states.map(\.name) == ["ods.*"], states[0].phase == .retrying {
        hasWaited = true
        fixture.server.content.withLock { $0.isAway = false }
      }
      return states.first { $0.name == "ods.a" }?.counters.rowsIn == 1
    }
    XCTAssertTrue(hasWaited)
    XCTAssertEqual(states.map(\.name).sorted(), ["ods.*", "ods.a", "ods.b"])
  }

  func test_anIncompatibleChange_quarantinesOneTable() throws {
    let fixture = try fixture()
    let server = fixture.server
    server.put("shop.a", ["id": .int(1), "v": .int(10)])
    try fixture.run()
    server.alter("shop.a", [id, ("v", .date)], reason: "ALTER TABLE a MODIFY v DATE")
    server.put("shop.a", ["id": .int(2), "v": .int(20)])
    server.put("shop.b", ["id": .int(1), "v": .int(1)])
    let states = try fixture.run()
    XCTAssertEqual(states.map(\.phase), [.quarantined, .drained])
    XCTAssertEqual(
      states[0].error?.message, "pg.shop.a: column v is DATE now, it was INT")
    XCTAssertEqual(try fixture.rows("ods.a"), [[.int(1), .int(10)]])
    XCTAssertEqual(try fixture.rows("ods.b").count, 1)
    let open = try fixture.open()
    let status = try ProjectStatus(open, try fixture.project(), try open.metastore())
    XCTAssertEqual(status.tables.map(\.state), ["quarantined", "drained"])
    XCTAssertTrue(status.tables[0].error?.contains("column v is DATE now") ?? false)
    // It stays so until the table is made anew.
    XCTAssertEqual(try fixture.run().map(\.phase), [.quarantined, .drained])
  }

  func test_keysAndDroppedTables_quarantineToo() throws {
    for (columns, key, dropped, message) in [
      (
        [id, ("v", DataType.int)], ["id", "v"], false, "the primary key is (id, v) now, it was (id)"
      ),
      ([id, ("v", .smallint)], ["id"], false, "column v is SMALLINT now, it was INT"),
      ([id, ("v", .string)], ["id"], false, "column v is STRING now, it was INT"),
      ([], [], true, "the table is gone: DROP TABLE a"),
    ] {
      let fixture = try fixture()
      try fixture.run()
      let more = key.count == 2 ? [("x", DataType.int)] : []
      fixture.server.alter(
        "shop.a", columns + more, key: key, isDropped: dropped, reason: "DROP TABLE a")
      let state = try fixture.run()[0]
      XCTAssertEqual(state.phase, .quarantined)
      XCTAssertEqual(state.error?.message, "pg.shop.a: " + message)
    }
  }

  func test_aTableThatIsGone_staysInQuarantineUntilItIsDropped() throws {
    let fixture = try fixture()
    try goes(fixture)
    let single = try self.fixture()
    try single.write("layers/ods/shop.sql", "CREATE TABLE a AS TABLE pg.shop.a")
    try goes(single)
  }

  private func goes(_ fixture: SyncFixture) throws {
    try fixture.run()
    fixture.server.alter("shop.a", [], isDropped: true, reason: "DROP TABLE a")
    fixture.server.content.withLock { $0.shapes[FakeServer.table("shop.a")] = nil }
    for _ in 0..<2 {
      let states = try fixture.run()
      let state = try XCTUnwrap(states.first { $0.name == "ods.a" })
      XCTAssertEqual(state.phase, .quarantined)
      XCTAssertEqual(state.error?.message, "pg.shop.a: the table is gone: DROP TABLE a")
      XCTAssertTrue(
        try fixture.project().warnings.contains { $0.hasPrefix("pg.shop.a is not there any more") })
    }
  }

  func test_namesThatGoRound_keepTheirValues() throws {
    let fixture = try fixture()
    fixture.server.alter("shop.a", [id, ("v", .int), ("w", .int)])
    fixture.server.put("shop.a", ["id": .int(1), "v": .int(10), "w": .int(100)])
    try fixture.run()
    fixture.server.alter("shop.a", [id, ("w", .int), ("v", .int)], renamed: ["v": "w", "w": "v"])
    fixture.server.put("shop.a", ["id": .int(2), "v": .int(200), "w": .int(20)])
    // The old name of a column comes again in the statement that renames it.
    fixture.server.alter(
      "shop.a", [id, ("u", .int), ("v", .int), ("w", .string)], renamed: ["w": "u"])
    fixture.server.put("shop.a", ["id": .int(3), "v": .int(300), "u": .int(30), "w": .text("new")])
    XCTAssertEqual(try fixture.run()[0].phase, .drained)
    XCTAssertEqual(try fixture.table("ods.a").schema.fields.map(\.name), ["id", "u", "v", "w"])
    XCTAssertEqual(
      try fixture.rows("ods.a"),
      [
        [.int(1), .int(10), .int(100), .null], [.int(2), .int(20), .int(200), .null],
        [.int(3), .int(30), .int(300), .text("new")],
      ])
  }

  func test_keyColumnsThatGrow_quarantine() throws {
    let fixture = try fixture()
    try fixture.run()
    fixture.server.alter("shop.a", [("id", DataType.decimal(20, 0).notNull), ("v", .int)])
    let state = try fixture.run()[0]
    XCTAssertEqual(state.phase, .quarantined)
    XCTAssertEqual(
      state.error?.message,
      "pg.shop.a: the key column id is DECIMAL(20, 0) now, it was BIGINT: a key column keeps its type"
    )
  }

  func test_ignoreAndFail_doAsTheySay() throws {
    let ignoring = try fixture("WITH ('schema-evolution' = 'ignore')")
    ignoring.server.put("shop.a", ["id": .int(1), "v": .int(10)])
    try ignoring.run()
    ignoring.server.alter(
      "shop.a", [id, ("w", .int), ("new", .string)], renamed: ["v": "w"])
    ignoring.server.put("shop.a", ["id": .int(2), "w": .int(20), "new": .text("x")])
    XCTAssertEqual(try ignoring.run()[0].phase, .drained)
    XCTAssertEqual(try ignoring.rows("ods.a"), [[.int(1), .int(10)], [.int(2), .int(20)]])
    XCTAssertEqual(try ignoring.table("ods.a").schema.fields.map(\.name), ["id", "v"])

    let failing = try fixture("WITH ('schema-evolution' = 'fail')")
    try failing.run()
    failing.server.alter("shop.a", [id, ("v", .int), ("new", .string)], reason: "ADD new")
    let state = try failing.run()[0]
    XCTAssertEqual(state.phase, .quarantined)
    XCTAssertEqual(state.error?.message, "pg.shop.a: its columns changed: ADD new")
  }

  func test_jobsThatReadADroppedColumn_stopAlone() throws {
    let fixture = try fixture()
    try fixture.write(
      "layers/dws/sums.sql",
      """
      CREATE TABLE sums (k BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('bucket' = '1');
      INSERT INTO sums SELECT MOD(id, 2), SUM(v) FROM ods.a GROUP BY MOD(id, 2)
      """)
    try fixture.write(
      "layers/dws/counts.sql",
      """
      CREATE TABLE counts (k BIGINT, n BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('bucket' = '1');
      INSERT INTO counts SELECT MOD(id, 2), COUNT(*) FROM ods.a GROUP BY MOD(id, 2)
      """)
    fixture.server.put("shop.a", ["id": .int(1), "v": .int(10)])
    try fixture.run()
    fixture.server.alter("shop.a", [id], reason: "DROP v")
    fixture.server.put("shop.a", ["id": .int(2)])
    let states = try fixture.run()
    let phases = Dictionary(uniqueKeysWithValues: states.map { ($0.name, $0.phase) })
    XCTAssertEqual(phases["dws.sums"], .failed)
    XCTAssertEqual(phases["dws.counts"], .drained)
    XCTAssertEqual(phases["ods.a"], .drained)
    XCTAssertEqual(try fixture.rows("dws.counts").count, 2)
  }

  func test_tablesThatCome_joinWithoutStoppingOthers() throws {
    let fixture = try fixture("WITH ('table.discovery-interval' = '1 ms')")
    fixture.server.put("shop.a", ["id": .int(1), "v": .int(1)])
    let told = Mutex<[String]>([])
    var isMade = false
    let states = try fixture.run(
      once: false,
      stopWhen: { [id] states in
        if !isMade, states.contains(where: { $0.counters.rowsIn > 0 }) {
          isMade = true
          fixture.server.put("shop.新", ["id": .int(5), "v": .int(5)])
          fixture.server.create("shop.新", [id, ("v", .int)], key: ["id"])
        }
        return states.contains { $0.name == "ods.新" && $0.counters.rowsIn > 0 }
      }, notices: { notice in told.withLock { $0.append(notice) } })
    XCTAssertEqual(states.map(\.restarts), [0, 0, 0])
    XCTAssertEqual(told.withLock { $0 }, ["ods.新 is new: it follows pg.shop.新"])
    XCTAssertEqual(try fixture.rows("ods.新"), [[.int(5), .int(5)]])
  }

  func test_shardsThatCome_joinTheirTableWhileItRuns() throws {
    let fixture = try SyncFixture()
    let server = fixture.server
    try fixture.write(
      "layers/ods/users.sql",
      "CREATE TABLE users WITH ('table.discovery-interval' = '1 ms') AS TABLE pg.shop.`u_\\d`")
    for (name, key) in [("shop.u_1", 1), ("shop.u_2", 2)] {
      server.create(name, [id, ("v", .int)], key: ["id"])
      server.put(name, ["id": .int(Int64(key)), "v": .int(1)])
    }
    let told = Mutex<[String]>([])
    var isMade = false
    let states = try fixture.run(
      once: false,
      stopWhen: { [id] states in
        if !isMade, states.contains(where: { $0.counters.rowsIn == 2 }) {
          isMade = true
          server.put("shop.u_3", ["id": .int(3), "v": .int(1 << 40), "w": .int(9)])
          server.create("shop.u_3", [id, ("v", .bigint), ("w", .int)], key: ["id"])
          // One that cannot join does not keep the others away.
          server.create("shop.u_4", [("k", DataType.bigint.notNull)], key: ["k"])
          server.put("shop.u_1", ["id": .int(11), "v": .int(2)])
        }
        return isMade && told.withLock { $0.count } >= 2
          && states.contains { $0.counters.epoch > 0 && $0.counters.sources.count == 3 }
          && ((try? fixture.rows("ods.users").count) ?? 0) == 4  // It is being changed.
      }, notices: { notice in told.withLock { $0.append(notice) } })
    XCTAssertEqual(states.map(\.restarts), [0])
    XCTAssertEqual(
      try fixture.rows("ods.users"),
      [
        [.int(1), .int(1), .null], [.int(11), .int(2), .null], [.int(2), .int(1), .null],
        [.int(3), .int(1 << 40), .int(9)],
      ])
    let notices = told.withLock { $0 }
    XCTAssertTrue(
      notices.contains("ods.users has more to follow: pg.shop.u_3"), "\(notices)")
    XCTAssertTrue(
      notices.contains { $0.hasPrefix("pg.shop.u_4 is left out of ods.users: ") }, "\(notices)")
    // The next run knows all of them.
    server.put("shop.u_3", ["id": .int(3)], .delete)
    XCTAssertEqual(try fixture.run().map(\.phase), [.drained])
    XCTAssertEqual(try fixture.rows("ods.users").count, 3)
  }

  func test_aShardBeforeTheOthers_leavesThemTheirState() throws {
    let fixture = try SyncFixture()
    let server = fixture.server
    try fixture.write(
      "layers/ods/users.sql",
      """
      CREATE TABLE users WITH ('key-metadata-columns' = 'table_name')
      AS TABLE pg.shop.`u_\\d` ADD COLUMN (n AS v + 1)
      """)
    func make(_ name: String, _ v: Int64) {
      server.create("shop." + name, [id, ("v", .int)], key: ["id"])
      server.put("shop." + name, ["id": .int(1), "v": .int(v)])
    }
    make("u_2", 20)
    make("u_3", 30)
    try fixture.run()
    make("u_1", 10)
    try fixture.run()
    server.put("shop.u_2", ["id": .int(1), "v": .int(21)], .updateAfter)
    server.put("shop.u_3", ["id": .int(1)], .delete)
    server.put("shop.u_1", ["id": .int(1), "v": .int(11)], .updateAfter)
    XCTAssertEqual(try fixture.run().map(\.phase), [.drained])
    XCTAssertEqual(
      try fixture.rows("ods.users"),
      [
        [.text("u_1"), .int(1), .int(11), .int(12)], [.text("u_2"), .int(1), .int(21), .int(22)],
      ])
  }

  func test_tagsByTheClock_cutAllTablesAtOneCommitTime() throws {
    let time = ShiftedTime(86_400_000 * 100)
    let midnight: Int64 = 86_400_000 * 101
    let fixture = try fixture(
      "WITH ('tag.automatic-creation' = 'process-time', 'tag.creation-period' = 'daily')",
      time: time)
    fixture.server.put("shop.a", ["id": .int(1), "v": .int(1)], millis: midnight - 10)
    try fixture.run()
    // The run after midnight finds records of both days in both tables.
    time.set(midnight + 60_000)
    for name in ["shop.a", "shop.b"] {
      fixture.server.put(name, ["id": .int(2), "v": .int(2)], millis: midnight - 1)
      fixture.server.put(name, ["id": .int(3), "v": .int(3)], millis: midnight)
    }
    fixture.server.content.withLock { $0.readMillis = midnight + 50_000 }
    XCTAssertEqual(try fixture.run().map(\.phase), [.drained, .drained])
    for (name, tagged, all) in [("ods.a", 2, 3), ("ods.b", 1, 2)] {
      let table = try fixture.table(name)
      let tags = TagDirectory(table.path, table.environment)
      XCTAssertEqual(try tags.names(), ["1970-04-11"])
      let snapshot = try tags.tag("1970-04-11").snapshot
      let scan = table.scan()
      let read = try scan.read(try scan.plan(snapshot))
      var count = 0
      while let batch = try read.next() { count += batch.count }
      XCTAssertEqual(count, tagged, name)
      XCTAssertEqual(try fixture.rows(name).count, all, name)
    }
  }
}
