import Columns

/// A column as ALTER TABLE writes it.
struct MySQLColumnText: Equatable {
  enum Place: Equatable {
    case first
    case after(String)
  }

  private(set) var column: MySQLColumn
  /// It says that it is the primary key.
  private(set) var isKey = false
  private(set) var place: Place?

  /// - Parameter words: from its name on.
  init?(_ words: MySQLWords) {
    var words = words
    guard let name = words.name(), words.keyword() != nil else { return nil }
    column = MySQLColumn(
      name: name, base: "", full: "", charset: nil, isNullable: true, length: 0, precision: 0,
      scale: 0, fraction: 0, isGenerated: false, comment: nil)
    readType(&words)
    readRest(&words)
  }

  // MARK: The type

  private static let integers = [
    "TINYINT": "tinyint", "INT1": "tinyint", "SMALLINT": "smallint", "INT2": "smallint",
    "MEDIUMINT": "mediumint", "INT3": "mediumint", "MIDDLEINT": "mediumint", "INT": "int",
    "INTEGER": "int", "INT4": "int", "BIGINT": "bigint", "INT8": "bigint",
  ]

  private mutating func readType(_ words: inout MySQLWords) {
    _ = words.take("NATIONAL")
    let word = words.keyword() ?? ""
    words.skip()
    if let base = Self.integers[word] { return number(base, &words) }
    switch word {
    case "BOOL", "BOOLEAN": named("tinyint", "tinyint(1)")
    case "SERIAL":
      named("bigint", "bigint unsigned")
      column.isNullable = false
    case "FLOAT", "FLOAT4":
      let sizes = numbers(&words)
      named(sizes.count == 1 && sizes[0] > 24 ? "double" : "float")
    case "DOUBLE", "FLOAT8", "REAL":
      _ = words.take("PRECISION")
      _ = numbers(&words)
      named("double")
    case "DECIMAL", "DEC", "NUMERIC", "FIXED", "NUMBER": decimal(&words)
    case "BIT":
      column.precision = numbers(&words).first ?? 1
      named("bit", "bit(\(column.precision))")
    case "YEAR":
      let width = numbers(&words).first ?? 4
      named("year", "year(\(width))")
    case "TIME", "DATETIME", "TIMESTAMP":
      column.fraction = numbers(&words).first ?? 0
      let base = word.lowercased()
      named(base, column.fraction > 0 ? "\(base)(\(column.fraction))" : base)
    case "ENUM", "SET": members(word.lowercased(), &words)
    default: text(word, &words)
    }
  }

  private mutating func named(_ base: String, _ full: String? = nil) {
    column.base = base
    column.full = full ?? base
  }

  /// The numbers between brackets.
  private func numbers(_ words: inout MySQLWords) -> [Int] {
    guard let group = words.group() else { return [] }
    return group.parts().map { part in part.keyword().flatMap { Int($0) } ?? 0 }
  }

  private mutating func number(_ base: String, _ words: inout MySQLWords) {
    let width = numbers(&words).first
    named(base, width.map { "\(base)(\($0))" })
  }

  private mutating func decimal(_ words: inout MySQLWords) {
    let sizes = numbers(&words)
    // DECIMAL(0) is the usual one.
    let precision = sizes.first ?? 0
    column.precision = precision == 0 ? 10 : precision
    column.scale = sizes.count > 1 ? sizes[1] : 0
    named("decimal", "decimal(\(column.precision),\(column.scale))")
  }

  private mutating func members(_ base: String, _ words: inout MySQLWords) {
    var names: [String] = []
    for var part in words.group()?.parts() ?? [] { names.append(part.text() ?? "") }
    let list = names.map { "'" + $0.replacing("'", with: "''") + "'" }.joined(separator: ",")
    named(base, "\(base)(\(list))")
  }

  private mutating func text(_ word: String, _ words: inout MySQLWords) {
    switch word {
    case "CHAR", "CHARACTER", "NCHAR":
      let isVarying = words.take("VARYING")
      column.length = numbers(&words).first ?? 1
      named(isVarying ? "varchar" : "char")
    case "VARCHAR", "VARCHARACTER", "NVARCHAR", "VARCHAR2":
      _ = words.take("VARYING")
      column.length = numbers(&words).first ?? 0
      named("varchar")
    case "BINARY", "VARBINARY", "RAW":
      column.length = numbers(&words).first ?? 1
      named(word == "BINARY" ? "binary" : "varbinary")
    case "LONG":
      let isBinary = words.take("VARBINARY")
      if !isBinary { _ = words.take("VARCHAR") }
      named(isBinary ? "mediumblob" : "mediumtext")
    case "CLOB": named("longtext")
    default:
      _ = numbers(&words)
      named(word.lowercased())
    }
    if column.length > 0 { column.full = "\(column.base)(\(column.length))" }
    if words.take("BYTE") { makeBinary() }
  }

  /// A text in the character set `binary`.
  private mutating func makeBinary() {
    let bases = [
      "char": "binary", "varchar": "varbinary", "tinytext": "tinyblob", "text": "blob",
      "mediumtext": "mediumblob", "longtext": "longblob",
    ]
    guard let base = bases[column.base] else { return }
    column.full = base + column.full.dropFirst(column.base.count)
    column.base = base
    column.charset = nil
  }

  // MARK: Behind the type

  private mutating func readRest(_ words: inout MySQLWords) {
    while !words.isAtEnd {
      if words.take("UNSIGNED") || words.take("ZEROFILL") {
        if !column.isUnsigned { column.full += " unsigned" }
      } else if words.take("NOT", "NULL") {
        column.isNullable = false
      } else if words.take("DEFAULT") {
        if words.group() == nil { words.skip() }
      } else if words.take("COMMENT") {
        column.comment = words.text().flatMap { $0.isEmpty ? nil : $0 }
      } else if words.take("COMPRESSED") {
        column.full += " COMPRESSED"
      } else if words.take("CHARACTER", "SET") || words.take("CHARSET") {
        column.charset = words.name()?.lowercased()
        if column.charset == "binary" { makeBinary() }
      } else if words.take("AS") || words.take("GENERATED") {
        column.isGenerated = true
      } else if words.take("UNIQUE") {
        _ = words.take("KEY")
      } else if words.take("PRIMARY") || words.take("KEY") {
        isKey = true
        column.isNullable = false
      } else if words.take("REFERENCES") {
        _ = words.table(in: "")
      } else if words.take("FIRST") {
        place = .first
      } else if words.take("AFTER") {
        place = words.name().map { .after($0) }
      } else if words.group() == nil {
        words.skip()
      }
    }
  }
}
