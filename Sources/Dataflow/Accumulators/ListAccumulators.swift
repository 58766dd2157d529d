internal import Columns

/// MIN and MAX. All values of a group are held while one may be taken back; else only those that
/// were the best when they came.
final class ExtremeAccumulator: Accumulator {
  private var lists: ValueLists
  private let isAppendOnly: Bool
  private let isFloat: Bool
  /// The best value of each group; -1 when it has none, -2 when it has to be found anew.
  private let best = Lane<Int32>(filler: 0xff)
  private static let stale: Int32 = -2

  init(
    _ call: AggregateCall, _ argument: DataType, isAppendOnly: Bool, recordsChanges: Bool
  ) {
    lists = ValueLists(argument, isAppendOnly: false, recordsChanges: recordsChanges)
    self.isAppendOnly = isAppendOnly
    isFloat = TypeRules.isApproximate(argument)
    super.init(call)
  }

  override func reserve(_ count: Int) {
    lists.reserve(count)
    best.reserve(count)
  }

  /// Flink's comparison with NaN is false whichever way, so a NaN among others wins for MIN and
  /// MAX alike.
  private func isBetter(_ a: Int32, _ b: Int32) -> Bool {
    if isFloat {
      if lists.isNaN(b) { return false }
      if lists.isNaN(a) { return true }
    }
    let order = lists.compare(a, b)
    return call.function == .min ? order < 0 : order > 0
  }

  override func add(_ input: AccumulatorInput) throws(TerraceError) {
    guard let column = input.column else { return }
    let given = isAppendOnly ? try promising(input, column) : input
    guard given.count > 0, let values = given.column else { return }
    let slots = try lists.add(given, values)
    let s = slots.pointer(Int32.self)
    for i in 0..<given.count {
      let g = Int(given.groups[i])
      let held = best[g]
      if held == ExtremeAccumulator.stale { continue }
      if lists.weight(s[i]) > 0 {
        if held < 0 || isBetter(s[i], held) { best[g] = s[i] }
      } else if held == s[i] {
        best[g] = ExtremeAccumulator.stale
      }
    }
  }

  /// Of values that are never taken back, one a group: the best of the batch.
  private func promising(
    _ input: AccumulatorInput, _ column: Column
  ) throws(TerraceError) -> AccumulatorInput {
    let encoder = KeyEncoder(
      [DataType.int.notNull, column.type.nullable],
      descending: [false, call.function == .max])
    let groups = Buffer(
      copying: UnsafeRawBufferPointer(start: input.groups, count: input.count * 4))
    let plain = KeyIndex.normalized([column])[0]
    let keys = encoder.encode(
      [Column(type: DataType.int.notNull, count: input.count, values: groups), plain],
      count: input.count)
    let order = keys.sortedRows()
    let o = order.pointer(Int32.self)
    let firsts = IDList()
    for i in 0..<input.count
    where i == 0 || input.groups[Int(o[i])] != input.groups[Int(o[i - 1])] {
      // NaN sorts last, but wins: the group's last row is looked at as well.
      firsts.append(o[i])
      if isFloat && i > 0 { firsts.append(o[i - 1]) }
    }
    if isFloat && input.count > 0 { firsts.append(o[input.count - 1]) }
    held = (
      groups: Buffer(byteCount: firsts.count * 4), weights: Buffer(byteCount: firsts.count * 8)
    )
    for i in 0..<firsts.count {
      held.groups.pointer(Int32.self)[i] = input.groups[Int(firsts[i])]
      held.weights.pointer(Int64.self)[i] = 1
    }
    return AccumulatorInput(
      column: column.gather(firsts.pointer, count: firsts.count),
      groups: UnsafePointer(held.groups.pointer(Int32.self)),
      weights: UnsafePointer(held.weights.pointer(Int64.self)), count: firsts.count)
  }
  private var held = (groups: Buffer(byteCount: 0), weights: Buffer(byteCount: 0))

  override func results(_ groups: UnsafePointer<Int32>, _ n: Int) -> Column {
    let slots = Buffer(byteCount: n * 4)
    for i in 0..<n {
      let g = Int(groups[i])
      if best[g] == ExtremeAccumulator.stale {
        var found: Int32 = -1
        lists.forEach(groups[i]) { slot, _ in
          if found < 0 || isBetter(slot, found) { found = slot }
        }
        best[g] = found
      }
      slots.pointer(Int32.self)[i] = best[g]
    }
    return lists.values(slots.pointer(Int32.self), n).retyped(call.type.nullable)
  }

  override var valueLists: ValueLists? { lists }

