import Columns

/// Values inside values: the array and hstore syntax of PostgreSQL.
extension PostgresValue {
  /// `{1,NULL,"a \"b\""}`, with bounds before it when they do not begin at 1: `[0:1]={1,2}`.
  func appendArray(
    _ text: UnsafeRawBufferPointer, to builder: ColumnBuilder, _ element: PostgresValue
  ) throws(TextProblem) {
    var at = 0
    if text.first == UInt8(ascii: "[") {
      guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else { throw .nested }
      at = equals + 1
    }
    guard at < text.count, text[at] == UInt8(ascii: "{"), text.last == UInt8(ascii: "}") else {
      throw .nested
    }
    at += 1
    // Elements are read whole before the first is appended: a list cannot be taken back.
    let scratch = ColumnBuilder(builder.children[0].type)
    let piece = ByteWriter()
    if at < text.count - 1 {
      while true {
        let isQuoted = try Self.readElement(text, &at, into: piece)
        if !isQuoted, Self.isNull(piece.bytes) {
          scratch.appendNull()
        } else {
          try element.append(piece.bytes, to: scratch)
        }
        guard at < text.count else { throw .nested }
        let byte = text[at]
        at += 1
        if byte == UInt8(ascii: "}"), at == text.count { break }
        if byte != UInt8(ascii: ",") { throw .nested }
      }
    }
    let values = scratch.finish()
    builder.children[0].append(values, 0..<values.count)
    builder.endList()
  }

  /// `"key"=>"value", "other"=>NULL`
  func appendStore(
    _ text: UnsafeRawBufferPointer, to builder: ColumnBuilder, _ key: PostgresValue,
    _ value: PostgresValue
  ) throws(TextProblem) {
    let keys = ColumnBuilder(builder.children[0].type)
    let values = ColumnBuilder(builder.children[1].type)
    let piece = ByteWriter()
    var at = 0
    while at < text.count {
      if try !Self.readElement(text, &at, into: piece) { throw .nested }
      try key.append(piece.bytes, to: keys)
      guard text.count - at > 2, text[at] == UInt8(ascii: "="), text[at + 1] == UInt8(ascii: ">")
      else { throw .nested }
      at += 2
      let isQuoted = try Self.readElement(text, &at, into: piece)
      if !isQuoted {
        guard Self.isNull(piece.bytes) else { throw .nested }
        values.appendNull()
      } else {
        try value.append(piece.bytes, to: values)
      }
      if at == text.count { break }
      guard text.count - at > 2, text[at] == UInt8(ascii: ","), text[at + 1] == UInt8(ascii: " ")
      else { throw .nested }
      at += 2
    }
    let (k, v) = (keys.finish(), values.finish())
    builder.children[0].append(k, 0..<k.count)
    builder.children[1].append(v, 0..<v.count)
    builder.endList()
  }

  /// Reads up to the comma or brace behind a value. Whatever else ends one stands behind quotes.
  ///
  /// - Returns: whether it stood in quotes.
  private static func readElement(
    _ text: UnsafeRawBufferPointer, _ at: inout Int, into out: ByteWriter
  ) throws(TextProblem) -> Bool {
    out.removeAll()
    guard at < text.count else { throw .nested }
    if text[at] == UInt8(ascii: "\"") {
      at += 1
      while at < text.count {
        let byte = text[at]
        at += 1
        if byte == UInt8(ascii: "\"") { return true }
        if byte == UInt8(ascii: "\\") {
          guard at < text.count else { throw .nested }
          out.append(text[at])
          at += 1
        } else {
          out.append(byte)
        }
      }
      throw .nested
    }
    while at < text.count {
      let byte = text[at]
      // A second dimension begins with a brace.
      if byte == UInt8(ascii: "{") { throw .nested }
      if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") { break }
      out.append(byte)
      at += 1
    }
    if out.count == 0 { throw .nested }
    return false
  }

  private static func isNull(_ text: UnsafeRawBufferPointer) -> Bool {
    text.count == 4 && text[0] | 0x20 == UInt8(ascii: "n") && text[1] | 0x20 == UInt8(ascii: "u")
      && text[2] | 0x20 == UInt8(ascii: "l") && text[3] | 0x20 == UInt8(ascii: "l")
  }
}
