import Columns

/// Turns `column comparison literal` into a predicate, exactly.
///
/// Every type that is stored as a whole number (integers, decimals, dates, times, timestamps) is
/// compared as one. A literal between two of its values moves the comparison to the value below it; one
/// outside its range decides the comparison for all rows that are not null.
struct LiteralBinder {
  enum Result {
    case predicate(Predicate)
    case refused(String, hint: String)
  }

  private enum Measure {
    /// Whole multiples of 10^-scale within a range.
    case whole(scale: Int, low: Int128, high: Int128)
    case float, double, boolean, text, binary
    case date
    /// Milliseconds of the day.
    case time
    /// Units since 1970, as many digits after the second; whether it is a point in time.
    case timestamp(digits: Int, isLocal: Bool)
  }

  private let column: WhereColumn
  private let measure: Measure

  /// Nil for a column of rows, arrays or maps.
  init?(_ column: WhereColumn) {
    self.column = column
    switch column.field.type.kind {
    case .boolean: measure = .boolean
    case .tinyint: measure = .whole(scale: 0, low: -128, high: 127)
    case .smallint: measure = .whole(scale: 0, low: -32768, high: 32767)
    case .int: measure = .whole(scale: 0, low: Int128(Int32.min), high: Int128(Int32.max))
    case .bigint: measure = .whole(scale: 0, low: Int128(Int64.min), high: Int128(Int64.max))
    case .decimal(let precision, let scale):
      var power: Int128 = 1
      for _ in 0..<precision { power *= 10 }
      measure = .whole(scale: scale, low: 1 - power, high: power - 1)
    case .float: measure = .float
    case .double: measure = .double
    case .char, .varchar: measure = .text
    case .binary, .varbinary: measure = .binary
    case .date: measure = .date
    case .time: measure = .time
    case .timestamp(let p):
      measure = .timestamp(digits: p <= 3 ? 3 : p <= 6 ? 6 : 9, isLocal: false)
    case .timestampLTZ(let p):
      measure = .timestamp(digits: p <= 3 ? 3 : p <= 6 ? 6 : 9, isLocal: true)
    case .array, .map, .multiset, .row: return nil
    }
  }

  func bind(_ comparison: Predicate.Comparison, _ literal: WhereLiteral.Value) -> Result {
    switch (measure, literal) {
    case (.whole(let scale, let low, let high), .number(let text)),
      (.whole(let scale, let low, let high), .string(let text)):
      guard let number = ExactNumber(text) else { return notA("number", text) }
      return .predicate(compare(comparison, number, scale: scale, low: low, high: high))
    case (.float, .number(let text)), (.float, .string(let text)):
      guard let value = Float(Self.javaFloat(text)) else { return notA("number", text) }
      return .predicate(leaf(comparison, .float(value)))
    case (.double, .number(let text)), (.double, .string(let text)):
      guard let value = Double(Self.javaFloat(text)) else { return notA("number", text) }
      return .predicate(leaf(comparison, .double(value)))
    case (.boolean, .boolean(let value)): return .predicate(leaf(comparison, .boolean(value)))
    case (.boolean, .string(let text)) where ["true", "false"].contains(text.lowercased()):
      return .predicate(leaf(comparison, .boolean(text.lowercased() == "true")))
    case (.text, .string(let text)): return .predicate(leaf(comparison, .text(text)))
    case (.text, .number(let text)):
      return .refused(
        "\(name) is \(typeName), and \(text) is a number", hint: "write '\(text)'")
    case (.binary, .binary(let bytes)): return .predicate(leaf(comparison, .bytes(bytes)))
    case (.binary, _): return .refused("\(name) is \(typeName)", hint: "write X'0aff'")
    case (.date, .date(let text)), (.date, .string(let text)):
      guard let days = InstantText.date(text) else { return notA("date", text) }
      return .predicate(leaf(comparison, .int(Int64(days))))
    case (.time, .time(let text)), (.time, .string(let text)):
      guard let nanos = InstantText.time(text) else { return notA("time", text) }
      let number = ExactNumber(digits: Int128(nanos), scale: 9)
      return .predicate(
        compare(comparison, number, scale: 3, low: 0, high: 86_399_999))
    case (.timestamp(let digits, let isLocal), .timestamp(let text)),
      (.timestamp(let digits, let isLocal), .date(let text)),
      (.timestamp(let digits, let isLocal), .string(let text)):
      return timestamp(comparison, text, digits: digits, isLocal: isLocal)
    default: return .refused("\(name) is \(typeName)", hint: example)
    }
  }

