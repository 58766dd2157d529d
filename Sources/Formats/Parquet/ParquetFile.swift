package import Columns

/// A Parquet file to read: its footer is read and checked when it is opened.
package final class ParquetFile {
  package let source: any ByteSource
  package let metadata: ParquetMetadata
  /// Paimon types deduced from the file's schema.
  package let type: RowType
  let columns: [ParquetColumn]
  let leaves: [ParquetLeaf]

  /// - Parameter tail: bytes at the end of the file that are read at first: most footers are in them whole.
  package init(_ source: any ByteSource, tail first: Int = 64 << 10) throws(TerraceError) {
    do throws(TerraceError) {
      let (footer, tail) = try ParquetFooter.read(source, first: first)
      metadata = footer
      // A small file is now in memory as a whole.
      self.source =
        tail.byteCount == source.byteCount ? ParquetSpan(source, start: 0, held: tail) : source
      (columns, leaves) = try ParquetSchemaReader.read(metadata.schema)
      try Self.check(metadata, leaves, source.byteCount)
    } catch {
      let named = error.facts.contains { $0.name == "file" }
      throw named ? error : error.with("file", source.name)
    }
    type = RowType(
      columns.enumerated().map { Field(id: $1.fieldID ?? $0, name: $1.name, type: $1.type) })
  }

  package var rowCount: Int { metadata.rowCount }

  private static func check(
    _ metadata: ParquetMetadata, _ leaves: [ParquetLeaf], _ size: Int
  ) throws(TerraceError) {
    for (number, group) in metadata.rowGroups.enumerated() {
      if group.columns.count != leaves.count {
        throw TerraceError(.corrupted, "a row group with another number of columns")
          .with("group", number).with("columns", group.columns.count)
          .with("schema", leaves.count)
      }
      for (chunk, leaf) in zip(group.columns, leaves) {
        func broken(_ what: String) -> TerraceError {
          TerraceError(.corrupted, what).with("group", number).with("column", leaf.path)
        }
        if chunk.physical != leaf.physical { throw broken("a column chunk of another type") }
        if chunk.start > size || chunk.compressedBytes > size - chunk.start {
          throw broken("a column chunk lies outside the file")
        }
        if leaf.maxRepetition == 0 && chunk.valueCount != group.rowCount {
          throw broken("a column chunk with another number of rows")
        }
      }
    }
  }

  /// Reads the fields of `wanted`, matched by name; fields that the file lacks are null.
  ///
  /// - Parameters:
  ///   - wanted: types as the file's table schema declares them; stored values are converted where
  ///     the physical form differs and nothing is lost.
  ///   - predicate: over the fields of `wanted` by number; only leaves out row groups and pages in
  ///     which no row can match. The rows returned are a superset, in file order.
  ///   - batchRows: at most so many rows a batch; fewer when rows are large.
  /// - Throws: kind `unsupported` when a column cannot be read as its wanted type.
  package func scan(
    _ wanted: RowType, predicate: Predicate? = nil, batchRows: Int = 16384,
    limits: ParquetLimits = ParquetLimits()
  ) throws(TerraceError) -> ParquetScan {
    try ParquetScan(self, wanted, predicate: predicate, batchRows: batchRows, limits: limits)
  }

  /// Reads rows by key through the file's lookup index: those of the keys and some beside them, in file order.
  package func scan(
    _ wanted: RowType, _ lookup: ParquetLookup, _ keys: ParquetLookupKeys, batchRows: Int = 16384
  ) throws(TerraceError) -> ParquetScan {
    try ParquetScan(
      self, wanted, predicate: nil, found: try lookup.find(keys), batchRows: batchRows)
  }
}
