import Columns
import Dataflow
import XCTest

@testable import SQL

/// Types as Flink 2.3's planner was seen to derive them.
final class BinderTypesTests: XCTestCase {
  private func type(_ expression: String) -> String {
    do {
      return try TestCatalog.bind("SELECT \(expression) AS x FROM t").type.fields[0].type.text
    } catch {
      return SourceText("SELECT \(expression) AS x FROM t", name: "q.sql").describe(error)
    }
  }

  func test_expression_hasFlinksType() {
    let table: [(String, String)] = [
      ("1", "INT NOT NULL"), ("2147483648", "BIGINT NOT NULL"), ("-2147483648", "INT NOT NULL"),
      ("1.5", "DECIMAL(2, 1) NOT NULL"), (".5", "DECIMAL(1, 1) NOT NULL"),
      ("1e0", "DOUBLE NOT NULL"), ("'abc'", "CHAR(3) NOT NULL"), ("TRUE", "BOOLEAN NOT NULL"),
      ("DATE '2026-01-01'", "DATE NOT NULL"),
      ("TIMESTAMP '2026-01-01 10:00:00'", "TIMESTAMP(0) NOT NULL"),
      ("TIMESTAMP '2026-01-01 10:00:00.123'", "TIMESTAMP(3) NOT NULL"),
      ("X'0aff'", "BINARY(2) NOT NULL"),
      ("a + 1", "INT"), ("e + 1", "BIGINT NOT NULL"), ("7 / 2", "INT NOT NULL"), ("l + 1", "INT"),
      ("l * l", "SMALLINT"), ("m + m", "TINYINT"), ("c + k", "DECIMAL(13, 4)"),
      ("c - k", "DECIMAL(13, 4)"), ("c * k", "DECIMAL(19, 6)"), ("c / k", "DECIMAL(23, 11)"),
      ("c % k", "DECIMAL(8, 4)"), ("5 / 2.0", "DECIMAL(17, 6)"), ("c + d", "DOUBLE"),
      ("c * n", "DOUBLE"), ("a + n", "FLOAT"), ("-a", "INT"),
      ("CAST(1 AS DECIMAL(38, 10)) * CAST(1 AS DECIMAL(38, 10))", "DECIMAL(38, 6)"),
      ("CASE WHEN f THEN a ELSE 1.5 END", "DECIMAL(11, 1)"),
      ("CASE WHEN f THEN 'a' ELSE 'bcd' END", "VARCHAR(3) NOT NULL"),
      ("CASE WHEN f THEN 1 END", "INT"), ("CASE a WHEN 1 THEN 'x' END", "CHAR(1)"),
      ("COALESCE(a, 1)", "INT"), ("NULLIF(e, 1)", "BIGINT"),
      ("IF(f, 'a', 'bcd')", "VARCHAR(3) NOT NULL"),
      ("a = 1", "BOOLEAN"), ("e = 1", "BOOLEAN NOT NULL"), ("a IS NULL", "BOOLEAN NOT NULL"),
      ("a IN (1, 2)", "BOOLEAN"), ("e IN (1, 2)", "BOOLEAN NOT NULL"),
      ("b LIKE 'x%'", "BOOLEAN"), ("g = '2026-01-01'", "BOOLEAN"), ("a BETWEEN 1 AND 2", "BOOLEAN"),
      ("CAST(a AS STRING)", "STRING"), ("CAST(e AS INT)", "INT NOT NULL"),
      ("TRY_CAST('1' AS INT)", "INT"), ("CAST(NULL AS INT)", "INT"), ("NULL", "STRING"),
      ("SUM(a)", "INT"), ("SUM(e)", "BIGINT"), ("SUM(c)", "DECIMAL(38, 2)"), ("SUM(n)", "FLOAT"),
      ("AVG(a)", "INT"), ("AVG(m)", "TINYINT"), ("AVG(c)", "DECIMAL(38, 6)"), ("AVG(d)", "DOUBLE"),
      ("COUNT(*)", "BIGINT NOT NULL"), ("COUNT(DISTINCT a)", "BIGINT NOT NULL"),
      ("MAX(b)", "STRING"),
      ("MIN(e)", "BIGINT"), ("STDDEV_POP(c)", "DECIMAL(38, 6)"), ("LISTAGG(b)", "STRING"),
      ("COUNT(*) + SUM(a)", "BIGINT"),
      ("ROW_NUMBER() OVER (ORDER BY a)", "BIGINT NOT NULL"),
      ("RANK() OVER (ORDER BY a)", "BIGINT NOT NULL"),
      ("SUM(a) OVER (PARTITION BY b ORDER BY e)", "INT"), ("LAG(e) OVER (ORDER BY e)", "BIGINT"),
      ("(SELECT MAX(z) FROM u)", "INT"), ("(SELECT COUNT(*) FROM u WHERE u.a = t.a)", "BIGINT"),
    ]
    for (expression, expected) in table { XCTAssertEqual(type(expression), expected, expression) }
  }

