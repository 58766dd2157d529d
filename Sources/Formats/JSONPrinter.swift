package import Columns

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
    case .string(let text): Self.append(text, to: out)
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
        if pretty { Self.newLine(depth + 1, to: out) }
        Self.append(member.name, to: out)
        out.append(pretty ? " : " : ":" as StaticString)
        member.value.write(to: out, pretty: pretty, depth: depth + 1)
      }
      if pretty { Self.newLine(depth, to: out) }
      out.append(UInt8(ascii: "}"))
    }
  }

  private static func newLine(_ depth: Int, to out: ByteWriter) {
    out.append(0x0a)
    for _ in 0..<depth { out.append("  " as StaticString) }
  }

  private static func append(_ text: String, to out: ByteWriter) {
    var text = text
    text.withUTF8 { JSONText.appendQuoted(UnsafeRawBufferPointer($0), to: out) }
  }
}
