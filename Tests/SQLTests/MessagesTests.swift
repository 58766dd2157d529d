import Columns
import XCTest

@testable import SQL

/// Wrong SQL, and what is said about it, to the letter.
final class MessagesTests: XCTestCase {
  /// Statement, then: line:column, message, what the carets stand under, hint.
  private static let table: [(String, String, String, String, String)] = [
    // Reading the text
    ("SELCT 1", "1:1", "expected a statement, found 'SELCT'", "SELCT", "did you mean SELECT?"),
    (
      "SELECT a FORM u", "1:15", "expected ';' or the end of the text, found 'u'", "u",
      "did you mean FROM instead of 'FORM'?"
    ),
    ("SELECT a FROM", "1:14", "expected a table name, found the end of the text", "", ""),
    ("SELECT 'abc", "1:8", "a string is not closed", "'", ""),
    ("SELECT /* x", "1:8", "a comment is not closed", "/*", ""),
    (
      "SELECT \"a\" FROM u", "1:8", "unexpected character '\"'", "\"",
      "names are quoted with `back-ticks`, strings with 'single quotes'"
    ),
    ("SELECT a FROM u WHERE", "1:22", "expected an expression, found the end of the text", "", ""),
    ("SELECT (1 + 2 FROM u", "1:15", "expected ')' or ',', found 'FROM'", "FROM", ""),
    ("SELECT a FROM u ORDER a", "1:23", "expected BY, found 'a'", "a", ""),
    (
      "SELECT a AS FROM u", "1:13", "expected an alias name, found 'FROM'", "FROM",
      "FROM is a reserved word; quote it with `back-ticks` to use it as a name"
    ),
    (
      "SELECT CASE a WHEN 1 THEN 2 FROM u", "1:29", "expected WHEN, ELSE or END, found 'FROM'",
      "FROM", ""
    ),
    (
      "SELECT 1a FROM u", "1:8", "'1a' is neither a number nor a name", "1a",
      "names that start with a digit are quoted with `back-ticks`"
    ),
    ("SELECT * FROM a JOIN b", "1:23", "expected ON or USING, found the end of the text", "", ""),
    (
      "SELECT INTERVAL 5 DAY", "1:17", "an interval takes its number as a string", "5",
      "write INTERVAL '5' MINUTE"
    ),
    ("CREATE TABLE x (a INTT)", "1:19", "unknown type 'INTT'", "INTT", "did you mean INT?"),
    ("CREATE TABLE x (a TEXT)", "1:19", "unknown type 'TEXT'", "TEXT", "write STRING"),
    (
      "CREATE TABLE x (a INT, PRIMARY KEY (a))", "1:24", "a primary key must be NOT ENFORCED",
      "PRIMARY KEY (a)", "write PRIMARY KEY … NOT ENFORCED"
    ),
    ("CREATE TABLE x (a INT, a INT)", "1:24", "the column 'a' is defined twice", "a", ""),
    (
      "CREATE TABLE x (a INT) WITH ('k' = 1)", "1:36", "the value of an option is a string", "1",
      "write '1'"
    ),
    ("CREATE TABLE x (a DECIMAL(40, 2))", "1:27", "the precision of DECIMAL is 1 to 38", "40", ""),
    (
      "CREATE TABEL x (a INT)", "1:8",
      "expected TABLE, MATERIALIZED TABLE, VIEW, DATABASE or CATALOG, found 'TABEL'", "TABEL",
      "did you mean TABLE?"
    ),
    (
      "CREATE MATERIALIZED TABLE m FRESHNESS = INTERVAL '1' MONTH AS SELECT 1", "1:41",
      "FRESHNESS takes SECOND, MINUTE, HOUR or DAY", "INTERVAL '1' MONTH", ""
    ),
    ("INSERT u SELECT 1", "1:8", "expected INTO or OVERWRITE, found 'u'", "u", ""),
    ("SET a = b", "1:5", "expected a key in quotes, found 'a'", "a", ""),
    // Not supported
    ("MERGE INTO u USING t ON TRUE", "1:1", "not supported: MERGE statements", "MERGE", ""),
    (
      "SELECT DISTINCT ON (a) b FROM u", "1:17", "not supported: DISTINCT ON", "ON",
      "use ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) = 1"
    ),
    (
      "SELECT a FROM u GROUP BY ALL", "1:26", "not supported: GROUP BY ALL", "ALL",
      "name the grouping columns"
    ),
    (
      "SELECT * FROM u TABLESAMPLE BERNOULLI (10)", "1:17", "not supported: TABLESAMPLE",
      "TABLESAMPLE", ""
    ),
    (
      "SELECT a FROM u GROUP BY 1", "1:26", "not supported: positions in GROUP BY", "1",
      "repeat the expression"
    ),
    (
      "SELECT a FROM u ORDER BY a", "1:26",
      "not supported: ORDER BY without LIMIT in a streaming query", "a",
      "add LIMIT, or sort when you query the table"
    ),
    (
      "SELECT /*+ STATE_TTL('u'='1d') */ a FROM u", "1:12", "not supported: the hint STATE_TTL",
      "STATE_TTL", ""
    ),
    (
      "WITH RECURSIVE x AS (SELECT 1) SELECT * FROM x", "1:16", "not supported: WITH RECURSIVE",
      "x", ""
    ),
    (
      "SELECT * FROM u JOIN t FOR SYSTEM_TIME AS OF u.a ON u.a = t.a", "1:46",
      "not supported: a temporal join (FOR SYSTEM_TIME AS OF u.a)", "u.a",
      "time travel takes a constant; an ordinary join follows later changes too"
    ),
    // Names
    ("SELECT amout FROM u", "1:8", "column 'amout' not found", "amout", "the columns are a, b, z"),
    ("SELECT prise FROM bid", "1:8", "column 'prise' not found", "prise", "did you mean 'price'?"),
    (
      "SELECT Price FROM bid", "1:8", "column 'Price' not found", "Price",
      "did you mean 'price'? Names are case-sensitive"
    ),
    (
      "SELECT x.prise FROM bid x", "1:10", "column 'prise' not found in 'x'", "prise",
      "did you mean 'price'?"
    ),
    ("SELECT y.a FROM u AS x", "1:8", "table or alias 'y' not found", "y", ""),
    ("SELECT a FROM t, u", "1:8", "column 'a' is ambiguous", "a", "write t.a or u.a"),
    ("SELECT * FROM persn", "1:15", "table 'persn' not found", "persn", "did you mean 'person'?"),
    (
      "SELECT * FROM u AS x JOIN t AS x ON TRUE", "1:32", "the alias 'x' is given twice", "x",
      "give each table its own alias"
    ),
    ("SELECT CUONT(a) FROM u", "1:8", "function 'CUONT' not found", "CUONT", "did you mean COUNT?"),
    ("SELECT a FROM circle", "1:15", "views are nested over 32 deep, or in a circle", "circle", ""),
    (
      "SELECT * FROM u /*+ OPTIONS('bad'='1') */", "1:15", "unknown option 'bad'",
      "u /*+ OPTIONS('bad'='1') */", ""
    ),
    ("SELECT j.q FROM t", "1:10", "field 'q' not found", "q", "the columns are x, y"),
    ("SELECT a.q FROM t", "1:10", "INT has no field 'q': it is no ROW", "q", ""),
    // Types
    (
      "SELECT a FROM u WHERE b = 1", "1:23", "cannot compare STRING with INT", "b = 1",
      "cast one side to the type of the other"
    ),
    ("SELECT a FROM u WHERE a", "1:23", "WHERE takes a BOOLEAN, not INT", "a", ""),
    ("SELECT a + b FROM u", "1:8", "+ does not take (INT, STRING)", "a + b", ""),
    ("SELECT CAST(a AS DATE) FROM u", "1:8", "cannot cast INT to DATE", "CAST(a AS DATE)", ""),
    ("SELECT SUM(b) FROM u", "1:8", "SUM does not take STRING", "SUM(b)", ""),
    (
      "SELECT DATE '2026-13-01'", "1:8", "'2026-13-01' is no DATE", "DATE '2026-13-01'",
      "write DATE '2026-11-19'"
    ),
    (
      "SELECT 99999999999999999999", "1:8", "the integer is too large for a BIGINT",
      "99999999999999999999", "write it with a point, as DECIMAL"
    ),
    (
      "SELECT INTERVAL 'x' DAY + g FROM t", "1:8", "'x' is no interval of DAY", "INTERVAL 'x' DAY",
      ""
    ),
    (
      "SELECT a FROM u UNION ALL SELECT b FROM u", "1:1",
      "column 1 of UNION has no common type: INT, STRING",
      "SELECT a FROM u UNION ALL SELECT b FROM u", ""
    ),
    (
      "SELECT a FROM u UNION SELECT a, b FROM u", "1:23", "UNION of queries with 1 and 2 columns",
      "SELECT a, b FROM u", ""
    ),
    // Grouping
    (
      "SELECT a, COUNT(*) FROM u", "1:8", "column 'u.a' is neither grouped nor aggregated", "a",
      "add it to GROUP BY, or take an aggregate of it"
    ),
    (
      "SELECT b AS x FROM u GROUP BY x", "1:31", "column 'x' not found", "x",
      "GROUP BY takes no aliases of the select list; repeat the expression, or use a sub-query"
    ),
    (
      "SELECT a FROM u WHERE COUNT(*) > 1", "1:23",
      "COUNT is an aggregate, which WHERE does not take", "COUNT(*)",
      "conditions on aggregates stand in HAVING"
    ),
    ("SELECT SUM(MAX(a)) FROM u", "1:12", "an aggregate inside an aggregate", "MAX(a)", ""),
    ("SELECT ROW_NUMBER() FROM u", "1:8", "ROW_NUMBER needs OVER (…)", "ROW_NUMBER()", ""),
    (
      "SELECT a FROM u WHERE ROW_NUMBER() OVER (ORDER BY a) = 1", "1:23",
      "ROW_NUMBER OVER stands in SELECT, QUALIFY and ORDER BY, not in WHERE",
      "ROW_NUMBER() OVER (ORDER BY a)", "put it into a sub-query, or use QUALIFY"
    ),
    (
      "SELECT (SELECT a, z FROM u) FROM t", "1:8", "a scalar sub-query gives one column, not 2",
      "(SELECT a, z FROM u)", ""
    ),
    // Windows
    (
      "SELECT * FROM TABLE(TUMBLE(TABLE u, DESCRIPTOR(a), INTERVAL '1' DAY))", "1:48",
      "the time column 'a' must be a TIMESTAMP, not INT", "a", ""
    ),
    (
      "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(o), INTERVAL '1' DAY))", "1:48",
      "the time column 'o' has no watermark", "o",
      "declare WATERMARK FOR it in CREATE TABLE; joins and aggregates lose it"
    ),
    (
      "SELECT * FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '3' SECOND, INTERVAL '10' SECOND))",
      "1:15", "the size of HOP is a multiple of its slide",
      "TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '3' SECOND, INTERVAL '10' SECOND))", ""
    ),
    (
      "SELECT * FROM TABLE(TUMBEL(TABLE bid, DESCRIPTOR(ts), INTERVAL '3' SECOND))", "1:21",
      "not supported: the table function 'TUMBEL'", "TUMBEL", "did you mean TUMBLE?"
    ),
    (
      "SELECT * FROM TABLE(SESSION(TABLE bid, DESCRIPTOR(ts), INTERVAL '3' SECOND))", "1:1",
      "not supported: SESSION without GROUP BY window_start, window_end and the columns of its PARTITION BY",
      "SELECT * FROM TABLE(SESSION(TABLE bid, DESCRIPTOR(ts), INTERVAL '3' SECOND))", ""
    ),
    // Writing
    (
      "INSERT INTO person SELECT id, itemName FROM auction", "1:20",
      "the query has 2 columns, 'person' takes 4", "SELECT id, itemName FROM auction",
      "it takes id, name, city, state"
    ),
    (
      "INSERT INTO person (id, nam) SELECT id, itemName FROM auction", "1:25",
      "column 'nam' not found in 'person'", "nam", "did you mean 'name'?"
    ),
    (
      "INSERT INTO person (name) SELECT extra FROM bid", "1:13",
      "column 'id' of 'person' is NOT NULL and gets no value", "person", ""
    ),
    (
      "INSERT INTO u SELECT a, a, z FROM u", "1:25",
      "column 2 of the query, 'a0', is INT and does not fit column 'b' of 'u', which is STRING",
      "a", "write CAST(a AS STRING)"
    ),
    (
      "INSERT INTO u SELECT a, b, COUNT(*) FROM u GROUP BY a, b", "1:28",
      "column 3 of the query, 'EXPR$2', is BIGINT and does not fit column 'z' of 'u', which is INT",
      "COUNT(*)", "write CAST(COUNT(*) AS INT)"
    ),
    (
      "INSERT INTO u VALUES (1, 'x', 2), (2, 'y', 3000000000)", "1:44",
      "column 3 of the query, 'EXPR$2', is BIGINT and does not fit column 'z' of 'u', which is INT",
      "3000000000", "write CAST(3000000000 AS INT)"
    ),
    (
      "INSERT INTO u SELECT a, b, 1 FROM u UNION ALL SELECT a, b, price FROM u, bid", "1:60",
      "column 3 of the query, 'EXPR$2', is BIGINT and does not fit column 'z' of 'u', which is INT",
      "price", "write CAST(price AS INT)"
    ),
    (
      "INSERT INTO u SELECT a, b, CAST(COUNT(*) AS INT) FROM u GROUP BY a, b", "1:13",
      "the query updates rows (operator Aggregate), but 'u' has no primary key to update by", "u",
      "declare PRIMARY KEY (…) NOT ENFORCED"
    ),
    (
      "INSERT INTO auction (id, seller) SELECT COUNT(*), bidder FROM bid GROUP BY bidder", "1:13",
      "the query updates rows (operator Aggregate) and its rows are unique by (seller), but 'auction' has the primary key (id)",
      "auction", "make the keys agree: GROUP BY or PRIMARY KEY"
    ),
    (
      "CREATE TABLE x (a INT, WATERMARK FOR a AS a)", "1:38",
      "the watermark column 'a' must be TIMESTAMP(3) or TIMESTAMP_LTZ(3), not INT", "a", ""
    ),
    (
      "CREATE TABLE x (a INT, PRIMARY KEY (b) NOT ENFORCED)", "1:37",
      "primary key column 'b' not found", "b", ""
    ),
    (
      "CREATE TABLE x (a INT) PARTITIONED BY (dt)", "1:40", "partition column 'dt' not found", "dt",
      ""
    ),
  ]

