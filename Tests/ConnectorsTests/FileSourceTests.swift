import Columns
import Formats
import Store
import XCTest

@testable import Connectors

/// A folder in memory and a source over it.
final class FileFixture {
  let disk: MemoryFileIO
  let environment: Environment
  let time = ManualTime()

  init() throws {
    disk = MemoryFileIO()
    environment = Environment(files: disk, time: time)
    try disk.makeDirectories("/in")
  }

  func put(_ name: String, _ text: String) throws { try put(name, bytes: Array(text.utf8)) }

  func put(_ name: String, bytes: [UInt8]) throws {
    _ = try disk.delete("/in/" + name)
    try disk.write(bytes, to: "/in/" + name)
  }

  static func packed(_ codec: Codec, _ text: String) throws -> [UInt8] {
    let compressor = Compressor(level: 6)
    return try Array(text.utf8).withUnsafeBytes { Array(try compressor.compress(codec, $0)) }
  }

  static let columns: [(String, DataType)] = [("id", .bigint), ("name", .string)]

  func table(
    _ format: String, _ options: [String: String] = [:],
    columns: [(String, DataType)] = FileFixture.columns, key: [String] = [],
    metadata: [ConnectorTable.Metadata] = []
  ) -> ConnectorTable {
    var all = ["connector": "filesystem", "path": "in", "format": format]
    all.merge(options) { $1 }
    return ConnectorTable(
      name: "t", type: RowType(columns), metadata: metadata, primaryKey: key, options: all,
      folder: "/")
  }

  func open(_ table: ConnectorTable) throws -> any Source {
    try Connectors.source(table, environment)
  }

  /// All that is there, each row as `+I[1, a]`, each refused record as `!place: reason`.
  static func drain(_ source: any Source, rows: Int = 1000) throws -> [String] {
    var out: [String] = []
    while let batch = try source.poll(rows: rows, bytes: 1 << 20) { out += text(batch) }
    return out
  }

  static func text(_ batch: SourceBatch) -> [String] {
    var out: [String] = []
    var letters = batch.deadLetters[...]
    for row in 0...batch.rows.count {
      while let letter = letters.first, letter.row == row {
        out.append("!\(letter.place): \(letter.reason)")
        letters.removeFirst()
      }
      if row == batch.rows.count { break }
      let kind = batch.kinds.map { RowKind(rawValue: $0.pointer(UInt8.self)[row])! } ?? .insert
      let values = batch.rows.columns.map { ValueText.text($0, row) }
      out.append("\(kind.text)[\(values.joined(separator: ", "))]")
    }
    XCTAssert(letters.isEmpty, "letters out of order")
    return out
  }

  func read(_ table: ConnectorTable) throws -> [String] {
    let source = try open(table)
    try source.stopAtPresent()
    source.endInput()
    let out = try Self.drain(source)
    XCTAssertTrue(source.isDrained)
    return out
  }
}

final class FileSourceTests: XCTestCase {
  func test_poll_takesFilesInNameOrderAndPassesHiddenOnes() throws {
    let fixture = try FileFixture()
    try fixture.put("b.json", "{\"id\":2,\"name\":\"b\"}\n")
    try fixture.put("a.json", "{\"id\":1,\"name\":\"a\"}\n\n{\"id\":3}\n")
    try fixture.put(".c.json", "{\"id\":9}\n")
    try fixture.put("_d.json", "{\"id\":9}\n")
    XCTAssertEqual(
      try fixture.read(fixture.table("json")), ["+I[1, a]", "+I[3, NULL]", "+I[2, b]"])
  }

  func test_poll_countsALineWhenItEnds() throws {
    let fixture = try FileFixture()
    try fixture.put("a.json", "{\"id\":1}\n{\"id\":2")
    let source = try fixture.open(fixture.table("json"))
    XCTAssertEqual(try FileFixture.drain(source), ["+I[1, NULL]"])
    fixture.time.advance(millis: 2000)
    try fixture.put("a.json", "{\"id\":1}\n{\"id\":2}\n{\"id\":3")
    XCTAssertEqual(try FileFixture.drain(source), ["+I[2, NULL]"])
    source.endInput()
    fixture.time.advance(millis: 2000)
    XCTAssertEqual(
      try FileFixture.drain(source),
      ["!a.json:3: ',' or the closing bracket was expected, column 8, near "])
  }

