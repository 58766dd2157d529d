package import Columns

/// A plan at work: takes changes of its sources epoch by epoch, gives the changes of its result.
///
/// A batch query is the same thing with one big change and one epoch (`Pipeline.run`).
package final class Pipeline {
  package let plan: Plan
  /// The sources, each once; deltas come in under these positions, with these columns.
  package let sources: [Plan.Source]
  /// Rows of the result.
  package let type: RowType
  private let runtime: Runtime
  /// Inputs before those that use them.
  private var operators: [Operator] = []
  private var sourceOperators: [SourceOperator] = []
  private var watermarkOperators: [Plan.Watermark: WatermarkOperator] = [:]
  private let collected: Collected
  private let budget: MemoryBudget?
  private var reservedBytes = 0

  /// Changes of the result, summed up now and then: rows that come and go within an epoch, as in chains of
  /// outer joins, must not pile up until its end.
  private final class Collected {
    var deltas: [DeltaBatch] = []
    private var count = 0
    private var limit = Collected.least
    private let sums: Bool
    private static let least = 1 << 17

    init(sums: Bool) { self.sums = sums }

    func add(_ delta: DeltaBatch) {
      deltas.append(delta)
      count += delta.count
      if !sums || count < limit { return }
      let net = DeltaBatch.concat(deltas).consolidated()
      deltas = [net]
      count = net.count
      // Each row is summed a bounded number of times.
      limit = max(Collected.least, 2 * count)
    }

    func take() -> [DeltaBatch] {
      defer {
        deltas = []
        count = 0
        limit = Collected.least
      }
      return deltas
    }
  }

  /// - Parameters:
  ///   - recordsChanges: states keep what changed since the last commit (`takeStateDeltas`).
  ///   - budget: is told at the end of each epoch how many bytes the state holds.
  ///   - pairsMax: candidate pairs that a join looks at together.
  ///   - played: references of sources that play the state of the join that reads them (``play(_:from:)``),
  ///     of those that could (``Plan/playableSides``).
  /// - Throws: `unsupported` or `invalid`, when the plan cannot run.
  package init(
    _ plan: Plan, context: EvaluationContext = EvaluationContext(), recordsChanges: Bool = false,
    budget: MemoryBudget? = nil, pairsMax: Int = 1 << 15, played: Set<String> = []
  ) throws(TerraceError) {
    self.plan = plan
    self.budget = budget
    sources = plan.sources
    type = plan.type
    runtime = Runtime(recordsChanges: recordsChanges, pairsMax: pairsMax, played: played)
    runtime.evaluator.context = context
    var builder = PipelineBuilder(runtime: runtime)
    let root = try builder.build(plan)
    operators = builder.operators
    sourceOperators = sources.compactMap { builder.built[.source($0)] as? SourceOperator }
    for (plan, operation) in builder.built {
      guard case .watermark(let node) = plan, let operation = operation as? WatermarkOperator
      else { continue }
      watermarkOperators[node] = operation
    }
    let collected = Collected(sums: !plan.isAppendOnly && recordsChanges)
    self.collected = collected
    root.sink = { collected.add($0) }
  }

  /// Changes of source `source`: its columns, in its order. At any time within an epoch.
  package func push(_ delta: DeltaBatch, to source: Int) throws(TerraceError) {
    let operation = sourceOperators[source]
    precondition(
      delta.rows.columns.count == operation.type.count,
      "\(delta.rows.columns.count) columns for a source of \(operation.type.count)")
    try operation.receive(delta, from: 0)
  }

  /// Ends the epoch: what was held back until now is sent.
  ///
  /// - Parameters:
  ///   - now: milliseconds since 1970 UTC for the clock functions of the *next* epoch.
  ///   - endOfInput: the sources have ended; all windows close.
  /// - Returns: the changes of the result since the last call: one delta with each row once, or,
  ///   when the result only grows, as many as there were.
  package func endEpoch(now: Int64? = nil, endOfInput: Bool = false) throws(TerraceError)
    -> [DeltaBatch]
  {
    try finishEpoch(now: now, endOfInput: endOfInput)
    return takeOutput()
  }

  /// ``endEpoch(now:endOfInput:)`` without taking the result.
  package func finishEpoch(now: Int64? = nil, endOfInput: Bool = false) throws(TerraceError) {
    if endOfInput { runtime.isEndOfInput = true }
    for operation in operators {
      if operation.isFinished { continue }
      if let values = operation as? ValuesOperator { try values.start() }
      try operation.finishEpoch()
    }
    account()
    if let now { runtime.evaluator.context.now = now }
    runtime.evaluator.context.watermark = watermark == .min ? nil : watermark
  }

  /// Begins the only epoch of a query over whole tables: constants come first, and sources may end one by
  /// one.
  package func beginBatch() throws(TerraceError) {
    runtime.isEndOfInput = true
    for operation in operators {
      guard let values = operation as? ValuesOperator else { continue }
      try values.start()
      try values.endInput(0)
    }
  }

  /// In a batch: a source has given all its rows. What needs no others goes on to its end.
  package func endInput(of source: Int) throws(TerraceError) {
    try sourceOperators[source].endInput(0)
  }

  /// Tells the budget what the state holds. State that does not fit is held all the same: an
  /// operator cannot work without it; whoever owns the budget makes others give way.
  private func account() {
    guard let budget else { return }
    let now = stateBytes
    if now > reservedBytes {
      budget.reserveRequired(now - reservedBytes)
    } else {
      budget.release(reservedBytes - now)
    }
    reservedBytes = now
  }

  deinit { budget?.release(reservedBytes) }

  /// What has been sent so far; before the end of an epoch only for plans that only grow.
  package func takeOutput() -> [DeltaBatch] {
    let deltas = collected.take()
    if deltas.isEmpty || plan.isAppendOnly { return deltas }
    // An upsert has netted its epoch: what goes, then what comes, each key once.
    if case .upsert = plan, deltas.count <= 2 { return [DeltaBatch.concat(deltas)] }
    let net = DeltaBatch.concat(deltas).consolidated()
    return net.count == 0 ? [] : [net]
  }

  /// What has been sent so far, as it was sent.
  package func takeChanges() -> [DeltaBatch] {
    collected.take()
  }

  /// Rows that leave out values which are not known here, since the last call: they are not in the result.
  package func takeUnresolved() -> [UnresolvedRow] {
    defer { runtime.unresolved = [] }
    return runtime.unresolved
  }

  /// Milliseconds up to which event time is complete in the result; least when unknown.
  package var watermark: Int64 { operators.last?.watermark ?? .min }

  /// What the watermark nodes have reached, in the order of the plan: kept with the root.
  package var watermarks: [Int64] {
    get { operators.compactMap { ($0 as? WatermarkOperator)?.reached } }
    set {
      for (operation, value) in zip(operators.compactMap { $0 as? WatermarkOperator }, newValue) {
        operation.reached = value
      }
    }
  }

  /// From now on event time passes a watermark node as it is told here, and not as its rows say: sources in
  /// parts are as far as the part that is least far, and sources that are idle are not waited for.
  package func setWatermark(of node: Plan.Watermark, to millis: Int64) {
    watermarkOperators[node]?.drive(to: millis)
  }

  // MARK: - State

  /// The tables that hold the state, in a fixed order that follows from the plan.
  package var stateTables: [StateTable] {
    operators.enumerated().flatMap { i, operation in
      operation.stateTables.map {
        StateTable(
          name: "\(i)-\($0.name)", type: $0.type, keyCount: $0.keyCount,
          lookupCount: $0.lookupCount)
      }
    }
  }

  /// What changed in each state table since the last call, in this order; nothing where nothing did.
  /// Between epochs, and only for pipelines that record changes. The rows stay as they are, also when
  /// the pipeline goes on.
  package func takeState() throws(TerraceError) -> [[DeltaBatch]] {
    var all: [[DeltaBatch]] = []
    for operation in operators { all += try operation.takeState() }
    return all
  }

  /// Bytes that `takeState` is about to give, roughly.
  package var pendingStateBytes: Int { operators.reduce(0) { $0 + $1.pendingBytes } }

  /// Rows of state table `table`, into a pipeline that has seen nothing yet; in pieces if wished.
  /// The tables in their order, and their rows in the order of their keys.
  package func restore(_ rows: Batch, to table: Int) throws(TerraceError) {
    runtime.isRestoring = true
    let (operation, own) = place(of: table)
    if rows.count > 0 { try operation.restore(own, rows) }
  }

  /// Where the numbers of new rows begin, above those that the table may have.
  package func setNumberBase(_ base: Int32, of table: Int) {
    let (operation, own) = place(of: table)
    operation.setNumberBase(own, base)
  }

  package func numberBase(of table: Int) -> Int32 {
    let (operation, own) = place(of: table)
    return operation.numberBase(own)
  }

  /// State tables whose operators need not have all rows in memory.
  package var lazyTables: Set<Int> {
    var out: Set<Int> = []
    var first = 0
    for operation in operators {
      let count = operation.stateTables.count
      if operation.isEvictable { out.formUnion(first..<first + count) }
      first += count
    }
    return out
  }

  /// From here on, the rows of lazy tables are read as they are needed.
  ///
  /// - Parameters:
  ///   - wholeAfter: a table that is asked for so many keys may be read as a whole.
  ///   - backing: by table; nil for one without rows.
  package func attach(wholeAfter: Int, _ backing: (Int) -> (any StateBacking)?) {
    var first = 0
    for operation in operators {
      let count = operation.stateTables.count
      if operation.isEvictable, operation.playedTable == nil {
        operation.attach((first..<first + count).map(backing), wholeAfter: wholeAfter)
      }
      first += count
    }
  }

  /// Lets state leave memory, the largest first, until no more than `limit` bytes are left. Between
  /// epochs; what a state commit has not seen yet stays.
  ///
  /// - Parameter backing: where the rows are read from when they are needed again.
  package func evict(
    toBytes limit: Int, _ backing: (Int) -> (any StateBacking)?
  ) throws(TerraceError) {
    var left = stateBytes
    var places: [(operation: Operator, first: Int)] = []
    var first = 0
    for operation in operators {
      places.append((operation, first))
      first += operation.stateTables.count
    }
    for (operation, first) in places.sorted(by: { $0.0.stateBytes > $1.0.stateBytes }) {
      if left <= limit { break }
      guard operation.isEvictable, operation.pendingBytes == 0, operation.playedTable == nil else {
        continue
      }
      left -= operation.stateBytes
      try operation.forget()
      let count = operation.stateTables.count
      // What had no room as a whole does not come back as a whole.
      operation.attach((first..<first + count).map(backing), wholeAfter: nil)
    }
    account()
  }

  // MARK: - State that the target plays

  /// What the target must give of its rows when it plays the state of an upsert; nil when it does not.
  package var playedTable: StateTable? { operators.lazy.compactMap(\.playedTable).first }

  /// Bytes in memory of rows that the target holds, too.
  package var playedBytes: Int {
    operators.reduce(0) { $0 + ($1.playedTable == nil ? 0 : $1.stateBytes) }
  }

  /// Rows that come are in the target already, as when they are read again.
  package var skipsPlayed: Bool {
    get { runtime.skipsPlayed }
    set { runtime.skipsPlayed = newValue }
  }

  /// Rows that come are inserts of keys that come once and were never there: they are handed on, and no
  /// upsert that the target plays keeps them. The target must be played (``play(_:)``) before others come.
  package var insertsNew: Bool {
    get { runtime.insertsNew }
    set { runtime.insertsNew = newValue }
  }

  /// From here on the rows of the upsert are those of the target: what is in memory is forgotten, and read
  /// again as it is met. Between epochs, when the target has all that was given. Before the first call the
  /// target is empty.
  package func play(_ target: any StateBacking) throws(TerraceError) {
    for operation in operators where operation.playedTable != nil {
      try operation.forget()
      operation.attach([target], wholeAfter: nil)
    }
    account()
  }

  // MARK: - State that source tables play

  /// Join sides that source tables play: the number of the source, and whether what the table holds when the
  /// job begins need not be given.
  package var playedSides: [(source: Int, side: PlayedSide, skipsContent: Bool)] {
    operators.compactMap { $0 as? JoinOperator }.flatMap(\.playedSides).compactMap { found in
      sources.firstIndex(of: found.side.source).map { ($0, found.side, found.skipsContent) }
    }
  }

  /// From here on the rows of a side are looked up in its table. Before the first change, and, where there
  /// is state to come back to, after that.
  ///
  /// Whenever a change of another source comes, or an epoch ends that had one, the table must stand where the
  /// changes given of it end: never within those of one snapshot, unless they alone were given in the epoch.
  package func play(_ side: PlayedSide, from table: any PlayedTable) throws(TerraceError) {
    for operation in operators { try (operation as? JoinOperator)?.play(side, from: table) }
  }

  /// Lets state leave memory of a pipeline that has no tables of its own.
  package func evictPlayed(toBytes limit: Int) throws(TerraceError) {
    try evict(toBytes: limit) { _ in nil }
  }

  private func place(of table: Int) -> (Operator, Int) {
    var first = 0
    for operation in operators {
      let count = operation.stateTables.count
      if table < first + count { return (operation, table - first) }
      first += count
    }
    preconditionFailure("no state table \(table)")
  }

  /// Ends a restoration: from here on the pipeline goes on as the one whose state it got.
  ///
  /// - Parameter watermarks: as that pipeline gave them.
  package func finishRestore(watermarks: [Int64]) throws(TerraceError) {
    runtime.isRestoring = true
    self.watermarks = watermarks
    for operation in operators {
      if let values = operation as? ValuesOperator { try values.start() }
      try operation.finishEpoch()
    }
    runtime.isRestoring = false
    runtime.evaluator.context.watermark = watermark == .min ? nil : watermark
  }

  /// Bytes of state in memory.
  package var stateBytes: Int { operators.reduce(0) { $0 + $1.stateBytes } }

  /// What each operator has met, inputs first.
  package var statistics: [(name: String, OperatorStatistics)] {
    operators.map { ($0.name, $0.statistics) }
  }
}

