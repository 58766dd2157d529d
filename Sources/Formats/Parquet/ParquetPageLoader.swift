import Columns

/// The bytes of one data page: levels and values, checked and unpacked.
struct ParquetPageBytes {
  var repetitions: UnsafeRawBufferPointer?
  var definitions: UnsafeRawBufferPointer?
  var values: UnsafeRawBufferPointer
}

/// Checks and unpacks pages; its buffers are used again for the next page.
final class ParquetPageLoader {
  private let codec: Int
  private let decompressor: Decompressor
  private let pages: ParquetPageCount
  private var unpacked = Buffer(byteCount: 0)
  /// Keeps the bytes of the current page alive.
  private var owner = Buffer(byteCount: 0)

  init(
    codec: Int, decompressor: Decompressor, pages: ParquetPageCount
  ) throws(TerraceError) {
    self.codec = codec
    self.pages = pages
    self.decompressor = decompressor
    switch codec {
    case 0, 1, 2, 5, 6, 7: break
    case 3, 4: throw TerraceError(.unsupported, "Parquet codec \(ParquetCodec.name(codec))")
    default: throw TerraceError(.corrupted, "no Parquet codec has this number").with("codec", codec)
    }
  }

  /// The whole body of a dictionary or version 1 page.
  func body(
    _ page: ParquetPage, _ cursor: ParquetChunkCursor
  ) throws(TerraceError) -> UnsafeRawBufferPointer {
    try pages.add(page, cursor)
    let (buffer, bytes) = try cursor.body(page.compressedBytes)
    owner = buffer
    try check(page, bytes, cursor)
    return try unpack(bytes, page.uncompressedBytes, cursor)
  }

  func data(
    _ page: ParquetPage, _ leaf: ParquetLeaf, _ cursor: ParquetChunkCursor
  ) throws(TerraceError) -> ParquetPageBytes {
    if page.kind == .dataV2 { return try dataV2(page, leaf, cursor) }
    var rest = try body(page, cursor)
    var out = ParquetPageBytes(values: rest)
    if leaf.maxRepetition > 0 {
      out.repetitions = try levels(
        page.repetitionEncoding, leaf.maxRepetition, page.valueCount, &rest, cursor)
    }
    if leaf.maxDefinition > 0 {
      out.definitions = try levels(
        page.definitionEncoding, leaf.maxDefinition, page.valueCount, &rest, cursor)
    }
    out.values = rest
    return out
  }

  private func dataV2(
    _ page: ParquetPage, _ leaf: ParquetLeaf, _ cursor: ParquetChunkCursor
  ) throws(TerraceError) -> ParquetPageBytes {
    try pages.add(page, cursor)
    let (buffer, bytes) = try cursor.body(page.compressedBytes)
    owner = buffer
    try check(page, bytes, cursor)
    let levels = page.repetitionBytes + page.definitionBytes
    if levels > bytes.count || levels > page.uncompressedBytes {
      throw cursor.broken("levels are longer than their page")
    }
    var values = UnsafeRawBufferPointer(rebasing: bytes[levels...])
    if page.isCompressed && codec != 0 {
      let size = page.uncompressedBytes - levels
      values = values.isEmpty && size == 0 ? values : try unpack(values, size, cursor)
    }
    return ParquetPageBytes(
      repetitions: UnsafeRawBufferPointer(rebasing: bytes[..<page.repetitionBytes]),
      definitions: UnsafeRawBufferPointer(rebasing: bytes[page.repetitionBytes..<levels]),
      values: values)
  }

  /// Splits levels off the front of a version 1 page.
  private func levels(
    _ encoding: Int, _ most: Int, _ count: Int, _ rest: inout UnsafeRawBufferPointer,
    _ cursor: ParquetChunkCursor
  ) throws(TerraceError) -> UnsafeRawBufferPointer {
    if encoding == ParquetEncoding.bitPacked.rawValue {
      let length = (count * ParquetBits.width(of: UInt64(most)) + 7) / 8
      if length > rest.count { throw cursor.broken("levels are longer than their page") }
      let part = UnsafeRawBufferPointer(rebasing: rest[..<length])
      rest = UnsafeRawBufferPointer(rebasing: rest[length...])
      return part
    }
    guard encoding == ParquetEncoding.rle.rawValue else {
      throw cursor.broken("levels are never in this encoding").with("encoding", encoding)
    }
    guard rest.count >= 4 else { throw cursor.broken("levels are longer than their page") }
    let length = Int(rest.loadUnaligned(as: UInt32.self))
    if length > rest.count - 4 { throw cursor.broken("levels are longer than their page") }
    let part = UnsafeRawBufferPointer(rebasing: rest[4..<4 + length])
    rest = UnsafeRawBufferPointer(rebasing: rest[(4 + length)...])
    return part
  }

  private func check(
    _ page: ParquetPage, _ bytes: UnsafeRawBufferPointer, _ cursor: ParquetChunkCursor
  ) throws(TerraceError) {
    guard let wanted = page.crc else { return }
    let found = crc32(bytes)
    if found != wanted {
      throw cursor.broken("a page's checksum differs").with("page", page.offset)
        .with("expected", wanted).with("found", found)
    }
  }

  private func unpack(
    _ bytes: UnsafeRawBufferPointer, _ size: Int, _ cursor: ParquetChunkCursor
  ) throws(TerraceError) -> UnsafeRawBufferPointer {
    if codec == 0 {
      if size != bytes.count { throw cursor.broken("an uncompressed page of two sizes") }
      return bytes
    }
    if unpacked.byteCount < size { unpacked = Buffer(byteCount: size) }
    let target = UnsafeMutableRawBufferPointer(start: unpacked.base, count: size)
    do throws(TerraceError) {
      switch codec {
      case 1: try decompressor.decompress(.snappy, bytes, into: target)
      case 2: try decompressor.decompress(.gzip, bytes, into: target)
      case 6: try decompressor.decompress(.zstd, bytes, into: target)
      case 7: try decompressor.decompress(.lz4, bytes, into: target)
      default: try unpackHadoop(bytes, target)
      }
    } catch {
      throw error.with("file", cursor.fileName).with("offset", cursor.position)
    }
    return UnsafeRawBufferPointer(target)
  }

  /// The older LZ4: blocks framed by two big-endian lengths as Hadoop does, or one raw block.
  private func unpackHadoop(
    _ bytes: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
  ) throws(TerraceError) {
    var read = 0
    var written = 0
    while bytes.count - read >= 8 {
      let size = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: read, as: UInt32.self)))
      let packed = Int(
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: read + 4, as: UInt32.self)))
      if size > target.count - written || packed > bytes.count - read - 8 { break }
      do throws(TerraceError) {
        try decompressor.decompress(
          .lz4, UnsafeRawBufferPointer(rebasing: bytes[(read + 8)..<(read + 8 + packed)]),
          into: UnsafeMutableRawBufferPointer(rebasing: target[written..<(written + size)]))
      } catch { break }
      read += 8 + packed
      written += size
    }
    if read == bytes.count && written == target.count { return }
    try decompressor.decompress(.lz4, bytes, into: target)
  }
}
