internal import Columns

/// The part of Java's `SimpleDateFormat` patterns that dates in tables use: y M d H h m s S a E D,
/// text in quotes, and anything that is no letter.
struct DatePattern {
  private enum Part { case field(UInt8, Int), text([UInt8]) }
  private var parts: [Part] = []

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]
  private static let weekdays = [
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
  ]

  /// - Throws: `unsupported`, naming the letter, when the pattern asks for something else.
  init(_ pattern: String) throws(TerraceError) {
    let bytes = Array(pattern.utf8)
    var i = 0
    while i < bytes.count {
      let c = bytes[i]
      if c == UInt8(ascii: "'") {
        var text: [UInt8] = []
        i += 1
        while i < bytes.count, bytes[i] != c {
          text.append(bytes[i])
          i += 1
        }
        i += 1
        parts.append(.text(text.isEmpty ? [c] : text))
      } else if (c | 0x20) >= UInt8(ascii: "a") && (c | 0x20) <= UInt8(ascii: "z") {
        var n = 1
        while i + n < bytes.count, bytes[i + n] == c { n += 1 }
        guard "yuMdHhmsSaED".utf8.contains(c) else {
          throw TerraceError(
            .unsupported, "letter '\(Character(Unicode.Scalar(c)))' in a date pattern"
          )
          .with("pattern", "'\(pattern)'")
        }
        parts.append(.field(c, n))
        i += n
      } else {
        parts.append(.text([c]))
        i += 1
      }
    }
  }

  func write(_ days: Int, _ nanos: Int64, into out: inout [UInt8]) {
    let date = Calendar.date(days)
    let seconds = Int(nanos / 1_000_000_000)
    for part in parts {
      switch part {
      case .text(let text): out += text
      case .field(let letter, let n):
        switch letter {
        case UInt8(ascii: "y"), UInt8(ascii: "u"):
          Calendar.pad(n == 2 ? date.year % 100 : date.year, n, into: &out)
        case UInt8(ascii: "M"):
          if n < 3 {
            Calendar.pad(date.month, n, into: &out)
          } else {
            let name = DatePattern.months[date.month - 1]
            out += Array((n == 3 ? String(name.prefix(3)) : name).utf8)
          }
        case UInt8(ascii: "E"):
          let name = DatePattern.weekdays[Calendar.isoWeekday(days) - 1]
          out += Array((n <= 3 ? String(name.prefix(3)) : name).utf8)
        case UInt8(ascii: "d"): Calendar.pad(date.day, n, into: &out)
        case UInt8(ascii: "D"): Calendar.pad(Calendar.dayOfYear(days), n, into: &out)
        case UInt8(ascii: "H"): Calendar.pad(seconds / 3600, n, into: &out)
        case UInt8(ascii: "h"): Calendar.pad((seconds / 3600 + 11) % 12 + 1, n, into: &out)
        case UInt8(ascii: "m"): Calendar.pad(seconds / 60 % 60, n, into: &out)
        case UInt8(ascii: "s"): Calendar.pad(seconds % 60, n, into: &out)
        case UInt8(ascii: "a"): out += Array((seconds < 43200 ? "AM" : "PM").utf8)
        default:
          var digits: [UInt8] = []
          Calendar.pad(Int(nanos % 1_000_000_000), 9, into: &digits)
          out += digits.prefix(n)
        }
      }
    }
  }

  /// The moment that a text says; nil when it does not fit the pattern.
  ///
  /// - Parameter cutsDays: a day that its month does not have, up to the 31st, is the month's last.
  /// - Throws: `unsupported` for letters that are only written.
  func read(
    _ text: UnsafeRawBufferPointer, cutsDays: Bool = false
  ) throws(TerraceError) -> (days: Int, nanos: Int64)? {
    var at = 0
    var (year, month, day) = (1970, 1, 1)
    var (hour, minute, second, nanos) = (0, 0, 0, 0)
    var isAfternoon: Bool?
    for (k, part) in parts.enumerated() {
      switch part {
      case .text(let expected):
        for byte in expected {
          guard at < text.count, text[at] == byte else { return nil }
          at += 1
        }
      case .field(let letter, let n):
        guard "yuMdHhmsSa".utf8.contains(letter) else {
          throw TerraceError(
            .unsupported, "reading letter '\(Character(Unicode.Scalar(letter)))' of a date pattern")
        }
        if letter == UInt8(ascii: "a") {
          guard at + 2 <= text.count else { return nil }
          isAfternoon = text[at] | 0x20 == UInt8(ascii: "p")
          at += 2
          continue
        }
        if letter == UInt8(ascii: "M"), n > 2 {
          guard let found = DatePattern.month(text, &at, isShort: n == 3) else { return nil }
          month = found
          continue
        }
        // Digits run on only where no other digits follow directly.
        var isTight = false
        if k + 1 < parts.count, case .field = parts[k + 1] { isTight = true }
        let start = at
        guard let value = Calendar.number(text, &at, 1...(isTight ? n : max(n, 9))) else {
          return nil
        }
        switch letter {
        case UInt8(ascii: "y"), UInt8(ascii: "u"): year = n == 2 ? 2000 + value : value
        case UInt8(ascii: "M"): month = value
        case UInt8(ascii: "d"): day = value
        case UInt8(ascii: "H"), UInt8(ascii: "h"): hour = value
        case UInt8(ascii: "m"): minute = value
        case UInt8(ascii: "s"): second = value
        case UInt8(ascii: "S"):
          nanos = value
          for _ in (at - start)..<9 { nanos *= 10 }
        default: return nil
        }
      }
    }
    if let isAfternoon { hour = hour % 12 + (isAfternoon ? 12 : 0) }
    guard at == text.count, hour < 24, minute < 60, second < 60,
      let days = Calendar.valid(
        year, month, cutsDays ? Calendar.cut(year, month, day) : day)
    else { return nil }
    return (days, Int64((hour * 60 + minute) * 60 + second) * 1_000_000_000 + Int64(nanos))
  }

  /// The month whose English name stands here.
  private static func month(
    _ text: UnsafeRawBufferPointer, _ at: inout Int, isShort: Bool
  ) -> Int? {
    for (index, name) in months.enumerated() {
      let wanted = Array(isShort ? name.utf8.prefix(3) : name.utf8.prefix(9))
      guard at + wanted.count <= text.count, text[at..<at + wanted.count].elementsEqual(wanted)
      else { continue }
      at += wanted.count
      return index + 1
    }
    return nil
  }

  /// Argument 0 by the pattern of argument 1, or by the usual forms.
  static func read(
    _ call: FunctionCall, _ i: Int, cutsDays: Bool = false
  ) throws(TerraceError) -> (days: Int, nanos: Int64)? {
    if call.arguments.count < 2 {
      return Calendar.parseTimestamp(TextCast.trimmed(call.bytes(0, i)), cutsDays: cutsDays)
    }
    return try DatePattern(call.text(1, i)).read(call.bytes(0, i), cutsDays: cutsDays)
  }
}
