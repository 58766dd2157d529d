import Columns
import Store
import XCTest

final class OrphanTests: XCTestCase {
  func test_list_findsWhatNothingNamesAndNothingElse() throws {
    let time = ManualTime()
    let table = CommitFixture(MemoryFileIO(time: time), time: time)
    try table.create(partitioned: true)
    let commit = try table.commit()
    let a = try table.file("data-a", dt: "x")
    _ = try commit.commit([
      table.message(new: [a], changelog: [try table.file("changelog-a", dt: "x")], dt: "x")
    ])
    let merged = try table.file("data-merged", level: 5, dt: "x")
    _ = try commit.commit([table.message(before: [a], after: [merged], dt: "x")])
    try TagDirectory(table.path, table.environment).create("t", snapshotID: 1)
    try Branches(table.path, table.environment).create("b", tag: "t")
    let orphans = Orphans(table.path, table.environment)
    _ = try table.file("data-lost", dt: "x")
    try table.environment.files.write([1], to: table.path.manifests + "/manifest-lost-0")
    try table.environment.files.write([1], to: table.path.snapshots + "/.snapshot-9.u.tmp")
    try table.environment.files.write([1], to: table.path.root + "/README")
    XCTAssertEqual(try orphans.list(), [])
    time.advance(millis: Orphans.standardAgeMillis + 1)
    let found = Set(try orphans.list().map { splitPath($0.path).name })
    XCTAssertEqual(found, ["data-lost", "manifest-lost-0", ".snapshot-9.u.tmp"])
    XCTAssertEqual(try orphans.remove().count, 3)
    XCTAssertEqual(try orphans.list(), [])
    try table.verify()
  }

  func test_list_keepsTheSecondHalfOfACommitUntilItIsDropped() throws {
    let time = ManualTime()
    let disk = MemoryFileIO(time: time)
    let table = CommitFixture(disk, time: time)
    try table.create()
    let a = try table.file("data-a")
    let b = try table.file("data-b", level: 5)
    let faults = FileFaults([FaultRule(.from(1), calls: [.publish])])
    let dying = CommitFixture(table, through: WatchedFileIO(disk, faults))
    XCTAssertThrowsError(
      try dying.commit(user: "job").commit(
        [table.message(new: [a], before: [a], after: [b])], identifier: 1))
    time.advance(millis: Orphans.standardAgeMillis + 1)
    XCTAssertEqual(try Orphans(table.path, table.environment).list(), [])
    XCTAssertEqual(try table.commit(user: "job").recover()?.kind, .compact)
    // Rolled back to the first half, the second is gone for good.
    try Rollback(table.path, table.environment).to(snapshotID: 1)
    XCTAssertEqual(try table.commit(user: "job").recover()?.kind, .append)
    XCTAssertEqual(try table.verify(), ["data-a"])
    XCTAssertEqual(try table.environment.files.list(table.folder(nil)), ["data-a"])
  }
}
