import Columns
import Formats
import Store
import XCTest

@testable import Connectors

/// Values that Flink 2.3 reads otherwise than by the letter of their type. What is expected was read by Flink's
/// own filesystem connector with `ignore-parse-errors`; where that gives null, `!` stands for a dead letter.
final class FlinkValueTests: XCTestCase {
  /// Each value as the second column of a line of its own.
  private func read(
    _ format: String, _ type: String, _ values: [String], _ options: [String: String] = [:]
  ) throws -> [String] {
    let fixture = try FileFixture()
    let lines = values.enumerated().map { number, value in
      format == "json" ? "{\"i\":\(number),\"v\":\(value)}\n" : "\(number),\(value)\n"
    }
    try fixture.put("a.txt", lines.joined())
    let table = fixture.table(
      format, options, columns: [("i", .bigint), ("v", try DataType(text: type))])
    return try fixture.read(table).map { row in
      if row.hasPrefix("!") { return "!" }
      return String(row.drop { $0 != "," }.dropFirst(2).dropLast())
    }
  }

  private func check(
    _ format: String, _ type: String, _ pairs: KeyValuePairs<String, String>,
    _ options: [String: String] = [:], line: UInt = #line
  ) throws {
    let found = try read(format, type, pairs.map(\.key), options)
    let told = zip(pairs.map(\.key), found).map { "\($0) → \($1)" }
    XCTAssertEqual(told, pairs.map { "\($0.key) → \($0.value)" }, type, line: line)
  }

  func test_numbersInJSON_loseWhatTheirTypeCannotHold() throws {
    for type in ["INT", "BIGINT"] {
      try check(
        "json", type,
        [
          "4.0": "4", "1e2": "100", "1E2": "100", "4.5": "4", "-4.9": "-4", "12345.678": "12345",
          "0.1e1": "1", "\" 4 \"": "4", "\"+5\"": "5", "\"4.0\"": "!", "\"1e2\"": "!", "1e30": "!",
          "-0.5": "0", "1e-400": "0", "1e400": "!", "\"\"": "!", "true": "!",
        ])
    }
    try check("json", "TINYINT", ["4": "4", "4.0": "!", "1e1": "!", "\" 4 \"": "4"])
    try check(
      "json", "DECIMAL(6,2)",
      [
        "1.005": "1.01", "-1.005": "-1.01", "1.0049999": "1.00", "\"1.005\"": "1.01",
        "\" 1.5 \"": "1.50", "0.1e1": "1.00", "12345.678": "!", "9999.995": "!",
        "9999.994": "9999.99",
        "0.000000000000000000000000000000000000000000001": "0.00", "1e-900000000": "0.00",
        "\"12.345000000000000000000000000000000000000000000001\"": "12.35",
      ])
    try check(
      "json", "DECIMAL(38,0)",
      [
        "99999999999999999999999999999999999999": "99999999999999999999999999999999999999",
        "99999999999999999999999999999999999999.4": "99999999999999999999999999999999999999",
        "99999999999999999999999999999999999999.5": "!",
        "123456789012345678901234567890123456789": "!",
        "12345678901234567890123456789012345678901e-20": "123456789012345678901",
        "1e37": "10000000000000000000000000000000000000", "1e38": "!",
      ])
  }

  func test_timesInJSON_areCut() throws {
    try check(
      "json", "TIMESTAMP(3)",
      [
        "\"2024-01-01 10:00:00.123456\"": "2024-01-01 10:00:00.123",
        "\"1969-12-31T23:59:59.9999\"": "1969-12-31 23:59:59.999",
        "\"2024-01-01 10:00:00.1239999999\"": "!",
      ])
    try check(
      "json", "TIMESTAMP(0)", ["\"2024-01-01 10:00:00.9\"": "2024-01-01 10:00:00"])
    try check(
      "json", "TIMESTAMP_LTZ(3)",
      ["\"2024-01-01T10:00:00.123456Z\"": "2024-01-01 10:00:00.123Z"])
    try check("json", "TIME(0)", ["\"10:00:00.5\"": "10:00:00"])
  }

  func test_texts_keepTheirLength() throws {
    for type in ["VARCHAR(3)", "CHAR(3)", "STRING"] {
      try check("json", type, ["\"abcdef\"": "abcdef", "\" x \"": " x ", "1e2": "1e2"])
      try check("csv", type, ["abcdef": "abcdef", " x ": " x ", "": "", "\"\"": ""])
      try check("raw", type, ["abcdef": "abcdef"], onlyColumn: true)
    }
    try check("json", "VARBINARY(2)", ["\"YWJj\"": "0x616263"])
  }

  private func check(
    _ format: String, _ type: String, _ pairs: KeyValuePairs<String, String>, onlyColumn: Bool
  ) throws {
    let fixture = try FileFixture()
    try fixture.put("a.txt", pairs.map { $0.key + "\n" }.joined())
    let table = fixture.table(format, columns: [("v", try DataType(text: type))])
    XCTAssertEqual(try fixture.read(table), pairs.map { "+I[\($0.value)]" })
  }

