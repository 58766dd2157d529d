package import Columns

/// A job as the runner sees it. One thread at a time calls.
package protocol RunnableJob: AnyObject {
  /// Finds the newest root and goes on from there: to be called once, first.
  func recover() throws(TerraceError)
  /// Takes a bounded slice of the sources through to the target.
  func runEpoch(_ limits: EpochLimits) throws(TerraceError) -> EpochOutcome
  /// From now on nothing is taken that was not there at this call.
  func stopAtPresent() throws(TerraceError)
  /// What is there is all there will ever be: event time ends, all windows close.
  func endInput()
  var counters: JobCounters { get }
  /// Things a person should know, each once.
  func takeNotices() -> [String]
  /// Has `wake` called, from any thread, when a source has something; before ``recover()``.
  func announce(to wake: @escaping @Sendable () -> Void)
  /// After an epoch that took nothing: how many milliseconds nobody needs to look again, unless `wake` is
  /// called; nil when sources are there that announce nothing.
  var patience: Int64? { get }
  /// It may be closed and made anew without losing a first read that is under way.
  var canBeMadeAnew: Bool { get }
  /// Gives up its files and threads. What is not committed is given up.
  func close()
}

extension RunnableJob {
  package func announce(to wake: @escaping @Sendable () -> Void) {}
  package var patience: Int64? { nil }
  package var canBeMadeAnew: Bool { true }
}

/// A job of a run: how to make it, and what feeds it.
package struct RunnerEntry: Sendable {
  package var name: String
  /// Names of the jobs of this run whose targets it reads.
  package var upstream: [String]
  /// It reads sources outside, which nobody announces.
  package var polls: Bool
  /// Upper bound of the time between commits; nil for the runner's own.
  package var freshnessMillis: Int64?
  /// Least time between the end of a commit and the next epoch of a job that keeps up.
  package var minPauseMillis: Int64 = 0
  package var restart = RestartPolicy()
  package var make: @Sendable () throws(TerraceError) -> any RunnableJob

  package init(
    name: String, upstream: [String], polls: Bool, freshnessMillis: Int64? = nil,
    make: @escaping @Sendable () throws(TerraceError) -> any RunnableJob
  ) {
    self.name = name
    self.upstream = upstream
    self.polls = polls
    self.freshnessMillis = freshnessMillis
    self.make = make
  }
}

/// A job made anew after its source's columns changed.
package struct RunnerEvolution: Sendable {
  package var entry: RunnerEntry
  /// Jobs that cannot go on with what its target is now, and why.
  package var stops: [(job: String, error: TerraceError)] = []

  package init(entry: RunnerEntry) { self.entry = entry }
}

/// What is known of a job while it runs.
package struct RunnerJobState: Sendable {
  package enum Phase: String, Sendable {
    case starting, running, idle, drained, failed, retrying, stopped
    /// Somebody at the other side keeps its source waiting.
    case waiting
    /// Its source changed in a way that cannot be followed; the others go on.
    case quarantined
  }

  package var name: String
  package var phase: Phase
  package var counters: JobCounters
  /// Why it stopped, or what it tries again after.
  package var error: TerraceError?
  package var restarts = 0
  /// What a person should know, oldest first; the newest hundred.
  package var notices: [String] = []
  /// How many there were.
  package var noticeCount = 0
}
