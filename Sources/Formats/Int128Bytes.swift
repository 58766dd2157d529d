import Columns

extension Int128 {
  /// Two's complement, most significant byte first, of any length; nil when it needs over 16 bytes.
  package init?(bigEndian bytes: UnsafeRawBufferPointer) {
    guard let first = bytes.first else {
      self = 0
      return
    }
    let sign: UInt8 = first & 0x80 == 0 ? 0 : 0xff
    var from = 0
    while bytes.count - from > 16 {
      if bytes[from] != sign { return nil }
      from += 1
    }
    if bytes.count > 16 && (bytes[from] ^ sign) & 0x80 != 0 { return nil }
    var value: Int128 = sign == 0 ? 0 : -1
    for i in from..<bytes.count { value = value << 8 | Int128(bytes[i]) }
    self = value
  }

  /// How many bytes its shortest two's complement takes; at least 1.
  package var minimalByteCount: Int {
    let magnitude = self < 0 ? ~self : self
    return (128 - magnitude.leadingZeroBitCount) / 8 + 1
  }

  /// 10 to the given power, 0…38.
  package static func powerOfTen(_ exponent: Int) -> Int128? {
    guard exponent >= 0, exponent <= 38 else { return nil }
    var value: Int128 = 1
    for _ in 0..<exponent { value *= 10 }
    return value
  }
}
