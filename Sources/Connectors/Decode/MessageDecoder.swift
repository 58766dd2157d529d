import Columns
import Formats

/// A message that is no row.
struct RejectedMessage {
  /// Rows before it.
  var row: Int
  /// Number in its block.
  var message: Int
  var reason: String
}

/// The rows of a block of messages.
struct DecodedMessages {
  /// Those that ``MessageDecoder/places`` names, in that order.
  var columns: [Column]
  var count: Int
  var kinds: Buffer?
  /// Which message of the block each row comes from, ascending; nil: row i from message i.
  var messages: [Int32]?
  /// In the order of the messages.
  var rejects: [RejectedMessage] = []
  /// Messages that are no rows on purpose: tombstones, changes of other tables and of definitions.
  var skipped = 0
}

/// Turns blocks of messages into the columns of a table: values, keys and what the value's format knows of
/// itself (metadata columns `value.…`). One thread.
final class MessageDecoder {
  let style: ChangeStyle
  /// What is to become of messages that are no rows.
  let reject: RecordFormat.Reject
  /// Number in the table's type of each column given; the others are metadata of the connector.
  let places: [Int]
  private let layout: MessageLayout
  private let types: [DataType]
  private let names: [String]
  /// For each place, where its values are: a column of the value's rows, of the key's rows, or both.
  private let origins: [(value: Int?, key: Int?)]
  private let values: any RecordDecoder
  private let keys: (any RecordDecoder)?

  /// - Parameter options: theirs are taken; the connector takes its own and finishes.
  init(
    _ options: inout ConnectorOptions, isUpsert: Bool
  ) throws(TerraceError) {
    let table = options.table
    layout = try MessageLayout(&options, isUpsert: isUpsert)
    style = layout.style(table)
    reject = layout.value.reject
    var places: [Int] = []
    var origins: [(value: Int?, key: Int?)] = []
    var valueFields: [Field] = []
    var keyFields: [Field] = []
    var metadata: [(place: Int, FormatMetadata)] = []
    for (place, field) in table.type.fields.enumerated() {
      if let column = table.metadata.first(where: { $0.column == field.name }) {
        guard column.key.hasPrefix("value.") else { continue }
        metadata.append((places.count, try Self.metadata(field, column.key, layout, table)))
        places.append(place)
        origins.append((nil, nil))
        continue
      }
      var origin: (value: Int?, key: Int?) = (nil, nil)
      if layout.valueDeclared.index(of: field.name) != nil {
        origin.value = valueFields.count
        valueFields.append(field)
      }
      if layout.keyDeclared.index(of: field.name) != nil {
        origin.key = keyFields.count
        keyFields.append(layout.keyField(field))
      }
      places.append(place)
      origins.append(origin)
    }
    // A decoder reads at least one column, to tell rows from what is none.
    if valueFields.isEmpty { valueFields = [layout.valueDeclared.fields[0]] }
    for (index, entry) in metadata.enumerated() {
      origins[entry.place].value = valueFields.count + index
    }
    self.places = places
    self.origins = origins
    types = places.map { table.type.fields[$0].type }
    names = places.map { table.type.fields[$0].name }
    let type = RowType(valueFields)
    values = try layout.value.decoder(
      type, declared: layout.valueDeclared,
      keys: table.primaryKey.compactMap { type.index(of: $0) },
      style: style, metadata: metadata.map(\.1))
    let declared = RowType(layout.keyDeclared.fields.map(layout.keyField))
    keys =
      keyFields.isEmpty
      ? nil
      : try layout.key?.decoder(
        RowType(keyFields), declared: declared, keys: [], style: .inserts, metadata: [])
  }

  private static func metadata(
    _ field: Field, _ key: String, _ layout: MessageLayout, _ table: ConnectorTable
  ) throws(TerraceError) -> FormatMetadata {
    let kind = layout.value.kind
    guard let own = FormatMetadata(field, key: String(key.dropFirst(6)), kind) else {
      let names = FormatMetadata.names(kind).map { "value." + $0 }.joined(separator: ", ")
      throw TerraceError(
        .invalid, "no metadata of that name",
        hint: names.isEmpty ? "format '\(kind.rawValue)' has none" : "known: " + names
      ).with("table", table.name).with("metadata", key)
    }
    if own.fits { return own }
    throw TerraceError(
      .invalid, "metadata column of another type than its values",
      hint: "texts are STRING, times TIMESTAMP_LTZ(3)"
    ).with("table", table.name).with("column", field.name).with("metadata", key)
  }

  func decode(_ block: MessageBlock) throws(TerraceError) -> DecodedMessages {
    let values = self.values
    let rows = try block.withText(keys: false, isJSON: layout.value.isJSON) {
      text throws(TerraceError) in try values.decode(text)
    }
    var keyRows: DecodedRecords?
    if let keys {
      keyRows = try block.withText(keys: true, isJSON: layout.key?.isJSON == true) {
        text throws(TerraceError) in try keys.decode(text)
      }
    }
    if isPlain(rows, block), keyRows.map({ isPlain($0, block) }) ?? true {
      let columns = origins.indices.map { i in
        (origins[i].value.map { rows.columns[$0] }
          ?? origins[i].key.flatMap { keyRows?.columns[$0] }).map { $0.retyped(types[i]) }
      }
      return DecodedMessages(
        columns: columns.compactMap(\.self), count: rows.count,
        kinds: layout.isUpsert ? upserts(rows.count) : rows.kinds)
    }
    let needed = zip(origins, types.indices).first {
      $0.value == nil && $0.key != nil && !types[$1].isNullable
    }
    let joining = MessageJoining(
      block, rows, keyRows, isUpsert: layout.isUpsert, needed: needed.map { names[$0.1] })
    joining.run()
    return joining.finish(origins, types)
  }

  /// Whether row i comes from message i, for all messages.
  private func isPlain(_ rows: DecodedRecords, _ block: MessageBlock) -> Bool {
    if rows.count != block.count || !rows.rejects.isEmpty { return false }
    for (row, message) in rows.messages.enumerated() where row != Int(message) { return false }
    return true
  }

  private func upserts(_ count: Int) -> Buffer {
    let kinds = Buffer(byteCount: count)
    for row in 0..<count { kinds.pointer(UInt8.self)[row] = RowKind.updateAfter.rawValue }
    return kinds
  }

  /// The messages refused, as dead letters.
  ///
  /// - Parameter place: where a message of the block stood.
  static func letters(
    _ rejects: [RejectedMessage], _ block: MessageBlock, place: (Int) -> String
  ) -> [DeadLetter] {
    rejects.map {
      var letter = DeadLetter(
        row: $0.row, place: place($0.message), bytes: block.value($0.message), reason: $0.reason)
      letter.key = block.keySpans[$0.message].isNone ? nil : block.key($0.message)
      letter.isTombstone = block.valueSpans[$0.message].isNone
      return letter
    }
  }
}
