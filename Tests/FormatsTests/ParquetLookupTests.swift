import Columns
import Foundation
import XCTest

@testable import Formats

/// The lookup index of a file: rows by key, without what lies beside them.
final class ParquetLookupTests: XCTestCase {
  private struct Sample {
    let batch: Batch
    let keys: [DataType]
    let options: ParquetWriteOptions
    let bytes: Buffer

    var encoder: KeyEncoder { KeyEncoder(keys) }
    var all: NormalizedKeys {
      encoder.encode(Array(batch.columns[..<keys.count]), count: batch.count)
    }
  }

  /// Rows that ascend by their first columns, each key once, of all kinds of columns.
  private func sample(_ random: inout SeededRandom, rows: Int) throws -> Sample {
    let kinds: [[DataType]] = [
      [DataType.int.notNull], [DataType.bigint.notNull, DataType.int.notNull],
      [DataType.string.notNull], [DataType.string.notNull, DataType.int.notNull],
      [DataType.int.notNull, DataType.string.notNull],
      [DataType.boolean.notNull, DataType.bigint.notNull],
    ]
    let keys = kinds[random.below(kinds.count)]
    let fields =
      keys.enumerated().map { ("k\($0)", $1) } + [
        ("n", DataType.bigint), ("s", DataType.string), ("c", DataType.int.notNull),
        ("d", DataType.double), ("b", DataType.boolean), ("m", DataType.decimal(30, 2)),
      ]
    let type = RowType(fields)
    let builders = fields.map { ColumnBuilder($0.1) }
    // Several rows of one first column.
    let spread = [3, rows / 10 + 1, rows * 4][random.below(3)]
    for i in 0..<rows {
      for (c, key) in keys.enumerated() {
        let value = c == 0 && keys.count > 1 ? random.below(spread) : random.below(1 << 30)
        switch key.kind {
        case .int: builders[c].append(Int32(value) &- 1000)
        case .bigint: builders[c].append(Int64(value))
        case .boolean: builders[c].append(value % 2 == 0)
        default: builders[c].append(String(repeating: "x", count: value % 3) + "\(value)")
        }
      }
      let at = keys.count
      if random.chance(0.3) { builders[at].appendNull() } else { builders[at].append(Int64(i)) }
      let length = random.chance(0.01) ? 3000 : random.below(40)
      builders[at + 1].append(String(repeating: "text", count: length / 4) + "\(i)")
      builders[at + 2].append(Int32(7))
      builders[at + 3].append(Double(random.below(100)))
      builders[at + 4].append(random.chance(0.5))
      builders[at + 5].append(Int128(i) * 1_000_000_007)
    }
    let whole = Batch(type, builders.map { $0.finish() }, count: rows)
    let normal = KeyEncoder(keys).encode(Array(whole.columns[..<keys.count]), count: rows)
    let sorted = normal.sortedRows()
    let order = sorted.pointer(Int32.self)
    var kept: [Int32] = []
    for i in 0..<rows
    where kept.isEmpty || normal.compare(Int(order[i]), normal, Int(kept[kept.count - 1])) != 0 {
      kept.append(order[i])
    }
    withExtendedLifetime(sorted) {}
    let batch = whole.gather(kept, count: kept.count)
    var options = ParquetSamples.options(&random)
    options.pageBytes = [500, 5000, 1 << 20][random.below(3)]
    options.rowGroupRows = [777, 4096, Int.max][random.below(3)]
    options.pageIndex = random.chance(0.5)
    options.lookup = ParquetLookupOptions(
      columns: Array(keys.indices), types: keys, pageBytes: [64, 256, 4096][random.below(3)])
    var parts: [Batch] = []
    var start = 0
    while start < batch.count {
      let end = min(batch.count, start + 1 + random.below(3000))
      parts.append(batch.slice(start..<end))
      start = end
    }
    let (bytes, _) = try ParquetSamples.file(type, parts, options)
    return Sample(batch: batch, keys: keys, options: options, bytes: bytes)
  }

  func test_scan_findsAllRowsOfAnyKeys() throws {
    let seed =
      ProcessInfo.processInfo.environment["CI"] == nil ? UInt64.random(in: 0...UInt64.max) : 5
    print("Parquet lookup, seed \(seed)")
    for number in 0..<12 {
      var random = SeededRandom(seed &+ UInt64(number))
      let sample = try sample(&random, rows: [1, 30, 600, 9000][random.below(4)])
      let file = try ParquetFile(MemorySource(sample.bytes))
      let lookup = try XCTUnwrap(try ParquetLookup(file, types: sample.keys))
      let plain = try ParquetFile(MemorySource(sample.bytes)).scan(sample.batch.type)
      var lines: [String] = []
      while let next = try plain.next() { lines += ParquetSamples.lines(next) }
      XCTAssertEqual(lines, ParquetSamples.lines(sample.batch))
      for _ in 0..<6 {
        let wanted = try wanted(sample, &random)
        let width = random.chance(0.5) ? sample.keys.count : 1
        let found = try find(sample, file, lookup, wanted, width: width)
        let expected = expected(sample, wanted, width: width)
        XCTAssertTrue(
          expected.isSubset(of: found),
          "seed \(seed) number \(number) width \(width): \(expected.subtracting(found).prefix(3))")
      }
    }
  }

  /// Rows with keys that are there, in key order, and some that are not.
  private func wanted(_ sample: Sample, _ random: inout SeededRandom) throws -> Batch {
    var rows = Set<Int32>()
    for _ in 0..<(1 + random.below(30)) { rows.insert(Int32(random.below(sample.batch.count))) }
    return sample.batch.gather(rows.sorted(), count: rows.count)
  }

