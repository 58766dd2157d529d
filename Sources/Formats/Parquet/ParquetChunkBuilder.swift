import Columns

/// One page as the column writer hands it over.
struct ParquetPageDraft {
  var slots = 0
  var rows = 0
  var nulls = 0
  /// Encoded levels, without length prefixes; nil when the leaf has none.
  var repetitions: UnsafeRawBufferPointer?
  var definitions: UnsafeRawBufferPointer?
  var values: UnsafeRawBufferPointer
  var encoding: ParquetEncoding
  var bounds: ParquetBounds
}

/// Collects the compressed pages of a column chunk, and what the indexes say of them.
final class ParquetChunkBuilder {
  struct Page {
    var offset: Int
    var byteCount: Int
    var firstRow: Int
    var slots: Int
    var nulls: Int
    var bounds: ParquetStoredBounds.Pair?
    var scalars: (min: Scalar, max: Scalar)?
  }

  private let leaf: ParquetWriteLeaf
  private let options: ParquetWriteOptions
  private let compressor: Compressor
  /// Bounds of pages are asked for.
  private let keepsBounds: Bool
  private let bytes = ByteWriter(capacity: 0)
  private let body = ByteWriter(capacity: 0)
  private(set) var pages: [Page] = []
  private(set) var rows = 0
  private(set) var slots = 0
  private(set) var nulls = 0
  private(set) var bounds: ParquetBounds
  private(set) var uncompressedBytes = 0
  private(set) var encodings: Set<ParquetEncoding> = []

  init(_ leaf: ParquetWriteLeaf, _ options: ParquetWriteOptions, _ compressor: Compressor) {
    self.leaf = leaf
    self.options = options
    self.compressor = compressor
    bounds = ParquetBounds(leaf.type.physical)
    keepsBounds =
      options.pageIndex && options.boundedColumns?.contains(leaf.path.first ?? "") ?? true
  }

  /// Compressed bytes so far.
  var byteCount: Int { bytes.count }

  func removeAll() {
    bytes.removeAll()
    pages = []
    rows = 0
    slots = 0
    nulls = 0
    uncompressedBytes = 0
    encodings = []
    bounds = ParquetBounds(leaf.type.physical)
  }

  func add(_ draft: ParquetPageDraft) throws(TerraceError) {
    var page = ParquetPage()
    page.kind = options.dataPageV2 ? .dataV2 : .data
    page.valueCount = draft.slots
    page.encoding = draft.encoding.rawValue
    page.rowCount = draft.rows
    page.nullCount = draft.nulls
    body.removeAll()
    let packed: UnsafeRawBufferPointer
    if options.dataPageV2 {
      packed = try packV2(draft, &page)
    } else {
      for levels in [draft.repetitions, draft.definitions] {
        guard let levels else { continue }
        body.appendRaw(UInt32(truncatingIfNeeded: levels.count))
        body.append(levels)
      }
      // Without levels the values are the page: no copy.
      let whole = body.count == 0 ? draft.values : appended(draft.values)
      page.uncompressedBytes = whole.count
      packed = try compressor.compress(options.codec, whole)
    }
    page.compressedBytes = packed.count
    let offset = bytes.count
    append(&page, packed)
    pages.append(
      Page(
        offset: offset, byteCount: bytes.count - offset, firstRow: rows, slots: draft.slots,
        nulls: draft.nulls,
        bounds: keepsBounds ? ParquetStoredBounds.make(draft.bounds, leaf) : nil,
        scalars: keepsBounds ? draft.bounds.scalars : nil))
    rows += draft.rows
    slots += draft.slots
    nulls += draft.nulls
    bounds.merge(draft.bounds)
    encodings.insert(draft.encoding)
  }

  private func appended(_ values: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    body.append(values)
    return body.bytes
  }

  /// Levels stay as they are, only the values are compressed.
  private func packV2(
    _ draft: ParquetPageDraft, _ page: inout ParquetPage
  ) throws(TerraceError) -> UnsafeRawBufferPointer {
    if let levels = draft.repetitions { body.append(levels) }
    page.repetitionBytes = body.count
    if let levels = draft.definitions { body.append(levels) }
    page.definitionBytes = body.count - page.repetitionBytes
    page.uncompressedBytes = body.count + draft.values.count
    let packed = try compressor.compress(options.codec, draft.values)
    page.isCompressed = options.codec != .none && packed.count < draft.values.count
    return appended(page.isCompressed ? packed : draft.values)
  }

  private func append(_ page: inout ParquetPage, _ packed: UnsafeRawBufferPointer) {
    if options.crc { page.crc = crc32(packed) }
    let start = bytes.count
    var writer = ThriftWriter(bytes)
    page.write(&writer)
    uncompressedBytes += bytes.count - start + page.uncompressedBytes
    bytes.append(packed)
  }

  /// Writes the chunk: the dictionary, when there is one, and the pages.
  ///
  /// - Returns: the chunk's metadata; `pages` tell offsets from its first data page on.
  func write(
    dictionary: (bytes: UnsafeRawBufferPointer, count: Int)?, to sink: any ByteSink,
    at offset: Int
  ) throws(TerraceError) -> ParquetChunk {
    var chunk = ParquetChunk()
    chunk.physical = leaf.physical
    chunk.path = leaf.path
    chunk.codec = ParquetCodec.number(options.codec)
    chunk.valueCount = slots
    chunk.dataPageOffset = offset
    if let dictionary {
      let packed = try compressor.compress(options.codec, dictionary.bytes)
      var page = ParquetPage()
      page.kind = .dictionary
      page.valueCount = dictionary.count
      page.uncompressedBytes = dictionary.bytes.count
      page.compressedBytes = packed.count
      if options.crc { page.crc = crc32(packed) }
      body.removeAll()
      var writer = ThriftWriter(body)
      page.write(&writer)
      uncompressedBytes += body.count + dictionary.bytes.count
      body.append(packed)
      try sink.write(body.bytes)
      chunk.dictionaryPageOffset = offset
      chunk.dataPageOffset = offset + body.count
      encodings.insert(.plain)
    }
    try sink.write(bytes.bytes)
    chunk.compressedBytes = chunk.dataPageOffset - offset + bytes.count
    chunk.uncompressedBytes = uncompressedBytes
    if leaf.maxDefinition > 0 || leaf.maxRepetition > 0 { encodings.insert(.rle) }
    chunk.encodings = encodings.map(\.rawValue).sorted()
    var statistics = ParquetStatistics()
    statistics.nullCount = nulls
    if let stored = ParquetStoredBounds.make(bounds, leaf) {
      statistics.minValue = stored.min
      statistics.maxValue = stored.max
      statistics.isMinExact = stored.isMinExact
      statistics.isMaxExact = stored.isMaxExact
    }
    chunk.statistics = statistics
    return chunk
  }
}
