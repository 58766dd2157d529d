internal import Columns

/// Groups of rows and what the aggregate calls keep of them.
final class Grouping {
  private let calls: [AggregateCall]
  private let keyTypes: [DataType]
  let index: KeyIndex
  private var accumulators: [Accumulator] = []
  private var distincts: [DistinctValues?] = []
  /// Rows (by weight) of each group.
  let rows = Lane<Int64>()
  private let recordsChanges: Bool
  /// Groups that changed since the last state commit.
  private let changed = DirtySet()
  /// Changes of the groups, and of each list of values, from before groups were numbered anew.
  private let groupChanges: StateChanges
  private var listChanges: [StateChanges] = []

  init(
    input: RowType, keyTypes: [DataType], calls: [AggregateCall], isAppendOnly: Bool,
    recordsChanges: Bool
  ) throws(TerraceError) {
    self.calls = calls
    self.keyTypes = keyTypes
    self.recordsChanges = recordsChanges
    groupChanges = StateChanges(keyCount: keyTypes.count)
    index = KeyIndex(keyTypes)
    for call in calls {
      let argument = call.argument.map { input.fields[$0].type }
      accumulators.append(
        try Accumulator.make(
          call, argument: argument, isAppendOnly: isAppendOnly,
          recordsChanges: recordsChanges))
      distincts.append(
        call.isDistinct && argument != nil
          ? DistinctValues(argument ?? .int, recordsChanges: recordsChanges) : nil)
    }
    listChanges = lists.map { _ in StateChanges(keyCount: keyTypes.count + 1) }
  }

  /// Without keys everything is one group, number 0.
  var isGlobal: Bool { keyTypes.isEmpty }
  var count: Int { isGlobal ? 1 : index.count }

  /// Group numbers of rows with these keys.
  func number(_ keys: [Column], count n: Int) throws(TerraceError) -> Buffer {
    let ids = Buffer(byteCount: n * 4)
    let out = ids.pointer(Int32.self)
    if isGlobal {
      out.update(repeating: 0, count: n)
    } else {
      let plain = KeyIndex.normalized(keys)
      try index.insert(plain, hashes: index.hash(plain, count: n), count: n, into: out)
    }
    reserve(count)
    return ids
  }

  func reserve(_ count: Int) {
    rows.reserve(count)
    if recordsChanges { changed.reserve(count) }
    for accumulator in accumulators { accumulator.reserve(count) }
    for distinct in distincts { distinct?.reserve(count) }
  }

  func add(
    _ columns: [Column], _ weights: UnsafePointer<Int64>, _ ids: UnsafePointer<Int32>, count n: Int
  ) throws(TerraceError) {
    let total = rows.pointer
    for i in 0..<n { total[Int(ids[i])] &+= weights[i] }
    if recordsChanges { for i in 0..<n { changed.note(ids[i]) } }
    for (i, call) in calls.enumerated() {
      let input = CallInput(call, columns, weights, ids, n)
      if let distinct = distincts[i], let column = input.seen.column {
        let net = try distinct.net(input.seen, column)
        try accumulators[i].add(net.seen)
      } else {
        try accumulators[i].add(input.seen)
      }
    }
  }

  /// Key columns and results of groups.
  func results(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) -> [Column] {
    var columns = index.keys.types.indices.map { index.keys.gather($0, ids, n) }
    for accumulator in accumulators { columns.append(try accumulator.results(ids, n)) }
    return columns
  }

  // MARK: - State

  /// The lists of values that calls keep, those of DISTINCT behind those of its call.
  private var lists: [(name: String, values: ValueLists)] {
    var found: [(String, ValueLists)] = []
    for i in calls.indices {
      if let values = accumulators[i].valueLists { found.append(("\(i)-values", values)) }
      if let distinct = distincts[i] { found.append(("\(i)-distinct", distinct.lists)) }
    }
    return found
  }

  private var keyFields: [(String, DataType)] {
    keyTypes.enumerated().map { ("k\($0.offset)", $0.element.nullable) }
  }

  private var groupType: RowType {
    var fields = keyFields + [("rows", DataType.bigint.notNull)]
    for accumulator in accumulators {
      for type in accumulator.stateTypes { fields.append(("s\(fields.count)", type)) }
    }
    return RowType(fields)
  }

