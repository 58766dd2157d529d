import CKafka
import Columns
import Glibc
import Store
import XCTest

@testable import Connectors

/// Mock brokers in this process, from librdkafka itself.
private final class MockBrokers {
  private let client: KafkaClient
  private let cluster: OpaquePointer
  let servers: String
  private let count: Int32

  init(brokers: Int32 = 2) throws {
    count = brokers
    client = try KafkaClient(.producer, [("log_level", "2")], servers: "")
    cluster = try XCTUnwrap(rd_kafka_mock_cluster_new(client.handle, brokers))
    servers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
  }

  func topic(_ name: String, _ partitions: Int32) {
    XCTAssertEqual(
      rd_kafka_mock_topic_create(cluster, name, partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR)
  }

  /// Nil values are tombstones.
  func produce(_ topic: String, _ records: [(partition: Int32, key: String?, value: String?)])
    throws
  {
    let producer = try KafkaClient(
      .producer, [("bootstrap.servers", servers), ("linger.ms", "1")], servers: servers)
    defer { producer.close() }
    let handle = try XCTUnwrap(rd_kafka_topic_new(producer.handle, topic, nil))
    defer { rd_kafka_topic_destroy(handle) }
    for record in records {
      var value = Array((record.value ?? "").utf8)
      let key = Array((record.key ?? "").utf8)
      let code = value.withUnsafeMutableBytes { value in
        key.withUnsafeBytes { key in
          rd_kafka_produce(
            handle, record.partition, Int32(RD_KAFKA_MSG_F_COPY),
            record.value == nil ? nil : value.baseAddress, value.count,
            record.key == nil ? nil : key.baseAddress, key.count, nil)
        }
      }
      XCTAssertEqual(code, 0)
    }
    XCTAssertEqual(rd_kafka_flush(producer.handle, 10_000), RD_KAFKA_RESP_ERR_NO_ERROR)
  }

  /// All of them.
  func turn(isUp: Bool) {
    for id in Int32(1)...count {
      let code =
        isUp
        ? rd_kafka_mock_broker_set_up(cluster, id) : rd_kafka_mock_broker_set_down(cluster, id)
      XCTAssertEqual(code, RD_KAFKA_RESP_ERR_NO_ERROR)
    }
  }

  func close() {
    rd_kafka_mock_cluster_destroy(cluster)
    client.close()
  }
}

final class KafkaSourceTests: XCTestCase {
  private func source(
    _ brokers: MockBrokers, _ options: [String: String] = [:], key: [String] = [],
    columns: [(String, DataType)] = [("id", .bigint)]
  ) throws -> KafkaSource {
    var all = [
      "connector": "kafka", "topic": "t", "format": "json", "properties.group.id": "g",
      "scan.startup.mode": "earliest-offset", "properties.bootstrap.servers": brokers.servers,
    ]
    for (name, value) in options { all[name] = value.isEmpty ? nil : value }
    return try KafkaSource(
      ConnectorTable(
        name: "t", type: RowType(columns), primaryKey: key, options: all, folder: "/"),
      Environment())
  }

  /// Rows as text with their part, and letters, until there is nothing more.
  private func drain(
    _ source: KafkaSource, rows: Int = 1000, batches: Int = .max
  ) throws -> [String] {
    var all: [String] = []
    var polls = 0
    var taken = 0
    while taken < batches, !source.isDrained {
      polls += 1
      if polls > 4000 { throw TerraceError(.unavailable, "the mock brokers do not answer") }
      guard let batch = try source.poll(rows: rows, bytes: 1 << 20) else { continue }
      taken += 1
      let kinds = batch.kinds?.pointer(UInt8.self)
      var letters = batch.deadLetters[...]
      for row in 0...batch.rows.count {
        while let letter = letters.first, letter.row <= row {
          all.append("letter \(letter.place)")
          letters.removeFirst()
        }
        if row == batch.rows.count { break }
        let kind = kinds.map { "\($0[row]) " } ?? ""
        all.append(
          kind + batch.rows.columns.map { "\($0.scalar(row))" }.joined(separator: ","))
      }
    }
    return all
  }

  func test_records_comeAgainInTheSameOrder() throws {
    let brokers = try MockBrokers()
    defer { brokers.close() }
    brokers.topic("t", 5)
    var records: [(partition: Int32, key: String?, value: String?)] = []
    for i in 0..<400 {
      let value = i % 50 == 3 ? "{broken" : "{\"id\":\n \(i)}"
      records.append((Int32(i * 7 % 5), nil, value))
    }
    try brokers.produce("t", records)
    let first = try source(brokers)
    defer { first.close() }
    let table = try XCTUnwrap(try first.takePositions())
    try first.stopAtPresent()
    let start = first.position
    var given = try drain(first, rows: 17, batches: 4)
    let middle = first.position
    let count = given.count
    given += try drain(first, rows: 23)
    XCTAssertEqual(given.count, 400)
    XCTAssertEqual(Set(given).count, 400)
    XCTAssertEqual(given.count { $0.hasPrefix("letter t-") }, 8)
    for (from, index) in [(start, 0), (middle, count)] {
      let second = try source(brokers)
      defer { second.close() }
      try second.restorePositions(table)
      try second.seek(from)
      try second.replay(to: first.position)
      try second.stopAtPresent()
      let again = try drain(second, rows: 31)
      XCTAssertTrue(again == Array(given[index...]), "from \(from)")
      XCTAssertEqual(second.position, first.position)
    }
  }

