package import Columns

/// A table of operator state: what a hidden table must hold so that an operator can go on.
package struct StateTable: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// A multiset: the weights of equal rows add up, and a row is gone at zero.
    case rows
    /// One row a key: weight +1 puts the row in the place of the key's last, -1 takes it away.
    case keyed
  }

  /// Unique within the pipeline and the same for the same plan: `4-left`.
  package let name: String
  package let type: RowType
  package let kind: Kind
  /// For `keyed`: the columns of the key, from the first on.
  package let keyCount: Int
}

/// Changes of one state table since the last commit.
final class StateChanges: @unchecked Sendable {
  private let kind: StateTable.Kind
  private let keyCount: Int
  private var deltas: [DeltaBatch] = []

  init(_ kind: StateTable.Kind, keyCount: Int = 0) {
    self.kind = kind
    self.keyCount = keyCount
  }

  func append(_ delta: DeltaBatch) { if delta.count > 0 { deltas.append(delta) } }

  var byteCount: Int { deltas.reduce(0) { $0 + $1.rows.byteCount + $1.count * 8 } }

  /// Each row once, or the last of each key; nil when nothing has changed.
  func take() throws(TerraceError) -> DeltaBatch? {
    defer { deltas = [] }
    if deltas.isEmpty { return nil }
    let all = DeltaBatch.concat(deltas)
    let net = kind == .rows ? all.consolidated() : try lastOfEachKey(all)
    return net.count == 0 ? nil : net
  }

  private func lastOfEachKey(_ all: DeltaBatch) throws(TerraceError) -> DeltaBatch {
    let keys = KeyIndex.normalized(Array(all.rows.columns[..<keyCount]))
    let last = Lane<Int32>(filler: 0xff)
    var count = 1
    if keyCount > 0 {
      let index = KeyIndex(keys.map(\.type))
      let ids = Buffer(byteCount: all.count * 4)
      let p = ids.pointer(Int32.self)
      try index.insert(keys, hashes: index.hash(keys, count: all.count), count: all.count, into: p)
      count = index.count
      last.reserve(count)
      for i in 0..<all.count { last[Int(p[i])] = Int32(i) }
    } else {
      last.reserve(1)
      last[0] = Int32(all.count - 1)
    }
    return all.gather(last.pointer, count: count)
  }
}
