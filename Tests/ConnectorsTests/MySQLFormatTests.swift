import Columns
import Formats
import Store
import XCTest

@testable import Connectors

/// What MySQL has and MariaDB has not, from bytes as MySQL's sources document them (json_binary.h, libbinlogevents,
/// rpl_gtid_set.cc) and as a server wrote them. Tests/Integration/mysql_tests.py asks the servers themselves.
final class MySQLFormatTests: XCTestCase {
  private func json(_ bytes: [UInt8]) -> String? {
    bytes.withUnsafeBytes { MySQLBinaryJSON.text($0) }
  }

  func test_binaryJSON_isTheDocument() {
    // {"a": 1, "b": "x"}: count, size, two keys (offset, length), two values (type, inline or offset).
    let object: [UInt8] = [
      0, 2, 0, 22, 0, 18, 0, 1, 0, 19, 0, 1, 0, 5, 1, 0, 12, 20, 0, 0x61, 0x62, 1, 0x78,
    ]
    XCTAssertEqual(json(object), #"{"a": 1, "b": "x"}"#)
    // [true, null, 3.5, -70000]
    let double = withUnsafeBytes(of: Double(3.5).bitPattern.littleEndian) { Array($0) }
    let int = withUnsafeBytes(of: Int32(-70_000).littleEndian) { Array($0) }
    let array = [2, 4, 0, 28, 0, 4, 1, 0, 4, 0, 0, 11, 16, 0, 7, 24, 0] as [UInt8] + double + int
    XCTAssertEqual(json(array), "[true, null, 3.5, -70000]")
    // A decimal inside: 123.45 as DECIMAL(5, 2).
    XCTAssertEqual(json([15, 0xf6, 5, 5, 2, 0x80, 0x7b, 0x2d]), "123.45")
    for count in 0..<object.count where count > 0 { _ = json(Array(object.prefix(count))) }
    XCTAssertNil(json(Array(object.prefix(10))))
  }

  private func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex.utf8)
    return stride(from: 0, to: digits.count, by: 2).map { at in
      UInt8(String(decoding: digits[at..<at + 2], as: UTF8.self), radix: 16) ?? 0
    }
  }

  func test_gtidSet_hasTagsAsMySQL97WritesThem() throws {
    // PREVIOUS_GTIDS of MySQL 9.7.4.
    let written = bytes(
      "0103000000000001" + "f5cfce42e5d111f1b62702fc00000001" + "00"
        + "010000000000000001000000000000000500000000000000" + "f5cfce42e5d111f1b62702fc00000001"
        + "0c6d795f746167" + "010000000000000001000000000000000300000000000000"
        + "f5cfce42e5d111f1b62702fc00000001" + "047462"
        + "010000000000000001000000000000000200000000000000")
    let text = "f5cfce42-e5d1-11f1-b627-02fc00000001:1-4:my_tag:1-2:tb:1"
    let set = try GTIDSet(text)
    XCTAssertEqual(set.encoded, written)
    XCTAssertEqual(try GTIDSet(set.text), set)
    XCTAssertEqual(set.count, 7)
    let read = try written.withUnsafeBytes { raw in
      var cursor = ByteCursor(raw)
      return try GTIDSet(encoded: &cursor)
    }
    XCTAssertEqual(read, set)
    for count in 0..<written.count {
      written.prefix(count).withUnsafeBytes { raw in
        var cursor = ByteCursor(raw)
        do throws(TerraceError) {
          _ = try GTIDSet(encoded: &cursor)
          XCTFail("\(count) bytes are a set")
        } catch { XCTAssertEqual(error.kind, .corrupted) }
      }
    }
  }

  func test_taggedGTID_isRead() throws {
    // The body of an event of MySQL 9.7.4.
    let written = bytes(
      "0278000000022d032ec902ba9503450322c5033902250304f103000000020404060c6d795f74616708340a380c7f"
    )
    let (server, number) = try written.withUnsafeBytes { raw in
      var cursor = ByteCursor(raw)
      return try cursor.readTaggedGTID()
    }
    XCTAssertEqual(server, bytes("cb17b25de5d111f18ec902fc00000001") + Array("my_tag".utf8))
    XCTAssertEqual(number, 1)
  }

  func test_xaName_isTheSameInEventsAndStatements() throws {
    let event = bytes("0700000003000000010000006f6e6562")
    let name = try event.withUnsafeBytes { raw in
      var cursor = ByteCursor(raw)
      return try XAName(&cursor)
    }
    guard case .commit(let said)? = XAStatement("XA COMMIT X'6f6e65',X'62',7") else {
      return XCTFail("XA COMMIT")
    }
    XCTAssertEqual(said, name)
    guard case .start? = XAStatement("XA START X'6f6e65',X'62',7") else {
      return XCTFail("XA START")
    }
    XCTAssertNil(XAStatement("XA COMMIT 'one'"))
    XCTAssertNil(XAStatement("COMMIT"))
  }

  func test_position_saysWhereTheLogMustBeOpened() throws {
    let id = "f5cfce42-e5d1-11f1-b627-02fc00000001"
    var transactions = XATransactions()
    XCTAssertNil(transactions.since)
    let first = try MySQLPosition(text: "mysql=\(id):1-4@bin.000001:77")
    var second = try MySQLPosition(text: "mysql=\(id):1-10@bin.000002:4")
    let names = ["X'01',X'',1", "X'02',X'',1"].compactMap { XAName(Substring($0)) }
    transactions.prepared(names[0], at: first)
    second.since = transactions.since
    transactions.prepared(names[1], at: second)
    XCTAssertEqual(second.text, "mysql=\(id):1-10@bin.000002:4<\(first.text)")
    XCTAssertEqual(try MySQLPosition(text: second.text).since, first.text)
    XCTAssertEqual(transactions.end(names[0]), first)
    // The second was prepared while the first was.
    XCTAssertEqual(transactions.since, first.text)
    XCTAssertNil(transactions.end(names[0]))
  }

  func test_doublesInJSON_areShownAsMySQLDoes() {
    let shown = [
      1e15: "1e15", 1e14: "100000000000000.0", 0.1: "0.1", 1e-15: "0.000000000000001",
      1e-16: "1e-16", -1.5e300: "-1.5e300", 123.456: "123.456", 2: "2.0", 1.5e-7: "0.00000015",
    ]
    for (value, text) in shown { XCTAssertEqual(MySQLBinaryJSON.text(value), text) }
  }

  func test_gtidSet_isEncodedAsTheDumpCommandWants() throws {
    let set = try GTIDSet(
      "00112233-4455-6677-8899-aabbccddeeff:1-5:7, 00112233-4455-6677-8899-aabbccddeeff:6")
    XCTAssertEqual(set.text, "00112233-4455-6677-8899-aabbccddeeff:1-7")
    let id: [UInt8] = [
      0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
    ]
    // One server, its id, one range: 1 up to 8, which is not in it.
    func eight(_ value: UInt8) -> [UInt8] { [value, 0, 0, 0, 0, 0, 0, 0] }
    XCTAssertEqual(set.encoded, eight(1) + id + eight(1) + eight(1) + eight(8))
    XCTAssertThrowsError(try GTIDSet("00112233-4455-6677-8899-aabbccddeeff:5-1"))
    XCTAssertThrowsError(try GTIDSet("0-1-5"))
  }

  /// An event without a checksum, as a server sends it with binlog_checksum = NONE.
  private func event(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
    func four(_ value: Int) -> [UInt8] {
      withUnsafeBytes(of: UInt32(value).littleEndian) { Array($0) }
    }
    let length = BinlogHeader.byteCount + body.count
    return four(1_700_000_000) + [type] + four(7) + four(length) + four(1000 + length) + [0, 0]
      + body
  }

  private func parsed(_ bytes: [UInt8]) throws -> BinlogEvent {
    var parser = BinlogParser()
    return try bytes.withUnsafeBytes { try parser.parse($0).event }
  }

  func test_gtidEvent_namesServerAndNumber() throws {
    let id = (1...16).map { UInt8($0) }
    let body = [1] + id + [42, 0, 0, 0, 0, 0, 0, 0]
    guard case .gtidLog(let server, let number) = try parsed(event(BinlogType.gtidLog, body)) else {
      return XCTFail("no GTID")
    }
    XCTAssertEqual(server, id)
    XCTAssertEqual(number, 42)
  }

  /// Transaction_payload_event: size, method and unpacked size as type, length, value; then the packed events.
  func test_packedTransaction_isItsEvents() throws {
    let inner = event(BinlogType.xid, [9, 0, 0, 0, 0, 0, 0, 0]) + event(BinlogType.stop, [])
    let compressor = Compressor()
    let packed = try inner.withUnsafeBytes { Array(try compressor.compress(.zstd, $0)) }
    let count = UInt8(inner.count)
    // 0 is zstd, 255 nothing at all; a number from 251 on has a byte before it.
    for (method, bytes) in [([1, 0] as [UInt8], packed), ([3, 252, 255, 0], inner)] {
      let body = [2] + method + [1, 1, UInt8(bytes.count), 3, 1, count, 0] + bytes
      guard case .payload(let transaction) = try parsed(event(BinlogType.payload, body)) else {
        return XCTFail("no payload")
      }
      var events: [UInt8] = []
      while let event = try transaction.next() { events += Array(event) }
      XCTAssertEqual(events, inner, "method \(method)")
    }
    // Sizes that lie take no memory and end in an error.
    XCTAssertThrowsError(try parsed(event(BinlogType.payload, [1, 1, 200, 0] + packed)))
    XCTAssertThrowsError(try parsed(event(BinlogType.payload, [2, 1, 9, 1, 1, 1, 0, 0])))
  }

  /// The metadata of two columns, e ENUM('a','b') and n INT UNSIGNED, as MySQL 8 and MariaDB write it.
  func test_metadata_describesColumns() throws {
    var metadata = TableMetadata([247, 3])
    func read(_ kind: UInt8, _ bytes: [UInt8]) throws {
      try bytes.withUnsafeBytes { try metadata.read(kind, ByteCursor($0)) }
    }
    try read(1, [0x80])
    XCTAssertNil(metadata.columns)
    try read(4, [1, 0x65, 1, 0x6e])
    try read(6, [2, 1, 0x61, 1, 0x62])
    try read(10, [8])
    let columns = try XCTUnwrap(metadata.columns)
    XCTAssertEqual(columns[0].members, [[0x61], [0x62]])
    XCTAssertEqual(columns[0].collation, 8)
    XCTAssertEqual(columns.map(\.name), ["e", "n"])
    XCTAssert(columns[1].isUnsigned)
    let column = try MySQLColumn(columns[0], 247, 1, [8: "latin1"])
    XCTAssertEqual(column.members, ["a", "b"])
    XCTAssertThrowsError(try read(6, [2, 9, 0x61]))
  }

  func test_statements_sayWhatBecomesOfColumns() {
    for text in [
      "ALTER TABLE t MODIFY a INT AFTER b", "alter table t drop a, add b int",
      "RENAME TABLE t TO u",
      "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", "CREATE OR REPLACE TABLE t (a INT)",
      "ALTER TABLE t ADD (x INT)", "DROP TABLE t",
    ] {
      XCTAssert(MySQLStatement.movesColumns(text), text)
    }
    for text in [
      "ALTER TABLE t ADD INDEX (a)", "ALTER TABLE t COMMENT 'drop it after all'", "TRUNCATE t",
      "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a)", "CREATE INDEX i ON t (a)",
      "ALTER TABLE t RENAME INDEX i TO j", "ALTER TABLE t FORCE",
    ] {
      XCTAssertFalse(MySQLStatement.movesColumns(text), text)
    }
  }

  /// A number that the column cannot hold makes a letter with the row as it was.
  func test_badRow_isToldWhole() throws {
    let table = ConnectorTable(
      name: "t", type: RowType([("id", DataType.int.notNull), ("v", .tinyint)]), options: [:],
      folder: "/")
    let rows = try MySQLRows(table)
    let columns = [LoggedColumn(type: 3, meta: 0), LoggedColumn(type: 3, meta: 0)]
    for (i, column) in columns.enumerated() { column.target = i }
    let plan = ImagePlan(columns, rows, try XCTUnwrap(MySQLZone("UTC")))
    let images: [UInt8] = [0, 1, 0, 0, 0, 44, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 2, 3, 0, 0, 0]
    let name = MySQLTableName(database: "d", table: "t")
    rows.place = MySQLPosition(.file, file: "b.000007", offset: 99)
    try images.withUnsafeBytes { raw in
      var bytes = ImageBytes(raw)
      while !bytes.isAtEnd {
        try plan.read(&bytes, present: raw, isFull: true)
        rows.end(.insert, name, millis: 0)
      }
    }
    let batch = try rows.take(allInserts: true)
    XCTAssertEqual(Array(FileFixture.text(batch).suffix(2)), ["+I[2, 5]", "+I[3, NULL]"])
    XCTAssertEqual(
      batch.deadLetters.map { String(decoding: $0.bytes, as: UTF8.self) },
      [#"{"table":"d.t","kind":"+I","row":{"id":1,"v":"300"}}"#])
    XCTAssertEqual(batch.deadLetters.map(\.place), ["d.t b.000007:99"])
    XCTAssertEqual(batch.deadLetters.map(\.reason), ["out of the type's range, column v"])
  }
}
