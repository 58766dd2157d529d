import Columns
import Store

/// What the log of MySQL tells around the moment of a snapshot that was begun without a lock.
///
/// MySQL does not say which transactions a snapshot sees. All that were executed before it began are seen, and
/// none that stands in the log behind where that ended afterwards; of those between nobody knows. So rows whose
/// keys these touch are not taken from the snapshot: they are as the log leaves them at its end.
final class SnapshotGap {
  /// The end: where the log goes on.
  private(set) var position: MySQLPosition
  private var tables: [MySQLTableName: Changes] = [:]
  /// More is not held in memory: then another moment is better.
  private static let limit = 64 << 20

  private final class Changes {
    let columns: [Int]
    let encoder: KeyEncoder
    var batches: [Batch] = []
    /// Of each key the batch and the row that are left; a batch of -1 when the row went.
    var last: [[UInt8]: (batch: Int, row: Int)] = [:]

    init(_ type: RowType, _ key: [Int]) {
      columns = key
      encoder = KeyEncoder(key.map { type.fields[$0].type })
    }

    func keys(_ rows: Batch) -> (Int) -> [UInt8] {
      let keys = encoder.encode(columns.map { rows.columns[$0] }, count: rows.count)
      return { row in
        if keys.isWhole { return withUnsafeBytes(of: keys.prefixes[row]) { Array($0) } }
        return Array(keys.key(row))
      }
    }
  }

  /// Whether the rows of a table can be told apart by what is declared.
  static func knows(_ table: MySQLTable, _ declared: ConnectorTable) -> Bool {
    !table.primaryKey.isEmpty && key(of: table, declared) != nil
  }

  private static func key(of table: MySQLTable, _ declared: ConnectorTable) -> [Int]? {
    let metadata = Set(declared.metadata.map(\.column))
    let places = table.primaryKey.compactMap { name in
      metadata.contains(name) ? nil : declared.type.index(of: name)
    }
    return places.count == table.primaryKey.count ? places : nil
  }

  /// - Parameters:
  ///   - start: what was executed before the snapshot began.
  ///   - end: of the log, after it had begun.
  /// - Throws: `unavailable` when too much, or a change of columns, lies between.
  init(
    _ wants: MySQLSubscription.Wants, _ found: [MySQLTable], from start: MySQLPosition,
    to end: MySQLPosition, _ time: any Timekeeper
  ) throws(TerraceError) {
    position = end
    let options = wants.options
    let number = LogPass.number(near: options.servers.lowerBound)
    let log = MySQLLog(options.server, servers: number...number, time: time)
    defer { log.close() }
    var shares: [(MySQLTableName, MySQLSubscription)] = []
    for table in found {
      var own = wants
      own.only = table.name
      own.fromMillis = .min
      shares.append(
        (table.name, try MySQLSubscription(own, from: LogPlace(start, records: 0))))
      tables[table.name] = Changes(wants.table.type, Self.key(of: table, wants.table) ?? [])
    }
    try log.open(behind: start, shares.map(\.1))
    var held = 0
    let until = time.nowMillis() + 60_000
    var reached: MySQLPosition?
    while reached == nil {
      reached = try log.read(upTo: (end.file, end.offset), waiting: 100)
      for (name, share) in shares {
        if reached != nil || share.isFull { share.flush() }
        while let taken = share.take() {
          if let failure = taken.failure { throw failure }
          held += taken.bytes
          try take(taken.batch, name)
          if taken.drift != nil || taken.restart != nil || held > Self.limit { throw Self.moved() }
        }
      }
      if reached == nil, time.nowMillis() > until {
        throw TerraceError(.unavailable, "the server does not send its log")
          .with("server", options.server.place)
      }
    }
    if let reached { position = reached }
  }

  private static func moved() -> TerraceError {
    TerraceError(.unavailable, "too much changed while the snapshot began")
  }

  private func take(_ batch: SourceBatch, _ name: MySQLTableName) throws(TerraceError) {
    guard let changes = tables[name] else { return }
    // What cannot be read is told when the log comes to it again, or the snapshot.
    if !batch.deadLetters.isEmpty { throw Self.moved() }
    let key = changes.keys(batch.rows)
    let kinds = batch.kinds
    for row in 0..<batch.rows.count {
      let code = kinds?.pointer(UInt8.self)[row] ?? RowKind.insert.rawValue
      let comes = code == RowKind.insert.rawValue || code == RowKind.updateAfter.rawValue
      changes.last[key(row)] = (comes ? changes.batches.count : -1, row)
    }
    changes.batches.append(batch.rows)
    withExtendedLifetime(kinds) {}
  }

  /// Rows of the snapshot without those that the log tells.
  func without(_ batch: SourceBatch, _ name: MySQLTableName) -> SourceBatch {
    guard let changes = tables[name], !changes.last.isEmpty else { return batch }
    let key = changes.keys(batch.rows)
    let kept = (0..<batch.rows.count).filter { changes.last[key($0)] == nil }.map { Int32($0) }
    if kept.count == batch.rows.count { return batch }
    return SourceBatch(
      rows: batch.rows.gather(kept, count: kept.count), deadLetters: batch.deadLetters)
  }

  /// The rows that the log tells, as it leaves them.
  func rest(of name: MySQLTableName) -> [SourceBatch] {
    guard let changes = tables[name] else { return [] }
    var rows: [Int: [Int32]] = [:]
    for last in changes.last.values where last.batch >= 0 {
      rows[last.batch, default: []].append(Int32(last.row))
    }
    return rows.sorted { $0.key < $1.key }.map { batch, rows in
      SourceBatch(rows: changes.batches[batch].gather(rows.sorted(), count: rows.count))
    }
  }
}
