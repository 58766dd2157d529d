import Columns

/// Least and greatest value of a page, chunk or file, in the order of the type.
struct ParquetBounds {
  private enum Values {
    case none
    case ints(Int64, Int64)
    case wide(Int128, Int128)
    case doubles(Double, Double)
    case bytes([UInt8], [UInt8])
  }
  private let physical: Physical
  private var values = Values.none
  /// Whether a NaN was seen, or a text that is too long to be kept: then there are no bounds.
  private var isUnbounded = false
  private static let longest = 1 << 20

  init(_ physical: Physical) { self.physical = physical }

  var isEmpty: Bool {
    if case .none = values { return true }
    return isUnbounded
  }

  var scalars: (min: Scalar, max: Scalar)? {
    if isUnbounded { return nil }
    switch values {
    case .none: return nil
    case .ints(let low, let high):
      if physical == .boolean { return (.boolean(low != 0), .boolean(high != 0)) }
      return (.int(low), .int(high))
    case .wide(let low, let high): return (.int128(low), .int128(high))
    case .doubles(let low, let high):
      if physical == .float32 { return (.float(Float(low)), .float(Float(high))) }
      return (.double(low), .double(high))
    case .bytes(let low, let high): return (.bytes(low), .bytes(high))
    }
  }

  mutating func merge(_ other: ParquetBounds) {
    isUnbounded = isUnbounded || other.isUnbounded
    if isUnbounded {
      values = .none
      return
    }
    switch (values, other.values) {
    case (_, .none): break
    case (.none, _): values = other.values
    case (.ints(let a, let b), .ints(let c, let d)): values = .ints(min(a, c), max(b, d))
    case (.wide(let a, let b), .wide(let c, let d)): values = .wide(min(a, c), max(b, d))
    case (.doubles(let a, let b), .doubles(let c, let d)): doubles(min(a, c), max(b, d))
    case (.bytes(let a, let b), .bytes(let c, let d)):
      values = .bytes(
        c.lexicographicallyPrecedes(a) ? c : a, b.lexicographicallyPrecedes(d) ? d : b)
    default: break
    }
  }

  /// Zeros compare equal, so a zero bound takes the sign that includes both.
  private mutating func doubles(_ low: Double, _ high: Double) {
    values = .doubles(low == 0 ? -0.0 : low, high == 0 ? 0.0 : high)
  }

  /// Widens by `count` values of a fixed width, none of them null.
  mutating func add(_ source: UnsafeRawPointer, _ count: Int) {
    if count == 0 { return }
    switch physical {
    case .boolean: ints(source.assumingMemoryBound(to: UInt8.self), count)
    case .int8: ints(source.assumingMemoryBound(to: Int8.self), count)
    case .int16: ints(source.assumingMemoryBound(to: Int16.self), count)
    case .int32: ints(source.assumingMemoryBound(to: Int32.self), count)
    case .int64: ints(source.assumingMemoryBound(to: Int64.self), count)
    case .int128:
      let p = source.assumingMemoryBound(to: Int128.self)
      var low = p[0]
      var high = p[0]
      for i in 1..<max(count, 1) {
        low = min(low, p[i])
        high = max(high, p[i])
      }
      var part = self
      part.values = .wide(low, high)
      merge(part)
    case .float32: floats(source.assumingMemoryBound(to: Float.self), count)
    case .float64: floats(source.assumingMemoryBound(to: Double.self), count)
    case .bytes, .list, .map, .row: break
    }
  }

  @inline(__always)
  private mutating func ints<T: FixedWidthInteger & BitwiseCopyable>(
    _ p: UnsafePointer<T>, _ count: Int
  ) {
    var low = p[0]
    var high = p[0]
    for i in 0..<count {
      low = min(low, p[i])
      high = max(high, p[i])
    }
    var part = self
    part.values = .ints(Int64(truncatingIfNeeded: low), Int64(truncatingIfNeeded: high))
    merge(part)
  }

  @inline(__always)
  private mutating func floats<T: BinaryFloatingPoint & BitwiseCopyable>(
    _ p: UnsafePointer<T>, _ count: Int
  ) {
    var low = p[0]
    var high = p[0]
    var bad = 0
    for i in 0..<count {
      let v = p[i]
      low = v < low ? v : low
      high = v > high ? v : high
      bad |= bit(v != v)
    }
    if bad != 0 {
      isUnbounded = true
      return
    }
    var part = self
    part.doubles(Double(low), Double(high))
    merge(part)
  }

  /// The first 16 bytes as two big-endian words, filled with zeros: decides most comparisons.
  @inline(__always)
  private static func word(_ p: UnsafeRawPointer, _ length: Int) -> UInt64 {
    let word = UInt64(bigEndian: p.loadUnaligned(as: UInt64.self))
    if length >= 8 { return word }
    return length <= 0 ? 0 : word & ~(UInt64.max >> UInt64(8 &* length))
  }

  /// Widens by `count` values between `offsets`; the bytes carry padding.
  mutating func add(bytes base: UnsafeRawPointer, _ offsets: UnsafePointer<Int32>, _ count: Int) {
    if count == 0 { return }
    func bytes(_ i: Int) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(
        start: base + Int(offsets[i]), count: Int(offsets[i + 1] &- offsets[i]))
    }
    func words(_ i: Int) -> (UInt64, UInt64) {
      let length = Int(offsets[i + 1] &- offsets[i])
      let p = base + Int(offsets[i])
      return (Self.word(p, length), Self.word(p + 8, length - 8))
    }
    var low = 0
    var high = 0
    var lowWords = words(0)
    var highWords = lowWords
    for i in 1..<max(count, 1) {
      let start = Int(offsets[i])
      let length = Int(offsets[i &+ 1]) &- start
      let first = Self.word(base + start, length)
      // Strictly between the bounds: the common case, two comparisons.
      if first > lowWords.0 && first < highWords.0 { continue }
      let second = Self.word(base + start + 8, length &- 8)
      if first < lowWords.0 || first == lowWords.0 && second <= lowWords.1 {
        if first != lowWords.0 || second != lowWords.1 || compareBytes(bytes(i), bytes(low)) < 0 {
          low = i
          lowWords = (first, second)
        }
      }
      if first > highWords.0 || first == highWords.0 && second >= highWords.1 {
        if first != highWords.0 || second != highWords.1
          || compareBytes(bytes(i), bytes(high)) > 0
        {
          high = i
          highWords = (first, second)
        }
      }
    }
    addBytes(bytes(low), bytes(high))
  }

  private mutating func addBytes(_ low: UnsafeRawBufferPointer, _ high: UnsafeRawBufferPointer) {
    if isUnbounded || max(low.count, high.count) > Self.longest {
      isUnbounded = true
      values = .none
      return
    }
    guard case .bytes(let a, let b) = values else {
      values = .bytes(Array(low), Array(high))
      return
    }
    let lower = a.withUnsafeBytes { compareBytes(low, $0) < 0 }
    let higher = b.withUnsafeBytes { compareBytes(high, $0) > 0 }
    if lower || higher { values = .bytes(lower ? Array(low) : a, higher ? Array(high) : b) }
  }
}
