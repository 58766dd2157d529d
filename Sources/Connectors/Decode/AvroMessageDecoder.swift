import Columns
import Formats

/// Messages that are one Avro value each, written with the schema that the table's columns have: no header,
/// no schema in the message, as in Flink's format `avro`.
final class AvroMessageDecoder: RecordDecoder {
  private let decoder: AvroValueDecoder

  init(_ type: RowType, declared: RowType) throws(TerraceError) {
    decoder = try AvroValueDecoder(type, writer: declared)
  }

  func decode(_ text: RecordText) throws(TerraceError) -> DecodedRecords {
    guard case .messages(let spans) = text.shape else {
      preconditionFailure("Avro files are containers")
    }
    var parts: [Batch] = []
    var rejects: [RejectedLine] = []
    var messages: [Int32] = []
    var rows = 0
    var first = 0
    while first < spans.count {
      let result = decoder.decode(text.bytes, spans, from: first)
      parts.append(result.batch)
      rows += result.batch.count
      for number in first..<result.end where !spans[number].isNone {
        messages.append(Int32(truncatingIfNeeded: number))
      }
      if let problem = result.problem {
        let span = spans[result.end]
        rejects.append(
          RejectedLine(
            row: rows, line: result.end, range: span.start..<span.start + span.count,
            reason: reason(problem, text.bytes, span)))
      }
      first = result.end + 1
    }
    let columns = decoder.type.fields.indices.map { c in
      parts.isEmpty
        ? ColumnBuilder(decoder.type.fields[c].type).finish()
        : Column.concat(parts.map { $0.columns[c] })
    }
    return DecodedRecords(
      columns: columns, count: rows, kinds: nil, rejects: rejects, consumed: text.count,
      lines: spans.count, messages: messages)
  }

  private func reason(
    _ problem: TerraceError, _ bytes: UnsafePointer<UInt8>, _ span: TextSpan
  ) -> String {
    var text = problem.message
    for fact in problem.facts { text += ", \(fact.name) \(fact.value)" }
    // A registry's header: a zero and the schema's number in four bytes.
    if span.count > 5, bytes[span.start] == 0 {
      text += " (with the header of a schema registry? Those are not read)"
    }
    return text
  }
}
