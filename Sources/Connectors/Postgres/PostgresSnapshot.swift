import Columns
import Store
import Synchronization

/// The initial rows of a source: one snapshot of the server, read by several connections in ranges of pages.
struct PostgresSnapshot {
  /// Pages of one table.
  private struct Chunk: Sendable {
    var name: PostgresTableName
    /// Told in metadata columns.
    var root: PostgresTableName
    var from: Int64
    /// Nil: to the end.
    var to: Int64?
    var filter: String?
  }

  private final class Progress: Sendable {
    let next = Atomic<Int>(0)
    let failed = Atomic<Bool>(false)
  }

  private let begin: PostgresBegin
  private let connection: PostgresConnection
  private let schema: PostgresSchema
  private let slot: PostgresSlot
  private let wants: PostgresSubscription.Wants

  init(
    _ begin: PostgresBegin, _ connection: PostgresConnection, _ schema: PostgresSchema,
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
  ) throws(TerraceError) -> (PostgresVisibility, PostgresPosition) {
    let chunks = try chunks(tables)
    try connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    let named = try connection.query("SELECT pg_export_snapshot(), pg_current_snapshot()::text")
    let seen = try PostgresVisibility(named.text(0, 1) ?? "")
    let end = try connection.query("SELECT pg_current_wal_insert_lsn()").text(0, 0) ?? ""
    let until = try PostgresPosition(text: end)
    let snapshot = named.text(0, 0) ?? ""
    let count = max(1, min(begin.options.snapshotThreads, chunks.count))
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
    return (seen, until)
  }

  private func chunks(_ tables: [PostgresTable]) throws(TerraceError) -> [Chunk] {
    var made: [Chunk] = []
    for table in tables {
      let (rows, columns) =
        begin.options.startup == .snapshotOnly
        ? (nil, nil) : try slot.filter(table.name)
      if let columns {
        let physical = begin.table.type.fields.map(\.name)
        let metadata = begin.table.metadata.map(\.column)
        for name in physical where !metadata.contains(name) && !columns.contains(name) {
          throw TerraceError(.invalid, "the publication leaves the column \(name) out")
            .with("table", table.name.text).with("publication", begin.options.publication)
        }
      }
      for leaf in try schema.leaves(table) {
        let size = try connection.query(
          "SELECT pg_relation_size($1::regclass) / current_setting('block_size')::int8",
          [leaf.quoted])
        let pages = size.integer(0, 0) ?? 0
        var from: Int64 = 0
        while true {
          let to = from + begin.options.chunkPages
          let isLast = to >= pages
          made.append(
            Chunk(
              name: leaf, root: table.name, from: from, to: isLast ? nil : to, filter: rows))
          if isLast { break }
          from = to
        }
      }
    }
    return made
  }

  private static func work(
    _ begin: PostgresBegin, _ wants: PostgresSubscription.Wants, _ chunks: [Chunk],
    _ snapshot: String, _ progress: Progress
  ) throws(TerraceError) {
    let connection = try PostgresConnection(begin.options.server)
    try connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try connection.query("SET TRANSACTION SNAPSHOT \(PostgresText.literal(snapshot))")
    let rows = try PostgresRows(
      wants.table, database: wants.database, tellsUnchanged: !wants.tellsOldRows,
      checksText: wants.checksText)
    let copy = CopyText()
    while !begin.isEnded, !progress.failed.load(ordering: .relaxed) {
      let i = progress.next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard i < chunks.count else { break }
      try read(chunks[i], connection, rows, copy, begin)
    }
  }

  private static func read(
    _ chunk: Chunk, _ connection: PostgresConnection, _ rows: PostgresRows, _ copy: CopyText,
    _ begin: PostgresBegin
  ) throws(TerraceError) {
    let columns = rows.physical.map { PostgresText.name($0.name) }.joined(separator: ", ")
    var conditions: [String] = []
    if chunk.from > 0 { conditions.append("ctid >= '(\(chunk.from),0)'::tid") }
    if let to = chunk.to { conditions.append("ctid < '(\(to),0)'::tid") }
    if let filter = chunk.filter { conditions.append("(\(filter))") }
    let condition =
      conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
    try connection.query(
      "COPY (SELECT \(columns) FROM ONLY \(chunk.name.quoted)\(condition)) TO STDOUT")
    var isWanted = true
    while isWanted {
      let isMore = try connection.nextCopyRow { (bytes) throws(TerraceError) in
        try copy.read(bytes, into: rows)
        rows.end(
          .insert, from: chunk.root, millis: 0, place: { "\(chunk.name.text) snapshot" },
          raw: { Array(bytes) })
      }
      if !isMore { break }
      if rows.recordCount >= 8192 || rows.textBytes > 4 << 20 {
        isWanted = begin.push(rows.take(allInserts: true))
      }
    }
    if rows.recordCount > 0, isWanted { _ = begin.push(rows.take(allInserts: true)) }
    if !isWanted { throw TerraceError(.unavailable, "the snapshot was given up") }
  }
}
