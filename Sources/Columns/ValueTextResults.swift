/// Values as members of a query's result.
extension ValueFormat {
  /// Appends a value as the JSON of a query's answer.
  ///
  /// Unlike ``appendJSON(_:_:to:)``, a DECIMAL is a bare number with all digits of its scale, and a
  /// MAP or MULTISET an object whose member names are the keys as text; null is `"null"` as a key.
  public func appendResultJSON(_ column: Column, _ row: Int, to out: ByteWriter) {
    if column.isNull(row) { return out.append("null" as StaticString) }
    switch op {
    case .decimal64, .decimal128: append(column, row, to: out)
    case .list:
      out.append(UInt8(ascii: "["))
      let range = Int(column.offsets[row])..<Int(column.offsets[row &+ 1])
      for item in range {
        if item > range.lowerBound { out.append(UInt8(ascii: ",")) }
        inner[0].appendResultJSON(column.children[0], item, to: out)
      }
      out.append(UInt8(ascii: "]"))
    case .map:
      out.append(UInt8(ascii: "{"))
      let range = Int(column.offsets[row])..<Int(column.offsets[row &+ 1])
      for item in range {
        if item > range.lowerBound { out.append(UInt8(ascii: ",")) }
        inner[0].appendMemberName(column.children[0], item, to: out)
        inner[1].appendResultJSON(column.children[1], item, to: out)
      }
      out.append(UInt8(ascii: "}"))
    case .row:
      out.append(UInt8(ascii: "{"))
      for field in 0..<inner.count {
        if field > 0 { out.append(UInt8(ascii: ",")) }
        names[field].withUnsafeBytes { out.append($0) }
        inner[field].appendResultJSON(column.children[field], row, to: out)
      }
      out.append(UInt8(ascii: "}"))
    default: appendJSON(column, row, to: out)
    }
  }

  /// The value's text, quoted, and a colon.
  private func appendMemberName(_ column: Column, _ row: Int, to out: ByteWriter) {
    let text = ByteWriter()
    if column.isNull(row) {
      text.append("null" as StaticString)
    } else {
      append(column, row, to: text)
    }
    JSONText.appendQuoted(text.bytes, to: out)
    out.append(UInt8(ascii: ":"))
  }
}
