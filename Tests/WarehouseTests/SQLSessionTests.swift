import Columns
import Formats
import Store
import XCTest

@testable import Warehouse

/// Keeps what a script prints.
final class KeptOutput: ResultOutput {
  /// One JSON text of all rows for each result.
  private(set) var results: [String] = []
  private(set) var columns: [[String]] = []
  private(set) var warnings: [String] = []
  private(set) var done: [String] = []
  private var type = RowType([Field]())
  private var rows: [String] = []

  func begin(_ type: RowType) throws(TerraceError) {
    self.type = type
    columns.append(type.fields.map(\.name))
    rows = []
  }

  func rows(_ batch: Batch) throws(TerraceError) {
    for row in 0..<batch.count {
      let out = ByteWriter()
      for (index, column) in batch.columns.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        ValueFormat(type.fields[index].type).appendResultJSON(column, row, to: out)
      }
      rows.append("[\(out.text)]")
    }
  }

  func end() throws(TerraceError) { results.append(rows.joined()) }
  func done(_ text: String) throws(TerraceError) { done.append(text) }
  func warn(_ text: String) { warnings.append(text) }
}

/// A session over a warehouse in memory.
struct TestSession {
  let session: SQLSession
  let output = KeptOutput()

  init(_ files: any FileIO = MemoryFileIO(), threads: Int = 0) throws {
    let environment = Environment(files: files, workers: Workers(count: threads))
    session = SQLSession(
      OpenWarehouse(WarehouseLocation(path: "/wh", isNamed: true), environment))
  }

  func run(_ sql: String) throws { try session.runScript(SQLText(sql, name: "s.sql"), to: output) }

  /// The rows of the last statement.
  func rows(_ sql: String) throws -> String {
    try run(sql)
    return output.results.last ?? ""
  }

  /// What a script is refused with: place, message and hint.
  func refusal(_ sql: String, file: StaticString = #filePath, line: UInt = #line) -> String {
    do {
      try run(sql)
    } catch let error as TerraceError {
      let place = "\(error.fact("line") ?? "?"):\(error.fact("column") ?? "?")"
      let kind = error.kind == .unsupported ? "not supported: " : ""
      return "\(place) \(kind)\(error.message)" + (error.hint.isEmpty ? "" : " | \(error.hint)")
    } catch {
      XCTFail("\(error)", file: file, line: line)
    }
    XCTFail("nothing was refused", file: file, line: line)
    return ""
  }
}

final class SQLSessionTests: XCTestCase {
  private static let mixed =
    "(VALUES (1, 'abc', CAST(NULL AS INT)), (2, 'xbd', 5), (2, 'xbd', 5), (3, 'a.c', 7))"

  func test_export_writesFilesOnceAndSuccessLast() throws {
    let files = MemoryFileIO()
    let session = try TestSession(files)
    try session.run(
      """
      CREATE DATABASE d; CREATE TABLE d.t (k INT, v STRING) WITH ('bucket' = '-1');
      INSERT INTO d.t VALUES (1, 'a'), (2, 'b'), (3, 'a');
      """)
    let name = TableName(database: "d", table: "t")
    let export = TableExport(
      table: name, folder: "/out", format: "csv", condition: "k > 1", partitions: ["v"])
    XCTAssertEqual(try session.session.export(export), 2)
    XCTAssertEqual(try files.list("/out").sorted(), ["_SUCCESS", "v=a", "v=b"])
    let part = try XCTUnwrap(try files.list("/out/v=b").first)
    XCTAssertEqual(
      try files.readSmall("/out/v=b/" + part, limit: 100).map { Array($0) }, Array("k\n2\n".utf8))
    XCTAssertThrowsError(try session.session.export(export), "the folder holds something")
    var wrong = export
    wrong.folder = "/other"
    wrong.condition = "nope > 1"
    XCTAssertThrowsError(try session.session.export(wrong)) {
      XCTAssert("\($0)".contains("column 'nope' not found"), "\($0)")
    }
  }

  func test_counts_rowsWhoseColumnsAreAllThere() throws {
    let session = try TestSession()
    XCTAssertEqual(
      try session.rows(
        "SELECT COUNT(DISTINCT a, c), COUNT(a, c), COUNT(DISTINCT a) FROM \(Self.mixed) AS t(a, b, c)"
      ), "[2,3,3]")
  }

