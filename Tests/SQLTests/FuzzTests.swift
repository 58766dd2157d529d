import Columns
import XCTest

@testable import SQL

/// Broken SQL never traps and never hangs: it is read, or there is a message with a place.
final class FuzzTests: XCTestCase {
  private struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
  }

  private static let pieces = [
    "SELECT", "FROM", "(", ")", ",", "JOIN", "ON", "a", "t", "u", "1", "'x'", "*", "GROUP BY",
    "OVER",
    "CASE", "WHEN", "END", "=", "+", "-", "UNION ALL", ";", "/*+", "*/", "INTERVAL '1' DAY", "IN",
    "EXISTS", "NOT", "NULL", "[", "]", ".", "`", "'", "--", "/*", "COUNT(*)", "AS", "TABLE",
    "\u{0}",
    "é", "WITH", "LIMIT", "<", ">", "ROW", "CAST(", "DECIMAL(", "U&'\\", "X'", "1e", "99999999999",
  ]

  func test_anyText_isReadOrRefused() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Random(state: seed)
    let corpus =
      ParserTests.accepted + [
        "SELECT b, SUM(z) FROM u GROUP BY b HAVING COUNT(*) > 1",
        "SELECT t.e, u.z FROM t LEFT JOIN u ON t.a = u.a WHERE u.z IN (SELECT a FROM u) ORDER BY 1 LIMIT 2",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY z) AS rn FROM u) WHERE rn <= 3",
        "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end",
        "INSERT INTO u SELECT a, b, z FROM u WHERE a > (SELECT MAX(z) FROM u)",
      ]
    for round in 0..<3_000 {
      var bytes = Array(corpus[Int.random(in: 0..<corpus.count, using: &random)].utf8)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let at = Int.random(in: 0...bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
          bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...12, using: &random)))
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
        case 2:
          let piece = FuzzTests.pieces[Int.random(in: 0..<FuzzTests.pieces.count, using: &random)]
          bytes.insert(contentsOf: Array(" \(piece) ".utf8), at: at)
        case 3: bytes.insert(contentsOf: bytes[..<at].suffix(20), at: at)
        default: if at < bytes.count { bytes[at] = UInt8.random(in: 0...255, using: &random) }
        }
      }
      let source = SourceText(bytes: bytes, name: "fuzz.sql")
      do {
        for statement in try Parser.script(source) {
          let binder = Binder(source, resolver: TestCatalog(), isStreaming: round % 2 == 0)
          if case .query(let query) = statement.kind { _ = try binder.bind(query) }
        }
      } catch {
        XCTAssertTrue(error.facts.contains { $0.name == "line" }, "no place: \(error) seed \(seed)")
        XCTAssertFalse(source.describe(error).isEmpty)
      }
    }
  }

  func test_hostileQueries_areRefusedQuickly() {
    // Each view or table doubles the one before.
    var doubled = "WITH a0 AS (SELECT a FROM u)"
    for i in 1...40 {
      doubled += ", a\(i) AS (SELECT x.a FROM a\(i - 1) x JOIN a\(i - 1) y ON x.a = y.a)"
    }
    XCTAssertNotNil(TestCatalog.complaint(doubled + " SELECT * FROM a40"))
    // An expression that doubles at each level, with a condition that would be moved down.
    var nested = "SELECT a FROM u"
    for _ in 0..<60 { nested = "SELECT a + a AS a FROM (\(nested))" }
    XCTAssertNil(TestCatalog.complaint("SELECT * FROM (\(nested)) WHERE a > 1"))
    var queries = "SELECT a FROM u"
    for _ in 0..<25 { queries = "SELECT a FROM u WHERE a IN (\(queries))" }
    XCTAssertNil(TestCatalog.complaint(queries))
    var scalars = "SELECT MAX(a) FROM u"
    for _ in 0..<25 { scalars = "SELECT MAX(a) FROM u WHERE a > (\(scalars))" }
    XCTAssertNil(TestCatalog.complaint(scalars))
    let chain = Array(repeating: "a", count: 280).joined(separator: " + ")
    XCTAssertNil(TestCatalog.complaint("SELECT \(chain) FROM u WHERE \(chain) > 1"))
    let wide = Array(repeating: "a = 1", count: 5_000).joined(separator: " OR ")
    XCTAssertNil(TestCatalog.complaint("SELECT a FROM u WHERE \(wide)"))
  }
}
