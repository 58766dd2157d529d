import Store
import XCTest

/// Values that a session computes: constants as rows, nested types, tables made of queries.
final class SessionValueTests: XCTestCase {
  /// What does not depend on a row is computed once, ahead of them: it must come out alike.
  func test_constants_areComputedInTheSessionsZoneAsRowsAre() throws {
    let expressions = [
      "FROM_UNIXTIME({n})", "UNIX_TIMESTAMP({s})", "EXTRACT(HOUR FROM TO_TIMESTAMP_LTZ({n}, 0))",
      "CAST(TO_TIMESTAMP_LTZ({n}, 0) AS STRING)", "CAST(TO_TIMESTAMP_LTZ({n}, 0) AS DATE)",
      "CAST(CAST({s} AS TIMESTAMP_LTZ(3)) AS STRING)",
      "EXTRACT(EPOCH FROM CAST({s} AS TIMESTAMP_LTZ(3)))",
      "DATE_FORMAT(TO_TIMESTAMP_LTZ({n}, 0), 'yyyy-MM-dd HH:mm')",
      "CASE WHEN TO_TIMESTAMP_LTZ({n}, 0) < CAST({s} AS TIMESTAMP_LTZ(3)) THEN 1 ELSE 2 END",
      "TO_TIMESTAMP_LTZ({n}, 0) IN (CAST({s} AS TIMESTAMP_LTZ(3)))",
      "JSON_OBJECT(KEY 'a' VALUE TO_TIMESTAMP_LTZ({n}, 0))",
      "FLOOR(TO_TIMESTAMP_LTZ({n}, 0) TO DAY)",
    ]
    for zone in ["UTC", "America/New_York", "Asia/Shanghai", "GMT-03:30"] {
      let session = try TestSession()
      try session.run("SET 'table.local-time-zone' = '\(zone)'")
      for expression in expressions {
        func filled(_ n: String, _ s: String) -> String {
          expression.replacing("{n}", with: n).replacing("{s}", with: s)
        }
        let rows = try session.rows(
          """
          SELECT a = b OR (a IS NULL AND b IS NULL), a FROM (
            SELECT \(filled("44", "'1970-01-01 02:00:00'")) AS a, \(filled("x", "y")) AS b
            FROM (VALUES (CAST(44 AS BIGINT), '1970-01-01 02:00:00')) AS t(x, y)) AS r
          """)
        XCTAssert(rows.hasPrefix("[true,"), "\(zone) \(expression): \(rows)")
      }
    }
  }

