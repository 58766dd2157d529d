import Columns

/// Rows with weights, as the rows with kinds that a table or sink takes.
enum TargetChanges {
  /// Rows that are only ever added: a row of weight n is n rows.
  ///
  /// - Throws: `invalid` when the query takes a row back after all.
  static func inserts(_ delta: DeltaBatch) throws(TerraceError) -> Batch {
    let w = delta.weights.pointer(Int64.self)
    var isPlain = true
    var count: Int64 = 0
    for i in 0..<delta.count {
      if w[i] < 0 {
        throw TerraceError(
          .invalid, "the query takes rows back, and its target has no primary key")
      }
      isPlain = isPlain && w[i] == 1
      count += w[i]
    }
    if isPlain { return delta.rows }
    let rows = Buffer(byteCount: max(4, Int(count) * 4))
    let out = rows.pointer(Int32.self)
    var n = 0
    for i in 0..<delta.count {
      for _ in 0..<w[i] {
        out[n] = Int32(truncatingIfNeeded: i)
        n += 1
      }
    }
    return delta.rows.gather(out, count: n)
  }

  /// Kinds +I and -D for rows without a key.
  static func unkeyed(_ delta: DeltaBatch) -> (rows: Batch, kinds: Buffer) {
    let w = delta.weights.pointer(Int64.self)
    let count = (0..<delta.count).reduce(0) { $0 + Int(w[$1].magnitude) }
    let rows = Buffer(byteCount: max(4, count * 4))
    let kinds = Buffer(byteCount: max(1, count))
    var n = 0
    // What goes is told first.
    for sign: Int64 in [-1, 1] {
      for i in 0..<delta.count where w[i].signum() == sign {
        for _ in 0..<w[i].magnitude {
          rows.pointer(Int32.self)[n] = Int32(truncatingIfNeeded: i)
          kinds.pointer(UInt8.self)[n] = (sign < 0 ? RowKind.delete : .insert).rawValue
          n += 1
        }
      }
    }
    return (delta.rows.gather(rows.pointer(Int32.self), count: n), kinds)
  }

  /// Changes by key: -U and +U next to each other, or +I, or -D.
  ///
  /// - Parameter delta: each row once.
  /// - Throws: `invalid` when a key would have several rows.
  static func keyed(
    _ delta: DeltaBatch, key: [Int]
  ) throws(TerraceError) -> (rows: Batch, kinds: Buffer) {
    let columns = key.map { delta.rows.columns[$0] }
    let keys = KeyEncoder(columns.map(\.type.nullable)).encode(columns, count: delta.count)
    let order = keys.sortedRows()
    let sorted = order.pointer(Int32.self)
    let w = delta.weights.pointer(Int64.self)
    let rows = Buffer(byteCount: max(4, delta.count * 4))
    let kinds = Buffer(byteCount: max(1, delta.count))
    let (out, marks) = (rows.pointer(Int32.self), kinds.pointer(UInt8.self))
    var n = 0
    var i = 0
    while i < delta.count {
      let first = Int(sorted[i])
      var gone: Int32 = -1
      var come: Int32 = -1
      while i < delta.count && keys.compare(Int(sorted[i]), keys, first) == 0 {
        let row = sorted[i]
        if w[Int(row)] < 0 {
          gone = row
        } else {
          if come >= 0 || w[Int(row)] > 1 { throw ambiguous(delta, Int(row), key) }
          come = row
        }
        i += 1
      }
      if gone >= 0 {
        out[n] = gone
        marks[n] = (come >= 0 ? RowKind.updateBefore : .delete).rawValue
        n += 1
      }
      if come >= 0 {
        out[n] = come
        marks[n] = (gone >= 0 ? RowKind.updateAfter : .insert).rawValue
        n += 1
      }
    }
    return (delta.rows.gather(out, count: n), kinds)
  }

  private static func ambiguous(_ delta: DeltaBatch, _ row: Int, _ key: [Int]) -> TerraceError {
    let text = key.map {
      "\(delta.rows.type.fields[$0].name)=\(delta.rows.columns[$0].scalar(row))"
    }
    return TerraceError(
      .invalid, "the query gives several rows for one primary key",
      hint: "a change stream that repeats itself is read with "
        + "SET 'table.exec.source.cdc-events-duplicate' = 'true'; rows of several shards are told apart "
        + "by 'key-metadata-columns'"
    ).with("key", text.joined(separator: ", "))
  }
}
