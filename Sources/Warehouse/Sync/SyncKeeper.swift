import Catalog
import Columns
import Connectors
import Store
import Synchronization

/// Keeps tables that follow those of servers in step while their jobs run: columns that change, tables that
/// come. Its calls come from any thread.
final class SyncKeeper: Sendable {
  /// A table after its columns changed.
  struct Evolved {
    var spec: JobSpec
    /// Columns that nothing comes for any more.
    var dropped: Set<String>
  }

  private struct Found {
    var specs: [JobSpec] = []
    var notices: [String] = []
    var isAtWork = false
    var told: Set<String> = []
    var absent: [AbsentJob]
    /// Sources that came to tables which are there, by table.
    var shards: [String: [SyncSource]] = [:]
    /// Of these, the tables whose jobs nobody was told of.
    var grown: Set<String> = []
  }

  private let open: OpenProject
  private let metastore: Metastore
  private let tables: Mutex<[String: SyncTable]>
  private let found: Mutex<Found>
  let intervalMillis: Int64

  init(_ open: OpenProject, _ project: Project, _ metastore: Metastore) {
    self.open = open
    self.metastore = metastore
    let tables = project.synced
    self.tables = Mutex(
      Dictionary(tables.map { ($0.name.description, $0) }) { first, _ in first })
    found = Mutex(Found(told: Set(project.warnings), absent: project.absent))
    intervalMillis =
      (tables.map(\.statement.options.discoveryMillis)
      + project.absent.compactMap(\.askedAgainMillis)).min() ?? 60_000
  }

  // MARK: Columns

  /// Takes a change at the server over into the table; its job is at rest, and committed all before.
  ///
  /// - Throws: `invalid` for a change that cannot be followed: nothing was changed.
  func evolve(
    _ job: String, _ reference: String, _ drift: SchemaDrift
  ) throws(TerraceError) -> Evolved {
    guard let table = tables.withLock({ $0[job] }), let index = table.source(of: reference) else {
      throw TerraceError(
        .invalid, SyncKeeper.told(drift),
        hint: drift.isDropped
          ? "“terrace run --rebuild \(job)” reads what has its name now"
          : "take them into the spec, and apply it")
    }
    let path = try open.warehouse.path(of: table.name)
    let directory = SchemaDirectory(path, open.warehouse.environment)
    let current = try directory.latest()
    let change = try SyncEvolution(table, source: index, drift, current)
    let (old, new) = (table.sources[index], change.sources[index])
    if change.steps.isEmpty, old.shape == new.shape, old.renamed == new.renamed {
      // Else the job would come here again at once, for ever.
      throw TerraceError(
        .invalid, "\(old.name): \(drift.reason), and nothing here is another than before",
        hint: "\(table.name) stays as it is; drop it, and the next run makes it anew"
      ).with("table", table.name)
    }
    do throws(TerraceError) {
      let next = change.steps.isEmpty ? current : try directory.preview(change.steps)
      let new = try SyncTable(table.name, table.statement, change.sources, stored: next)
      let spec = try bound(new).spec
      if !change.steps.isEmpty { try directory.change(change.steps) }
      try register(new, bound(new))
      tables.withLock { $0[job] = new }
      return Evolved(spec: spec, dropped: change.dropped)
    } catch {
      if error.kind == .unavailable || error.kind == .conflict { throw error }
      throw TerraceError(
        .invalid, "\(table.sources[index].name): \(error.message) (\(drift.reason))",
        hint: error.hint
      ).with("table", table.name)
    }
  }

  static func told(_ drift: SchemaDrift) -> String {
    drift.isDropped
      ? "the table it reads is gone: \(drift.reason)"
      : "its source has other columns now: \(drift.reason)"
  }

  private struct Bound {
    var spec: JobSpec
    var table: ProjectTable
    var text: String
  }

  private func bound(_ table: SyncTable) throws(TerraceError) -> Bound {
    let file = SyncExpansion.file(table)
    let specs = SpecBinder(
      [file], folder: open.folder, open.config, open.warehouse, open.connectors)
    specs.bindTables()
    var loader = JobLoader(specs, open.config)
    loader.add(file)
    if let problem = (file.problems + specs.problems + loader.problems).first {
      throw TerraceError(problem.kind, problem.message, hint: problem.hint)
    }
    guard let spec = loader.jobs.first, let made = specs.tables[table.name] else {
      throw TerraceError(.invalid, "the table makes no job")
    }
    return Bound(spec: spec, table: made, text: loader.texts[spec.name] ?? "")
  }

  private func register(_ table: SyncTable, _ bound: Bound) throws(TerraceError) {
    let now = open.warehouse.environment.time.nowMillis()
    let metastore = self.metastore
    let location = open.warehouse.location.path
    try metastore.transaction { () throws(TerraceError) in
      try SyncMemory.remember(table, metastore, nowMillis: now)
      let name = table.name
      try metastore.register(
        database: name.database, location: location + "/" + name.database + ".db")
      try metastore.register(database: name.database, table: name.table)
      try metastore.put(
        SchemaRow(
          table: name.description, layer: name.database, ddl: bound.table.sql,
          hash: TextHash.digits(bound.table.sql), updatedMillis: now))
      let old = try metastore.job(bound.spec.name)
      try metastore.put(
        JobRow(
          name: bound.spec.name, target: bound.spec.targetText,
          fingerprint: bound.spec.fingerprint, spec: bound.text, state: old?.state ?? "new",
          counters: old?.counters ?? "{}", updatedMillis: now))
      try metastore.replaceLineage(
        of: bound.spec.name,
        Project.edges(bound.spec).map {
          LineageEdge(from: $0.from.text, to: $0.to.text, job: $0.job)
        })
    }
  }

