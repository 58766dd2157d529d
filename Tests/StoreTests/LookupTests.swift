import Columns
import Formats
import Foundation
import XCTest

@testable import Store

/// Rows by key, and by the first columns of it, in tables with a lookup index and without.
final class LookupTests: XCTestCase {
  private static let columns: [(String, DataType)] = [
    ("shop", DataType.string.notNull), ("id", DataType.int.notNull), ("n", .bigint),
    ("note", .string),
  ]

  private func table(_ files: any FileIO, _ options: [String: String]) throws -> TestTable {
    try TestTable(
      Environment(files: files, names: SeededNames(seed: 1)), Self.columns,
      primaryKeys: ["shop", "id"], options: ["bucket": "1"].merging(options) { $1 })
  }

  private struct Key: Hashable {
    var shop: String
    var id: Int32
  }

  func test_lookups_giveWhatADictionaryHolds() throws {
    let isCI = ProcessInfo.processInfo.environment["CI"] != nil
    let seed = isCI ? 3 : UInt64.random(in: 0...UInt64.max)
    print("Lookups, seed \(seed)")
    for (number, option) in ["64 b", "300 b", nil].enumerated() {
      var random = SplitMix(seed: seed &+ UInt64(number))
      let test = try table(
        MemoryFileIO(),
        option.map { [Table.lookupOption: $0, "parquet.block.size": "20 kb"] } ?? [:])
      let writer = try test.open().writer()
      var model: [Key: (Int64, String)] = [:]
      for commit in 0..<7 {
        try write(test, writer, &model, rows: commit == 0 ? 4000 : 300, &random)
        try writer.commit(identifier: Int64(commit))
        try check(test, model, &random, "seed \(seed), \(option ?? "no index"), commit \(commit)")
      }
      writer.close()
    }
  }

  private func key(_ random: inout SplitMix) -> Key {
    Key(
      shop: "shop \(Int.random(in: 0..<40, using: &random))",
      id: Int32.random(in: -100..<100, using: &random))
  }

  private func write(
    _ test: TestTable, _ writer: TableWriter, _ model: inout [Key: (Int64, String)], rows: Int,
    _ random: inout SplitMix
  ) throws {
    var given: [[Scalar]] = []
    var kinds: [RowKind] = []
    for _ in 0..<rows {
      let key = key(&random)
      let n = Int64.random(in: 0..<1000, using: &random)
      given.append([.text(key.shop), .int(Int64(key.id)), .int(n), .text("note \(n)")])
      let isGone = Int.random(in: 0..<5, using: &random) == 0
      kinds.append(isGone ? .delete : .insert)
      model[key] = isGone ? nil : (n, "note \(n)")
    }
    try writer.write(test.batch(given), kinds: TestTable.kinds(kinds))
  }

  private func check(
    _ test: TestTable, _ model: [Key: (Int64, String)], _ random: inout SplitMix, _ what: String
  ) throws {
    let table = try test.open()
    let latest = try XCTUnwrap(try table.snapshots.latest())
    let wanted = (0..<25).map { _ in key(&random) }
    let keyType = RowType(Array(Self.columns[..<2]))
    let builders = keyType.fields.map { ColumnBuilder($0.type) }
    for key in wanted {
      builders[0].append(Scalar.text(key.shop))
      builders[1].append(Scalar.int(Int64(key.id)))
    }
    let found = try table.lookup(at: latest).lookup(
      Batch(keyType, builders.map { $0.finish() }, count: wanted.count))
    for (i, key) in wanted.enumerated() {
      let row = Int(found.matches.pointer(Int32.self)[i])
      let value = row < 0 ? nil : found.rows.columns[2].scalar(row)
      XCTAssertEqual(value, model[key].map { .int($0.0) }, "\(what): \(key)")
    }
    let shops = Array(Set(wanted.prefix(4).map(\.shop) + ["shop", "shop 1000"]))
    let prefixes = ColumnBuilder(keyType.fields[0].type)
    for shop in shops { prefixes.append(Scalar.text(shop)) }
    let rows = try table.prefixLookup(width: 1, at: latest).rows(
      [prefixes.finish()], count: shops.count)
    let expected = model.filter { shops.contains($0.key.shop) }
    XCTAssertEqual(rows?.count ?? 0, expected.count, what)
    for row in 0..<(rows?.count ?? 0) {
      guard let rows, case .bytes(let shop) = rows.columns[0].scalar(row),
        case .int(let id) = rows.columns[1].scalar(row)
      else { return XCTFail(what) }
      let key = Key(shop: String(decoding: shop, as: UTF8.self), id: Int32(id))
      XCTAssertEqual(rows.columns[3].scalar(row), expected[key].map { .text($0.1) }, what)
    }
  }

  /// A hundred keys cost as much in a large table as in a small one, indexes and all, after a restart.
  func test_prefixLookup_readsWhatTheKeysCost() throws {
    var cost: [Int] = []
    for shops in [10_000, 80_000] {
      let counting = CountingFileIO(MemoryFileIO())
      let test = try table(
        counting.files,
        [
          Table.lookupOption: "512 b", "parquet.column.statistics.enabled": "false",
          "data-file.thin-mode": "true", "metadata.stats-mode": "none",
          "parquet.writer.version": "v2", "parquet.enable.dictionary": "false",
        ])
      let writer = try test.open().writer()
      let builders = test.type.fields.map { ColumnBuilder($0.type) }
      for i in 0..<shops {
        builders[0].append("shop \(i)")
        builders[1].append(Int32(0))
        builders[2].append(Int64(i))
        builders[3].append("note \(i &* 7919 % 100_000)")
      }
      try writer.write(Batch(test.type, builders.map { $0.finish() }, count: shops))
      try writer.commit(identifier: 1)
      writer.close()
      let table = try test.open()
      let latest = try XCTUnwrap(try table.snapshots.latest())
      let before = counting.counters.total(.read, .data).bytes
      let keys = ColumnBuilder(DataType.string.notNull)
      for i in 0..<100 { keys.append("shop \(i &* 7919 % shops)") }
      let rows = try table.prefixLookup(width: 1, at: latest).rows([keys.finish()], count: 100)
      XCTAssertEqual(rows?.count, 100)
      cost.append(counting.counters.total(.read, .data).bytes - before)
    }
    XCTAssertLessThan(cost[1], 400_000)
    XCTAssertLessThan(cost[1], 3 * cost[0])
  }
}
