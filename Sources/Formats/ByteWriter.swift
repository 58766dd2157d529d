import Columns

/// A growing run of bytes. Little-endian; keeps its memory when emptied.
package final class ByteWriter {
  private var buffer: Buffer
  @usableFromInline package private(set) var base: UnsafeMutableRawPointer
  package private(set) var count = 0

  package init(capacity: Int = 256) {
    buffer = Buffer(byteCount: capacity)
    base = buffer.base
  }

  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  package func removeAll() { count = 0 }

  /// Drops the bytes after the first `length`.
  package func truncate(to length: Int) {
    precondition(length <= count, "cannot grow by cutting")
    count = length
  }

  /// Room for `extra` more bytes (and 64 of padding after them).
  @inline(__always) package func reserve(_ extra: Int) {
    if count &+ extra > buffer.byteCount { grow(extra) }
  }

  private func grow(_ extra: Int) {
    let next = Buffer(byteCount: max(count + extra, buffer.byteCount * 2, 256))
    next.base.copyMemory(from: base, byteCount: count)
    buffer = next
    base = next.base
  }

  @inline(__always) package func append(_ byte: UInt8) {
    reserve(1)
    base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count &+= 1
  }

  package func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    reserve(bytes.count)
    (base + count).copyMemory(from: source, byteCount: bytes.count)
    count &+= bytes.count
  }

  package func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  package func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// The value's bytes as they lie in memory, little-endian.
  @inline(__always) package func appendRaw<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    reserve(MemoryLayout<T>.size)
    base.storeBytes(of: value.littleEndian, toByteOffset: count, as: T.self)
    count &+= MemoryLayout<T>.size
  }

  /// LEB128: seven bits a byte, lowest first.
  @inline(__always) package func appendVarint(_ value: UInt64) {
    reserve(10)
    var rest = value
    while rest >= 0x80 {
      base.storeBytes(
        of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
      count &+= 1
      rest >>= 7
    }
    base.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
    count &+= 1
  }

  /// LEB128 of the zigzag form: small magnitudes of either sign are short.
  @inline(__always) package func appendZigzag(_ value: Int64) {
    appendVarint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
  }

  /// Counts bytes written through `base` after a `reserve`.
  @inline(__always) package func advance(_ more: Int) { count &+= more }
}
