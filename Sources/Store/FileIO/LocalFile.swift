import CSystem
import Columns
import Formats
import Glibc

/// An open file that is read with `pread`, from any thread.
final class LocalSource: ByteSource {
  let name: String
  let byteCount: Int
  private let descriptor: Int32

  init(_ descriptor: Int32, _ path: String, _ byteCount: Int) {
    self.descriptor = descriptor
    name = path
    self.byteCount = byteCount
  }

  deinit { close(descriptor) }

  func read(at offset: Int, count: Int) throws(TerraceError) -> Buffer {
    try check(offset, count)
    let buffer = Buffer(byteCount: count)
    try read(at: offset, into: UnsafeMutableRawBufferPointer(start: buffer.base, count: count))
    return buffer
  }

  func read(
    at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(TerraceError) {
    try check(offset, target.count)
    guard let base = target.baseAddress else { return }
    var done = 0
    while done < target.count {
      let got = pread(descriptor, base + done, target.count - done, off_t(offset + done))
      if got > 0 {
        done += got
      } else if got == 0 {
        throw TerraceError(.corrupted, "the file became shorter while it was read")
          .with("file", name).with("offset", offset + done)
      } else if errno != EINTR {
        throw systemError("pread", name).with("offset", offset + done)
      }
    }
  }
}

/// A file being written, through a buffer of 256 KiB.
final class LocalSink: FileSink {
  let name: String
  private(set) var byteCount = 0
  private var descriptor: Int32
  private var buffer: Buffer?
  private var held = 0
  private static let bufferBytes = 256 << 10

  init(_ descriptor: Int32, _ path: String) {
    self.descriptor = descriptor
    name = path
  }

  deinit { if descriptor >= 0 { _ = Glibc.close(descriptor) } }

  func write(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    precondition(descriptor >= 0, "\(name) is closed")
    guard let source = bytes.baseAddress else { return }
    if held + bytes.count > LocalSink.bufferBytes { try flush() }
    if bytes.count >= LocalSink.bufferBytes {
      try writeAll(source, bytes.count)
    } else {
      // Most metadata files are far smaller than the buffer, but one size keeps the allocator calm.
      let target = buffer ?? Buffer(byteCount: LocalSink.bufferBytes)
      buffer = target
      (target.base + held).copyMemory(from: source, byteCount: bytes.count)
      held += bytes.count
    }
    byteCount += bytes.count
  }

  func startSync() throws(TerraceError) {
    try flush()
    t_start_writeback(descriptor)
  }

  func sync() throws(TerraceError) {
    try flush()
    _ = try retrying("fsync", name) { fsync(descriptor) }
  }

  func close() throws(TerraceError) {
    if descriptor < 0 { return }
    try flush()
    let closing = descriptor
    descriptor = -1
    // Linux has closed the descriptor even when it says EINTR.
    if Glibc.close(closing) != 0, errno != EINTR { throw systemError("close", name) }
  }

  private func flush() throws(TerraceError) {
    if held > 0, let buffer { try writeAll(UnsafeRawPointer(buffer.base), held) }
    held = 0
  }

  private func writeAll(_ source: UnsafeRawPointer, _ count: Int) throws(TerraceError) {
    var done = 0
    while done < count {
      let wrote = Glibc.write(descriptor, source + done, count - done)
      if wrote >= 0 {
        done += wrote
      } else if errno != EINTR {
        throw systemError("write", name)
      }
    }
  }
}

/// Calls again while the call was only interrupted.
func retrying(
  _ call: String, _ path: String, _ body: () -> Int32
) throws(TerraceError) -> Int32 {
  while true {
    let result = body()
    if result >= 0 { return result }
    if errno != EINTR { throw systemError(call, path) }
  }
}

/// What `errno` says about a call on a path.
func systemError(_ call: String, _ path: String, code: Int32 = errno) -> TerraceError {
  let kind: TerraceError.Kind =
    switch code {
    case ENOENT: .notFound
    case EEXIST: .conflict
    case EINVAL, ENAMETOOLONG, ENOTDIR, EISDIR, ELOOP: .invalid
    default: .unavailable
    }
  return TerraceError(kind, String(cString: strerror(code))).with("call", call).with("path", path)
}
