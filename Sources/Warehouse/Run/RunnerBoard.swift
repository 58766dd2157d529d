import Columns
import Connectors
import Store

/// Whose turn it is: the state that the threads of a runner share, behind one lock.
final class RunnerBoard: @unchecked Sendable {
  /// What a thread is to do now.
  struct Turn {
    var index: Int
    var entry: RunnerEntry
    var job: (any RunnableJob)?
    var stopsAtPresent: Bool
    var endsInput: Bool
    var limits: EpochLimits
    var startMillis: Int64
    /// It is to be made anew.
    var isRenewed: Bool
    /// Tells the board that a source of the job has something.
    var wake: @Sendable () -> Void
  }

  private struct Slot {
    var entry: RunnerEntry
    var downstream: [Int] = []
    var upstream: [Int] = []
    var job: (any RunnableJob)?
    var state: RunnerJobState
    var isTaken = false
    /// The upstream jobs committed while this one was at work.
    var isWoken = false
    var dueMillis: Int64 = 0
    /// Instants of the latest failures.
    var failures: [Int64] = []
    /// The first failure of those in a row.
    var failedMillis: Int64 = 0
    var isStopping = false
    /// Instants at which its source changed its columns, of the last minute.
    var changes: [Int64] = []
    /// Why it is to end with the turn it is in.
    var doom: TerraceError?
    var isRenewed = false
    /// Turns since it last found something.
    var idleTurns = 0
    var isEnded: Bool { [.drained, .failed, .stopped, .quarantined].contains(state.phase) }
  }

  private let condition = Monitor()
  /// Of those who wait for the end: they are not woken with the threads.
  private let end = Monitor()
  private let settings: Runner.Settings
  private let time: any Timekeeper
  private var slots: [Slot]
  /// Jobs that are to be closed when the lock is free.
  private var closing: [any RunnableJob] = []
  private var threads: Int
  private var isStopped = false

  /// How long a job sleeps that has found nothing: sources outside, and tables that others may write.
  static let pollMillis: Int64 = 20
  static let idleMillis: Int64 = 320
  static let tableMillis: Int64 = 1_000

  /// A source that was silent for a second is asked less often, and less so the longer it is silent.
  static func pollMillis(idleTurns: Int) -> Int64 {
    min(pollMillis << Int64(max(0, min(idleTurns / 25 - 1, 4))), idleMillis)
  }
  static let retriesOfOnce = 3

  init(_ entries: [RunnerEntry], _ settings: Runner.Settings, _ time: any Timekeeper) {
    self.settings = settings
    self.time = time
    threads = max(1, settings.threads)
    slots = []
    join(entries)
  }

  /// More jobs, while others are at work.
  func add(_ entries: [RunnerEntry]) {
    locked {
      join(entries)
      condition.wake()
    }
  }

  func renew(_ names: Set<String>) {
    locked {
      for i in slots.indices where names.contains(slots[i].entry.name) && !slots[i].isEnded {
        slots[i].isRenewed = true
        wake([i], time.nowMillis())
      }
      condition.wake()
    }
  }

  /// A source of a job has something.
  private func arrive(_ index: Int) {
    locked {
      if slots[index].isWoken || slots[index].isEnded { return }
      wake([index], time.nowMillis())
      if !slots[index].isTaken { condition.wakeOne() }
    }
  }

  private func join(_ entries: [RunnerEntry]) {
    let first = slots.count
    slots += entries.map {
      Slot(
        entry: $0, state: RunnerJobState(name: $0.name, phase: .starting, counters: JobCounters()))
    }
    let numbers = Dictionary(slots.enumerated().map { ($1.entry.name, $0) }) { first, _ in first }
    for i in slots.indices.dropFirst(first) {
      for name in slots[i].entry.upstream {
        guard let above = numbers[name], above != i else { continue }
        slots[i].upstream.append(above)
        slots[above].downstream.append(i)
      }
    }
  }

  private func locked<Value>(_ body: () -> Value) -> Value {
    condition.lock()
    defer { condition.unlock() }
    return body()
  }

  var states: [RunnerJobState] { locked { slots.map(\.state) } }

  /// Asks all jobs to end with the epoch they are in.
  func stop() {
    locked {
      isStopped = true
      condition.wake()
    }
  }

  /// A thread has ended.
  func leave() {
    end.lock()
    defer { end.unlock() }
    threads -= 1
    end.wake()
  }

  /// - Returns: true when all threads have ended.
  func waitForEnd(millis: Int) -> Bool {
    end.lock()
    defer { end.unlock() }
    if threads > 0 { end.wait(millis: millis) }
    return threads == 0
  }

