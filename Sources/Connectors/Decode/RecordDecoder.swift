import Columns
import Formats

/// Rows, and what they say, from a block of text.
struct DecodedRecords {
  /// Physical columns, then the format's metadata columns, as the decoder was asked for them.
  var columns: [Column]
  var count: Int
  var kinds: Buffer?
  var rejects: [RejectedLine]
  var consumed: Int
  var lines: Int
}

/// Turns text into rows. One thread.
protocol RecordDecoder: AnyObject {
  /// - Parameters:
  ///   - count: bytes, the last one a line feed; words may be loaded over their end.
  ///   - isLast: nothing follows.
  func decode(
    _ bytes: UnsafePointer<UInt8>, _ count: Int, isLast: Bool, rows: Int
  ) throws(TerraceError) -> DecodedRecords
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
      inner = .json(JSONBlockDecoder(type, requiresMembers: format.requiresMembers))
    }
  }

  func decode(
    _ bytes: UnsafePointer<UInt8>, _ count: Int, isLast: Bool, rows: Int
  ) throws(TerraceError) -> DecodedRecords {
    let block =
      switch inner {
      case .json(let decoder): decoder.decode(bytes, count: count, rows: rows)
      case .csv(let decoder): decoder.decode(bytes, count: count, isLast: isLast, rows: rows)
      }
    return DecodedRecords(
      columns: block.batch.columns, count: block.batch.count, kinds: nil, rejects: block.rejects,
      consumed: block.consumed, lines: block.lines)
  }
}
