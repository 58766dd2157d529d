import Columns
import Formats

/// One row after another as text of a format, without line ends.
final class RowEncoder {
  private let format: RecordFormat
  private let json: JSONRows
  private let csv: CSVRows

  init(_ type: RowType, _ format: RecordFormat) {
    self.format = format
    json = JSONRows(type)
    var options = format.csv
    if options.null == RecordFormat.noNull { options.null = "" }
    csv = CSVRows(type, options: options)
  }

  /// - Parameter isAdded: false for a row that goes, in formats of changes.
  func append(
    _ rows: Batch, _ row: Int, isAdded: Bool, to out: ByteWriter
  ) -> TextSpan {
    let start = out.count
    switch format.kind {
    case .json: json.append(rows, row, to: out)
    case .csv: csv.append(rows, row, to: out)
    case .debezium:
      out.append(isAdded ? "{\"before\":null,\"after\":" : "{\"before\":" as StaticString)
      json.append(rows, row, to: out)
      out.append(isAdded ? ",\"op\":\"c\"}" : ",\"after\":null,\"op\":\"d\"}" as StaticString)
    case .canal:
      out.append("{\"data\":[" as StaticString)
      json.append(rows, row, to: out)
      out.append(isAdded ? "],\"type\":\"INSERT\"}" : "],\"type\":\"DELETE\"}" as StaticString)
    case .parquet: preconditionFailure("Parquet is no text")
    }
    return TextSpan(start: start, count: out.count - start)
  }

  /// Appends every row and a line end after each.
  func append(_ rows: Batch, _ kinds: Buffer?, to out: ByteWriter) {
    switch format.kind {
    case .json: json.append(rows, to: out)
    case .csv: csv.append(rows, to: out)
    default:
      let codes = kinds?.pointer(UInt8.self)
      for row in 0..<rows.count {
        _ = append(rows, row, isAdded: codes.map { $0[row] & 1 == 0 } ?? true, to: out)
        out.append(0x0a)
      }
      withExtendedLifetime(kinds) {}
    }
  }
}
