internal import Columns

/// Which columns of a table take part in a merge, and how its keys compare.
struct KeyValueLayout: Sendable {
  /// Value columns that are read; they hold the key columns and the sequence fields.
  let type: RowType
  /// Where in `type` the trimmed primary key lies, in primary-key order.
  let keyColumns: [Int]
  /// Where in `type` the fields of `sequence.field` lie; empty when there are none.
  let orderColumns: [Int]
  private let keyEncoder: KeyEncoder
  private let orderEncoder: KeyEncoder?

  /// - Parameter descending: `sequence.field.sort-order` is `descending`: the least value wins.
  init(type: RowType, keyColumns: [Int], orderColumns: [Int] = [], descending: Bool = false) {
    self.type = type
    self.keyColumns = keyColumns
    self.orderColumns = orderColumns
    keyEncoder = KeyEncoder(keyColumns.map { type.fields[$0].type.notNull })
    if orderColumns.isEmpty {
      orderEncoder = nil
    } else {
      let types = orderColumns.map { type.fields[$0].type.nullable }
      orderEncoder = KeyEncoder(types, descending: types.map { _ in descending })
    }
  }

  var keyTypes: [DataType] { keyEncoder.types }

  /// Normalized keys of rows of `type`.
  func keys(_ values: Batch) -> NormalizedKeys {
    keyEncoder.encode(keyColumns.map { values.columns[$0] }, count: values.count)
  }

  /// Normalized sequence fields of rows of `type`; nil when the table has none.
  func order(_ values: Batch) -> NormalizedKeys? { order(values.columns, count: values.count) }

  /// As above, of columns of which only the sequence fields are looked at.
  func order(_ columns: [Column], count: Int) -> NormalizedKeys? {
    orderEncoder?.encode(orderColumns.map { columns[$0] }, count: count)
  }
}

/// Rows of a primary-key table in key order, as its files hold them.
final class KeyValues: Sendable {
  let keys: NormalizedKeys
  /// What `sequence.field` compares; nil when the table has none.
  let order: NormalizedKeys?
  /// `_SEQUENCE_NUMBER`, one Int64 a row.
  let sequences: Column
  /// `_VALUE_KIND`, one ``RowKind`` raw value a row.
  let kinds: Column
  let values: Batch

  var count: Int { values.count }

  init(_ layout: KeyValueLayout, values: Batch, sequences: Column, kinds: Column) {
    keys = layout.keys(values)
    order = layout.order(values)
    self.sequences = sequences
    self.kinds = kinds
    self.values = values
  }
}

/// One input of a merge: rows with ascending, distinct keys, a batch at a time.
protocol KeyValueSource: AnyObject {
  /// The next rows, at least one; nil at the end.
  func next() throws(TerraceError) -> KeyValues?
}

/// Batches that are in memory already.
final class KeyValueList: KeyValueSource {
  private var batches: ArraySlice<KeyValues>

  init(_ batches: [KeyValues]) { self.batches = batches[...] }

  func next() throws(TerraceError) -> KeyValues? { batches.popFirst() }
}
