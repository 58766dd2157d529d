package import Columns

/// Which version of a table to read.
package enum TimeTravel: Hashable, Sendable {
  case latest
  case snapshot(Int64)
  case tag(String)
  /// The last version that was there at this time. Milliseconds since 1970 UTC.
  case timestamp(Int64)
  /// The first version that has seen this watermark. Milliseconds since 1970.
  case watermark(Int64)
  /// A tag of this name, else a snapshot of this number.
  case version(String)

  /// What the options `scan.*` of a table or a query ask for.
  package init(_ options: TableOptions) throws(TerraceError) {
    if let id = try options.int("scan.snapshot-id") {
      self = .snapshot(Int64(id))
    } else if let tag = options["scan.tag-name"] {
      self = .tag(tag)
    } else if let millis = try options.int("scan.timestamp-millis") {
      self = .timestamp(Int64(millis))
    } else if let watermark = try options.int("scan.watermark") {
      self = .watermark(Int64(watermark))
    } else if let version = options["scan.version"] {
      self = .version(version)
    } else {
      self = .latest
    }
  }

  /// The snapshot that is meant; nil only for ``latest`` of a table without commits.
  ///
  /// - Throws: kind `notFound`, saying what there is.
  package func resolve(
    _ path: TablePath, _ environment: Environment, snapshots: SnapshotDirectory
  ) throws(TerraceError) -> Snapshot? {
    let tags = TagDirectory(path, environment)
    switch self {
    case .latest: return try snapshots.latest()
    case .tag(let name): return try tags.tag(name).snapshot
    case .snapshot(let id):
      if let snapshot = try snapshots.find(id) { return snapshot }
      // Expired, but a tag has kept it.
      if let tag = try tags.list().first(where: { $0.snapshot.id == id }) { return tag.snapshot }
      return try snapshots.snapshot(id)
    case .timestamp(let millis):
      if let snapshot = try snapshots.atOrBefore(millis: millis) { return snapshot }
      var error = TerraceError(.notFound, "the table has no version that old")
        .with("millis", millis)
      if let earliest = try snapshots.earliest() {
        error = error.with("earliest", earliest.timeMillis)
      }
      throw error
    case .watermark(let watermark):
      if let snapshot = try snapshots.firstAtOrAfter(watermark: watermark) { return snapshot }
      throw TerraceError(.notFound, "no version has reached this watermark")
        .with("watermark", watermark)
    case .version(let text):
      if let tag = try tags.list().first(where: { $0.name == text }) { return tag.snapshot }
      guard let id = Int64(text) else {
        throw TerraceError(.notFound, "no such tag or snapshot").with("version", shown(text))
      }
      return try TimeTravel.snapshot(id).resolve(path, environment, snapshots: snapshots)
    }
  }
}
