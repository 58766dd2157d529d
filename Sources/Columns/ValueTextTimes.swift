/// Text of dates, times and timestamps.
extension ValueText {
  /// `2024-02-29`; years beyond four digits and before the year 0 as they are: `-0044-03-15`.
  public static func appendDate(_ day: Int64, to out: ByteWriter) {
    let date = CivilDate.date(ofDay: day)
    if date.year < 0 { out.append(UInt8(ascii: "-")) }
    append(unsigned: date.year.magnitude, width: 4, to: out)
    out.append(UInt8(ascii: "-"))
    append(unsigned: UInt64(date.month), width: 2, to: out)
    out.append(UInt8(ascii: "-"))
    append(unsigned: UInt64(date.day), width: 2, to: out)
  }

  /// `12:34:56.789` with exactly `precision` digits of the second.
  public static func appendTime(milliseconds: Int64, precision: Int, to out: ByteWriter) {
    let (second, rest) = flooredDivision(milliseconds, 1000)
    appendClock(second, to: out)
    appendFraction(rest * 1_000_000, precision: precision, to: out)
  }

  private static func appendClock(_ second: Int64, to out: ByteWriter) {
    let second = UInt64(clamping: second)
    append(unsigned: second / 3600, width: 2, to: out)
    out.append(UInt8(ascii: ":"))
    append(unsigned: second / 60 % 60, width: 2, to: out)
    out.append(UInt8(ascii: ":"))
    append(unsigned: second % 60, width: 2, to: out)
  }

  private static func appendFraction(_ nanosecond: Int64, precision: Int, to out: ByteWriter) {
    if precision <= 0 { return }
    out.append(UInt8(ascii: "."))
    var value = UInt64(clamping: nanosecond)
    for _ in precision..<max(precision, 9) { value /= 10 }
    append(unsigned: value, width: min(precision, 9), to: out)
  }

  /// `2024-02-29 12:34:56.789`, with exactly `precision` digits of the second; `Z` when `isZoned`.
  public static func appendTimestamp(
    second: Int64, nanosecond: Int64, precision: Int, isZoned: Bool = false, to out: ByteWriter
  ) {
    let (day, clock) = flooredDivision(second, 86_400)
    appendDate(day, to: out)
    out.append(UInt8(ascii: " "))
    appendClock(clock, to: out)
    appendFraction(nanosecond, precision: precision, to: out)
    if isZoned { out.append(UInt8(ascii: "Z")) }
  }

  /// As Java's `LocalDateTime.toString`, of which Paimon makes partition paths:
  /// `2024-03-01T01:02`, with seconds and 3, 6 or 9 digits only when they are not zero.
  public static func appendLocalDateTime(second: Int64, nanosecond: Int64, to out: ByteWriter) {
    let (day, clock) = flooredDivision(second, 86_400)
    let year = CivilDate.date(ofDay: day).year
    if year > 9999 { out.append(UInt8(ascii: "+")) }
    appendDate(day, to: out)
    out.append(UInt8(ascii: "T"))
    let start = out.count
    appendClock(clock, to: out)
    if nanosecond == 0 {
      if clock % 60 == 0 { out.truncate(to: start + 5) }
    } else if nanosecond % 1_000_000 == 0 {
      appendFraction(nanosecond, precision: 3, to: out)
    } else {
      appendFraction(nanosecond, precision: nanosecond % 1000 == 0 ? 6 : 9, to: out)
    }
  }

  /// Seconds since 1970 and nanoseconds of the second of a stored timestamp of that precision.
  public static func moment(
    _ column: Column, _ row: Int, precision: Int
  ) -> (second: Int64, nanosecond: Int64) {
    switch precision {
    case ...3:
      let (second, rest) = flooredDivision(column.pointer(Int64.self)[row], 1_000)
      return (second, rest * 1_000_000)
    case ...6:
      let (second, rest) = flooredDivision(column.pointer(Int64.self)[row], 1_000_000)
      return (second, rest * 1_000)
    default:
      let value = column.pointer(Int128.self)[row]
      let (quotient, rest) = value.quotientAndRemainder(dividingBy: 1_000_000_000)
      let second = Int64(truncatingIfNeeded: rest < 0 ? quotient - 1 : quotient)
      return (second, Int64(truncatingIfNeeded: rest < 0 ? rest + 1_000_000_000 : rest))
    }
  }
}
