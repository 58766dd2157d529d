internal import Columns

/// What the operators of one pipeline share: the clock, and what was dropped.
final class Runtime {
  var evaluator = Evaluator()
  /// Sources have ended: every watermark is at its end.
  var isEndOfInput = false
  /// States are being filled: nothing is sent.
  var isRestoring = false
  /// What comes is known to the tables that play state.
  var skipsPlayed = false
  /// What comes has keys that no state knows, each once.
  var insertsNew = false
  /// Rows that could not be completed, since somebody took them.
  var unresolved: [UnresolvedRow] = []
  /// States record their changes for commits.
  let recordsChanges: Bool
  /// References of source tables that play the state of the join that reads them.
  let played: Set<String>
  /// Candidate pairs of a join that are looked at together.
  let pairsMax: Int

  init(recordsChanges: Bool, pairsMax: Int = 1 << 15, played: Set<String> = []) {
    self.recordsChanges = recordsChanges
    self.played = played
    self.pairsMax = pairsMax
  }
}

/// What one operator has met since the pipeline began.
package struct OperatorStatistics: Hashable, Sendable {
  /// Rows that came with positive and with negative weight.
  package var inserts = 0
  package var deletes = 0
  /// Rows that came with a null in a key.
  package var nullKeys = 0
  /// Groups or partitions whose result was replaced by another.
  package var updates = 0
  package var rowsOut = 0
  /// Rows that came after their window had passed, and were dropped.
  package var lateRows = 0
}

/// One step of a pipeline: takes changes of its inputs, gives changes of its output.
///
/// An epoch is: any number of pushes in any order, then `endEpoch` of every operator, inputs first.
/// Operators that need no whole epoch pass changes on at once.
class Operator {
  let name: String
  let runtime: Runtime
  /// Types of the output.
  let type: RowType
  private(set) var outputs: [(target: Operator, input: Int)] = []
  /// Operators below, by input.
  private(set) var inputs: [Operator] = []
  var statistics = OperatorStatistics()
  /// Milliseconds up to which event time is complete, here and behind. Least where it is unknown.
  private(set) var watermark = Int64.min
  /// What stands above the whole plan.
  var sink: ((DeltaBatch) -> Void)?

  init(_ name: String, _ runtime: Runtime, type: RowType) {
    self.name = name
    self.runtime = runtime
    self.type = type
  }

  func connect(_ inputs: [Operator]) {
    self.inputs = inputs
    for (i, input) in inputs.enumerated() { input.outputs.append((self, i)) }
  }

  /// Counts the rows, then handles them.
  final func receive(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    if delta.count == 0 { return }
    let w = delta.weights.pointer(Int64.self)
    var negative = 0
    for i in 0..<delta.count { negative &+= bit(w[i] < 0) }
    statistics.deletes += negative
    statistics.inserts += delta.count - negative
    try push(delta, from: input)
  }

  func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {}

  /// The watermark below has been taken over.
  func endEpoch() throws(TerraceError) {}

  /// Inputs that give nothing more in the last epoch.
  private var endedInputs: Set<Int> = []
  /// The last epoch is over for this operator already.
  private(set) var isFinished = false

  final func hasEnded(_ input: Int) -> Bool { endedInputs.contains(input) }

  /// Takes note that an input has ended. With the last one the epoch ends here, and so does this input of
  /// those above.
  final func endInput(_ input: Int) throws(TerraceError) {
    endedInputs.insert(input)
    if endedInputs.count < inputs.count || isFinished { return }
    try finishEpoch()
    isFinished = true
    for (target, input) in outputs { try target.endInput(input) }
  }

  final func finishEpoch() throws(TerraceError) {
    let below = inputs.map(\.watermark).min() ?? (runtime.isEndOfInput ? .max : .min)
    watermark = max(watermark, ownWatermark(below))
    try endEpoch()
  }

  /// The watermark behind this operator.
  func ownWatermark(_ below: Int64) -> Int64 { below }

  final func emit(_ delta: DeltaBatch) throws(TerraceError) {
    if delta.count == 0 || runtime.isRestoring { return }
    statistics.rowsOut += delta.count
    sink?(delta)
    for (target, input) in outputs { try target.receive(delta, from: input) }
  }

  /// Emits columns of `count` rows; the weights buffer has room for them.
  final func emit(_ columns: [Column], _ weights: Buffer, count: Int) throws(TerraceError) {
    if count == 0 { return }
    let typed = zip(columns, type.fields).map { $0.type == $1.type ? $0 : $0.retyped($1.type) }
    try emit(DeltaBatch(Batch(type, typed, count: count), weights: weights))
  }

