package import Columns
import Formats
import Glibc

/// The tags of a table or branch.
package struct TagDirectory: Sendable {
  package let path: TablePath
  let environment: Environment

  package init(_ path: TablePath, _ environment: Environment) {
    self.path = path
    self.environment = environment
  }

  var files: any FileIO { environment.files }

  /// Names of all tags, in no order of their snapshots; reads no file.
  package func names() throws(TerraceError) -> [String] {
    try files.list(path.tags).filter { $0.hasPrefix("tag-") }.map { String($0.dropFirst(4)) }
  }

  /// All tags, by snapshot id and then by name.
  package func list() throws(TerraceError) -> [Tag] {
    var tags: [Tag] = []
    // A tag that goes while we look was not there.
    for name in try names() { if let tag = try read(name) { tags.append(tag) } }
    return tags.sorted { ($0.snapshot.id, $0.name) < ($1.snapshot.id, $1.name) }
  }

  package func find(_ name: String) throws(TerraceError) -> Tag? {
    try Tag.checkName(name)
    return try read(name)
  }

  private func read(_ name: String) throws(TerraceError) -> Tag? {
    let file = path.tag(name)
    guard let bytes = try files.readSmall(file) else { return nil }
    do {
      return try Tag(name: name, json: try parseJSON(bytes))
    } catch {
      throw error.with("file", file)
    }
  }

  /// - Throws: kind `notFound`.
  package func tag(_ name: String) throws(TerraceError) -> Tag {
    guard let tag = try find(name) else {
      throw TerraceError(.notFound, "no such tag").with("tag", shown(name))
    }
    return tag
  }

  /// Names a snapshot.
  ///
  /// - Parameters:
  ///   - snapshotID: nil for the newest that is complete.
  ///   - retainedMillis: nil for `tag.default-time-retained`, else for ever.
  ///   - allowsNumber: a name of digits, such as `20261120`, is no mistake.
  /// - Throws: kind `conflict` when there is such a tag, `notFound` when there is no such snapshot.
  @discardableResult package func create(
    _ name: String, snapshotID: Int64? = nil, retainedMillis: Int64? = nil,
    allowsNumber: Bool = false
  ) throws(TerraceError) -> Tag {
    let tag = try make(name, snapshotID, retainedMillis, allowsNumber: allowsNumber)
    try mustNotExist(name)
    try holding(tag) { () throws(TerraceError) in try publish(tag, as: name) }
    return tag
  }

  private func publish(_ tag: Tag, as name: String) throws(TerraceError) {
    let bytes = Array(tag.json.text(pretty: true).utf8)
    guard try files.publishNew(path.tag(name), bytes, names: environment.names) else {
      throw TerraceError(.conflict, "there is a tag of this name").with("tag", shown(name))
    }
  }

  /// Asked before publishing, which takes a file of the same content for its own.
  private func mustNotExist(_ name: String) throws(TerraceError) {
    if try files.exists(path.tag(name)) {
      throw TerraceError(.conflict, "there is a tag of this name").with("tag", shown(name))
    }
  }

  private func make(
    _ name: String, _ snapshotID: Int64?, _ retainedMillis: Int64?, allowsNumber: Bool
  ) throws(TerraceError) -> Tag {
    try Tag.checkName(name)
    if !allowsNumber, name.allSatisfy({ $0.isASCII && $0.isNumber }) {
      throw TerraceError(.invalid, "a tag must not be a number: it would look like a snapshot")
        .with("tag", name)
    }
    let snapshots = SnapshotDirectory(path, environment)
    let snapshot: Snapshot
    if let snapshotID {
      if let live = try snapshots.find(snapshotID) {
        snapshot = live
      } else if let tag = try list().first(where: { $0.snapshot.id == snapshotID }) {
        snapshot = tag.snapshot
      } else {
        snapshot = try snapshots.snapshot(snapshotID)
      }
    } else {
      guard let latest = try snapshots.latestComplete() else {
        throw TerraceError(.notFound, "the table has no snapshot yet").with("path", path.root)
      }
      snapshot = latest
    }
    let options = try SchemaDirectory(path, environment).latest().options
    let standard = try options.tagDefaultTimeRetainedMillis
    let retention = (retainedMillis ?? standard).map {
      Tag.Retention(createdMillis: localMillis(environment.time.nowMillis()), retainedMillis: $0)
    }
    return Tag(name: name, snapshot: snapshot, retention: retention)
  }

  /// Lets a tag name another snapshot or be kept for another time; files that only the old one held
  /// are removed.
  @discardableResult package func replace(
    _ name: String, snapshotID: Int64? = nil, retainedMillis: Int64? = nil
  ) throws(TerraceError) -> Tag {
    let old = try tag(name)
    let tag = try make(
      name, snapshotID ?? old.snapshot.id, retainedMillis, allowsNumber: true)
    let bytes = Array(tag.json.text(pretty: true).utf8)
    try holding(tag) { () throws(TerraceError) in
      try files.replace(path.tag(name), with: bytes, durable: true)
    }
    if old.snapshot != tag.snapshot { try clean([old]) }
    return tag
  }

  package func rename(_ name: String, to new: String) throws(TerraceError) {
    try Tag.checkName(new)
    let old = try tag(name)
    try mustNotExist(new)
    try publish(old, as: new)
    try files.delete(path.tag(name))
    try files.syncNames(path.tags)
  }

  /// Removes a tag and the files that only it held.
  ///
  /// - Returns: false when there was none.
  @discardableResult package func delete(_ name: String) throws(TerraceError) -> Bool {
    guard let tag = try find(name) else { return false }
    try remove([tag])
    return true
  }

  /// Removes the tags whose time is over.
  package func expire() throws(TerraceError) -> [Tag] {
    let options = try SchemaDirectory(path, environment).latest().options
    guard try options.tagTimeExpireEnabled else { return [] }
    let now = localMillis(environment.time.nowMillis())
    let over = try list().filter { $0.retention.map { $0.endMillis < now } ?? false }
    try remove(over)
    return over
  }

  func remove(_ tags: [Tag]) throws(TerraceError) {
    if tags.isEmpty { return }
    for tag in tags { try files.delete(path.tag(tag.name)) }
    // No tag that can be seen may name a missing file, also after a loss of power.
    try files.syncNames(path.tags)
    try clean(tags)
  }
}

/// The wall clock of this process at a time, as if it were UTC: UTC unless `TZ` says otherwise.
package func localMillis(_ millis: Int64) -> Int64 {
  var seconds = time_t(floorDivide(millis, 1000))
  var parts = tm()
  guard localtime_r(&seconds, &parts) != nil else { return millis }
  return millis + Int64(parts.tm_gmtoff) * 1000
}
