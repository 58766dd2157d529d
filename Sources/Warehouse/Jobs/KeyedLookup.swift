import Columns
import Dataflow
import Store

/// Rows of a table by its primary key, as an operator asks for them: keys in the operator's order and types.
final class KeyedLookup {
  private let lookup: TableLookup
  /// Which of the columns asked by are the primary key, in its order.
  private let key: [Int]
  private let keyType: RowType

  /// - Parameters:
  ///   - columns: of the table; those of the result.
  ///   - snapshot: nil for a table without one.
  init(
    _ table: Table, columns: [Int], key: [Int], at snapshot: Snapshot?
  ) throws(TerraceError) {
    self.key = key
    keyType = table.schema.type(of: table.schema.primaryKeys)
    lookup = try table.lookup(columns: columns, at: snapshot)
  }

  func advance(to snapshot: Snapshot?) throws(TerraceError) { try lookup.advance(to: snapshot) }

  func rows(for keys: [Column], count: Int) throws(TerraceError) -> Batch? {
    var columns = key.map { keys[$0] }
    var wanted = count
    // A null is no key of the table.
    if columns.contains(where: { $0.nullCount > 0 }) {
      let whole = Buffer(byteCount: max(4, count * 4))
      let rows = whole.pointer(Int32.self)
      wanted = 0
      for row in 0..<count where !columns.contains(where: { $0.isNull(row) }) {
        rows[wanted] = Int32(truncatingIfNeeded: row)
        wanted += 1
      }
      columns = columns.map { $0.gather(rows, count: wanted) }
    }
    if wanted == 0 { return nil }
    let typed = zip(columns, keyType.fields).map { $0.withValidity(nil, $1.type) }
    let found = try lookup.lookup(Batch(keyType, typed, count: wanted)).rows
    return found.count == 0 ? nil : found
  }
}
