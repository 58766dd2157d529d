import Columns

/// Where the pages of a column chunk lie, from its offset index.
struct ParquetPagePlace: Sendable {
  var offset: Int
  var count: Int
  var firstRow: Int
}

/// Reads one leaf of one row group, a number of rows at a time, page by page.
final class ParquetLeafReader {
  let leaf: ParquetLeaf
  let out: ParquetVector
  private let cursor: ParquetChunkCursor
  private let loader: ParquetPageLoader
  private var values: ParquetValues
  private let wanted: DataType
  /// Pages by the offset index; nil when all pages are walked.
  private let places: [ParquetPagePlace]?
  /// Of pages that lie one behind another `places` names only the first.
  private let areUnits: Bool
  private var place = 0

  /// Row in the row group that comes next.
  private var row = 0
  private var page = ParquetPage()
  /// Slots of the current page that are not yet handed out.
  private var slotsLeft = 0
  private var definitions = ParquetHybridDecoder(
    UnsafeRawBufferPointer(start: nil, count: 0), width: 0)
  private var repetitions = ParquetHybridDecoder(
    UnsafeRawBufferPointer(start: nil, count: 0), width: 0)
  private var turned: [Buffer] = []

  /// Levels decoded ahead, only below repeated ancestors: rows end where the next begins.
  private static let aheadLimit = 1024
  private let ahead = Buffer(byteCount: 2 * ParquetLeafReader.aheadLimit)
  private var aheadAt = 0
  private var aheadCount = 0
  private var sawFirst = false

  init(
    _ source: any ByteSource, _ chunk: ParquetChunk, _ leaf: ParquetLeaf, wanted: DataType,
    ranges: [Range<Int>], places: [ParquetPagePlace]?, areUnits: Bool = false,
    decompressor: Decompressor, pages: ParquetPageCount
  ) throws(TerraceError) {
    self.leaf = leaf
    self.wanted = wanted
    self.places = places
    self.areUnits = areUnits
    out = ParquetVector(wanted)
    cursor = try ParquetChunkCursor(source, ranges: ranges, column: leaf.path)
    loader = try ParquetPageLoader(
      codec: chunk.codec, decompressor: decompressor, pages: pages)
    values = ParquetValues(leaf, try ParquetConverter(leaf, to: wanted))
  }

  /// Moves to row `target` of the row group.
  func seek(_ target: Int) throws(TerraceError) {
    while row < target {
      if slotsLeft == 0 && aheadAt == aheadCount {
        if try !loadPage(skippingTo: target) { throw cursor.broken("the column ends early") }
        if row >= target { break }
      }
      if leaf.maxRepetition == 0 && slotsLeft > 0 && slotsLeft <= target - row {
        row += slotsLeft
        slotsLeft = 0
        continue
      }
      let mark = out.mark
      let rows = min(target - row, 4096)
      // Pages between this one and the target's may not be there.
      try read(min(rows, leaf.maxRepetition > 0 ? nextFirstRow - row : slotsLeft))
      out.cut(to: mark)
    }
    if row != target { throw cursor.broken("the offset index leaves out rows") }
  }

  /// The row at which the next page that the offset index knows begins; the greatest number without one.
  private var nextFirstRow: Int {
    guard let places else { return .max }
    var next = max(place - 1, 0)
    while next < places.count, places[next].firstRow <= row { next += 1 }
    return next < places.count ? places[next].firstRow : .max
  }

  /// Appends the next `rows` rows to `out`.
  func read(_ rows: Int) throws(TerraceError) {
    do throws(TerraceError) {
      if leaf.maxRepetition > 0 { try readNested(rows) } else { try readFlat(rows) }
    } catch {
      let named = error.facts.contains { $0.name == "file" }
      throw named ? error : error.with("file", cursor.fileName).with("page", page.offset)
    }
    row += rows
  }

  private func readFlat(_ rows: Int) throws(TerraceError) {
    var left = rows
    while left > 0 {
      if slotsLeft == 0 {
        if try !loadPage(skippingTo: nil) { throw cursor.broken("the column ends early") }
        continue
      }
      let n = min(left, slotsLeft)
      try values.decode(try flatLevels(n), into: out)
      slotsLeft -= n
      left -= n
    }
  }