  func test_constants_ofAnotherZoneAreThatZonesWallClock() throws {
    let session = try TestSession()
    XCTAssertEqual(
      try session.rows(
        """
        SET 'table.local-time-zone' = 'America/New_York';
        CREATE TABLE t (ts TIMESTAMP_LTZ(3));
        INSERT INTO t VALUES (CAST('2024-01-01 00:00:00' AS TIMESTAMP_LTZ(3)));
        SELECT FROM_UNIXTIME(44), EXTRACT(HOUR FROM TO_TIMESTAMP_LTZ(44, 0)),
          CAST(TIMESTAMP '2024-01-01 00:00:00' AS TIMESTAMP_LTZ(3)), ts FROM t
        """),
      #"["1969-12-31 19:00:44",19,"2024-01-01 00:00:00.000","2024-01-01 00:00:00.000"]"#)
    XCTAssertEqual(
      try session.rows(
        "SELECT COUNT(*) FROM t WHERE ts = CAST('2024-01-01 00:00:00' AS TIMESTAMP_LTZ(3))"), "[1]")
    XCTAssertEqual(
      try session.rows("RESET 'table.local-time-zone'; SELECT ts FROM t"),
      #"["2024-01-01 05:00:00.000"]"#)
  }

  func test_instants_compareWithWallClocksOfTheSession() throws {
    let session = try TestSession()
    XCTAssertEqual(
      try session.rows(
        """
        SET 'table.local-time-zone' = 'Asia/Tokyo';
        SELECT ts = l, ts < l, l > TIMESTAMP '1970-01-01 08:59:59.999999', ts < CURRENT_TIMESTAMP
        FROM (VALUES (TIMESTAMP '1970-01-01 09:00:00', TO_TIMESTAMP_LTZ(0, 3))) AS t(ts, l)
        """), "[true,false,true,true]")
    XCTAssertEqual(
      session.refusal("SELECT CASE WHEN TRUE THEN 'a' WHEN FALSE THEN 1 END"),
      "1:8 the results of CASE have no common type: CHAR(1), INT")
  }

  func test_array_holdsNullWhereAnyOfItsElementsMay() throws {
    let session = try TestSession()
    XCTAssertEqual(
      try session.rows("SELECT TYPEOF(ARRAY[1, CAST(NULL AS INT)]), TYPEOF(ARRAY[1, 2])"),
      #"["ARRAY<INT> NOT NULL","ARRAY<INT NOT NULL> NOT NULL"]"#)
    XCTAssertEqual(
      try session.rows(
        """
        CREATE TABLE x AS SELECT ARRAY[1, v] AS a FROM (VALUES (CAST(NULL AS INT)), (7)) AS t(v);
        SELECT a FROM x ORDER BY a[2] NULLS FIRST
        """), "[[1,null]][[1,7]]")
  }

  func test_createAs_takesNestedRows() throws {
    let session = try TestSession()
    XCTAssertEqual(
      try session.rows(
        """
        CREATE TABLE a AS SELECT ROW(1, 'q') AS r, ARRAY[ROW(2, 'w')] AS ar, MAP['k', ROW(3)] AS m;
        CREATE TABLE b AS SELECT ar, m FROM a;
        CREATE TABLE c (m MAP<STRING, ROW<x BIGINT>>, r ROW<x INT, y STRING>);
        INSERT INTO c SELECT m, r FROM a;
        SELECT a.r, b.ar, b.m, c.m FROM a, b, c
        """),
      #"[{"EXPR$0":1,"EXPR$1":"q"},[{"EXPR$0":2,"EXPR$1":"w"}],{"k":{"EXPR$0":3}},{"k":{"x":3}}]"#)
  }

  func test_windows_ofInstantsAreOfTheSessionsWallClock() throws {
    let session = try TestSession()
    // Berlin, every half hour over both changes of the clock: Flink 2.3 gives these.
    var values: [String] = []
    for (n, first) in [1_711_841_400, 1_729_985_400].enumerated() {
      for k in 0..<8 { values.append("(\(n * 8 + k), TO_TIMESTAMP_LTZ(\(first + k * 1800), 0))") }
    }
    try session.run(
      """
      SET 'table.local-time-zone' = 'Europe/Berlin';
      CREATE TABLE w (id INT, ts TIMESTAMP_LTZ(3));
      INSERT INTO w VALUES \(values.joined(separator: ", "))
      """)
    func windows(_ function: String) throws -> String {
      try session.rows(
        """
        SELECT LISTAGG(r, ' ') FROM (SELECT DATE_FORMAT(window_start, 'dd HH:mm') || '-'
          || DATE_FORMAT(window_end, 'HH:mm') || '=' || CAST(COUNT(*) AS STRING) AS r
          FROM \(function) GROUP BY window_start, window_end ORDER BY window_start LIMIT 99) AS x
        """)
    }
    XCTAssertEqual(
      try windows("TUMBLE(TABLE w, DESCRIPTOR(ts), INTERVAL '1' HOUR)"),
      #"["31 00:00-01:00=1 31 01:00-02:00=2 31 03:00-04:00=2 31 04:00-05:00=2 31 05:00-06:00=1 "#
        + #"27 01:00-02:00=1 27 02:00-03:00=4 27 03:00-04:00=2 27 04:00-05:00=1"]"#)
    XCTAssertEqual(
      try windows("HOP(TABLE w, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '2' HOUR)"),
      #"["30 23:00-01:00=1 31 00:00-02:00=3 31 01:00-03:00=2 31 02:00-04:00=2 31 03:00-05:00=4 "#
        + #"31 04:00-06:00=3 31 05:00-07:00=1 27 00:00-02:00=1 27 01:00-03:00=5 "#
        + #"27 02:00-04:00=6 27 03:00-05:00=3 27 04:00-06:00=1"]"#)
    XCTAssertEqual(
      try windows("SESSION(TABLE w, DESCRIPTOR(ts), INTERVAL '31' MINUTE)"),
      #"["31 00:30-02:01=3 31 03:00-05:31=5 27 01:30-04:31=8"]"#)
    XCTAssertEqual(
      try session.rows(
        """
        SELECT TYPEOF(window_start), TYPEOF(window_end), TYPEOF(window_time),
          CAST(window_time AS STRING)
        FROM HOP(TABLE w, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '2' HOUR)
        WHERE id = 1 AND window_start = TIMESTAMP '2024-03-31 01:00:00'
        """),
      #"["TIMESTAMP(3) NOT NULL","TIMESTAMP(3) NOT NULL","#
        + #""TIMESTAMP(3) WITH LOCAL TIME ZONE NOT NULL","2024-03-31 03:59:59.999"]"#)
  }

  func test_sums_ofDecimalsMayLeave38DigitsOnTheWay() throws {
    let session = try TestSession()
    let most = String(repeating: "9", count: 38)
    XCTAssertEqual(
      try session.rows(
        """
        SELECT SUM(d), SUM(d) FILTER (WHERE i < 4), AVG(d) FILTER (WHERE i < 4) FROM (VALUES
          (1, CAST('\(most)' AS DECIMAL(38, 0))), (2, CAST('\(most)' AS DECIMAL(38, 0))),
          (3, CAST('\(most)' AS DECIMAL(38, 0))), (4, CAST('-\(most)' AS DECIMAL(38, 0))),
          (5, CAST('-\(most)' AS DECIMAL(38, 0)))) AS t(i, d)
        """), "[\(most),null,null]")
  }
}