  func test_endInput_takesTheLastLineWithoutAnEnd() throws {
    let fixture = try FileFixture()
    try fixture.put("a.json", "{\"id\":1}\n{\"id\":2}")
    XCTAssertEqual(try fixture.read(fixture.table("json")), ["+I[1, NULL]", "+I[2, NULL]"])
  }

  func test_poll_putsMalformedRecordsAside() throws {
    let fixture = try FileFixture()
    try fixture.put("a.json", "{\"id\":1}\nnonsense\n{\"id\":\"x\"}\n{\"id\":2}\n")
    let read = try fixture.read(fixture.table("json"))
    XCTAssertEqual(
      read.map { $0.prefix(8) }, ["+I[1, NU", "!a.json:", "!a.json:", "+I[2, NU"])
    XCTAssertEqual(
      try fixture.read(fixture.table("json", ["json.ignore-parse-errors": "true"])),
      ["+I[1, NULL]", "+I[NULL, NULL]", "+I[2, NULL]"])
    let source = try fixture.open(fixture.table("json", ["on-error": "skip"]))
    XCTAssertEqual(try FileFixture.drain(source).count, 2)
    XCTAssertEqual(source.skipped, 2)
    XCTAssertThrowsError(try fixture.read(fixture.table("json", ["on-error": "fail"])))
  }

  func test_poll_refusesMissingMembersWhenTold() throws {
    let fixture = try FileFixture()
    try fixture.put("a.json", "{\"id\":1}\n{\"id\":2,\"name\":\"b\"}\n")
    let read = try fixture.read(fixture.table("json", ["json.fail-on-missing-field": "true"]))
    XCTAssertEqual(read.count, 2)
    XCTAssertEqual(read.last, "+I[2, b]")
  }

  func test_source_refusesUnknownOptionsWithAHint() throws {
    let fixture = try FileFixture()
    XCTAssertThrowsError(
      try fixture.open(fixture.table("json", ["json.ignore-parse-error": "true"]))
    ) {
      XCTAssertEqual(($0 as? TerraceError)?.hint, "did you mean 'json.ignore-parse-errors'?")
    }
  }

  func test_poll_saysWhatBecameOfFiles() throws {
    let fixture = try FileFixture()
    try fixture.put("a.json", "{\"id\":1}\n{\"id\":2}\n")
    try fixture.put("b.json", "{\"id\":3}\n")
    try fixture.put("c.json", "{\"id\":4}\n")
    let source = try fixture.open(fixture.table("json"))
    XCTAssertEqual(try FileFixture.drain(source).count, 4)
    try fixture.put("a.json", "{\"id\":1}\n")
    try fixture.put("b.json", "{\"id\":8}\n{\"id\":9}\n")
    _ = try fixture.disk.delete("/in/c.json")
    fixture.time.advance(millis: 2000)
    XCTAssertEqual(try FileFixture.drain(source), [])
    let notices = source.takeNotices().sorted()
    XCTAssertEqual(notices.count, 3, "\(notices)")
    XCTAssert(notices[0].contains("a.json shrank"))
    XCTAssert(notices[1].contains("b.json was replaced"))
    XCTAssert(notices[2].contains("c.json vanished"))
    fixture.time.advance(millis: 2000)
    XCTAssertEqual(try FileFixture.drain(source), [])
    XCTAssertEqual(source.takeNotices(), [])
  }

  func test_poll_fillsMetadataColumns() throws {
    let fixture = try FileFixture()
    try fixture.put("a.json", "{\"id\":1}\n")
    let table = fixture.table(
      "json", columns: [("id", .bigint), ("f", .string), ("s", .bigint)],
      metadata: [
        .init(column: "f", key: "file.name", isVirtual: true),
        .init(column: "s", key: "file.size", isVirtual: true),
      ])
    XCTAssertEqual(try fixture.read(table), ["+I[1, a.json, 9]"])
  }

