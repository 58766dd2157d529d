import XCTest

/// `terrace sql` and `terrace query` as a stranger runs them.
final class CommandSQLTests: XCTestCase {
  func test_sql_printsOneJSONLineAResult() throws {
    let folder = try ScratchFolder()
    let file = try folder.write(
      "s.sql",
      """
      -- a comment
      CREATE TABLE t (k BIGINT, v DECIMAL(6, 2));
      INSERT INTO t VALUES (1, 1.5), (2, NULL);
      SELECT * FROM t ORDER BY k;
      SELECT k FROM t WHERE k > 5;
      """)
    let run = try folder.terrace("sql", "--file", file, "-f", "json")
    XCTAssertEqual(
      run.lines,
      [#"{"columns":["k","v"],"rows":[[1,1.50],[2,null]]}"#, #"{"columns":["k"],"rows":[]}"#])
    XCTAssertEqual(run.errors, "")
  }

  func test_sql_endsAtTheFirstFailingStatementWithItsPlace() throws {
    let folder = try ScratchFolder()
    let file = try folder.write(
      "s.sql", "SELECT 1 AS a;\nSELECT\n  nme FROM (VALUES ('x')) AS t(name);\nSELECT 3;")
    let run = try folder.refused(1, "sql", "--file", file, "-f", "json")
    XCTAssertEqual(run.lines, [#"{"columns":["a"],"rows":[[1]]}"#])
    XCTAssertEqual(
      run.errors,
      """
      \(file):3:3: column 'nme' not found
          nme FROM (VALUES ('x')) AS t(name);
          ^^^
        hint: did you mean 'name'?

      """)
  }

  func test_sql_takesTextThatBeginsWithAComment() throws {
    let folder = try ScratchFolder()
    XCTAssertEqual(
      try folder.terrace("sql", "-- one = 1\nSELECT 1 AS a", "-f", "json").lines,
      [#"{"columns":["a"],"rows":[[1]]}"#])
    XCTAssertEqual(
      try CommandRun.run(["sql", "-", "-f", "csv"], in: folder.url, input: "SELECT 2 AS b;").output,
      "b\n2\n")
  }

  func test_query_printsRowsInEachFormat() throws {
    let folder = try ScratchFolder()
    try folder.terrace("sql", "CREATE TABLE t (n INT, s STRING); INSERT INTO t VALUES (7, 'x')")
    XCTAssertEqual(
      try folder.terrace("query", "SELECT * FROM t", "-f", "json").output, "{\"n\":7,\"s\":\"x\"}\n"
    )
    XCTAssertEqual(try folder.terrace("query", "SELECT * FROM t", "-f", "csv").output, "n,s\n7,x\n")
    let table = try folder.terrace("query", "SELECT * FROM t")
    XCTAssertEqual(table.output, "n  s\n-  -\n7  x\n")
    XCTAssertEqual(table.errors, "-- 1 row\n")
  }

  func test_query_refusesWrongSQLWithUsageCode() throws {
    let folder = try ScratchFolder()
    for sql in ["SELECT x", "SELEC 1", "SELECT 1; SELECT 2", "DROP TABLE t"] {
      try folder.refused(2, "query", sql)
    }
    let failed = try folder.refused(1, "query", "SELECT 1 / CAST('0' AS INT)")
    XCTAssertTrue(failed.errors.hasPrefix("query:1:1: division by zero"), failed.errors)
  }

  func test_query_readsTheWarehouseAndViewsOfAProject() throws {
    let folder = try ScratchFolder()
    let layer = folder.url.appendingPathComponent("shop/layers/dwd")
    try FileManager.default.createDirectory(at: layer, withIntermediateDirectories: true)
    try folder.write("shop/terrace.conf", "warehouse: wh\ntable.local-time-zone: Asia/Shanghai\n")
    try folder.write("shop/layers/dwd/big.sql", "CREATE VIEW big AS SELECT * FROM t WHERE n > 1")
    func run(_ words: String...) throws -> CommandRun {
      try CommandRun.run(["-C", "shop"] + words, in: folder.url)
    }
    let made = try run(
      "sql", "CREATE DATABASE dwd; USE dwd; CREATE TABLE t (n INT); INSERT INTO t VALUES (1), (2)")
    XCTAssertEqual(made.code, 0, made.errors)
    XCTAssertTrue(FileManager.default.fileExists(atPath: folder.path + "/shop/wh/dwd.db/t"))
    let rows = try run("query", "SELECT n, TO_TIMESTAMP_LTZ(0, 3) AS t FROM dwd.big", "-f", "csv")
    XCTAssertEqual(rows.output, "n,t\n2,1970-01-01 08:00:00.000\n", rows.errors)
  }
}