  /// Notes the definition levels of `n` slots.
  ///
  /// - Returns: how many have a value.
  private func flatLevels(_ n: Int) throws(TerraceError) -> Int {
    let most = leaf.maxDefinition
    var present = 0
    if most == 0 {
      out.slots += n
      return n
    }
    var done = 0
    while done < n {
      let run = try definitions.takeRun(n - done)
      if run > 0 {
        let level = Int(definitions.runValue)
        if level > most { throw cursor.broken("a definition level of \(level)") }
        if level == most { present += run }
        if level < most || out.hasDefinitions {
          out.needDefinitions(most, extra: run)
          out.definitions.end.initializeMemory(
            as: UInt8.self, repeating: UInt8(level), count: run)
          out.definitions.used += run
        }
        out.slots += run
        done += run
      } else {
        out.needDefinitions(most, extra: n - done)
        let to = out.definitions.end.assumingMemoryBound(to: UInt8.self)
        let taken = definitions.takeLiterals(n - done, into: to)
        present += try count(to, taken)
        out.definitions.used += taken
        out.slots += taken
        done += taken
      }
    }
    return present
  }

  private func count(_ levels: UnsafePointer<UInt8>, _ n: Int) throws(TerraceError) -> Int {
    let most = UInt8(leaf.maxDefinition)
    var present = 0
    var greatest: UInt8 = 0
    for i in 0..<n {
      present &+= bit(levels[i] == most)
      greatest = max(greatest, levels[i])
    }
    if greatest > most { throw cursor.broken("a definition level of \(greatest)") }
    return present
  }

  private func readNested(_ rows: Int) throws(TerraceError) {
    var begun = 0
    while true {
      if aheadAt == aheadCount {
        if slotsLeft == 0 {
          // A row may go on in the next page, unless pages are known to begin with rows.
          if begun == rows && (places != nil || page.kind == .dataV2) { return }
          if try !loadPage(skippingTo: nil) {
            if begun == rows { return }
            throw cursor.broken("the column ends early")
          }
          continue
        }
        try decodeAhead()
      }
      let repetition = ahead.pointer(UInt8.self) + aheadAt
      let definition = repetition + Self.aheadLimit
      let n = aheadCount - aheadAt
      var taken = 0
      if !sawFirst && repetition[0] != 0 { throw cursor.broken("a column begins inside a row") }
      sawFirst = true
      while taken < n {
        begun += bit(repetition[taken] == 0)
        if begun > rows { break }
        taken += 1
      }
      try append(repetition, definition, taken)
      aheadAt += taken
      if begun > rows { return }
    }
  }

  private func append(
    _ repetition: UnsafePointer<UInt8>, _ definition: UnsafePointer<UInt8>, _ n: Int
  ) throws(TerraceError) {
    if out.slots + n > ParquetVector.slotLimit {
      throw TerraceError(.unsupported, "over \(ParquetVector.slotLimit) elements in a batch")
        .with("column", leaf.path)
    }
    out.needDefinitions(leaf.maxDefinition, extra: n)
    out.definitions.end.copyMemory(from: definition, byteCount: n)
    out.definitions.used += n
    out.repetitions.reserve(n)
    out.repetitions.end.copyMemory(from: repetition, byteCount: n)
    out.repetitions.used += n
    out.slots += n
    try values.decode(try count(definition, n), into: out)
  }

  private func decodeAhead() throws(TerraceError) {
    let n = min(slotsLeft, Self.aheadLimit)
    let repetition = ahead.pointer(UInt8.self)
    try repetitions.decode(n, into: repetition)
    var greatest: UInt8 = 0
    for i in 0..<n { greatest = max(greatest, repetition[i]) }
    if Int(greatest) > leaf.maxRepetition {
      throw cursor.broken("a repetition level of \(greatest)")
    }
    try definitions.decode(n, into: repetition + Self.aheadLimit)
    aheadAt = 0
    aheadCount = n
    slotsLeft -= n
  }

  /// Makes the next data page current. Pages whose rows all lie before `target` are passed over.
  ///
  /// - Returns: false when there is none.
  private func loadPage(skippingTo target: Int?) throws(TerraceError) -> Bool {
    while let next = try cursor.nextPage() {
      switch next.kind {
      case .index: cursor.skip(next.compressedBytes)
      case .dictionary: try loadDictionary(next)
      case .data, .dataV2:
        if let places {
          while place < places.count && places[place].offset < next.offset { place += 1 }
          let isKnown = place < places.count && places[place].offset == next.offset
          if !isKnown && !areUnits {
            throw cursor.broken("a page that the offset index does not know")
          }
          // While rows are read, `row` stands at the first of them.
          if isKnown && target != nil { row = max(row, places[place].firstRow) }
          if !areUnits { try check(next, places) }
        }
        if let target, let rows = knownRows(next), rows <= target - row {
          cursor.skip(next.compressedBytes)
          row += rows
          sawFirst = true
          continue
        }
        page = next
        try begin(next)
        return true
      }
    }
    return false
  }

