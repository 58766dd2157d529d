import Columns
import Foundation
import Store
import XCTest

@testable import Connectors

/// Rows of a binary COPY become what their texts become, or are refused; damaged ones never crash.
final class CopyBinaryTests: XCTestCase {
  // MARK: The server's side

  private static let signature: [UInt8] = [
    0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  ]

  private func big<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }

  private func row(_ fields: [[UInt8]?]) -> [UInt8] {
    fields.reduce(into: big(Int16(fields.count))) { bytes, field in
      bytes += big(Int32(field?.count ?? -1)) + (field ?? [])
    }
  }

  /// As `numeric_send` writes it.
  private func numeric(_ text: String) -> [UInt8] {
    let isNegative = text.hasPrefix("-")
    let parts = text.drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
    var whole = String(parts[0].drop { $0 == "0" })
    var fraction = parts.count > 1 ? String(parts[1]) : ""
    let shown = fraction.count
    while whole.count % 4 != 0 { whole = "0" + whole }
    while fraction.count % 4 != 0 { fraction += "0" }
    let all = Array(whole + fraction)
    var digits = stride(from: 0, to: all.count, by: 4).map { Int16(String(all[$0..<$0 + 4]))! }
    var weight = whole.count / 4 - 1
    while digits.first == 0 {
      digits.removeFirst()
      weight -= 1
    }
    while digits.last == 0 { digits.removeLast() }
    if digits.isEmpty { weight = 0 }
    let sign: UInt16 = isNegative && !digits.isEmpty ? 0x4000 : 0
    return big(Int16(digits.count)) + big(Int16(weight)) + big(sign) + big(Int16(shown))
      + digits.flatMap { big($0) }
  }

  private func type(_ oid: UInt32, _ modifier: Int32 = -1) throws -> PostgresType {
    try XCTUnwrap(PostgresType(oid: oid, modifier: modifier, name: "t"))
  }

  /// One column of rows, in messages of one row each.
  private func read(
    _ source: PostgresType, _ type: DataType, _ values: [[UInt8]?]
  ) throws -> (column: Column, refused: [Int]) {
    let copy = CopyBinary([CopyBinaryColumn("c", source, type)])
    copy.begin()
    for (i, value) in values.enumerated() {
      let bytes = (i == 0 ? Self.signature : []) + row([value])
      try bytes.withUnsafeBytes { try copy.take($0) }
    }
    try big(Int16(-1)).withUnsafeBytes { try copy.take($0) }
    XCTAssertEqual(copy.count, values.count)
    let (columns, refused) = copy.take()
    return (columns[0], refused)
  }

  /// What the text of a value becomes; nil when that is no value of the type.
  private func parsed(_ text: String, _ type: DataType) -> String? {
    let out = ByteWriter()
    out.append(text)
    let builder = ColumnBuilder(type)
    defer { withExtendedLifetime(out) {} }
    do throws(TextProblem) { try PostgresValue(type).append(out.bytes, to: builder) } catch {
      return nil
    }
    return ValueText.text(builder.finish(), 0)
  }

  // MARK: Values

  func test_take_givesWhatTheTextGives() throws {
    let uuid: [UInt8] = [
      0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a,
      0x11,
    ]
    let long = String(repeating: "数据 ", count: 9)
    // Type there, type here, bytes, text; nil: refused.
    let cases: [(UInt32, Int32, DataType, [UInt8], String?)] = [
      (16, -1, .boolean, [1], "t"), (16, -1, .boolean, [0], "f"), (16, -1, .boolean, [2], nil),
      (21, -1, .smallint, big(Int16.min), "-32768"), (21, -1, .tinyint, big(Int16(200)), nil),
      (23, -1, .int, big(Int32(-7)), "-7"), (23, -1, .bigint, big(Int32.max), "2147483647"),
      (20, -1, .bigint, big(Int64.min), "-9223372036854775808"),
      (20, -1, .int, big(Int64(1) << 40), nil), (26, -1, .bigint, big(UInt32.max), "4294967295"),
      (700, -1, .float, big(Float(1.5).bitPattern), "1.5"),
      (701, -1, .double, big(Double(-0.1).bitPattern), "-0.1"),
      (701, -1, .double, big(Double.infinity.bitPattern), "Infinity"),
      (701, -1, .double, big(UInt64(0xfff8_0000_0000_0001)), "NaN"),
      (25, -1, .string, Array("".utf8), ""), (25, -1, .string, Array("tab\t\\N".utf8), "tab\t\\N"),
      (25, -1, .string, Array(long.utf8), long), (1043, 14, .string, Array("ü".utf8), "ü"),
      (1043, 14, DataType(.varchar(2)), Array("abc".utf8), "abc"),
      (1042, 8, DataType(.char(4)), Array("ab  ".utf8), "ab  "),
      (114, -1, .string, Array("{\"a\": 1}".utf8), "{\"a\": 1}"),
      (3802, -1, .string, [1] + Array("{\"a\": 1}".utf8), "{\"a\": 1}"),
      (3802, -1, .string, [2] + Array("{}".utf8), nil), (3802, -1, .string, [], nil),
      (2950, -1, .string, uuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
      (2950, -1, .string, [1, 2], nil), (17, -1, .bytes, [0, 0xff], "\\x00ff"),
      (17, -1, DataType(.varbinary(1)), [0, 0xff], "\\x00ff"),
      (1082, -1, .date, big(Int32(8825)), "2024-02-29"),
      (1082, -1, .date, big(Int32(-730_119)), "0001-01-01"),
      (1082, -1, .date, big(Int32(-730_120)), nil), (1082, -1, .date, big(Int32.max), nil),
      (1082, -1, .date, big(Int32(2_921_939)), "9999-12-31"),
      (1083, -1, DataType(.time(2)), big(Int64(45_296_789_999)), "12:34:56.789999"),
      (1083, -1, DataType(.time(3)), big(Int64(86_400_000_000)), nil),
      (1114, -1, .timestamp(6), big(Int64(-1)), "1999-12-31 23:59:59.999999"),
      (1114, -1, .timestamp(3), big(Int64(-946_684_800_000_001)), "1969-12-31 23:59:59.999999"),
      (1114, -1, .timestamp(0), big(Int64(-946_684_800_000_001)), "1969-12-31 23:59:59.999999"),
      (1184, -1, DataType(.timestampLTZ(6)), big(Int64(1)), "2000-01-01 00:00:00.000001+00"),
      (1184, -1, DataType(.timestampLTZ(6)), big(Int64.max), nil),
      (1114, -1, .timestamp(6), big(Int64.min), nil), (23, -1, .int, [0, 0, 1], nil),
    ]
    for (oid, modifier, type, bytes, text) in cases {
      let (column, refused) = try read(self.type(oid, modifier), type, [nil, bytes])
      XCTAssertTrue(column.isNull(0))
      XCTAssertEqual(refused, text == nil ? [1] : [], "\(oid) \(type.text) \(text ?? "-")")
      guard let text else { continue }
      XCTAssertEqual(ValueText.text(column, 1), parsed(text, type), "\(oid) \(type.text) \(text)")
    }
  }

  func test_take_readsNumbersLikeTheirTextsOrRefuses() throws {
    var random = SplitMix(seed: seed())
    for (precision, scale) in [(12, 2), (5, 0), (18, 18), (38, 10), (9, 3), (38, 0), (3, 3)] {
      let modifier = Int32((precision << 16 | scale) + 4)
      var texts = ["0", "0.00", "10000", "-10000.0001", "99999999", "0.0001", "1", "-0.5"]
      for _ in 0..<400 {
        let whole = (0..<Int.random(in: 1...39, using: &random)).map { _ in
          String(Int.random(in: 0...9, using: &random) * Int.random(in: 0...1, using: &random))
        }
        let fraction = (0..<Int.random(in: 0...20, using: &random)).map { _ in
          String(Int.random(in: 0...9, using: &random) * Int.random(in: 0...1, using: &random))
        }
        let sign = Bool.random(using: &random) ? "-" : ""
        let keeps = Int.random(in: 0...whole.count, using: &random)
        let digits = keeps == 0 ? "0" : whole.prefix(keeps).joined()
        texts.append(sign + digits + (fraction.isEmpty ? "" : "." + fraction.joined()))
      }
      let type = DataType.decimal(precision, scale)
      let (column, refused) = try read(
        self.type(1700, modifier), type, texts.map { numeric($0) })
      let gone = Set(refused)
      for (i, text) in texts.enumerated() {
        let wanted = parsed(text, type)
        if gone.contains(i) {
          // Refused are those that are no values, and those that must be rounded.
          let fraction = text.split(separator: ".").dropFirst().first ?? ""
          let isFiner = fraction.dropFirst(scale).contains { $0 != "0" }
          XCTAssertTrue(wanted == nil || isFiner, "\(text) as \(type.text)")
        } else {
          XCTAssertEqual(ValueText.text(column, i), wanted, "\(text) as \(type.text)")
        }
      }
    }
    for special: UInt16 in [0xc000, 0xd000, 0xf000, 0x1234] {
      let bytes = big(Int16(0)) + big(Int16(0)) + big(special) + big(Int16(0))
      XCTAssertEqual(
        try read(type(1700, 0x50006), .decimal(5, 2), [bytes]).refused, [0], "\(special)")
    }
  }

  func test_take_refusesNullsThatMayNotBe() throws {
    for (oid, type): (UInt32, DataType) in [
      (23, .int), (25, .string), (1700, .decimal(5, 2)), (17, .bytes), (2950, .string),
    ] {
      let source = try self.type(oid, oid == 1700 ? 0x50006 : -1)
      XCTAssertEqual(try read(source, type.notNull, [nil]).refused, [0])
      XCTAssertEqual(try read(source, type, [nil]).refused, [])
    }
  }

  func test_expression_asksForTextWhereOnlyThatIsExact() throws {
    XCTAssertEqual(CopyBinaryColumn("a", try type(23), .int).expression, "\"a\"")
    for (oid, type): (UInt32, DataType) in [
      (23, .string), (700, .double), (1700, .decimal(38, 18)), (1114, .timestamp(9)),
      (142, .string),
    ] {
      let column = CopyBinaryColumn("a", try self.type(oid), type)
      XCTAssertFalse(column.isDirect)
      XCTAssertTrue(column.expression.contains("format('%s', \"a\")"))
    }
    // A type of somebody's own, whatever its name.
    XCTAssertFalse(CopyBinaryColumn("a", PostgresType(.text, name: "uuid"), .string).isDirect)
  }

  // MARK: Damage

  func test_take_neverCrashesOnDamage() throws {
    var random = SplitMix(seed: seed())
    let columns = [
      CopyBinaryColumn("a", try type(23), .int),
      CopyBinaryColumn("b", try type(1700, 0xc0006), .decimal(12, 2)),
      CopyBinaryColumn("c", try type(25), .string), CopyBinaryColumn("d", try type(2950), .string),
    ]
    let whole =
      Self.signature + row([big(Int32(7)), numeric("-12.5"), Array("text".utf8), nil])
      + row([nil, nil, nil, Array(repeating: 3, count: 16)]) + big(Int16(-1))
    for _ in 0..<3000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      if Bool.random(using: &random) {
        bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
      }
      let copy = CopyBinary(columns)
      copy.begin()
      do {
        try bytes.withUnsafeBytes { try copy.take($0) }
      } catch let error as TerraceError { XCTAssertEqual(error.kind, .corrupted) }
      let count = copy.count
      let (made, refused) = copy.take()
      XCTAssertTrue(made.allSatisfy { $0.count == count })
      XCTAssertTrue(refused.allSatisfy { $0 < count })
    }
  }

  private func seed() -> UInt64 {
    let isFixed = ProcessInfo.processInfo.environment["CI"] != nil
    let seed = isFixed ? 20_261_121 : UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    return seed
  }
}
