package import Columns

extension JSONValue {
  /// Nesting deeper than this is refused.
  package static let depthLimit = 256

  /// Reads one document (RFC 8259) that fills all the bytes; a byte order mark is passed over.
  ///
  /// - Throws: kind `corrupted`, with `line` and `column` (in bytes, from 1) of the offence.
  package static func parse(
    _ bytes: UnsafeRawBufferPointer, limit: Int = 64 << 20
  ) throws(TerraceError) -> JSONValue {
    if bytes.count > limit {
      throw TerraceError(.corrupted, "JSON document is too long").with("bytes", bytes.count)
        .with("limit", limit)
    }
    var parser = JSONParser(bytes: bytes)
    return try parser.document()
  }

  package static func parse(_ text: String) throws(TerraceError) -> JSONValue {
    let bytes = Array(text.utf8)
    let buffer = bytes.withUnsafeBytes { Buffer(copying: $0) }
    defer { withExtendedLifetime(buffer) {} }
    return try parse(buffer.bytes)
  }
}

/// Recursive descent over the bytes.
private struct JSONParser {
  let bytes: UnsafeRawBufferPointer
  var at = 0
  var depth = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func document() throws(TerraceError) -> JSONValue {
    if bytes.count >= 3 && bytes[0] == 0xef && bytes[1] == 0xbb && bytes[2] == 0xbf { at = 3 }
    let value = try value()
    skipSpace()
    if at < bytes.count { throw wrong("text after the document") }
    return value
  }

  func wrong(_ what: String, at place: Int? = nil) -> TerraceError {
    let place = min(place ?? at, bytes.count)
    var line = 1
    var start = 0
    for i in 0..<place where bytes[i] == 0x0a {
      line += 1
      start = i + 1
    }
    return TerraceError(.corrupted, "JSON: \(what)").with("line", line)
      .with("column", place - start + 1)
  }

  mutating func skipSpace() {
    while at < bytes.count {
      switch bytes[at] {
      case 0x20, 0x0a, 0x0d, 0x09: at += 1
      default: return
      }
    }
  }

  mutating func value() throws(TerraceError) -> JSONValue {
    skipSpace()
    guard at < bytes.count else { throw wrong("the document ends where a value should be") }
    switch bytes[at] {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw wrong("no value begins with this character")
    }
  }

  mutating func word(_ text: StaticString, _ value: JSONValue) throws(TerraceError) -> JSONValue {
    let count = text.utf8CodeUnitCount
    guard bytes.count - at >= count else { throw wrong("the document ends inside a word") }
    for i in 0..<count where bytes[at + i] != text.utf8Start[i] {
      throw wrong("a word that is not true, false or null")
    }
    at += count
    return value
  }

  mutating func enter() throws(TerraceError) {
    depth += 1
    if depth > JSONValue.depthLimit { throw wrong("nested deeper than \(JSONValue.depthLimit)") }
    at += 1
    skipSpace()
  }

  mutating func object() throws(TerraceError) -> JSONValue {
    try enter()
    var members: [JSONValue.Member] = []
    if at < bytes.count && bytes[at] == UInt8(ascii: "}") {
      at += 1
      depth -= 1
      return .object(members)
    }
    while true {
      skipSpace()
      guard at < bytes.count else { throw wrong("the document ends inside an object") }
      guard bytes[at] == UInt8(ascii: "\"") else { throw wrong("a member name was expected") }
      let name = try string()
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else {
        throw wrong("':' was expected")
      }
      at += 1
      members.append(JSONValue.Member(name, try value()))
      if try ended(by: UInt8(ascii: "}"), of: "object") { return .object(members) }
    }
  }

  mutating func array() throws(TerraceError) -> JSONValue {
    try enter()
    var items: [JSONValue] = []
    if at < bytes.count && bytes[at] == UInt8(ascii: "]") {
      at += 1
      depth -= 1
      return .array(items)
    }
    while true {
      items.append(try value())
      if try ended(by: UInt8(ascii: "]"), of: "array") { return .array(items) }
    }
  }

