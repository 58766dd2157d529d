import Columns
import Store

/// Changes by key for a table whose changelog is what is written to it (`changelog-producer` = `input`).
///
/// Readers of that changelog take every row as it is told, so the old row of a key must be told before the
/// new one: it is looked up in the snapshot that the statement began with.
final class ExactChanges {
  private let table: Table
  private let lookup: TableLookup
  private let key: [Int]
  /// The snapshot that old rows are from; nil for a table without a commit.
  let snapshot: Snapshot?

  private static let pieceRows = 1 << 16

  /// Nil for a table that finds out itself what changed.
  init?(_ table: Table) throws(TerraceError) {
    guard table.schema.hasPrimaryKey, try table.schema.options.changelogProducer == .input else {
      return nil
    }
    self.table = table
    snapshot = try table.snapshots.latest()
    lookup = try table.lookup(at: snapshot)
    key = table.schema.indices(of: table.schema.primaryKeys)
  }

  /// Writes rows that come in the place of those of their keys, or go.
  ///
  /// - Parameters:
  ///   - rows: each key once.
  ///   - isDelete: the rows of these keys go.
  func write(_ rows: Batch, isDelete: Bool, to writer: TableWriter) throws(TerraceError) {
    for from in stride(from: 0, to: rows.count, by: ExactChanges.pieceRows) {
      let piece = rows.slice(from..<min(rows.count, from + ExactChanges.pieceRows))
      let old = try lookup.lookup(piece.project(key)).rows
      let delta = ExactChanges.delta(old, isDelete ? nil : piece).consolidated()
      if delta.count == 0 { continue }
      let (changes, kinds) = try TargetChanges.keyed(delta, key: key)
      try writer.write(
        Batch(table.schema.rowType, changes.columns, count: changes.count), kinds: kinds)
    }
  }

  /// The old rows with -1, the new ones with +1.
  private static func delta(_ old: Batch, _ new: Batch?) -> DeltaBatch {
    let rows =
      new.map { Batch.concat([old, Batch(old.type, $0.columns.typed(old.type), count: $0.count)]) }
      ?? old
    let weights = Buffer(byteCount: max(8, rows.count * 8))
    let w = weights.pointer(Int64.self)
    for i in 0..<rows.count { w[i] = i < old.count ? -1 : 1 }
    return DeltaBatch(rows, weights: weights)
  }
}

extension [Column] {
  /// The columns under the types of these fields, which differ in what may be null.
  fileprivate func typed(_ type: RowType) -> [Column] {
    zip(self, type.fields).map { $0.type == $1.type ? $0 : $0.retyped($1.type) }
  }
}
