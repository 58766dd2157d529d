import Columns

extension Parser {
  /// A column type with its NOT NULL. Members of a ROW get the ids 0, 1, ….
  mutating func type() throws(TerraceError) -> DataType {
    try enter()
    defer { leave() }
    var type = DataType(try typeKind())
    while true {
      if accept(.not, .null) {
        type.isNullable = false
      } else if accept(.array) {
        type = .array(type)
      } else if accept(.multiset) {
        type = DataType(.multiset(type))
      } else {
        _ = accept(.null)
        return type
      }
    }
  }

  private mutating func typeKind() throws(TerraceError) -> DataType.Kind {
    let token = current
    guard token.kind == .word else { throw unexpected("a type") }
    advance()
    switch token.keyword {
    case .boolean: return .boolean
    case .tinyint: return .tinyint
    case .smallint: return .smallint
    case .int, .integer: return .int
    case .bigint: return .bigint
    case .float: return .float
    case .double:
      _ = accept(.precision)
      return .double
    case .decimal, .dec, .numeric: return try decimal()
    case .char, .character:
      if accept(.varying) { return .varchar(try length(or: DataType.unbounded)) }
      return .char(try length())
    case .varchar: return .varchar(try length(or: DataType.unbounded))
    case .string: return .varchar(DataType.unbounded)
    case .binary:
      if accept(.varying) { return .varbinary(try length(or: DataType.unbounded)) }
      return .binary(try length())
    case .varbinary: return .varbinary(try length(or: DataType.unbounded))
    case .bytes: return .varbinary(DataType.unbounded)
    case .date: return .date
    case .time:
      let precision = try precision(default: 0)
      _ = accept(.without, .time, .zone)
      return .time(precision)
    case .timestamp, .timestamp_ltz: return try timestamp(token)
    case .array, .multiset: return try collection(token)
    case .map: return try map()
    case .row: return .row(try members())
    case .raw, .variant, .bitmap, .interval:
      throw unsupported("the type \(source.text(token.span).uppercased())", at: token.span)
    default:
      let text = source.text(token.span)
      throw error(
        "unknown type '\(text)'", at: token.span,
        hint: Suggestion.nearest(to: text, among: Parser.typeNames).map { "did you mean \($0)?" }
          ?? Parser.foreignTypes[text.uppercased()].map { "write \($0)" } ?? "")
    }
  }

  private static let typeNames = [
    "BOOLEAN", "TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL",
    "NUMERIC", "CHAR", "VARCHAR", "STRING", "BINARY", "VARBINARY", "BYTES", "DATE", "TIME",
    "TIMESTAMP", "TIMESTAMP_LTZ", "ARRAY", "MAP", "MULTISET", "ROW",
  ]

  /// What other databases call our types.
  private static let foreignTypes = [
    "TEXT": "STRING", "DATETIME": "TIMESTAMP(3)", "LONG": "BIGINT", "BLOB": "BYTES",
    "REAL": "FLOAT",
    "BOOL": "BOOLEAN", "INT8": "BIGINT", "INT4": "INT", "INT64": "BIGINT", "SERIAL": "BIGINT",
    "STRUCT": "ROW", "JSON": "STRING", "UUID": "STRING", "NUMBER": "DECIMAL",
    "TIMESTAMPTZ": "TIMESTAMP_LTZ(3)",
  ]

  /// - Parameter missing: without one; VARCHAR is STRING then, as in Flink's DDL, and CHAR one character.
  private mutating func length(or missing: Int = 1) throws(TerraceError) -> Int {
    guard accept(.leftParenthesis) else { return missing }
    let span = current.span
    let length = try integer("a length")
    if length < 1 { throw error("a length is at least 1", at: span) }
    try expect(.rightParenthesis, "')'")
    return length
  }

  private mutating func precision(default missing: Int) throws(TerraceError) -> Int {
    guard accept(.leftParenthesis) else { return missing }
    let span = current.span
    let precision = try integer("a precision")
    if precision > 9 { throw error("a precision of time is 0 to 9", at: span) }
    try expect(.rightParenthesis, "')'")
    return precision
  }

  private mutating func decimal() throws(TerraceError) -> DataType.Kind {
    guard accept(.leftParenthesis) else { return .decimal(10, 0) }
    let span = current.span
    let precision = try integer("a precision")
    if precision < 1 || precision > 38 {
      throw error("the precision of DECIMAL is 1 to 38", at: span)
    }
    var scale = 0
    if accept(.comma) {
      let span = current.span
      scale = try integer("a scale")
      if scale > precision {
        throw error("the scale of DECIMAL is at most its precision", at: span)
      }
    }
    try expect(.rightParenthesis, "')'")
    return .decimal(precision, scale)
  }

  private mutating func timestamp(_ token: Token) throws(TerraceError) -> DataType.Kind {
    let precision = try precision(default: 6)
    if token.keyword == .timestamp_ltz { return .timestampLTZ(precision) }
    if accept(.with, .local) {
      try expect(.time, .zone)
      return .timestampLTZ(precision)
    }
    if isAt(.with, .time) {
      throw unsupported(
        "TIMESTAMP WITH TIME ZONE", at: token.span, hint: "TIMESTAMP_LTZ holds instants")
    }
    _ = accept(.without, .time, .zone)
    return .timestamp(precision)
  }

  private mutating func collection(_ token: Token) throws(TerraceError) -> DataType.Kind {
    try expect(.less, "'<'")
    let element = try type()
    try expect(.greater, "'>'")
    return token.keyword == .array ? .array(element) : .multiset(element)
  }

  private mutating func map() throws(TerraceError) -> DataType.Kind {
    try expect(.less, "'<'")
    let key = try type()
    try expect(.comma, "','")
    let value = try type()
    try expect(.greater, "'>'")
    return .map(key, value)
  }

  /// `<a INT, b STRING 'comment'>`, or the same in parentheses.
  private mutating func members() throws(TerraceError) -> [Field] {
    let closing: Token.Kind
    if accept(.less) {
      closing = .greater
    } else {
      try expect(.leftParenthesis, "'<' or '('")
      closing = .rightParenthesis
    }
    var fields: [Field] = []
    if accept(closing) { return fields }
    repeat {
      let name = try name("the name of a field")
      var field = Field(id: fields.count, name: name.text, type: try type())
      if current.kind == .string { field.comment = try string() }
      if fields.contains(where: { $0.name == field.name }) {
        throw error("the field '\(name.text)' is given twice", at: name.span)
      }
      fields.append(field)
    } while accept(.comma)
    try expect(closing, closing == .greater ? "'>' or ','" : "')' or ','")
    return fields
  }
}
