import Columns

/// Writes one leaf: collects values into pages, chooses their encoding, and keeps the pages of the
/// row group.
final class ParquetColumnWriter {
  let leaf: ParquetWriteLeaf
  let chunk: ParquetChunkBuilder
  private let options: ParquetWriteOptions
  private let compressor: Compressor
  private let staging: ParquetStaging
  private let bloomRate: Double?
  private var bloomHashes: [UInt64] = []

  /// Over the whole file.
  private(set) var totalNulls = 0
  private(set) var totalBounds: ParquetBounds

  // Pages that end with stripes of a lookup index; 0: with a number of rows.
  private var stripeRows = 0
  private var goalBytes = 0
  /// Rows of a page that comes near to the goal, as the last one tells.
  private var stripesPerPage = 1
  private static let stripesPerPageMax = 128

  // The page being filled.
  private var slots = 0
  private var rows = 0
  private var values = 0
  private var plainBytes = 0
  private var pageBounds: ParquetBounds
  private let definitions = ParquetRoom()
  private var hasDefinitions = false
  private let repetitions = ParquetRoom()
  private let plain = ByteWriter(capacity: 0)
  private let indices = ParquetRoom()
  private let encoded = ByteWriter(capacity: 0)
  private let repetitionBytes = ByteWriter(capacity: 0)
  private let definitionBytes = ByteWriter(capacity: 0)

  // The dictionary of the row group.
  private var dictionary: ParquetDictionaryBuilder?
  /// Values go to the dictionary; otherwise plain.
  private var isNumbering = false
  /// A page with indices was closed: the dictionary must be written.
  private var isDictionaryUsed = false
  private var numbered = 0
  /// After so many values a look decides whether numbering goes on.
  private static let sample = 2048
  /// The encoding of plain values, measured at the first such page.
  private var measured: ParquetEncoding?

  init(_ leaf: ParquetWriteLeaf, _ options: ParquetWriteOptions, _ compressor: Compressor) {
    self.leaf = leaf
    self.options = options
    self.compressor = compressor
    chunk = ParquetChunkBuilder(leaf, options, compressor)
    staging = ParquetStaging(leaf)
    totalBounds = ParquetBounds(leaf.type.physical)
    pageBounds = ParquetBounds(leaf.type.physical)
    bloomRate =
      leaf.physical == .boolean ? nil : options.bloomFilters[leaf.path.joined(separator: ".")]
    beginDictionary()
  }

  /// Bytes of the row group before compression.
  var rawBytes: Int {
    chunk.uncompressedBytes + (isNumbering ? values * 2 : plain.count)
      + (dictionary?.byteCount ?? 0)
  }

  /// Bytes the row group would take if it were closed now.
  var writtenBytes: Int {
    chunk.byteCount + (isNumbering ? values : plain.count / 2) + (dictionary?.byteCount ?? 0) / 2
  }

  private func beginDictionary() {
    numbered = 0
    isDictionaryUsed = false
    isNumbering = options.dictionary && leaf.physical != .boolean
    if !isNumbering {
      dictionary = nil
    } else if let dictionary {
      dictionary.removeAll()
    } else {
      dictionary = ParquetDictionaryBuilder(width: leaf.storedWidth)
    }
  }

  /// Appends rows of a column that is not nested.
  func append(_ column: Column) throws(TerraceError) {
    if leaf.maxDefinition == 0 && column.validity != nil {
      throw TerraceError(.invalid, "null in a column that is NOT NULL")
        .with("column", leaf.path.joined(separator: "."))
    }
    var row = 0
    while row < column.count {
      let piece = fitting(column, row)
      let range = row..<row + piece
      var valid = piece
      if let validity = column.validity {
        valid = Bitmap(copying: validity.words, from: row, count: piece).setCount
        noteLevels(validity, range, valid)
      } else if hasDefinitions {
        appendLevels(UInt8(leaf.maxDefinition), piece)
      }
      staging.stage(column, range, valid: valid)
      slots += piece
      rows += piece
      try appendStaged()
      row += piece
      if rows >= pageRows || plainBytes >= options.pageBytes { try closePage(last: false) }
    }
  }

  /// From here on pages take about `bytes` in the file and end with a multiple of `rows`.
  func cutPages(every rows: Int, bytes: Int) {
    stripeRows = rows
    goalBytes = bytes
  }