  func test_compares_withAnyAndAll() throws {
    let session = try TestSession()
    let other = "(SELECT c - 3 FROM \(Self.mixed) AS u(a, b, c) WHERE c IS NOT NULL)"
    let rows = "FROM \(Self.mixed) AS t(a, b, c)"
    XCTAssertEqual(
      try session.rows("SELECT a \(rows) WHERE a = ANY \(other) ORDER BY a"), "[2][2]")
    XCTAssertEqual(
      try session.rows("SELECT a \(rows) WHERE a <> ALL \(other) ORDER BY a"), "[1][3]")
  }

  func test_joins_onSubqueries() throws {
    let session = try TestSession()
    let (t, u) = ("\(Self.mixed) AS t(a, b, c)", "\(Self.mixed) AS u(a, b, c)")
    let v = "\(Self.mixed) AS v(a, b, c)"
    XCTAssertEqual(
      try session.rows(
        "SELECT t.a, u.c FROM \(t) JOIN \(u) ON t.a = u.a AND EXISTS (SELECT 1 FROM \(v) WHERE v.c = u.c AND v.a = 3)"
      ), "[3,7]")
  }

  func test_insert_keepsLastRowOfKey() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE t (k INT, v STRING, PRIMARY KEY (k) NOT ENFORCED);
      INSERT INTO t VALUES (1, 'a'), (2, 'b');
      INSERT INTO t (v, k) SELECT 'c', 1
      """)
    XCTAssertEqual(try s.rows("SELECT * FROM t ORDER BY k"), #"[1,"c"][2,"b"]"#)
    XCTAssertEqual(
      s.output.done.last, "1 row written to default.t", "what was done is said in rows")
  }

  func test_result_printsEveryTypeAsJSON() throws {
    let s = try TestSession()
    XCTAssertEqual(
      try s.rows(
        """
        SELECT CAST(1.50 AS DECIMAL(10, 2)), 1e0, TRUE, CAST(NULL AS INT), 'a"b', ARRAY[1, 2],
          MAP['k', 1.5], DATE '2024-02-29', TIMESTAMP '2024-02-29 10:00:00.120', TIME '10:00:00',
          CAST('NaN' AS DOUBLE)
        """),
      #"[1.50,1.0,true,null,"a\"b",[1,2],{"k":1.5},"2024-02-29","2024-02-29 10:00:00.120","10:00:00","NaN"]"#
    )
  }

  func test_timestampLTZ_isShownInTheSessionsZone() throws {
    let s = try TestSession()
    XCTAssertEqual(
      try s.rows(
        "SET 'table.local-time-zone' = 'Asia/Shanghai'; SELECT TO_TIMESTAMP_LTZ(0, 3)"),
      #"["1970-01-01 08:00:00.000"]"#)
  }

  func test_script_runsStatementsBeforeTheFirstWrongOne() throws {
    let s = try TestSession()
    XCTAssertEqual(
      s.refusal("CREATE TABLE t (k INT);\nINSERT INTO t VALUES (1);\nSELEC k FROM t"),
      "3:1 expected a statement, found 'SELEC' | did you mean SELECT?")
    XCTAssertEqual(try s.rows("SELECT * FROM t"), "[1]")
    XCTAssertEqual(
      s.refusal("INSERT INTO t VALUES (2);\nSELECT 'open FROM t").prefix(4), "2:8 ")
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t"), "[2]")
  }

  func test_insert_leavesNothingWhenTheQueryFails() throws {
    let s = try TestSession()
    try s.run("CREATE TABLE t (k INT); INSERT INTO t VALUES (0)")
    XCTAssertEqual(
      s.refusal("INSERT INTO t SELECT 1 / k FROM t"), "1:1 division by zero")
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t$snapshots"), "[1]")
    XCTAssertEqual(
      s.refusal("CREATE TABLE u AS SELECT 1 / k AS x FROM t"), "1:1 division by zero")
    XCTAssertEqual(try s.rows("SHOW TABLES"), #"["t"]"#)
  }

  func test_overwrite_replacesWhatItNames() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE t (v INT, dt STRING) PARTITIONED BY (dt);
      INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
      INSERT OVERWRITE t PARTITION (dt = 'a') SELECT 10
      """)
    XCTAssertEqual(
      try s.rows("SELECT * FROM t ORDER BY dt"), #"[10,"a"][2,"b"][3,"c"]"#)
    try s.run("INSERT OVERWRITE t VALUES (20, 'b'), (40, 'd')")
    XCTAssertEqual(
      try s.rows("SELECT * FROM t ORDER BY dt"), #"[10,"a"][20,"b"][3,"c"][40,"d"]"#)
    try s.run("INSERT OVERWRITE t PARTITION (dt = 'd') SELECT v FROM t WHERE FALSE")
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t WHERE dt = 'd'"), "[0]")
    try s.run(
      "INSERT OVERWRITE t /*+ OPTIONS('dynamic-partition-overwrite'='false') */ VALUES (5, 'z')")
    XCTAssertEqual(try s.rows("SELECT * FROM t"), #"[5,"z"]"#)
  }

  func test_deleteAndUpdate_changeRowsOfBothKindsOfTable() throws {
    for key in ["", ", PRIMARY KEY (k) NOT ENFORCED"] {
      let s = try TestSession()
      try s.run(
        """
        CREATE TABLE t (k INT, v INT\(key));
        INSERT INTO t VALUES (1, 1), (2, NULL), (3, 3), (4, 4);
        UPDATE t SET v = v * 10 WHERE k >= 3;
        DELETE FROM t WHERE v = 40
        """)
      XCTAssertEqual(try s.rows("SELECT * FROM t ORDER BY k"), "[1,1][2,null][3,30]", key)
      XCTAssertEqual(s.output.done.suffix(2).first, "2 rows of default.t updated", key)
      XCTAssertEqual(s.output.done.last, "1 row deleted from default.t", key)
      try s.run("DELETE FROM t")
      XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t"), "[0]", key)
    }
  }

  func test_update_keepsDuplicatesOfAnAppendTable() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE t (a INT, b STRING);
      INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, 'y'), (2, 'y');
      UPDATE t SET b = 'z' WHERE a = 2
      """)
    XCTAssertEqual(
      try s.rows("SELECT * FROM t ORDER BY a, b"), #"[1,"x"][1,"x"][2,"z"][2,"z"]"#)
  }

  func test_computedColumns_surviveTheSchemaFile() throws {
    let files = MemoryFileIO()
    let s = try TestSession(files)
    try s.run(
      """
      CREATE TABLE t (a INT, b AS a * 2, ts TIMESTAMP(3), c AS CONCAT('x', CAST(a AS STRING)),
        WATERMARK FOR ts AS ts - INTERVAL '5' SECOND);
      INSERT INTO t VALUES (1, NULL)
      """)
    let other = try TestSession(files)
    XCTAssertEqual(try other.rows("SELECT * FROM t"), #"[1,2,null,"x1"]"#)
    try other.run("ALTER TABLE t ADD z INT FIRST")
    XCTAssertEqual(try other.rows("SELECT * FROM t"), #"[null,1,2,null,"x1"]"#)
    XCTAssertEqual(
      other.refusal("ALTER TABLE t DROP a"), "1:20 the computed column 'b' is made of 'a'")
    try other.run("ALTER TABLE t DROP b")
    XCTAssertEqual(
      try other.rows("SHOW CREATE TABLE t").contains("`ts` TIMESTAMP(3),\\n  `c` AS"), true,
      other.output.results.last ?? "")
  }

  func test_like_takesColumnsKeysAndOptions() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE a (k INT, v STRING, PRIMARY KEY (k) NOT ENFORCED) WITH ('bucket' = '3');
      CREATE TABLE b (w DOUBLE) WITH ('file.compression' = 'none') LIKE a;
      INSERT INTO b VALUES (1, 'x', 2.5), (1, 'y', 3.5)
      """)
    XCTAssertEqual(try s.rows("SELECT * FROM b"), #"[1,"y",3.5]"#)
    XCTAssertEqual(
      try s.rows("SELECT * FROM b$options ORDER BY key"),
      #"["bucket","3"]["file.compression","none"]"#)
  }

  func test_primaryKeyTable_getsBucketsThatCanBeWritten() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE a (k INT, PRIMARY KEY (k) NOT ENFORCED);
      CREATE TABLE b (k INT, d STRING, PRIMARY KEY (k, d) NOT ENFORCED) PARTITIONED BY (d);
      CREATE TABLE c (k INT) DISTRIBUTED BY HASH (k) INTO 4 BUCKETS
      """)
    XCTAssertEqual(try s.rows("SELECT * FROM a$options"), #"["bucket","2"]"#)
    XCTAssertEqual(try s.rows("SELECT * FROM b$options"), #"["bucket","1"]"#)
    XCTAssertEqual(
      try s.rows("SELECT * FROM c$options ORDER BY key"), #"["bucket","4"]["bucket-key","k"]"#)
  }

  func test_views_readTheTablesOfTheirDatabase() throws {
    let files = MemoryFileIO()
    let s = try TestSession(files)
    try s.run(
      """
      CREATE TABLE t (k INT); INSERT INTO t VALUES (1), (2), (3);
      CREATE VIEW v (n) AS WITH w AS (SELECT k FROM t WHERE k > 1) SELECT a.k FROM w a JOIN t ON a.k = t.k;
      CREATE DATABASE d; USE d; CREATE TABLE t (k INT); INSERT INTO t VALUES (9)
      """)
    XCTAssertEqual(try s.rows("SELECT n FROM `default`.v ORDER BY n"), "[2][3]")
    let other = try TestSession(files)
    XCTAssertEqual(try other.rows("SELECT SUM(n) FROM v"), "[5]")
    XCTAssertEqual(
      other.refusal("CREATE TEMPORARY VIEW x AS SELECT n FROM v; CREATE VIEW y AS SELECT * FROM x"),
      "1:76 a view that stays cannot read the temporary 'x' | write CREATE TEMPORARY VIEW")
    try other.run("ALTER VIEW v RENAME TO w; ALTER VIEW w AS SELECT k + 1 AS n FROM t")
    XCTAssertEqual(try other.rows("SELECT SUM(n) FROM w"), "[9]")
    try other.run("DROP VIEW w; DROP VIEW IF EXISTS w")
    XCTAssertEqual(try other.rows("SHOW VIEWS"), #"["x"]"#)
  }

  func test_view_showsAnErrorInItsOwnText() throws {
    let s = try TestSession()
    try s.run(
      "CREATE TABLE t (k INT, v INT); CREATE VIEW w AS SELECT v FROM t; ALTER TABLE t DROP v")
    do {
      try s.run("SELECT * FROM w")
      XCTFail("a view over a column that is gone")
    } catch let error as TerraceError {
      XCTAssertEqual(error.fact("source"), "view default.w")
      XCTAssertEqual(error.fact("text"), "SELECT v FROM `default`.t")
      XCTAssertEqual(error.message, "column 'v' not found")
    }
  }

  func test_timeTravel_readsWhatWas() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE t (k INT); INSERT INTO t VALUES (1); CALL sys.create_tag('t', 'one');
      INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)
      """)
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t VERSION AS OF 'one'"), "[1]")
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t VERSION AS OF 2"), "[2]")
    for (option, count) in [
      ("'scan.snapshot-id'='2'", 2), ("'scan.tag-name'='one'", 1), ("'scan.version'='2'", 2),
      ("'scan.timestamp-millis'='99999999999999'", 3),
      ("'scan.timestamp'='2300-01-01 00:00:00'", 3),
      ("'incremental-between'='1,3'", 2), ("'incremental-between'='one,2'", 1),
    ] {
      XCTAssertEqual(
        try s.rows("SELECT COUNT(*) FROM t /*+ OPTIONS(\(option)) */"), "[\(count)]", option)
    }
    XCTAssertEqual(
      s.refusal("SELECT * FROM t /*+ OPTIONS('scan.snapshotid'='1') */"),
      "1:15 not supported: the option 'scan.snapshotid' of a read | did you mean scan.snapshot-id?")
  }

  func test_auditLog_showsKindsOfChanges() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE t (k INT, v INT, PRIMARY KEY (k) NOT ENFORCED);
      INSERT INTO t VALUES (1, 1), (2, 2); DELETE FROM t WHERE k = 1; INSERT INTO t VALUES (2, 3)
      """)
    XCTAssertEqual(
      try s.rows(
        "SELECT * FROM t$audit_log /*+ OPTIONS('incremental-between'='0,3') */ ORDER BY k"),
      #"["-D",1,null]["+I",2,3]"#.replacing("null", with: "1"))
    XCTAssertEqual(try s.rows("SELECT rowkind, k FROM t$audit_log"), #"["+I",2]"#)
  }

  func test_changes_tellOldRowsWhereTheChangelogIsTheInput() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE t (k INT, v INT, PRIMARY KEY (k) NOT ENFORCED)
        WITH ('changelog-producer' = 'input');
      INSERT INTO t VALUES (1, 1), (2, 2), (1, 10), (3, 3);
      INSERT INTO t VALUES (1, 11), (2, 2), (4, 4);
      UPDATE t SET v = v + 1 WHERE k >= 3;
      DELETE FROM t WHERE k = 1;
      DELETE FROM t
      """)
    XCTAssertEqual(try s.rows("SELECT * FROM t"), "")
    for (snapshot, changes) in [
      (1, #"["+I",1,10]["+I",2,2]["+I",3,3]"#),
      (2, #"["-U",1,10]["+U",1,11]["+I",4,4]"#),
      (3, #"["-U",3,3]["+U",3,4]["-U",4,4]["+U",4,5]"#),
      (4, #"["-D",1,11]"#), (5, #"["-D",2,2]["-D",3,4]["-D",4,5]"#),
    ] {
      XCTAssertEqual(
        try s.rows(
          """
          SELECT * FROM t$audit_log /*+ OPTIONS('incremental-between'='\(snapshot - 1),\(snapshot)') */
          ORDER BY k, v
          """), changes, "snapshot \(snapshot)")
    }
  }

  func test_systemTables_haveRowsForEachKind() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE t (k INT, d STRING, PRIMARY KEY (k, d) NOT ENFORCED) PARTITIONED BY (d);
      INSERT INTO t VALUES (1, 'a'), (2, 'b'); CALL sys.create_tag('t', 'g');
      CALL sys.create_branch('t', 'br', 'g'); CALL sys.reset_consumer('t', 'c', 1)
      """)
    for kind in SystemTable.allCases {
      XCTAssertNotEqual(
        try s.rows("SELECT COUNT(*) FROM t$\(kind.rawValue)"), "[0]", kind.rawValue)
      XCTAssertNotEqual(try s.rows("SELECT * FROM t$\(kind.rawValue)"), "", kind.rawValue)
    }
    XCTAssertEqual(
      try s.rows("SELECT `partition`, record_count FROM t$partitions"), #"["d=a",1]["d=b",1]"#)
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t$branch_br$snapshots"), "[1]")
    XCTAssertEqual(
      s.refusal("SELECT * FROM t$snapshot"),
      "1:15 not supported: the system table $snapshot | did you mean snapshots?")
  }

  func test_branch_isWrittenApart() throws {
    let s = try TestSession()
    try s.run(
      """
      CREATE TABLE t (k INT); INSERT INTO t VALUES (1); CALL sys.create_tag('t', 'g');
      CALL sys.create_branch('t', 'b', 'g'); INSERT INTO t$branch_b VALUES (2)
      """)
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t$branch_b"), "[2]")
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t"), "[1]")
  }

  func test_limit_readsOnlyWhatItNeeds() throws {
    let counting = CountingFileIO(MemoryFileIO())
    let s = try TestSession(counting.files)
    // Two alike: what was read of one is in memory afterwards.
    for t in ["t", "u"] {
      try s.run("CREATE TABLE \(t) (k INT, v STRING)")
      for i in 0..<8 { try s.run("INSERT INTO \(t) VALUES (\(i), 'v')") }
    }
    counting.counters.reset()
    _ = try s.rows("SELECT * FROM t")
    let whole = counting.counters.total(.read, .data).bytes
    counting.counters.reset()
    XCTAssertEqual(try s.rows("SELECT v FROM u LIMIT 1"), #"["v"]"#)
    let limited = counting.counters.total(.read, .data).bytes
    XCTAssertLessThan(limited * 2, whole, "bytes read of data files")
  }

  func test_memoryLimit_endsTheQueryWithAnError() throws {
    let s = try TestSession()
    try s.run("CREATE TABLE t (k INT, v STRING)")
    let rows = (0..<20_000).map { "(\($0), 'some text that takes place \($0)')" }
    try s.run("INSERT INTO t VALUES " + rows.joined(separator: ", "))
    XCTAssertEqual(
      s.refusal("SET 'memory.limit' = '256 kb'; SELECT v, COUNT(*) FROM t GROUP BY v").prefix(61),
      "1:32 the query needs more memory than memory.limit: it holds ")
    XCTAssertEqual(try s.rows("SELECT COUNT(*) FROM t WHERE v LIKE '%7'"), "[2000]")
  }

  func test_sort_withLimitHoldsAFewRowsOnly() throws {
    let s = try TestSession()
    try s.run("CREATE TABLE t (k INT, v STRING)")
    let rows = (0..<70_000).map { "(\($0 * 7919 % 70_000), 'text of some length \($0)')" }
    try s.run("INSERT INTO t VALUES " + rows.joined(separator: ", "))
    XCTAssertEqual(
      try s.rows("SELECT k FROM t ORDER BY k DESC LIMIT 2 OFFSET 1"), "[69998][69997]")
  }
}
