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
  private let doors: Doors

  /// Who makes jobs anew.
  package struct Doors: Sendable {
    /// One that came to other columns of a source, by its name and the source's reference; what it throws stops the
    /// job.
    package var evolve:
      @Sendable (String, String, SchemaDrift) throws(TerraceError)
        -> RunnerEvolution = {
          (job, _, drift) throws(TerraceError) in
          throw TerraceError(.invalid, "its source has other columns now: \(drift.reason)")
            .with("job", job)
        }
    /// One that was asked to be renewed, by its name; nil: it stays what it is.
    package var renew: @Sendable (String) throws(TerraceError) -> RunnerEntry? = {
      (_) throws(TerraceError) in nil
    }

    package init() {}
  }

  /// - Parameter entries: upstream before downstream.
  package init(
    _ entries: [RunnerEntry], _ settings: Settings, time: any Timekeeper, doors: Doors = Doors()
  ) {
    board = RunnerBoard(entries, settings, time)
    self.doors = doors
    self.settings = settings
  }

  package var states: [RunnerJobState] { board.states }

  /// Jobs that join the others.
  package func add(_ entries: [RunnerEntry]) { board.add(entries) }

  /// Jobs that are to be made anew, when they have committed what they have.
  package func renew(_ names: Set<String>) { board.renew(names) }

  /// Runs until all jobs have ended, or until `shouldStop` says so and the epochs under way are committed.
  ///
  /// - Parameter watch: is called on this thread about ten times a second.
  /// - Returns: what became of each job.
  package func run(
    shouldStop: () -> Bool, watch: ([RunnerJobState]) throws(TerraceError) -> Void
  ) throws(TerraceError) -> [RunnerJobState] {
    let workers = Workers(count: max(1, settings.threads))
    let board = self.board
    let doors = self.doors
    for _ in 0..<max(1, settings.threads) {
      workers.submit {
        while let turn = board.take() { board.finish(turn, RunnerStep.run(turn, doors)) }
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
    case outcome(EpochOutcome, JobCounters, notices: [String], patience: Int64?)
    case started(any RunnableJob, JobCounters)
    case failed(TerraceError, JobCounters?)
    /// The job came to other columns of its source, and is to be made anew.
    case evolved(RunnerEvolution, JobCounters, notices: [String])
    case refused(TerraceError, JobCounters)
  }

  static func run(_ turn: RunnerBoard.Turn, _ doors: Runner.Doors) -> Result {
    var counters: JobCounters?
    do throws(TerraceError) {
      guard let job = turn.job else {
        let job = try turn.entry.make()
        job.announce(to: turn.wake)
        do throws(TerraceError) {
          try job.recover()
          return .started(job, job.counters)
        } catch {
          job.close()
          throw error
        }
      }
      counters = job.counters
      if turn.isRenewed, job.canBeMadeAnew { return try renewed(job, turn.entry, doors) }
      if turn.stopsAtPresent { try job.stopAtPresent() }
      if turn.endsInput { job.endInput() }
      let outcome = try job.runEpoch(turn.limits)
      if case .drifted(let reference, let drift) = outcome {
        return try evolved(job, turn.entry.name, reference, drift, doors)
      }
      return .outcome(
        outcome, job.counters, notices: job.takeNotices(), patience: job.patience)
    } catch {
      return .failed(error, counters)
    }
  }

  private static func evolved(
    _ job: any RunnableJob, _ name: String, _ reference: String, _ drift: SchemaDrift,
    _ doors: Runner.Doors
  ) throws(TerraceError) -> Result {
    let counters = job.counters
    let notices = job.takeNotices()
    job.close()
    do throws(TerraceError) {
      return .evolved(
        try doors.evolve(name, reference, drift), counters, notices: notices + [drift.reason])
    } catch {
      if error.kind == .unavailable || error.kind == .conflict { throw error }
      return .refused(error, counters)
    }
  }

  /// A job that commits what it has, and goes on as what it is by now.
  private static func renewed(
    _ job: any RunnableJob, _ entry: RunnerEntry, _ doors: Runner.Doors
  ) throws(TerraceError) -> Result {
    let notices = job.takeNotices()
    job.close()
    let entry = try doors.renew(entry.name) ?? entry
    return .evolved(RunnerEvolution(entry: entry), job.counters, notices: notices)
  }
}
