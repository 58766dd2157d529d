import Columns
import XCTest

@testable import SQL

/// Text from syntax reads as the same syntax.
final class SyntaxTextTests: XCTestCase {
  private func roundTrip(_ text: String) throws {
    let source = SourceText(text)
    for statement in try Parser.script(source) {
      guard let first = SyntaxText.statement(statement) else { continue }
      let again = SourceText(first, name: "again.sql")
      do {
        let read = try Parser.script(again)
        XCTAssertEqual(read.count, 1, first)
        XCTAssertEqual(read.first.flatMap(SyntaxText.statement), first, text)
      } catch {
        XCTFail("\(again.describe(error))\nfrom \(text)")
      }
    }
  }

  func test_statement_readsAsItself() throws {
    for text in ParserTests.accepted { try roundTrip(text) }
  }

  func test_statement_hasOneForm() throws {
    let table: [(String, String)] = [
      ("select a+b*c-d from t", "SELECT (a + (b * c)) - d FROM t"),
      ("SELECT NOT a = b AND c OR d", "SELECT ((NOT (a = b)) AND c) OR d"),
      ("SELECT a = b IS TRUE", "SELECT (a = b) IS TRUE"),
      ("SELECT -a * b", "SELECT (- a) * b"),
      ("SELECT a || b || c", "SELECT (a || b) || c"),
      ("SELECT a - b - c", "SELECT (a - b) - c"),
      ("SELECT a BETWEEN 1 AND 2 AND b", "SELECT (a BETWEEN 1 AND 2) AND b"),
      ("SELECT NOT a IN (1)", "SELECT NOT (a IN (1))"),
      ("SELECT `a b`, `select`, `ok`", "SELECT `a b`, `select`, ok"),
      ("SELECT a FROM t, u JOIN v ON TRUE", "SELECT a FROM t, (u INNER JOIN v ON TRUE)"),
      (
        "SELECT 1 UNION SELECT 2 INTERSECT SELECT 3", "SELECT 1 UNION (SELECT 2 INTERSECT SELECT 3)"
      ),
      (
        "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3",
        "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3"
      ),
      ("SELECT 1 EXCEPT SELECT 2 UNION SELECT 3", "(SELECT 1 EXCEPT SELECT 2) UNION SELECT 3"),
      ("VALUES 1, (2)", "VALUES (1), (2)"),
      (
        "SELECT COUNT(DISTINCT a) FILTER (WHERE b) OVER w FROM t WINDOW w AS (ORDER BY c)",
        "SELECT COUNT(DISTINCT a) FILTER (WHERE b) OVER w FROM t WINDOW w AS (ORDER BY c)"
      ),
    ]
    for (text, expected) in table {
      let statement = try Parser.script(SourceText(text))[0]
      XCTAssertEqual(SyntaxText.statement(statement), expected)
    }
  }
}
