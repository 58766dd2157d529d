/// A growing run of bytes. Little-endian; keeps its memory when emptied.
public final class ByteWriter {
  @exclusivity(unchecked) @usableFromInline var buffer: Buffer
  @exclusivity(unchecked) @usableFromInline var start: UnsafeMutableRawPointer
  @exclusivity(unchecked) @usableFromInline var used = 0

  public init(capacity: Int = 256) {
    buffer = Buffer(byteCount: capacity)
    start = buffer.base
  }

  @inlinable public var base: UnsafeMutableRawPointer { start }
  @inlinable public var count: Int { used }

  /// The bytes so far, valid until the next call that grows.
  @inlinable public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start, count: used)
  }

  /// The bytes so far as text; invalid UTF-8 becomes U+FFFD.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  @inlinable public func removeAll() { used = 0 }

  /// Drops the bytes after the first `length`.
  public func truncate(to length: Int) {
    precondition(length <= used, "cannot grow by cutting")
    used = length
  }

  /// Room for `extra` more bytes (and 64 of padding after them).
  @inlinable @inline(__always) public func reserve(_ extra: Int) {
    if used &+ extra > buffer.byteCount { grow(extra) }
  }

  @usableFromInline func grow(_ extra: Int) {
    let next = Buffer(byteCount: max(used + extra, buffer.byteCount * 2, 256))
    next.base.copyMemory(from: start, byteCount: used)
    buffer = next
    start = next.base
  }

  @inlinable @inline(__always) public func append(_ byte: UInt8) {
    reserve(1)
    start.storeBytes(of: byte, toByteOffset: used, as: UInt8.self)
    used &+= 1
  }

  @inlinable public func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    reserve(bytes.count)
    (start + used).copyMemory(from: source, byteCount: bytes.count)
    used &+= bytes.count
  }

  public func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  public func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// The value's bytes as they lie in memory, little-endian.
  @inlinable @inline(__always)
  public func appendRaw<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    reserve(MemoryLayout<T>.size)
    start.storeBytes(of: value.littleEndian, toByteOffset: used, as: T.self)
    used &+= MemoryLayout<T>.size
  }

  /// LEB128: seven bits a byte, lowest first.
  @inlinable @inline(__always) public func appendVarint(_ value: UInt64) {
    reserve(10)
    var rest = value
    while rest >= 0x80 {
      start.storeBytes(
        of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: used, as: UInt8.self)
      used &+= 1
      rest >>= 7
    }
    start.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: used, as: UInt8.self)
    used &+= 1
  }

  /// LEB128 of the zigzag form: small magnitudes of either sign are short.
  @inlinable @inline(__always) public func appendZigzag(_ value: Int64) {
    appendVarint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
  }

  /// Counts bytes written through `base` after a `reserve`.
  @inlinable @inline(__always) public func advance(_ more: Int) { used &+= more }
}
