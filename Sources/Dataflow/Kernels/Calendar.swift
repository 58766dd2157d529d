internal import Columns

/// Days, clocks and their texts: the proleptic Gregorian calendar (Howard Hinnant,
/// `chrono`-compatible low-level date algorithms).
enum Calendar {
  static let millisPerDay: Int64 = 86_400_000

  struct Date: Equatable {
    var year: Int
    var month: Int
    var day: Int
  }

  /// Days since 1970-01-01 as a date.
  static func date(_ days: Int) -> Date {
    let z = days + 719_468
    let era = floorDivide(z, 146_097)
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    return Date(
      year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
      day: dayOfYear - (153 * monthIndex + 2) / 5 + 1)
  }

  /// Days since 1970-01-01 of a date; months 1…12, days as they come.
  static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let y = month <= 2 ? year - 1 : year
    let era = floorDivide(y, 400)
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  static func isLeap(_ year: Int) -> Bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
  }

  static func length(ofMonth month: Int, _ year: Int) -> Int {
    month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  /// A date some months on; a day past the month's end becomes its last.
  static func adding(months: Int, to days: Int) -> Int {
    let d = date(days)
    // Wider spans than a calendar has are all the same.
    let index = d.year * 12 + d.month - 1 + min(max(months, -1 << 36), 1 << 36)
    let year = floorDivide(index, 12)
    let month = index - year * 12 + 1
    return self.days(year, month, min(d.day, length(ofMonth: month, year)))
  }

  /// Monday 1 … Sunday 7.
  static func isoWeekday(_ days: Int) -> Int { days + 3 - floorDivide(days + 3, 7) * 7 + 1 }

  static func dayOfYear(_ days: Int) -> Int { days - self.days(date(days).year, 1, 1) + 1 }

  /// ISO 8601: the week that holds the year's first Thursday is the first. The year goes with it.
  static func isoWeek(_ days: Int) -> (year: Int, week: Int) {
    let thursday = days - isoWeekday(days) + 4
    let year = date(thursday).year
    return (year, (thursday - self.days(year, 1, 1)) / 7 + 1)
  }

  // MARK: - Text

  static func pad(_ value: Int, _ width: Int, into out: inout [UInt8]) {
    let digits = Array(String(value.magnitude).utf8)
    if value < 0 { out.append(UInt8(ascii: "-")) }
    for _ in 0..<max(0, width - digits.count) { out.append(UInt8(ascii: "0")) }
    out.append(contentsOf: digits)
  }

  static func write(date days: Int, into out: inout [UInt8]) {
    let d = date(days)
    pad(d.year, 4, into: &out)
    out.append(UInt8(ascii: "-"))
    pad(d.month, 2, into: &out)
    out.append(UInt8(ascii: "-"))
    pad(d.day, 2, into: &out)
  }

  /// HH:mm:ss and `digits` digits of the fraction.
  static func write(nanosOfDay: Int64, digits: Int, into out: inout [UInt8]) {
    let seconds = Int(nanosOfDay / 1_000_000_000)
    pad(seconds / 3600, 2, into: &out)
    out.append(UInt8(ascii: ":"))
    pad(seconds / 60 % 60, 2, into: &out)
    out.append(UInt8(ascii: ":"))
    pad(seconds % 60, 2, into: &out)
    guard digits > 0 else { return }
    out.append(UInt8(ascii: "."))
    var fraction: [UInt8] = []
    pad(Int(nanosOfDay % 1_000_000_000), 9, into: &fraction)
    out.append(contentsOf: fraction.prefix(digits))
  }

  /// Reads `2024-01-31`, also `2024-1-31`; nil when it is no date.
  static func parseDate(_ text: UnsafeRawBufferPointer, cutsDays: Bool = false) -> Int? {
    var at = 0
    guard let year = number(text, &at, 1...4), accept(text, &at, "-"),
      let month = number(text, &at, 1...2), accept(text, &at, "-"),
      let day = number(text, &at, 1...2), at == text.count
    else { return nil }
    return valid(year, month, cutsDays ? cut(year, month, day) : day)
  }

  /// A day up to the 31st that its month does not have as the month's last.
  static func cut(_ year: Int, _ month: Int, _ day: Int) -> Int {
    (1...12).contains(month) && day <= 31 ? min(day, length(ofMonth: month, year)) : day
  }

  /// Reads a date for CAST, where day, or month and day, may be missing: they are the first.
  static func parseShortDate(_ text: UnsafeRawBufferPointer) -> Int? {
    var at = 0
    guard let year = number(text, &at, 1...4) else { return nil }
    if at == text.count { return valid(year, 1, 1) }
    guard accept(text, &at, "-"), let month = number(text, &at, 1...2), at == text.count else {
      return nil
    }
    return valid(year, month, 1)
  }

  static func valid(_ year: Int, _ month: Int, _ day: Int) -> Int? {
    guard (1...12).contains(month), day >= 1, day <= length(ofMonth: month, year) else {
      return nil
    }
    return days(year, month, day)
  }

  /// Reads `12:34:56.789`; nanoseconds of the day.
  static func parseTime(_ text: UnsafeRawBufferPointer, _ at: inout Int) -> Int64? {
    guard let hour = number(text, &at, 1...2), hour < 24 else { return nil }
    var minute = 0
    var second = 0
    var nanos = 0
    if accept(text, &at, ":") {
      guard let m = number(text, &at, 1...2), m < 60 else { return nil }
      minute = m
      if accept(text, &at, ":") {
        guard let s = number(text, &at, 1...2), s < 60 else { return nil }
        second = s
        if accept(text, &at, ".") {
          let start = at
          guard let fraction = number(text, &at, 1...9) else { return nil }
          nanos = fraction
          for _ in (at - start)..<9 { nanos *= 10 }
        }
      }
    }
    return Int64((hour * 60 + minute) * 60 + second) * 1_000_000_000 + Int64(nanos)
  }

  /// Reads `2024-01-31 10:00:00.123`, or a date alone. No `T`, no zone.
  static func parseTimestamp(
    _ text: UnsafeRawBufferPointer, cutsDays: Bool = false
  ) -> (days: Int, nanos: Int64)? {
    guard let space = text.firstIndex(of: 0x20) else {
      return parseDate(text, cutsDays: cutsDays).map { ($0, 0) }
    }
    let head = UnsafeRawBufferPointer(rebasing: text[..<space])
    let tail = UnsafeRawBufferPointer(rebasing: text[(space + 1)...])
    var at = 0
    guard let days = parseDate(head, cutsDays: cutsDays), let nanos = parseTime(tail, &at),
      at == tail.count
    else {
      return nil
    }
    return (days, nanos)
  }

  /// Digits from `at` on, as many as allowed; nil when there are too few.
  static func number(
    _ text: UnsafeRawBufferPointer, _ at: inout Int, _ digits: ClosedRange<Int>
  ) -> Int? {
    var value = 0
    let start = at
    while at < text.count, at - start < digits.upperBound, text[at] >= 0x30, text[at] <= 0x39 {
      value = value * 10 + Int(text[at] - 0x30)
      at += 1
    }
    return at - start >= digits.lowerBound ? value : nil
  }

  static func accept(_ text: UnsafeRawBufferPointer, _ at: inout Int, _ c: Unicode.Scalar) -> Bool {
    guard at < text.count, text[at] == UInt8(ascii: c) else { return false }
    at += 1
    return true
  }
}

