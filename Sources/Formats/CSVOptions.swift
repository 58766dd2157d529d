package import Columns

/// How CSV is written and read.
package struct CSVOptions: Sendable {
  /// What Flink's format does beyond RFC 4180: bytes are base64, numbers may have blanks around them, and
  /// arrays and rows are their elements with a delimiter between them (and not JSON).
  package struct Flink: Sendable {
    package var elementDelimiter = ";"
    /// A field that cannot be read is null, and so are those that a record lacks at its end.
    package var nullsErrors = false

    package init() {}
  }

  package var delimiter = UInt8(ascii: ",")
  package var quote = UInt8(ascii: "\"")
  /// As a quote: there is none. A byte that no text of UTF-8 has.
  package static let noQuote: UInt8 = 0xff
  /// A byte that takes the meaning from the one behind it. A quote inside quotes may be doubled anyhow.
  package var escape: UInt8?
  /// Whether the first record names the columns.
  package var hasHeader = true
  /// What stands for null, unquoted. An empty text is written in quotes where this is empty.
  package var null = ""
  /// Whether nothing at all is null too, where the column is no text.
  package var emptyIsNull = false
  package var flink: Flink?

  package init() {}

  /// - Throws: `unsupported` for a column that Flink's CSV has no text for.
  package func check(_ type: RowType) throws(TerraceError) {
    guard flink != nil else { return }
    for field in type.fields {
      let inner: [DataType]
      switch field.type.kind {
      case .array(let element): inner = [element]
      case .row(let fields): inner = fields.map(\.type)
      case .map, .multiset: inner = [field.type]
      default: inner = []
      }
      for type in inner {
        switch type.kind {
        case .array, .row, .map, .multiset:
          throw TerraceError(
            .unsupported, "\(field.type.text) in CSV",
            hint: "arrays and rows of plain values can be read and written"
          ).with("column", field.name)
        default: break
        }
      }
    }
  }
}
