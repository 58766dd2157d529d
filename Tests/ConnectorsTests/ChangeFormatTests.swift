import Columns
import Formats
import Foundation
import Store
import XCTest

@testable import Connectors

final class ChangeFormatTests: XCTestCase {
  private func read(
    _ format: String, _ lines: [String], key: [String] = ["id"], _ options: [String: String] = [:]
  ) throws -> [String] {
    let fixture = try FileFixture()
    try fixture.put("a.json", lines.joined(separator: "\n") + "\n")
    return try fixture.read(
      fixture.table(
        format, options, columns: [("id", DataType.bigint.notNull), ("name", .string)], key: key))
  }

  private let debezium = [
    #"{"before":null,"after":{"id":1,"name":"a"},"op":"r","ts_ms":1,"source":{"table":"t"}}"#,
    #"{"before":null,"after":{"id":2,"name":"b"},"op":"c"}"#,
    #"{"before":{"id":1,"name":"a"},"after":{"id":1,"name":null},"op":"u"}"#,
    #"{"before":{"id":2,"name":"b"},"after":{"id":3,"name":"b"},"op":"u"}"#,
    #"{"before":{"id":3,"name":"b"},"after":null,"op":"d"}"#,
  ]

  func test_debezium_givesUpsertsWithAKey() throws {
    XCTAssertEqual(
      try read("debezium-json", debezium),
      ["+I[1, a]", "+I[2, b]", "+U[1, NULL]", "-D[2, b]", "+U[3, b]", "-D[3, b]"])
  }

  func test_debezium_givesRetractionsWithoutAKey() throws {
    XCTAssertEqual(
      try read("debezium-json", debezium, key: []),
      [
        "+I[1, a]", "+I[2, b]", "-U[1, a]", "+U[1, NULL]", "-U[2, b]", "+U[3, b]", "-D[3, b]",
      ])
  }

  func test_debezium_readsThePayloadOfAnEnvelope() throws {
    XCTAssertEqual(
      try read(
        "debezium-json", debezium.map { #"{"schema":{"type":"struct"},"payload":"# + $0 + "}" },
        ["debezium-json.schema-include": "true"]
      ).count, 6)
  }

  func test_debezium_putsAsideWhatIsNoChange() throws {
    let bad = [
      #"{"before":null,"after":{"id":1,"name":"a"},"op":"u"}"#,
      #"{"before":null,"after":null,"op":"d"}"#,
      #"{"before":null,"after":null,"op":"c"}"#,
      #"{"before":null,"after":{"id":null,"name":"a"},"op":"c"}"#,
      #"{"before":null,"after":null,"op":"t"}"#,
      #"{"status":"BEGIN","id":"1"}"#,
      "null",
      "",
      #"{"schema":{},"payload":{}}"#,
      #"{"before":null,"after":{"id":99999999999999999999},"op":"c"}"#,
      #"{"before":null,"after":{"id":1},"op":"c""#,
      "\u{feff}",
      #"{"before":{"id":7},"after":null,"op":"d"}"#,
    ]
    let upserts = try read("debezium-json", bad)
    XCTAssertEqual(upserts.filter { !$0.hasPrefix("!") }, ["+U[1, a]", "-D[7, NULL]"])
    XCTAssertEqual(upserts.count, 11, upserts.joined(separator: "\n"))
    let retractions = try read("debezium-json", bad, key: [])
    XCTAssertEqual(retractions.filter { !$0.hasPrefix("!") }, ["-D[7, NULL]"])
    XCTAssert(retractions[0].contains("without \"before\""), retractions[0])
  }

  private let canal = [
    #"{"data":[{"id":"1","name":"a"},{"id":"2","name":"b"}],"old":null,"type":"INSERT","isDdl":false}"#,
    #"{"data":[{"id":"1","name":"c"},{"id":"2","name":null}],"old":[{"name":"a"},{"name":"b"}],"type":"UPDATE"}"#,
    #"{"data":null,"type":"ALTER","isDdl":true}"#,
    #"{"data":[{"id":"3","name":"c"}],"old":[{"id":"1"}],"type":"UPDATE"}"#,
    #"{"data":[{"id":"3","name":"x"}],"old":[{"name":null}],"type":"UPDATE"}"#,
    #"{"data":[{"id":"3","name":"x"}],"old":null,"type":"DELETE"}"#,
    #"{"data":[{"id":"4","name":"x"}],"old":null,"type":"UPDATE"}"#,
  ]

  func test_canal_givesUpsertsWithAKey() throws {
    XCTAssertEqual(
      try read("canal-json", canal),
      [
        "+I[1, a]", "+I[2, b]", "+U[1, c]", "+U[2, NULL]", "-D[1, c]", "+U[3, c]", "+U[3, x]",
        "-D[3, x]", "+U[4, x]",
      ])
  }

  func test_canal_givesRetractionsWithoutAKey() throws {
    let rows = try read("canal-json", canal, key: [])
    XCTAssertEqual(
      Array(rows.dropLast()),
      [
        "+I[1, a]", "+I[2, b]", "-U[1, a]", "+U[1, c]", "-U[2, b]", "+U[2, NULL]", "-U[1, c]",
        "+U[3, c]", "-U[3, NULL]", "+U[3, x]", "-D[3, x]",
      ])
    XCTAssert(rows.last?.contains("without \"old\"") == true)
  }

  func test_anyBytes_neverCrash() throws {
    let seed: UInt64 =
      ProcessInfo.processInfo.environment["CI"] != nil ? 7 : .random(in: 0..<1_000_000)
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    for format in ["json", "csv", "debezium-json", "canal-json"] {
      let good = format == "csv" ? ["1,a", "2,\"b\""] : format == "canal-json" ? canal : debezium
      for _ in 0..<100 {
        var bytes = Array((good.joined(separator: "\n") + "\n").utf8)
        for _ in 0..<Int.random(in: 1...8, using: &random) {
          let at = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<3, using: &random) {
          case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
          case 1: bytes.remove(at: at)
          default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
          }
        }
        let fixture = try FileFixture()
        try fixture.put("a", bytes: bytes)
        for key in [["id"], []] {
          let table = fixture.table(
            format, columns: [("id", DataType.bigint.notNull), ("name", .string)], key: key)
          // Bytes that begin like a packed file are damaged as a whole.
          do { _ = try fixture.read(table) } catch let error as TerraceError {
            XCTAssertEqual(error.kind, .corrupted)
          }
        }
      }
    }
  }
}
