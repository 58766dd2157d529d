import XCTest

/// Functions whose results are not what their names suggest: each was asked of Flink 2.3.
final class FlinkFunctionTests: XCTestCase {
  /// Expression and its text; nil for null.
  private static let table: [(String, String?)] = [
    ("SUBSTRING('hello', -7, 4)", ""), ("SUBSTRING('hello', -3, 2)", "ll"),
    ("SUBSTR('hello', -7)", ""), ("SUBSTR('hello', 0, 2)", "he"),
    ("LOCATE('b', 'abcb', 0)", "2"), ("LOCATE('b', 'abcb', -1)", "2"),
    ("LOCATE('', 'abc', 2)", "1"), ("LOCATE('b', 'abcb', 3)", "4"),
    ("INSTR('abcb', 'b', -1)", "4"), ("INSTR('abcb', 'b', -2)", "2"),
    ("INSTR('abcbb', 'b', 1, 2)", "4"), ("INSTR('abcb', 'z', -1)", "0"),
    ("REPLACE('abc', '', 'x')", "xaxbxcx"), ("LPAD('abc', 2, '')", nil),
    ("RPAD('abc', 5, 'xy')", "abcxy"), ("SPLIT_INDEX('', ',', 0)", nil),
    ("SPLIT_INDEX('a b', '', 1)", "b"), ("SPLIT_INDEX('a-b-c', 45, 1)", "b"),
    ("SPLIT_INDEX('a,b,', ',', 2)", ""), ("OVERLAY('abcdef' PLACING 'XY' FROM 3 FOR 0)", "abXY"),
    ("OVERLAY('abcdef' PLACING 'XY' FROM 3)", "abXYef"),
    ("OVERLAY('abcdef' PLACING 'XY' FROM 6 FOR 9)", "abcdeXY"), ("ASCII('é')", "-61"),
    ("INITCAP('élan vital 3rd o''neil')", "éLan Vital 3rd O'Neil"), ("LOWER('ΑΣ ΣΑ')", "ας σα"),
    ("IS_DECIMAL('1f')", "TRUE"), ("IS_DECIMAL(5)", "TRUE"), ("IS_DIGIT(5)", "TRUE"),
    ("IS_ALPHA(5)", "FALSE"), ("HASH_CODE('abc')", "96354"),
    ("HASH_CODE('polygenelubricants')", "-2147483648"),
    ("PARSE_URL('http://facebook.com/a?k=v', 'PATH', 'k')", nil),
    ("REGEXP_REPLACE('a1b2', '([a-z])(\\d)', '$2$1')", "$2$1$2$1"), ("REGEXP('abc', '')", "FALSE"),
    ("REGEXP('abc', '(')", "FALSE"), ("REGEXP_EXTRACT('abc', '(', 0)", nil),
    ("REGEXP_REPLACE('abc', '(', 'x')", nil), ("REGEXP_COUNT('abc', '')", "4"),
    ("STR_TO_MAP('a=1,a=2')", "{a=2}"), ("STR_TO_MAP('a=1,,b=2')", "{a=1, =NULL, b=2}"),
    ("STR_TO_MAP('a1b22c', '[0-9]+', '=')", "{a=NULL, b=NULL, c=NULL}"),
    ("STR_TO_MAP('a:1|b:2', '\\|', ':')", "{a=1, b=2}"), ("MAP['a', 1, 'a', 2]", "{a=2}"),
    (
      "JSON_OBJECT('a' VALUE JSON_OBJECT('c' VALUE 2), 'd' VALUE JSON_ARRAY(1, 'x'))",
      #"{"a":{"c":2},"d":[1,"x"]}"#
    ),
    ("JSON_STRING(TIMESTAMP '2024-01-31 10:00:00.500')", #""2024-01-31T10:00:00.5""#),
    ("JSON_STRING(X'6162')", #""YWI=""#),
    ("ARRAY_CONTAINS(ARRAY[1, CAST(NULL AS INT)], CAST(NULL AS INT))", "TRUE"),
    ("ARRAY_CONTAINS(ARRAY[1, 2], CAST(NULL AS INT))", "FALSE"),
    ("ARRAY_SLICE(ARRAY[1, 2, 3, 4], -9, 2)", "[1, 2]"),
    ("EXTRACT(MILLISECOND FROM TIMESTAMP '2024-01-31 10:00:01.234')", "234"),
    ("EXTRACT(MICROSECOND FROM TIMESTAMP '2024-01-31 10:00:01.234567')", "234567"),
    ("TIMESTAMPDIFF(MONTH, DATE '2024-02-29', DATE '2024-01-31')", "-1"),
    ("TIMESTAMPDIFF(MONTH, DATE '2024-01-31', DATE '2024-02-29')", "1"),
    ("TO_DATE('Jan 5 2024', 'MMM d yyyy')", "2024-01-05"), ("TO_DATE('2024-02-30')", nil),
    ("TO_TIMESTAMP('2024-02-30 10:11:12')", "2024-02-29 10:11:12.000"),
    ("TO_TIMESTAMP('2024-02-32 10:11:12')", nil),
    ("TO_TIMESTAMP_LTZ(CAST(1706695872.5 AS DOUBLE), 0)", "2024-01-31 10:11:12.500"),
    ("TO_TIMESTAMP_LTZ('2024-01-31 10:11:12')", "2024-01-31 10:11:12.000"),
    (
      "TO_TIMESTAMP_LTZ('2024-01-31 10:11:12', 'yyyy-MM-dd HH:mm:ss', 'Asia/Shanghai')",
      "2024-01-31 02:11:12.000"
    ),
    ("CAST('2024' AS DATE)", "2024-01-01"), ("CAST('2024-02' AS DATE)", "2024-02-01"),
    ("TRY_CAST('2024-02-30' AS DATE)", nil), ("CAST('1d' AS DOUBLE)", "1.0"),
    ("MAP_ENTRIES(MAP['a', 1, 'b', 2])", "[(a, 1), (b, 2)]"),
    ("MAP_ENTRIES(CAST(NULL AS MAP<STRING, INT>))", nil),
    (
      "TYPEOF(MAP_ENTRIES(MAP['a', 1]))",
      "ARRAY<ROW<`key` CHAR(1) NOT NULL, `value` INT NOT NULL>> NOT NULL"
    ),
    ("MAP_FROM_ARRAYS(ARRAY['a', 'b'], ARRAY[1, 2])", "{a=1, b=2}"),
    ("MAP_FROM_ARRAYS(ARRAY['a', 'a'], ARRAY[1, 2])", "{a=2}"),
    ("MAP_FROM_ARRAYS(CAST(NULL AS ARRAY<STRING>), ARRAY[1, 2])", nil),
    (
      "TYPEOF(MAP_FROM_ARRAYS(ARRAY['a'], ARRAY[1]))",
      "MAP<CHAR(1) NOT NULL, INT NOT NULL> NOT NULL"
    ),
    ("MAP_UNION(MAP['a', 1, 'b', 5], MAP['c', 2], MAP['b', 3])", "{a=1, b=3, c=2}"),
    ("MAP_UNION(MAP['a', 1], CAST(NULL AS MAP<STRING, INT>))", nil),
    (
      "TYPEOF(MAP_UNION(MAP['a', 1], MAP['b', CAST(2 AS BIGINT)]))",
      "MAP<CHAR(1) NOT NULL, BIGINT NOT NULL> NOT NULL"
    ),
    (#"JSON_QUOTE('a"b/c\é日')"#, #""a\"b\/c\\\u00e9\u65e5""#), ("JSON_QUOTE('')", #""""#),
    (#"JSON_UNQUOTE('"\u0041\/"')"#, "A/"), (#"JSON_UNQUOTE('"a"b"')"#, #"a"b"#),
    (#"JSON_UNQUOTE('"\ud83d\ude00"')"#, "😀"), (#"JSON_UNQUOTE('"\z"')"#, #""\z""#),
    (#"JSON_UNQUOTE('"a')"#, #""a"#), (#"JSON_UNQUOTE(' "a" ')"#, #" "a" "#),
    ("HEX(DECODE(ENCODE('a', 'UTF-16'), 'ISO-8859-1'))", "C3BEC3BF0061"),
    ("ENCODE('é', 'US-ASCII') = X'3F'", "TRUE"), ("ENCODE('é', 'ISO-8859-1') = X'E9'", "TRUE"),
    ("ENCODE('a', 'UTF-16LE') = X'6100'", "TRUE"),
    ("TYPEOF(ENCODE('a', 'utf-8'))", "BYTES NOT NULL"),
    ("DECODE(X'FEFF0061', 'UTF-16')", "a"), ("DECODE(X'FFFE6100', 'UTF-16')", "a"),
    ("DECODE(X'0061', 'UTF-16')", "a"), ("DECODE(X'61', 'UTF-16')", "\u{fffd}"),
    ("DECODE(X'E9', 'ISO-8859-1')", "é"), ("DECODE(X'E9', 'UTF-8')", "\u{fffd}"),
    ("ENCODE(CAST(NULL AS STRING), 'UTF-8')", nil), ("DECODE(X'61', CAST(NULL AS STRING))", nil),
    ("CAST('abc' AS VARCHAR)", "abc"), ("TYPEOF(0.7)", "DECIMAL(2, 1) NOT NULL"),
    ("TYPEOF(.7)", "DECIMAL(1, 1) NOT NULL"), ("TYPEOF(00.70)", "DECIMAL(4, 2) NOT NULL"),
    ("TYPEOF(-0.001)", "DECIMAL(4, 3) NOT NULL"),
    ("CAST(1.5 AS FLOAT) + CAST(2.25 AS FLOAT)", "3.75"),
    ("TYPEOF(CAST(1 AS FLOAT) / CAST(3 AS FLOAT))", "FLOAT NOT NULL"),
    ("TYPEOF(CAST(1 AS FLOAT) * 1.5)", "DOUBLE NOT NULL"),
    ("TYPEOF(CAST(1 AS FLOAT) - CAST(1 AS DOUBLE))", "FLOAT NOT NULL"),
    ("CONVERT_TZ('2024-01-31 00:00:00', 'UTC', 'nowhere')", "2024-01-31 00:00:00"),
  ]

  func test_functions_giveWhatFlinkGives() throws {
    let session = try TestSession()
    for (expression, expected) in Self.table {
      let text = expected.map { "'" + $0.replacing("'", with: "''") + "'" } ?? "NULL"
      let rows = try session.rows(
        "SELECT CAST(\(expression) AS STRING) IS NOT DISTINCT FROM \(text), CAST(\(expression) AS STRING)"
      )
      XCTAssert(rows.hasPrefix("[true"), "\(expression): \(rows)")
    }
  }

  func test_values_atTheirEndsEndNoProcess() throws {
    let session = try TestSession()
    let wide = "CAST('99999999999999999999.123456789012345678' AS DECIMAL(38, 18))"
    XCTAssertEqual(
      try session.rows(
        "SELECT d + d, d - -d, -d - d, AVG(d) OVER () FROM (VALUES (\(wide))) AS t(d)"),
      "[199999999999999999998.24691357802469136,199999999999999999998.24691357802469136,"
        + "-199999999999999999998.24691357802469136,99999999999999999999.123456789012345678]")
    XCTAssertEqual(
      try session.rows("SELECT AVG(d) FROM (VALUES (\(wide)), (\(wide))) AS t(d)"),
      "[null]")
    XCTAssertEqual(
      try session.rows(
        "SELECT CAST('123456789012345678901234567890123456.78' AS DECIMAL(38, 2)) AS x UNION ALL SELECT CAST(1.2345 AS DECIMAL(5, 4))"
      ), "[123456789012345678901234567890123456.78][1.23]")
    for zone in ["UTC", "America/New_York", "GMT+08:00"] {
      for millis in ["-9223372036854775808", "9223372036854775807", "-1", "0"] {
        try session.run(
          """
          SET 'table.local-time-zone' = '\(zone)';
          SELECT CAST(TO_TIMESTAMP_LTZ(l, 3) AS DATE), EXTRACT(YEAR FROM TO_TIMESTAMP_LTZ(l, 3)),
            FLOOR(TO_TIMESTAMP_LTZ(l, 3) TO YEAR), EXTRACT(EPOCH FROM TO_TIMESTAMP_LTZ(l, 3)),
            DATE_FORMAT(CAST(TO_TIMESTAMP_LTZ(l, 3) AS TIMESTAMP(3)), 'yyyy'), FROM_UNIXTIME(l),
            CAST(TO_TIMESTAMP_LTZ(l, 3) AS TIMESTAMP(9)), TO_TIMESTAMP_LTZ(l, 0),
            TIMESTAMPADD(DAY, l, TO_TIMESTAMP_LTZ(l, 3)),
            TIMESTAMPADD(YEAR, l, TIMESTAMP '2024-01-01 00:00:00')
          FROM (VALUES (CAST('\(millis)' AS BIGINT))) AS t(l)
          """)
      }
    }
    XCTAssertEqual(
      try session.rows(
        """
        SELECT SUM(id) OVER (
          ORDER BY id ROWS BETWEEN 2147483647 PRECEDING AND 9223372036854775807 FOLLOWING)
        FROM (VALUES (1), (2)) AS t(id)
        """), "[3][3]")
  }

  func test_instants_areCountedWithoutClocksThatChange() throws {
    let session = try TestSession()
    try session.run("SET 'table.local-time-zone' = 'America/New_York'")
    XCTAssertEqual(
      try session.rows(
        """
        SELECT TO_TIMESTAMP_LTZ(l, 0) - INTERVAL '10' SECOND,
          TIMESTAMPADD(HOUR, 24, TO_TIMESTAMP_LTZ(m, 0)),
          TIMESTAMPDIFF(HOUR, TO_TIMESTAMP_LTZ(m, 0), TIMESTAMPADD(DAY, 1, TO_TIMESTAMP_LTZ(m, 0)))
        FROM (VALUES (1710054005, 1730611800)) AS t(l, m)
        """), #"["2024-03-10 01:59:55.000","2024-11-04 00:30:00.000",24]"#)
  }

  func test_lag_givesItsDefaultForNullAsWell() throws {
    XCTAssertEqual(
      try TestSession().rows(
        """
        SELECT id, LEAD(v, 1, -1) OVER (ORDER BY id), LAG(v, 1) OVER (ORDER BY id)
        FROM (VALUES (1, 5), (2, CAST(NULL AS INT)), (3, 7)) AS t(id, v) ORDER BY id
        """), "[1,-1,null][2,7,5][3,-1,null]")
  }

  func test_functionsThatAreNotThere_areCalledByTheirNames() throws {
    let session = try TestSession()
    for (expression, expected) in [
      ("PRINTF('%d', 5)", "1:8 not supported: the function PRINTF"),
      ("CURRENT_DATABASE()", "1:8 not supported: the function CURRENT_DATABASE"),
      ("ARRAY_CONCAT(1, 2)", "1:8 ARRAY_CONCAT does not take (INT, INT)"),
      ("ARRAY_UNION(1, 2)", "1:8 ARRAY_UNION does not take (INT, INT)"),
      ("RAND(1)", "1:8 not supported: RAND with a seed"),
      (
        "(DATE '2024-01-01', DATE '2024-01-02') OVERLAPS (DATE '2024-01-01', DATE '2024-01-02')",
        "1:47 not supported: OVERLAPS"
      ),
      ("TO_DATE('Mon', 'EEE')", "1:1 not supported: reading letter 'E' of a date pattern"),
    ] {
      XCTAssertEqual(session.refusal("SELECT \(expression)"), expected)
    }
  }
}
