internal import Columns

/// Sides whose state a source table plays.
extension JoinOperator {
  /// The sides that source tables play. Of two, the first gives its first content as rows; otherwise nobody
  /// is there yet whom it could meet, and it need not be read.
  var playedSides: [(side: PlayedSide, skipsContent: Bool)] {
    played.enumerated().compactMap { i, side in side.map { ($0, kept.count == 1 || i == 1) } }
  }

  /// From here on a side's rows are those of the table.
  func play(_ side: PlayedSide, from table: any PlayedTable) throws(TerraceError) {
    guard let i = played.firstIndex(of: side) else { return }
    playedRows[i] = try PlayedRows(
      table, side, i == 0 ? node.left : node.right, keys: sides[i].keys,
      runtime.evaluator.context)
    attach(keptRows, wholeAfter: keptWholeAfter)
  }

  /// Reads all rows of a played side, where that costs less than to look so many keys up.
  func readPlayed(_ keyed: Keyed, but unasked: Int?) throws(TerraceError) {
    for (i, rows) in playedRows.enumerated() where i != unasked && sides[i].isPlayed {
      guard let rows, let residency else {
        throw TerraceError(.invalid, "a join meets a source table that does not play yet")
      }
      let ids = keyed.ids.pointer(Int32.self)
      let missing = residency.missingCount(i, ids, keyed.count, below: index.count)
      guard missing > 0, try rows.readsAll(for: missing) else { continue }
      let wasRestoring = runtime.isRestoring
      runtime.isRestoring = true
      defer { runtime.isRestoring = wasRestoring }
      try rows.all { (batch) throws(TerraceError) in
        let (plain, _) = splitNullKeys(DeltaBatch(inserting: batch), sides[i])
        if plain.count > 0 { try meet(try unread(plain, i, residency), i) }
      }
      residency.complete(i)
    }
  }

  /// Rows of keys that are not in memory yet.
  private func unread(
    _ rows: DeltaBatch, _ input: Int, _ residency: Residency
  ) throws(TerraceError) -> Keyed {
    let all = try number(rows, sides[input], keepsOrder: true)
    return chosen(
      all,
      residency.absent(input, all.ids.pointer(Int32.self), all.count, below: index.count))
  }

  private func chosen(_ keyed: Keyed, _ rows: Rows) -> Keyed {
    if rows.count == keyed.count { return keyed }
    let kept = rows.buffer.pointer(Int32.self)
    let ids = Buffer(byteCount: rows.count * 4)
    let from = keyed.ids.pointer(Int32.self)
    for i in 0..<rows.count { ids.pointer(Int32.self)[i] = from[Int(kept[i])] }
    return Keyed(delta: keyed.delta.gather(kept, count: rows.count), ids: ids)
  }

  /// Changes of a played side: the table has them, only what is in memory must follow.
  func applyKnown(
    _ keyed: Keyed, _ mine: JoinSide, _ input: Int
  ) throws(TerraceError) {
    guard let residency else { return }
    let known = chosen(
      keyed,
      residency.present(input, keyed.ids.pointer(Int32.self), keyed.count, below: index.count))
    if known.count == 0 { return }
    let slots = Buffer(byteCount: known.count * 4)
    try mine.state.apply(
      known.delta.rows.columns, weights: known.delta.weights.pointer(Int64.self),
      keys: known.ids.pointer(Int32.self), count: known.count,
      slots: slots.pointer(Int32.self))
  }
}
