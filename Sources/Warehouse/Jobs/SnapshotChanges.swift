import Columns
import Dataflow
import Store

/// The changes that one snapshot of a source table made, in batches and in an order that is the same each
/// time it is read from files.
final class SnapshotChanges {
  enum Part {
    /// From memory; no order.
    case deltas([DeltaBatch])
    case changelog(ChangeRead)
    case content(TableRead, weight: Int64)
    case looked(KeyDifference)
  }

  private var parts: ArraySlice<Part>
  /// Whether reading again gives the same batches.
  let isOrdered: Bool

  init(_ parts: [Part], isOrdered: Bool = true) {
    self.parts = parts[...]
    self.isOrdered = isOrdered
  }

  func next() throws(TerraceError) -> DeltaBatch? {
    while let part = parts.first {
      switch part {
      case .deltas(let deltas):
        if let first = deltas.first {
          parts[parts.startIndex] = .deltas(Array(deltas.dropFirst()))
          if first.count > 0 { return first }
          continue
        }
      case .changelog(let read):
        if let changes = try read.next() { return changes.delta }
      case .content(let read, let weight):
        if let batch = try read.next() {
          let delta = DeltaBatch(inserting: batch)
          return weight < 0 ? delta.negatedWeights() : delta
        }
      case .looked(let difference):
        if let delta = try difference.next() { return delta }
      }
      parts.removeFirst()
    }
    return nil
  }
}

/// What a snapshot of a table without a changelog changed: the rows of the keys it wrote, before and after.
final class KeyDifference {
  private let before: TableLookup
  private let after: TableLookup
  private let predicate: Columns.Predicate
  private let width: Int
  private var keys: Batch
  private var first = 0
  private static let step = 8192

  /// - Parameters:
  ///   - columns: of the table; the result's.
  ///   - predicate: over the table's columns.
  init(
    _ table: Table, columns: [Int], predicate: Columns.Predicate, of snapshot: Snapshot,
    after earlier: Snapshot?
  ) throws(TerraceError) {
    let all = columns + predicate.columns.subtracting(columns).sorted()
    width = columns.count
    self.predicate = predicate.weakened { all.firstIndex(of: $0) }
    before = try table.lookup(columns: all, at: earlier)
    after = try table.lookup(columns: all, at: snapshot)
    let keyColumns = table.schema.indices(of: table.schema.primaryKeys)
    let read = try table.changes(columns: keyColumns).changes(of: snapshot)
    var parts: [Batch] = []
    while let changes = try read.next() { parts.append(changes.rows) }
    let type = RowType(keyColumns.map { table.schema.fields[$0] })
    let none = Batch(type, type.fields.map { ColumnBuilder($0.type).finish() }, count: 0)
    keys = parts.isEmpty ? none : KeyDifference.distinct(Batch.concat(parts))
  }

  private static func distinct(_ keys: Batch) -> Batch {
    let normal = KeyEncoder(keys.type.fields.map(\.type)).encode(keys.columns, count: keys.count)
    let order = normal.sortedRows()
    let sorted = order.pointer(Int32.self)
    let kept = Buffer(byteCount: max(4, keys.count * 4))
    let out = kept.pointer(Int32.self)
    var n = 0
    for i in 0..<keys.count
    where i == 0 || normal.compare(Int(sorted[i]), normal, Int(sorted[i - 1])) != 0 {
      out[n] = sorted[i]
      n += 1
    }
    return keys.gather(out, count: n)
  }

  /// - Returns: nil at the end; never an empty delta.
  func next() throws(TerraceError) -> DeltaBatch? {
    while first < keys.count {
      let last = min(keys.count, first + KeyDifference.step)
      let some = keys.slice(first..<last)
      first = last
      let gone = try rows(before, some, weight: -1)
      let come = try rows(after, some, weight: 1)
      let delta = DeltaBatch.concat([gone, come]).consolidated()
      if delta.count > 0 { return delta }
    }
    return nil
  }

  private func rows(
    _ lookup: TableLookup, _ keys: Batch, weight: Int64
  ) throws(TerraceError) -> DeltaBatch {
    let found = try lookup.lookup(keys).rows
    let kept = predicate.filter(found).project(Array(0..<width))
    let delta = DeltaBatch(inserting: kept)
    return weight < 0 ? delta.negatedWeights() : delta
  }
}
