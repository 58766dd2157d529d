internal import Columns

/// An operator whose output for one partition is a function of the partition's rows alone.
///
/// Touched partitions are computed before and after an epoch's changes, and the difference is sent:
/// the cost follows the size of the partitions that are touched, not of the state.
class PartitionOperator: Operator {
  private(set) var state: KeyedState
  private(set) var index: KeyIndex
  private let partition: [Int]
  private let layout: RowLayout
  private let touched = IDList()
  private var isTouched = Lane<UInt8>()
  private let isAppendOnly: Bool
  private var before: [DeltaBatch] = []
  let input: RowType

  init(
    _ name: String, _ runtime: Runtime, type: RowType, input: RowType, partition: [Int],
    isAppendOnly: Bool
  ) {
    self.input = input
    self.partition = partition
    self.isAppendOnly = isAppendOnly
    index = KeyIndex(partition.map { input.fields[$0].type.nullable })
    state = KeyedState(input, isAppendOnly: isAppendOnly, recordsChanges: runtime.recordsChanges)
    layout = RowLayout(input, key: partition)
    super.init(name, runtime, type: type)
  }

  override var stateTables: [StateTable] { [layout.table("rows")] }
  override func takeState() throws(TerraceError) -> [[DeltaBatch]] {
    [try state.takeChanges().map(layout.stored)]
  }
  override func restore(_ table: Int, _ rows: Batch) throws(TerraceError) {
    let stored = layout.split(rows)
    let ids = try number(stored.columns, stored.count)
    let slots = Buffer(byteCount: stored.count * 4)
    try state.apply(
      stored.columns, weights: stored.weights, keys: ids.pointer(Int32.self), count: stored.count,
      slots: slots.pointer(Int32.self), stored: stored.numbers)
  }
  override var stateBytes: Int { state.byteCount + index.byteCount }
  override var pendingBytes: Int { state.pendingBytes }
  override func setNumberBase(_ table: Int, _ base: Int32) { state.numberBase = base }
  override func numberBase(_ table: Int) -> Int32 { state.numberBase }

  override var isEvictable: Bool { !partition.isEmpty }

  override func forget() {
    let base = state.numberBase
    index = KeyIndex(index.types)
    state = KeyedState(input, isAppendOnly: isAppendOnly, recordsChanges: runtime.recordsChanges)
    state.numberBase = base
    isTouched = Lane<UInt8>()
  }

  /// The output for the partitions `ids`.
  func compute(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) -> DeltaBatch? { nil }

  /// Rows that the operator will never look at again may go now.
  func prune(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {}

  final override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    let n = delta.count
    let columns = delta.rows.columns
    if let validity = Bitmap.all(partition.compactMap { columns[$0].validity }) {
      statistics.nullKeys += n - validity.setCount
    }
    let ids = try number(columns, n)
    let p = ids.pointer(Int32.self)
    try fetch(p, n, of: index)
    let fresh = IDList()
    for i in 0..<n where isTouched[Int(p[i])] == 0 {
      isTouched[Int(p[i])] = 1
      touched.append(p[i])
      if state.heads[Int(p[i])] >= 0 { fresh.append(p[i]) }
    }
    if fresh.count > 0 {
      statistics.updates += fresh.count
      if let old = try compute(fresh.pointer, fresh.count) { before.append(old.negated()) }
    }
    let slots = Buffer(byteCount: n * 4)
    try state.apply(
      columns, weights: delta.weights.pointer(Int64.self), keys: p, count: n,
      slots: slots.pointer(Int32.self))
  }

  /// The numbers of the rows' partitions.
  private func number(_ columns: [Column], _ n: Int) throws(TerraceError) -> Buffer {
    let ids = Buffer(byteCount: n * 4)
    let p = ids.pointer(Int32.self)
    if partition.isEmpty {
      p.update(repeating: 0, count: n)
    } else {
      let keys = KeyIndex.normalized(partition.map { columns[$0] })
      try index.insert(keys, hashes: index.hash(keys, count: n), count: n, into: p)
    }
    let count = partition.isEmpty ? 1 : index.count
    state.reserve(keys: count)
    isTouched.reserve(count)
    return ids
  }