  /// As ``RowLayout`` has rows: the group's key, the value's number in the group, value and weight.
  private func listType(_ values: ValueLists) -> RowType {
    RowType(
      keyFields + [
        ("_row", DataType.int.notNull), ("value", values.valueType),
        ("_weight", DataType.bigint.nullable),
      ])
  }

  var stateTables: [StateTable] {
    let width = keyTypes.count
    return [StateTable(name: "groups", type: groupType, keyCount: width, lookupCount: width)]
      + lists.map {
        StateTable(
          name: $0.name, type: listType($0.values), keyCount: width + 1, lookupCount: width)
      }
  }

  /// Puts changes under the keys of their groups: numbers of groups do not last.
  private func recordChanges() throws(TerraceError) {
    if !recordsChanges { return }
    for (k, list) in lists.enumerated() {
      for delta in try list.values.takeChanges() {
        listChanges[k].append(stored(delta, list.values))
      }
    }
    let (puts, gone) = changed.take { isGlobal || rows[$0] != 0 }
    groupChanges.append(stored(gone, -1))
    groupChanges.append(stored(puts, 1))
  }

  private func stored(_ delta: DeltaBatch, _ list: ValueLists) -> DeltaBatch {
    let given = delta.rows.columns
    let columns = keys(given[0].pointer(Int32.self), delta.count) + [given[2], given[1], given[3]]
    return DeltaBatch(
      listType(list).batch(columns, count: delta.count), weights: delta.weights)
  }

  private func keys(_ ids: UnsafePointer<Int32>, _ n: Int) -> [Column] {
    index.keys.types.indices.map { index.keys.gather($0, ids, n) }
  }

  private func stored(_ ids: IDList, _ weight: Int64) -> DeltaBatch {
    var columns = keys(ids.pointer, ids.count)
    columns.append(rows.column(ids.pointer, ids.count, .bigint))
    for accumulator in accumulators {
      columns += accumulator.exportState(ids.pointer, ids.count)
    }
    return DeltaBatch(groupType.batch(columns, count: ids.count), weight: weight)
  }

  /// The table has not been told of what changed in a group.
  func isDirty(_ id: Int) -> Bool { recordsChanges && changed.isDirty(id) }

  func takeState() throws(TerraceError) -> [[DeltaBatch]] {
    try recordChanges()
    var out = [try groupChanges.take().map { [$0] } ?? []]
    for changes in listChanges { out.append(try changes.take().map { [$0] } ?? []) }
    return out
  }

  var pendingBytes: Int {
    changed.count * (16 + byteCount / max(1, count)) + groupChanges.byteCount
      + listChanges.reduce(0) { $0 + $1.byteCount }
      + lists.reduce(0) { $0 + $1.values.pendingBytes }
  }

  /// Rows of a state table, in the order of its key.
  func restore(_ table: Int, _ stored: Batch) throws(TerraceError) {
    let n = stored.count
    let columns = stored.columns
    let width = keyTypes.count
    let ids = try number(Array(columns[..<width]), count: n)
    let p = ids.pointer(Int32.self)
    if table == 0 {
      rows.set(columns[width], p, n)
      if recordsChanges { for i in 0..<n { changed.setStored(Int(p[i])) } }
      var at = width + 1
      for accumulator in accumulators {
        let count = accumulator.stateTypes.count
        accumulator.importState(Array(columns[at..<at + count]), p, n)
        at += count
      }
      return
    }
    let input = AccumulatorInput(
      column: columns[width + 1], groups: UnsafePointer(p),
      weights: UnsafePointer(columns[width + 2].pointer(Int64.self)), count: n,
      numbers: UnsafePointer(columns[width].pointer(Int32.self)))
    var at = 1
    for i in calls.indices {
      if accumulators[i].valueLists != nil {
        if at == table { return try accumulators[i].restore(input) }
        at += 1
      }
      if let distinct = distincts[i] {
        if at == table {
          _ = try distinct.net(input, columns[width + 1])
          return
        }
        at += 1
      }
    }
  }

  /// Keeps the groups `ids`, ascending, numbered anew in that order. What the others hold is gone, also
  /// from the state table.
  func keep(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    if recordsChanges { try recordLost(keeping: ids, n) }
    try index.keep(ids, n)
    rows.keep(ids, n)
    changed.keep(ids, n)
    for accumulator in accumulators { try accumulator.keep(ids, n) }
    for distinct in distincts { try distinct?.keep(ids, n) }
  }

