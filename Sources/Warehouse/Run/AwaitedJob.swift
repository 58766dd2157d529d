import Columns

/// Stands for jobs that cannot be made yet: it says why, and ends when others have come in its place.
final class AwaitedJob: RunnableJob {
  private let keeper: SyncKeeper?

  private init(_ keeper: SyncKeeper?) { self.keeper = keeper }

  static func entry(_ job: AbsentJob, _ keeper: SyncKeeper?, once: Bool) -> RunnerEntry {
    var entry = RunnerEntry(name: job.name, upstream: [], polls: true) {
      () throws(TerraceError) -> any RunnableJob in
      guard let reason = keeper?.obstacle(of: job.name) else { return AwaitedJob(keeper) }
      if once || job.askedAgainMillis == nil { throw reason }
      // Whatever it is: the keeper asks again, and what is refused now may be granted.
      var told = TerraceError(.unavailable, reason.message, hint: reason.hint)
      for (name, value) in reason.facts { told = told.with(name, value) }
      throw told
    }
    // Nobody asks again while everything present is taken.
    if once { entry.restart.attempts = 0 }
    return entry
  }

  func recover() throws(TerraceError) {}

  func runEpoch(_ limits: EpochLimits) throws(TerraceError) -> EpochOutcome {
    keeper?.hasFound ?? false ? .idle : .drained
  }

  func stopAtPresent() throws(TerraceError) {}
  func endInput() {}
  let counters = JobCounters()
  func takeNotices() -> [String] { [] }
  func close() {}
}
