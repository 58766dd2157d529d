import Columns
import Formats
import Store
import XCTest

@testable import Connectors

final class SinkTests: XCTestCase {
  private func rows(_ values: [(Int64?, String?)]) -> Batch {
    let id = ColumnBuilder(.bigint)
    let name = ColumnBuilder(.string)
    for (number, text) in values {
      if let number { id.append(number) } else { id.appendNull() }
      if let text { name.append(text) } else { name.appendNull() }
    }
    return Batch(
      RowType(FileFixture.columns), [id.finish(), name.finish()], count: values.count)
  }

  private func kinds(_ kinds: [RowKind]) -> Buffer {
    kinds.map(\.rawValue).withUnsafeBytes { Buffer(copying: $0) }
  }

  func test_print_writesFlinksLines() throws {
    let type = RowType([
      ("a", .int), ("t", .timestamp(3)), ("l", .array(.int)), ("d", .double), ("s", .string),
    ])
    let table = ConnectorTable(
      name: "p", type: type, options: ["connector": "print", "print-identifier": "p"], folder: "/")
    let out = MemorySink()
    let sink = try PrintSink(table, out: out)
    let list = ColumnBuilder(.array(.int))
    list.children[0].append(Int32(1))
    list.children[0].append(Int32(2))
    list.endList()
    let columns = [
      Column.repeating(.int(1), type: .int, count: 1),
      Column.repeating(.int(1_704_067_200_000), type: .timestamp(3), count: 1), list.finish(),
      Column.repeating(.double(1), type: .double, count: 1),
      Column.repeating(.null, type: .string, count: 1),
    ]
    try sink.write(Batch(type, columns, count: 1), kinds: kinds([.updateAfter]))
    XCTAssertEqual(
      String(decoding: out.array(), as: UTF8.self),
      "p> +U[1, 2024-01-01T00:00, [1, 2], 1.0, null]\n")
  }

  func test_containers_areWrittenAsTheirOptionsSay() throws {
    func format(_ kind: String, _ options: [String: String]) throws -> ContainerFormat {
      let table = try FileFixture().table(kind, options)
      _ = try FileTable(table)
      var taken = ConnectorOptions(table)
      return try RecordFormat(&taken).container
    }
    XCTAssertEqual(try format("parquet", [:]).parquet.codec, .zstd)
    for (name, codec) in [("GZIP", Codec.gzip), ("SNAPPY", .snappy), ("UNCOMPRESSED", .none)] {
      XCTAssertEqual(try format("parquet", ["parquet.compression": name]).parquet.codec, codec)
    }
    let parquet = try format(
      "parquet",
      [
        "parquet.compression.codec.zstd.level": "9", "parquet.block.size": "4 mb",
        "parquet.page.size": "65536", "parquet.enable.dictionary": "false",
        "parquet.writer.version": "PARQUET_2_0", "parquet.bloom.filter.enabled#id": "true",
        "parquet.utc-timezone": "true", "parquet.batch-size": "100",
      ]
    ).parquet
    XCTAssertEqual(parquet.level, 9)
    XCTAssertEqual(parquet.rowGroupBytes, 4 << 20)
    XCTAssertEqual(parquet.pageBytes, 65536)
    XCTAssertFalse(parquet.dictionary)
    XCTAssertTrue(parquet.dataPageV2)
    XCTAssertEqual(Array(parquet.bloomFilters.keys), ["id"])
    XCTAssertEqual(try format("avro", ["avro.codec": "deflate"]).avroCodec, .deflate)
    for (kind, option, value) in [
      ("parquet", "parquet.nonsense", "1"), ("parquet", "parquet.compression", "brotli"),
      ("parquet", "parquet.compression", "lz4"), ("parquet", "parquet.block.size", "-1"),
      ("parquet", "parquet.compression.codec.zstd.level", "99"),
      ("parquet", "parquet.utc-timezone", "false"), ("parquet", "avro.codec", "null"),
      ("parquet", "parquet.bloom.filter.enabled#nobody", "true"),
      ("avro", "avro.codec", "xz"), ("avro", "avro.nonsense", "1"),
      ("avro", "avro.encoding", "json"),
    ] {
      XCTAssertThrowsError(try format(kind, [option: value]), option + value) {
        XCTAssertTrue("\($0)".contains(option), "\($0)")
      }
    }
    // In the files too.
    let fixture = try FileFixture()
    let table = fixture.table("parquet", ["parquet.compression": "gzip"])
    let sink = try Connectors.sink(table, fixture.environment)
    try sink.write(rows([(1, "a")]), kinds: nil)
    try sink.publish(sink.prepare(epoch: 1))
    let name = try XCTUnwrap(fixture.disk.list("/in").first { $0.hasSuffix(".parquet") })
    let file = try ParquetFile(fixture.disk.open("/in/" + name))
    XCTAssertEqual(file.metadata.rowGroups[0].columns[0].codec, 2)
    XCTAssertEqual(try fixture.read(table), ["+I[1, a]"])
  }