  // MARK: Tables

  /// Whether this call is to look for new tables; the next one is not until that is done.
  func begin() -> Bool {
    found.withLock { found in
      if found.isAtWork { return false }
      found.isAtWork = true
      return true
    }
  }

  /// Asks the servers for tables that are not known, and makes them here. May take long.
  func discover() {
    defer { found.withLock { $0.isAtWork = false } }
    do throws(TerraceError) {
      let (loaded, problems) = try open.load(leavesOutWrong: true)
      guard let project = loaded else {
        return tell(problems.first.map { "new tables are not looked for: \($0.message)" })
      }
      for warning in project.warnings { tell(warning) }
      defer { found.withLock { $0.absent = project.absent } }
      for table in project.synced {
        if let known = tables.withLock({ $0[table.name.description] }) {
          offer(table, known)
          continue
        }
        do throws(TerraceError) {
          let bound = try bound(table)
          try make(bound.table)
          try register(table, bound)
          tables.withLock { $0[table.name.description] = table }
          found.withLock { $0.specs.append(bound.spec) }
          let names = table.sources.map(\.name).joined(separator: ", ")
          tell("\(table.name) is new: it follows \(names)")
        } catch { tell("\(table.name) is left out: \(error.message)") }
      }
    } catch { tell("new tables are not looked for: \(error.message)") }
  }

  // MARK: Shards

  /// Notes what came to a table whose job is at work: it takes that in when it is at rest.
  private func offer(_ table: SyncTable, _ known: SyncTable) {
    let came = table.sources.filter { source in !known.sources.contains { $0.name == source.name } }
    let job = table.name.description
    if came.isEmpty { return }
    do throws(TerraceError) { _ = try grown(known, by: came) } catch {
      let names = came.map(\.name).joined(separator: ", ")
      return tell("\(names) is left out of \(job): \(error.message)")
    }
    found.withLock { found in
      found.shards[job] = came
      found.grown.insert(job)
    }
  }

  private struct Grown {
    var table: SyncTable
    var bound: Bound
    var steps: [SchemaChange]
  }

  /// A table with more sources, and what that does to its columns.
  private func grown(
    _ known: SyncTable, by came: [SyncSource]
  ) throws(TerraceError) -> Grown {
    let directory = SchemaDirectory(
      try open.warehouse.path(of: known.name), open.warehouse.environment)
    let current = try directory.latest()
    let table = try SyncTable(
      known.name, known.statement, known.sources + came, stored: current)
    let bound = try bound(table)
    let wanted = try bound.table.schema(timeMillis: 0)
    let steps = ProjectChanges.steps(from: current, to: wanted).steps
    if !steps.isEmpty { _ = try directory.preview(steps) }
    return Grown(table: table, bound: bound, steps: steps)
  }

  /// The job of a table with the shards that came, which are there from now on; it is at rest. Nil when there are
  /// none, or when they cannot be taken any more.
  func grown(_ job: String) throws(TerraceError) -> JobSpec? {
    let came = found.withLock { $0.shards.removeValue(forKey: job) ?? [] }
    guard let known = tables.withLock({ $0[job] }), !came.isEmpty else { return nil }
    do throws(TerraceError) {
      let grown = try grown(known, by: came)
      if !grown.steps.isEmpty {
        let path = try open.warehouse.path(of: known.name)
        try SchemaDirectory(path, open.warehouse.environment).change(grown.steps)
      }
      try register(grown.table, grown.bound)
      tables.withLock { $0[job] = grown.table }
      tell("\(job) has more to follow: \(came.map(\.name).joined(separator: ", "))")
      return grown.bound.spec
    } catch {
      if error.kind == .unavailable || error.kind == .conflict { throw error }
      tell("\(job) stays as it is: \(error.message)")
      return nil
    }
  }

  private func make(_ table: ProjectTable) throws(TerraceError) {
    let warehouse = open.warehouse
    _ = try warehouse.create(database: table.name.database)
    if try warehouse.has(table.name) { return }
    let now = warehouse.environment.time.nowMillis()
    _ = try warehouse.create(table.name, try table.schema(timeMillis: now))
  }

  /// Says a thing once.
  private func tell(_ notice: String?) {
    guard let notice else { return }
    found.withLock { found in
      if found.told.insert(notice).inserted { found.notices.append(notice) }
    }
  }

  /// What was found since the last call.
  func takeFound() -> (specs: [JobSpec], grown: Set<String>, notices: [String]) {
    found.withLock { found in
      defer {
        found.specs = []
        found.grown = []
        found.notices = []
      }
      return (found.specs, found.grown, found.notices)
    }
  }

  /// Why a job cannot be made yet; nil when it can, and those that came of it were taken.
  func obstacle(of job: String) -> TerraceError? {
    found.withLock { $0.absent.first { $0.name == job }?.reason }
  }

  /// Whether jobs were found that nobody has taken.
  var hasFound: Bool { found.withLock { !$0.specs.isEmpty } }
}
