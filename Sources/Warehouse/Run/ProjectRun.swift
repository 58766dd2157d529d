package import Catalog
package import Columns
import Connectors
import Dataflow
import Formats
import Foundation
import Glibc
package import Store
import Synchronization

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
  private let environment: JobEnvironment
  private let keeper: SyncKeeper?
  private let select: [String]
  private let once: Bool
  /// Looks for new tables, which may take long.
  private let seeker = Workers(count: 1)
  private var lastSoughtMillis: Int64
  private var lease: Lease
  /// Jobs at work, with those that came later.
  private let specs: Mutex<[JobSpec]>
  /// Is told what concerns no single job.
  package var onNotice: (String) -> Void = { _ in }
  /// What the metastore holds of the jobs.
  private var told: [String: Told] = [:]
  private struct Told: Hashable {
    var phase: RunnerJobState.Phase
    var counters: JobCounters
  }
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
    var environment = JobEnvironment(
      warehouse: open.warehouse, budget: MemoryBudget(limitBytes: limit / 10 * 7),
      changes: handsOn ? ChangeCache(limitBytes: limit / 16) : nil, metastore: metastore,
      zone: try open.config.zone, folder: open.folder)
    environment.connectors = open.connectors
    environment.lookedUp = SourcePlay.lookedUp(project.jobs)
    environment.sharedTargets = JobSpec.sharingTargets(project.jobs)
    self.environment = environment
    let (jobs, absent) = try ProjectRun.selected(project, settings.select)
    // What is wrong with their settings is said before anything runs.
    for spec in jobs { _ = try RestartPolicy(spec.settings) }
    try LogLedgers.forget(
      unless: project.wants, folder: open.folder, open.warehouse.environment.files)
    select = settings.select
    once = settings.once
    specs = Mutex(jobs)
    let now = open.warehouse.environment.time.nowMillis()
    lastSoughtMillis = now
    lease = ProjectRun.lease(now)
    let keeper =
      project.synced.isEmpty && project.absent.isEmpty
      ? nil : SyncKeeper(open, project, metastore)
    self.keeper = keeper
    let all = environment
    var entries = jobs.map { ProjectRun.entry($0, among: jobs, all, once: settings.once) }
    entries += absent.map { AwaitedJob.entry($0, keeper, once: settings.once) }
    var run = Runner.Settings()
    run.once = settings.once
    run.endsInput = settings.endsInput
    // Larger epochs make fewer and larger commits; they are bounded by a share of the memory.
    run.limits = EpochLimits(
      rows: settings.once ? 1 << 20 : 1 << 18, bytes: min(256 << 20, limit / 8),
      millis: settings.once ? 20_000 : 1_000)
    var doors = Runner.Doors()
    doors.evolve = ProjectRun.evolve(keeper, specs: jobs, all)
    doors.renew = { (job) throws(TerraceError) in
      try keeper?.grown(job).map { ProjectRun.entry($0, among: jobs, all) }
    }
    runner = Runner(entries, run, time: open.warehouse.environment.time, doors: doors)
  }

  private static func entry(
    _ spec: JobSpec, among jobs: [JobSpec], _ environment: JobEnvironment, once: Bool = false
  ) -> RunnerEntry {
    var entry = RunnerEntry(
      name: spec.name, upstream: Project.upstream(of: spec, among: jobs),
      polls: spec.isRefresh
        || spec.sources.values.contains {
          if case .connector = $0 { return true }
          return false
        },
      freshnessMillis: spec.freshnessMillis
    ) { () throws(TerraceError) -> any RunnableJob in
      if spec.isRefresh, case .table(let target) = spec.target {
        return RefreshJob(spec, of: target, in: environment, once: once)
      }
      return try Job(spec, in: environment)
    }
    entry.restart = RestartPolicy(checked: spec.settings)
    let pause = spec.settings["execution.checkpointing.min-pause"]
    entry.minPauseMillis = pause.flatMap(OptionValue.durationMillis) ?? 0
    return entry
  }

  /// Follows a source whose columns changed.
  private static func evolve(
    _ keeper: SyncKeeper?, specs: [JobSpec], _ environment: JobEnvironment
  ) -> @Sendable (String, String, SchemaDrift) throws(TerraceError) -> RunnerEvolution {
    { (job, reference, drift) throws(TerraceError) in
      guard let keeper else {
        throw TerraceError(
          .invalid, SyncKeeper.told(drift),
          hint: drift.isDropped
            ? "“terrace run --rebuild \(job)” reads what has its name now"
            : "take them into the spec, and apply it")
      }
      let evolved = try keeper.evolve(job, reference, drift)
      var evolution = RunnerEvolution(entry: entry(evolved.spec, among: specs, environment))
      for spec in specs where spec.name != job {
        let used = spec.columns(of: job).intersection(evolved.dropped)
        guard let column = used.min() else { continue }
        evolution.stops.append(
          (
            spec.name,
            TerraceError(
              .invalid,
              "\(spec.name) reads the column \(column) of \(job), which is not filled any more",
              hint: "\(drift.reason); change the query, and apply it"
            )
          ))
      }
      return evolution
    }
  }

  private static func lease(_ now: Int64) -> Lease {
    Lease(
      name: "run", holder: "terrace run", pid: Int(getpid()),
      host: ProcessInfo.processInfo.hostName, sinceMillis: now, untilMillis: now + leaseMillis)
  }

  /// How long a process is taken to be alive that does not renew its lease.
  private static let leaseMillis: Int64 = 60_000

  private static func selected(
    _ project: Project, _ select: [String]
  ) throws(TerraceError) -> ([JobSpec], [AbsentJob]) {
    let (jobs, absent) = (project.jobs, project.absent)
    if select.isEmpty { return (jobs, absent) }
    let names = jobs.map(\.name) + absent.map(\.name)
    for pattern in select where !names.contains(where: { matches($0, pattern) }) {
      throw TerraceError(
        .notFound, "job \(pattern)",
        hint: NearestName.hint(pattern, among: names, else: "there are "))
    }
    return (
      jobs.filter { job in select.contains { matches(job.name, $0) } },
      absent.filter { job in select.contains { matches(job.name, $0) } }
    )
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
    defer {
      seeker.stop()
      release()
    }
    let states = try runner.run(shouldStop: shouldStop) { (states) throws(TerraceError) in
      watch(states)
      let now = open.warehouse.environment.time.nowMillis()
      if now - lastToldMillis >= 1_000 {
        lastToldMillis = now
        try tell(states, now)
        try seek(now)
      }
    }
    try tell(states, open.warehouse.environment.time.nowMillis())
    return states
  }

  /// Looks for tables that are new at the servers, and lets their jobs join.
  private func seek(_ now: Int64) throws(TerraceError) {
    guard let keeper else { return }
    let found = keeper.takeFound()
    for notice in found.notices { onNotice(notice) }
    let fresh = found.specs.filter { spec in
      select.isEmpty || select.contains { ProjectRun.matches(spec.name, $0) }
    }
    if !fresh.isEmpty {
      let all = specs.withLock { specs -> [JobSpec] in
        specs += fresh
        return specs
      }
      runner.add(fresh.map { ProjectRun.entry($0, among: all, environment) })
    }
    if !found.grown.isEmpty { runner.renew(found.grown) }
    guard !once, now - lastSoughtMillis >= keeper.intervalMillis, keeper.begin() else { return }
    lastSoughtMillis = now
    seeker.submit { keeper.discover() }
  }

  /// The row that tells others who runs the project; the lock excludes, not it.
  private func renewLease(_ now: Int64) throws(TerraceError) {
    lease.untilMillis = now + ProjectRun.leaseMillis
    _ = try metastore.take(lease, nowMillis: now)
  }

  private func release() {
    // Whoever comes next finds a row that has run out.
    try? metastore.release(lease)
  }

  /// Writes down what is known of the jobs, for `status`.
  private func tell(_ states: [RunnerJobState], _ now: Int64) throws(TerraceError) {
    let metastore = self.metastore
    try metastore.transaction { () throws(TerraceError) in
      try renewLease(now)
      for state in states {
        let now = Told(phase: state.phase, counters: state.counters)
        if told[state.name] == now { continue }
        told[state.name] = now
        try metastore.update(
          job: state.name, state: state.phase.rawValue, counters: state.counters.json.text())
      }
      try metastore.touch(jobs: states.map(\.name), updatedMillis: now)
    }
  }
}

extension JobSpec {
  /// Columns of a table that the job reads.
  func columns(of table: String) -> Set<String> {
    var used: Set<String> = []
    for source in plan.sources {
      guard case .table(let name, _)? = sources[source.reference], name.description == table else {
        continue
      }
      used.formUnion(source.columns.map { source.tableType.fields[$0].name })
    }
    return used
  }
}

extension Job: RunnableJob {}
