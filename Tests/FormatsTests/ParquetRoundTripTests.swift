import Columns
import XCTest

@testable import Formats

final class ParquetRoundTripTests: XCTestCase {
  func test_scan_returnsWhatWasWritten() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("Parquet round trips, seed \(seed)")
    for number in 0..<150 {
      var random = SeededRandom(seed &+ UInt64(number))
      let type = RowType(ParquetSamples.fields(&random, 1 + random.below(4)))
      let counts = (0..<random.below(4)).map { _ in [0, 1, 40, 300][random.below(4)] }
      let batches = counts.map { ParquetSamples.batch(type, $0, &random) }
      let options = ParquetSamples.options(&random)
      let what = "seed \(seed) number \(number): \(type.fields.map(\.type.kind)) \(options)"
      do {
        let (bytes, summary) = try ParquetSamples.file(type, batches, options)
        XCTAssertEqual(summary.rows, counts.reduce(0, +))
        let file = try ParquetFile(MemorySource(bytes))
        let expected = batches.flatMap { ParquetSamples.lines($0) }
        let scan = try file.scan(type, batchRows: [1, 13, 16384][random.below(3)])
        let found = try ParquetSamples.lines(scan)
        XCTAssertEqual(found, expected, what)
        if found != expected { return }
        try checkSummary(summary, batches, what)
        try checkIndexes(file)
      } catch {
        return XCTFail("\(what): \(error)")
      }
    }
  }

  private func checkSummary(
    _ summary: ParquetSummary, _ batches: [Batch], _ what: String
  ) throws {
    for (i, found) in summary.columns.enumerated() {
      let columns = batches.map { $0.columns[i] }
      XCTAssertEqual(found.nullCount, columns.reduce(0) { $0 + $1.nullCount }, what)
      guard let physical = columns.first?.physical, physical != .list, physical != .map,
        physical != .row
      else { continue }
      for column in columns {
        for row in 0..<column.count where !column.isNull(row) {
          guard let low = found.min, let high = found.max else { continue }
          XCTAssertLessThanOrEqual(Scalar.compare(low, column.scalar(row)), 0, what)
          XCTAssertGreaterThanOrEqual(Scalar.compare(high, column.scalar(row)), 0, what)
        }
      }
    }
  }

  /// What the offset index says must be what the pages are.
  private func checkIndexes(_ file: ParquetFile) throws {
    for (g, group) in file.metadata.rowGroups.enumerated() {
      for (c, chunk) in group.columns.enumerated() {
        let pages = try file.pages(group: g, column: c).filter { $0.kind != .dictionary }
        XCTAssertEqual(pages.reduce(0) { $0 + $1.valueCount }, chunk.valueCount)
        guard
          let places = try ParquetPageIndex.places(file.source, chunk, rows: group.rowCount)
        else { continue }
        XCTAssertEqual(places.map(\.offset), pages.map(\.offset))
      }
    }
  }

  func test_types_areDeducedFromOurFiles() throws {
    let type = RowType([
      ("b", .boolean), ("i", DataType.int.notNull), ("t", .tinyint), ("s", .string),
      ("y", .bytes), ("d", .decimal(9, 2)), ("e", .decimal(18, 2)), ("f", .decimal(38, 5)),
      ("ts", .timestamp(6)), ("tn", .timestamp(9)), ("time", DataType(.time(3))),
      ("a", .array(DataType.int.notNull)), ("m", .map(DataType.string.notNull, .double)),
      ("r", .row([Field(id: 30, name: "x", type: .date)])),
    ])
    let (bytes, _) = try ParquetSamples.file(type, [], ParquetWriteOptions())
    let file = try ParquetFile(MemorySource(bytes))
    XCTAssertEqual(file.type, type)
    XCTAssertEqual(file.metadata.schema[0].name, "paimon_schema")
    let element = file.metadata.schema.first { $0.name == "element" }
    XCTAssertEqual(element?.fieldID, 536_870_911 + 11 * 1024 + 1)
    let key = file.metadata.schema.first { $0.name == "key" }
    XCTAssertEqual(key?.fieldID, 536_870_911 - 12 * 1024 - 1)
  }

  func test_scan_givesNullsForMissingColumnsAndConverts() throws {
    let type = RowType([("i", .int), ("f", .float), ("ts", .timestamp(3))])
    let builders = type.fields.map { ColumnBuilder($0.type) }
    builders[0].append(Int32(-7))
    builders[1].append(Float(1.5))
    builders[2].append(Int64(-1))
    let batch = Batch(type, builders.map { $0.finish() }, count: 1)
    let (bytes, _) = try ParquetSamples.file(type, [batch], ParquetWriteOptions())
    let file = try ParquetFile(MemorySource(bytes))
    let wanted = RowType([
      ("ts", .timestamp(9)), ("none", .array(.string)), ("i", .bigint), ("f", .double),
    ])
    let scan = try file.scan(wanted)
    let read = try XCTUnwrap(try scan.next())
    XCTAssertEqual(read.columns[0].scalar(0), .int128(-1_000_000))
    XCTAssertTrue(read.columns[1].isNull(0))
    XCTAssertEqual(read.columns[2].scalar(0), .int(-7))
    XCTAssertEqual(read.columns[3].scalar(0), .double(1.5))
    XCTAssertThrowsError(try file.scan(RowType([("f", .string)]))) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .unsupported)
    }
    let narrow = try file.scan(RowType([("i", .tinyint)]))
    let small = try XCTUnwrap(try narrow.next())
    XCTAssertEqual(small.columns[0].scalar(0), .int(-7))
  }

  func test_write_throwsWhenANotNullColumnHasNulls() throws {
    let builder = ColumnBuilder(.int)
    builder.appendNull()
    let column = builder.finish().retyped(DataType.int.notNull)
    let type = RowType([("i", DataType.int.notNull)])
    let writer = try ParquetWriter(MemorySink(), type: type)
    XCTAssertThrowsError(try writer.write(Batch(type, [column], count: 1)))
  }

  func test_dictionary_isUsedWhereItPays() throws {
    let type = RowType([("few", DataType.string.notNull), ("all", DataType.bigint.notNull)])
    let few = ColumnBuilder(type.fields[0].type)
    let all = ColumnBuilder(type.fields[1].type)
    for i in 0..<5000 {
      few.append("value number \(i % 10)")
      all.append(Int64(i) &* 0x9E37_79B9_7F4A)
    }
    let batch = Batch(type, [few.finish(), all.finish()], count: 5000)
    var options = ParquetWriteOptions()
    options.codec = .none
    let (bytes, _) = try ParquetSamples.file(type, [batch], options)
    let chunks = try ParquetFile(MemorySource(bytes)).metadata.rowGroups[0].columns
    XCTAssertTrue(chunks[0].encodings.contains(ParquetEncoding.rleDictionary.rawValue))
    XCTAssertLessThan(chunks[0].compressedBytes, 4000)
    XCTAssertFalse(chunks[1].encodings.contains(ParquetEncoding.rleDictionary.rawValue))
  }

  func test_statistics_haveNoBoundsWithNaNAndSpanZeros() throws {
    let type = RowType([("x", .double), ("y", .double)])
    let x = ColumnBuilder(.double)
    let y = ColumnBuilder(.double)
    for value in [1.0, .nan] { x.append(value) }
    for value in [0.0, 0.0] { y.append(value) }
    let batch = Batch(type, [x.finish(), y.finish()], count: 2)
    let (bytes, summary) = try ParquetSamples.file(type, [batch], ParquetWriteOptions())
    XCTAssertNil(summary.columns[0].min)
    XCTAssertNil(summary.columns[0].max)
    XCTAssertEqual(summary.columns[1].min, .double(-0.0))
    let chunks = try ParquetFile(MemorySource(bytes)).metadata.rowGroups[0].columns
    XCTAssertNil(chunks[0].statistics?.minValue)
    XCTAssertNil(chunks[0].columnIndex)
    XCTAssertEqual(chunks[1].statistics?.minValue, [0, 0, 0, 0, 0, 0, 0, 0x80])
  }

  func test_statistics_cutLongText() throws {
    let type = RowType([("s", .string)])
    let builder = ColumnBuilder(.string)
    builder.append(String(repeating: "é", count: 50))
    let (bytes, summary) = try ParquetSamples.file(
      type, [Batch(type, [builder.finish()], count: 1)], ParquetWriteOptions())
    XCTAssertEqual(summary.columns[0].min, .text(String(repeating: "é", count: 50)))
    let stored = try XCTUnwrap(
      try ParquetFile(MemorySource(bytes)).metadata.rowGroups[0].columns[0].statistics)
    XCTAssertEqual(stored.minValue, Array(String(repeating: "é", count: 32).utf8))
    XCTAssertEqual(stored.isMinExact, false)
    XCTAssertEqual(stored.maxValue, Array((String(repeating: "é", count: 31) + "ê").utf8))
  }
}
