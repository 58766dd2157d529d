import Columns
import XCTest

@testable import Formats

/// Files of Java Paimon 0.9 and pypaimon 2.1.
final class AvroFixtureTests: XCTestCase {
  private static let entry: RowType = {
    let statistics = DataType.row([
      Field(id: 0, name: "_MIN_VALUES", type: .bytes.notNull),
      Field(id: 1, name: "_MAX_VALUES", type: .bytes.notNull),
      Field(id: 2, name: "_NULL_COUNTS", type: .array(.bigint)),
    ]).notNull
    let file = DataType.row([
      Field(id: 0, name: "_FILE_NAME", type: .string.notNull),
      Field(id: 1, name: "_FILE_SIZE", type: .bigint.notNull),
      Field(id: 2, name: "_ROW_COUNT", type: .bigint.notNull),
      Field(id: 3, name: "_KEY_STATS", type: statistics),
      Field(id: 4, name: "_LEVEL", type: .int.notNull),
      Field(id: 5, name: "_EXTRA_FILES", type: DataType.array(.string.notNull).notNull),
      Field(id: 6, name: "_CREATION_TIME", type: .timestamp(3)),
      Field(id: 7, name: "_VALUE_STATS_COLS", type: .array(.string)),
      Field(id: 8, name: "_EXTERNAL_PATH", type: .string),
    ]).notNull
    return RowType([
      ("_VERSION", .int.notNull), ("_KIND", .int.notNull), ("_PARTITION", .bytes.notNull),
      ("_BUCKET", .int.notNull), ("_TOTAL_BUCKETS", .int.notNull), ("_FILE", file),
    ])
  }()

  func test_read_understandsManifestsOfEveryCodec() throws {
    var codecs: Set<String> = []
    for table in [
      "java09/manifest_null_codec", "java09/manifest_snappy_codec", "java09/pk_dedup",
      "pypaimon21/pk_dedup",
    ] {
      var files = 0
      for path in try Fixtures.files("\(table)/wh/fx.db/t/manifest") {
        let source = try Fixtures.source(path)
        guard path.contains("/manifest-"), !path.contains("list") else { continue }
        codecs.insert(try AvroReader(source, as: Self.entry).codec.rawValue)
        let batch = try AvroFile.read(source, as: Self.entry)
        XCTAssertGreaterThan(batch.count, 0, path)
        for row in 0..<batch.count {
          XCTAssertEqual(batch.columns[0].pointer(Int32.self)[row], 2)
          let file = batch.columns[5]
          let name = String(decoding: file.children[0].bytes(row), as: UTF8.self)
          XCTAssert(name.hasPrefix("data-"), name)
          XCTAssertGreaterThan(file.children[1].pointer(Int64.self)[row], 0)
          XCTAssertFalse(file.children[6].isNull(row))
          files += 1
        }
        try backAndForth(batch)
      }
      XCTAssertGreaterThan(files, 2, table)
    }
    XCTAssertEqual(codecs, ["null", "snappy", "zstandard"])
  }

  private func backAndForth(_ batch: Batch) throws {
    let sink = MemorySink()
    try AvroFile.write(batch, to: sink)
    let back = try AvroFile.read(MemorySource(sink.content()), as: batch.type)
    XCTAssertNil(difference(batch, back))
  }

  func test_read_understandsJavaDataFiles() throws {
    let type = RowType([
      ("_KEY_id", .bigint.notNull), ("_SEQUENCE_NUMBER", .bigint.notNull),
      ("_VALUE_KIND", .tinyint.notNull), ("id", .bigint.notNull), ("name", .string), ("qty", .int),
    ])
    var rows = 0
    for path in try Fixtures.files("java09/pk_avro_format/wh/fx.db/t/bucket-0") {
      let batch = try AvroFile.read(try Fixtures.source(path), as: type)
      for row in 0..<batch.count {
        let id = batch.columns[3].pointer(Int64.self)[row]
        XCTAssertEqual(batch.columns[0].pointer(Int64.self)[row], id)
        if batch.columns[2].pointer(Int8.self)[row] == 0 {
          XCTAssert(
            String(decoding: batch.columns[4].bytes(row), as: UTF8.self).hasPrefix("n\(id)-v"))
        }
        rows += 1
      }
      let own = try AvroReader(try Fixtures.source(path))
      XCTAssertEqual(own.rowType.fields.map(\.name), type.fields.map(\.name))
    }
    XCTAssertGreaterThan(rows, 20)
  }

