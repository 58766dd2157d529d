import Columns
import Formats
import Foundation
import XCTest

@testable import Store

/// What makes it a log-structured merge tree, told by counted bytes.
final class TreeCostTests: XCTestCase {
  private static let columns: [(String, DataType)] = [
    ("id", DataType.bigint.notNull), ("a", .int), ("b", .double), ("s", .string),
  ]

  private func table(
    _ counting: CountingFileIO, _ options: [String: String] = [:]
  ) throws -> TestTable {
    try TestTable(
      Environment(files: counting.files, names: SeededNames(seed: 1)), Self.columns,
      primaryKeys: ["id"], options: ["bucket": "1"].merging(options) { $1 })
  }

  /// Rows with texts that hardly compress.
  private func rows(_ ids: [Int64], _ random: inout SplitMix) -> Batch {
    let builders = Self.columns.map { ColumnBuilder($0.1) }
    for id in ids {
      builders[0].append(id)
      builders[1].append(Int32.random(in: 0..<1_000_000, using: &random))
      builders[2].append(Double.random(in: 0..<1, using: &random))
      builders[3].append("\(random.next()) \(random.next()) \(random.next())")
    }
    return Batch(RowType(Self.columns), builders.map { $0.finish() }, count: ids.count)
  }

  func test_compact_writesAtMostFourTimesTheRows() throws {
    let counting = CountingFileIO(MemoryFileIO())
    let test = try table(counting)
    let writer = try test.open().writer()
    var random = SplitMix(seed: 7)
    var user = 0
    let total = 20 * 400
    for commit in 0..<20 {
      // The first half inserts in permuted order, the second updates.
      let ids = (0..<400).map { i -> Int64 in
        commit < 10
          ? Int64((commit * 400 + i) * 7919 % (total / 2))
          : Int64.random(in: 0..<Int64(total / 2), using: &random)
      }
      try writer.write(rows(ids, &random))
      let messages = try writer.prepareCommit(waitCompaction: true)
      user += messages.reduce(0) { $0 + $1.newFiles.reduce(0) { $0 + Int($1.byteCount) } }
      _ = try test.open().commit(user: "u\(commit)").commit(messages)
      try writer.reconcile()
    }
    writer.close()
    let written = counting.counters.total(.write, .data).bytes
    XCTAssertGreaterThan(written, user)
    XCTAssertLessThanOrEqual(written - user, 4 * user)
  }

  func test_scan_readsFewBytesForASmallKeyRange() throws {
    let counting = CountingFileIO(MemoryFileIO())
    let test = try table(counting, ["parquet.page.row.count.limit": "500"])
    var random = SplitMix(seed: 9)
    let count: Int64 = 100_000
    let writer = try test.open().writer()
    try writer.write(rows((0..<count).shuffled(using: &random), &random))
    try writer.commit()
    writer.close()
    let table = try test.open()
    let latest = try table.snapshots.latest()
    let size = try table.scan().plan(latest).bytesRead
    counting.counters.reset()
    let range = Columns.Predicate.and([
      .compare(column: 0, .greaterOrEqual, .int(count / 2)),
      .compare(column: 0, .less, .int(count / 2 + count / 100)),
    ])
    let found = try TestTable.read(table, latest, predicate: range)
    XCTAssertEqual(found.count, Int(count / 100))
    let read = counting.counters.total(.read, .data).bytes
    XCTAssertLessThan(read * 20, size, "read \(read) of \(size) bytes")
  }

  func test_write_staysWithinTheMemoryBudget() throws {
    let counting = CountingFileIO(MemoryFileIO())
    let test = try table(counting)
    let budget = MemoryBudget(limitBytes: 400_000)
    let writer = try test.open().writer(
      settings: TableWriter.Settings(budget: budget, compactsInline: true))
    var random = SplitMix(seed: 11)
    for part in 0..<20 {
      try writer.write(rows((0..<800).map { Int64(part * 800 + $0) }, &random))
    }
    try writer.commit()
    writer.close()
    XCTAssertLessThanOrEqual(budget.peakBytes, budget.limitBytes)
    XCTAssertEqual(budget.usedBytes, 0)
    let table = try test.open()
    let read = try TestTable.read(
      table, try table.snapshots.latest(), columns: [0], threads: 1)
    XCTAssertEqual(read.count, 16_000)
  }
}
