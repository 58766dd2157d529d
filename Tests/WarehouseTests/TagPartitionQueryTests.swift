import Columns
import Store
import XCTest

@testable import Warehouse

/// Tags as partitions in queries: `metastore.tag-to-partition`.
final class TagPartitionQueryTests: XCTestCase {
  private func session() throws -> TestSession {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE p (id INT, amt INT, PRIMARY KEY (id) NOT ENFORCED)
        WITH ('metastore.tag-to-partition' = 'dt');
      INSERT INTO p VALUES (1, 10), (2, 20); CALL sys.create_tag('p', '2020-11-18');
      INSERT INTO p VALUES (1, 11), (3, 30); CALL sys.create_tag('p', '2020-11-19');
      INSERT INTO p VALUES (4, 40)
      """)
    return s
  }

  func test_condition_picksTags() throws {
    let s = try session()
    for (condition, expected) in [
      ("dt = '2020-11-18'", "[1,10][2,20]"),
      ("dt IN ('2020-11-18', '2020-11-19') AND id = 1", "[1,10][1,11]"),
      ("dt BETWEEN '2020-11-19' AND '2020-11-30'", "[1,11][2,20][3,30]"),
      ("dt = '2020-11-18' AND id = 2 OR dt = '2020-11-19' AND id = 3", "[2,20][3,30]"),
      ("dt LIKE '%-18'", "[1,10][2,20]"),
      ("SUBSTRING(dt, 9, 2) = '19' AND amt > 20", "[3,30]"),
      ("dt < '2020-11-19'", "[1,10][2,20]"),
      ("NOT (dt = '2020-11-19') AND dt < '2021'", "[1,10][2,20]"),
      ("dt > '2020-11-19'", "[1,11][2,20][3,30][4,40]"),
      ("dt IS NULL", ""),
      ("dt IN (SELECT x FROM (VALUES ('2020-11-18')) AS t(x))", "[1,10][2,20]"),
    ] {
      XCTAssertEqual(
        try s.rows("SELECT id, amt FROM p WHERE \(condition) ORDER BY id, amt"), expected,
        condition)
    }
  }

  func test_withoutCondition_readsTheNewestAsTheRunningPeriod() throws {
    let s = try session()
    let running = try s.rows("SELECT DISTINCT dt FROM p")
    XCTAssertTrue(running.hasPrefix(#"["20"#), running)
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM p"), "[4]")
    let day = running.dropFirst(2).dropLast(2)
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM p WHERE dt = '\(day)'"), "[4]")
  }

  func test_unknownValue_givesNoRowsAndAWarning() throws {
    let s = try session()
    XCTAssertEqual(try s.rows("SELECT * FROM p WHERE dt = '1999-01-01'"), "")
    XCTAssertEqual(s.output.warnings.count, 1)
    XCTAssertTrue(
      s.output.warnings[0].hasPrefix(
        "default.p has no partition dt='1999-01-01'; there are '2020-11-18' to"),
      s.output.warnings[0])
  }

  func test_twoReads_haveConditionsOfTheirOwn() throws {
    let s = try session()
    XCTAssertEqual(
      try s.rows(
        """
        SELECT a.id, a.amt, b.amt FROM p a JOIN p b ON a.id = b.id
        WHERE a.dt LIKE '%-18' AND b.dt LIKE '%-19' ORDER BY 1
        """), "[1,10,11][2,20,20]")
    XCTAssertEqual(
      try s.rows(
        """
        SELECT COUNT(*) FROM (SELECT id FROM p WHERE dt LIKE '%-18' UNION ALL SELECT id FROM p) AS t
        """), "[6]")
  }

  func test_groupedByPartition_readsThePartitionsAskedForAbove() throws {
    let s = try session()
    XCTAssertEqual(
      try s.rows(
        """
        WITH d AS (SELECT dt, SUM(amt) AS total FROM p GROUP BY dt)
        SELECT * FROM d WHERE dt < '2020-12' ORDER BY dt
        """), #"["2020-11-18",30]["2020-11-19",61]"#)
  }

  func test_oldPartition_hasTheNewColumns() throws {
    let s = try session()
    try s.run("ALTER TABLE p ADD note STRING")
    XCTAssertEqual(
      try s.rows("SELECT * FROM p WHERE dt = '2020-11-18' AND id = 1"),
      #"[1,10,null,"2020-11-18"]"#)
  }

  func test_showPartitions_listsTags() throws {
    let s = try session()
    XCTAssertEqual(
      try s.rows("SHOW PARTITIONS p"), #"["dt=2020-11-18"]["dt=2020-11-19"]"#)
    try s.run("CALL sys.delete_tag('p', '2020-11-18')")
    XCTAssertEqual(try s.rows("SHOW PARTITIONS p"), #"["dt=2020-11-19"]"#)
  }

  func test_delete_leavesThePartitionsAlone() throws {
    let s = try session()
    try s.run("DELETE FROM p WHERE id < 3; UPDATE p SET amt = 0 WHERE id = 3")
    XCTAssertEqual(try s.rows("SELECT id, amt FROM p ORDER BY id"), "[3,0][4,40]")
    XCTAssertEqual(
      try s.rows("SELECT id, amt FROM p WHERE dt = '2020-11-19' ORDER BY id"),
      "[1,11][2,20][3,30]")
  }
}
