import Columns
import Dataflow
import Foundation
import Glibc
import Store
import XCTest

@testable import Warehouse

/// A chain of a join and an aggregate dies at every file call, and comes back.
final class JobCrashTests: XCTestCase {
  /// Every how many file calls there is a crash: each with `TERRACE_SWEEP=all`.
  private static let step =
    ProcessInfo.processInfo.environment["TERRACE_SWEEP"].map { Int($0) ?? 1 } ?? 149

  /// What the writers of the source tables do in one story, on their own disk door.
  private static func steps() -> [(orders: [(RowKind, [Scalar])], shops: [(RowKind, [Scalar])])] {
    var model = ShopModel()
    var random = SplitMix(seed: 11)
    return (0..<4).map { _ in model.change(&random, count: 6) }
  }

  private static func finalModel() -> ShopModel {
    var model = ShopModel()
    var random = SplitMix(seed: 11)
    for _ in 0..<4 { _ = model.change(&random, count: 6) }
    return model
  }

  private func chain(_ disk: any FileIO, _ time: ManualTime, handOn: Bool, names: UInt64) throws
    -> JobFixture
  {
    let fixture = JobFixture(disk, time, changes: handOn ? ChangeCache() : nil, names: names)
    // Half of the stories commit state while the next slice is taken.
    if handOn { fixture.stateBytes = 1 }
    // In half of them a source table plays the state of the join.
    if handOn { fixture.playing = ["ods.shops"] }
    try fixture.startChain()
    return fixture
  }

  /// Runs the story; the sources are written through the disk itself, the jobs through `faulty`.
  private func run(
    _ disk: MemoryFileIO, _ time: ManualTime, _ faulty: any FileIO, handOn: Bool
  ) throws {
    let writer = JobFixture(disk, time, names: 3)
    let fixture = try chain(faulty, time, handOn: handOn, names: 5)
    for step in JobCrashTests.steps() {
      try writer.commit("ods.orders", step.orders)
      try fixture.settle()
      time.advance(millis: 4000)
      try writer.commit("ods.shops", step.shops)
      try fixture.settle()
      time.advance(millis: 4000)
    }
    fixture.jobs.forEach { $0.close() }
  }

  private func start() throws -> (MemoryFileIO, ManualTime) {
    let time = ManualTime()
    let disk = MemoryFileIO(time: time)
    try JobFixture(disk, time).createChain()
    return (disk, time)
  }

  private func snapshots(_ disk: any FileIO, _ time: ManualTime, _ table: String) throws -> Int64 {
    try JobFixture(disk, time).open(table).snapshots.latestID() ?? 0
  }

  /// After the crash: new jobs finish the story, and the tables are what a recompute gives.
  private func finish(
    _ disk: MemoryFileIO, _ time: ManualTime, done: Int, handOn: Bool, _ what: String
  ) throws {
    let before = try (snapshots(disk, time, "dwd.wide"), snapshots(disk, time, "dws.totals"))
    let writer = JobFixture(disk, time, names: 7)
    let again = try chain(disk, time, handOn: handOn, names: 9)
    try again.settle()
    for half in done..<8 {
      let step = JobCrashTests.steps()[half / 2]
      if half % 2 == 0 {
        try writer.commit("ods.orders", step.orders)
      } else {
        try writer.commit("ods.shops", step.shops)
      }
      try again.settle()
    }
    let model = JobCrashTests.finalModel()
    XCTAssertEqual(try again.rows("dwd.wide"), model.wide, what)
    XCTAssertEqual(try again.rows("dws.totals"), model.totals, what)
    XCTAssertGreaterThanOrEqual(try snapshots(disk, time, "dwd.wide"), before.0, what)
    XCTAssertGreaterThanOrEqual(try snapshots(disk, time, "dws.totals"), before.1, what)
    let reread = again.jobs.reduce(0) { sum, job in
      sum + job.counters.sources.values.reduce(0) { $0 + $1.reread }
    }
    // Never more than all there is; the state lags for ten seconds at most.
    XCTAssertLessThan(reread, 200, what)
    again.jobs.forEach { $0.close() }
  }

  /// Half steps that the sources have seen.
  private func done(_ disk: MemoryFileIO, _ time: ManualTime) throws -> Int {
    let orders = try snapshots(disk, time, "ods.orders")
    let shops = try snapshots(disk, time, "ods.shops")
    return Int(orders + shops)
  }

  func test_rule1_crashAtEveryFileCall_losesAndDoublesNothing() throws {
    var injected = 0
    for handOn in [true, false] {
      for (turn, effect) in [FaultRule.Effect.refused, .madeButReported, .partly].enumerated() {
        var k = (turn * 31 + (handOn ? 0 : 13)) % JobCrashTests.step
        while true {
          let (disk, time) = try start()
          let faults = FileFaults([FaultRule(.from(k), effect, code: k % 2 == 0 ? EIO : ENOSPC)])
          let what = "call \(k) \(effect), hand on \(handOn)"
          do {
            try run(disk, time, WatchedFileIO(disk, faults), handOn: handOn)
          } catch let error as TerraceError {
            XCTAssertNotEqual(error.kind, .corrupted, "\(what): \(error)")
          }
          if faults.injected == 0 { break }
          injected += 1
          faults.stop()
          // The power fails, too: what was not synced may be lost.
          disk.crash(seed: UInt64(k))
          try finish(disk, time, done: done(disk, time), handOn: handOn, what)
          k += JobCrashTests.step
        }
      }
    }
    XCTAssertGreaterThan(injected, 20)
  }

  func test_rule8_oneFault_isRecoveredByTheSameJobs() throws {
    var k = 2
    var injected = 0
    while true {
      let (disk, time) = try start()
      let faults = FileFaults([FaultRule(.at(k), k % 3 == 0 ? .madeButReported : .refused)])
      let writer = JobFixture(disk, time, names: 3)
      let fixture = try chain(WatchedFileIO(disk, faults), time, handOn: k % 2 == 0, names: 5)
      func settle() throws {
        for attempt in 0..<4 {
          do {
            return try fixture.settle()
          } catch let error as TerraceError {
            XCTAssertTrue(
              error.kind == .unavailable || error.kind == .notFound, "call \(k): \(error)")
            if attempt == 3 { throw error }
          }
        }
      }
      for step in JobCrashTests.steps() {
        try writer.commit("ods.orders", step.orders)
        try settle()
        try writer.commit("ods.shops", step.shops)
        try settle()
        time.advance(millis: 4000)
      }
      let model = JobCrashTests.finalModel()
      XCTAssertEqual(try writer.rows("dwd.wide"), model.wide, "call \(k)")
      XCTAssertEqual(try writer.rows("dws.totals"), model.totals, "call \(k)")
      if faults.injected == 0 { break }
      injected += 1
      k += min(JobCrashTests.step, 97)
    }
    XCTAssertGreaterThan(injected, 5)
  }
}
