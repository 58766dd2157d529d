import Columns
import Dataflow
import Store

/// Opens a job's target, and makes the plan fit it.
enum TargetOpening {
  static func open(
    _ spec: JobSpec, _ environment: JobEnvironment
  ) throws(TerraceError) -> (target: any JobTarget, plan: JobPlan) {
    switch spec.target {
    case .table(let name): return try table(name, spec, environment)
    case .connector(let connector):
      let plan = try played(JobPlan(spec, targetKey: [], environment.connectors), spec, environment)
      let target = try SinkTarget(
        connector, job: spec.name, isAppendOnly: plan.isAppendOnly, environment)
      return (target, plan)
    }
  }

  private static func played(
    _ plan: JobPlan, _ spec: JobSpec, _ environment: JobEnvironment
  ) throws(TerraceError) -> JobPlan {
    var plan = plan
    (plan.plays, plan.mayPlay) = try SourcePlay.references(plan.plan, spec, environment)
    return plan
  }

  private static func table(
    _ name: TableName, _ spec: JobSpec, _ environment: JobEnvironment
  ) throws(TerraceError) -> (target: any JobTarget, plan: JobPlan) {
    try environment.warehouse.mustHave(name)
    let path = try environment.warehouse.path(of: name)
    let table = try Table.open(
      environment.warehouse.environment, path.root, branch: path.branch)
    let schema = table.schema
    let key = schema.indices(of: schema.primaryKeys)
    let plan = try played(
      JobPlan(
        spec, targetKey: key, mayPlay: try TargetRows.mayPlay(schema), environment.connectors),
      spec, environment)
    if !plan.isAppendOnly, key.isEmpty {
      throw TerraceError(
        .invalid, "the query takes rows back, and \(name) has no primary key",
        hint: "give the table a PRIMARY KEY (…) NOT ENFORCED")
    }
    let given = plan.plan.type.fields
    guard given.count == schema.fields.count,
      zip(given, schema.fields).allSatisfy({ $0.type.hasValues(of: $1.type) })
    else {
      throw TerraceError(
        .invalid, "the query's columns are not those of \(name) any more",
        hint:
          "“terrace run --rebuild \(name)” makes it anew with them; “terrace plan” shows what changed"
      ).with("query", given.map { "\($0.name) \($0.type.text)" }.joined(separator: ", "))
        .with("table", schema.fields.map { "\($0.name) \($0.type.text)" }.joined(separator: ", "))
    }
    for option in ["sequence.field", "rowkind.field"] where schema.options[option] != nil {
      throw TerraceError(.unsupported, "\(option) on the target of a job").with("table", name)
    }
    let isLookedUp =
      plan.playedColumns != nil || (!key.isEmpty && environment.lookedUp.contains(name))
    let target = try TableTarget(
      name, try isLookedUp ? TargetRows.opened(table) : table, job: spec.name,
      isAppendOnly: plan.isAppendOnly, key: key,
      budget: environment.budget, changes: environment.changes)
    return (target, plan)
  }
}
