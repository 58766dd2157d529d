import Columns
import Formats
import Store
import XCTest

final class SchemaTests: XCTestCase {
  func test_types_readInAnyFormAndPrintAsPaimonDoes() throws {
    for (text, canonical) in [
      ("int", "INT"), (" Integer  not NULL ", "INT NOT NULL"), ("decimal", "DECIMAL(10, 0)"),
      ("NUMERIC(5,2)", "DECIMAL(5, 2)"), ("varchar(2147483647)", "STRING"),
      ("char", "CHAR(1)"), ("BYTES", "BYTES"), ("varbinary(3)", "VARBINARY(3)"),
      ("timestamp", "TIMESTAMP(6)"), ("TIMESTAMP(3) WITHOUT TIME ZONE", "TIMESTAMP(3)"),
      ("timestamp_ltz(9)", "TIMESTAMP(9) WITH LOCAL TIME ZONE"), ("TIME", "TIME(0)"),
      ("TIMESTAMP(3) WITH LOCAL TIME ZONE NOT NULL", "TIMESTAMP(3) WITH LOCAL TIME ZONE NOT NULL"),
      ("double precision", "DOUBLE"), ("array<int not null>", "ARRAY<INT NOT NULL>"),
      ("INT ARRAY", "ARRAY<INT>"), ("map<string,array<bigint>>", "MAP<STRING, ARRAY<BIGINT>>"),
      ("row<a int, `b``c` string 'it''s'>", "ROW<`a` INT, `b``c` STRING 'it''s'>"),
      ("ROW(a INT) NOT NULL", "ROW<`a` INT> NOT NULL"), ("multiset<int>", "MULTISET<INT>"),
    ] {
      let type = try DataType(text: text)
      XCTAssertEqual(type.text, canonical)
      XCTAssertEqual(try DataType(text: type.text), type)
      XCTAssertEqual(try DataType(json: type.numberedForTest.json), type.numberedForTest)
    }
    for (text, kind) in [
      ("", TerraceError.Kind.invalid), ("INTT", .invalid), ("DECIMAL(39)", .invalid),
      ("DECIMAL(3,4)", .invalid), ("TIMESTAMP(10)", .invalid), ("ARRAY<", .invalid),
      ("INT)", .invalid), ("VARCHAR(0)", .invalid), ("VARCHAR(99999999999999999999)", .invalid),
      ("VARIANT", .unsupported), ("BLOB", .unsupported), ("TIMESTAMP WITH TIME ZONE", .unsupported),
      (String(repeating: "ARRAY<", count: 10_000), .invalid), ("ROW<`a INT>", .invalid),
    ] {
      XCTAssertThrowsError(try DataType(text: text), text) {
        XCTAssertEqual(($0 as? TerraceError)?.kind, kind, text)
      }
    }
  }

  func test_options_readAsFlinkReadsThem() throws {
    XCTAssertEqual(OptionValue.memoryBytes("128 mb"), 128 << 20)
    XCTAssertEqual(OptionValue.memoryBytes("64kb"), 64 << 10)
    XCTAssertEqual(OptionValue.memoryBytes("7"), 7)
    XCTAssertEqual(OptionValue.memoryBytes("1 GiB"), nil ?? 1 << 30)
    XCTAssertNil(OptionValue.memoryBytes("mb"))
    XCTAssertNil(OptionValue.memoryBytes("9223372036854775807 tb"))
    XCTAssertEqual(OptionValue.durationMillis("1 h"), 3_600_000)
    XCTAssertEqual(OptionValue.durationMillis("10min"), 600_000)
    XCTAssertEqual(OptionValue.durationMillis("2 days"), 172_800_000)
    XCTAssertEqual(OptionValue.durationMillis("15"), 15)
    XCTAssertNil(OptionValue.durationMillis("1 fortnight"))
    let options = TableOptions(["merge-engine": "Partial_Update", "bucket": "x", "unknown": "1"])
    XCTAssertEqual(try options.mergeEngine, .partialUpdate)
    XCTAssertThrowsError(try options.bucket)
    XCTAssertEqual(try TableOptions().stopTrigger, 8)
    XCTAssertEqual(try TableOptions().levelCount, 6)
  }

