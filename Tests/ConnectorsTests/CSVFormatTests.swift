import Columns
import Formats
import Store
import XCTest

@testable import Connectors

/// Flink's CSV beyond RFC 4180; its own tests (CsvRowDataSerDeSchemaTest) have most of these records.
final class CSVFormatTests: XCTestCase {
  private static let numbers = DataType.array(.int)
  private static let person = DataType.row(
    RowType([("name", .string), ("age", .int), ("isNew", DataType(.boolean))]).fields)

  /// A record of three columns, of which the one in the middle counts.
  private func value(
    _ type: DataType, _ text: String, _ options: [String: String] = [:], delimiter: String = ","
  ) throws -> String {
    let fixture = try FileFixture()
    let columns: [(String, DataType)] = [("a", .string), ("b", type), ("c", .string)]
    try fixture.put("a.csv", "BEGIN\(delimiter)\(text)\(delimiter)END\n")
    let read = try fixture.read(fixture.table("csv", options, columns: columns))
    XCTAssertEqual(read.count, 1)
    guard read[0].hasPrefix("+I[BEGIN, "), read[0].hasSuffix(", END]") else { return "!" }
    return String(read[0].dropFirst(10).dropLast(6))
  }

  func test_numbers_mayHaveBlanksAround() throws {
    XCTAssertEqual(try value(.int, "   12   "), "12")
    XCTAssertEqual(try value(.int, "\" 12\""), "12")
    XCTAssertEqual(try value(.double, " -1.5 "), "-1.5")
    XCTAssertEqual(try value(.decimal(5, 2), " 1.25"), "1.25")
    XCTAssertEqual(try value(DataType(.boolean), " true "), "true")
    XCTAssertEqual(try value(.string, " x "), " x ")
    XCTAssertEqual(try value(.int, "  "), "!")
    XCTAssertEqual(try value(.int, "1 2"), "!")
  }

  func test_times_loseDigitsThatHaveNoRoom() throws {
    XCTAssertEqual(try value(DataType(.time(3)), "12:12:12.232342"), "12:12:12.232")
    XCTAssertEqual(try value(DataType(.time(0)), "12:12:12.45"), "12:12:12")
    XCTAssertEqual(try value(DataType(.time(3)), "12:12:12.x"), "!")
  }

  func test_escapes_standInsideAndOutsideOfQuotes() throws {
    let own = [
      "csv.quote-character": "'", "csv.escape-character": "*", "csv.field-delimiter": ";",
    ]
    for (text, read) in [
      ("123*'4**", "123'4*"), ("'123''4**'", "123'4*"), ("'a;b*'c'", "a;b'c"),
      ("'a;b''c'", "a;b'c"), ("a*;b", "a;b"), ("*'a", "'a"), ("a*nb", "a\nb"), ("'a*tb'", "a\tb"),
    ] {
      XCTAssertEqual(try value(.string, text, own, delimiter: ";"), read, text)
    }
    let doubled = ["csv.escape-character": "\""]
    XCTAssertEqual(try value(.string, "\"a\"\"b\"", doubled), "a\"b")
  }

