import XCTest

/// Queries that Flink 2.3 reads, and their rows as it gave them.
final class FlinkSyntaxTests: XCTestCase {
  private static let sets = "FROM (VALUES ('a', 1), ('b', 2)) AS t(k, v)"

  private static let table: [(String, String)] = [
    ("SELECT r.* FROM (VALUES (1, ROW(2, 'x'))) AS t(id, r)", #"[2,"x"]"#),
    ("SELECT id, t.r.* FROM (VALUES (1, ROW(2, 'x'))) AS t(id, r)", #"[1,2,"x"]"#),
    (
      "SELECT b, a FROM (SELECT r.* FROM (SELECT CAST(ROW(2, 'x') AS ROW<a INT, b STRING>) AS r) AS t)",
      #"["x",2]"#
    ),
    (
      "SELECT id, x FROM (VALUES (1, ARRAY[1, 2])) AS t(id, arr) CROSS JOIN UNNEST(arr) AS x",
      "[1,1][1,2]"
    ),
    ("SELECT x FROM UNNEST(ARRAY[1, 2]) AS x WHERE x.x > 1", "[2]"),
    (
      "SELECT TIMESTAMPADD(SQL_TSI_QUARTER, 1, DATE '2024-01-31'), TIMESTAMPDIFF(SQL_TSI_HOUR, TIMESTAMP '2024-01-01 00:00:00', TIMESTAMP '2024-01-01 05:00:00')",
      #"["2024-04-30",5]"#
    ),
    (
      "SELECT k, v, COUNT(*) \(sets) GROUP BY GROUPING SETS (ROLLUP(k, v)) ORDER BY k, v",
      #"[null,null,2]["a",null,1]["a",1,1]["b",null,1]["b",2,1]"#
    ),
    (
      "SELECT COUNT(*) \(sets) GROUP BY GROUPING SETS (ROLLUP(k, v), CUBE(v), (k)) ORDER BY 1",
      "[1][1][1][1][1][1][1][1][2][2]"
    ),
    (
      "SELECT k, v \(sets) GROUP BY GROUPING SETS (GROUPING SETS (k, v), ()) ORDER BY k, v",
      #"[null,null][null,1][null,2]["a",null]["b",null]"#
    ),
    ("SELECT v \(sets) WHERE v IN ((SELECT y FROM (VALUES (2), (3)) AS u(y)))", "[2]"),
    ("SELECT v \(sets) WHERE EXISTS ((SELECT 1)) AND v = ((SELECT 2))", "[2]"),
    ("SELECT POSITION('a' IN 'banana' FROM 3), N'abc', _UTF8'd''e'", #"[4,"abc","d'e"]"#),
  ]

  func test_queries_areReadAsFlinkReadsThem() throws {
    let session = try TestSession()
    for (query, rows) in Self.table { XCTAssertEqual(try session.rows(query), rows, query) }
  }

  func test_explain_writesWhatSQLWrites() throws {
    let session = try TestSession()
    func plan(_ condition: String) throws -> String {
      let plan = try session.rows(
        """
        EXPLAIN SELECT id FROM (VALUES (1, 1.50, DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:00', 'a',
          ARRAY[1], TRUE)) AS t(id, d, day, ts, s, arr, ok) WHERE \(condition)
        """)
      let from = try XCTUnwrap(plan.firstRange(of: " where "))
      return String(plan[from.upperBound...].prefix { $0 != "\\" && $0 != "\"" })
    }
    for condition in [
      "EXPR$1 * 1.5 > 0.250", "EXPR$2 = DATE '2024-01-01'", "EXPR$1 IN (1.00, 2.50)",
      "EXPR$3 < TIMESTAMP '2024-02-01 10:00:00'", "EXPR$4 > 'B'",
      "(EXPR$0 = 1 OR EXPR$0 = 2) AND EXPR$6", "EXPR$0 = 1 OR (EXPR$0 > 2 AND EXPR$6)",
      "NOT (EXPR$0 = 1 AND EXPR$6)", "EXPR$0 * (EXPR$0 + 1) = 2", "EXPR$5[1] = 1",
      "FLOOR(EXPR$3 TO DAY) = EXPR$3", "- EXPR$0 < 0",
    ] {
      var asked = condition
      for (i, name) in ["id", "d", "day", "ts", "s", "arr", "ok"].enumerated() {
        asked = asked.replacing("EXPR$\(i)", with: name)
      }
      XCTAssertEqual(try plan(asked), condition)
    }
  }
}
