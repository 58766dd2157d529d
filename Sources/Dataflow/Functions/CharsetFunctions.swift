internal import Columns

/// The character sets of ENCODE and DECODE: those that every Java has.
private enum Charset {
  case ascii, latin, utf8, utf16, utf16BE, utf16LE

  init?(_ name: String) {
    switch name.uppercased() {
    case "US-ASCII", "ASCII": self = .ascii
    case "ISO-8859-1", "LATIN1": self = .latin
    case "UTF-8", "UTF8": self = .utf8
    case "UTF-16": self = .utf16
    case "UTF-16BE": self = .utf16BE
    case "UTF-16LE": self = .utf16LE
    default: return nil
    }
  }

  /// What a set does not have is a question mark.
  func encode(_ text: String, into out: inout [UInt8]) {
    switch self {
    case .utf8: out += Array(text.utf8)
    case .ascii, .latin:
      let last: UInt32 = self == .ascii ? 0x7f : 0xff
      for scalar in text.unicodeScalars {
        out.append(scalar.value <= last ? UInt8(scalar.value) : UInt8(ascii: "?"))
      }
    case .utf16, .utf16BE, .utf16LE:
      if self == .utf16 && !text.isEmpty { out += [0xfe, 0xff] }
      for unit in text.utf16 {
        let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xff))
        out += self == .utf16LE ? [low, high] : [high, low]
      }
    }
  }

  /// What is none of the set is the replacement character.
  func decode(_ bytes: UnsafeRawBufferPointer, into out: inout [UInt8]) {
    switch self {
    case .utf8: out += Array(String(decoding: bytes, as: UTF8.self).utf8)
    case .ascii, .latin:
      for byte in bytes {
        let isIn = self == .latin || byte < 0x80
        out += Array(String(isIn ? Unicode.Scalar(byte) : "\u{fffd}").utf8)
      }
    case .utf16, .utf16BE, .utf16LE:
      var isLittle = self == .utf16LE
      var start = 0
      if self == .utf16, bytes.count >= 2 {
        let mark = (bytes[0], bytes[1])
        if mark == (0xfe, 0xff) || mark == (0xff, 0xfe) { start = 2 }
        isLittle = mark == (0xff, 0xfe)
      }
      var units: [UInt16] = []
      for i in stride(from: start, to: bytes.count - 1, by: 2) {
        let (a, b) = (UInt16(bytes[i]), UInt16(bytes[i + 1]))
        units.append(isLittle ? b << 8 | a : a << 8 | b)
      }
      if (bytes.count - start) % 2 == 1 { units.append(0xfffd) }
      out += Array(String(decoding: units, as: UTF16.self).utf8)
    }
  }
}

private func coding(
  _ name: String, _ parameter: Function.Parameter, _ result: DataType,
  _ write: @escaping @Sendable (Charset, UnsafeRawBufferPointer, inout [UInt8]) -> Void
) -> Function {
  .text(name, [parameter, .text], result: .type(result)) { (call, i, out) throws(TerraceError) in
    guard let charset = Charset(call.text(1, i)) else {
      throw TerraceError(
        .unsupported, "the character set '\(call.text(1, i))'",
        hint: "there are US-ASCII, ISO-8859-1, UTF-8, UTF-16, UTF-16BE and UTF-16LE")
    }
    write(charset, call.bytes(0, i), &out)
    return true
  }
}

let charsetFunctions: [Function] = [
  coding("ENCODE", .text, .bytes) { charset, bytes, out in
    charset.encode(String(decoding: bytes, as: UTF8.self), into: &out)
  },
  coding("DECODE", .binary, .string) { charset, bytes, out in charset.decode(bytes, into: &out) },
]
