import Columns

/// How a cell of a result, as text, becomes a value of a column.
struct MySQLCell {
  let column: MySQLColumn
  private let zone: MySQLZone
  private let isZoned: Bool
  /// Of a text that comes as it is stored, to be read as the log is read.
  private let charset: MySQLCharset?

  /// - Throws: `unsupported` for a character set that is not known.
  init(_ column: MySQLColumn, _ type: DataType, _ zone: MySQLZone) throws(TerraceError) {
    let texts = ["char", "varchar", "tinytext", "text", "mediumtext", "longtext"]
    var charset: MySQLCharset?
    if texts.contains(column.base), let name = column.charset, !MySQLCharset.isPlain(name) {
      charset = MySQLCharset(name)
      if charset == nil {
        throw TerraceError(.unsupported, column.refusal).with("column", column.name)
      }
    }
    self.charset = charset
    self.column = column
    self.zone = zone
    if case .timestampLTZ = type.kind { isZoned = true } else { isZoned = false }
  }

  /// How it is asked for: so that the answer has all of the value.
  var expression: String {
    let name = MySQLConnection.name(column.name)
    // Servers show FLOAT with six digits.
    if column.base == "float" { return name + " + 0e0" }
    return charset == nil ? name : "CAST(\(name) AS BINARY)"
  }

  func append(_ cell: UnsafeRawBufferPointer, to target: MySQLTarget) throws(TextProblem) {
    switch column.base {
    case "year" where cell.count == 2:
      // YEAR(2), which the log has as whole years.
      let year = try ValueParser.integer(cell)
      try target.integer(year + (year < 70 ? 2000 : 1900))
    case "tinyint", "smallint", "mediumint", "int", "year":
      try target.integer(try ValueParser.integer(cell))
    case "bigint":
      if column.isUnsigned {
        try target.decimal(try ValueParser.decimal(cell, precision: 20, scale: 0), scale: 0)
      } else {
        try target.integer(try ValueParser.integer(cell))
      }
    case "float": try target.float(try ValueParser.float(cell))
    case "double": try target.double(try ValueParser.double(cell))
    case "decimal":
      if column.precision > 38 { return try target.text(cell) }
      try target.decimal(
        try ValueParser.decimal(cell, precision: column.precision, scale: column.scale),
        scale: column.scale)
    case "date": try appendDate(cell, target)
    case "datetime", "timestamp": try appendMoment(cell, target)
    case "time": try appendClock(cell, target)
    case "bit": try target.bits(cell)
    case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
      try target.binary(cell)
    case "set":
      try target.members(
        String(decoding: cell, as: UTF8.self).split(separator: ",").map(String.init))
    case "vector": try target.vector(cell)
    case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
      "multipolygon", "geometrycollection", "geomcollection":
      guard let text = MySQLGeometry.text(cell) else { throw .notText }
      try Self.append(text, target)
    default:
      guard let charset else { return try target.text(cell) }
      guard let text = charset.convert(cell) else { throw .notText }
      try target.text(text)
    }
  }

  static func append(_ text: String, _ target: MySQLTarget) throws(TextProblem) {
    let bytes = Array(text.utf8)
    let failure = bytes.withUnsafeBytes { bytes -> TextProblem? in
      do throws(TextProblem) {
        try target.text(bytes)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
  }

  private func appendDate(
    _ cell: UnsafeRawBufferPointer, _ target: MySQLTarget
  ) throws(TextProblem) {
    if MySQLCell.isNoDay(cell) { return try target.noDay() }
    try target.day(Int64(try ValueParser.date(cell)))
  }

  /// 0000-00-00, or a month or day of zero.
  private static func isNoDay(_ cell: UnsafeRawBufferPointer) -> Bool {
    guard cell.count >= 10 else { return false }
    let zero = UInt8(ascii: "0")
    return (cell[5] == zero && cell[6] == zero) || (cell[8] == zero && cell[9] == zero)
      || cell.prefix(4).allSatisfy { $0 == zero } && cell[5] == zero && cell[6] == zero
  }

  private func appendMoment(
    _ cell: UnsafeRawBufferPointer, _ target: MySQLTarget
  ) throws(TextProblem) {
    if MySQLCell.isNoDay(cell) { return try target.noDay() }
    let (second, nano) = try ValueParser.timestamp(cell, precision: 9, isZoned: false)
    // The session is in UTC: a TIMESTAMP is the moment, a DATETIME what the clock on the wall showed.
    let shift = column.base == "timestamp" && !isZoned ? zone.seconds(at: second) : 0
    try target.moment(second: second + shift, micro: nano / 1000, fraction: column.fraction)
  }

  private func appendClock(
    _ cell: UnsafeRawBufferPointer, _ target: MySQLTarget
  ) throws(TextProblem) {
    var parts: [Int64] = [0]
    var fraction: Int64 = 0
    var digits = 0
    var isAfter = false
    let isNegative = cell.first == UInt8(ascii: "-")
    for byte in cell.dropFirst(isNegative ? 1 : 0) {
      switch byte {
      case UInt8(ascii: ":"): parts.append(0)
      case UInt8(ascii: "."): isAfter = true
      case 0x30...0x39:
        if isAfter {
          if digits < 6 { fraction = fraction * 10 + Int64(byte - 0x30) }
          digits += 1
        } else if parts[parts.count - 1] < 10_000 {
          parts[parts.count - 1] = parts[parts.count - 1] * 10 + Int64(byte - 0x30)
        } else {
          throw .notTime
        }
      default: throw .notTime
      }
    }
    guard parts.count == 3 else { throw .notTime }
    for _ in min(digits, 6)..<6 { fraction *= 10 }
    let micros = (parts[0] * 3600 + parts[1] * 60 + parts[2]) * 1_000_000 + fraction
    try target.clock(micros: isNegative ? -micros : micros, fraction: column.fraction)
  }
}
