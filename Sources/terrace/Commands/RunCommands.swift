import Columns
import Formats
import Glibc
import Store
import Warehouse

/// Commands that run a project's jobs, and say how they are.
extension Terrace {
  static let runCommand: Command = Command(
    name: "run", summary: "Run the project's jobs",
    details: """
      Until it is told to stop (Ctrl-C or SIGTERM: the epochs under way are committed), or with --once
      until everything that was there at the start has passed through all layers. A project that was never
      applied is applied first; one whose specs have changed since is not run.
      """,
    flags: [
      Flag("--once", "", nil, "take what is there now, then exit"),
      Flag(
        "--end-of-input", "", nil,
        "with --once: nothing will follow, so event time ends and all windows close"),
      Flag("--select", "", "TABLE", "only these jobs: dwd.orders, or dws.*", repeats: true),
      Flag("--rebuild", "", "TABLE", "empty this table and start its job over", repeats: true),
      Flag("--no-handing-on", "", nil, "hand changes on through files only"),
      format,
    ],
    examples: [
      "terrace run --once", "terrace run --once --end-of-input -f json",
      "terrace run --select ods.* --select dwd.*",
    ],
    run: runProject)

  static let statusCommand: Command = Command(
    name: "status", summary: "Show each table's freshness and each job's state and counters",
    flags: [
      Flag("--watch", "-w", nil, "show it again every second, until interrupted"), format,
    ],
    examples: ["terrace status", "terrace status -f json"], run: runStatus)

  private static func runProject(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    if arguments.has("--end-of-input"), !arguments.has("--once") {
      throw TerraceError(.invalid, "--end-of-input belongs to --once")
    }
    Interruption.watch()
    // Before there is a second thread, which would get a heap of its own.
    ProcessMemory.tune()
    let workers = Workers(count: max(1, min(8, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))))
    defer { workers.stop() }
    let open = try project(arguments, workers: workers)
    ProcessMemory.fit(try open.config.memoryLimitBytes)
    let rebuilds = Set(arguments.all("--rebuild"))
    let project = try load(
      open, console, rebuilds: rebuilds, isJSON: arguments.printFormat == .json)
    let isNew = try !open.isApplied
    let metastore = try open.metastore()
    let words = arguments.has("--once") ? "terrace run --once" : "terrace run"
    let lock = try ProjectLock.take(
      open.lockFile, command: words, nowMillis: open.warehouse.environment.time.nowMillis())
    defer { lock.release() }
    let changes = try ProjectChanges(project, open.warehouse, metastore)
    let followed = try open.followed(project, metastore)
    if isNew || !rebuilds.isEmpty {
      let notices = try open.apply(project, changes, metastore, rebuilds: rebuilds)
      for notice in notices { console.note(notice) }
    } else if !changes.isHarmless(but: followed) {
      Console.writeError(ChangesText.text(changes, isStyled: console.styledError))
      throw TerraceError(
        .invalid, "the specs differ from what is applied",
        hint: changes.hint)
    }
    if !isNew, rebuilds.isEmpty, !changes.isEmpty {
      // Comments, settings, and tables of servers that could not be asked before.
      try open.apply(project, changes.withoutOutdated, metastore)
    }
    for text in try open.unusedSlots(project) { console.note("warning: \(text)") }
    var settings = ProjectRun.Settings()
    settings.once = arguments.has("--once")
    settings.endsInput = arguments.has("--end-of-input")
    settings.select = arguments.all("--select")
    settings.handsOn = !arguments.has("--no-handing-on")
    let run = try ProjectRun(open, project, metastore, settings, workers: workers)
    let progress = RunProgress(console)
    run.onNotice = { notice in
      progress.clear()
      console.note(notice)
    }
    let states = try run.run(shouldStop: { Interruption.happened }) {
      progress.show($0)
      Interruption.giveUp(after: 20) {
        progress.clear()
        // Whoever waits for a server that hangs has committed what it could; the rest comes again.
        console.note("some jobs did not end: what they have not committed is read again next time")
      }
    }
    progress.clear()
    progress.tell(states)
    try report(states, arguments, console, seconds: progress.seconds)
  }

  private static func report(
    _ states: [RunnerJobState], _ arguments: Arguments, _ console: Console, seconds: Double
  ) throws(TerraceError) {
    var listing = Listing(
      "job", "state", "rows in", "rows out", "dead letters", "epochs", "snapshot")
    for state in states {
      let counters = state.counters
      listing.add(
        .string(state.name), .string(state.phase.rawValue), .int(counters.rowsIn),
        .int(counters.rowsOut), .int(counters.deadLetters), .int(counters.epoch),
        .init(counters.snapshot))
    }
    try console.show(listing, arguments.printFormat, nothing: "There is no job.")
    console.noteAfterOutput(
      "\(Interruption.happened ? "stopped" : "done") after \(DisplayText.duration(millis: Int64(seconds * 1000)))"
    )
    for state in states {
      guard let error = state.error, state.phase == .failed || state.phase == .quarantined
      else { continue }
      Console.writeError(
        "\(state.name) \(state.phase == .failed ? "failed" : "is quarantined")\n"
          + ErrorReport.text(error, isStyled: console.styledError))
      console.exitCode = 1
    }
  }

  private static func runStatus(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let open = try project(arguments)
    let project = try load(
      open, console, asksServers: false, isJSON: arguments.printFormat == .json)
    guard try open.isApplied else {
      throw TerraceError(
        .notFound, "the project was never applied", hint: "“terrace apply” or “terrace run”")
    }
    let metastore = try open.metastore()
    if arguments.has("--watch") { Interruption.watch() }
    for text in try open.unusedSlots(project) { console.note("warning: \(text)") }
    while true {
      let status = try ProjectStatus(open, project, metastore)
      if arguments.has("--watch"), console.outputIsTerminal {
        try console.output.write("\u{1b}[H\u{1b}[2J")
      }
      if arguments.printFormat == .json {
        try console.output.line(status.json.text())
      } else {
        try console.show(status.listing, arguments.printFormat, nothing: "There is no job.")
        for row in status.tables where arguments.printFormat == .table {
          for line in row.remarks { console.noteAfterOutput("\(row.name): \(line)") }
        }
        if let holder = status.holder {
          console.noteAfterOutput("run by process \(holder.pid) on \(holder.host)")
        }
      }
      try console.output.flush()
      guard arguments.has("--watch"), !Interruption.happened else { return }
      open.warehouse.environment.time.sleep(millis: 1_000)
      if Interruption.happened { return }
    }
  }
}

