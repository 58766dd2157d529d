import Columns
import Connectors
import Dataflow
import Store
import Synchronization
import XCTest

@testable import Warehouse

/// A table of a server: its rows now, and what became of them one after another.
private final class ServerTable: Sendable {
  struct Change: Sendable {
    var id: Int64
    var old: Int64?
    var new: Int64?
    var isTruncate = false
  }
  private let content = Mutex<(rows: [Int64: Int64], log: [Change])>(([:], []))

  var rows: [Int64: Int64] { content.withLock { $0.rows } }
  var log: [Change] { content.withLock { $0.log } }
  func set(_ id: Int64, _ value: Int64?) {
    content.withLock {
      if $0.rows[id] == nil && value == nil { return }
      $0.log.append(Change(id: id, old: $0.rows[id], new: value))
      $0.rows[id] = value
    }
  }
  func truncate() {
    content.withLock {
      $0.rows = [:]
      $0.log.append(Change(id: 0, isTruncate: true))
    }
  }
}

/// Gives the rows as they are when it begins, which cannot be gone on with, then the log.
private final class ServerSource: Source {
  let type: RowType
  let style: ChangeStyle
  private let server: ServerTable
  private let step: Int
  private var first: [(Int64, Int64)]?
  private var given = 0
  private var next: Int?
  private var behind = 0
  private var end: Int?
  private(set) var restart: String?

  init(_ server: ServerTable, _ type: RowType, _ style: ChangeStyle, step: Int) {
    (self.server, self.type, self.style, self.step) = (server, type, style, step)
  }

  var canReplay: Bool { next != nil || first == nil }
  var mayBeginAnew: Bool { next == nil }

  func poll(rows: Int, bytes: Int) -> SourceBatch? {
    if restart != nil { return nil }
    guard let next else {
      guard let first else {
        first = server.rows.sorted { $0.key < $1.key }
        behind = server.log.count
        return nil
      }
      let some = first.dropFirst(given).prefix(step)
      given += some.count
      if some.isEmpty {
        self.next = behind
        return nil
      }
      return batch(some.map { (.insert, $0.0, $0.1) })
    }
    let log = server.log
    let last = min(end ?? log.count, next + step)
    if next >= last { return nil }
    if let cut = log[next..<last].firstIndex(where: \.isTruncate) {
      self.next = cut
      if cut == next {
        restart = "TRUNCATE emptied it"
        return nil
      }
    } else {
      self.next = last
    }
    return batch(
      log[next..<(self.next ?? last)].flatMap { change -> [(RowKind, Int64, Int64)] in
        let old = change.old.map {
          (change.new == nil ? RowKind.delete : .updateBefore, change.id, $0)
        }
        let new = change.new.map {
          (change.old == nil ? RowKind.insert : .updateAfter, change.id, $0)
        }
        return [old, new].compactMap(\.self)
      })
  }

  private func batch(_ changes: [(RowKind, Int64, Int64)]) -> SourceBatch {
    let marks = Buffer(byteCount: max(1, changes.count))
    for (i, change) in changes.enumerated() { marks.pointer(UInt8.self)[i] = change.0.rawValue }
    let rows = changes.map { [Scalar.int($0.1), .int($0.2)] }
    return SourceBatch(rows: JobFixture.batch(type, rows), kinds: marks)
  }

  func stopAtPresent() { end = server.log.count }
  var isDrained: Bool { restart == nil && isAtEnd }
  private var isAtEnd: Bool { next.map { next in end.map { next >= $0 } ?? false } ?? false }
  var position: String { next.map(String.init) ?? (given > 0 ? "first" : "new") }
  func seek(_ position: String) {
    if position == "first" { restart = "the first read was interrupted" }
    next = Int(position)
  }
}

final class JobBeginAnewTests: XCTestCase {
  private static let type = RowType([("id", .bigint), ("amount", .bigint)])

  private func job(
    _ fixture: JobFixture, _ server: ServerTable, _ ledger: Ledger, _ style: ChangeStyle,
    isKeyed: Bool = true, canClear: Bool = false, step: Int
  ) throws -> Job {
    var environment = fixture.environment
    environment.connectors.source = { (table, _) throws(TerraceError) in
      ServerSource(server, table.type, style, step: step)
    }
    environment.connectors.style = { (_) throws(TerraceError) in style }
    environment.connectors.sink = { (_, _) throws(TerraceError) in
      LedgerSink(ledger, canClear: canClear)
    }
    let table = ConnectorTable(
      name: "t", type: Self.type, primaryKey: ["id"], options: ["connector": "server"], folder: "/")
    var out = table
    if !isKeyed { out.primaryKey = [] }
    let plan = Plan.source(
      Plan.Source(reference: "t", tableType: Self.type, primaryKey: [0], isAppendOnly: false))
    let spec = JobSpec(
      name: "ods.out", target: .connector(out), plan: plan, sources: ["t": .connector(table)],
      fingerprint: "1")
    return try Job(spec, in: environment)
  }

  /// What is outside, by key, and how often each row is there.
  private func content(_ ledger: Ledger) -> (byKey: Set<String>, counts: [String: Int]) {
    var rows: [Substring: String] = [:]
    var counts: [String: Int] = [:]
    for line in ledger.rows {
      let parts = line.split(separator: " ", maxSplits: 1)
      if parts[0] == "0" {
        (rows, counts) = ([:], [:])
        continue
      }
      let row = String(parts[1])
      rows[row.prefix { $0 != "," }] = parts[0] == "1" ? row : nil
      counts[row, default: 0] += parts[0] == "1" ? 1 : -1
    }
    return (Set(rows.values), counts.filter { $0.value != 0 })
  }

