internal import Columns

/// Top-N, deduplication, and LIMIT: rows whose rank in their partition lies in a range.
final class RankOperator: PartitionOperator {
  private let node: Plan.Rank
  private let mayPrune: Bool

  init(_ node: Plan.Rank, _ runtime: Runtime, type: RowType, name: String = "Rank") {
    self.node = node
    // Of rows that stay, those behind the last rank wanted never come back.
    mayPrune = node.input.isAppendOnly
    super.init(
      name, runtime, type: type, input: node.input.type, partition: node.partition,
      isAppendOnly: false)
  }

  override func compute(
    _ ids: UnsafePointer<Int32>, _ n: Int
  ) throws(TerraceError) -> DeltaBatch? {
    let rows = sorted(ids, n, by: node.order)
    let kept = IDList()
    var ranks: [Int64] = []
    var weights: [Int64] = []
    walk(rows) { row, rank, weight in
      kept.append(rows.slots[row])
      ranks.append(rank)
      weights.append(weight)
    } behind: { _ in
    }
    if kept.count == 0 { return nil }
    return batch(kept, ranks, weights)
  }

  /// Calls `take` for each row in range with its rank and how often, `behind` for rows that no
  /// further row can bring into range.
  private func walk(
    _ rows: SortedPartitions, _ take: (Int, Int64, Int64) -> Void, behind: (Int) -> Void
  ) {
    let low = Int64(node.ranks.lowerBound)
    let high = Int64(node.ranks.upperBound)
    var position: Int64 = 0
    var rank: Int64 = 0
    for i in 0..<rows.count {
      if i == 0 || rows.partitions[i] != rows.partitions[i - 1] {
        position = 0
        rank = 0
      }
      let weight = rows.weights[i]
      switch node.function {
      case .rowNumber:
        if node.emitsRank {
          var number = max(position + 1, low)
          while number <= min(position + weight, high) {
            take(i, number, 1)
            number += 1
          }
        } else {
          let copies = min(position + weight, high) - max(position + 1, low) + 1
          if copies > 0 { take(i, 0, copies) }
        }
        if position >= high { behind(i) }
      case .rank:
        if !rows.ties[i] || position == 0 { rank = position + 1 }
        if rank >= low && rank <= high { take(i, rank, weight) }
        if rank > high { behind(i) }
      case .denseRank:
        if !rows.ties[i] || position == 0 { rank += 1 }
        if rank >= low && rank <= high { take(i, rank, weight) }
        if rank > high { behind(i) }
      }
      position += weight
    }
  }

  private func batch(_ kept: IDList, _ ranks: [Int64], _ weights: [Int64]) -> DeltaBatch {
    let n = kept.count
    var columns = state.rows.gather(kept.pointer, n)
    if node.emitsRank {
      let buffer = ranks.withUnsafeBytes { Buffer(copying: $0) }
      columns.append(Column(type: DataType.bigint.notNull, count: n, values: buffer))
    }
    let typed = zip(columns, type.fields).map { $0.retyped($1.type) }
    return DeltaBatch(
      Batch(type, typed, count: n), weights: weights.withUnsafeBytes { Buffer(copying: $0) })
  }

  override func prune(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    guard mayPrune else { return }
    let rows = sorted(ids, n, by: node.order)
    let lost = IDList()
    walk(rows) { _, _, _ in
    } behind: {
      lost.append(rows.slots[$0])
    }
    state.remove(lost)
  }
}

/// INTERSECT and EXCEPT: how often a row is in each input decides.
final class SetOperator: Operator {
  private let node: Plan.SetOperation
  private var index: KeyIndex
  private var counts = [Lane<Int64>(), Lane<Int64>()]
  private var sent = Lane<Int64>()
  private let touched = IDList()
  private var isTouched = Lane<UInt8>()
  private var changed = DirtySet()
  private let stateType: RowType
  /// Rows that neither input has any more.
  private var dead = 0

  init(_ node: Plan.SetOperation, _ runtime: Runtime, type: RowType) {
    self.node = node
    index = KeyIndex(type.fields.map(\.type.nullable))
    stateType = RowType(
      type.pairs.map { ($0.0, $0.1.nullable) }
        + [("_left", DataType.bigint.nullable), ("_right", DataType.bigint.nullable)])
    super.init(Plan.setOperation(node).operatorName, runtime, type: type)
  }

  override var stateTables: [StateTable] {
    [StateTable(name: "rows", type: stateType, keyCount: type.count, lookupCount: type.count)]
  }

  override func takeState() throws(TerraceError) -> [[DeltaBatch]] {
    let (puts, gone) = changed.take { exists($0) }
    return [[stored(gone, -1), stored(puts, 1)]]
  }

