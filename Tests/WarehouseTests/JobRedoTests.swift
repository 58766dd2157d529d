import Columns
import Connectors
import Dataflow
import Store
import Synchronization
import XCTest

@testable import Warehouse

/// A server with transactions that die with their process, and the name of the last one that did not.
final class Ledger: Sendable {
  enum Crash: Sendable, CaseIterable { case none, prepared, beforeCommit, afterCommit }
  private let content = Mutex<(rows: [String], name: String?)>(([], nil))
  private let crash = Mutex(Crash.none)
  private let names = Mutex(0)

  var rows: [String] { content.withLock { $0.rows } }
  var last: String? { content.withLock { $0.name } }
  func commit(_ rows: [String], _ name: String) {
    content.withLock {
      $0.rows += rows
      $0.name = name
    }
  }
  func arm(_ point: Crash) { crash.withLock { $0 = point } }
  func newName() -> Int {
    names.withLock {
      $0 += 1
      return $0
    }
  }
  func pass(_ point: Crash) throws(TerraceError) {
    let falls = crash.withLock { armed in
      defer { if armed == point { armed = .none } }
      return armed == point
    }
    if falls { throw TerraceError(.unavailable, "the connection is gone") }
  }
}

final class LedgerSink: Sink {
  private let ledger: Ledger
  private var open: [String] = []

  let canClear: Bool

  init(_ ledger: Ledger, canClear: Bool = false) {
    self.ledger = ledger
    self.canClear = canClear
  }

  func clear() { open.append("0 everything") }

  func write(_ batch: Batch, kinds: Buffer?) {
    for row in 0..<batch.count {
      let kind = kinds.flatMap { RowKind(rawValue: $0.pointer(UInt8.self)[row]) } ?? .insert
      open.append(
        "\(kind.weight) " + batch.columns.map { "\($0.scalar(row))" }.joined(separator: ","))
    }
  }
  func prepare(epoch: Int64) throws(TerraceError) -> String {
    try ledger.pass(.prepared)
    return open.isEmpty ? "" : "\(epoch)-\(ledger.newName())"
  }
  func publish(_ prepared: String) throws(TerraceError) {
    if prepared.isEmpty { return }
    try ledger.pass(.beforeCommit)
    ledger.commit(open, prepared)
    open = []
    try ledger.pass(.afterCommit)
  }
  func recover(_ prepared: String?) -> SinkRecovery {
    guard let prepared, !prepared.isEmpty else { return .complete }
    return ledger.last == prepared ? .complete : .redo
  }
  func close() {}
}

final class JobRedoTests: XCTestCase {
  private static let type = RowType([("id", .bigint), ("amount", .bigint)])

  private func environment(
    _ fixture: JobFixture, _ stream: Stream, _ ledger: Ledger, _ style: ChangeStyle, step: Int
  ) -> JobEnvironment {
    var environment = fixture.environment
    environment.connectors.source = { (table, _) throws(TerraceError) in
      StreamSource(stream, table.type, style, step: step)
    }
    environment.connectors.style = { (_) throws(TerraceError) in style }
    environment.connectors.sink = { (_, _) throws(TerraceError) in LedgerSink(ledger) }
    return environment
  }

  private func spec(isAppendOnly: Bool) -> JobSpec {
    let table = ConnectorTable(
      name: "out", type: Self.type, primaryKey: ["id"], options: ["connector": "stream"],
      folder: "/")
    let plan = Plan.source(
      Plan.Source(
        reference: "changes", tableType: Self.type, primaryKey: [0], isAppendOnly: isAppendOnly))
    return JobSpec(
      name: "ods.out", target: .connector(table), plan: plan,
      sources: ["changes": .connector(table)], fingerprint: "1")
  }

