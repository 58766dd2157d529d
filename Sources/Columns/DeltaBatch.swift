/// Changes of a table: rows with weights. +n says that a row appears n times more, -n that it goes.
public final class DeltaBatch: Sendable {
  public let rows: Batch
  /// One Int64 a row.
  public let weights: Buffer

  public init(_ rows: Batch, weights: Buffer) {
    precondition(weights.byteCount >= rows.count * 8, "fewer weights than rows")
    self.rows = rows
    self.weights = weights
  }

  /// Every row with weight +1.
  public convenience init(inserting rows: Batch) {
    let weights = Buffer(byteCount: rows.count * 8)
    weights.pointer(Int64.self).update(repeating: 1, count: rows.count)
    self.init(rows, weights: weights)
  }

  /// Rows with kinds (``RowKind`` raw values, one byte a row).
  public convenience init(_ rows: Batch, kinds: UnsafePointer<UInt8>) {
    let weights = Buffer(byteCount: rows.count * 8)
    let out = weights.pointer(Int64.self)
    // Kinds 0 and 2 add, 1 and 3 take away.
    for i in 0..<rows.count { out[i] = 1 &- Int64(kinds[i] & 1) &* 2 }
    self.init(rows, weights: weights)
  }

  public var count: Int { rows.count }

  /// The same changes with each distinct row once and no weight zero, in key order of whole rows.
  ///
  /// Null equals null here, and NaN equals NaN. Sorting by normalized keys, then one pass.
  public func consolidated() -> DeltaBatch {
    let encoder = KeyEncoder(rows.type.fields.map(\.type.nullable))
    let keys = encoder.encode(rows.columns, count: count)
    let order = keys.sortedRows()
    let sorted = order.pointer(Int32.self)
    let w = weights.pointer(Int64.self)
    let kept = Buffer(byteCount: count * 4)
    let sums = Buffer(byteCount: count * 8)
    var n = 0
    var i = 0
    while i < count {
      let first = Int(sorted[i])
      var sum: Int64 = 0
      while i < count && keys.compare(Int(sorted[i]), keys, first) == 0 {
        sum += w[Int(sorted[i])]
        i += 1
      }
      if sum != 0 {
        kept.pointer(Int32.self)[n] = Int32(first)
        sums.pointer(Int64.self)[n] = sum
        n += 1
      }
    }
    return DeltaBatch(rows.gather(kept.pointer(Int32.self), count: n), weights: sums)
  }
}
