package import Columns
package import Formats

/// What the footer and the page headers of a Parquet file say.
package enum ParquetListing {
  /// Names and values of the file as a whole.
  package static func summary(_ file: ParquetFile) -> [(String, String)] {
    let meta = file.metadata
    let data = meta.rowGroups.reduce(0) { $0 + $1.columns.reduce(0) { $0 + $1.compressedBytes } }
    let raw = meta.rowGroups.reduce(0) { $0 + $1.columns.reduce(0) { $0 + $1.uncompressedBytes } }
    var lines = [
      ("file", file.source.name),
      (
        "size",
        "\(DisplayText.bytes(file.source.byteCount)), of which data "
          + "\(DisplayText.bytes(data)), \(DisplayText.bytes(raw)) uncompressed"
      ),
      (
        "rows",
        "\(DisplayText.grouped(meta.rowCount)) in \(DisplayText.count(meta.rowGroups.count, "row group"))"
      ),
      ("created by", meta.createdBy), ("format version", "\(meta.version)"),
    ]
    for (key, value) in meta.keyValues {
      lines.append(("key \(key)", DisplayText.cut(value, to: 200)))
    }
    return lines
  }

  /// Columns as the file declares them, and the type they are read as.
  package static func columns(_ file: ParquetFile) -> Listing {
    var listing = Listing("column", "type", "id")
    for field in file.type.fields {
      listing.add(.string(field.name), .string(field.type.text), JSONValue(field.id))
    }
    return listing
  }

  /// One line a column chunk.
  package static func chunks(_ file: ParquetFile) throws(TerraceError) -> Listing {
    var listing = Listing(
      "group", "column", "physical", "codec", "encodings", "values", "nulls", "bytes",
      "uncompressed", "min", "max", "dictionary", "column_index", "offset_index", "bloom", "crc")
    for (number, group) in file.metadata.rowGroups.enumerated() {
      for chunk in group.columns {
        let first = try file.pages(of: chunk, limit: 1).first
        let statistics = chunk.statistics
        listing.add(
          JSONValue(number), .string(chunk.path.joined(separator: ".")),
          .string(chunk.physical.name), .string(ParquetCodec.name(chunk.codec)),
          .string(chunk.encodings.map(encodingName).joined(separator: " ")),
          JSONValue(chunk.valueCount), JSONValue(statistics?.nullCount.map { Int64($0) }),
          JSONValue(chunk.compressedBytes), JSONValue(chunk.uncompressedBytes),
          JSONValue(bound(statistics?.minValue, chunk, file)),
          JSONValue(bound(statistics?.maxValue, chunk, file)),
          .bool(first?.kind == .dictionary), .bool(chunk.columnIndex != nil),
          .bool(chunk.offsetIndex != nil), .bool(chunk.bloomFilterOffset != nil),
          .bool(first?.crc != nil))
      }
    }
    return listing
  }

  /// One line a page.
  package static func pages(_ file: ParquetFile) throws(TerraceError) -> Listing {
    var listing = Listing(
      "group", "column", "page", "kind", "encoding", "values", "rows", "nulls", "offset", "bytes",
      "uncompressed", "crc")
    for (number, group) in file.metadata.rowGroups.enumerated() {
      for chunk in group.columns {
        for (index, page) in try file.pages(of: chunk).enumerated() {
          listing.add(
            JSONValue(number), .string(chunk.path.joined(separator: ".")), JSONValue(index),
            .string(kindName(page.kind)), .string(encodingName(page.encoding)),
            JSONValue(page.valueCount), JSONValue(page.rowCount.map { Int64($0) }),
            JSONValue(page.nullCount.map { Int64($0) }), JSONValue(page.offset),
            JSONValue(page.compressedBytes), JSONValue(page.uncompressedBytes),
            JSONValue(page.crc.map { hex(bigEndian($0)) }))
        }
      }
    }
    return listing
  }

  private static func kindName(_ kind: ParquetPage.Kind) -> String {
    switch kind {
    case .data: "data"
    case .index: "index"
    case .dictionary: "dictionary"
    case .dataV2: "data v2"
    }
  }

  private static func encodingName(_ number: Int) -> String {
    ParquetEncoding(rawValue: number)?.name ?? "encoding \(number)"
  }

  /// A stored bound as a value of its column; hexadecimal where the column is nested.
  private static func bound(
    _ stored: [UInt8]?, _ chunk: ParquetChunk, _ file: ParquetFile
  ) -> String? {
    guard let stored else { return nil }
    let field = chunk.path.count == 1 ? file.type.fields.first { $0.name == chunk.path[0] } : nil
    guard let field, let value = scalar(stored, chunk.physical, field.type) else {
      return hex(stored)
    }
    return DisplayText.cut(ValueText.text(value, field.type), to: 40)
  }

  private static func scalar(
    _ bytes: [UInt8], _ stored: ParquetPhysical, _ type: DataType
  ) -> Scalar? {
    var bits: UInt64 = 0
    if bytes.count <= 8 { for byte in bytes.reversed() { bits = bits << 8 | UInt64(byte) } }
    switch (stored, bytes.count) {
    case (.boolean, 1): return .boolean(bits != 0)
    case (.int32, 4): return whole(Int128(Int32(truncatingIfNeeded: bits)), type)
    case (.int64, 8): return whole(Int128(Int64(bitPattern: bits)), type)
    case (.float, 4): return .float(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case (.double, 8): return .double(Double(bitPattern: bits))
    case (.byteArray, _), (.fixedLenByteArray, _):
      if type.physical == .bytes { return .bytes(bytes) }
      guard case .decimal = type.kind, bytes.count <= 16, let first = bytes.first else {
        return nil
      }
      var value: Int128 = first >= 0x80 ? -1 : 0
      for byte in bytes { value = value << 8 | Int128(byte) }
      return whole(value, type)
    default: return nil
    }
  }

  private static func whole(_ value: Int128, _ type: DataType) -> Scalar? {
    switch type.physical {
    case .int8, .int16, .int32, .int64: .int(Int64(truncatingIfNeeded: value))
    case .int128: .int128(value)
    default: nil
    }
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = bytes.prefix(32).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return "0x" + digits + (bytes.count > 32 ? "…" : "")
  }
}
