internal import Columns

/// Rows by key, as they arrive, become exact changes: the last row of a key in an epoch takes the
/// place of the one that was sent before.
final class UpsertOperator: Operator {
  private let node: Plan.Upsert
  /// Columns that are not in the key, of which the rows are kept.
  private let rest: [Int]
  private var index: KeyIndex
  private var rows: RowStore
  /// The row of each key in `rows`, -1 when it has none.
  private var latest = Lane<Int32>(filler: 0xff)
  /// The row as last sent, of the keys touched in this epoch.
  private var before = Lane<Int32>(filler: 0xff)
  private var isTouched = Lane<UInt8>()
  /// The row of the key that the last record of this epoch took away, if it did.
  private var goneLast: Int32 = -1
  private let touched = IDList()
  /// Keys that have a row.
  private var live = 0
  private var changed = DirtySet()
  private let stateType: RowType

  init(_ node: Plan.Upsert, _ runtime: Runtime, type: RowType) {
    self.node = node
    let key = Set(node.key)
    rest = type.fields.indices.filter { !key.contains($0) }
    index = KeyIndex(node.key.map { type.fields[$0].type.nullable })
    rows = RowStore(rest.map { type.fields[$0].type.nullable })
    stateType = RowType(
      (node.key + rest).map { (type.fields[$0].name, type.fields[$0].type.nullable) })
    super.init("Upsert", runtime, type: type)
  }

  override var stateBytes: Int {
    index.byteCount + rows.byteCount + latest.byteCount + before.byteCount + isTouched.byteCount
      + changed.byteCount
  }

  private var table: StateTable {
    let width = node.key.count
    return StateTable(name: "rows", type: stateType, keyCount: width, lookupCount: width)
  }

  override var stateTables: [StateTable] { node.isPlayed ? [] : [table] }
  override var playedTable: StateTable? { node.isPlayed ? table : nil }
  private var recordsChanges: Bool { runtime.recordsChanges && !node.isPlayed }

  override func takeState() throws(TerraceError) -> [[DeltaBatch]] {
    if node.isPlayed { return [] }
    let (puts, gone) = changed.take { latest[$0] >= 0 }
    let slots = IDList()
    for i in 0..<puts.count { slots.append(latest[Int(puts[i])]) }
    let keys = index.keys.gather(gone.pointer, gone.count)
    let nulls = rows.types.map { Column.repeatingNull($0, count: gone.count) }
    let values = rows.gather(slots.pointer, slots.count)
    return [
      [
        DeltaBatch(stateType.batch(keys + nulls, count: gone.count), weight: -1),
        DeltaBatch(
          stateType.batch(index.keys.gather(puts.pointer, puts.count) + values, count: puts.count),
          weight: 1),
      ]
    ]
  }

  override var isEvictable: Bool { true }

  override func forget() {
    index = KeyIndex(index.types)
    rows = RowStore(rows.types)
    latest = Lane<Int32>(filler: 0xff)
    before = Lane<Int32>(filler: 0xff)
    isTouched = Lane<UInt8>()
    changed = DirtySet()
    live = 0
  }

  override func restore(_ table: Int, _ stored: Batch) throws(TerraceError) {
    let columns = stored.columns
    let ids = try number(Array(columns[..<node.key.count]), stored.count)
    let p = ids.pointer(Int32.self)
    let base = rows.count
    try rows.append(Array(columns[node.key.count...]), count: stored.count)
    for i in 0..<stored.count {
      latest[Int(p[i])] = Int32(base + i)
      if recordsChanges { changed.setStored(Int(p[i])) }
    }
    live += stored.count
  }

  override var pendingBytes: Int { changed.count * (stateBytes / max(1, index.count)) }

