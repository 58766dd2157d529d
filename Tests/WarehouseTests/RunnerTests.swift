import Columns
import Connectors
import Store
import Synchronization
import XCTest

@testable import Warehouse

/// Takes `total` rows in steps, fails where it is told to, and remembers what it was asked.
private final class FakeJob: RunnableJob {
  final class Log: Sendable {
    struct State {
      var taken = 0
      var made = 0
      var closed = 0
      var asked: [String] = []
      var failures: [Int: TerraceError] = [:]
      var running = 0
      var mostRunning = 0
      var trouble: SourceTrouble?
    }
    let state = Mutex(State())
    let total: Int
    /// What the jobs above have committed; nil for a source outside.
    let above: Log?

    init(total: Int, above: Log? = nil) {
      self.total = total
      self.above = above
    }
  }

  let log: Log
  var counters = JobCounters()
  private var isStopping = false

  init(_ log: Log) {
    self.log = log
    log.state.withLock { $0.made += 1 }
  }

  func recover() throws(TerraceError) { log.state.withLock { $0.asked.append("recover") } }

  func runEpoch(_ limits: EpochLimits) throws(TerraceError) -> EpochOutcome {
    let there = log.above.map { $0.state.withLock { $0.taken } } ?? log.total
    let (error, taken) = log.state.withLock { state -> (TerraceError?, Int) in
      state.running += 1
      state.mostRunning = max(state.mostRunning, state.running)
      if let error = state.failures.removeValue(forKey: state.taken) { return (error, 0) }
      let step = min(limits.rows, there - state.taken)
      state.taken += step
      return (nil, step)
    }
    defer { log.state.withLock { $0.running -= 1 } }
    if let error { throw error }
    counters.trouble = log.state.withLock { $0.trouble }
    if taken == 0 { return isStopping ? .drained : .idle }
    counters.rowsIn += Int64(taken)
    var report = EpochReport()
    report.rowsIn = taken
    report.snapshot = 1
    return .committed(report)
  }

  func stopAtPresent() throws(TerraceError) {
    isStopping = true
    log.state.withLock { $0.asked.append("stop") }
  }

  func endInput() { log.state.withLock { $0.asked.append("end") } }
  func takeNotices() -> [String] { [] }
  func close() { log.state.withLock { $0.closed += 1 } }
}

final class RunnerTests: XCTestCase {
  private func entry(
    _ name: String, _ log: FakeJob.Log, above: [String] = []
  ) -> RunnerEntry {
    var entry = RunnerEntry(name: name, upstream: above, polls: above.isEmpty) { () in
      FakeJob(log)
    }
    entry.restart.firstPause = 1
    return entry
  }

  private func settings(once: Bool = true) -> Runner.Settings {
    var settings = Runner.Settings()
    settings.once = once
    settings.limits.rows = 10
    settings.paceMillis = 1
    return settings
  }

  private func run(
    _ entries: [RunnerEntry], _ settings: Runner.Settings, stopWhen: () -> Bool = { false }
  ) throws -> [RunnerJobState] {
    try Runner(entries, settings, time: SystemTime()).run(shouldStop: stopWhen) {
      (_: [RunnerJobState]) throws(TerraceError) in
    }
  }

  func test_runOnce_drainsTheChainAndEndsInputsInOrder() throws {
    let a = FakeJob.Log(total: 1000)
    let b = FakeJob.Log(total: 0, above: a)
    let c = FakeJob.Log(total: 0, above: b)
    var settings = settings()
    settings.endsInput = true
    let states = try run(
      [entry("a", a), entry("b", b, above: ["a"]), entry("c", c, above: ["b"])], settings)
    XCTAssertEqual(states.map(\.phase), [.drained, .drained, .drained])
    for log in [a, b, c] {
      log.state.withLock { state in
        XCTAssertEqual(state.taken, 1000)
        XCTAssertEqual(state.asked, ["recover", "stop", "end"])
        XCTAssertEqual(state.made, 1)
        XCTAssertEqual(state.closed, 1)
        XCTAssertEqual(state.mostRunning, 1, "one thread a job")
      }
    }
  }

  func test_run_makesAJobAnewAfterAFaultThatMayPass() throws {
    let a = FakeJob.Log(total: 100)
    a.state.withLock { $0.failures[50] = TerraceError(.unavailable, "no space") }
    let states = try run([entry("a", a)], settings())
    XCTAssertEqual(states[0].phase, .drained)
    a.state.withLock { state in
      XCTAssertEqual(state.taken, 100)
      XCTAssertEqual(state.made, 2)
      XCTAssertEqual(state.closed, 2)
    }
  }

  func test_run_letsOthersGoOnWhenOneStops() throws {
    let a = FakeJob.Log(total: 100)
    let b = FakeJob.Log(total: 0, above: a)
    let c = FakeJob.Log(total: 0, above: a)
    b.state.withLock { $0.failures[20] = TerraceError(.corrupted, "a page is damaged") }
    var settings = settings()
    settings.endsInput = true
    let states = try run(
      [entry("a", a), entry("b", b, above: ["a"]), entry("c", c, above: ["a"])], settings)
    XCTAssertEqual(states.map(\.phase), [.drained, .failed, .drained])
    XCTAssertEqual(states[1].error?.kind, .corrupted)
    c.state.withLock { XCTAssertEqual($0.taken, 100) }
  }

