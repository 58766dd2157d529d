import Columns
import Connectors
import Dataflow
import Store
import Synchronization
import XCTest

@testable import Warehouse

/// What a test's source holds: rows with kinds, and records that are none.
final class Stream: Sendable {
  enum Record: Sendable {
    case row(RowKind, [Scalar])
    case bad(String)
  }
  private let records = Mutex<[Record]>([])
  /// Rows have one value more: which of them they leave out.
  let leavesOut: Bool
  private let out = Mutex<(prepared: [String: [String]], published: [String])>(([:], []))

  init(leavesOut: Bool = false) { self.leavesOut = leavesOut }

  var all: [Record] { records.withLock { $0 } }
  func append(_ more: [Record]) { records.withLock { $0 += more } }

  func prepare(_ name: String, _ rows: [String]) { out.withLock { $0.prepared[name] = rows } }
  func publish(_ name: String) {
    out.withLock { out in
      if let rows = out.prepared.removeValue(forKey: name) { out.published += rows }
    }
  }
  func forgetPrepared(but name: String?) {
    out.withLock { out in out.prepared = out.prepared.filter { $0.key == name } }
  }
  var published: [String] { out.withLock { $0.published } }
}

/// Gives a stream in batches of changing size. Its position is how many records were given beyond the
/// greatest number in its table.
final class StreamSource: Source {
  let type: RowType
  let style: ChangeStyle
  private let stream: Stream
  private let step: Int
  private var next = 0
  private var stored = 0
  private var end: Int?

  init(_ stream: Stream, _ type: RowType, _ style: ChangeStyle, step: Int) {
    self.stream = stream
    let flags = (ConnectorTable.unchangedColumn, DataType.bytes)
    self.type =
      stream.leavesOut ? RowType(type.fields.map { ($0.name, $0.type) } + [flags]) : type
    self.style = style
    self.step = step
  }

  func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    let records = stream.all
    let last = min(records.count, next + min(rows, step), end ?? .max)
    if next >= last { return nil }
    var rows: [[Scalar]] = []
    var kinds: [UInt8] = []
    var letters: [DeadLetter] = []
    for i in next..<last {
      switch records[i] {
      case .row(let kind, let values):
        rows.append(values)
        kinds.append(kind.rawValue)
      case .bad(let text):
        letters.append(
          DeadLetter(
            row: rows.count, place: "stream:\(i)", bytes: Array(text.utf8), reason: "no JSON"))
      }
    }
    next = last
    let marks = Buffer(byteCount: max(1, kinds.count))
    for (i, kind) in kinds.enumerated() { marks.pointer(UInt8.self)[i] = kind }
    return SourceBatch(rows: JobFixture.batch(type, rows), kinds: marks, deadLetters: letters)
  }

  func stopAtPresent() { end = stream.all.count }
  var isDrained: Bool { end.map { next >= $0 } ?? false }
  var position: String { String(next - stored) }
  var positionTable: (type: RowType, keyCount: Int)? {
    (RowType([("file", DataType.string.notNull), ("given", .bigint)]), 1)
  }

  func takePositions() -> DeltaBatch? {
    if next == stored { return nil }
    stored = next
    let type = RowType([("file", DataType.string.notNull), ("given", .bigint)])
    return DeltaBatch(inserting: JobFixture.batch(type, [[.text("stream"), .int(Int64(next))]]))
  }

  func restorePositions(_ rows: DeltaBatch) {
    if case .int(let given) = rows.rows.columns[1].scalar(0) { stored = Int(given) }
    next = stored
  }

  func seek(_ position: String) { next = stored + (Int(position) ?? 0) }
  var backlog: (amount: Int64, unit: String)? { (Int64(stream.all.count - next), "records") }
}

private final class StreamSink: Sink {
  private let stream: Stream
  private var rows: [String] = []

  init(_ stream: Stream) { self.stream = stream }

  func write(_ batch: Batch, kinds: Buffer?) {
    for row in 0..<batch.count {
      let kind = kinds.flatMap { RowKind(rawValue: $0.pointer(UInt8.self)[row]) } ?? .insert
      rows.append(
        kind.text + " " + batch.columns.map { "\($0.scalar(row))" }.joined(separator: ","))
    }
  }
  func prepare(epoch: Int64) -> String {
    stream.prepare("epoch-\(epoch)", rows)
    rows = []
    return "epoch-\(epoch)"
  }
  func publish(_ prepared: String) { stream.publish(prepared) }
  func recover(_ prepared: String?) -> SinkRecovery {
    stream.forgetPrepared(but: prepared)
    if let prepared { stream.publish(prepared) }
    return .complete
  }
  func close() {}
}

