import Columns
import Formats
import Foundation
import Store
import XCTest

@testable import Connectors

/// The messages of Fixtures/malformed, each between two good ones.
final class MalformedMessageTests: XCTestCase {
  struct Case {
    var name: String
    var format: String
    var options: [String: String]
    var columns: [(String, DataType)]
    var key: [String]
    var value: [UInt8]?
    var fate: JSONValue

    init(_ line: JSONValue) throws {
      name = try line.string("case")
      format = try line.string("format")
      options = [:]
      for member in line["options"]?.asMembers ?? [] {
        options[member.name] = member.value.asString
      }
      let changes = format.hasSuffix("-json")
      columns = [("id", changes ? DataType.bigint.notNull : .bigint), ("name", .string)]
      if let given = line["columns"]?.asArray {
        columns = try given.map {
          let pair = $0.asArray ?? []
          return (pair[0].asString ?? "", try DataType(text: pair[1].asString ?? ""))
        }
      }
      key = changes ? ["id"] : []
      if let given = line["key"]?.asArray { key = given.compactMap(\.asString) }
      if !key.isEmpty { columns[0].1 = columns[0].1.notNull }
      fate = line
      value = Self.bytes(line)
    }

    private static func bytes(_ line: JSONValue) -> [UInt8]? {
      if let hex = line["hex"]?.asString {
        let digits = Array(hex.utf8)
        return stride(from: 0, to: digits.count, by: 2).map {
          ValueParser.hexValue(digits[$0]) << 4 | ValueParser.hexValue(digits[$0 + 1])
        }
      }
      if let make = line["make"] {
        let count = Int(make["bytes"]?.asInt ?? 0)
        func many(_ text: String) -> String { String(repeating: text, count: count) }
        let text =
          switch make["kind"]?.asString {
          case "string": "{\"id\":1,\"name\":\"\(many("x"))\"}"
          case "unended": "{\"id\":1,\"name\":\"\(many("x"))"
          case "other": "{\"id\":1,\"other\":\"\(many("x"))\"}"
          case "deep": "{\"id\":1,\"other\":\(many("["))\(many("]"))}"
          case "deepobject": "{\"id\":1,\"other\":\(many("{\"a\":"))1\(many("}"))}"
          case "deepname": "{\"id\":1,\"name\":\(many("["))\(many("]"))}"
          default: many("[") + many("]")
          }
        return Array(text.utf8)
      }
      return line["value"]?.asString.map { Array($0.utf8) }
    }

    /// A message of the format that every table takes, and the row it is; nil where there is none.
    var good: (text: String, row: String)? {
      if columns.count != 2 || columns[1].0 != "name" { return nil }
      switch format {
      case "json": return (#"{"id":77,"name":"g"}"#, "+I[77, g]")
      case "csv": return ("77,g", "+I[77, g]")
      case "debezium-json":
        return (#"{"before":null,"after":{"id":77,"name":"g"},"op":"c"}"#, "+I[77, g]")
      case "canal-json":
        return (
          #"{"database":"d","table":"t","data":[{"id":"77","name":"g"}],"type":"INSERT"}"#,
          "+I[77, g]"
        )
      case "maxwell-json": return (#"{"data":{"id":77,"name":"g"},"type":"insert"}"#, "+I[77, g]")
      case "ogg-json": return (#"{"after":{"id":77,"name":"g"},"op_type":"I"}"#, "+I[77, g]")
      default: return nil
      }
    }

    var table: ConnectorTable {
      var all = options
      all["connector"] = "kafka"
      all["format"] = format
      return ConnectorTable(
        name: "t", type: RowType(columns), primaryKey: key, options: all, folder: "/")
    }

    func decoder() throws -> MessageDecoder {
      var options = ConnectorOptions(table)
      let decoder = try MessageDecoder(&options, isUpsert: false)
      try options.finish()
      return decoder
    }
  }

  static func cases() throws -> [Case] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
    let url = folder.appendingPathComponent("Fixtures/malformed/messages.jsonl")
    return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map {
      try Case(try JSONValue.parse(String($0)))
    }
  }

  private func append(_ bytes: [UInt8]?, to block: MessageBlock) {
    guard let bytes else { return block.append(value: nil, key: nil) }
    bytes.withUnsafeBytes { block.append(value: $0, key: nil) }
  }

  func test_messages_haveTheirFatesAndLeaveNeighboursAlone() throws {
    let cases = try Self.cases()
    XCTAssertGreaterThanOrEqual(cases.count, 120)
    for one in cases {
      let decoder = try one.decoder()
      let block = MessageBlock()
      if let good = one.good { append(Array(good.text.utf8), to: block) }
      append(one.value, to: block)
      if let good = one.good { append(Array(good.text.utf8), to: block) }
      let out = try decoder.decode(block)
      let number = one.good == nil ? 0 : 1
      let batch = SourceBatch(
        rows: Batch(one.table.type, out.columns, count: out.count), kinds: out.kinds)
      let rows = FileFixture.text(batch)
      var wanted: [String] = []
      if let texts = one.fate["rows"]?.asArray { wanted = texts.compactMap(\.asString) }
      if one.name.contains("10 MB"), let long = wanted.first, long.contains("#") {
        wanted = [
          long.replacingOccurrences(
            of: "#10000000", with: String(repeating: "x", count: 10_000_000))
        ]
      }
      if let good = one.good { wanted = [good.row] + wanted + [good.row] }
      XCTAssert(rows == wanted, "\(one.name): \(rows.map { $0.prefix(200) })")
      if let reason = one.fate["dead"]?.asString {
        XCTAssertEqual(out.rejects.map(\.message), [number], one.name)
        let told = out.rejects.first?.reason ?? ""
        XCTAssert(reason.isEmpty || told.contains(reason), "\(one.name): \(told)")
      } else {
        XCTAssertEqual(out.rejects.map(\.reason), [], one.name)
      }
      XCTAssertEqual(out.skipped, one.fate["skipped"] == nil ? 0 : 1, one.name)
    }
  }

  func test_tenThousandMutations_neverCrash() throws {
    let environment = ProcessInfo.processInfo.environment
    let seed: UInt64 = environment["CI"] != nil ? 11 : .random(in: 0..<1_000_000)
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    let cases = try Self.cases().filter { ($0.value?.count ?? 0) < 5_000 }
    let values = cases.compactMap(\.value)
    var count = 0
    while count < 10_000 {
      for one in cases {
        let decoder = try one.decoder()
        let block = MessageBlock()
        for _ in 0..<8 { append(mutated(one.value ?? [], values, &random), to: block) }
        let out = try decoder.decode(block)
        XCTAssertEqual(out.columns.map(\.count), out.columns.map { _ in out.count }, one.name)
        XCTAssertLessThanOrEqual(out.rejects.count + out.skipped, 8)
        count += 8
      }
    }
  }

  private func mutated(
    _ value: [UInt8], _ others: [[UInt8]], _ random: inout SplitMix
  ) -> [UInt8] {
    var bytes = value
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      let at = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
      let other = others.randomElement(using: &random) ?? []
      switch Int.random(in: 0..<6, using: &random) {
      case 0 where !bytes.isEmpty: bytes[at] = UInt8.random(in: 0...255, using: &random)
      case 1 where !bytes.isEmpty: bytes.remove(at: at)
      case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
      case 3: bytes.insert(contentsOf: Array("{}[]\",:\\u0".utf8).shuffled(using: &random), at: at)
      case 4 where !other.isEmpty:
        let from = Int.random(in: 0..<other.count, using: &random)
        bytes.insert(contentsOf: other[from..<min(other.count, from + 30)], at: at)
      default: bytes = Array(bytes.prefix(at))
      }
    }
    return bytes
  }
}
