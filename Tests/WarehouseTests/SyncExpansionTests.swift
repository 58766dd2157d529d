import Columns
import Connectors
import Formats
import Store
import Synchronization
import XCTest

@testable import Warehouse

final class SyncExpansionTests: XCTestCase {
  private let orders: [(String, DataType)] = [
    ("id", DataType.bigint.notNull), ("item", .string), ("amount", .int),
  ]

  private func fixture(_ sql: String) throws -> SyncFixture {
    let fixture = try SyncFixture()
    fixture.server.create(
      "shop.orders", orders, key: ["id"], comment: "订单", comments: ["item": "商品 'x'"])
    fixture.server.create("shop.客户", [("编号", DataType.int.notNull), ("名称", .string)], key: ["编号"])
    fixture.server.create("shop.log", [("line", .string)], key: [])
    try fixture.write("layers/ods/shop.sql", sql)
    return fixture
  }

  func test_createDatabase_makesATableOfEachWithAKey() throws {
    let fixture = try fixture("CREATE DATABASE ods AS DATABASE pg.shop INCLUDING ALL TABLES")
    let project = try fixture.project()
    XCTAssertEqual(project.tables.map(\.name.description), ["ods.orders", "ods.客户"])
    XCTAssertEqual(project.jobs.map(\.name), ["ods.orders", "ods.客户"])
    XCTAssertEqual(
      project.warnings,
      [
        "pg.shop.log has no primary key and is left out; CREATE TABLE log (PRIMARY KEY (…) NOT ENFORCED) AS TABLE … syncs it"
      ])
    let schema = try project.tables[0].schema(timeMillis: 0)
    XCTAssertEqual(schema.comment, "订单")
    XCTAssertEqual(schema.fields[1].comment, "商品 'x'")
    XCTAssertEqual(schema.primaryKeys, ["id"])
    XCTAssertTrue(Lineage(project).text.contains("ods.客户  ← pg.shop.客户 (fake)"))
  }

  func test_createDatabase_takesPatternsPrefixAndSuffix() throws {
    let fixture = try fixture(
      """
      CREATE DATABASE ods WITH ('table-prefix' = 'a_', 'table-suffix' = '_z')
      AS DATABASE pg.shop INCLUDING TABLE 'o.*|log' EXCLUDING TABLE 'l.g'
      """)
    XCTAssertEqual(try fixture.project().tables.map(\.name.description), ["ods.a_orders_z"])
  }

  func test_createDatabase_leavesOutWhatHasNoPlaceHere() throws {
    let fixture = try fixture("CREATE DATABASE ods AS DATABASE pg.shop INCLUDING TABLE '[^l].*'")
    fixture.server.create("shop.a/b", orders, key: ["id"])
    fixture.server.create("shop.a$b", orders, key: ["id"])
    fixture.server.create("shop.z1", [("id", .int), ("rowkind", .int)], key: ["id"])
    fixture.server.create("shop.z2", [("id", .array(.int))], key: ["id"])
    fixture.server.content.withLock {
      $0.shapes[FakeServer.table("shop.orders")]?.notes = ["no total"]
    }
    let project = try fixture.project()
    XCTAssertEqual(project.tables.map(\.name.description), ["ods.orders", "ods.客户"])
    XCTAssertEqual(project.warnings.count, 5, "\(project.warnings)")
    for (i, start) in [
      "pg.shop.a$b is left out: ", "pg.shop.a/b is left out: ", "pg.shop.orders: no total",
      "ods.z1 is left out: the column name is reserved: 'rowkind'",
      "ods.z2 is left out: a key of type",
    ].enumerated() {
      XCTAssertTrue(project.warnings[i].hasPrefix(start), project.warnings[i])
    }
  }