/// Makes operators of a plan; equal parts are made once.
private struct PipelineBuilder {
  let runtime: Runtime
  var built: [Plan: Operator] = [:]
  var operators: [Operator] = []

  mutating func build(_ plan: Plan) throws(TerraceError) -> Operator {
    if let found = built[plan] { return found }
    let lowered = try Lowering.lower(plan)
    if lowered != plan {
      let operation = try build(lowered)
      built[plan] = operation
      return operation
    }
    var inputs: [Operator] = []
    for input in plan.inputs { inputs.append(try build(input)) }
    let operation = try make(plan)
    operation.connect(inputs)
    built[plan] = operation
    operators.append(operation)
    return operation
  }

  private func make(_ plan: Plan) throws(TerraceError) -> Operator {
    let type = plan.type
    switch plan {
    case .source(let node): return SourceOperator(node, runtime, type: type)
    case .values(let node): return ValuesOperator(node, runtime)
    case .map(let node): return MapOperator(node, runtime, type: type)
    case .join(let node):
      return node.isNullAware
        ? NotInOperator(node, runtime, type: type) : JoinOperator(node, runtime, type: type)
    case .aggregate(let node): return try AggregateOperator(node, runtime, type: type)
    case .windowTable(let node): return WindowTableOperator(node, runtime, type: type)
    case .windowAggregate(let node):
      if case .session(let gap) = node.window {
        return SessionOperator(node, gap: gap, runtime, type: type)
      }
      return try WindowAggregateOperator(node, runtime, type: type)
    case .rank(let node): return RankOperator(node, runtime, type: type)
    case .over(let node): return try OverOperator(node, runtime, type: type)
    case .union, .sort: return UnionOperator("Union", runtime, type: type)
    case .setOperation(let node): return SetOperator(node, runtime, type: type)
    case .unnest(let node): return UnnestOperator(node, runtime, type: type)
    case .watermark(let node): return WatermarkOperator(node, runtime, type: type)
    case .upsert(let node): return UpsertOperator(node, runtime, type: type)
    }
  }
}
