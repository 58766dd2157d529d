import Columns
import Warehouse
import XCTest

final class WhereParserTests: XCTestCase {
  private static let type = RowType([
    ("id", .bigint), ("tiny", .tinyint), ("amount", .decimal(10, 2)), ("name", .string),
    ("flag", .boolean), ("dt", .date), ("at", .timestamp(3)), ("ratio", .double),
    ("raw", .bytes), ("tags", .array(.string)), ("date", .date), ("wide", .decimal(38, 10)),
    ("clock", DataType(.time(3))), ("ltz", DataType(.timestampLTZ(6))),
    ("order by", .int),
  ])

  private func parse(_ text: String) throws -> Columns.Predicate {
    try WhereParser.parse(text, Self.type, owner: "ods.orders")
  }

  private func refusal(_ text: String, file: StaticString = #filePath, line: UInt = #line)
    -> TerraceError?
  {
    do {
      let predicate = try WhereParser.parse(text, Self.type, owner: "ods.orders")
      XCTFail("“\(text)” was read as \(predicate)", file: file, line: line)
      return nil
    } catch {
      XCTAssertEqual(error.kind, .invalid, file: file, line: line)
      return error
    }
  }

  func test_parse_bindsAndBeforeOr() throws {
    XCTAssertEqual(
      try parse("id = 1 OR id = 2 AND flag"),
      .or([
        .compare(column: 0, .equal, .int(1)),
        .and([.compare(column: 0, .equal, .int(2)), .compare(column: 4, .equal, .boolean(true))]),
      ]))
    XCTAssertEqual(
      try parse("(id = 1 or id = 2) and not flag"),
      .and([
        .or([.compare(column: 0, .equal, .int(1)), .compare(column: 0, .equal, .int(2))]),
        .not(.compare(column: 4, .equal, .boolean(true))),
      ]))
  }

  func test_parse_understandsEveryOperator() throws {
    XCTAssertEqual(try parse("id != -5"), .compare(column: 0, .notEqual, .int(-5)))
    XCTAssertEqual(try parse("5 < id"), .compare(column: 0, .greater, .int(5)))
    XCTAssertEqual(try parse("id IN (1, 2,3)"), .isIn(column: 0, [.int(1), .int(2), .int(3)]))
    XCTAssertEqual(try parse("id NOT IN (1)"), .not(.isIn(column: 0, [.int(1)])))
    XCTAssertEqual(
      try parse("id BETWEEN 1 AND 2"),
      .and([
        .compare(column: 0, .greaterOrEqual, .int(1)), .compare(column: 0, .lessOrEqual, .int(2)),
      ]))
    XCTAssertEqual(try parse("tags IS NULL"), .isNull(column: 9))
    XCTAssertEqual(try parse("name IS NOT NULL"), .isNotNull(column: 3))
    XCTAssertEqual(try parse("name LIKE 'a%'"), .like(column: 3, pattern: Array("a%".utf8)))
    XCTAssertEqual(
      try parse("name LIKE 'a!%\\' ESCAPE '!'"),
      .like(column: 3, pattern: Array("a\\%\\\\".utf8)))
    XCTAssertEqual(try parse("name = 'it''s'"), .compare(column: 3, .equal, .text("it's")))
    XCTAssertEqual(try parse("raw = X'0aFF'"), .compare(column: 8, .equal, .bytes([10, 255])))
    XCTAssertEqual(try parse("`order by` = 1"), .compare(column: 14, .equal, .int(1)))
    XCTAssertEqual(try parse("\"id\" = \"1\""), .compare(column: 0, .equal, .int(1)))
  }

  func test_parse_readsDatesAndTimes() throws {
    XCTAssertEqual(try parse("dt = DATE '1970-01-02'"), .compare(column: 5, .equal, .int(1)))
    XCTAssertEqual(try parse("date = '1969-12-31'"), .compare(column: 10, .equal, .int(-1)))
    XCTAssertEqual(
      try parse("at >= TIMESTAMP '1970-01-01 00:00:01.5'"),
      .compare(column: 6, .greaterOrEqual, .int(1500)))
    XCTAssertEqual(
      try parse("ltz < '1970-01-01T01:00:00+01:00'"), .compare(column: 13, .less, .int(0)))
    XCTAssertEqual(
      try parse("clock = TIME '00:00:01'"), .compare(column: 12, .equal, .int(1000)))
    // Finer than the column: between two of its values.
    XCTAssertEqual(
      try parse("at > '1970-01-01 00:00:00.0015'"), .compare(column: 6, .greater, .int(1)))
    XCTAssertEqual(try parse("at = '1970-01-01 00:00:00.0015'"), .isIn(column: 6, []))
  }

  func test_parse_comparesNumbersExactlyWhenTheColumnCannotHoldThem() throws {
    XCTAssertEqual(try parse("amount = 1.5"), .compare(column: 2, .equal, .int(150)))
    XCTAssertEqual(try parse("amount < 1.505"), .compare(column: 2, .lessOrEqual, .int(150)))
    XCTAssertEqual(try parse("amount >= -1.505"), .compare(column: 2, .greater, .int(-151)))
    XCTAssertEqual(try parse("id > 1.5"), .compare(column: 0, .greater, .int(1)))
    XCTAssertEqual(try parse("tiny < 1000"), .not(.isIn(column: 1, [])))
    XCTAssertEqual(try parse("tiny = 1000"), .isIn(column: 1, []))
    XCTAssertEqual(try parse("tiny > -1000"), .not(.isIn(column: 1, [])))
    XCTAssertEqual(try parse("tiny IN (1, 1000)"), .isIn(column: 1, [.int(1)]))
    XCTAssertEqual(
      try parse("wide = 1234567890123456789012345678.0123456789"),
      .compare(column: 11, .equal, .int128(12_345_678_901_234_567_890_123_456_780_123_456_789)))
    XCTAssertEqual(try parse("id = 9223372036854775808"), .isIn(column: 0, []))
    XCTAssertEqual(try parse("id < 1e30"), .not(.isIn(column: 0, [])))
    XCTAssertEqual(try parse("id >= 1e-30"), .compare(column: 0, .greater, .int(0)))
    XCTAssertEqual(try parse("ratio > 1e3"), .compare(column: 7, .greater, .double(1000)))
  }

  func test_parse_pointsAtTheMistake() throws {
    var error = try XCTUnwrap(refusal("amuont > 5"))
    XCTAssertEqual(error.message, "ods.orders has no column amuont")
    XCTAssertEqual(error.hint, "did you mean amount?")
    XCTAssertEqual(error.fact("column"), "1")
    XCTAssertEqual(error.fact("length"), "6")
    error = try XCTUnwrap(refusal("id = 1 AND\n  name = 5"))
    XCTAssertEqual(error.fact("line"), "2")
    XCTAssertEqual(error.fact("column"), "10")
    XCTAssertEqual(error.hint, "write '5'")
    XCTAssertEqual(refusal("id = NULL")?.hint, "write id IS NULL")
    XCTAssertEqual(refusal("name = abc")?.hint, "put text between ' ': 'abc'")
    XCTAssertEqual(refusal("name = 'abc")?.message, "the string is not closed")
    XCTAssertEqual(refusal("dt = '2023-02-29'")?.hint, "write DATE '2026-11-20'")
  }

  func test_parse_refusesWhatMakesNoSense() {
    for text in [
      "", "  ", "id", "id =", "= 5", "id = 5 5", "(id = 5", "id = 5)", "id IN ()", "id IN (1",
      "id BETWEEN 1", "name LIKE 5", "id LIKE '5'", "NOT", "id IS 5", "tags = 'a'", "id = name",
      "id = 5;", "id == 5", "flag = 1", "raw = 'ab'", "raw = X'abc'", "raw = X'zz'", "id = 5x",
      "id = 1e", "id = 'abc'", "ratio = '0x10'", "at = '2020-01-01 00:00:00Z'", "NOT NULL",
      "id NOT 5", "name LIKE 'a!' ESCAPE '!'", "AND id = 5", "id = 1 OR", "id = #",
      "5 < 6", "wide = 123456789012345678901234567890123456789012345",
    ] {
      _ = refusal(text)
    }
  }

  func test_parse_staysUprightWhenTheTextIsHostile() {
    _ = refusal(String(repeating: "(", count: 100_000))
    _ = refusal(String(repeating: "NOT ", count: 100_000) + "flag")
    _ = refusal(String(repeating: "id=1 OR ", count: 50_000) + "id=1")
    _ = refusal("id = " + String(repeating: "9", count: 100_000))
    _ = refusal(
      "id = 0." + String(repeating: "0", count: 300_000) + String(repeating: "9", count: 50))
    _ = refusal(String(repeating: " ", count: 2_000_000))
    XCTAssertNoThrow(try parse("id = 0." + String(repeating: "0", count: 300_000) + "1"))
  }
}
