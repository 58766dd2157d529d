import Columns
import Formats
import Glibc

/// Standard output, through a buffer of 64 KiB.
///
/// When the reader has gone (`terrace … | head`), the process ends quietly with exit code 0: there is
/// nobody left to tell. Every other refusal, such as a full disk, is thrown.
final class Output: ByteSink {
  let name = "standard output"
  private let descriptor: Int32
  private var held: [UInt8] = []
  private static let bufferBytes = 64 << 10

  init(descriptor: Int32 = STDOUT_FILENO) {
    self.descriptor = descriptor
    held.reserveCapacity(Output.bufferBytes)
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    if held.count + bytes.count > Output.bufferBytes { try flush() }
    if bytes.count >= Output.bufferBytes {
      try writeAll(bytes)
    } else {
      held.append(contentsOf: bytes)
    }
  }

  func write(_ text: String) throws(TerraceError) {
    var text = text
    var failure: TerraceError?
    text.withUTF8 { bytes in
      do throws(TerraceError) {
        try write(UnsafeRawBufferPointer(bytes))
      } catch { failure = error }
    }
    if let failure { throw failure }
  }

  func line(_ text: String) throws(TerraceError) { try write(text + "\n") }

  func flush() throws(TerraceError) {
    var failure: TerraceError?
    held.withUnsafeBytes { bytes in
      do throws(TerraceError) { try writeAll(bytes) } catch { failure = error }
    }
    held.removeAll(keepingCapacity: true)
    if let failure { throw failure }
  }

  private func writeAll(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let wrote = Glibc.write(descriptor, base + done, bytes.count - done)
      if wrote >= 0 {
        done += wrote
      } else if errno == EPIPE {
        _exit(0)
      } else if errno == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
      } else if errno != EINTR {
        throw TerraceError(.unavailable, "cannot write to \(name)")
          .with("reason", String(cString: strerror(errno)))
      }
    }
  }
}
