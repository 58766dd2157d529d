import Columns
import Formats

/// Text that records are read from; words may be loaded over its end.
struct RecordText {
  enum Shape {
    /// Records end with their line; the last byte is a line feed. `isLast`: nothing follows. At most
    /// `rows` records are taken.
    case lines(isLast: Bool, rows: Int)
    /// Each of these is a record, and a line feed follows it.
    case messages([TextSpan])
  }

  var bytes: UnsafePointer<UInt8>
  var count: Int
  var shape: Shape
}

/// Rows, and what they say, from a block of text.
struct DecodedRecords {
  /// Physical columns, then the format's metadata columns, as the decoder was asked for them.
  var columns: [Column]
  var count: Int
  var kinds: Buffer?
  var rejects: [RejectedLine]
  var consumed: Int
  var lines: Int
  /// Of messages: the number of the message that each row comes from, ascending.
  var messages: [Int32] = []
}

/// Turns text into rows. One thread.
protocol RecordDecoder: AnyObject {
  func decode(_ text: RecordText) throws(TerraceError) -> DecodedRecords
}

/// Of formats whose records do not stand alone.
final class NoDecoder: RecordDecoder {
  func decode(_ text: RecordText) throws(TerraceError) -> DecodedRecords {
    throw TerraceError(.unsupported, "records of this format alone")
  }
}

extension JSONBlockDecoder {
  func decode(_ text: RecordText) -> DecodedBlock {
    switch text.shape {
    case .lines(_, let rows): decode(text.bytes, count: text.count, rows: rows)
    case .messages(let spans): decode(text.bytes, messages: spans)
    }
  }
}

/// JSON lines and CSV: a record is a row that is added.
final class PlainDecoder: RecordDecoder {
  private enum Inner {
    case json(JSONBlockDecoder)
    case csv(CSVBlockDecoder)
  }
  private let inner: Inner

  /// - Parameter type: the columns wanted.
  init(
    _ format: RecordFormat, _ type: RowType, declared: RowType
  ) throws(TerraceError) {
    if format.kind == .csv {
      inner = .csv(
        try CSVBlockDecoder(
          type, names: declared.fields.map(\.name), format: format.csv,
          comment: format.allowsComments ? UInt8(ascii: "#") : nil))
    } else {
      inner = .json(
        JSONBlockDecoder(
          type, requiresMembers: format.requiresMembers, conventions: format.conventions))
    }
  }

  func decode(_ text: RecordText) throws(TerraceError) -> DecodedRecords {
    let block =
      switch inner {
      case .json(let decoder): decoder.decode(text)
      case .csv(let decoder):
        switch text.shape {
        case .lines(let isLast, let rows):
          decoder.decode(text.bytes, count: text.count, isLast: isLast, rows: rows)
        case .messages(let spans): decoder.decode(text.bytes, messages: spans)
        }
      }
    return DecodedRecords(
      columns: block.batch.columns, count: block.batch.count, kinds: nil, rejects: block.rejects,
      consumed: block.consumed, lines: block.lines, messages: block.lineNumbers)
  }
}
