import Columns
import Glibc

/// The part of a stream that is in memory: whole lines, read a chunk at a time.
///
/// A line feed is kept behind the last byte, also at the end of a stream that has none, so that
/// parsers may scan without looking for an end.
struct RecordWindow {
  private let stream: any ByteStream
  private let chunkBytes: Int
  private(set) var limit: Int
  private var buffer: Buffer
  /// The unread bytes are `start ..< end`.
  private var start = 0
  private var end = 0
  private var isEnded = false
  /// Offset in the stream of `start`.
  private(set) var offset = 0
  private(set) var startsFresh = true

  /// - Parameter limit: bytes a record may have.
  init(_ stream: any ByteStream, limit: Int, chunkBytes: Int = 1 << 20) {
    self.stream = stream
    self.limit = max(1, min(limit, 512 << 20))
    self.chunkBytes = chunkBytes
    buffer = Buffer(byteCount: chunkBytes + 1)
  }

  var base: UnsafePointer<UInt8> { UnsafePointer(buffer.pointer(UInt8.self) + start) }
  var count: Int { end - start }
  var isAtEnd: Bool { isEnded && start == end }

  /// Bytes up to the first line feed at or after `from`; nil when it is not there yet.
  func lineLength(after from: Int = 0) -> Int? {
    guard let hit = memchr(buffer.base + start + from, 0x0a, count - from) else { return nil }
    return UnsafeRawPointer(hit) - UnsafeRawPointer(buffer.base + start)
  }

  /// Passes over `length` bytes and the line feed behind them.
  mutating func consume(_ length: Int) {
    let whole = min(length + 1, count)
    start += whole
    offset += whole
  }

  /// Reads more behind the unread bytes. False when the stream has ended.
  mutating func fill() throws(TerraceError) -> Bool {
    if isEnded { return false }
    if buffer.byteCount - end < chunkBytes + 1 {
      // Move the rest to the front; grow when most of the room is one unfinished record.
      let rest = count
      let room = rest + chunkBytes + 1
      let target =
        room > buffer.byteCount ? Buffer(byteCount: max(room, 2 * buffer.byteCount)) : buffer
      memmove(target.base, buffer.base + start, rest)
      buffer = target
      start = 0
      end = rest
    }
    let read = try stream.read(
      into: UnsafeMutableRawBufferPointer(start: buffer.base + end, count: chunkBytes))
    end += read
    if startsFresh {
      if try skipByteOrderMark(read) { return true }
      startsFresh = false
    }
    if read == 0 {
      isEnded = true
      if end > start, (buffer.base + end - 1).load(as: UInt8.self) != 0x0a {
        (buffer.base + end).storeBytes(of: 0x0a, as: UInt8.self)
        end += 1
      }
    }
    return true
  }

  /// True while too little is there to tell.
  private mutating func skipByteOrderMark(_ read: Int) throws(TerraceError) -> Bool {
    if count < 3 && read > 0 { return true }
    if count >= 3, base[0] == 0xef, base[1] == 0xbb, base[2] == 0xbf {
      start += 3
      offset += 3
    }
    return false
  }
}
