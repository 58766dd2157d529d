package import Columns

/// Bytes as base64 (RFC 4648, with padding).
package enum Base64Text {
  package static func append(_ bytes: UnsafeRawBufferPointer, to out: ByteWriter) {
    let letters: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    var i = 0
    while i < bytes.count {
      let left = min(3, bytes.count - i)
      var bits = UInt32(bytes[i]) << 16
      if left > 1 { bits |= UInt32(bytes[i + 1]) << 8 }
      if left > 2 { bits |= UInt32(bytes[i + 2]) }
      for k in 0..<4 {
        let digit = Int(bits >> UInt32(18 - 6 * k) & 63)
        out.append(k <= left ? letters.utf8Start[digit] : UInt8(ascii: "="))
      }
      i += 3
    }
  }
}
