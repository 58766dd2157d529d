import Foundation
import XCTest

/// What `plan` and `apply` say of specs and settings, and what they do.
final class CommandPlanTests: ProjectTestCase {
  func test_plan_refusesWhatATableMadeAnewCannotDo() throws {
    try makeChain()
    try spec(
      "dws/daily.sql",
      """
      CREATE MATERIALIZED TABLE daily REFRESH_MODE = FULL AS SELECT city FROM dwd.big;
      """)
    try run(0, "plan")
    try spec(
      "dws/follows.sql",
      "CREATE MATERIALIZED TABLE follows AS SELECT city FROM daily;")
    let keyless = try run(2, "plan").errors
    XCTAssertTrue(keyless.contains("not supported: following dws.daily"), keyless)
    try spec("dws/follows.sql", "INSERT INTO daily SELECT city FROM dwd.big;")
    let second = try run(2, "plan").errors
    XCTAssertTrue(second.contains("nothing else can write to it"), second)
    try spec(
      "dws/follows.sql",
      """
      CREATE MATERIALIZED TABLE follows WITH ('tag.automatic-creation' = 'process-time')
      REFRESH_MODE = FULL AS SELECT city FROM dwd.big;
      """)
    let tagged = try run(2, "plan").errors
    XCTAssertTrue(tagged.contains("not supported: automatic tags"), tagged)
  }

  func test_plan_writesNothing() throws {
    try makeChain()
    let plan = try run(0, "plan")
    XCTAssertTrue(plan.output.contains("+ ods.orders"), plan.output)
    XCTAssertTrue(plan.output.contains("dwd.big  ← ods.orders"), plan.output)
    let catalog = scratch.url.appendingPathComponent("catalog").path
    XCTAssertFalse(FileManager.default.fileExists(atPath: catalog))
    XCTAssertEqual(try run(0, "db", "list").output.contains("ods"), false)
  }

  func test_apply_changesNothingWhenDoneAgain() throws {
    try makeChain()
    try run(0, "apply")
    let again = try run(0, "apply")
    XCTAssertEqual(again.output, "Nothing to apply: the warehouse agrees with the specs.\n")
  }

  func test_apply_asksForARebuildWhenRowsLieInOtherBuckets() throws {
    try makeChain()
    try run(0, "run", "--once")
    func big(_ buckets: Int) -> String {
      """
      CREATE TABLE big (id BIGINT NOT NULL, city STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
        WITH ('bucket' = '\(buckets)');
      INSERT INTO big SELECT id, city, amount FROM ods.orders WHERE amount > 10;
      """
    }
    try spec("dwd/big.sql", big(3))
    let plan = try run(0, "plan")
    XCTAssertTrue(
      plan.output.contains("another number of buckets: apply with --rebuild dwd.big"), plan.output)
    XCTAssertTrue(plan.errors.contains("Apply with: terrace apply --rebuild dwd.big"), plan.errors)
    XCTAssertTrue(try run(2, "apply").errors.contains("--rebuild dwd.big"))
    try run(0, "apply", "--rebuild", "dwd.big")
    try run(0, "sql", "INSERT INTO raw.orders VALUES (4, 'Oslo', 40)")
    try run(0, "run", "--once")
    XCTAssertEqual(try daily(), "city,n,total\nLyon,2,50\nOslo,1,40\n")
  }

  func test_apply_asksForARebuildWhenARemovedJobComesBackWithAnotherQuery() throws {
    try makeChain()
    try run(0, "run", "--once")
    let daily = scratch.url.appendingPathComponent("layers/dws/daily.sql")
    let text = try String(contentsOf: daily, encoding: .utf8)
    try FileManager.default.removeItem(at: daily)
    try run(0, "apply")
    try spec("dws/daily.sql", text.replacing("SUM(amount)", with: "MAX(amount)"))
    let refused = try run(2, "apply")
    XCTAssertTrue(refused.errors.contains("the rows of another query"), refused.errors)
    try spec("dws/daily.sql", text)
    try run(0, "apply")
    try run(0, "run", "--once")
    XCTAssertEqual(try self.daily(), "city,n,total\nLyon,2,50\n")
  }

  func test_plan_refusesOptionsOfAllConnectorsAtTheirPlace() throws {
    try scratch.write("terrace.conf", "layers: ods\n")
    func check(_ source: String, _ sink: String, _ words: String) throws {
      try spec(
        "ods/a.sql",
        """
        CREATE TEMPORARY TABLE src (id INT, PRIMARY KEY (id) NOT ENFORCED) WITH (\(source));
        CREATE TEMPORARY TABLE out_ (id INT, PRIMARY KEY (id) NOT ENFORCED) WITH (
          \(sink));
        INSERT INTO out_ SELECT id FROM src;
        """)
      let refused = try run(2, "plan")
      XCTAssertTrue(refused.errors.contains(words), refused.errors)
    }
    let good = "'connector' = 'datagen', 'number-of-rows' = '5'"
    let postgres =
      "'connector' = 'postgres-cdc', 'hostname' = 'h', 'username' = 'u', 'password' = '${env:PATH}', "
      + "'database-name' = 'd', 'table-name' = 't'"
    try check(good + ", 'nonsense' = '1'", "'connector' = 'print'", "layers/ods/a.sql:1:")
    try check(postgres + ", 'scan.startup.mode' = 'latest'", "'connector' = 'print'", "a.sql:1:")
    try check(
      good,
      "'connector' = 'jdbc', 'url' = 'jdbc:postgresql://h/d', 'table-name' = 't', "
        + "'username' = 'u', 'passwrod' = 'x'",
      "a.sql:3:")
    try check(
      good, "'connector' = 'filesystem', 'path' = 'o', 'format' = 'jsonx'", "not supported: format")
  }