  /// Wrong row numbers would put values of different rows side by side.
  private func check(
    _ next: ParquetPage, _ places: [ParquetPagePlace]
  ) throws(TerraceError) {
    let rows = leaf.maxRepetition == 0 ? next.valueCount : next.rowCount
    guard let rows, place + 1 < places.count else { return }
    if places[place + 1].firstRow - places[place].firstRow != rows {
      throw cursor.broken("a page with other rows than the offset index says")
    }
  }

  /// The rows of a page, when its header or the offset index tell.
  private func knownRows(_ next: ParquetPage) -> Int? {
    if leaf.maxRepetition == 0 { return next.valueCount }
    if let places, place + 1 < places.count {
      return max(0, places[place + 1].firstRow - places[place].firstRow)
    }
    return next.kind == .dataV2 ? next.rowCount : nil
  }

  private func begin(_ page: ParquetPage) throws(TerraceError) {
    let parts = try loader.data(page, leaf, cursor)
    turned = []
    if let bytes = parts.repetitions, leaf.maxRepetition > 0 {
      repetitions = levels(bytes, leaf.maxRepetition, page.repetitionEncoding)
    }
    if let bytes = parts.definitions, leaf.maxDefinition > 0 {
      definitions = levels(bytes, leaf.maxDefinition, page.definitionEncoding)
    }
    do throws(TerraceError) {
      try values.begin(page.encoding, parts.values, limit: page.valueCount)
    } catch {
      throw error.with("file", cursor.fileName).with("page", page.offset)
    }
    slotsLeft = page.valueCount
    aheadAt = 0
    aheadCount = 0
  }

  private func levels(
    _ bytes: UnsafeRawBufferPointer, _ most: Int, _ encoding: Int
  ) -> ParquetHybridDecoder {
    let width = ParquetBits.width(of: UInt64(most))
    if page.kind == .dataV2 || encoding == ParquetEncoding.rle.rawValue {
      return ParquetHybridDecoder(bytes, width: width)
    }
    // BIT_PACKED fills bytes from the highest bit: turn every value around.
    let count = page.valueCount
    let copy = Buffer(byteCount: bytes.count)
    copy.base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes.count)
    let to = copy.pointer(UInt8.self)
    for i in 0..<count {
      for k in 0..<width {
        let from = i * width + (width - 1 - k)
        let value = bytes[from / 8] >> UInt8(7 - from % 8) & 1
        to[(i * width + k) / 8] |= value << UInt8((i * width + k) % 8)
      }
    }
    turned.append(copy)
    return ParquetHybridDecoder(literals: copy.bytes, width: width, count: count)
  }

  private func loadDictionary(_ page: ParquetPage) throws(TerraceError) {
    if values.dictionary != nil { throw cursor.broken("a second dictionary page") }
    let bytes = try loader.body(page, cursor)
    guard
      page.encoding == ParquetEncoding.plain.rawValue
        || page.encoding == ParquetEncoding.plainDictionary.rawValue
    else { throw cursor.broken("a dictionary in encoding \(page.encoding)") }
    // Every entry takes bytes in the page, so its count is bounded before anything is allocated.
    let smallest = max(1, leaf.physical == .byteArray ? 4 : values.converter.storedWidth)
    if leaf.physical == .boolean || page.valueCount > bytes.count / smallest {
      throw cursor.broken("a dictionary of \(page.valueCount) entries in \(bytes.count) bytes")
    }
    var plain = ParquetValues(leaf, values.converter)
    let entries = ParquetVector(wanted)
    try plain.begin(ParquetEncoding.plain.rawValue, bytes, limit: page.valueCount)
    try plain.decode(page.valueCount, into: entries)
    values.dictionary = ParquetDictionary(
      count: page.valueCount, values: entries.values.take(),
      offsets: entries.isBytes ? entries.offsets.take() : nil)
  }
}
