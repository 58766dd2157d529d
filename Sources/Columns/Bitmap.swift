/// One bit a row, lowest bit first in 64-bit words; 1 = valid. Bits past `count` are zero.
public final class Bitmap: @unchecked Sendable {
  public let count: Int
  @usableFromInline let buffer: Buffer

  @inlinable public var words: UnsafeMutablePointer<UInt64> { buffer.pointer(UInt64.self) }
  @inlinable public var wordCount: Int { (count &+ 63) >> 6 }

  public init(count: Int, filled: Bool) {
    self.count = count
    buffer = Buffer(byteCount: ((count &+ 63) >> 6) * 8)
    words.update(repeating: filled ? ~0 : 0, count: wordCount)
    clearTail()
  }

  /// `count` bits of `source` from bit `from` on.
  public init(copying source: UnsafePointer<UInt64>, from: Int, count: Int) {
    self.count = count
    buffer = Buffer(byteCount: ((count &+ 63) >> 6) * 8)
    let shift = UInt64(from & 63)
    let start = source + (from >> 6)
    // A word past the last needed one is read only when the bits straddle it.
    let last = count == 0 ? 0 : ((from & 63) &+ count &- 1) >> 6
    for i in 0..<wordCount {
      let low = start[i] >> shift
      let high = shift == 0 || i &+ 1 > last ? 0 : start[i &+ 1] << (64 - shift)
      words[i] = low | high
    }
    clearTail()
  }

  /// Sets from one byte a row: 0 is null, anything else is valid.
  public convenience init(bytes: UnsafePointer<UInt8>, count: Int) {
    self.init(count: count, filled: false)
    for i in 0..<count where bytes[i] != 0 { set(i) }
  }

  @inlinable public subscript(index: Int) -> Bool {
    (words[index >> 6] >> UInt64(index & 63)) & 1 != 0
  }
  @inlinable public func set(_ index: Int) { words[index >> 6] |= 1 << UInt64(index & 63) }
  @inlinable public func clear(_ index: Int) { words[index >> 6] &= ~(1 << UInt64(index & 63)) }

  public var setCount: Int {
    var total = 0
    for i in 0..<wordCount { total &+= words[i].nonzeroBitCount }
    return total
  }

  private func clearTail() {
    if count & 63 != 0 { words[wordCount - 1] &= (1 << UInt64(count & 63)) &- 1 }
  }
}
