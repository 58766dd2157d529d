package import Columns

/// A source table in the place of a join side's state: its rows as its reader has taken them so far.
package protocol PlayedTable: StateBacking {
  /// Whether so many keys are better found by reading all rows, and there is memory for them.
  func readsAll(for count: Int) throws(TerraceError) -> Bool
  /// All rows.
  func all(_ body: (Batch) throws(TerraceError) -> Void) throws(TerraceError)
}

/// The rows of a side that a source table plays: looked up by the join's keys, through the filters and
/// projections above the source.
final class PlayedRows: StateBacking {
  private let table: any PlayedTable
  private let side: PlayedSide
  private let shape: Pipeline
  /// Columns of the side that are the join's keys.
  private let keys: [Int]

  init(
    _ table: any PlayedTable, _ side: PlayedSide, _ plan: Plan, keys: [Int],
    _ context: EvaluationContext
  ) throws(TerraceError) {
    self.table = table
    self.side = side
    self.keys = keys
    shape = try Pipeline(plan, context: context)
  }

  func readsAll(for count: Int) throws(TerraceError) -> Bool { try table.readsAll(for: count) }

  func all(_ body: (Batch) throws(TerraceError) -> Void) throws(TerraceError) {
    try table.all { (rows) throws(TerraceError) in
      if let shaped = try shaped(rows) { try body(shaped) }
    }
  }

  func rows(for asked: [Column], count: Int) throws(TerraceError) -> Batch? {
    guard let found = try table.rows(for: side.places.map { asked[$0] }, count: count),
      let rows = try shaped(found)
    else { return nil }
    return asked.count == side.places.count ? rows : try chosen(rows, asked, count)
  }

  private func shaped(_ rows: Batch) throws(TerraceError) -> Batch? {
    try shape.push(DeltaBatch(inserting: rows), to: 0)
    let parts = shape.takeChanges().filter { $0.count > 0 }
    return parts.isEmpty ? nil : DeltaBatch.concat(parts).rows
  }

  /// Rows whose whole key was asked for: they were found by a part of it.
  private func chosen(
    _ rows: Batch, _ asked: [Column], _ count: Int
  ) throws(TerraceError) -> Batch? {
    let wanted = KeyIndex.normalized(asked)
    let index = KeyIndex(wanted.map(\.type))
    let ids = Buffer(byteCount: max(count, rows.count) * 4)
    let id = ids.pointer(Int32.self)
    try index.insert(wanted, hashes: index.hash(wanted, count: count), count: count, into: id)
    let own = KeyIndex.normalized(keys.map { rows.columns[$0] })
    index.find(own, hashes: index.hash(own, count: rows.count), count: rows.count, into: id)
    let kept = Rows(count: rows.count) { id[$0] >= 0 }
    if kept.count == 0 { return nil }
    return rows.gather(kept.buffer.pointer(Int32.self), count: kept.count)
  }
}
