package import Columns

/// Walks the wanted columns of a file in batches. One thread at a time.
package final class ParquetScan {
  /// Number in the file of the first row of the batch last returned.
  package private(set) var firstRow = 0

  private let file: ParquetFile
  private let wanted: RowType
  private let pruning: ParquetPruning?
  /// By row group what a lookup index says; nil when none was asked.
  private let found: [ParquetLookup.Found?]?
  private let batchRows: Int
  private let plans: [ParquetPlan]
  private let wantedLeaves: [ParquetPlan.WantedLeaf]
  private let decompressor = Decompressor()
  private let pages: ParquetPageCount

  private var group = -1
  private var readers: [ParquetLeafReader] = []
  /// Row ranges of the current group that are still to be read.
  private var ranges: [Range<Int>] = []
  private var groupBatchRows = 0

  /// A batch whose rows take more than this on average is cut shorter.
  private static let batchBytes = 32 << 20

  init(
    _ file: ParquetFile, _ wanted: RowType, predicate: Predicate?,
    found: [ParquetLookup.Found?]? = nil, batchRows: Int,
    limits: ParquetLimits = ParquetLimits()
  ) throws(TerraceError) {
    self.file = file
    pages = ParquetPageCount(limits)
    self.found = found
    self.wanted = wanted
    self.batchRows = max(1, min(batchRows, 1 << 16))
    var leaves: [ParquetPlan.WantedLeaf] = []
    var plans: [ParquetPlan] = []
    do throws(TerraceError) {
      for field in wanted.fields {
        plans.append(
          try ParquetPlan.make(
            field.type, file.columns.first { $0.name == field.name }, &leaves))
      }
    } catch {
      throw error.with("file", file.source.name)
    }
    self.plans = plans
    wantedLeaves = leaves
    if let predicate, predicate != .always {
      pruning = try ParquetPruning(file, predicate, wanted, plans, leaves)
    } else {
      pruning = nil
    }
  }

  /// The next rows in file order; nil at the end.
  package func next() throws(TerraceError) -> Batch? {
    while ranges.isEmpty {
      group += 1
      if group >= file.metadata.rowGroups.count { return nil }
      try open()
    }
    pages.beginBatch()
    let range = ranges[0]
    let rows = min(range.count, groupBatchRows)
    for reader in readers {
      reader.out.clear()
      reader.out.reserve(rows)
      try reader.seek(range.lowerBound)
      try reader.read(rows)
    }
    firstRow = file.metadata.rowGroups[group].firstRow + range.lowerBound
    if rows == range.count {
      ranges.removeFirst()
    } else {
      ranges[0] = range.lowerBound + rows..<range.upperBound
    }
    let assembly = ParquetAssembly(vectors: readers.map { $0.out })
    var columns: [Column] = []
    do throws(TerraceError) {
      for plan in plans { columns.append(try assembly.column(plan, rows)) }
    } catch {
      throw error.with("file", file.source.name)
    }
    return Batch(wanted, columns, count: rows)
  }

  /// Begins the current row group: which of its rows are read, and from where.
  private func open() throws(TerraceError) {
    let rowGroup = file.metadata.rowGroups[group]
    readers = []
    if rowGroup.rowCount == 0 { return }
    if let found {
      if let found = found[group] { try open(rowGroup, found) }
      return
    }
    if let pruning, try !pruning.mayMatch(rowGroup) { return }
    let chunks = wantedLeaves.map { rowGroup.columns[$0.leaf.index] }
    var selected: [Range<Int>]?
    var indexes: any ByteSource = file.source
    if let pruning {
      indexes = try ParquetSpan.over(file.source, Self.indexRanges(chunks))
      selected = try pruning.rows(rowGroup, indexes)
    }
    if let selected, selected.isEmpty { return }
    var source: any ByteSource = file.source
    if selected == nil {
      source = try ParquetSpan.over(
        source, chunks.map { $0.start..<$0.start + $0.compressedBytes })
    }
    for (wanted, chunk) in zip(wantedLeaves, chunks) {
      var places: [ParquetPagePlace]?
      var ranges = [chunk.start..<chunk.start + chunk.compressedBytes]
      if let selected {
        places = try ParquetPageIndex.places(indexes, chunk, rows: rowGroup.rowCount)
        if let places {
          ranges = ParquetPageIndex.byteRanges(
            places, chunk, rows: selected, rowCount: rowGroup.rowCount)
        }
      }
      readers.append(
        try ParquetLeafReader(
          source, chunk, wanted.leaf, wanted: wanted.type, ranges: ranges, places: places,
          decompressor: decompressor, pages: pages))
    }
    ranges = selected ?? [0..<rowGroup.rowCount]
    setBatchRows(rowGroup)
  }

  private func setBatchRows(_ rowGroup: ParquetRowGroup) {
    let bytes = wantedLeaves.reduce(0) {
      $0 + rowGroup.columns[$1.leaf.index].uncompressedBytes
    }
    groupBatchRows = max(16, min(batchRows, Self.batchBytes / max(1, bytes / rowGroup.rowCount)))
  }

  /// Begins a row group of which a lookup index tells the rows and the pages.
  private func open(
    _ rowGroup: ParquetRowGroup, _ found: ParquetLookup.Found
  ) throws(TerraceError) {
    for wanted in wantedLeaves {
      let chunk = rowGroup.columns[wanted.leaf.index]
      let places = found.places[wanted.leaf.index]
      readers.append(
        try ParquetLeafReader(
          file.source, chunk, wanted.leaf, wanted: wanted.type,
          ranges: try ParquetPageIndex.byteRanges(units: places, chunk, file.source.name),
          places: places, areUnits: true, decompressor: decompressor, pages: pages))
    }
    ranges = found.rows
    setBatchRows(rowGroup)
  }

  private static func indexRanges(_ chunks: [ParquetChunk]) -> [Range<Int>] {
    chunks.flatMap { [$0.columnIndex, $0.offsetIndex] }.compactMap { range in
      range.flatMap {
        $0.offset.addingReportingOverflow($0.count).overflow
          ? nil : $0.offset..<$0.offset + $0.count
      }
    }
  }
}
