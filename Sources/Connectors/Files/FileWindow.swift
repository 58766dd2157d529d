import Columns
import Formats
import Glibc

/// Bytes of an open file from a place on, in order.
final class FileStream: ByteStream {
  let name: String
  private let source: any ByteSource
  private var offset: Int
  private let end: Int

  init(_ source: any ByteSource, name: String, from offset: Int, to end: Int) {
    self.source = source
    self.name = name
    self.offset = offset
    self.end = min(end, source.byteCount)
  }

  func read(into target: UnsafeMutableRawBufferPointer) throws(TerraceError) -> Int {
    let count = min(target.count, end - offset)
    guard count > 0 else { return 0 }
    try source.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: target[..<count]))
    offset += count
    return count
  }
}

/// The part of a text file that is in memory.
final class FileWindow {
  private let stream: any ByteStream
  private var buffer = Buffer(byteCount: 0)
  /// The bytes not yet given are `start ..< end`.
  private var start = 0
  private var end = 0
  /// Bytes from `start` on that are known to have no line feed.
  private var plain = 0
  private(set) var isEnded = false
  /// Of `start`, in the unpacked stream.
  private(set) var offset = 0

  /// Longer records are refused.
  static let recordLimit = 64 << 20

  init(_ stream: any ByteStream, offset: Int) {
    self.stream = stream
    self.offset = offset
  }

  var count: Int { end - start }
  var base: UnsafePointer<UInt8> { UnsafePointer(buffer.pointer(UInt8.self) + start) }

  /// Bytes up to and with the last line feed.
  var wholeLines: Int {
    let bytes = base
    var length = count
    while length > plain, bytes[length - 1] != 0x0a { length -= 1 }
    if length > plain { return length }
    plain = count
    return 0
  }

  func consume(_ count: Int) {
    start += count
    offset += count
    plain = max(plain - count, 0)
  }

  /// Ends the last line, which has no line end. The byte is not the file's: see ``trim()``.
  func endLine() {
    guard count > 0, base[count - 1] != 0x0a else { return }
    (buffer.base + end).storeBytes(of: 0x0a, as: UInt8.self)
    end += 1
  }

  /// After a line end that was made up was consumed.
  func trim() { offset -= 1 }

  /// Reads about `bytes` more; false at the end of the file.
  func fill(_ bytes: Int) throws(TerraceError) -> Bool {
    if isEnded { return false }
    if buffer.byteCount - end < bytes + 1 {
      let rest = count
      let room = rest + bytes + 1
      // Rows are copied out of it, so the same memory serves again.
      let target = buffer.byteCount >= room ? buffer : Buffer(byteCount: max(room, 2 * rest))
      memmove(target.base, buffer.base + start, rest)
      buffer = target
      (start, end) = (0, rest)
    }
    let read = try stream.read(
      into: UnsafeMutableRawBufferPointer(start: buffer.base + end, count: bytes))
    end += read
    isEnded = read == 0
    return read > 0
  }

  /// Passes over `count` bytes of the stream.
  func skip(_ count: Int) throws(TerraceError) -> Bool {
    var left = count
    offset = 0
    while left > 0 {
      if self.count == 0, try !fill(1 << 20) { return false }
      let some = min(left, self.count)
      consume(some)
      left -= some
    }
    return true
  }
}
