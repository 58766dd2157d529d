import Columns
import Foundation
import Store
import XCTest

@testable import Catalog

final class MetastoreTests: XCTestCase {
  func test_names_areRegisteredRenamedAndForgotten() throws {
    let fixture = try MetastoreFixture()
    let store = try fixture.open()
    try store.register(database: "ods", location: "/wh/ods.db", properties: ["owner": "ann"])
    try store.register(database: "ods", location: "/new/ods.db")
    XCTAssertEqual(
      try store.properties(ofDatabase: "ods"), ["owner": "ann", "location": "/new/ods.db"])
    let names = ["it's", "o\"r", "a;DROP TABLE paimon_tables;--", "nul\u{0}l", "é中", ""]
    for name in names + names { try store.register(database: "ods", table: name) }
    XCTAssertEqual(Set(try store.tables(in: "ods")), Set(names))
    try store.rename(database: "ods", table: "é中", to: ("dwd", "wide"))
    XCTAssertEqual(try store.databases(), ["dwd", "ods"])
    try store.forget(database: "ods", table: "it's")
    XCTAssertEqual(try store.tables(in: "ods").count, names.count - 2)
    try store.forget(database: "ods")
    XCTAssertEqual(try store.databases(), ["dwd"])
    try store.check()
  }

  func test_rename_takesSpecAndPartitionsAlong() throws {
    let fixture = try MetastoreFixture()
    let store = try fixture.open()
    try store.register(database: "ads", table: "t")
    try store.replaceLayers(["ods", "ads"])
    try store.put(
      SchemaRow(table: "ads.t", layer: "ads", ddl: "CREATE …", hash: "h", updatedMillis: 1))
    _ = try store.reconcile(table: "ads.t", with: [fixture.partition("2026-11-20")])
    try store.rename(database: "ads", table: "t", to: ("ads", "u"))
    XCTAssertEqual(try store.schema(of: "ads.u")?.layer, "ads")
    XCTAssertEqual(try store.partitions(of: "ads.u").map(\.value), ["2026-11-20"])
    // A layer that goes leaves its tables without one.
    try store.replaceLayers(["ods", "dwd"])
    XCTAssertEqual(
      try store.layers(), [.init(name: "ods", position: 0), .init(name: "dwd", position: 1)])
    XCTAssertNil(try XCTUnwrap(try store.schema(of: "ads.u")).layer)
    try store.forget(database: "ads", table: "u")
    XCTAssertTrue(try store.schemas().isEmpty)
    XCTAssertTrue(try store.partitions().isEmpty)
  }

  func test_jobs_keepTheirLineageUntilTheyGo() throws {
    let store = try MetastoreFixture().open()
    var job = JobRow(
      name: "dwd.o", target: "dwd.o", fingerprint: "f1", spec: "INSERT …", state: "new",
      updatedMillis: 1)
    XCTAssertThrowsError(
      try store.replaceLineage(of: "dwd.o", [LineageEdge(from: "ods.o", to: "dwd.o", job: "dwd.o")])
    )
    try store.put(job)
    let edges = ["ods.o", "ods.p"].map { LineageEdge(from: $0, to: "dwd.o", job: "dwd.o") }
    try store.replaceLineage(of: "dwd.o", edges)
    job.fingerprint = "f2"
    try store.put(job)
    XCTAssertEqual(try store.lineage(), edges)
    XCTAssertTrue(try store.update(job: "dwd.o", state: "running", counters: "{\"rows\":1}"))
    XCTAssertFalse(try store.update(job: "none", state: "", counters: ""))
    let many = (0..<1_200).map { "x.\($0)" } + ["dwd.o"]
    try store.touch(jobs: many, updatedMillis: 9)
    XCTAssertEqual(try store.job("dwd.o")?.updatedMillis, 9)
    XCTAssertEqual(try store.job("dwd.o")?.counters, "{\"rows\":1}")
    XCTAssertEqual(try store.jobs().map(\.fingerprint), ["f2"])
    try store.delete(job: "dwd.o")
    XCTAssertTrue(try store.lineage().isEmpty)
  }

  func test_lease_isRefusedUntilItEnds() throws {
    let store = try MetastoreFixture().open()
    func lease(_ pid: Int, until: Int64) -> Lease {
      Lease(name: "jobs", holder: "run", pid: pid, host: "h", sinceMillis: 0, untilMillis: until)
    }
    XCTAssertNil(try store.take(lease(1, until: 100), nowMillis: 0))
    XCTAssertEqual(try store.take(lease(2, until: 200), nowMillis: 100)?.pid, 1)
    XCTAssertNil(try store.take(lease(1, until: 150), nowMillis: 100))
    try store.release(lease(2, until: 0))
    XCTAssertEqual(try store.leases(), [lease(1, until: 150)])
    XCTAssertNil(try store.take(lease(2, until: 300), nowMillis: 151))
    try store.release(lease(2, until: 0))
    XCTAssertTrue(try store.leases().isEmpty)
  }

  func test_transaction_takesAllBackWhenItThrows() throws {
    let store = try MetastoreFixture().open()
    XCTAssertThrowsError(
      try store.transaction { () throws(TerraceError) in
        try store.register(database: "a", table: "t")
        try store.transaction { () throws(TerraceError) in
          try store.register(database: "b", table: "t")
        }
        throw TerraceError(.unavailable, "stop")
      })
    XCTAssertTrue(try store.databases().isEmpty)
    try store.register(database: "c", table: "t")
    XCTAssertEqual(try store.databases(), ["c"])
  }

  func test_view_isWhatTheReadmeSays() throws {
    let fixture = try MetastoreFixture()
    let store = try fixture.open()
    _ = try store.reconcile(table: "ads.t", with: [fixture.partition("2026-11-20", snapshot: 7)])
    let rows = try store.rows(
      """
      SELECT table_name, column_name, value, tag, snapshot_id, row_count, byte_count, file_count, created
      FROM terrace_partitions
      """)
    XCTAssertEqual(
      rows.map(\.values),
      [
        [
          .text("ads.t"), .text("dt"), .text("2026-11-20"), .text("2026-11-20"), .int(7), .int(10),
          .int(100), .int(2), .int(5),
        ]
      ])
  }

  /// Several connections are to SQLite what several processes are.
  func test_writers_waitForEachOther() throws {
    let fixture = try MetastoreFixture()
    let (writers, rounds) = (6, 40)
    let group = DispatchGroup()
    let failures = Failures()
    for writer in 0..<writers {
      DispatchQueue.global().async(group: group) {
        do {
          // All open at once: one of them makes the tables.
          let store = try fixture.open()
          for round in 0..<rounds {
            try store.transaction { () throws(TerraceError) in
              let count = try store.tables(in: "d").count
              try store.register(database: "d", table: "w\(writer)-\(round)-\(count)")
            }
            _ = try store.databases()
          }
          store.close()
        } catch { failures.add("\(error)") }
      }
    }
    group.wait()
    XCTAssertEqual(failures.all, [])
    let store = try fixture.open()
    let counts = try store.tables(in: "d").compactMap {
      $0.split(separator: "-").last.flatMap { Int($0) }
    }
    // Every transaction saw all before it, and none saw another half done.
    XCTAssertEqual(counts.sorted(), Array(0..<(writers * rounds)))
    try store.check()
  }
}

private final class Failures: @unchecked Sendable {
  private let lock = NSLock()
  private var found: [String] = []
  func add(_ text: String) { lock.withLock { found.append(text) } }
  var all: [String] { lock.withLock { found } }
}
