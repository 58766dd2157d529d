import Foundation
import Store
import XCTest

@testable import Warehouse

/// Projects as a stranger works with them: specs in files, the command, its messages and exit codes.
final class CommandProjectTests: ProjectTestCase {
  func test_targetsOutside_areRefusedWhenTwoFilesGiveOneNameToTwoOfThem() throws {
    try makeChain()
    func out(_ columns: String, _ query: String) -> String {
      """
      CREATE TEMPORARY TABLE big_out (\(columns)) WITH ('connector' = 'print');
      INSERT INTO big_out SELECT \(query) FROM ods.orders;
      """
    }
    try spec("dwd/first.sql", out("id BIGINT", "id"))
    try spec("dwd/second.sql", out("id BIGINT, amount INT", "id, amount"))
    let refused = try run(2, "plan")
    XCTAssertTrue(refused.errors.contains("another table of the name 'big_out'"), refused.errors)
    try spec("dwd/second.sql", out("id BIGINT", "id + 1000"))
    try run(0, "plan")
    try spec("dwd/second.sql", out("id BIGINT", "id").replacing("big_out", with: "big"))
    XCTAssertTrue(try run(2, "plan").errors.contains("another table of the name 'big'"))
  }

  func test_run_bringsChangesThroughAllLayers() throws {
    try makeChain()
    try run(0, "run", "--once")
    XCTAssertEqual(try daily(), "city,n,total\nLyon,2,50\n")
    try run(0, "sql", "INSERT INTO raw.orders VALUES (2, 'Oslo', 50), (3, 'Lyon', 1)")
    try run(0, "run", "--once")
    XCTAssertEqual(try daily(), "city,n,total\nLyon,1,20\nOslo,1,50\n")
    let status = try run(0, "status", "-f", "json")
    XCTAssertTrue(status.output.contains("\"name\":\"dws.daily\""), status.output)
    XCTAssertTrue(status.output.contains("\"state\":\"drained\""), status.output)
  }

  /// A table of no spec gets another column and a longer one: who reads all columns stands, all others go on.
  func test_run_goesOnWithoutJobsWhoseTablesAboveHaveChanged() throws {
    try scratch.write("terrace.conf", "layers: dwd\nwarehouse: warehouse\n")
    try run(
      0, "sql",
      """
      CREATE DATABASE raw;
      CREATE TABLE raw.t (id INT NOT NULL, v VARCHAR(5), PRIMARY KEY (id) NOT ENFORCED);
      INSERT INTO raw.t VALUES (1, 'a')
      """)
    try spec(
      "dwd/a.sql",
      """
      CREATE TABLE a (id INT NOT NULL, v STRING, PRIMARY KEY (id) NOT ENFORCED);
      INSERT INTO a SELECT id, v FROM raw.t;
      """)
    try spec(
      "dwd/every.sql",
      """
      CREATE MATERIALIZED TABLE every (PRIMARY KEY (id) NOT ENFORCED) AS SELECT * FROM raw.t;
      """)
    try run(0, "run", "--once")
    try run(
      0, "sql",
      """
      ALTER TABLE raw.t ADD w INT;
      ALTER TABLE raw.t MODIFY v VARCHAR(50);
      INSERT INTO raw.t VALUES (2, 'longer than five', 7)
      """)
    for _ in 0..<2 {
      let said = try run(1, "run", "--once").errors
      XCTAssertTrue(said.contains("dwd.every failed"), said)
      XCTAssertTrue(said.contains("--rebuild dwd.every"), said)
      XCTAssertFalse(said.contains("dwd.a failed"), said)
      XCTAssertEqual(
        try run(0, "query", "SELECT * FROM dwd.a ORDER BY id", "-f", "csv").output,
        "id,v\n1,a\n2,longer than five\n")
    }
    XCTAssertTrue(
      try run(0, "plan").output.contains("the columns of a table that it reads have changed"))
    try run(0, "run", "--once", "--rebuild", "dwd.every")
    XCTAssertEqual(
      try run(0, "query", "SELECT * FROM dwd.every ORDER BY id", "-f", "csv").output,
      "id,v,w\n1,a,\n2,longer than five,7\n")
  }