  func test_poll_readsCSVByDeclaredColumns() throws {
    let fixture = try FileFixture()
    try fixture.put("a.csv", "1;\"a\nb\"\n;\n# no\n2;c;d\n3;n/a\n4;\"x")
    var table = fixture.table(
      "csv",
      [
        "csv.field-delimiter": ";", "csv.null-literal": "n/a", "csv.allow-comments": "true",
      ])
    let read = try fixture.read(table)
    XCTAssertEqual(read.prefix(2), ["+I[1, a\nb]", "+I[NULL, ]"])
    XCTAssert(read[2].hasPrefix("!a.csv:5: another number of fields"), read[2])
    XCTAssertEqual(read[3], "+I[3, NULL]")
    XCTAssert(read[4].hasPrefix("!a.csv:7: a string that does not end"), read[4])
    table.type = RowType([("name", .string)])
    XCTAssertEqual(try fixture.read(table)[0], "+I[a\nb]")
  }

  func test_poll_readsPartitionsFromFolders() throws {
    let fixture = try FileFixture()
    try fixture.disk.makeDirectories("/in/dt=2024%2D01")
    try fixture.put("dt=2024%2D01/a.json", "{\"id\":1}\n")
    var table = fixture.table("json", columns: [("id", .bigint), ("dt", .string)])
    table.partitionKeys = ["dt"]
    XCTAssertEqual(try fixture.read(table), ["+I[1, 2024-01]"])
  }

  func test_poll_readsParquet() throws {
    let fixture = try FileFixture()
    let type = RowType(FileFixture.columns)
    let id = ColumnBuilder(.bigint)
    let name = ColumnBuilder(.string)
    for i in 0..<100 {
      id.append(Int64(i))
      name.append("n\(i)")
    }
    let sink = MemorySink()
    let writer = try ParquetWriter(sink, type: type)
    try writer.write(Batch(type, [id.finish(), name.finish()], count: 100))
    _ = try writer.finish()
    try fixture.put("a.parquet", bytes: sink.array())
    let expected = (0..<100).map { "+I[\($0), n\($0)]" }
    XCTAssertEqual(try fixture.read(fixture.table("parquet")), expected)
    let source = try fixture.open(fixture.table("parquet"))
    _ = try source.poll(rows: 30, bytes: 1 << 20)
    _ = try source.poll(rows: 30, bytes: 1 << 20)
    let next = try fixture.open(fixture.table("parquet"))
    try next.seek(source.position)
    XCTAssertEqual(try FileFixture.drain(next, rows: 7), Array(expected[30...]))
  }

  func test_poll_readsPackedFilesOnFromAnyPosition() throws {
    let fixture = try FileFixture()
    let lines = (0..<500).map { "{\"id\":\($0)}\n" }
    let first = try FileFixture.packed(.gzip, lines[..<300].joined())
    try fixture.put("a.json.gz", bytes: first)
    let source = try fixture.open(fixture.table("json"))
    let read = FileFixture.text(try XCTUnwrap(try source.poll(rows: 10, bytes: 1 << 20)))
    XCTAssertEqual(read, [])
    XCTAssertEqual(try source.poll(rows: 10, bytes: 1 << 20)?.rows.count, 10)
    let position = source.position
    // A second member comes, half of it first.
    let second = try FileFixture.packed(.gzip, lines[300...].joined())
    let next = try fixture.open(fixture.table("json"))
    try next.seek(position)
    try fixture.put("a.json.gz", bytes: first + second.prefix(second.count / 2))
    var given = try FileFixture.drain(next)
    XCTAssertGreaterThanOrEqual(given.count, 290)
    fixture.time.advance(millis: 2000)
    try fixture.put("a.json.gz", bytes: first + second)
    given += try FileFixture.drain(next)
    XCTAssertEqual(given, (10..<500).map { "+I[\($0), NULL]" })
  }

  func test_source_putsInWhatStandsElsewhere() throws {
    let fixture = try FileFixture()
    try fixture.put("a.json", "{\"id\":1}\n")
    try fixture.disk.write(Array("in\n".utf8), to: "/secret")
    XCTAssertEqual(
      try fixture.read(fixture.table("json", ["path": "/${file:secret}"])), ["+I[1, NULL]"])
    var table = fixture.table("json")
    table.options["path"] = "${env:NO_SUCH_VARIABLE}"
    XCTAssertThrowsError(try fixture.open(table))
  }
}