  /// Lets the job fall at every point of its commits, then takes the rest.
  private func drain(
    _ fixture: JobFixture, _ stream: Stream, _ ledger: Ledger, _ style: ChangeStyle,
    _ spec: JobSpec, crashes: Int, _ random: inout SplitMix
  ) throws -> Int {
    var fallen = 0
    for crash in 0..<crashes {
      ledger.arm(Ledger.Crash.allCases[crash % Ledger.Crash.allCases.count])
      let step = Int(random.next() % 7) + 1
      let job = try Job(spec, in: environment(fixture, stream, ledger, style, step: step))
      for _ in 0..<random.next() % 6 {
        do { _ = try job.runEpoch(EpochLimits(rows: Int(random.next() % 9) + 1)) } catch {
          fallen += 1
          // The same process comes back, or another one does.
          if random.next() % 2 == 0 { break }
        }
        fixture.time.advance(millis: Int64(random.next() % 8000))
      }
      if random.next() % 4 == 0 { job.close() }
    }
    ledger.arm(.none)
    let job = try Job(spec, in: environment(fixture, stream, ledger, style, step: 5))
    try job.stopAtPresent()
    job.endInput()
    defer { job.close() }
    while true {
      if case .drained = try job.runEpoch() { return fallen }
    }
  }

  func test_inserts_comeOnceWhereverTheTransactionIsLost() throws {
    var random = SplitMix(seed: 21)
    var fallen = 0
    for round in 0..<6 {
      let (stream, ledger) = (Stream(), Ledger())
      var bad = 0
      for i in 0..<Int64(90) {
        stream.append([.row(.insert, [.int(i), .int(i)])])
        if random.next() % 9 == 0 {
          stream.append([.bad("x\(i)")])
          bad += 1
        }
      }
      let time = ManualTime(startMillis: 1_700_000_000_000)
      let fixture = JobFixture(MemoryFileIO(time: time), time)
      fallen += try drain(
        fixture, stream, ledger, .inserts, spec(isAppendOnly: true), crashes: round * 4, &random)
      XCTAssertEqual(ledger.rows.count, 90, "round \(round)")
      XCTAssertEqual(Set(ledger.rows).count, 90, "round \(round)")
      let letters = bad == 0 ? [] : try fixture.rows("dead_letters.ods_out")
      XCTAssertEqual(letters.count, bad, "round \(round)")
    }
    XCTAssertGreaterThan(fallen, 20, "hardly anything was lost")
  }

  func test_changesByKey_addUpWhereverTheTransactionIsLost() throws {
    var random = SplitMix(seed: 22)
    for round in 0..<6 {
      let (stream, ledger) = (Stream(), Ledger())
      var model: [Int64: Int64] = [:]
      for i in 0..<Int64(140) {
        let id = Int64(random.next() % 9)
        if random.next() % 7 == 0 {
          stream.append([.row(.delete, [.int(id), .null])])
          model[id] = nil
        } else {
          stream.append([.row(.updateAfter, [.int(id), .int(i)])])
          model[id] = i
        }
      }
      let time = ManualTime(startMillis: 1_700_000_000_000)
      let fixture = JobFixture(MemoryFileIO(time: time), time)
      _ = try drain(
        fixture, stream, ledger, .upserts, spec(isAppendOnly: false), crashes: round * 4, &random)
      var sums: [String: Int] = [:]
      for line in ledger.rows {
        let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
        sums[parts[1], default: 0] += Int(parts[0]) ?? 0
      }
      let wanted = Set(model.map { "\(Scalar.int($0.key)),\(Scalar.int($0.value))" })
      XCTAssertEqual(Set(sums.filter { $0.value != 0 }.keys), wanted, "round \(round)")
      XCTAssertTrue(sums.values.allSatisfy { $0 == 0 || $0 == 1 }, "round \(round): \(sums)")
    }
  }

  func test_lostFirstEpoch_beginsAnew() throws {
    let (stream, ledger) = (Stream(), Ledger())
    let time = ManualTime(startMillis: 1_700_000_000_000)
    let fixture = JobFixture(MemoryFileIO(time: time), time)
    let values = Plan.values(
      Plan.Values(
        type: Self.type, rows: [[.literal(.int(1), .bigint), .literal(.int(2), .bigint)]]))
    var spec = spec(isAppendOnly: true)
    spec.plan = .union([spec.plan, values])
    ledger.arm(.beforeCommit)
    let environment = environment(fixture, stream, ledger, .inserts, step: 5)
    XCTAssertThrowsError(try Job(spec, in: environment).runEpoch())
    XCTAssertEqual(ledger.rows, [])
    _ = try Job(spec, in: environment).runEpoch()
    XCTAssertEqual(ledger.rows.count, 1)
    _ = try Job(spec, in: environment).runEpoch()
    XCTAssertEqual(ledger.rows.count, 1)
  }
}
