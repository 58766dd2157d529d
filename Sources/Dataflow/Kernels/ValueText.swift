internal import Columns

/// The text of a value, as CAST to STRING gives it.
struct ValueText {
  let zone: SessionZone

  /// Appends the text of a row that is not null.
  func write(_ column: Column, _ row: Int, into out: inout [UInt8]) {
    switch column.type.kind {
    case .boolean:
      out.append(contentsOf: (column.pointer(UInt8.self)[row] != 0 ? "TRUE" : "FALSE").utf8)
    case .tinyint: out.append(contentsOf: String(column.pointer(Int8.self)[row]).utf8)
    case .smallint: out.append(contentsOf: String(column.pointer(Int16.self)[row]).utf8)
    case .int: out.append(contentsOf: String(column.pointer(Int32.self)[row]).utf8)
    case .bigint: out.append(contentsOf: String(column.pointer(Int64.self)[row]).utf8)
    case .float: out.append(contentsOf: ValueText.java(column.pointer(Float.self)[row].description))
    case .double:
      out.append(contentsOf: ValueText.java(column.pointer(Double.self)[row].description))
    case .decimal(_, let scale):
      let value =
        column.physical == .int64
        ? Int128(column.pointer(Int64.self)[row]) : column.pointer(Int128.self)[row]
      Decimal.write(value, scale, into: &out)
    case .date: Calendar.write(date: Int(column.pointer(Int32.self)[row]), into: &out)
    case .time(let precision):
      Calendar.write(
        nanosOfDay: Moment.read(column, row, zone).nanos, digits: precision, into: &out)
    case .timestamp(let precision), .timestampLTZ(let precision):
      let (days, nanos) = Moment.read(column, row, zone)
      Calendar.write(date: days, into: &out)
      out.append(0x20)
      Calendar.write(nanosOfDay: nanos, digits: precision, into: &out)
    case .array: list(column, row, "[", "]", into: &out)
    case .map, .multiset: list(column, row, "{", "}", into: &out)
    case .row:
      out.append(UInt8(ascii: "("))
      for (i, child) in column.children.enumerated() {
        if i > 0 { out.append(contentsOf: ", ".utf8) }
        element(child, row, into: &out)
      }
      out.append(UInt8(ascii: ")"))
    default: out.append(contentsOf: column.bytes(row))
    }
  }

  private func list(
    _ column: Column, _ row: Int, _ open: Unicode.Scalar, _ close: Unicode.Scalar,
    into out: inout [UInt8]
  ) {
    out.append(UInt8(ascii: open))
    let range = Int(column.offsets[row])..<Int(column.offsets[row + 1])
    for i in range {
      if i > range.lowerBound { out.append(contentsOf: ", ".utf8) }
      element(column.children[0], i, into: &out)
      if column.children.count == 2 {
        out.append(UInt8(ascii: "="))
        element(column.children[1], i, into: &out)
      }
    }
    out.append(UInt8(ascii: close))
  }

  private func element(_ column: Column, _ row: Int, into out: inout [UInt8]) {
    if column.isNull(row) {
      out.append(contentsOf: "NULL".utf8)
    } else {
      write(column, row, into: &out)
    }
  }

  /// Java's form of a floating-point number: `100.0`, `1.0E20`, `NaN`. The digits are Swift's, the
  /// shortest that read back the same.
  static func java(_ text: String) -> [UInt8] {
    if text == "nan" { return Array("NaN".utf8) }
    if text == "inf" { return Array("Infinity".utf8) }
    if text == "-inf" { return Array("-Infinity".utf8) }
    let negative = text.hasPrefix("-")
    let parts = text.drop { $0 == "-" }.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = Array(mantissa[0].utf8)
    let fraction = mantissa.count > 1 ? Array(mantissa[1].utf8) : []
    var digits = whole + fraction
    let leading = digits.prefix { $0 == 0x30 }.count
    if leading == digits.count { return Array((negative ? "-0.0" : "0.0").utf8) }
    let exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + whole.count - 1 - leading
    digits.removeFirst(leading)
    while digits.count > 1 && digits.last == 0x30 { digits.removeLast() }
    var out: [UInt8] = negative ? [UInt8(ascii: "-")] : []
    let point = UInt8(ascii: ".")
    if exponent >= 7 || exponent < -3 {
      out.append(digits[0])
      out.append(point)
      out.append(contentsOf: digits.count > 1 ? Array(digits[1...]) : [0x30])
      out.append(UInt8(ascii: "E"))
      out.append(contentsOf: String(exponent).utf8)
    } else if exponent < 0 {
      out.append(contentsOf: [0x30, point])
      out.append(contentsOf: repeatElement(0x30, count: -exponent - 1))
      out.append(contentsOf: digits)
    } else {
      for i in 0...exponent { out.append(i < digits.count ? digits[i] : 0x30) }
      out.append(point)
      out.append(
        contentsOf: digits.count > exponent + 1 ? Array(digits[(exponent + 1)...]) : [0x30])
    }
    return out
  }
}
