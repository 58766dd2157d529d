package import Columns

/// Rows of a changelog, all of one snapshot.
package final class Changes: Sendable {
  package let snapshot: Int64
  package let rows: Batch
  /// One ``RowKind`` raw value a row.
  package let kinds: Buffer

  init(snapshot: Int64, rows: Batch, kinds: Buffer) {
    self.snapshot = snapshot
    self.rows = rows
    self.kinds = kinds
  }

  /// The same changes with weights instead of kinds.
  package var delta: DeltaBatch { DeltaBatch(rows, kinds: kinds.pointer(UInt8.self)) }
}

/// What changed in a table, snapshot by snapshot.
///
/// With a changelog producer the changes were written down, and a snapshot without a changelog has
/// none to show; without one they are the new rows of APPEND snapshots, in which an update is just
/// the new row. What OVERWRITE did shows only with `streaming-read-overwrite`.
package struct ChangeScan: Sendable {
  package let table: Table
  package let columns: [Int]
  package let predicate: Predicate

  init(_ table: Table, columns: [Int]?, predicate: Predicate) {
    self.table = table
    self.columns = columns ?? Array(table.schema.fields.indices)
    self.predicate = predicate
  }

  package var type: RowType { RowType(columns.map { table.schema.fields[$0] }) }

  /// All rows of a snapshot as inserts: where a reader of changes begins.
  ///
  /// Where compactions write the changelog, rows whose changes are still to come are left out, so
  /// that none shows twice.
  package func content(of snapshot: Snapshot) throws(TerraceError) -> ChangeRead {
    let scan = table.scan(columns: columns, predicate: predicate)
    let least: Int
    switch try table.schema.options.changelogProducer {
    case .lookup: least = 1
    case .fullCompaction: least = try table.schema.options.levelCount - 1
    case .none, .input: least = 0
    }
    let plan = try ScanPlanner(table, predicate).plan(
      snapshot, leastLevel: table.schema.hasPrimaryKey ? least : 0)
    return ChangeRead(
      snapshot: snapshot.id, table.files, columns, predicate, [.content(try scan.read(plan))])
  }

  /// The snapshot of this id, also when only its changelog is still there.
  package func snapshot(_ id: Int64) throws(TerraceError) -> Snapshot {
    if let live = try table.snapshots.find(id) { return live }
    if let kept = try table.snapshots.findChangelog(id) { return kept }
    throw TerraceError(.notFound, "no such snapshot").with("snapshot", Int(id))
      .hint("it may have expired; a consumer keeps snapshots from expiring")
  }

  /// What a snapshot changed.
  package func changes(of snapshot: Snapshot) throws(TerraceError) -> ChangeRead {
    ChangeRead(
      snapshot: snapshot.id, table.files, columns, predicate, try parts(of: snapshot))
  }

  /// The first snapshot after this one that may have changes; nil when there is none yet.
  package func nextID(after id: Int64) throws(TerraceError) -> Int64? {
    guard let latest = try table.snapshots.latestID(), id < latest else { return nil }
    return id + 1
  }

  private func parts(of snapshot: Snapshot) throws(TerraceError) -> [ChangeRead.Part] {
    let options = table.schema.options
    let keyValue = table.schema.hasPrimaryKey
    if snapshot.kind == .overwrite {
      guard try options.flag("streaming-read-overwrite", false) else { return [] }
      return try replaced(snapshot)
    }
    let list: String?
    let producer = try options.changelogProducer
    if keyValue && producer != .none {
      list = snapshot.changelogManifestList
    } else {
      list = snapshot.kind == .append ? snapshot.deltaManifestList : nil
    }
    guard let list else { return [] }
    return try entries(list).filter { $0.kind == .add }
      .map { .file($0.file, $0.place, reversed: false) }
  }

  /// The rows that went and those that came in their place.
  private func replaced(_ snapshot: Snapshot) throws(TerraceError) -> [ChangeRead.Part] {
    let all = try entries(snapshot.deltaManifestList)
    return all.filter { $0.kind == .delete }.map { .file($0.file, $0.place, reversed: true) }
      + all.filter { $0.kind == .add }.map { .file($0.file, $0.place, reversed: false) }
  }

  private func entries(_ list: String) throws(TerraceError) -> [ManifestEntry] {
    let manifests = try table.manifests()
    var entries: [ManifestEntry] = []
    for manifest in try manifests.readList(list) {
      entries += try manifests.readEntries(manifest.name)
    }
    return entries
  }
}

extension Table {
  package func changes(columns: [Int]? = nil, predicate: Predicate = .always) -> ChangeScan {
    ChangeScan(self, columns: columns, predicate: predicate)
  }
}

/// The changes of one snapshot, a batch at a time.
package final class ChangeRead {
  enum Part {
    case content(TableRead)
    case file(DataFile, BucketPlace, reversed: Bool)
  }

  package let snapshot: Int64
  private let files: TableFiles
  private let type: RowType
  private let columnCount: Int
  private let predicate: Predicate
  private var parts: ArraySlice<Part>
  private var reader: DataFileReader?
  private var reversed = false

  init(
    snapshot: Int64, _ files: TableFiles, _ columns: [Int], _ predicate: Predicate, _ parts: [Part]
  ) {
    self.snapshot = snapshot
    self.files = files
    self.parts = parts[...]
    let all = columns + predicate.columns.subtracting(columns).sorted()
    let type = RowType(all.map { files.schema.fields[$0] })
    self.type = type
    columnCount = columns.count
    self.predicate = predicate.weakened { all.firstIndex(of: $0) }
  }

  /// The next changes, at least one; nil at the end.
  package func next() throws(TerraceError) -> Changes? {
    while true {
      if let reader {
        if let rows = try reader.next() {
          if let changes = changes(rows) { return changes }
          continue
        }
        self.reader = nil
      }
      switch parts.first {
      case nil: return nil
      case .content(let read):
        if let batch = try read.next() {
          return Changes(snapshot: snapshot, rows: batch, kinds: inserts(batch.count))
        }
        parts.removeFirst()
      case .file(let file, let place, let reversed):
        parts.removeFirst()
        self.reversed = reversed
        reader = try DataFileReader(
          files, file, at: place, wanted: type, predicate: predicate,
          keyValue: files.schema.hasPrimaryKey, batchRows: 16384)
      }
    }
  }

  private func inserts(_ count: Int) -> Buffer {
    let kinds = Buffer(byteCount: count)
    kinds.pointer(UInt8.self).update(repeating: RowKind.insert.rawValue, count: count)
    return kinds
  }

  private func changes(_ rows: DataFileReader.Rows) -> Changes? {
    let (chosen, count) = predicate.select(rows.values.columns, count: rows.values.count)
    if count == 0 { return nil }
    let numbers = chosen.pointer(Int32.self)
    let projected = rows.values.project(Array(0..<columnCount))
    let kept = count == projected.count ? projected : projected.gather(numbers, count: count)
    let kinds = inserts(count)
    let out = kinds.pointer(UInt8.self)
    if let marks = rows.kinds?.pointer(UInt8.self) {
      for i in 0..<count { out[i] = marks[Int(numbers[i])] }
    }
    if reversed {
      // What was inserted goes.
      for i in 0..<count { out[i] = out[i] & 1 == 0 ? RowKind.delete.rawValue : 0 }
    }
    return Changes(snapshot: snapshot, rows: kept, kinds: kinds)
  }
}
