import Store
import XCTest

@testable import Warehouse

/// CREATE and ALTER in a session: what they refuse, with the place, and what they leave as it is.
final class DefinitionTests: XCTestCase {
  private var session: TestSession!

  override func setUpWithError() throws {
    session = try TestSession()
    try session.run(
      """
      CREATE DATABASE d;
      CREATE TABLE n (k INT, v DECIMAL(4, 2) NOT NULL, PRIMARY KEY (k) NOT ENFORCED);
      CREATE TABLE c (id INT, a INT, b AS a + 1);
      CREATE TABLE y (id INT, PRIMARY KEY (id) NOT ENFORCED)
        WITH ('tag.automatic-creation' = 'process-time', 'tag.creation-period' = 'daily',
          'metastore.tag-to-partition' = 'dt');
      """)
  }
  override func tearDown() { session = nil }

  /// Statement, and how it is refused.
  private static let refused: [(String, String)] = [
    (
      "ALTER TABLE c MODIFY a STRING",
      "1:24 the computed column 'b' cannot be made of it any more: + does not take (STRING, INT)"
    ),
    ("ALTER TABLE n MODIFY k BIGINT", "1:24 a primary key column cannot be changed in type"),
    ("ALTER TABLE n DROP k", "1:20 a primary key column cannot be dropped"),
    (
      "ALTER TABLE n ADD x INT NOT NULL",
      "1:19 a new column must be nullable: the rows that are there have no value for it"
    ),
    ("ALTER TABLE n MODIFY v INT", "1:24 the type cannot be changed without losing values"),
    (
      "CREATE TABLE x (id INT, dt STRING) WITH ('metastore.tag-to-partition' = 'dt')",
      "1:25 the table has a column 'dt' of its own | tags need another name: 'metastore.tag-to-partition' makes a column"
    ),
    (
      "ALTER TABLE y ADD dt INT",
      "1:19 the table has a column 'dt' of its own | tags need another name: 'metastore.tag-to-partition' makes a column"
    ),
    (
      "CREATE OR REPLACE TABLE n (k INT)",
      "1:25 'n' is there already | CREATE OR REPLACE TABLE replaces rows only with AS; DROP TABLE drops it"
    ),
    (
      "CREATE MATERIALIZED TABLE n AS SELECT 1 AS a",
      "1:27 'n' is there already | write CREATE OR ALTER MATERIALIZED TABLE, or drop it first"
    ),
    ("INSERT INTO n VALUES (1, 12345.1)", "1:15 null in column 'v', which is NOT NULL"),
    ("INSERT INTO n VALUES (2, 1.0), (NULL, 1.0)", "1:33 null in column 'k', which is NOT NULL"),
    (
      "INSERT INTO n (v, k) SELECT 1.0, CAST(NULL AS INT)",
      "1:34 null in column 'k', which is NOT NULL"
    ),
    (
      "INSERT INTO n VALUES (1)", "1:15 the query has 1 column, 'default.n' takes 2 | it takes k, v"
    ),
  ]

  func test_statements_areRefusedAtTheirPlace() throws {
    for (statement, expected) in Self.refused {
      XCTAssertEqual(session.refusal(statement), expected, statement)
    }
    XCTAssertEqual(
      try session.rows("SELECT (SELECT COUNT(*) FROM n), (SELECT COUNT(b) FROM c)"), "[0,0]")
  }

  func test_modify_keepsComputedColumnsThatCanBeComputed() throws {
    try session.run("INSERT INTO c VALUES (1, 5); ALTER TABLE c MODIFY a BIGINT")
    XCTAssertEqual(try session.rows("SELECT id, a, b FROM c"), "[1,5,6]")
  }

  func test_rename_keepsTheDatabaseOfTheTable() throws {
    try session.run(
      """
      CREATE TABLE d.t (a INT); CREATE VIEW d.v AS SELECT a FROM d.t;
      ALTER TABLE d.t RENAME TO tt; ALTER VIEW d.v RENAME TO w; ALTER TABLE c RENAME TO d.c
      """)
    XCTAssertEqual(
      session.output.done.suffix(3),
      ["table d.t is now d.tt", "view d.v is now d.w", "table default.c is now d.c"])
  }

  func test_orReplace_replacesRowsByAQueryOnly() throws {
    try session.run("CREATE OR REPLACE TABLE fresh (a INT); INSERT INTO fresh VALUES (1)")
    XCTAssertEqual(
      try session.rows("CREATE OR REPLACE TABLE fresh AS SELECT 2 AS a; SELECT a FROM fresh"), "[2]"
    )
  }

  func test_options_areRefusedWhereTheyAreWritten() throws {
    let create = """
      CREATE TEMPORARY TABLE o (a INT)
      WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'csv',
        %@);
      """
    for (option, expected) in [
      (
        "'csv.ignore-first-line' = 'true'",
        "3:3 unknown option 'csv.ignore-first-line' | known: csv.allow-comments, csv.array-element-delimiter, csv.disable-quote-character, csv.escape-character, csv.field-delimiter, csv.ignore-parse-errors, csv.null-literal, csv.quote-character, csv.write-bigdecimal-in-scientific-notation"
      ),
      (
        "'csv.allow-coments' = 'true'",
        "3:3 unknown option 'csv.allow-coments' | did you mean 'csv.allow-comments'?"
      ),
      (
        "'csv.allow-comments' = 'maybe'",
        "3:26 the option 'csv.allow-comments' takes true or false"
      ),
    ] {
      try session.run(create.replacing("%@", with: option))
      // The statement that reads it is another text.
      for use in ["SELECT * FROM o", "INSERT INTO o VALUES (1)"] {
        XCTAssertEqual(session.refusal(use), expected, use)
      }
      try session.run("DROP TEMPORARY TABLE o")
    }
  }

  func test_tableName_isDividedByTheFirstDotOrBackTicks() throws {
    let plain = try TableName("ods.T a.b")
    XCTAssertEqual([plain.database, plain.table, plain.branch], ["ods", "T a.b", nil])
    let quoted = try TableName("`o.s`.`a.b`$branch_x")
    XCTAssertEqual([quoted.database, quoted.table, quoted.branch], ["o.s", "a.b", "x"])
    for wrong in ["ods", "ods.", ".t", "`ods`", "`ods.t", "ods.`t`x", ""] {
      XCTAssertThrowsError(try TableName(wrong), wrong)
    }
  }
}
