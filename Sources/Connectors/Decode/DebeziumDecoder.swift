import Columns
import Formats

/// Debezium's change events as JSON: `{"before":{…},"after":{…},"op":"c|r|u|d",…}`, with or without
/// the schema around them.
final class DebeziumDecoder: RecordDecoder {
  private let type: RowType
  private let keys: [Int]
  private let style: ChangeStyle
  private let hasSchema: Bool
  private let metadata: [FormatMetadata]
  private let reader: JSONBlockDecoder

  init(
    _ format: RecordFormat, _ type: RowType, keys: [Int], style: ChangeStyle,
    metadata: [FormatMetadata]
  ) {
    self.type = type
    self.keys = keys
    self.style = style
    self.metadata = metadata
    hasSchema = format.hasSchema
    // A deleted row may have nothing but its key, so what may be null is looked at afterwards.
    let row = DataType.row(
      type.fields.map { Field(id: $0.id, name: $0.name, type: $0.type.nullable) })
    var members: [(String, DataType)] = [("before", row), ("after", row), ("op", DataType.string)]
    if metadata.contains(where: { $0.path.count == 2 }) {
      members.append(
        (
          "source",
          DataType.row(
            RowType([
              ("ts_ms", DataType.bigint), ("db", DataType.string), ("schema", DataType.string),
              ("table", DataType.string),
            ]).fields)
        ))
    }
    if metadata.contains(where: { $0.path == ["ts_ms"] }) {
      members.append(("ts_ms", DataType.bigint))
    }
    let envelope = RowType(members)
    let whole = hasSchema ? RowType([("payload", DataType.row(envelope.fields))]) : envelope
    reader = JSONBlockDecoder(whole, keepsPlaces: true, passesNull: true)
  }

  func decode(_ text: RecordText) throws(TerraceError) -> DecodedRecords {
    let block = reader.decode(text)
    var envelope = block.batch.columns
    var fields = block.batch.type.fields
    if hasSchema, case .row(let inner) = block.batch.type.fields[0].type.kind {
      fields = inner
      envelope = block.batch.columns[0].children
    }
    let (before, after, op) = (envelope[0], envelope[1], envelope[2])
    let out = ChangeRows(
      type, keys, style, [before.children, after.children], block, text)
    for record in 0..<block.batch.count {
      let code = op.isNull(record) || op.bytes(record).count != 1 ? 0 : op.bytes(record)[0]
      let problem: String?
      switch code {
      case UInt8(ascii: "c"), UInt8(ascii: "r"): problem = insert(record, after, out)
      case UInt8(ascii: "u"): problem = update(record, before, after, out)
      case UInt8(ascii: "d"): problem = delete(record, before, out)
      case 0 where op.isNull(record):
        problem =
          hasSchema
          ? "no member \"op\" in the payload of a Debezium event"
          : "no member \"op\": not a Debezium event (with schemas set 'debezium-json.schema-include')"
      default:
        problem = "op \"\(String(decoding: op.bytes(record), as: UTF8.self))\" is not c, r, u or d"
      }
      if let problem { out.reject(record: record, problem) }
    }
    return out.finish(metadata: metadata.map { $0.column(envelope, fields) })
  }

  private func insert(_ record: Int, _ after: Column, _ out: ChangeRows) -> String? {
    if after.isNull(record) { return "an insert without \"after\"" }
    if let problem = out.problem(1, record, keyOnly: false) { return problem }
    out.append(1, record, .insert, record: record)
    return nil
  }

  private func update(
    _ record: Int, _ before: Column, _ after: Column, _ out: ChangeRows
  ) -> String? {
    if after.isNull(record) { return "an update without \"after\"" }
    if let problem = out.problem(1, record, keyOnly: false) { return problem }
    if out.isUpserts {
      if !before.isNull(record), out.problem(0, record, keyOnly: true) == nil,
        !out.hasSameKey(0, record, 1, record)
      {
        out.append(0, record, .delete, record: record)
      }
    } else {
      if before.isNull(record) {
        return "an update without \"before\": declare a PRIMARY KEY, or have the database send it"
          + " (PostgreSQL: REPLICA IDENTITY FULL)"
      }
      if let problem = out.problem(0, record, keyOnly: false) { return problem }
      out.append(0, record, .updateBefore, record: record)
    }
    out.append(1, record, .updateAfter, record: record)
    return nil
  }

  private func delete(_ record: Int, _ before: Column, _ out: ChangeRows) -> String? {
    if before.isNull(record) {
      return "a delete without \"before\": have the database send it"
        + " (PostgreSQL: REPLICA IDENTITY FULL)"
    }
    if let problem = out.problem(0, record, keyOnly: out.isUpserts) { return problem }
    out.append(0, record, .delete, record: record)
    return nil
  }
}
