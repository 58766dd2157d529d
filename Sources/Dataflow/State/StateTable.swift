package import Columns

/// A table of operator state: what a hidden table must hold so that an operator can go on.
///
/// One row a key. A change of weight +1 puts the row in the place of its key's last, -1 takes the row
/// of the key away; of such a row only the key counts.
package struct StateTable: Hashable, Sendable {
  /// Unique within the pipeline and the same for the same plan: `4-left`.
  package let name: String
  /// The columns of the key come first. Null equals null.
  package let type: RowType
  package let keyCount: Int
  /// The operator asks for rows by this many columns from the first on; 0: it needs all or none.
  package let lookupCount: Int

  package init(name: String, type: RowType, keyCount: Int, lookupCount: Int) {
    self.name = name
    self.type = type
    self.keyCount = keyCount
    self.lookupCount = lookupCount
  }

  var readWhole: StateTable {
    StateTable(name: name, type: type, keyCount: keyCount, lookupCount: 0)
  }
}

/// Changes of one state table since the last commit, where the operator's own form of them does not
/// last until then.
final class StateChanges: @unchecked Sendable {
  private let keyCount: Int
  private var deltas: [DeltaBatch] = []

  init(keyCount: Int) { self.keyCount = keyCount }

  func append(_ delta: DeltaBatch?) { if let delta, delta.count > 0 { deltas.append(delta) } }

  var byteCount: Int { deltas.reduce(0) { $0 + $1.rows.byteCount + $1.count * 8 } }

  /// The last of each key; nil when nothing has changed.
  func take() throws(TerraceError) -> DeltaBatch? {
    defer { deltas = [] }
    if deltas.count <= 1 { return deltas.first }
    let all = DeltaBatch.concat(deltas)
    let keys = KeyIndex.normalized(Array(all.rows.columns[..<keyCount]))
    let last = Lane<Int32>(filler: 0xff)
    if keyCount == 0 { return all.gather([Int32(all.count - 1)], count: 1) }
    let index = KeyIndex(keys.map(\.type))
    let ids = Buffer(byteCount: all.count * 4)
    let p = ids.pointer(Int32.self)
    try index.insert(keys, hashes: index.hash(keys, count: all.count), count: all.count, into: p)
    last.reserve(index.count)
    for i in 0..<all.count { last[Int(p[i])] = Int32(i) }
    return all.gather(last.pointer, count: index.count)
  }
}

/// Numbers of groups or rows that have changed since the last state commit, and those that the table
/// knows.
final class DirtySet: @unchecked Sendable {
  private static let dirty: UInt8 = 1
  private static let stored: UInt8 = 2
  private let marks = Lane<UInt8>()
  private var ids = IDList()

  func reserve(_ count: Int) { marks.reserve(count) }
  var count: Int { ids.count }
  var byteCount: Int { marks.byteCount + ids.count * 4 }

  @inline(__always) func note(_ id: Int32) {
    if marks[Int(id)] & DirtySet.dirty != 0 { return }
    marks[Int(id)] |= DirtySet.dirty
    ids.append(id)
  }

  func isDirty(_ id: Int) -> Bool { marks[id] & DirtySet.dirty != 0 }
  func isStored(_ id: Int) -> Bool { marks[id] & DirtySet.stored != 0 }
  func setStored(_ id: Int) { marks[id] |= DirtySet.stored }
  func setGone(_ id: Int) { marks[id] &= ~DirtySet.stored }

  /// What is to be put and what to be taken away; from here on nothing has changed.
  func take(_ exists: (Int) -> Bool) -> (puts: IDList, gone: IDList) {
    let (puts, gone) = (IDList(), IDList())
    for i in 0..<ids.count {
      let id = Int(ids[i])
      if exists(id) {
        marks[id] = DirtySet.stored
        puts.append(ids[i])
      } else {
        if marks[id] & DirtySet.stored != 0 { gone.append(ids[i]) }
        marks[id] = 0
      }
    }
    ids.removeAll()
    return (puts, gone)
  }

  /// Keeps the numbers `kept`, numbered anew in that order.
  func keep(_ kept: UnsafePointer<Int32>, _ n: Int) {
    marks.keep(kept, n)
    ids = IDList()
    for i in 0..<n where marks[i] & DirtySet.dirty != 0 { ids.append(Int32(i)) }
  }
}

extension DeltaBatch {
  /// Rows with one weight for all.
  convenience init(_ rows: Batch, weight: Int64) {
    let weights = Buffer(byteCount: rows.count * 8)
    weights.pointer(Int64.self).update(repeating: weight, count: rows.count)
    self.init(rows, weights: weights)
  }

  /// Those of several that have rows, one after another; nil for none.
  static func joined(_ parts: [DeltaBatch]) -> DeltaBatch? {
    let some = parts.filter { $0.count > 0 }
    return some.isEmpty ? nil : concat(some)
  }
}

extension RowType {
  /// Columns retyped to this type's.
  func batch(_ columns: [Column], count: Int) -> Batch {
    Batch(
      self, zip(columns, fields).map { $0.type == $1.type ? $0 : $0.retyped($1.type) },
      count: count)
  }
}
