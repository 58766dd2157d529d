package import Columns
import Dataflow
import Store

/// A streaming job at work: takes slices of its sources, commits what follows from them to its target.
///
/// Everything it must remember lies in the target's newest root (and what that names), so a job may die at
/// any time: the next one goes on from there, and nothing is lost or written twice. One thread at a time
/// calls; the jobs of a process take turns, those that write before those that read what they write.
///
/// The target table exists already. Tables with a primary key should have `changelog-producer` = `input`: the
/// job knows exact changes. With `none` those who read the table look up old rows.
package final class Job {
  package let spec: JobSpec
  private let environment: JobEnvironment
  private var run: JobRun?
  private var stops = false
  private var ends = false
  /// Why the job cannot go on at all; starting it again would not help.
  private var refusal: TerraceError?
  private var counted = JobCounters()
  private var notices: [String] = []
  private var wake: (@Sendable () -> Void)?

  /// Checks what can be checked without reading anything; opens nothing.
  ///
  /// - Throws: `unsupported` and `invalid` for plans that cannot run.
  package init(_ spec: JobSpec, in environment: JobEnvironment) throws(TerraceError) {
    self.spec = spec
    self.environment = environment
    guard !spec.plan.sources.contains(where: { spec.sources[$0.reference] == nil }) else {
      throw TerraceError(.invalid, "the plan reads a source that the job does not name")
        .with("job", spec.name)
    }
  }

  package var counters: JobCounters { run?.counters ?? counted }

  /// Goes to the newest root: finishes half commits, makes missing tags, brings back state and positions.
  /// Without a root the job begins, and commits its first one.
  ///
  /// - Throws: what stands in the way; the job can be recovered again later, unless the kind is `held`,
  ///   `invalid` or `unsupported`.
  package func recover() throws(TerraceError) {
    abandon()
    do throws(TerraceError) {
      let fresh = try JobRun(spec, environment, counters: counted)
      run = fresh
      fresh.wake = wake
      try fresh.start()
      if stops { try fresh.stopAtPresent() }
      if ends { fresh.endInput() }
      run?.counters.lastError = nil
    } catch { throw noted(error) }
  }

  /// Takes one bounded slice from the sources and commits what follows from it. Never blocks for long.
  ///
  /// - Throws: what went wrong. Nothing half done stays: the next call recovers first.
  package func runEpoch(_ limits: EpochLimits = EpochLimits()) throws(TerraceError) -> EpochOutcome
  {
    if let refusal { throw refusal }
    if run == nil { try recover() }
    guard let run else { return .idle }
    if let reason = run.feeds.lazy.compactMap(\.restart).first { return try restart(reason) }
    do throws(TerraceError) {
      return try run.epoch(limits)
    } catch { throw noted(error) }
  }

  /// Begins anew because a source asks for it.
  private func restart(_ reason: String) throws(TerraceError) -> EpochOutcome {
    notices += run?.takeNotices() ?? []
    if run?.target.canTakeBack == false {
      throw noted(
        TerraceError(
          .unsupported, "to take rows away that are outside: \(reason)",
          hint: "empty the target, then “terrace run --rebuild \(spec.name)”"))
    }
    if case .connector = spec.target {
      notices.append(
        "\(spec.name) begins anew: \(reason); what is gone at the source leaves the target, too"
      )
    } else {
      notices.append("\(spec.name) is emptied and begins anew: \(reason)")
    }
    try startOver(clears: true)
    try recover()
    return .idle
  }

  private func noted(_ error: TerraceError) -> TerraceError {
    let told = error.facts.contains { $0.name == "job" } ? error : error.with("job", spec.name)
    abandon()
    counted.lastError = Redaction.clean(told.description)
    // Somebody else took over, or the same would happen again.
    if error.kind == .held { refusal = told }
    return told
  }

  private func abandon() {
    guard let run else { return }
    counted = run.counters
    run.abandon()
    self.run = nil
  }

  /// Empties the target and begins with the sources anew, whatever the target holds: `run --rebuild`. Its
  /// snapshots go on, so those who read it see their rows go and come.
  package func startOver() throws(TerraceError) { try startOver(clears: false) }

  /// - Parameter clears: rows outside go as well.
  private func startOver(clears: Bool) throws(TerraceError) {
    abandon()
    refusal = nil
    do throws(TerraceError) {
      let fresh = try JobRun(spec, environment, counters: counted)
      defer { fresh.abandon() }
      try fresh.startOver(clears: clears)
    } catch { throw noted(error) }
  }

  package func announce(to wake: @escaping @Sendable () -> Void) { self.wake = wake }

  package var patience: Int64? { run?.patience }

  package var canBeMadeAnew: Bool {
    run.map { run in
      !run.mayBeginAnew && run.feeds.allSatisfy { $0.restart == nil && $0.drift == nil }
    } ?? true
  }

  /// From now on only what is there at this call is taken: `run --once`. For source tables that means their
  /// newest snapshot: to be called when the jobs that write them are drained.
  package func stopAtPresent() throws(TerraceError) {
    stops = true
    do throws(TerraceError) { try run?.stopAtPresent() } catch { throw noted(error) }
  }

  /// What is there is complete: when it is drained, watermarks end and all windows close.
  package func endInput() {
    ends = true
    run?.endInput()
  }

  /// Things a person should know, each once.
  package func takeNotices() -> [String] {
    let own = notices
    notices = []
    return own + (run?.takeNotices() ?? [])
  }

  /// Commits what waits to be committed, and ends. A failure is in ``counters``: what was not committed
  /// is read again by the next job.
  package func close() {
    guard let run else { return }
    do throws(TerraceError) {
      try run.finish()
      counted = run.counters
      run.close()
      self.run = nil
    } catch { _ = noted(error) }
  }
}
