import Columns
import Store

/// Reads chunks of an initial snapshot over one connection: binary where it can, as text where it must.
final class PostgresChunks {
  private let connection: PostgresConnection
  private let begin: LogBegin<PostgresLog>
  private let rows: PostgresRows
  private let text = CopyText()
  private static let batchRows = 16_384
  private static let batchBytes = 4 << 20

  init(_ connection: PostgresConnection, _ begin: LogBegin<PostgresLog>, _ rows: PostgresRows) {
    self.connection = connection
    self.begin = begin
    self.rows = rows
  }

  /// - Throws: what the server says, and `unavailable` when nobody wants the rows any more.
  func read(_ chunk: PostgresSnapshot.Chunk) throws(TerraceError) {
    guard let columns = chunk.columns else {
      _ = try readText(chunk, only: nil)
      return
    }
    let (count, refused) = try readBinary(chunk, columns)
    if refused.isEmpty { return }
    // The snapshot stands, so the same rows come in the same order.
    if try readText(chunk, only: refused) != count {
      throw TerraceError(.unavailable, "a table's pages have other rows when they are read again")
        .with("table", chunk.name.text)
    }
  }

  private func query(_ chunk: PostgresSnapshot.Chunk, _ columns: [String]) -> String {
    var conditions: [String] = []
    if chunk.from > 0 { conditions.append("ctid >= '(\(chunk.from),0)'::tid") }
    if let to = chunk.to { conditions.append("ctid < '(\(to),0)'::tid") }
    if let filter = chunk.filter { conditions.append("(\(filter))") }
    let condition =
      conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
    return "COPY (SELECT \(columns.joined(separator: ", ")) FROM ONLY \(chunk.name.quoted)"
      + "\(condition)) TO STDOUT"
  }

  private func push(_ batch: SourceBatch, _ chunk: PostgresSnapshot.Chunk) throws(TerraceError) {
    var batch = batch
    batch.isNew = chunk.isNew
    if !begin.push(batch) { throw TerraceError(.unavailable, "the snapshot was given up") }
  }

  // MARK: Binary

  /// - Returns: how many rows there were, and the numbers of those that must be read as text.
  private func readBinary(
    _ chunk: PostgresSnapshot.Chunk, _ columns: [CopyBinaryColumn]
  ) throws(TerraceError) -> (count: Int, refused: [Int]) {
    let copy = CopyBinary(columns)
    copy.begin()
    try connection.query(query(chunk, columns.map(\.expression)) + " (FORMAT binary)")
    var count = 0
    var refused: [Int] = []
    func hand() throws(TerraceError) {
      let rows = copy.count
      let (made, bad) = copy.take()
      refused += bad.map { $0 + count }
      count += rows
      if let batch = batch(made, rows, without: bad) { try push(batch, chunk) }
    }
    while true {
      let isMore = try connection.nextCopyRow { (bytes) throws(TerraceError) in
        try copy.take(bytes)
      }
      if !isMore { break }
      if copy.count >= Self.batchRows || copy.byteCount > Self.batchBytes { try hand() }
    }
    if copy.count > 0 { try hand() }
    return (count, refused)
  }

  private func batch(_ columns: [Column], _ count: Int, without bad: [Int]) -> SourceBatch? {
    if bad.count == count { return nil }
    // Behind the columns of the table there may be the one that says what is unchanged: nothing is.
    let rest = rows.type.fields[columns.count...].map { Column.nulls($0.type, count: count) }
    let batch = Batch(rows.type, columns + rest, count: count)
    if bad.isEmpty { return SourceBatch(rows: batch) }
    let gone = Set(bad)
    let kept = (0..<count).filter { !gone.contains($0) }.map { Int32($0) }
    return SourceBatch(rows: batch.gather(kept, count: kept.count))
  }

  // MARK: Text

  /// - Parameter only: numbers of rows, ascending; nil: all.
  /// - Returns: how many rows there were.
  private func readText(
    _ chunk: PostgresSnapshot.Chunk, only: [Int]?
  ) throws(TerraceError) -> Int {
    try connection.query(query(chunk, rows.physical.map { PostgresText.name($0.name) }))
    var count = 0
    var next = 0
    while true {
      let isMore = try connection.nextCopyRow { (bytes) throws(TerraceError) in
        defer { count += 1 }
        if let only {
          guard next < only.count, only[next] == count else { return }
          next += 1
        }
        try text.read(bytes, into: rows)
        rows.end(
          .insert, from: chunk.root, millis: 0, place: { "\(chunk.name.text) snapshot" },
          raw: { Array(bytes) })
      }
      if !isMore { break }
      if rows.recordCount >= Self.batchRows || rows.textBytes > Self.batchBytes {
        try push(rows.take(allInserts: true), chunk)
      }
    }
    if rows.recordCount > 0 { try push(rows.take(allInserts: true), chunk) }
    return count
  }
}
