import Columns
import Formats
import Foundation
import Store
import XCTest

@testable import Connectors

/// Files that are not what they should be, each before a good one: what can be read of them counts, the rest
/// is one dead letter that says where it begins.
final class MalformedFileTests: XCTestCase {
  private let good = "{\"id\":1}\n{\"id\":2}\n"

  /// What is read of a folder with the file and a good one behind it, which must be whole.
  private func fate(
    _ name: String, _ bytes: [UInt8], _ options: [String: String] = [:], format: String = "json"
  ) throws -> [String] {
    let fixture = try FileFixture()
    try fixture.put(name, bytes: bytes)
    let after = try format == "json" ? Array("{\"id\":9}\n".utf8) : container(format, 9...9)
    try fixture.put("z", bytes: after)
    var read = try fixture.read(fixture.table(format, options)).map { String($0.prefix(150)) }
    XCTAssertEqual(read.popLast(), "+I[9, NULL]", "the file behind \(name)")
    return read
  }

  /// A Parquet or Avro file.
  private func container(_ format: String, _ ids: ClosedRange<Int>) throws -> [UInt8] {
    let type = RowType(FileFixture.columns)
    let id = ColumnBuilder(.bigint)
    let name = ColumnBuilder(.string)
    for i in ids {
      id.append(Int64(i))
      name.appendNull()
    }
    return try container(format, Batch(type, [id.finish(), name.finish()], count: ids.count))
  }

  /// - Parameter codec: of Avro, whose blocks are small.
  private func container(
    _ format: String, _ batch: Batch, codec: AvroCodec = AvroWriteOptions().codec
  ) throws -> [UInt8] {
    let sink = MemorySink()
    if format == "parquet" {
      let writer = try ParquetWriter(sink, type: batch.type)
      try writer.write(batch)
      _ = try writer.finish()
    } else {
      var options = AvroWriteOptions()
      options.blockBytes = 64
      options.codec = codec
      let writer = try AvroWriter(sink, type: batch.type, options: options)
      try writer.write(batch)
      try writer.finish()
    }
    return sink.array()
  }

  /// Values that a few kilobytes stand for, and that no memory should hold.
  func test_containers_putAsideWhatUnpacksToMoreThanARecordMayHave() throws {
    let type = RowType(FileFixture.columns)
    let name = ColumnBuilder(.string)
    name.append(String(repeating: "a", count: 70 << 20))
    let batch = Batch(
      type, [Column.repeating(.int(1), type: .bigint, count: 1), name.finish()], count: 1)
    for format in ["parquet", "avro"] {
      let bytes = try container(format, batch, codec: .zstandard)
      XCTAssertLessThan(bytes.count, 1 << 20)
      let read = try fate("a", bytes, format: format)
      XCTAssertEqual(read.count, 1)
      XCTAssert(read[0].hasPrefix("!a:1"), read[0])
    }
  }

  func test_packedFiles_giveWhatStandsBeforeTheDamage() throws {
    let lines = (0..<2000).map { "{\"id\":\($0),\"name\":\"\($0 &* 7919 % 1009)\"}\n" }.joined()
    for codec in [Codec.gzip, .zstd] {
      let whole = try FileFixture.packed(codec, lines)
      let cut = try fate("a", Array(whole.dropLast(whole.count / 3)))
      XCTAssertTrue(cut.last?.contains("the packed data ends early: the rest") == true, "\(cut)")
      var flipped = whole
      for place in whole.count / 2..<whole.count / 2 + 40 { flipped[place] ^= 0x5a }
      let damaged = try fate("a", flipped)
      XCTAssertTrue(damaged.last?.contains("damaged \(codec.rawValue) data") == true, "\(damaged)")
      if codec == .gzip {
        XCTAssertGreaterThan(cut.count, 100)
        XCTAssertEqual(cut.last?.hasPrefix("!a:\(cut.count): "), true)
        XCTAssertGreaterThan(damaged.count, 100)
      }
      // The checksum behind the last line, or nothing but the first bytes.
      let short = try fate("a", Array(whole.prefix(5)))
      XCTAssertEqual(short.count, 1)
      XCTAssertEqual(try fate("a", whole, ["on-error": "skip"]).count, 2000)
      XCTAssertThrowsError(try fate("a", flipped, ["on-error": "fail"]))
    }
    let tail = try fate("a", try FileFixture.packed(.gzip, good) + Array("garbage".utf8))
    XCTAssertEqual(tail.count, 3)
    XCTAssertTrue(tail[2].hasPrefix("!a:3: damaged gzip data"), tail[2])
  }

  func test_packedFile_thatIsStillWrittenIsWaitedFor() throws {
    let fixture = try FileFixture()
    let whole = try FileFixture.packed(.gzip, good)
    try fixture.put("a.gz", bytes: Array(whole.dropLast(6)))
    let source = try fixture.open(fixture.table("json"))
    let first = try FileFixture.drain(source)
    try fixture.put("a.gz", bytes: whole)
    fixture.time.advance(millis: 2000)
    XCTAssertEqual(first + (try FileFixture.drain(source)), ["+I[1, NULL]", "+I[2, NULL]"])
  }

