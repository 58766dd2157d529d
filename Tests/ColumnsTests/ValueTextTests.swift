import Columns
import XCTest

final class ValueTextTests: XCTestCase {
  private func parse(_ text: String, _ type: DataType) throws -> Scalar {
    try ValueParser.scalar(text, type)
  }

  private func text(_ value: Scalar, _ type: DataType) -> String { ValueText.text(value, type) }

  func test_text_readsBackAsTheSameValue() throws {
    let cases: [(DataType, String, Scalar)] = [
      (.boolean, "true", .boolean(true)), (.tinyint, "-128", .int(-128)),
      (.smallint, "32767", .int(32767)), (.int, "-2147483648", .int(-2_147_483_648)),
      (.bigint, "-9223372036854775808", .int(.min)), (.bigint, "9223372036854775807", .int(.max)),
      (.bigint, "0", .int(0)), (.float, "1.5", .float(1.5)), (.double, "1e+16", .double(1e16)),
      (.double, "0.1", .double(0.1)), (.double, "5e-324", .double(.leastNonzeroMagnitude)),
      (.double, "-Infinity", .double(-.infinity)), (.double, "-0.0", .double(-0.0)),
      (.double, "1.7976931348623157e+308", .double(.greatestFiniteMagnitude)),
      (.float, "16777216.0", .float(16_777_216)), (.float, "1e-45", .float(.leastNonzeroMagnitude)),
      (.decimal(9, 2), "1234567.89", .int(123_456_789)), (.decimal(3, 3), "-0.001", .int(-1)),
      (.decimal(5, 0), "0", .int(0)), (.decimal(10, 4), "0.0500", .int(500)),
      (
        .decimal(38, 10), "1234567890123456789012345678.0123456789",
        .int128(12_345_678_901_234_567_890_123_456_780_123_456_789)
      ),
      (.decimal(38, 38), "-0.00000000000000000000000000000000000001", .int128(-1)),
      (.decimal(38, 0), String(repeating: "9", count: 38), .int128(ten38 - 1)),
      (.decimal(20, 1), "100000000000000000.5", .int128(1_000_000_000_000_000_005)),
      (.string, "a\n\"é", .text("a\n\"é")), (.bytes, "0x00ff7f", .bytes([0, 255, 127])),
      (.bytes, "0x", .bytes([])), (.date, "2024-02-29", .int(19_782)),
      (.date, "1970-01-01", .int(0)), (.date, "1969-12-31", .int(-1)),
      (.date, "0000-03-01", .int(-719_468)), (.date, "-0044-03-15", .int(-735_525)),
      (.date, "10000-01-01", .int(2_932_897)), (.date, "5881580-07-11", .int(2_147_483_647)),
      (DataType(.time(3)), "12:34:56.789", .int(45_296_789)),
      (DataType(.time(0)), "00:00:00", .int(0)),
      (.timestamp(0), "2024-02-29 12:34:56", .int(1_709_210_096_000)),
      (.timestamp(3), "1969-12-31 23:59:59.999", .int(-1)),
      (.timestamp(6), "2024-02-29 12:34:56.789123", .int(1_709_210_096_789_123)),
      (.timestamp(9), "1969-12-31 23:59:59.999999999", .int128(-1)),
      (DataType(.timestampLTZ(3)), "2024-02-29 12:34:56.789Z", .int(1_709_210_096_789)),
    ]
    for (type, text, value) in cases {
      XCTAssertEqual(self.text(value, type), text)
      XCTAssertEqual(try parse(text, type), value, "\(text) as \(type.text)")
    }
    XCTAssertEqual(text(.double(.nan), .double), "NaN")
    XCTAssertEqual(text(.null, .int), "NULL")
  }

  private var ten38: Int128 {
    var value: Int128 = 1
    for _ in 0..<38 { value *= 10 }
    return value
  }

