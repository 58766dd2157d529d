import Columns
import XCTest

@testable import Formats

/// Hostile files: an error or a result, never a trap, a hang or a flood of memory.
final class ParquetDamageTests: XCTestCase {
  private func drain(_ bytes: [UInt8], _ type: RowType?) throws {
    let file = try ParquetFile(MemorySource(bytes))
    let scan = try file.scan(
      type ?? file.type, predicate: .compare(column: 0, .notEqual, .int(7)), batchRows: 500)
    var rows = 0
    // A damaged count may promise billions of nulls; reading on is no danger, only slow.
    while rows < 20_000, let batch = try scan.next() { rows += batch.count }
    for group in file.metadata.rowGroups.indices {
      for column in file.metadata.rowGroups[group].columns.indices {
        _ = try file.pages(group: group, column: column)
        _ = try file.statistics(group: group, column: column)
      }
    }
  }

  private func sample(_ random: inout SeededRandom) throws -> [UInt8] {
    let fields =
      [Field(id: 0, name: "key", type: DataType.bigint)]
      + ParquetSamples.fields(&random, 1 + random.below(4)).map {
        Field(id: $0.id + 1, name: $0.name, type: $0.type)
      }
    let type = RowType(fields)
    let batch = ParquetSamples.batch(type, [5, 60, 200][random.below(3)], &random)
    var options = ParquetSamples.options(&random)
    options.pageRows = max(options.pageRows, 7)
    options.rowGroupRows = max(options.rowGroupRows, 50)
    options.pageBytes = max(options.pageBytes, 100)
    // Checksums would catch the damage before the decoders see it.
    options.crc = random.chance(0.1)
    if random.chance(0.6) { options.codec = .none }
    options.bloomFilters = ["key": 0.1]
    let (bytes, _) = try ParquetSamples.file(type, [batch], options)
    return Array(bytes.bytes)
  }

