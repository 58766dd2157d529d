import Columns

extension MySQLColumn {
  /// A column as the log describes it, by its type and detail there and its metadata: as it was when its rows
  /// were written, whatever became of it.
  ///
  /// - Parameter collations: names of character sets by number.
  init(
    _ told: ToldColumn, _ type: UInt8, _ meta: Int, _ collations: [Int: String]
  ) throws(TerraceError) {
    let charset = told.collation.map { collations[$0] ?? "number \($0)" }
    let isBinary = charset == "binary"
    var base = Self.base(type, meta, isBinary: isBinary)
    var full = base
    if told.isUnsigned { full += " unsigned" }
    if !told.members.isEmpty {
      let names = try Self.names(told, charset)
      full +=
        "(" + names.map { "'" + $0.replacing("'", with: "''") + "'" }.joined(separator: ",") + ")"
    }
    if base == "year" { full = "year" }
    if type == 255 { base = "geometry" }
    self.init(
      name: told.name, base: base, full: full, charset: isBinary ? nil : charset, isNullable: true,
      length: 0, precision: type == 246 ? meta >> 8 : type == 16 ? meta : 0,
      scale: type == 246 ? meta & 255 : 0, fraction: [17, 18, 19].contains(type) ? meta : 0,
      isGenerated: false, comment: nil)
  }

  private static func base(_ type: UInt8, _ meta: Int, isBinary: Bool) -> String {
    switch type {
    case 1: "tinyint"
    case 2: "smallint"
    case 3: "int"
    case 8: "bigint"
    case 9: "mediumint"
    case 4: "float"
    case 5: "double"
    case 246: "decimal"
    case 10, 14: "date"
    case 11, 19: "time"
    case 12, 18: "datetime"
    case 7, 17: "timestamp"
    case 13: "year"
    case 16: "bit"
    case 15, 253: isBinary ? "varbinary" : "varchar"
    case 254: isBinary ? "binary" : "char"
    case 247: "enum"
    case 248: "set"
    case 242: "vector"
    case 245: "json"
    case 252: isBinary ? "blob" : "text"
    case 255: "geometry"
    case 140, 141: "compressed text"
    default: "type \(type)"
    }
  }

  private static func names(
    _ told: ToldColumn, _ charset: String?
  ) throws(TerraceError) -> [String] {
    let converter = charset.flatMap { MySQLCharset($0) }
    var names: [String] = []
    for member in told.members {
      let text = member.withUnsafeBytes { bytes in
        converter?.convert(bytes).map { String(decoding: $0, as: UTF8.self) }
      }
      guard let text else {
        throw TerraceError(.unsupported, "the character set \(charset ?? "of an ENUM or SET")")
          .with("column", told.name)
      }
      names.append(text)
    }
    return names
  }
}