  func test_recordsOverTheLimit_arePassedOver() throws {
    let start = Array((good + "{\"id\":3,\"name\":\"").utf8)
    let long = start + Array(repeating: 0x78, count: 70_000_000)
    let compressor = Compressor(level: 1)
    let bomb = try (long + Array("\"}\n\(good)".utf8)).withUnsafeBytes {
      Array(try compressor.compress(.zstd, $0))
    }
    XCTAssertLessThan(bomb.count, 100_000)
    let read = try fate("a", bomb)
    XCTAssertEqual(read.count, 5)
    XCTAssertEqual(read[2], "!a:3: a record over 67108864 bytes")
    XCTAssertEqual(read[4], "+I[2, NULL]")
    let unended = try long.withUnsafeBytes { Array(try compressor.compress(.gzip, $0)) }
    XCTAssertEqual(
      Array(try fate("a", unended)[2...]), ["!a:3: a record over 67108864 bytes"])
  }

  func test_containers_giveWhatStandsBeforeTheDamage() throws {
    let parquet = try container("parquet", 1...100)
    for bytes in [
      Array("no parquet".utf8), Array(parquet.dropLast(30)), [0x50], Array("PAR1PAR1".utf8),
    ] {
      let read = try fate("a", bytes, format: "parquet")
      XCTAssertEqual(read.count, 1)
      XCTAssertTrue(read[0].hasPrefix("!a: "), read[0])
    }
    var page = parquet
    for place in 20..<60 { page[place] ^= 0x33 }
    let pages = try fate("a", page, format: "parquet")
    XCTAssertEqual(pages.count, 1)
    XCTAssertTrue(pages[0].hasPrefix("!a:1: "), pages[0])
    let avro = try container("avro", 1...100)
    let cut = try fate("a", Array(avro.dropLast(10)), format: "avro")
    XCTAssertTrue(cut.last?.hasPrefix("!a") == true, "\(cut)")
    XCTAssertThrowsError(try fate("a", page, ["on-error": "fail"], format: "parquet"))
    XCTAssertEqual(try fate("a", page, ["on-error": "skip"], format: "parquet"), [])
  }

  func test_containers_putRowsAsideThatHaveANullWhereNoneMayBe() throws {
    let fixture = try FileFixture()
    let columns: [(String, DataType)] = [("id", .bigint), ("name", .string)]
    let sink = try Connectors.sink(
      fixture.table("parquet", columns: columns), fixture.environment)
    let id = ColumnBuilder(.bigint)
    let name = ColumnBuilder(.string)
    for row in 0..<5 {
      if row % 2 == 1 { id.appendNull() } else { id.append(Int64(row)) }
      name.append("n")
    }
    try sink.write(
      Batch(RowType(columns), [id.finish(), name.finish()], count: 5), kinds: nil)
    try sink.publish(try sink.prepare(epoch: 1))
    func read(_ options: [String: String] = [:]) throws -> [String] {
      try fixture.read(
        fixture.table(
          "parquet", options, columns: [("id", DataType.bigint.notNull), ("name", .string)]))
    }
    let found = try read()
    XCTAssertEqual(found.filter { $0.hasPrefix("+") }, ["+I[0, n]", "+I[2, n]", "+I[4, n]"])
    XCTAssertEqual(found.count, 5)
    XCTAssertTrue(
      found[1].contains(":2: null in a column that may not be null, field id"), found[1])
    XCTAssertEqual(try read(["on-error": "skip"]).count, 3)
    XCTAssertThrowsError(try read(["on-error": "fail"])) {
      XCTAssertTrue("\($0)".contains("row=2"), "\($0)")
    }
  }

  func test_container_thatWasNotYetWholeIsReadWhenItIs() throws {
    let fixture = try FileFixture()
    let whole = try container("parquet", 1...3)
    try fixture.put("a.parquet", bytes: Array(whole.dropLast(20)))
    let source = try fixture.open(fixture.table("parquet"))
    let first = try FileFixture.drain(source)
    XCTAssertEqual(first.count, 1)
    XCTAssertTrue(first[0].hasPrefix("!a.parquet: "), first[0])
    fixture.time.advance(millis: 2000)
    XCTAssertEqual(try FileFixture.drain(source), [], "told once")
    try fixture.put("a.parquet", bytes: whole)
    fixture.time.advance(millis: 2000)
    XCTAssertEqual(try FileFixture.drain(source).count, 3)
    XCTAssertEqual(source.takeNotices(), [])
  }

