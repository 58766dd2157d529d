internal import Columns

/// `a NOT IN (SELECT b …)`: true where the sub-query is empty; otherwise unknown, which drops the
/// row, when `a` is null or a `b` is; otherwise true where no `b` equals `a`.
///
/// Keys before the last one correlate: each combination of them has its own sub-query.
final class NotInOperator: Operator {
  private let node: Plan.Join
  /// All keys; and those before the last.
  private let fullIndex: KeyIndex
  private let outerIndex: KeyIndex
  private let state: KeyedState
  /// The sub-query's rows by full key, by outer key, and those of them whose value is null.
  private let matches = Lane<Int64>()
  private let totals = Lane<Int64>()
  private let nulls = Lane<Int64>()
  /// Left rows: their outer key, or -1 when it has a null; whether their value is null.
  private let outerOf = Lane<Int32>(filler: 0xff)
  private let isNull = Lane<UInt8>()
  /// Whether a left row is in the output.
  private let sent = Lane<UInt8>()

  /// The keys of the sub-query: all that is kept of it.
  private let rightType: RowType
  private let changed = DirtySet()
  private let layout: RowLayout

  init(_ node: Plan.Join, _ runtime: Runtime, type: RowType) {
    self.node = node
    let left = node.left.type
    let right = node.right.type
    rightType = RowType(
      node.rightKeys.enumerated().map {
        ("k\($0.offset)", right.fields[$0.element].type.nullable)
      } + [("_weight", DataType.bigint.nullable)])
    layout = RowLayout(left, key: node.leftKeys)
    let types = node.leftKeys.map { left.fields[$0].type.nullable }
    fullIndex = KeyIndex(types)
    outerIndex = KeyIndex(Array(types.dropLast()))
    state = KeyedState(left, isAppendOnly: false, recordsChanges: runtime.recordsChanges)
    super.init("NotInJoin", runtime, type: type)
  }

  override var stateTables: [StateTable] {
    [
      layout.table("left", isLookedUp: false),
      StateTable(
        name: "right", type: rightType, keyCount: rightType.count - 1, lookupCount: 0),
    ]
  }

  override func takeState() throws(TerraceError) -> [[DeltaBatch]] {
    let (puts, gone) = changed.take { matches[$0] != 0 }
    return [
      try state.takeChanges().map(layout.stored),
      [right(gone, -1), right(puts, 1)],
    ]
  }

  private func right(_ ids: IDList, _ weight: Int64) -> DeltaBatch {
    let n = ids.count
    let columns =
      fullIndex.keys.gather(ids.pointer, n) + [matches.column(ids.pointer, n, .bigint)]
    return DeltaBatch(rightType.batch(columns, count: n), weight: weight)
  }

  override func restore(_ table: Int, _ rows: Batch) throws(TerraceError) {
    if table == 0 {
      let stored = layout.split(rows)
      return try pushLeft(stored.delta(state.rowType), stored)
    }
    let keys = Array(rows.columns.dropLast())
    let counts = rows.columns[rows.columns.count - 1]
    try pushRight(keys, counts.pointer(Int64.self), rows.count, isStored: true)
  }

  override var pendingBytes: Int { state.pendingBytes + changed.count * 24 }

  override var stateBytes: Int {
    state.byteCount + fullIndex.byteCount + outerIndex.byteCount + matches.byteCount
      + totals.byteCount + nulls.byteCount + sent.byteCount
  }

