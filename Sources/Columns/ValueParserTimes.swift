/// Dates, times and timestamps from text.
extension ValueParser {
  /// Days since 1970 of `[+-]yyyy-MM-dd`; the year has four to seven digits.
  public static func date(_ text: UnsafeRawBufferPointer) throws(TextProblem) -> Int32 {
    var at = 0
    let day = try date(text, &at)
    if at != text.count { throw .notDate }
    guard let narrow = Int32(exactly: day) else { throw .outOfRange }
    return narrow
  }

  /// Milliseconds of the day of `HH:mm[:ss[.digits]]`.
  ///
  /// - Parameter cuts: digits beyond the precision are passed over, and no offence.
  public static func time(
    _ text: UnsafeRawBufferPointer, precision: Int, cuts: Bool = false
  ) throws(TextProblem) -> Int32 {
    var at = 0
    let clock = try clock(text, &at, precision: precision, cuts: cuts, .notTime)
    if at != text.count { throw .notTime }
    return Int32(clock.second * 1000 + clock.nanosecond / 1_000_000)
  }

  /// Seconds since 1970 and nanoseconds of `date[T| ]time`, or of a date alone.
  ///
  /// - Parameters:
  ///   - isZoned: `Z`, `+hh`, `+hhmm` or `+hh:mm` may follow; without it the time is UTC.
  ///   - cuts: digits beyond the precision are passed over, and no offence.
  public static func timestamp(
    _ text: UnsafeRawBufferPointer, precision: Int, isZoned: Bool, cuts: Bool = false
  ) throws(TextProblem) -> (second: Int64, nanosecond: Int64) {
    var at = 0
    let day: Int64
    do throws(TextProblem) { day = try date(text, &at) } catch {
      throw error == .notDate ? .notTimestamp : error
    }
    if at == text.count { return (day * 86_400, 0) }
    guard text[at] == UInt8(ascii: " ") || text[at] | 0x20 == UInt8(ascii: "t") else {
      throw .notTimestamp
    }
    at += 1
    let clock = try clock(text, &at, precision: precision, cuts: cuts, .notTimestamp)
    var second = day * 86_400 + clock.second
    if at < text.count { second -= try zone(text, &at, isZoned: isZoned) }
    return (second, clock.nanosecond)
  }

  private static func date(
    _ text: UnsafeRawBufferPointer, _ at: inout Int
  ) throws(TextProblem) -> Int64 {
    guard let first = text.first else { throw .empty }
    let isNegative = first == UInt8(ascii: "-")
    at = bit(isNegative || first == UInt8(ascii: "+"))
    let start = at
    var year: Int64 = 0
    while at < text.count, at &- start < 8, text[at] &- 0x30 <= 9 {
      year = year &* 10 &+ Int64(text[at] &- 0x30)
      at &+= 1
    }
    guard at &- start >= 4, at &- start <= 7, text.count &- at >= 6,
      text[at] == UInt8(ascii: "-"), text[at &+ 3] == UInt8(ascii: "-"),
      let month = pair(text, at &+ 1), let day = pair(text, at &+ 4)
    else { throw .notDate }
    at &+= 6
    if isNegative { year = -year }
    guard month >= 1, month <= 12, day >= 1, day <= CivilDate.lastDay(ofMonth: month, year: year)
    else { throw .noSuchDay }
    return CivilDate.day(year: year, month: month, day: day)
  }

  /// Two digits at a place that must exist.
  @inline(__always)
  private static func pair(_ text: UnsafeRawBufferPointer, _ at: Int) -> Int64? {
    let high = text[at] &- 0x30
    let low = text[at &+ 1] &- 0x30
    return high > 9 || low > 9 ? nil : Int64(high) &* 10 &+ Int64(low)
  }

  private static func clock(
    _ text: UnsafeRawBufferPointer, _ at: inout Int, precision: Int, cuts: Bool,
    _ problem: TextProblem
  ) throws(TextProblem) -> (second: Int64, nanosecond: Int64) {
    guard text.count &- at >= 5, text[at &+ 2] == UInt8(ascii: ":"),
      let hour = pair(text, at), let minute = pair(text, at &+ 3), hour < 24, minute < 60
    else { throw problem }
    at &+= 5
    let seconds = hour &* 3600 &+ minute &* 60
    guard at < text.count, text[at] == UInt8(ascii: ":") else { return (seconds, 0) }
    guard text.count &- at >= 3, let second = pair(text, at &+ 1), second < 60 else {
      throw problem
    }
    at &+= 3
    guard at < text.count, text[at] == UInt8(ascii: ".") else { return (seconds &+ second, 0) }
    at &+= 1
    var nanosecond: Int64 = 0
    var digits = 0
    while at < text.count, text[at] &- 0x30 <= 9 {
      let digit = Int64(text[at] &- 0x30)
      let isHeld = digits < precision
      if digits < 9 { nanosecond = nanosecond &* 10 &+ (isHeld ? digit : 0) }
      if !isHeld, digit != 0, !cuts { throw .tooFine }
      digits &+= 1
      at &+= 1
    }
    if digits == 0 || digits > 9 { throw problem }
    for _ in digits..<9 { nanosecond &*= 10 }
    return (seconds &+ second, nanosecond)
  }

  /// Seconds east of Greenwich.
  private static func zone(
    _ text: UnsafeRawBufferPointer, _ at: inout Int, isZoned: Bool
  ) throws(TextProblem) -> Int64 {
    let sign = text[at]
    at += 1
    let left = text.count - at
    if sign | 0x20 == UInt8(ascii: "z"), left == 0 {
      if !isZoned { throw .zoned }
      return 0
    }
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { throw .notTimestamp }
    var minute: Int64? = 0
    if left == 4 { minute = pair(text, at + 2) }
    if left == 5 { minute = text[at + 2] == UInt8(ascii: ":") ? pair(text, at + 3) : nil }
    guard left == 2 || left == 4 || left == 5, let hour = pair(text, at), let minute, hour <= 18,
      minute < 60
    else { throw .notTimestamp }
    if !isZoned { throw .zoned }
    at = text.count
    let offset = hour * 3600 + minute * 60
    return sign == UInt8(ascii: "-") ? -offset : offset
  }
}
