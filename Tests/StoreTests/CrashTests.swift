import Columns
import Foundation
import Glibc
import Store
import XCTest

/// Every call that can fail, fails once; every moment at which the power can fail, it does.
///
/// In CI a part of the calls; with TERRACE_SWEEP=all each of them.
final class CrashTests: XCTestCase {
  private static let sweepsAll = ProcessInfo.processInfo.environment["TERRACE_SWEEP"] == "all"
  private static let begun = Result { () throws -> (MemoryFileIO, Set<String>) in
    let disk = MemoryFileIO()
    let table = CommitFixture(disk)
    try table.create()
    let story = Story()
    try story.run(table)
    return (disk, story.acknowledged)
  }

  /// What is done to a table, and what was acknowledged so far.
  private final class Story {
    var acknowledged: Set<String> = []
    /// Committed or not: the call failed.
    var doubtful: Set<String> = []
    /// A fresh process works on the table: commits, compacts, tags, expires.
    func run(_ table: CommitFixture) throws {
      let commit = try table.commit(user: "job")
      let first = Int64((try commit.recover()?.commitIdentifier ?? 0) + 1)
      for step in first..<(first + 3) {
        let new = try table.file("data-\(table.environment.names.uuid())", keys: step...step)
        var message = table.message(new: [new])
        doubtful = [new.name]
        if step == first + 2 {
          let old = try commit.state().entries.map(\.file)
          let merged = try table.file(
            "merged-\(table.environment.names.uuid())", keys: 0...9, level: 5)
          message = table.message(
            new: [new], before: old + [new], after: [merged],
            compactChangelog: [
              try table.file("changelog-\(table.environment.names.uuid())", level: 5)
            ])
          doubtful.insert(merged.name)
        }
        _ = try commit.commit([message], identifier: step)
        acknowledged.formUnion(doubtful)
        doubtful = []
      }
      let tags = TagDirectory(table.path, table.environment)
      try tags.create("tag\(first)")
      if first > 4 { try tags.delete("tag\(first - 3)") }
      _ = try Expiration(table.path, table.environment).run(
        Expiration.Policy(retainMin: 1, retainMax: 2, olderThanMillis: .max))
    }
  }

  private func start() throws -> (MemoryFileIO, CommitFixture, Story) {
    let (origin, acknowledged) = try CrashTests.begun.get()
    let disk = origin.copy()
    let story = Story()
    story.acknowledged = acknowledged
    return (disk, CommitFixture(disk), story)
  }

  /// Names of committed data, through compaction: a merged file stands for what it replaced.
  private func check(_ table: CommitFixture, _ story: Story, _ what: String) throws {
    let live = try table.verify(what)
    let newest = try table.snapshots.latest()
    XCTAssertNotNil(newest, what)
    let known = story.acknowledged.union(story.doubtful)
    XCTAssertTrue(live.isSubset(of: known), "\(what): \(live.subtracting(known))")
    for entry in try table.environment.files.list(table.path.snapshots) {
      XCTAssertFalse(entry.hasSuffix(".tmp") && entry.hasPrefix("snapshot"), what)
    }
  }

  func test_faults_leaveTheTableWholeAtEveryCall() throws {
    for (turn, effect) in [FaultRule.Effect.refused, .madeButReported, .partly].enumerated() {
      var k = CrashTests.sweepsAll ? 0 : turn * 2
      while true {
        let (disk, table, story) = try start()
        let before = try table.verify()
        let faults = FileFaults([FaultRule(.at(k), effect, code: k % 2 == 0 ? EIO : ENOSPC)])
        let faulty = CommitFixture(table, through: WatchedFileIO(disk, faults))
        do {
          try story.run(faulty)
        } catch let error as TerraceError {
          XCTAssertNotEqual(error.kind, .corrupted, "call \(k) \(effect): \(error)")
        }
        if faults.injected == 0 { break }
        let what = "call \(k) \(effect)"
        try check(table, story, what)
        XCTAssertTrue(
          story.acknowledged.isSuperset(of: before), what)
        // A new process finishes the work.
        let again = CommitFixture(table, through: disk, names: 9)
        try story.run(again)
        try check(again, story, what + " again")
        k += CrashTests.sweepsAll ? 1 : 7
      }
      XCTAssertGreaterThan(k, 80)
    }
  }

