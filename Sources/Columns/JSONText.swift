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
    let table = UTF8States.table
    var state = UTF8States.accept
    while end - at >= 16 {
      let words = at.loadUnaligned(as: SIMD2<UInt64>.self)
      at += 16
      if (words.x | words.y) & 0x8080_8080_8080_8080 == 0 {
        if state & 63 != UTF8States.accept { return false }
        continue
      }
      state = UTF8States.after(words.y, UTF8States.after(words.x, state, table), table)
    }
    if end - at >= 8 {
      state = UTF8States.after(at.loadUnaligned(as: UInt64.self), state, table)
      at += 8
    }
    while at < end {
      state = table[Int(at.load(as: UInt8.self))] &>> state
      at += 1
    }
    return state & 63 == UTF8States.accept
  }

  /// Code points of well-formed text: bytes that do not continue one.
  public static func characterCount(_ bytes: UnsafeRawBufferPointer) -> Int {
    var count = 0
    for byte in bytes { count &+= bit(byte & 0xc0 != 0x80) }
    return count
  }
}

/// Table 3-7 as a machine of nine states without a branch: a state is the place, six bits wide, that the
/// next one has in the word of the byte that comes.
enum UTF8States {
  static let accept: UInt64 = 0
  private static let reject: UInt64 = 6
  /// One, two, three bytes from 80 to BF are to come.
  private static let (one, two, three): (UInt64, UInt64, UInt64) = (12, 18, 24)
  /// What comes behind E0, ED, F0 and F4.
  private static let (e0, ed, f0, f4): (UInt64, UInt64, UInt64, UInt64) = (30, 36, 42, 48)

  /// Lives as long as the process.
  nonisolated(unsafe) static let table: UnsafePointer<UInt64> = {
    let table = UnsafeMutablePointer<UInt64>.allocate(capacity: 256)
    for byte in 0..<256 { table[byte] = word(UInt8(byte)) }
    return UnsafePointer(table)
  }()

  @inline(__always) static func after(
    _ bytes: UInt64, _ state: UInt64, _ table: UnsafePointer<UInt64>
  ) -> UInt64 {
    // Written out: as a loop it is a chain of additions too.
    var state = table[Int(bytes & 255)] &>> state
    state = table[Int(bytes &>> 8 & 255)] &>> state
    state = table[Int(bytes &>> 16 & 255)] &>> state
    state = table[Int(bytes &>> 24 & 255)] &>> state
    state = table[Int(bytes &>> 32 & 255)] &>> state
    state = table[Int(bytes &>> 40 & 255)] &>> state
    state = table[Int(bytes &>> 48 & 255)] &>> state
    return table[Int(bytes &>> 56)] &>> state
  }

  /// For each state, the one that follows on the byte.
  private static func word(_ byte: UInt8) -> UInt64 {
    var word: UInt64 = 0
    func go(_ from: UInt64, _ to: UInt64) {
      word = word & ~(63 &<< from) | to &<< from
    }
    for state in [accept, reject, one, two, three, e0, ed, f0, f4] { go(state, reject) }
    switch byte {
    case ..<0x80: go(accept, accept)
    case 0x80..<0xc0:
      go(one, accept)
      go(two, one)
      go(three, two)
      if byte < 0xa0 { go(ed, one) } else { go(e0, one) }
      if byte < 0x90 { go(f4, two) } else { go(f0, two) }
    case 0xc2..<0xe0: go(accept, one)
    case 0xe0: go(accept, e0)
    case 0xed: go(accept, ed)
    case 0xe1..<0xf0: go(accept, two)
    case 0xf0: go(accept, f0)
    case 0xf1..<0xf4: go(accept, three)
    case 0xf4: go(accept, f4)
    default: break
    }
    return word
  }
}