  func test_createTable_addsColumnsInTheirPlaces() throws {
    let fixture = try fixture(
      """
      SET 'table.local-time-zone' = 'Asia/Shanghai';
      CREATE TABLE o (src STRING METADATA FROM 'table_name' VIRTUAL, amount BIGINT,
        PRIMARY KEY (id) NOT ENFORCED)
      WITH ('bucket' = '3', 'metadata-columns' = 'op_ts', 'metadata-column-prefix' = '__')
      AS TABLE pg.shop.orders /*+ OPTIONS('scan.startup.mode' = 'latest-offset') */
      ADD COLUMN (twice AS amount * 2 AFTER id, up AS UPPER(item) FIRST)
      """)
    let project = try fixture.project()
    let schema = try project.tables[0].schema(timeMillis: 0)
    XCTAssertEqual(
      schema.fields.map { "\($0.name) \($0.type.text)" },
      [
        "up STRING", "id BIGINT NOT NULL", "twice INT", "item STRING", "amount BIGINT",
        "__op_ts TIMESTAMP(3) WITH LOCAL TIME ZONE", "src STRING",
      ])
    XCTAssertEqual(schema.options["bucket"], "3")
    guard case .connector(let source)? = project.jobs[0].sources.values.first else {
      return XCTFail("no connector")
    }
    XCTAssertEqual(source.options["scan.startup.mode"], "latest-offset")
    XCTAssertEqual(source.options["schema-evolution"], "follow")
  }

  func test_shards_becomeOneTableWithTheirNamesInTheKey() throws {
    let fixture = try fixture(
      """
      CREATE TABLE users WITH ('key-metadata-columns' = 'database_name, table_name')
      AS TABLE pg.`db_\\d+`.`users_[0-9]+`
      """)
    for (name, amount) in [("db_1.users_1", DataType.int), ("db_2.users_7", .bigint)] {
      fixture.server.create(
        name, [("id", DataType.bigint.notNull), ("amount", amount)], key: ["id"])
    }
    let table = try fixture.project().tables[0]
    let schema = try table.schema(timeMillis: 0)
    XCTAssertEqual(schema.primaryKeys, ["database_name", "table_name", "id"])
    XCTAssertEqual(schema.fields.last?.type, .bigint)
    fixture.server.put("db_1.users_1", ["id": .int(1), "amount": .int(5)])
    fixture.server.put("db_2.users_7", ["id": .int(1), "amount": .int(7)])
    try fixture.run()
    XCTAssertEqual(
      try fixture.rows("ods.users"),
      [
        [.text("db_1"), .text("users_1"), .int(1), .int(5)],
        [.text("db_2"), .text("users_7"), .int(1), .int(7)],
      ])
    // A shard that comes later begins at its start, and the others go on.
    fixture.server.create(
      "db_3.users_9", [("id", DataType.bigint.notNull), ("amount", .int)], key: ["id"])
    fixture.server.put("db_3.users_9", ["id": .int(4), "amount": .int(1)])
    fixture.server.put("db_1.users_1", ["id": .int(1)], .delete)
    try fixture.run()
    XCTAssertEqual(
      try fixture.rows("ods.users").map { $0[1] }, [.text("users_7"), .text("users_9")])
  }

  func test_keys_mayBecomeTextAndBeGivenToTablesWithoutOne() throws {
    let fixture = try fixture(
      """
      CREATE TABLE orders WITH ('type-mapping' = 'to-string', 'owner' = 'me') AS TABLE pg.shop.orders;
      CREATE TABLE log (PRIMARY KEY (at) NOT ENFORCED) AS TABLE pg.shop.log;
      """)
    fixture.server.create(
      "shop.log", [("at", .int), ("line", .string)], key: [], tellsOldRows: true)
    fixture.server.create(
      "shop.orders", [("id", DataType.int.notNull), ("amount", .decimal(9, 2))], key: ["id"])
    fixture.server.put("shop.orders", ["id": .int(1), "amount": .int(150)])
    fixture.server.put("shop.orders", ["id": .int(2), "amount": .int(250)])
    fixture.server.put("shop.orders", ["id": .int(2)], .delete)
    fixture.server.put("shop.log", ["at": .int(7), "line": .text("a")])
    fixture.server.put("shop.log", ["at": .int(7), "line": .text("b")], .updateAfter)
    try fixture.run()
    XCTAssertEqual(try fixture.rows("ods.orders"), [[.text("1"), .text("1.50")]])
    XCTAssertEqual(try fixture.rows("ods.log"), [[.int(7), .text("b")]])
    // Columns that come do not make its key another one.
    fixture.server.alter("shop.log", [("at", .int), ("line", .string), ("n", .int)], key: ["at"])
    fixture.server.put("shop.log", ["at": .int(8), "line": .text("c"), "n": .int(1)])
    XCTAssertEqual(try fixture.run().map(\.phase), [.drained, .drained])
    XCTAssertEqual(try fixture.rows("ods.log").count, 2)
  }