final class JobConnectorTests: XCTestCase {
  private static let type = RowType([
    ("id", .bigint), ("time", DataType(.timestamp(3))), ("amount", .bigint),
  ])
  private static let stored = RowType([
    ("id", JobFixture.big), ("time", DataType(.timestamp(3))), ("amount", .bigint),
  ])
  private static let midnight: Int64 = 1_700_006_400_000

  private func table(_ name: String) -> ConnectorTable {
    ConnectorTable(
      name: name, type: JobConnectorTests.type, primaryKey: ["id"],
      options: ["connector": "stream"], folder: "/")
  }

  private func environment(
    _ fixture: JobFixture, _ stream: Stream, _ style: ChangeStyle, step: Int
  ) -> JobEnvironment {
    var environment = fixture.environment
    environment.connectors.source = { (table, _) throws(TerraceError) in
      StreamSource(stream, table.type, style, step: step)
    }
    environment.connectors.style = { (_) throws(TerraceError) in style }
    environment.connectors.sink = { (_, _) throws(TerraceError) in StreamSink(stream) }
    return environment
  }

  private static func plan(watermark: Bool, isAppendOnly: Bool) -> Plan {
    var plan = Plan.source(
      Plan.Source(
        reference: "changes", tableType: type, primaryKey: [0], isAppendOnly: isAppendOnly))
    if watermark {
      plan = .watermark(
        Plan.Watermark(
          input: plan, timeColumn: 1, expression: .column(1, DataType(.timestamp(3)))))
    }
    return .map(
      Plan.Map(
        input: plan,
        expressions: [
          .cast(.column(0, .bigint), JobFixture.big, orNull: false),
          .column(1, DataType(.timestamp(3))), .column(2, .bigint),
        ], names: ["id", "time", "amount"]))
  }

  private func spec(_ target: JobSpec.Target, _ plan: Plan) -> JobSpec {
    JobSpec(
      name: "ods.t", target: target, plan: plan, sources: ["changes": .connector(table("changes"))],
      fingerprint: "1")
  }

  private func fixture(options: [String: String] = [:]) throws -> JobFixture {
    let time = ManualTime(startMillis: JobConnectorTests.midnight)
    let fixture = JobFixture(MemoryFileIO(time: time), time)
    try fixture.create("ods.t", JobConnectorTests.stored, key: ["id"], options: options)
    return fixture
  }

  private static func row(
    _ kind: RowKind, _ id: Int64, _ time: Int64, _ amount: Int64?
  ) -> Stream.Record {
    .row(kind, [.int(id), .int(time), amount.map { .int($0) } ?? .null])
  }

  /// Kills the job in between, with batches of another size each time.
  private func drain(
    _ fixture: JobFixture, _ stream: Stream, _ style: ChangeStyle, _ spec: JobSpec, kills: Int,
    _ random: inout SplitMix
  ) throws -> Job {
    for _ in 0..<kills {
      let job = try Job(
        spec, in: environment(fixture, stream, style, step: Int(random.next() % 7) + 1))
      for _ in 0..<random.next() % 5 {
        _ = try job.runEpoch(EpochLimits(rows: Int(random.next() % 9) + 1))
        fixture.time.advance(millis: Int64(random.next() % 8000))
      }
      if random.next() % 3 == 0 { job.close() }
    }
    let job = try Job(spec, in: environment(fixture, stream, style, step: 5))
    try job.stopAtPresent()
    job.endInput()
    loop: while true {
      switch try job.runEpoch() {
      case .drained, .drifted: break loop
      case .committed, .idle: continue
      }
    }
    return job
  }