  private func create(
    _ columns: [(String, String)], partition: [String] = [], key: [String] = [],
    _ options: [String: String] = [:]
  ) throws -> TableSchema {
    try TableSchema.create(
      columns: try columns.map { Field(id: -1, name: $0.0, type: try DataType(text: $0.1)) },
      partitionKeys: partition, primaryKeys: key, options: options, timeMillis: 5)
  }

  func test_create_givesIdsDepthFirstAndForcesKeysNotNull() throws {
    let schema = try create(
      [("m", "MAP<STRING, ROW<x INT>>"), ("r", "ROW<a INT, b ROW<c INT>>"), ("id", "INT")],
      key: ["id"], ["bucket": "2"])
    XCTAssertEqual(schema.fields.map(\.id), [0, 2, 6])
    XCTAssertEqual(schema.highestFieldID, 6)
    XCTAssertEqual(schema.fields[2].type.text, "INT NOT NULL")
    XCTAssertEqual(try TableSchema(json: schema.json), schema)
    XCTAssertEqual(try schema.bucketMode, .fixed(2))
    let named = try create(
      [("id", "INT"), ("d", "STRING")], ["primary-key": "id,d", "partition": "d", "bucket": "1"])
    XCTAssertEqual(named.trimmedPrimaryKeys, ["id"])
    XCTAssertEqual(named.options.entries, ["bucket": "1"])
  }

  private func create(
    _ columns: [(String, String)], _ options: [String: String]
  ) throws -> TableSchema { try create(columns, partition: [], key: [], options) }

  func test_create_refusesWhatContradictsItself() throws {
    let columns = [("id", "INT"), ("d", "STRING"), ("l", "ARRAY<INT>")]
    for (partition, key, options, kind) in [
      (["x"], [], [:], TerraceError.Kind.invalid), ([], ["id", "id"], ["bucket": "1"], .invalid),
      (["d"], ["id"], ["bucket": "1"], .unsupported), (["d"], ["d"], ["bucket": "1"], .invalid),
      ([], [], ["bucket": "2"], .invalid), ([], [], ["bucket-key": "id"], .invalid),
      ([], ["l"], ["bucket": "1"], .unsupported), ([], ["id"], [:], .unsupported),
      ([], ["id"], ["bucket": "0"], .invalid), ([], ["id"], ["bucket": "-2"], .unsupported),
      ([], ["id"], ["bucket": "1", "bucket-key": "d"], .invalid),
      ([], ["id"], ["bucket": "1", "sequence.field": "nope"], .invalid),
      ([], ["id"], ["bucket": "1", "rowkind.field": "id"], .invalid),
      ([], ["id"], ["bucket": "1", "merge-engine": "aggregation"], .unsupported),
      ([], ["id"], ["bucket": "1", "changelog-producer": "full-compaction"], .unsupported),
      ([], [], ["changelog-producer": "input"], .invalid),
      ([], ["id"], ["bucket": "1", "write-buffer-size": "lots"], .invalid),
      ([], ["id"], ["bucket": "1", "num-sorted-run.stop-trigger": "2"], .invalid),
      ([], ["id"], ["bucket": "1", "file.format": "orc"], .unsupported),
      ([], [], ["row-tracking.enabled": "true"], .unsupported),
    ] as [([String], [String], [String: String], TerraceError.Kind)] {
      XCTAssertThrowsError(
        try create(columns, partition: partition, key: key, options),
        "\(partition) \(key) \(options)"
      ) { XCTAssertEqual(($0 as? TerraceError)?.kind, kind, "\($0) \(options)") }
    }
    XCTAssertThrowsError(try create([("_KEY_x", "INT")]))
    XCTAssertThrowsError(try create([("a", "INT"), ("a", "INT")]))
  }

