import Columns
import Store

/// Where a job that begins reads a source table from: `scan.mode` of its hint.
enum TableStart: Hashable {
  /// What the table holds now, then changes.
  case full
  /// Only what comes.
  case latest
  case snapshot(Int64, content: Bool)
  case timestamp(Int64)

  init(_ options: [String: String]) throws(TerraceError) {
    let options = TableOptions(options)
    let id = try options.int("scan.snapshot-id").map(Int64.init)
    let millis = try options.int("scan.timestamp-millis").map(Int64.init)
    func needs<Value>(_ value: Value?, _ option: String) throws(TerraceError) -> Value {
      guard let value else {
        throw TerraceError(.invalid, "scan.mode needs the option \(option)").with("option", option)
      }
      return value
    }
    switch options["scan.mode"]?.lowercased() ?? "default" {
    case "default":
      if let id {
        self = .snapshot(id, content: false)
      } else if let millis {
        self = .timestamp(millis)
      } else {
        self = .full
      }
    case "latest-full", "full": self = .full
    case "latest": self = .latest
    case "from-snapshot":
      self = .snapshot(try needs(id, "scan.snapshot-id"), content: false)
    case "from-snapshot-full":
      self = .snapshot(try needs(id, "scan.snapshot-id"), content: true)
    case "from-timestamp": self = .timestamp(try needs(millis, "scan.timestamp-millis"))
    case let mode: throw TerraceError(.unsupported, "scan.mode \(mode)").with("option", "scan.mode")
    }
  }

  func apply(to feed: TableFeed) throws(TerraceError) {
    let snapshots = feed.table.snapshots
    switch self {
    case .full: try feed.start(try snapshots.latestComplete(), content: true)
    case .latest: try feed.start(try snapshots.latestComplete(), content: false)
    case .snapshot(let id, let content):
      if content { return try feed.start(try snapshots.snapshot(id), content: true) }
      // Its own changes are read first.
      try feed.start(id <= 1 ? nil : try snapshots.snapshot(id - 1), content: false)
    case .timestamp(let millis):
      try feed.start(try snapshots.atOrBefore(millis: millis), content: false)
    }
  }
}
