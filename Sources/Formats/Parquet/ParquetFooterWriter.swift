import Columns

/// Page locations, page bounds and Bloom filters of one row group, until the end of the file.
struct ParquetGroupIndexes {
  struct ColumnPart {
    var pages: [ParquetChunkBuilder.Page]
    var dataOffset: Int
    var bloom: Buffer?
    var isBounded: Bool
  }
  var columns: [ColumnPart] = []

  mutating func add(
    _ chunk: ParquetChunkBuilder, dataOffset: Int, bloom: Buffer?, isBounded: Bool
  ) {
    columns.append(
      ColumnPart(pages: chunk.pages, dataOffset: dataOffset, bloom: bloom, isBounded: isBounded))
  }
}

/// Writes what stands between the last row group and the footer.
enum ParquetIndexWriter {
  /// Appends Bloom filters, column indexes and offset indexes, and notes where they lie.
  static func write(
    _ indexes: [ParquetGroupIndexes], _ groups: inout [ParquetRowGroup], pageIndex: Bool,
    at offset: Int, into out: ByteWriter
  ) {
    for (g, index) in indexes.enumerated() {
      for (c, part) in index.columns.enumerated() {
        guard let bloom = part.bloom else { continue }
        groups[g].columns[c].bloomFilterOffset = offset + out.count
        let start = out.count
        writeBloom(bloom, out)
        groups[g].columns[c].bloomFilterLength = out.count - start
      }
    }
    if !pageIndex { return }
    for (g, index) in indexes.enumerated() {
      for (c, part) in index.columns.enumerated() where part.isBounded && hasBounds(part.pages) {
        let start = out.count
        writeColumnIndex(part.pages, out)
        groups[g].columns[c].columnIndex = ParquetRange(
          offset: offset + start, count: out.count - start)
      }
    }
    for (g, index) in indexes.enumerated() {
      for (c, part) in index.columns.enumerated() {
        let start = out.count
        writeOffsetIndex(part, out)
        groups[g].columns[c].offsetIndex = ParquetRange(
          offset: offset + start, count: out.count - start)
      }
    }
  }

  /// The column index must bound every page that has a value.
  private static func hasBounds(_ pages: [ParquetChunkBuilder.Page]) -> Bool {
    pages.allSatisfy { $0.bounds != nil || $0.nulls == $0.slots }
  }

  private static func writeBloom(_ bloom: Buffer, _ out: ByteWriter) {
    var writer = ThriftWriter(out)
    writer.element { w in
      w.i32(1, bloom.byteCount)
      for id in 2...4 { w.structure(id) { w in w.structure(1) { _ in } } }
    }
    out.append(bloom.bytes)
  }

  private static func writeColumnIndex(_ pages: [ParquetChunkBuilder.Page], _ out: ByteWriter) {
    var writer = ThriftWriter(out)
    writer.element { w in
      w.list(1, of: .boolTrue, count: pages.count)
      for page in pages { w.element(page.bounds == nil) }
      w.list(2, of: .binary, count: pages.count)
      for page in pages { w.element(page.bounds?.min ?? []) }
      w.list(3, of: .binary, count: pages.count)
      for page in pages { w.element(page.bounds?.max ?? []) }
      w.i32(4, order(pages))
      w.list(5, of: .i64, count: pages.count)
      for page in pages { w.element(page.nulls) }
    }
  }

  /// 1 when the bounds of all pages with values ascend, 2 when they descend, otherwise 0.
  private static func order(_ pages: [ParquetChunkBuilder.Page]) -> Int {
    var ascends = true
    var descends = true
    var last: (min: Scalar, max: Scalar)?
    for page in pages {
      guard let bounds = page.scalars else { continue }
      if let last {
        let low = Scalar.compare(last.min, bounds.min)
        let high = Scalar.compare(last.max, bounds.max)
        if low > 0 || high > 0 { ascends = false }
        if low < 0 || high < 0 { descends = false }
      }
      last = bounds
    }
    return ascends ? 1 : descends ? 2 : 0
  }

  private static func writeOffsetIndex(_ part: ParquetGroupIndexes.ColumnPart, _ out: ByteWriter) {
    var writer = ThriftWriter(out)
    writer.element { w in
      w.list(1, of: .structure, count: part.pages.count)
      for page in part.pages {
        w.element { w in
          w.i64(1, part.dataOffset + page.offset)
          w.i32(2, page.byteCount)
          w.i64(3, page.firstRow)
        }
      }
    }
  }
}

