package import Columns

/// A table of a server that a table here follows, as it was when it was looked at last.
package struct SyncedRow: Hashable, Sendable {
  /// `ods.orders`
  package var table: String
  /// `pg.shop.public.orders`
  package var source: String
  package var catalog: String
  /// A JSON object: columns, key, options.
  package var shape: String
  package var updatedMillis: Int64

  package init(
    table: String, source: String, catalog: String, shape: String, updatedMillis: Int64
  ) {
    self.table = table
    self.source = source
    self.catalog = catalog
    self.shape = shape
    self.updatedMillis = updatedMillis
  }
}

/// What servers said of the tables that are synced: for the time when they cannot be asked.
extension Metastore {
  package func synced() throws(TerraceError) -> [SyncedRow] {
    try rows(
      "SELECT table_name, source, catalog, shape, updated FROM terrace_synced ORDER BY 1, 2"
    ).map {
      SyncedRow(
        table: $0.text(0), source: $0.text(1), catalog: $0.text(2), shape: $0.text(3),
        updatedMillis: $0.int(4))
    }
  }

  package func put(_ row: SyncedRow) throws(TerraceError) {
    try run(
      """
      INSERT OR REPLACE INTO terrace_synced(table_name, source, catalog, shape, updated)
      VALUES (?, ?, ?, ?, ?)
      """,
      [
        .text(row.table), .text(row.source), .text(row.catalog), .text(row.shape),
        .int(row.updatedMillis),
      ])
  }

  /// Forgets a table.
  package func deleteSynced(_ table: String) throws(TerraceError) {
    try run("DELETE FROM terrace_synced WHERE table_name = ?", [.text(table)])
  }
}
