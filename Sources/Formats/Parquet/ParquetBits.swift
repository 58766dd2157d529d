import Columns

/// Unpacks runs of `width`-bit integers, lowest bit first. Sources carry 64 bytes of padding, so
/// that whole words may be loaded at their ends.
enum ParquetBits {
  /// Bits that hold `value`: 0 for 0.
  static func width(of value: UInt64) -> Int { 64 - value.leadingZeroBitCount }

  /// `groups` groups of eight values, each `width` (0…32) bytes long.
  static func unpack<T: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafeRawPointer, width: Int, groups: Int, into target: UnsafeMutablePointer<T>
  ) {
    switch width {
    case 0: target.update(repeating: 0, count: groups * 8)
    case 1: run(source, 1, groups, target)
    case 2: run(source, 2, groups, target)
    case 3: run(source, 3, groups, target)
    case 4: run(source, 4, groups, target)
    case 5: run(source, 5, groups, target)
    case 6: run(source, 6, groups, target)
    case 7: run(source, 7, groups, target)
    case 8: run(source, 8, groups, target)
    case 9: run(source, 9, groups, target)
    case 10: run(source, 10, groups, target)
    case 11: run(source, 11, groups, target)
    case 12: run(source, 12, groups, target)
    case 13: run(source, 13, groups, target)
    case 14: run(source, 14, groups, target)
    case 15: run(source, 15, groups, target)
    case 16: run(source, 16, groups, target)
    case 17: run(source, 17, groups, target)
    case 18: run(source, 18, groups, target)
    case 20: run(source, 20, groups, target)
    case 24: run(source, 24, groups, target)
    default: run(source, width, groups, target)
    }
  }

  @inline(__always)
  private static func run<T: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafeRawPointer, _ width: Int, _ groups: Int, _ target: UnsafeMutablePointer<T>
  ) {
    let mask: UInt64 = (1 << UInt64(width)) &- 1
    var from = source
    var to = target
    if width <= 8 {
      for _ in 0..<groups {
        let word = from.loadUnaligned(as: UInt64.self)
        for j in 0..<8 { to[j] = T(truncatingIfNeeded: (word &>> UInt64(j &* width)) & mask) }
        from += width
        to += 8
      }
    } else {
      for _ in 0..<groups {
        for j in 0..<8 {
          let bits = j &* width
          let word = from.loadUnaligned(fromByteOffset: bits &>> 3, as: UInt64.self)
          to[j] = T(truncatingIfNeeded: (word &>> UInt64(bits & 7)) & mask)
        }
        from += width
        to += 8
      }
    }
  }

  /// 32 values of `width` (0…64) bits, for delta miniblocks.
  static func unpack32(
    _ source: UnsafeRawPointer, width: Int, into target: UnsafeMutablePointer<UInt64>
  ) {
    if width == 0 {
      for j in 0..<32 { target[j] = 0 }
    } else if width <= 56 {
      let mask: UInt64 = (1 << UInt64(width)) &- 1
      for j in 0..<32 {
        let bits = j &* width
        let word = source.loadUnaligned(fromByteOffset: bits &>> 3, as: UInt64.self)
        target[j] = (word &>> UInt64(bits & 7)) & mask
      }
    } else {
      let mask: UInt64 = width == 64 ? ~0 : (1 << UInt64(width)) &- 1
      for j in 0..<32 {
        let bits = j &* width
        let low = source.loadUnaligned(fromByteOffset: bits &>> 3, as: UInt64.self)
        let high = UInt64(source.load(fromByteOffset: (bits &>> 3) &+ 8, as: UInt8.self))
        let shift = UInt64(bits & 7)
        target[j] = ((low &>> shift) | (shift == 0 ? 0 : high &<< (64 &- shift))) & mask
      }
    }
  }

  /// Appends `count` values of `width` (0…64) bits, filled with zeros to `padded` values, which
  /// must make whole bytes.
  static func pack<T: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafePointer<T>, _ count: Int, width: Int, padded: Int, into out: ByteWriter
  ) {
    let bytes = padded &* width / 8
    out.reserve(bytes &+ 16)
    var to = out.base + out.count
    var word: UInt64 = 0
    var filled = 0
    for i in 0..<count {
      let value = UInt64(truncatingIfNeeded: source[i])
      word |= value &<< UInt64(filled)
      filled &+= width
      if filled >= 64 {
        to.storeBytes(of: word, as: UInt64.self)
        to += 8
        filled &-= 64
        // The bits of `value` that did not fit; none when it ended with the word.
        word = filled == 0 ? 0 : value &>> UInt64(width &- filled)
      }
    }
    let end = out.base + out.count + bytes
    while to < end {
      to.storeBytes(of: UInt8(truncatingIfNeeded: word), as: UInt8.self)
      word &>>= 8
      to += 1
    }
    out.advance(bytes)
  }
}