  func test_valuesInCSV_mayHaveBlanks() throws {
    for type in ["INT", "BIGINT", "SMALLINT"] {
      try check(
        "csv", type,
        [
          " 8 ": "8", "\" 4 \"": "4", "+5": "5", "4.0": "!", "1e2": "!", " 1.5 ": "!", "": "NULL",
          "\"\"": "NULL",
        ])
    }
    try check("csv", "DOUBLE", [" 1.5 ": "1.5", "1e2": "100.0"])
    try check("csv", "DECIMAL(6,2)", ["1.005": "1.01", "1e2": "100.00", "12345.678": "!"])
    try check("csv", "BOOLEAN", [" TRUE ": "true", "False": "false"])
    try check(
      "csv", "TIMESTAMP(3)",
      [
        " 2024-01-01 10:00:00 ": "2024-01-01 10:00:00.000",
        "2024-01-01 10:00:00.123456": "2024-01-01 10:00:00.123",
      ])
  }

  func test_quotesEscapesAndNullsInCSV() throws {
    try check(
      "csv", "STRING",
      [
        "a\"b": "a\"b", " \"a\"": " \"a\"", "\"a\" ": "a", "\"a,b\"": "a,b", "\"a\"b": "!",
        "\"a\"\"b\"": "a\"b",
      ])
    try check(
      "csv", "STRING",
      [
        "a\\,b": "a,b", "\"a\\\"b\"": "a\"b", "a\\\\b": "a\\b", "a\\nb": "a\nb",
        "\"a\"\"b\"": "a\"b", "\"a\\\\\"": "a\\", "\\\"a\\\"": "\"a\"", "\"a\\nb\"": "a\nb",
        "a\\tb\\r\\0": "a\tb\r\0",
      ], ["csv.escape-character": "\\"])
    try check(
      "csv", "STRING", ["a\"b": "a\"b", "\"a\"": "\"a\"", "\"a": "\"a"],
      ["csv.disable-quote-character": "true"])
    try check(
      "csv", "STRING", ["'a,b'": "a,b", "'a''b'": "a'b", "\"a\"": "\"a\""],
      ["csv.quote-character": "'"])
    try check(
      "csv", "STRING", ["NULL": "NULL", "\"NULL\"": "NULL", " NULL ": " NULL ", "": ""],
      ["csv.null-literal": "NULL"])
    try check("csv", "INT", ["NULL": "NULL", "\"NULL\"": "NULL"], ["csv.null-literal": "NULL"])
    try check("csv", "STRING", ["": "NULL", "\"\"": "NULL"], ["csv.null-literal": ""])
  }

  func test_ignoredErrors_areNullsWhereTheRecordIsOne() throws {
    func read(_ format: String, _ lines: [String]) throws -> [String] {
      let fixture = try FileFixture()
      try fixture.put("a", lines.map { $0 + "\n" }.joined())
      let columns: [(String, DataType)] = [
        ("id", .bigint), ("name", .string), ("r", .row([Field(id: 0, name: "x", type: .int)])),
        ("l", .array(.int)),
      ]
      return try fixture.read(
        fixture.table(format, ["\(format).ignore-parse-errors": "true"], columns: columns))
    }
    XCTAssertEqual(
      try read(
        "json",
        [
          #"{"id":"x","name":"a"}"#, #"{"id":{"y":[1]},"name":"b","r":{"x":"y"}}"#,
          #"{"id":1,"l":"no"}"#, #"{"id":3,"l":[1,"x"]}"#, #"{"id":4,"r":7,"l":[2]}"#, #"{"id":x}"#,
          #"{"id":[1,}"#, "[]", #"{"id":5"#,
        ]),
      [
        "+I[NULL, a, NULL, NULL]", "+I[NULL, b, {\"x\":null}, NULL]", "+I[1, NULL, NULL, NULL]",
        "+I[4, NULL, NULL, [2]]",
      ])
    XCTAssertEqual(
      try read("csv", ["x,a,1,1", "2", "3,c,y,1;2", "4,d,1,x", "5,e,1,1,1", "\"q,f,1,1"]),
      [
        "+I[NULL, a, {\"x\":1}, [1]]", "+I[2, NULL, NULL, NULL]",
        "+I[3, c, {\"x\":null}, [1,2]]", "+I[4, d, {\"x\":1}, [null]]",
      ])
  }

  func test_comments_mayHaveBlanksBefore() throws {
    let fixture = try FileFixture()
    try fixture.put("a.csv", "# x\n1,a\n # \"y\n2,#b\n")
    let table = fixture.table("csv", ["csv.allow-comments": "true"])
    XCTAssertEqual(try fixture.read(table), ["+I[1, a]", "+I[2, #b]"])
  }
}