/// Timestamps of any precision as days and nanoseconds of the day.
enum TimeUnit {
  /// Units of a TIMESTAMP(p) column in a second.
  static func perSecond(_ type: DataType) -> Int64 {
    switch precision(type) {
    case ...3: 1000
    case ...6: 1_000_000
    default: 1_000_000_000
    }
  }

  static func precision(_ type: DataType) -> Int {
    switch type.kind {
    case .timestamp(let p), .timestampLTZ(let p), .time(let p): p
    default: 0
    }
  }
}

extension FunctionCall {
  /// A DATE, TIME, TIMESTAMP or TIMESTAMP_LTZ argument as local days and nanoseconds of the day.
  @inline(__always) func moment(_ i: Int, _ row: Int) -> (days: Int, nanos: Int64) {
    Moment.read(arguments[i].column, row & arguments[i].mask, context.zone)
  }

  /// The same of an instant as UTC has it: spans of time are between instants, whatever the clocks show.
  @inline(__always) func instant(_ i: Int, _ row: Int) -> (days: Int, nanos: Int64) {
    Moment.read(arguments[i].column, row & arguments[i].mask, .utc)
  }
}

/// One date or time of a column, taken apart.
enum Moment {
  static func read(
    _ column: Column, _ row: Int, _ zone: SessionZone
  ) -> (days: Int, nanos: Int64) {
    switch column.type.kind {
    case .date: return (Int(column.pointer(Int32.self)[row]), 0)
    case .time: return (0, Int64(column.pointer(Int32.self)[row]) * 1_000_000)
    case .timestampLTZ:
      let (days, nanos) = split(column, row)
      let millis = Int64(days) &* Calendar.millisPerDay &+ nanos / 1_000_000
      let shifted = millis &+ zone.offsetMillis(atInstant: millis)
      let day = floorDivide(shifted, Calendar.millisPerDay)
      return (
        Int(day), (shifted &- day &* Calendar.millisPerDay) * 1_000_000 + nanos % 1_000_000
      )
    default: return split(column, row)
    }
  }