  func test_parse_acceptsOtherSpellings() throws {
    let cases: [(DataType, String, Scalar)] = [
      (.int, "+7", .int(7)), (.bigint, "000000000000000000000000012", .int(12)),
      (.boolean, "TRUE", .boolean(true)), (.decimal(5, 2), "1.5", .int(150)),
      (.decimal(5, 2), "1.5000000000000000000000000000000000000000000000", .int(150)),
      (.decimal(5, 2), "15e-1", .int(150)), (.decimal(38, 0), "1E37", .int128(ten38 / 10)),
      (.decimal(5, 2), ".5", .int(50)), (.decimal(5, 2), "0e99999999999", .int(0)),
      (
        .decimal(38, 2), "12345678901234567890123456789012345600e-2",
        .int128(12_345_678_901_234_567_890_123_456_789_012_345_600)
      ),
      (.double, "1e22", .double(1e22)),
      (.double, "123456789012345678901234567890", .double(123456789012345677877719597056)),
      (.double, "inf", .double(.infinity)), (.double, "0.30000000000000004", .double(0.1 + 0.2)),
      (.timestamp(3), "2024-02-29T12:34:56.7", .int(1_709_210_096_700)),
      (.timestamp(3), "2024-02-29T12:34", .int(1_709_210_040_000)),
      (.timestamp(3), "2024-02-29", .int(1_709_164_800_000)),
      (.timestamp(3), "2024-02-29 12:34:56.789000000", .int(1_709_210_096_789)),
      (DataType(.timestampLTZ(0)), "2024-02-29T12:34:56+01:30", .int(1_709_204_696_000)),
      (DataType(.timestampLTZ(0)), "2024-02-29T12:34:56-0130", .int(1_709_215_496_000)),
      (DataType(.timestampLTZ(0)), "2024-02-29 12:34:56", .int(1_709_210_096_000)),
      (DataType(.time(3)), "12:34", .int(45_240_000)), (.date, "+2024-02-29", .int(19_782)),
    ]
    for (type, text, value) in cases {
      XCTAssertEqual(try parse(text, type), value, "\(text) as \(type.text)")
    }
  }

  func test_parse_saysWhyItCannot() {
    let cases: [(DataType, String, TextProblem)] = [
      (.int, "", .empty), (.int, "-", .notInteger), (.int, "1 ", .notInteger),
      (.int, "1.0", .notInteger), (.int, "2147483648", .outOfRange), (.tinyint, "128", .outOfRange),
      (.bigint, "9223372036854775808", .outOfRange), (.bigint, "-9223372036854775809", .outOfRange),
      (.bigint, "99999999999999999999999", .outOfRange), (.double, "1e400", .outOfRange),
      (.double, "0x10", .notNumber), (.double, "1e", .notNumber), (.double, ".", .notNumber),
      (.double, "1.2.3", .notNumber), (.float, "1e39", .outOfRange), (.double, "nanx", .notNumber),
      (.decimal(5, 2), "1000", .tooManyDigits), (.decimal(5, 2), "1.005", .tooFine),
      (.decimal(5, 2), "1e9999999999", .tooManyDigits), (.decimal(5, 2), "1e-9999999999", .tooFine),
      (.decimal(38, 0), "1" + String(repeating: "0", count: 38), .tooManyDigits),
      (.decimal(38, 0), "123456789012345678901234567890123456789", .tooManyDigits),
      (.boolean, "yes", .notBoolean), (.bytes, "ff", .notHex), (.bytes, "0xf", .notHex),
      (.bytes, "0xfg", .notHex), (DataType(.binary(1)), "0xffff", .tooLong),
      (DataType(.varchar(2)), "abc", .tooLong), (.date, "2023-02-29", .noSuchDay),
      (.date, "1900-02-29", .noSuchDay), (.date, "2024-13-01", .noSuchDay),
      (.date, "2024-2-01", .notDate), (.date, "24-02-01", .notDate),
      (.date, "2024-02-01 ", .notDate),
      (.date, "9999999-01-01", .outOfRange), (DataType(.time(0)), "24:00:00", .notTime),
      (DataType(.time(0)), "12:00:00.5", .tooFine), (DataType(.time(3)), "12:00:00.", .notTime),
      (.timestamp(3), "2024-01-01 00:00:00.1234", .tooFine),
      (.timestamp(3), "2024-01-01 00:00:60", .notTimestamp),
      (.timestamp(3), "2024-01-01 00:00:00Z", .zoned), (.timestamp(3), "now", .notTimestamp),
      (.timestamp(6), "2024-01-01 00:00:00.1234560000", .notTimestamp),
      (.timestamp(6), "999999-01-01", .outOfRange),
      (DataType(.timestampLTZ(3)), "2024-01-01 00:00:00+99", .notTimestamp),
      (.array(.int), "[1]", .nested),
    ]
    for (type, text, problem) in cases {
      XCTAssertThrowsError(try parse(text, type), "\(text) as \(type.text)") {
        XCTAssertEqual($0 as? TextProblem, problem, "\(text) as \(type.text)")
      }
    }
    XCTAssertEqual(try parse("éé", DataType(.varchar(2))), .text("éé"))
  }