  private func sought(_ sample: Sample, _ wanted: Batch, width: Int) -> ParquetLookupKeys {
    if width == sample.keys.count {
      let keys = sample.encoder.encode(Array(wanted.columns[..<width]), count: wanted.count)
      return ParquetLookupKeys(keys, sample.encoder)
    }
    let encoder = KeyEncoder([sample.keys[0], DataType.tinyint.notNull])
    let zeros = Buffer(byteCount: wanted.count)
    zeros.pointer(UInt8.self).update(repeating: 0, count: wanted.count)
    let zero = Column(type: DataType.tinyint.notNull, count: wanted.count, values: zeros)
    return ParquetLookupKeys(
      encoder.encode([wanted.columns[0], zero], count: wanted.count), encoder, tail: 1)
  }

  private func find(
    _ sample: Sample, _ file: ParquetFile, _ lookup: ParquetLookup, _ wanted: Batch, width: Int
  ) throws -> Set<String> {
    let scan = try file.scan(
      sample.batch.type, lookup, sought(sample, wanted, width: width), batchRows: 100)
    var found: Set<String> = []
    var last = -1
    while let next = try scan.next() {
      XCTAssertGreaterThan(scan.firstRow, last)
      last = scan.firstRow + next.count - 1
      let lines = ParquetSamples.lines(next)
      XCTAssertEqual(lines, ParquetSamples.lines(sample.batch.slice(scan.firstRow..<last + 1)))
      found.formUnion(lines)
    }
    return found
  }

  private func expected(_ sample: Sample, _ wanted: Batch, width: Int) -> Set<String> {
    let encoder = KeyEncoder(Array(sample.keys[..<width]))
    let all = encoder.encode(Array(sample.batch.columns[..<width]), count: sample.batch.count)
    let keys = encoder.encode(Array(wanted.columns[..<width]), count: wanted.count)
    var rows: [Int32] = []
    for row in 0..<sample.batch.count
    where (0..<keys.count).contains(where: { all.compare(row, keys, $0) == 0 }) {
      rows.append(Int32(row))
    }
    return Set(ParquetSamples.lines(sample.batch.gather(rows, count: rows.count)))
  }

  private func numbers(_ rows: Int) throws -> (Batch, Buffer) {
    let type = RowType([("id", DataType.int.notNull), ("name", .string), ("n", .bigint)])
    let builders = type.fields.map { ColumnBuilder($0.type) }
    for i in 0..<rows {
      builders[0].append(Int32(i))
      builders[1].append("name \(i &* 7919 % 100_000)")
      builders[2].append(Int64(0))
    }
    let batch = Batch(type, builders.map { $0.finish() }, count: rows)
    var options = ParquetWriteOptions()
    options.deltaEncodings = true
    options.dictionary = false
    options.pageIndex = false
    options.lookup = ParquetLookupOptions(
      columns: [0], types: [DataType.int.notNull], pageBytes: 256)
    return (batch, try ParquetSamples.file(type, [batch], options).0)
  }

  private func read(_ file: ParquetFile, _ batch: Batch, row: Int) throws -> [String] {
    let types = [DataType.int.notNull]
    guard let lookup = try ParquetLookup(file, types: types) else { return [] }
    let encoder = KeyEncoder(types)
    let wanted = batch.gather([Int32(row)], count: 1)
    let keys = ParquetLookupKeys(encoder.encode([wanted.columns[0]], count: 1), encoder)
    return try ParquetSamples.lines(try file.scan(batch.type, lookup, keys))
  }

  /// What a key costs does not grow with the file.
  func test_scan_readsLittleOfALargeFile() throws {
    var cost: [Int] = []
    for rows in [20_000, 200_000] {
      let (batch, bytes) = try numbers(rows)
      let source = CountingSource(bytes)
      let file = try ParquetFile(source, tail: 4096)
      let found = try read(file, batch, row: rows / 3)
      XCTAssertTrue(found.contains(ParquetSamples.lines(batch.slice(rows / 3..<rows / 3 + 1))[0]))
      XCTAssertLessThanOrEqual(found.count, 128)
      cost.append(source.bytesRead)
    }
    XCTAssertLessThan(cost[0], 4096 + 3000)
    XCTAssertLessThan(cost[1], cost[0] * 2)
  }

  func test_open_refusesADamagedIndexAndPassesOthersBy() throws {
    let (batch, bytes) = try numbers(3000)
    let whole = try ParquetFile(MemorySource(bytes))
    XCTAssertNil(try ParquetLookup(whole, types: [DataType.date.notNull]))
    let entry = try XCTUnwrap(whole.metadata.keyValues.first { $0.key == "terrace.lookup" })
    let words = entry.value.split(separator: " ").compactMap { Int($0) }
    var random = SeededRandom(11)
    var refused = 0
    for _ in 0..<200 {
      var damaged = Array(bytes.bytes)
      // The directory, and the last block before it.
      let at = words[1] - 30 + random.below(30 + words[2])
      damaged[at] ^= UInt8(1 + random.below(255))
      do {
        _ = try read(try ParquetFile(MemorySource(damaged)), batch, row: 2990)
      } catch let error as TerraceError {
        XCTAssertEqual(error.kind, .corrupted)
        refused += 1
      }
    }
    XCTAssertEqual(refused, 200)
  }
}
