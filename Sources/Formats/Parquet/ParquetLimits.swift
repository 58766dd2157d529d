import Columns

/// How much of a file may lie unpacked in memory: a few packed bytes may stand for gigabytes.
package struct ParquetLimits: Sendable {
  /// Of one page.
  package var pageBytes = ParquetPage.byteLimit
  /// Of all pages that one batch begins.
  package var batchBytes = Int.max

  package init() {}
}

/// Counts pages against the limits, for all columns of a scan.
final class ParquetPageCount {
  private let limits: ParquetLimits
  private var bytes = 0

  init(_ limits: ParquetLimits) { self.limits = limits }

  func beginBatch() { bytes = 0 }

  func add(_ page: ParquetPage, _ cursor: ParquetChunkCursor) throws(TerraceError) {
    bytes += page.uncompressedBytes
    if page.uncompressedBytes > limits.pageBytes || bytes > limits.batchBytes {
      throw cursor.broken("pages that would take too much memory")
        .with("page", page.uncompressedBytes).with("together", bytes)
    }
  }
}
