package import Columns

/// A row that leaves out values which did not change, when the row before is not known.
package struct UnresolvedRow: Sendable {
  /// One row; what it leaves out is anything.
  package var row: Batch
  /// Columns by which rows are told apart, and those that were left out.
  package var key: [Int]
  package var leftOut: [Int]
}

/// Rows that leave out values which did not change, completed from the last rows of their keys.
///
/// Rows of one push may follow one another under a key: a value is then found in the row before, which may
/// have it from another one, and at last from a row that is kept already.
final class UnchangedValues {
  private struct Row {
    /// In the push, and among those of its rows that are kept.
    var row: Int
    var kept: Int
    /// Number of the key's last row, counted on from the rows kept before by those of this push; -1: none is
    /// needed.
    var from: Int32
  }

  private let flags: Column
  /// By column its bit in the flags, or -1.
  private let bits: [Int]
  private var rows: [Row] = []

  /// Nil when all rows are whole.
  init?(_ flags: Column, bits: [Int]) {
    if flags.nullCount == flags.count { return nil }
    self.flags = flags
    self.bits = bits
  }

  func isPartial(_ row: Int) -> Bool { !flags.isNull(row) }

  func leavesOut(_ row: Int, _ columns: [Int]) -> Bool { columns.contains { keeps(row, $0) } }

  func unresolved(_ row: Int, _ rows: Batch, key: [Int]) -> UnresolvedRow {
    let columns = bits.indices.filter { keeps(row, $0) }
    return UnresolvedRow(row: rows.slice(row..<(row + 1)), key: key, leftOut: columns)
  }

  func note(_ row: Int, kept: Int, from: Int32) {
    rows.append(Row(row: row, kept: kept, from: from))
  }

  private func keeps(_ row: Int, _ column: Int) -> Bool {
    let bit = bits[column]
    let marks = flags.bytes(row)
    return bit >= 0 && bit / 8 < marks.count && marks[bit / 8] & (1 << UInt8(bit % 8)) != 0
  }

  /// A column of the kept rows with the values that they left out.
  ///
  /// - Parameters:
  ///   - c: number of the column in the input.
  ///   - given: its values in the kept rows, `count` of them.
  ///   - store: rows kept before, of which this is column `place`.
  func fill(
    _ c: Int, _ field: Field, _ given: Column, count: Int, from store: RowStore, _ place: Int
  ) throws(TerraceError) -> Column {
    let partial = rows.filter { keeps($0.row, c) }
    if partial.isEmpty { return given }
    let base = store.count
    // Where each value lies: 0 given, 1 kept before.
    let sources = Buffer(byteCount: max(count * 2, 2))
    let places = Buffer(byteCount: max(count * 4, 4))
    let (source, at) = (sources.pointer(UInt16.self), places.pointer(Int32.self))
    for k in 0..<count {
      source[k] = 0
      at[k] = Int32(truncatingIfNeeded: k)
    }
    let old = IDList()
    for row in partial {
      let before = Int(row.from) - base
      if before >= 0 {
        source[row.kept] = source[before]
        at[row.kept] = at[before]
      } else {
        source[row.kept] = 1
        at[row.kept] = Int32(old.count)
        old.append(row.from)
      }
    }
    let type = field.type.nullable
    let known =
      old.count == 0
      ? Column.repeatingNull(type, count: 1)
      : store.gather(place, old.pointer, old.count).retyped(type)
    return Column.interleave([given.retyped(type), known], sources: source, rows: at, count: count)
  }
}
