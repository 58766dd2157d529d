import Columns
import Dataflow
import XCTest

@testable import SQL

/// Queries and the plans they become.
final class BinderPlanTests: XCTestCase {
  private func plan(_ text: String, streaming: Bool = false) -> String {
    do { return PlanText.text(try TestCatalog.bind(text, streaming: streaming).plan) } catch {
      return SourceText(text, name: "q.sql").describe(error)
    }
  }

  private func check(_ query: String, _ expected: String, line: UInt = #line) {
    XCTAssertEqual(plan(query), expected, query, line: line)
  }

  func test_filter_goesToTheSource() {
    check(
      "SELECT a FROM u WHERE z > 1 AND b = 'x'",
      """
      Map[a]
        Source u[a, b, z] where z > 1 AND b = 'x'
      """)
    check(
      "SELECT x FROM (SELECT a + 1 AS x, b FROM u) WHERE b IN ('p', 'q')",
      """
      Map[a + 1 AS x]
        Source u[a, b] where b IN ('p', 'q')
      """)
    check(
      "SELECT z FROM u WHERE a + 1 > 2 AND 1 = 1",
      """
      Map[z] where a + 1 > 2
        Source u[a, z]
      """)
  }

  func test_join_takesEqualitiesAsKeysWhereverTheyStand() {
    let expected = """
      Map[name, id0 AS id]
        InnerJoin[id = seller]
          Map[id, name]
            Source person[id, name, state] where state IN ('OR', 'ID')
          Map[id, seller]
            Source auction[id, seller, category] where category = 10
      """
    let joined = plan(
      "SELECT p.name, a.id FROM auction a JOIN person p ON a.seller = p.id WHERE a.category = 10 AND p.state IN ('OR', 'ID')"
    )
    XCTAssertTrue(joined.contains("InnerJoin[seller = id]"), joined)
    let comma = plan(
      "SELECT p.name, a.id FROM person p, auction a WHERE a.seller = p.id AND a.category = 10 AND p.state IN ('OR', 'ID')"
    )
    XCTAssertTrue(comma.contains("InnerJoin[id = seller]"), comma + "\n" + expected)
    XCTAssertTrue(comma.contains("where category = 10"), comma)
    check(
      "SELECT t.e FROM t LEFT JOIN u ON t.a = u.a AND t.e > u.z AND u.z > 3",
      """
      Map[e]
        LeftJoin[a = a] and e > CAST(z AS BIGINT)
          Source t[a, e]
          Source u[a, z] where z > 3
      """)
  }

  func test_subquery_becomesJoin() {
    check(
      "SELECT e FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.z > 1)",
      """
      Map[e]
        SemiJoin[a = a]
          Source t[a, e]
          Map[a]
            Source u[a, z] where z > 1
      """)
    check(
      "SELECT e FROM t WHERE a NOT IN (SELECT a FROM u)",
      """
      Map[e]
        AntiJoin[a = a] null-aware
          Source t[a, e]
          Source u[a]
      """)
    check(
      "SELECT e FROM t WHERE e NOT IN (SELECT z FROM u)",
      """
      AntiJoin[e = $1]
        Source t[e]
        Map[CAST(z AS BIGINT) AS $1]
          Source u[z]
      """)
    let scalar = plan("SELECT e FROM t WHERE a > (SELECT AVG(a) FROM u WHERE u.b = t.b)")
    XCTAssertTrue(scalar.contains("LeftJoin[b = b]"), scalar)
    XCTAssertTrue(scalar.contains("Aggregate[b, AVG(a)]"), scalar)
    let single = plan("SELECT (SELECT z FROM u) AS x FROM t")
    XCTAssertTrue(single.contains("SINGLE_VALUE(z)"), single)
  }

  func test_aggregate_readsOnlyWhatItNeeds() {
    check(
      "SELECT b, COUNT(*), SUM(z) FILTER (WHERE a > 1) FROM u GROUP BY b HAVING COUNT(*) > 2 AND b <> 'x'",
      """
      Map[b, COUNT$0 AS EXPR$1, SUM$1 AS EXPR$2] where COUNT$0 > 2
        Aggregate[b, COUNT(*), SUM(z) FILTER $2]
          Map[b, z, a > 1 AS $2]
            Source u[a, b, z] where b <> 'x'
      """)
    check(
      "SELECT COUNT(*) AS n FROM (SELECT DISTINCT a, b FROM u)",
      """
      Map[COUNT$0 AS n]
        Aggregate[COUNT(*)]
          Map[TRUE AS $0]
            Distinct[a, b]
              Source u[a, b]
      """)
    let expression = plan(
      "SELECT a + 1, SUM(z) * 2 FROM u GROUP BY a + 1 ORDER BY SUM(z) DESC LIMIT 3")
    XCTAssertTrue(expression.contains("limit 3"), expression)
  }

