import Columns
import Store

/// Where partitions begin and end, by `scan.startup.*` and `scan.bounded.*`.
struct KafkaPlace: Hashable, Sendable {
  enum Mode: Hashable, Sendable {
    case earliest, latest, group, unbounded
    /// Milliseconds since 1970.
    case timestamp(Int64)
    /// By number of the partition.
    case offsets([Int32: Int64])
  }
  var mode: Mode

  static func start(_ options: inout ConnectorOptions) throws(TerraceError) -> KafkaPlace {
    let words = [
      "group-offsets", "earliest-offset", "latest-offset", "timestamp", "specific-offsets",
    ]
    return KafkaPlace(mode: try mode(&options, "scan.startup", words))
  }

  static func bound(_ options: inout ConnectorOptions) throws(TerraceError) -> KafkaPlace {
    let words = ["unbounded", "latest-offset", "group-offsets", "timestamp", "specific-offsets"]
    return KafkaPlace(mode: try mode(&options, "scan.bounded", words))
  }

  private static func mode(
    _ options: inout ConnectorOptions, _ prefix: String, _ words: [String]
  ) throws(TerraceError) -> Mode {
    let word = try options.choice("\(prefix).mode", words)
    let (timeName, offsetsName) = ("\(prefix).timestamp-millis", "\(prefix).specific-offsets")
    let time = try options.integer(timeName)
    let offsets = options.text(offsetsName)
    switch word {
    case "earliest-offset": return .earliest
    case "latest-offset": return .latest
    case "group-offsets": return .group
    case "timestamp":
      guard let time, time >= 0 else {
        throw options.missing(timeName, "'\(prefix).mode' = 'timestamp'")
      }
      return .timestamp(time)
    case "specific-offsets":
      guard let offsets else {
        throw options.missing(offsetsName, "'\(prefix).mode' = 'specific-offsets'")
      }
      guard let parsed = parse(offsets) else {
        throw options.wrong(offsetsName, "'partition:0,offset:42;partition:1,offset:300'")
      }
      return .offsets(parsed)
    default: return .unbounded
    }
  }

  /// `partition:0,offset:42;partition:1,offset:300`; nil for other texts.
  static func parse(_ text: String) -> [Int32: Int64]? {
    var found: [Int32: Int64] = [:]
    for pair in text.split(separator: ";", omittingEmptySubsequences: true) {
      if pair.trimmed.isEmpty { continue }
      let parts = pair.split(separator: ",").map(\.trimmed)
      guard parts.count == 2, parts[0].hasPrefix("partition:"), parts[1].hasPrefix("offset:"),
        let partition = Int32(parts[0].dropFirst(10).trimmed), partition >= 0,
        let offset = Int64(parts[1].dropFirst(7).trimmed), offset >= 0,
        found.updateValue(offset, forKey: partition) == nil
      else { return nil }
    }
    return found.isEmpty ? nil : found
  }
}

extension ConnectorOptions {
  func missing(_ name: String, _ because: String) -> TerraceError {
    TerraceError(.invalid, "the option '\(name)' is missing", hint: "\(because) needs it")
      .with("table", table.name).with("option", name)
  }
}
