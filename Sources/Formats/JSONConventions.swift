import Columns

/// What a number says in a column of dates or times.
package enum EpochUnit: UInt8, Sendable {
  /// Numbers are refused.
  case none
  /// By the column: days for DATE; milliseconds up to three digits of a second, microseconds up to six,
  /// nanoseconds beyond, as Debezium's `adaptive` has it. A moment that would lie beyond the year 5138 is
  /// taken for the next finer unit: nobody means it.
  case byType
  case days, millis, micros, nanos
  /// Days for DATE, milliseconds for all else, as Kafka Connect's own types have it.
  case connect
}

/// How values stand in JSON that JSON has no form for.
package struct JSONConventions: Sendable {
  package enum Binary: UInt8, Sendable {
    /// `0x…`, as this program's own files have it.
    case prefixedHex
    case base64
    /// Digits alone.
    case hex
  }
  /// Bytes in a DECIMAL column: the unscaled number, big-endian, in base64.
  package enum Decimals: UInt8, Sendable {
    case text
    /// Text that is a number is one; other text may be bytes.
    case either
    case bytes
  }
  package var binary = Binary.prefixedHex
  package var decimals = Decimals.text
  /// Of decimals that are bytes, where it is another than the column's.
  package var decimalScale: Int?
  package var epochs = EpochUnit.none
  /// Values are taken as Flink's formats take them (``ValueParser``); numbers in INT and BIGINT columns lose
  /// their fractions.
  package var isLenient = false
  /// A value that cannot be read is null, where its column may be, and its record stays: Flink's
  /// `ignore-parse-errors`. Of an array or map it is the record's fault.
  package var nullsErrors = false

  package init() {}

  /// As Flink's formats have it: bytes are base64.
  package static var flink: JSONConventions {
    var flink = JSONConventions()
    flink.binary = .base64
    flink.isLenient = true
    return flink
  }
}

extension InputTree {
  func use(_ conventions: JSONConventions) {
    for i in 0..<nodeCount { use(conventions, at: i) }
  }

  func use(_ conventions: JSONConventions, at node: Int) {
    nodes[node].binary = conventions.binary
    nodes[node].decimals = conventions.decimals
    nodes[node].storedScale = conventions.decimalScale.map { Int32(clamping: $0) } ?? .min
    nodes[node].epochs = conventions.epochs
    nodes[node].isLenient = conventions.isLenient
    if conventions.isLenient { nodes[node].takeLeniently() }
  }

  /// The node at the end of names from the record down; nil when there is none.
  func node(at path: [String]) -> Int? {
    var at = 0
    for name in path {
      let first = Int(nodes[at].first)
      let bytes = Array(name.utf8)
      guard let child = (0..<Int(nodes[at].count)).first(where: { names[first + $0] == bytes })
      else { return nil }
      at = first + child
    }
    return at
  }
}

/// Values that stand otherwise than as ``ValueText`` prints them.
enum ConventionalText {
  /// The bytes that base64 text stands for (RFC 4648, with or without padding), appended to `out`.
  static func base64(
    _ text: UnsafeRawBufferPointer, to out: ByteWriter
  ) throws(TextProblem) {
    var count = text.count
    while count > 0, text[count - 1] == UInt8(ascii: "="), text.count - count < 2 { count -= 1 }
    if count & 3 == 1 { throw .notBase64 }
    var bits: UInt32 = 0
    var held = 0
    for i in 0..<count {
      let digit = sextet(text[i])
      if digit > 63 { throw .notBase64 }
      bits = bits << 6 | UInt32(digit)
      held += 6
      if held >= 8 {
        held -= 8
        out.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
  }

  private static func sextet(_ byte: UInt8) -> UInt8 {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - 65
    case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 71
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte + 4
    case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
    default: 255
    }
  }

  static func hex(_ text: UnsafeRawBufferPointer, to out: ByteWriter) throws(TextProblem) {
    if text.count % 2 != 0 { throw .notHex }
    for i in stride(from: 0, to: text.count, by: 2) {
      let (high, low) = (ValueParser.hexValue(text[i]), ValueParser.hexValue(text[i + 1]))
      if high > 15 || low > 15 { throw .notHex }
      out.append(high << 4 | low)
    }
  }

  /// A big-endian two's complement number of at most 16 bytes.
  static func number(_ bytes: UnsafeRawBufferPointer) throws(TextProblem) -> Int128 {
    if bytes.isEmpty { throw .empty }
    if bytes.count > 16 { throw .tooManyDigits }
    var value: Int128 = bytes[0] >= 0x80 ? -1 : 0
    for byte in bytes { value = value << 8 | Int128(byte) }
    return value
  }

  /// Nanoseconds of a number in its unit, for a column of so many digits of a second.
  static func nanoseconds(
    _ value: Int64, _ unit: EpochUnit, digits: Int, isMoment: Bool
  ) -> Int128 {
    var unit = unit == .connect ? EpochUnit.millis : unit
    if unit == .byType {
      unit = digits <= 3 ? .millis : digits <= 6 ? .micros : .nanos
      if isMoment, unit == .millis, value.magnitude >= 100_000_000_000_000 { unit = .micros }
      if isMoment, unit == .micros, value.magnitude >= 100_000_000_000_000_000 { unit = .nanos }
    }
    let factor: Int128 =
      switch unit {
      case .days: 86_400_000_000_000
      case .millis: 1_000_000
      case .micros: 1_000
      case .nanos, .none, .byType, .connect: 1
      }
    return Int128(value) * factor
  }
}