  private func number(_ keys: [Column], _ n: Int) throws(TerraceError) -> Buffer {
    let ids = Buffer(byteCount: n * 4)
    let plain = KeyIndex.normalized(keys)
    let hashes = index.hash(plain, count: n)
    try index.insert(plain, hashes: hashes, count: n, into: ids.pointer(Int32.self))
    latest.reserve(index.count)
    before.reserve(index.count)
    isTouched.reserve(index.count)
    changed.reserve(index.count)
    return ids
  }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    if node.isPlayed, runtime.skipsPlayed { return }
    let n = delta.count
    let columns = delta.rows.columns
    if node.isPlayed, runtime.insertsNew {
      let typed = zip(columns, type.fields).map { $0.retyped($1.type) }
      return try emit(DeltaBatch(Batch(type, typed, count: n), weights: delta.weights))
    }
    let keys = node.key.map { columns[$0] }
    if let validity = Bitmap.all(keys.compactMap(\.validity)) {
      statistics.nullKeys += n - validity.setCount
    }
    let ids = try number(keys, n)
    let p = ids.pointer(Int32.self)
    try fetch(p, n, of: index)
    let w = delta.weights.pointer(Int64.self)
    let partial = node.unchanged.flatMap { UnchangedValues(columns[columns.count - 1], bits: $0) }
    let base = Int32(rows.count)
    var next = base
    let (last, old, seen) = (latest.pointer, before.pointer, isTouched.pointer)
    // The row that went right before, under another key; -1 when none did.
    var gone = goneLast
    var unresolved: Set<Int> = []
    for i in 0..<n {
      let id = Int(p[i])
      if seen[id] == 0 {
        seen[id] = 1
        old[id] = last[id]
        touched.append(p[i])
      }
      // Rows that only say which key goes are not kept.
      if w[i] <= 0 {
        gone = partial?.isPartial(i) ?? false ? last[id] : -1
        last[id] = -1
        continue
      }
      if let partial, partial.isPartial(i) {
        let from = last[id] >= 0 ? last[id] : gone
        if from < 0, partial.leavesOut(i, rest) {
          unresolved.insert(i)
          gone = -1
          continue
        }
        partial.note(i, kept: Int(next &- base), from: from)
      }
      gone = -1
      last[id] = next
      next &+= 1
    }
    goneLast = gone
    if let partial, !unresolved.isEmpty {
      runtime.unresolved += unresolved.sorted().map {
        partial.unresolved($0, delta.rows, key: node.key)
      }
    }
    let kept =
      next &- base == n ? nil : Rows(count: n) { w[$0] > 0 && !unresolved.contains($0) }
    try keep(columns, Int(next &- base), kept, partial)
  }

  /// Stores the values of rows that came, completed.
  private func keep(
    _ columns: [Column], _ count: Int, _ kept: Rows?, _ partial: UnchangedValues?
  ) throws(TerraceError) {
    var values: [Column] = []
    for (place, c) in rest.enumerated() {
      let given =
        kept.map { columns[c].gather($0.buffer.pointer(Int32.self), count: count) } ?? columns[c]
      values.append(
        try partial?.fill(c, type.fields[c], given, count: count, from: rows, place) ?? given)
    }
    try rows.append(values, count: count)
  }

  override func endEpoch() throws(TerraceError) {
    goneLast = -1
    if touched.count == 0 { return }
    let (gone, old) = (IDList(), IDList())
    let (come, new) = (IDList(), IDList())
    for i in 0..<touched.count {
      let id = Int(touched[i])
      isTouched[id] = 0
      let (from, to) = (before[id], latest[id])
      before[id] = -1
      if from == to || (from >= 0 && to >= 0 && same(from, to)) {
        // The row that was sent stands for both.
        latest[id] = from
        continue
      }
      if recordsChanges { changed.note(touched[i]) }
      if from >= 0 {
        gone.append(touched[i])
        old.append(from)
      }
      if to >= 0 {
        come.append(touched[i])
        new.append(to)
      }
      if from >= 0 && to >= 0 { statistics.updates += 1 }
    }
    touched.removeAll()
    live += come.count - gone.count
    try emit(batch(gone, old).negated())
    try emit(batch(come, new))
    try compact()
  }

  private func same(_ a: Int32, _ b: Int32) -> Bool {
    rest.indices.allSatisfy { c in
      let (x, i) = rows.place(c, Int(a))
      let (y, j) = rows.place(c, Int(b))
      return x.equals(i, y, j)
    }
  }

  /// Keys with rows, in the order of the output's columns.
  private func batch(_ ids: IDList, _ slots: IDList) -> DeltaBatch {
    let n = ids.count
    var columns: [Column] = type.fields.map { Column.repeatingNull($0.type.nullable, count: 0) }
    for (k, c) in node.key.enumerated() { columns[c] = index.keys.gather(k, ids.pointer, n) }
    for (r, c) in rest.enumerated() { columns[c] = rows.gather(r, slots.pointer, n) }
    let typed = zip(columns, type.fields).map { $0.retyped($1.type) }
    return DeltaBatch(inserting: Batch(type, typed, count: n))
  }

  /// Forgets rows that were replaced and keys that are gone, when they are the larger part.
  private func compact() throws(TerraceError) {
    guard max(rows.count, index.count) > max(8192, live * 2) else { return }
    let keys = IDList()
    let slots = IDList()
    let places = Lane<Int32>(filler: 0xff)
    places.reserve(index.count)
    for id in 0..<index.count {
      // A key that the table still has is known until the table has been told.
      let isAwaited = changed.isDirty(id) && changed.isStored(id)
      if latest[id] < 0 && !isAwaited { continue }
      if latest[id] >= 0 {
        places[keys.count] = Int32(slots.count)
        slots.append(latest[id])
      }
      keys.append(Int32(id))
    }
    try rows.keep(slots.pointer, slots.count)
    try index.keep(keys.pointer, keys.count)
    changed.keep(keys.pointer, keys.count)
    residency?.keep(keys.pointer, keys.count)
    latest = places
  }
}
