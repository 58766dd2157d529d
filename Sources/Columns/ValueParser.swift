/// Reads text into a column of one type; made once a column, used for every row.
///
/// Strict: the whole text must be the value, and nothing is rounded or cut. What ``ValueText``
/// prints is read back as the same value. A lenient one takes what Flink's formats take: spaces around all
/// but texts, decimals rounded half up, fractions of seconds cut, texts and bytes of any length.
public struct ValueParser: Sendable {
  private enum Op: UInt8 {
    case boolean, int8, int16, int32, int64, float, double, decimal64, decimal128, text, bytes
    case date, time, timestamp, zoned, nested
  }

  private let op: Op
  private let precision: Int
  private let scale: Int
  private let isLenient: Bool

  public init(_ type: DataType, isLenient: Bool = false) {
    self.isLenient = isLenient
    var precision = 0
    var scale = 0
    switch type.kind {
    case .boolean: op = .boolean
    case .tinyint: op = .int8
    case .smallint: op = .int16
    case .int: op = .int32
    case .bigint: op = .int64
    case .float: op = .float
    case .double: op = .double
    case .decimal(let p, let s):
      op = p <= 18 ? .decimal64 : .decimal128
      precision = p
      scale = s
    case .char(let length), .varchar(let length):
      op = .text
      precision = length
    case .binary(let length), .varbinary(let length):
      op = .bytes
      precision = length
    case .date: op = .date
    case .time(let p):
      op = .time
      precision = min(p, 3)
    case .timestamp(let p):
      op = .timestamp
      precision = p
    case .timestampLTZ(let p):
      op = .zoned
      precision = p
    case .array, .map, .multiset, .row: op = .nested
    }
    let isSized = op == .text || op == .bytes
    self.precision = isLenient && isSized ? Int.max : precision
    self.scale = scale
  }

  /// Appends the value of the text to a builder of the same type, or throws and appends nothing.
  public func append(
    _ text: UnsafeRawBufferPointer, to builder: ColumnBuilder
  ) throws(TextProblem) {
    let text = isLenient && op != .text && op != .bytes ? Self.trimmed(text) : text
    switch op {
    case .int64: builder.append(try Self.integer(text))
    case .int32: builder.append(try narrow(text, Int32.self))
    case .int16: builder.append(try narrow(text, Int16.self))
    case .int8: builder.append(try narrow(text, Int8.self))
    case .double: builder.append(try Self.double(text))
    case .float: builder.append(try Self.float(text))
    case .decimal64:
      builder.append(Int64(truncatingIfNeeded: try decimal(text)))
    case .decimal128: builder.append(try decimal(text))
    case .text:
      if text.count > precision, UTF8Text.characterCount(text) > precision { throw .tooLong }
      builder.append(bytes: text)
    case .bytes: try appendHex(text, to: builder)
    case .boolean: builder.append(try Self.boolean(text))
    case .date: builder.append(try Self.date(text))
    case .time: builder.append(try Self.time(text, precision: precision, cuts: isLenient))
    case .timestamp, .zoned: try appendTimestamp(text, to: builder)
    case .nested: throw .nested
    }
  }

  /// Without the blanks around it.
  private static func trimmed(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var (start, end) = (0, text.count)
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 0x09 <= 1 || byte == 0x0d }
    while start < end, isBlank(text[start]) { start += 1 }
    while end > start, isBlank(text[end - 1]) { end -= 1 }
    return end - start == text.count ? text : UnsafeRawBufferPointer(rebasing: text[start..<end])
  }

  private func decimal(_ text: UnsafeRawBufferPointer) throws(TextProblem) -> Int128 {
    isLenient
      ? try Self.rounded(text, precision: precision, scale: scale, cuts: false)
      : try Self.decimal(text, precision: precision, scale: scale)
  }

  /// The value of the text; for literals and options, not for loops.
  public static func scalar(_ text: String, _ type: DataType) throws(TextProblem) -> Scalar {
    let builder = ColumnBuilder(type)
    let out = ByteWriter()
    out.append(text)
    defer { withExtendedLifetime(out) {} }
    try ValueParser(type).append(out.bytes, to: builder)
    return builder.finish().scalar(0)
  }

  private func narrow<T: FixedWidthInteger>(
    _ text: UnsafeRawBufferPointer, _ type: T.Type
  ) throws(TextProblem) -> T {
    guard let value = T(exactly: try Self.integer(text)) else { throw .outOfRange }
    return value
  }

  /// 0 or 1 for `false` and `true` in any case.
  public static func boolean(_ text: UnsafeRawBufferPointer) throws(TextProblem) -> UInt8 {
    if matches(text, "true") { return 1 }
    if matches(text, "false") { return 0 }
    throw .notBoolean
  }

  /// Whether the text is the lower-case `word`, in any case.
  static func matches(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
    guard text.count == word.utf8CodeUnitCount else { return false }
    for i in 0..<text.count where text[i] | 0x20 != word.utf8Start[i] { return false }
    return true
  }

  private func appendHex(
    _ text: UnsafeRawBufferPointer, to builder: ColumnBuilder
  ) throws(TextProblem) {
    guard text.count >= 2, text.count % 2 == 0, text[0] == 0x30, text[1] | 0x20 == 0x78 else {
      throw .notHex
    }
    let count = text.count / 2 - 1
    if count > precision { throw .tooLong }
    let target = builder.spareBytes(count)
    for i in 0..<count {
      let high = Self.hexValue(text[2 * i + 2])
      let low = Self.hexValue(text[2 * i + 3])
      if high > 15 || low > 15 { throw .notHex }
      target.storeBytes(of: high << 4 | low, toByteOffset: i, as: UInt8.self)
    }
    builder.append(bytes: UnsafeRawBufferPointer(start: target, count: count))
  }

  /// 0…15, or 255 for another character.
  public static func hexValue(_ byte: UInt8) -> UInt8 {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: 255
    }
  }

  private func appendTimestamp(
    _ text: UnsafeRawBufferPointer, to builder: ColumnBuilder
  ) throws(TextProblem) {
    let moment = try Self.timestamp(
      text, precision: precision, isZoned: op == .zoned, cuts: isLenient)
    switch precision {
    case ...3: builder.append(moment.second * 1_000 + moment.nanosecond / 1_000_000)
    case ...6:
      // Seconds stay within ±10 million years: 64 bits of microseconds reach ±292 000.
      let (product, overflow) = moment.second.multipliedReportingOverflow(by: 1_000_000)
      if overflow { throw .outOfRange }
      let (sum, carry) = product.addingReportingOverflow(moment.nanosecond / 1_000)
      if carry { throw .outOfRange }
      builder.append(sum)
    default: builder.append(Int128(moment.second) * 1_000_000_000 + Int128(moment.nanosecond))
    }
  }
}