  private func timestamp(
    _ comparison: Predicate.Comparison, _ text: String, digits: Int, isLocal: Bool
  ) -> Result {
    guard let (nanos, hasOffset) = InstantText.timestamp(text) else {
      return notA("timestamp", text)
    }
    if hasOffset, !isLocal {
      return .refused(
        "\(name) is \(typeName), which knows no time zones", hint: "leave out the offset")
    }
    let number = ExactNumber(digits: nanos, scale: 9)
    return .predicate(
      // Every year that the text can name fits the column.
      compare(comparison, number, scale: digits, low: -Int128.max / 2, high: Int128.max / 2))
  }

  private func compare(
    _ comparison: Predicate.Comparison, _ number: ExactNumber, scale: Int, low: Int128,
    high: Int128
  ) -> Predicate {
    guard let (value, isExact) = number.floor(scale: scale), value <= high, value >= low - 1 else {
      return outside(comparison, isBelow: number.isNegative)
    }
    if value < low { return outside(comparison, isBelow: true) }
    if isExact { return leaf(comparison, whole(value)) }
    // Between `value` and the next one.
    switch comparison {
    case .equal: return noRow
    case .notEqual: return everyValue
    case .less, .lessOrEqual: return leaf(.lessOrEqual, whole(value))
    case .greater, .greaterOrEqual: return leaf(.greater, whole(value))
    }
  }

  /// Compared with a literal below (or above) all values of the type.
  private func outside(_ comparison: Predicate.Comparison, isBelow: Bool) -> Predicate {
    switch comparison {
    case .equal: noRow
    case .notEqual: everyValue
    case .less, .lessOrEqual: isBelow ? noRow : everyValue
    case .greater, .greaterOrEqual: isBelow ? everyValue : noRow
    }
  }

  /// False, and unknown of a null: IN with nothing to be in.
  private var noRow: Predicate { .isIn(column: column.index, []) }
  /// True, and unknown of a null.
  private var everyValue: Predicate { .not(noRow) }

  private func leaf(_ comparison: Predicate.Comparison, _ value: Scalar) -> Predicate {
    .compare(column: column.index, comparison, value)
  }

  private func whole(_ value: Int128) -> Scalar {
    column.field.type.physical == .int128
      ? .int128(value) : .int(Int64(truncatingIfNeeded: value))
  }

  private var name: String { column.field.name }
  private var typeName: String { column.typeName }

  private func notA(_ what: String, _ text: String) -> Result {
    .refused("'\(text)' is not a \(what), and \(name) is \(typeName)", hint: example)
  }

  private var example: String {
    switch measure {
    case .whole, .float, .double: "write a number, such as 5"
    case .boolean: "write TRUE or FALSE"
    case .text: "write text between ' '"
    case .binary: "write X'0aff'"
    case .date: "write DATE '2026-11-20'"
    case .time: "write TIME '12:30:00'"
    case .timestamp(_, true): "write TIMESTAMP '2026-11-20 12:30:00Z'"
    case .timestamp(_, false): "write TIMESTAMP '2026-11-20 12:30:00'"
    }
  }

  /// Swift reads `inf` and `nan`, Paimon's users write Java's `Infinity` and `NaN`; hexadecimal
  /// numbers, which Swift reads too, are refused.
  private static func javaFloat(_ text: String) -> String {
    switch text {
    case "Infinity", "+Infinity", "-Infinity", "NaN": text
    default: ExactNumber.looksDecimal(text) ? text : ""
    }
  }
}

extension ExactNumber {
  /// Only digits, a sign, a point and an exponent.
  static func looksDecimal(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy {
        ($0 >= 0x30 && $0 <= 0x39) || [0x2b, 0x2d, 0x2e, 0x45, 0x65].contains($0)
      }
  }
}
