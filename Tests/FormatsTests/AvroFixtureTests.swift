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
