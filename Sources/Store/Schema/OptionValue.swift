import Columns

/// Texts of option values, read as Flink and Paimon read them.
package enum OptionValue {
  /// "128 mb", "64kb", "1 GiB" … → bytes; a bare number is bytes.
  package static func memoryBytes(_ text: String) -> Int? {
    guard let (number, unit) = split(text) else { return nil }
    let factor: Int
    switch unit {
    case "", "b", "bytes": factor = 1
    case "k", "kb", "kib", "kibibytes": factor = 1 << 10
    case "m", "mb", "mib", "mebibytes": factor = 1 << 20
    case "g", "gb", "gib", "gibibytes": factor = 1 << 30
    case "t", "tb", "tib", "tebibytes": factor = 1 << 40
    default: return nil
    }
    return product(number, factor)
  }

  /// "1 h", "10min", "500 ms" … → milliseconds; a bare number is milliseconds.
  package static func durationMillis(_ text: String) -> Int64? {
    guard let (number, unit) = split(text) else { return nil }
    let factor: Int
    switch unit {
    case "d", "day", "days": factor = 86_400_000
    case "h", "hour", "hours": factor = 3_600_000
    case "min", "m", "minute", "minutes": factor = 60_000
    case "s", "sec", "secs", "second", "seconds": factor = 1000
    case "", "ms", "milli", "millis", "millisecond", "milliseconds": factor = 1
    case "µs", "micro", "micros", "microsecond", "microseconds": return Int64(number / 1000)
    case "ns", "nano", "nanos", "nanosecond", "nanoseconds": return Int64(number / 1_000_000)
    default: return nil
    }
    return product(number, factor).map { Int64($0) }
  }

  package static func boolean(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true": true
    case "false": false
    default: nil
    }
  }

  private static func product(_ number: Int, _ factor: Int) -> Int? {
    let (value, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? nil : value
  }

  private static func split(_ text: String) -> (Int, String)? {
    let trimmed = text.trimmed
    let digits = trimmed.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits) else { return nil }
    return (number, String(trimmed[digits.endIndex...]).trimmed.lowercased())
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  package var trimmed: String {
    var rest = self[...]
    while let first = rest.first, first.isWhitespace { rest.removeFirst() }
    while let last = rest.last, last.isWhitespace { rest.removeLast() }
    return String(rest)
  }

  /// Parts between commas, trimmed, without empty ones.
  package var commaList: [String] {
    split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }
  }
}