  func test_window_becomesWindowAggregate() {
    let query = """
      SELECT auction, COUNT(*) AS n, window_start AS s
      FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
      WHERE price > 3 GROUP BY auction, window_start, window_end
      """
    XCTAssertEqual(
      plan(query, streaming: true),
      """
      Map[auction, COUNT$0 AS n, window_start AS s]
        WindowAggregate[auction, COUNT(*)] HOP(2000 ms, 10000 ms) by ts
          Map[ts, auction] where price > 3
            Watermark[ts: ADD_MILLIS(ts, -4000)]
              Source bid[auction, price, ts]
      """)
    let legacy = plan(
      "SELECT TUMBLE_START(ts, INTERVAL '1' MINUTE), MAX(price) FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)"
    )
    XCTAssertTrue(legacy.contains("WindowAggregate[MAX(price)] TUMBLE(60000 ms) by ts"), legacy)
    let session = plan(
      "SELECT bidder, window_start, COUNT(*) FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY bidder, window_start, window_end"
    )
    XCTAssertTrue(session.contains("SESSION(5000 ms)"), session)
  }

  func test_rowNumber_becomesTopN() {
    check(
      "SELECT auction, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, ts) AS rn FROM bid) WHERE rn <= 10",
      """
      Map[auction, price]
        Rank[rowNumber 1…10, partition (auction), order (price DESC, ts)]
          Source bid[auction, price, ts]
      """)
    let qualify = plan("SELECT auction, RANK() OVER (ORDER BY price) AS r FROM bid QUALIFY r < 3")
    XCTAssertTrue(qualify.contains("column 'r' not found"), qualify)
    let top = plan(
      "SELECT auction, RANK() OVER (ORDER BY price) AS r FROM bid QUALIFY RANK() OVER (ORDER BY price) < 3"
    )
    XCTAssertTrue(top.contains("Rank[rank 1…2"), top)
    let over = plan(
      "SELECT SUM(price) OVER (PARTITION BY auction ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM bid"
    )
    XCTAssertTrue(over.contains("Over[SUM$0, partition (auction), order (ts)]"), over)
  }

  func test_nexmark_binds() throws {
    let queries = [
      "SELECT auction, bidder, 0.908 * price AS price, ts, extra FROM bid",
      "SELECT auction, price FROM bid WHERE auction % 123 = 0",
      "SELECT category, AVG(final) FROM (SELECT a.id, a.category, MAX(b.price) AS final FROM auction a, bid b WHERE a.id = b.auction AND b.ts BETWEEN a.ts AND a.expires GROUP BY a.id, a.category) GROUP BY category",
      """
      SELECT ab.auction, ab.num FROM (
        SELECT auction, COUNT(*) AS num, window_start AS starttime, window_end AS endtime
        FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
        GROUP BY auction, window_start, window_end) AS ab
      JOIN (
        SELECT MAX(cb.num) AS maxn, cb.starttime, cb.endtime FROM (
          SELECT COUNT(*) AS num, window_start AS starttime, window_end AS endtime
          FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
          GROUP BY auction, window_start, window_end) AS cb
        GROUP BY cb.starttime, cb.endtime) AS mb
      ON ab.starttime = mb.starttime AND ab.endtime = mb.endtime AND ab.num >= mb.maxn
      """,
      "SELECT b.auction, b.price FROM bid b JOIN (SELECT MAX(price) AS maxprice, window_end AS w FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end) b1 ON b.price = b1.maxprice WHERE b.ts BETWEEN b1.w - INTERVAL '10' SECOND AND b1.w",
      "SELECT COUNT(*) AS total, COUNT(*) FILTER (WHERE price < 10000) AS low, COUNT(DISTINCT bidder) AS bidders FROM bid",
      "SELECT auction, bidder, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY ts DESC) AS rn FROM bid) WHERE rn <= 1",
      "SELECT b.auction, p.name, a.itemName FROM bid b JOIN person p ON b.bidder = p.id JOIN auction a ON b.auction = a.id",
    ]
    for query in queries {
      let text = plan(query, streaming: true)
      XCTAssertFalse(text.hasPrefix("q.sql"), text)
    }
  }
}

/// Definitions and what they say of a table.
final class ShapeTests: XCTestCase {
  private func shape(_ text: String) throws -> TableShape {
    let source = SourceText(text)
    guard case .createTable(let table)? = try Parser.script(source).first?.kind else {
      throw TerraceError(.invalid, "no table")
    }
    let binder = Binder(source, resolver: TestCatalog(), isStreaming: true)
    if let query = table.query {
      return try binder.shape(of: table.definition, filledBy: query).shape
    }
    let like = table.like.flatMap { TestCatalog.shapes[$0.source.text] }
    return try binder.shape(of: table.definition, like: like, table.like)
  }