  private func number(
    _ columns: [Column], _ n: Int, _ nullKeys: Bitmap?
  ) throws(TerraceError) -> (full: Buffer, outer: Buffer) {
    let keys = KeyIndex.normalized(columns)
    let full = Buffer(byteCount: n * 4)
    let outer = Buffer(byteCount: n * 4)
    try fullIndex.insert(
      keys, hashes: fullIndex.hash(keys, count: n), count: n, into: full.pointer(Int32.self))
    let before = Array(keys.dropLast())
    let o = outer.pointer(Int32.self)
    if before.isEmpty {
      o.update(repeating: 0, count: n)
    } else {
      try outerIndex.insert(before, hashes: outerIndex.hash(before, count: n), count: n, into: o)
    }
    if let nullKeys { for i in 0..<n where !nullKeys[i] { o[i] = -1 } }
    state.reserve(keys: fullIndex.count)
    matches.reserve(fullIndex.count)
    let groups = before.isEmpty ? 1 : outerIndex.count
    totals.reserve(groups)
    nulls.reserve(groups)
    changed.reserve(fullIndex.count)
    return (full, outer)
  }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    let n = delta.count
    if input == 1 {
      let keys = node.rightKeys.map { delta.rows.columns[$0] }
      let weights = delta.weights
      return try pushRight(keys, weights.pointer(Int64.self), n, isStored: false)
    }
    statistics.nullKeys += delta.rows.columns[node.leftKeys[node.leftKeys.count - 1]].nullCount
    try pushLeft(delta, nil)
  }

  private func numbered(
    _ columns: [Column], _ n: Int
  ) throws(TerraceError) -> (full: Buffer, outer: Buffer) {
    let strict = zip(columns.dropLast(), node.nullSafe).filter { !$1 }.compactMap { $0.0.validity }
    return try number(columns, n, Bitmap.all(strict))
  }

  private func pushRight(
    _ columns: [Column], _ w: UnsafePointer<Int64>, _ n: Int, isStored: Bool
  ) throws(TerraceError) {
    let (full, outer) = try numbered(columns, n)
    let f = full.pointer(Int32.self)
    let o = outer.pointer(Int32.self)
    let last = columns[columns.count - 1]
    for i in 0..<n where o[i] >= 0 {
      totals[Int(o[i])] += w[i]
      if last.isNull(i) { nulls[Int(o[i])] += w[i] }
      matches[Int(f[i])] += w[i]
      if isStored {
        changed.setStored(Int(f[i]))
      } else if runtime.recordsChanges {
        changed.note(f[i])
      }
    }
  }

  private func pushLeft(_ delta: DeltaBatch, _ stored: StoredRows?) throws(TerraceError) {
    let n = delta.count
    let columns = node.leftKeys.map { delta.rows.columns[$0] }
    let (full, outer) = try numbered(columns, n)
    let f = full.pointer(Int32.self)
    let o = outer.pointer(Int32.self)
    let last = columns[columns.count - 1]
    let slots = Buffer(byteCount: n * 4)
    let s = slots.pointer(Int32.self)
    let w = delta.weights.pointer(Int64.self)
    try state.apply(
      delta.rows.columns, weights: w, keys: f, count: n, slots: s, stored: stored?.numbers)
    outerOf.reserve(state.count)
    isNull.reserve(state.count)
    sent.reserve(state.count)
    let gone = IDList()
    let weights = Lane<Int64>()
    // A row that is in the output moves with its weight; others wait for the epoch's end.
    for i in 0..<n {
      let slot = Int(s[i])
      outerOf[slot] = o[i]
      isNull[slot] = last.isNull(i) ? 1 : 0
      if sent[slot] != 0 {
        weights.reserve(gone.count + 1)
        weights[gone.count] = w[i]
        gone.append(Int32(i))
      }
    }
    let kept = delta.gather(gone.pointer, count: gone.count)
    try emit(kept.rows.columns, kept.weights, count: kept.count)
  }

  private func isIn(_ slot: Int) -> Bool {
    let outer = Int(outerOf[slot])
    if outer < 0 || totals[outer] <= 0 { return false }
    if isNull[slot] != 0 || nulls[outer] > 0 { return true }
    return matches[Int(state.owners[slot])] > 0
  }

  /// One pass over the left rows: a null in the sub-query, or its first row, concerns all of them.
  override func endEpoch() throws(TerraceError) {
    let rows = IDList()
    let weights = Lane<Int64>()
    for slot in 0..<state.count {
      let wanted: UInt8 = isIn(slot) ? 0 : 1
      let weight = state.weights[slot]
      if weight == 0 {
        sent[slot] = 0
      } else if wanted != sent[slot] {
        sent[slot] = wanted
        weights.reserve(rows.count + 1)
        weights[rows.count] = wanted == 1 ? weight : -weight
        rows.append(Int32(slot))
        statistics.updates += 1
      }
    }
    if rows.count > 0 {
      let buffer = Buffer(
        copying: UnsafeRawBufferPointer(start: weights.pointer, count: rows.count * 8))
      try emit(state.rows.gather(rows.pointer, rows.count), buffer, count: rows.count)
    }
    let lanes = (outerOf, isNull, sent)
    try state.compact { ids, n in
      lanes.0.keep(ids, n)
      lanes.1.keep(ids, n)
      lanes.2.keep(ids, n)
    }
  }
}