  func test_call_bindsWhenItHasAGrammarOfItsOwn() {
    let table: [(String, String)] = [
      ("o + INTERVAL '1' DAY", "TIMESTAMP(3)"), ("g - INTERVAL '2' MONTH", "DATE"),
      ("INTERVAL '1' HOUR * 3 + o", "TIMESTAMP(3)"), ("EXTRACT(YEAR FROM g)", "BIGINT"),
      ("TIMESTAMPADD(HOUR, 2, o)", "TIMESTAMP(3)"), ("TIMESTAMPDIFF(DAY, g, o)", "INT"),
      ("FLOOR(o TO HOUR)", "TIMESTAMP(3)"), ("CEIL(o TO DAY)", "TIMESTAMP(3)"), ("FLOOR(a)", "INT"),
      ("h[1]", "INT"), ("i['k']", "INT"), ("j.x", "INT"), ("ROW(1, 'a').EXPR$0", "INT NOT NULL"),
      ("ARRAY[1, 2][1]", "INT"), ("b || 'x'", "STRING"), ("UPPER(b)", "STRING"),
      ("YEAR(g)", "BIGINT"), ("CURRENT_DATE", "DATE NOT NULL"), ("b IS JSON", "BOOLEAN NOT NULL"),
      ("CHAR_LENGTH(b)", "INT"), ("TRIM(LEADING 'x' FROM b)", "STRING"),
      ("POSITION('a' IN b)", "INT"),
      ("SUBSTRING(b FROM 2 FOR 3)", "STRING"), ("DATE_FORMAT(o, 'yyyy')", "STRING"),
      (
        "CAST(NULL AS ROW<n VARCHAR, m BINARY VARYING, c CHAR, d CHARACTER VARYING, e VARBINARY>)",
        "ROW<`n` STRING, `m` BYTES, `c` CHAR(1), `d` STRING, `e` BYTES>"
      ),
      ("SPLIT_INDEX(b, '/', 3)", "STRING"), ("GREATEST(a, 1)", "INT"), ("CARDINALITY(h)", "INT"),
    ]
    for (expression, expected) in table { XCTAssertEqual(type(expression), expected, expression) }
  }

  func test_query_hasFlinksTypeWhenQueriesMeet() throws {
    func types(_ query: String) throws -> [String] {
      try TestCatalog.bind(query).type.fields.map { "\($0.name) \($0.type.text)" }
    }
    XCTAssertEqual(
      try types("SELECT a FROM t UNION ALL SELECT CAST(1 AS DECIMAL(5, 2)) FROM u"),
      ["a DECIMAL(12, 2)"])
    XCTAssertEqual(
      try types("SELECT NULL AS x FROM u UNION ALL SELECT a FROM u UNION ALL SELECT e FROM t"),
      ["x BIGINT"])
    XCTAssertEqual(
      try types("SELECT t.e, u.z FROM t LEFT JOIN u ON t.a = u.a"),
      ["e BIGINT NOT NULL", "z INT"])
    XCTAssertEqual(
      try types("SELECT * FROM t JOIN u USING (a) WHERE FALSE LIMIT 1").prefix(1), ["a INT"])
    XCTAssertEqual(
      try types("SELECT a, a, a AS a1, b AS x FROM u"), ["a INT", "a0 INT", "a1 INT", "x STRING"])
    XCTAssertEqual(try types("SELECT 1, a + 1 FROM u"), ["EXPR$0 INT NOT NULL", "EXPR$1 INT"])
    XCTAssertEqual(
      try types(
        "SELECT window_start, window_time, n FROM (SELECT window_start, window_end, window_time, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, window_time)"
      ),
      [
        "window_start TIMESTAMP(3) NOT NULL", "window_time TIMESTAMP(3) NOT NULL",
        "n BIGINT NOT NULL",
      ])
    XCTAssertEqual(
      try types("SELECT * FROM (VALUES (1, 'a'), (NULL, 'bcd')) AS v (x, y)"),
      ["x INT", "y VARCHAR(3) NOT NULL"])
  }
}
