import Columns
import Dataflow
import Store

/// Which source tables play the state of joins: where a source's primary key is the join key, the table itself
/// is looked up, and the job keeps no state of that side.
///
/// `table.optimizer.delta-join.strategy` decides, as in Flink: `AUTO` plays tables that jobs of the project
/// write (their changes are exact, and their files are made to be looked up), `FORCE` every table that can be
/// played, `NONE` none.
enum SourcePlay {
  enum Strategy: String { case auto, force, none }

  static let option = "table.optimizer.delta-join.strategy"

  static func strategy(_ settings: [String: String]) -> Strategy? {
    Strategy(rawValue: (settings[option] ?? "auto").lowercased())
  }

  /// Tables that the jobs of a project write, and one of them might play.
  static func lookedUp(_ jobs: [JobSpec]) -> Set<TableName> {
    var targets: Set<TableName> = []
    var read: Set<TableName> = []
    for job in jobs where !job.isRefresh {
      if case .table(let name) = job.target { targets.insert(name) }
      if strategy(job.settings) == Strategy.none { continue }
      read.formUnion(candidates(job.plan, job).map(\.1))
    }
    return targets.intersection(read)
  }

  /// Sources of a plan that are tables, as they are now, and could be played by their place in it.
  private static func candidates(_ plan: Plan, _ spec: JobSpec) -> [(String, TableName)] {
    plan.playableSides.compactMap { side in
      guard case .table(let name, let options)? = spec.sources[side.source.reference],
        options.isEmpty
      else { return nil }
      return (side.source.reference, name)
    }
  }

  /// Tables that a job which begins now would play, as the specs have them.
  static func planned(
    _ job: JobSpec, _ project: Project
  ) throws(TerraceError) -> [TableName] {
    let strategy = strategy(job.settings)
    if strategy == Strategy.none || job.isRefresh { return [] }
    let own = lookedUp(project.jobs)
    var found: [TableName] = []
    for (_, name) in candidates(job.plan, job) where strategy == .force || own.contains(name) {
      guard let table = project.tables.first(where: { $0.name == name }),
        try mayPlay(table.schema(timeMillis: 0))
      else { continue }
      found.append(name)
    }
    return found
  }

  /// References of the sources that play when the job begins, and of all that may go on playing.
  ///
  /// - Throws: `unsupported` where playing is forced and no table can.
  static func references(
    _ plan: Plan, _ spec: JobSpec, _ environment: JobEnvironment
  ) throws(TerraceError) -> (plays: Set<String>, mayPlay: Set<String>) {
    guard let strategy = strategy(spec.settings), strategy != .none else { return ([], []) }
    var plays: Set<String> = []
    var mayPlay: Set<String> = []
    for (reference, name) in candidates(plan, spec) {
      let path = try environment.warehouse.path(of: name)
      let table = try Table.open(
        environment.warehouse.environment, path.root, branch: path.branch)
      guard try SourcePlay.mayPlay(table.schema) else { continue }
      mayPlay.insert(reference)
      if strategy == .force || environment.lookedUp.contains(name) { plays.insert(reference) }
    }
    if strategy == .force, plays.isEmpty, plan.hasJoins {
      throw TerraceError(
        .unsupported, "a join without state where no source table's primary key is the join key",
        hint: "'\(option)' = 'AUTO' keeps state where it must"
      ).with("job", spec.name)
    }
    return (plays, mayPlay)
  }

  /// Whether a snapshot of the table holds just what all changes up to it make.
  private static func mayPlay(_ schema: TableSchema) throws(TerraceError) -> Bool {
    let producer = try schema.options.changelogProducer
    let changing = [
      "sequence.field", "rowkind.field", "record-level.expire-time", "deletion-vectors.enabled",
    ]
    return try TargetRows.mayPlay(schema) && [.none, .input].contains(producer)
      && changing.allSatisfy { schema.options[$0] == nil }
  }
}

extension Plan {
  fileprivate var hasJoins: Bool {
    if case .join(let join) = self, !join.leftKeys.isEmpty { return true }
    return inputs.contains(where: \.hasJoins)
  }
}
