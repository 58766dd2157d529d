internal import Columns

/// GROUP BY and DISTINCT: at the end of an epoch the old row of every group that changed goes and
/// the new one comes. A group whose row is as before says nothing.
final class AggregateOperator: Operator {
  private let node: Plan.Aggregate
  private var grouping: Grouping
  /// Groups touched in this epoch, and whether each group is.
  private let touched = IDList()
  private var isTouched = Lane<UInt8>()
  /// The rows, as last sent, of touched groups.
  private var before: [Batch] = []
  private let beforeIDs = IDList()
  private var hasStarted = false
  /// Groups that lost their last row since the last clearing; some may have come back.
  private var died = 0

  init(_ node: Plan.Aggregate, _ runtime: Runtime, type: RowType) throws(TerraceError) {
    self.node = node
    grouping = try AggregateOperator.grouping(node, runtime)
    super.init(Plan.aggregate(node).operatorName, runtime, type: type)
  }

  private static func grouping(
    _ node: Plan.Aggregate, _ runtime: Runtime
  ) throws(TerraceError) -> Grouping {
    let input = node.input.type
    return try Grouping(
      input: input, keyTypes: node.keys.map { input.fields[$0].type.nullable },
      calls: node.calls, isAppendOnly: node.input.isAppendOnly,
      recordsChanges: runtime.recordsChanges)
  }

  override var isEvictable: Bool { !node.keys.isEmpty }

  override func forget() throws(TerraceError) {
    grouping = try AggregateOperator.grouping(node, runtime)
    isTouched = Lane<UInt8>()
    died = 0
  }

  override var stateBytes: Int { grouping.byteCount }
  override var stateTables: [StateTable] { grouping.stateTables }
  override func takeState() throws(TerraceError) -> [[DeltaBatch]] { try grouping.takeState() }
  override func restore(_ table: Int, _ rows: Batch) throws(TerraceError) {
    try grouping.restore(table, rows)
  }
  override var pendingBytes: Int { grouping.pendingBytes }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    let columns = delta.rows.columns
    let keys = node.keys.map { columns[$0] }
    if let validity = Bitmap.all(keys.compactMap(\.validity)) {
      statistics.nullKeys += delta.count - validity.setCount
    }
    let ids = try grouping.number(keys, count: delta.count)
    let p = ids.pointer(Int32.self)
    try fetch(p, delta.count, of: grouping.index)
    try remember(p, delta.count)
    try grouping.add(columns, delta.weights.pointer(Int64.self), p, count: delta.count)
  }

  private func exists(_ group: Int32) -> Bool {
    (grouping.isGlobal && hasStarted) || grouping.rows[Int(group)] > 0
  }

  /// Keeps what was last sent of groups that are touched for the first time in this epoch.
  private func remember(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    isTouched.reserve(grouping.count)
    let seen = isTouched.pointer
    let fresh = IDList()
    for i in 0..<n where seen[Int(ids[i])] == 0 {
      seen[Int(ids[i])] = 1
      touched.append(ids[i])
      if exists(ids[i]) { fresh.append(ids[i]) }
    }
    if fresh.count == 0 { return }
    before.append(try rows(of: fresh.pointer, fresh.count))
    for i in 0..<fresh.count { beforeIDs.append(fresh[i]) }
  }

  private func rows(of ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) -> Batch {
    let columns = try grouping.results(ids, n)
    return Batch(type, zip(columns, type.fields).map { $0.retyped($1.type) }, count: n)
  }

  override func endEpoch() throws(TerraceError) {
    if grouping.isGlobal && !hasStarted {
      grouping.reserve(1)
      isTouched.reserve(1)
      if isTouched[0] == 0 {
        isTouched[0] = 1
        touched.append(0)
      }
    }
    defer { hasStarted = true }
    if touched.count == 0 { return }
    hasStarted = true
    let live = IDList()
    for i in 0..<touched.count {
      isTouched[Int(touched[i])] = 0
      if exists(touched[i]) { live.append(touched[i]) }
    }
    died += touched.count - live.count
    if before.isEmpty {
      // Nothing goes: the rows leave in pieces, which no column is too small for.
      for from in stride(from: 0, to: live.count, by: AggregateOperator.pieceRows) {
        let count = min(AggregateOperator.pieceRows, live.count - from)
        try emit(DeltaBatch(inserting: try rows(of: live.pointer + from, count)))
      }
    } else {
      try send(Batch.concat(before), try rows(of: live.pointer, live.count), live)
    }
    before = []
    beforeIDs.removeAll()
    touched.removeAll()
    try compact()
  }

  private static let pieceRows = 1 << 14

  /// Sends what differs between the rows before and after.
  private func send(_ old: Batch, _ new: Batch, _ live: IDList) throws(TerraceError) {
    let places = Lane<Int32>(filler: 0xff)
    places.reserve(grouping.count)
    for i in 0..<live.count { places[Int(live[i])] = Int32(i) }
    let stays = Buffer(byteCount: max(new.count, 1))
    let s = stays.pointer(UInt8.self)
    s.update(repeating: 0, count: new.count)
    let gone = IDList()
    let width = node.keys.count
    for i in 0..<old.count {
      let at = Int(places[Int(beforeIDs[i])])
      let same =
        at >= 0
        && (width..<type.count).allSatisfy { old.columns[$0].equals(i, new.columns[$0], at) }
      if same { s[at] = 1 } else { gone.append(Int32(i)) }
      if at >= 0 && !same { statistics.updates += 1 }
    }
    let come = Rows(count: new.count) { s[$0] == 0 }
    try emit(DeltaBatch(inserting: old.gather(gone.pointer, count: gone.count)).negated())
    try emit(
      DeltaBatch(
        inserting: new.gather(come.buffer.pointer(Int32.self), count: come.count)))
  }

  /// Forgets groups without rows when they are the larger part.
  private func compact() throws(TerraceError) {
    guard !grouping.isGlobal, died > 4096, died * 2 > grouping.count else { return }
    died = 0
    let live = IDList()
    // What the table has not been told of yet stays, lest it be read back.
    for id in 0..<grouping.count where grouping.rows[id] != 0 || grouping.isDirty(id) {
      live.append(Int32(id))
    }
    if live.count * 2 > grouping.count { return }
    try grouping.keep(live.pointer, live.count)
    residency?.keep(live.pointer, live.count)
  }
}
