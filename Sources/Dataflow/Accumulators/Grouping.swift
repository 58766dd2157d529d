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
  /// What changed since the last state commit: of the groups, and of each list of values.
  private let groupChanges: StateChanges
  private var listChanges: [StateChanges] = []

  init(
    input: RowType, keyTypes: [DataType], calls: [AggregateCall], isAppendOnly: Bool,
    recordsChanges: Bool
  ) throws(TerraceError) {
    self.calls = calls
    self.keyTypes = keyTypes
    groupChanges = StateChanges(.keyed, keyCount: keyTypes.count)
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
    listChanges = lists.map { _ in StateChanges(.rows) }
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
    for accumulator in accumulators { accumulator.reserve(count) }
    for distinct in distincts { distinct?.reserve(count) }
  }

  func add(
    _ columns: [Column], _ weights: UnsafePointer<Int64>, _ ids: UnsafePointer<Int32>, count n: Int
  ) throws(TerraceError) {
    let total = rows.pointer
    for i in 0..<n { total[Int(ids[i])] &+= weights[i] }
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

  private func listType(_ values: ValueLists) -> RowType {
    RowType(keyFields + [("value", values.valueType)])
  }

  var stateTables: [StateTable] {
    [StateTable(name: "groups", type: groupType, kind: .keyed, keyCount: keyTypes.count)]
      + lists.map {
        StateTable(name: $0.name, type: listType($0.values), kind: .rows, keyCount: 0)
      }
  }

  /// Notes groups that have changed for the next state commit.
  func record(_ ids: IDList) throws(TerraceError) {
    try recordLists()
    if ids.count == 0 { return }
    let weights = Buffer(byteCount: ids.count * 8)
    for i in 0..<ids.count {
      let stays = isGlobal || rows[Int(ids[i])] != 0
      weights.pointer(Int64.self)[i] = stays ? 1 : -1
    }
    try record(ids, weights)
  }

  /// Notes groups that will not be asked for again.
  func recordGone(_ ids: IDList) throws(TerraceError) {
    if ids.count == 0 || listChanges.count != lists.count { return }
    try recordLists()
    let weights = Buffer(byteCount: ids.count * 8)
    weights.pointer(Int64.self).update(repeating: -1, count: ids.count)
    try record(ids, weights)
    for (k, list) in lists.enumerated() {
      let (ordinals, values, counts) = list.values.values(ofGroups: ids.pointer, ids.count)
      let n = ordinals.count
      let groups = IDList()
      for i in 0..<n { groups.append(ids[Int(ordinals[i])]) }
      let keys = index.keys.types.indices.map { index.keys.gather($0, groups.pointer, n) }
      let gone = DeltaBatch(
        Batch(listType(list.values), keys + [values], count: n), weights: counts)
      listChanges[k].append(gone.negated())
    }
  }

  private func record(_ ids: IDList, _ weights: Buffer) throws(TerraceError) {
    var columns = index.keys.types.indices.map { index.keys.gather($0, ids.pointer, ids.count) }
    columns.append(rows.column(ids.pointer, ids.count, .bigint))
    for accumulator in accumulators {
      columns += accumulator.exportState(ids.pointer, ids.count)
    }
    let type = groupType
    let typed = zip(columns, type.fields).map { $0.retyped($1.type) }
    groupChanges.append(DeltaBatch(Batch(type, typed, count: ids.count), weights: weights))
  }

  /// Values that changed, under the keys of their groups: numbers of groups do not last.
  private func recordLists() throws(TerraceError) {
    for (k, list) in lists.enumerated() {
      guard let delta = try list.values.takeChanges() else { continue }
      let groups = delta.rows.columns[0]
      let keys = index.keys.types.indices.map {
        index.keys.gather($0, groups.pointer(Int32.self), delta.count)
      }
      listChanges[k].append(
        DeltaBatch(
          Batch(listType(list.values), keys + [delta.rows.columns[1]], count: delta.count),
          weights: delta.weights))
    }
  }

  func takeState() throws(TerraceError) -> [DeltaBatch?] {
    try recordLists()
    var out = [try groupChanges.take()]
    for changes in listChanges { out.append(try changes.take()) }
    return out
  }

  /// Rows of a state table, into groups that have seen nothing yet.
  func restore(_ table: Int, _ delta: DeltaBatch) throws(TerraceError) {
    let n = delta.count
    let columns = delta.rows.columns
    let ids = try number(Array(columns[..<keyTypes.count]), count: n)
    let p = ids.pointer(Int32.self)
    if table == 0 {
      rows.set(columns[keyTypes.count], p, n)
      var at = keyTypes.count + 1
      for accumulator in accumulators {
        let width = accumulator.stateTypes.count
        accumulator.importState(Array(columns[at..<at + width]), p, n)
        at += width
      }
      return
    }
    let input = AccumulatorInput(
      column: columns[keyTypes.count], groups: UnsafePointer(p),
      weights: UnsafePointer(delta.weights.pointer(Int64.self)), count: n)
    var at = 1
    for i in calls.indices {
      if accumulators[i].valueLists != nil {
        if at == table { return try accumulators[i].restore(input) }
        at += 1
      }
      if let distinct = distincts[i] {
        if at == table {
          _ = try distinct.net(input, columns[keyTypes.count])
          return
        }
        at += 1
      }
    }
  }

  /// Keeps the groups `ids`, ascending, numbered anew in that order.
  func keep(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    try recordLists()
    try index.keep(ids, n)
    rows.keep(ids, n)
    for accumulator in accumulators { try accumulator.keep(ids, n) }
    for distinct in distincts { try distinct?.keep(ids, n) }
  }

  var byteCount: Int {
    index.byteCount + rows.byteCount + accumulators.reduce(0) { $0 + $1.byteCount }
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