  override func keep(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    lists = try lists.keep(ids, n)
    best.keep(ids, n)
    for i in 0..<n { best[i] = ExtremeAccumulator.stale }
  }
  override var byteCount: Int { lists.byteCount + best.byteCount }
}

/// FIRST_VALUE, LAST_VALUE, SINGLE_VALUE, LISTAGG, ARRAY_AGG and COLLECT: from the values in order.
final class ListAccumulator: Accumulator {
  private var lists: ValueLists
  private let argument: DataType

  init(
    _ call: AggregateCall, _ argument: DataType, isAppendOnly: Bool, recordsChanges: Bool
  ) {
    self.argument = argument
    // COLLECT counts equal values; the others keep each where it came, as long as none goes.
    lists = ValueLists(
      argument, isAppendOnly: isAppendOnly && call.function != .collect,
      recordsChanges: recordsChanges)
    super.init(call)
  }

  override func reserve(_ count: Int) { lists.reserve(count) }

  override func add(_ input: AccumulatorInput) throws(TerraceError) {
    guard let column = input.column else { return }
    _ = try lists.add(input, column)
  }

  override func results(_ groups: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) -> Column {
    switch call.function {
    case .first, .last: return picked(groups, n)
    case .single:
      for i in 0..<n {
        var total: Int64 = 0
        lists.forEach(groups[i]) { total += $1 }
        if total > 1 {
          throw TerraceError(.invalid, "a sub-query in place of a value gave several rows")
            .with("rows", total)
        }
      }
      return picked(groups, n)
    case .listAggregate: return joined(groups, n)
    default: return collected(groups, n)
    }
  }

  private func picked(_ groups: UnsafePointer<Int32>, _ n: Int) -> Column {
    let slots = Buffer(byteCount: n * 4)
    let wantsFirst = call.function == .first
    for i in 0..<n {
      var found: Int32 = -1
      lists.forEach(groups[i]) { slot, _ in if found < 0 || !wantsFirst { found = slot } }
      slots.pointer(Int32.self)[i] = found
    }
    return lists.values(slots.pointer(Int32.self), n).retyped(call.type.nullable)
  }

  /// Live values of the groups, each as often as it counts, and where each group's end.
  private func members(
    _ groups: UnsafePointer<Int32>, _ n: Int, repeated: Bool
  ) -> (values: Column, counts: [Int64], ends: [Int]) {
    let slots = IDList()
    var counts: [Int64] = []
    var ends: [Int] = []
    for i in 0..<n {
      lists.forEach(groups[i]) { slot, weight in
        for _ in 0..<(repeated ? weight : 1) {
          slots.append(slot)
          counts.append(weight)
        }
      }
      ends.append(slots.count)
    }
    return (lists.values(slots.pointer, slots.count), counts, ends)
  }

  private func joined(_ groups: UnsafePointer<Int32>, _ n: Int) -> Column {
    let (values, _, ends) = members(groups, n, repeated: true)
    let out = ColumnBuilder(call.type.nullable, capacity: n)
    var at = 0
    var text: [UInt8] = []
    for i in 0..<n {
      if at == ends[i] {
        out.appendNull()
        continue
      }
      text.removeAll(keepingCapacity: true)
      for j in at..<ends[i] {
        if j > at { text.append(contentsOf: call.separator) }
        text.append(contentsOf: values.bytes(j))
      }
      text.withUnsafeBytes { out.append(bytes: $0) }
      at = ends[i]
    }
    return out.finish()
  }

  private func collected(_ groups: UnsafePointer<Int32>, _ n: Int) -> Column {
    let isMultiset = call.function == .collect
    let (values, counts, ends) = members(groups, n, repeated: !isMultiset)
    let offsets = Buffer(byteCount: (n + 1) * 4)
    let o = offsets.pointer(Int32.self)
    let bits = Bitmap(count: n, filled: false)
    o[0] = 0
    for i in 0..<n {
      o[i + 1] = Int32(ends[i])
      if o[i + 1] > o[i] { bits.set(i) }
    }
    var children = [values]
    if case .array(let element) = call.type.kind { children = [values.retyped(element)] }
    if case .multiset(let element) = call.type.kind {
      let builder = ColumnBuilder(DataType.int.notNull, capacity: counts.count)
      for count in counts { builder.append(Int32(truncatingIfNeeded: count)) }
      children = [values.retyped(element), builder.finish()]
    }
    return Column(
      type: call.type.nullable, count: n, values: nil, offsets: offsets,
      validity: bits.setCount == n ? nil : bits, children: children)
  }

  override var valueLists: ValueLists? { lists }

  override func keep(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    lists = try lists.keep(ids, n)
  }
  override var byteCount: Int { lists.byteCount }
}
