import Columns
import Store
import XCTest

final class ExpirationTests: XCTestCase {
  private let keep = Expiration.Policy(
    retainMin: 1, retainMax: 1, olderThanMillis: .max, limit: 1000)

  /// Commits 1…n, each replacing the file of the one before by compaction: snapshots 1…2n-1.
  private func fill(_ table: CommitFixture, _ count: Int) throws {
    let commit = try table.commit()
    var last: DataFile?
    for step in 0..<count {
      let new = try table.file("data-\(step)")
      if let old = last {
        let merged = try table.file("data-\(step)-merged", level: 5)
        _ = try commit.commit(
          [
            table.message(
              new: [new], before: [old, new], after: [merged],
              changelog: [try table.file("changelog-\(step)")])
          ], identifier: Int64(step))
        last = merged
      } else {
        _ = try commit.commit([table.message(new: [new])], identifier: Int64(step))
        last = new
      }
    }
  }

  private func dataFiles(_ table: CommitFixture) throws -> [String] {
    try table.environment.files.list(table.folder(nil))
  }

  /// What lies in `manifest/` is what the one snapshot that is left names.
  private func checkManifests(_ table: CommitFixture, line: UInt = #line) throws {
    let snapshot = try XCTUnwrap(try table.snapshots.latest())
    let manifests = try ManifestFiles(table.path, try table.schemas.latest(), table.environment)
    let lists = [
      snapshot.baseManifestList, snapshot.deltaManifestList, snapshot.changelogManifestList,
    ].compactMap { $0 }
    let named = try lists + lists.flatMap { try manifests.readList($0).map(\.name) }
    XCTAssertEqual(
      try table.environment.files.list(table.path.manifests), Set(named).sorted(), line: line)
  }

  func test_run_keepsOnlyWhatTheLatestSnapshotNeeds() throws {
    let table = CommitFixture()
    try table.create()
    try fill(table, 5)
    XCTAssertEqual(try table.snapshots.ids().count, 9)
    let outcome = try Expiration(table.path, table.environment).run(keep)
    XCTAssertEqual(outcome.snapshots, 8)
    XCTAssertEqual(try table.verify(), ["data-4-merged"])
    XCTAssertEqual(try dataFiles(table), ["data-4-merged"])
    try checkManifests(table)
    XCTAssertEqual(try table.snapshots.earliestID(), 9)
  }

  func test_run_keepsByNumberTimeLimitAndConsumer() throws {
    let time = ManualTime(startMillis: 1000)
    let table = CommitFixture(MemoryFileIO(), time: time)
    try table.create(["snapshot.num-retained.min": "2", "snapshot.time-retained": "10 s"])
    let commit = try table.commit()
    for step in 0..<6 {
      time.advance(millis: 4000)
      _ = try commit.commit([table.message(new: [try table.file("data-\(step)")])])
    }
    let expiration = Expiration(table.path, table.environment)
    // Now 25 s; snapshot 4 is of 17 s: 3 was the table until then.
    XCTAssertEqual(try expiration.run().snapshots, 2)
    XCTAssertEqual(try table.snapshots.ids(), [3, 4, 5, 6])
    time.advance(millis: 60_000)
    XCTAssertEqual(try expiration.run(Expiration.Policy(limit: 1)).snapshots, 1)
    try Consumers(table.path, table.environment).set("reader", next: 4)
    XCTAssertEqual(try expiration.run().snapshots, 0)
    try Consumers(table.path, table.environment).delete("reader")
    XCTAssertEqual(try expiration.run().snapshots, 1)
    XCTAssertEqual(try table.snapshots.ids(), [5, 6])
    XCTAssertEqual(try table.verify().count, 6)
  }

  func test_run_breaksNoTagAndDeletingTagsFreesTheirFiles() throws {
    let table = CommitFixture()
    try table.create()
    try fill(table, 6)
    let tags = TagDirectory(table.path, table.environment)
    try tags.create("first", snapshotID: 1)
    try tags.create("third", snapshotID: 3)
    try tags.create("also third", snapshotID: 3)
    try tags.create("fifth", snapshotID: 5)
    XCTAssertEqual(try Expiration(table.path, table.environment).run(keep).snapshots, 10)
    XCTAssertEqual(try table.verify(), ["data-5-merged"])
    XCTAssertEqual(
      try dataFiles(table), ["data-0", "data-1-merged", "data-2-merged", "data-5-merged"])
    XCTAssertTrue(try tags.delete("third"))
    XCTAssertFalse(try tags.delete("third"))
    XCTAssertEqual(
      try dataFiles(table), ["data-0", "data-1-merged", "data-2-merged", "data-5-merged"])
    try tags.delete("also third")
    XCTAssertEqual(try dataFiles(table), ["data-0", "data-2-merged", "data-5-merged"])
    try table.verify()
    try tags.rename("fifth", to: "five")
    try tags.delete("first")
    try table.verify()
    try tags.delete("five")
    XCTAssertEqual(try dataFiles(table), ["data-5-merged"])
    try table.verify()
    try checkManifests(table)
  }

