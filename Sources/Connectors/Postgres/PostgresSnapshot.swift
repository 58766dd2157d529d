import Columns
import Store
import Synchronization

/// The initial rows of a source: one snapshot of the server, read by several connections in ranges of pages.
struct PostgresSnapshot {
  /// Pages of one table.
  struct Chunk: Sendable {
    var name: PostgresTableName
    /// Told in metadata columns.
    var root: PostgresTableName
    var from: Int64
    /// Nil: to the end.
    var to: Int64?
    var filter: String?
    /// How its columns come; nil: as text.
    var columns: [CopyBinaryColumn]?
    /// No two rows of the snapshot have a key in common.
    var isNew: Bool
  }

  private final class Progress: Sendable {
    let next = Atomic<Int>(0)
    let failed = Atomic<Bool>(false)
  }

  private let begin: LogBegin<PostgresLog>
  private let connection: PostgresConnection
  private let schema: PostgresSchema
  private let slot: PostgresSlot
  private let wants: PostgresSubscription.Wants

  init(
    _ begin: LogBegin<PostgresLog>, _ connection: PostgresConnection, _ schema: PostgresSchema,
    _ slot: PostgresSlot, _ wants: PostgresSubscription.Wants
  ) {
    self.begin = begin
    self.connection = connection
    self.schema = schema
    self.slot = slot
    self.wants = wants
  }

  /// Reads all rows.
  ///
  /// - Returns: what the snapshot saw, and the place in the log behind which nothing of that comes.
  func read(
    _ tables: [PostgresTable]
  ) throws(TerraceError) -> SnapshotOverlap<PostgresPosition> {
    let chunks = try chunks(tables)
    try connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    let named = try connection.query("SELECT pg_export_snapshot(), pg_current_snapshot()::text")
    let seen = named.text(0, 1) ?? ""
    let end = try connection.query("SELECT pg_current_wal_insert_lsn()").text(0, 0) ?? ""
    let until = try PostgresPosition(text: end)
    let snapshot = named.text(0, 0) ?? ""
    let count = max(1, min(wants.options.snapshotThreads, chunks.count))
    let workers = Workers(count: count)
    let progress = Progress()
    let running = (0..<count).map { _ in
      workers.start { [begin, wants] () throws(TerraceError) -> Void in
        do throws(TerraceError) {
          try Self.work(begin, wants, chunks, snapshot, progress)
        } catch {
          progress.failed.store(true, ordering: .relaxed)
          throw error
        }
      }
    }
    var failure: TerraceError?
    for one in running {
      do throws(TerraceError) { try one.wait() } catch { failure = failure ?? error }
    }
    workers.stop()
    if let failure { throw failure }
    try connection.query("COMMIT")
    return SnapshotOverlap(seen: seen, until: until)
  }

  private func chunks(_ tables: [PostgresTable]) throws(TerraceError) -> [Chunk] {
    var made: [Chunk] = []
    let declared = Set(wants.table.primaryKey)
    for table in tables {
      let columns = binaryColumns(table)
      let key = Set(table.primaryKey)
      let isNew = tables.count == 1 && !key.isEmpty && key.isSubset(of: declared)
      let (rows, shown) =
        wants.options.startup == .snapshotOnly
        ? (nil, nil) : try slot.filter(table.name)
      if let shown {
        let physical = wants.table.type.fields.map(\.name)
        let metadata = wants.table.metadata.map(\.column)
        for name in physical where !metadata.contains(name) && !shown.contains(name) {
          throw TerraceError(.invalid, "the publication leaves the column \(name) out")
            .with("table", table.name.text).with("publication", wants.options.publication)
        }
      }
      for leaf in try schema.leaves(table) {
        let size = try connection.query(
          "SELECT pg_relation_size($1::regclass) / current_setting('block_size')::int8",
          [leaf.quoted])
        let pages = size.integer(0, 0) ?? 0
        var from: Int64 = 0
        while true {
          let to = from + wants.options.chunkPages
          let isLast = to >= pages
          made.append(
            Chunk(
              name: leaf, root: table.name, from: from, to: isLast ? nil : to, filter: rows,
              columns: columns, isNew: isNew))
          if isLast { break }
          from = to
        }
      }
    }
    return made
  }

  /// How the columns come in a binary COPY; nil when most would be texts, or are to be looked at.
  private func binaryColumns(_ table: PostgresTable) -> [CopyBinaryColumn]? {
    if wants.checksText || !wants.table.metadata.isEmpty { return nil }
    var columns: [CopyBinaryColumn] = []
    for field in wants.table.type.fields {
      guard let column = table.column(field.name) else { return nil }
      columns.append(CopyBinaryColumn(field.name, column.type, field.type))
    }
    if columns.isEmpty { return nil }
    return columns.count { $0.isDirect } * 2 >= columns.count ? columns : nil
  }

  private static func work(
    _ begin: LogBegin<PostgresLog>, _ wants: PostgresSubscription.Wants, _ chunks: [Chunk],
    _ snapshot: String, _ progress: Progress
  ) throws(TerraceError) {
    let connection = try PostgresConnection(
      wants.options.server, quietSeconds: PostgresConnection.readSeconds, cut: begin.cut)
    // Rows of a chunk come in the same order when they are asked for again.
    try connection.query("SET synchronize_seqscans = off")
    try connection.query("SET max_parallel_workers_per_gather = 0")
    try connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try connection.query("SET TRANSACTION SNAPSHOT \(PostgresText.literal(snapshot))")
    let reader = PostgresChunks(
      connection, begin,
      try PostgresRows(
        wants.table, database: wants.options.server.database,
        tellsUnchanged: !wants.options.tellsOldRows,
        checksText: wants.checksText))
    while !begin.isEnded, !progress.failed.load(ordering: .relaxed) {
      let i = progress.next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard i < chunks.count else { break }
      try reader.read(chunks[i])
    }
  }
}