  func close() {
    let jobs = locked {
      for i in slots.indices {
        letGo(i)
        if !slots[i].isEnded { slots[i].state.phase = .stopped }
      }
      return takeClosing()
    }
    for job in jobs { job.close() }
  }

  // MARK: Turns

  /// Waits for a job whose turn it is; nil when there will be none any more.
  func take() -> Turn? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if isStopped || slots.allSatisfy(\.isEnded) {
        condition.wake()
        return nil
      }
      let now = time.nowMillis()
      if let index = next(now) { return turn(index, now) }
      let pause = min(max(nextDue(now) - now, 1), 1_000)
      condition.wait(millis: Int(pause))
    }
  }

  /// The job that has waited longest.
  private func next(_ now: Int64) -> Int? {
    var found: Int?
    for i in slots.indices where !slots[i].isTaken && !slots[i].isEnded {
      let due = slots[i].dueMillis
      if due <= now, found.map({ due < slots[$0].dueMillis }) ?? true { found = i }
    }
    return found
  }

  private func nextDue(_ now: Int64) -> Int64 {
    var least = now + 1_000
    for i in slots.indices where !slots[i].isTaken && !slots[i].isEnded {
      least = min(least, slots[i].dueMillis)
    }
    return least
  }

  private func turn(_ index: Int, _ now: Int64) -> Turn {
    slots[index].isTaken = true
    slots[index].isWoken = false
    var turn = Turn(
      index: index, entry: slots[index].entry, job: slots[index].job, stopsAtPresent: false,
      endsInput: false, limits: settings.limits, startMillis: now,
      isRenewed: slots[index].isRenewed, wake: { [weak self] in self?.arrive(index) })
    // No epoch is longer than rows may be old.
    if !settings.once, let freshness = slots[index].entry.freshnessMillis {
      turn.limits.millis = max(1, min(turn.limits.millis, freshness))
    }
    // The end of a job's input is known when those above have ended.
    if settings.once, turn.job != nil, !slots[index].isStopping,
      slots[index].upstream.allSatisfy({ slots[$0].isEnded })
    {
      slots[index].isStopping = true
      turn.stopsAtPresent = true
      turn.endsInput =
        settings.endsInput && slots[index].upstream.allSatisfy { slots[$0].state.phase == .drained }
    }
    return turn
  }

  /// Takes in what came of a turn, and says when the job is to be looked at again.
  func finish(_ turn: Turn, _ result: RunnerStep.Result) {
    let index = turn.index
    let jobs = locked {
      settle(turn, result)
      let jobs = takeClosing()
      // Nobody begins it anew before it is closed.
      if !jobs.isEmpty { slots[index].isTaken = true }
      condition.wake()
      return jobs
    }
    if jobs.isEmpty { return }
    for job in jobs { job.close() }
    locked {
      slots[index].isTaken = false
      condition.wake()
    }
  }

  /// A job that is closed waits for the reader of its server's log, which may just be telling us that something
  /// has arrived: so jobs are closed when the lock is free.
  private func letGo(_ index: Int) {
    if let job = slots[index].job { closing.append(job) }
    slots[index].job = nil
  }

  private func takeClosing() -> [any RunnableJob] {
    defer { closing = [] }
    return closing
  }

  private func settle(_ turn: Turn, _ result: RunnerStep.Result) {
    let now = time.nowMillis()
    let index = turn.index
    slots[index].isTaken = false
    switch result {
    case .started(let job, let counters):
      slots[index].job = job
      slots[index].state.phase = .running
      slots[index].state.error = nil
      note(index, counters)
      slots[index].dueMillis = now
    case .outcome(let outcome, let counters, let notices, let patience):
      note(index, counters)
      note(index, notices)
      after(outcome, turn, patience, now)
    case .failed(let error, let counters):
      if let counters { note(index, counters) }
      fail(index, error, now)
    case .evolved(let evolution, let counters, let notices):
      note(index, counters)
      note(index, notices)
      renew(index, evolution, now)
    case .refused(let error, let counters):
      note(index, counters)
      slots[index].job = nil
      slots[index].state.error = error
      slots[index].state.counters.lastError = error.description
      slots[index].state.phase = .quarantined
    }
    if let doom = slots[index].doom, !slots[index].isEnded { end(index, doom, now) }
    if slots[index].isEnded { wake(slots[index].downstream, now) }
  }

  private func note(_ index: Int, _ counters: JobCounters) {
    slots[index].state.counters = counters
  }

  private func note(_ index: Int, _ notices: [String]) {
    slots[index].state.notices = (slots[index].state.notices + notices).suffix(100)
    slots[index].state.noticeCount += notices.count
  }

  /// Puts a job in the place of one that was closed.
  private func renew(_ index: Int, _ evolution: RunnerEvolution, _ now: Int64) {
    slots[index].job = nil
    slots[index].entry = evolution.entry
    slots[index].isRenewed = false
    slots[index].isStopping = false
    slots[index].state.phase = .starting
    // Change upon change must not keep a thread busy.
    slots[index].changes = slots[index].changes.filter { now - $0 < 60_000 } + [now]
    let count = slots[index].changes.count
    slots[index].dueMillis = count <= 5 ? now : now + min(100 << min(count - 5, 8), 10_000)
    for (name, error) in evolution.stops {
      guard let other = slots.firstIndex(where: { $0.entry.name == name }), !slots[other].isEnded
      else { continue }
      if slots[other].isTaken { slots[other].doom = error } else { end(other, error, now) }
    }
  }

  /// Ends a job for good.
  private func end(_ index: Int, _ error: TerraceError, _ now: Int64) {
    letGo(index)
    slots[index].doom = nil
    slots[index].state.error = error
    slots[index].state.counters.lastError = error.description
    slots[index].state.phase = .failed
    wake(slots[index].downstream, now)
  }

  private func after(
    _ outcome: EpochOutcome, _ turn: Turn, _ patience: Int64?, _ now: Int64
  ) {
    let index = turn.index
    switch outcome {
    case .drained:
      slots[index].state.phase = .drained
      letGo(index)
    case .idle, .drifted:
      slots[index].state.phase = restingPhase(index)
      slots[index].idleTurns += 1
      let pause =
        if !slots[index].entry.polls, !settings.once {
          RunnerBoard.tableMillis
        } else if let patience, !settings.once { patience } else {
          RunnerBoard.pollMillis(idleTurns: slots[index].idleTurns)
        }
      slots[index].dueMillis = slots[index].isWoken ? now : now + pause
    case .committed(let report):
      slots[index].state.phase = report.rowsIn > 0 ? .running : restingPhase(index)
      slots[index].state.restarts = 0
      slots[index].idleTurns = 0
      // A job that fills its epochs has more to do; one that keeps up makes fewer and larger commits.
      let isBehind = settings.once || report.rowsIn * 2 >= turn.limits.rows
      let pace = min(settings.paceMillis, slots[index].entry.freshnessMillis ?? .max)
      slots[index].dueMillis =
        isBehind
        ? now : max(now + slots[index].entry.minPauseMillis, turn.startMillis + pace)
      if report.snapshot != nil { wake(slots[index].downstream, now) }
    }
  }

  /// Of a job that has nothing to do: one whose source is in trouble is not idle.
  private func restingPhase(_ index: Int) -> RunnerJobState.Phase {
    guard let trouble = slots[index].state.counters.trouble else { return .idle }
    return trouble.nextMillis == nil ? .waiting : .retrying
  }

  /// The jobs below have something to read.
  private func wake(_ indices: [Int], _ now: Int64) {
    for i in indices where !slots[i].isEnded {
      slots[i].isWoken = true
      // Jobs that failed wait for their next try.
      if slots[i].job != nil, slots[i].state.phase != .running {
        slots[i].dueMillis = min(slots[i].dueMillis, now)
      }
    }
  }

  /// A fault that may pass is tried again from the newest root; anything else ends the job.
  private func fail(_ index: Int, _ error: TerraceError, _ now: Int64) {
    letGo(index)
    slots[index].isStopping = false
    slots[index].state.error = error
    slots[index].state.counters.lastError = Redaction.clean(error.description)
    let restarts = slots[index].state.restarts
    slots[index].failures = slots[index].failures.suffix(999) + [now]
    guard error.kind == .unavailable || error.kind == .conflict,
      !settings.once || restarts < RunnerBoard.retriesOfOnce,
      let pause = slots[index].entry.restart.pause(
        restarts: restarts, failures: slots[index].failures)
    else {
      slots[index].state.phase = .failed
      return
    }
    slots[index].state.phase = .retrying
    slots[index].state.restarts = restarts + 1
    slots[index].dueMillis = now + pause
    if restarts == 0 { slots[index].failedMillis = now }
    slots[index].state.counters.trouble = SourceTrouble(
      error.message, sinceMillis: slots[index].failedMillis, nextMillis: now + pause)
  }
}
