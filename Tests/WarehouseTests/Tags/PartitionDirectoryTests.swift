import Catalog
import Columns
import Dataflow
import Foundation
import Store
import XCTest

@testable import Warehouse

final class PartitionDirectoryTests: XCTestCase {
  /// A project in a folder of its own with one table `ads.t`, and a clock that stands.
  private final class Fixture {
    let folder: ScratchFolder
    let time = ManualTime(startMillis: 1_700_000_000_000)
    let environment: Environment
    let warehouse: OpenWarehouse
    let store: Metastore
    let name = TableName(database: "ads", table: "t")

    init(_ options: [String: String] = [:]) throws {
      folder = try ScratchFolder()
      environment = Environment(time: time)
      let location = try WarehouseLocation.find(
        path: folder.path + "/warehouse", config: nil, project: nil, environment.files)
      try environment.files.makeDirectories(folder.path + "/catalog")
      store = try Metastore.open(folder.path + "/" + MetastoreDoor.standardPath)
      warehouse = OpenWarehouse(location, environment, metastore: MetastoreDoor(store))
      _ = try warehouse.create(database: "ads")
      var all = options
      all["bucket"] = "1"
      all["metastore.tag-to-partition"] = all["metastore.tag-to-partition"] ?? "dt"
      let schema = try TableSchema.create(
        columns: RowType([("id", DataType(.bigint, nullable: false))]).fields, partitionKeys: [],
        primaryKeys: ["id"], options: all, timeMillis: 0)
      _ = try warehouse.create(name, schema)
    }

    func partitions() throws -> PartitionDirectory { try warehouse.tagPartitions(of: name) }
    func table() throws -> Table { try warehouse.open(name) }

    /// Commits one row; returns the snapshot's id.
    @discardableResult func commit(_ id: Int64, watermark: Int64? = nil) throws -> Int64 {
      let table = try table()
      let column = ColumnBuilder(DataType(.bigint, nullable: false))
      column.append(.int(id))
      let writer = try table.writer()
      defer { writer.close() }
      try writer.write(Batch(table.schema.rowType, [column.finish()], count: 1))
      let outcome = try writer.commit(identifier: id, watermark: watermark)
      return try XCTUnwrap(outcome.snapshots.last).id
    }

    func day(_ text: String) throws -> TagPeriod {
      try XCTUnwrap(
        try partitions().schedule.period(of: try InstantText.millis(text, for: "day")))
    }
  }

  func test_publish_makesTagAndPartitionTogether() throws {
    let fixture = try Fixture()
    let first = try fixture.commit(1)
    let partitions = try fixture.partitions()
    let tag = try partitions.publish(try fixture.day("2026-11-19"), snapshotID: first)
    XCTAssertEqual(tag.name, "2026-11-19")
    XCTAssertEqual(tag.snapshot.id, first)
    try fixture.commit(2)
    let rows = try fixture.store.partitions(of: "ads.t")
    XCTAssertEqual(rows.map(\.value), ["2026-11-19"])
    XCTAssertEqual(rows[0].column, "dt")
    XCTAssertEqual(rows[0].snapshotID, first)
    XCTAssertEqual(rows[0].rows, 1)
    XCTAssertEqual(rows[0].files, 1)
    XCTAssertGreaterThan(rows[0].bytes, 0)
    XCTAssertEqual(rows[0].createdMillis, fixture.time.nowMillis())
    XCTAssertEqual(try partitions.snapshot(of: "2026-11-19")?.id, first)
    XCTAssertNil(try partitions.snapshot(of: "2026-11-20"))
    // Once more, as after a crash behind the barrier: nothing changes.
    try partitions.publish(try fixture.day("2026-11-19"), snapshotID: first)
    XCTAssertEqual(try fixture.store.partitions(of: "ads.t"), rows)
    // Without a metastore the files tell the same.
    let bare = try PartitionDirectory(
      fixture.name, try fixture.table(), session: .utc, metastore: nil)
    let read = try bare.partitions()
    XCTAssertEqual(read.map(\.value), rows.map(\.value))
    XCTAssertEqual(read.map(\.bytes), rows.map(\.bytes))
  }

  func test_publish_leavesNothingWhenTheTagFails() throws {
    let fixture = try Fixture()
    try fixture.commit(1)
    let partitions = try fixture.partitions()
    XCTAssertThrowsError(try partitions.publish(tag: "x", snapshotID: 99))
    XCTAssertThrowsError(try partitions.publish(tag: "../x", snapshotID: 1))
    XCTAssertThrowsError(try partitions.publish(tag: "20261119", snapshotID: 1))
    XCTAssertTrue(try fixture.store.partitions().isEmpty)
    XCTAssertTrue(try partitions.tags.names().isEmpty)
    try partitions.publish(tag: "x")
    XCTAssertThrowsError(try partitions.publish(tag: "x"))
    XCTAssertEqual(try fixture.store.partitions().map(\.tag), ["x"])
  }

