import Columns

/// Leaves out row groups and pages in which no row can match a predicate.
struct ParquetPruning {
  private let file: ParquetFile
  private let predicate: Predicate
  /// By the predicate's column numbers.
  private var readers: [Int: ParquetBoundReader] = [:]
  private var missing: Set<Int> = []

  init(
    _ file: ParquetFile, _ predicate: Predicate, _ wanted: RowType, _ plans: [ParquetPlan],
    _ leaves: [ParquetPlan.WantedLeaf]
  ) throws(TerraceError) {
    self.file = file
    self.predicate = predicate
    for column in predicate.columns {
      let plan = plans[column]
      switch plan.source {
      case .leaf:
        let leaf = leaves[plan.leaf].leaf
        if leaf.maxRepetition == 0 {
          readers[column] = try ParquetBoundReader(leaf, plan.type, file.metadata)
        }
      case .missing: missing.insert(column)
      default: break
      }
    }
  }

  func mayMatch(_ group: ParquetRowGroup) throws(TerraceError) -> Bool {
    let byStatistics = predicate.mayMatch(rows: group.rowCount) { column in
      if missing.contains(column) { return ColumnStatistics(nullCount: group.rowCount) }
      guard let reader = readers[column],
        let stored = group.columns[reader.leaf.index].statistics
      else { return nil }
      return reader.statistics(stored)
    }
    if !byStatistics { return false }
    return try mayContain(predicate, group)
  }

  /// False when a Bloom filter rules out every match.
  private func mayContain(
    _ part: Predicate, _ group: ParquetRowGroup
  ) throws(TerraceError) -> Bool {
    switch part {
    case .compare(let column, .equal, let value): return try hasAny(column, [value], group)
    case .isIn(let column, let values): return try hasAny(column, values, group)
    case .and(let parts):
      for part in parts where try !mayContain(part, group) { return false }
      return true
    case .or(let parts):
      for part in parts where try mayContain(part, group) { return true }
      return parts.isEmpty
    default: return true
    }
  }

  private func hasAny(
    _ column: Int, _ values: [Scalar], _ group: ParquetRowGroup
  ) throws(TerraceError) -> Bool {
    guard let reader = readers[column] else { return true }
    let chunk = group.columns[reader.leaf.index]
    guard let offset = chunk.bloomFilterOffset else { return true }
    var hashes: [UInt64] = []
    for value in values {
      guard let hash = reader.bloomHash(value) else { return true }
      hashes.append(hash)
    }
    guard let (held, filter) = try bloom(offset, chunk.bloomFilterLength) else { return true }
    return withExtendedLifetime(held) {
      hashes.contains { ParquetBloomFilter.mayContain(filter, $0) }
    }
  }

  /// The bits of a filter; nil when it is of a kind that this reader does not know.
  private func bloom(
    _ offset: Int, _ length: Int?
  ) throws(TerraceError) -> (Buffer, UnsafeRawBufferPointer)? {
    let source = file.source
    let left = source.byteCount - offset
    if left <= 0 { throw TerraceError(.corrupted, "a Bloom filter lies outside the file") }
    var held = try source.read(at: offset, count: min(left, length ?? 256))
    var reader = ThriftReader(held.bytes, origin: offset)
    var size = 0
    var isKnown = true
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1: size = try r.size(kind)
      case 2, 3, 4:
        try r.expect(kind, .structure)
        try r.fields { r, id, kind throws(TerraceError) in
          if id != 1 { isKnown = false }
          try r.skip(kind)
        }
      default: try r.skip(kind)
      }
    }
    let header = reader.consumed
    if !isKnown || size == 0 || size % 32 != 0 || size > ParquetBloomFilter.byteLimit { return nil }
    if size > left - header {
      throw TerraceError(.corrupted, "a Bloom filter lies outside the file")
        .with("file", source.name).with("offset", offset)
    }
    if held.byteCount < header + size { held = try source.read(at: offset, count: header + size) }
    return (held, UnsafeRawBufferPointer(start: held.base + header, count: size))
  }

  private struct Pages {
    var bounds: ParquetPageIndex.Bounds
    var places: [ParquetPagePlace]
    /// The page of the row looked at last.
    var at = 0
  }

  /// Row ranges of the group that may match, by the bounds of its pages; nil for all rows.
  func rows(
    _ group: ParquetRowGroup, _ source: any ByteSource
  ) throws(TerraceError) -> [Range<Int>]? {
    var pages: [Int: Pages] = [:]
    var cuts: Set<Int> = [0]
    for (column, reader) in readers {
      let chunk = group.columns[reader.leaf.index]
      guard let index = chunk.columnIndex,
        let places = try ParquetPageIndex.places(source, chunk, rows: group.rowCount)
      else { continue }
      let bounds = try ParquetPageIndex.bounds(source, index)
      let count = places.count
      let fits =
        bounds.isNull.count == count && bounds.min.count == count && bounds.max.count == count
        && (bounds.nullCounts.isEmpty || bounds.nullCounts.count == count)
      if !fits {
        throw TerraceError(.corrupted, "a column index that does not fit its offset index")
          .with("file", source.name).with("column", reader.leaf.path)
      }
      pages[column] = Pages(bounds: bounds, places: places)
      for place in places { cuts.insert(place.firstRow) }
    }
    if pages.isEmpty { return nil }
    var starts = cuts.sorted()
    starts.append(group.rowCount)
    var kept: [Range<Int>] = []
    for i in 0..<starts.count - 1 where starts[i] < starts[i + 1] {
      let range = starts[i]..<starts[i + 1]
      if !mayMatch(range, &pages, group.rowCount) { continue }
      if let last = kept.last, last.upperBound == range.lowerBound {
        kept[kept.count - 1] = last.lowerBound..<range.upperBound
      } else {
        kept.append(range)
      }
    }
    if kept.count == 1 && kept[0].count == group.rowCount { return nil }
    return kept
  }

  /// Whether rows of a range that no page boundary cuts may match.
  private func mayMatch(
    _ range: Range<Int>, _ pages: inout [Int: Pages], _ rowCount: Int
  ) -> Bool {
    var statistics: [Int: ColumnStatistics] = [:]
    for column in missing { statistics[column] = ColumnStatistics(nullCount: range.count) }
    for (column, reader) in readers {
      guard var known = pages[column] else { continue }
      let places = known.places
      while known.at + 1 < places.count && places[known.at + 1].firstRow <= range.lowerBound {
        known.at += 1
      }
      pages[column] = known
      let at = known.at
      let pageRows =
        (at + 1 < places.count ? places[at + 1].firstRow : rowCount) - places[at].firstRow
      if known.bounds.isNull[at] {
        statistics[column] = ColumnStatistics(nullCount: range.count)
        continue
      }
      // Nulls of the page, not of the range: only none and all can be told.
      var nulls: Int?
      if !known.bounds.nullCounts.isEmpty {
        let count = known.bounds.nullCounts[at]
        nulls = count == 0 ? 0 : count == pageRows ? range.count : nil
      }
      statistics[column] = reader.statistics(
        min: known.bounds.min[at], max: known.bounds.max[at], nullCount: nulls)
    }
    return predicate.mayMatch(rows: range.count) { statistics[$0] }
  }
}
