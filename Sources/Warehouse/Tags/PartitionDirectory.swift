package import Catalog
package import Columns
package import Dataflow
package import Store

/// The tags of a table, seen as partitions: `dt = '2026-11-19'` is the snapshot of the tag `2026-11-19`.
///
/// With a metastore a tag and its row change together, and the rows answer; without one the tags' files do.
package struct PartitionDirectory: Sendable {
  package let name: TableName
  package let schedule: TagSchedule
  package let metastore: Metastore?
  let table: Table

  /// - Parameters:
  ///   - session: the time zone of process time.
  ///   - metastore: nil for a warehouse without one.
  ///   - sources: the schedule that a job's target takes from its sources, when it has none of its own; nil
  ///     to read it from the table's newest snapshot.
  package init(
    _ name: TableName, _ table: Table, session: SessionZone, metastore: Metastore?,
    sources: TagSchedule? = nil
  ) throws(TerraceError) {
    self.name = name
    self.table = table
    let own = try TagSchedule(table.schema, session: session)
    if own.mode != .none {
      schedule = own
    } else if let sources {
      schedule = own.inheriting(sources)
    } else {
      let text = try table.snapshots.latest()?.properties?[TagSchedule.propertyName]
      schedule = text.flatMap { own.inheriting(encoded: $0) } ?? own
    }
    // A branch has tags of its own, which are nobody's partitions.
    self.metastore = name.branch == nil ? metastore : nil
  }

  var tags: TagDirectory { TagDirectory(table.path, table.environment) }
  /// The column in queries; nil for a table whose tags are no partitions.
  package var column: String? { schedule.partitionColumn }

  // MARK: Making and removing

  /// Tags a snapshot as a period, and makes the partition, in one step. A tag that is there already stays
  /// what it is, and its partition is made if a crash came between the two.
  ///
  /// - Parameter isOutlived: whether the snapshot of a tag that is there gives way to this one.
  @discardableResult package func publish(
    _ period: TagPeriod, snapshotID: Int64, isOutlived: (Snapshot) -> Bool = { _ in false }
  ) throws(TerraceError) -> Tag {
    let tag = schedule.name(of: period)
    if let made = try tags.find(tag) {
      if isOutlived(made.snapshot) { return try replace(tag, snapshotID: snapshotID) }
      try publishRow(of: made)
      return made
    }
    return try publish(tag: tag, snapshotID: snapshotID, isAutomatic: true)
  }

  /// Tags a snapshot under any name, and makes the partition.
  ///
  /// - Parameters:
  ///   - snapshotID: nil for the newest that is complete.
  ///   - isAutomatic: the name comes from the schedule and may be all digits.
  /// - Throws: `conflict` when there is such a tag.
  @discardableResult package func publish(
    tag: String, snapshotID: Int64? = nil, retainedMillis: Int64? = nil, isAutomatic: Bool = false
  ) throws(TerraceError) -> Tag {
    let tags = tags
    func make(_ id: Int64?) throws(TerraceError) -> Tag {
      try tags.create(
        tag, snapshotID: id, retainedMillis: retainedMillis, allowsNumber: isAutomatic)
    }
    guard let metastore, let column else { return try make(snapshotID) }
    try Tag.checkName(tag)
    guard let snapshot = try snapshot(toTag: snapshotID) else { return try make(snapshotID) }
    let row = try row(tag, snapshot, column, table.environment.time.nowMillis())
    return try metastore.publish(row) { () throws(TerraceError) -> Tag in try make(snapshot.id) }
  }

  private func snapshot(toTag id: Int64?) throws(TerraceError) -> Snapshot? {
    guard let id else { return try table.snapshots.latestComplete() }
    if let live = try table.snapshots.find(id) { return live }
    return try tags.list().first { $0.snapshot.id == id }?.snapshot
  }

  private func publishRow(of tag: Tag) throws(TerraceError) {
    guard let metastore, let column else { return }
    if try metastore.partition(of: name.description, value: tag.name)?.snapshotID == tag.snapshot.id
    {
      return
    }
    let row = try row(tag.name, tag.snapshot, column, table.environment.time.nowMillis())
    _ = try metastore.publish(row) { tag }
  }

  /// Removes tags with their partitions and the files that only they held.
  ///
  /// - Returns: the names of those that were there.
  @discardableResult package func remove(_ names: [String]) throws(TerraceError) -> [String] {
    let tags = tags
    var gone: [String] = []
    func removeFiles() throws(TerraceError) {
      for name in names where try tags.delete(name) { gone.append(name) }
    }
    guard let metastore, column != nil else {
      try removeFiles()
      return gone
    }
    try metastore.unpublish(table: name.description, tags: names) { () throws(TerraceError) in
      try removeFiles()
    }
    return gone
  }

  /// Gives a tag, and so its partition, another name.
  package func rename(_ tag: String, to new: String) throws(TerraceError) {
    try change { () throws(TerraceError) in try tags.rename(tag, to: new) }
  }

  /// Lets a tag, and so its partition, be another snapshot or be kept for another time.
  @discardableResult package func replace(
    _ tag: String, snapshotID: Int64? = nil, retainedMillis: Int64? = nil
  ) throws(TerraceError) -> Tag {
    try change { () throws(TerraceError) in
      try tags.replace(tag, snapshotID: snapshotID, retainedMillis: retainedMillis)
    }
  }

  /// Changes the tags' files and then the rows, nobody in between.
  private func change<Result>(
    _ body: () throws(TerraceError) -> Result
  ) throws(TerraceError) -> Result {
    guard let metastore, column != nil else { return try body() }
    return try metastore.transaction { () throws(TerraceError) -> Result in
      let result = try body()
      try reconcile()
      return result
    }
  }

  /// Removes tags whose time is over, and automatic ones above `tag.num-retained-max`, oldest first.
  ///
  /// - Returns: their names.
  @discardableResult package func retain() throws(TerraceError) -> [String] {
    let all = try tags.list()
    var over: [String] = []
    if try table.schema.options.tagTimeExpireEnabled {
      let now = localMillis(table.environment.time.nowMillis())
      over = all.filter { $0.retention.map { $0.endMillis < now } ?? false }.map(\.name)
    }
    if let most = schedule.retainedMax {
      let left = Set(all.map(\.name)).subtracting(over)
      let automatic = left.compactMap { name in schedule.period(named: name).map { (name, $0) } }
        .sorted { $0.1 < $1.1 }
      over += automatic.dropLast(most).map(\.0)
    }
    return over.isEmpty ? [] : try remove(over)
  }

  // MARK: Listing

  /// The partitions that the tags are, by value.
  package func partitions() throws(TerraceError) -> [TagPartition] {
    guard let column else { return [] }
    guard let metastore else {
      var found: [TagPartition] = []
      for tag in try tags.list() {
        found.append(try row(tag.name, tag.snapshot, column, try created(tag)))
      }
      return found.sorted { $0.value < $1.value }
    }
    let rows = try metastore.partitions(of: name.description)
    // Others tag and untag the table too, and a crash may have come between file and row.
    if try Set(rows.map(\.tag)) == Set(tags.names()) { return rows }
    try reconcile()
    return try metastore.partitions(of: name.description)
  }

  /// The snapshot of a partition; nil when there is no such partition.
  package func snapshot(of value: String) throws(TerraceError) -> Snapshot? {
    guard column != nil else { return nil }
    if try tags.names().contains(value) { return try tags.find(value)?.snapshot }
    guard schedule.preview != .none, value == (try runningValue()) else { return nil }
    return try table.snapshots.latest()
  }

  /// The value of the period that is not over: the partition column of the newest rows.
  ///
  /// By the clock, or by the newest watermark where that makes the tags. Nil where no watermark tells.
  package func runningValue() throws(TerraceError) -> String? {
    guard column != nil else { return nil }
    let usesWatermark =
      schedule.mode == .watermark || (schedule.mode == .none && schedule.preview == .watermark)
    let latest = try table.snapshots.latest()
    var instant = table.environment.time.nowMillis()
    if usesWatermark {
      guard let watermark = latest?.watermark else { return nil }
      instant = watermark
    }
    // A barrier that passed is behind the newest rows, also one that did not wait for all sources.
    if let latest, let last = try Root.Tags(of: latest)?.last { instant = max(instant, last) }
    return schedule.period(of: instant).map { schedule.name(of: $0) }
  }

  /// What SHOW PARTITIONS lists: the partitions, and the running one where the table previews it.
  package func shown() throws(TerraceError) -> [TagPartition] {
    var found = try partitions()
    guard let column, schedule.preview != .none, let value = try runningValue(),
      !found.contains(where: { $0.value == value }), let latest = try table.snapshots.latest()
    else { return found }
    found.append(try row(value, latest, column, latest.timeMillis))
    return found.sorted { $0.value < $1.value }
  }

  // MARK: Repair

  /// Makes the metastore's rows of this table what its tags are.
  ///
  /// - Returns: the values added or changed, and those removed.
  @discardableResult package func reconcile() throws(TerraceError)
    -> (added: [String], removed: [String])
  {
    guard let metastore else { return ([], []) }
    return try metastore.transaction {
      () throws(TerraceError) -> (added: [String], removed: [String]) in
      // Listed within the transaction: nobody else is between file and row now.
      var wanted: [TagPartition] = []
      let rows = try metastore.partitions(of: name.description)
      let known = Dictionary(rows.map { ($0.tag, $0) }) { $1 }
      if let column {
        for tag in try tags.list() {
          // What a snapshot holds never changes: its row need not be made again.
          if let row = known[tag.name], row.snapshotID == tag.snapshot.id, row.column == column {
            wanted.append(row)
            continue
          }
          wanted.append(try row(tag.name, tag.snapshot, column, try created(tag)))
        }
      }
      return try metastore.reconcile(table: name.description, with: wanted)
    }
  }

  private func created(_ tag: Tag) throws(TerraceError) -> Int64 {
    let file = table.path.tag(tag.name)
    return try table.environment.files.status(file)?.modifiedMillis ?? tag.snapshot.timeMillis
  }

  private func row(
    _ tag: String, _ snapshot: Snapshot, _ column: String, _ createdMillis: Int64
  ) throws(TerraceError) -> TagPartition {
    let state = try TableState(at: snapshot, try table.manifests())
    let files = state.buckets.values.flatMap(\.files)
    return TagPartition(
      table: name.description, column: column, value: tag, tag: tag, snapshotID: snapshot.id,
      rows: snapshot.totalRecordCount,
      bytes: files.reduce(0) { $0 + $1.byteCount }, files: files.count, createdMillis: createdMillis
    )
  }
}

extension OpenWarehouse {
  /// The partitions by tag of a table.
  ///
  /// - Parameter session: the time zone of process time.
  package func tagPartitions(
    of name: TableName, session: SessionZone = .utc
  ) throws(TerraceError) -> PartitionDirectory {
    try PartitionDirectory(name, try open(name), session: session, metastore: try metastore)
  }
}
