import Columns
import Dataflow
import SQL
import Store

/// What changed in a table between two of its snapshots, as rows: `incremental-between`, and with the kind of
/// each change `$audit_log`.
///
/// The changes are those that the changelog holds; without a changelog, the rows that were written, and of
/// those of one key the last. Without kinds, rows that went are left out.
final class ChangesTable: SessionTable {
  private let table: Table
  private let definition: StoredDefinition
  /// Snapshots whose changes are read; nil for the rows of the newest one, each as +I.
  private let range: ClosedRange<Int64>?
  private let showsKinds: Bool
  private let isEmpty: Bool

  init(
    _ name: TableName, _ options: ReadOptions, _ session: SQLSession, showsKinds: Bool
  ) throws(TerraceError) {
    self.showsKinds = showsKinds
    let table = try session.warehouse.open(name)
    self.table = table
    definition = try StoredDefinition(table.schema)
    switch options.what {
    case .version(.latest):
      range = nil
      isEmpty = false
    case .version:
      throw TerraceError(.unsupported, "an audit log as of a version")
        .hint("give 'incremental-between' = 'FROM,TO'")
    case .changes(let after, let to):
      func id(_ travel: TimeTravel) throws(TerraceError) -> Int64 {
        // Every change of the table comes after snapshot 0.
        if case .version("0") = travel { return 0 }
        let found = try travel.resolve(table.path, table.environment, snapshots: table.snapshots)
        return found?.id ?? 0
      }
      let (first, last) = (try id(after), try id(to))
      guard first <= last else {
        throw TerraceError(.invalid, "'incremental-between' goes from the older to the newer")
          .with("from", first).with("to", last)
      }
      range = first == last ? nil : first + 1...last
      isEmpty = first == last
    }
  }

  func bound(_ reference: String) -> BoundTable {
    guard showsKinds else {
      return definition.shape.bound(
        reference: reference, isAppendOnly: true, text: definition.text)
    }
    var type = RowType([("rowkind", DataType.string.notNull)])
    type.fields += definition.shape.type.fields
    return BoundTable(reference: reference, type: type, isAppendOnly: true)
  }

  func read(_ source: Plan.Source) throws(TerraceError) -> any SessionRead {
    let shift = showsKinds ? 1 : 0
    let wanted = source.columns.filter { $0 >= shift }.map { $0 - shift }
    let kinds = showsKinds ? source.columns.firstIndex(of: 0) : nil
    guard let range else {
      if isEmpty { return ContentRead(nil, kinds) }
      let scan = table.scan(columns: wanted)
      let read = try scan.read(try scan.plan(try table.snapshots.latest()))
      return ContentRead(read, kinds)
    }
    let producer = try table.schema.options.changelogProducer
    let isMerged = table.schema.hasPrimaryKey && producer == .none
    let keys = isMerged ? table.schema.indices(of: table.schema.primaryKeys) : []
    let columns = wanted + keys
    var parts: [Changes] = []
    let scan = table.changes(columns: columns)
    for id in range {
      let read = try scan.changes(of: try scan.snapshot(id))
      while let changes = try read.next() { parts.append(changes) }
    }
    return ChangeRows(parts.map { ($0.rows, $0.kinds) }, wanted.count, keyCount: keys.count, kinds)
  }
}

/// The rows of a version, each an insert.
private final class ContentRead: SessionRead {
  private let read: TableRead?
  private let kinds: Int?

  init(_ read: TableRead?, _ kinds: Int?) {
    self.read = read
    self.kinds = kinds
  }

  func next() throws(TerraceError) -> DeltaBatch? {
    guard let rows = try read?.next() else { return nil }
    let column = Column.repeating(
      .text(RowKind.insert.text), type: DataType.string.notNull, count: rows.count)
    return DeltaBatch(inserting: rows.inserting(kinds == nil ? nil : column, at: kinds ?? 0))
  }

  func close() { read?.close() }
}

