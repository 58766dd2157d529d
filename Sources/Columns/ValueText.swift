/// Values as text. What is printed here, ``ValueParser`` reads back as the same value.
///
/// | type | text |
/// |---|---|
/// | integers, DECIMAL | plain, all digits of the scale |
/// | FLOAT, DOUBLE | shortest that reads back; `NaN`, `Infinity`, `-Infinity` |
/// | BINARY, BYTES | `0x…` |
/// | DATE, TIME(p) | `2024-02-29`, `12:34:56.789` with p digits |
/// | TIMESTAMP(p) | `2024-02-29 12:34:56.789` with p digits; LTZ in UTC with `Z` |
/// | ARRAY, MAP, MULTISET, ROW | JSON, see ``ValueFormat/appendJSON(_:_:to:)`` |
public enum ValueText {
  /// The text of one value; for messages and tests, not for loops.
  public static func text(_ column: Column, _ row: Int) -> String {
    if column.isNull(row) { return "NULL" }
    let out = ByteWriter()
    ValueFormat(column.type).append(column, row, to: out)
    return out.text
  }

  /// The text of a value of that type; null is `NULL`.
  public static func text(_ value: Scalar, _ type: DataType) -> String {
    text(Column.repeating(value, type: type, count: 1), 0)
  }
}

/// How the values of one type are printed; made once a column, used for every row.
public final class ValueFormat: Sendable {
  enum Op: UInt8 {
    case boolean, int8, int16, int32, int64, float, double, decimal64, decimal128, text, bytes
    case date, time, timestamp, zoned, list, map, row
  }

  let op: Op
  /// Of times and timestamps; the scale of decimals.
  private let digits: Int
  let inner: [ValueFormat]
  /// Of the fields of a row, quoted and with the colon.
  let names: [[UInt8]]

  public init(_ type: DataType) {
    var digits = 0
    var inner: [ValueFormat] = []
    var names: [[UInt8]] = []
    switch type.kind {
    case .boolean: op = .boolean
    case .tinyint: op = .int8
    case .smallint: op = .int16
    case .int: op = .int32
    case .bigint: op = .int64
    case .float: op = .float
    case .double: op = .double
    case .decimal(let precision, let scale):
      op = precision <= 18 ? .decimal64 : .decimal128
      digits = scale
    case .char, .varchar: op = .text
    case .binary, .varbinary: op = .bytes
    case .date: op = .date
    case .time(let precision):
      op = .time
      digits = precision
    case .timestamp(let precision):
      op = .timestamp
      digits = precision
    case .timestampLTZ(let precision):
      op = .zoned
      digits = precision
    case .array(let element):
      op = .list
      inner = [ValueFormat(element)]
    case .map(let key, let value):
      op = .map
      inner = [ValueFormat(key), ValueFormat(value)]
    case .multiset(let element):
      op = .map
      inner = [ValueFormat(element), ValueFormat(DataType.int)]
    case .row(let fields):
      op = .row
      inner = fields.map { ValueFormat($0.type) }
      names = fields.map { ValueFormat.jsonName($0.name) }
    }
    self.digits = digits
    self.inner = inner
    self.names = names
  }

  /// A member name of a JSON object: quoted, escaped and followed by its colon.
  public static func jsonName(_ name: String) -> [UInt8] {
    let out = ByteWriter()
    var name = name
    name.withUTF8 { JSONText.appendQuoted(UnsafeRawBufferPointer($0), to: out) }
    out.append(UInt8(ascii: ":"))
    return Array(out.bytes)
  }