  func test_position_afterDamageDoesNotTellItAgain() throws {
    let fixture = try FileFixture()
    let whole = try FileFixture.packed(.gzip, good)
    try fixture.put("a.gz", bytes: whole + [1, 2, 3])
    try fixture.put("b", "{\"id\":3}\n")
    let source = try fixture.open(fixture.table("json"))
    var positions: [String] = []
    var given: [[String]] = []
    while let batch = try source.poll(rows: 1, bytes: 1 << 20) {
      given.append(FileFixture.text(batch))
      positions.append(source.position)
    }
    XCTAssertEqual(given.flatMap { $0 }.count, 4)
    for (number, position) in positions.enumerated() {
      let next = try fixture.open(fixture.table("json"))
      try next.seek(position)
      XCTAssertEqual(
        try FileFixture.drain(next, rows: 1), given[(number + 1)...].flatMap { $0 }, position)
    }
  }

  func test_texts_inOtherFormsAreRefusedLineByLine() throws {
    let wide = "\u{feff}{\"id\":1}\n".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    XCTAssertTrue(try fate("a", wide).allSatisfy { $0.hasPrefix("!a:") })
    let nul = Array("{\"id\":1}\u{0}\n\u{0}\n{\"id\":2}\n".utf8)
    XCTAssertEqual(try fate("a", nul).map { $0.prefix(2) }, ["!a", "!a", "+I"])
    let crlf = "\u{feff}{\"id\":1}\r\n\r\n{\"id\":2,\"name\":\"b\"}\r\n"
    XCTAssertEqual(try fate("a", Array(crlf.utf8)), ["+I[1, NULL]", "+I[2, b]"])
    // A carriage return alone ends no line.
    XCTAssertEqual(try fate("a", Array("{\"id\":1}\r{\"id\":2}\r".utf8)).count, 1)
    let bad = Array("{\"id\":1,\"name\":\"".utf8) + [0xff, 0xfe] + Array("\"}\n".utf8)
    XCTAssertTrue(try fate("a", bad + Array(good.utf8))[0].contains("UTF-8"))
    let deep = String(repeating: "{\"a\":", count: 100_000)
    XCTAssertEqual(try fate("a", Array((deep + "\n" + good).utf8)).count, 3)
    let huge = "{\"id\":" + String(repeating: "9", count: 1_000_000) + "}\n"
    XCTAssertEqual(try fate("a", Array((huge + good).utf8)).count, 3)
    XCTAssertTrue(try fate("a", Array("{\"id\":1,\"id\":2}\n".utf8))[0].contains("twice"))
  }

  /// A file on a disk, larger than what is read at once.
  private func onDisk(
    _ change: (_ path: String, _ handle: FileHandle) throws -> Void
  ) throws -> (read: [String], again: [String], notices: [String]) {
    let folder = NSTemporaryDirectory() + "terrace-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: folder + "/in", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }  // Only a scratch folder.
    let path = folder + "/in/a.json"
    let line = "{\"id\":1,\"name\":\"" + String(repeating: "x", count: 1000) + "\"}\n"
    try Data(String(repeating: line, count: 4000).utf8).write(to: URL(fileURLWithPath: path))
    let table = ConnectorTable(
      name: "t", type: RowType([("id", .bigint)]),
      options: ["connector": "filesystem", "path": "in", "format": "json"], folder: folder)
    let time = ManualTime()
    let source = try Connectors.source(table, Environment(time: time))
    var read: [String] = []
    for _ in 0..<2 {
      read += FileFixture.text(try XCTUnwrap(try source.poll(rows: 100, bytes: 1 << 20)))
    }
    let handle = try XCTUnwrap(FileHandle(forUpdatingAtPath: path))
    try change(path, handle)
    try handle.close()
    read += try FileFixture.drain(source)
    time.advance(millis: 2000)
    return (read, try FileFixture.drain(source), source.takeNotices())
  }

  func test_file_thatChangesWhileItIsRead() throws {
    let shrunk = try onDisk { _, handle in try handle.truncate(atOffset: 2_000_000) }
    XCTAssertTrue(
      shrunk.read.last?.contains("the file became shorter while it was read") == true)
    XCTAssertLessThan(shrunk.read.count, 4000)
    XCTAssertTrue(shrunk.read.dropLast().allSatisfy { $0 == "+I[1]" })
    XCTAssertEqual(shrunk.again, [])
    let grown = try onDisk { _, handle in
      try handle.seekToEnd()
      try handle.write(contentsOf: Data("{\"id\":2}\n{\"id\":3".utf8))
    }
    XCTAssertEqual(grown.read.filter { $0 == "+I[1]" }.count, 4000)
    XCTAssertEqual((grown.read + grown.again).filter { $0 != "+I[1]" }, ["+I[2]"])
    let gone = try onDisk { path, _ in try FileManager.default.removeItem(atPath: path) }
    XCTAssertEqual(gone.read.count, 4000)
    XCTAssertEqual(gone.again, [])
    XCTAssertEqual(gone.notices.count, 1)
    XCTAssertTrue(gone.notices.first?.contains("vanished") == true, "\(gone.notices)")
  }
}