  /// Rows go out as the target declares them, whatever the query's types say of null.
  func test_targetsOutside_getTheColumnsThatTheyDeclare() throws {
    try scratch.write("terrace.conf", "layers: dwd\nwarehouse: warehouse\n")
    try run(
      0, "sql",
      """
      CREATE DATABASE raw;
      CREATE TABLE raw.t (id INT, v STRING);
      INSERT INTO raw.t VALUES (1, 'a'), (2, 'b')
      """)
    let out =
      "CREATE TEMPORARY TABLE o (id INT, v STRING, r ROW<x INT, y STRING>) WITH "
      + "('connector' = 'filesystem', 'path' = 'out', 'format' = 'avro');\n"
    try spec("dwd/o.sql", out + "INSERT INTO o SELECT 1, 'hello', ROW(id, 'z') FROM raw.t;")
    try run(0, "run", "--once")
    XCTAssertEqual(
      try run(0, "sql", out + "SELECT id, v, r.x, r.y FROM o ORDER BY r.x", "-f", "csv").output,
      "id,v,x,y\n1,hello,1,z\n1,hello,2,z\n")
    try spec(
      "dwd/o.sql",
      out.replacing("id INT", with: "id INT NOT NULL")
        + "INSERT INTO o SELECT NULLIF(id, 2), v, ROW(id, 'z') FROM raw.t;")
    try run(0, "apply", "--rebuild", "dwd.o")
    let refused = try run(1, "run", "--once").errors
    XCTAssertTrue(refused.contains("null in a column that is NOT NULL"), refused)
  }

  func test_sql_leavesTablesOfARunningProjectAlone() throws {
    try makeChain()
    try run(0, "apply")
    let open = try OpenProject(folder: scratch.url.path, Environment())
    let lock = try ProjectLock.take(open.lockFile, command: "terrace run", nowMillis: 0)
    for statement in [
      "DROP TABLE ods.orders", "ALTER TABLE ods.orders ADD x INT", "DROP DATABASE raw CASCADE",
      "INSERT INTO dws.daily VALUES ('Lyon', 1, 1)", "DELETE FROM dwd.big WHERE id = 1",
      "TRUNCATE TABLE dwd.big", "CALL sys.rollback_to('ods.orders', 1)",
      "ALTER TABLE raw.orders RENAME TO x",
    ] {
      let refused = try run(4, "sql", statement)
      XCTAssertTrue(refused.errors.contains("“terrace run” runs this project"), refused.errors)
    }
    // Into tables that no job keeps anybody may write.
    try run(0, "sql", "INSERT INTO raw.orders VALUES (9, 'Oslo', 1); SELECT * FROM ods.orders")
    lock.release()
    try run(0, "sql", "DROP TABLE dws.daily")
  }

  func test_run_makesATableAnewWithRefreshModeFull() throws {
    try makeChain()
    try spec(
      "dws/daily.sql",
      """
      CREATE MATERIALIZED TABLE daily (PRIMARY KEY (city) NOT ENFORCED)
      FRESHNESS = INTERVAL '1' DAY REFRESH_MODE = FULL
      AS SELECT city, COUNT(*) AS n, SUM(amount) AS total FROM dwd.big GROUP BY city
      ORDER BY total DESC LIMIT 1;
      """)
    try spec(
      "dws/follows.sql",
      """
      CREATE MATERIALIZED TABLE follows (PRIMARY KEY (city) NOT ENFORCED)
      AS SELECT city, n FROM daily;
      """)
    try run(0, "run", "--once")
    XCTAssertEqual(try daily(), "city,n,total\nLyon,2,50\n")
    try run(0, "sql", "INSERT INTO raw.orders VALUES (2, 'Oslo', 500)")
    try run(0, "run", "--once")
    XCTAssertEqual(try daily(), "city,n,total\nOslo,1,500\n")
    let follows = try run(0, "query", "SELECT * FROM dws.follows", "-f", "csv").output
    XCTAssertEqual(follows, "city,n\nOslo,1\n")
    // Another query needs no word: the next run makes the table by it.
    try spec(
      "dws/daily.sql",
      """
      CREATE MATERIALIZED TABLE daily (PRIMARY KEY (city) NOT ENFORCED)
      FRESHNESS = INTERVAL '1' DAY REFRESH_MODE = FULL
      AS SELECT city, COUNT(*) AS n, SUM(amount) AS total FROM dwd.big GROUP BY city;
      """)
    try run(0, "apply")
    try run(0, "run", "--once")
    XCTAssertEqual(try daily(), "city,n,total\nLyon,2,50\nOslo,1,500\n")
    // From FULL to CONTINUOUS and back.
    try spec(
      "dws/daily.sql",
      """
      CREATE MATERIALIZED TABLE daily (PRIMARY KEY (city) NOT ENFORCED)
      AS SELECT city, COUNT(*) AS n, SUM(amount) AS total FROM dwd.big GROUP BY city;
      """)
    try run(0, "apply", "--rebuild", "dws.daily")
    try run(0, "sql", "INSERT INTO raw.orders VALUES (4, 'Oslo', 11)")
    try run(0, "run", "--once")
    XCTAssertEqual(try daily(), "city,n,total\nLyon,2,50\nOslo,2,511\n")
    let continued = try run(0, "query", "SELECT * FROM dws.follows ORDER BY n, city", "-f", "csv")
    XCTAssertEqual(continued.output, "city,n\nLyon,2\nOslo,2\n")
  }

