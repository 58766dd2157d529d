import Columns
import Dataflow
import Store

/// A source table as the state of a join's side: the rows of the snapshot that its feed stands at.
///
/// The feed's position keeps that snapshot alive, as the consumer of the job names it or an older one.
final class PlayedFeed: PlayedTable {
  private let feed: TableFeed
  /// Which of the columns asked by are the table's primary key, in its order.
  private let key: [Int]
  private let budget: MemoryBudget?
  private var lookup: KeyedLookup?
  private var snapshot: Snapshot?

  init(_ feed: TableFeed, _ side: PlayedSide, _ budget: MemoryBudget?) throws(TerraceError) {
    self.feed = feed
    self.budget = budget
    let source = side.source
    let asked = source.primaryKey.map { source.tableType.fields[source.columns[$0]].name }
    let primary = feed.table.schema.primaryKeys
    key = primary.compactMap { asked.firstIndex(of: $0) }
    guard key.count == primary.count, key.count == asked.count else {
      throw TerraceError(.invalid, "the primary key of a source table is another one now")
        .with("table", feed.tableName)
    }
  }

  /// The snapshot that the feed stands at; nil before the first.
  private func standing() throws(TerraceError) -> Snapshot? {
    let id = feed.snapshotID
    if snapshot?.id ?? 0 != id {
      snapshot = id == 0 ? nil : try feed.table.snapshots.snapshot(id)
    }
    return snapshot
  }

  func rows(for keys: [Column], count: Int) throws(TerraceError) -> Batch? {
    let snapshot = try standing()
    if let lookup {
      try lookup.advance(to: snapshot)
      return try lookup.rows(for: keys, count: count)
    }
    let fresh = try KeyedLookup(feed.table, columns: feed.columns, key: key, at: snapshot)
    lookup = fresh
    return try fresh.rows(for: keys, count: count)
  }

  /// Rows a page, about: so many keys apart, each costs a page of its own.
  private static let rowsPerKey: Int64 = 64

  func readsAll(for count: Int) throws(TerraceError) -> Bool {
    guard let snapshot = try standing() else { return false }
    let total = snapshot.totalRecordCount
    if Int64(count) < total / PlayedFeed.rowsPerKey { return false }
    guard let budget else { return total < 1 << 22 }
    let (bytes, over) = Int64(rowBytes).multipliedReportingOverflow(by: total)
    return !over && Int64(budget.usedBytes) + bytes <= Int64(budget.limitBytes / 2)
  }

  /// What a row takes in memory, about, with what finds it.
  private var rowBytes: Int {
    feed.type.fields.reduce(64) { $0 + max(24, $1.type.physical.width) }
  }

  func all(_ body: (Batch) throws(TerraceError) -> Void) throws(TerraceError) {
    guard let snapshot = try standing() else { return }
    let read = try feed.read(snapshot)
    defer { read.close() }
    while let rows = try read.next() { try body(rows) }
  }
}