/// Writes the Thrift structures of the footer.
enum ParquetFooterWriter {
  static func write(_ metadata: ParquetMetadata, fieldIDs: Bool, into out: ByteWriter) {
    var writer = ThriftWriter(out)
    let leafCount = metadata.schema.filter { $0.physical != nil }.count
    writer.element { w in
      w.i32(1, metadata.version)
      w.list(2, of: .structure, count: metadata.schema.count)
      for element in metadata.schema { w.element { w in write(element, fieldIDs, &w) } }
      w.i64(3, metadata.rowCount)
      w.list(4, of: .structure, count: metadata.rowGroups.count)
      for (i, group) in metadata.rowGroups.enumerated() {
        w.element { w in write(group, i, &w) }
      }
      if !metadata.keyValues.isEmpty {
        w.list(5, of: .structure, count: metadata.keyValues.count)
        for pair in metadata.keyValues {
          w.element { w in
            w.text(1, pair.key)
            w.text(2, pair.value)
          }
        }
      }
      w.text(6, metadata.createdBy)
      // Every column in the order that its type defines.
      w.list(7, of: .structure, count: leafCount)
      for _ in 0..<leafCount { w.element { w in w.structure(1) { _ in } } }
    }
  }

  private static func write(
    _ element: ParquetElement, _ fieldIDs: Bool, _ w: inout ThriftWriter
  ) {
    if let physical = element.physical { w.i32(1, physical.rawValue) }
    if element.typeLength > 0 { w.i32(2, element.typeLength) }
    // The root has no repetition.
    if element.physical != nil || element.fieldID != nil || element.repetition != .required {
      w.i32(3, element.repetition.rawValue)
    }
    w.text(4, element.name)
    if element.childCount > 0 { w.i32(5, element.childCount) }
    if let converted = element.meaning.flatMap(ParquetLogicalType.converted) {
      w.i32(6, converted)
    }
    if case .decimal(let precision, let scale)? = element.meaning {
      w.i32(7, scale)
      w.i32(8, precision)
    }
    if fieldIDs, let id = element.fieldID { w.i32(9, id) }
    if let meaning = element.meaning { ParquetLogicalType.write(meaning, 10, &w) }
  }

  private static func write(_ group: ParquetRowGroup, _ ordinal: Int, _ w: inout ThriftWriter) {
    w.list(1, of: .structure, count: group.columns.count)
    for chunk in group.columns { w.element { w in write(chunk, &w) } }
    w.i64(2, group.byteCount)
    w.i64(3, group.rowCount)
    w.i64(5, group.columns.first?.start ?? 4)
    w.i64(6, group.columns.reduce(0) { $0 + $1.compressedBytes })
    w.i16(7, min(ordinal, 32767))
  }

  private static func write(_ chunk: ParquetChunk, _ w: inout ThriftWriter) {
    w.i64(2, 0)
    w.structure(3) { w in
      w.i32(1, chunk.physical.rawValue)
      w.list(2, of: .i32, count: chunk.encodings.count)
      for encoding in chunk.encodings { w.element(encoding) }
      w.list(3, of: .binary, count: chunk.path.count)
      for name in chunk.path { w.element(name) }
      w.i32(4, chunk.codec)
      w.i64(5, chunk.valueCount)
      w.i64(6, chunk.uncompressedBytes)
      w.i64(7, chunk.compressedBytes)
      w.i64(9, chunk.dataPageOffset)
      if let offset = chunk.dictionaryPageOffset { w.i64(11, offset) }
      if let statistics = chunk.statistics { write(statistics, &w) }
      if let offset = chunk.bloomFilterOffset { w.i64(14, offset) }
      if let length = chunk.bloomFilterLength { w.i32(15, length) }
    }
    if let range = chunk.offsetIndex {
      w.i64(4, range.offset)
      w.i32(5, range.count)
    }
    if let range = chunk.columnIndex {
      w.i64(6, range.offset)
      w.i32(7, range.count)
    }
  }

  private static func write(_ statistics: ParquetStatistics, _ w: inout ThriftWriter) {
    w.structure(12) { w in
      if let count = statistics.nullCount { w.i64(3, count) }
      if let max = statistics.maxValue { w.binary(5, max) }
      if let min = statistics.minValue { w.binary(6, min) }
      if let exact = statistics.isMaxExact { w.bool(7, exact) }
      if let exact = statistics.isMinExact { w.bool(8, exact) }
    }
  }
}
