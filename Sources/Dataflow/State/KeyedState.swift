package import Columns

/// The rows of one operator input, with weights, found by the number of their key.
///
/// What a join side, a Top-N and every other operator that must see rows again keeps. Rows of one
/// key form a chain in order of arrival. Rows that may be taken back are also found by their whole
/// content, so that a retraction costs the same however many rows share a key; for inputs that only
/// grow that second index is left out.
///
/// It is the hot form of a state table: `takeChanges` gives what the next state commit appends. There
/// a row is known by its key and a number that ascends along the key's chain.
package final class KeyedState: @unchecked Sendable {
  /// Types of the rows.
  package let types: [DataType]
  let isAppendOnly: Bool
  let grown: RowStore?
  let content: KeyIndex?
  /// All rows have weight 1, and `weights` is not used; only of rows that stay, and where asked for.
  private(set) var isPlain: Bool
  /// Net count of each row, 0 when it is gone. May be negative while an epoch is not complete.
  let weights = Lane<Int64>()
  let next = Lane<Int32>(filler: 0xff)
  private let previous = Lane<Int32>(filler: 0xff)
  /// First and last row of a key; -1 when it has none.
  let heads = Lane<Int32>(filler: 0xff)
  private let tails = Lane<Int32>(filler: 0xff)
  /// The key of each row; not for rows that stay.
  let owners = Lane<Int32>(filler: 0xff)
  private var dead = 0
  let rowType: RowType

  // What the next state commit appends.
  let recordsChanges: Bool
  let keepsNumbers: Bool
  /// Rows that may be taken back: those that changed, and the number of each within its key.
  let changed = DirtySet()
  let numbers = Lane<Int32>()
  /// Rows that stay: those that came since the last commit, and where the numbers of the next begin.
  var fresh: [Range<Int>] = []
  var numberBase: Int32 = 0
  /// Rows that went and came back under another number.
  var renumbered: [DeltaBatch] = []

  /// - Parameter keepsNumbers: rows that stay are numbered as they come, too, so that they can be
  ///   taken out of the table with their key.
  init(
    _ rowType: RowType, isAppendOnly: Bool, recordsChanges: Bool = false,
    keepsNumbers: Bool = false, mayBePlain: Bool = false
  ) {
    self.keepsNumbers = keepsNumbers
    isPlain = isAppendOnly && mayBePlain
    self.rowType = rowType
    types = rowType.fields.map(\.type)
    self.isAppendOnly = isAppendOnly
    self.recordsChanges = recordsChanges
    grown = isAppendOnly ? RowStore(types.map(\.nullable)) : nil
    content = isAppendOnly ? nil : KeyIndex(types)
  }

  var rows: RowStore {
    if let grown { return grown }
    guard let content else { preconditionFailure("a state without rows") }
    return content.keys
  }

  /// Rows held, those gone but not yet cleared away included.
  package var count: Int { rows.count }

  /// Bytes held in memory.
  package var byteCount: Int {
    (grown?.byteCount ?? 0) + (content?.byteCount ?? 0) + weights.byteCount + next.byteCount
      + previous.byteCount + heads.byteCount + tails.byteCount + owners.byteCount
      + numbers.byteCount + changed.byteCount
  }

  /// Room for keys with numbers below `count`.
  func reserve(keys count: Int) {
    heads.reserve(count)
    tails.reserve(count)
  }

  /// Adds rows with weights to their keys.
  ///
  /// - Parameters:
  ///   - keys: the number of each row's key; never negative.
  ///   - slots: gets the number of each row in this state.
  ///   - stored: the rows come from the state table, where they have these numbers; a key's ascend.
  func apply(
    _ columns: [Column], weights more: UnsafePointer<Int64>, keys: UnsafePointer<Int32>,
    count n: Int, slots: UnsafeMutablePointer<Int32>, stored: UnsafePointer<Int32>? = nil
  ) throws(TerraceError) {
    if grown != nil {
      try grow(columns, more, keys, n, slots, stored)
    } else if let stored {
      try load(columns, more, keys, n, slots, stored)
    } else {
      try change(columns, more, keys, n, slots)
    }
  }

  private func grow(
    _ columns: [Column], _ more: UnsafePointer<Int64>, _ keys: UnsafePointer<Int32>, _ n: Int,
    _ slots: UnsafeMutablePointer<Int32>, _ stored: UnsafePointer<Int32>?
  ) throws(TerraceError) {
    guard let grown else { return }
    let base = grown.count
    try grown.append(columns, count: n)
    if isPlain {
      var others = 0
      for i in 0..<n { others &+= bit(more[i] != 1) }
      if others > 0 {
        isPlain = false
        weights.reserve(base)
        weights.pointer.update(repeating: 1, count: base)
      }
    }
    reserve(rows: base + n)
    if !isPlain { weights.pointer.advanced(by: base).update(from: more, count: n) }
    // Plain pointers: a property would be checked for exclusive access at every row.
    let (following, first, last) = (next.pointer, heads.pointer, tails.pointer)
    for i in 0..<n {
      let slot = Int32(truncatingIfNeeded: base &+ i)
      let k = Int(keys[i])
      slots[i] = slot
      following[base &+ i] = -1
      let end = last[k]
      if keepsNumbers {
        if let stored {
          numbers[base &+ i] = stored[i]
        } else {
          numbers[base &+ i] = try number(after: end)
        }
      }
      if end < 0 { first[k] = slot } else { following[Int(end)] = slot }
      last[k] = slot
    }
    guard recordsChanges, stored == nil, n > 0 else { return }
    if let end = fresh.last, end.upperBound == base {
      fresh[fresh.count - 1] = end.lowerBound..<base + n
    } else {
      fresh.append(base..<base + n)
    }
  }

  /// The number of a row that comes behind the last one of its key.
  @inline(__always) private func number(after tail: Int32) throws(TerraceError) -> Int32 {
    if tail < 0 { return 0 }
    let last = numbers[Int(tail)]
    if last == .max { throw KeyedState.tooMany }
    return last &+ 1
  }

  static let tooMany = TerraceError(.unavailable, "a state of over 2^31 rows of one key")

  private func change(
    _ columns: [Column], _ more: UnsafePointer<Int64>, _ keys: UnsafePointer<Int32>, _ n: Int,
    _ slots: UnsafeMutablePointer<Int32>
  ) throws(TerraceError) {
    try place(columns, n, slots)
    let back = IDList()
    let old = Lane<Int32>()
    for i in 0..<n {
      let slot = Int(slots[i])
      let before = weights[slot]
      let after = before &+ more[i]
      weights[slot] = after
      if before == 0 && after != 0 {
        if owners[slot] >= 0 { dead -= 1 }
        let number = try number(after: tails[Int(keys[i])])
        if recordsChanges, changed.isStored(slot), numbers[slot] != number {
          old.reserve(back.count + 1)
          old[back.count] = numbers[slot]
          back.append(slots[i])
          changed.setGone(slot)
        }
        numbers[slot] = number
        link(slots[i], keys[i])
      } else if before != 0 && after == 0 {
        unlink(slots[i])
        dead += 1
      }
      if recordsChanges { changed.note(slots[i]) }
    }
    if back.count > 0 { renumbered.append(gone(back, old)) }
  }

  private func load(
    _ columns: [Column], _ more: UnsafePointer<Int64>, _ keys: UnsafePointer<Int32>, _ n: Int,
    _ slots: UnsafeMutablePointer<Int32>, _ stored: UnsafePointer<Int32>
  ) throws(TerraceError) {
    try place(columns, n, slots)
    for i in 0..<n {
      let slot = Int(slots[i])
      weights[slot] = more[i]
      numbers[slot] = stored[i]
      if more[i] != 0 { link(slots[i], keys[i]) }
      if recordsChanges { changed.setStored(slot) }
    }
  }

  private func place(
    _ columns: [Column], _ n: Int, _ slots: UnsafeMutablePointer<Int32>
  ) throws(TerraceError) {
    guard let content else { return }
    let plain = KeyIndex.normalized(columns)
    let hashes = content.hash(plain, count: n)
    try content.insert(plain, hashes: hashes, count: n, into: slots)
    reserve(rows: content.count)
  }

  private func reserve(rows count: Int) {
    if !isPlain { weights.reserve(count) }
    next.reserve(count)
    if keepsNumbers || !isAppendOnly { numbers.reserve(count) }
    if isAppendOnly { return }
    owners.reserve(count)
    previous.reserve(count)
    if recordsChanges { changed.reserve(count) }
  }

  @inline(__always) private func link(_ slot: Int32, _ key: Int32) {
    let at = Int(slot)
    let k = Int(key)
    let last = tails[k]
    owners[at] = key
    next[at] = -1
    if last < 0 { heads[k] = slot } else { next[Int(last)] = slot }
    previous[at] = last
    tails[k] = slot
  }

  private func unlink(_ slot: Int32) {
    let at = Int(slot)
    let k = Int(owners[at])
    let before = previous[at]
    let after = next[at]
    if before < 0 { heads[k] = after } else { next[Int(before)] = after }
    if after < 0 { tails[k] = before } else { previous[Int(after)] = before }
  }

  @inline(__always) func weight(_ slot: Int) -> Int64 { isPlain ? 1 : weights[slot] }

  /// Live rows of the given keys, key after key, each in order of arrival.
  func slots(of keys: UnsafePointer<Int32>, _ n: Int) -> (slots: IDList, keyOrdinals: IDList) {
    let slots = IDList()
    let ordinals = IDList()
    for i in 0..<n {
      var slot = heads[Int(keys[i])]
      while slot >= 0 {
        if weight(Int(slot)) != 0 {
          slots.append(slot)
          ordinals.append(Int32(i))
        }
        slot = next[Int(slot)]
      }
    }
    return (slots, ordinals)
  }

  /// Drops rows that the operator will never ask for again.
  func remove(_ slots: IDList) {
    precondition(!isAppendOnly, "rows of a growing state stay")
    for i in 0..<slots.count {
      let slot = slots[i]
      if weights[Int(slot)] == 0 { continue }
      weights[Int(slot)] = 0
      unlink(slot)
      dead += 1
      if recordsChanges { changed.note(slot) }
    }
  }

  /// Clears rows away that are gone, when they are the larger part.
  ///
  /// - Parameter keep: told the old numbers of the rows that stay, in their new order.
  func compact(_ keep: (UnsafePointer<Int32>, Int) -> Void = { _, _ in }) throws(TerraceError) {
    guard let content, dead > 4096, dead > content.count / 2 else { return }
    let total = content.count
    let live = IDList()
    let map = Buffer(byteCount: total * 4)
    let to = map.pointer(Int32.self)
    dead = 0
    for slot in 0..<total {
      // A row that the table still has is known until the table has been told.
      let isAwaited = recordsChanges && changed.isDirty(slot) && changed.isStored(slot)
      if weights[slot] != 0 || isAwaited {
        if weights[slot] == 0 { dead += 1 }
        to[slot] = Int32(live.count)
        live.append(Int32(slot))
      } else {
        to[slot] = -1
      }
    }
    func moved(_ id: Int32) -> Int32 { id < 0 ? -1 : to[Int(id)] }
    for slot in 0..<total where weights[slot] != 0 {
      next[slot] = moved(next[slot])
      previous[slot] = moved(previous[slot])
    }
    for k in 0..<heads.capacity { heads[k] = moved(heads[k]) }
    for k in 0..<tails.capacity { tails[k] = moved(tails[k]) }
    try content.keep(live.pointer, live.count)
    weights.keep(live.pointer, live.count)
    next.keep(live.pointer, live.count)
    previous.keep(live.pointer, live.count)
    owners.keep(live.pointer, live.count)
    numbers.keep(live.pointer, live.count)
    if recordsChanges { changed.keep(live.pointer, live.count) }
    keep(live.pointer, live.count)
  }
}

extension DeltaBatch {
  /// The rows of all deltas, one after another.
  package static func concat(_ deltas: [DeltaBatch]) -> DeltaBatch {
    if deltas.count == 1 { return deltas[0] }
    let total = deltas.reduce(0) { $0 + $1.count }
    let weights = Buffer(byteCount: total * 8)
    var at = 0
    for delta in deltas {
      weights.pointer(Int64.self).advanced(by: at).update(
        from: delta.weights.pointer(Int64.self), count: delta.count)
      at += delta.count
    }
    return DeltaBatch(Batch.concat(deltas.map(\.rows)), weights: weights)
  }
}