  /// Java's mapping of every type, and that ours is the same text but for Java's outer union.
  func test_read_understandsEveryTypeOfJava() throws {
    let inner = DataType.row([Field(id: 0, name: "z", type: .bigint)])
    let row = DataType.row([
      Field(id: 1, name: "a", type: .int), Field(id: 2, name: "s", type: .string),
      Field(id: 3, name: "q", type: inner),
    ])
    let type = RowType([
      ("id", .int.notNull), ("b", .boolean), ("ti", .tinyint), ("sm", .smallint), ("bg", .bigint),
      ("f", .float), ("db", .double), ("s", .string), ("by", .bytes), ("d9", .decimal(9, 2)),
      ("d38", .decimal(38, 10)), ("da", .date), ("tm", DataType(.time(3))), ("t3", .timestamp(3)),
      ("t6", .timestamp(6)), ("l3", DataType(.timestampLTZ(3))),
      ("l6", DataType(.timestampLTZ(6))), ("ar", .array(.int)), ("mi", .map(.int, .string)),
      ("ms", .map(.string, .bigint)), ("mu", DataType(.multiset(.string))), ("r", row),
    ])
    let source = try Fixtures.source(
      Fixtures.root.appendingPathComponent("avro/java09_all_types.avro").path)
    let batch = try AvroFile.read(source, as: type)
    let out = ByteWriter()
    JSONRows(type).append(batch, to: out)
    let nulls = type.fields.dropFirst().map { "\"\($0.name)\":null" }.joined(separator: ",")
    XCTAssertEqual(
      out.text,
      #"{"id":1,"b":true,"ti":-128,"sm":-5,"bg":-7,"f":1.5,"db":-2.25,"s":"héllo","by":"0x0102ff","#
        + #""d9":"-1234567.89","d38":"123456789012345678901234567.0123456789","da":"2024-02-29","#
        + #""tm":"12:34:56.789","t3":"2024-02-29 12:34:56.789","t6":"1969-12-31 23:59:59.999999","#
        + #""l3":"1969-12-31 23:59:59.999Z","l6":"2024-02-29 12:34:56.789123Z","ar":[1,null,3],"#
        + #""mi":[[1,"x"],[2,null]],"ms":[["k",7]],"mu":[["p",2]],"r":{"a":7,"s":"in","q":{"z":5}}}"#
        + "\n{\"id\":2," + nulls + "}\n")
    let sink = MemorySink()
    var options = AvroWriteOptions()
    options.nullableRow = true
    let writer = try AvroWriter(sink, type: type, options: options)
    try writer.write(batch)
    try writer.finish()
    XCTAssertEqual(
      try AvroFile.schemaText(MemorySource(sink.content())), try AvroFile.schemaText(source))
  }

  func test_read_survivesDamagedFixtures() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = SeededRandom(seed)
    for path in try Fixtures.files("java09/manifest_snappy_codec/wh/fx.db/t/manifest").prefix(2) {
      let source = try Fixtures.source(path)
      let held = try source.readAll()
      let good = Array(held.bytes)
      for _ in 0..<150 {
        var bad = good
        bad[Int(random.next() % UInt64(bad.count))] = UInt8(random.next() & 255)
        _ = try? AvroFile.read(MemorySource(bad), as: Self.entry)
      }
    }
  }
}