  func test_rule3_upserts_lastRowOfAKeyCounts() throws {
    var random = SplitMix(seed: 3)
    for round in 0..<6 {
      let stream = Stream()
      var model: [Int64: Int64] = [:]
      var bad = 0
      for i in 0..<120 {
        let id = Int64(random.next() % 9)
        switch random.next() % 8 {
        case 0:
          stream.append([JobConnectorTests.row(.delete, id, 0, nil)])
          model[id] = nil
        case 1:
          stream.append([.bad("x\(i)")])
          bad += 1
        default:
          stream.append([JobConnectorTests.row(.updateAfter, id, 0, Int64(i))])
          model[id] = Int64(i)
        }
      }
      let fixture = try fixture()
      let spec = spec(
        .table(TableName(database: "ods", table: "t")),
        JobConnectorTests.plan(watermark: false, isAppendOnly: false))
      let job = try drain(fixture, stream, .upserts, spec, kills: round * 2, &random)
      XCTAssertEqual(
        try fixture.rows("ods.t"),
        model.map { [.int($0.key), .int(0), .int($0.value)] }.sorted { "\($0)" < "\($1)" },
        "round \(round)")
      try checkChangelog(fixture, count: model.count, "round \(round)")
      // Each bad record is kept once.
      let letters = bad == 0 ? [] : try fixture.rows("dead_letters.ods_t")
      XCTAssertEqual(letters.count, bad, "round \(round)")
      XCTAssertEqual(Set(letters.map { $0[0] }).count, bad)
      XCTAssertTrue(letters.allSatisfy { $0[1] == .text("no JSON") })
      job.close()
    }
  }

  /// No state of its own, whether rows stay in memory or are read back after each commit, and also where
  /// others write to the target.
  func test_rule12_targetPlaysTheStateOfUpserts() throws {
    var random = SplitMix(seed: 12)
    for round in 0..<6 {
      let stream = Stream(leavesOut: round % 2 == 0)
      var model: [Int64: Int64] = [:]
      for i in 0..<Int64(200) {
        let id = Int64(random.next() % 30)
        let isGone = random.next() % 5 == 0
        stream.append([
          .row(
            isGone ? .delete : .updateAfter,
            [.int(id), .int(0), .int(i)] + (stream.leavesOut ? [.null] : []))
        ])
        model[id] = isGone ? nil : i
      }
      let fixture = try fixture()
      fixture.budget = round < 3 ? MemoryBudget(limitBytes: 2048) : nil
      let spec = spec(
        .table(TableName(database: "ods", table: "t")),
        JobConnectorTests.plan(watermark: false, isAppendOnly: false))
      if round % 3 == 2 {
        // A row of somebody else: the next change of its key tells it as the old row.
        let job = try Job(spec, in: environment(fixture, stream, .upserts, step: 3))
        for _ in 0..<4 { _ = try job.runEpoch(EpochLimits(rows: 5)) }
        let old = try fixture.rows("ods.t").first { $0[0] == .int(7) }
        let new: [Scalar] = [.int(7), .int(0), .int(1000)]
        try fixture.commit(
          "ods.t", old.map { [(.updateBefore, $0), (.updateAfter, new)] } ?? [(.insert, new)])
        model[7] = 2000
        stream.append([
          .row(
            .updateAfter, [.int(7), .int(0), .int(2000)] + (stream.leavesOut ? [.null] : []))
        ])
        _ = try job.runEpoch(EpochLimits(rows: 1))
        job.close()
      }
      let job = try drain(fixture, stream, .upserts, spec, kills: round, &random)
      XCTAssertEqual(
        try fixture.rows("ods.t"),
        model.map { [.int($0.key), .int(0), .int($0.value)] }.sorted { "\($0)" < "\($1)" },
        "round \(round)")
      try checkChangelog(fixture, count: model.count, "round \(round)")
      job.close()
      let hidden = "/wh/" + HiddenTables.database + ".db"
      let stored = try fixture.disk.exists(hidden) ? fixture.disk.list(hidden) : []
      XCTAssertEqual(stored.filter { $0.hasSuffix("rows") }, [])
    }
  }

