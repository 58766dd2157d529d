import Columns
import Foundation
import XCTest

@testable import Catalog

final class MetastoreSchemaTests: XCTestCase {
  private let two = MetastoreSchema(
    """
    -- version 1
    CREATE TABLE terrace_meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE counted(n INTEGER);
    -- version 2
    INSERT INTO counted VALUES (2);
    """)

  func test_text_isTheFileOfTheRepository() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("catalog/schema.sql")
    XCTAssertEqual(MetastoreSchema.text, try String(contentsOf: file, encoding: .utf8))
    XCTAssertGreaterThan(MetastoreSchema().newest, 0)
  }

  func test_apply_runsEveryStepOnce() throws {
    let fixture = try MetastoreFixture()
    let one = MetastoreSchema(
      """
      -- version 1
      CREATE TABLE terrace_meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
      CREATE TABLE counted(n INTEGER);
      INSERT INTO counted VALUES (1);
      """)
    try Metastore(fixture.file, create: true, schema: one).close()
    for _ in 0..<3 {
      let store = try Metastore(fixture.file, create: true, schema: two)
      XCTAssertEqual(try store.rows("SELECT n FROM counted ORDER BY n").map { $0.int(0) }, [1, 2])
      store.close()
    }
  }

  func test_apply_takesBackAStepThatFails() throws {
    let fixture = try MetastoreFixture()
    let broken = MetastoreSchema(
      """
      -- version 1
      CREATE TABLE terrace_meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
      -- version 2
      CREATE TABLE half(n INTEGER);
      CREATE TABLE half(n INTEGER);
      """)
    XCTAssertThrowsError(try Metastore(fixture.file, create: true, schema: broken)) {
      XCTAssertTrue("\($0)".contains("migration=2"), "\($0)")
    }
    let store = try Metastore(fixture.file, create: true, schema: two)
    XCTAssertEqual(try store.rows("SELECT n FROM counted").map { $0.int(0) }, [2])
    XCTAssertTrue(try store.rows("SELECT 1 FROM sqlite_master WHERE name = 'half'").isEmpty)
  }

  func test_open_refusesANewerVersion() throws {
    let fixture = try MetastoreFixture()
    let store = try fixture.open()
    try store.run("UPDATE terrace_meta SET value = '99' WHERE name = 'version'")
    store.close()
    XCTAssertThrowsError(try fixture.open()) {
      let error = $0 as? TerraceError
      XCTAssertEqual(error?.kind, .unsupported)
      XCTAssertEqual(
        error?.message,
        "a metastore of version 99; this terrace knows up to \(MetastoreSchema().newest)")
    }
  }

  func test_open_saysThatAFileIsDamaged() throws {
    let fixture = try MetastoreFixture()
    try Data(
      "this is no database, however long it may go on: \(String(repeating: "x", count: 4096))".utf8
    )
    .write(to: URL(fileURLWithPath: fixture.file))
    XCTAssertThrowsError(try fixture.open()) {
      let error = $0 as? TerraceError
      XCTAssertEqual(error?.kind, .corrupted)
      XCTAssertTrue(error?.hint.contains("terrace repair") ?? false)
    }
  }

  func test_check_findsABrokenPage() throws {
    let fixture = try MetastoreFixture()
    let store = try fixture.open()
    for day in 10..<400 {
      _ = try store.reconcile(table: "t.t\(day)", with: [fixture.partition("v\(day)")])
    }
    try store.check()
    store.close()
    let url = URL(fileURLWithPath: fixture.file)
    var bytes = try Data(contentsOf: url)
    // The rows lie behind the first pages, which hold the schema.
    for i in (bytes.count - 4096)..<bytes.count { bytes[i] = 0x5a }
    try bytes.write(to: url)
    XCTAssertThrowsError(try fixture.open().check()) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .corrupted, "\($0)")
    }
  }

  func test_open_failsWhenMissingAndNotToBeMade() throws {
    let fixture = try MetastoreFixture()
    XCTAssertThrowsError(try Metastore.open(fixture.file, create: false)) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .notFound)
    }
    XCTAssertFalse(FileManager.default.fileExists(atPath: fixture.file))
  }

  /// The statements that Java Paimon itself made its catalog with.
  func test_schema_hasPaimonsTablesWordForWord() throws {
    let original = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures/java09_jdbc/catalog.sqlite")
    let fixture = try MetastoreFixture()
    try FileManager.default.copyItem(at: original, to: URL(fileURLWithPath: fixture.file))
    let java = try fixture.open()
    let ours = try Metastore.open(fixture.file + ".ours")
    let query =
      """
      SELECT name, sql FROM sqlite_master WHERE name IN
      ('paimon_tables', 'paimon_database_properties', 'paimon_distributed_locks') ORDER BY name
      """
    let expected = try java.rows(query).map(\.values)
    XCTAssertEqual(expected.count, 3)
    XCTAssertEqual(try ours.rows(query).map(\.values), expected)
    // A catalog that Java began goes on here.
    XCTAssertEqual(try java.databases(), ["dwd", "empty_db", "ods"])
    XCTAssertEqual(try java.tables(in: "ods"), ["orders", "users"])
    XCTAssertEqual(try java.properties(ofDatabase: "dwd")["owner"], "fixture")
  }
}