/// Changes of several snapshots in their order.
final class ChangeRows: SessionRead {
  private var parts: ArraySlice<(Batch, Buffer)>
  private let kinds: Int?

  /// - Parameters:
  ///   - keyCount: columns behind the `width` wanted ones by which only the last change counts.
  ///   - kinds: place of the column that names the kind; nil to leave out the rows that went.
  init(_ changes: [(Batch, Buffer)], _ width: Int, keyCount: Int, _ kinds: Int?) {
    self.kinds = kinds
    var all = changes
    if keyCount > 0, !all.isEmpty { all = [ChangeRows.last(all, width, keyCount)] }
    parts = all[...]
  }

  /// The last change of each key, keys in the order of their last changes.
  private static func last(
    _ changes: [(Batch, Buffer)], _ width: Int, _ keyCount: Int
  ) -> (Batch, Buffer) {
    let rows = Batch.concat(changes.map(\.0))
    let kinds = Buffer(byteCount: rows.count)
    var at = 0
    for (batch, marks) in changes {
      (kinds.base + at).copyMemory(from: marks.base, byteCount: batch.count)
      at += batch.count
    }
    let columns = Array(rows.columns[width..<width + keyCount])
    let keys = KeyEncoder(columns.map { $0.type.nullable }).encode(columns, count: rows.count)
    let sorted = keys.sortedRows()
    let order = sorted.pointer(Int32.self)
    let isLast = Buffer(byteCount: rows.count)
    let marks = isLast.pointer(UInt8.self)
    marks.update(repeating: 0, count: rows.count)
    var i = 0
    while i < rows.count {
      var newest = order[i]
      let first = Int(order[i])
      while i < rows.count, keys.compare(Int(order[i]), keys, first) == 0 {
        newest = max(newest, order[i])
        i += 1
      }
      marks[Int(newest)] = 1
    }
    let kept = Buffer(byteCount: rows.count * 4)
    let numbers = kept.pointer(Int32.self)
    let keptKinds = Buffer(byteCount: rows.count)
    var n = 0
    for row in 0..<rows.count where marks[row] != 0 {
      numbers[n] = Int32(row)
      keptKinds.pointer(UInt8.self)[n] = kinds.pointer(UInt8.self)[row]
      n += 1
    }
    return (rows.project(Array(0..<width)).gather(numbers, count: n), keptKinds)
  }

  func next() throws(TerraceError) -> DeltaBatch? {
    guard let (rows, marks) = parts.popFirst() else { return nil }
    let wanted = rows.columns.count
    guard let kinds else { return standing(rows, marks) }
    let texts = ColumnBuilder(DataType.string.notNull, capacity: rows.count)
    let raw = marks.pointer(UInt8.self)
    for row in 0..<rows.count { texts.append(RowKind(rawValue: raw[row])?.text ?? "+I") }
    precondition(kinds <= wanted, "a column behind the last")
    return DeltaBatch(inserting: rows.inserting(texts.finish(), at: kinds))
  }

  /// Rows that came.
  private func standing(_ rows: Batch, _ marks: Buffer) -> DeltaBatch {
    let kept = Buffer(byteCount: rows.count * 4)
    let numbers = kept.pointer(Int32.self)
    let raw = marks.pointer(UInt8.self)
    var n = 0
    for row in 0..<rows.count where raw[row] & 1 == 0 {
      numbers[n] = Int32(row)
      n += 1
    }
    return DeltaBatch(inserting: n == rows.count ? rows : rows.gather(numbers, count: n))
  }

  func close() { parts = [] }
}

extension Batch {
  /// The rows with one more column.
  func inserting(_ column: Column?, at place: Int) -> Batch {
    guard let column else { return self }
    var all = columns
    var fields = type.fields
    all.insert(column, at: place)
    fields.insert(Field(id: -1, name: "", type: column.type), at: place)
    return Batch(RowType(fields), all, count: count)
  }
}