  /// The changelog alone gives the rows: every old row was told.
  private func checkChangelog(_ fixture: JobFixture, count: Int, _ what: String) throws {
    let table = try fixture.open("ods.t")
    var sum: [[Scalar]: Int] = [:]
    for id in 1...(try XCTUnwrap(try table.snapshots.latestID())) {
      let read = try table.changes().changes(of: try table.snapshots.snapshot(id))
      while let changes = try read.next() {
        for i in 0..<changes.rows.count {
          let kind = try XCTUnwrap(RowKind(rawValue: changes.kinds.pointer(UInt8.self)[i]))
          sum[changes.rows.columns.map { $0.scalar(i) }, default: 0] += Int(kind.weight)
        }
      }
    }
    XCTAssertTrue(sum.values.allSatisfy { $0 == 0 || $0 == 1 }, "\(what): \(sum)")
    XCTAssertEqual(sum.values.count { $0 == 1 }, count, what)
  }

  func test_rule3_unchangedValues_comeFromTheLastRow() throws {
    var random = SplitMix(seed: 23)
    for round in 0..<6 {
      let stream = Stream(leavesOut: true)
      var model: [Int64: [Scalar]] = [:]
      for i in 0..<Int64(150) {
        let id = Int64(random.next() % 9)
        if random.next() % 6 == 0, model[id] != nil {
          stream.append([.row(.delete, [.int(id), .null, .null, .null])])
          model[id] = nil
          continue
        }
        // Of what is left out something else may stand there. Bits count declared columns.
        var bits: UInt8 = 0
        if let old = model[id] {
          bits = UInt8(random.next() % 4) << 1
          model[id] = [
            .int(id), bits & 2 != 0 ? old[1] : .int(i), bits & 4 != 0 ? old[2] : .int(i),
          ]
        } else {
          model[id] = [.int(id), .int(i), .int(i)]
        }
        let flags = bits == 0 ? Scalar.null : .bytes([bits])
        stream.append([.row(.updateAfter, [.int(id), .int(i), .int(i), flags])])
      }
      let fixture = try fixture()
      let spec = spec(
        .table(TableName(database: "ods", table: "t")),
        JobConnectorTests.plan(watermark: false, isAppendOnly: false))
      let job = try drain(fixture, stream, .upserts, spec, kills: round * 2, &random)
      XCTAssertEqual(
        try fixture.rows("ods.t"), model.values.sorted { "\($0)" < "\($1)" }, "round \(round)")
      job.close()
    }
  }

  /// State that is written while the next slice is taken, and positions in a table of their own.
  func test_rule7_overlappedState_losesAndDoublesNothing() throws {
    var random = SplitMix(seed: 7)
    let type = JobConnectorTests.type
    let time = DataType(.timestamp(3))
    let sums = Plan.aggregate(
      Plan.Aggregate(
        input: .source(Plan.Source(reference: "changes", tableType: type, isAppendOnly: true)),
        keys: [0],
        calls: [
          AggregateCall(.max, argument: 1, type: time),
          AggregateCall(.sum, argument: 2, type: .bigint),
        ]))
    let plan = Plan.map(
      Plan.Map(
        input: sums,
        expressions: [
          .cast(.column(0, .bigint), JobFixture.big, orNull: false), .column(1, time),
          .column(2, .bigint),
        ], names: ["id", "time", "amount"]))
    for round in 0..<8 {
      let stream = Stream()
      var model: [Int64: Int64] = [:]
      for i in 0..<Int64(150) {
        let id = Int64(random.next() % 9)
        if random.next() % 12 == 0 { stream.append([.bad("x\(i)")]) }
        stream.append([JobConnectorTests.row(.insert, id, 0, i)])
        model[id, default: 0] += i
      }
      let fixture = try fixture()
      fixture.stateBytes = 1
      let spec = spec(.table(TableName(database: "ods", table: "t")), plan)
      let job = try drain(fixture, stream, .inserts, spec, kills: round * 2, &random)
      XCTAssertEqual(
        try fixture.rows("ods.t"),
        model.map { [.int($0.key), .int(0), .int($0.value)] }.sorted { "\($0)" < "\($1)" },
        "round \(round)")
      try checkChangelog(fixture, count: model.count, "round \(round)")
      job.close()
    }
  }

