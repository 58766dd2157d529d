package import Columns
package import Formats

/// A snapshot with a name, which keeps its files from being expired.
package struct Tag: Hashable, Sendable {
  package var name: String
  package var snapshot: Snapshot
  /// When the tag was made and how long it is kept; both or neither.
  package var retention: Retention?

  package struct Retention: Hashable, Sendable {
    /// Wall clock of the creator in its time zone, as if that were UTC.
    package var createdMillis: Int64
    package var retainedMillis: Int64

    package var endMillis: Int64 { createdMillis.addingClamped(retainedMillis) }
  }

  package init(name: String, snapshot: Snapshot, retention: Retention? = nil) {
    self.name = name
    self.snapshot = snapshot
    self.retention = retention
  }

  /// Tag names as Paimon has them, and safe as part of a file name: not blank, no path, no control
  /// characters, and not a number, which could be taken for a snapshot id.
  package static func checkName(_ name: String, _ what: String = "tag") throws(TerraceError) {
    let isBlank = name.allSatisfy(\.isWhitespace)
    let isWild = name.unicodeScalars.contains {
      $0.value < 0x20 || $0.value == 0x7f || $0 == "/" || $0 == "\\"
    }
    if isBlank || isWild || name == "." || name == ".." || name.utf8.count > 200 {
      throw TerraceError(.invalid, "this is no name for a \(what)").with("name", shown(name))
    }
  }

  /// Reads the content of `tag-NAME`.
  package init(name: String, json: JSONValue) throws(TerraceError) {
    var retention: Retention?
    if let parts = try json.optionalArray("tagCreateTime"),
      let kept = try Tag.millis(json["tagTimeRetained"])
    {
      retention = Retention(createdMillis: try Tag.millis(parts), retainedMillis: kept)
    }
    self.init(name: name, snapshot: try Snapshot(json: json), retention: retention)
  }

  /// The snapshot's members, then the retention as Java writes it.
  package var json: JSONValue {
    guard case .object(var members) = snapshot.json, let retention else { return snapshot.json }
    members.append(JSONValue.Member("tagCreateTime", Tag.parts(retention.createdMillis)))
    let seconds = retention.retainedMillis / 1000
    let nanos = retention.retainedMillis % 1000 * 1_000_000
    let text = "\(seconds)." + String(String(1_000_000_000 + nanos).dropFirst())
    members.append(JSONValue.Member("tagTimeRetained", .number(text)))
    return .object(members)
  }

  /// Seconds, with or without decimals, or an ISO duration such as `PT24H` → milliseconds.
  private static func millis(_ value: JSONValue?) throws(TerraceError) -> Int64? {
    let seconds: Double?
    switch value {
    case .int(let whole)?: seconds = Double(whole)
    case .number(let text)?: seconds = Double(text)
    case .string(let text)?: seconds = isoSeconds(text)
    case nil, .null?: return nil
    default: seconds = nil
    }
    guard let seconds, seconds >= 0, seconds < 1e14 else {
      throw TerraceError(.corrupted, "tagTimeRetained is no duration")
    }
    return Int64((seconds * 1000).rounded())
  }

  private static func isoSeconds(_ text: String) -> Double? {
    guard text.hasPrefix("PT") else { return nil }
    var total = 0.0
    var number = ""
    for character in text.dropFirst(2) {
      let unit: Double? =
        switch character {
        case "H": 3600
        case "M": 60
        case "S": 1
        default: nil
        }
      guard let unit else {
        number.append(character)
        continue
      }
      guard let value = Double(number) else { return nil }
      total += value * unit
      number = ""
    }
    return number.isEmpty ? total : nil
  }

  /// `[year, month, day, hour, minute, second, nanos]`; the last two may be missing.
  private static func millis(_ parts: [JSONValue]) throws(TerraceError) -> Int64 {
    let numbers = parts.compactMap(\.asInt)
    guard numbers.count == parts.count, (5...7).contains(numbers.count),
      (1...9999).contains(numbers[0]), (1...12).contains(numbers[1]),
      (1...31).contains(numbers[2]), numbers[3...].allSatisfy({ $0 >= 0 && $0 < 1_000_000_000 })
    else { throw TerraceError(.corrupted, "tagCreateTime is no time") }
    let days = daysSince1970(year: numbers[0], month: numbers[1], day: numbers[2])
    var seconds = days * 86400 + numbers[3] * 3600 + numbers[4] * 60
    if numbers.count > 5 { seconds += numbers[5] }
    return seconds * 1000 + (numbers.count > 6 ? numbers[6] / 1_000_000 : 0)
  }

  private static func parts(_ millis: Int64) -> JSONValue {
    let days = floorDivide(millis, 86_400_000)
    let rest = millis - days * 86_400_000
    let date = civilDate(daysSince1970: days)
    let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000 * 1_000_000]
    return .array(([date.year, date.month, date.day] + clock).map { .int($0) })
  }
}

/// Howard Hinnant, `days_from_civil`.
func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
  let y = month <= 2 ? year - 1 : year
  let era = floorDivide(y, 400)
  let yearOfEra = y - era * 400
  let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
  return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}

/// Howard Hinnant, `civil_from_days`.
func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
  let z = days + 719_468
  let era = floorDivide(z, 146_097)
  let dayOfEra = z - era * 146_097
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let index = (5 * dayOfYear + 2) / 153
  let month = index < 10 ? index + 3 : index - 9
  return (
    yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * index + 2) / 5 + 1
  )
}
