import Columns

/// A page's header (parquet.thrift, `PageHeader`).
package struct ParquetPage: Sendable {
  package enum Kind: Int, Sendable {
    case data = 0
    case index, dictionary, dataV2
  }

  package internal(set) var kind = Kind.data
  package internal(set) var uncompressedBytes = 0
  package internal(set) var compressedBytes = 0
  package internal(set) var crc: UInt32?
  /// Values and nulls.
  package internal(set) var valueCount = 0
  package internal(set) var encoding = 0
  var definitionEncoding = ParquetEncoding.rle.rawValue
  var repetitionEncoding = ParquetEncoding.rle.rawValue
  /// Of version 2 only.
  package internal(set) var rowCount: Int?
  package internal(set) var nullCount: Int?
  var definitionBytes = 0
  var repetitionBytes = 0
  var isCompressed = true
  package internal(set) var statistics: ParquetStatistics?
  /// Where the header begins in the file, and its length.
  package internal(set) var offset = 0
  package internal(set) var headerBytes = 0

  /// A page over this size is refused.
  static let byteLimit = 1 << 28

  static func read(_ reader: inout ThriftReader) throws(TerraceError) -> ParquetPage {
    var page = ParquetPage()
    var hasDetails = false
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1:
        let number = try r.int(kind)
        guard let found = Kind(rawValue: number) else {
          throw r.broken("no page type has the number \(number)")
        }
        page.kind = found
      case 2: page.uncompressedBytes = try r.size(kind)
      case 3: page.compressedBytes = try r.size(kind)
      case 4: page.crc = UInt32(truncatingIfNeeded: try r.int(kind))
      case 5, 7, 8:
        try r.expect(kind, .structure)
        hasDetails = true
        if id == 8 { try page.readV2(&r) } else { try page.readV1(&r, isDictionary: id == 7) }
      default: try r.skip(kind)
      }
    }
    if page.kind != .index && !hasDetails { throw reader.broken("a page header without details") }
    if page.uncompressedBytes > byteLimit || page.compressedBytes > byteLimit {
      throw reader.broken("a page of \(page.uncompressedBytes) bytes is over the limit")
    }
    if page.valueCount > Int(Int32.max) { throw reader.broken("too many values in a page") }
    page.headerBytes = reader.consumed
    return page
  }

  private mutating func readV1(
    _ reader: inout ThriftReader, isDictionary: Bool
  ) throws(TerraceError) {
    var page = self
    try reader.fields { r, id, kind throws(TerraceError) in
      switch (id, isDictionary) {
      case (1, _): page.valueCount = try r.size(kind)
      case (2, _): page.encoding = try r.int(kind)
      case (3, false): page.definitionEncoding = try r.int(kind)
      case (4, false): page.repetitionEncoding = try r.int(kind)
      case (5, false): page.statistics = try ParquetFooter.statistics(&r, kind)
      default: try r.skip(kind)
      }
    }
    self = page
  }

  private mutating func readV2(_ reader: inout ThriftReader) throws(TerraceError) {
    var page = self
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1: page.valueCount = try r.size(kind)
      case 2: page.nullCount = try r.size(kind)
      case 3: page.rowCount = try r.size(kind)
      case 4: page.encoding = try r.int(kind)
      case 5: page.definitionBytes = try r.size(kind)
      case 6: page.repetitionBytes = try r.size(kind)
      case 7: page.isCompressed = try r.bool(kind)
      case 8: page.statistics = try ParquetFooter.statistics(&r, kind)
      default: try r.skip(kind)
      }
    }
    self = page
  }

  func write(_ w: inout ThriftWriter) {
    w.element { w in
      w.i32(1, kind.rawValue)
      w.i32(2, uncompressedBytes)
      w.i32(3, compressedBytes)
      if let crc { w.i32(4, Int(Int32(bitPattern: crc))) }
      switch kind {
      case .data:
        w.structure(5) { w in
          w.i32(1, valueCount)
          w.i32(2, encoding)
          w.i32(3, definitionEncoding)
          w.i32(4, repetitionEncoding)
        }
      case .dictionary:
        w.structure(7) { w in
          w.i32(1, valueCount)
          w.i32(2, encoding)
        }
      case .dataV2:
        w.structure(8) { w in
          w.i32(1, valueCount)
          w.i32(2, nullCount ?? 0)
          w.i32(3, rowCount ?? 0)
          w.i32(4, encoding)
          w.i32(5, definitionBytes)
          w.i32(6, repetitionBytes)
          w.bool(7, isCompressed)
        }
      case .index: break
      }
    }
  }
}
