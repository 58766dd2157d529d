package import Columns

/// Bytes that can be read at any place: a file, or memory.
package protocol ByteSource: Sendable {
  /// What to call it in errors.
  var name: String { get }
  var byteCount: Int { get }
  /// Exactly `count` bytes from `offset` on.
  ///
  /// - Throws: kind `corrupted` when they lie outside the source, `unavailable` when the system
  ///   refuses.
  func read(at offset: Int, count: Int) throws(TerraceError) -> Buffer
  /// The same, filling `target`.
  func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws(TerraceError)
}

/// Bytes that are written once, in order.
package protocol ByteSink: AnyObject {
  /// What to call it in errors.
  var name: String { get }
  func write(_ bytes: UnsafeRawBufferPointer) throws(TerraceError)
}

/// Bytes that are read once, in order, a chunk at a time.
package protocol ByteStream: AnyObject {
  /// What to call it in errors.
  var name: String { get }
  /// Fills `target` from its start and returns how many bytes it got; 0 only at the end.
  func read(into target: UnsafeMutableRawBufferPointer) throws(TerraceError) -> Int
}

extension ByteSource {
  package func read(
    at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(TerraceError) {
    let part = try read(at: offset, count: target.count)
    withExtendedLifetime(part) { target.copyMemory(from: part.bytes) }
  }

  /// All bytes.
  package func readAll() throws(TerraceError) -> Buffer {
    try read(at: 0, count: byteCount)
  }

  /// Throws unless `offset ..< offset + count` lies inside.
  package func check(_ offset: Int, _ count: Int) throws(TerraceError) {
    if offset < 0 || count < 0 || offset > byteCount || count > byteCount - offset {
      throw TerraceError(.corrupted, "read past the end of the file").with("file", name)
        .with("offset", offset).with("count", count).with("size", byteCount)
    }
  }
}
