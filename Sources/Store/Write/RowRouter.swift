internal import Columns

/// Rows of one batch that go to one bucket.
final class RoutedRows {
  let place: BucketPlace
  /// Row numbers, ascending; nil for all rows of the batch.
  let rows: Buffer?
  let count: Int

  init(place: BucketPlace, rows: Buffer?, count: Int) {
    self.place = place
    self.rows = rows
    self.count = count
  }
}

/// Decides, for whole batches, which partition and bucket each row belongs to.
final class RowRouter {
  private let partitionColumns: [Int]
  private let partitionTypes: [DataType]
  private let partitionKeys: KeyEncoder
  private let bucketColumns: [Int]
  /// 1 for tables without fixed buckets: everything lies in bucket 0.
  private let bucketCount: Int
  private let required: [(index: Int, name: String)]
  private var partitions: [[UInt8]: [UInt8]] = [:]

  /// A router for whole rows of a table.
  convenience init(_ schema: TableSchema, buckets: Int) {
    self.init(
      partitionColumns: schema.partitionIndices, bucketColumns: schema.bucketKeyIndices,
      type: schema.rowType, buckets: buckets)
  }

  /// A router for rows of `type`, in which these columns decide.
  init(partitionColumns: [Int], bucketColumns: [Int], type: RowType, buckets: Int) {
    self.partitionColumns = partitionColumns
    partitionTypes = partitionColumns.map { type.fields[$0].type }
    partitionKeys = KeyEncoder(partitionTypes.map(\.nullable))
    self.bucketColumns = bucketColumns
    bucketCount = buckets
    required = type.fields.enumerated().filter { !$0.element.type.isNullable }
      .map { ($0.offset, $0.element.name) }
  }

  /// - Throws: `invalid` when a NOT NULL column holds a null.
  func route(_ batch: Batch) throws(TerraceError) -> [RoutedRows] {
    for (index, name) in required where batch.columns[index].nullCount > 0 {
      throw TerraceError(.invalid, "null in column '\(name)', which is NOT NULL")
        .with("column", name)
    }
    if batch.count == 0 { return [] }
    if partitionColumns.isEmpty {
      return buckets(batch, partition: BinaryRow.empty.serialized, rows: nil, count: batch.count)
    }
    let columns = partitionColumns.map { batch.columns[$0] }
    let keys = partitionKeys.encode(columns, count: batch.count)
    let order = keys.sortedRows()
    let sorted = order.pointer(Int32.self)
    var routed: [RoutedRows] = []
    var start = 0
    while start < batch.count {
      let first = Int(sorted[start])
      var end = start + 1
      while end < batch.count && keys.compare(Int(sorted[end]), keys, first) == 0 { end += 1 }
      let partition = partition(of: first, columns, keys)
      if end - start == batch.count {
        routed += buckets(batch, partition: partition, rows: nil, count: batch.count)
      } else {
        let rows = Buffer(
          copying: UnsafeRawBufferPointer(start: sorted + start, count: (end - start) * 4))
        routed += buckets(batch, partition: partition, rows: rows, count: end - start)
      }
      start = end
    }
    return routed
  }

  private func partition(of row: Int, _ columns: [Column], _ keys: NormalizedKeys) -> [UInt8] {
    let key = keys.bytes(of: row)
    if let known = partitions[key] { return known }
    let bytes = BinaryRow(columns.map { $0.scalar(row) }, partitionTypes).serialized
    partitions[key] = bytes
    return bytes
  }

  private func buckets(
    _ batch: Batch, partition: [UInt8], rows: Buffer?, count: Int
  ) -> [RoutedRows] {
    if bucketCount == 1 {
      return [
        RoutedRows(
          place: BucketPlace(partition: partition, bucket: 0), rows: rows, count: count)
      ]
    }
    let keys = bucketColumns.map { index in
      rows.map { batch.columns[index].gather($0.pointer(Int32.self), count: count) }
        ?? batch.columns[index]
    }
    let chosen = Buffer(byteCount: count * 4)
    let bucket = chosen.pointer(Int32.self)
    BucketHash.buckets(keys, count: count, of: bucketCount, into: bucket)
    var counts = [Int](repeating: 0, count: bucketCount)
    for i in 0..<count { counts[Int(bucket[i])] &+= 1 }
    let parts = counts.map { $0 == 0 ? nil : Buffer(byteCount: $0 * 4) }
    var ends = counts.map { _ in 0 }
    let source = rows?.pointer(Int32.self)
    withUnsafeTemporaryAllocation(
      of: UnsafeMutablePointer<Int32>.self, capacity: bucketCount
    ) { targets in
      for (i, part) in parts.enumerated() {
        targets[i] = part?.pointer(Int32.self) ?? bucket
      }
      ends.withUnsafeMutableBufferPointer { ends in
        for i in 0..<count {
          let b = Int(bucket[i])
          targets[b][ends[b]] = source.map { $0[i] } ?? Int32(truncatingIfNeeded: i)
          ends[b] &+= 1
        }
      }
    }
    return parts.enumerated().compactMap { b, part in
      part.map {
        RoutedRows(
          place: BucketPlace(partition: partition, bucket: b), rows: $0, count: counts[b])
      }
    }
  }
}
