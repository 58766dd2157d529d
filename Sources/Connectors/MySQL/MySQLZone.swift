internal import Columns
internal import Foundation

/// The zone in which TIMESTAMP columns are shown where they are declared TIMESTAMP. One thread.
final class MySQLZone {
  private let fixed: Int64?
  private let zone: TimeZone
  /// The quarter of an hour asked for last: no zone changes within one.
  private var quarter = Int64.min
  private var offset: Int64 = 0

  /// Nil when there is no such zone.
  init?(_ name: String) {
    let plain = name.uppercased()
    if plain == "UTC" || plain == "GMT" || plain == "Z" {
      fixed = 0
      zone = .gmt
      return
    }
    var rest = plain[...]
    if rest.hasPrefix("UTC") || rest.hasPrefix("GMT") { rest = rest.dropFirst(3) }
    if let sign = rest.first, sign == "+" || sign == "-" {
      let parts = rest.dropFirst().split(separator: ":")
      guard let hours = parts.first.flatMap({ Int64($0) }), hours <= 18,
        let minutes = parts.count > 1 ? Int64(parts[1]) : 0, minutes < 60
      else { return nil }
      fixed = (sign == "-" ? -1 : 1) * (hours * 3600 + minutes * 60)
      zone = .gmt
      return
    }
    guard let found = TimeZone(identifier: name) else { return nil }
    fixed = nil
    zone = found
  }

  /// Seconds east of Greenwich at a moment.
  func seconds(at second: Int64) -> Int64 {
    if let fixed { return fixed }
    let now = flooredDivision(second, 900).quotient
    if now != quarter {
      quarter = now
      offset = Int64(
        zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(now) * 900)))
    }
    return offset
  }

  /// The moment at which clocks there show a time; of two, one of them.
  func moment(clock: Int64) -> Int64 {
    let first = clock - seconds(at: clock)
    return clock - seconds(at: first)
  }

  /// The zone of this machine.
  static var ownName: String { TimeZone.current.identifier }
}
