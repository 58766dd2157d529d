package import Columns

/// Reads a Parquet file and writes its rows as another one.
package enum ParquetCopy {
  package static func copy(
    _ source: any ByteSource, to sink: any ByteSink,
    options: ParquetWriteOptions = ParquetWriteOptions()
  ) throws(TerraceError) -> ParquetSummary {
    let file = try ParquetFile(source)
    let writer = try ParquetWriter(sink, type: file.type, options: options)
    let scan = try file.scan(file.type)
    while let batch = try scan.next() { try writer.write(batch) }
    return try writer.finish()
  }
}

extension ParquetFile {
  /// The headers of all pages of one column chunk, the dictionary first; bodies are passed over.
  ///
  /// - Parameter column: number of the leaf, in schema order.
  package func pages(group: Int, column: Int) throws(TerraceError) -> [ParquetPage] {
    let chunk = metadata.rowGroups[group].columns[column]
    let cursor = try ParquetChunkCursor(
      source, ranges: [chunk.start..<chunk.start + chunk.compressedBytes],
      column: leaves[column].path, windowBytes: 16 << 10)
    var pages: [ParquetPage] = []
    while let page = try cursor.nextPage() {
      pages.append(page)
      cursor.skip(page.compressedBytes)
    }
    return pages
  }

  /// Statistics of a chunk in the values of the column's own type; nil where nothing is known.
  package func statistics(group: Int, column: Int) throws(TerraceError) -> ColumnStatistics? {
    let leaf = leaves[column]
    guard let stored = metadata.rowGroups[group].columns[column].statistics, leaf.refusal == nil
    else { return nil }
    return try ParquetBoundReader(leaf, ParquetTypes.deduced(leaf), metadata).statistics(stored)
  }

  /// Dotted path and Paimon type of every leaf.
  package var leafColumns: [(path: String, type: DataType)] {
    leaves.map { ($0.path, ParquetTypes.deduced($0)) }
  }
}
