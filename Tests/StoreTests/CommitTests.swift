import Columns
import Store
import XCTest

final class CommitTests: XCTestCase {
  func test_commit_makesOneSnapshotOfNewFilesAndTwoWithCompaction() throws {
    let table = CommitFixture()
    try table.create()
    let commit = try table.commit()
    let a = try table.file("data-a")
    XCTAssertEqual(
      try commit.commit([table.message(new: [a])], identifier: 1).snapshots.map(\.kind), [.append])
    let b = try table.file("data-b")
    let c = try table.file("data-c", level: 5)
    let outcome = try commit.commit(
      [table.message(new: [b], before: [a, b], after: [c])], identifier: 2, watermark: 9,
      properties: ["p": "1"])
    XCTAssertEqual(outcome.snapshots.map(\.kind), [.append, .compact])
    XCTAssertEqual(outcome.snapshots.map(\.id), [2, 3])
    XCTAssertEqual(outcome.snapshots.map(\.commitIdentifier), [2, 2])
    XCTAssertEqual(outcome.snapshots[1].properties, ["p": "1"])
    XCTAssertEqual(outcome.snapshots.map(\.watermark), [9, 9])
    XCTAssertEqual(outcome.snapshots.map(\.deltaRecordCount), [10, -10])
    XCTAssertEqual(try table.verify(), ["data-c"])
    XCTAssertEqual(try commit.commit([], identifier: 3).snapshots, [])
    let empty = try commit.commit([], identifier: 3, ignoreEmpty: false)
    XCTAssertEqual(empty.snapshots.map(\.kind), [.append])
    XCTAssertEqual(try commit.uncommitted([2, 3, 5, 4]), [4, 5])
    XCTAssertEqual(try table.environment.files.list(table.path.snapshots).first, "LATEST")
  }

  func test_commit_keepsTheCommitAndDropsTheCompactionWhenItsFilesAreGone() throws {
    let table = CommitFixture()
    try table.create()
    let a = try table.file("data-a")
    let one = try table.commit(user: "one")
    let two = try table.commit(user: "two")
    _ = try one.commit([table.message(new: [a])], identifier: 1)
    let up = try table.file("data-up", level: 5)
    _ = try two.commit([table.message(before: [a], after: [up])], identifier: 1)
    let b = try table.file("data-b")
    let other = try table.file("data-other", level: 5)
    let outcome = try one.commit(
      [table.message(new: [b], before: [a, b], after: [other])], identifier: 2)
    XCTAssertEqual(outcome.snapshots.map(\.kind), [.append])
    XCTAssertEqual(outcome.droppedCompaction?.kind, .conflict)
    XCTAssertEqual(try table.verify(), ["data-up", "data-b"])
    XCTAssertFalse(try table.environment.files.exists(table.folder(nil) + "/data-other"))
    XCTAssertEqual(try one.recover()?.id, 3)
  }

