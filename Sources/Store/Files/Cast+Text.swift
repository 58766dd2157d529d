internal import Columns

extension Cast {
  /// The column as unbounded text, in the form that Java Paimon casts to.
  static func formatText(_ column: Column) -> Column {
    let out = ColumnBuilder(DataType.string, capacity: column.count)
    for row in 0..<column.count {
      if column.isNull(row) { out.appendNull() } else { out.append(text(column, row)) }
    }
    return out.finish()
  }

  private static func text(_ column: Column, _ row: Int) -> String {
    switch column.type.kind {
    case .boolean: column.pointer(UInt8.self)[row] != 0 ? "true" : "false"
    case .tinyint: "\(column.pointer(Int8.self)[row])"
    case .smallint: "\(column.pointer(Int16.self)[row])"
    case .int: "\(column.pointer(Int32.self)[row])"
    case .bigint: "\(column.pointer(Int64.self)[row])"
    case .float: javaText("\(column.pointer(Float.self)[row])")
    case .double: javaText("\(column.pointer(Double.self)[row])")
    case .decimal(_, let scale):
      decimalText(
        column.physical == .int64
          ? Int128(column.pointer(Int64.self)[row]) : column.pointer(Int128.self)[row], scale)
    case .date: dateText(Int(column.pointer(Int32.self)[row]))
    case .time(let precision):
      clockText(Int128(column.pointer(Int32.self)[row]) * 1_000_000, digits: precision)
    case .timestamp(let precision), .timestampLTZ(let precision):
      timestampText(
        column.physical == .int64
          ? Int128(column.pointer(Int64.self)[row]) : column.pointer(Int128.self)[row],
        unitsPerSecond(column.type), digits: precision)
    default: String(decoding: column.bytes(row), as: UTF8.self)
    }
  }

  static func decimalText(_ value: Int128, _ scale: Int) -> String {
    if scale == 0 { return "\(value)" }
    var digits = "\(value.magnitude)"
    if digits.count <= scale {
      digits = String(repeating: "0", count: scale + 1 - digits.count) + digits
    }
    let point = digits.index(digits.endIndex, offsetBy: -scale)
    return (value < 0 ? "-" : "") + digits[..<point] + "." + digits[point...]
  }

  /// Java writes 1.0E10 and Infinity where Swift writes 1e+10 and inf, and turns to exponents from
  /// 10⁷ on and below 10⁻³.
  static func javaText(_ text: String) -> String {
    if text == "nan" { return "NaN" }
    if text == "inf" { return "Infinity" }
    if text == "-inf" { return "-Infinity" }
    let negative = text.hasPrefix("-")
    let body = text.drop { $0 == "-" }
    let parts = body.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
    let whole = String(mantissa[0])
    let fraction = mantissa.count > 1 && mantissa[1] != "0" ? String(mantissa[1]) : ""
    let all = whole + fraction
    let leading = all.prefix { $0 == "0" }.count
    if leading == all.count { return negative ? "-0.0" : "0.0" }
    var digits = String(all.dropFirst(leading))
    exponent += whole.count - 1 - leading
    while digits.count > 1 && digits.hasSuffix("0") { digits.removeLast() }
    let sign = negative ? "-" : ""
    if exponent >= 7 || exponent < -3 {
      let rest = digits.dropFirst()
      return sign + digits.prefix(1) + "." + (rest.isEmpty ? "0" : rest) + "E\(exponent)"
    }
    if exponent < 0 {
      return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits
    }
    if digits.count <= exponent + 1 {
      return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
    }
    return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
  }

  /// Days since 1970 as a proleptic Gregorian date (Howard Hinnant, `civil_from_days`).
  static func dateText(_ days: Int) -> String {
    let z = days + 719_468
    let era = floorDiv(z, 146_097)
    let dayOfEra = z - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2)
  }

  private static func padded(_ value: Int, _ width: Int) -> String {
    let text = "\(value.magnitude)"
    return (value < 0 ? "-" : "")
      + String(repeating: "0", count: max(0, width - text.count)) + text
  }

  private static func clockText(_ nanosOfDay: Int128, digits: Int) -> String {
    let seconds = Int(nanosOfDay / 1_000_000_000)
    var text =
      padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":" + padded(seconds % 60, 2)
    if digits > 0 {
      text += "." + padded(Int(nanosOfDay % 1_000_000_000), 9).prefix(digits)
    }
    return text
  }

  private static func timestampText(_ value: Int128, _ unit: Int128, digits: Int) -> String {
    let days = floorDiv(value, unit * 86400)
    let rest = (value - days * unit * 86400) * (1_000_000_000 / unit)
    return dateText(Int(truncatingIfNeeded: days)) + " " + clockText(rest, digits: digits)
  }

  /// Text to numbers and booleans; what does not parse is null.
  static func parseText(_ column: Column, to type: DataType) -> Column {
    let out = ColumnBuilder(type, capacity: column.count)
    for row in 0..<column.count {
      let text = column.isNull(row) ? [] : trimmed(column.bytes(row))
      if text.isEmpty { out.appendNull() } else { appendParsed(text, to: out) }
    }
    return out.finish()
  }

  private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var slice = bytes[...]
    while let first = slice.first, first <= 0x20 { slice = slice.dropFirst() }
    while let last = slice.last, last <= 0x20 { slice = slice.dropLast() }
    return Array(slice)
  }

  private static func appendParsed(_ text: [UInt8], to out: ColumnBuilder) {
    let string = String(decoding: text, as: UTF8.self)
    switch out.type.kind {
    case .boolean:
      switch string.lowercased() {
      case "true", "t", "yes", "y", "1": out.append(UInt8(1))
      case "false", "f", "no", "n", "0": out.append(UInt8(0))
      default: out.appendNull()
      }
    case .float: if let v = Float(string) { out.append(v) } else { out.appendNull() }
    case .double: if let v = Double(string) { out.append(v) } else { out.appendNull() }
    case .tinyint: if let v = Int8(string) { out.append(v) } else { out.appendNull() }
    case .smallint: if let v = Int16(string) { out.append(v) } else { out.appendNull() }
    case .int: if let v = Int32(string) { out.append(v) } else { out.appendNull() }
    case .bigint: if let v = Int64(string) { out.append(v) } else { out.appendNull() }
    case .decimal(let precision, let scale):
      guard let (value, from) = parseDecimal(text),
        let scaled = rescale(value, from: from, to: scale, precision: precision)
      else {
        out.appendNull()
        return
      }
      if out.physical == .int128 {
        out.append(scaled)
      } else {
        out.append(Int64(truncatingIfNeeded: scaled))
      }
    default: out.appendNull()
    }
  }
}
