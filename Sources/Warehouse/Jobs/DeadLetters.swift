import Catalog
import Columns
import Connectors
import Formats
import Store

/// The table of records that could not be read: `dead_letters.<layer>_<table>`, committed in the epoch
/// that met them. A letter goes when it was read after all.
final class DeadLetters {
  private let warehouse: OpenWarehouse
  private let metastore: Metastore?
  private let name: TableName
  private let user: String
  private var writer: HiddenWriter?
  private(set) var snapshotID: Int64?
  /// Letters so far; the number of the next one.
  private(set) var count: Int64

  static let database = "dead_letters"
  static let columns: [(String, DataType)] = [
    ("place", .string), ("reason", .string), ("bytes", .bytes),
    ("time", DataType(.timestampLTZ(3))), ("source", .string), ("id", DataType.bigint.notNull),
    ("key", .bytes),
  ]

  static func name(of job: String) -> TableName {
    TableName(database: database, table: job.split(separator: ".").joined(separator: "_"))
  }

  /// Takes the table back to what the root says.
  init(
    _ job: String, _ environment: JobEnvironment, user: String, at root: Int64?, count: Int64
  ) throws(TerraceError) {
    warehouse = environment.warehouse
    metastore = environment.metastore
    self.user = user
    self.count = count
    name = Self.name(of: job)
    snapshotID = root
    if try warehouse.has(name) { _ = try opened(at: root ?? 0) }
  }

  private func opened(at id: Int64) throws(TerraceError) -> Table {
    let schema = try TableSchema.create(
      columns: RowType(Self.columns).fields, primaryKeys: ["id"], options: ["bucket": "1"],
      timeMillis: warehouse.environment.time.nowMillis())
    let isNew = try !warehouse.has(name)
    let table = try HiddenTables.open(
      name.table, schema, warehouse, at: id, database: name.database)
    if isNew {
      // Others find it where they find all tables.
      try metastore?.register(
        database: name.database, location: warehouse.location.path + "/\(name.database).db")
      try metastore?.register(database: name.database, table: name.table)
    }
    return table
  }

  private func open() throws(TerraceError) -> HiddenWriter {
    if let writer { return writer }
    let writer = HiddenWriter(try opened(at: snapshotID ?? 0), user: user)
    self.writer = writer
    return writer
  }

  func write(_ letters: [DeadLetter], source: String) throws(TerraceError) {
    if letters.isEmpty { return }
    let writer = try open()
    let type = writer.table.schema.rowType
    let builders = type.fields.map { ColumnBuilder($0.type, capacity: letters.count) }
    let now = warehouse.environment.time.nowMillis()
    for (index, letter) in letters.enumerated() {
      builders[0].append(letter.place)
      builders[1].append(Redaction.clean(letter.reason))
      if letter.isTombstone {
        builders[2].appendNull()
      } else {
        builders[2].append(.bytes(letter.bytes))
      }
      builders[3].append(.int(now))
      // Tables made before letters had numbers end here.
      if builders.count < 6 { continue }
      builders[4].append(source)
      builders[5].append(count + Int64(index))
      // Nor have tables made before keys were kept a column for them.
      if builders.count < 7 { continue }
      if let key = letter.key { builders[6].append(.bytes(key)) } else { builders[6].appendNull() }
    }
    try writer.write(Batch(type, builders.map { $0.finish() }, count: letters.count))
    count += Int64(letters.count)
  }

  /// Takes letters out that are rows now, or are passed over on purpose.
  func remove(_ ids: [Int64]) throws(TerraceError) {
    if ids.isEmpty { return }
    let writer = try open()
    let type = writer.table.schema.rowType
    let kinds = Buffer(byteCount: ids.count)
    for i in ids.indices { kinds.pointer(UInt8.self)[i] = RowKind.delete.rawValue }
    let columns = type.fields.map { field in
      if field.name != "id" { return Column.repeating(.null, type: field.type, count: ids.count) }
      let builder = ColumnBuilder(field.type, capacity: ids.count)
      for id in ids { builder.append(id) }
      return builder.finish()
    }
    try writer.write(Batch(type, columns, count: ids.count), kinds: kinds)
  }

  func commit(identifier: Int64) throws(TerraceError) {
    if let made = try writer?.commit(identifier: identifier) { snapshotID = made }
  }

  func abandon() { writer?.abandon() }
  func close() { writer?.close() }
}

/// A letter as it lies in its table.
struct StoredLetter {
  var id: Int64
  var source: String
  var place: String
  var reason: String
  var bytes: [UInt8]
  var isTombstone = false
  /// Of a message; `keepsKey` is false in tables made before keys were kept.
  var key: [UInt8]?
  var keepsKey = false
  /// When it was put aside, milliseconds since 1970.
  var millis: Int64

  /// As it was put aside.
  var letter: DeadLetter {
    var letter = DeadLetter(row: 0, place: place, bytes: bytes, reason: reason)
    letter.key = key
    letter.isTombstone = isTombstone
    return letter
  }
}

extension DeadLetters {
  /// Letters of a job that are still put aside, the oldest first; at most `limit` of them, from number
  /// `first` on.
  static func stored(
    _ job: String, _ warehouse: OpenWarehouse, from first: Int64 = 0, limit: Int = .max
  ) throws(TerraceError) -> [StoredLetter] {
    let name = name(of: job)
    guard try warehouse.hasFolder, try warehouse.has(name) else { return [] }
    let table = try Table.open(warehouse.environment, try warehouse.path(of: name).root)
    let scan = table.scan()
    let read = try scan.read(try scan.plan(try table.snapshots.latestComplete()))
    defer { read.close() }
    let keyPlace = table.schema.rowType.index(of: "key")
    let hasNumbers = table.schema.rowType.index(of: "id") != nil
    var letters: [StoredLetter] = []
    while letters.count < limit, let batch = try read.next() {
      func text(_ column: Int, _ row: Int) -> String {
        batch.columns[column].isNull(row)
          ? "" : String(decoding: batch.columns[column].bytes(row), as: UTF8.self)
      }
      for row in 0..<batch.count where letters.count < limit {
        let id =
          hasNumbers ? batch.columns[5].pointer(Int64.self)[row] : Int64(letters.count)
        if id < first { continue }
        letters.append(
          StoredLetter(
            id: id, source: hasNumbers ? text(4, row) : "", place: text(0, row),
            reason: text(1, row),
            bytes: batch.columns[2].isNull(row) ? [] : Array(batch.columns[2].bytes(row)),
            isTombstone: keyPlace != nil && batch.columns[2].isNull(row),
            key: keyPlace.map { batch.columns[$0] }.flatMap {
              $0.isNull(row) ? nil : Array($0.bytes(row))
            }, keepsKey: keyPlace != nil,
            millis: batch.columns[3].isNull(row) ? 0 : batch.columns[3].pointer(Int64.self)[row]))
      }
    }
    return letters
  }
}