  func test_commit_refusesOverlappingFilesOfOneLevelAndOtherBucketCounts() throws {
    let table = CommitFixture()
    try table.create()
    let commit = try table.commit()
    let a = try table.file("data-a", keys: 0...9)
    let b = try table.file("data-b", keys: 5...14)
    _ = try commit.commit([table.message(new: [a, b])], identifier: 1)
    let outcome = try commit.commit(
      [table.message(before: [a, b], after: [a.onLevel(5), b.onLevel(5)])], identifier: 2)
    XCTAssertEqual(outcome.droppedCompaction?.message.hasPrefix("files of one level overlap"), true)
    // Upgraded files are still there.
    XCTAssertEqual(try table.verify(), ["data-a", "data-b"])
    let c = try table.file("data-c")
    XCTAssertThrowsError(try commit.commit([table.message(new: [c], buckets: 2)], identifier: 3)) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .conflict)
    }
    let replaced = try commit.overwrite(
      .table, [table.message(new: [c], buckets: 2)], identifier: 3)
    XCTAssertEqual(replaced.snapshots.map(\.kind), [.overwrite])
    XCTAssertEqual(try table.verify(), ["data-c"])
  }

  func test_overwrite_replacesOnlyThePartitionsInScope() throws {
    let table = CommitFixture()
    try table.create(partitioned: true)
    let commit = try table.commit()
    let files = try ["a", "b"].map { try table.file("data-" + $0, dt: $0) }
    _ = try commit.commit(
      [table.message(new: [files[0]], dt: "a"), table.message(new: [files[1]], dt: "b")])
    let c = try table.file("data-c", dt: "a")
    _ = try commit.overwrite(
      .partitions([CommitFixture.partition("a")]), [table.message(new: [c], dt: "a")])
    XCTAssertEqual(try table.verify(), ["data-b", "data-c"])
    let schema = try table.schemas.latest()
    let filter = ManifestFilter(
      partitionType: schema.partitionType,
      partition: .compare(column: 0, .equal, .text("b")))
    _ = try commit.overwrite(.matching(filter), [])
    XCTAssertEqual(try table.verify(), ["data-c"])
    _ = try commit.overwrite(.table, [])
    XCTAssertEqual(try table.verify(), [])
    XCTAssertEqual(try table.snapshots.latest()?.totalRecordCount, 0)
  }

  func test_commit_stopsWhenAnotherProcessHasTakenOver() throws {
    let table = CommitFixture()
    try table.create()
    let old = try table.commit(user: "job")
    _ = try old.commit([table.message(new: [try table.file("data-a")])], identifier: 1)
    let new = try table.commit(user: "job")
    XCTAssertEqual(try new.recover()?.commitIdentifier, 1)
    _ = try new.commit([table.message(new: [try table.file("data-b")])], identifier: 2)
    XCTAssertThrowsError(
      try old.commit([table.message(new: [try table.file("data-c")])], identifier: 2)
    ) { XCTAssertEqual(($0 as? TerraceError)?.kind, .held) }
    XCTAssertEqual(try table.verify(), ["data-a", "data-b"])
  }

  func test_commit_mergesManifestsAndLosesNoRemoval() throws {
    let table = CommitFixture()
    try table.create([
      "manifest.merge-min-count": "3", "manifest.full-compaction-threshold-size": "24 kb",
      "manifest.target-file-size": "8 kb",
    ])
    let commit = try table.commit()
    var live: [DataFile] = []
    var random = SplitMix(seed: 11)
    for step in 0..<60 {
      let new = try table.file("data-\(step)", keys: Int64(step * 10)...Int64(step * 10 + 9))
      if random.next() % 3 == 0, let index = live.indices.randomElement(using: &random) {
        let old = live.remove(at: index)
        let up = old.onLevel(5)
        _ = try commit.commit(
          [table.message(new: [new], before: [old], after: [up])], identifier: Int64(step))
      } else {
        _ = try commit.commit([table.message(new: [new])], identifier: Int64(step))
      }
      live.append(new)
    }
    XCTAssertEqual(try table.verify().count, 60)
    let snapshot = try XCTUnwrap(try table.snapshots.latest())
    let manifests = try ManifestFiles(table.path, try table.schemas.latest(), table.environment)
    XCTAssertLessThan(try manifests.manifests(of: snapshot).count, 25)
    // A process that starts now and one that was there all along agree.
    XCTAssertEqual(
      Set(try commit.state().entries.map(\.identity)),
      Set(try TableState(at: snapshot, manifests).entries.map(\.identity)))
  }

  func test_commit_losesNothingWithManyThreads() throws {
    let table = CommitFixture(MemoryFileIO(), time: SystemTime())
    try table.create(["commit.max-retries": "1000", "commit.min-retry-wait": "1 ms"])
    let failures = Failures()
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      failures.record {
        let mine = CommitFixture(
          table, through: table.environment.files, names: UInt64(thread + 90))
        let commit = try mine.commit(user: "user-\(thread)")
        for step in 0..<25 {
          let keys = Int64(thread * 1000 + step * 10)
          let file = try mine.file("data-\(thread)-\(step)", keys: keys...(keys + 9))
          _ = try commit.commit([mine.message(new: [file])], identifier: Int64(step))
        }
      }
    }
    XCTAssertEqual(failures.all, [])
    XCTAssertEqual(try table.verify().count, 100)
    XCTAssertEqual(try table.snapshots.latest()?.id, 100)
    XCTAssertEqual(try table.snapshots.latest()?.totalRecordCount, 1000)
  }
}

/// Errors of several threads.
final class Failures: @unchecked Sendable {
  private let lock = NSLock()
  private var texts: [String] = []
  var all: [String] { lock.withLock { texts } }
  func record(_ body: () throws -> Void) {
    do { try body() } catch { lock.withLock { texts.append("\(error)") } }
  }
}