  func test_aServerThatIsAway_isDoneWithoutOnceItWasAsked() throws {
    let fixture = try fixture("CREATE DATABASE ods AS DATABASE pg.shop INCLUDING ALL TABLES")
    fixture.server.put("shop.orders", ["id": .int(1), "item": .text("a"), "amount": .int(2)])
    try fixture.run()
    let asked = fixture.server.content.withLock { content -> Int in
      content.isAway = true
      return content.asked
    }
    XCTAssertEqual(try fixture.load(asksServers: false).project?.tables.count, 2)
    XCTAssertEqual(fixture.server.content.withLock { $0.asked }, asked, "nobody was asked")
    let project = try fixture.project()
    XCTAssertEqual(project.tables.count, 2)
    // The metastore does not know the password; the catalog does.
    for case .connector(let table) in project.jobs.flatMap({ Array($0.sources.values) }) {
      XCTAssertEqual(table.options["password"], "secret")
    }
    for source in project.synced.flatMap(\.sources) {
      XCTAssertFalse(source.json(number: 0).text().contains("secret"))
    }
    XCTAssertTrue(
      project.warnings.contains { $0.hasPrefix("catalog pg cannot be asked: the server does not") })
  }

  func test_messages_namePlaceAndReason() throws {
    func problems(_ sql: String) throws -> [String] { try fixture(sql).problems() }
    let all = "CREATE DATABASE ods AS DATABASE "
    for (sql, message) in [
      ("CREATE TABLE o AS TABLE gp.shop.orders", "1:25: there is no catalog 'gp'"),
      ("CREATE TABLE o AS TABLE pg.shop.order", "1:33: catalog pg has no table 'order'"),
      (all + "pg.shop INCLUDING TABLE 'o('", "1:57: 'o(' is no regular expression"),
      (all + "pg.shop INCLUDING TABLE 'nix.*'", "1:57: no table of pg.shop matches 'nix.*'"),
      (
        all + "pg.shop INCLUDING ALL TABLES; CREATE TABLE orders AS TABLE pg.shop.orders",
        "1:63: two statements make ods.orders"
      ),
      ("CREATE TABLE log AS TABLE pg.shop.log", "1:1: pg.shop.log has no primary key"),
      (
        "CREATE DATABASE dwd AS DATABASE pg.shop INCLUDING ALL TABLES",
        "1:17: the database is called 'dwd', the layer of its file ods"
      ),
      (
        all.replacing(" AS", with: " WITH ('schema-evolution' = 'x') AS")
          + "pg.shop INCLUDING ALL TABLES",
        "1:48: 'schema-evolution' takes follow, ignore or fail"
      ),
      (
        "CREATE TABLE o (a INT, PRIMARY KEY (id) NOT ENFORCED) AS TABLE pg.shop.orders",
        "1:17: pg.shop.orders has no column 'a'"
      ),
      (
        "CREATE TABLE o (PRIMARY KEY (item) NOT ENFORCED) AS TABLE pg.shop.orders",
        "1:1: the primary key is (item), at the server it is (id): deleted rows could not be found"
      ),
      (
        "CREATE TABLE o AS TABLE pg.shop.orders ADD COLUMN (x AS nix + 1)",
        "1:1: column 'nix' not found"
      ),
      ("CREATE TABLE o AS TABLE pg.shop.a.orders", "1:33: catalog pg has no schema 'a'"),
      (
        all.replacing(" AS", with: " WITH ('tabel-prefix' = 'x') AS")
          + "pg.shop INCLUDING ALL TABLES", "1:27: unknown option 'tabel-prefix'"
      ),
      (
        "CREATE TABLE o WITH ('tag.creatoin-delay' = '1 min') AS TABLE pg.shop.orders",
        "1:22: unknown option 'tag.creatoin-delay'"
      ),
      (
        "CREATE TABLE o WITH ('table-prefix' = 'x') AS TABLE pg.shop.orders",
        "1:22: 'table-prefix' belongs to CREATE DATABASE"
      ),
      (
        "CREATE TABLE shop AS SELECT * FROM pg.shop.orders",
        "1:36: a table of a server in a query (pg.shop.orders)"
      ),
    ] {
      XCTAssertEqual(try problems(sql), ["layers/ods/shop.sql:" + message], sql)
    }
  }

