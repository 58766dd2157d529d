import Columns
import Formats
import Store
import XCTest

@testable import Connectors

final class MessageDecoderTests: XCTestCase {
  private static let columns: [(String, DataType)] = [("id", .bigint), ("name", .string)]

  private func table(
    _ options: [String: String], columns: [(String, DataType)] = columns, key: [String] = [],
    metadata: [ConnectorTable.Metadata] = []
  ) -> ConnectorTable {
    ConnectorTable(
      name: "t", type: RowType(columns), metadata: metadata, primaryKey: key,
      options: options.merging(["connector": "kafka"]) { a, _ in a }, folder: "/")
  }

  private func block(_ messages: [(key: String?, value: String?)]) -> MessageBlock {
    let block = MessageBlock()
    for message in messages {
      let key = message.key.map { Array($0.utf8) }
      let value = message.value.map { Array($0.utf8) }
      (value ?? []).withUnsafeBytes { v in
        (key ?? []).withUnsafeBytes { k in
          block.append(value: value == nil ? nil : v, key: key == nil ? nil : k)
        }
      }
    }
    return block
  }

  private func read(
    _ table: ConnectorTable, _ messages: [(key: String?, value: String?)], isUpsert: Bool = false
  ) throws -> [String] {
    var options = ConnectorOptions(table)
    let decoder = try MessageDecoder(&options, isUpsert: isUpsert)
    try options.finish()
    let rows = try decoder.decode(block(messages))
    let type = RowType(decoder.places.map { table.type.fields[$0] })
    let batch = SourceBatch(
      rows: Batch(type, rows.columns, count: rows.count), kinds: rows.kinds)
    var lines = FileFixture.text(batch)
    for i in lines.indices { lines[i] += " \(rows.messages.map { Int($0[i]) } ?? i)" }
    for reject in rows.rejects.reversed() {
      lines.insert("!\(reject.message) \(reject.reason)", at: reject.row)
    }
    return lines + (rows.skipped > 0 ? ["skipped \(rows.skipped)"] : [])
  }

