import CZlib
import CZstd
package import Columns
import Glibc

/// Unpacks gzip and zstd as it reads; anything else passes as it is. The first bytes tell which.
///
/// Several gzip members or zstd frames may follow one another. Memory is bounded by the chunk.
package final class InflatingStream: ByteStream {
  private enum Packing { case unknown, none, gzip, zstd }

  package var name: String { inner.name }
  private let inner: any ByteStream
  private var packing = Packing.unknown
  private let chunk = Buffer(byteCount: 256 << 10)
  private var from = 0
  private var to = 0
  private var isEnded = false
  /// Inside a member or frame, where the input may not end.
  private var isInside = false
  /// Whether the input ended inside a member or frame: damaged, or still being written.
  package private(set) var isCut = false
  /// Told when what was unpacked before it has been given.
  private var damage: TerraceError?
  private var zlib = z_stream()
  private var zlibIsOpen = false
  private var zstd: OpaquePointer?

  package init(_ inner: any ByteStream) { self.inner = inner }

  deinit {
    if zlibIsOpen { inflateEnd(&zlib) }
    if let zstd { ZSTD_freeDCtx(zstd) }
  }

  package func read(into target: UnsafeMutableRawBufferPointer) throws(TerraceError) -> Int {
    if packing == .unknown { try begin() }
    guard let base = target.baseAddress, target.count > 0 else { return 0 }
    while true {
      if let damage { throw damage }
      if from == to && !isEnded && packing != .none { try fill() }
      switch packing {
      case .none, .unknown:
        if from == to { return isEnded ? 0 : try inner.read(into: target) }
        let count = min(to - from, target.count)
        base.copyMemory(from: chunk.base + from, byteCount: count)
        from += count
        return count
      case .gzip, .zstd:
        if from == to && isEnded {
          isCut = isInside
          if isCut { throw damaged("the packed data ends early") }
          return 0
        }
        let made = packing == .gzip ? inflateSome(target) : unfoldSome(target)
        if made > 0 { return made }
      }
    }
  }

  private func fill() throws(TerraceError) {
    from = 0
    to = try inner.read(
      into: UnsafeMutableRawBufferPointer(start: chunk.base, count: chunk.byteCount))
    isEnded = to == 0
  }

  /// Reads until four bytes are there, which tell the packing.
  private func begin() throws(TerraceError) {
    while to < 4 && !isEnded {
      let more = try inner.read(
        into: UnsafeMutableRawBufferPointer(
          start: chunk.base + to, count: chunk.byteCount - to))
      to += more
      isEnded = more == 0
    }
    let head = chunk.pointer(UInt8.self)
    packing = .none
    if to >= 2 && head[0] == 0x1f && head[1] == 0x8b { packing = .gzip }
    if to >= 4 && chunk.base.loadUnaligned(as: UInt32.self) == 0xfd2f_b528 { packing = .zstd }
    // Only the true end of a packed input is to be seen as one.
    if packing != .none { isEnded = false }
    if packing == .gzip {
      let status = inflateInit2_(
        &zlib, 15 + 16, zlibVersion(), Int32(MemoryLayout<z_stream>.size))
      if status != Z_OK { throw damaged("no memory for inflating") }
      zlibIsOpen = true
    }
    if packing == .zstd { zstd = ZSTD_createDCtx() }
  }

  private func inflateSome(_ target: UnsafeMutableRawBufferPointer) -> Int {
    zlib.next_in = chunk.pointer(UInt8.self) + from
    zlib.avail_in = UInt32(to - from)
    zlib.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let room = UInt32(clamping: target.count)
    zlib.avail_out = room
    isInside = true
    let status = inflate(&zlib, Z_NO_FLUSH)
    from = to - Int(zlib.avail_in)
    if status == Z_STREAM_END {
      inflateReset(&zlib)
      isInside = false
    } else if status != Z_OK && status != Z_BUF_ERROR {
      damage = damaged("damaged gzip data")
    }
    return Int(room - zlib.avail_out)
  }

  private func unfoldSome(_ target: UnsafeMutableRawBufferPointer) -> Int {
    var input = ZSTD_inBuffer(src: chunk.base, size: to, pos: from)
    var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
    let left = ZSTD_decompressStream(zstd, &output, &input)
    if ZSTD_isError(left) != 0 { damage = damaged("damaged zstd data") }
    from = input.pos
    isInside = left != 0
    return output.pos
  }

  private func damaged(_ what: String) -> TerraceError {
    TerraceError(.corrupted, what).with("file", name)
  }
}

/// A stream over an open file descriptor: standard input, a pipe. The descriptor is not closed.
package final class DescriptorStream: ByteStream {
  package let name: String
  private let descriptor: Int32

  package init(_ descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  package func read(into target: UnsafeMutableRawBufferPointer) throws(TerraceError) -> Int {
    while true {
      let count = Glibc.read(descriptor, target.baseAddress, target.count)
      if count >= 0 { return count }
      if errno != EINTR {
        throw TerraceError(.unavailable, "cannot read").with("file", name)
          .with("reason", String(cString: strerror(errno)))
      }
    }
  }
}