  /// Rows after which the current page ends.
  private var pageRows: Int {
    if stripeRows == 0 { return options.pageRows }
    return stripesPerPage * stripeRows - chunk.rows % stripeRows
  }

  /// How many rows from `row` on still go into this page: at least one.
  private func fitting(_ column: Column, _ row: Int) -> Int {
    let most = min(column.count - row, pageRows - rows)
    let room = max(0, options.pageBytes - plainBytes)
    if column.physical != .bytes { return max(1, min(most, room / max(1, leaf.storedWidth))) }
    let offsets = column.offsets
    let start = Int(offsets[row])
    if Int(offsets[row + most]) - start + 4 * most <= room { return max(1, most) }
    var low = 1
    var high = max(1, most)
    while low < high {
      let middle = (low + high + 1) / 2
      if Int(offsets[row + middle]) - start + 4 * middle <= room {
        low = middle
      } else {
        high = middle - 1
      }
    }
    return low
  }

  private func needLevels(_ extra: Int) {
    definitions.reserve(extra + (hasDefinitions ? 0 : slots))
    if hasDefinitions { return }
    hasDefinitions = true
    definitions.base.initializeMemory(
      as: UInt8.self, repeating: UInt8(leaf.maxDefinition), count: slots)
    definitions.used = slots
  }

  private func appendLevels(_ level: UInt8, _ count: Int) {
    definitions.reserve(count)
    definitions.end.initializeMemory(as: UInt8.self, repeating: level, count: count)
    definitions.used += count
  }

  private func noteLevels(_ validity: Bitmap, _ range: Range<Int>, _ valid: Int) {
    if valid == range.count && !hasDefinitions { return }
    needLevels(range.count)
    let to = definitions.end.assumingMemoryBound(to: UInt8.self)
    let words = validity.words
    let below = UInt8(leaf.maxDefinition - 1)
    for i in 0..<range.count {
      let at = range.lowerBound &+ i
      to[i] = below &+ UInt8(truncatingIfNeeded: (words[at &>> 6] &>> UInt64(at & 63)) & 1)
    }
    definitions.used += range.count
  }

  /// Appends slots of a nested column, whole rows.
  func append(_ column: Column, _ all: ParquetSlots) throws(TerraceError) {
    let definition = all.definitions.pointer(UInt8.self)
    let repetition = all.repetitions.pointer(UInt8.self)
    let element = all.elements.pointer(Int32.self)
    let average = max(1, column.byteCount / max(1, column.count))
    var at = 0
    while at < all.count {
      // Some rows, guessed by size: a page ends with a row.
      let most = max(
        1, min(4096, (options.pageBytes - min(plainBytes, options.pageBytes)) / average))
      var end = at
      var begun = 0
      while end < all.count {
        begun += bit(repetition[end] == 0)
        if begun > options.pageRows - rows || (end - at >= most && repetition[end] == 0) { break }
        end += 1
      }
      let n = end - at
      let startRows = begun - bit(end < all.count)
      needLevels(n)
      definitions.end.copyMemory(from: definition + at, byteCount: n)
      definitions.used += n
      repetitions.reserve(n)
      repetitions.end.copyMemory(from: repetition + at, byteCount: n)
      repetitions.used += n
      staging.stage(column, element + at, n)
      slots += n
      rows += startRows
      try appendStaged()
      at = end
      if rows >= options.pageRows || plainBytes >= options.pageBytes { try closePage(last: false) }
    }
  }

  private func appendStaged() throws(TerraceError) {
    let n = staging.count
    if n == 0 { return }
    if let offsets = staging.offsets, leaf.physical == .byteArray {
      pageBounds.add(bytes: staging.source, offsets, n)
      plainBytes += Int(offsets[n] &- offsets[0]) + 4 * n
    } else {
      pageBounds.add(staging.source, n)
      plainBytes += leaf.physical == .boolean ? (n + 7) / 8 : n * leaf.storedWidth
    }
    var done = 0
    while done < n && isNumbering {
      let piece = numbered < Self.sample ? min(n - done, Self.sample - numbered) : n - done
      number(done, piece)
      done += piece
    }
    if done < n { appendPlain(done, n - done) }
    values += n
  }

  private func number(_ from: Int, _ n: Int) {
    guard let dictionary else { return }
    indices.reserve(n * 4)
    let out = indices.end.assumingMemoryBound(to: UInt32.self)
    if leaf.physical == .byteArray, let offsets = staging.offsets {
      dictionary.add(bytes: staging.stored, offsets + from, n, into: out)
    } else {
      dictionary.add(staging.stored + from * leaf.storedWidth, n, into: out)
    }
    indices.used += n * 4
    let before = numbered
    numbered += n
    if before < Self.sample && numbered >= Self.sample && isHopeless() { abandon() }
  }

