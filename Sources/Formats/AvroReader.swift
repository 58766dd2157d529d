package import Columns

/// How the blocks of an Avro container are packed.
package enum AvroCodec: String, Sendable, CaseIterable {
  case null, deflate, snappy, zstandard
}

/// Bounds against hostile files.
package struct AvroLimits: Sendable {
  /// Of the header with the schema.
  package var headerBytes = 16 << 20
  /// Of one block, packed or unpacked.
  package var blockBytes = 256 << 20
  /// Unpacked bytes after which a batch ends; a file read in one piece must stay under it.
  package var batchBytes = 1 << 30

  package init() {}
}

/// An Avro object container, read block by block into columns (Avro 1.11, "Object Container Files").
package final class AvroReader {
  private let source: any ByteSource
  private let limits: AvroLimits
  private let plan: AvroPlan
  private let decoder: AvroDecoder
  private let decompressor = Decompressor()
  private let header: AvroHeader
  private let wanted: RowType
  private let batchRows: Int
  private var offset: Int
  /// The whole file, when it is small.
  private let held: Buffer?
  private static let heldLimit = 8 << 20
  /// Bytes unpacked so far.
  package private(set) var unpackedBytes = 0

  /// - Parameter wanted: fields are matched by name; nil takes the file's own (``rowType``).
  package init(
    _ source: any ByteSource, as wanted: RowType? = nil, batchRows: Int = 8192,
    limits: AvroLimits = AvroLimits()
  ) throws(TerraceError) {
    self.source = source
    self.limits = limits
    self.batchRows = batchRows
    do throws(TerraceError) {
      held = source.byteCount <= Self.heldLimit ? try source.readAll() : nil
      header = try AvroHeader.read(source, held: held, limit: limits.headerBytes)
      let type: RowType
      if let wanted { type = wanted } else { type = try AvroTypes.rowType(of: header.schema) }
      self.wanted = type
      plan = try AvroPlan(header.schema, wanted: type)
    } catch { throw error.with("file", source.name) }
    decoder = AvroDecoder(plan)
    offset = header.byteCount
  }

  package var codec: AvroCodec { header.codec }
  /// The type of the batches.
  package var rowType: RowType { wanted }

  /// Rows of one or more blocks, at least `batchRows` unless the file ends; nil at the end.
  package func next() throws(TerraceError) -> Batch? {
    var rows = 0
    do throws(TerraceError) {
      let before = unpackedBytes
      while rows < batchRows, offset < source.byteCount {
        rows += try readBlock()
        if unpackedBytes - before > limits.batchBytes {
          if batchRows < Int.max { break }
          throw TerraceError(.corrupted, "an Avro file too large for one batch")
            .with("limit", limits.batchBytes)
        }
      }
    } catch { throw error.with("file", source.name) }
    if rows == 0 { return nil }
    return Batch(wanted, plan.builders.map { $0.finish() }, count: rows)
  }

  private func bytes(_ count: Int) throws(TerraceError) -> Buffer {
    try source.read(at: offset, count: count)
  }

  private func readBlock() throws(TerraceError) -> Int {
    let left = source.byteCount - offset
    let head: Buffer
    if let held { head = held } else { head = try bytes(min(left, 20)) }
    defer { withExtendedLifetime(head) {} }
    var cursor = ByteCursor(
      held == nil
        ? head.bytes : UnsafeRawBufferPointer(start: head.base + offset, count: left),
      origin: offset)
    let rows = try cursor.readZigzag()
    let size = try cursor.readZigzag()
    let start = cursor.offset
    guard rows >= 0, size >= 0, size <= Int64(source.byteCount - start - 16) else {
      throw cursor.broken("an Avro block larger than the file").with("rows", rows)
        .with("bytes", size)
    }
    guard size <= Int64(limits.blockBytes) else {
      throw cursor.broken("an Avro block over the limit").with("bytes", size)
    }
    let packed: Buffer
    let from: UnsafeRawPointer
    if held != nil {
      packed = head
      from = UnsafeRawPointer(head.base + start)
    } else {
      packed = try source.read(at: start, count: Int(size) + 16)
      from = UnsafeRawPointer(packed.base)
    }
    for i in 0..<16
    where from.load(fromByteOffset: Int(size) + i, as: UInt8.self) != header.sync[i] {
      throw TerraceError(.corrupted, "the sync marker after an Avro block is another")
        .with("offset", start + Int(size))
    }
    try withExtendedLifetime(packed) { () throws(TerraceError) in
      try decode(
        UnsafeRawBufferPointer(start: from, count: Int(size)), rows: Int(rows), start: start)
    }
    offset = start + Int(size) + 16
    return Int(rows)
  }

  private func decode(
    _ packed: UnsafeRawBufferPointer, rows: Int, start: Int
  ) throws(TerraceError) {
    let plain: Buffer
    do throws(TerraceError) {
      switch header.codec {
      case .null:
        unpackedBytes += packed.count
        var cursor = ByteCursor(packed, origin: start)
        return try decoder.decodeRows(rows, &cursor)
      case .deflate: plain = try decompressor.inflateRaw(packed, limit: limits.blockBytes)
      case .zstandard:
        plain = try decompressor.decompress(.zstd, packed, limit: limits.blockBytes)
      case .snappy: plain = try snappy(packed)
      }
    } catch { throw error.with("block", start) }
    unpackedBytes += plain.byteCount
    defer { withExtendedLifetime(plain) {} }
    var cursor = ByteCursor(plain.bytes)
    do throws(TerraceError) {
      try decoder.decodeRows(rows, &cursor)
    } catch { throw error.with("block", start) }
  }

  /// Snappy blocks end with the CRC-32 of their unpacked bytes, big-endian.
  private func snappy(_ packed: UnsafeRawBufferPointer) throws(TerraceError) -> Buffer {
    guard packed.count >= 4 else {
      throw TerraceError(.corrupted, "a snappy block without its checksum")
    }
    let body = UnsafeRawBufferPointer(rebasing: packed[0..<packed.count - 4])
    let plain = try decompressor.decompress(.snappy, body, limit: limits.blockBytes)
    defer { withExtendedLifetime(plain) {} }
    let told = UInt32(
      bigEndian: packed.loadUnaligned(fromByteOffset: packed.count - 4, as: UInt32.self))
    guard told == crc32(plain.bytes) else {
      throw TerraceError(.corrupted, "the checksum of an Avro block is wrong")
    }
    return plain
  }
}

