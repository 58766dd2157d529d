import Columns
import XCTest

@testable import Formats

final class JSONValueTests: XCTestCase {
  func test_parse_keepsOrderAndExactNumbers() throws {
    let text = #"{"b":1,"a":[-9223372036854775808,9223372036854775807,1.50,1e400],"n":null}"#
    let value = try JSONValue.parse(text)
    XCTAssertEqual(value.text(), text)
    XCTAssertEqual(value["a"]?.asArray?[1].asInt, .max)
    XCTAssertEqual(value["a"]?.asArray?[2], .number("1.50"))
    XCTAssertEqual(try JSONValue.parse("9223372036854775808"), .number("9223372036854775808"))
  }

  func test_parse_decodesEscapes() throws {
    let value = try JSONValue.parse(#" "a\n\t\"\\\/\b\f\r\u00e9\ud83d\ude00" "#)
    XCTAssertEqual(value, .string("a\n\t\"\\/\u{8}\u{c}\ré😀"))
    XCTAssertEqual(try JSONValue.parse(value.text()), value)
  }

  func test_text_laysOutAsJacksonWhenPretty() throws {
    let value = JSONValue.members([
      ("version", .int(3)), ("fields", .array([.members([("id", .int(0))])])),
      ("keys", .array([])), ("names", .array([.string("a"), .string("b")])),
      ("options", .object([])), ("absent", nil),
    ])
    XCTAssertEqual(
      value.text(pretty: true),
      """
      {
        "version" : 3,
        "fields" : [ {
          "id" : 0
        } ],
        "keys" : [ ],
        "names" : [ "a", "b" ],
        "options" : { }
      }
      """)
  }

  func test_parse_namesThePlaceWhenMalformed() throws {
    let cases: [(String, String, Int, Int)] = [
      ("", "ends where a value", 1, 1), ("{", "ends inside an object", 1, 2),
      ("{\n \"a\" 1}", "':' was expected", 2, 6), ("[1,\n2", "ends inside an array", 2, 2),
      ("[1 2]", "',' or ']'", 1, 4), ("{\"a\":1,}", "member name", 1, 8),
      ("[01]", "leading zero", 1, 2), ("[1.]", "digit", 1, 4), ("[-]", "digit", 1, 3),
      ("[1e]", "digit", 1, 4), ("\"abc", "does not end", 1, 1), ("tru", "ends inside a word", 1, 1),
      ("trux", "not true, false", 1, 1), ("1 2", "after the document", 1, 3),
      ("\"\\x\"", "unknown escape", 1, 2), ("\"\\u12g4\"", "hexadecimal", 1, 2),
      ("\"\\ud800\"", "surrogate", 1, 2), ("\"\\udc00\"", "surrogate", 1, 2),
      ("\"a\nb\"", "control character", 1, 3), ("NaN", "no value begins", 1, 1),
      (String(repeating: "[", count: 257), "nested deeper", 1, 257),
    ]
    for (text, reason, line, column) in cases {
      XCTAssertThrowsError(try JSONValue.parse(text), text) { error in
        let printed = "\(error)"
        XCTAssert(printed.contains(reason), "\(text): \(printed)")
        XCTAssert(printed.contains("line=\(line) column=\(column)"), "\(text): \(printed)")
      }
    }
    let broken: [UInt8] = [0x22, 0xc3, 0x28, 0x22]
    XCTAssertThrowsError(try broken.withUnsafeBytes { try JSONValue.parse($0) })
  }

  func test_parse_refusesDocumentsOverTheLimit() {
    let bytes = [UInt8](repeating: 0x20, count: 100)
    XCTAssertThrowsError(try bytes.withUnsafeBytes { try JSONValue.parse($0, limit: 99) })
  }

  func test_members_areCheckedForTheirKind() throws {
    let value = try JSONValue.parse(#"{"i":1,"s":"x","l":["a"],"z":null,"i2":1.5}"#)
    XCTAssertEqual(try value.int("i"), 1)
    XCTAssertEqual(try value.strings("l"), ["a"])
    XCTAssertNil(try value.optionalInt("z"))
    XCTAssertThrowsError(try value.int("i2"))
    XCTAssertThrowsError(try value.string("nope"))
  }
}
