import Columns
import Store

/// Writes a hidden table of a job; opens its writer with the first rows.
final class HiddenWriter {
  let table: Table
  private let user: String
  private var writer: TableWriter?
  private var hasRows = false

  init(_ table: Table, user: String) {
    self.table = table
    self.user = user
  }

  func write(_ rows: Batch, kinds: Buffer? = nil) throws(TerraceError) {
    let writer: TableWriter
    if let open = self.writer {
      writer = open
    } else {
      writer = try table.writer(
        user: user, settings: TableWriter.Settings(compactsInline: true))
      self.writer = writer
    }
    try writer.write(rows, kinds: kinds)
    hasRows = true
  }

  /// - Returns: the newest snapshot that this made; nil when nothing was written.
  @discardableResult
  func commit(identifier: Int64) throws(TerraceError) -> Int64? {
    guard hasRows, let writer else { return nil }
    let outcome = try writer.commit(identifier: identifier, waitCompaction: true)
    hasRows = false
    return outcome.snapshots.last?.id
  }

  func abandon() { writer?.abandon() }
  func close() { writer?.close() }
}
