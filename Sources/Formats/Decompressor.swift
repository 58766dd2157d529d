import CDeflate
import CLZ4
import CSnappy
import CZstd
package import Columns

/// Unpacks blocks; its contexts are made once. One thread at a time.
///
/// Packed bytes are hostile: output never passes the room given, and a block that does not fill it
/// exactly is an error.
package final class Decompressor {
  private var zstd: OpaquePointer?
  private var deflate: OpaquePointer?

  package init() {}

  deinit {
    if let zstd { ZSTD_freeDCtx(zstd) }
    if let deflate { libdeflate_free_decompressor(deflate) }
  }

  /// Unpacks `source` into `target`, which it must fill exactly.
  ///
  /// - Throws: kind `corrupted` when the bytes are damaged or of another length.
  package func decompress(
    _ codec: Codec, _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) throws(TerraceError) {
    let length: Int
    switch codec {
    case .none:
      length = source.count
      if let from = source.baseAddress, let to = target.baseAddress, length == target.count {
        to.copyMemory(from: from, byteCount: length)
      }
    case .snappy: length = unpackSnappy(source, target)
    case .lz4:
      length = Int(
        LZ4_decompress_safe(
          source.baseAddress?.assumingMemoryBound(to: CChar.self),
          target.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: source.count),
          Int32(clamping: target.count)))
    case .zstd:
      if zstd == nil { zstd = ZSTD_createDCtx() }
      let count = ZSTD_decompressDCtx(
        zstd, target.baseAddress, target.count, source.baseAddress, source.count)
      length = ZSTD_isError(count) != 0 ? -1 : count
    case .gzip: length = try unpackGzip(source, target)
    }
    if length != target.count {
      throw TerraceError(.corrupted, "a \(codec.rawValue) block does not unpack to its size")
        .with("packed", source.count).with("expected", target.count)
    }
  }

  /// Unpacks a block of unknown length, at most `limit` bytes. Gzip is not offered here.
  package func decompress(
    _ codec: Codec, _ source: UnsafeRawBufferPointer, limit: Int
  ) throws(TerraceError) -> Buffer {
    switch codec {
    case .none:
      if source.count > limit { throw tooLong(limit) }
      return Buffer(copying: source)
    case .snappy:
      var length = 0
      let from = source.baseAddress?.assumingMemoryBound(to: CChar.self)
      if from == nil || snappy_uncompressed_length(from, source.count, &length) != SNAPPY_OK {
        throw damaged("snappy", source.count)
      }
      // Snappy's best is about 21 bytes from one; a larger claim is a lie.
      if length > limit || length > source.count * 64 + 64 { throw tooLong(limit) }
      let target = Buffer(byteCount: length)
      try decompress(
        .snappy, source, into: UnsafeMutableRawBufferPointer(start: target.base, count: length))
      return target
    case .zstd: return try unpackZstd(source, limit)
    case .gzip, .lz4: throw damaged(codec.rawValue, source.count)
    }
  }

  /// Unpacks raw deflate (RFC 1951) of unknown length, at most `limit` bytes.
  package func inflateRaw(
    _ source: UnsafeRawBufferPointer, limit: Int
  ) throws(TerraceError) -> Buffer {
    let deflate = try inflater()
    var room = min(limit, max(source.count * 4, 1024))
    while true {
      let target = Buffer(byteCount: room)
      var length = 0
      let result = libdeflate_deflate_decompress(
        deflate, source.baseAddress, source.count, target.base, room, &length)
      if result == LIBDEFLATE_SUCCESS {
        return Buffer(copying: UnsafeRawBufferPointer(start: target.base, count: length))
      }
      if result != LIBDEFLATE_INSUFFICIENT_SPACE { throw damaged("deflate", source.count) }
      if room >= limit { throw tooLong(limit) }
      room = min(limit, room * 4)
    }
  }

  private func unpackSnappy(
    _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
  ) -> Int {
    var claimed = 0
    guard let from = source.baseAddress?.assumingMemoryBound(to: CChar.self),
      snappy_uncompressed_length(from, source.count, &claimed) == SNAPPY_OK,
      claimed == target.count
    else { return -1 }
    guard let to = target.baseAddress?.assumingMemoryBound(to: CChar.self) else { return 0 }
    var length = target.count
    return snappy_uncompress(from, source.count, to, &length) == SNAPPY_OK ? length : -1
  }

  /// Gzip files may be several members one after another.
  private func unpackGzip(
    _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
  ) throws(TerraceError) -> Int {
    let deflate = try inflater()
    var read = 0
    var written = 0
    while read < source.count {
      var used = 0
      var made = 0
      let result = libdeflate_gzip_decompress_ex(
        deflate, source.baseAddress.map { $0 + read }, source.count - read,
        target.baseAddress.map { $0 + written }, target.count - written, &used, &made)
      if result != LIBDEFLATE_SUCCESS || used == 0 { return -1 }
      read += used
      written += made
    }
    return written
  }

  /// Frames may not tell their length, so the room grows as they unfold.
  private func unpackZstd(
    _ source: UnsafeRawBufferPointer, _ limit: Int
  ) throws(TerraceError) -> Buffer {
    if zstd == nil { zstd = ZSTD_createDCtx() }
    ZSTD_DCtx_reset(zstd, ZSTD_reset_session_only)
    let told = ZSTD_getFrameContentSize(source.baseAddress, source.count)
    let known = told <= UInt64(limit) ? Int(told) : 0
    var target = Buffer(byteCount: min(limit, max(min(known, source.count * 1024), 1024)))
    var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
    var written = 0
    while true {
      var output = ZSTD_outBuffer(dst: target.base, size: target.byteCount, pos: written)
      let left = ZSTD_decompressStream(zstd, &output, &input)
      written = output.pos
      if ZSTD_isError(left) != 0 { throw damaged("zstd", source.count) }
      if left == 0 && input.pos == input.size { break }
      if written < target.byteCount {
        if input.pos == input.size { throw damaged("zstd", source.count) }
        continue
      }
      if written >= limit { throw tooLong(limit) }
      let next = Buffer(byteCount: min(limit, written * 2))
      next.base.copyMemory(from: target.base, byteCount: written)
      target = next
    }
    if written == target.byteCount { return target }
    return Buffer(copying: UnsafeRawBufferPointer(start: target.base, count: written))
  }

  private func inflater() throws(TerraceError) -> OpaquePointer {
    if let deflate { return deflate }
    guard let made = libdeflate_alloc_decompressor() else {
      throw TerraceError(.unavailable, "no memory for inflating")
    }
    deflate = made
    return made
  }

  private func damaged(_ codec: String, _ bytes: Int) -> TerraceError {
    TerraceError(.corrupted, "a damaged \(codec) block").with("packed", bytes)
  }

  private func tooLong(_ limit: Int) -> TerraceError {
    TerraceError(.corrupted, "a block unpacks to more than its limit").with("limit", limit)
  }
}
