package import Columns

/// A record that is not a row, with the reason.
package struct RejectedRecord {
  /// From 1; of the record's first line.
  package let line: Int
  /// Of the record's first byte in the unpacked stream.
  package let offset: Int
  /// Without the line end; valid during the callback only.
  package let bytes: UnsafeRawBufferPointer
  package let error: TerraceError
}

/// What becomes of records that are not rows.
package enum RejectPolicy {
  /// The first one ends the reading.
  case fail
  /// They are handed over and left out.
  case skip((RejectedRecord) -> Void)
}

/// How text records are read.
package struct RecordOptions {
  package var batchRows = 8192
  /// Text of records after which a batch ends.
  package var batchBytes = 32 << 20
  /// Longer records are rejected; at most 512 MiB.
  package var maxRecordBytes = 64 << 20
  package var onReject = RejectPolicy.fail

  package init() {}
}

/// Why and where a record is no row. Small, since it travels through the parsers' hot paths.
struct RecordProblem: Error, @unchecked Sendable {
  enum Reason: UInt8 {
    case value, notObject, memberName, colon, comma, closing, textAfter, unterminated, control
    case escape, notUTF8, noValue, wrongKind, null, missing, twice, deep, number, count, tooLong
    case quote, fields, secondRecord
  }
  var reason: Reason
  /// Of reason `value`.
  var problem = TextProblem.empty
  /// Where in the record; nil at its end.
  var at: UnsafePointer<UInt8>?
  var node: Int32 = -1

  /// Whether the record is one but for this value.
  var isOfValue: Bool { reason == .value || reason == .wrongKind }

  var text: String {
    switch reason {
    case .value: problem.reason
    case .notObject: "a record is not a JSON object"
    case .memberName: "a member name in quotes was expected"
    case .colon: "':' was expected"
    case .comma: "',' or the closing bracket was expected"
    case .closing: "two items were expected: [key, value]"
    case .textAfter: "text after the record"
    case .unterminated: "a string that does not end"
    case .control: "a control character in a string"
    case .escape: "an unknown escape in a string"
    case .notUTF8: "text that is not UTF-8"
    case .noValue: "no value begins here"
    case .wrongKind: "a value of another kind than the column's"
    case .null: "null in a column that may not be null"
    case .missing: "no value for a column that may not be null"
    case .twice: "a member occurs twice"
    case .deep: "nested too deep"
    case .number: "a malformed number"
    case .count: "a count that is not from 1 to 2147483647"
    case .tooLong: "a record over the limit"
    case .quote: "a quote inside an unquoted field, or text after a closing quote"
    case .fields: "another number of fields than columns"
    case .secondRecord: "a line end outside quotes: one record a message is wanted"
    }
  }

  var hint: String {
    switch reason {
    case .value: problem.hint
    case .unterminated, .control: "write line breaks inside strings as \\n"
    case .missing, .null: "make the column nullable or give it a value"
    case .tooLong: "raise the limit of bytes a record"
    case .notObject: "one JSON object a line is wanted"
    default: ""
    }
  }

  /// The error that the user sees: where, which field, what stood there, what to do.
  func error(
    file: String, line: Int, record: UnsafeRawBufferPointer, field: String?
  ) -> TerraceError {
    var place = record.count
    if let at, let base = record.baseAddress {
      place = min(max(UnsafeRawPointer(at) - base, 0), record.count)
    }
    var error = TerraceError(.invalid, text, hint: hint).with("file", file).with("line", line)
      .with("column", place + 1)
    if let field { error = error.with("field", field) }
    return error.with("near", Self.excerpt(record, from: place))
  }

  /// Up to 40 bytes from the place on, readable on one line.
  private static func excerpt(_ record: UnsafeRawBufferPointer, from place: Int) -> String {
    let end = min(record.count, place + 40)
    let text = String(decoding: record[place..<end], as: UTF8.self)
    let clean = String(text.map { $0.isNewline || $0 < " " ? " " : $0 })
    return end < record.count ? clean + "…" : clean
  }
}
