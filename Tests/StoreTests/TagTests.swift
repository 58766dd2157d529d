import Columns
import Formats
import Store
import XCTest

final class TagTests: XCTestCase {
  func test_read_takesTheRetentionOfEitherWriter() throws {
    let fixtures = try FixtureTests.tables()
    for name in ["java09/tags_consumer_branch", "pypaimon21/tags_consumer_branch"] {
      let folder = try XCTUnwrap(fixtures.first { $0.name == name }).path
      let environment = Environment()
      let path = TablePath(folder)
      let tags = try TagDirectory(path, environment).list()
      XCTAssertEqual(tags.count, 3, name)
      let kept = try XCTUnwrap(tags.first { $0.retention != nil }?.retention)
      XCTAssertEqual(kept.retainedMillis, 315_360_000_000, name)
      XCTAssertEqual(kept.createdMillis / 86_400_000, 20778, name)
      for tag in tags { XCTAssertEqual(try Tag(name: tag.name, json: tag.json), tag, name) }
      XCTAssertEqual(try Consumers(path, environment).list().map(\.id), ["etl"], name)
      XCTAssertEqual(try Branches(path, environment).list(), ["b1"], name)
      let branch = try Branches(path, environment).branch("b1")
      XCTAssertNotNil(try SnapshotDirectory(branch, environment).latest(), name)
      XCTAssertThrowsError(try Branches(path, environment).branch("nope"))
    }
  }

  func test_expire_removesTagsWhoseTimeIsOver() throws {
    let time = ManualTime()
    let table = CommitFixture(MemoryFileIO(), time: time)
    try table.create(["tag.default-time-retained": "1 d"])
    _ = try table.commit().commit([table.message(new: [try table.file("data-a")])])
    let tags = TagDirectory(table.path, table.environment)
    try tags.create("day")
    try tags.create("hour", retainedMillis: 3_600_000)
    XCTAssertThrowsError(try tags.create("hour")) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .conflict)
    }
    XCTAssertThrowsError(try tags.create("17"))
    XCTAssertThrowsError(try tags.create("x", snapshotID: 9)) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .notFound)
    }
    time.advance(millis: 3_600_001)
    XCTAssertEqual(try tags.expire().map(\.name), ["hour"])
    time.advance(millis: 86_400_000)
    XCTAssertEqual(try tags.expire().map(\.name), ["day"])
    XCTAssertEqual(try table.verify(), ["data-a"])
  }

  func test_travel_findsByIdTagTimeAndWatermark() throws {
    let time = ManualTime(startMillis: 0)
    let counting = CountingFileIO(MemoryFileIO(time: time))
    let table = CommitFixture(counting.files, time: time)
    try table.create()
    let commit = try table.commit()
    for step in 1...100 {
      time.advance(millis: 1000)
      _ = try commit.commit(
        [table.message(new: [try table.file("data-\(step)")])], watermark: Int64(step * 10))
    }
    try TagDirectory(table.path, table.environment).create("t", snapshotID: 40)
    func resolve(_ travel: TimeTravel) throws -> Int64? {
      try travel.resolve(table.path, table.environment, snapshots: table.snapshots)?.id
    }
    XCTAssertEqual(try resolve(.latest), 100)
    XCTAssertEqual(try resolve(.tag("t")), 40)
    XCTAssertEqual(try resolve(.version("t")), 40)
    XCTAssertEqual(try resolve(.version("41")), 41)
    XCTAssertEqual(try resolve(.watermark(395)), 40)
    XCTAssertEqual(try resolve(.watermark(-5)), 1)
    for millis in [1000, 1999, 2000, 55_500, 100_000, 999_999] as [Int64] {
      XCTAssertEqual(try resolve(.timestamp(millis)), min(100, millis / 1000))
    }
    XCTAssertThrowsError(try resolve(.timestamp(999)))
    XCTAssertThrowsError(try resolve(.watermark(9999)))
    XCTAssertThrowsError(try resolve(.snapshot(101)))
    counting.counters.reset()
    _ = try resolve(.timestamp(77_777))
    XCTAssertLessThan(counting.counters.total(.open, .snapshot).calls, 9)
    _ = try Expiration(table.path, table.environment).run(
      Expiration.Policy(retainMin: 1, olderThanMillis: .max, limit: 98))
    XCTAssertEqual(try resolve(.snapshot(40)), 40)
    XCTAssertEqual(try resolve(.timestamp(99_500)), 99)
    XCTAssertThrowsError(try resolve(.snapshot(41)))
  }
}