  override var isEvictable: Bool { true }

  override func forget() {
    index = KeyIndex(index.types)
    counts = [Lane<Int64>(), Lane<Int64>()]
    sent = Lane<Int64>()
    isTouched = Lane<UInt8>()
    changed = DirtySet()
    dead = 0
  }

  private func exists(_ id: Int) -> Bool { counts[0][id] != 0 || counts[1][id] != 0 }

  private func stored(_ ids: IDList, _ weight: Int64) -> DeltaBatch {
    let n = ids.count
    let columns =
      index.keys.gather(ids.pointer, n) + counts.map { $0.column(ids.pointer, n, .bigint) }
    return DeltaBatch(stateType.batch(columns, count: n), weight: weight)
  }

  override func restore(_ table: Int, _ rows: Batch) throws(TerraceError) {
    let ids = try number(Array(rows.columns[..<type.count]), rows.count)
    let p = ids.pointer(Int32.self)
    for (side, lane) in counts.enumerated() {
      lane.set(rows.columns[type.count + side], p, rows.count)
    }
    for i in 0..<rows.count {
      sent[Int(p[i])] = wanted(Int(p[i]))
      if runtime.recordsChanges { changed.setStored(Int(p[i])) }
    }
  }

  override var stateBytes: Int {
    index.byteCount + counts[0].byteCount + counts[1].byteCount + sent.byteCount
      + changed.byteCount
  }
  override var pendingBytes: Int {
    changed.count * (index.keys.byteCount / max(1, index.count) + 16)
  }

  private func number(_ columns: [Column], _ n: Int) throws(TerraceError) -> Buffer {
    let plain = KeyIndex.normalized(
      zip(columns, type.fields).map { $0.retyped($1.type.nullable) })
    let ids = Buffer(byteCount: n * 4)
    try index.insert(
      plain, hashes: index.hash(plain, count: n), count: n, into: ids.pointer(Int32.self))
    for lane in counts { lane.reserve(index.count) }
    sent.reserve(index.count)
    isTouched.reserve(index.count)
    changed.reserve(index.count)
    return ids
  }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    let n = delta.count
    if let validity = Bitmap.all(delta.rows.columns.compactMap(\.validity)) {
      statistics.nullKeys += n - validity.setCount
    }
    let ids = try number(delta.rows.columns, n)
    let p = ids.pointer(Int32.self)
    try fetch(p, n, of: index)
    let w = delta.weights.pointer(Int64.self)
    for i in 0..<n {
      let id = Int(p[i])
      counts[input][id] += w[i]
      if runtime.recordsChanges { changed.note(p[i]) }
      if isTouched[id] == 0 {
        isTouched[id] = 1
        touched.append(p[i])
      }
    }
  }

  private func wanted(_ id: Int) -> Int64 {
    let left = max(0, counts[0][id])
    let right = max(0, counts[1][id])
    switch (node.kind, node.all) {
    case (.intersect, false): return left > 0 && right > 0 ? 1 : 0
    case (.intersect, true): return min(left, right)
    case (.except, false): return left > 0 && right == 0 ? 1 : 0
    case (.except, true): return max(0, left - right)
    }
  }

  override func endEpoch() throws(TerraceError) {
    let rows = IDList()
    let weights = Lane<Int64>()
    for i in 0..<touched.count {
      let id = Int(touched[i])
      isTouched[id] = 0
      if !exists(id) { dead += 1 }
      let now = wanted(id)
      if now == sent[id] { continue }
      if sent[id] != 0 { statistics.updates += 1 }
      weights.reserve(rows.count + 1)
      weights[rows.count] = now - sent[id]
      rows.append(touched[i])
      sent[id] = now
    }
    touched.removeAll()
    if rows.count > 0 {
      let buffer = Buffer(
        copying: UnsafeRawBufferPointer(start: weights.pointer, count: rows.count * 8))
      try emit(index.keys.gather(rows.pointer, rows.count), buffer, count: rows.count)
    }
    try compact()
  }

  /// Forgets rows that neither input has, when they are the larger part.
  private func compact() throws(TerraceError) {
    guard dead > 4096, dead > index.count / 2 else { return }
    dead = 0
    let kept = IDList()
    for id in 0..<index.count where exists(id) || changed.isDirty(id) { kept.append(Int32(id)) }
    try index.keep(kept.pointer, kept.count)
    for lane in counts { lane.keep(kept.pointer, kept.count) }
    sent.keep(kept.pointer, kept.count)
    changed.keep(kept.pointer, kept.count)
    residency?.keep(kept.pointer, kept.count)
  }
}
