import CBZip2
import CLZMA
import CZlib
import CZstd
import Columns

/// What a step of unpacking did.
struct Unpacked {
  var read = 0
  var made = 0
  var isDamaged = false
}

/// Unpacks a stream of members, one after another, piece by piece. Memory is bounded, whatever the input. One
/// thread.
protocol Unpacker: AnyObject {
  /// Inside a member, where the input may not end.
  var isInside: Bool { get }
  /// - Parameter source: the bytes that come; none asks for what is left of those before.
  func unpack(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> Unpacked
}

extension Packing {
  /// Nil: nothing is packed.
  func unpacker() throws(TerraceError) -> (any Unpacker)? {
    switch self {
    case .none: nil
    case .gzip: try ZlibUnpacker(windowBits: 15 + 16)
    case .deflate: try ZlibUnpacker(windowBits: 15)
    case .zstd: try ZstdUnpacker()
    case .bzip2: BZip2Unpacker()
    case .xz: XZUnpacker()
    }
  }
}

private func noMemory() -> TerraceError {
  TerraceError(.unavailable, "no memory for unpacking")
}

/// Gzip, or deflate in zlib's wrapper.
private final class ZlibUnpacker: Unpacker {
  private(set) var isInside = false
  private var stream = z_stream()

  init(windowBits: Int32) throws(TerraceError) {
    let size = Int32(MemoryLayout<z_stream>.size)
    if inflateInit2_(&stream, windowBits, zlibVersion(), size) != Z_OK { throw noMemory() }
  }

  deinit { inflateEnd(&stream) }

  func unpack(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> Unpacked {
    let given = UInt32(clamping: source.count)
    let room = UInt32(clamping: target.count)
    stream.next_in = UnsafeMutablePointer(
      mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.avail_in = given
    stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.avail_out = room
    if given > 0 { isInside = true }
    let status = inflate(&stream, Z_NO_FLUSH)
    if status == Z_STREAM_END {
      inflateReset(&stream)
      isInside = false
    }
    return Unpacked(
      read: Int(given - stream.avail_in), made: Int(room - stream.avail_out),
      isDamaged: status != Z_STREAM_END && status != Z_OK && status != Z_BUF_ERROR)
  }
}

private final class ZstdUnpacker: Unpacker {
  private(set) var isInside = false
  private let context: OpaquePointer

  init() throws(TerraceError) {
    guard let context = ZSTD_createDCtx() else { throw noMemory() }
    self.context = context
  }

  deinit { ZSTD_freeDCtx(context) }

  func unpack(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> Unpacked {
    // A call between two frames would begin one.
    if source.isEmpty && !isInside { return Unpacked() }
    var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
    var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
    let left = ZSTD_decompressStream(context, &output, &input)
    isInside = left != 0
    return Unpacked(
      read: input.pos, made: output.pos, isDamaged: ZSTD_isError(left) != 0)
  }
}

private final class BZip2Unpacker: Unpacker {
  private(set) var isInside = false
  private var stream = bz_stream()

  deinit { if isInside { BZ2_bzDecompressEnd(&stream) } }

  func unpack(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> Unpacked {
    if !isInside {
      if source.isEmpty { return Unpacked() }
      stream = bz_stream()
      if BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK { return Unpacked(isDamaged: true) }
      isInside = true
    }
    let given = UInt32(clamping: source.count)
    let room = UInt32(clamping: target.count)
    stream.next_in = UnsafeMutablePointer(
      mutating: source.baseAddress?.assumingMemoryBound(to: CChar.self))
    stream.avail_in = given
    stream.next_out = target.baseAddress?.assumingMemoryBound(to: CChar.self)
    stream.avail_out = room
    let status = BZ2_bzDecompress(&stream)
    let done = Unpacked(
      read: Int(given - stream.avail_in), made: Int(room - stream.avail_out),
      isDamaged: status != BZ_OK && status != BZ_STREAM_END)
    if status == BZ_STREAM_END {
      BZ2_bzDecompressEnd(&stream)
      isInside = false
    }
    return done
  }
}

/// Streams of xz; zeros may stand between them.
private final class XZUnpacker: Unpacker {
  /// Memory that a file may ask for: that of `xz -9`, twice.
  private static let memoryLimit: UInt64 = 128 << 20
  private(set) var isInside = false
  private var stream = lzma_stream()

  deinit { lzma_end(&stream) }

  func unpack(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> Unpacked {
    var done = Unpacked()
    if !isInside {
      while done.read < source.count, source[done.read] == 0 { done.read += 1 }
      if done.read == source.count { return done }
      if lzma_stream_decoder(&stream, Self.memoryLimit, 0) != LZMA_OK {
        return Unpacked(isDamaged: true)
      }
      isInside = true
    }
    let given = source.count - done.read
    stream.next_in = source.baseAddress.map {
      ($0 + done.read).assumingMemoryBound(to: UInt8.self)
    }
    stream.avail_in = given
    stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.avail_out = target.count
    let status = lzma_code(&stream, LZMA_RUN)
    done.read += given - stream.avail_in
    done.made = target.count - stream.avail_out
    done.isDamaged = status != LZMA_OK && status != LZMA_STREAM_END && status != LZMA_BUF_ERROR
    if status == LZMA_STREAM_END { isInside = false }
    return done
  }
}