  func test_run_saysOfJobsInTroubleThatTheyWaitOrAreTriedAgain() throws {
    let a = FakeJob.Log(total: 10)
    let b = FakeJob.Log(total: 10)
    a.state.withLock { $0.trouble = SourceTrouble("an answer", sinceMillis: 5) }
    b.state.withLock { $0.trouble = SourceTrouble("it is away", sinceMillis: 5, nextMillis: 9) }
    var troubled = false
    var rested = false
    let runner = Runner([entry("a", a), entry("b", b)], settings(once: false), time: SystemTime())
    _ = try runner.run(shouldStop: { rested }) { (states: [RunnerJobState]) throws(TerraceError) in
      if states.map(\.phase) == [.waiting, .retrying] {
        troubled = true
        for log in [a, b] { log.state.withLock { $0.trouble = nil } }
      }
      rested = troubled && states.allSatisfy { $0.phase == .idle }
    }
    XCTAssertTrue(troubled)
  }

  func test_run_goesOnUntilItIsToldToStop() throws {
    let a = FakeJob.Log(total: 100)
    let b = FakeJob.Log(total: 0, above: a)
    let states = try run(
      [entry("a", a), entry("b", b, above: ["a"])], settings(once: false),
      stopWhen: { b.state.withLock { $0.taken == 100 } })
    XCTAssertEqual(states.map(\.phase), [.stopped, .stopped])
    a.state.withLock { XCTAssertEqual($0.closed, 1) }
  }

  /// Design 5a.13: a job that fills its epochs goes on at once, one that keeps up makes fewer commits, and
  /// FRESHNESS bounds both. The clock is the test's own.
  func test_rule13_epochsAdaptToLoadWithinFreshness() throws {
    /// A look at the clock takes ten milliseconds.
    final class Steps: Timekeeper {
      let now = Mutex<Int64>(0)
      func nowMillis() -> Int64 {
        now.withLock {
          $0 += 10
          return $0
        }
      }
      func sleep(millis: Int) {}
    }
    func second(rows: Int, freshness: Int64?) throws -> (pause: Int64, limit: Int64) {
      let time = Steps()
      var settings = settings(once: false)
      settings.paceMillis = 200
      let log = FakeJob.Log(total: 0)
      var entry = entry("a", log)
      entry.freshnessMillis = freshness
      let board = RunnerBoard([entry], settings, time)
      let start = try XCTUnwrap(board.take())
      board.finish(start, .started(FakeJob(log), JobCounters()))
      let first = try XCTUnwrap(board.take())
      var report = EpochReport()
      report.rowsIn = rows
      board.finish(first, .outcome(.committed(report), JobCounters(), notices: [], patience: nil))
      let second = try XCTUnwrap(board.take())
      return (second.startMillis - first.startMillis, second.limits.millis)
    }
    let behind = try second(rows: 10, freshness: nil)
    XCTAssertLessThan(behind.pause, 100)
    XCTAssertEqual(behind.limit, EpochLimits().millis)
    let keepsUp = try second(rows: 1, freshness: nil)
    XCTAssertGreaterThanOrEqual(keepsUp.pause, 200)
    let fresh = try second(rows: 1, freshness: 80)
    XCTAssertTrue((80..<200).contains(fresh.pause), "\(fresh.pause)")
    XCTAssertEqual(fresh.limit, 80)
  }

  func test_aQuietJob_isLeftAloneUntilASourceAnnouncesSomething() throws {
    let log = FakeJob.Log(total: 0)
    let board = RunnerBoard([entry("a", log)], settings(once: false), SystemTime())
    let start = try XCTUnwrap(board.take())
    board.finish(start, .started(FakeJob(log), JobCounters()))
    let idle = RunnerStep.Result.outcome(.idle, JobCounters(), notices: [], patience: 3_600_000)
    let first = try XCTUnwrap(board.take())
    // What comes while the job is at work counts as well.
    first.wake()
    board.finish(first, idle)
    let second = try XCTUnwrap(board.take())
    board.finish(second, idle)
    let woken = Workers(count: 1)
    defer { woken.stop() }
    woken.submit { [wake = second.wake] in
      SystemTime().sleep(millis: 20)
      wake()
    }
    let third = try XCTUnwrap(board.take())
    XCTAssertFalse(third.isRenewed)
    board.finish(third, idle)
    board.renew(["a", "b"])
    let last = try XCTUnwrap(board.take())
    XCTAssertTrue(last.isRenewed)
    board.finish(last, .evolved(RunnerEvolution(entry: last.entry), JobCounters(), notices: []))
    let renewed = try XCTUnwrap(board.take())
    XCTAssertNil(renewed.job)
    XCTAssertFalse(renewed.isRenewed)
  }

  func test_lock_namesItsHolderToTheSecond() throws {
    let file = NSTemporaryDirectory() + "lock-\(UInt64.random(in: 0...UInt64.max))"
    defer { unlink(file) }
    let lock = try ProjectLock.take(file, command: "terrace run", nowMillis: 0)
    XCTAssertThrowsError(try ProjectLock.take(file, command: "terrace run", nowMillis: 1)) {
      let error = $0 as? TerraceError
      XCTAssertEqual(error?.kind, .held)
      XCTAssertTrue(error?.message.contains("process \(getpid())") ?? false)
    }
    XCTAssertEqual(ProjectLock.holder(file)?.command, "terrace run")
    lock.release()
    XCTAssertNil(ProjectLock.holder(file))
    try ProjectLock.take(file, command: "again", nowMillis: 2).release()
  }
}
