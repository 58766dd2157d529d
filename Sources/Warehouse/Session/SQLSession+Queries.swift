import Columns
import Dataflow
import Glibc
import SQL
import Store

extension SQLSession {
  /// Threads that read a large table.
  var readThreads: Int { max(1, min(8, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))) }

  /// Bytes that one query may hold: `memory.limit`, or three quarters of the machine's memory.
  func memoryLimit() throws(TerraceError) -> Int {
    let options = TableOptions(
      setting("memory.limit").map { ["memory.limit": $0] } ?? [:])
    if let bytes = try options.bytes("memory.limit") { return max(1, bytes) }
    return Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE))) / 4 * 3
  }

  /// `table.local-time-zone`, else UTC, as jobs have it.
  var zone: SessionZone {
    if let name = setting("table.local-time-zone"), name != "default" {
      return SessionZone(name) ?? .utc
    }
    return .utc
  }

  /// The instant of a wall clock of the session's zone; both in milliseconds.
  func instant(ofLocal millis: Int64) throws(TerraceError) -> Int64 {
    let cast = Expression.cast(
      .literal(.int(millis), .timestamp(3)), DataType(.timestampLTZ(3)), orNull: false)
    let one = Plan.values(
      Plan.Values(type: RowType([("t", DataType(.timestampLTZ(3)))]), rows: [[cast]]))
    let rows = try BatchQuery(one, context: EvaluationContext(zone: zone)).finish()
    guard rows.count == 1, case .int(let value) = rows.columns[0].scalar(0) else { return millis }
    return value
  }

  /// One clock for the whole statement, as batch queries have it.
  func context() -> EvaluationContext {
    EvaluationContext(now: warehouse.environment.time.nowMillis(), zone: zone)
  }

  func bind(
    _ query: QuerySyntax, _ at: SessionStatement, _ catalog: SessionCatalog
  ) throws(TerraceError) -> BoundQuery {
    try Binder(at.source, resolver: catalog, isStreaming: false).bind(query)
  }

  func select(
    _ query: QuerySyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let catalog = SessionCatalog(self)
    let bound = try bind(query, at, catalog)
    let plan = SQLSession.shown(bound.plan)
    try output.begin(plan.type)
    try run(plan, catalog) { (batch) throws(TerraceError) in try output.rows(batch) }
    try output.end()
  }

  /// Instants are shown as wall clocks of the session's zone.
  private static func shown(_ plan: Plan) -> Plan {
    let fields = plan.type.fields
    var found = false
    let expressions = fields.enumerated().map { i, field -> Expression in
      guard case .timestampLTZ(let precision) = field.type.kind else {
        return .column(i, field.type)
      }
      found = true
      let type = DataType(.timestamp(precision), nullable: field.type.isNullable)
      return .cast(.column(i, field.type), type, orNull: false)
    }
    if !found { return plan }
    return .map(Plan.Map(input: plan, expressions: expressions, names: fields.map(\.name)))
  }

  /// Runs a plan over its tables and hands on its rows, in their order.
  func run(
    _ plan: Plan, _ catalog: SessionCatalog, _ take: (Batch) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    let query = try BatchQuery(
      catalog.withPartitions(plan), context: context(), size: { catalog.size(of: $0) })
    let limit = try memoryLimit()
    var progress = QueryProgress()
    var isQuiet = false
    func pass(_ batches: [Batch]) throws(TerraceError) {
      if batches.isEmpty { return }
      if !isQuiet { onProgress(nil) }
      isQuiet = true
      for batch in batches { try take(batch) }
    }
    for (index, source) in query.sources.enumerated() {
      if query.isComplete { break }
      guard let table = catalog.opened[source.reference] else {
        throw TerraceError(.notFound, "the table \(source.reference)")
      }
      progress.source = source.reference
      let read = try table.read(source)
      defer { read.close() }
      while !query.isComplete, let delta = try read.next() {
        progress.rows += delta.count
        progress.bytes += delta.rows.byteCount
        try query.push(delta, to: index)
        try pass(try query.take())
        try check(query, limit)
        if !isQuiet { onProgress(progress) }
      }
      try query.end(source: index)
      try pass(try query.take())
    }
    try pass(try query.finishBatches())
  }

  private func check(_ query: BatchQuery, _ limit: Int) throws(TerraceError) {
    if isInterrupted() { throw TerraceError(.unavailable, "interrupted") }
    try check(held: query.heldByteCount, limit)
  }

  /// - Throws: when more is held than `memory.limit` allows.
  func check(held: Int, _ limit: Int) throws(TerraceError) {
    if held > limit {
      throw TerraceError(
        .unavailable,
        "the query needs more memory than memory.limit: it holds \(DisplayText.bytes(held)) of \(DisplayText.bytes(limit))",
        hint: "read less (WHERE, fewer columns), or SET 'memory.limit' to more")
    }
  }

  func explain(
    _ statement: Statement, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let catalog = SessionCatalog(self)
    let plan: Plan
    switch statement.kind {
    case .query(let query): plan = try bind(query, at, catalog).plan
    case .insert(let insert): plan = try bound(insert, at, catalog).plan
    default:
      throw at.source.unsupported("EXPLAIN of this statement", at: statement.span)
    }
    try output.text("plan", PlanText.text(catalog.withPartitions(plan)))
  }
}
