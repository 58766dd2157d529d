import Columns
import Connectors
import Dataflow
import SQL
import Store

/// Makes jobs of the INSERTs of all files: those into one table are one job.
struct JobLoader {
  private struct Part {
    var plan: Plan
    var eventTimes: Set<Int>
    var sources: [String: JobSpec.Source]
    var settings: [String: String]
    var freshnessMillis: Int64?
    var text: String
    var isRefresh = false
    var sync: SyncTable?
  }

  private let specs: SpecBinder
  private let config: ProjectConfig
  private(set) var problems: [TerraceError] = []
  private var order: [String] = []
  private var parts: [String: [Part]] = [:]
  private var targets: [String: (target: JobSpec.Target, key: [String])] = [:]

  init(_ specs: SpecBinder, _ config: ProjectConfig) {
    self.specs = specs
    self.config = config
  }

  mutating func add(_ file: SpecFile) {
    if let bound = specs.queries[file.name], let table = specs.tables[file.name] {
      var freshness: Int64?
      if case .materialized(let create)? = file.table?.kind {
        do throws(TerraceError) { freshness = try JobLoader.freshness(create, file) } catch {
          problems.append(file.text.placed(error, create.freshnessSpan ?? create.name.span))
        }
      }
      put(
        Part(
          plan: bound.query.plan, eventTimes: bound.query.eventTimes,
          sources: bound.catalog.sources, settings: file.settings,
          freshnessMillis: freshness ?? (file.isRefreshed ? JobLoader.refreshMillis : nil),
          text: file.sql, isRefresh: file.isRefreshed),
        into: file.name.description, .table(file.name), key: table.shape.primaryKey)
    }
    for insert in file.inserts {
      do throws(TerraceError) { try bind(insert, file) } catch {
        problems.append(file.text.placed(error, insert.span))
      }
    }
  }

  private mutating func bind(_ insert: SpecFile.Insert, _ file: SpecFile) throws(TerraceError) {
    let syntax = insert.syntax
    if syntax.isOverwrite {
      throw file.text.unsupported(
        "INSERT OVERWRITE in a stream", at: syntax.target.span,
        hint: "write INSERT INTO; “terrace sql” overwrites once")
    }
    let catalog = SpecCatalog(specs, file)
    let binder = Binder(file.text, resolver: catalog, isStreaming: true)
    let path = syntax.target
    if path.parts.count == 1,
      let create = file.connectors.first(where: { $0.name.last.text == path.last.text })
    {
      let (shape, table) = try specs.connector(create, file)
      try specs.check(table, shape, isSource: false, file)
      let sink = shape.sink(table, takesChanges: JobLoader.takesChanges(table))
      let bound = try binder.bind(syntax, into: sink)
      let name = TableName(database: file.layer, table: table.name)
      var isTaken = specs.isDeclared(name)
      if case .connector(let other)? = targets[name.description]?.target {
        isTaken = other != table
      }
      if isTaken {
        throw file.text.error(
          "another file of the layer '\(file.layer)' has another table of the name '\(table.name)'",
          at: path.span, hint: "the job is called \(name) after it: give one of them another name")
      }
      put(
        part(bound, catalog, file), into: name.description, .connector(table),
        key: shape.primaryKey)
      return
    }
    guard let name = file.target(path), let table = try specs.known(name) else {
      if let name = file.target(path), specs.isDeclared(name) { return }
      throw file.text.error(
        "table '\(path.text)' not found", at: path.span,
        hint: NearestName.hint(path.text, among: catalog.tableNames)
          ?? "a spec under layers/ makes it")
    }
    if specs.isRefreshed(name) {
      throw file.text.error(
        "\(name) is made anew as a whole (REFRESH_MODE = FULL): nothing else can write to it",
        at: path.span)
    }
    let bound = try binder.bind(syntax, into: specs.sink(table))
    if bound.onConflict != nil, !bound.plan.isAppendOnly {
      throw file.text.unsupported(
        "ON CONFLICT with a query that takes rows back", at: syntax.target.span,
        hint: "make the primary key of the table the key of the query")
    }
    put(
      part(bound, catalog, file), into: name.description, .table(name), key: table.shape.primaryKey)
  }

