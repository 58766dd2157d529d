package import Columns

/// A place in a run of bytes that never leaves it: every read checks what is left.
///
/// The bytes must outlive the cursor (`withExtendedLifetime` of their buffer). Little-endian.
package struct ByteCursor {
  package let start: UnsafeRawPointer
  package private(set) var position: UnsafeRawPointer
  package let end: UnsafeRawPointer
  /// Where `start` lies in its file; for errors.
  package let origin: Int

  package init(_ bytes: UnsafeRawBufferPointer, origin: Int = 0) {
    start = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
    position = start
    end = start + bytes.count
    self.origin = origin
  }

  package var remaining: Int { end - position }
  package var isAtEnd: Bool { position >= end }
  /// Offset in the file of the next byte.
  package var offset: Int { origin + (position - start) }

  package func broken(_ what: String) -> TerraceError {
    TerraceError(.corrupted, what).with("offset", offset)
  }

  @inline(__always) private func need(_ count: Int) throws(TerraceError) {
    if count < 0 || count > end - position {
      throw broken("the data ends early").with("needed", count).with("left", end - position)
    }
  }

  @inline(__always) package mutating func readByte() throws(TerraceError) -> UInt8 {
    try need(1)
    let value = position.load(as: UInt8.self)
    position += 1
    return value
  }

  @inline(__always)
  package mutating func readRaw<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type
  ) throws(TerraceError) -> T {
    try need(MemoryLayout<T>.size)
    let value = position.loadUnaligned(as: T.self)
    position += MemoryLayout<T>.size
    return T(littleEndian: value)
  }

  /// `count` bytes, not copied.
  @inline(__always)
  package mutating func readBytes(_ count: Int) throws(TerraceError) -> UnsafeRawBufferPointer {
    try need(count)
    let bytes = UnsafeRawBufferPointer(start: position, count: count)
    position += count
    return bytes
  }

  @inline(__always) package mutating func skip(_ count: Int) throws(TerraceError) {
    try need(count)
    position += count
  }

  /// LEB128 of up to ten bytes.
  @inline(__always) package mutating func readVarint() throws(TerraceError) -> UInt64 {
    if position < end {
      let first = position.load(as: UInt8.self)
      if first < 0x80 {
        position += 1
        return UInt64(first)
      }
    }
    return try readLongVarint()
  }

  @inline(never) private mutating func readLongVarint() throws(TerraceError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let byte = try readByte()
      if shift == 63 && byte > 1 { throw broken("a variable-length integer exceeds 64 bits") }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
  }

  /// LEB128 of the zigzag form.
  @inline(__always) package mutating func readZigzag() throws(TerraceError) -> Int64 {
    let value = try readVarint()
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  /// Up to `count` bytes as text; invalid UTF-8 becomes U+FFFD.
  package mutating func readText(_ count: Int) throws(TerraceError) -> String {
    let bytes = try readBytes(count)
    return String(decoding: bytes, as: UTF8.self)
  }
}