  private func recordLost(keeping ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    let lost = IDList()
    var at = 0
    for id in 0..<count {
      if at < n && Int(ids[at]) == id { at += 1 } else { lost.append(Int32(id)) }
    }
    for i in 0..<lost.count where rows[Int(lost[i])] != 0 {
      rows[Int(lost[i])] = 0
      changed.note(lost[i])
    }
    try recordChanges()
    for (k, list) in lists.enumerated() {
      listChanges[k].append(list.values.gone(groups: lost).map { stored($0, list.values) })
    }
  }

  var byteCount: Int {
    index.byteCount + rows.byteCount + changed.byteCount
      + accumulators.reduce(0) { $0 + $1.byteCount }
      + distincts.reduce(0) { $0 + ($1?.byteCount ?? 0) }
  }
}

/// The rows of a batch that one call counts, with the buffers that hold them.
private final class CallInput {
  let seen: AccumulatorInput
  private let owners: [Buffer]

  init(
    _ call: AggregateCall, _ columns: [Column], _ weights: UnsafePointer<Int64>,
    _ ids: UnsafePointer<Int32>, _ n: Int
  ) {
    let column = call.argument.map { columns[$0] }
    let keepsNulls = call.function == .arrayAggregate || call.function == .single
    let validity = keepsNulls ? nil : column?.validity
    let filter = call.filter.map { columns[$0] }
    if validity == nil && filter == nil {
      seen = AccumulatorInput(column: column, groups: ids, weights: weights, count: n)
      owners = []
      return
    }
    let rows = Rows(count: n) { i in
      (validity.map { $0[i] } ?? true)
        && (filter.map { !$0.isNull(i) && $0.pointer(UInt8.self)[i] != 0 } ?? true)
    }
    let r = rows.buffer.pointer(Int32.self)
    let groups = Buffer(byteCount: rows.count * 4)
    let kept = Buffer(byteCount: rows.count * 8)
    let g = groups.pointer(Int32.self)
    let w = kept.pointer(Int64.self)
    for i in 0..<rows.count {
      g[i] = ids[Int(r[i])]
      w[i] = weights[Int(r[i])]
    }
    seen = AccumulatorInput(
      column: column?.gather(r, count: rows.count), groups: UnsafePointer(g),
      weights: UnsafePointer(w), count: rows.count)
    owners = [groups, kept]
  }

  fileprivate init(_ column: Column, _ groups: Buffer, _ weights: Buffer, _ n: Int) {
    seen = AccumulatorInput(
      column: column, groups: UnsafePointer(groups.pointer(Int32.self)),
      weights: UnsafePointer(weights.pointer(Int64.self)), count: n)
    owners = [groups, weights]
  }
}

/// The distinct values of every group: an accumulator behind it sees each value once.
private final class DistinctValues {
  private(set) var lists: ValueLists
  /// Values that the accumulator has been given.
  private var given = Lane<UInt8>()
  init(_ argument: DataType, recordsChanges: Bool) {
    lists = ValueLists(argument, isAppendOnly: false, recordsChanges: recordsChanges)
  }

  func reserve(_ count: Int) { lists.reserve(count) }

  /// What appears (+1) and goes (-1) with these rows.
  func net(_ input: AccumulatorInput, _ column: Column) throws(TerraceError) -> CallInput {
    let slots = try lists.add(input, column)
    let s = slots.pointer(Int32.self)
    let rows = Buffer(byteCount: input.count * 4)
    let groups = Buffer(byteCount: input.count * 4)
    let weights = Buffer(byteCount: input.count * 8)
    var n = 0
    for i in 0..<input.count {
      let slot = Int(s[i])
      given.reserve(slot + 1)
      let has = lists.weights[slot] > 0
      if has == (given[slot] != 0) { continue }
      given[slot] = has ? 1 : 0
      rows.pointer(Int32.self)[n] = Int32(i)
      groups.pointer(Int32.self)[n] = input.groups[i]
      weights.pointer(Int64.self)[n] = has ? 1 : -1
      n += 1
    }
    return CallInput(column.gather(rows.pointer(Int32.self), count: n), groups, weights, n)
  }

  func keep(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    lists = try lists.keep(ids, n)
    given = Lane<UInt8>()
    given.reserve(lists.count)
    for slot in 0..<lists.count { given[slot] = lists.weights[slot] > 0 ? 1 : 0 }
  }

  var byteCount: Int { lists.byteCount + given.byteCount }
}
