import Columns
import Connectors
import Dataflow
import Store
import Synchronization
import XCTest

@testable import Warehouse

/// Batches of the parts of a source, handed out as they are put in.
private final class PartStream: Sendable {
  private let batches = Mutex<[(part: Int, times: [Int64])]>([])
  func append(_ part: Int, _ times: [Int64]) { batches.withLock { $0.append((part, times)) } }
  func at(_ index: Int) -> (part: Int, times: [Int64])? {
    batches.withLock { index < $0.count ? $0[index] : nil }
  }
}

private final class PartSource: Source {
  let type: RowType
  let style = ChangeStyle.inserts
  private let stream: PartStream
  private var next = 0

  init(_ stream: PartStream, _ type: RowType) {
    self.stream = stream
    self.type = type
  }

  func poll(rows: Int, bytes: Int) -> SourceBatch? {
    guard let batch = stream.at(next) else { return nil }
    next += 1
    let rows = batch.times.map { [Scalar.int($0), .int($0), .int(1)] }
    var given = SourceBatch(rows: JobFixture.batch(type, rows))
    given.part = (batch.part, 2)
    return given
  }
  func stopAtPresent() {}
  var isDrained: Bool { stream.at(next) == nil }
  var position: String { String(next) }
  func seek(_ position: String) { next = Int(position) ?? 0 }
}

final class PartWatermarksTests: XCTestCase {
  private static let hour: Int64 = 3_600_000
  private static let start: Int64 = 1_700_006_400_000
  private static let time = DataType(.timestamp(3))
  private static let type = RowType([("id", .bigint), ("time", time), ("amount", .bigint)])

  func test_combined_isTheLeastOfThoseThatAreAwake() {
    var parts = PartWatermarks(idleMillis: 100)
    parts.grow(to: 2, now: 0)
    parts.set(0, 50, now: 10)
    XCTAssertEqual(parts.combined(now: 20), .min)
    parts.set(1, 30, now: 20)
    XCTAssertEqual(parts.combined(now: 20), 30)
    parts.set(1, 20, now: 30)
    XCTAssertEqual(parts.combined(now: 30), 30, "a mark never goes back")
    XCTAssertEqual(parts.combined(now: 115), 30)
    parts.set(0, 60, now: 120)
    XCTAssertEqual(parts.combined(now: 135), 60, "the second part is idle")
    XCTAssertNil(parts.combined(now: 500))
    parts.grow(to: 3, now: 130)
    XCTAssertEqual(parts.combined(now: 135), .min, "a new part is waited for")
  }

  private func job(
    _ fixture: JobFixture, _ stream: PartStream, settings: [String: String]
  ) throws -> Job {
    var environment = fixture.environment
    environment.connectors.source = { (table, _) throws(TerraceError) in
      PartSource(stream, table.type)
    }
    environment.connectors.style = { (_) throws(TerraceError) in .inserts }
    let table = ConnectorTable(
      name: "s", type: Self.type, options: ["connector": "parts"], folder: "/")
    let plan = Plan.watermark(
      Plan.Watermark(
        input: .source(Plan.Source(reference: "s", tableType: Self.type, isAppendOnly: true)),
        timeColumn: 1, expression: .column(1, Self.time)))
    return try Job(
      JobSpec(
        name: "ods.t", target: .table(TableName(database: "ods", table: "t")), plan: plan,
        sources: ["s": .connector(table)], settings: settings, fingerprint: "1"),
      in: environment)
  }

  private func fixture() throws -> JobFixture {
    let time = ManualTime(startMillis: Self.start)
    let fixture = JobFixture(MemoryFileIO(time: time), time)
    try fixture.create(
      "ods.t", Self.type, key: [],
      options: [
        "bucket": "-1", "tag.automatic-creation": "watermark", "tag.creation-period": "hourly",
      ])
    return fixture
  }

  private func run(_ job: Job, _ fixture: JobFixture) throws {
    for _ in 0..<12 {
      _ = try job.runEpoch()
      fixture.time.advance(millis: 10)
    }
  }

  func test_tagsWaitForThePartThatIsLeastFar() throws {
    let (fixture, stream) = (try fixture(), PartStream())
    let job = try job(fixture, stream, settings: [:])
    stream.append(0, [Self.start + 1, Self.start + 5 * Self.hour])
    stream.append(1, [Self.start + 2, Self.start + 30 * 60_000])
    try run(job, fixture)
    XCTAssertEqual(try fixture.tags("ods.t").count, 0)
    stream.append(1, [Self.start + 2 * Self.hour + 1])
    try run(job, fixture)
    XCTAssertEqual(try fixture.tags("ods.t").count, 2)
    XCTAssertEqual(try fixture.rows("ods.t").count, 5)
    job.close()
  }

  func test_idlePart_isNotWaitedFor() throws {
    let (fixture, stream) = (try fixture(), PartStream())
    let job = try job(
      fixture, stream, settings: ["table.exec.source.idle-timeout": "1 s"])
    stream.append(1, [Self.start + 2])
    stream.append(0, [Self.start + 1, Self.start + 3 * Self.hour])
    try run(job, fixture)
    XCTAssertEqual(try fixture.tags("ods.t").count, 0)
    fixture.time.advance(millis: 990)
    stream.append(0, [Self.start + 3 * Self.hour + 1])
    try run(job, fixture)
    XCTAssertEqual(try fixture.tags("ods.t").count, 3)
    job.close()
  }
}
