import CDeflate
import CLZ4
import CSnappy
import CZstd
package import Columns

/// How a page or block of bytes is packed. LZ4 is the raw block, gzip the RFC 1952 wrapper.
package enum Codec: String, Sendable, CaseIterable {
  case none, snappy, gzip, lz4, zstd
}

/// CRC-32 of zlib, gzip and Ethernet (polynomial 0xEDB88320).
package func crc32(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
  libdeflate_crc32(crc, bytes.baseAddress, bytes.count)
}

/// Packs blocks into one reused buffer. One thread at a time.
package final class Compressor {
  private let level: Int32
  private var buffer = Buffer(byteCount: 0)
  private var zstd: OpaquePointer?
  private var deflate: OpaquePointer?

  /// - Parameter level: of zstd (1…22) and gzip (1…12); the others have none.
  package init(level: Int = 1) {
    self.level = Int32(clamping: level)
  }

  deinit {
    if let zstd { ZSTD_freeCCtx(zstd) }
    if let deflate { libdeflate_free_compressor(deflate) }
  }

  /// The packed bytes, valid until the next call (or as long as `source` when there is no codec).
  package func compress(
    _ codec: Codec, _ source: UnsafeRawBufferPointer
  ) throws(TerraceError) -> UnsafeRawBufferPointer {
    switch codec {
    case .none: return source
    case .snappy:
      let room = room(snappy_max_compressed_length(source.count))
      var length = room.count
      let from = source.baseAddress.map { $0.assumingMemoryBound(to: CChar.self) }
      let status = snappy_compress(
        from ?? UnsafePointer(bitPattern: 8), source.count,
        room.baseAddress?.assumingMemoryBound(to: CChar.self), &length)
      if status != SNAPPY_OK { throw failed("snappy", source.count) }
      return packed(length)
    case .lz4:
      guard source.count <= Int(LZ4_MAX_INPUT_SIZE) else { throw failed("lz4", source.count) }
      let room = room(Int(LZ4_compressBound(Int32(source.count))))
      let length = LZ4_compress_default(
        source.baseAddress?.assumingMemoryBound(to: CChar.self),
        room.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count),
        Int32(room.count))
      if length <= 0 { throw failed("lz4", source.count) }
      return packed(Int(length))
    case .zstd:
      if zstd == nil { zstd = ZSTD_createCCtx() }
      let room = room(ZSTD_compressBound(source.count))
      let length = ZSTD_compressCCtx(
        zstd, room.baseAddress, room.count, source.baseAddress, source.count, level)
      if ZSTD_isError(length) != 0 { throw failed("zstd", source.count) }
      return packed(length)
    case .gzip:
      let deflate = try deflater()
      let room = room(libdeflate_gzip_compress_bound(deflate, source.count))
      let length = libdeflate_gzip_compress(
        deflate, source.baseAddress, source.count, room.baseAddress, room.count)
      if length == 0 { throw failed("gzip", source.count) }
      return packed(length)
    }
  }

  /// Raw deflate (RFC 1951), as Avro wants it.
  package func deflateRaw(
    _ source: UnsafeRawBufferPointer
  ) throws(TerraceError) -> UnsafeRawBufferPointer {
    let deflate = try deflater()
    let room = room(libdeflate_deflate_compress_bound(deflate, source.count))
    let length = libdeflate_deflate_compress(
      deflate, source.baseAddress, source.count, room.baseAddress, room.count)
    if length == 0 { throw failed("deflate", source.count) }
    return packed(length)
  }

  private func deflater() throws(TerraceError) -> OpaquePointer {
    if let deflate { return deflate }
    guard let made = libdeflate_alloc_compressor(max(1, min(level, 12))) else {
      throw failed("deflate", 0)
    }
    deflate = made
    return made
  }

  private func room(_ bytes: Int) -> UnsafeMutableRawBufferPointer {
    if buffer.byteCount < bytes { buffer = Buffer(byteCount: bytes) }
    return UnsafeMutableRawBufferPointer(start: buffer.base, count: buffer.byteCount)
  }

  private func packed(_ bytes: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: buffer.base, count: bytes)
  }

  private func failed(_ codec: String, _ bytes: Int) -> TerraceError {
    TerraceError(.unavailable, "\(codec) could not compress").with("bytes", bytes)
  }
}
