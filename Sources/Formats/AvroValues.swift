package import Columns

/// Avro values that lie alone in memory, all written with the schema of one row type: in messages.
///
/// Nothing is trusted: text must be UTF-8 and fit its column, and the bytes must be used up.
package final class AvroValueDecoder {
  package let type: RowType
  private let schema: AvroSchemaOwner
  private var plan: AvroPlan
  private var decoder: AvroDecoder

  /// - Parameters:
  ///   - type: the columns wanted.
  ///   - writer: all columns of a value, in their order.
  /// - Throws: `unsupported` for types that Avro has no form for.
  package init(_ type: RowType, writer: RowType) throws(TerraceError) {
    self.type = type
    schema = try AvroValues.schema(writer)
    plan = try AvroPlan(schema.root, wanted: type, isStrict: true)
    decoder = AvroDecoder(plan)
  }

  /// Decodes values from number `first` on, up to the first that is none; missing ones are passed over.
  ///
  /// - Returns: the rows, the number of the value that ended it (`spans.count`: none did), and why.
  package func decode(
    _ bytes: UnsafePointer<UInt8>, _ spans: [TextSpan], from first: Int
  ) -> (batch: Batch, end: Int, problem: TerraceError?) {
    var (rows, end) = (0, first)
    do throws(TerraceError) {
      while end < spans.count {
        if !spans[end].isNone {
          try decode(bytes, spans[end])
          rows += 1
        }
        end += 1
      }
      return (finish(rows), end, nil)
    } catch {
      // The value left columns of different lengths: those before it are decoded again.
      let known = Array(spans[first..<end])
      let problem = renew() ?? error
      for span in known where !span.isNone {
        // They were good a moment ago.
        do throws(TerraceError) { try decode(bytes, span) } catch {
          preconditionFailure("\(error)")
        }
      }
      return (finish(rows), end, problem)
    }
  }

  private func decode(
    _ bytes: UnsafePointer<UInt8>, _ span: TextSpan
  ) throws(TerraceError) {
    var cursor = ByteCursor(UnsafeRawBufferPointer(start: bytes + span.start, count: span.count))
    try decoder.decodeRows(1, &cursor)
  }

  /// Columns without a row; what cannot happen twice is told.
  private func renew() -> TerraceError? {
    do throws(TerraceError) {
      plan = try AvroPlan(schema.root, wanted: type, isStrict: true)
      decoder = AvroDecoder(plan)
      return nil
    } catch { return error }
  }

  private func finish(_ rows: Int) -> Batch {
    Batch(type, plan.builders.map { $0.finish() }, count: rows)
  }
}

/// Writes rows as Avro values, each alone.
package final class AvroValueEncoder {
  private var batch: Batch?
  private var encoder: AvroEncoder?

  /// - Throws: `unsupported` for types that Avro has no form for.
  package init(_ type: RowType) throws(TerraceError) { _ = try AvroValues.schema(type) }

  /// Appends one row's value; rows of one batch follow each other.
  package func append(
    _ rows: Batch, _ row: Int, to out: ByteWriter
  ) throws(TerraceError) {
    if batch?.columns.first !== rows.columns.first || batch?.count != rows.count {
      encoder = try AvroEncoder(rows)
      batch = rows
    }
    try encoder?.encode(row: row, to: out)
  }
}

/// The schema of values alone: that of Flink's format `avro`, which differs from Paimon's in names only.
enum AvroValues {
  static func schema(_ type: RowType) throws(TerraceError) -> AvroSchemaOwner {
    for field in type.fields {
      do throws(TerraceError) { try check(field.type) } catch {
        throw error.with("column", field.name)
      }
    }
    let text = try AvroSchemaText.schema(
      type, recordName: "org.apache.flink.avro.generated.record", nullableRow: false
    ).text()
    let buffer = Array(text.utf8).withUnsafeBytes { Buffer(copying: $0) }
    defer { withExtendedLifetime(buffer) {} }
    return try AvroSchemaParser.parse(buffer.bytes)
  }

  private static func check(_ type: DataType) throws(TerraceError) {
    switch type.kind {
    case .map(let key, let value):
      try checkKey(key)
      try check(value)
    case .multiset(let key): try checkKey(key)
    case .array(let element): try check(element)
    case .row(let fields): for field in fields { try check(field.type) }
    default: break
    }
  }

  private static func checkKey(_ type: DataType) throws(TerraceError) {
    if !type.isText {
      throw TerraceError(.unsupported, "Avro maps with other keys than text")
        .with("key", type.text)
    }
  }
}