/// How far the jobs are: lines that change on a terminal, a line every five seconds elsewhere.
final class RunProgress {
  private let console: Console
  private let start = Progress.now()
  private var lastShown = Progress.now()
  private var lastRows: Int64 = 0
  private var hasLine = false
  /// Notices said so far, by job.
  private var told: [String: Int] = [:]
  /// Why jobs are tried again, as said last.
  private var reasons: [String: String] = [:]

  init(_ console: Console) { self.console = console }

  var seconds: Double { Progress.now() - start }

  /// Says what jobs have noticed since the last call.
  func tell(_ states: [RunnerJobState]) {
    for state in states where state.noticeCount > told[state.name, default: 0] {
      let fresh = state.noticeCount - told[state.name, default: 0]
      told[state.name] = state.noticeCount
      clear()
      for notice in state.notices.suffix(fresh) { console.note("\(state.name): \(notice)") }
    }
    tellTroubles(states)
  }

  /// What is waited for or tried again is said once for each reason, however many jobs have it.
  private func tellTroubles(_ states: [RunnerJobState]) {
    var fresh: [(reason: String, names: [String])] = []
    for state in states where state.phase == .retrying || state.phase == .waiting {
      guard let reason = state.counters.lastError,
        reasons.updateValue(reason, forKey: state.name) != reason
      else { continue }
      let text = (state.phase == .waiting ? "" : "is tried again: ") + reason
      if let known = fresh.firstIndex(where: { $0.reason == text }) {
        fresh[known].names.append(state.name)
      } else {
        fresh.append((text, [state.name]))
      }
    }
    for (reason, names) in fresh {
      clear()
      let others = names.count > 1 ? " (and \(names.count - 1) more)" : ""
      console.note("\(names[0])\(others) \(reason)")
    }
  }

  func show(_ states: [RunnerJobState]) {
    tell(states)
    let interval = console.errorIsTerminal ? 0.25 : 5
    let passed = Progress.now() - lastShown
    guard passed >= interval else { return }
    lastShown = Progress.now()
    let rows = states.reduce(0) { $0 + $1.counters.rowsIn }
    let rate = Double(rows - lastRows) / max(passed, 0.001)
    lastRows = rows
    let drained = states.filter { $0.phase == .drained }.count
    var parts = [
      "\(DisplayText.grouped(Int(rows))) rows taken", "\(DisplayText.grouped(Int(rate))) rows/s",
    ]
    if drained > 0 { parts.append("\(drained) of \(states.count) jobs drained") }
    let behind = states.compactMap { state -> String? in
      let left = state.counters.sources.values.compactMap(\.backlog).reduce(0, +)
      return left > 0 && state.phase == .running ? state.name : nil
    }
    if let first = behind.first { parts.append("at work: \(first)") }
    if let waiting = states.lazy.compactMap(\.counters.waiting).first { parts.append(waiting) }
    let failed = states.filter { [.failed, .retrying, .waiting, .quarantined].contains($0.phase) }
    if let first = failed.first { parts.append("\(first.name) \(first.phase.rawValue)") }
    let line = parts.joined(separator: ", ")
    if console.errorIsTerminal {
      Console.writeError("\r\u{1b}[K" + line)
      hasLine = true
    } else {
      Console.writeError(line + "\n")
    }
  }

  func clear() {
    if hasLine { Console.writeError("\r\u{1b}[K") }
    hasLine = false
  }
}
