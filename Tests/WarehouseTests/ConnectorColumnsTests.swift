import Foundation
import Store
import XCTest

@testable import Warehouse

/// Columns of tables with a connector that are not in its records.
final class ConnectorColumnsTests: XCTestCase {
  private func session(_ files: [String: String]) throws -> (TestSession, MemoryFileIO) {
    let disk = MemoryFileIO()
    try disk.makeDirectories("/in")
    for (name, text) in files { try disk.write(Array(text.utf8), to: "/in/" + name) }
    return (try TestSession(disk), disk)
  }

  func test_insert_leavesVirtualColumnsOut() throws {
    let (session, files) = try session([:])
    try session.run(
      """
      CREATE TEMPORARY TABLE t (id INT, f STRING METADATA FROM 'file.path' VIRTUAL, g STRING)
        WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'json');
      INSERT INTO t VALUES (2, 'y');
      """)
    let part = try XCTUnwrap(try files.list("/in").first { !$0.hasPrefix(".") })
    XCTAssertEqual(
      try files.readSmall("/in/" + part, limit: 100).map { String(decoding: $0, as: UTF8.self) },
      "{\"id\":2,\"g\":\"y\"}\n")
    XCTAssertEqual(try session.rows("SELECT id, f, g FROM t"), #"[2,"/in/\#(part)","y"]"#)
  }

  func test_insert_refusesMetadataThatCannotBeWritten() throws {
    let (session, _) = try session([:])
    try session.run(
      """
      CREATE TEMPORARY TABLE t (id INT, f STRING METADATA FROM 'file.path')
        WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'json');
      """)
    XCTAssertEqual(
      session.refusal("INSERT INTO t VALUES (2, 'y')"),
      "1:13 this metadata cannot be written | declare the column VIRTUAL")
  }

  func test_metadata_isCastToTheDeclaredType() throws {
    let (session, _) = try session([
      "a.json":
        #"{"before":null,"after":{"id":7},"op":"c","ts_ms":1700000000123,"source":{"ts_ms":1000,"db":"shop"}}"#
        + "\n"
    ])
    XCTAssertEqual(
      try session.rows(
        """
        SET 'table.local-time-zone' = 'Asia/Shanghai';
        CREATE TEMPORARY TABLE t (
          id INT, size STRING METADATA FROM 'file.size' VIRTUAL,
          name VARCHAR(3) METADATA FROM 'file.name' VIRTUAL,
          at TIMESTAMP(3) METADATA FROM 'ingestion-timestamp' VIRTUAL,
          made DATE METADATA FROM 'source.timestamp' VIRTUAL,
          instant TIMESTAMP_LTZ(3) METADATA FROM 'source.timestamp' VIRTUAL,
          millis BIGINT METADATA FROM 'source.timestamp' VIRTUAL,
          hour AS EXTRACT(HOUR FROM at))
        WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'debezium-json');
        SELECT * FROM t WHERE at > TIMESTAMP '2023-11-15 00:00:00'
        """),
      #"[7,"100","a.j","2023-11-15 06:13:20.123","1970-01-01","1970-01-01 08:00:01.000",1000,6]"#)
  }

  func test_metadata_isRefusedWhereThereIsNoCast() throws {
    let (session, _) = try session([:])
    XCTAssertEqual(
      session.refusal(
        """
        CREATE TEMPORARY TABLE t (id INT, f ARRAY<INT> METADATA FROM 'file.size' VIRTUAL)
        WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'json')
        """),
      "1:37 the metadata of column 'f' is BIGINT, which is not cast to ARRAY<INT>")
  }

  /// The example of Flink's page about Kafka, both ways.
  func test_kafka_castsMetadataAsFlinkDoes() throws {
    let scratch = try ScratchFolder()
    try scratch.write("terrace.conf", "layers: ods\n")
    try FileManager.default.createDirectory(
      at: scratch.url.appendingPathComponent("layers/ods"), withIntermediateDirectories: true)
    let options =
      "WITH ('connector' = 'kafka', 'topic' = 'a', 'properties.bootstrap.servers' = 'h:9092', "
      + "'scan.startup.mode' = 'earliest-offset', 'format' = 'csv')"
    try scratch.write(
      "layers/ods/clicks.sql",
      """
      CREATE TEMPORARY TABLE source (
        `event_time` TIMESTAMP(3) METADATA FROM 'timestamp',
        `partition` BIGINT METADATA VIRTUAL,
        `offset` BIGINT METADATA VIRTUAL,
        `user_id` BIGINT, `behavior` STRING,
        WATERMARK FOR `event_time` AS `event_time` - INTERVAL '5' SECOND) \(options);
      CREATE TABLE clicks (event_time TIMESTAMP(3), part BIGINT, user_id BIGINT);
      INSERT INTO clicks SELECT event_time, `partition`, user_id FROM source;
      """)
    try scratch.write(
      "layers/ods/out.sql",
      """
      CREATE TEMPORARY TABLE out (
        `event_time` TIMESTAMP(3) METADATA FROM 'timestamp', `partition` BIGINT METADATA VIRTUAL,
        `user_id` BIGINT) \(options);
      INSERT INTO out SELECT event_time, user_id FROM clicks;
      """)
    let plan = try CommandRun.run(["plan"], in: scratch.url)
    XCTAssertEqual(plan.code, 0, plan.errors)
  }
}
