internal import Columns

/// Base64 as RFC 4648 has it, with padding.
enum Base64 {
  private static let letters = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: UnsafeRawBufferPointer, into out: inout [UInt8]) {
    var i = 0
    while i < bytes.count {
      let (a, b, c) = (
        bytes[i], i + 1 < bytes.count ? bytes[i + 1] : 0, i + 2 < bytes.count ? bytes[i + 2] : 0
      )
      out.append(letters[Int(a >> 2)])
      out.append(letters[Int((a & 3) << 4 | b >> 4)])
      out.append(i + 1 < bytes.count ? letters[Int((b & 15) << 2 | c >> 6)] : UInt8(ascii: "="))
      out.append(i + 2 < bytes.count ? letters[Int(c & 63)] : UInt8(ascii: "="))
      i += 3
    }
  }

  /// False when it is no Base64.
  static func decode(_ text: UnsafeRawBufferPointer, into out: inout [UInt8]) -> Bool {
    var bits: UInt32 = 0
    var count = 0
    var isPadded = false
    for c in text {
      if c == UInt8(ascii: "=") {
        isPadded = true
        continue
      }
      guard !isPadded, let value = letters.firstIndex(of: c) else { return false }
      bits = bits << 6 | UInt32(value)
      count += 1
      if count % 4 == 0 {
        out += [
          UInt8(truncatingIfNeeded: bits >> 16), UInt8(truncatingIfNeeded: bits >> 8),
          UInt8(truncatingIfNeeded: bits),
        ]
      }
    }
    switch count % 4 {
    case 2: out.append(UInt8(truncatingIfNeeded: bits >> 4))
    case 3: out += [UInt8(truncatingIfNeeded: bits >> 10), UInt8(truncatingIfNeeded: bits >> 2)]
    case 1: return false
    default: break
    }
    return true
  }
}

/// Percent-encoding of forms: spaces as `+`.
enum FormCoding {
  static func encode(_ bytes: UnsafeRawBufferPointer, into out: inout [UInt8]) {
    for c in bytes {
      switch c {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
        UInt8(ascii: "*"), UInt8(ascii: "_"):
        out.append(c)
      case 0x20: out.append(UInt8(ascii: "+"))
      default:
        out.append(UInt8(ascii: "%"))
        out += Digest.hex([c], upper: true)
      }
    }
  }

  /// False when a percent sign is not followed by two hexadecimal digits.
  static func decode(_ bytes: UnsafeRawBufferPointer, into out: inout [UInt8]) -> Bool {
    var i = 0
    while i < bytes.count {
      switch bytes[i] {
      case UInt8(ascii: "+"): out.append(0x20)
      case UInt8(ascii: "%"):
        guard i + 2 < bytes.count, let high = nibble(bytes[i + 1]), let low = nibble(bytes[i + 2])
        else { return false }
        out.append(high << 4 | low)
        i += 2
      default: out.append(bytes[i])
      }
      i += 1
    }
    return true
  }

  static func nibble(_ c: UInt8) -> UInt8? {
    switch c {
    case 0x30...0x39: c - 0x30
    case 0x41...0x46: c - 0x37
    case 0x61...0x66: c - 0x57
    default: nil
    }
  }
}

private func digest(
  _ name: String, _ compute: @escaping @Sendable (UnsafeRawBufferPointer) -> [UInt8]
) -> Function {
  .text(name, [.text], result: .type(.string)) { (call, i, out) throws(TerraceError) in
    out += Digest.hex(compute(call.bytes(0, i)))
    return true
  }
}

/// A part of a URL: `scheme://user@host:port/path?query#fragment`.
private func urlPart(_ url: Substring, _ part: String, _ key: String?) -> Substring? {
  var rest = url
  var fragment: Substring?
  if let hash = rest.firstIndex(of: "#") {
    fragment = rest[rest.index(after: hash)...]
    rest = rest[..<hash]
  }
  var query: Substring?
  if let mark = rest.firstIndex(of: "?") {
    query = rest[rest.index(after: mark)...]
    rest = rest[..<mark]
  }
  guard let colon = rest.firstIndex(of: ":"), rest[colon...].hasPrefix("://") else { return nil }
  let scheme = rest[..<colon]
  let after = rest[rest.index(colon, offsetBy: 3)...]
  let slash = after.firstIndex(of: "/") ?? after.endIndex
  let authority = after[..<slash]
  let path = after[slash...]
  let at = authority.lastIndex(of: "@")
  let hostPort = at.map { authority[authority.index(after: $0)...] } ?? authority
  switch part {
  case "PROTOCOL": return scheme
  case "AUTHORITY": return authority
  case "USERINFO": return at.map { authority[..<$0] }
  case "HOST": return hostPort[..<(hostPort.firstIndex(of: ":") ?? hostPort.endIndex)]
  case "PATH": return path
  case "REF": return fragment
  case "FILE": return query.map { path + "?" + $0 } ?? path
  case "QUERY":
    guard let key else { return query }
    for pair in (query ?? "").split(separator: "&") {
      let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if sides.count == 2, sides[0] == key { return sides[1] }
    }
    return nil
  default: return nil
  }
}

