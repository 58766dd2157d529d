import Columns
import Formats
import Glibc
import XCTest

@testable import Store

final class TableWriterTests: XCTestCase {
  private func table(
    _ options: [String: String] = [:], keys: [String] = ["id"]
  ) throws -> TestTable {
    try TestTable(
      Environment(files: MemoryFileIO(), names: SeededNames(seed: 3)),
      [("id", DataType.int.notNull), ("op", .string), ("v", .string)], primaryKeys: keys,
      options: (keys.isEmpty ? [:] : ["bucket": "1"]).merging(options) { $1 })
  }

  private func row(_ id: Int64, _ op: String, _ v: String) -> [Scalar] {
    [.int(id), .text(op), .text(v)]
  }

  private func values(_ test: TestTable) throws -> [String] {
    let table = try test.open()
    return try TestTable.read(table, try table.snapshots.latest(), columns: [0, 2]).map {
      guard case .int(let id) = $0[0], case .bytes(let text) = $0[1] else { return "?" }
      return "\(id)\(String(decoding: text, as: UTF8.self))"
    }.sorted()
  }

  func test_write_takesKindsFromTheRowKindField() throws {
    let test = try table(["rowkind.field": "op"])
    let writer = try test.open().writer()
    try writer.write(test.batch([row(1, "+I", "a"), row(2, "+I", "b"), row(1, "-D", "a")]))
    try writer.commit()
    XCTAssertEqual(try values(test), ["2b"])
    XCTAssertThrowsError(try writer.write(test.batch([row(3, "nonsense", "c")]))) { error in
      XCTAssertEqual((error as? TerraceError)?.kind, .invalid)
    }
  }

  func test_write_dropsDeletionsWhenTheyAreIgnored() throws {
    let test = try table(["ignore-delete": "true"])
    let writer = try test.open().writer()
    try writer.write(
      test.batch([row(1, "", "a"), row(1, "", "x")]), kinds: TestTable.kinds([.insert, .delete]))
    try writer.commit()
    XCTAssertEqual(try values(test), ["1a"])
  }

  func test_write_refusesNullsAndForeignColumns() throws {
    let test = try table()
    let writer = try test.open().writer()
    let wrong = Batch(RowType([("x", .int)]), [Column.nulls(.int, count: 1)], count: 1)
    XCTAssertThrowsError(try writer.write(wrong))
    let null = Batch(
      test.type,
      [
        Column.nulls(.int, count: 1).retyped(DataType.int.notNull), Column.nulls(.string, count: 1),
        Column.nulls(.string, count: 1),
      ], count: 1)
    XCTAssertThrowsError(try writer.write(null)) { error in
      XCTAssertEqual((error as? TerraceError)?.kind, .invalid)
    }
  }

  func test_write_refusesDeletionsFromAnAppendTable() throws {
    let test = try table(keys: [])
    let writer = try test.open().writer()
    XCTAssertThrowsError(
      try writer.write(test.batch([row(1, "", "a")]), kinds: TestTable.kinds([.delete])))
  }

  func test_commit_keepsTheRowsOfTwoWritersOfOneBucket() throws {
    let test = try table()
    let first = try test.open().writer(user: "first")
    let second = try test.open().writer(user: "second")
    for round in 0..<12 {
      try first.write(test.batch([row(Int64(round * 2), "", "f")]))
      try second.write(test.batch([row(Int64(round * 2 + 1), "", "s")]))
      try first.commit(identifier: Int64(round))
      try second.commit(identifier: Int64(round), waitCompaction: true)
    }
    XCTAssertEqual(try values(test).count, 24)
    try test.open().compact(full: true)
    XCTAssertEqual(try values(test).count, 24)
  }

  func test_compact_putsSmallAppendFilesTogether() throws {
    let test = try table(["write-only": "true"], keys: [])
    let writer = try test.open().writer()
    for id in 0..<6 {
      try writer.write(test.batch([row(Int64(id), "", "a")]))
      try writer.commit(identifier: Int64(id))
    }
    let table = try test.open()
    XCTAssertEqual(try table.scan().plan(try table.snapshots.latest()).filesRead, 6)
    XCTAssertEqual(try table.compact(full: true)?.kind, .compact)
    XCTAssertEqual(try table.scan().plan(try table.snapshots.latest()).filesRead, 1)
    XCTAssertEqual(try values(test).count, 6)
    XCTAssertNil(try table.compact(full: true))
  }

  func test_plan_readsOnlyTheBucketOfAKey() throws {
    let test = try table(["bucket": "4"])
    let writer = try test.open().writer()
    try writer.write(test.batch((0..<40).map { row($0, "", "a") }))
    try writer.commit()
    let table = try test.open()
    let latest = try table.snapshots.latest()
    XCTAssertEqual(try table.scan().plan(latest).filesRead, 4)
    let one = table.scan(predicate: .compare(column: 0, .equal, .int(7)))
    XCTAssertEqual(try one.plan(latest).filesRead, 1)
    XCTAssertEqual(
      try TestTable.read(table, latest, predicate: .isIn(column: 0, [.int(7), .int(9)])).count, 2)
  }

  /// A disk that is full while one of two buckets is written: nothing of the commit is left behind.
  func test_abandon_leavesNoFilesWhenTheDiskIsFull() throws {
    for call in [FileCall.write, .sync, .close] {
      let disk = MemoryFileIO()
      let calm = try TestTable(
        Environment(files: disk, names: SeededNames(seed: 3)),
        [("id", DataType.int.notNull), ("v", .string)], primaryKeys: ["id"],
        options: ["bucket": "2"])
      let before = try calm.open().writer()
      try before.write(calm.batch((0..<20).map { [.int($0), .text("a")] }))
      try before.commit()
      let path = TablePath(calm.root)
      func files() throws -> [[String]] {
        try [0, 1].map { try disk.list(path.bucket($0, partition: "")) }
      }
      let there = try files()

      let faults = FileFaults([FaultRule(.at(1), calls: [call], roles: [.data], code: ENOSPC)])
      let full = Environment(files: WatchedFileIO(disk, faults), names: SeededNames(seed: 4))
      let writer = try Table.open(full, calm.root).writer()
      try writer.write(calm.batch((10..<30).map { [.int($0), .text("b")] }))
      XCTAssertThrowsError(try writer.commit(), "\(call)") { error in
        XCTAssertEqual((error as? TerraceError)?.kind, .unavailable)
      }
      writer.abandon()
      XCTAssertEqual(try files(), there, "\(call)")
      let table = try calm.open()
      XCTAssertEqual(try table.snapshots.latest()?.id, 1)
      XCTAssertEqual(try TestTable.read(table, try table.snapshots.latest()).count, 20)
    }
  }
}
