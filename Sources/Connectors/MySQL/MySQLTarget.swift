import Columns

/// A column that is filled from values of a server, whatever the server's type is; each call appends one value
/// or throws and appends nothing.
final class MySQLTarget {
  let type: DataType
  let builder: ColumnBuilder
  private let kind: DataType.Kind
  private let parser: ValueParser
  private let isText: Bool
  private let scratch = ByteWriter()

  init(_ type: DataType) {
    self.type = type
    kind = type.kind
    builder = ColumnBuilder(type)
    // Lengths of texts are not enforced, here as in all sources.
    parser = ValueParser(type.isText ? .string : type)
    isText = type.isText
  }

  func null() { builder.appendNull() }

  @inline(__always) func integer(_ value: Int64) throws(TextProblem) {
    switch kind {
    case .bigint: builder.append(value)
    case .int:
      guard let narrow = Int32(exactly: value) else { throw .outOfRange }
      builder.append(narrow)
    case .smallint:
      guard let narrow = Int16(exactly: value) else { throw .outOfRange }
      builder.append(narrow)
    case .tinyint:
      guard let narrow = Int8(exactly: value) else { throw .outOfRange }
      builder.append(narrow)
    case .boolean: builder.append(UInt8(value == 0 ? 0 : 1))
    default: try otherInteger(Int128(value))
    }
  }

  func unsigned(_ value: UInt64) throws(TextProblem) {
    if let small = Int64(exactly: value) { return try integer(small) }
    try otherInteger(Int128(value))
  }

  @inline(never) private func otherInteger(_ value: Int128) throws(TextProblem) {
    switch kind {
    case .decimal: try decimal(value, scale: 0)
    case .float: builder.append(Float(value))
    case .double: builder.append(Double(value))
    case .char, .varchar:
      scratch.removeAll()
      ValueText.appendDecimal(value, scale: 0, to: scratch)
      builder.append(bytes: scratch.bytes)
    default: throw .outOfRange
    }
  }

  func float(_ value: Float) throws(TextProblem) {
    switch kind {
    case .float: builder.append(value)
    case .double: builder.append(Double(value))
    default:
      scratch.removeAll()
      ValueText.append(value, to: scratch)
      try parser.append(scratch.bytes, to: builder)
    }
  }

  func double(_ value: Double) throws(TextProblem) {
    if case .double = kind { return builder.append(value) }
    scratch.removeAll()
    ValueText.append(value, to: scratch)
    try parser.append(scratch.bytes, to: builder)
  }

