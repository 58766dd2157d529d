extension DataType {
  /// SQL text as Paimon's schema files hold it: `DECIMAL(10, 2) NOT NULL`, `ARRAY<INT>`.
  public var text: String { kindText + (isNullable ? "" : " NOT NULL") }

  private var kindText: String {
    switch kind {
    case .boolean: "BOOLEAN"
    case .tinyint: "TINYINT"
    case .smallint: "SMALLINT"
    case .int: "INT"
    case .bigint: "BIGINT"
    case .float: "FLOAT"
    case .double: "DOUBLE"
    case .decimal(let precision, let scale): "DECIMAL(\(precision), \(scale))"
    case .char(let length): "CHAR(\(length))"
    case .varchar(let length): length == DataType.unbounded ? "STRING" : "VARCHAR(\(length))"
    case .binary(let length): "BINARY(\(length))"
    case .varbinary(let length): length == DataType.unbounded ? "BYTES" : "VARBINARY(\(length))"
    case .date: "DATE"
    case .time(let precision): "TIME(\(precision))"
    case .timestamp(let precision): "TIMESTAMP(\(precision))"
    case .timestampLTZ(let precision): "TIMESTAMP(\(precision)) WITH LOCAL TIME ZONE"
    case .array(let element): "ARRAY<\(element.text)>"
    case .map(let key, let value): "MAP<\(key.text), \(value.text)>"
    case .multiset(let element): "MULTISET<\(element.text)>"
    case .row(let fields): "ROW<" + fields.map(DataType.memberText).joined(separator: ", ") + ">"
    }
  }

  private static func memberText(_ field: Field) -> String {
    var text = quoted(field.name, "`") + " " + field.type.text
    if let comment = field.comment { text += " " + quoted(comment, "'") }
    return text
  }

  private static func quoted(_ text: String, _ quote: Character) -> String {
    var out = String(quote)
    for character in text {
      if character == quote { out.append(quote) }
      out.append(character)
    }
    out.append(quote)
    return out
  }

  /// Reads SQL text: any case, any white space, the usual aliases.
  ///
  /// Members of a ROW get the id -1: a schema gives them theirs.
  /// - Throws: kind `invalid` when it is no type, `unsupported` for types that Paimon has and
  ///   Terrace has not.
  public init(text: String) throws(TerraceError) {
    var parser = DataTypeParser(text)
    self = try parser.parseAll()
  }
}

/// Recursive descent over the tokens of a type.
private struct DataTypeParser {
  private enum Token: Equatable {
    case word(String)
    case quoted(String)
    case comment(String)
    case number(Int)
    case symbol(UInt8)
  }

  private let text: String
  private var tokens: [Token] = []
  private var position = 0
  private static let depthMax = 50
  private static let lengthMax = 1 << 20
  private static let unsupported: Set<String> = [
    "VARIANT", "BLOB", "VECTOR", "GEOMETRY", "GEOGRAPHY", "BLOB_REF", "BLOB_VIEW",
  ]

  init(_ text: String) { self.text = text }

  mutating func parseAll() throws(TerraceError) -> DataType {
    if text.utf8.count > DataTypeParser.lengthMax { throw invalid("a type of over 1 MiB of text") }
    try tokenize()
    let type = try parse(depth: 0)
    if position < tokens.count { throw invalid("the type goes on after its end") }
    return type
  }

  private func invalid(_ what: String) -> TerraceError {
    TerraceError(.invalid, what).with("type", "'\(text.prefix(120))'")
  }

