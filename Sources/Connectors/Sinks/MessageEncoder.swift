import Columns
import Formats

/// Messages made of rows: pieces of one run of bytes, which is used again by the next batch.
final class EncodedMessages {
  let bytes = ByteWriter(capacity: 1 << 16)
  /// A missing value is a tombstone.
  fileprivate(set) var values: [TextSpan] = []
  /// Empty when messages have no keys.
  fileprivate(set) var keys: [TextSpan] = []
  /// The row that each message was made of: some rows make none.
  fileprivate(set) var rows: [Int32] = []

  var count: Int { values.count }

  fileprivate func removeAll() {
    bytes.removeAll()
    values.removeAll(keepingCapacity: true)
    keys.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
  }

  /// Nil for a tombstone; valid until the next batch.
  func value(_ message: Int) -> UnsafeRawBufferPointer? { piece(values[message]) }
  func key(_ message: Int) -> UnsafeRawBufferPointer? {
    keys.isEmpty ? nil : piece(keys[message])
  }

  private func piece(_ span: TextSpan) -> UnsafeRawBufferPointer? {
    if span.isNone { return nil }
    return UnsafeRawBufferPointer(start: bytes.base + span.start, count: span.count)
  }
}

/// Turns rows into messages: a value and, where the table has them, a key. One thread.
///
/// Formats of changes tell an update as a delete and an insert, as Flink does. A table of upserts has a
/// message with a value for a new row and one without for a row that goes; a row that is replaced has none.
final class MessageEncoder {
  private let table: ConnectorTable
  private let layout: MessageLayout
  private let value: RowEncoder
  private let key: RowEncoder?
  private let valueColumns: [Int]
  private let keyColumns: [Int]
  private let out = EncodedMessages()

  /// - Parameter options: theirs are taken; the connector takes its own and finishes.
  init(_ options: inout ConnectorOptions, isUpsert: Bool) throws(TerraceError) {
    table = options.table
    layout = try MessageLayout(&options, isUpsert: isUpsert)
    let type = table.type
    valueColumns = layout.valueDeclared.fields.compactMap { type.index(of: $0.name) }
    keyColumns = layout.keyDeclared.fields.compactMap { type.index(of: $0.name) }
    value = try RowEncoder(RowType(valueColumns.map { type.fields[$0] }), layout.value)
    let keyFields = keyColumns.map { [layout] in layout.keyField(type.fields[$0]) }
    if let format = layout.key {
      key = try RowEncoder(RowType(keyFields), format)
    } else {
      key = nil
    }
  }

  /// Whether a row of these kinds can be told at all.
  var tellsChanges: Bool { layout.isUpsert || layout.value.isChanges }

  /// Columns that tell which messages must stay in order, where no key does: the primary key of a table whose
  /// messages tell changes, or whole rows if it has none. Empty where the order says nothing.
  var orderingColumns: [Int] {
    guard key == nil, layout.value.isChanges else { return [] }
    let primary = table.primaryKey.compactMap { table.type.index(of: $0) }
    return primary.isEmpty ? valueColumns : primary
  }

  /// - Parameter kinds: one ``RowKind`` raw value a row; nil when all are inserts.
  /// - Returns: valid until the next call.
  func encode(_ rows: Batch, kinds: Buffer?) throws(TerraceError) -> EncodedMessages {
    out.removeAll()
    let codes = kinds?.pointer(UInt8.self)
    defer { withExtendedLifetime((rows, kinds)) {} }
    let values = rows.project(valueColumns)
    let keys = rows.project(keyColumns)
    for row in 0..<rows.count {
      let kind = codes.flatMap { RowKind(rawValue: $0[row]) } ?? .insert
      let isAdded = kind == .insert || kind == .updateAfter
      if !tellsChanges, kind != .insert { throw untold() }
      if layout.isUpsert, kind == .updateBefore { continue }
      if layout.isUpsert, !isAdded {
        out.values.append(TextSpan(start: 0, count: -1))
      } else {
        out.values.append(try value.append(values, row, isAdded: isAdded, to: out.bytes))
      }
      if let key { out.keys.append(try key.append(keys, row, isAdded: true, to: out.bytes)) }
      out.rows.append(Int32(truncatingIfNeeded: row))
    }
    return out
  }

  private func untold() -> TerraceError {
    TerraceError(
      .invalid, "format '\(layout.value.kind.rawValue)' cannot tell updates and deletes",
      hint: "the connector upsert-kafka can, and so can formats such as debezium-json"
    ).with("table", table.name)
  }
}
