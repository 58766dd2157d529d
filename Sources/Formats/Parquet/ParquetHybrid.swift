import Columns

/// Decodes the RLE/bit-packed hybrid (Encodings.md, "RLE = 3"): levels, dictionary indices and
/// booleans. The bytes must stay alive and carry 64 bytes of padding.
struct ParquetHybridDecoder {
  private var at: UnsafeRawPointer
  private let end: UnsafeRawPointer
  let width: Int
  private var runLeft = 0
  private(set) var runValue: UInt32 = 0
  private var literalsLeft = 0
  /// Of the next literal, in its run.
  private var literal = 0
  private var literals: UnsafeRawPointer

  init(_ bytes: UnsafeRawBufferPointer, width: Int) {
    at = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
    end = at + bytes.count
    literals = at
    self.width = width
  }

  /// The older BIT_PACKED levels: one run, highest bit first, turned around beforehand.
  init(literals bytes: UnsafeRawBufferPointer, width: Int, count: Int) {
    self.init(bytes, width: width)
    literals = at
    literalsLeft = count
    at = end
  }

  private func broken(_ what: String) -> TerraceError { TerraceError(.corrupted, what) }

  private mutating func nextRun() throws(TerraceError) {
    var header: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      if at >= end { throw broken("levels or indices end early") }
      let byte = at.load(as: UInt8.self)
      at += 1
      header |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { break }
      shift += 7
      if shift > 35 { throw broken("a run header is too long") }
    }
    let count = Int(header >> 1)
    if header & 1 == 0 {
      let bytes = (width + 7) / 8
      if bytes > end - at { throw broken("a run ends early") }
      runValue = 0
      for i in 0..<bytes {
        runValue |= UInt32(at.load(fromByteOffset: i, as: UInt8.self)) << UInt32(8 * i)
      }
      if width < 32 && runValue >> UInt32(width) != 0 { throw broken("a run value is too wide") }
      at += bytes
      runLeft = count
      return
    }
    // The last group may be cut after its last used byte.
    let bytes = min(count * width, end - at)
    literals = at
    literal = 0
    literalsLeft = width == 0 ? count * 8 : min(count * 8, bytes * 8 / width)
    at += bytes
    if literalsLeft == 0 && count > 0 { throw broken("a run ends early") }
  }

  /// Values of the current repeated run, at most `count`; 0 when literals come next.
  mutating func takeRun(_ count: Int) throws(TerraceError) -> Int {
    while runLeft == 0 && literalsLeft == 0 { try nextRun() }
    let taken = min(runLeft, count)
    runLeft -= taken
    return taken
  }

  /// Literals at hand, up to `count`, unpacked; 0 when a repeated run comes next.
  mutating func takeLiterals<T: FixedWidthInteger & BitwiseCopyable>(
    _ count: Int, into target: UnsafeMutablePointer<T>
  ) -> Int {
    let taken = min(literalsLeft, count)
    var done = 0
    while done < taken && literal & 7 != 0 {
      target[done] = single(literal)
      literal += 1
      done += 1
    }
    let groups = (taken - done) / 8
    if groups > 0 {
      ParquetBits.unpack(
        literals + literal / 8 * width, width: width, groups: groups, into: target + done)
      literal += groups * 8
      done += groups * 8
    }
    while done < taken {
      target[done] = single(literal)
      literal += 1
      done += 1
    }
    literalsLeft -= taken
    return taken
  }

  private func single<T: FixedWidthInteger>(_ index: Int) -> T {
    let bits = index * width
    let word = (literals + bits / 8).loadUnaligned(as: UInt64.self) >> UInt64(bits & 7)
    return T(truncatingIfNeeded: word & ((1 << UInt64(width)) - 1))
  }

  /// Exactly `count` values.
  mutating func decode<T: FixedWidthInteger & BitwiseCopyable>(
    _ count: Int, into target: UnsafeMutablePointer<T>
  ) throws(TerraceError) {
    var done = 0
    while done < count {
      let run = try takeRun(count - done)
      if run > 0 {
        (target + done).update(repeating: T(truncatingIfNeeded: runValue), count: run)
        done += run
      } else {
        done += takeLiterals(count - done, into: target + done)
      }
    }
  }
}

/// Writes the hybrid.
enum ParquetHybridEncoder {
  private static let shortestRun = 8

  /// Runs of eight and more equal values are repeated runs, the rest is packed.
  static func encode<T: FixedWidthInteger & BitwiseCopyable>(
    _ values: UnsafePointer<T>, _ count: Int, width: Int, into out: ByteWriter
  ) {
    var pending = 0
    var i = 0
    while i < count {
      let value = values[i]
      var j = i &+ 1
      while j < count && values[j] == value { j &+= 1 }
      // Literals go in groups of eight: a run gives its head to fill the group.
      let missing = (8 &- (i &- pending) & 7) & 7
      if j &- i >= shortestRun &+ missing {
        if i &+ missing > pending { pack(values + pending, i &+ missing &- pending, width, out) }
        repeated(UInt32(truncatingIfNeeded: value), j &- i &- missing, width, out)
        pending = j
      }
      i = j
    }
    if count > pending { pack(values + pending, count &- pending, width, out) }
  }

  static func repeated(_ value: UInt32, _ count: Int, _ width: Int, _ out: ByteWriter) {
    out.appendVarint(UInt64(count) << 1)
    for k in 0..<(width + 7) / 8 { out.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * k))) }
  }

  private static func pack<T: FixedWidthInteger & BitwiseCopyable>(
    _ values: UnsafePointer<T>, _ count: Int, _ width: Int, _ out: ByteWriter
  ) {
    let groups = (count + 7) / 8
    out.appendVarint(UInt64(groups) << 1 | 1)
    ParquetBits.pack(values, count, width: width, padded: groups * 8, into: out)
  }

  /// Bits of a validity bitmap as levels 0 and 1, from bit `from` on.
  static func bits(_ words: UnsafePointer<UInt64>, from: Int, count: Int, into out: ByteWriter) {
    let map = Bitmap(copying: words, from: from, count: count)
    let set = map.setCount
    if set == count || set == 0 {
      repeated(set == 0 ? 0 : 1, count, 1, out)
      return
    }
    out.appendVarint(UInt64((count + 7) / 8) << 1 | 1)
    out.append(UnsafeRawBufferPointer(start: map.words, count: (count + 7) / 8))
  }
}