  func test_read_saysThatTheSnapshotExpiredMeanwhile() throws {
    let environment = Environment(files: MemoryFileIO(), time: ManualTime())
    let table = try TestTable(
      environment, [("id", DataType.bigint.notNull)], primaryKeys: ["id"],
      options: ["bucket": "1"])
    let writer = try table.open().writer(user: "u")
    for id in 0..<2 {
      try writer.write(table.batch([[.int(Int64(id))]]))
      try writer.commit(identifier: Int64(id))
    }
    writer.close()
    let open = try table.open()
    let first = try XCTUnwrap(try open.snapshots.find(1))
    try open.compact(full: true)
    _ = try Expiration(open.path, environment).run(keep)
    XCTAssertThrowsError(try TestTable.read(open, first)) {
      XCTAssertEqual(
        ($0 as? TerraceError)?.description,
        "not found: the snapshot expired while it was read (snapshot=1)")
    }
  }

  func test_run_keepsTheRootOfAJobAndItsFollowers() throws {
    let table = CommitFixture()
    try table.create()
    let commit = try table.commit()
    for step in 0..<5 {
      _ = try commit.commit(
        [table.message(new: [try table.file("data-\(step)")])],
        properties: step == 2 ? ["terrace.root.position": "7"] : nil)
    }
    XCTAssertEqual(try Expiration(table.path, table.environment).run(keep).snapshots, 2)
    XCTAssertEqual(try table.snapshots.ids(), [3, 4, 5])
  }

  func test_run_keepsChangelogsThatLiveLonger() throws {
    let table = CommitFixture()
    try table.create([
      "changelog-producer": "input", "snapshot.num-retained.min": "1",
      "snapshot.num-retained.max": "2", "changelog.num-retained.max": "4",
      "changelog.num-retained.min": "3", "snapshot.time-retained": "1 ms",
      "changelog.time-retained": "1 ms",
    ])
    let commit = try table.commit()
    for step in 0..<6 {
      _ = try commit.commit([
        table.message(
          new: [try table.file("data-\(step)")],
          changelog: [try table.file("changelog-\(step)")])
      ])
      table.environment.time.sleep(millis: 1000)
    }
    let outcome = try Expiration(table.path, table.environment).run()
    XCTAssertEqual(outcome, Expiration.Outcome(snapshots: 5, changelogs: 3, dataFiles: 3))
    XCTAssertEqual(try table.snapshots.changelogIDs(), [4, 5])
    XCTAssertEqual(
      try dataFiles(table).filter { $0.hasPrefix("changelog") },
      ["changelog-3", "changelog-4", "changelog-5"])
    let manifests = try ManifestFiles(table.path, try table.schemas.latest(), table.environment)
    for id in try table.snapshots.changelogIDs() {
      let list = try XCTUnwrap(try table.snapshots.findChangelog(id)?.changelogManifestList)
      for manifest in try manifests.readList(list) {
        XCTAssertEqual(try manifests.readEntries(manifest.name).count, 1)
      }
    }
    try table.verify()
  }

  func test_rollback_removesWhatCameLaterAndNothingElse() throws {
    let table = CommitFixture()
    try table.create()
    try fill(table, 4)
    let tags = TagDirectory(table.path, table.environment)
    try tags.create("early", snapshotID: 2)
    try tags.create("late", snapshotID: 6)
    let rollback = Rollback(table.path, table.environment)
    try rollback.to(snapshotID: 4)
    XCTAssertEqual(try table.snapshots.ids(), [1, 2, 3, 4])
    XCTAssertEqual(try tags.list().map(\.name), ["early"])
    XCTAssertEqual(try table.verify(), ["data-1-merged", "data-2"])
    XCTAssertEqual(
      try dataFiles(table),
      ["changelog-1", "changelog-2", "data-0", "data-1", "data-1-merged", "data-2"])
    // Back to a tag whose snapshot has expired.
    _ = try table.commit().commit([table.message(new: [try table.file("data-x")])])
    _ = try Expiration(table.path, table.environment).run(keep)
    XCTAssertEqual(try table.snapshots.ids(), [5])
    try rollback.to(tag: "early")
    XCTAssertEqual(try table.snapshots.ids(), [2])
    XCTAssertEqual(try table.verify(), ["data-0", "data-1"])
    XCTAssertEqual(try dataFiles(table).filter { $0.hasPrefix("data") }, ["data-0", "data-1"])
    _ = try table.commit().commit([table.message(new: [try table.file("data-y")])])
    XCTAssertEqual(try table.verify(), ["data-0", "data-1", "data-y"])
  }

  func test_branch_keepsItsFilesWhenTheTagAndItsSnapshotGo() throws {
    let table = CommitFixture()
    try table.create()
    try fill(table, 3)
    let tags = TagDirectory(table.path, table.environment)
    try tags.create("t", snapshotID: 1)
    let branches = Branches(table.path, table.environment)
    try branches.create("b", tag: "t")
    XCTAssertThrowsError(try branches.create("b"))
    XCTAssertThrowsError(try branches.create("../x"))
    _ = try Expiration(table.path, table.environment).run(keep)
    try tags.delete("t")
    let path = try branches.branch("b")
    let snapshots = SnapshotDirectory(path, table.environment)
    let schema = try SchemaDirectory(path, table.environment).latest()
    let state = try TableState(
      at: try XCTUnwrap(try snapshots.latest()),
      ManifestFiles(path, schema, table.environment))
    XCTAssertEqual(state.entries.map(\.file.name), ["data-0"])
    XCTAssertEqual(try dataFiles(table), ["data-0", "data-2-merged"])
    try branches.delete("b")
    XCTAssertEqual(try branches.list(), [])
  }
}