  func test_rebuild_makesTheTagsAnewThatTheJobPassesAgain() throws {
    try scratch.write("terrace.conf", "layers: ods, dws\n")
    try FileManager.default.createDirectory(
      at: scratch.url.appendingPathComponent("in"), withIntermediateDirectories: true)
    let lines = (1...3).map { #"{"id":\#($0),"v":\#($0),"ts":"2024-01-0\#($0) 12:00:00"}"# + "\n" }
    try scratch.write("in/1.json", lines.joined())
    let tags = "'bucket' = '1', 'metastore.tag-to-partition' = 'dt'"
    try spec(
      "ods/a.sql",
      """
      CREATE TEMPORARY TABLE src (id BIGINT NOT NULL, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
        WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');
      CREATE TABLE a (id BIGINT NOT NULL, v INT, ts TIMESTAMP(3), PRIMARY KEY (id) NOT ENFORCED)
        WITH (\(tags), 'tag.automatic-creation' = 'watermark');
      INSERT INTO a SELECT * FROM src;
      """)
    func sums(_ factor: Int) throws -> String {
      try spec(
        "dws/g.sql",
        """
        CREATE MATERIALIZED TABLE g (PRIMARY KEY (one) NOT ENFORCED) WITH (\(tags))
        AS SELECT 1 AS one, SUM(v) * \(factor) AS s FROM ods.a;
        """)
      let told = try run(0, "apply", "--rebuild", "dws.g").errors
      try run(0, "run", "--once")
      let rows = try run(
        0, "query", "SELECT dt, s FROM dws.g WHERE dt > '2' ORDER BY dt", "-f", "csv")
      return told + rows.output
    }
    XCTAssertEqual(try sums(1), "dt,s\n2024-01-01,1\n2024-01-02,3\n2024-01-03,6\n")
    XCTAssertEqual(
      try sums(10),
      """
      dws.g keeps 2 tags of what it held before (2024-01-01, 2024-01-02): each is made anew when the job \
      passes its time again; “terrace tag delete dws.g TAG” removes one that is not
      dt,s
      2024-01-01,10
      2024-01-02,30
      2024-01-03,60

      """)
    try run(0, "run", "--once", "--rebuild", "ods.a", "--rebuild", "dws.g")
    XCTAssertEqual(
      try run(0, "query", "SELECT s FROM dws.g WHERE dt = '2024-01-02'", "-f", "csv").output,
      "s\n30\n")
  }

  func test_run_refusesSpecsThatDifferFromWhatIsApplied() throws {
    try makeChain()
    try run(0, "run", "--once")
    try spec(
      "dwd/big.sql",
      """
      -- only a comment came
      CREATE TABLE big (id BIGINT NOT NULL, city STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED);
      INSERT INTO big SELECT id, city,   amount FROM ods.orders WHERE amount > 10;
      """)
    try run(0, "run", "--once")
    try spec(
      "dwd/big.sql",
      """
      CREATE TABLE big (id BIGINT NOT NULL, city STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED);
      INSERT INTO big SELECT id, city, amount FROM ods.orders WHERE amount > 1;
      """)
    let refused = try run(2, "run", "--once")
    XCTAssertTrue(refused.errors.contains("the specs differ from what is applied"), refused.errors)
    XCTAssertTrue(
      refused.errors.contains("“terrace apply --rebuild dwd.big” takes"), refused.errors)
    try run(2, "apply")
    try run(0, "apply", "--rebuild", "dwd.big")
    try run(0, "run", "--once")
    XCTAssertEqual(try daily(), "city,n,total\nLyon,2,50\nOslo,1,5\n")
  }

  func test_run_fillsColumnsWithRowsInRows() throws {
    try scratch.write("terrace.conf", "layers: ods\n")
    try FileManager.default.createDirectory(
      at: scratch.url.appendingPathComponent("in"), withIntermediateDirectories: true)
    try scratch.write("in/1.json", #"{"id":1,"r":{"x":1,"y":"a"},"a":[{"x":2,"y":"b"}]}"# + "\n")
    let columns = "r ROW<x INT, y STRING>, a ARRAY<ROW<x INT, y STRING>>"
    try spec(
      "ods/w.sql",
      """
      CREATE TEMPORARY TABLE src (id INT, \(columns))
        WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');
      CREATE TABLE w (id INT, \(columns)) WITH ('bucket' = '-1');
      INSERT INTO w SELECT id, r, a FROM src;
      """)
    try run(0, "run", "--once")
    XCTAssertEqual(
      try run(0, "query", "SELECT r.y AS y, a[1].x AS x FROM ods.w", "-f", "csv").output,
      "y,x\na,2\n")
  }

  func test_lineage_drawsTheGraph() throws {
    try makeChain()
    XCTAssertEqual(
      try run(0, "lineage").output,
      """
      ods
        ods.orders  ← raw.orders
      dwd
        dwd.big  ← ods.orders
      dws
        dws.daily  ← dwd.big

      """)
    XCTAssertTrue(
      try run(0, "lineage", "-f", "dot").output.contains("\"ods.orders\" -> \"dwd.big\";"))
    XCTAssertTrue(try run(0, "lineage", "-f", "svg").output.hasPrefix("<svg "))
    XCTAssertTrue(
      try run(0, "lineage", "-f", "json").output.contains(
        "{\"from\":\"dwd.big\",\"to\":\"dws.daily\""))
  }

  func test_run_holdsTheProjectUntilItIsToldToStop() throws {
    try makeChain()
    try run(0, "run", "--once")
    let process = Process()
    process.executableURL = CommandRun.binary
    process.arguments = ["run"]
    process.currentDirectoryURL = scratch.url
    process.standardOutput = Pipe()
    process.standardError = Pipe()
    try process.run()
    defer { if process.isRunning { process.terminate() } }
    // Until it holds the lock.
    let deadline = Date(timeIntervalSinceNow: 30)
    while Date() < deadline {
      let status = try run(0, "status", "-f", "json")
      if status.output.contains("\"pid\":\(process.processIdentifier)") { break }
      usleep(20_000)
    }
    let second = try run(4, "run")
    XCTAssertTrue(second.errors.contains("process \(process.processIdentifier)"), second.errors)
    try run(4, "apply")
    try run(4, "compact", "ods.orders")
    try run(4, "expire", "ods.orders")
    try run(4, "table", "rollback", "ods.orders", "--snapshot", "1")
    try run(4, "table", "alter", "ods.orders", "add-column", "-n", "x", "-t", "INT")
    try run(4, "table", "drop", "ods.orders")
    let leases = try run(0, "status", "-f", "json").output
    XCTAssertTrue(leases.contains("\"bytes\":"), leases)
    try run(4, "tag", "create", "ods.orders", "t1")
    process.terminate()
    process.waitUntilExit()
    XCTAssertEqual(process.terminationReason, .exit)
    XCTAssertEqual(process.terminationStatus, 0)
    try run(0, "tag", "create", "ods.orders", "t1")
  }

  func test_init_makesAProjectThatPlansAndIsNeverOverwritten() throws {
    try run(0, "init", "shop")
    let again = try run(2, "init", "shop")
    XCTAssertTrue(again.errors.contains("holds a project already"), again.errors)
    let lost = try run(1, "-C", scratch.path, "plan")
    XCTAssertTrue(lost.errors.contains("terrace init"), lost.errors)
  }
}
