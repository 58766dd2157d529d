import CLanes

/// Well-formed UTF-8, sixteen bytes at a time.
enum UTF8Blocks {
  /// Whether a text is UTF-8 that ends with an ASCII character and may be loaded fifteen bytes over its end.
  ///
  /// - Parameter count: its bytes, with that character; at least 1.
  @inline(__always)
  static func isValid(_ text: UnsafePointer<UInt8>, count: Int) -> Bool {
    // A character that is cut has the last one in the place of its next byte.
    var offences = t_utf8_first_offences(text)
    var at = 0
    while count &- at > 16 {
      if offences != 0 { return false }
      at &+= 16
      offences = t_utf8_offences(text + at)
    }
    let own: UInt32 = (2 &<< UInt32(truncatingIfNeeded: count &- at &- 1)) &- 1
    return offences & own == 0
  }
}
