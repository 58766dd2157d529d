import Foundation
import XCTest

/// A project in a folder of its own, worked on by the command.
class ProjectTestCase: XCTestCase {
  var scratch: ScratchFolder!

  override func setUpWithError() throws { scratch = try ScratchFolder() }
  override func tearDown() { scratch = nil }

  func spec(_ path: String, _ sql: String) throws {
    let file = scratch.url.appendingPathComponent("layers/" + path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(sql.utf8).write(to: file)
  }

  @discardableResult
  func run(
    _ code: Int32, _ words: String..., file: StaticString = #filePath, line: UInt = #line
  ) throws -> CommandRun {
    let run = try CommandRun.run(words, in: scratch.url)
    XCTAssertEqual(run.code, code, "\(words): \(run.errors)", file: file, line: line)
    XCTAssertFalse(run.wasKilled, file: file, line: line)
    return run
  }

  /// Three layers over a table that no spec declares.
  func makeChain() throws {
    try scratch.write("terrace.conf", "layers: ods, dwd, dws\nwarehouse: warehouse\n")
    try run(
      0, "sql",
      """
      CREATE DATABASE raw;
      CREATE TABLE raw.orders (id BIGINT NOT NULL, city STRING, amount INT,
        PRIMARY KEY (id) NOT ENFORCED);
      INSERT INTO raw.orders VALUES (1, 'Lyon', 20), (2, 'Oslo', 5), (3, 'Lyon', 30)
      """)
    try spec(
      "ods/orders.sql",
      """
      CREATE TABLE orders (id BIGINT NOT NULL, city STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED);
      INSERT INTO orders SELECT id, city, amount FROM raw.orders;
      """)
    try spec(
      "dwd/big.sql",
      """
      CREATE TABLE big (id BIGINT NOT NULL, city STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED);
      INSERT INTO big SELECT id, city, amount FROM ods.orders WHERE amount > 10;
      """)
    try spec(
      "dws/daily.sql",
      """
      CREATE MATERIALIZED TABLE daily (PRIMARY KEY (city) NOT ENFORCED)
      AS SELECT city, COUNT(*) AS n, SUM(amount) AS total FROM dwd.big GROUP BY city;
      """)
  }

  func daily() throws -> String {
    try run(0, "query", "SELECT city, n, total FROM dws.daily ORDER BY city", "-f", "csv").output
  }
}
