import Columns
import Formats
import Store

/// What a job has written outside while a first read may yet have to begin anew: rows in a hidden table. A
/// read that is begun again writes its own over them, and what it did not give is taken back at its end.
final class TentativeRows {
  /// As the root names them.
  struct Place: Hashable {
    /// Of the hidden table; 0: nothing was written.
    var snapshot: Int64
    /// The job's generation whose first read wrote the oldest rows.
    var since: Int64
  }

  private let writer: HiddenWriter
  private let generation: Int64
  private let since: Int64
  private let type: RowType
  private let key: [Int]

  /// Takes the table back to what the root says.
  ///
  /// - Parameters:
  ///   - type: of the rows outside.
  ///   - key: their columns that name a row; empty: rows are counted.
  init(
    _ name: String, _ type: RowType, key: [Int], _ warehouse: OpenWarehouse, user: String,
    at place: Place, generation: Int64
  ) throws(TerraceError) {
    self.type = RowType(type.fields.map { ($0.name, $0.type.nullable) })
    self.key = key
    self.generation = generation
    since = place.since
    // Names of people stay outside: they may be ours.
    let first = key.isEmpty ? ("weight", DataType.bigint) : ("key", DataType.bytes.notNull)
    let values = self.type.fields.enumerated().map { ("c\($0.offset)", $0.element.type) }
    let schema = try TableSchema.create(
      columns: RowType([first, ("generation", .bigint)] + values).fields,
      primaryKeys: key.isEmpty ? [] : ["key"], options: ["bucket": key.isEmpty ? "-1" : "1"],
      timeMillis: warehouse.environment.time.nowMillis())
    writer = HiddenWriter(
      try HiddenTables.open(name, schema, warehouse, at: place.snapshot), user: user)
  }

  /// Rows of an attempt that was given up are among them.
  var hasOlder: Bool { since < generation }

  // MARK: Writing

  /// Rows that change by key.
  func write(_ rows: Batch, kinds: Buffer) throws(TerraceError) {
    let marks = kinds.pointer(UInt8.self)
    let kept = (0..<rows.count).filter { marks[$0] != RowKind.updateBefore.rawValue }
    let some = rows.gather(kept.map { Int32($0) }, count: kept.count)
    let out = Buffer(byteCount: max(1, kept.count))
    for (i, row) in kept.enumerated() { out.pointer(UInt8.self)[i] = marks[row] }
    try put(keys(some), some, kinds: out)
  }

  /// Rows that are counted.
  func write(_ delta: DeltaBatch) throws(TerraceError) {
    let weights = delta.weights.pointer(Int64.self)
    let builder = ColumnBuilder(.bigint, capacity: delta.count)
    for i in 0..<delta.count { builder.append(weights[i]) }
    try put(builder.finish(), delta.rows, kinds: nil)
  }

  /// Bytes that are the same for the same key, null or not, whatever its type.
  private func keys(_ rows: Batch) -> Column {
    let columns = key.map { rows.columns[$0] }
    let encoded = KeyEncoder(columns.map(\.type.nullable)).encode(columns, count: rows.count)
    let builder = ColumnBuilder(DataType.bytes.notNull, capacity: rows.count)
    for row in 0..<rows.count {
      if encoded.isWhole {
        withUnsafeBytes(of: encoded.prefixes[row].bigEndian) { builder.append(bytes: $0) }
      } else {
        builder.append(bytes: encoded.key(row))
      }
    }
    return builder.finish()
  }

  private func put(_ first: Column, _ rows: Batch, kinds: Buffer?) throws(TerraceError) {
    if rows.count == 0 { return }
    let number = Column.repeating(.int(generation), type: .bigint, count: rows.count)
    let values = zip(rows.columns, type.fields).map { $0.retyped($1.type) }
    let columns = [first, number] + values
    try writer.write(
      Batch(writer.table.schema.rowType, columns, count: rows.count), kinds: kinds)
  }

  func commit(identifier: Int64) throws(TerraceError) -> Place {
    if try writer.commit(identifier: identifier) != nil {
      _ = writer.table.maintain()  // Old snapshots may stay: they cost disk only.
    }
    let newest = try writer.table.snapshots.latestComplete()
    return Place(snapshot: newest?.id ?? 0, since: since)
  }

  // MARK: Taking back

  /// Gives what is to be taken back, in pieces: rows by key that only older attempts gave, or all that those
  /// gave, with the negative of their weights. After a commit.
  func older(_ take: (DeltaBatch) throws(TerraceError) -> Void) throws(TerraceError) {
    let table = writer.table
    let scan = table.scan()
    let read = try scan.read(try scan.plan(try table.snapshots.latestComplete()))
    defer { read.close() }
    while let batch = try read.next() {
      let numbers = batch.columns[1].pointer(Int64.self)
      let gone = (0..<batch.count).filter { numbers[$0] < generation }
      if gone.isEmpty { continue }
      let some = batch.gather(gone.map { Int32($0) }, count: gone.count)
      let weights = Buffer(byteCount: some.count * 8)
      let out = weights.pointer(Int64.self)
      out.update(repeating: -1, count: some.count)
      if key.isEmpty {
        let counted = some.columns[0].pointer(Int64.self)
        for i in 0..<some.count { out[i] = 0 &- counted[i] }
      }
      let rows = Batch(type, Array(some.columns[2...]), count: some.count)
      try take(DeltaBatch(rows, weights: weights))
    }
  }

  func abandon() { writer.abandon() }
  func close() { writer.close() }
}

extension TentativeRows.Place {
  init(_ json: JSONValue) throws(TerraceError) {
    self.init(snapshot: try json.int("snapshot"), since: try json.int("since"))
  }

  var json: JSONValue {
    .members([("snapshot", .int(snapshot)), ("since", .int(since))])
  }
}