  func test_json_isOneRowAMessage() throws {
    let rows = try read(
      table(["format": "json"]),
      [
        (nil, #"{"id":1,"name":"a"}"#), (nil, "{\n  \"id\": 2,\n  \"name\": \"b\"\n}\n"),
        (nil, "\u{feff}{\"id\":3}"), (nil, nil), (nil, ""), (nil, "{\"id\":4,\"name\":\"x\ny\"}"),
        (nil, #"{"id":5} {"id":6}"#), (nil, #"{"id":7,"name":"\\"}"#),
      ])
    XCTAssertEqual(rows[0...2], ["+I[1, a] 0", "+I[2, b] 1", "+I[3, NULL] 2"])
    XCTAssert(rows[3].hasPrefix("!4 a record is not a JSON object"), rows[3])
    XCTAssert(rows[4].hasPrefix("!5 a control character"), rows[4])
    XCTAssert(rows[5].hasPrefix("!6 text after the record"), rows[5])
    XCTAssertEqual(rows[6...], ["+I[7, \\] 7", "skipped 1"])
  }

  func test_csv_isOneRecordAMessage() throws {
    let rows = try read(
      table(["value.format": "csv", "value.csv.field-delimiter": ";"]),
      [(nil, "1;a\r\n"), (nil, "2;\"b\nc\""), (nil, "3;a\n4;b"), (nil, "5"), (nil, nil)])
    XCTAssertEqual(rows[0...1], ["+I[1, a] 0", "+I[2, b\nc] 1"])
    XCTAssert(rows[2].hasPrefix("!2 a line end outside quotes"), rows[2])
    XCTAssert(rows[3].hasPrefix("!3 another number of fields"), rows[3])
    XCTAssertEqual(rows[4], "skipped 1")
  }

  func test_keys_giveTheirColumns() throws {
    let rows = try read(
      table([
        "format": "json", "key.format": "csv", "key.fields": "id",
        "value.fields-include": "EXCEPT_KEY",
      ]),
      [
        ("1", #"{"name":"a","id":9}"#), (nil, #"{"name":"b"}"#), ("x", #"{"name":"c"}"#),
        ("2", nil),
      ])
    XCTAssertEqual(rows[0...1], ["+I[1, a] 0", "+I[NULL, b] 1"])
    XCTAssert(rows[2].hasPrefix("!2 in the key: "), rows[2])
    XCTAssertEqual(rows[3], "skipped 1")
  }

  func test_keys_areRawOrCSVToo() throws {
    let columns: [(String, DataType)] = [("k", .string), ("n", .int), ("b", .bytes)]
    XCTAssertEqual(
      try read(
        table(
          [
            "key.format": "raw", "key.fields": "k", "value.format": "csv",
            "value.fields-include": "EXCEPT_KEY",
          ], columns: columns), [("a,b", "7,AP8="), (nil, "8,"), ("", "9,!")]),
      [
        "+I[a,b, 7, 0x00ff] 0", "+I[NULL, 8, NULL] 1",
        "!2 not bytes in base64, column 3, field b, near !",
      ])
    XCTAssertEqual(
      try read(
        table(
          [
            "key.format": "csv", "key.fields": "k;n", "value.format": "raw",
            "value.fields-include": "EXCEPT_KEY",
          ], columns: columns), [("x,5", "\u{1}"), ("x", "y"), ("\"q,\"\"r\",6", "")]),
      [
        "+I[x, 5, 0x01] 0", "!1 in the key: another number of fields than columns, column 2, near ",
        "+I[q,\"r, 6, 0x] 2",
      ])
  }

  func test_letters_areReadAgainWithTheirKeys() throws {
    let options = [
      "connector": "upsert-kafka", "topic": "t", "properties.bootstrap.servers": "x:1",
      "key.format": "json", "value.format": "json",
    ]
    let table = table(
      options, columns: [("id", DataType.bigint.notNull), ("name", .string)], key: ["id"])
    let decoder = try KafkaLetterDecoder(
      ConnectorTable(
        name: "t", type: table.type, primaryKey: ["id"], options: options, folder: "/"))
    func fate(_ key: String?, _ value: String?, keepsKey: Bool = true) throws -> [String] {
      var letter = DeadLetter(row: 0, place: "t-0@5", bytes: Array((value ?? "").utf8), reason: "")
      letter.key = key.map { Array($0.utf8) }
      letter.isTombstone = value == nil
      switch try decoder.decode(letter, keepsKey: keepsKey) {
      case .rows(let rows, let kinds):
        return FileFixture.text(SourceBatch(rows: rows, kinds: kinds))
      case .refused(let reason): return ["! " + reason]
      }
    }
    XCTAssertEqual(try fate("{\"id\":7}", "{\"id\":7,\"name\":\"a\"}"), ["+U[7, a]"])
    XCTAssertEqual(try fate("{\"id\":7}", nil), ["-D[7, NULL]"])
    XCTAssertEqual(try fate(nil, nil), ["! a message of a table of upserts without a key"])
    XCTAssert(try fate("{\"id\":7}", nil, keepsKey: false)[0].contains("kept no keys"))
  }

  func test_upserts_deleteByTombstones() throws {
    let all = table(
      ["key.format": "json", "value.format": "json"],
      columns: [("id", DataType.bigint.notNull), ("name", .string)], key: ["id"])
    let rows = try read(
      all,
      [
        (#"{"id":1}"#, #"{"id":1,"name":"a"}"#), (#"{"id":2}"#, nil), (nil, nil),
        (nil, #"{"id":3}"#), (#"{"id":4}"#, "{"),
      ], isUpsert: true)
    XCTAssertEqual(rows[0...1], ["+U[1, a] 0", "-D[2, NULL] 1"])
    XCTAssert(rows[2].hasPrefix("!2 ") && rows[3].hasPrefix("!3 ") && rows[4].hasPrefix("!4 "))
  }

  func test_debezium_givesRowsOfMessages() throws {
    let rows = try read(
      table(
        ["format": "debezium-json"],
        columns: Self.columns + [("t", DataType(.timestampLTZ(3)))], key: ["id"],
        metadata: [.init(column: "t", key: "value.ingestion-timestamp", isVirtual: true)]),
      [
        (nil, #"{"before":null,"after":{"id":1,"name":"a"},"op":"c","ts_ms":7}"#), (nil, nil),
        (nil, "{\"before\":{\"id\":1},\n\"after\":{\"id\":2},\"op\":\"u\"}"), (nil, ""),
        (nil, "{}"),
      ])
    XCTAssertEqual(
      rows[0...2],
      ["+I[1, a, 1970-01-01 00:00:00.007Z] 0", "-D[1, NULL, NULL] 2", "+U[2, NULL, NULL] 2"])
    XCTAssert(rows[3].hasPrefix("!4 no member \"op\""), rows[3])
    XCTAssertEqual(rows[4], "skipped 2")
  }

  func test_encoder_givesKeysAndTombstones() throws {
    let one = table(["key.format": "json", "value.format": "csv"], key: ["id"])
    var options = ConnectorOptions(one)
    let encoder = try MessageEncoder(&options, isUpsert: true)
    try options.finish()
    let columns = [
      Column.repeating(.int(1), type: .bigint, count: 3),
      Column.repeating(.text("a,b"), type: .string, count: 3),
    ]
    let kinds = [RowKind.updateBefore, .updateAfter, .delete].map(\.rawValue)
    let out = try encoder.encode(
      Batch(one.type, columns, count: 3), kinds: kinds.withUnsafeBytes { Buffer(copying: $0) })
    func text(_ bytes: UnsafeRawBufferPointer?) -> String? {
      bytes.map { String(decoding: $0, as: UTF8.self) }
    }
    XCTAssertEqual(out.rows, [1, 2])
    XCTAssertEqual(text(out.value(0)), "1,\"a,b\"")
    XCTAssertEqual(text(out.key(0)), #"{"id":1}"#)
    XCTAssertNil(out.value(1))
    XCTAssertEqual(text(out.key(1)), #"{"id":1}"#)
  }

  func test_options_areRefusedWhenTheyContradict() throws {
    for options in [
      ["format": "json", "value.format": "json"], ["format": "parquet"],
      ["format": "json", "key.fields": "id"],
      ["format": "json", "key.format": "json"],
      ["format": "json", "key.format": "json", "key.fields": "no"],
      ["format": "json", "key.format": "json", "key.fields": "id", "key.fields-prefix": "id"],
    ] {
      XCTAssertThrowsError(try read(table(options), []), "\(options)")
    }
    XCTAssertThrowsError(
      try read(
        table(["key.format": "json", "value.format": "debezium-json"], key: ["id"]), [],
        isUpsert: true))
  }
}
