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
      ["+I[1, a]", "+I[2, b]", "+U[1, NULL]", "-D[2, NULL]", "+U[3, b]", "-D[3, NULL]"])
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

  /// Several tables in one topic, and a column whose type was changed: each event has its own schema.
  func test_debezium_readsEachEventByItsOwnSchema() throws {
    func event(_ id: Int, _ name: String, _ value: Int) -> String {
      let fields =
        #"[{"type":"int64","field":"id"},{"type":"int64","name":"io.debezium.time.\#(name)","field":"at"}]"#
      return #"{"schema":{"fields":[{"field":"after","fields":\#(fields)}]},"#
        + #""payload":{"after":{"id":\#(id),"at":\#(value)},"op":"c"}}"#
    }
    let (micros, millis) = (1_700_000_000_123_456, 1_700_000_000_123)
    let events = [
      event(1, "MicroTimestamp", micros), event(2, "Timestamp", millis), "broken",
      event(3, "Timestamp", millis), event(4, "NanoTimestamp", micros * 1000),
      #"{"after":{"id":5,"at":null},"op":"c"}"#, event(6, "MicroTimestamp", micros),
    ]
    let fixture = try FileFixture()
    try fixture.put("a.json", events.joined(separator: "\n") + "\n")
    let rows = try fixture.read(
      fixture.table("debezium-json", columns: [("id", .bigint), ("at", .timestamp(6))], key: []))
    let (fine, coarse) = ("2023-11-14 22:13:20.123456", "2023-11-14 22:13:20.123000")
    XCTAssertEqual(
      rows.filter { $0.hasPrefix("+I") },
      [
        "+I[1, \(fine)]", "+I[2, \(coarse)]", "+I[3, \(coarse)]", "+I[4, \(fine)]",
        "+I[5, NULL]", "+I[6, \(fine)]",
      ])
    XCTAssert(rows.contains { $0.contains("a.json:3") }, "\(rows)")
  }

  /// The scale of a decimal's bytes is the schema's, and not the column's.
  func test_debezium_readsDecimalsByTheScaleOfTheirSchema() throws {
    let fixture = try FileFixture()
    func event(_ id: Int, _ scale: String) -> String {
      let fields =
        #"[{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":\#(scale),"field":"d"}]"#
      return #"{"schema":{"fields":[{"field":"after","fields":\#(fields)}]},"#
        + #""payload":{"after":{"id":\#(id),"d":"BNI="},"op":"c"}}"#
    }
    try fixture.put(
      "a.json",
      [event(1, #"{"scale":"2"}"#), event(2, #"{"scale":"0"}"#), event(3, "{}")]
        .joined(separator: "\n") + "\n")
    XCTAssertEqual(
      try fixture.read(
        fixture.table(
          "debezium-json", columns: [("id", .bigint), ("d", .decimal(12, 3))], key: [])),
      ["+I[1, 12.340]", "+I[2, 1234.000]", "+I[3, 1.234]"])
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
    XCTAssertEqual(upserts.count, 10, upserts.joined(separator: "\n"))
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

  /// MySQL's TINYINT(1), as Canal and Debezium write it.
  func test_booleans_mayBeDigits() throws {
    let fixture = try FileFixture()
    try fixture.put(
      "a.json",
      #"{"data":[{"id":"1","b":"1"},{"id":"2","b":"0"},{"id":"3","b":1},{"id":"4","b":"2"}],"type":"INSERT"}"#
        + "\n" + #"{"data":[{"id":"5","b":0}],"type":"INSERT"}"# + "\n")
    let table = fixture.table(
      "canal-json", columns: [("id", DataType.bigint.notNull), ("b", .boolean)], key: ["id"])
    XCTAssertEqual(try fixture.read(table).filter { $0.hasPrefix("+") }, ["+I[5, false]"])
    try fixture.put(
      "a.json",
      #"{"data":[{"id":"1","b":"1"},{"id":"2","b":"0"},{"id":"3","b":1}],"type":"INSERT"}"# + "\n")
    XCTAssertEqual(
      try fixture.read(table), ["+I[1, true]", "+I[2, false]", "+I[3, true]"])
  }

  func test_raw_readsTheUTF16ThatItWrites() throws {
    for (bytes, text) in [
      ([0x4f, 0x60, 0x59, 0x7d], "你好"), ([0xfe, 0xff, 0x4f, 0x60], "你"),
      ([0xff, 0xfe, 0x60, 0x4f], "你"),
    ] as [([UInt8], String)] {
      let charset = try Charset("UTF-16", isDecoding: true)
      let read = bytes.withUnsafeBytes { charset.convert($0) }
      XCTAssertEqual(read.map { String(decoding: $0, as: UTF8.self) }, text)
    }
  }

  // The example messages of Flink's documentation.

  private func product(
    _ format: String, _ lines: [String], key: [String] = [], more: [(String, DataType)] = [],
    metadata: [String: String] = [:]
  ) throws -> [String] {
    let fixture = try FileFixture()
    try fixture.put("a.json", lines.joined(separator: "\n") + "\n")
    let id = key.isEmpty ? DataType.bigint : .bigint.notNull
    let columns: [(String, DataType)] = [
      ("id", id), ("name", .string), ("description", .string), ("weight", .decimal(10, 2)),
    ]
    return try fixture.read(
      fixture.table(
        format, columns: columns + more, key: key,
        metadata: more.map { .init(column: $0.0, key: metadata[$0.0] ?? "", isVirtual: true) }))
  }

  func test_debezium_readsFlinksExample() throws {
    let event = #"""
      {"before":{"id":111,"name":"scooter","description":"Big 2-wheel scooter","weight":5.18},"after":{"id":111,"name":"scooter","description":"Big 2-wheel scooter","weight":5.15},"source":{"db":"inventory","table":"products","ts_ms":1589362330000,"file":"mysql-bin.000003","pos":381,"gtid":null},"op":"u","ts_ms":1589362330904,"transaction":null}
      """#
    let rows = [
      "-U[111, scooter, Big 2-wheel scooter, 5.18]", "+U[111, scooter, Big 2-wheel scooter, 5.15]",
    ]
    XCTAssertEqual(try product("debezium-json", [event]), rows)
    XCTAssertEqual(
      try product("debezium-json", [#"{"schema":{"a":1},"payload":\#(event)}"#, event]), rows + rows
    )
    XCTAssertEqual(
      try product(
        "debezium-json", [event], key: ["id"],
        more: [
          ("s", .string), ("t", DataType(.timestampLTZ(3))), ("o", DataType(.timestampLTZ(3))),
          ("p", .map(.string, .string)),
        ],
        metadata: [
          "s": "source.table", "t": "ingestion-timestamp", "o": "source.timestamp",
          "p": "source.properties",
        ]),
      [
        "+U[111, scooter, Big 2-wheel scooter, 5.15, products, 2020-05-13 09:32:10.904Z, "
          + #"2020-05-13 09:32:10.000Z, [["db","inventory"],["table","products"],["ts_ms","1589362330000"],"#
          + #"["file","mysql-bin.000003"],["pos","381"],["gtid",null]]]"#
      ])
  }

  func test_canal_readsFlinksExample() throws {
    let event = #"""
      {"data":[{"id":"111","name":"scooter","description":"Big 2-wheel scooter","weight":"5.18"}],"database":"inventory","es":1589373560000,"id":9,"isDdl":false,"mysqlType":{"id":"INTEGER","name":"VARCHAR(255)","description":"VARCHAR(512)","weight":"FLOAT"},"old":[{"weight":"5.15"}],"pkNames":["id"],"sql":"","sqlType":{"id":4,"name":12,"description":12,"weight":7},"table":"products","ts":1589373560798,"type":"UPDATE"}
      """#
    XCTAssertEqual(
      try product(
        "canal-json", [event],
        more: [("k", .array(.string)), ("q", .map(.string, .int)), ("d", .string)],
        metadata: ["k": "pk-names", "q": "sql-type", "d": "database"]),
      ["-U", "+U"].map {
        "\($0)[111, scooter, Big 2-wheel scooter, \($0 == "-U" ? "5.15" : "5.18"), [\"id\"], "
          + #"[["id",4],["name",12],["description",12],["weight",7]], inventory]"#
      })
  }

  func test_maxwell_readsFlinksExample() throws {
    let event = #"""
      {"database":"test","table":"e","type":"update","ts":1477053217,"xid":23396,"commit":true,"position":"master.000006:800911","server_id":23042,"thread_id":108,"primary_key":[1,"2016-10-21 05:33:37.523000"],"primary_key_columns":["id","c"],"data":{"id":111,"name":"scooter","description":"Big 2-wheel scooter","weight":5.15},"old":{"weight":5.18}}
      """#
    XCTAssertEqual(
      try product(
        "maxwell-json", [event],
        more: [("t", DataType(.timestampLTZ(3))), ("k", .array(.string))],
        metadata: ["t": "ingestion-timestamp", "k": "primary-key-columns"]),
      [("-U", "5.18"), ("+U", "5.15")].map {
        "\($0.0)[111, scooter, Big 2-wheel scooter, \($0.1), 2016-10-21 12:33:37.000Z, "
          + #"["id","c"]]"#
      })
  }

  func test_ogg_readsFlinksExample() throws {
    let event = #"""
      {"before":{"id":111,"name":"scooter","description":"Big 2-wheel scooter","weight":5.18},"after":{"id":111,"name":"scooter","description":"Big 2-wheel scooter","weight":5.15},"op_type":"U","op_ts":"2020-05-13 15:40:06.000000","current_ts":"2020-05-13 15:40:07.000000","primary_keys":["id"],"pos":"00000000000000000000143","table":"PRODUCTS"}
      """#
    let moment = DataType(.timestampLTZ(6))
    XCTAssertEqual(
      try product(
        "ogg-json", [event], more: [("t", .string), ("e", moment), ("k", .array(.string))],
        metadata: ["t": "table", "e": "event-timestamp", "k": "primary-keys"]),
      [("-U", "5.18"), ("+U", "5.15")].map {
        "\($0.0)[111, scooter, Big 2-wheel scooter, \($0.1), PRODUCTS, "
          + #"2020-05-13 15:40:06.000000Z, ["id"]]"#
      })
  }

  func test_anyBytes_neverCrash() throws {
    let seed: UInt64 =
      ProcessInfo.processInfo.environment["CI"] != nil ? 7 : .random(in: 0..<1_000_000)
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    for format in ["json", "csv", "debezium-json", "canal-json", "maxwell-json", "ogg-json"] {
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
