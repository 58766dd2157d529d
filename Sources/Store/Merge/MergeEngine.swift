internal import Columns

/// Rows chosen from batches: `rows[i]` of batch `sources[i]`.
final class Selection {
  let sources: Buffer
  let rows: Buffer
  var count = 0

  init(capacity: Int) {
    sources = Buffer(byteCount: capacity * 2)
    rows = Buffer(byteCount: capacity * 4)
  }

  var sourcePointer: UnsafeMutablePointer<UInt16> { sources.pointer(UInt16.self) }
  var rowPointer: UnsafeMutablePointer<Int32> { rows.pointer(Int32.self) }

  @inline(__always) func append(_ source: UInt16, _ row: Int32) {
    sourcePointer[count] = source
    rowPointer[count] = row
    count &+= 1
  }

  /// The chosen rows of one column, which `column` picks from each batch.
  func gather(_ batches: [KeyValues], _ column: (KeyValues) -> Column) -> Column {
    Column.interleave(
      batches.map(column), sources: UnsafePointer(sourcePointer), rows: UnsafePointer(rowPointer),
      count: count)
  }

  func gatherValues(_ batches: [KeyValues], type: RowType) -> Batch {
    let columns = type.fields.indices.map { i in gather(batches) { $0.values.columns[i] } }
    return Batch(type, columns, count: count)
  }
}

/// What becomes of the rows of one key. The engine that keeps the last row.
///
/// Engines decide over whole result chunks: `choose` gets groups of row numbers and hands back row
/// numbers. Engines that compute new values (partial-update, aggregation) will take the same groups.
struct MergeEngine: Sendable {
  /// `ignore-delete`: deletions count as never written.
  let ignoresDeletes: Bool

  /// The row of each group that stands, in key order; a group of ignored deletions has none.
  ///
  /// - Parameter dropDeletes: leave out keys whose last row is a deletion.
  func choose(_ groups: KeyGroups, dropDeletes: Bool) -> Selection {
    let out = Selection(capacity: groups.count)
    let starts = groups.starts.pointer(Int32.self)
    let sources = groups.sources.pointer(UInt16.self)
    let rows = groups.rows.pointer(Int32.self)
    let heads = BatchHeads(groups.batches)
    for group in 0..<groups.count {
      let start = Int(starts[group])
      let end = Int(starts[group &+ 1])
      var best = start
      if end &- start > 1 || ignoresDeletes {
        guard let found = last(groups, heads, start, end) else { continue }
        best = found
      }
      let source = sources[best]
      let row = rows[best]
      // Kinds 1 and 3 take a row away.
      if dropDeletes && heads.kinds[Int(source)][Int(row)] & 1 != 0 { continue }
      out.append(source, row)
    }
    return out
  }

  /// The member that was written last: by sequence fields, sequence number, age of its run.
  @inline(__always)
  func last(_ groups: KeyGroups, _ heads: BatchHeads, _ start: Int, _ end: Int) -> Int? {
    let sources = groups.sources.pointer(UInt16.self)
    let rows = groups.rows.pointer(Int32.self)
    var best = -1
    for member in start..<end {
      let source = Int(sources[member])
      let row = Int(rows[member])
      if ignoresDeletes && heads.kinds[source][row] & 1 != 0 { continue }
      if best >= 0 {
        let bestSource = Int(sources[best])
        let bestRow = Int(rows[best])
        if heads.isOrdered, let order = groups.batches[source].order,
          let bestOrder = groups.batches[bestSource].order
        {
          let comparison = order.compare(row, bestOrder, bestRow)
          if comparison < 0 { continue }
          if comparison > 0 {
            best = member
            continue
          }
        }
        if heads.sequences[source][row] < heads.sequences[bestSource][bestRow] { continue }
      }
      best = member
    }
    return best < 0 ? nil : best
  }
}

/// Pointers of each batch's kinds and sequence numbers, flat, for loops over members.
final class BatchHeads {
  let kinds: UnsafeMutablePointer<UnsafePointer<UInt8>>
  let sequences: UnsafeMutablePointer<UnsafePointer<Int64>>
  /// The table has sequence fields.
  let isOrdered: Bool
  private let batches: [KeyValues]

  init(_ batches: [KeyValues]) {
    self.batches = batches
    isOrdered = batches.first?.order != nil
    kinds = .allocate(capacity: max(batches.count, 1))
    sequences = .allocate(capacity: max(batches.count, 1))
    for (i, batch) in batches.enumerated() {
      (kinds + i).initialize(to: batch.kinds.pointer(UInt8.self))
      (sequences + i).initialize(to: batch.sequences.pointer(Int64.self))
    }
  }

  deinit {
    kinds.deallocate()
    sequences.deallocate()
  }
}