  func test_publish_takesNamesOfDigitsFromTheSchedule() throws {
    let fixture = try Fixture(["tag.period-formatter": "without_dashes"])
    let id = try fixture.commit(1)
    let partitions = try fixture.partitions()
    XCTAssertEqual(
      try partitions.publish(try fixture.day("2026-11-19"), snapshotID: id).name, "20261119")
    XCTAssertEqual(try partitions.partitions().map(\.value), ["20261119"])
    XCTAssertEqual(try partitions.replace("20261119", snapshotID: fixture.commit(2)).snapshot.id, 2)
    XCTAssertEqual(try fixture.store.partitions().map(\.snapshotID), [2])
  }

  /// From each file-system call of a publication on nothing works any more. Whoever comes next finds a tag
  /// with its row or neither.
  func test_publish_isRepairedAfterACrashAnywhere() throws {
    var crashes = 0
    for effect in [FaultRule.Effect.refused, .madeButReported] {
      var step = 0
      while true {
        let fixture = try Fixture()
        let id = try fixture.commit(1)
        let day = try fixture.day("2026-11-19")
        let table = try fixture.table()
        let faults = FileFaults([FaultRule(.from(step), effect)])
        let faulty = Environment(
          files: WatchedFileIO(LocalFileIO(), faults), time: fixture.time)
        do {
          let broken = try PartitionDirectory(
            fixture.name, try Table.open(faulty, table.path.root), session: .utc,
            metastore: fixture.store)
          try broken.publish(day, snapshotID: id)
        } catch { crashes += 1 }
        if faults.injected == 0 { break }
        let partitions = try fixture.partitions()
        XCTAssertEqual(
          try partitions.partitions().map(\.tag), try partitions.tags.names(), "call \(step)")
        try partitions.publish(day, snapshotID: id)
        XCTAssertEqual(
          try fixture.store.partitions().map(\.tag), ["2026-11-19"], "call \(step)")
        XCTAssertEqual(try partitions.snapshot(of: "2026-11-19")?.id, id)
        step += 1
      }
    }
    print("publish: \(crashes) crashes")
    XCTAssertGreaterThan(crashes, 20)
  }

  func test_partitions_followTagsOfOthers() throws {
    let fixture = try Fixture()
    try fixture.commit(1)
    let partitions = try fixture.partitions()
    try partitions.tags.create("foreign")
    XCTAssertTrue(try fixture.store.partitions().isEmpty)
    XCTAssertEqual(try partitions.partitions().map(\.tag), ["foreign"])
    try partitions.tags.delete("foreign")
    XCTAssertTrue(try partitions.partitions().isEmpty)
    XCTAssertTrue(try fixture.store.partitions().isEmpty)
  }

  func test_change_keepsTheRowsInStep() throws {
    let fixture = try Fixture()
    try fixture.commit(1)
    try fixture.commit(2)
    let partitions = try fixture.partitions()
    try partitions.publish(tag: "a", snapshotID: 1)
    try partitions.publish(tag: "b", snapshotID: 2)
    try partitions.rename("a", to: "c")
    try partitions.replace("b", snapshotID: 1)
    XCTAssertEqual(
      try fixture.store.partitions().map { "\($0.tag) \($0.snapshotID)" }, ["b 1", "c 1"])
    XCTAssertThrowsError(try partitions.rename("b", to: "c"))
    XCTAssertEqual(try partitions.remove(["b", "none"]), ["b"])
    XCTAssertEqual(try fixture.store.partitions().map(\.tag), ["c"])
    XCTAssertEqual(try partitions.tags.names(), ["c"])
  }

  func test_retain_dropsTagAndPartitionTogether() throws {
    let fixture = try Fixture(["tag.num-retained-max": "2", "tag.default-time-retained": "10 d"])
    let partitions = try fixture.partitions()
    for day in 1...4 {
      let id = try fixture.commit(Int64(day))
      try partitions.publish(try fixture.day("2026-11-0\(day)"), snapshotID: id)
    }
    try partitions.publish(tag: "by hand", snapshotID: 1)
    XCTAssertEqual(try partitions.retain(), ["2026-11-01", "2026-11-02"])
    XCTAssertEqual(
      try fixture.store.partitions().map(\.value), ["2026-11-03", "2026-11-04", "by hand"])
    XCTAssertEqual(Set(try partitions.tags.names()), ["2026-11-03", "2026-11-04", "by hand"])
    XCTAssertEqual(try partitions.retain(), [])
    fixture.time.advance(millis: 10 * 86_400_000 + 1)
    XCTAssertEqual(try partitions.retain().count, 3)
    XCTAssertTrue(try fixture.store.partitions().isEmpty)
    XCTAssertTrue(try partitions.tags.names().isEmpty)
  }