  func test_rule9_cutInTheMiddleOfABatch_takesEachRecordOnce() throws {
    var random = SplitMix(seed: 4)
    for round in 0..<6 {
      let stream = Stream()
      let hour: Int64 = 3_600_000
      var time = JobConnectorTests.midnight
      var greatest = time
      var byTag: [Int64: Set<Int64>] = [:]
      var ids: Set<Int64> = []
      for i in 0..<Int64(150) {
        // Mostly forward, now and then late.
        time += Int64(random.next() % UInt64(hour / 8))
        let own = random.next() % 10 == 0 ? time - 2 * hour : time
        if own / hour > greatest / hour {
          for end in (greatest / hour + 1)...(own / hour) { byTag[end * hour] = ids }
        }
        greatest = max(greatest, own)
        ids.insert(i)
        stream.append([JobConnectorTests.row(.insert, i, own, 1)])
        if random.next() % 6 == 0 { stream.append([.bad("?")]) }
      }
      let fixture = try fixture(options: [
        "tag.automatic-creation": "watermark", "tag.creation-period": "hourly",
      ])
      let spec = spec(
        .table(TableName(database: "ods", table: "t")),
        JobConnectorTests.plan(watermark: true, isAppendOnly: true))
      let job = try drain(fixture, stream, .inserts, spec, kills: round * 2, &random)
      XCTAssertEqual(try fixture.rows("ods.t").count, 150, "round \(round)")
      XCTAssertEqual(try fixture.tags("ods.t").count, byTag.count, "round \(round)")
      let table = try fixture.open("ods.t")
      for tag in try TagDirectory(table.path, table.environment).list() {
        let made = try XCTUnwrap(try Root.Tags(of: tag.snapshot)).made
        let end = try XCTUnwrap(made.last)
        let rows = try fixture.rows("ods.t", tag: tag.name)
        XCTAssertEqual(rows.count, byTag[end]?.count, "round \(round) \(tag.name)")
      }
      job.close()
    }
  }

  func test_sink_getsEachChangeOnce() throws {
    var random = SplitMix(seed: 12)
    for round in 0..<4 {
      let stream = Stream()
      for i in 0..<Int64(60) { stream.append([JobConnectorTests.row(.insert, i, 0, i)]) }
      let fixture = try fixture()
      let spec = spec(
        .connector(table("out")), JobConnectorTests.plan(watermark: false, isAppendOnly: true))
      let job = try drain(fixture, stream, .inserts, spec, kills: round * 3, &random)
      XCTAssertEqual(stream.published.count, 60, "round \(round)")
      XCTAssertEqual(Set(stream.published).count, 60)
      job.close()
    }
  }

  func test_nullInNotNull_namesColumnTableAndJob() throws {
    let fixture = try fixture()
    let stream = Stream()
    stream.append([.row(.insert, [.null, .int(0), .int(1)])])
    let plan = JobConnectorTests.plan(watermark: false, isAppendOnly: true)
    let spec = spec(.table(TableName(database: "ods", table: "t")), plan)
    let job = try Job(spec, in: environment(fixture, stream, .inserts, step: 3))
    XCTAssertThrowsError(try job.runEpoch()) { error in
      let error = error as? TerraceError
      let facts = error?.facts.map { "\($0.name)=\($0.value)" } ?? []
      XCTAssertTrue(facts.contains("column=id"), "\(facts)")
      XCTAssertTrue(facts.contains("job=ods.t"), "\(facts)")
    }
    XCTAssertNotNil(job.counters.lastError)
  }

  func test_startOver_emptiesTheTableAndBeginsAnew() throws {
    let fixture = try fixture()
    let stream = Stream()
    for i in 0..<Int64(10) { stream.append([JobConnectorTests.row(.insert, i, 0, i)]) }
    let target = JobSpec.Target.table(TableName(database: "ods", table: "t"))
    var spec = spec(target, JobConnectorTests.plan(watermark: false, isAppendOnly: true))
    var random = SplitMix(seed: 1)
    try drain(fixture, stream, .inserts, spec, kills: 0, &random).close()
    let before = try XCTUnwrap(try fixture.open("ods.t").snapshots.latestID())
    spec.fingerprint = "2"
    let job = try Job(spec, in: environment(fixture, stream, .inserts, step: 3))
    XCTAssertThrowsError(try job.runEpoch())
    try job.startOver()
    XCTAssertEqual(try fixture.rows("ods.t"), [])
    _ = try job.runEpoch()
    XCTAssertEqual(try fixture.rows("ods.t").count, 10)
    XCTAssertGreaterThan(try XCTUnwrap(try fixture.open("ods.t").snapshots.latestID()), before)
  }
}