  func test_message_isExact() {
    for (text, place, message, carets, hint) in MessagesTests.table {
      let found = TestCatalog.complaint(text) ?? "no complaint"
      var lines = found.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      XCTAssertEqual(lines.removeFirst(), "q.sql:\(place): \(message)", text)
      if lines.last?.hasPrefix("hint: ") == true {
        XCTAssertEqual(lines.removeLast(), "hint: " + hint, text)
      } else {
        XCTAssertEqual(hint, "", text)
      }
      guard lines.count == 2 else { continue }
      let width = max(1, carets.count)
      XCTAssertEqual(lines[1].filter { $0 == "^" }.count, width, text)
      let start = lines[1].prefix { $0 != "^" }.count
      XCTAssertTrue(lines[0].dropFirst(start).hasPrefix(carets), "\(text)\n\(found)")
    }
  }

  func test_message_isAbsentWhenStatementIsInOrder() {
    let good = [
      "INSERT INTO auction (id, seller) SELECT bidder, COUNT(*) FROM bid GROUP BY bidder",
      "INSERT INTO u SELECT a, b, z FROM u WHERE a > 1",
      "INSERT INTO auction (id, seller) SELECT COUNT(*), bidder FROM bid GROUP BY bidder ON CONFLICT DO DEDUPLICATE",
      "INSERT INTO auction SELECT * FROM auction WHERE seller = 3",
      "INSERT INTO u SELECT NULL, NULL, z FROM u",
      "INSERT INTO u SELECT a, b, 1 FROM (SELECT 1 AS a, NULL AS b UNION ALL SELECT NULL, 'x')",
      "INSERT INTO u VALUES (1, NULL, 2), (NULL, 'x', 3)",
      "SELECT * FROM v JOIN u ON v.a = u.a",
      "WITH x AS (SELECT a FROM u), y AS (SELECT a FROM x) SELECT * FROM x JOIN y ON x.a = y.a",
    ]
    for text in good { XCTAssertNil(TestCatalog.complaint(text), text) }
  }

  func test_describe_cutsLongLinesAroundThePlace() {
    let text = "SELECT " + String(repeating: "a, ", count: 500) + "nope FROM u"
    let lines = (TestCatalog.complaint(text) ?? "").split(separator: "\n")
    XCTAssertTrue(lines.count >= 3 && lines[1].count <= 170)
    let caret = lines[2].firstIndex(of: "^").map {
      lines[2].distance(from: lines[2].startIndex, to: $0)
    }
    XCTAssertTrue(lines[1].dropFirst(caret ?? 0).hasPrefix("nope"))
  }
}
