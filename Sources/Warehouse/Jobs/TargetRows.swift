import Columns
import Dataflow
import Store

/// The target as the state of its job: the old row of a key is the one that it holds.
///
/// It is looked up at the newest snapshot. What was written since then is in the operator's memory.
final class TargetRows: StateBacking {
  private let table: Table
  private let lookup: KeyedLookup

  /// Whether a table holds the rows that were written last, and nothing but them.
  static func mayPlay(_ schema: TableSchema) throws(TerraceError) -> Bool {
    guard schema.hasPrimaryKey, case .fixed = try schema.bucketMode else { return false }
    let ignoresDeletes = try schema.options.ignoreDelete
    return try schema.options.mergeEngine == .deduplicate ? !ignoresDeletes : false
  }

  /// The table with small pages and an index of them by key, unless somebody has chosen: a change reads the
  /// pages of its keys.
  static func opened(_ table: Table) throws(TerraceError) -> Table {
    let rows = "parquet.page.row.count.limit"
    let lookup = Table.lookupOption
    if table.schema.options[rows] != nil || table.schema.options[lookup] != nil { return table }
    return try Table.open(
      table.environment, table.path.root, branch: table.path.branch,
      overrides: [rows: "2048", lookup: "1 kb"])
  }

  /// - Parameter columns: of the table, in the order of the operator's state: those of the key first.
  init(_ table: Table, columns: [Int]) throws(TerraceError) {
    self.table = table
    let primary = table.schema.indices(of: table.schema.primaryKeys)
    lookup = try KeyedLookup(
      table, columns: columns, key: primary.compactMap { columns.firstIndex(of: $0) },
      at: try table.snapshots.latest())
  }

  /// Goes on to the newest snapshot.
  func advance() throws(TerraceError) { try lookup.advance(to: try table.snapshots.latest()) }

  func rows(for keys: [Column], count: Int) throws(TerraceError) -> Batch? {
    try lookup.rows(for: keys, count: count)
  }
}
