import CDeflate
import Columns
import Formats

/// What a TABLE_MAP event says of the table whose rows follow.
struct TableMap: Hashable {
  var id: UInt64
  var database: String
  var table: String
  /// Types of the columns as the log has them, with the real type of those kept as STRING.
  var types: [UInt8]
  /// Length, precision or number of length bytes, by type.
  var meta: [Int]
  /// What `binlog_row_metadata` = FULL says of each column; nil without it.
  var told: [ToldColumn]?

  init(id: UInt64, database: String, table: String, types: [UInt8], meta: [Int]) {
    self.id = id
    self.database = database
    self.table = table
    self.types = types
    self.meta = meta
  }

  init(_ body: inout ByteCursor) throws(TerraceError) {
    id = try body.readTableID()
    try body.skip(2)
    database = try body.text(Int(try body.readByte()))
    try body.skip(1)
    table = try body.text(Int(try body.readByte()))
    try body.skip(1)
    let count = try body.readPackedInteger(limit: 4096)
    types = Array(try body.readBytes(count))
    let length = try body.readPackedInteger(limit: body.remaining)
    var details = ByteCursor(try body.readBytes(length))
    meta = Array(repeating: 0, count: count)
    for c in 0..<count { try readMeta(c, &details) }
    try body.skip((count + 7) / 8)
    var metadata = TableMetadata(types)
    while body.remaining > 0 {
      let kind = try body.readByte()
      let size = try body.readPackedInteger(limit: body.remaining)
      try metadata.read(kind, ByteCursor(try body.readBytes(size)))
    }
    told = metadata.columns
  }

  private mutating func readMeta(_ c: Int, _ details: inout ByteCursor) throws(TerraceError) {
    switch types[c] {
    // FLOAT, DOUBLE, TIMESTAMP2, DATETIME2, TIME2, VECTOR, JSON, BLOB, GEOMETRY, MariaDB's packed BLOB
    case 4, 5, 17, 18, 19, 242, 245, 249...252, 255, 140: meta[c] = Int(try details.readByte())
    // VARCHAR, and MariaDB's packed one
    case 15, 253, 141: meta[c] = Int(try details.readRaw(UInt16.self))
    case 16:
      let bits = Int(try details.readByte())
      meta[c] = bits + Int(try details.readByte()) * 8
    case 246:
      let precision = Int(try details.readByte())
      let scale = Int(try details.readByte())
      guard precision <= 65, scale <= precision else {
        throw details.broken("a DECIMAL of impossible size")
      }
      meta[c] = precision << 8 | scale
    case 247, 248:
      types[c] = try details.readByte()
      meta[c] = Int(try details.readByte())
    case 254:
      let first = try details.readByte()
      let second = Int(try details.readByte())
      if first & 0x30 != 0x30 {
        // The two bits that a length beyond 255 needs are kept, turned over, in the type.
        types[c] = first | 0x30
        meta[c] = second | Int((first & 0x30) ^ 0x30) << 4
      } else {
        types[c] = first
        meta[c] = second
      }
    default: break
    }
  }
}

extension ByteCursor {
  /// Six bytes.
  mutating func readTableID() throws(TerraceError) -> UInt64 {
    let low = UInt64(try readRaw(UInt32.self))
    return low | UInt64(try readRaw(UInt16.self)) << 32
  }

  /// A length-encoded integer of the protocol.
  mutating func readPackedInteger(limit: Int) throws(TerraceError) -> Int {
    let first = try readByte()
    let value: UInt64
    switch first {
    case 0..<251: value = UInt64(first)
    case 252: value = UInt64(try readRaw(UInt16.self))
    case 253:
      let low = UInt64(try readRaw(UInt16.self))
      value = low | UInt64(try readByte()) << 16
    case 254: value = try readRaw(UInt64.self)
    default: throw broken("a number that is none")
    }
    guard limit >= 0, value <= UInt64(limit) else { throw broken("a length beyond what is there") }
    return Int(value)
  }

  mutating func text(_ count: Int) throws(TerraceError) -> String {
    String(decoding: try readBytes(count), as: UTF8.self)
  }
}

enum BinlogChecksum {
  static func crc32(_ base: UnsafeRawPointer?, _ count: Int) -> UInt32 {
    libdeflate_crc32(0, base, count)
  }
}

/// MariaDB's packed events (log_bin_compress): a byte with method and length of the length, the length
/// (big-endian), and a zlib stream.
enum BinlogPacking {
  static func unpack(
    _ bytes: UnsafeRawBufferPointer, _ decompressor: Decompressor
  ) throws(TerraceError) -> Buffer {
    var cursor = ByteCursor(bytes)
    let first = try cursor.readByte()
    guard first & 0xf0 == 0x80 else {
      throw TerraceError(.unsupported, "binary log events packed by another method than zlib")
    }
    let width = Int(first & 7)
    guard (1...4).contains(width) else { throw cursor.broken("a length of \(width) bytes") }
    var length = 0
    for _ in 0..<width { length = length << 8 | Int(try cursor.readByte()) }
    // Deflate makes at most 1032 bytes of one.
    guard length <= BinlogParser.limit, length <= cursor.remaining * 1040 + 64 else {
      throw cursor.broken("a packed event of an impossible size")
    }
    // The two bytes of zlib's header; its checksum lies behind the deflated bytes.
    try cursor.skip(2)
    let out = try decompressor.inflateRaw(
      try cursor.readBytes(cursor.remaining), limit: max(length, 1))
    guard out.byteCount == length else { throw cursor.broken("a packed event of another size") }
    return out
  }
}
