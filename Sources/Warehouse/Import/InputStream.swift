import Columns
import Formats
import Glibc

/// The bytes of a file, a pipe or standard input, read once in order.
final class InputStream: ByteStream {
  let name: String
  /// Of a file; nil of a pipe.
  let byteCount: Int?
  /// Bytes read so far, as they lie in the file.
  private(set) var bytesRead = 0
  private let descriptor: Int32

  /// - Parameter path: `-` for standard input.
  init(_ path: String) throws(TerraceError) {
    if path == "-" {
      name = "standard input"
      descriptor = STDIN_FILENO
    } else {
      name = path
      descriptor = open(path, O_RDONLY | O_CLOEXEC)
    }
    guard descriptor >= 0 else { throw InputStream.refusal("open", path) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else {
      if descriptor != STDIN_FILENO { close(descriptor) }
      throw InputStream.refusal("fstat", path)
    }
    if info.st_mode & S_IFMT == S_IFDIR {
      if descriptor != STDIN_FILENO { close(descriptor) }
      throw TerraceError(.invalid, "\(path) is a folder, not a file")
    }
    byteCount = info.st_mode & S_IFMT == S_IFREG ? Int(info.st_size) : nil
  }

  deinit { if descriptor > STDIN_FILENO { close(descriptor) } }

  func read(into target: UnsafeMutableRawBufferPointer) throws(TerraceError) -> Int {
    while true {
      let count = Glibc.read(descriptor, target.baseAddress, target.count)
      if count >= 0 {
        bytesRead += count
        return count
      }
      if errno != EINTR { throw InputStream.refusal("read", name) }
    }
  }

  private static func refusal(_ call: String, _ path: String) -> TerraceError {
    let code = errno
    if code == ENOENT { return TerraceError(.notFound, "file \(path)") }
    return TerraceError(.unavailable, String(cString: strerror(code))).with("call", call)
      .with("path", path)
  }
}
