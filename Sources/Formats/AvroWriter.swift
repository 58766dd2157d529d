package import Columns

/// How an Avro container is written.
package struct AvroWriteOptions: Sendable {
  /// With a namespace; nested records are named after it and their field.
  package var recordName = AvroFile.paimonRecordName
  package var codec = AvroCodec.zstandard
  /// Of zstandard and deflate.
  package var level = 1
  /// Unpacked bytes after which a block ends.
  package var blockBytes = 256 << 10
  /// The row is a union with null, as Java Paimon writes data files (manifests are plain records).
  package var nullableRow = false

  package init() {}
}

/// Writes batches as an Avro object container with Paimon's schema.
package final class AvroWriter {
  private let sink: any ByteSink
  private let type: RowType
  private let options: AvroWriteOptions
  private let compressor: Compressor
  private let block = ByteWriter()
  private let framed = ByteWriter()
  private let sync: [UInt8]
  private var rows = 0
  /// Bytes given to the sink.
  package private(set) var bytesWritten = 0

  /// - Throws: kind `unsupported` when a type or a field's name is beyond Avro, or from the sink.
  package init(
    _ sink: any ByteSink, type: RowType, options: AvroWriteOptions = AvroWriteOptions()
  ) throws(TerraceError) {
    self.sink = sink
    self.type = type
    self.options = options
    compressor = Compressor(level: options.level)
    var random = SystemRandomNumberGenerator()
    sync = (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) }
    let schema = try AvroSchemaText.schema(
      type, recordName: options.recordName, nullableRow: options.nullableRow)
    framed.append("Obj\u{1}")
    framed.appendZigzag(2)
    appendEntry("avro.schema", schema.text())
    appendEntry("avro.codec", options.codec.rawValue)
    framed.append(0)
    sync.withUnsafeBytes { framed.append($0) }
    try give()
  }

  /// Bytes written and waiting.
  package var bytesEstimated: Int { bytesWritten + block.count }

  /// Appends the rows; blocks go to the sink as they fill.
  ///
  /// - Throws: kind `invalid` when a value is null that may not be.
  package func write(_ batch: Batch) throws(TerraceError) {
    precondition(batch.columns.count == type.count, "a batch of another type")
    let encoder = try AvroEncoder(Batch(type, batch.columns, count: batch.count))
    defer { withExtendedLifetime(batch) {} }
    for row in 0..<batch.count {
      if options.nullableRow { block.append(2) }
      try encoder.encode(row: row, to: block)
      rows += 1
      if block.count >= options.blockBytes { try endBlock() }
    }
  }

  /// Writes the last block. The sink is not closed.
  package func finish() throws(TerraceError) { try endBlock() }

  private func endBlock() throws(TerraceError) {
    if rows == 0 { return }
    let plain = block.bytes
    var packed = plain
    switch options.codec {
    case .null: break
    case .deflate: packed = try compressor.deflateRaw(plain)
    case .zstandard: packed = try compressor.compress(.zstd, plain)
    case .snappy: packed = try compressor.compress(.snappy, plain)
    }
    let isSnappy = options.codec == .snappy
    framed.appendZigzag(Int64(rows))
    framed.appendZigzag(Int64(packed.count + (isSnappy ? 4 : 0)))
    framed.append(packed)
    if isSnappy { framed.appendRaw(crc32(plain).bigEndian) }
    sync.withUnsafeBytes { framed.append($0) }
    rows = 0
    block.removeAll()
    try give()
  }

  private func give() throws(TerraceError) {
    try sink.write(framed.bytes)
    bytesWritten += framed.count
    framed.removeAll()
  }

  private func appendEntry(_ name: String, _ value: String) {
    for text in [name, value] {
      framed.appendZigzag(Int64(text.utf8.count))
      framed.append(text)
    }
  }
}