  func test_apply_takesInANewColumnAndRefusesAnotherKey() throws {
    try makeChain()
    try run(0, "apply")
    try spec(
      "ods/orders.sql",
      """
      CREATE TABLE orders (id BIGINT NOT NULL, city STRING, amount INT, note STRING,
        PRIMARY KEY (id) NOT ENFORCED);
      INSERT INTO orders (id, city, amount) SELECT id, city, amount FROM raw.orders;
      """)
    XCTAssertTrue(try run(0, "plan").output.contains("+ column note STRING"))
    try spec(
      "dwd/big.sql",
      "CREATE TABLE big (id BIGINT NOT NULL, city STRING NOT NULL, amount INT, PRIMARY KEY (id, city) NOT ENFORCED);"
    )
    let refused = try run(2, "apply")
    XCTAssertTrue(refused.errors.contains("the primary key is id"), refused.errors)
    XCTAssertTrue(refused.errors.contains("nothing was changed"), refused.errors)
  }

  func test_plan_tellsAllErrorsOfAllFilesWithTheirPlaces() throws {
    try makeChain()
    try spec("dwd/big.sql", "CREATE TABLE bigg (id INT);")
    try spec("dws/daily.sql", "CREATE MATERIALIZED TABLE daily AS SELEKT 1;")
    let run = try run(2, "plan")
    XCTAssertTrue(
      run.errors.contains(
        "layers/dwd/big.sql:1:14: the table is called 'bigg', its file big.sql\n"), run.errors)
    XCTAssertTrue(run.errors.contains("              ^^^^\n"), run.errors)
    XCTAssertTrue(run.errors.contains("layers/dws/daily.sql:1:36: expected"), run.errors)
    XCTAssertTrue(run.errors.contains("2 errors in the specs: nothing was changed"), run.errors)
    let json = try self.run(2, "plan", "-f", "json").output
    XCTAssertTrue(
      json.contains(
        #"{"errors":[{"kind":"invalid","message":"the table is called 'bigg', its file big.sql","file":"layers/dwd/big.sql","line":1,"column":14,"length":4"#
      ), json)
  }

  func test_apply_takesTheConsumersOfARemovedJobAway() throws {
    try makeChain()
    try run(0, "run", "--once")
    let before = try run(0, "consumer", "list", "ods.orders", "-f", "json").output
    XCTAssertTrue(before.contains("terrace-dw"), before)
    for path in try FileManager.default.subpathsOfDirectory(atPath: scratch.url.path)
    where path.hasPrefix("layers/dw") && path.hasSuffix(".sql") {
      try FileManager.default.removeItem(at: scratch.url.appendingPathComponent(path))
    }
    for path in try FileManager.default.subpathsOfDirectory(atPath: scratch.url.path)
    where path.hasPrefix("layers/ads") && path.hasSuffix(".sql") {
      try FileManager.default.removeItem(at: scratch.url.appendingPathComponent(path))
    }
    try run(0, "apply")
    let after = try run(0, "consumer", "list", "ods.orders", "-f", "json").output
    XCTAssertFalse(after.contains("terrace-dw"), after)
  }

  func test_plan_refusesUpwardReadsCirclesAndUnknownTables() throws {
    try makeChain()
    let head = "CREATE TABLE orders (n BIGINT);\n"
    for (sql, message, hint) in [
      (
        head + "INSERT INTO orders SELECT n FROM dws.daily;",
        "layers/ods/orders.sql:2:34: ods.orders reads dws.daily, which is of a higher layer",
        "dws.daily → ods.orders"
      ),
      (
        head + "INSERT INTO orders SELECT n FROM orders;",
        "layers/ods/orders.sql:2:34: ods.orders reads itself", "ods.orders → ods.orders"
      ),
      (
        head + "INSERT INTO orders SELECT n FROM raw.orderz;",
        "layers/ods/orders.sql:2:34: table 'raw.orderz' not found", ""
      ),
      (
        "SET 'table.exec.state.ttl' = '1 h';\n" + head
          + "INSERT INTO orders SELECT id FROM raw.orders;",
        "layers/ods/orders.sql:1:30: not supported: table.exec.state.ttl = 1 h", "only 0"
      ),
      (
        head + "INSERT OVERWRITE orders SELECT id FROM raw.orders;",
        "layers/ods/orders.sql:2:18: not supported: INSERT OVERWRITE in a stream", ""
      ),
    ] {
      try spec("ods/orders.sql", sql)
      let run = try run(2, "plan")
      XCTAssertTrue(run.errors.contains(message), run.errors)
      XCTAssertTrue(run.errors.contains(hint) || hint.isEmpty, run.errors)
    }
  }

