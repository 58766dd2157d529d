/// Strings of JSON text (RFC 8259).
public enum JSONText {
  /// A quoted string. Only what must be escaped is; bytes that are not UTF-8 become U+FFFD.
  public static func appendQuoted(_ bytes: UnsafeRawBufferPointer, to out: ByteWriter) {
    out.reserve(bytes.count + 2)
    out.append(UInt8(ascii: "\""))
    var run = 0
    var at = 0
    while at < bytes.count {
      if bytes.count &- at >= 8 {
        let word = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        if isPlain(word) {
          at &+= 8
          continue
        }
      }
      let byte = bytes[at]
      if byte >= 0x80 {
        let length = UTF8Text.sequenceLength(UnsafeRawBufferPointer(rebasing: bytes[at...]))
        if length > 0 {
          at &+= length
          continue
        }
        out.append(UnsafeRawBufferPointer(rebasing: bytes[run..<at]))
        out.append("\u{FFFD}" as StaticString)
        at &+= 1
        run = at
      } else if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        out.append(UnsafeRawBufferPointer(rebasing: bytes[run..<at]))
        appendEscape(byte, to: out)
        at &+= 1
        run = at
      } else {
        at &+= 1
      }
    }
    out.append(UnsafeRawBufferPointer(rebasing: bytes[run..<bytes.count]))
    out.append(UInt8(ascii: "\""))
  }

  /// No byte of eight is a control character, a quote, a backslash or beyond ASCII.
  @inlinable @inline(__always) public static func isPlain(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let high: UInt64 = 0x8080_8080_8080_8080
    let quote = word ^ (ones &* 0x22)
    let slash = word ^ (ones &* 0x5c)
    // A borrow may reach the next byte, but only from a byte that is itself a hit.
    let hit = (word &- ones &* 0x20) | (quote &- ones) | (slash &- ones) | word
    return hit & high == 0
  }

  static func appendEscape(_ byte: UInt8, to out: ByteWriter) {
    out.append(UInt8(ascii: "\\"))
    switch byte {
    case 0x0a: out.append(UInt8(ascii: "n"))
    case 0x0d: out.append(UInt8(ascii: "r"))
    case 0x09: out.append(UInt8(ascii: "t"))
    case 0x08: out.append(UInt8(ascii: "b"))
    case 0x0c: out.append(UInt8(ascii: "f"))
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): out.append(byte)
    default:
      out.append("u00" as StaticString)
      out.append(ValueText.hexDigit(byte >> 4))
      out.append(ValueText.hexDigit(byte & 15))
    }
  }
}

/// Well-formed UTF-8 (Unicode 15, table 3-7).
public enum UTF8Text {
  /// Bytes of the character that begins the text, 1…4; 0 when it is malformed or cut.
  public static func sequenceLength(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let first = bytes.first else { return 0 }
    if first < 0x80 { return 1 }
    if first < 0xc2 || first > 0xf4 || bytes.count < 2 { return 0 }
    let second = bytes[1]
    if first < 0xe0 { return second & 0xc0 == 0x80 ? 2 : 0 }
    if bytes.count < 3 || bytes[2] & 0xc0 != 0x80 { return 0 }
    if first < 0xf0 {
      let low: UInt8 = first == 0xe0 ? 0xa0 : 0x80
      let top: UInt8 = first == 0xed ? 0x9f : 0xbf
      return second >= low && second <= top ? 3 : 0
    }
    if bytes.count < 4 || bytes[3] & 0xc0 != 0x80 { return 0 }
    let low: UInt8 = first == 0xf0 ? 0x90 : 0x80
    let top: UInt8 = first == 0xf4 ? 0x8f : 0xbf
    return second >= low && second <= top ? 4 : 0
  }

  public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard var at = bytes.baseAddress else { return true }
    let end = at + bytes.count
    while at < end {
      if end - at >= 8 {
        let high = at.loadUnaligned(as: UInt64.self) & 0x8080_8080_8080_8080
        at += high.trailingZeroBitCount >> 3
        if high == 0 { continue }
      }
      while end - at >= 4 {
        let word = at.loadUnaligned(as: UInt32.self)
        // Three bytes, not too long a form and no surrogate; two bytes, not too long a form.
        let bits = word & 0x200f
        if word & 0xc0_c0f0 == 0x80_80e0, bits != 0, bits != 0x200d {
          at += 3
        } else if word & 0xc0e0 == 0x80c0, word & 0x1e != 0 {
          at += 2
        } else {
          break
        }
      }
      if at == end { break }
      let length = sequenceLength(UnsafeRawBufferPointer(start: at, count: end - at))
      if length == 0 { return false }
      at += length
    }
    return true
  }

  /// Code points of well-formed text: bytes that do not continue one.
  public static func characterCount(_ bytes: UnsafeRawBufferPointer) -> Int {
    var count = 0
    for byte in bytes { count &+= bit(byte & 0xc0 != 0x80) }
    return count
  }
}
