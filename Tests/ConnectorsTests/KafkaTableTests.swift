import Columns
import Store
import XCTest

@testable import Connectors

final class KafkaTableTests: XCTestCase {
  private func table(
    _ options: [String: String], _ purpose: KafkaTable.Purpose = .source, key: [String] = [],
    metadata: [ConnectorTable.Metadata] = [], columns: [(String, DataType)] = [("id", .bigint)]
  ) throws -> KafkaTable {
    var all = [
      "connector": "kafka", "topic": "t", "format": "json",
      "properties.bootstrap.servers": "localhost:1", "properties.group.id": "g",
    ]
    for (name, value) in options { all[name] = value.isEmpty ? nil : value }
    return try KafkaTable(
      ConnectorTable(
        name: "t", type: RowType(columns), metadata: metadata, primaryKey: key, options: all,
        folder: "/"), purpose)
  }

  private func error(_ body: @autoclosure () throws -> KafkaTable) -> String {
    do {
      _ = try body()
      return ""
    } catch { return "\(error) \((error as? TerraceError)?.hint ?? "")" }
  }

  func test_startupModes() throws {
    XCTAssertEqual(try table([:]).start.mode, .group)
    XCTAssertEqual(try table(["scan.startup.mode": "earliest-offset"]).start.mode, .earliest)
    XCTAssertEqual(try table(["scan.startup.mode": "LATEST-offset"]).start.mode, .latest)
    XCTAssertEqual(
      try table(["scan.startup.mode": "timestamp", "scan.startup.timestamp-millis": "17"])
        .start.mode, .timestamp(17))
    XCTAssertEqual(
      try table([
        "scan.startup.mode": "specific-offsets",
        "scan.startup.specific-offsets": "partition:0,offset:42; partition:1,offset:300;",
      ]).start.mode, .offsets([0: 42, 1: 300]))
    XCTAssertTrue(error(try table(["scan.startup.mode": "timestamp"])).contains("missing"))
    XCTAssertTrue(error(try table(["scan.startup.mode": "sometimes"])).contains("takes"))
    XCTAssertTrue(
      error(try table(["properties.group.id": ""])).contains("properties.group.id"))
    XCTAssertEqual(
      error(try table(["properties.group.id": "", "scan.startup.mode": "earliest-offset"])), "")
  }

  func test_specificOffsets_areParsedOrRefused() {
    XCTAssertEqual(KafkaPlace.parse("partition:0,offset:1"), [0: 1])
    for text in [
      "", "0:1", "partition:0", "partition:0,offset:-1",
      "partition:0,offset:1;partition:0,offset:2",
      "partition:x,offset:1", "offset:1,partition:0", "partition:99999999999,offset:1",
    ] { XCTAssertNil(KafkaPlace.parse(text), text) }
  }

  func test_specificOffsets_areOfOneTopic() {
    for (place, name) in [("startup", "topic"), ("startup", "topic-pattern"), ("bounded", "topic")]
    {
      var options = [
        "topic": name == "topic" ? "a;b" : "", "scan.\(place).mode": "specific-offsets",
        "scan.\(place).specific-offsets": "partition:0,offset:1",
      ]
      if name != "topic" { options[name] = "a.*" }
      XCTAssertTrue(error(try table(options)).contains("one topic"), "\(options)")
    }
  }

  func test_propertiesAreChecked_whenATableIsPlanned() {
    for (name, value) in [
      ("fetch.min.bytes", "x"), ("acks", "7"), ("compression.type", "brotli"), ("nonsense", "1"),
      ("isolation.level", "snapshot"),
    ] {
      let text = error(try table(["properties.\(name)": value], .style))
      XCTAssertTrue(text.contains("Kafka property"), "\(name) = \(value): \(text)")
    }
    XCTAssertTrue(error(try table(["properties.group.id": ""], .style)).contains("group-offsets"))
  }

  func test_numbersAndDurationsAreChecked() {
    for (name, value) in [
      ("scan.parallelism", "many"), ("sink.parallelism", "0"), ("scan.watermark.idle-timeout", "x"),
      ("scan.watermark.emit.strategy", "x"), ("scan.watermark.emit.on-event.gap", "0"),
    ] { XCTAssertTrue(error(try table([name: value])).contains("takes"), name) }
    let upsert = [
      "connector": "upsert-kafka", "format": "", "key.format": "json", "value.format": "json",
    ]
    for (name, value) in [
      ("sink.buffer-flush.max-rows", "-1"), ("sink.buffer-flush.interval", "soon"),
    ] {
      let options = upsert.merging([name: value]) { a, _ in a }
      XCTAssertTrue(error(try table(options, .sink, key: ["id"])).contains("takes"), name)
    }
  }

