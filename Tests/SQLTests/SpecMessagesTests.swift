import XCTest

/// Mistakes that layer specs make, and what is said about them, to the letter.
final class SpecMessagesTests: XCTestCase {
  /// Statement, then: line:column, message, what the carets stand under, hint.
  private static let table: [(String, String, String, String, String)] = [
    (
      "CREATE TABLE x (a INT, b STRNG)", "1:26", "unknown type 'STRNG'", "STRNG",
      "did you mean STRING?"
    ),
    (
      "CREATE TABLE x (a INT PRIMARY KEY)", "1:23", "a primary key must be NOT ENFORCED",
      "PRIMARY KEY", "write PRIMARY KEY … NOT ENFORCED"
    ),
    ("CREATE TABLE x (a INT UNIQUE)", "1:23", "not supported: the constraint UNIQUE", "UNIQUE", ""),
    (
      "CREATE TABLE x (a INT DEFAULT 1)", "1:23", "not supported: DEFAULT of a column", "DEFAULT",
      ""
    ),
    (
      "CREATE TABLE x (a INT, b AS c + 1)", "1:29", "column 'c' not found", "c", "the columns are a"
    ),
    (
      "CREATE TABLE x (a INT, b AS a + 'x')", "1:29", "+ does not take (INT, CHAR(1))", "a + 'x'",
      ""
    ),
    (
      "CREATE TABLE x (a INT, b AS SUM(a))", "1:29",
      "SUM is an aggregate, which a computed column does not take", "SUM(a)", ""
    ),
    (
      "CREATE TABLE x (a STRING, WATERMARK FOR a AS a)", "1:41",
      "the watermark column 'a' must be TIMESTAMP(3) or TIMESTAMP_LTZ(3), not STRING", "a", ""
    ),
    (
      "CREATE TABLE x (ts TIMESTAMP(3), WATERMARK FOR t AS ts)", "1:48", "column 't' not found",
      "t", "the columns are ts"
    ),
    (
      "CREATE TABLE x (ts TIMESTAMP(3), WATERMARK FOR ts AS ts - 5)", "1:54",
      "- does not take (TIMESTAMP(3), INT)", "ts - 5", ""
    ),
    (
      "CREATE TABLE x (ts TIMESTAMP(3), WATERMARK FOR ts AS 'x')", "1:54",
      "the watermark is CHAR(1), its column TIMESTAMP(3)", "'x'", ""
    ),
    (
      "CREATE TABLE x (ts TIMESTAMP(3), WATERMARK FOR ts AS ts, WATERMARK FOR ts AS ts)", "1:58",
      "the watermark is given twice", "WATERMARK", ""
    ),
    (
      "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'connector' = 'print')", "1:58",
      "the option 'connector' is given twice", "'connector'", ""
    ),
    (
      "CREATE TABLE x (a INT) WITH (connector = 'filesystem')", "1:30",
      "expected an option key in quotes, found 'connector'", "connector", ""
    ),
    (
      "CREATE TABLE x (a INT) WITH ('connector' 'filesystem')", "1:42",
      "expected '=', found 'filesystem'", "'filesystem'", ""
    ),
    (
      "CREATE TABLE x (a INT, PRIMARY KEY (a, a) NOT ENFORCED)", "1:40",
      "column 'a' is given twice", "a", ""
    ),
    (
      "CREATE TABLE x (a INT, PRIMARY KEY (a) NOT ENFORCED, PRIMARY KEY (a) NOT ENFORCED)", "1:54",
      "the primary key is given twice", "PRIMARY", ""
    ),
    ("CREATE TABLE x ()", "1:17", "expected a column name, found ')'", ")", ""),
    ("CREATE TABLE x (a INT,)", "1:23", "expected a column name, found ')'", ")", ""),
    ("CREATE TABLE x (a VARCHAR(0))", "1:27", "a length is at least 1", "0", ""),
    ("CREATE TABLE x (a TIMESTAMP(12))", "1:29", "a precision of time is 0 to 9", "12", ""),
    ("CREATE TABLE x (a ARRAY<INT)", "1:28", "expected '>', found ')'", ")", ""),
    (
      "INSERT INTO u VALUES (1, 'x')", "1:15", "the query has 2 columns, 'u' takes 3",
      "VALUES (1, 'x')", "it takes a, b, z"
    ),
    (
      "INSERT INTO u VALUES (1, 'x', 'y')", "1:31",
      "column 3 of the query, 'EXPR$2', is CHAR(1) and does not fit column 'z' of 'u', which is INT",
      "'y'", "write CAST('y' AS INT)"
    ),
    ("INSERT INTO u (a, a) VALUES (1, 2)", "1:19", "column 'a' is given twice", "a", ""),
    (
      "INSERT INTO u SELECT * FROM bid", "1:15", "the query has 7 columns, 'u' takes 3",
      "SELECT * FROM bid", "it takes a, b, z"
    ),
    (
      "INSERT INTO u SELECT a, b, z FROM u ORDER BY a", "1:46",
      "not supported: ORDER BY without LIMIT in a streaming query", "a",
      "add LIMIT, or sort when you query the table"
    ),
    (
      "INSERT INTO u SELECT a, b, z FROM u LIMIT 5", "1:13",
      "the query updates rows (operator Sort), but 'u' has no primary key to update by", "u",
      "declare PRIMARY KEY (…) NOT ENFORCED"
    ),
    (
      "INSERT INTO u SELECT u.a, u.b, u.z FROM u LEFT JOIN t ON u.a = t.a", "1:13",
      "the query updates rows (operator Source t), but 'u' has no primary key to update by", "u",
      "declare PRIMARY KEY (…) NOT ENFORCED"
    ),
    (
      "INSERT INTO auction (id) SELECT auction FROM bid WHERE price > '5'", "1:56",
      "cannot compare BIGINT with CHAR(1)", "price > '5'", "cast one side to the type of the other"
    ),
    (
      "INSERT INTO auction SELECT id FROM person", "1:21",
      "the query has 1 column, 'auction' takes 6", "SELECT id FROM person",
      "missing: itemName, seller, category, ts, expires"
    ),
    (
      "SELECT auction, price FROM bid GROUP BY auction", "1:17",
      "column 'bid.price' is neither grouped nor aggregated", "price",
      "add it to GROUP BY, or take an aggregate of it"
    ),
    (
      "SELECT auction FROM bid HAVING price > 1", "1:32",
      "column 'bid.price' is neither grouped nor aggregated", "price",
      "add it to GROUP BY, or take an aggregate of it"
    ),
    (
      "SELECT * FROM bid WHERE price > 1 AND SUM(price) > 3", "1:39",
      "SUM is an aggregate, which WHERE does not take", "SUM(price)",
      "conditions on aggregates stand in HAVING"
    ),
    (
      "SELECT SUM(price) FROM bid GROUP BY SUM(price)", "1:37",
      "SUM is an aggregate, which GROUP BY does not take", "SUM(price)", ""
    ),
    (
      "SELECT bidder FROM bid JOIN auction ON bid.auction = auction.idd", "1:62",
      "BIGINT has no field 'idd': it is no ROW", "idd", ""
    ),
    (
      "SELECT id FROM auction JOIN person ON auction.seller = person.id", "1:8",
      "column 'id' is ambiguous", "id", "write auction.id or person.id"
    ),
    (
      "SELECT b.id FROM bid b", "1:10", "column 'id' not found in 'b'", "id",
      "the columns are auction, bidder, price, channel, url, ts, extra"
    ),
    (
      "SELECT * FROM bid JOIN auction USING (id)", "1:39",
      "column 'id' not found on the left side of the join", "id", ""
    ),
    (
      "SELECT SUBSTRING(url) FROM bid", "1:8", "SUBSTRING does not take (STRING)", "SUBSTRING(url)",
      "it is SUBSTRING(TEXT, INT, [INT])"
    ),
    ("SELECT COALESCE() FROM bid", "1:8", "COALESCE takes arguments", "COALESCE()", ""),
    (
      "SELECT UPPER(price) FROM bid", "1:8", "UPPER does not take (BIGINT)", "UPPER(price)",
      "it is UPPER(TEXT)"
    ),
    (
      "SELECT ROUND(channel, 2) FROM bid", "1:8", "ROUND does not take (STRING, INT)",
      "ROUND(channel, 2)", "it is ROUND(NUMBER, [INT])"
    ),
    (
      "WITH x AS (SELECT a FROM u), x AS (SELECT a FROM u) SELECT * FROM x", "1:30",
      "the name 'x' is given twice in WITH", "x", ""
    ),
    ("SELECT ABS(*) FROM u", "1:8", "ABS takes no '*'", "ABS", ""),
    (
      "SELECT SUM(a) OVER (ORDER BY a ROWS BETWEEN 1 FOLLOWING AND 2 PRECEDING) FROM u", "1:20",
      "a frame ends behind its start",
      "(ORDER BY a ROWS BETWEEN 1 FOLLOWING AND 2 PRECEDING)", "exchange the two bounds"
    ),
    ("SELECT CASE WHEN a THEN 1 END FROM u", "1:18", "WHEN takes a BOOLEAN, not INT", "a", ""),
    (
      "SELECT CASE a WHEN 'x' THEN 1 END FROM u", "1:20", "cannot compare INT with CHAR(1)", "'x'",
      "cast one side to the type of the other"
    ),
    (
      "SELECT CASE WHEN a = 1 THEN 1 ELSE 'x' END FROM u", "1:8",
      "the results of CASE have no common type: INT, CHAR(1)",
      "CASE WHEN a = 1 THEN 1 ELSE 'x' END", ""
    ),
    ("SELECT a FROM u WHERE b LIKE 5", "1:30", "LIKE takes text, not INT", "5", ""),
    (
      "SELECT a FROM u WHERE a IN ('x', 'y')", "1:23", "cannot compare INT with CHAR(1)",
      "a IN ('x', 'y')", "cast one side to the type of the other"
    ),
    (
      "SELECT a FROM u WHERE a IN (SELECT a, b FROM u)", "1:29",
      "IN compares 1 value with 2 columns", "SELECT a, b FROM u", ""
    ),
    (
      "SELECT a FROM u WHERE a = (SELECT a, b FROM u)", "1:27",
      "a scalar sub-query gives one column, not 2", "(SELECT a, b FROM u)", ""
    ),
    (
      "SELECT a FROM u WHERE ts > 1", "1:23", "column 'ts' not found", "ts",
      "the columns are a, b, z"
    ),
    ("SELECT CAST(a AS INTT) FROM u", "1:18", "unknown type 'INTT'", "INTT", "did you mean INT?"),
    ("SELECT a::STRING FROM u", "1:9", "expected ';' or the end of the text, found ':'", ":", ""),
    (
      "SELECT a FROM u WHERE b ILIKE 'x'", "1:25",
      "expected ';' or the end of the text, found 'ILIKE'", "ILIKE", ""
    ),
    (
      "SELECT * FROM u, u", "1:18", "the alias 'u' is given twice", "u",
      "give each table its own alias"
    ),
    ("SELECT a FROM u LIMIT -1", "1:23", "LIMIT takes a whole number as constant", "-1", ""),
    ("SELECT a FROM u LIMIT b", "1:23", "column 'b' not found: there is no FROM", "b", ""),
    (
      "SELECT a FROM u ORDER BY 2 LIMIT 1", "1:26", "ORDER BY position 2 is not in the select list",
      "2", ""
    ),
    (
      "SELECT a FROM u ORDER BY q LIMIT 1", "1:26", "column 'q' not found", "q",
      "the columns are a, b, z"
    ),
    (
      "SELECT LAG(a) OVER (PARTITION BY b) FROM u", "1:8", "LAG needs ORDER BY in OVER (…)",
      "LAG(a) OVER (PARTITION BY b)", ""
    ),
    (
      "SELECT RANK() OVER () FROM u", "1:8", "RANK needs ORDER BY in OVER (…)", "RANK() OVER ()", ""
    ),
    (
      "SELECT LEAD(a IGNORE NULLS) OVER (ORDER BY z) FROM u", "1:8",
      "not supported: IGNORE NULLS in LEAD", "LEAD(a IGNORE NULLS) OVER (ORDER BY z)", ""
    ),
    ("SELECT GROUPING(b) FROM u GROUP BY a", "1:17", "GROUPING takes what is grouped by", "b", ""),
    (
      "SELECT a FROM u GROUP BY CUBE (a, b, z, a, b, z, a, b, z, a, b)", "1:17",
      "over 1024 grouping sets", "GROUP BY", ""
    ),
    (
      "SELECT * FROM u FULL JOIN LATERAL (SELECT t.a FROM t WHERE t.a = u.a) AS x ON TRUE", "1:27",
      "not supported: FULL JOIN LATERAL", "LATERAL (SELECT t.a FROM t WHERE t.a = u.a) AS x", ""
    ),
    (
      "SELECT * FROM bid FOR SYSTEM_TIME AS OF bid.ts", "1:41",
      "not supported: a temporal join (FOR SYSTEM_TIME AS OF bid.ts)", "bid.ts",
      "time travel takes a constant; an ordinary join follows later changes too"
    ),
    (
      "SELECT a FROM u WHERE a > ANY (SELECT a FROM t)", "1:27",
      "not supported: comparison with ANY", "ANY", "use IN, EXISTS, or a comparison with MIN or MAX"
    ),
    ("SELECT a, FROM u", "1:11", "expected an expression, found 'FROM'", "FROM", ""),
    ("SELECT a b c FROM u", "1:12", "expected ';' or the end of the text, found 'c'", "c", ""),
    (
      "SELECT a FROM u WHERE (a = 1", "1:29", "expected ')' or ',', found the end of the text", "",
      ""
    ),
    ("SELECT a FROM u GROUP a", "1:23", "expected BY, found 'a'", "a", ""),
    ("SELECT a FROM u WHERE a == 1", "1:26", "expected an expression, found '='", "=", ""),
    (
      "SELECT TUMBLE_START(ts, INTERVAL '1' HOUR) FROM bid", "1:8",
      "TUMBLE_START stands beside GROUP BY TUMBLE(…) only", "TUMBLE_START(ts, INTERVAL '1' HOUR)",
      "of FROM TUMBLE(…) the columns are window_start, window_end and window_time"
    ),
    (
      "SELECT LENGTH(b) FROM u", "1:8", "function 'LENGTH' not found", "LENGTH",
      "Flink has CHAR_LENGTH(text)"
    ),
    ("SELECT -b FROM u", "1:8", "- does not take (STRING)", "-b", ""),
    (
      "SELECT ARRAY[a, b] FROM u", "1:8", "ARRAY does not take (INT, STRING)", "ARRAY[a, b]",
      "its elements are of one type: CAST those that differ"
    ),
    (
      "SELECT TIMESTAMPADD('day', 1, ts) FROM bid", "1:21",
      "a unit such as DAY, HOUR or MINUTE stands without quotes", "'day'", "write DAY"
    ),
    (
      "SELECT a FROM u WHERE CARDINALITY(b) > 1", "1:23",
      "CARDINALITY: takes an array or a map, not STRING", "CARDINALITY(b)", ""
    ),
    (
      "SELECT ROUND(c, a) FROM t", "1:8", "ROUND: the number of digits is a constant, not a column",
      "ROUND(c, a)", ""
    ),
    (
      "SELECT 1 + DATE_FORMAT(ts, 'Q') FROM bid", "1:12",
      "not supported: letter 'Q' in a date pattern", "DATE_FORMAT(ts, 'Q')", ""
    ),
    ("SELECT h[0] FROM t", "1:8", "[…]: array positions begin with 1, not 0", "h[0]", ""),
    (
      "SELECT b FROM u WHERE b LIKE 'a!' ESCAPE '!'", "1:23",
      "a pattern of LIKE escapes a character that needs none",
      "b LIKE 'a!' ESCAPE '!'", ""
    ),
    (
      "SELECT SHA2(b, 7) FROM u", "1:8", "not supported: SHA2 of 7 bits",
      "SHA2(b, 7)", ""
    ),
    (
      "SELECT bidder FROM bid GROUP BY TUMBLE(price, INTERVAL '1' HOUR), bidder", "1:40",
      "the time column 'price' must be a TIMESTAMP, not BIGINT", "price", ""
    ),
    (
      "SELECT bidder FROM bid GROUP BY TUMBLE(ts, 5), bidder", "1:44", "TUMBLE takes an interval",
      "5", "write INTERVAL '10' MINUTE"
    ),
    ("SELECT x.* FROM u", "1:8", "table or alias 'x' not found", "x", ""),
  ]

  func test_message_isExactForMistakesInSpecs() {
    for (text, place, message, carets, hint) in SpecMessagesTests.table {
      let found = TestCatalog.complaint(text) ?? "no complaint"
      var lines = found.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      XCTAssertEqual(lines.removeFirst(), "q.sql:\(place): \(message)", text)
      let said = lines.last?.hasPrefix("hint: ") == true ? lines.removeLast() : "hint: "
      XCTAssertEqual(said, "hint: " + hint, text)
      guard lines.count == 2 else {
        XCTFail("\(text)\n\(found)")
        continue
      }
      XCTAssertEqual(lines[1].filter { $0 == "^" }.count, max(1, carets.count), text)
      let start = lines[1].prefix { $0 != "^" }.count
      XCTAssertTrue(lines[0].dropFirst(start).hasPrefix(carets), "\(text)\n\(found)")
    }
  }
}
