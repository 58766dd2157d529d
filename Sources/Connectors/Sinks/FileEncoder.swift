import Columns
import Formats
import Store

/// Turns rows into the bytes of one file.
protocol FileEncoder: AnyObject {
  var byteCount: Int { get }
  func write(_ rows: Batch, _ kinds: Buffer?) throws(TerraceError)
  func finish() throws(TerraceError)
}

enum FileEncoders {
  static func make(
    _ format: RecordFormat, _ sink: any FileSink, _ type: RowType
  ) throws(TerraceError) -> any FileEncoder {
    switch format.kind {
    case .parquet: try ParquetEncoder(sink, type, format.container)
    case .avro: try AvroFileEncoder(sink, type, format.container)
    default: try TextEncoder(sink, type, format)
    }
  }

  /// - Throws: what ``make(_:_:_:)`` would say of these columns.
  static func check(_ format: RecordFormat, _ type: RowType) throws(TerraceError) {
    switch format.kind {
    case .parquet: _ = try ParquetWriter(MemorySink(), type: type)
    case .avro: _ = try AvroFileEncoder(MemorySink(), type, format.container)
    default: _ = try RowEncoder(type, format)
    }
  }
}

final class ParquetEncoder: FileEncoder {
  private let writer: ParquetWriter

  init(
    _ sink: any FileSink, _ type: RowType, _ format: ContainerFormat
  ) throws(TerraceError) {
    writer = try ParquetWriter(sink, type: type, options: format.parquet)
  }

  var byteCount: Int { writer.bytesWritten }
  func write(_ rows: Batch, _ kinds: Buffer?) throws(TerraceError) { try writer.write(rows) }
  func finish() throws(TerraceError) { _ = try writer.finish() }
}

final class AvroFileEncoder: FileEncoder {
  private let writer: AvroWriter

  init(
    _ sink: any ByteSink, _ type: RowType, _ format: ContainerFormat
  ) throws(TerraceError) {
    var options = AvroWriteOptions()
    options.codec = format.avroCodec
    options.recordName = "record"
    writer = try AvroWriter(sink, type: type, options: options)
  }

  var byteCount: Int { writer.bytesEstimated }
  func write(_ rows: Batch, _ kinds: Buffer?) throws(TerraceError) { try writer.write(rows) }
  func finish() throws(TerraceError) { try writer.finish() }
}

/// JSON lines, CSV, and changes as Flink writes them: an update is a delete and an insert.
final class TextEncoder: FileEncoder {
  private let sink: any FileSink
  private let encoder: RowEncoder
  private let out = ByteWriter(capacity: 1 << 16)

  init(
    _ sink: any FileSink, _ type: RowType, _ format: RecordFormat
  ) throws(TerraceError) {
    self.sink = sink
    encoder = try RowEncoder(type, format)
    encoder.begin(to: out)
  }

  var byteCount: Int { sink.byteCount }

  func write(_ rows: Batch, _ kinds: Buffer?) throws(TerraceError) {
    try encoder.append(rows, kinds, to: out)
    try sink.write(out.bytes)
    out.removeAll()
  }

  func finish() throws(TerraceError) {
    // What was begun, and got no rows.
    if out.count > 0 { try sink.write(out.bytes) }
  }
}