  func test_transactionsNeedAllAcknowledgements() {
    let base = ["sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": "p"]
    for (name, value) in [("acks", "1"), ("enable.idempotence", "false")] {
      let options = base.merging(["properties.\(name)": value]) { a, _ in a }
      XCTAssertTrue(error(try table(options, .sink)).contains("transactions need"), name)
    }
    let whole = base.merging(["properties.acks": "all"]) { a, _ in a }
    XCTAssertEqual(error(try table(whole, .sink)), "")
  }

  func test_keyFields_areNamedOnce() {
    let text = error(try table(["key.format": "json", "key.fields": "id;id"]))
    XCTAssertTrue(text.contains("twice"), text)
  }

  func test_boundedModes() throws {
    XCTAssertEqual(try table([:]).bound.mode, .unbounded)
    XCTAssertEqual(try table(["scan.bounded.mode": "latest-offset"]).bound.mode, .latest)
    XCTAssertEqual(try table(["scan.bounded.mode": "group-offsets"]).bound.mode, .group)
    XCTAssertTrue(error(try table(["scan.bounded.mode": "specific-offsets"])).contains("missing"))
  }

  func test_topics() throws {
    guard case .names(let names) = try table(["topic": "b;a; c"]).topics else {
      return XCTFail("not names")
    }
    XCTAssertEqual(names, ["a", "b", "c"])
    XCTAssertTrue(error(try table(["topic": "a b"])).contains("no name of a topic"))
    XCTAssertTrue(error(try table(["topic": ""])).contains("'topic' is missing"))
    XCTAssertTrue(error(try table(["topic-pattern": "t.*"])).contains("cannot both"))
    XCTAssertEqual(error(try table(["topic": "", "topic-pattern": "t.*"])), "")
    XCTAssertFalse(error(try table(["topic": "", "topic-pattern": "t(("])).isEmpty)
    XCTAssertFalse(error(try table(["topic": "a;b"], .sink)).isEmpty)
  }

  func test_keysOfTables_followFlinksRules() throws {
    XCTAssertTrue(error(try table([:], key: ["id"])).contains("PRIMARY KEY"))
    let upsert = ["connector": "upsert-kafka", "format": "", "key.format": "json"]
    XCTAssertFalse(error(try table(upsert, key: ["id"])).isEmpty)
    let whole = upsert.merging(["value.format": "json"]) { a, _ in a }
    XCTAssertTrue(try table(whole, key: ["id"]).isUpsert)
    XCTAssertFalse(error(try table(whole)).isEmpty)
    guard case .upserts = try table(["format": "debezium-json"], key: ["id"]).style else {
      return XCTFail("no upserts")
    }
  }

  func test_unknownOptions_areMistakes() {
    XCTAssertTrue(error(try table(["scan.startup.modus": "x"])).contains("unknown option"))
    XCTAssertTrue(error(try table(["json.ignore-errors": "x"])).contains("unknown option"))
  }

  func test_metadata_hasItsTypes() throws {
    func with(_ key: String, _ type: DataType, _ purpose: KafkaTable.Purpose = .source) -> String {
      error(
        try table(
          [:], purpose, metadata: [.init(column: "m", key: key, isVirtual: false)],
          columns: [("id", .bigint), ("m", type)]))
    }
    XCTAssertEqual(with("offset", .bigint), "")
    XCTAssertEqual(with("timestamp", DataType(.timestampLTZ(3))), "")
    XCTAssertEqual(with("headers", DataType(.map(DataType.string.notNull, .bytes))), "")
    XCTAssertTrue(with("offset", .string).contains("another type"))
    XCTAssertTrue(with("color", .string).contains("no metadata of that name"))
    XCTAssertTrue(with("offset", .bigint, .sink).contains("VIRTUAL"))
    XCTAssertEqual(with("timestamp", DataType(.timestampLTZ(3)), .sink), "")
  }

  func test_sinks_sayHowTheyDeliver() throws {
    XCTAssertEqual(try table([:], .sink).delivery.guarantee, .atLeastOnce)
    XCTAssertTrue(
      error(try table(["sink.delivery-guarantee": "exactly-once"], .sink))
        .contains("sink.transactional-id-prefix"))
    XCTAssertEqual(
      try table(
        ["sink.semantic": "exactly-once", "sink.transactional-id-prefix": "p"], .sink
      ).delivery.guarantee, .exactlyOnce)
    XCTAssertEqual(
      try table(["sink.partitioner": "round-robin"], .sink).delivery.partitioner, .roundRobin)
    XCTAssertTrue(
      error(try table(["sink.partitioner": "org.acme.P"], .sink)).contains("not supported"))
  }
}