  /// FRESHNESS of REFRESH_MODE = FULL where none is given: an hour, as in Flink.
  private static let refreshMillis: Int64 = 3_600_000

  /// Sinks that keep every change and need no key to update by.
  private static func takesChanges(_ table: ConnectorTable) -> Bool {
    ["print", "blackhole"].contains(table.options["connector"])
      || ["debezium-json", "canal-json", "maxwell-json", "ogg-json"]
        .contains(table.options["value.format"] ?? table.options["format"])
  }

  private func part(_ bound: BoundInsert, _ catalog: SpecCatalog, _ file: SpecFile) -> Part {
    Part(
      plan: bound.plan, eventTimes: bound.eventTimes, sources: catalog.sources,
      settings: file.settings, text: file.sql, sync: file.sync)
  }

  private mutating func put(
    _ part: Part, into name: String, _ target: JobSpec.Target, key: [String]
  ) {
    if parts[name] == nil {
      order.append(name)
      targets[name] = (target, key)
    }
    parts[name, default: []].append(part)
  }

  private static func freshness(
    _ create: CreateMaterializedTableSyntax, _ file: SpecFile
  ) throws(TerraceError) -> Int64? {
    guard let interval = create.freshness else { return nil }
    let units: [TimeUnit: Int64] = [
      .second: 1_000, .minute: 60_000, .hour: 3_600_000, .day: 86_400_000,
    ]
    guard let unit = units[interval.from], interval.to == nil, let count = Int64(interval.text),
      count > 0, count < 1_000_000
    else {
      throw file.text.error(
        "FRESHNESS is a whole number of seconds, minutes, hours or days",
        at: create.freshnessSpan ?? create.name.span)
    }
    return count * unit
  }

  /// For each job the text of its files.
  var texts: [String: String] {
    parts.mapValues { parts in
      var texts: [String] = []
      for part in parts where !texts.contains(part.text) { texts.append(part.text) }
      return texts.joined(separator: "\n")
    }
  }

  /// All jobs, in the order in which the files name their targets.
  var jobs: [JobSpec] {
    order.compactMap { name in
      guard let parts = parts[name], let (target, key) = targets[name] else { return nil }
      let plan = parts.count == 1 ? parts[0].plan : .union(parts.map(\.plan))
      var sources: [String: JobSpec.Source] = [:]
      var settings = config.values
      for part in parts {
        sources.merge(part.sources) { first, _ in first }
        settings.merge(part.settings) { $1 }
      }
      // A name that was looked up is no source unless the plan reads it.
      let read = Set(plan.sources.map(\.reference))
      sources = sources.filter { read.contains($0.key) }
      var spec = JobSpec(
        name: name, target: target, plan: plan,
        eventTimes: parts.dropFirst().reduce(parts[0].eventTimes) {
          $0.intersection($1.eventTimes)
        },
        sources: sources,
        freshnessMillis: parts.compactMap(\.freshnessMillis).min()
          ?? JobLoader.interval(settings), settings: settings,
        fingerprint: PlanIdentity.fingerprint(plan, sources, key))
      spec.isRefresh = parts[0].isRefresh
      if parts.allSatisfy({ $0.sync != nil }), let sync = parts[0].sync {
        // It survives columns that come and go.
        spec.fingerprint = sync.identity
        spec.sync = sync
      }
      return spec
    }
  }

  private static func interval(_ settings: [String: String]) -> Int64? {
    // A value that is none was refused when the settings were read.
    (try? TableOptions(settings).millis("execution.checkpointing.interval")) ?? nil
  }
}