  func test_shape_holdsColumnsInTheirOrder() throws {
    let found = try shape(
      "CREATE TABLE x (a INT, b AS a + 1, c STRING METADATA FROM 'k' VIRTUAL, d BIGINT METADATA, PRIMARY KEY (a) NOT ENFORCED) PARTITIONED BY (a) WITH ('k' = 'v')"
    )
    XCTAssertEqual(found.order, ["a", "b", "c", "d"])
    XCTAssertEqual(found.type.fields.map(\.type.text), ["INT NOT NULL", "STRING", "BIGINT"])
    XCTAssertEqual(found.sinkType.fields.map(\.name), ["a", "d"])
    XCTAssertEqual(found.metadata.map(\.key), ["k", "d"])
    XCTAssertEqual(found.primaryKey, ["a"])
    XCTAssertEqual(found.partitionKeys, ["a"])
  }

  func test_shape_takesFromLike() throws {
    let found = try shape("CREATE TABLE x (extra2 STRING) LIKE auction (EXCLUDING CONSTRAINTS)")
    XCTAssertEqual(found.order.suffix(2), ["expires", "extra2"])
    XCTAssertEqual(found.primaryKey, [])
    XCTAssertThrowsError(try shape("CREATE TABLE x (id STRING) LIKE auction"))
  }

  func test_shape_comesFromQuery() throws {
    let found = try shape(
      "CREATE TABLE x (n, k BIGINT, PRIMARY KEY (k) NOT ENFORCED) AS SELECT z AS k, COUNT(*) AS n FROM u GROUP BY z"
    )
    XCTAssertEqual(
      found.type.fields.map { "\($0.name) \($0.type.text)" },
      ["n BIGINT NOT NULL", "k BIGINT NOT NULL"])
    XCTAssertThrowsError(try shape("CREATE TABLE x (m) AS SELECT z AS k FROM u"))
  }

  func test_tableNames_areThoseRead() throws {
    let query = try Parser.query(
      SourceText(
        "WITH c AS (SELECT * FROM ods.a) SELECT * FROM c JOIN b ON b.x IN (SELECT y FROM d.e.f) WHERE EXISTS (SELECT 1 FROM b) AND z = (SELECT MAX(q) FROM TABLE(TUMBLE(TABLE g, DESCRIPTOR(t), INTERVAL '1' DAY)))"
      ))
    XCTAssertEqual(query.tableNames.map(\.text), ["ods.a", "b", "d.e.f", "g"])
  }

  func test_reads_carryOptionsAndTravel() throws {
    let tables = try TestCatalog.bind(
      "SELECT a FROM u /*+ OPTIONS('k'='1', 'k'='2') */ UNION ALL SELECT a FROM u VERSION AS OF 'x' UNION ALL SELECT a FROM u FOR SYSTEM_TIME AS OF TIMESTAMP '1970-01-01 00:00:01' UNION ALL SELECT a FROM u VERSION AS OF 7"
    ).tables
    XCTAssertEqual(tables.map { $0.options.map { $0.key + $0.value } }, [["k2"], [], [], []])
    XCTAssertEqual(tables.map(\.travel), [nil, .version("x"), .time(1000), .version("7")])
  }

  func test_rows_areThoseOfDeleteAndUpdate() throws {
    let source = SourceText(
      "DELETE FROM u WHERE a = 1; UPDATE u SET a = z + 1 WHERE b = 'x'; UPDATE u SET y = 1; UPDATE u SET a = b; CALL p(1, 'x', k => 2.5)"
    )
    let statements = try Parser.script(source)
    func binder() -> Binder { Binder(source, resolver: TestCatalog(), isStreaming: false) }
    var found: [String] = []
    for statement in statements {
      do {
        switch statement.kind {
        case .delete(let path, let filter):
          found.append(PlanText.text(try binder().rows(of: path, where: filter).plan))
        case .update(let path, let values, let filter):
          found.append(
            PlanText.text(try binder().rows(of: path, where: filter, setting: values).plan))
        case .call(_, let arguments):
          found.append(
            try binder().arguments(arguments).map { "\($0.name ?? "") \($0.type.text)" }.joined(
              separator: ","))
        default: break
        }
      } catch {
        found.append(error.message)
      }
    }
    XCTAssertEqual(
      found,
      [
        "Source u[a, b, z] where a = 1",
        "Map[z + 1 AS a, b, z]\n  Source u[b, z] where b = 'x'",
        "column 'y' not found in 'u'", "STRING does not fit column 'a', which is INT",
        " INT NOT NULL, CHAR(1) NOT NULL,k DECIMAL(2, 1) NOT NULL",
      ])
  }

  func test_membership_isAValueUnderOr() throws {
    let bound = try TestCatalog.bind(
      "SELECT e FROM t WHERE a IN (SELECT a FROM u) OR EXISTS (SELECT 1 FROM u WHERE u.z = t.a) OR d > 1"
    )
    let text = PlanText.text(bound.plan)
    XCTAssertTrue(text.contains("LeftJoin[a = a]"), text)
    XCTAssertEqual(bound.type.fields.map(\.name), ["e"])
  }
}
