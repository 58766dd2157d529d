package import Columns
package import Connectors
package import Store

/// Runs jobs side by side: each on one thread at a time, in epochs, until they are drained or told to stop.
///
/// A job that has committed wakes those that read its target; a job that finds nothing sleeps. What stops a
/// job stops it alone: the others go on.
package final class Runner: Sendable {
  package struct Settings: Sendable {
    /// Ends when everything present at the start has been taken.
    package var once = false
    /// With `once`: what is present is all there will be.
    package var endsInput = false
    package var threads = 2
    /// Least time between two commits of a job that keeps up, in milliseconds.
    package var paceMillis: Int64 = 200
    package var limits = EpochLimits()

    package init() {}
  }

  private let board: RunnerBoard
  private let settings: Settings
  private let time: any Timekeeper
  private let evolve: Evolve

  /// Makes a job anew that came to other columns of a source; what it throws stops the job.
  package typealias Evolve =
    @Sendable (String, String, SchemaDrift) throws(TerraceError)
    -> RunnerEvolution

  /// - Parameters:
  ///   - entries: upstream before downstream.
  ///   - evolve: of the job's name, the reference of the source, and what that is now.
  package init(
    _ entries: [RunnerEntry], _ settings: Settings, time: any Timekeeper,
    evolve: @escaping Evolve = { (job, _, drift) throws(TerraceError) in
      throw TerraceError(.invalid, "its source has other columns now: \(drift.reason)")
        .with("job", job)
    }
  ) {
    board = RunnerBoard(entries, settings)
    self.evolve = evolve
    self.settings = settings
    self.time = time
  }

  package var states: [RunnerJobState] { board.states }

  /// Jobs that join the others.
  package func add(_ entries: [RunnerEntry]) { board.add(entries) }

  /// Runs until all jobs have ended, or until `shouldStop` says so and the epochs under way are committed.
  ///
  /// - Parameter watch: is called on this thread about ten times a second.
  /// - Returns: what became of each job.
  package func run(
    shouldStop: () -> Bool, watch: ([RunnerJobState]) throws(TerraceError) -> Void
  ) throws(TerraceError) -> [RunnerJobState] {
    let workers = Workers(count: max(1, settings.threads))
    let board = self.board
    let time = self.time
    let evolve = self.evolve
    for _ in 0..<max(1, settings.threads) {
      workers.submit {
        while let turn = board.take(time) { board.finish(turn, RunnerStep.run(turn, evolve), time) }
        board.leave()
      }
    }
    var failure: TerraceError?
    while !board.waitForEnd(millis: 100) {
      if shouldStop() { board.stop() }
      do throws(TerraceError) { try watch(board.states) } catch {
        failure = error
        board.stop()
      }
    }
    workers.stop()
    board.close()
    if let failure { throw failure }
    return board.states
  }
}

/// One step of one job, on whatever thread.
enum RunnerStep {
  enum Result {
    case outcome(EpochOutcome, JobCounters, notices: [String])
    case started(any RunnableJob, JobCounters)
    case failed(TerraceError, JobCounters?)
    /// The job came to other columns of its source, and is to be made anew.
    case evolved(RunnerEvolution, JobCounters, notices: [String])
    case refused(TerraceError, JobCounters)
  }

  static func run(_ turn: RunnerBoard.Turn, _ evolve: Runner.Evolve) -> Result {
    var counters: JobCounters?
    do throws(TerraceError) {
      guard let job = turn.job else {
        let job = try turn.entry.make()
        do throws(TerraceError) {
          try job.recover()
          return .started(job, job.counters)
        } catch {
          job.close()
          throw error
        }
      }
      counters = job.counters
      if turn.stopsAtPresent { try job.stopAtPresent() }
      if turn.endsInput { job.endInput() }
      let outcome = try job.runEpoch(turn.limits)
      if case .drifted(let reference, let drift) = outcome {
        return try evolved(job, turn.entry.name, reference, drift, evolve)
      }
      return .outcome(outcome, job.counters, notices: job.takeNotices())
    } catch {
      return .failed(error, counters)
    }
  }

  private static func evolved(
    _ job: any RunnableJob, _ name: String, _ reference: String, _ drift: SchemaDrift,
    _ evolve: Runner.Evolve
  ) throws(TerraceError) -> Result {
    let counters = job.counters
    let notices = job.takeNotices()
    job.close()
    do throws(TerraceError) {
      return .evolved(
        try evolve(name, reference, drift), counters, notices: notices + [drift.reason])
    } catch {
      if error.kind == .unavailable || error.kind == .conflict { throw error }
      return .refused(error, counters)
    }
  }
}