  func test_filesystem_writesWhatItReads() throws {
    for format in ["json", "csv", "parquet", "avro"] {
      let fixture = try FileFixture()
      let sink = try Connectors.sink(fixture.table(format), fixture.environment)
      XCTAssertEqual(try sink.recover(nil), .complete)
      try sink.write(rows([(1, "a,\"b\""), (nil, "é\n")]), kinds: nil)
      XCTAssertEqual(try fixture.read(fixture.table(format)), [], "visible too soon")
      let prepared = try sink.prepare(epoch: 1)
      XCTAssertEqual(try fixture.read(fixture.table(format)), [])
      try sink.publish(prepared)
      XCTAssertEqual(
        try fixture.read(fixture.table(format)), ["+I[1, a,\"b\"]", "+I[NULL, é\n]"])
      // Published twice does no harm.
      try sink.publish(prepared)
      sink.close()
    }
  }

  func test_json_writesValuesAsFlinkDoes() throws {
    let type = RowType([
      ("d", .decimal(10, 2)), ("b", .bytes), ("t", .timestamp(6)),
      ("z", DataType(.timestampLTZ(3))), ("m", .map(.string, .int)), ("n", .string),
    ])
    let map = ColumnBuilder(.map(.string, .int))
    map.children[0].append("k")
    map.children[1].append(Int32(1))
    map.endList()
    let columns = [
      Column.repeating(.int(1230), type: .decimal(10, 2), count: 1),
      Column.repeating(.bytes([1, 2, 3, 4]), type: .bytes, count: 1),
      Column.repeating(.int(1_589_355_606_120_000), type: .timestamp(6), count: 1),
      Column.repeating(.int(1_589_355_606_000), type: DataType(.timestampLTZ(3)), count: 1),
      map.finish(), Column.repeating(.null, type: .string, count: 1),
    ]
    func text(_ options: [String: String]) throws -> String {
      var all = ConnectorOptions(
        ConnectorTable(
          name: "t", type: type, options: options.merging(["format": "json"]) { a, _ in a },
          folder: "/"))
      let out = ByteWriter()
      _ = try RowEncoder(type, try RecordFormat(&all)).append(
        Batch(type, columns, count: 1), 0, isAdded: true, to: out)
      return out.text
    }
    XCTAssertEqual(
      try text([:]),
      #"{"d":12.30,"b":"AQIDBA==","t":"2020-05-13 07:40:06.12","z":"2020-05-13 07:40:06Z","#
        + #""m":{"k":1},"n":null}"#)
    XCTAssertEqual(
      try text([
        "json.timestamp-format.standard": "ISO-8601", "json.encode.ignore-null-fields": "true",
      ]),
      #"{"d":12.30,"b":"AQIDBA==","t":"2020-05-13T07:40:06.12","z":"2020-05-13T07:40:06Z","#
        + #""m":{"k":1}}"#)
  }

  func test_filesystem_publishesOrRemovesOnRecovery() throws {
    let fixture = try FileFixture()
    let table = fixture.table("json")
    let first = try Connectors.sink(table, fixture.environment)
    try first.write(rows([(1, "a")]), kinds: nil)
    let prepared = try first.prepare(epoch: 1)
    try first.write(rows([(2, "b")]), kinds: nil)
    _ = try first.prepare(epoch: 2)
    let second = try Connectors.sink(table, fixture.environment)
    XCTAssertEqual(try second.recover(prepared), .complete)
    XCTAssertEqual(try fixture.read(table), ["+I[1, a]"])
    let names = try fixture.disk.list("/in")
    XCTAssertEqual(names.count, 1, "\(names)")
    XCTAssert(names[0].hasPrefix("part-1-"), names[0])
  }

  func test_filesystem_writesChangesThatAreReadBack() throws {
    for format in ["debezium-json", "canal-json", "maxwell-json", "ogg-json"] {
      let fixture = try FileFixture()
      let table = fixture.table(format)
      let sink = try Connectors.sink(table, fixture.environment)
      try sink.write(
        rows([(1, "a"), (1, "a"), (1, "b"), (1, "b")]),
        kinds: kinds([.insert, .updateBefore, .updateAfter, .delete]))
      try sink.publish(try sink.prepare(epoch: 1))
      XCTAssertEqual(
        try fixture.read(table), ["+I[1, a]", "-D[1, a]", "+I[1, b]", "-D[1, b]"])
    }
    let fixture = try FileFixture()
    let sink = try Connectors.sink(fixture.table("json"), fixture.environment)
    XCTAssertThrowsError(try sink.write(rows([(1, "a")]), kinds: kinds([.delete])))
  }

  func test_filesystem_writesFoldersOfPartitions() throws {
    let fixture = try FileFixture()
    var table = fixture.table("json")
    table.partitionKeys = ["name"]
    let sink = try Connectors.sink(table, fixture.environment)
    try sink.write(rows([(1, "a/b"), (2, nil), (3, "a/b")]), kinds: nil)
    try sink.publish(try sink.prepare(epoch: 1))
    XCTAssertEqual(
      try fixture.disk.list("/in"), ["name=__DEFAULT_PARTITION__", "name=a%2Fb"])
    XCTAssertEqual(try fixture.read(table), ["+I[2, NULL]", "+I[1, a/b]", "+I[3, a/b]"])
  }

  func test_filesystem_refusesColumnsThatItsFilesCannotHold() throws {
    let fixture = try FileFixture()
    let columns: [(String, DataType)] = [("id", .bigint), ("at", .timestamp(9))]
    _ = try Connectors.sink(fixture.table("parquet", columns: columns), fixture.environment)
    XCTAssertThrowsError(
      try Connectors.sink(fixture.table("avro", columns: columns), fixture.environment)
    ) { XCTAssertEqual(($0 as? TerraceError)?.kind, .unsupported) }
  }

  /// More partitions in an epoch than files may be open.
  func test_filesystem_writesAnyNumberOfPartitions() throws {
    let fixture = try FileFixture()
    var table = fixture.table("json")
    table.partitionKeys = ["name"]
    let sink = try FolderSink(table, fixture.environment, openLimit: 3)
    for round in 0..<3 {
      let all = (0..<10).map { (Int64?($0 + 10 * Int64(round)), "p\($0)" as String?) }
      try sink.write(rows(all), kinds: nil)
    }
    try sink.publish(try sink.prepare(epoch: 1))
    XCTAssertEqual(try fixture.disk.list("/in").count, 10)
    XCTAssertEqual(Set(try fixture.read(table)).count, 30)
  }

  func test_filesystem_writesSuccessFilesBehindItsFiles() throws {
    let fixture = try FileFixture()
    var table = fixture.table("json", ["sink.partition-commit.policy.kind": "success-file"])
    table.partitionKeys = ["name"]
    let sink = try Connectors.sink(table, fixture.environment)
    try sink.write(rows([(1, "a"), (2, "b")]), kinds: nil)
    let prepared = try sink.prepare(epoch: 1)
    XCTAssertFalse(try fixture.disk.list("/in/name=a").contains("_SUCCESS"))
    try sink.publish(prepared)
    for folder in ["a", "b"] {
      let names = try fixture.disk.list("/in/name=" + folder)
      XCTAssertEqual(names.filter { !$0.hasPrefix("part-1-") }, ["_SUCCESS"])
      XCTAssertEqual(names.count, 2)
    }
    XCTAssertEqual(try fixture.read(table), ["+I[1, a]", "+I[2, b]"])
    table.options["sink.partition-commit.policy.kind"] = "custom"
    XCTAssertThrowsError(try Connectors.sink(table, fixture.environment))
  }
}
