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
  /// The target plays the state of the plan's upsert: its columns, those of the key first. Nil: it does not.
  let playedColumns: [Int]?
  /// Source tables that play the state of joins, by reference: those of a job that begins, until its root says
  /// which do.
  var plays: Set<String> = []
  /// Those that can.
  var mayPlay: Set<String> = []
  /// Rows of the one source whose keys are new to it are new to the target: they may go there directly.
  let takesNewRows: Bool

  /// - Parameters:
  ///   - targetKey: columns of the result that are the target's primary key.
  ///   - mayPlay: the target holds just what is written to it, and can be looked up by its key.
  init(
    _ spec: JobSpec, targetKey: [Int], mayPlay: Bool = false, _ connectors: ConnectorDoor
  ) throws(TerraceError) {
    var keyed: [Plan.Source: Plan] = [:]
    for source in spec.plan.sources {
      guard case .connector(let table)? = spec.sources[source.reference] else { continue }
      if let key = try JobPlan.upsertKey(table, spec, connectors) {
        keyed[source] = try JobPlan.upsert(source, table, key: key)
      }
    }
    func rewritten(_ plan: Plan) -> Plan {
      if case .source(let source) = plan { return keyed[source] ?? plan }
      return plan.mapInputs(rewritten)
    }
    var plan = rewritten(spec.plan)
    let lifted = try SyncPlan(spec, key: targetKey) {
      (source) throws(TerraceError) -> (wide: Plan.Source, bits: [Int])? in
      guard keyed[source] != nil, case .connector(let table)? = spec.sources[source.reference]
      else { return nil }
      var wide = source
      wide.isAppendOnly = true
      wide.primaryKey = []
      let bits = try JobPlan.addUnchanged(to: &wide, table)
      return (wide, bits)
    }
    if let lifted { plan = lifted.plan }
    isAppendOnly = plan.isAppendOnly && targetKey.isEmpty
    if plan.isAppendOnly, !targetKey.isEmpty {
      plan = .upsert(Plan.Upsert(input: plan, key: targetKey))
    }
    if mayPlay, let played = Played(plan, key: targetKey) {
      plan = played.plan
      playedColumns = played.columns
    } else {
      playedColumns = nil
    }
    takesNewRows = playedColumns != nil && JobPlan.keepsKeys(plan, spec)
    self.plan = plan
    needsStateEachEpoch = !plan.isDeterministic || plan.hasWindows
  }

  /// Whether the key of the upsert on top is, or holds, the primary key of the only source.
  private static func keepsKeys(_ plan: Plan, _ spec: JobSpec) -> Bool {
    guard plan.sources.count == 1 else { return false }
    var upsert = plan
    if case .map(let map) = plan { upsert = map.input }
    guard case .upsert(let node) = upsert else { return false }
    var key = Set(node.key)
    var input = node.input
    if case .map(let map) = input {
      key = Set(key.compactMap { map.expressions[$0].column })
      input = map.input
    }
    guard case .source(let source) = input,
      case .connector(let table)? = spec.sources[source.reference], !table.primaryKey.isEmpty
    else { return false }
    let names = Set(key.map { source.tableType.fields[source.columns[$0]].name })
    return names.isSuperset(of: table.primaryKey)
  }

  /// The columns of which a source tells the last row only; nil for one that tells what goes.
  private static func upsertKey(
    _ table: ConnectorTable, _ spec: JobSpec, _ connectors: ConnectorDoor
  ) throws(TerraceError) -> [String]? {
    switch try connectors.style(table) {
    case .inserts: return nil
    case .upserts: return table.primaryKey
    case .retractions:
      // Of a row that goes, these are not what they were when it came.
      if !table.primaryKey.isEmpty,
        table.metadata.contains(where: { LogMetadata.isOfChange($0.key) })
      {
        return table.primaryKey
          + LogMetadata.origins(table).filter { !table.primaryKey.contains($0) }
      }
      // A stream that may repeat itself is trusted for its last row of a key only.
      let option = "table.exec.source.cdc-events-duplicate"
      return try TableOptions(spec.settings).flag(option, false) ? table.primaryKey : nil
    }
  }

  /// The source with its key's columns, made exact; then the columns that are asked for.
  private static func upsert(
    _ source: Plan.Source, _ table: ConnectorTable, key names: [String]
  ) throws(TerraceError) -> Plan {
    guard !names.isEmpty else {
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
    for name in names {
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

/// A plan at whose top the last row of each key is kept, under the key of the target and with all its columns:
/// the target holds these rows as well, and can play the state.
private struct Played {
  let plan: Plan
  /// Columns of the target, in the order of the state: the key, then the others.
  let columns: [Int]

  init?(_ plan: Plan, key: [Int]) {
    let types = plan.type.fields.map(\.type)
    // Zero and minus zero are one key here and two in a table.
    let isFloat = key.contains { [.float32, .float64].contains(types[$0].physical) }
    if key.isEmpty || isFloat { return nil }
    switch plan {
    case .upsert(var node):
      guard Set(node.key) == Set(key) else { return nil }
      columns = node.key + types.indices.filter { !key.contains($0) }
      node.isPlayed = true
      self.plan = .upsert(node)
    case .map(var map):
      // Rows that a condition leaves out are nowhere in the target.
      guard case .upsert(var node) = map.input, map.condition == nil else { return nil }
      var places: [Int: Int] = [:]
      for (place, expression) in map.expressions.enumerated() {
        if let column = expression.column { places[column] = places[column] ?? place }
      }
      let width = map.input.type.count
      let rest = (0..<width).filter { !node.key.contains($0) }
      let found = (node.key + rest).compactMap { places[$0] }
      guard found.count == width, Set(found.prefix(node.key.count)) == Set(key) else {
        return nil
      }
      columns = found
      node.isPlayed = true
      map.input = .upsert(node)
      self.plan = .map(map)
    default: return nil
    }
  }
}