  func test_append_writesJavaText() {
    let doubles: [(Double, String)] = [
      (1e10, "1.0E10"), (100, "100.0"), (9_999_999, "9999999.0"), (1e7, "1.0E7"), (0.001, "0.001"),
      (0.00012, "1.2E-4"), (0, "0.0"), (-0.0, "-0.0"), (1234.5, "1234.5"),
      (.nan, "NaN"), (-.infinity, "-Infinity"), (1.7976931348623157e308, "1.7976931348623157E308"),
      (12_345_678.9, "1.23456789E7"),
    ]
    for (value, expected) in doubles {
      let out = ByteWriter()
      ValueText.appendJava(value, to: out)
      XCTAssertEqual(out.text, expected)
    }
    let moments: [(Int64, Int64, String)] = [
      (1_709_254_920, 0, "2024-03-01T01:02"), (1_709_254_923, 4_000_000, "2024-03-01T01:02:03.004"),
      (1_709_254_920, 1_000, "2024-03-01T01:02:00.000001"),
      (1_709_254_920, 1, "2024-03-01T01:02:00.000000001"),
      (1_709_254_921, 0, "2024-03-01T01:02:01"),
    ]
    for (second, nanosecond, expected) in moments {
      let out = ByteWriter()
      ValueText.appendLocalDateTime(second: second, nanosecond: nanosecond, to: out)
      XCTAssertEqual(out.text, expected)
    }
  }

  func test_appendJSON_writesNestedValues() {
    let type = DataType.row([
      Field(id: 0, name: "a\"b", type: .array(.int)),
      Field(id: 1, name: "m", type: DataType.map(.string.notNull, .double)),
      Field(id: 2, name: "s", type: DataType(.multiset(.string))),
      Field(id: 3, name: "d", type: .decimal(5, 2)),
    ])
    let builder = ColumnBuilder(type)
    let inner = builder.children
    inner[0].children[0].append(Int32(1))
    inner[0].children[0].appendNull()
    inner[0].endList()
    inner[1].children[0].append("k\n")
    inner[1].children[1].append(Double.nan)
    inner[1].endList()
    inner[2].children[0].append("p")
    inner[2].children[1].append(Int32(2))
    inner[2].endList()
    inner[3].append(Int64(125))
    builder.endRow()
    XCTAssertEqual(
      ValueText.text(builder.finish(), 0),
      #"{"a\"b":[1,null],"m":[["k\n","NaN"]],"s":[["p",2]],"d":"1.25"}"#)
  }

  func test_appendQuoted_isAlwaysUTF8() {
    let cases: [([UInt8], String)] = [
      (Array("plain text of many words".utf8), "\"plain text of many words\""),
      ([0x61, 0xff, 0x62], "\"a\u{FFFD}b\""), ([0xe2, 0x82], "\"\u{FFFD}\u{FFFD}\""),
      ([0xed, 0xa0, 0x80], "\"\u{FFFD}\u{FFFD}\u{FFFD}\""), (Array("日本😀".utf8), "\"日本😀\""),
      ([0x01, 0x22, 0x5c, 0x0a], #""\u0001\"\\\n""#), (Array("12345678\"".utf8), #""12345678\"""#),
    ]
    for (bytes, expected) in cases {
      let out = ByteWriter()
      bytes.withUnsafeBytes { JSONText.appendQuoted($0, to: out) }
      XCTAssertEqual(out.text, expected)
    }
  }

  func test_day_isTheInverseOfDate() {
    for day in stride(from: Int64(-1_000_000), through: 4_000_000, by: 997) {
      let date = CivilDate.date(ofDay: day)
      XCTAssertEqual(CivilDate.day(year: date.year, month: date.month, day: date.day), day)
    }
  }

  func test_double_isTheNearest() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var state = seed
    for _ in 0..<20_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let value = Double(bitPattern: state)
      if !value.isFinite { continue }
      XCTAssertEqual(try parse(value.description, .double), .double(value), "seed \(seed)")
      let narrow = Float(bitPattern: UInt32(truncatingIfNeeded: state >> 20))
      if !narrow.isFinite { continue }
      XCTAssertEqual(try parse(narrow.description, .float), .float(narrow), "seed \(seed)")
    }
  }
}
