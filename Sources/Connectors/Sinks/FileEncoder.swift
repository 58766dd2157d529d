import Columns
import Formats
import Store

/// Turns rows into the bytes of one file.
protocol FileEncoder: AnyObject {
  var byteCount: Int { get }
  func write(_ rows: Batch, _ kinds: Buffer?) throws(TerraceError)
  func finish() throws(TerraceError)
}

final class ParquetEncoder: FileEncoder {
  private let writer: ParquetWriter

  init(_ sink: any FileSink, _ type: RowType) throws(TerraceError) {
    writer = try ParquetWriter(sink, type: type)
  }

  var byteCount: Int { writer.bytesWritten }
  func write(_ rows: Batch, _ kinds: Buffer?) throws(TerraceError) { try writer.write(rows) }
  func finish() throws(TerraceError) { _ = try writer.finish() }
}

/// JSON lines, CSV, and changes as Flink writes them: an update is a delete and an insert.
final class TextEncoder: FileEncoder {
  private let sink: any FileSink
  private let format: RecordFormat
  private let json: JSONRows
  private let csv: CSVRows
  private let out = ByteWriter(capacity: 1 << 16)

  init(_ sink: any FileSink, _ type: RowType, _ format: RecordFormat) {
    self.sink = sink
    self.format = format
    json = JSONRows(type)
    var options = format.csv
    if options.null == RecordFormat.noNull { options.null = "" }
    csv = CSVRows(type, options: options)
  }

  var byteCount: Int { sink.byteCount }

  func write(_ rows: Batch, _ kinds: Buffer?) throws(TerraceError) {
    switch format.kind {
    case .json: json.append(rows, to: out)
    case .csv: csv.append(rows, to: out)
    case .debezium: changes(rows, kinds, debezium)
    case .canal: changes(rows, kinds, canal)
    case .parquet: preconditionFailure("Parquet is no text")
    }
    try sink.write(out.bytes)
    out.removeAll()
  }

  private func changes(
    _ rows: Batch, _ kinds: Buffer?, _ append: (Batch, Int, Bool) -> Void
  ) {
    let codes = kinds?.pointer(UInt8.self)
    for row in 0..<rows.count { append(rows, row, codes.map { $0[row] & 1 == 0 } ?? true) }
    withExtendedLifetime(kinds) {}
  }

  private func debezium(_ rows: Batch, _ row: Int, _ isAdded: Bool) {
    out.append(isAdded ? "{\"before\":null,\"after\":" : "{\"before\":" as StaticString)
    json.append(rows, row, to: out)
    out.append(isAdded ? ",\"op\":\"c\"}\n" : ",\"after\":null,\"op\":\"d\"}\n" as StaticString)
  }

  private func canal(_ rows: Batch, _ row: Int, _ isAdded: Bool) {
    out.append("{\"data\":[" as StaticString)
    json.append(rows, row, to: out)
    out.append(isAdded ? "],\"type\":\"INSERT\"}\n" : "],\"type\":\"DELETE\"}\n" as StaticString)
  }

  func finish() throws(TerraceError) {}
}
