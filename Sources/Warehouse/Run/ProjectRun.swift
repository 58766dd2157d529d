package import Catalog
package import Columns
import Dataflow
import Formats
package import Store

/// A project's jobs at work in this process, with what they share.
package final class ProjectRun {
  package struct Settings: Sendable {
    package var once = false
    package var endsInput = false
    /// Names of jobs or `layer.*`; empty: all.
    package var select: [String] = []
    /// Hands changes on through files only.
    package var handsOn = true

    package init() {}
  }

  private let open: OpenProject
  private let metastore: Metastore
  private let runner: Runner
  private let names: [String]
  private var told: [String: JobCounters] = [:]
  private var lastToldMillis: Int64 = 0
  private let workers: Workers

  /// Opens nothing but the workers; jobs are made on the threads that run them.
  ///
  /// - Throws: `notFound` for a selection that names nothing.
  package init(
    _ open: OpenProject, _ project: Project, _ metastore: Metastore, _ settings: Settings,
    workers: Workers
  ) throws(TerraceError) {
    self.open = open
    self.metastore = metastore
    self.workers = workers
    let limit = try open.config.memoryLimitBytes
    let handsOn = settings.handsOn && open.config.values["handing-on"] != "false"
    let environment = JobEnvironment(
      warehouse: open.warehouse, budget: MemoryBudget(limitBytes: limit / 10 * 7),
      changes: handsOn ? ChangeCache(limitBytes: limit / 16) : nil, metastore: metastore,
      zone: try open.config.zone, folder: open.folder)
    let jobs = try ProjectRun.selected(project.jobs, settings.select)
    names = jobs.map(\.name)
    let entries = jobs.map { spec in
      RunnerEntry(
        name: spec.name, upstream: Project.upstream(of: spec, among: jobs),
        polls: spec.sources.values.contains {
          if case .connector = $0 { return true }
          return false
        },
        freshnessMillis: spec.freshnessMillis
      ) { () throws(TerraceError) -> any RunnableJob in try Job(spec, in: environment) }
    }
    var run = Runner.Settings()
    run.once = settings.once
    run.endsInput = settings.endsInput
    // Larger epochs make fewer and larger commits; they are bounded by a share of the memory.
    run.limits = EpochLimits(
      rows: settings.once ? 1 << 20 : 1 << 18, bytes: min(256 << 20, limit / 8),
      millis: settings.once ? 20_000 : 1_000)
    runner = Runner(entries, run, time: open.warehouse.environment.time)
  }

  private static func selected(
    _ jobs: [JobSpec], _ select: [String]
  ) throws(TerraceError) -> [JobSpec] {
    if select.isEmpty { return jobs }
    for pattern in select where !jobs.contains(where: { matches($0.name, pattern) }) {
      throw TerraceError(
        .notFound, "job \(pattern)",
        hint: NearestName.hint(pattern, among: jobs.map(\.name), else: "there are "))
    }
    return jobs.filter { job in select.contains { matches(job.name, $0) } }
  }

  private static func matches(_ name: String, _ pattern: String) -> Bool {
    pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : name == pattern
  }

  /// Runs until it is done or told to stop.
  ///
  /// - Parameter watch: is called about ten times a second.
  package func run(
    shouldStop: () -> Bool, watch: ([RunnerJobState]) -> Void
  ) throws(TerraceError) -> [RunnerJobState] {
    let states = try runner.run(shouldStop: shouldStop) { (states) throws(TerraceError) in
      watch(states)
      let now = open.warehouse.environment.time.nowMillis()
      if now - lastToldMillis >= 1_000 {
        lastToldMillis = now
        try tell(states, now)
      }
    }
    try tell(states, open.warehouse.environment.time.nowMillis())
    return states
  }

  /// Writes down what is known of the jobs, for `status`.
  private func tell(_ states: [RunnerJobState], _ now: Int64) throws(TerraceError) {
    let metastore = self.metastore
    try metastore.transaction { () throws(TerraceError) in
      for state in states {
        let counters = state.counters
        try metastore.update(
          job: state.name, state: state.phase.rawValue, counters: counters.json.text(),
          updatedMillis: now)
      }
    }
  }
}

extension Job: RunnableJob {}