  func test_plan_warnsOfUnknownKeysWithTheNearestName() throws {
    try makeChain()
    try scratch.write("terrace.conf", "layers: ods, dwd, dws\nmemory.limitt: 1 gb\n")
    let run = try run(0, "plan")
    XCTAssertTrue(
      run.errors.contains(
        "warning: terrace.conf:2: unknown key 'memory.limitt'; did you mean memory.limit?"),
      run.errors)
  }

  func test_conf_refusesValuesWithTheirLine() throws {
    try makeChain()
    let wrong: [(line: String, words: String)] = [
      ("memory.limit: lots", "'memory.limit' takes a size of at least 64 mb"),
      ("memory.limit: 1 kb", "'memory.limit' takes a size of at least 64 mb"),
      ("table.local-time-zone: Nowhere/X", "takes the name of a time zone"),
      ("handing-on: maybe", "takes true or false"),
      ("tag.alignment-timeout: x", "takes a duration"),
    ]
    for (line, words) in wrong {
      try scratch.write("terrace.conf", "layers: ods, dwd, dws\n\(line)\n")
      let refused = try run(2, "plan")
      XCTAssertTrue(refused.errors.contains("terrace.conf:2:1: "), refused.errors)
      XCTAssertTrue(refused.errors.contains(words), refused.errors)
    }
    try scratch.write("terrace.conf", "layers: ods, dwd, ods\n")
    XCTAssertTrue(try run(2, "plan").errors.contains("'ods' stands there twice"))
  }

  func test_conf_neverPrintsWhatTheEnvironmentHolds() throws {
    try makeChain()
    try scratch.write("terrace.conf", "layers: ods, dwd, dws\nexecution.runtime-mode: ${MODE}\n")
    let run = try CommandRun.run(["plan"], in: scratch.url, environment: ["MODE": "batch"])
    XCTAssertEqual(run.code, 2)
    XCTAssertFalse(run.errors.contains("batch"), run.errors)
    let missing = try CommandRun.run(["plan"], in: scratch.url)
    XCTAssertEqual(missing.code, 2)
    XCTAssertTrue(missing.errors.contains("no variable MODE"), missing.errors)
  }

  func test_plan_tellsWhatIsNoSpecAndWhatCannotBeTagged() throws {
    try scratch.write("terrace.conf", "layers: ods\n")
    func source(_ path: String = "in") -> String {
      "CREATE TEMPORARY TABLE src (id INT) WITH ('connector' = 'filesystem', 'path' = '\(path)', 'format' = 'json');\n"
    }
    try spec(
      "ods/a.sql", source() + "CREATE TABLE a (id INT);\nINSERT INTO a SELECT id FROM src;\n")
    try spec("ods/b.SQL", "CREATE TABLE b (id INT);")
    try spec("ods/sub/c.sql", "CREATE TABLE c (id INT);")
    try spec("top.sql", "CREATE TABLE top (id INT);")
    try spec("README.md", "words")
    let told = try run(0, "plan").errors
    for word in [
      "layers/ods/b.SQL is passed over: the name of a spec is TABLE.sql",
      "layers/ods/sub/ is passed over: a layer has no folders in it",
      "layers/top.sql is passed over: a spec lies in the folder of its layer",
    ] { XCTAssertTrue(told.contains(word), told) }
    XCTAssertFalse(told.contains("README"), told)
    func refusal(_ text: String) throws -> String {
      try spec("ods/a.sql", text)
      return try run(2, "plan").errors
    }
    let untagged = try refusal(
      source() + "CREATE TABLE a (id INT, PRIMARY KEY (id) NOT ENFORCED)\n"
        + "  WITH ('tag.automatic-creation' = 'watermark');\nINSERT INTO a SELECT id FROM src;\n")
    XCTAssertTrue(
      untagged.hasPrefix(
        "layers/ods/a.sql:3:36: 'tag.automatic-creation' = 'watermark' needs a source with a WATERMARK"
      ),
      untagged)
    let tail = "CREATE TABLE a (id INT);\nINSERT INTO a SELECT id FROM src;\n"
    XCTAssertTrue(
      try refusal(source("s3://x/in") + tail).contains("not supported: files at s3://…"))
    XCTAssertTrue(
      try refusal(source("in/*.json") + tail).contains("not supported: a pattern in 'path'"))
    XCTAssertTrue(
      try refusal(
        "CREATE TABLE a (id INT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');"
      )
      .contains("'a' has a connector and lies outside: the file makes no table"))
    try Data([0x2d, 0x2d, 0x20, 0xc3, 0xa9, 0x0a, 0x41, 0xff, 0x42])
      .write(to: scratch.url.appendingPathComponent("layers/ods/a.sql"))
    XCTAssertTrue(
      try run(2, "plan").errors.hasPrefix(
        "layers/ods/a.sql:2:2: the text is not UTF-8 from here on"))
  }
}