  func decimal(_ value: Int128, scale: Int) throws(TextProblem) {
    guard case .decimal(let precision, let own) = kind else {
      scratch.removeAll()
      ValueText.appendDecimal(value, scale: scale, to: scratch)
      return try parser.append(scratch.bytes, to: builder)
    }
    var value = value
    for _ in scale..<max(scale, own) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      if overflow { throw .tooManyDigits }
      value = product
    }
    for _ in own..<max(scale, own) {
      if value % 10 != 0 { throw .tooFine }
      value /= 10
    }
    if value.magnitude >= MySQLTarget.powers[precision] { throw .tooManyDigits }
    if precision <= 18 {
      builder.append(Int64(truncatingIfNeeded: value))
    } else {
      builder.append(value)
    }
  }

  private static let powers: [UInt128] = {
    var powers: [UInt128] = [1]
    for _ in 0..<38 { powers.append(powers[powers.count - 1] * 10) }
    return powers
  }()

  func day(_ day: Int64) throws(TextProblem) {
    switch kind {
    case .date: builder.append(Int32(truncatingIfNeeded: day))
    case .timestamp, .timestampLTZ: moment(second: day &* 86_400, micro: 0)
    default:
      scratch.removeAll()
      ValueText.appendDate(day, to: scratch)
      try parser.append(scratch.bytes, to: builder)
    }
  }

  /// - Parameter fraction: digits of the second that the column has.
  func clock(micros: Int64, fraction: Int) throws(TextProblem) {
    switch kind {
    case .time:
      guard micros >= 0, micros < 86_400_000_000 else { throw .outOfRange }
      builder.append(Int32(truncatingIfNeeded: micros / 1000))
    default:
      scratch.removeAll()
      let size = micros.magnitude
      if micros < 0 { scratch.append(UInt8(ascii: "-")) }
      let second = Int64(size / 1_000_000)
      func two(_ value: Int64) {
        if value < 10 { scratch.append(UInt8(ascii: "0")) }
        ValueText.append(value, to: scratch)
      }
      two(second / 3600)
      scratch.append(UInt8(ascii: ":"))
      two(second / 60 % 60)
      scratch.append(UInt8(ascii: ":"))
      two(second % 60)
      appendFraction(Int64(size % 1_000_000), fraction)
      try parser.append(scratch.bytes, to: builder)
    }
  }

  private func appendFraction(_ micro: Int64, _ digits: Int) {
    if digits <= 0 { return }
    var text = String(micro + 1_000_000).dropFirst()
    text = text.prefix(digits)
    scratch.append("." + text)
  }

  func moment(second: Int64, micro: Int64) {
    switch kind {
    case .timestamp(let p), .timestampLTZ(let p):
      if p <= 3 {
        builder.append(second &* 1000 &+ micro / 1000)
      } else if p <= 6 {
        builder.append(second &* 1_000_000 &+ micro)
      } else {
        builder.append(Int128(second) * 1_000_000_000 + Int128(micro) * 1000)
      }
    default: builder.appendNull()
    }
  }

  func moment(second: Int64, micro: Int64, fraction: Int) throws(TextProblem) {
    if !isText { return moment(second: second, micro: micro) }
    scratch.removeAll()
    ValueText.appendTimestamp(
      second: second, nanosecond: micro * 1000, precision: fraction, to: scratch)
    try parser.append(scratch.bytes, to: builder)
  }

  /// A date without a day (0000-00-00, 2024-00-10): null, or the first day where nulls are not allowed.
  func noDay() throws(TextProblem) {
    if type.isNullable { return builder.appendNull() }
    switch kind {
    case .date: try day(0)
    case .timestamp, .timestampLTZ: moment(second: 0, micro: 0)
    default: try day(0)
    }
  }

  /// UTF-8.
  @inline(__always) func text(_ bytes: UnsafeRawBufferPointer) throws(TextProblem) {
    switch kind {
    case .char, .varchar: return builder.append(bytes: bytes)
    case .varbinary(DataType.unbounded): return builder.append(bytes: bytes)
    default: break
    }
    try parser.append(bytes, to: builder)
  }

  func binary(_ bytes: UnsafeRawBufferPointer) throws(TextProblem) {
    switch kind {
    case .binary, .varbinary: builder.append(bytes: bytes)
    default:
      scratch.removeAll()
      ValueText.appendHex(bytes, to: scratch)
      try parser.append(scratch.bytes, to: builder)
    }
  }

  /// BIT: big-endian bytes.
  func bits(_ bytes: UnsafeRawBufferPointer) throws(TextProblem) {
    switch kind {
    case .binary, .varbinary: try binary(bytes)
    default:
      var value: UInt64 = 0
      for byte in bytes.suffix(8) { value = value << 8 | UInt64(byte) }
      try unsigned(value)
    }
  }

  /// VECTOR: floats, least significant byte first.
  func vector(_ bytes: UnsafeRawBufferPointer) throws(TextProblem) {
    guard bytes.count % 4 == 0 else { throw .notText }
    let values = stride(from: 0, to: bytes.count, by: 4).map { at in
      let bits = bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)
      return Float(bitPattern: UInt32(littleEndian: bits))
    }
    guard case .array = kind else {
      scratch.removeAll()
      for (i, value) in values.enumerated() {
        scratch.append(i == 0 ? "[" : ",")
        ValueText.append(value, to: scratch)
      }
      scratch.append(values.isEmpty ? "[]" : "]")
      return try parser.append(scratch.bytes, to: builder)
    }
    for value in values { builder.children[0].append(value) }
    builder.endList()
  }

  /// SET: the members that are in it.
  func members(_ names: [String]) throws(TextProblem) {
    if case .array = kind {
      for name in names { builder.children[0].append(name) }
      builder.endList()
    } else {
      let joined = Array(names.joined(separator: ",").utf8)
      let failure = joined.withUnsafeBytes { bytes -> TextProblem? in
        do throws(TextProblem) {
          try self.text(bytes)
          return nil
        } catch { return error }
      }
      if let failure { throw failure }
    }
  }
}