  private static func split(_ column: Column, _ row: Int) -> (days: Int, nanos: Int64) {
    let unit = TimeUnit.perSecond(column.type)
    let scale = 1_000_000_000 / unit
    if column.physical == .int64 {
      let value = column.pointer(Int64.self)[row]
      let days = floorDivide(value, unit * 86400)
      // The day may begin before the first instant that there is.
      return (Int(days), (value &- days &* unit &* 86400) * scale)
    }
    let value = column.pointer(Int128.self)[row]
    let days = floorDivide(value, Int128(unit) * 86400)
    // No calendar goes further than 2^52 days.
    return (
      Int(min(max(days, -1 << 52), 1 << 52)),
      Int64(truncatingIfNeeded: value - days * Int128(unit) * 86400)
    )
  }

  /// The value of a local moment in a column of this type, cut to its precision.
  static func value(_ type: DataType, _ days: Int, _ nanos: Int64, _ zone: SessionZone) -> Int128 {
    switch type.kind {
    case .date: return Int128(days)
    case .time: return Int128(nanos / 1_000_000)
    default: break
    }
    let precision = TimeUnit.precision(type)
    var step: Int64 = 1
    for _ in precision..<9 { step *= 10 }
    let unit = TimeUnit.perSecond(type)
    var value =
      Int128(days) * 86400 * Int128(unit) + Int128((nanos / step * step) / (1_000_000_000 / unit))
    if case .timestampLTZ = type.kind {
      let local = Int64(days) &* Calendar.millisPerDay &+ nanos / 1_000_000
      value -= Int128(zone.offsetMillis(atLocal: local)) * Int128(unit) / 1000
    }
    return value
  }

  /// Appends a moment to a builder of a date or time type.
  static func append(
    _ out: ColumnBuilder, _ days: Int, _ nanos: Int64, _ zone: SessionZone
  ) {
    let value = value(out.type, days, nanos, zone)
    switch out.physical {
    case .int32: out.append(Int32(truncatingIfNeeded: value))
    case .int64: out.append(Int64(truncatingIfNeeded: value))
    default: out.append(value)
    }
  }
}
