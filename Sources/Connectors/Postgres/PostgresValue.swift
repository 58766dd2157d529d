import Columns

/// Reads the text that PostgreSQL prints for values into a column of a declared type; made once a column.
///
/// Exact, but for two things that the declared type asks for: decimals are rounded half up to its scale,
/// and fractions of seconds are cut to its precision. `infinity` and NaN where the type has none, and
/// numbers too large for it, are problems of the value.
struct PostgresValue: Sendable {
  private enum Op: UInt8 {
    case plain, boolean, decimal, text, bytes, date, time, timestamp, array, map
  }

  private let op: Op
  private let plain: ValueParser
  private var precision = 0
  private var scale = 0
  private let isZoned: Bool
  private let element: [PostgresValue]

  init(_ type: DataType) {
    // Lengths of texts are not enforced, here as in all sources.
    plain = ValueParser(type.isText ? .string : type)
    var zoned = false
    var element: [PostgresValue] = []
    switch type.kind {
    case .boolean: op = .boolean
    case .decimal(let p, let s):
      op = .decimal
      precision = p
      scale = s
    case .varchar(let length): op = length == DataType.unbounded ? .text : .plain
    case .binary, .varbinary: op = .bytes
    case .date: op = .date
    case .time(let p):
      op = .time
      precision = p
    case .timestamp(let p):
      op = .timestamp
      precision = p
    case .timestampLTZ(let p):
      op = .timestamp
      precision = p
      zoned = true
    case .array(let inner):
      op = .array
      element = [PostgresValue(inner)]
    case .map(let key, let value):
      op = .map
      element = [PostgresValue(key), PostgresValue(value)]
    default: op = .plain
    }
    isZoned = zoned
    self.element = element
  }

  /// Appends the value, or throws and appends nothing (but elements of an unfinished list).
  func append(
    _ text: UnsafeRawBufferPointer, to builder: ColumnBuilder
  ) throws(TextProblem) {
    switch op {
    case .text: builder.append(bytes: text)
    case .plain: try plain.append(text, to: builder)
    case .boolean:
      if text.count == 1, text[0] == UInt8(ascii: "t") {
        builder.append(1 as UInt8)
      } else if text.count == 1, text[0] == UInt8(ascii: "f") {
        builder.append(0 as UInt8)
      } else {
        try plain.append(text, to: builder)
      }
    case .decimal:
      let value = try ValueParser.rounded(
        text, precision: precision, scale: scale, cuts: false)
      if precision <= 18 {
        builder.append(Int64(truncatingIfNeeded: value))
      } else {
        builder.append(value)
      }
    case .bytes: try appendBytes(text, to: builder)
    case .date: builder.append(try date(text))
    case .time: try appendTime(text, to: builder)
    case .timestamp: try appendTimestamp(text, to: builder)
    case .array: try appendArray(text, to: builder, element[0])
    case .map: try appendStore(text, to: builder, element[0], element[1])
    }
  }

  private func appendBytes(
    _ text: UnsafeRawBufferPointer, to builder: ColumnBuilder
  ) throws(TextProblem) {
    guard text.count >= 2, text.count % 2 == 0, text[0] == UInt8(ascii: "\\"),
      text[1] == UInt8(ascii: "x")
    else { throw .notHex }
    let count = text.count / 2 - 1
    let target = builder.spareBytes(count)
    for i in 0..<count {
      let high = ValueParser.hexValue(text[2 * i + 2])
      let low = ValueParser.hexValue(text[2 * i + 3])
      if high > 15 || low > 15 { throw .notHex }
      target.storeBytes(of: high << 4 | low, toByteOffset: i, as: UInt8.self)
    }
    builder.append(bytes: UnsafeRawBufferPointer(start: target, count: count))
  }

  // MARK: Times

  private func date(_ text: UnsafeRawBufferPointer) throws(TextProblem) -> Int32 {
    try Self.withEra(text) { (plain) throws(TextProblem) in try ValueParser.date(plain) }
  }

  private func appendTime(
    _ text: UnsafeRawBufferPointer, to builder: ColumnBuilder
  ) throws(TextProblem) {
    let millis = try ValueParser.time(text, precision: 9)
    let unit: Int32 = precision == 0 ? 1000 : precision == 1 ? 100 : precision == 2 ? 10 : 1
    builder.append(millis - millis % unit)
  }

  private func appendTimestamp(
    _ text: UnsafeRawBufferPointer, to builder: ColumnBuilder
  ) throws(TextProblem) {
    let zoned = isZoned
    let moment = try Self.withEra(text) {
      (plain) throws(TextProblem) -> (second: Int64, nanosecond: Int64) in
      // A zone that the column does not have is UTC: sessions ask for that.
      if !zoned, plain.count > 3, plain[plain.count - 3] == UInt8(ascii: "+") {
        return try ValueParser.timestamp(plain, precision: 9, isZoned: true)
      }
      return try ValueParser.timestamp(plain, precision: 9, isZoned: zoned)
    }
    var unit: Int64 = 1
    for _ in precision..<9 { unit *= 10 }
    let nanosecond = moment.nanosecond - moment.nanosecond % unit
    switch precision {
    case ...3: builder.append(moment.second * 1_000 + nanosecond / 1_000_000)
    case ...6:
      let (product, overflow) = moment.second.multipliedReportingOverflow(by: 1_000_000)
      let (sum, carry) = product.addingReportingOverflow(nanosecond / 1_000)
      if overflow || carry { throw .outOfRange }
      builder.append(sum)
    default: builder.append(Int128(moment.second) * 1_000_000_000 + Int128(nanosecond))
    }
  }

  /// PostgreSQL counts years before our era from 1 and writes ` BC` behind the value.
  private static func withEra<Value>(
    _ text: UnsafeRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws(TextProblem) -> Value
  ) throws(TextProblem) -> Value {
    guard text.count > 8, text[text.count - 1] == UInt8(ascii: "C"),
      text[text.count - 2] == UInt8(ascii: "B"), text[text.count - 3] == UInt8(ascii: " ")
    else { return try body(text) }
    var year: Int64 = 0
    var at = 0
    while at < text.count, text[at] &- 0x30 <= 9, at < 7 {
      year = year * 10 + Int64(text[at] &- 0x30)
      at += 1
    }
    if at < 4 || year < 1 { throw .notDate }
    let out = ByteWriter()
    let digits = String(year - 1)
    out.append(year == 1 ? "" : "-")
    out.append(String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits)
    out.append(UnsafeRawBufferPointer(rebasing: text[at..<(text.count - 3)]))
    defer { withExtendedLifetime(out) {} }
    return try body(out.bytes)
  }
}
