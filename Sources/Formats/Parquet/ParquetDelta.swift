import Columns

/// Decodes DELTA_BINARY_PACKED a piece at a time (Encodings.md, "Delta Encoding = 5"). The bytes
/// must stay alive and carry 64 bytes of padding.
struct ParquetDeltaDecoder {
  private var cursor: ByteCursor
  private let miniblocks: Int
  /// Values of a miniblock, a multiple of 32.
  private let miniblockValues: Int
  /// Values that the header promises, and those not yet decoded.
  let count: Int
  private(set) var left: Int
  private var last: Int64
  private var isFirst = true
  private var minDelta: Int64 = 0
  /// Bit widths of the current block, and the next miniblock in it.
  private var widths: UnsafeRawPointer
  private var miniblock: Int
  private var width = 0
  private var bits: UnsafeRawPointer
  private var miniblockLeft = 0
  /// Unpacked deltas that wait: at most 32.
  private var waiting = 0
  private let deltas: Buffer

  init(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    cursor = ByteCursor(bytes)
    let block = try cursor.readVarint()
    let parts = try cursor.readVarint()
    let total = try cursor.readVarint()
    last = try cursor.readZigzag()
    guard block > 0, block <= 1 << 20, block % 128 == 0, parts > 0, parts <= block / 32,
      block % parts == 0, block / parts % 32 == 0
    else { throw cursor.broken("a delta block of \(block) values in \(parts) parts") }
    if total > UInt64(Int32.max) { throw cursor.broken("too many delta values") }
    miniblocks = Int(parts)
    miniblockValues = Int(block / parts)
    miniblock = miniblocks
    count = Int(total)
    left = count
    widths = cursor.position
    bits = cursor.position
    deltas = Buffer(byteCount: 32 * 8)
  }

  private mutating func nextBlock() throws(TerraceError) {
    minDelta = try cursor.readZigzag()
    widths = cursor.position
    try cursor.skip(miniblocks)
    miniblock = 0
  }

  private mutating func nextMiniblock() throws(TerraceError) {
    if miniblock == miniblocks { try nextBlock() }
    width = Int(widths.load(fromByteOffset: miniblock, as: UInt8.self))
    if width > 64 { throw cursor.broken("a delta width of \(width) bits") }
    miniblock += 1
    bits = cursor.position
    // The last miniblock of a column may be cut short by some writers.
    let bytes = miniblockValues / 8 * width
    if bytes > cursor.remaining {
      let needed = (min(left, miniblockValues) * width + 7) / 8
      if needed > cursor.remaining { throw cursor.broken("a delta miniblock ends early") }
      try cursor.skip(cursor.remaining)
    } else {
      try cursor.skip(bytes)
    }
    miniblockLeft = miniblockValues
  }

  /// Exactly `wanted` values, wrapped to the width of `T`.
  mutating func decode<T: FixedWidthInteger & BitwiseCopyable>(
    _ wanted: Int, into target: UnsafeMutablePointer<T>
  ) throws(TerraceError) {
    if wanted > left { throw cursor.broken("fewer delta values than the page claims") }
    var done = 0
    if isFirst && wanted > 0 {
      target[0] = T(truncatingIfNeeded: last)
      isFirst = false
      left -= 1
      done = 1
    }
    let unpacked = deltas.pointer(UInt64.self)
    while done < wanted {
      if waiting == 0 {
        if miniblockLeft == 0 { try nextMiniblock() }
        unpackThirtyTwo(unpacked)
      }
      let taken = min(waiting, wanted - done)
      let from = unpacked + (32 - waiting)
      var value = last
      for i in 0..<taken {
        value = value &+ Int64(bitPattern: from[i]) &+ minDelta
        target[done &+ i] = T(truncatingIfNeeded: value)
      }
      last = value
      waiting -= taken
      left -= taken
      done += taken
    }
  }

  private mutating func unpackThirtyTwo(_ unpacked: UnsafeMutablePointer<UInt64>) {
    let needed = 32 / 8 * width
    if needed + 16 > cursor.end - bits + 64 {
      // A cut last miniblock: no whole words may be loaded past the padding.
      let copy = Buffer(byteCount: 32 * 8 + 16)
      copy.base.initializeMemory(as: UInt8.self, repeating: 0, count: copy.byteCount)
      copy.base.copyMemory(from: bits, byteCount: max(0, min(needed, cursor.end - bits)))
      withExtendedLifetime(copy) {
        ParquetBits.unpack32(copy.base, width: width, into: unpacked)
      }
    } else {
      ParquetBits.unpack32(bits, width: width, into: unpacked)
    }
    bits += needed
    miniblockLeft -= 32
    waiting = 32
  }

  /// Walks over the remaining blocks; for finding what follows them. Call before decoding.
  ///
  /// - Returns: the bytes the encoding takes.
  mutating func skipToEnd() throws(TerraceError) -> Int {
    var rest = left - 1
    while rest > 0 {
      left = rest
      try nextMiniblock()
      rest -= miniblockValues
    }
    // Miniblocks without values still have a width byte, and no bits.
    return cursor.position - cursor.start
  }
}

/// Encodes DELTA_BINARY_PACKED in blocks of 128 values in four miniblocks.
enum ParquetDeltaEncoder {
  private static let block = 128
  private static let part = 32

  static func encode(
    _ values: UnsafePointer<Int64>, _ count: Int, narrow: Bool, into out: ByteWriter
  ) {
    out.appendVarint(UInt64(block))
    out.appendVarint(UInt64(block / part))
    out.appendVarint(UInt64(count))
    out.appendZigzag(count > 0 ? values[0] : 0)
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: block) { deltas in
      guard let deltas = deltas.baseAddress else { return }
      var at = 1
      while at < count {
        let n = min(block, count - at)
        encodeBlock(values + at, n, narrow, deltas, out)
        at += n
      }
    }
  }

  private static func encodeBlock(
    _ values: UnsafePointer<Int64>, _ n: Int, _ narrow: Bool,
    _ deltas: UnsafeMutablePointer<UInt64>, _ out: ByteWriter
  ) {
    var least = Int64.max
    for i in 0..<n {
      var delta = values[i] &- values[i &- 1]
      // In 32 bits the differences wrap too, or they would need 33.
      if narrow { delta = Int64(Int32(truncatingIfNeeded: delta)) }
      deltas[i] = UInt64(bitPattern: delta)
      least = min(least, delta)
    }
    for i in 0..<n {
      deltas[i] = deltas[i] &- UInt64(bitPattern: least)
      if narrow { deltas[i] &= 0xffff_ffff }
    }
    out.appendZigzag(least)
    let parts = block / part
    for p in 0..<parts {
      var all: UInt64 = 0
      for i in min(n, p * part)..<min(n, (p + 1) * part) { all |= deltas[i] }
      out.append(UInt8(ParquetBits.width(of: all)))
    }
    let widthAt = out.count - parts
    for p in 0..<parts where p * part < n {
      let width = Int(out.bytes[widthAt + p])
      ParquetBits.pack(
        deltas + p * part, min(part, n - p * part), width: width, padded: part, into: out)
    }
  }
}
