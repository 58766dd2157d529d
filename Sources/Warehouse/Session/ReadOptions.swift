import Columns
import SQL
import Store

/// What the hint OPTIONS and AS OF say about one read of a stored table, under Paimon's option names.
struct ReadOptions {
  enum What {
    case version(TimeTravel)
    /// What changed after the first snapshot up to the second one.
    case changes(after: TimeTravel, to: TimeTravel)
  }

  let what: What

  init(_ reference: TableReference, _ session: SQLSession) throws(TerraceError) {
    switch reference.travel {
    case .time(let millis):
      what = .version(.timestamp(try session.instant(ofLocal: millis)))
      try ReadOptions.check(reference.options)
      return
    case .version(let text):
      what = .version(.version(text))
      try ReadOptions.check(reference.options)
      return
    case nil: break
    }
    var options = TableOptions()
    for option in reference.options { options[option.key] = option.value }
    try ReadOptions.check(reference.options)
    if let changes = try ReadOptions.changes(options, session) {
      what = changes
    } else {
      what = .version(try ReadOptions.version(options, session))
    }
  }

  private static let known: Set<String> = [
    "scan.mode", "scan.snapshot-id", "scan.tag-name", "scan.timestamp", "scan.timestamp-millis",
    "scan.version", "scan.watermark", "incremental-between", "incremental-between-timestamp",
    "incremental-between-scan-mode",
    // Say how to read, and not what: they make no difference here.
    "scan.parallelism", "scan.infer-parallelism", "scan.max-splits-per-task",
    "scan.plan-sort-partition", "scan.manifest.parallelism", "scan.remove-normalize",
    "scan.bounded.watermark", "consumer-id", "consumer.expiration-time", "consumer.mode",
    "consumer.ignore-progress",
  ]

  private static func check(_ options: [TableReference.Option]) throws(TerraceError) {
    for option in options
    where option.key.hasPrefix("scan.") || option.key.hasPrefix("incremental-") {
      if known.contains(option.key) { continue }
      throw TerraceError(.unsupported, "the option '\(option.key)' of a read").hint(
        NearestName.hint(
          option.key, among: known.filter { $0.hasPrefix("scan.") }.sorted(), else: "there are "))
    }
  }

  private static func version(
    _ options: TableOptions, _ session: SQLSession
  ) throws(TerraceError) -> TimeTravel {
    let mode = options.text("scan.mode", "default").lowercased()
    var travel = try TimeTravel(options)
    if let text = options["scan.timestamp"] {
      travel = .timestamp(try instant(text, "scan.timestamp", session))
    }
    switch mode {
    case "default": return travel
    case "latest", "latest-full", "full": return .latest
    case "from-snapshot", "from-snapshot-full", "from-timestamp":
      guard travel != .latest else {
        throw TerraceError(.invalid, "scan.mode '\(mode)' needs to be told where to begin")
          .hint("add 'scan.snapshot-id' or 'scan.timestamp-millis'")
      }
      return travel
    default:
      throw TerraceError(.unsupported, "scan.mode '\(mode)'")
        .hint("there are latest-full, from-snapshot, from-timestamp")
    }
  }

  /// A time as text, in the session's zone unless it names one.
  private static func instant(
    _ text: String, _ option: String, _ session: SQLSession
  ) throws(TerraceError) -> Int64 {
    guard let (nanos, hasOffset) = InstantText.timestamp(text) else {
      throw TerraceError(.invalid, "'\(option)' takes a time such as '2026-11-20 12:30:00'")
    }
    let millis = Int64(truncatingIfNeeded: nanos / 1_000_000)
    return hasOffset ? millis : try session.instant(ofLocal: millis)
  }

  private static func changes(
    _ options: TableOptions, _ session: SQLSession
  ) throws(TerraceError) -> What? {
    let mode = options.text("incremental-between-scan-mode", "auto").lowercased()
    guard mode == "auto" || mode == "delta" || mode == "changelog" else {
      throw TerraceError(.unsupported, "incremental-between-scan-mode '\(mode)'")
    }
    func pair(_ name: String) throws(TerraceError) -> (String, String)? {
      guard let text = options[name] else { return nil }
      let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed)
      guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
        throw TerraceError(.invalid, "'\(name)' takes two, between a comma: '3,7'")
      }
      return (parts[0], parts[1])
    }
    if let (from, to) = try pair("incremental-between") {
      return .changes(after: .version(from), to: .version(to))
    }
    guard let (from, to) = try pair("incremental-between-timestamp") else { return nil }
    func time(_ text: String) throws(TerraceError) -> TimeTravel {
      if let millis = Int64(text) { return .timestamp(millis) }
      return .timestamp(try instant(text, "incremental-between-timestamp", session))
    }
    return .changes(after: try time(from), to: try time(to))
  }
}
