import Columns
import XCTest

@testable import SQL

/// What the parser takes and how it stays on its feet.
final class ParserTests: XCTestCase {
  private func parse(_ text: String, file: StaticString = #filePath, line: UInt = #line)
    -> [Statement]
  {
    let source = SourceText(text, name: "t.sql")
    do {
      return try Parser.script(source)
    } catch {
      XCTFail(source.describe(error), file: file, line: line)
      return []
    }
  }

  /// One text per line of thought; each must parse into as many statements as it has semicolons.
  static let accepted = [
    "SELECT 1;",
    "SELECT a, b AS c, t.*, `x y` FROM db.t AS t WHERE a > 1 AND NOT b OR c IS NOT NULL;",
    "SELECT * FROM a JOIN b ON a.x = b.x LEFT OUTER JOIN c USING (k) NATURAL JOIN d CROSS JOIN e, f;",
    "SELECT * FROM (a JOIN b ON TRUE) RIGHT JOIN ((SELECT 1 AS x) UNION ALL (SELECT 2)) AS u ON TRUE;",
    "WITH a AS (SELECT 1), b (x, y) AS (VALUES (1, 'a'), (2, U&'\\00e4' UESCAPE '\\')) SELECT * FROM b;",
    "SELECT COUNT(*), COUNT(DISTINCT x) FILTER (WHERE y > 0), SUM(x) OVER w FROM t GROUP BY z HAVING COUNT(*) > 1 WINDOW w AS (PARTITION BY a ORDER BY b DESC NULLS LAST ROWS BETWEEN 3 PRECEDING AND CURRENT ROW);",
    "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' MINUTES)) GROUP BY window_start, window_end;",
    "SELECT * FROM TABLE(HOP(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '2' SECOND, SIZE => INTERVAL '10' SECOND));",
    "SELECT * FROM SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '5' MINUTE);",
    "SELECT TUMBLE_START(ts, INTERVAL '1' DAY) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' DAY), ROLLUP(a, b), GROUPING SETS ((a), (b), ());",
    "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) AS rn FROM t) WHERE rn <= 10;",
    "SELECT * FROM o JOIN r FOR SYSTEM_TIME AS OF o.ts AS r ON o.c = r.c;",
    "SELECT * FROM t /*+ OPTIONS('scan.snapshot-id'='1', 'a'='b') */ AS x;",
    "SELECT /*+ STATE_TTL('a'='1d', 'b'='12h'), BROADCAST(a, b) */ * FROM t VERSION AS OF 3;",
    "SELECT * FROM t TIMESTAMP AS OF '2026-01-01 00:00:00' x;",
    "SELECT CASE WHEN a THEN 1 ELSE 2 END, CASE x WHEN 1 THEN 'a' WHEN 2, 3 THEN 'b' END;",
    "SELECT CAST(a AS DECIMAL(10, 2)), TRY_CAST(b AS ROW<x INT, y ARRAY<STRING NOT NULL>>), CAST(c AS TIMESTAMP(3) WITH LOCAL TIME ZONE);",
    "SELECT INTERVAL '1' DAY, INTERVAL -'1-2' YEAR TO MONTH, DATE '2026-01-01', TIMESTAMP '2026-01-01 10:00:00', X'0aFF', 1e3, .5, 1.;",
    "SELECT ROW(1, 'a'), (1, 2), ARRAY[1, 2][1], MAP['a', 1]['a'], f(x).y, a.b.c[1].d;",
    "SELECT EXTRACT(YEAR FROM d), SUBSTRING(s FROM 1 FOR 2), TRIM(BOTH ' ' FROM s), TRIM(s), POSITION('a' IN s), OVERLAY(s PLACING 'x' FROM 1), FLOOR(ts TO HOUR), TIMESTAMPADD(DAY, 1, ts), TIMESTAMPDIFF(MINUTE, a, b);",
    "SELECT a LIKE 'x!%' ESCAPE '!', a NOT LIKE b, a BETWEEN SYMMETRIC 1 AND 2, a NOT BETWEEN 1 AND 2 AND b, a IS NOT DISTINCT FROM b, a IS JSON OBJECT, a IN (1, 2), a NOT IN (SELECT 1), EXISTS (SELECT 1);",
    "SELECT JSON_VALUE(j, '$.a' RETURNING INT NULL ON EMPTY DEFAULT 0 ON ERROR), JSON_OBJECT(KEY 'a' VALUE 1, 'b' VALUE 2 NULL ON NULL);",
    "SELECT a FROM t ORDER BY a ASC NULLS FIRST, b DESC LIMIT 10 OFFSET 5; SELECT a FROM t OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY;",
    "SELECT a FROM t UNION SELECT b FROM u INTERSECT ALL SELECT c FROM v EXCEPT SELECT d FROM w;",
    "SELECT a, rn FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) = 1;",
    "SELECT * FROM t CROSS JOIN UNNEST(t.arr) WITH ORDINALITY AS u (x, i) LEFT JOIN LATERAL TABLE(f(t.a)) AS g (y) ON TRUE;",
    "SELECT ARRAY_AGG(x ORDER BY y), LISTAGG(a, ',') WITHIN GROUP (ORDER BY b), LAST_VALUE(x) IGNORE NULLS OVER (ORDER BY t) FROM t;",
    "SELECT LEFT(s, 1), RIGHT(s, 2), IF(a, 1, 2), REPLACE(s, 'a', 'b'), MOD(1, 2), CURRENT_DATE, CURRENT_TIMESTAMP(), LOCALTIMESTAMP(3), YEAR(d), value FROM t;",
    "CREATE TABLE IF NOT EXISTS c.d.t (a INT NOT NULL COMMENT 'it''s', b AS a + 1, m BIGINT METADATA FROM 'offset' VIRTUAL, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, CONSTRAINT pk PRIMARY KEY (a) NOT ENFORCED) COMMENT 'c' DISTRIBUTED BY HASH (a) INTO 4 BUCKETS PARTITIONED BY (a) WITH ('k' = 'v', 'k2' = '') ;",
    "CREATE TEMPORARY TABLE t (a INT PRIMARY KEY NOT ENFORCED) WITH ('connector' = 'datagen') LIKE s (INCLUDING ALL EXCLUDING OPTIONS);",
    "CREATE TABLE t WITH ('a' = 'b') AS SELECT 1 AS x;",
    "CREATE MATERIALIZED TABLE m (PRIMARY KEY (a) NOT ENFORCED) PARTITIONED BY (dt) WITH ('x' = 'y') FRESHNESS = INTERVAL '3' MINUTE REFRESH_MODE = CONTINUOUS START_MODE = FROM_BEGINNING AS SELECT a, dt FROM t;",
    "CREATE OR ALTER MATERIALIZED TABLE m AS SELECT a FROM t;",
    "ALTER MATERIALIZED TABLE m SUSPEND; ALTER MATERIALIZED TABLE m RESUME WITH ('a'='b'); ALTER MATERIALIZED TABLE m REFRESH PARTITION (dt = '1'); ALTER MATERIALIZED TABLE m AS SELECT 1;",
    "CREATE OR REPLACE TEMPORARY VIEW v (a, b) COMMENT 'x' AS SELECT 1, 2;",
    "CREATE DATABASE IF NOT EXISTS d COMMENT 'c' WITH ('a'='b'); CREATE CATALOG c WITH ('type'='paimon');",
    "DROP TABLE IF EXISTS t; DROP MATERIALIZED TABLE t; DROP TEMPORARY VIEW v; DROP DATABASE d CASCADE; DROP CATALOG c;",
    "ALTER TABLE t ADD c INT COMMENT 'x' FIRST; ALTER TABLE t ADD (a INT, b STRING AFTER a, PRIMARY KEY (a) NOT ENFORCED); ALTER TABLE t MODIFY a BIGINT; ALTER TABLE t DROP a; ALTER TABLE t DROP (a, b);",
    "ALTER TABLE t RENAME a TO b; ALTER TABLE t RENAME TO u; ALTER TABLE t SET ('a' = 'b'); ALTER TABLE t RESET ('a'); ALTER TABLE t DROP PRIMARY KEY; ALTER TABLE t DROP WATERMARK;",
    "ALTER TABLE t ADD IF NOT EXISTS PARTITION (dt = '1') PARTITION (dt = '2'); ALTER TABLE t DROP PARTITION (dt = '1');",
    "INSERT INTO t SELECT 1; INSERT OVERWRITE t PARTITION (dt = '1', h) (a, b) VALUES (1, 2), (3, 4); INSERT INTO t (SELECT 1);",
    "INSERT INTO t /*+ OPTIONS('a'='b') */ (a) SELECT 1 ON CONFLICT DO NOTHING;",
    "SET; SET 'a' = 'b'; RESET; RESET 'a'; USE d; USE CATALOG c; EXPLAIN SELECT 1; EXPLAIN CHANGELOG_MODE, PLAN_ADVICE INSERT INTO t SELECT 1; EXPLAIN PLAN FOR SELECT 1;",
    "SHOW TABLES; SHOW TABLES FROM d LIKE 'a%'; SHOW CREATE TABLE t; SHOW PARTITIONS t PARTITION (dt = '1'); SHOW DATABASES; SHOW CATALOGS; SHOW CURRENT DATABASE; SHOW COLUMNS FROM t NOT LIKE 'x'; SHOW MATERIALIZED TABLES; SHOW VIEWS; SHOW FUNCTIONS; SHOW CREATE VIEW v; SHOW JOBS;",
    "DESCRIBE t; DESC EXTENDED t; CALL sys.compact('d.t'); CALL sys.create_tag(`table` => 'd.t', tag => 'x'); DELETE FROM t WHERE a = 1; UPDATE t SET a = 1, b = b + 1 WHERE c; TRUNCATE TABLE t;",
    "/* a */ -- b\n // c\n SELECT 'it''s; not' ;",
  ]

  func test_script_isReadWhenItIsFlinkSQL() {
    for text in ParserTests.accepted {
      let withoutStrings = text.replacingOccurrences(of: "'it''s; not'", with: "''")
      XCTAssertEqual(
        parse(text).count, withoutStrings.filter { $0 == ";" }.count, text)
    }
    XCTAssertEqual(
      parse("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END;")
        .count, 1)
    XCTAssertEqual(parse("BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END").count, 1)
    XCTAssertEqual(parse(" ;; ").count, 0)
  }

  func test_script_failsQuicklyWhenNestedTooDeeply() {
    let openers = [
      ("(", "1", ")"), ("NOT ", "a", ""), ("- ", "1", ""), ("CASE WHEN ", "a", " THEN 1 END"),
      ("f(", "1", ")"), ("ARRAY[", "1", "]"), ("(SELECT ", "1", ")"), ("a + (", "1", ")"),
      ("CAST(", "1", " AS INT)"), ("x IN (", "1", ")"),
    ]
    for (open, middle, close) in openers {
      for closed in [true, false] {
        let text =
          "SELECT " + String(repeating: open, count: 10_000) + middle
          + (closed ? String(repeating: close, count: 10_000) : "")
        XCTAssertThrowsError(try Parser.script(SourceText(text)), open) { error in
          XCTAssertEqual((error as? TerraceError)?.message, "the text is nested too deeply", open)
        }
      }
    }
    let froms = String(repeating: "SELECT * FROM (", count: 10_000)
    XCTAssertThrowsError(try Parser.script(SourceText(froms)))
    let types = "SELECT CAST(a AS " + String(repeating: "ARRAY<", count: 10_000)
    XCTAssertThrowsError(try Parser.script(SourceText(types)))
  }

  func test_script_isReadWhenChainsAreLongButFlat() {
    let flat = Array(repeating: "a = 1", count: 20_000)
    XCTAssertEqual(parse("SELECT * FROM t WHERE " + flat.joined(separator: " OR ")).count, 1)
    let unions = Array(repeating: "SELECT 1", count: 5_000)
    XCTAssertEqual(parse(unions.joined(separator: " UNION ALL ")).count, 1)
    let list = Array(repeating: "1", count: 50_000).joined(separator: ",")
    XCTAssertEqual(parse("SELECT * FROM t WHERE a IN (\(list))").count, 1)
    let sums = Array(repeating: "1", count: 5_000).joined(separator: " + ")
    XCTAssertThrowsError(try Parser.script(SourceText("SELECT " + sums)))
    let joins = String(repeating: " JOIN b ON TRUE", count: 5_000)
    XCTAssertThrowsError(try Parser.script(SourceText("SELECT * FROM a" + joins)))
  }

  func test_script_takesLargeTexts() {
    let rows = String(repeating: "(1, 'some text', 2.5),\n", count: 100_000)
    XCTAssertEqual(parse("INSERT INTO t VALUES " + rows + "(1, 'a', 1.0)").count, 1)
    let comment = "/*" + String(repeating: "x", count: 10_000_000) + "*/ SELECT 1"
    XCTAssertEqual(parse(comment).count, 1)
    XCTAssertThrowsError(try Parser.script(SourceText(String(repeating: " ", count: 17 << 20))))
  }
}