  func test_read_survivesDamage() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("Parquet damage, seed \(seed)")
    var read = 0
    var refused = 0
    for number in 0..<40 {
      var random = SeededRandom(seed &+ UInt64(number))
      let whole = try sample(&random)
      for _ in 0..<60 {
        var bytes = whole
        switch random.below(9) {
        case 0: bytes.removeLast(random.below(bytes.count))
        case 1:
          let at = random.below(bytes.count)
          bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(20)))
        case 2:
          let at = random.below(bytes.count)
          for i in at..<min(bytes.count, at + 8) { bytes[i] = 0xff }
        case 3, 4:
          // In the footer, where the sizes are.
          for _ in 0..<1 + random.below(3) {
            let at = bytes.count - 1 - random.below(min(bytes.count, 300))
            bytes[at] = UInt8(truncatingIfNeeded: random.next())
          }
        case 5:
          // 2⁶³ - 1 for a size or a count.
          let huge = [UInt8](repeating: 0xff, count: 8)
          for _ in 0..<1 + random.below(2) {
            let at = random.below(bytes.count)
            bytes.replaceSubrange(at...at, with: [0xfe] + huge + [0x01])
          }
        default:
          for _ in 0..<1 + random.below(4) {
            bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
          }
        }
        do {
          try drain(bytes, nil)
          read += 1
        } catch is TerraceError {
          refused += 1
        }
      }
    }
    print("Parquet damage: \(read) read, \(refused) refused")
    XCTAssertGreaterThan(refused, 500)
  }

  func test_read_findsADamagedPageByItsChecksum() throws {
    let type = RowType([("v", DataType.int.notNull)])
    let builder = ColumnBuilder(type.fields[0].type)
    for i in 0..<1000 { builder.append(Int32(i)) }
    var options = ParquetWriteOptions()
    options.codec = .none
    let (buffer, _) = try ParquetSamples.file(
      type, [Batch(type, [builder.finish()], count: 1000)], options)
    var bytes = Array(buffer.bytes)
    bytes[200] ^= 1
    let scan = try ParquetFile(MemorySource(bytes)).scan(type)
    XCTAssertThrowsError(try scan.next()) {
      let error = $0 as? TerraceError
      XCTAssertEqual(error?.kind, .corrupted)
      XCTAssertTrue("\($0)".contains("checksum"), "\($0)")
      XCTAssertTrue("\($0)".contains("file="), "\($0)")
    }
  }

  func test_open_refusesWhatIsNoParquetFile() throws {
    for bytes in [[], Array("PAR1".utf8), [UInt8](repeating: 0, count: 100)] {
      XCTAssertThrowsError(try ParquetFile(MemorySource(bytes))) {
        XCTAssertEqual(($0 as? TerraceError)?.kind, .corrupted)
      }
    }
    let encrypted = Array("PARE".utf8) + [UInt8](repeating: 0, count: 20) + Array("PARE".utf8)
    XCTAssertThrowsError(try ParquetFile(MemorySource(encrypted))) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .unsupported)
    }
  }

  /// A file of one column around the given page, whose header may lie.
  private func file(
    _ page: ParquetPage, _ body: [UInt8], physical: ParquetPhysical, rows: Int, codec: Int = 0,
    dictionary: (ParquetPage, [UInt8])? = nil
  ) -> [UInt8] {
    let out = ByteWriter()
    out.append("PAR1")
    let start = out.count
    var writer = ThriftWriter(out)
    var chunk = ParquetChunk()
    if let dictionary {
      chunk.dictionaryPageOffset = start
      dictionary.0.write(&writer)
      dictionary.1.withUnsafeBytes { out.append($0) }
    }
    chunk.dataPageOffset = out.count
    page.write(&writer)
    body.withUnsafeBytes { out.append($0) }
    chunk.physical = physical
    chunk.path = ["v"]
    chunk.codec = codec
    chunk.valueCount = rows
    chunk.compressedBytes = out.count - start
    chunk.uncompressedBytes = out.count - start
    var group = ParquetRowGroup()
    group.columns = [chunk]
    group.rowCount = rows
    var root = ParquetElement()
    root.name = "root"
    root.childCount = 1
    var leaf = ParquetElement()
    leaf.name = "v"
    leaf.physical = physical
    leaf.fieldID = 1
    var metadata = ParquetMetadata()
    metadata.schema = [root, leaf]
    metadata.rowCount = rows
    metadata.rowGroups = [group]
    let footer = out.count
    ParquetFooterWriter.write(metadata, fieldIDs: true, into: out)
    out.appendRaw(UInt32(out.count - footer))
    out.append("PAR1")
    return Array(out.bytes)
  }

  private func refusal(_ bytes: [UInt8]) -> TerraceError? {
    do {
      try drain(bytes, nil)
      return nil
    } catch {
      return error as? TerraceError
    }
  }

  func test_read_refusesPagesThatUnpackToTooMuch() throws {
    var page = ParquetPage()
    page.uncompressedBytes = 1 << 40
    page.valueCount = 10
    let body = [UInt8](repeating: 0, count: 40)
    page.compressedBytes = body.count
    XCTAssertEqual(
      refusal(file(page, body, physical: .int32, rows: 10, codec: 6))?.kind, .corrupted)
    // Within the limit, but not what the bytes unpack to.
    page.uncompressedBytes = 200 << 20
    XCTAssertEqual(
      refusal(file(page, body, physical: .int32, rows: 10, codec: 6))?.kind, .corrupted)
  }

  func test_read_refusesADictionaryBomb() throws {
    // One entry of a megabyte, and a run of a billion references to it.
    let entry = [UInt8](repeating: 65, count: 1 << 20)
    var dictionary = ParquetPage()
    dictionary.kind = .dictionary
    dictionary.valueCount = 1
    dictionary.uncompressedBytes = entry.count + 4
    dictionary.compressedBytes = entry.count + 4
    var page = ParquetPage()
    page.encoding = ParquetEncoding.rleDictionary.rawValue
    page.valueCount = 1_000_000_000
    let body: [UInt8] = [1, 0x80, 0xa8, 0xd6, 0xb9, 0x07, 0]
    page.uncompressedBytes = body.count
    page.compressedBytes = body.count
    let bytes = file(
      page, body, physical: .byteArray, rows: 1_000_000_000,
      dictionary: (dictionary, [0, 0, 16, 0] + entry))
    let scan = try ParquetFile(MemorySource(bytes)).scan(RowType([("v", .bytes)]), batchRows: 65536)
    XCTAssertThrowsError(try scan.next())
  }

  func test_read_refusesUnknownCodecsAndEncodingsByName() throws {
    var page = ParquetPage()
    page.valueCount = 1
    page.uncompressedBytes = 4
    page.compressedBytes = 4
    let brotli = refusal(file(page, [0, 0, 0, 0], physical: .int32, rows: 1, codec: 4))
    XCTAssertEqual(brotli?.kind, .unsupported)
    XCTAssertTrue("\(String(describing: brotli))".contains("BROTLI"))
    page.encoding = 77
    let unknown = refusal(file(page, [0, 0, 0, 0], physical: .int32, rows: 1))
    // A number that the format does not have is damage.
    XCTAssertEqual(unknown?.kind, .corrupted)
  }

  func test_open_refusesDeepNesting() throws {
    for depth in [63, 200, 50_000] {
      var metadata = ParquetMetadata()
      for i in 0...depth {
        var element = ParquetElement()
        element.name = "g\(i)"
        element.repetition = i == 0 ? .required : .optional
        if i == depth { element.physical = .int32 } else { element.childCount = 1 }
        metadata.schema.append(element)
      }
      let out = ByteWriter()
      out.append("PAR1")
      ParquetFooterWriter.write(metadata, fieldIDs: false, into: out)
      out.appendRaw(UInt32(out.count - 4))
      out.append("PAR1")
      let bytes = Array(out.bytes)
      if depth == 63 {
        XCTAssertEqual(try ParquetFile(MemorySource(bytes)).type.count, 1)
      } else {
        XCTAssertThrowsError(try ParquetFile(MemorySource(bytes)))
      }
    }
  }
}
