import Columns

extension JSONValue {
  /// The document as text.
  ///
  /// - Parameter pretty: laid out as Jackson's default printer does it, which is what Paimon's
  ///   metadata files look like: a member a line, two spaces deeper, `"name" : value`, arrays on
  ///   one line.
  package func text(pretty: Bool = false) -> String {
    let out = ByteWriter()
    write(to: out, pretty: pretty, depth: 0)
    return String(decoding: out.bytes, as: UTF8.self)
  }

  /// Appends the document to `out`; see ``text(pretty:)``.
  package func write(to out: ByteWriter, pretty: Bool = false, depth: Int = 0) {
    switch self {
    case .null: out.append("null" as StaticString)
    case .bool(let value): out.append(value ? "true" : "false" as StaticString)
    case .int(let value): out.append(String(value))
    case .number(let text): out.append(text)
    case .string(let text): JSONText.append(text, to: out)
    case .array(let items):
      if items.isEmpty { return out.append(pretty ? "[ ]" : "[]" as StaticString) }
      out.append(pretty ? "[ " : "[" as StaticString)
      for (index, item) in items.enumerated() {
        if index > 0 { out.append(pretty ? ", " : "," as StaticString) }
        item.write(to: out, pretty: pretty, depth: depth)
      }
      out.append(pretty ? " ]" : "]" as StaticString)
    case .object(let members):
      if members.isEmpty { return out.append(pretty ? "{ }" : "{}" as StaticString) }
      out.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        if pretty { JSONText.newLine(depth + 1, to: out) }
        JSONText.append(member.name, to: out)
        out.append(pretty ? " : " : ":" as StaticString)
        member.value.write(to: out, pretty: pretty, depth: depth + 1)
      }
      if pretty { JSONText.newLine(depth, to: out) }
      out.append(UInt8(ascii: "}"))
    }
  }
}

/// Strings and layout of JSON text.
enum JSONText {
  static func newLine(_ depth: Int, to out: ByteWriter) {
    out.append(0x0a)
    for _ in 0..<depth { out.append("  " as StaticString) }
  }

  static func append(_ text: String, to out: ByteWriter) {
    var text = text
    text.withUTF8 { appendQuoted(UnsafeRawBufferPointer($0), to: out) }
  }

  /// A quoted string; only what must be escaped is. The bytes must be UTF-8.
  static func appendQuoted(_ bytes: UnsafeRawBufferPointer, to out: ByteWriter) {
    out.reserve(bytes.count + 2)
    out.append(UInt8(ascii: "\""))
    var run = 0
    for at in 0..<bytes.count {
      let byte = bytes[at]
      if byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") { continue }
      out.append(UnsafeRawBufferPointer(rebasing: bytes[run..<at]))
      run = at + 1
      appendEscape(byte, to: out)
    }
    out.append(UnsafeRawBufferPointer(rebasing: bytes[run..<bytes.count]))
    out.append(UInt8(ascii: "\""))
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
      let digits: StaticString = "0123456789abcdef"
      out.append("u00" as StaticString)
      out.append(digits.utf8Start[Int(byte >> 4)])
      out.append(digits.utf8Start[Int(byte & 15)])
    }
  }
}
