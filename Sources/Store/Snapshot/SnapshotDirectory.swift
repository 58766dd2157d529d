package import Columns
import Formats
import Synchronization

/// The snapshot files of a table or branch.
///
/// Snapshots are immutable, but an id can come to mean another commit after a rollback: what is kept
/// in memory is therefore checked against the file's identity.
package final class SnapshotDirectory: Sendable {
  package let path: TablePath
  private let environment: Environment
  private let known = Mutex<Known>(Known())
  private static let keptMax = 512

  private struct Known {
    var latest: Int64?
    var snapshots: [Int64: (identity: UInt64, snapshot: Snapshot)] = [:]
  }

  package init(_ path: TablePath, _ environment: Environment) {
    self.path = path
    self.environment = environment
  }

  private var files: any FileIO { environment.files }

  func fileExists(_ file: String) throws(TerraceError) -> Bool { try files.exists(file) }

  /// Ids in ascending order.
  package func ids() throws(TerraceError) -> [Int64] {
    try files.list(path.snapshots).compactMap { numbered($0, "snapshot-") }.sorted()
  }

  /// The greatest id; nil when nothing was ever committed.
  ///
  /// A hint is trusted when its snapshot exists and the next does not; else the folder is listed.
  package func latestID() throws(TerraceError) -> Int64? {
    let remembered = known.withLock { $0.latest }
    if let remembered, try isLatest(remembered) { return remembered }
    if let hint = try readHint("LATEST"), hint != remembered, try isLatest(hint) {
      known.withLock { $0.latest = hint }
      return hint
    }
    let listed = try ids().last
    known.withLock { $0.latest = listed }
    return listed
  }

  private func isLatest(_ id: Int64) throws(TerraceError) -> Bool {
    if try files.exists(path.snapshot(id + 1)) { return false }
    return try files.exists(path.snapshot(id))
  }

  /// The least id; nil when nothing was ever committed.
  package func earliestID() throws(TerraceError) -> Int64? {
    if let hint = try readHint("EARLIEST"), try files.exists(path.snapshot(hint)) { return hint }
    return try ids().first
  }

  private func readHint(_ name: String) throws(TerraceError) -> Int64? {
    guard let bytes = try files.readSmall(path.snapshots + "/" + name, limit: 1 << 20) else {
      return nil
    }
    guard let id = Int64(String(decoding: bytes, as: UTF8.self).trimmed), id > 0, id < .max else {
      return nil
    }
    return id
  }

  package func latest() throws(TerraceError) -> Snapshot? {
    while let id = try latestID() {
      // Gone between the two looks: expired or rolled back by another process.
      if let snapshot = try find(id) { return snapshot }
      known.withLock { $0.latest = nil }
    }
    return nil
  }

  package func earliest() throws(TerraceError) -> Snapshot? {
    while let id = try earliestID() {
      if let snapshot = try find(id) { return snapshot }
    }
    return nil
  }

  /// - Throws: kind `notFound`, naming the ids that there are.
  package func snapshot(_ id: Int64) throws(TerraceError) -> Snapshot {
    if let found = try find(id) { return found }
    var error = TerraceError(.notFound, "no such snapshot").with("snapshot", id)
    if let first = try earliestID(), let last = try latestID() {
      error = error.with("earliest", first).with("latest", last)
    }
    throw error.with("path", path.root)
  }

  /// Nil when the snapshot is missing.
  package func find(_ id: Int64) throws(TerraceError) -> Snapshot? {
    let file = path.snapshot(id)
    guard let status = try files.status(file) else {
      known.withLock { $0.snapshots[id] = nil }
      return nil
    }
    if let found = known.withLock({ $0.snapshots[id] }), found.identity == status.identity {
      return found.snapshot
    }
    guard let snapshot = try readSnapshot(file, files) else { return nil }
    if snapshot.id != id {
      throw TerraceError(.corrupted, "a snapshot file holds another id").with("file", file)
        .with("id", snapshot.id)
    }
    known.withLock { known in
      if known.snapshots.count >= SnapshotDirectory.keptMax {
        known.snapshots.removeAll(keepingCapacity: true)
      }
      known.snapshots[id] = (status.identity, snapshot)
    }
    return snapshot
  }

  /// The last snapshot that was committed at this time or before; nil when the first is younger.
  ///
  /// Reads a logarithm of the number of snapshots.
  package func atOrBefore(millis: Int64) throws(TerraceError) -> Snapshot? {
    try lastWhere { $0.timeMillis <= millis }
  }

  /// The first snapshot whose watermark is at least this; nil when there is none yet.
  package func firstAtOrAfter(watermark: Int64) throws(TerraceError) -> Snapshot? {
    let before = try lastWhere { ($0.watermark ?? Int64.min) < watermark }
    guard let before else { return try earliest() }
    return try find(before.id + 1)
  }

  /// The last snapshot of those, from the first on, that `holds` is true for.
  private func lastWhere(
    _ holds: (Snapshot) -> Bool
  ) throws(TerraceError) -> Snapshot? {
    guard var low = try earliestID(), var high = try latestID() else { return nil }
    var best: Snapshot?
    while low <= high {
      let middle = low + (high - low) / 2
      guard let snapshot = try find(middle) else {
        // Expired while we search.
        low = middle + 1
        continue
      }
      if holds(snapshot) {
        best = snapshot
        low = middle + 1
      } else {
        high = middle - 1
      }
    }
    return best
  }

  // MARK: Long-lived changelogs

  /// Ids of snapshots that are gone but for their changelog.
  package func changelogIDs() throws(TerraceError) -> [Int64] {
    try files.list(path.changelogs).compactMap { numbered($0, "changelog-") }.sorted()
  }

  /// What `changelog-N` says of a snapshot that is gone; nil when it is missing.
  package func findChangelog(_ id: Int64) throws(TerraceError) -> Snapshot? {
    try readSnapshot(path.changelog(id), files)
  }

  // MARK: Writing

  /// Makes it known that `id` is the newest, so that others need not list the folder. Losing it costs
  /// nothing but time, so a failure is no error.
  package func hintLatest(_ id: Int64) {
    known.withLock { $0.latest = id }
    writeHint(path.snapshots + "/LATEST", id)
  }

  package func hintEarliest(_ id: Int64) { writeHint(path.snapshots + "/EARLIEST", id) }

  private func writeHint(_ file: String, _ id: Int64) {
    do {
      try files.replace(file, with: Array(String(id).utf8), durable: false)
    } catch {
      return  // See ``hintLatest(_:)``.
    }
  }
}

/// Reads a file that holds a snapshot; nil when it is missing.
func readSnapshot(_ file: String, _ files: any FileIO) throws(TerraceError) -> Snapshot? {
  guard let bytes = try files.readSmall(file) else { return nil }
  do {
    return try Snapshot(json: try parseJSON(bytes))
  } catch {
    throw error.with("file", file)
  }
}
