internal import Columns

/// The values of every group, in order of arrival, with counts.
///
/// Values that may be taken back are held once each and found by (group, value); a group that only
/// grows keeps every value where it came. A value that is gone and comes again is the last anew.
final class ValueLists {
  private let state: KeyedState
  private let groupType = DataType.int.notNull
  private let argument: DataType

  private let recordsChanges: Bool

  init(_ argument: DataType, isAppendOnly: Bool, recordsChanges: Bool) {
    self.argument = argument
    self.recordsChanges = recordsChanges
    state = KeyedState(
      RowType([("group", groupType), ("value", argument.nullable)]), isAppendOnly: isAppendOnly,
      recordsChanges: recordsChanges, keepsNumbers: true)
  }

  /// The type of the values.
  var valueType: DataType { argument.nullable }

  /// (group, value, number, weight) of values that came and went since the last call.
  func takeChanges() throws(TerraceError) -> [DeltaBatch] { try state.takeChanges() }
  var pendingBytes: Int { state.pendingBytes }

  /// What takes the values of groups away, after `takeChanges` has told of them.
  func gone(groups: IDList) -> DeltaBatch? {
    let slots = state.slots(of: groups.pointer, groups.count).slots
    return slots.count == 0 ? nil : state.gone(slots, state.numbers.keeping(slots))
  }

  func reserve(_ count: Int) { state.reserve(keys: count) }

  /// Adds weighted values and gives each one's number.
  func add(_ input: AccumulatorInput, _ column: Column) throws(TerraceError) -> Buffer {
    let slots = Buffer(byteCount: input.count * 4)
    let groups = Buffer(
      copying: UnsafeRawBufferPointer(start: input.groups, count: input.count * 4))
    let key = Column(type: groupType, count: input.count, values: groups)
    try state.apply(
      [key, column.retyped(argument.nullable)], weights: input.weights, keys: input.groups,
      count: input.count, slots: slots.pointer(Int32.self), stored: input.numbers)
    return slots
  }

  func weight(_ slot: Int32) -> Int64 { state.weights[Int(slot)] }
  var weights: Lane<Int64> { state.weights }
  var count: Int { state.count }

  /// Live values of a group, in order.
  func forEach(_ group: Int32, _ body: (Int32, Int64) -> Void) {
    var slot = state.heads[Int(group)]
    while slot >= 0 {
      let weight = state.weights[Int(slot)]
      if weight > 0 { body(slot, weight) }
      slot = state.next[Int(slot)]
    }
  }

  /// Values by number; null where the number is negative.
  func values(_ slots: UnsafePointer<Int32>, _ n: Int) -> Column {
    var bits: Bitmap?
    let safe = Buffer(byteCount: n * 4)
    for i in 0..<n {
      safe.pointer(Int32.self)[i] = max(0, slots[i])
      if slots[i] < 0 {
        if bits == nil { bits = Bitmap(count: n, filled: true) }
        bits?.clear(i)
      }
    }
    if state.count == 0 { return Column.repeatingNull(argument, count: n) }
    guard bits != nil else { return state.rows.gather(1, safe.pointer(Int32.self), n) }
    let picked = IDs(slots, n)
    let all = state.rows.gather(1, picked.valid.pointer, picked.valid.count)
    return all.gatherOrNull(picked.places.pointer(Int32.self), n)
  }

  /// Negative, zero, positive: how two values compare, as keys do.
  func compare(_ a: Int32, _ b: Int32) -> Int {
    let (x, i) = state.rows.place(1, Int(a))
    let (y, j) = state.rows.place(1, Int(b))
    switch x.physical {
    case .boolean: return ordered(x.pointer(UInt8.self)[i], y.pointer(UInt8.self)[j])
    case .int8: return ordered(x.pointer(Int8.self)[i], y.pointer(Int8.self)[j])
    case .int16: return ordered(x.pointer(Int16.self)[i], y.pointer(Int16.self)[j])
    case .int32: return ordered(x.pointer(Int32.self)[i], y.pointer(Int32.self)[j])
    case .int64: return ordered(x.pointer(Int64.self)[i], y.pointer(Int64.self)[j])
    case .int128: return ordered(x.pointer(Int128.self)[i], y.pointer(Int128.self)[j])
    case .float32:
      return ordered(
        orderedBits(x.pointer(Float.self)[i] + 0), orderedBits(y.pointer(Float.self)[j] + 0))
    case .float64:
      return ordered(
        orderedBits(x.pointer(Double.self)[i] + 0), orderedBits(y.pointer(Double.self)[j] + 0))
    default: return compareBytes(x.bytes(i), y.bytes(j))
    }
  }

  /// Bits of a floating-point value are NaN.
  func isNaN(_ slot: Int32) -> Bool {
    let (x, i) = state.rows.place(1, Int(slot))
    switch x.physical {
    case .float32: return x.pointer(Float.self)[i].isNaN
    case .float64: return x.pointer(Double.self)[i].isNaN
    default: return false
    }
  }

  @inline(__always) private func ordered<T: Comparable>(_ a: T, _ b: T) -> Int {
    a < b ? -1 : bit(a > b)
  }

  /// Forgets groups: the rows of groups that are not among `ids` go.
  func keep(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) -> ValueLists {
    let fresh = ValueLists(
      argument, isAppendOnly: state.isAppendOnly, recordsChanges: recordsChanges)
    fresh.reserve(n)
    let (slots, ordinals) = state.slots(of: ids, n)
    let count = slots.count
    if count == 0 { return fresh }
    let column = state.rows.gather(1, slots.pointer, count)
    // What moves has not changed: it comes as from the table.
    let numbers = Lane<Int32>()
    let weights = Lane<Int64>()
    numbers.reserve(count)
    weights.reserve(count)
    for i in 0..<count {
      weights[i] = state.weights[Int(slots[i])]
      numbers[i] = state.numbers[Int(slots[i])]
    }
    _ = try fresh.add(
      AccumulatorInput(
        column: column, groups: ordinals.pointer, weights: weights.pointer, count: count,
        numbers: UnsafePointer(numbers.pointer)), column)
    return fresh
  }

  var byteCount: Int { state.byteCount }
}

/// Numbers of which negative ones stand for nothing.
private final class IDs {
  let valid = IDList()
  /// Where each one is among the valid, -1 where it is none.
  let places: Buffer

  init(_ ids: UnsafePointer<Int32>, _ n: Int) {
    places = Buffer(byteCount: n * 4)
    for i in 0..<n {
      if ids[i] < 0 {
        places.pointer(Int32.self)[i] = -1
      } else {
        places.pointer(Int32.self)[i] = Int32(valid.count)
        valid.append(ids[i])
      }
    }
  }
}
