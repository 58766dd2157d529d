internal import Columns
internal import Foundation

/// The time zone of a session (`table.local-time-zone`).
package struct SessionZone: Sendable, Hashable {
  /// As the setting has it: `Asia/Shanghai`, `UTC`, `GMT+08:00`.
  package let name: String
  /// Seconds east of UTC, where it is always the same.
  private let fixed: Int?
  private let zone: TimeZone

  package static let utc = SessionZone(name: "UTC", fixed: 0, zone: .gmt)

  private init(name: String, fixed: Int?, zone: TimeZone) {
    self.name = name
    self.fixed = fixed
    self.zone = zone
  }

  /// Nil when there is no such zone.
  package init?(_ name: String) {
    if let seconds = SessionZone.offset(of: name) {
      self.init(name: name, fixed: seconds, zone: TimeZone(secondsFromGMT: seconds) ?? .gmt)
    } else if let zone = TimeZone(identifier: name) {
      self.init(name: name, fixed: nil, zone: zone)
    } else {
      return nil
    }
  }

  /// Seconds of `UTC`, `Z`, `+08:00`, `GMT+8`, `UTC-03:30`.
  private static func offset(of name: String) -> Int? {
    var rest = name[...]
    for prefix in ["UTC", "GMT", "Z"] where rest.hasPrefix(prefix) {
      rest = rest.dropFirst(prefix.count)
      break
    }
    if rest.isEmpty { return name.isEmpty ? nil : 0 }
    guard let sign = rest.first, sign == "+" || sign == "-" else { return nil }
    let parts = rest.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, let hours = Int(parts[0]), (0...18).contains(hours) else { return nil }
    let minutes = parts.count == 2 ? Int(parts[1]) ?? -1 : 0
    guard (0...59).contains(minutes) else { return nil }
    return (sign == "-" ? -1 : 1) * (hours * 3600 + minutes * 60)
  }

  /// Milliseconds east of UTC at an instant (milliseconds since 1970 UTC).
  package func offsetMillis(atInstant millis: Int64) -> Int64 {
    if let fixed { return Int64(fixed) * 1000 }
    let date = Date(timeIntervalSince1970: Double(millis) / 1000)
    return Int64(zone.secondsFromGMT(for: date)) * 1000
  }

  /// Milliseconds east of UTC of a wall clock reading (milliseconds as if it were UTC). A reading
  /// that comes twice is the earlier instant; one that is left out is moved on, as Java does.
  package func offsetMillis(atLocal millis: Int64) -> Int64 {
    if let fixed { return Int64(fixed) * 1000 }
    let before = offsetMillis(atInstant: millis &- 86_400_000)
    if offsetMillis(atInstant: millis &- before) == before { return before }
    let after = offsetMillis(atInstant: millis &+ 86_400_000)
    return offsetMillis(atInstant: millis &- after) == after ? after : before
  }
}