  private mutating func tokenize() throws(TerraceError) {
    let bytes = Array(text.utf8)
    var i = 0
    while i < bytes.count {
      let byte = bytes[i]
      switch byte {
      case 0x20, 0x09, 0x0a, 0x0d: i += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        var value = 0
        while i < bytes.count, bytes[i] >= 48, bytes[i] <= 57 {
          value = value * 10 + Int(bytes[i] - 48)
          if value > DataType.unbounded { throw invalid("a number in the type is too large") }
          i += 1
        }
        tokens.append(.number(value))
      case UInt8(ascii: "`"), UInt8(ascii: "\""), UInt8(ascii: "'"):
        let content = try unquote(bytes, &i)
        tokens.append(byte == UInt8(ascii: "'") ? .comment(content) : .quoted(content))
      case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"),
        UInt8(ascii: ","), UInt8(ascii: ":"):
        tokens.append(.symbol(byte))
        i += 1
      default:
        let start = i
        while i < bytes.count, DataTypeParser.isWord(bytes[i]) { i += 1 }
        if i == start { throw invalid("an unexpected character in the type") }
        tokens.append(.word(String(decoding: bytes[start..<i], as: UTF8.self)))
      }
    }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    byte >= 0x80 || byte == UInt8(ascii: "_") || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a)
      || (byte >= 48 && byte <= 57)
  }

  private func unquote(_ bytes: [UInt8], _ i: inout Int) throws(TerraceError) -> String {
    let quote = bytes[i]
    var content: [UInt8] = []
    i += 1
    while i < bytes.count {
      if bytes[i] == quote {
        i += 1
        if i == bytes.count || bytes[i] != quote {
          return String(decoding: content, as: UTF8.self)
        }
      }
      content.append(bytes[i])
      i += 1
    }
    throw invalid("a quote in the type is not closed")
  }

  private mutating func accept(_ symbol: Character) -> Bool {
    guard let byte = symbol.asciiValue, position < tokens.count,
      tokens[position] == .symbol(byte)
    else { return false }
    position += 1
    return true
  }

  private mutating func accept(word: String) -> Bool {
    guard position < tokens.count, case .word(let found) = tokens[position],
      found.uppercased() == word
    else { return false }
    position += 1
    return true
  }

  private mutating func accept(words: [String]) -> Bool {
    let start = position
    for word in words where !accept(word: word) {
      position = start
      return false
    }
    return true
  }

  private mutating func parse(depth: Int) throws(TerraceError) -> DataType {
    if depth > DataTypeParser.depthMax { throw invalid("the type is nested too deeply") }
    guard position < tokens.count, case .word(let word) = tokens[position] else {
      throw invalid("a type name is missing")
    }
    position += 1
    var type = DataType(try kind(word.uppercased(), depth))
    while true {
      if accept(words: ["NOT", "NULL"]) {
        type.isNullable = false
      } else if accept(word: "ARRAY") {
        type = .array(type)
      } else if accept(word: "MULTISET") {
        type = DataType(.multiset(type))
      } else {
        _ = accept(word: "NULL")
        return type
      }
    }
  }

  private mutating func kind(_ name: String, _ depth: Int) throws(TerraceError) -> DataType.Kind {
    switch name {
    case "BOOLEAN", "BOOL": return .boolean
    case "TINYINT": return .tinyint
    case "SMALLINT": return .smallint
    case "INT", "INTEGER": return .int
    case "BIGINT": return .bigint
    case "FLOAT": return .float
    case "DOUBLE":
      _ = accept(word: "PRECISION")
      return .double
    case "DECIMAL", "DEC", "NUMERIC": return try decimal()
    case "CHAR", "CHARACTER":
      if accept(word: "VARYING") { return .varchar(try length(1)) }
      return .char(try length(1))
    case "VARCHAR": return .varchar(try length(1))
    case "STRING": return .varchar(DataType.unbounded)
    case "BINARY":
      if accept(word: "VARYING") { return .varbinary(try length(1)) }
      return .binary(try length(1))
    case "VARBINARY": return .varbinary(try length(1))
    case "BYTES": return .varbinary(DataType.unbounded)
    case "DATE": return .date
    case "TIME":
      let precision = try self.precision(0)
      _ = accept(words: ["WITHOUT", "TIME", "ZONE"])
      return .time(precision)
    case "TIMESTAMP": return try timestamp()
    case "TIMESTAMP_LTZ": return .timestampLTZ(try precision(6))
    case "ARRAY": return .array(try wrapped(depth))
    case "MULTISET": return .multiset(try wrapped(depth))
    case "MAP": return try map(depth)
    case "ROW": return .row(try members(depth))
    default:
      if DataTypeParser.unsupported.contains(name) {
        throw TerraceError(.unsupported, "type \(name)")
      }
      throw invalid("no such type")
    }
  }

  private mutating func number() throws(TerraceError) -> Int {
    guard position < tokens.count, case .number(let value) = tokens[position] else {
      throw invalid("a number is missing in the type")
    }
    position += 1
    return value
  }

  private mutating func close(_ symbol: Character) throws(TerraceError) {
    if !accept(symbol) { throw invalid("'\(symbol)' is missing in the type") }
  }

  private mutating func length(_ fallback: Int) throws(TerraceError) -> Int {
    guard accept("(") else { return fallback }
    let value = try number()
    try close(")")
    if value < 1 { throw invalid("a length must be at least 1") }
    return value
  }

  private mutating func precision(_ fallback: Int) throws(TerraceError) -> Int {
    guard accept("(") else { return fallback }
    let value = try number()
    try close(")")
    if value > 9 { throw invalid("a precision must be from 0 to 9") }
    return value
  }

  private mutating func decimal() throws(TerraceError) -> DataType.Kind {
    guard accept("(") else { return .decimal(10, 0) }
    let precision = try number()
    let scale = accept(",") ? try number() : 0
    try close(")")
    if precision < 1 || precision > 38 || scale > precision {
      throw invalid("a DECIMAL has 1 to 38 digits, and no more decimals than digits")
    }
    return .decimal(precision, scale)
  }

  private mutating func timestamp() throws(TerraceError) -> DataType.Kind {
    let precision = try self.precision(6)
    if accept(words: ["WITH", "LOCAL", "TIME", "ZONE"]) { return .timestampLTZ(precision) }
    if accept(words: ["WITH", "TIME", "ZONE"]) {
      throw TerraceError(.unsupported, "type TIMESTAMP WITH TIME ZONE")
    }
    _ = accept(words: ["WITHOUT", "TIME", "ZONE"])
    return .timestamp(precision)
  }

  private mutating func wrapped(_ depth: Int) throws(TerraceError) -> DataType {
    try close("<")
    let element = try parse(depth: depth + 1)
    try close(">")
    return element
  }

  private mutating func map(_ depth: Int) throws(TerraceError) -> DataType.Kind {
    try close("<")
    let key = try parse(depth: depth + 1)
    try close(",")
    let value = try parse(depth: depth + 1)
    try close(">")
    return .map(key, value)
  }

  private mutating func members(_ depth: Int) throws(TerraceError) -> [Field] {
    let end: Character
    if accept("<") {
      end = ">"
    } else {
      try close("(")
      end = ")"
    }
    var fields: [Field] = []
    if accept(end) { return fields }
    repeat {
      guard position < tokens.count else { throw invalid("a member of the ROW is missing") }
      let name: String
      switch tokens[position] {
      case .word(let word): name = word
      case .quoted(let word): name = word
      default: throw invalid("a member of the ROW has no name")
      }
      position += 1
      _ = accept(":")
      var field = Field(id: -1, name: name, type: try parse(depth: depth + 1))
      if position < tokens.count, case .comment(let comment) = tokens[position] {
        field.comment = comment
        position += 1
      }
      fields.append(field)
    } while accept(",")
    try close(end)
    return fields
  }
}
