import Columns
import Formats

/// One row after another as text of a format, without line ends.
///
/// Formats of changes tell an update as a delete and an insert, as Flink's do.
final class RowEncoder {
  private let format: RecordFormat
  private let json: JSONCell
  private let plainJSON: JSONRows?
  private let csv: CSVRows
  private let charset: Charset?
  private let avro: AvroValueEncoder?

  init(_ type: RowType, _ format: RecordFormat) throws(TerraceError) {
    self.format = format
    json = JSONCell(
      .row(type.fields),
      JSONCell.Style(
        isISO: format.writesISO, leavesNullsOut: format.leavesNullsOut, nullKeys: format.nullKeys))
    plainJSON = format.isForImport ? JSONRows(type) : nil
    var options = format.csv
    if options.null == RecordFormat.noNull { options.null = "" }
    csv = CSVRows(type, options: options)
    avro = format.kind == .avro ? try AvroValueEncoder(type) : nil
    try format.check(type)
    if format.kind == .raw, type.fields[0].type.isText {
      charset = try Charset(format.charset, isDecoding: false)
    } else {
      charset = nil
    }
  }

  /// What stands before all rows of a file.
  func begin(to out: ByteWriter) {
    if format.kind == .csv, format.csv.hasHeader { csv.appendHeader(to: out) }
  }

  /// - Parameter isAdded: false for a row that goes, in formats of changes.
  /// - Returns: none for a value of `raw` that is null.
  func append(
    _ rows: Batch, _ row: Int, isAdded: Bool, to out: ByteWriter
  ) throws(TerraceError) -> TextSpan {
    let start = out.count
    switch format.kind {
    case .json:
      if let plainJSON {
        plainJSON.append(rows, row, to: out)
      } else {
        try json.members(rows.columns, row, to: out)
      }
    case .csv: csv.append(rows, row, to: out)
    case .debezium:
      out.append(isAdded ? "{\"before\":null,\"after\":" : "{\"before\":" as StaticString)
      try json.members(rows.columns, row, to: out)
      out.append(isAdded ? ",\"op\":\"c\"}" : ",\"after\":null,\"op\":\"d\"}" as StaticString)
    case .ogg:
      out.append(isAdded ? "{\"before\":null,\"after\":" : "{\"before\":" as StaticString)
      try json.members(rows.columns, row, to: out)
      out.append(
        isAdded ? ",\"op_type\":\"I\"}" : ",\"after\":null,\"op_type\":\"D\"}" as StaticString)
    case .canal:
      out.append("{\"data\":[" as StaticString)
      try json.members(rows.columns, row, to: out)
      out.append(isAdded ? "],\"type\":\"INSERT\"}" : "],\"type\":\"DELETE\"}" as StaticString)
    case .maxwell:
      out.append("{\"data\":" as StaticString)
      try json.members(rows.columns, row, to: out)
      out.append(isAdded ? ",\"type\":\"insert\"}" : ",\"type\":\"delete\"}" as StaticString)
    case .raw:
      let column = rows.columns[0]
      if column.isNull(row) { return TextSpan(start: start, count: -1) }
      try raw(column, row, to: out)
    case .avro: try avro?.append(rows, row, to: out)
    case .parquet: preconditionFailure("a container is no text")
    }
    return TextSpan(start: start, count: out.count - start)
  }

  private func raw(_ column: Column, _ row: Int, to out: ByteWriter) throws(TerraceError) {
    if column.physical == .bytes {
      guard let charset, !charset.isUTF8 else { return out.append(column.bytes(row)) }
      guard let text = charset.convert(column.bytes(row)) else {
        throw TerraceError(.invalid, "a text that the charset cannot write")
          .with("charset", charset.name)
      }
      return text.withUnsafeBytes { out.append($0) }
    }
    let bits: UInt64 =
      switch column.type.kind {
      case .boolean, .tinyint: UInt64(column.pointer(UInt8.self)[row])
      case .smallint: UInt64(column.pointer(UInt16.self)[row])
      case .int, .float: UInt64(column.pointer(UInt32.self)[row])
      default: column.pointer(UInt64.self)[row]
      }
    let width = RecordFormat.rawWidth(column.type)
    for i in 0..<width {
      let place = format.isLittleEndian ? i : width - 1 - i
      out.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * place)))
    }
  }

  /// Appends every row and a line end after each.
  func append(
    _ rows: Batch, _ kinds: Buffer?, to out: ByteWriter
  ) throws(TerraceError) {
    switch format.kind {
    case .csv: csv.append(rows, to: out)
    default:
      let codes = kinds?.pointer(UInt8.self)
      defer { withExtendedLifetime(kinds) {} }
      for row in 0..<rows.count {
        let isAdded = codes.map { $0[row] & 1 == 0 } ?? true
        _ = try append(rows, row, isAdded: isAdded, to: out)
        out.append(0x0a)
      }
    }
  }
}