  /// The tables that hold this operator's state, in a fixed order; names are completed above.
  var stateTables: [StateTable] { [] }
  /// What changed in each of them since the last call.
  func takeState() throws(TerraceError) -> [[DeltaBatch]] { [] }
  /// Rows of one of them, in the order of its key. Nothing is sent.
  func restore(_ table: Int, _ rows: Batch) throws(TerraceError) {}
  /// Numbers of rows within their key that a state table does not have yet begin here.
  func setNumberBase(_ table: Int, _ base: Int32) {}
  func numberBase(_ table: Int) -> Int32 { 0 }
  /// Bytes that `takeState` is about to give, roughly.
  var pendingBytes: Int { 0 }
  /// Bytes held in memory.
  var stateBytes: Int { 0 }

  // MARK: - State that is not in memory

  /// Nil: all state is in memory.
  private(set) var residency: Residency?
  /// The state is found by key, so that it may leave memory.
  var isEvictable: Bool { false }
  /// Forgets all state; between epochs, when the tables have it.
  func forget() throws(TerraceError) {}
  /// What a table must give that plays this operator's state; nil for those with tables of their own.
  var playedTable: StateTable? { nil }

  /// From here on the state of keys that are not in memory is read as it is asked for.
  ///
  /// - Parameter wholeAfter: tables that are asked for so many keys may come back as a whole; nil: never.
  func attach(_ backings: [(any StateBacking)?], wholeAfter: Int?) {
    residency = Residency(backings, wholeAfter: wholeAfter)
  }
  /// Rows that were read from the place of this number, in the order of its key. Nothing is sent.
  func load(_ place: Int, _ rows: Batch) throws(TerraceError) { try restore(place, rows) }
  /// By how many columns that place is looked up.
  func lookupCount(_ place: Int) -> Int { stateTables[place].lookupCount }

  /// Brings the state of keys into memory that lies in the tables only.
  ///
  /// - Parameter unasked: a table whose rows are not needed now.
  final func fetch(
    _ ids: UnsafePointer<Int32>, _ n: Int, of index: KeyIndex, but unasked: Int? = nil
  ) throws(TerraceError) {
    guard let residency else { return }
    let wasRestoring = runtime.isRestoring
    runtime.isRestoring = true
    defer { runtime.isRestoring = wasRestoring }
    for table in residency.backings.indices where table != unasked {
      guard let backing = residency.backing(table) else { continue }
      if let whole = residency.whole(table) {
        try readRest(of: table, whole, residency, index)
        continue
      }
      let missing = residency.missing(table, ids, n, below: index.count)
      if missing.count == 0 { continue }
      let keys = index.keys.gather(missing.pointer, missing.count)
      if let rows = try backing.rows(for: keys, count: missing.count) { try load(table, rows) }
    }
  }

  /// Brings a table into memory but for the keys that are there, whose rows may have changed.
  private func readRest(
    of table: Int, _ backing: any WholeBacking, _ residency: Residency, _ index: KeyIndex
  ) throws(TerraceError) {
    let width = lookupCount(table)
    try backing.readAll { (rows) throws(TerraceError) in
      let keys = KeyIndex.normalized(Array(rows.columns[..<width]))
      let ids = Buffer(byteCount: max(4, rows.count * 4))
      let numbers = ids.pointer(Int32.self)
      index.find(
        keys, hashes: index.hash(keys, count: rows.count), count: rows.count, into: numbers)
      let kept = residency.absent(table, numbers, rows.count, below: index.count)
      if kept.count == 0 { return }
      try load(
        table,
        kept.count == rows.count
          ? rows : rows.gather(kept.buffer.pointer(Int32.self), count: kept.count))
    }
    residency.complete(table)
  }
}

/// Where changes of a table come in.
final class SourceOperator: Operator {
  private let predicate: Predicate

  init(_ source: Plan.Source, _ runtime: Runtime, type: RowType) {
    predicate = source.predicate
    super.init("Source", runtime, type: type)
  }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    if predicate == .always {
      return try emit(delta.rows.columns, delta.weights, count: delta.count)
    }
    let (rows, count) = predicate.select(delta.rows.columns, count: delta.count)
    if count == delta.count {
      return try emit(delta.rows.columns, delta.weights, count: count)
    }
    let kept = delta.gather(rows.pointer(Int32.self), count: count)
    try emit(kept.rows.columns, kept.weights, count: count)
  }
}

extension DeltaBatch {
  /// Rows `indices[0..<count]` with their weights.
  func gather(_ indices: UnsafePointer<Int32>, count: Int) -> DeltaBatch {
    let out = Buffer(byteCount: count * 8)
    let to = out.pointer(Int64.self)
    let from = weights.pointer(Int64.self)
    for i in 0..<count { to[i] = from[Int(indices[i])] }
    return DeltaBatch(rows.gather(indices, count: count), weights: out)
  }

  /// The opposite change.
  func negated() -> DeltaBatch {
    let out = Buffer(byteCount: count * 8)
    let to = out.pointer(Int64.self)
    let from = weights.pointer(Int64.self)
    for i in 0..<count { to[i] = 0 &- from[i] }
    return DeltaBatch(rows, weights: out)
  }
}
