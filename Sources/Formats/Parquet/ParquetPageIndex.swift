import Columns

/// The column index and the offset index of a chunk (parquet-format, PageIndex.md).
enum ParquetPageIndex {
  private static let pageLimit = 1 << 22

  struct Bounds {
    var isNull: [Bool] = []
    var min: [[UInt8]] = []
    var max: [[UInt8]] = []
    /// Empty when not given.
    var nullCounts: [Int] = []
  }

  /// Pages in order, checked against the chunk.
  static func places(
    _ source: any ByteSource, _ chunk: ParquetChunk, rows: Int
  ) throws(TerraceError) -> [ParquetPagePlace]? {
    guard let range = chunk.offsetIndex else { return nil }
    let bytes = try source.read(at: range.offset, count: range.count)
    return try withExtendedLifetime(bytes) { () throws(TerraceError) in
      var reader = ThriftReader(bytes.bytes, origin: range.offset)
      var places: [ParquetPagePlace] = []
      try reader.fields { r, id, kind throws(TerraceError) in
        if id != 1 { return try r.skip(kind) }
        try r.list(kind, of: .structure, limit: pageLimit) { r, _ throws(TerraceError) in
          var place = ParquetPagePlace(offset: 0, count: 0, firstRow: 0)
          try r.fields { r, id, kind throws(TerraceError) in
            switch id {
            case 1: place.offset = try r.size(kind)
            case 2: place.count = try r.size(kind)
            case 3: place.firstRow = try r.size(kind)
            default: try r.skip(kind)
            }
          }
          places.append(place)
        }
      }
      var end = chunk.start
      var row = 0
      for (i, place) in places.enumerated() {
        let (next, overflow) = place.offset.addingReportingOverflow(place.count)
        if overflow || place.offset < end || next > chunk.start + chunk.compressedBytes
          || place.firstRow > rows || (i == 0 ? place.firstRow != 0 : place.firstRow < row)
        {
          throw reader.broken("an offset index that does not fit its chunk")
            .with("file", source.name)
        }
        end = next
        row = place.firstRow
      }
      return places.isEmpty ? nil : places
    }
  }

  static func bounds(
    _ source: any ByteSource, _ range: ParquetRange
  ) throws(TerraceError) -> Bounds {
    let bytes = try source.read(at: range.offset, count: range.count)
    return try withExtendedLifetime(bytes) { () throws(TerraceError) in
      var reader = ThriftReader(bytes.bytes, origin: range.offset)
      var out = Bounds()
      try reader.fields { r, id, kind throws(TerraceError) in
        switch id {
        case 1: out.isNull = try r.bools(kind, limit: pageLimit)
        case 2: out.min = try r.binaries(kind, limit: pageLimit)
        case 3: out.max = try r.binaries(kind, limit: pageLimit)
        case 5: out.nullCounts = try r.ints(kind, of: .i64, limit: pageLimit)
        default: try r.skip(kind)
        }
      }
      return out
    }
  }

  /// Byte ranges of a chunk that hold the dictionary and these units of pages, which ascend.
  static func byteRanges(
    units: [ParquetPagePlace], _ chunk: ParquetChunk, _ file: String
  ) throws(TerraceError) -> [Range<Int>] {
    var out: [Range<Int>] = []
    if chunk.start < chunk.dataPageOffset { out.append(chunk.start..<chunk.dataPageOffset) }
    var end = chunk.dataPageOffset
    for unit in units {
      let (next, overflow) = unit.offset.addingReportingOverflow(unit.count)
      if overflow || unit.offset < end || next > chunk.start + chunk.compressedBytes {
        throw TerraceError(.corrupted, "a lookup index that does not fit its column")
          .with("file", file).with("offset", unit.offset)
      }
      if let last = out.last, last.upperBound == unit.offset {
        out[out.count - 1] = last.lowerBound..<next
      } else {
        out.append(unit.offset..<next)
      }
      end = next
    }
    return out
  }

  /// Byte ranges of a chunk that hold the dictionary and the pages with rows of `rows`.
  static func byteRanges(
    _ places: [ParquetPagePlace], _ chunk: ParquetChunk, rows: [Range<Int>], rowCount: Int
  ) -> [Range<Int>] {
    var out: [Range<Int>] = []
    func add(_ range: Range<Int>) {
      // A short gap costs less than another read; a page of a table that is looked up is not one.
      if let last = out.last, range.lowerBound - last.upperBound <= 1024 {
        out[out.count - 1] = last.lowerBound..<range.upperBound
      } else {
        out.append(range)
      }
    }
    if places[0].offset > chunk.start { add(chunk.start..<places[0].offset) }
    var wanted = 0
    for (i, place) in places.enumerated() {
      let end = i + 1 < places.count ? places[i + 1].firstRow : rowCount
      while wanted < rows.count && rows[wanted].upperBound <= place.firstRow { wanted += 1 }
      if wanted == rows.count { break }
      if rows[wanted].lowerBound < end { add(place.offset..<place.offset + place.count) }
    }
    return out
  }
}