  /// Appends the text of a value that is not null. Text columns go as they are, byte for byte.
  public func append(_ column: Column, _ row: Int, to out: ByteWriter) {
    switch op {
    case .boolean:
      out.append(column.pointer(UInt8.self)[row] != 0 ? "true" : "false" as StaticString)
    case .int8: ValueText.append(Int64(column.pointer(Int8.self)[row]), to: out)
    case .int16: ValueText.append(Int64(column.pointer(Int16.self)[row]), to: out)
    case .int32: ValueText.append(Int64(column.pointer(Int32.self)[row]), to: out)
    case .int64: ValueText.append(column.pointer(Int64.self)[row], to: out)
    case .float: ValueText.append(column.pointer(Float.self)[row], to: out)
    case .double: ValueText.append(column.pointer(Double.self)[row], to: out)
    case .decimal64:
      ValueText.appendDecimal(Int128(column.pointer(Int64.self)[row]), scale: digits, to: out)
    case .decimal128:
      ValueText.appendDecimal(column.pointer(Int128.self)[row], scale: digits, to: out)
    case .text: out.append(column.bytes(row))
    case .bytes: ValueText.appendHex(column.bytes(row), to: out)
    case .date: ValueText.appendDate(Int64(column.pointer(Int32.self)[row]), to: out)
    case .time:
      ValueText.appendTime(
        milliseconds: Int64(column.pointer(Int32.self)[row]), precision: digits, to: out)
    case .timestamp, .zoned:
      let moment = ValueText.moment(column, row, precision: digits)
      ValueText.appendTimestamp(
        second: moment.second, nanosecond: moment.nanosecond, precision: digits,
        isZoned: op == .zoned, to: out)
    case .list, .map, .row: appendNested(column, row, to: out)
    }
  }

  /// Appends a value as JSON.
  ///
  /// Numbers and booleans are bare; decimals, dates, times, timestamps, `0x…` bytes, NaN and the
  /// infinities are strings; ARRAY is `[v,…]`, MAP `[[k,v],…]`, MULTISET `[[k,count],…]`, ROW
  /// `{"name":v,…}`. Text that is not UTF-8 gets U+FFFD where it is not.
  public func appendJSON(_ column: Column, _ row: Int, to out: ByteWriter) {
    if column.isNull(row) { return out.append("null" as StaticString) }
    switch op {
    case .text: JSONText.appendQuoted(column.bytes(row), to: out)
    case .decimal64, .decimal128, .bytes, .date, .time, .timestamp, .zoned:
      out.append(UInt8(ascii: "\""))
      append(column, row, to: out)
      out.append(UInt8(ascii: "\""))
    case .float:
      appendNumber(column, row, isFinite: column.pointer(Float.self)[row].isFinite, to: out)
    case .double:
      appendNumber(column, row, isFinite: column.pointer(Double.self)[row].isFinite, to: out)
    default: append(column, row, to: out)
    }
  }

  func appendNumber(_ column: Column, _ row: Int, isFinite: Bool, to out: ByteWriter) {
    if !isFinite { out.append(UInt8(ascii: "\"")) }
    append(column, row, to: out)
    if !isFinite { out.append(UInt8(ascii: "\"")) }
  }

  private func appendNested(_ column: Column, _ row: Int, to out: ByteWriter) {
    if op == .row {
      out.append(UInt8(ascii: "{"))
      for field in 0..<inner.count {
        if field > 0 { out.append(UInt8(ascii: ",")) }
        names[field].withUnsafeBytes { out.append($0) }
        inner[field].appendJSON(column.children[field], row, to: out)
      }
      return out.append(UInt8(ascii: "}"))
    }
    let range = Int(column.offsets[row])..<Int(column.offsets[row &+ 1])
    out.append(UInt8(ascii: "["))
    for item in range {
      if item > range.lowerBound { out.append(UInt8(ascii: ",")) }
      if op == .list {
        inner[0].appendJSON(column.children[0], item, to: out)
      } else {
        out.append(UInt8(ascii: "["))
        inner[0].appendJSON(column.children[0], item, to: out)
        out.append(UInt8(ascii: ","))
        inner[1].appendJSON(column.children[1], item, to: out)
        out.append(UInt8(ascii: "]"))
      }
    }
    out.append(UInt8(ascii: "]"))
  }
}