let codingFunctions: [Function] = [
  digest("MD5", Digest.md5), digest("SHA1", Digest.sha1), digest("SHA224", Digest.sha224),
  digest("SHA256", Digest.sha256), digest("SHA384", WideDigest.sha384),
  digest("SHA512", WideDigest.sha512),
  .text("SHA2", [.text, .int]) { (call, i, out) throws(TerraceError) in
    switch call.int(1, i) {
    case 224: out += Digest.hex(Digest.sha224(call.bytes(0, i)))
    case 256: out += Digest.hex(Digest.sha256(call.bytes(0, i)))
    case 384: out += Digest.hex(WideDigest.sha384(call.bytes(0, i)))
    case 512: out += Digest.hex(WideDigest.sha512(call.bytes(0, i)))
    case let other:
      throw TerraceError(.unsupported, "SHA2 of \(other) bits").with("function", "SHA2")
    }
    return true
  },
  Function("HEX", [.any], .nullable(.string)) { (call) throws(TerraceError) -> Column in
    let type = call.arguments[0].type
    let argument = call.arguments[0]
    let wide =
      TypeRules.isInteger(type)
      ? Vector(
        try TextCast(context: call.context, orNull: true).apply(argument.column, to: .bigint),
        isConstant: argument.isConstant) : argument
    guard wide.column.physical == .bytes || wide.column.physical == .int64 else {
      throw call.failure("takes text or a whole number", type.text)
    }
    return try call.build { (out, i) in
      let row = i & wide.mask
      var text: [UInt8]
      if wide.column.physical == .bytes {
        text = Digest.hex(wide.column.bytes(row), upper: true)
      } else {
        let value = UInt64(bitPattern: wide.column.pointer(Int64.self)[row])
        text = Array(String(value, radix: 16, uppercase: true).utf8)
      }
      text.withUnsafeBytes { out.append(bytes: $0) }
    }
  },
  .text("UNHEX", [.text], result: .nullable(.bytes)) { (call, i, out) throws(TerraceError) in
    var digits = Array(call.bytes(0, i))
    if digits.count % 2 == 1 { digits.insert(0x30, at: 0) }
    for k in stride(from: 0, to: digits.count, by: 2) {
      guard let high = FormCoding.nibble(digits[k]), let low = FormCoding.nibble(digits[k + 1])
      else { return false }
      out.append(high << 4 | low)
    }
    return true
  },
  .text("TO_BASE64", [.text]) { (call, i, out) throws(TerraceError) in
    Base64.encode(call.bytes(0, i), into: &out)
    return true
  },
  .text("FROM_BASE64", [.text]) { (call, i, out) throws(TerraceError) in
    Base64.decode(call.bytes(0, i), into: &out)
  },
  .text("URL_ENCODE", [.text]) { (call, i, out) throws(TerraceError) in
    FormCoding.encode(call.bytes(0, i), into: &out)
    return true
  },
  .text("URL_DECODE", [.text]) { (call, i, out) throws(TerraceError) in
    FormCoding.decode(call.bytes(0, i), into: &out)
  },
  .text("PARSE_URL", [.text, .text, .text], optional: 1) { (call, i, out) throws(TerraceError) in
    let key = call.arguments.count > 2 ? call.text(2, i) : nil
    if key != nil, call.text(1, i) != "QUERY" { return false }
    guard let part = urlPart(Substring(call.text(0, i)), call.text(1, i), key) else { return false }
    out += Array(part.utf8)
    return true
  },
  Function("UUID", [], .notNull(DataType(.char(36))), isDeterministic: false) {
    (call) throws(TerraceError) -> Column in
    try call.build { (out, _) in
      var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
      bytes[6] = bytes[6] & 0x0f | 0x40
      bytes[8] = bytes[8] & 0x3f | 0x80
      var text = Digest.hex(bytes)
      for at in [20, 16, 12, 8] { text.insert(UInt8(ascii: "-"), at: at) }
      text.withUnsafeBytes { out.append(bytes: $0) }
    }
  },
]