  func test_bounds_andSpecificOffsets() throws {
    let brokers = try MockBrokers()
    defer { brokers.close() }
    brokers.topic("t", 2)
    for i in 0..<2 {
      try brokers.produce("t", (0..<20).map { (Int32(i), nil, "{\"id\": \($0 * 2 + i)}") })
    }
    let some = try source(
      brokers,
      [
        "scan.startup.mode": "specific-offsets",
        "scan.startup.specific-offsets": "partition:0,offset:18;partition:1,offset:19",
        "scan.bounded.mode": "latest-offset",
      ])
    defer { some.close() }
    XCTAssertEqual(try drain(some).sorted(), ["int(36)", "int(38)", "int(39)"])
    let none = try source(brokers, ["scan.startup.mode": "group-offsets"])
    defer { none.close() }
    XCTAssertThrowsError(try none.poll(rows: 10, bytes: 100)) {
      XCTAssertTrue(($0 as? TerraceError)?.hint.contains("auto.offset.reset") ?? false, "\($0)")
    }
  }

  func test_offsetOutOfRange_isSaidAndFollowsTheRule() throws {
    let brokers = try MockBrokers()
    defer { brokers.close() }
    brokers.topic("t", 1)
    try brokers.produce("t", (0..<5).map { (0, nil, "{\"id\": \($0)}") })
    func beyond(_ options: [String: String]) throws -> KafkaSource {
      try source(
        brokers,
        options.merging([
          "scan.startup.mode": "specific-offsets",
          "scan.startup.specific-offsets": "partition:0,offset:50",
        ]) { a, _ in a })
    }
    let again = try beyond([:])
    defer { again.close() }
    _ = try again.takePositions()
    var found: [String] = []
    for _ in 0..<4000 where found.count < 5 {
      guard let batch = try again.poll(rows: 10, bytes: 1000) else { continue }
      found += (0..<batch.rows.count).map { "\(batch.rows.columns[0].scalar($0))" }
    }
    XCTAssertEqual(found.count, 5)
    XCTAssertTrue(again.takeNotices().contains { $0.contains("t-0") && $0.contains("50") })
    let strict = try beyond(["properties.auto.offset.reset": "none"])
    defer { strict.close() }
    XCTAssertThrowsError(
      try {
        for _ in 0..<4000 { _ = try strict.poll(rows: 10, bytes: 1000) }
      }()
    ) { XCTAssertEqual(($0 as? TerraceError)?.kind, .notFound, "\($0)") }
  }

  func test_upserts_tellTombstonesAsDeletes() throws {
    let brokers = try MockBrokers()
    defer { brokers.close() }
    brokers.topic("t", 1)
    try brokers.produce(
      "t",
      [
        (0, "{\"id\":1}", "{\"id\":1,\"n\":\"a\"}"), (0, "{\"id\":2}", "{\"id\":2,\"n\":\"b\"}"),
        (0, "{\"id\":1}", nil), (0, nil, "{\"id\":3}"),
      ])
    let upserts = try source(
      brokers,
      [
        "connector": "upsert-kafka", "format": "", "scan.startup.mode": "",
        "key.format": "json", "value.format": "json",
      ], key: ["id"], columns: [("id", .bigint), ("n", .string)])
    defer { upserts.close() }
    try upserts.stopAtPresent()
    let delete = RowKind.delete.rawValue
    let update = RowKind.updateAfter.rawValue
    let found = try drain(upserts)
    XCTAssertEqual(found.count, 4)
    XCTAssertTrue(found[0].hasPrefix("\(update) int(1),"), found[0])
    XCTAssertEqual(found[2], "\(delete) int(1),null")
    XCTAssertEqual(found[3], "letter t-0@3")
  }

  func test_serversThatGo_areTroubleUntilOneIsBack() throws {
    let brokers = try MockBrokers(brokers: 1)
    defer { brokers.close() }
    brokers.topic("t", 1)
    try brokers.produce("t", [(0, nil, "{\"id\": 1}")])
    let source = try source(brokers, ["properties.reconnect.backoff.max.ms": "200"])
    defer { source.close() }
    /// Polls until there is trouble or none; nil when that does not come.
    func polled(until isTrouble: Bool) throws -> String? {
      for _ in 0..<3_000 {
        _ = try source.poll(rows: 10, bytes: 1 << 20)
        if (source.trouble != nil) == isTrouble { return source.trouble?.reason ?? "" }
        usleep(10_000)
      }
      return nil
    }
    XCTAssertEqual(try polled(until: false), "")
    brokers.turn(isUp: false)
    XCTAssertTrue(try XCTUnwrap(try polled(until: true)).contains(brokers.servers))
    XCTAssertNotNil(source.trouble?.nextMillis)
    brokers.turn(isUp: true)
    XCTAssertEqual(try polled(until: false), "")
  }

  func test_noServer_isUnavailableAndNamesIt() throws {
    let client = try KafkaClient(
      .consumer, [("bootstrap.servers", "127.0.0.1:1")], servers: "127.0.0.1:1")
    defer { client.close() }
    XCTAssertThrowsError(try client.partitions(of: .names(["t"]), millis: 300)) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .unavailable)
      XCTAssertTrue("\($0)".contains("127.0.0.1:1"))
    }
  }
}