  private func change(_ server: ServerTable, _ random: inout SplitMix, _ count: Int) {
    for i in 0..<count {
      server.set(Int64(random.next() % 40), random.next() % 2 == 0 ? nil : Int64(i))
    }
  }

  private func drain(_ job: Job) throws {
    try job.stopAtPresent()
    while true {
      if case .drained = try job.runEpoch() { return job.close() }
    }
  }

  private func wanted(_ server: ServerTable) -> Set<String> {
    Set(server.rows.map { "\(Scalar.int($0.key)),\(Scalar.int($0.value))" })
  }

  func test_firstRead_leavesWhatTheServerHasHoweverOftenItIsInterrupted() throws {
    var random = SplitMix(seed: 31)
    var began = 0
    for round in 0..<24 {
      let (server, ledger) = (ServerTable(), Ledger())
      for id in 0..<Int64(40) where random.next() % 4 > 0 { server.set(id, id * 100) }
      let time = ManualTime(startMillis: 1_700_000_000_000)
      let fixture = JobFixture(MemoryFileIO(time: time), time)
      let style = round % 2 == 0 ? ChangeStyle.retractions : .upserts
      let isKeyed = round % 6 != 2
      for _ in 0..<round / 4 {
        ledger.arm(Ledger.Crash.allCases[Int(random.next() % 4)])
        let job = try job(
          fixture, server, ledger, style, isKeyed: isKeyed, step: Int(random.next() % 9) + 1)
        for _ in 0..<random.next() % 9 {
          do { _ = try job.runEpoch(EpochLimits(rows: Int(random.next() % 9) + 1)) } catch { break }
        }
        if random.next() % 3 == 0 { job.close() }
        began += job.takeNotices().count { $0.contains("begins anew") }
        change(server, &random, Int(random.next() % 30))
      }
      ledger.arm(.none)
      try drain(try job(fixture, server, ledger, style, isKeyed: isKeyed, step: 7))
      let found = content(ledger)
      if isKeyed {
        XCTAssertEqual(found.byKey, wanted(server), "round \(round)")
      } else {
        XCTAssertEqual(
          found.counts, Dictionary(uniqueKeysWithValues: wanted(server).map { ($0, 1) }),
          "round \(round)")
      }
      let hidden = fixture.warehouse.location.path + "/_state.db/ods__out-tentative"
      XCTAssertFalse(try fixture.warehouse.environment.files.exists(hidden), "round \(round)")
    }
    XCTAssertGreaterThan(began, 5, "hardly any read was interrupted")
  }

  /// Rows that were not read again stay until the new read is whole, and those that were are never away.
  func test_rowsThatAreThere_stayWhileTheyAreReadAgain() throws {
    let (server, ledger) = (ServerTable(), Ledger())
    for id in 0..<Int64(10) { server.set(id, id) }
    let fixture = JobFixture(MemoryFileIO(), ManualTime())
    let first = try job(fixture, server, ledger, .retractions, step: 4)
    for _ in 0..<3 { _ = try first.runEpoch(EpochLimits(rows: 4)) }
    XCTAssertFalse(ledger.rows.isEmpty)
    server.set(1, nil)
    let second = try job(fixture, server, ledger, .retractions, step: 4)
    try drain(second)
    XCTAssertEqual(ledger.rows.filter { $0.hasPrefix("-1") }.count, 1, "\(ledger.rows)")
    XCTAssertEqual(content(ledger).byKey, wanted(server))
  }

  /// TRUNCATE at the server, at random points of commits that are lost or done.
  func test_truncate_emptiesATargetThatCanBe() throws {
    var random = SplitMix(seed: 47)
    var fallen = 0
    for round in 0..<24 {
      let (server, ledger) = (ServerTable(), Ledger())
      for id in 0..<Int64(40) { server.set(id, id) }
      let time = ManualTime(startMillis: 1_700_000_000_000)
      let fixture = JobFixture(MemoryFileIO(time: time), time)
      let style = round % 2 == 0 ? ChangeStyle.retractions : .upserts
      func job(_ step: Int) throws -> Job {
        try self.job(fixture, server, ledger, style, canClear: true, step: step)
      }
      try drain(try job(9))
      for _ in 0..<3 {
        change(server, &random, 10)
        if random.next() % 3 > 0 { server.truncate() }
        change(server, &random, Int(random.next() % 20))
        let job = try job(Int(random.next() % 9) + 1)
        for _ in 0..<random.next() % 9 {
          ledger.arm(Ledger.Crash.allCases[Int(random.next() % 4)])
          do { _ = try job.runEpoch(EpochLimits(rows: Int(random.next() % 9) + 1)) } catch {
            fallen += 1
            if random.next() % 2 == 0 { break }
          }
        }
        if random.next() % 3 == 0 { job.close() }
      }
      ledger.arm(.none)
      try drain(try job(7))
      XCTAssertEqual(content(ledger).byKey, wanted(server), "round \(round)")
    }
    XCTAssertGreaterThan(fallen, 20)
    let (server, ledger) = (ServerTable(), Ledger())
    server.set(1, 1)
    let fixture = JobFixture(MemoryFileIO(), ManualTime())
    try drain(try job(fixture, server, ledger, .upserts, step: 4))
    server.truncate()
    XCTAssertThrowsError(try drain(try job(fixture, server, ledger, .upserts, step: 4))) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .unsupported)
    }
  }
}