  func test_powerLoss_keepsEveryAcknowledgedCommit() throws {
    for k in stride(from: 0, to: 140, by: CrashTests.sweepsAll ? 1 : 3) {
      let (disk, table, story) = try start()
      let faults = FileFaults([
        FaultRule(.from(k), calls: Set(FileCall.allCases.filter(\.isMutating)))
      ])
      let dying = CommitFixture(table, through: WatchedFileIO(disk, faults))
      var committed: Int64 = 3
      do {
        try story.run(dying)
        committed = 6
      } catch {
        committed = max(3, try Int64(newestIdentifierAcknowledged(story, table)))
      }
      for seed in 0..<2 {
        disk.crash(seed: UInt64(k * 10 + seed))
        let what = "call \(k) seed \(seed)"
        let after = CommitFixture(table, through: disk, names: UInt64(50 + seed))
        try check(after, story, what)
        let newest = try after.commit(user: "job").recover()
        XCTAssertGreaterThanOrEqual(newest?.commitIdentifier ?? 0, committed, what)
        try check(after, story, what + " recovered")
      }
      let again = CommitFixture(table, through: disk, names: 77)
      try story.run(again)
      try check(again, story, "call \(k) again")
    }
  }

  /// Each acknowledged commit adds one file that begins with "data-".
  private func newestIdentifierAcknowledged(_ story: Story, _ table: CommitFixture) throws -> Int {
    story.acknowledged.filter { $0.hasPrefix("data-") }.count
  }

  func test_recovery_finishesTheCommitThatDiedBetweenItsTwoSnapshots() throws {
    let disk = MemoryFileIO()
    let table = CommitFixture(disk)
    try table.create(["changelog-producer": "lookup"])
    let a = try table.file("data-a")
    _ = try table.commit(user: "job").commit([table.message(new: [a])], identifier: 1)
    let b = try table.file("data-b")
    let c = try table.file("data-c", level: 5)
    let log = try table.file("changelog-c", level: 5)
    // The second snapshot is the second file that is published.
    let faults = FileFaults([FaultRule(.from(1), calls: [.publish])])
    let dying = CommitFixture(table, through: WatchedFileIO(disk, faults))
    XCTAssertThrowsError(
      try dying.commit(user: "job").commit(
        [table.message(new: [b], before: [a, b], after: [c], compactChangelog: [log])],
        identifier: 2, properties: ["terrace.root.x": "1"]))
    let half = try XCTUnwrap(try table.snapshots.latest())
    XCTAssertEqual(half.id, 2)
    XCTAssertTrue(try table.snapshots.isHalf(half))
    XCTAssertEqual(try table.snapshots.latestComplete()?.id, 1)
    XCTAssertEqual(try TagDirectory(table.path, table.environment).create("t").snapshot.id, 1)

    let back = try table.commit(user: "job")
    let whole = try XCTUnwrap(try back.recover())
    XCTAssertEqual(whole.id, 3)
    XCTAssertEqual(whole.kind, .compact)
    XCTAssertEqual(whole.commitIdentifier, 2)
    XCTAssertEqual(whole.properties, ["terrace.root.x": "1"])
    XCTAssertEqual(whole.changelogRecordCount, 10)
    XCTAssertFalse(try table.snapshots.isHalf(half))
    XCTAssertEqual(try back.uncommitted([1, 2, 3]), [3])
    XCTAssertEqual(try table.verify(), ["data-c"])
    XCTAssertEqual(try back.recover()?.id, 3)
  }
}
