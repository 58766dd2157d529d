package import Columns

/// Dates and times as people write them: `2026-11-20`, `12:30:05.25`, `2026-11-20 12:30:05.123+01:00`.
///
/// The calendar is the proleptic Gregorian one, years 0001 to 9999. What has no offset counts as UTC.
package enum InstantText {
  /// Days since 1970-01-01.
  package static func date(_ text: some StringProtocol) -> Int? {
    var bytes = Array(text.utf8)[...]
    guard let days = date(&bytes), bytes.isEmpty else { return nil }
    return days
  }

  /// Nanoseconds of the day.
  package static func time(_ text: some StringProtocol) -> Int64? {
    var bytes = Array(text.utf8)[...]
    guard let nanos = time(&bytes), bytes.isEmpty else { return nil }
    return nanos
  }

  /// Nanoseconds since 1970, and whether the text named an offset or Z. A date alone is its midnight.
  package static func timestamp(
    _ text: some StringProtocol
  ) -> (nanos: Int128, hasOffset: Bool)? {
    var bytes = Array(text.utf8)[...]
    guard let days = date(&bytes) else { return nil }
    let midnight = Int128(days) * 86_400_000_000_000
    guard let gap = bytes.first else { return (midnight, false) }
    guard gap == UInt8(ascii: " ") || gap == UInt8(ascii: "T") || gap == UInt8(ascii: "t") else {
      return nil
    }
    bytes = bytes.dropFirst()
    guard let nanos = time(&bytes) else { return nil }
    var total = midnight + Int128(nanos)
    guard let sign = bytes.popFirst() else { return (total, false) }
    if sign == UInt8(ascii: "Z") || sign == UInt8(ascii: "z") {
      return bytes.isEmpty ? (total, true) : nil
    }
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
    guard let hours = digits(&bytes, 2, 2), hours <= 18 else { return nil }
    if bytes.first == UInt8(ascii: ":") { bytes = bytes.dropFirst() }
    guard let minutes = digits(&bytes, 2, 2), minutes < 60, bytes.isEmpty else { return nil }
    let offset = Int128(hours * 60 + minutes) * 60_000_000_000
    total += sign == UInt8(ascii: "+") ? -offset : offset
    return (total, true)
  }

  /// Milliseconds since 1970, from a time text or from the digits of just that number.
  package static func millis(_ text: String, for name: String) throws(TerraceError) -> Int64 {
    if let number = Int64(text) { return number }
    if let (nanos, _) = timestamp(text) {
      let millis = nanos / 1_000_000
      return Int64(truncatingIfNeeded: nanos % 1_000_000 < 0 ? millis - 1 : millis)
    }
    throw TerraceError(
      .invalid, "\(name) takes a time, not “\(text)”",
      hint: "for example 2026-11-20, '2026-11-20 12:30:00' (UTC) or milliseconds since 1970")
  }

  /// `2026-11-20 12:30:05.123` of milliseconds since 1970, in UTC.
  package static func text(millis: Int64) -> String {
    let dayMillis: Int64 = 86_400_000
    let days = Int(millis / dayMillis) - (millis % dayMillis < 0 ? 1 : 0)
    let left = Int(millis - Int64(days) * dayMillis)
    // Howard Hinnant, “chrono-Compatible Low-Level Date Algorithms”: civil_from_days.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func padded(_ number: Int, _ width: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2)) "
      + "\(padded(left / 3_600_000, 2)):\(padded(left / 60_000 % 60, 2)):"
      + "\(padded(left / 1000 % 60, 2)).\(padded(left % 1000, 3))"
  }

  private static func date(_ bytes: inout ArraySlice<UInt8>) -> Int? {
    guard let year = digits(&bytes, 4, 4), year > 0, bytes.popFirst() == UInt8(ascii: "-"),
      let month = digits(&bytes, 1, 2), (1...12).contains(month),
      bytes.popFirst() == UInt8(ascii: "-"), let day = digits(&bytes, 1, 2), day >= 1
    else { return nil }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard day <= lengths[month - 1] else { return nil }
    // Hinnant's days_from_civil; years are positive here.
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  private static func time(_ bytes: inout ArraySlice<UInt8>) -> Int64? {
    guard let hour = digits(&bytes, 1, 2), hour < 24, bytes.popFirst() == UInt8(ascii: ":"),
      let minute = digits(&bytes, 2, 2), minute < 60
    else { return nil }
    var nanos = Int64(hour * 60 + minute) * 60_000_000_000
    guard bytes.first == UInt8(ascii: ":") else { return nanos }
    bytes = bytes.dropFirst()
    guard let second = digits(&bytes, 2, 2), second < 60 else { return nil }
    nanos += Int64(second) * 1_000_000_000
    guard bytes.first == UInt8(ascii: ".") else { return nanos }
    bytes = bytes.dropFirst()
    let before = bytes.count
    guard let fraction = digits(&bytes, 1, 9) else { return nil }
    var unit = Int64(fraction)
    for _ in (before - bytes.count)..<9 { unit *= 10 }
    return nanos + unit
  }

  private static func digits(
    _ bytes: inout ArraySlice<UInt8>, _ least: Int, _ most: Int
  ) -> Int? {
    var value = 0
    var count = 0
    while count < most, let byte = bytes.first, byte >= 0x30, byte <= 0x39 {
      value = value * 10 + Int(byte - 0x30)
      count += 1
      bytes = bytes.dropFirst()
    }
    return count >= least ? value : nil
  }
}