/// The header of a container: magic, metadata, sync marker.
struct AvroHeader {
  private let owner: AvroSchemaOwner
  var schema: AvroSchema { owner.root }
  let schemaText: String
  let codec: AvroCodec
  let sync: [UInt8]
  let byteCount: Int

  static func read(
    _ source: any ByteSource, held: Buffer?, limit: Int
  ) throws(TerraceError) -> AvroHeader {
    if let held { return try parse(held) }
    var room = 64 << 10
    while true {
      let part = try source.read(at: 0, count: min(room, source.byteCount))
      do throws(TerraceError) {
        return try parse(part)
      } catch {
        // The header may go on after what was read.
        if room >= min(limit, source.byteCount) { throw error }
      }
      room *= 8
    }
  }

  private static func parse(_ buffer: Buffer) throws(TerraceError) -> AvroHeader {
    defer { withExtendedLifetime(buffer) {} }
    var cursor = ByteCursor(buffer.bytes)
    guard buffer.byteCount >= 4, try cursor.readRaw(UInt32.self) == 0x016a_624f else {
      throw TerraceError(.corrupted, "this is not an Avro file")
    }
    var schema: UnsafeRawBufferPointer?
    var codecName = "null"
    while true {
      var count = try cursor.readZigzag()
      if count == 0 { break }
      if count < 0 {
        _ = try cursor.readZigzag()
        if count == .min { throw cursor.broken("an Avro block count out of range") }
        count = -count
      }
      // Every entry takes two bytes at least, so a lie about the count ends at the end.
      for _ in 0..<count {
        let name = try cursor.readText(try length(&cursor))
        let value = try cursor.readBytes(try length(&cursor))
        if name == "avro.schema" { schema = value }
        if name == "avro.codec" { codecName = String(decoding: value, as: UTF8.self) }
      }
    }
    let sync = Array(try cursor.readBytes(16))
    guard let schema else { throw TerraceError(.corrupted, "an Avro file without a schema") }
    guard let codec = AvroCodec(rawValue: codecName) else {
      let isKnown = ["bzip2", "xz"].contains(codecName)
      throw TerraceError(
        isKnown ? .unsupported : .corrupted,
        isKnown ? "an Avro codec" : "no Avro codec has this name"
      ).with("codec", codecName)
    }
    return AvroHeader(
      owner: try AvroSchemaParser.parse(schema),
      schemaText: String(decoding: schema, as: UTF8.self), codec: codec, sync: sync,
      byteCount: cursor.offset)
  }

  private static func length(_ cursor: inout ByteCursor) throws(TerraceError) -> Int {
    let length = try cursor.readZigzag()
    if length < 0 { throw cursor.broken("a negative length") }
    return Int(length)
  }
}
