import Columns

/// The PLAIN encoding, and those that are made from it when a page is closed.
enum ParquetPlain {
  /// Lengths before bytes.
  static func append(
    bytes base: UnsafeRawPointer, _ offsets: UnsafePointer<Int32>, _ n: Int, into out: ByteWriter
  ) {
    out.reserve(Int(offsets[n] &- offsets[0]) + 4 * n)
    let start = out.base + out.count
    var to = start
    for i in 0..<n {
      let from = Int(offsets[i])
      let length = Int(offsets[i &+ 1]) &- from
      to.storeBytes(of: UInt32(truncatingIfNeeded: length), as: UInt32.self)
      copyShort(base + from, to + 4, length)
      to += 4 &+ length
    }
    out.advance(to - start)
  }

  /// Booleans of a byte each as bits, continuing a page of `already` bits.
  static func append(
    booleans p: UnsafePointer<UInt8>, _ n: Int, already: Int, into out: ByteWriter
  ) {
    out.reserve(n / 8 + 2)
    for i in 0..<n {
      let at = already &+ i
      if at & 7 == 0 { out.append(0) }
      let byte = (out.base + (out.count &- 1)).assumingMemoryBound(to: UInt8.self)
      byte[0] |= p[i] &<< UInt8(at & 7)
    }
  }

  /// INT32 or INT64 values as DELTA_BINARY_PACKED.
  static func delta(
    _ plain: UnsafeRawBufferPointer, width: Int, _ n: Int, into out: ByteWriter
  ) {
    guard let base = plain.baseAddress, n > 0 else { return }
    if width == 8 {
      let copy = Buffer(copying: plain)
      defer { withExtendedLifetime(copy) {} }
      ParquetDeltaEncoder.encode(copy.pointer(Int64.self), n, narrow: false, into: out)
      return
    }
    let wide = Buffer(byteCount: n * 8)
    defer { withExtendedLifetime(wide) {} }
    let to = wide.pointer(Int64.self)
    for i in 0..<n { to[i] = Int64(base.loadUnaligned(fromByteOffset: i * 4, as: Int32.self)) }
    ParquetDeltaEncoder.encode(to, n, narrow: true, into: out)
  }

  /// Byte arrays as DELTA_LENGTH_BYTE_ARRAY, or with shared prefixes as DELTA_BYTE_ARRAY.
  static func deltaBytes(
    _ plain: UnsafeRawBufferPointer, _ n: Int, prefixes: Bool, into out: ByteWriter
  ) {
    let sizes = Buffer(byteCount: n * 8)
    let shared = Buffer(byteCount: n * 8)
    defer { withExtendedLifetime((sizes, shared)) {} }
    let data = ByteWriter(capacity: plain.count)
    let size = sizes.pointer(Int64.self)
    let prefix = shared.pointer(Int64.self)
    var at = plain.baseAddress ?? UnsafeRawPointer(sizes.base)
    var last = at
    var lastLength = 0
    for i in 0..<n {
      let length = Int(at.loadUnaligned(as: UInt32.self))
      at += 4
      let same = prefixes ? common(last, lastLength, at, length) : 0
      prefix[i] = Int64(same)
      size[i] = Int64(length - same)
      data.append(UnsafeRawBufferPointer(start: at + same, count: length - same))
      last = at
      lastLength = length
      at += length
    }
    if prefixes { ParquetDeltaEncoder.encode(prefix, n, narrow: true, into: out) }
    ParquetDeltaEncoder.encode(size, n, narrow: true, into: out)
    out.append(data.bytes)
  }

  private static func common(
    _ a: UnsafeRawPointer, _ aLength: Int, _ b: UnsafeRawPointer, _ bLength: Int
  ) -> Int {
    let most = min(aLength, bLength)
    var i = 0
    while i + 8 <= most {
      let differ =
        a.loadUnaligned(fromByteOffset: i, as: UInt64.self)
        ^ b.loadUnaligned(fromByteOffset: i, as: UInt64.self)
      if differ != 0 { return i + differ.trailingZeroBitCount / 8 }
      i += 8
    }
    while i < most
      && a.load(fromByteOffset: i, as: UInt8.self) == b.load(fromByteOffset: i, as: UInt8.self)
    {
      i += 1
    }
    return i
  }

  /// Values of `width` bytes as `width` streams, one a byte.
  static func split(
    _ plain: UnsafeRawBufferPointer, width: Int, _ n: Int, into out: ByteWriter
  ) {
    guard let base = plain.baseAddress else { return }
    out.reserve(n * width)
    let to = (out.base + out.count).assumingMemoryBound(to: UInt8.self)
    let from = base.assumingMemoryBound(to: UInt8.self)
    for k in 0..<width {
      let stream = to + k &* n
      for i in 0..<n { stream[i] = from[i &* width &+ k] }
    }
    out.advance(n * width)
  }
}