  /// Passes a comma (false) or the closing bracket (true).
  mutating func ended(by close: UInt8, of what: String) throws(TerraceError) -> Bool {
    skipSpace()
    guard at < bytes.count else { throw wrong("the document ends inside an \(what)") }
    let byte = bytes[at]
    guard byte == close || byte == UInt8(ascii: ",") else {
      throw wrong("',' or '\(Character(UnicodeScalar(close)))' was expected")
    }
    at += 1
    if byte == close { depth -= 1 }
    return byte == close
  }

  mutating func digits() throws(TerraceError) -> Int {
    let start = at
    while at < bytes.count, bytes[at] &- 0x30 <= 9 { at += 1 }
    if at == start { throw wrong("a digit was expected") }
    return at - start
  }

  mutating func number() throws(TerraceError) -> JSONValue {
    let start = at
    if bytes[at] == UInt8(ascii: "-") { at += 1 }
    let first = at
    let length = try digits()
    if length > 1 && bytes[first] == UInt8(ascii: "0") {
      throw wrong("a number with a leading zero", at: first)
    }
    var whole = true
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      whole = false
      at += 1
      _ = try digits()
    }
    if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
      whole = false
      at += 1
      if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") {
        at += 1
      }
      _ = try digits()
    }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)
    if whole, let value = Int64(text) { return .int(value) }
    return .number(text)
  }

  mutating func string() throws(TerraceError) -> String {
    let start = at
    at += 1
    var run = at
    var text: [UInt8]?
    while at < bytes.count {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") {
        let result: String?
        if var whole = text {
          whole.append(contentsOf: bytes[run..<at])
          result = String(validating: whole, as: UTF8.self)
        } else {
          result = String(validating: bytes[run..<at], as: UTF8.self)
        }
        guard let result else { throw wrong("a string that is not UTF-8", at: start) }
        at += 1
        return result
      }
      if byte < 0x20 { throw wrong("a control character inside a string") }
      if byte == UInt8(ascii: "\\") {
        var whole = text ?? []
        text = nil
        whole.append(contentsOf: bytes[run..<at])
        try escape(into: &whole)
        text = whole
        run = at
      } else {
        at += 1
      }
    }
    throw wrong("a string that does not end", at: start)
  }

  mutating func escape(into text: inout [UInt8]) throws(TerraceError) {
    guard at + 1 < bytes.count else { throw wrong("the document ends inside a string") }
    let place = at
    at += 2
    switch bytes[place + 1] {
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "\""): text.append(UInt8(ascii: "\""))
    case UInt8(ascii: "\\"): text.append(UInt8(ascii: "\\"))
    case UInt8(ascii: "/"): text.append(UInt8(ascii: "/"))
    case UInt8(ascii: "u"):
      var code = try hex(at: place)
      if code >> 10 == 0x36 {
        guard at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
          bytes[at + 1] == UInt8(ascii: "u")
        else { throw wrong("half of a surrogate pair", at: place) }
        at += 2
        let low = try hex(at: place)
        guard low >> 10 == 0x37 else { throw wrong("half of a surrogate pair", at: place) }
        code = 0x10000 + (code & 0x3ff) << 10 + low & 0x3ff
      }
      guard let scalar = Unicode.Scalar(code) else {
        throw wrong("half of a surrogate pair", at: place)
      }
      text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    default: throw wrong("an unknown escape", at: place)
    }
  }

  /// Four hexadecimal digits of an escape that began at `place`.
  mutating func hex(at place: Int) throws(TerraceError) -> UInt32 {
    guard bytes.count - at >= 4 else { throw wrong("the document ends inside an escape") }
    var code: UInt32 = 0
    for _ in 0..<4 {
      let byte = bytes[at]
      let digit: UInt8
      switch byte {
      case 0x30...0x39: digit = byte - 0x30
      case 0x41...0x46: digit = byte - 0x41 + 10
      case 0x61...0x66: digit = byte - 0x61 + 10
      default: throw wrong("an escape without four hexadecimal digits", at: place)
      }
      code = code << 4 | UInt32(digit)
      at += 1
    }
    return code
  }
}
