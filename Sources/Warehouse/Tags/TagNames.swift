import Columns

/// Names of automatic tags: the first reading of the wall clock in a period, as `tag.period-formatter` says.
package struct TagNames: Hashable, Sendable {
  package enum Style: String, CaseIterable, Sendable {
    case withDashes = "with-dashes"
    case withoutDashes = "without-dashes"
    case withoutDashesAndSpaces = "without-dashes-and-spaces"
  }

  package let style: Style
  package let isDuration: Bool
  private let pattern: [Part]

  private enum Part: Hashable, Sendable {
    case year, month, day, hour, minute, second
    case mark(UInt8)
  }

  /// - Parameter isDuration: the length was given as a duration; such names are all digits, down to the
  ///   minute, or the second where the length needs it.
  package init(_ style: Style, lengthMillis: Int64, isDuration: Bool) {
    self.style = style
    self.isDuration = isDuration
    let dash = Part.mark(UInt8(ascii: "-"))
    let space = Part.mark(UInt8(ascii: " "))
    if isDuration {
      let isFine = lengthMillis % 60_000 != 0
      pattern = [.year, .month, .day, .hour, .minute] + (isFine ? [.second] : [])
      return
    }
    let isDaily = lengthMillis == TagSchedule.Period.daily.millis
    // Paimon writes two-hour tags with dashes whatever the formatter.
    let isTwoHours = lengthMillis == TagSchedule.Period.twoHours.millis
    let day: [Part] =
      style == .withDashes || isTwoHours
      ? [.year, dash, .month, dash, .day] : [.year, .month, .day]
    let gap = style == .withoutDashesAndSpaces && !isTwoHours ? [] : [space]
    pattern = isDaily ? day : day + gap + [.hour]
  }

  /// - Parameter local: milliseconds since 1970 of the wall clock, as if it were UTC.
  func text(local: Int64) -> String {
    let stamp = Array(InstantText.text(millis: local).utf8)
    var text: [UInt8] = []
    for part in pattern {
      switch part {
      case .year: text += stamp[0..<4]
      case .month: text += stamp[5..<7]
      case .day: text += stamp[8..<10]
      case .hour: text += stamp[11..<13]
      case .minute: text += stamp[14..<16]
      case .second: text += stamp[17..<19]
      case .mark(let byte): text.append(byte)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The reading that a name says; nil when the name is not exactly as these names are.
  func local(_ name: String) -> Int64? {
    var rest = Array(name.utf8)[...]
    var (date, clock) = ("", ["00", "00", "00"])
    func digits(_ count: Int) -> String? {
      guard rest.count >= count, rest.prefix(count).allSatisfy({ (0x30...0x39).contains($0) })
      else { return nil }
      defer { rest = rest.dropFirst(count) }
      return String(decoding: rest.prefix(count), as: UTF8.self)
    }
    for part in pattern {
      if case .mark(let byte) = part {
        guard rest.popFirst() == byte else { return nil }
        continue
      }
      guard let number = digits(part == .year ? 4 : 2) else { return nil }
      switch part {
      case .year: date = number
      case .month, .day: date += "-" + number
      case .hour: clock[0] = number
      case .minute: clock[1] = number
      default: clock[2] = number
      }
    }
    guard rest.isEmpty,
      let (nanos, _) = InstantText.timestamp(date + " " + clock.joined(separator: ":"))
    else { return nil }
    return Int64(nanos / 1_000_000)
  }
}
