import Columns
import Formats
import Store
import XCTest

@testable import Connectors

/// Messages in Flink's format `avro`; the bytes were written by fastavro with the schema that Flink derives.
final class AvroMessageTests: XCTestCase {
  private let columns: [(String, DataType)] = [
    ("id", DataType.bigint.notNull), ("name", .string), ("at", .timestamp(3)),
    ("price", .decimal(10, 2)), ("tags", .array(.string)),
    ("m", .map(DataType.string.notNull, .int)),
    ("r", .row([Field(id: 0, name: "a", type: .int), Field(id: 1, name: "b", type: .double)])),
    ("raw", .bytes), ("day", .date), ("clock", DataType(.time(3))), ("ok", .boolean), ("f", .float),
  ]
  private let full =
    "02020ae8a1a820610286c6899695670204fb2e020402027800000202026b020e0002020a020000000000000440020400ff02c2c00202f8bbc6030201020000c03f"
  private let empty = "030000000000000000000000"

  private func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex.utf8).map { UInt8(ValueParser.hexValue($0)) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  private func table(
    _ columns: [(String, DataType)], _ options: [String: String] = [:]
  ) -> ConnectorTable {
    ConnectorTable(
      name: "t", type: RowType(columns),
      options: ["connector": "kafka", "format": "avro"].merging(options) { $1 }, folder: "/")
  }

  private func decoder(_ table: ConnectorTable) throws -> MessageDecoder {
    var options = ConnectorOptions(table)
    return try MessageDecoder(&options, isUpsert: false)
  }

  private func read(
    _ table: ConnectorTable, _ messages: [[UInt8]]
  ) throws -> (rows: [String], rejects: [String]) {
    let block = MessageBlock()
    for message in messages { message.withUnsafeBytes { block.append(value: $0, key: nil) } }
    let out = try decoder(table).decode(block)
    let batch = SourceBatch(rows: Batch(table.type, out.columns, count: out.count))
    return (FileFixture.text(batch), out.rejects.map { "\($0.message) \($0.reason)" })
  }

  func test_decode_readsWhatFlinkWrites() throws {
    let found = try read(table(columns), [bytes(full), bytes(empty)])
    XCTAssertEqual(found.rejects, [])
    XCTAssertEqual(
      found.rows,
      [
        "+I[1, 表 a, 2026-03-01 12:30:45.123, -12.34, [\"x\",null], [[\"k\",7]], {\"a\":5,\"b\":2.5}, 0x00ff, 2026-03-01, 01:02:03.004, true, 1.5]",
        "+I[-2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL]",
      ])
  }

  func test_decode_readsSomeColumnsOfAll() throws {
    var some = table(columns)
    some.type = RowType([columns[11], columns[0]])
    XCTAssertEqual(try read(some, [bytes(full)]).rows, ["+I[1.5, 1]"])
  }

  func test_encode_writesTheSameBytes() throws {
    let table = table(columns)
    let block = MessageBlock()
    for text in [full, empty] { bytes(text).withUnsafeBytes { block.append(value: $0, key: nil) } }
    let rows = try decoder(table).decode(block)
    var options = ConnectorOptions(table)
    let encoder = try MessageEncoder(&options, isUpsert: false)
    let out = try encoder.encode(Batch(table.type, rows.columns, count: 2), kinds: nil)
    let written = out.values.map { Array(out.bytes.bytes[$0.start..<$0.start + $0.count]) }
    XCTAssertEqual(written, [bytes(full), bytes(empty)])
  }

  func test_decode_putsAsideWhatIsNoValue() throws {
    let table = table([("id", DataType.int.notNull), ("s", DataType(.varchar(2)))])
    let good: [UInt8] = [4, 2, 2, 0x61]
    let bad: [([UInt8], String)] = [
      ([], "ends early"), ([4], "ends early"), ([4, 2, 20, 0x61], "ends early"),
      ([4, 4], "no such branch"), ([4, 1], "no such branch"),
      ([4, 2, 1, 0x61], "a negative length"), (good + [0], "bytes remain"),
      ([4, 2, 2, 0xff], "not UTF-8"),
      ([0x80, 0x80, 0x80, 0x80, 0x10, 0], "too large for its column"),
      ([UInt8](repeating: 0xff, count: 11), ""),
      ([4, 2] + [UInt8](repeating: 0xff, count: 8) + [0x7f], ""),
      ([0, 0, 0, 0, 7, 4, 0], "header of a schema registry"),
    ]
    for (message, reason) in bad {
      let found = try read(table, [good, message, good])
      XCTAssertEqual(found.rows, ["+I[2, a]", "+I[2, a]"], "\(message)")
      XCTAssertEqual(found.rejects.count, 1, "\(message)")
      XCTAssert(
        found.rejects[0].hasPrefix("1 ") && (reason.isEmpty || found.rejects[0].contains(reason)),
        "\(found.rejects)")
    }
    // Lengths are not enforced, as in Flink.
    XCTAssertEqual(try read(table, [[4, 2, 6, 0x61, 0x61, 0x61]]).rows, ["+I[2, aaa]"])
  }

  func test_decode_standsAnyBytes() throws {
    var random = SplitMix(seed: 20_261_121)
    let decoder = try decoder(table(columns))
    for _ in 0..<3000 {
      var message = bytes(full)
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let place = Int.random(in: 0..<message.count, using: &random)
        message[place] = UInt8.random(in: 0...255, using: &random)
      }
      if Int.random(in: 0..<4, using: &random) == 0 {
        message = Array(message.prefix(Int.random(in: 0...message.count, using: &random)))
      }
      let block = MessageBlock()
      for bytes in [bytes(full), message, bytes(empty)] {
        bytes.withUnsafeBytes { block.append(value: $0, key: nil) }
      }
      let out = try decoder.decode(block)
      XCTAssertEqual(out.count + out.rejects.count, 3)
      XCTAssert(out.columns.allSatisfy { $0.count == out.count })
    }
  }

  func test_decode_takesNoMemoryForCountsAlone() throws {
    let wide = (0..<100).map { Field(id: $0, name: "c\($0)", type: .bigint) }
    let table = table([("id", .int), ("rows", .array(.row(wide)))])
    // A count of 2⁶² items.
    let huge: [UInt8] =
      [0, 2] + [UInt8](repeating: 0xfe, count: 1)
      + [UInt8](repeating: 0xff, count: 8) + [0x01]
    let found = try read(table, [huge, huge + [UInt8](repeating: 0, count: 1 << 20)])
    XCTAssertEqual(found.rejects.count, 2)
  }

  func test_options_refuseWhatIsNotRead() throws {
    func refusal(_ table: ConnectorTable) -> String {
      do {
        _ = try decoder(table)
        return ""
      } catch { return "\(error)" }
    }
    let plain: [(String, DataType)] = [("id", .int)]
    for (table, text) in [
      (table(plain, ["format": "avro-confluent"]), "not supported: format 'avro-confluent'"),
      (table(plain, ["avro.encoding": "json"]), "not supported: 'avro.encoding'"),
      (table([("m", .map(.int, .int))]), "not supported: Avro maps"),
      (table([("t", .timestamp(9))]), "not supported: Avro holds TIMESTAMP"),
    ] { XCTAssert(refusal(table).contains(text), refusal(table)) }
  }
}