  func test_preview_showsTheRunningPeriod() throws {
    let clock = try InstantText.millis("2026-11-20 10:00:00", for: "now")
    let fixture = try Fixture(["metastore.tag-to-partition.preview": "process-time"])
    fixture.time.advance(millis: clock - fixture.time.nowMillis())
    let first = try fixture.commit(1)
    let partitions = try fixture.partitions()
    try partitions.publish(try fixture.day("2026-11-19"), snapshotID: first)
    let second = try fixture.commit(2)
    XCTAssertEqual(try partitions.runningValue(), "2026-11-20")
    XCTAssertEqual(try partitions.partitions().map(\.value), ["2026-11-19"])
    XCTAssertEqual(try partitions.shown().map(\.value), ["2026-11-19", "2026-11-20"])
    XCTAssertEqual(try partitions.snapshot(of: "2026-11-20")?.id, second)
    XCTAssertNil(try partitions.snapshot(of: "2026-11-21"))
    let quiet = try Fixture()
    quiet.time.advance(millis: clock - quiet.time.nowMillis())
    try quiet.commit(1)
    XCTAssertEqual(try quiet.partitions().runningValue(), "2026-11-20")
    XCTAssertNil(try quiet.partitions().snapshot(of: "2026-11-20"))
    XCTAssertTrue(try quiet.partitions().shown().isEmpty)
  }

  func test_running_isTheWatermarksPeriod() throws {
    let fixture = try Fixture(["tag.automatic-creation": "watermark"])
    XCTAssertNil(try fixture.partitions().runningValue())
    try fixture.commit(1, watermark: try InstantText.millis("2024-05-06 23:59:59", for: "now"))
    XCTAssertEqual(try fixture.partitions().runningValue(), "2024-05-06")
  }

  func test_schedule_isInheritedFromTheSources() throws {
    let fixture = try Fixture()
    let hourly = try TagSchedule(
      try TableSchema.create(
        columns: RowType([("id", DataType(.bigint))]).fields, partitionKeys: [], primaryKeys: [],
        options: ["tag.automatic-creation": "process-time", "tag.creation-period": "hourly"],
        timeMillis: 0), session: try XCTUnwrap(SessionZone("Asia/Shanghai")))
    let partitions = try PartitionDirectory(
      fixture.name, try fixture.table(), session: .utc, metastore: fixture.store, sources: hourly)
    let period = try XCTUnwrap(
      hourly.period(of: try InstantText.millis("2026-11-20 00:30:00", for: "t")))
    try partitions.publish(period, snapshotID: try fixture.commit(1))
    XCTAssertEqual(try fixture.store.partitions().map(\.value), ["2026-11-20 08"])
    XCTAssertEqual(
      partitions.schedule, try fixture.partitions().schedule.inheriting(encoded: hourly.encoded))
    for text in [
      "", "x", "daily;1;with-dashes;period;UTC", ";;;;", "none;86400000;with-dashes;period;Mars",
    ] {
      XCTAssertNil(hourly.inheriting(encoded: text), text)
    }
  }

  func test_repair_makesTheMetastoreAnew() throws {
    let fixture = try Fixture()
    let partitions = try fixture.partitions()
    for day in 1...3 {
      try partitions.publish(
        try fixture.day("2026-11-0\(day)"), snapshotID: try fixture.commit(Int64(day)))
    }
    let before = try fixture.store.partitions()
    fixture.store.close()
    let file = fixture.folder.path + "/" + MetastoreDoor.standardPath
    let repair = Repair(file: file, fixture.warehouse.location, fixture.environment)
    XCTAssertEqual(try repair.run(isDry: false), [])
    let expected = [
      Repair.Change("metastore", "made", file), Repair.Change("database", "added", "ads"),
      Repair.Change("table", "added", "ads.t"),
      Repair.Change("partition", "added", "ads.t dt=2026-11-01"),
      Repair.Change("partition", "added", "ads.t dt=2026-11-02"),
      Repair.Change("partition", "added", "ads.t dt=2026-11-03"),
    ]
    try FileManager.default.removeItem(atPath: file)
    XCTAssertEqual(try repair.run(isDry: true), expected)
    XCTAssertFalse(FileManager.default.fileExists(atPath: file))
    XCTAssertEqual(try repair.run(isDry: false), expected)
    let again = try Metastore.open(file)
    func key(_ row: TagPartition) -> String { "\(row.value) \(row.snapshotID) \(row.bytes)" }
    XCTAssertEqual(try again.partitions().map(key), before.map(key))
    XCTAssertEqual(try again.databases(), ["ads"])
    // Rows of what is gone go too.
    try again.register(database: "old", table: "t")
    try again.register(database: "ads", table: "gone")
    again.close()
    XCTAssertEqual(
      try repair.run(isDry: false),
      [Repair.Change("database", "removed", "old"), Repair.Change("table", "removed", "ads.gone")])
    try Data(repeating: 7, count: 10_000).write(to: URL(fileURLWithPath: file))
    let changes = try repair.run(isDry: false)
    XCTAssertEqual(changes.first?.action, "set aside")
    XCTAssertEqual(changes.count, 7)
    XCTAssertEqual(try Metastore.open(file).partitions().map(key), before.map(key))
  }
}
