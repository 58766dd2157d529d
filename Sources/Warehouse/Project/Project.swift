import Columns
import Connectors
import Dataflow
import SQL
import Store

/// A project as its files say it: tables, and the jobs that fill them, upstream before downstream.
package struct Project: Sendable {
  /// Something that rows come from or go to.
  package enum Node: Hashable, Sendable {
    case table(TableName)
    /// A table with a connector, under the file that declares it.
    case outside(name: String, connector: String)

    package var text: String {
      switch self {
      case .table(let name): name.description
      case .outside(let name, _): name
      }
    }
  }

  package struct Edge: Hashable, Sendable {
    package var from: Node
    package var to: Node
    package var job: String
  }

  package let folder: String
  package let config: ProjectConfig
  package let layers: [String]
  package let tables: [ProjectTable]
  package let jobs: [JobSpec]
  package let edges: [Edge]
  /// The text of the files that each job is made of.
  package let files: [String: String]
  /// What a person should know of the specs.
  package let warnings: [String]
  /// Tables that follow those of servers.
  package let synced: [SyncTable]
  /// Jobs that are wanted and cannot be made now.
  package let absent: [AbsentJob]

  /// Reads and binds everything.
  ///
  /// - Parameter expand: makes specs of statements that sync tables.
  /// - Returns: the project, or all that is wrong with its specs.
  /// - Throws: what keeps it from being read at all.
  static func load(
    folder: String, config: ProjectConfig, _ warehouse: OpenWarehouse,
    _ connectors: ConnectorDoor,
    expand: ([SyncStatement], [CatalogDefinition]) throws(TerraceError) -> SyncExpansion
  ) throws(TerraceError) -> (project: Project?, problems: [TerraceError]) {
    let layers = try config.layers
    let written = try SpecFile.readAll(folder: folder, layers: layers, warehouse.environment)
    var (catalogs, problems) = try CatalogDefinition.readAll(folder: folder, warehouse.environment)
    problems += written.flatMap(\.problems)
    catalogs += written.flatMap(\.catalogs)
    problems += Project.doubles(catalogs)
    if !problems.isEmpty { return (nil, problems) }
    let expansion = try expand(written.flatMap(\.syncs), catalogs)
    problems = expansion.problems + Project.doubles(expansion, written)
    let files = written.filter { $0.syncs.isEmpty } + expansion.files
    problems += SpecGraph(files, layers: layers).problems()
    if !problems.isEmpty { return (nil, problems) }
    var present = PresentSpecs(files, expansion.absent, layers: layers, warehouse)
    while true {
      try present.leaveOutReaders()
      let specs = SpecBinder(
        present.files, catalogs: catalogs.map(\.name), folder: folder, config, warehouse,
        connectors)
      specs.bindTables()
      var loader = JobLoader(specs, config)
      for file in present.files { loader.add(file) }
      problems = specs.problems + loader.problems
      if present.leaveOut(problems) { continue }
      if !problems.isEmpty { return (nil, problems.map(expansion.placed)) }
      let jobs = Project.ordered(loader.jobs)
      problems = TagCheck(jobs, specs.tables).problems
      if !problems.isEmpty { return (nil, problems.map(expansion.placed)) }
      let kept = Set(specs.tables.keys)
      return (
        Project(
          folder: folder, config: config, layers: layers,
          tables: present.files.compactMap { specs.tables[$0.name] }, jobs: jobs,
          edges: jobs.flatMap(Project.edges), files: loader.texts,
          warnings: written.flatMap(\.warnings) + expansion.warnings + specs.warnings
            + present.absent.map(\.warning),
          synced: expansion.tables.filter { kept.contains($0.name) }, absent: present.absent), []
      )
    }
  }

  /// Whether a job is wanted, if it can be made now or not.
  func wants(_ job: String) -> Bool {
    jobs.contains { $0.name == job } || absent.contains { $0.covers(job) }
  }

  private static func doubles(_ catalogs: [CatalogDefinition]) -> [TerraceError] {
    var problems: [TerraceError] = []
    for (index, catalog) in catalogs.enumerated() {
      guard let other = catalogs[..<index].first(where: { $0.name == catalog.name }) else {
        continue
      }
      let line = other.text.position(Int(other.span.start)).line
      problems.append(
        catalog.text.placed(
          TerraceError(
            .invalid, "catalog \(catalog.name) is made twice",
            hint: "the other one is \(other.text.name):\(line)"), catalog.span))
    }
    return problems
  }

  /// Synced tables that a file of the same name makes as well.
  private static func doubles(_ expansion: SyncExpansion, _ written: [SpecFile]) -> [TerraceError] {
    expansion.tables.compactMap { table in
      guard let file = written.first(where: { $0.table != nil && $0.name == table.name }) else {
        return nil
      }
      return table.statement.placed(
        TerraceError(
          .invalid, "two statements make \(table.name)", hint: "the other one is in \(file.path)"))
    }
  }

  /// Upstream before downstream; there are no circles.
  private static func ordered(_ jobs: [JobSpec]) -> [JobSpec] {
    var ordered: [JobSpec] = []
    var seen: Set<String> = []
    func add(_ job: JobSpec) {
      if !seen.insert(job.name).inserted { return }
      for name in upstream(of: job, among: jobs) {
        if let above = jobs.first(where: { $0.name == name }) { add(above) }
      }
      ordered.append(job)
    }
    for job in jobs { add(job) }
    return ordered
  }

  /// Names of the jobs whose target a job reads.
  package static func upstream(of job: JobSpec, among jobs: [JobSpec]) -> [String] {
    let read = job.sources.values.compactMap { source -> TableName? in
      if case .table(let name, _) = source { return name }
      return nil
    }
    return jobs.filter { other in
      if case .table(let name) = other.target {
        return other.name != job.name && read.contains(name)
      }
      return false
    }.map(\.name)
  }

  static func edges(_ job: JobSpec) -> [Edge] {
    let to: Node
    switch job.target {
    case .table(let name): to = .table(name)
    case .connector(let table):
      to = .outside(name: table.name, connector: table.options["connector"] ?? "")
    }
    return job.sources.sorted { $0.key < $1.key }.map { _, source in
      switch source {
      case .table(let name, _): Edge(from: .table(name), to: to, job: job.name)
      case .connector(let table):
        Edge(
          from: .outside(name: table.name, connector: table.options["connector"] ?? ""), to: to,
          job: job.name)
      }
    }
  }
}