  final override func endEpoch() throws(TerraceError) {
    if touched.count == 0 { return }
    if before.isEmpty {
      // Nothing goes: partitions leave some at a time.
      for from in stride(from: 0, to: touched.count, by: PartitionOperator.piecePartitions) {
        let count = min(PartitionOperator.piecePartitions, touched.count - from)
        if touched.count == 1 { try state.rows.checkWhole(name) }
        if let after = try compute(touched.pointer + from, count) { try emit(after) }
      }
    } else {
      if let after = try compute(touched.pointer, touched.count) { before.append(after) }
      try emit(DeltaBatch.concat(before).consolidated())
    }
    before = []
    try prune(touched.pointer, touched.count)
    for i in 0..<touched.count { isTouched[Int(touched[i])] = 0 }
    touched.removeAll()
    try state.compact()
  }

  private static let piecePartitions = 1 << 12

  /// Live rows of partitions, sorted: by partition, then by the keys, then by the whole row.
  ///
  /// Rows of weight n count n times.
  func sorted(
    _ ids: UnsafePointer<Int32>, _ n: Int, by order: [SortKey]
  ) -> SortedPartitions {
    let (slots, ordinals) = state.slots(of: ids, n)
    return SortedPartitions(state, slots, ordinals, order)
  }
}

/// Rows of some partitions in order, with what a rank needs to know of each.
final class SortedPartitions {
  /// Row numbers in the state.
  let slots: IDList
  let partitions: [Int32]
  let weights: [Int64]
  /// The row orders as the one before it, by the sort keys alone, in the same partition.
  let ties: [Bool]
  var count: Int { slots.count }

  init(_ state: KeyedState, _ given: IDList, _ ordinals: IDList, _ order: [SortKey]) {
    let n = given.count
    let store = state.rows
    let ordinalBuffer = Buffer(
      copying: UnsafeRawBufferPointer(start: ordinals.pointer, count: n * 4))
    let ordinalColumn = Column(type: DataType.int.notNull, count: n, values: ordinalBuffer)
    var columns = [ordinalColumn]
    var types = [DataType.int.notNull]
    var descending = [false]
    for key in order {
      let column = KeyIndex.normalized([store.gather(key.column, given.pointer, n)])[0]
      // A descending key puts nulls last; where that is not wanted, a flag goes before it.
      if key.nullsFirst == key.descending {
        columns.append(column.nullFlags(first: key.nullsFirst))
        types.append(DataType.tinyint.notNull)
        descending.append(false)
      }
      columns.append(column)
      types.append(column.type.nullable)
      descending.append(key.descending)
    }
    let keyCount = columns.count
    for c in store.types.indices {
      columns.append(store.gather(c, given.pointer, n))
      types.append(store.types[c].nullable)
      descending.append(false)
    }
    let encoder = KeyEncoder(types, descending: descending)
    let keys = encoder.encode(columns, count: n)
    let sortedBuffer = keys.sortedRows()
    let sorted = sortedBuffer.pointer(Int32.self)
    let short = KeyEncoder(
      Array(types[..<keyCount]), descending: Array(descending[..<keyCount])
    ).encode(Array(columns[..<keyCount]), count: n)
    let slots = IDList()
    var partitions: [Int32] = []
    var weights: [Int64] = []
    var ties: [Bool] = []
    for i in 0..<n {
      let row = Int(sorted[i])
      slots.append(given[row])
      partitions.append(ordinals[row])
      weights.append(max(0, state.weights[Int(given[row])]))
      ties.append(i > 0 && short.compare(row, short, Int(sorted[i - 1])) == 0)
    }
    self.slots = slots
    self.partitions = partitions
    self.weights = weights
    self.ties = ties
  }
}

extension Column {
  /// 0 and 1 so that nulls sort first or last.
  func nullFlags(first: Bool) -> Column {
    let out = Buffer(byteCount: count)
    for i in 0..<count {
      out.pointer(Int8.self)[i] = isNull(i) == first ? 0 : 1
    }
    return Column(type: DataType.tinyint.notNull, count: count, values: out)
  }
}