  func test_arraysAndRows_areElementsWithADelimiter() throws {
    XCTAssertEqual(
      try value(Self.numbers, "12;4;null", ["csv.null-literal": "null"]), "[12,4,null]")
    XCTAssertEqual(
      try value(Self.numbers, "\"1|2\"", ["csv.array-element-delimiter": "|"]), "[1,2]")
    XCTAssertEqual(try value(Self.numbers, "1--2", ["csv.array-element-delimiter": "--"]), "[1,2]")
    XCTAssertEqual(try value(Self.numbers, ""), "[]")
    XCTAssertEqual(try value(Self.numbers, "1;x"), "!")
    XCTAssertEqual(
      try value(Self.person, "Hello;42;false"), #"{"name":"Hello","age":42,"isNew":false}"#)
    XCTAssertEqual(try value(Self.person, "Hello;42"), "!")
    XCTAssertEqual(try value(Self.person, ""), #"{"name":null,"age":null,"isNew":null}"#)
    for type in [DataType.map(.string, .int), .array(Self.numbers)] {
      XCTAssertThrowsError(try value(type, "1")) { error in
        XCTAssertEqual((error as? TerraceError)?.kind, .unsupported)
      }
    }
  }

  func test_refusedElements_leaveTheRowsBehindThemWhole() throws {
    let fixture = try FileFixture()
    try fixture.put("a.csv", "1,1;2;x\n2,3;4\n3,y\n4,\n5,6\n")
    let read = try fixture.read(
      fixture.table("csv", columns: [("id", .bigint), ("list", Self.numbers)]))
    XCTAssertEqual(
      read.filter { $0.hasPrefix("+") }, ["+I[2, [3,4]]", "+I[4, []]", "+I[5, [6]]"])
    XCTAssertEqual(read.count, 5)
  }

  func test_ignoreParseErrors_makesWhatCannotBeReadNull() throws {
    let fixture = try FileFixture()
    try fixture.put("a.csv", "Test,null,1;x;3\nTest\n,7,\na,1,2,3\n\"a\"b,1,\nlast,8,1\n")
    var columns: [(String, DataType)] = [("a", .string), ("b", .int), ("c", Self.numbers)]
    let lenient = ["csv.ignore-parse-errors": "true"]
    XCTAssertEqual(
      try fixture.read(fixture.table("csv", lenient, columns: columns)),
      [
        "+I[Test, NULL, [1,null,3]]", "+I[Test, NULL, NULL]", "+I[, 7, []]", "+I[last, 8, [1]]",
      ])
    columns[1].1 = .int.notNull
    XCTAssertEqual(
      try fixture.read(fixture.table("csv", lenient, columns: columns)),
      ["+I[, 7, []]", "+I[last, 8, [1]]"])
  }

  func test_aQuoteThatNeverCloses_isPutAsideAtTheEnd() throws {
    for end in ["\n", ""] {
      let fixture = try FileFixture()
      try fixture.put("a.csv", "1,a\n2,\"b\n3,c\n4,d" + end)
      let read = try fixture.read(fixture.table("csv"))
      XCTAssertEqual(read.first, "+I[1, a]")
      XCTAssertEqual(read.count, 2)
      XCTAssert(read[1].hasPrefix("!a.csv:2: a string that does not end"), read[1])
    }
  }

  func test_sink_withoutQuotes_keepsRecordsWhole() throws {
    let texts = ["a,b", "c\nd", "e\\f", "\"g\"", ""]
    for (escape, read) in [("\\", texts), ("", ["a b", "c d", "e\\f", "\"g\"", ""])] {
      let fixture = try FileFixture()
      var options = ["csv.disable-quote-character": "true", "csv.null-literal": "n/a"]
      if !escape.isEmpty { options["csv.escape-character"] = escape }
      let table = fixture.table("csv", options)
      let sink = try Connectors.sink(table, fixture.environment)
      let (ids, names) = (ColumnBuilder(.bigint), ColumnBuilder(.string))
      for (id, text) in texts.enumerated() {
        ids.append(Int64(id))
        names.append(text)
      }
      try sink.write(
        Batch(RowType(FileFixture.columns), [ids.finish(), names.finish()], count: texts.count),
        kinds: nil)
      try sink.publish(try sink.prepare(epoch: 1))
      XCTAssertEqual(
        try fixture.read(table), read.enumerated().map { "+I[\($0.offset), \($0.element)]" })
    }
  }

  func test_sink_writesWhatTheSourceReads() throws {
    let type = RowType([("id", .bigint), ("list", Self.numbers), ("person", Self.person)])
    let list = ColumnBuilder(Self.numbers)
    list.children[0].append(Int32(1))
    list.children[0].appendNull()
    list.endList()
    list.appendNull()
    let person = ColumnBuilder(Self.person)
    person.children[0].append("a,b")
    person.children[1].append(Int32(3))
    person.children[2].append(UInt8(1))
    person.endRow()
    person.appendNull()
    let ids = ColumnBuilder(.bigint)
    for id in [Int64(1), 2] { ids.append(id) }
    let rows = Batch(type, [ids.finish(), list.finish(), person.finish()], count: 2)

    let fixture = try FileFixture()
    let table = fixture.table(
      "csv", ["csv.null-literal": "n/a", "csv.array-element-delimiter": ":"],
      columns: type.fields.map { ($0.name, $0.type) })
    let sink = try Connectors.sink(table, fixture.environment)
    XCTAssertEqual(try sink.recover(nil), .complete)
    try sink.write(rows, kinds: nil)
    try sink.publish(try sink.prepare(epoch: 1))
    XCTAssertEqual(
      try fixture.read(table),
      [#"+I[1, [1,null], {"name":"a,b","age":3,"isNew":true}]"#, "+I[2, NULL, NULL]"])
  }
}
