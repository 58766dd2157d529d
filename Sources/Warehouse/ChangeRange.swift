package import Columns
package import Store

/// The snapshots whose changes are wanted, from one id to another.
package struct ChangeRange: Sendable {
  private let table: Table
  private let from: Int64?
  private let to: Int64?

  /// - Parameters:
  ///   - from: the first snapshot; nil for the earliest that is still there.
  ///   - to: the last; nil for no end.
  package init(_ table: Table, from: Int64?, to: Int64?) {
    self.table = table
    self.from = from
    self.to = to
  }

  /// Where to begin; nil while nothing was ever committed.
  ///
  /// - Throws: kind `notFound` when the asked-for snapshot has expired.
  package func first() throws(TerraceError) -> Int64? {
    var first = try table.snapshots.changelogIDs().first
    if first == nil { first = try table.snapshots.earliestID() }
    guard let earliest = first else { return from }
    if let from {
      if from < earliest { _ = try scan().snapshot(from) }
      return from
    }
    return earliest
  }

  /// Whether an id lies behind the last that is wanted.
  package func isPast(_ id: Int64?) -> Bool {
    guard let id, let to else { return false }
    return id > to
  }

  /// Whether the snapshot was committed already.
  package func isThere(_ id: Int64) throws(TerraceError) -> Bool {
    if isPast(id) { return false }
    guard let latest = try table.snapshots.latestID() else { return false }
    return id <= latest
  }

  package func snapshot(_ id: Int64) throws(TerraceError) -> Snapshot { try scan().snapshot(id) }

  package func scan(_ query: RowQuery) -> ChangeScan {
    table.changes(columns: query.columns, predicate: query.condition)
  }

  private func scan() -> ChangeScan { table.changes() }
}
