import Columns
import Connectors
import Dataflow
import SQL
import Store

/// A job's plan made ready to run: upserts become exact changes by key, below and on top.
struct JobPlan {
  let plan: Plan
  /// The rows of the spec's plan are only ever added, and so are the target's.
  let isAppendOnly: Bool
  /// Where an epoch ends shows in the state: it must be committed with every epoch.
  let needsStateEachEpoch: Bool

  /// - Parameter targetKey: columns of the result that are the target's primary key.
  init(
    _ spec: JobSpec, targetKey: [Int], _ connectors: ConnectorDoor
  ) throws(TerraceError) {
    var keyed: [Plan.Source: Plan] = [:]
    for source in spec.plan.sources {
      guard case .connector(let table)? = spec.sources[source.reference] else { continue }
      if try JobPlan.tellsUpserts(table, spec, connectors) {
        keyed[source] = try JobPlan.upsert(source, table)
      }
    }
    func rewritten(_ plan: Plan) -> Plan {
      if case .source(let source) = plan { return keyed[source] ?? plan }
      return plan.mapInputs(rewritten)
    }
    var plan = rewritten(spec.plan)
    isAppendOnly = plan.isAppendOnly && targetKey.isEmpty
    if plan.isAppendOnly, !targetKey.isEmpty {
      plan = .upsert(Plan.Upsert(input: plan, key: targetKey))
    }
    self.plan = plan
    needsStateEachEpoch = !plan.isDeterministic || plan.hasWindows
  }

  private static func tellsUpserts(
    _ table: ConnectorTable, _ spec: JobSpec, _ connectors: ConnectorDoor
  ) throws(TerraceError) -> Bool {
    switch try connectors.style(table) {
    case .inserts: return false
    case .upserts: return true
    case .retractions:
      // A stream that may repeat itself is trusted for its last row of a key only.
      let option = "table.exec.source.cdc-events-duplicate"
      return try TableOptions(spec.settings).flag(option, false)
    }
  }

  /// The source with its key's columns, made exact; then the columns that are asked for.
  private static func upsert(
    _ source: Plan.Source, _ table: ConnectorTable
  ) throws(TerraceError) -> Plan {
    guard !table.primaryKey.isEmpty else {
      throw TerraceError(
        .invalid, "a stream that tells only the last row of a key needs a PRIMARY KEY",
        hint: "add PRIMARY KEY (…) NOT ENFORCED to the table"
      ).with("table", table.name)
    }
    var wide = source
    wide.predicate = .always
    wide.isAppendOnly = true
    wide.primaryKey = []
    var key: [Int] = []
    for name in table.primaryKey {
      guard let field = source.tableType.index(of: name) else {
        throw TerraceError(.invalid, "the primary key has a column that is not there")
          .with("column", name).with("table", table.name)
      }
      if let place = wide.columns.firstIndex(of: field) {
        key.append(place)
      } else {
        key.append(wide.columns.count)
        wide.columns.append(field)
      }
    }
    let unchanged = try addUnchanged(to: &wide, table)
    let exact = Plan.upsert(Plan.Upsert(input: .source(wide), key: key, unchanged: unchanged))
    let fields = exact.type.fields
    if fields.count == source.columns.count && source.predicate == .always { return exact }
    let shown = Array(fields.prefix(source.columns.count))
    return .map(
      Plan.Map(
        input: exact, condition: condition(source.predicate, shown),
        expressions: shown.enumerated().map { .column($0.offset, $0.element.type) },
        names: shown.map(\.name)))
  }

  /// Asks for the column that says which values a record leaves out; its bits, by column read.
  private static func addUnchanged(
    to source: inout Plan.Source, _ table: ConnectorTable
  ) throws(TerraceError) -> [Int] {
    let name = ConnectorTable.unchangedColumn
    guard source.tableType.index(of: name) == nil else {
      throw TerraceError(.unsupported, "a column named \(name)").with("table", table.name)
    }
    let bits = source.columns.map { table.declared.index(of: source.tableType.fields[$0].name) }
    source.columns.append(source.tableType.count)
    source.tableType = RowType(
      source.tableType.fields.map { ($0.name, $0.type) } + [(name, .bytes)])
    return bits.map { $0 ?? -1 }
  }

  /// A predicate as an expression: below the keyed step it would bring back rows that it leaves out.
  private static func condition(_ predicate: Columns.Predicate, _ fields: [Field]) -> Expression? {
    func column(_ c: Int) -> Expression { .column(c, fields[c].type) }
    func literal(_ c: Int, _ value: Scalar) -> Expression {
      .literal(value, fields[c].type.notNull)
    }
    func expression(_ predicate: Columns.Predicate) -> Expression {
      switch predicate {
      case .always: .literal(.boolean(true), DataType.boolean.notNull)
      case .never: .literal(.boolean(false), DataType.boolean.notNull)
      case .compare(let c, let comparison, let value):
        .compare(comparison, column(c), literal(c, value))
      case .isIn(let c, let values): .inList(column(c), values)
      case .isNull(let c): .isNull(column(c))
      case .isNotNull(let c): .isNotNull(column(c))
      case .like(let c, let pattern):
        .like(
          column(c), pattern: .literal(.bytes(pattern), DataType.string.notNull), escape: nil)
      case .and(let parts): .and(parts.map(expression))
      case .or(let parts): .or(parts.map(expression))
      case .not(let part): .not(expression(part))
      }
    }
    return predicate == .always ? nil : expression(predicate)
  }
}

extension Plan {
  /// Rows may come too late, and which do depends on where epochs end.
  var hasWindows: Bool {
    if case .windowAggregate = self { return true }
    return inputs.contains(where: \.hasWindows)
  }
}
