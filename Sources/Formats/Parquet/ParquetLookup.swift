package import Columns

/// The lookup index of a file, of which the directory is held in memory: see `ParquetLookupWriter`.
package final class ParquetLookup: Sendable {
  /// Rows that are to be read of a row group, and where their pages lie, a leaf at a time.
  struct Found {
    var rows: [Range<Int>] = []
    var places: [[ParquetPagePlace]]
  }

  private struct Block {
    var group: Int
    /// Of its row group.
    var firstStripe: Int
    var offset: Int
    var byteCount: Int
    var separator: [UInt8]
  }

  private let source: any ByteSource
  private let stripeRows: Int
  private let leafCount: Int
  private let groupRows: [Int]
  private let blocks: [Block]

  /// Nil for a file without an index by keys of these types.
  package init?(_ file: ParquetFile, types: [DataType]) throws(TerraceError) {
    guard let entry = file.metadata.keyValues.first(where: { $0.key == ParquetLookupWriter.key })
    else { return nil }
    let words = entry.value.split(separator: " ").compactMap { Int($0) }
    guard words.count == 3, words[0] == ParquetLookupWriter.version else { return nil }
    source = file.source
    groupRows = file.metadata.rowGroups.map(\.rowCount)
    leafCount = file.leaves.count
    let bytes = try Self.checked(file.source, offset: words[1], count: words[2])
    let wanted = types.map(\.text).joined(separator: ", ")
    let groups = groupRows
    let leaves = leafCount
    let parsed: (rows: Int, blocks: [Block])?
    do throws(TerraceError) {
      parsed = try withExtendedLifetime(bytes) {
        () throws(TerraceError) -> (rows: Int, blocks: [Block])? in
        var cursor = ByteCursor(
          UnsafeRawBufferPointer(rebasing: bytes.bytes[..<(words[2] - 4)]), origin: words[1])
        let rows = try Self.size(&cursor)
        let found = try Self.size(&cursor)
        if rows < 1 || rows > 1 << 20 || found != leaves {
          throw cursor.broken("a lookup index of other columns")
        }
        if try cursor.readText(try Self.size(&cursor)) != wanted { return nil }
        return (rows, try Self.directory(&cursor, groups, stripeRows: rows))
      }
    } catch { throw error.with("file", file.source.name) }
    guard let parsed else { return nil }
    (stripeRows, blocks) = parsed
  }

  private static func checked(
    _ source: any ByteSource, offset: Int, count: Int
  ) throws(TerraceError) -> Buffer {
    func broken() -> TerraceError {
      TerraceError(.corrupted, "a part of the lookup index is damaged").with("file", source.name)
        .with("offset", offset)
    }
    if count < 4 { throw broken() }
    let bytes = try source.read(at: offset, count: count)
    let stored = (bytes.base + count - 4).loadUnaligned(as: UInt32.self)
    let body = UnsafeRawBufferPointer(start: bytes.base, count: count - 4)
    if crc32(body) != UInt32(littleEndian: stored) { throw broken() }
    return bytes
  }

  private static func size(_ cursor: inout ByteCursor) throws(TerraceError) -> Int {
    guard let size = Int(exactly: try cursor.readVarint()) else {
      throw cursor.broken("a number over 63 bits in a lookup index")
    }
    return size
  }

  private static func separator(
    _ cursor: inout ByteCursor, after before: [UInt8]
  ) throws(TerraceError) -> [UInt8] {
    let same = try size(&cursor)
    let rest = try cursor.readBytes(try size(&cursor))
    if same > before.count { throw cursor.broken("a separator without the one before") }
    return Array(before[..<same]) + rest
  }

  private static func directory(
    _ cursor: inout ByteCursor, _ groupRows: [Int], stripeRows: Int
  ) throws(TerraceError) -> [Block] {
    var offset = try size(&cursor)
    if try size(&cursor) != groupRows.count { throw cursor.broken("other row groups") }
    var counts: [Int] = []
    for rows in groupRows {
      counts.append(try size(&cursor))
      let stripes = (rows + stripeRows - 1) / stripeRows
      let step = ParquetLookupWriter.blockStripes
      if counts[counts.count - 1] != (stripes + step - 1) / step {
        throw cursor.broken("a lookup index of other rows")
      }
    }
    var blocks: [Block] = []
    var before: [UInt8] = []
    for (group, count) in counts.enumerated() {
      for i in 0..<count {
        before = try separator(&cursor, after: before)
        let bytes = try size(&cursor)
        blocks.append(
          Block(
            group: group, firstStripe: i * ParquetLookupWriter.blockStripes, offset: offset,
            byteCount: bytes, separator: before))
        let (next, overflow) = offset.addingReportingOverflow(bytes)
        if overflow { throw cursor.broken("blocks behind the end of the file") }
        offset = next
      }
    }
    return blocks
  }

  // MARK: - Finding

  /// One block, unpacked.
  private final class Stripes {
    var separators: [[UInt8]] = []
    /// Stripe after stripe, a unit a leaf.
    var units: [ParquetPagePlace] = []
  }

  private func stripes(_ block: Block) throws(TerraceError) -> Stripes {
    let bytes = try Self.checked(source, offset: block.offset, count: block.byteCount)
    let total = (groupRows[block.group] + stripeRows - 1) / stripeRows
    let count = min(ParquetLookupWriter.blockStripes, total - block.firstStripe)
    let out = Stripes()
    out.units.reserveCapacity(count * leafCount)
    do throws(TerraceError) {
      try withExtendedLifetime(bytes) { () throws(TerraceError) in
        var cursor = ByteCursor(
          UnsafeRawBufferPointer(rebasing: bytes.bytes[..<(block.byteCount - 4)]),
          origin: block.offset)
        out.separators.append(block.separator)
        for _ in 0..<leafCount {
          let place = (try Self.size(&cursor), try Self.size(&cursor), try Self.size(&cursor))
          if place.2 > block.firstStripe { throw cursor.broken("a unit before its row group") }
          out.units.append(
            ParquetPagePlace(
              offset: place.0, count: place.1, firstRow: (block.firstStripe - place.2) * stripeRows)
          )
        }
        for i in 1..<max(1, count) {
          out.separators.append(try Self.separator(&cursor, after: out.separators[i - 1]))
          for _ in 0..<leafCount {
            var unit = out.units[out.units.count - leafCount]
            let bytes = try Self.size(&cursor)
            if bytes > 0 {
              let (start, overflow) = unit.offset.addingReportingOverflow(unit.count)
              if overflow { throw cursor.broken("a unit behind the end of the file") }
              unit = ParquetPagePlace(
                offset: start, count: bytes, firstRow: (block.firstStripe + i) * stripeRows)
            }
            out.units.append(unit)
          }
        }
      }
    } catch { throw error.with("file", source.name) }
    return out
  }

  /// Where rows whose keys begin with one of `keys` may lie, by row group; nil for a group without any.
  func find(_ keys: ParquetLookupKeys) throws(TerraceError) -> [Found?] {
    var out: [Found?] = groupRows.map { _ in nil }
    var b = 0
    /// The stripe after the last one that was taken, of block `b`.
    var next = 0
    var open: (block: Int, stripes: Stripes)?
    for i in 0..<keys.count {
      let key = keys.key(i)
      let at = last(below: key, from: b)
      if at > b { (b, next) = (at, 0) }
      // A key may begin in one stripe and go on in those whose separators begin with it.
      var goesOn = false
      while b < blocks.count, !goesOn || Self.begins(blocks[b].separator, with: key) {
        if open?.block != b { open = (b, try stripes(blocks[b])) }
        guard let stripes = open?.stripes else { break }
        var stripe = goesOn ? 0 : Self.last(stripes.separators, below: key)
        while stripe < stripes.separators.count {
          if stripe >= next {
            take(blocks[b], stripes, stripe, &out)
            next = stripe + 1
          }
          stripe += 1
          if stripe < stripes.separators.count,
            !keys.arePrefixes || !Self.begins(stripes.separators[stripe], with: key)
          {
            break
          }
        }
        if stripe < stripes.separators.count || !keys.arePrefixes || b + 1 == blocks.count
          || !Self.begins(blocks[b + 1].separator, with: key)
        {
          break
        }
        goesOn = true
        (b, next) = (b + 1, 0)
      }
    }
    return out
  }

  private func take(_ block: Block, _ stripes: Stripes, _ i: Int, _ out: inout [Found?]) {
    var found =
      out[block.group] ?? Found(places: Array(repeating: [], count: leafCount))
    let start = (block.firstStripe + i) * stripeRows
    let end = min(start + stripeRows, groupRows[block.group])
    if let last = found.rows.last, last.upperBound == start {
      found.rows[found.rows.count - 1] = last.lowerBound..<end
    } else {
      found.rows.append(start..<end)
    }
    for leaf in 0..<leafCount {
      let unit = stripes.units[i * leafCount + leaf]
      if found.places[leaf].last?.offset != unit.offset { found.places[leaf].append(unit) }
    }
    out[block.group] = found
  }

  /// The last block from `start` on whose separator is not above the key.
  private func last(below key: UnsafeRawBufferPointer, from start: Int) -> Int {
    var (low, high) = (start, blocks.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if Self.isAbove(blocks[middle].separator, key) { high = middle } else { low = middle }
    }
    return low
  }

  private static func last(_ separators: [[UInt8]], below key: UnsafeRawBufferPointer) -> Int {
    var (low, high) = (0, separators.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if isAbove(separators[middle], key) { high = middle } else { low = middle }
    }
    return low
  }

  private static func isAbove(_ separator: [UInt8], _ key: UnsafeRawBufferPointer) -> Bool {
    separator.withUnsafeBytes { compareBytes($0, key) > 0 }
  }

  private static func begins(_ separator: [UInt8], with key: UnsafeRawBufferPointer) -> Bool {
    separator.count >= key.count && separator.starts(with: key)
  }
}
