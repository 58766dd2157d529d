import Columns

extension SourceBatch {
  /// Rows as they were put together from what a server told.
  ///
  /// - Parameters:
  ///   - bad: numbers of those that are no rows but `letters`, ascending.
  ///   - allInserts: their kinds say nothing.
  init(
    _ rows: Batch, kinds: [UInt8], without bad: [Int], _ letters: [DeadLetter], allInserts: Bool
  ) {
    var (rows, kinds) = (rows, kinds)
    if !bad.isEmpty {
      var next = 0
      var kept: [Int32] = []
      for row in 0..<rows.count {
        if next < bad.count, bad[next] == row {
          next += 1
        } else {
          kept.append(Int32(row))
        }
      }
      rows = rows.gather(kept, count: kept.count)
      kinds = kept.map { kinds[Int($0)] }
    }
    self.init(
      rows: rows, kinds: allInserts ? nil : kinds.withUnsafeBytes { Buffer(copying: $0) },
      deadLetters: letters)
  }
}
