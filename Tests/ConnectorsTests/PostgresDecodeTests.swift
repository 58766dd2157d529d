import Columns
import Foundation
import Store
import XCTest

@testable import Connectors

/// Bytes and texts of PostgreSQL: what they mean, and that damaged ones are refused and never crash.
final class PostgresDecodeTests: XCTestCase {
  // MARK: Values

  private func value(_ text: String, _ type: DataType) throws(TextProblem) -> Column {
    let out = ByteWriter()
    out.append(text)
    let builder = ColumnBuilder(type)
    try PostgresValue(type).append(out.bytes, to: builder)
    defer { withExtendedLifetime(out) {} }
    return builder.finish()
  }

  private func printed(_ text: String, _ type: DataType) -> String {
    do throws(TextProblem) { return ValueText.text(try value(text, type), 0) } catch {
      return "! \(error.reason)"
    }
  }

  func test_value_readsWhatTheServerPrints() {
    let cases: [(String, DataType, String)] = [
      ("t", .boolean, "true"), ("f", .boolean, "false"), ("x", .boolean, "! not true or false"),
      ("-32768", .smallint, "-32768"), ("32768", .smallint, "! out of the type's range"),
      ("1.005", .decimal(5, 2), "1.01"), ("-1.005", .decimal(5, 2), "-1.01"),
      ("1.0049999", .decimal(5, 2), "1.00"), ("-0.004", .decimal(5, 2), "0.00"),
      ("999.995", .decimal(5, 2), "! more digits before the point than the type holds"),
      ("0.5", .decimal(3, 0), "1"), ("NaN", .decimal(5, 2), "! not a number"),
      ("0.33333333333333333333", .decimal(38, 18), "0.333333333333333333"),
      ("0.66666666666666666666666666666666666666666666", .decimal(38, 18), "0.666666666666666667"),
      ("NaN", .double, "NaN"), ("-Infinity", .double, "-Infinity"),
      ("\\x00ff", .bytes, "0x00ff"), ("\\x0", .bytes, "! not bytes 0x…"),
      ("2024-02-29", .date, "2024-02-29"), ("infinity", .date, "! not a date yyyy-MM-dd"),
      ("0044-03-15 BC", .date, "-0043-03-15"), ("0001-01-01 BC", .date, "0000-01-01"),
      ("12:34:56.789999", DataType(.time(2)), "12:34:56.78"),
      ("24:00:00", DataType(.time(3)), "! not a time HH:mm:ss"),
      ("2024-01-02 03:04:05.999999", .timestamp(3), "2024-01-02 03:04:05.999"),
      ("2024-01-02 03:04:05+00", .timestamp(0), "2024-01-02 03:04:05"),
      ("0044-03-15 12:00:00 BC", .timestamp(0), "-0043-03-15 12:00:00"),
      ("-infinity", .timestamp(6), "! not a timestamp yyyy-MM-dd HH:mm:ss"),
      ("294246-12-31 23:59:59.999999", .timestamp(6), "294246-12-31 23:59:59.999999"),
      ("294276-12-31 23:59:59", .timestamp(6), "! out of the type's range"),
      ("{1,NULL,-3}", .array(.int), "[1,null,-3]"), ("{}", .array(.int), "[]"),
      ("[0:1]={7,8}", .array(.int), "[7,8]"), ("{a=b,=}", .array(.string), #"["a=b","="]"#),
      (#"{"a \"b\"","c,d",NULL,"NULL",e}"#, .array(.string), #"["a \"b\"","c,d",null,"NULL","e"]"#),
      (#""a"=>"1", "b"=>NULL"#, .map(.string, .string), #"[["a","1"],["b",null]]"#),
      ("", .map(.string, .string), "[]"),
    ]
    for (text, type, wanted) in cases { XCTAssertEqual(printed(text, type), wanted, text) }
  }

  func test_value_refusesBrokenListsAndAppendsNothing() {
    let texts = [
      "", "{", "}", "{1", "1}", "{1,}", "{,1}", "{\"}", "{\"a\\", "{{1},{2}}", "[0:1]", "{1}}",
      "{\"a\"b}",
    ]
    for text in texts {
      let out = ByteWriter()
      out.append(text)
      let builder = ColumnBuilder(.array(.int))
      XCTAssertThrowsError(try PostgresValue(.array(.int)).append(out.bytes, to: builder), text)
      XCTAssertEqual(builder.count, 0)
      XCTAssertEqual(builder.children[0].count, 0)
    }
  }

  func test_value_neverCrashesOnRandomBytes() {
    var random = SplitMix(seed: seed())
    let types: [DataType] = [
      .boolean, .smallint, .bigint, .decimal(9, 3), .decimal(38, 18), .double, .string, .bytes,
      .date, DataType(.time(3)), .timestamp(6), DataType(.timestampLTZ(9)), .array(.string),
      .array(.decimal(5, 1)), .map(.string, .string),
    ]
    let alphabet = Array("0123456789-+.:, eE{}\"\\=>[]NULLBCinfinityax ".utf8) + [0, 0xff]
    for _ in 0..<20_000 {
      let count = Int(random.next() % 24)
      let bytes = (0..<count).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
      let type = types[Int(random.next() % UInt64(types.count))]
      let builder = ColumnBuilder(type)
      let good = bytes.withUnsafeBytes { (try? PostgresValue(type).append($0, to: builder)) != nil }
      XCTAssertEqual(builder.count, good ? 1 : 0)
      _ = builder.finish()
    }
  }

  // MARK: Messages

  private func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }
  private func number(_ value: UInt64, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (size - 1 - $0))) }
  }

  private func tuple(_ values: [String?]) -> [UInt8] {
    number(UInt64(values.count), 2)
      + values.flatMap { value -> [UInt8] in
        guard let value else { return Array("n".utf8) }
        return Array("t".utf8) + number(UInt64(value.utf8.count), 4) + Array(value.utf8)
      }
  }

  private var messages: [[UInt8]] {
    [
      Array("B".utf8) + number(0x1_0000_0010, 8) + number(1, 8) + number(77, 4),
      Array("C".utf8) + [0] + number(1, 8) + number(2, 8) + number(3, 8),
      Array("R".utf8) + number(5, 4) + text("öffentlich") + text("表") + Array("d".utf8)
        + number(1, 2) + [1] + text("id") + number(23, 4) + number(0xffff_ffff, 4),
      Array("I".utf8) + number(5, 4) + Array("N".utf8) + tuple(["1", nil, "ü"]),
      Array("U".utf8) + number(5, 4) + Array("K".utf8) + tuple(["1"]) + Array("N".utf8)
        + number(2, 2) + Array("tu".utf8.prefix(1)) + number(1, 4) + Array("2".utf8)
        + Array("u".utf8),
      Array("D".utf8) + number(5, 4) + Array("O".utf8) + tuple(["1", "x"]),
      Array("T".utf8) + number(2, 4) + [0] + number(5, 4) + number(6, 4),
    ]
  }

  private func decoded(
    _ bytes: [UInt8], _ old: ReplicationTuple, _ new: ReplicationTuple
  ) throws(TerraceError) -> ReplicationMessage {
    let buffer = bytes.withUnsafeBytes { Buffer(copying: $0) }
    defer { withExtendedLifetime(buffer) {} }
    return try ReplicationMessage(buffer.bytes, old: old, new: new)
  }

  func test_message_isReadAsTheServerWroteIt() throws {
    let (old, new) = (ReplicationTuple(), ReplicationTuple())
    guard case .begin(let position, _, let xid) = try decoded(messages[0], old, new) else {
      return XCTFail("no begin")
    }
    XCTAssertEqual(PostgresPosition(position).text, "1/10")
    XCTAssertEqual(xid, 77)
    guard case .relation(let relation) = try decoded(messages[2], old, new) else {
      return XCTFail("no relation")
    }
    XCTAssertEqual(relation.name, PostgresTableName(schema: "öffentlich", table: "表"))
    XCTAssertEqual(relation.columns.map(\.name), ["id"])
    XCTAssertEqual(relation.columns[0].modifier, -1)
    guard case .insert(5) = try decoded(messages[3], old, new) else { return XCTFail("no insert") }
    XCTAssertEqual(new.values, [.text, .null, .text])
    guard case .update(5, .key) = try decoded(messages[4], old, new) else {
      return XCTFail("no update")
    }
    XCTAssertEqual(new.values, [.text, .unchanged])
    guard case .truncate([5, 6]) = try decoded(messages[6], old, new) else {
      return XCTFail("no truncate")
    }
  }

  func test_message_isRefusedWhenCutShortOrDamaged() {
    let (old, new) = (ReplicationTuple(), ReplicationTuple())
    for message in messages {
      for length in 0..<message.count {
        let cut = Array(message[..<length])
        if message[0] == UInt8(ascii: "C"), length >= 18 { continue }  // its last field is not read
        XCTAssertThrowsError(try decoded(cut, old, new), "\(length) of \(message)")
      }
    }
    var random = SplitMix(seed: seed())
    for _ in 0..<50_000 {
      var message = messages[Int(random.next() % UInt64(messages.count))]
      for _ in 0...Int(random.next() % 4) {
        message[Int(random.next() % UInt64(message.count))] = UInt8(
          truncatingIfNeeded: random.next())
      }
      let (before, after) = (ReplicationTuple(), ReplicationTuple())
      _ = try? decoded(message, before, after)  // any answer but a crash
      for range in before.ranges + after.ranges {
        XCTAssertLessThanOrEqual(range.upperBound, message.count)
      }
    }
  }

  // MARK: Places

  func test_position_isReadBackAndCompares() throws {
    for text in ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
      XCTAssertEqual(try PostgresPosition(text: text).text, text)
    }
    XCTAssertLessThan(try PostgresPosition(text: "1/FF"), try PostgresPosition(text: "2/0"))
    for text in ["", "1", "1/", "/1", "1/2/3", "G/1", "100000000/0", "-1/0"] {
      XCTAssertThrowsError(try PostgresPosition(text: text), text)
    }
  }

  func test_visibility_countsNumbersRoundTheWrap() throws {
    let plain = try PostgresVisibility("100:105:101,103")
    XCTAssertEqual(
      (99...106).map { plain.sees($0) }, [true, true, false, true, false, true, false, false])
    // The second time round: 2^32 + 5 is in the log as 5.
    let wrapped = try PostgresVisibility("4294967290:4294967301:4294967298")
    XCTAssertTrue(wrapped.sees(4_294_967_289))
    XCTAssertTrue(wrapped.sees(4_294_967_295))
    XCTAssertFalse(wrapped.sees(2))
    XCTAssertTrue(wrapped.sees(3))
    XCTAssertFalse(wrapped.sees(5))
    XCTAssertFalse(wrapped.sees(1000))
    for text in ["", "1:2", "2:1:", "a:b:", "1:2:x"] {
      XCTAssertThrowsError(try PostgresVisibility(text), text)
    }
  }

  // MARK: COPY

  private func table(_ columns: [(String, DataType)]) -> ConnectorTable {
    ConnectorTable(
      name: "t", type: RowType(columns), primaryKey: [columns[0].0], options: [:], folder: "/")
  }

  func test_copy_takesFieldsApartAndPutsBadRowsAside() throws {
    let rows = try PostgresRows(
      table([("id", .int.notNull), ("s", .string)]), database: "d", tellsUnchanged: false)
    let copy = CopyText()
    let lines = [
      "1\ta\\tb\\\\\n", "2\t\\N\n", "x\tbad\n", "\\N\tnull\n", "3\t\n", "4\t\\\\N\n",
    ]
    for line in lines {
      let bytes = Buffer(copying: Array(line.utf8).withUnsafeBytes { $0 })
      try copy.read(bytes.bytes, into: rows)
      rows.end(
        .insert, from: PostgresTableName(schema: "s", table: "t"), millis: 0, place: { "p" },
        raw: { Array(bytes.bytes) })
    }
    let taken = rows.take(allInserts: true)
    XCTAssertEqual((0..<4).map { ValueText.text(taken.rows.columns[0], $0) }, ["1", "2", "3", "4"])
    XCTAssertEqual(
      (0..<4).map { ValueText.text(taken.rows.columns[1], $0) }, ["a\tb\\", "NULL", "", "\\N"])
    XCTAssertEqual(taken.deadLetters.map(\.row), [2, 2])
    XCTAssertEqual(
      taken.deadLetters.map(\.bytes), [Array("x\tbad\n".utf8), Array("\\N\tnull\n".utf8)])
    for line in ["1\n", "1\ta\tb\n", "\n"] {
      let bytes = Buffer(copying: Array(line.utf8).withUnsafeBytes { $0 })
      XCTAssertThrowsError(try copy.read(bytes.bytes, into: rows), line)
    }
  }

  /// As it was written, a row is read back: what the sink sends is what COPY prints.
  func test_copyWriter_isReadBack() throws {
    let type = RowType([
      ("id", .int), ("s", .string), ("b", .bytes), ("a", .array(.string)), ("d", .decimal(20, 3)),
    ])
    let builders = type.fields.map { ColumnBuilder($0.type) }
    builders[0].append(Int32(7))
    builders[1].append("tab\tback\\slash\nend\r数")
    [UInt8(0), 0x5c, 0x0a].withUnsafeBytes { builders[2].append(bytes: $0) }
    builders[3].children[0].append("q\"\\,{}")
    builders[3].children[0].appendNull()
    builders[3].endList()
    builders[4].append(Int128(-12_345))
    let batch = Batch(type, builders.map { $0.finish() }, count: 1)
    let writer = CopyWriter(type.fields.map(\.type))
    writer.append(batch, 0)
    let rows = try PostgresRows(
      ConnectorTable(name: "t", type: type, options: [:], folder: "/"), database: "d",
      tellsUnchanged: false)
    try CopyText().read(writer.out.bytes, into: rows)
    rows.end(
      .insert, from: PostgresTableName(schema: "s", table: "t"), millis: 0, place: { "" },
      raw: { [] })
    let back = rows.take(allInserts: true)
    XCTAssertEqual(back.deadLetters.count, 0)
    for c in 0..<type.count {
      XCTAssertEqual(
        ValueText.text(back.rows.columns[c], 0), ValueText.text(batch.columns[c], 0),
        type.fields[c].name)
    }
  }

  private func seed() -> UInt64 {
    let isFixed = ProcessInfo.processInfo.environment["CI"] != nil
    let seed = isFixed ? 20_261_121 : UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    return seed
  }
}