  func test_aServerThatWasNeverAsked_leavesOutWhatReadsItsTables() throws {
    let fixture = try fixture("CREATE DATABASE ods AS DATABASE pg.shop INCLUDING ALL TABLES")
    try fixture.write(
      "layers/dwd/o.sql",
      "CREATE TABLE dwd.o (PRIMARY KEY (id) NOT ENFORCED) AS SELECT id FROM ods.orders")
    try fixture.write(
      "layers/dws/s.sql",
      "CREATE TABLE dws.s (PRIMARY KEY (id) NOT ENFORCED) AS SELECT id FROM dwd.o")
    fixture.server.content.withLock { $0.isAway = true }
    let project = try fixture.project()
    XCTAssertTrue(project.jobs.isEmpty)
    XCTAssertEqual(
      project.warnings,
      [
        "ods.* cannot be made now: the server does not answer",
        "dwd.o cannot be made now: it reads ods.orders, of which nothing is known yet",
        "dws.s cannot be made now: it reads dwd.o, of which nothing is known yet",
      ])
    XCTAssertEqual(project.absent.map { $0.reason.fact("source") }.first, "layers/ods/shop.sql")
    fixture.server.content.withLock { $0.isAway = false }
    XCTAssertTrue(Set(["dwd.o", "dws.s"]).isSubset(of: try fixture.project().jobs.map(\.name)))
  }

  func test_aVariableThatIsNotSet_stopsItsJobsAlone() throws {
    let fixture = try fixture("CREATE TABLE o AS TABLE pg.shop.orders")
    func declare(_ option: String) throws {
      try fixture.write(
        "layers/ods/f.sql",
        "CREATE TEMPORARY TABLE s (id INT, PRIMARY KEY (id) NOT ENFORCED) "
          + "WITH ('connector' = 'fake', \(option)); CREATE TABLE f (PRIMARY KEY (id) NOT ENFORCED) "
          + "AS SELECT * FROM s")
    }
    try declare("'password' = '${env:TERRACE_NOT_SET}'")
    var project = try fixture.project()
    XCTAssertEqual(project.jobs.map(\.name), ["ods.f", "ods.o"])
    XCTAssertEqual(
      project.warnings,
      [
        "layers/ods/f.sql: the environment has no variable TERRACE_NOT_SET, which 'password' of s "
          + "needs: its job fails"
      ])
    // Without what says which rows there are, there is no plan of the job.
    try declare("'hostname' = '${env:TERRACE_NOT_SET}'")
    project = try fixture.project()
    XCTAssertEqual(project.jobs.map(\.name), ["ods.o"])
    XCTAssertEqual(project.absent.map(\.name), ["ods.f"])
  }
}
