package import Columns

/// Writes batches as a Parquet file. Pages are compressed as they fill; the sink gets a row group
/// when it is closed. One thread at a time.
package final class ParquetWriter {
  private let sink: any ByteSink
  private let type: RowType
  private let options: ParquetWriteOptions
  private let schema: ParquetWriteSchema
  private let leaves: [ParquetColumnWriter]
  private var rowGroups: [ParquetRowGroup] = []
  private var indexes: [ParquetGroupIndexes] = []
  private var offset = 0
  private var rows = 0
  private var groupRows = 0
  /// Nulls of top-level fields that are nested.
  private var nestedNulls: [Int]
  private var lookup: ParquetLookupWriter?
  private var isFinished = false
  /// Longer batches are taken in pieces, so that row groups end where they should.
  private static let pieceRows = 16_384

  package init(
    _ sink: any ByteSink, type: RowType, options: ParquetWriteOptions = ParquetWriteOptions()
  ) throws(TerraceError) {
    self.sink = sink
    self.type = type
    self.options = options
    precondition(options.pageRows > 0 && options.pageBytes > 0, "pages without room")
    schema = try ParquetWriteSchema(type)
    let compressor = Compressor(level: options.level)
    leaves = schema.leaves.map { ParquetColumnWriter($0, options, compressor) }
    nestedNulls = Array(repeating: 0, count: type.count)
    let head = ByteWriter()
    ParquetFooter.magic.withUnsafeBytes { head.append($0) }
    try sink.write(head.bytes)
    offset = head.count
  }

  /// Bytes given to the sink, and those that the open row group would take.
  package var bytesWritten: Int { leaves.reduce(offset) { $0 + $1.writtenBytes } }

  /// Bytes held in memory for the open row group.
  package var bufferedBytes: Int { leaves.reduce(0) { $0 + $1.chunk.byteCount + $1.rawBytes / 8 } }

  package func write(_ batch: Batch) throws(TerraceError) {
    precondition(!isFinished, "written after the end")
    precondition(batch.columns.count == type.count, "a batch of another type")
    var row = 0
    while row < batch.count {
      let piece = min(batch.count - row, Self.pieceRows, options.rowGroupRows - groupRows)
      let rowsNow = batch.slice(row..<row + piece)
      note(rowsNow)
      try append(rowsNow)
      row += piece
      groupRows += piece
      rows += piece
      let raw = leaves.reduce(0) { $0 + $1.rawBytes }
      if groupRows >= options.rowGroupRows || raw >= options.rowGroupBytes { try closeGroup() }
    }
  }

  /// Tells the lookup index, which says at the first rows where pages are to end.
  private func note(_ batch: Batch) {
    guard let wanted = options.lookup, leaves.count == type.count else { return }
    if lookup == nil {
      let fresh = ParquetLookupWriter(wanted, first: batch)
      for leaf in leaves { leaf.cutPages(every: fresh.stripeRows, bytes: wanted.pageBytes) }
      lookup = fresh
    }
    lookup?.note(batch, groupRow: groupRows)
  }

  private func append(_ batch: Batch) throws(TerraceError) {
    for (i, node) in schema.nodes.enumerated() {
      let column = batch.columns[i]
      precondition(column.physical == type.fields[i].type.physical, "a column of another type")
      if case .leaf(let leaf) = node.shape {
        try leaves[leaf.index].append(column)
        continue
      }
      nestedNulls[i] += column.nullCount
      let leaves = leaves
      try ParquetShredder.shred(node, column, ParquetSlots(rows: column.count)) {
        leaf, values, slots throws(TerraceError) in
        try leaves[leaf.index].append(values, slots)
      }
    }
  }

  private func closeGroup() throws(TerraceError) {
    if groupRows == 0 { return }
    var group = ParquetRowGroup()
    var index = ParquetGroupIndexes()
    group.rowCount = groupRows
    var pages: [(pages: [ParquetChunkBuilder.Page], dataOffset: Int)] = []
    for leaf in leaves {
      let chunk = try leaf.closeChunk(to: sink, at: offset)
      offset += chunk.compressedBytes
      group.byteCount += chunk.uncompressedBytes
      group.columns.append(chunk)
      let isBounded = options.boundedColumns?.contains(leaf.leaf.path.first ?? "") ?? true
      index.add(
        leaf.chunk, dataOffset: chunk.dataPageOffset, bloom: leaf.bloomFilter(),
        isBounded: isBounded)
      if lookup != nil { pages.append((leaf.chunk.pages, chunk.dataPageOffset)) }
      leaf.release()
    }
    lookup?.closeGroup(pages)
    rowGroups.append(group)
    indexes.append(index)
    groupRows = 0
  }

  /// Closes the last row group and writes the footer. The sink is not closed.
  package func finish() throws(TerraceError) -> ParquetSummary {
    precondition(!isFinished, "finished twice")
    isFinished = true
    try closeGroup()
    let out = ByteWriter()
    var keyValues = options.keyValues
    ParquetIndexWriter.write(
      indexes, &rowGroups, pageIndex: options.pageIndex, at: offset, into: out)
    if let lookup {
      keyValues.append(lookup.write(leaves: leaves.count, at: offset, into: out))
    }
    var metadata = ParquetMetadata()
    metadata.version = options.deltaEncodings || options.dataPageV2 ? 2 : 1
    metadata.schema = schema.elements
    metadata.rowCount = rows
    metadata.rowGroups = rowGroups
    metadata.keyValues = keyValues.map { (key: $0.0, value: $0.1) }
    metadata.createdBy = options.createdBy
    let start = out.count
    ParquetFooterWriter.write(metadata, fieldIDs: options.fieldIDs, into: out)
    out.appendRaw(UInt32(truncatingIfNeeded: out.count - start))
    ParquetFooter.magic.withUnsafeBytes { out.append($0) }
    try sink.write(out.bytes)
    offset += out.count
    return ParquetSummary(rows: rows, byteCount: offset, columns: statistics())
  }

  private func statistics() -> [ColumnStatistics] {
    schema.nodes.enumerated().map { i, node in
      guard case .leaf(let leaf) = node.shape else {
        return ColumnStatistics(nullCount: nestedNulls[i])
      }
      let writer = leaves[leaf.index]
      let bounds = writer.totalBounds.scalars
      return ColumnStatistics(
        nullCount: writer.totalNulls, min: bounds?.min, max: bounds?.max)
    }
  }
}