  func test_change_keepsIdsAndPublishesTheNextSchema() throws {
    let table = CommitFixture()
    try table.create(["sequence.field": "v", "fields.v.stats-mode": "full"])
    let schemas = table.schemas
    try schemas.change([
      .addColumn(["r"], try DataType(text: "ROW<a INT, b STRING>"), comment: "nested"),
      .addColumn(["n"], .int, .first), .renameColumn(["v"], to: "w"),
    ])
    let second = try schemas.latest()
    XCTAssertEqual(second.id, 1)
    XCTAssertEqual(second.fields.map(\.name), ["n", "id", "w", "r"])
    XCTAssertEqual(second.fields.map(\.id), [5, 0, 1, 2])
    XCTAssertEqual(second.options["sequence.field"], "w")
    XCTAssertEqual(second.options["fields.w.stats-mode"], "full")
    try schemas.change([
      .addColumn(["r", "c"], .bigint, .after("a")), .setType(["r", "a"], .bigint),
      .dropColumn(["n"]), .moveColumn(["r"], .before("w")), .setColumnComment(["w"], "é"),
      .setOption("snapshot.num-retained.min", "3"), .setComment("all"),
    ])
    let third = try schemas.latest()
    XCTAssertEqual(third.id, 2)
    XCTAssertEqual(third.highestFieldID, 6)
    XCTAssertEqual(third.fields.map(\.name), ["id", "r", "w"])
    XCTAssertEqual(third.fields[1].type.text, "ROW<`a` BIGINT, `c` BIGINT, `b` STRING>")
    XCTAssertEqual(third.fields[1].type.innerFields.map(\.id), [3, 6, 4])
    // A dropped name comes back under another id.
    try schemas.change([.addColumn(["n"], .int)])
    XCTAssertEqual(try schemas.latest().fields.last?.id, 7)
    XCTAssertEqual(try schemas.change([]).id, 3)
    XCTAssertEqual(try SchemaDirectory(table.path, table.environment).ids(), [0, 1, 2, 3])
  }

  func test_change_refusesWhatWouldLoseOrMoveRows() throws {
    let table = CommitFixture()
    try table.create(partitioned: true)
    _ = try table.commit().commit([table.message(new: [try table.file("f", dt: "a")], dt: "a")])
    for change in [
      SchemaChange.addColumn(["x"], DataType.int.notNull), .addColumn(["v"], .int),
      .dropColumn(["id"]), .dropColumn(["dt"]), .dropColumn(["nope"]),
      .renameColumn(["id"], to: "x"), .renameColumn(["v"], to: "id"),
      .renameColumn(["v"], to: "_KEY_v"), .setType(["v"], .int), .setType(["id"], .string),
      .setNullable(["id"], true), .setNullable(["v"], false), .setOption("merge-engine", "x"),
      .setOption("bucket", "-1"), .setOption("bucket-key", "id"), .setOption("primary-key", "v"),
      .setOption("partition.legacy-name", "false"), .setOption("write-buffer-size", "?"),
      .moveColumn(["v"], .after("nope")), .addColumn(["v", "x"], .int),
    ] {
      XCTAssertThrowsError(try table.schemas.change([change]), "\(change)")
    }
    XCTAssertEqual(try table.schemas.ids(), [0])
    XCTAssertEqual(try table.schemas.change([.setOption("bucket", "4")]).id, 1)
  }

  func test_change_followsOthersWhoAreFirst() throws {
    let table = CommitFixture()
    try table.create()
    let failures = Failures()
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      failures.record {
        for step in 0..<5 {
          try table.schemas.change([.addColumn(["c\(thread)_\(step)"], .int)])
        }
      }
    }
    XCTAssertEqual(failures.all, [])
    let last = try table.schemas.latest()
    XCTAssertEqual(last.id, 20)
    XCTAssertEqual(last.fields.count, 22)
    XCTAssertEqual(last.highestFieldID, 21)
  }

  func test_read_refusesDamagedSchemas() throws {
    let good = try create([("a", "INT"), ("b", "ROW<c INT>")]).json.text()
    _ = try TableSchema(json: try JSONValue.parse(good))
    var random = SplitMix(seed: 3)
    for _ in 0..<2000 {
      var bytes = Array(good.utf8)
      for _ in 0...random.next() % 3 {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      // Whatever it is, it must not trap.
      _ = try? TableSchema(json: JSONValue.parse(String(decoding: bytes, as: UTF8.self)))
    }
  }
}

extension DataType {
  fileprivate var numberedForTest: DataType {
    guard case .row(let fields) = kind else { return self }
    let numbered = fields.enumerated().map { index, field in
      with(field) { $0.id = index }
    }
    return DataType(.row(numbered), nullable: isNullable)
  }
}
