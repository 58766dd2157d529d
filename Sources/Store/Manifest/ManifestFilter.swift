package import Columns

/// Which partitions and buckets of a table are wanted. What cannot be told is kept.
package struct ManifestFilter: Sendable {
  /// Over the partition columns, by their index among the partition keys.
  package var partition: Predicate?
  package var partitionType: RowType
  /// Whether a bucket of so many is wanted.
  package var bucket: (@Sendable (_ bucket: Int, _ totalBuckets: Int) -> Bool)?

  package init(
    partitionType: RowType, partition: Predicate? = nil,
    bucket: (@Sendable (_ bucket: Int, _ totalBuckets: Int) -> Bool)? = nil
  ) {
    self.partitionType = partitionType
    self.partition = partition
    self.bucket = bucket
  }

  package static let all = ManifestFilter(partitionType: RowType([Field]()))

  var keepsAll: Bool { partition == nil && bucket == nil }

  /// False only when no entry of the manifest can be wanted.
  func mayContain(_ manifest: Manifest) throws(TerraceError) -> Bool {
    guard let partition else { return true }
    let rows = Int(clamping: manifest.addedCount.addingClamped(manifest.deletedCount))
    let statistics = try manifest.partitionStats.columnStatistics(
      partitionType.fields.map(\.type))
    return partition.mayMatch(rows: rows) { statistics[$0] }
  }

  /// Whether a partition, a BinaryRow with its arity, is wanted.
  package func keeps(partition bytes: [UInt8]) throws(TerraceError) -> Bool {
    guard let partition else { return true }
    let values = try decodeRow(bytes, partitionType.fields.map(\.type))
    return partition.mayMatch(rows: 1) { index in
      let value = values[index]
      if value.isNull { return ColumnStatistics(nullCount: 1) }
      return ColumnStatistics(nullCount: 0, min: value, max: value)
    }
  }
}

extension SimpleStats {
  /// The statistics of columns of these types; a bound that is null is unknown.
  package func columnStatistics(
    _ types: [DataType]
  ) throws(TerraceError) -> [ColumnStatistics] {
    let low = try decodeBounds(minValues, types)
    let high = try decodeBounds(maxValues, types)
    return types.indices.map { i in
      var statistics = ColumnStatistics()
      if let nullCounts, i < nullCounts.count {
        statistics.nullCount = nullCounts[i].map { Int($0) }
      }
      if !low[i].isNull { statistics.min = low[i] }
      if !high[i].isNull { statistics.max = high[i] }
      return statistics
    }
  }

  /// Nested columns have no bounds, and their slots are never looked at.
  private func decodeBounds(
    _ bytes: [UInt8], _ types: [DataType]
  ) throws(TerraceError) -> [Scalar] {
    if types.contains(where: \.isNested) {
      // A null bit keeps the decoder from the slot; where the bit is not set, the bound is dropped.
      var masked = bytes
      for (i, type) in types.enumerated() where type.isNested {
        let place = 4 + (i + 8) / 8
        if place < masked.count { masked[place] |= 1 << UInt8((i + 8) % 8) }
      }
      return try decodeRow(masked, types)
    }
    return try decodeRow(bytes, types)
  }
}

extension Int64 {
  func addingClamped(_ more: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(more)
    return overflow ? .max : sum
  }
}
