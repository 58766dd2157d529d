import Columns
import Formats

/// What keeps the files of a tag there while several processes tag, expire and delete at once.
///
/// Whoever deletes removes the name first, a snapshot's or a tag's, and then asks who else holds the
/// files. Whoever makes a tag is on record as a holder first, and then looks whether the snapshot
/// still has a name. So one of the two always sees the other.
extension TagDirectory {
  /// Calls `body` with the snapshots that tags hold, by id, those in the making included: whoever
  /// deletes files asks here. Again when they change meanwhile: one that went may have got
  /// another name.
  func withHolders<Result>(
    _ body: ([Snapshot]) throws(TerraceError) -> Result
  ) throws(TerraceError) -> Result {
    while true {
      let names = try holderNames()
      var held: [Snapshot] = []
      for name in names {
        guard let bytes = try files.readSmall(path.tags + "/" + name) else { continue }
        do throws(TerraceError) {
          held.append(try Snapshot(json: try parseJSON(bytes)))
        } catch {
          // Half written: its writer looks afterwards whether the snapshot is still there.
          if TagDirectory.isHold(name) { continue }
          throw error.with("file", path.tags + "/" + name)
        }
      }
      let result: Result
      do {
        result = try body(held.sorted { $0.id < $1.id })
      } catch {
        if error.kind != .notFound { throw error }
        if try holderNames() == names { throw error }
        continue
      }
      if try holderNames() == names { return result }
    }
  }

  private func holderNames() throws(TerraceError) -> [String] {
    try files.list(path.tags).filter { $0.hasPrefix("tag-") || TagDirectory.isHold($0) }
  }

  private static func isHold(_ name: String) -> Bool {
    name.hasPrefix(".hold-") && name.hasSuffix(".tmp")
  }

  /// Does something that gives a tag its name, with the tag's files held from before it is known
  /// that they are all there. A process that dies on the way leaves a file that orphans' removal
  /// takes, never a tag without its files.
  func holding<Result>(
    _ tag: Tag, _ body: () throws(TerraceError) -> Result
  ) throws(TerraceError) -> Result {
    let hold = path.tags + "/.hold-" + environment.names.uuid() + ".tmp"
    try files.makeDirectories(path.tags)
    let sink = try files.create(hold)
    defer { files.discard(hold) }
    try Array(tag.snapshot.json.text(pretty: false).utf8).write(to: sink)
    try sink.close()
    // Expiration looks for holders after it has removed the snapshot.
    if try !files.exists(path.snapshot(tag.snapshot.id)), try !isHeld(tag) {
      throw TerraceError(.notFound, "the snapshot expired while it was tagged")
        .with("snapshot", tag.snapshot.id)
    }
    return try body()
  }

  /// Whether a tag that is there holds the same snapshot.
  private func isHeld(_ tag: Tag) throws(TerraceError) -> Bool {
    try list().contains { $0.snapshot == tag.snapshot }
  }

  /// Removes the files of tags that are gone, but for those that their neighbours hold.
  func clean(_ tags: [Tag]) throws(TerraceError) {
    let reach = try FileReach(path, environment)
    for tag in tags {
      if try files.exists(path.snapshot(tag.snapshot.id)) { continue }
      let kept = try withHolders { held throws(TerraceError) in
        try self.kept(beside: tag.snapshot.id, held, reach)
      }
      guard let kept else { continue }
      let others = try reach.heldByOtherBranches()
      let data = try reach.remainingData(of: tag.snapshot)
      try reach.delete(data.subtracting(kept.data).subtracting(others.data))
      let metadata = try reach.remainingMetadata(of: tag.snapshot, changelog: false)
      try reach.delete(metadata: metadata.subtracting(kept.metadata).subtracting(others.metadata))
    }
  }

  /// What the neighbours of a snapshot hold; nil when a tag holds the snapshot itself.
  private func kept(
    beside id: Int64, _ held: [Snapshot], _ reach: FileReach
  ) throws(TerraceError) -> FileReach.Held? {
    if held.contains(where: { $0.id == id }) { return nil }
    let snapshots = SnapshotDirectory(path, environment)
    var kept = FileReach.Held()
    let tags = [held.last { $0.id < id }, held.first { $0.id > id }].compactMap(\.self)
    for tag in tags { try reach.add(tag, to: &kept, changelog: false) }
    while let earliest = try snapshots.earliest() {
      do {
        try reach.add(earliest, to: &kept)
        // Rolled back: the snapshots that there are may be older than the tag.
        if let latest = try snapshots.latest(), latest.id < id { try reach.add(latest, to: &kept) }
        break
      } catch {
        // Expired while it was read: the next one is the earliest.
        if error.kind != .notFound { throw error }
        if try snapshots.find(earliest.id) != nil { throw error }
      }
    }
    return kept
  }
}