  /// How many distinct values the column seems to have, from how many came twice (the birthday
  /// estimate n² / 2(n - d), exact for few repetitions).
  private var estimatedDistinct: Double {
    guard let dictionary else { return 0 }
    let repeated = Double(max(1, numbered - dictionary.count))
    return max(Double(dictionary.count), Double(numbered) * Double(numbered) / (2 * repeated))
  }

  private func isHopeless() -> Bool {
    guard let dictionary, dictionary.count * 2 > numbered else { return false }
    let size = Double(dictionary.byteCount) / Double(dictionary.count)
    return estimatedDistinct * size > Double(options.dictionaryBytes)
  }

  /// Whether numbering pays over the whole chunk, `expected` values long.
  private func pays(_ expected: Int) -> Bool {
    guard let dictionary, dictionary.count > 0 else { return false }
    let size = Double(dictionary.byteCount) / Double(dictionary.count)
    var distinct = Double(dictionary.count)
    if dictionary.count * 2 > numbered && expected > numbered {
      distinct = min(estimatedDistinct, Double(expected))
    }
    let bits = Double(ParquetBits.width(of: UInt64(distinct)))
    let cost = distinct * size + Double(expected) * bits / 8
    let average =
      leaf.storedWidth > 0 ? Double(leaf.storedWidth) : Double(plainBytes) / Double(max(values, 1))
    return cost < 0.9 * Double(expected) * average
  }

  /// Goes on without the dictionary: the page's indices become plain values again.
  private func abandon() {
    guard let dictionary else { return }
    dictionary.writePlain(
      indices.base.assumingMemoryBound(to: UInt32.self), indices.used / 4, into: plain)
    addBloom(plain.bytes, indices.used / 4)
    indices.used = 0
    isNumbering = false
  }

  private func appendPlain(_ from: Int, _ n: Int) {
    let start = plain.count
    switch leaf.physical {
    case .boolean:
      ParquetPlain.append(
        booleans: staging.stored.assumingMemoryBound(to: UInt8.self) + from, n,
        already: values + from, into: plain)
    case .byteArray:
      if let offsets = staging.offsets {
        ParquetPlain.append(bytes: staging.stored, offsets + from, n, into: plain)
      }
    default:
      plain.append(
        UnsafeRawBufferPointer(
          start: staging.stored + from * leaf.storedWidth, count: n * leaf.storedWidth))
    }
    if bloomRate != nil { addBloom(UnsafeRawBufferPointer(rebasing: plain.bytes[start...]), n) }
  }

  private func addBloom(_ bytes: UnsafeRawBufferPointer, _ n: Int) {
    if bloomRate == nil { return }
    var at = 0
    for _ in 0..<n {
      var length = leaf.storedWidth
      if length == 0 {
        length = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        at += 4
      }
      bloomHashes.append(
        ParquetBloomFilter.hash(UnsafeRawBufferPointer(rebasing: bytes[at..<at + length])))
      at += length
    }
  }

  private func closePage(last: Bool) throws(TerraceError) {
    if slots == 0 { return }
    if isNumbering && !isDictionaryUsed && values > 0
      && !pays(last ? values : max(20_000, values * 10))
    {
      abandon()
    }
    var draft = ParquetPageDraft(
      values: plain.bytes, encoding: .plain, bounds: pageBounds)
    draft.slots = slots
    draft.rows = rows
    draft.nulls = slots - values
    draft.bounds = pageBounds
    encodeLevels(&draft)
    encoded.removeAll()
    if isNumbering && values > 0 {
      isDictionaryUsed = true
      encodeIndices()
      draft.encoding = .rleDictionary
      draft.values = encoded.bytes
    } else if options.deltaEncodings && values > 0 {
      draft.encoding = try measure()
      if draft.encoding != .plain {
        encode(draft.encoding)
        draft.values = encoded.bytes
      }
    }
    try chunk.add(draft)
    if stripeRows > 0, rows >= stripeRows, let page = chunk.pages.last {
      let perStripe = max(1, page.byteCount * stripeRows / rows)
      stripesPerPage = max(
        1, min(goalBytes / perStripe, stripesPerPage * 8, Self.stripesPerPageMax))
    }
    if isNumbering, let dictionary, dictionary.byteCount > options.dictionaryBytes {
      isNumbering = false
    }
    clearPage()
  }

