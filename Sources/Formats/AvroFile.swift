package import Columns

/// Whole Avro containers: manifests, manifest lists, index manifests, small data files.
package enum AvroFile {
  /// What Java Paimon names the record of every file.
  package static let paimonRecordName = "org.apache.paimon.avro.generated.record"

  /// All rows as one batch, fields matched by name, missing nullable ones null.
  ///
  /// - Throws: kind `corrupted` when the bytes are damaged or cannot become `wanted`.
  package static func read(
    _ source: any ByteSource, as wanted: RowType, limits: AvroLimits = AvroLimits()
  ) throws(TerraceError) -> Batch {
    let reader = try AvroReader(source, as: wanted, batchRows: Int.max, limits: limits)
    guard let batch = try reader.next() else {
      return Batch(wanted, wanted.fields.map { ColumnBuilder($0.type).finish() }, count: 0)
    }
    return batch
  }

  package static func write(
    _ batch: Batch, recordName: String = paimonRecordName, codec: AvroCodec = .zstandard,
    to sink: any ByteSink
  ) throws(TerraceError) {
    var options = AvroWriteOptions()
    options.recordName = recordName
    options.codec = codec
    let writer = try AvroWriter(sink, type: batch.type, options: options)
    try writer.write(batch)
    try writer.finish()
  }

  /// The schema as the file's header has it.
  package static func schemaText(_ source: any ByteSource) throws(TerraceError) -> String {
    let held = source.byteCount <= 1 << 20 ? try source.readAll() : nil
    do throws(TerraceError) {
      return try AvroHeader.read(source, held: held, limit: AvroLimits().headerBytes).schemaText
    } catch { throw error.with("file", source.name) }
  }
}