  private func clearPage() {
    totalNulls += slots - values
    totalBounds.merge(pageBounds)
    pageBounds = ParquetBounds(leaf.type.physical)
    slots = 0
    rows = 0
    values = 0
    plainBytes = 0
    hasDefinitions = false
    definitions.used = 0
    repetitions.used = 0
    indices.used = 0
    plain.removeAll()
  }

  private func encodeLevels(_ draft: inout ParquetPageDraft) {
    if leaf.maxRepetition > 0 {
      repetitionBytes.removeAll()
      ParquetHybridEncoder.encode(
        repetitions.base.assumingMemoryBound(to: UInt8.self), slots,
        width: ParquetBits.width(of: UInt64(leaf.maxRepetition)), into: repetitionBytes)
      draft.repetitions = repetitionBytes.bytes
    }
    if leaf.maxDefinition > 0 {
      definitionBytes.removeAll()
      let width = ParquetBits.width(of: UInt64(leaf.maxDefinition))
      if hasDefinitions {
        ParquetHybridEncoder.encode(
          definitions.base.assumingMemoryBound(to: UInt8.self), slots, width: width,
          into: definitionBytes)
      } else {
        ParquetHybridEncoder.repeated(
          UInt32(leaf.maxDefinition), slots, width, definitionBytes)
      }
      draft.definitions = definitionBytes.bytes
    }
  }

  private func encodeIndices() {
    let width = max(1, ParquetBits.width(of: UInt64(max(0, (dictionary?.count ?? 1) - 1))))
    encoded.append(UInt8(width))
    ParquetHybridEncoder.encode(
      indices.base.assumingMemoryBound(to: UInt32.self), values, width: width, into: encoded)
  }

  private func encode(_ encoding: ParquetEncoding) {
    switch encoding {
    case .deltaBinaryPacked:
      ParquetPlain.delta(plain.bytes, width: leaf.storedWidth, values, into: encoded)
    case .deltaLengthByteArray:
      ParquetPlain.deltaBytes(plain.bytes, values, prefixes: false, into: encoded)
    case .deltaByteArray:
      ParquetPlain.deltaBytes(plain.bytes, values, prefixes: true, into: encoded)
    case .byteStreamSplit:
      ParquetPlain.split(plain.bytes, width: leaf.storedWidth, values, into: encoded)
    default: break
    }
  }

  /// The encoding that makes the smallest page, tried on the first plain page of the column.
  private func measure() throws(TerraceError) -> ParquetEncoding {
    if let measured { return measured }
    let candidates: [ParquetEncoding]
    switch leaf.physical {
    case .int32, .int64: candidates = [.deltaBinaryPacked]
    case .byteArray: candidates = [.deltaLengthByteArray, .deltaByteArray]
    case .float, .double: candidates = [.byteStreamSplit]
    default: candidates = []
    }
    var best = ParquetEncoding.plain
    var smallest = try compressor.compress(options.codec, plain.bytes).count
    for candidate in candidates {
      encoded.removeAll()
      encode(candidate)
      let size = try compressor.compress(options.codec, encoded.bytes).count
      if size < smallest { (best, smallest) = (candidate, size) }
    }
    encoded.removeAll()
    measured = best
    return best
  }

  /// Ends the row group: writes the chunk, and begins anew after `release`.
  func closeChunk(to sink: any ByteSink, at offset: Int) throws(TerraceError) -> ParquetChunk {
    try closePage(last: true)
    guard isDictionaryUsed, let dictionary else {
      return try chunk.write(dictionary: nil, to: sink, at: offset)
    }
    let page = ByteWriter(capacity: dictionary.byteCount)
    dictionary.writePlain(into: page)
    return try chunk.write(dictionary: (page.bytes, dictionary.count), to: sink, at: offset)
  }

  /// The Bloom filter of the row group, when one is wanted.
  func bloomFilter() -> Buffer? {
    guard let bloomRate else { return nil }
    if isDictionaryUsed, let dictionary {
      dictionary.forEach { bloomHashes.append(ParquetBloomFilter.hash($0)) }
    }
    return ParquetBloomFilter.make(bloomHashes, falsePositives: bloomRate)
  }

  func release() {
    chunk.removeAll()
    bloomHashes = []
    beginDictionary()
  }
}
