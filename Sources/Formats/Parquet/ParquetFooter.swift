import Columns

/// Where the footer lies, and its Thrift structures.
enum ParquetFooter {
  static let magic: [UInt8] = Array("PAR1".utf8)
  /// A footer over this size is refused: its parsed form would fill the memory.
  static let byteLimit = 64 << 20
  static let elementLimit = 100_000

  /// The footer, and the bytes at the end of the file that were read for it.
  ///
  /// - Parameter first: bytes at the end of the file that are read at first.
  static func read(
    _ source: any ByteSource, first: Int
  ) throws(TerraceError) -> (ParquetMetadata, tail: Buffer) {
    func broken(_ what: String) -> TerraceError {
      TerraceError(.corrupted, what).with("file", source.name)
    }
    let size = source.byteCount
    if size < 12 { throw broken("not a Parquet file: only \(size) bytes") }
    let guess = min(size, max(12, first))
    var tail = try source.read(at: size - guess, count: guess)
    let end = UnsafeRawPointer(tail.base) + guess
    let mark = Array(UnsafeRawBufferPointer(start: end - 4, count: 4))
    if mark == Array("PARE".utf8) {
      throw TerraceError(.unsupported, "encrypted Parquet files").with("file", source.name)
    }
    if mark != magic { throw broken("not a Parquet file: the last four bytes are not PAR1") }
    let length = Int((end - 8).loadUnaligned(as: UInt32.self))
    if length > size - 12 { throw broken("the footer is longer than its file") }
    if length > byteLimit { throw broken("a footer of \(length) bytes is over the limit") }
    var from = guess - 8 - length
    if from < 0 {
      tail = try source.read(at: size - 8 - length, count: length)
      from = 0
    }
    return try withExtendedLifetime(tail) { () throws(TerraceError) in
      var reader = ThriftReader(
        UnsafeRawBufferPointer(start: tail.base + from, count: length), origin: size - 8 - length)
      do throws(TerraceError) {
        var metadata = try parse(&reader)
        coverDictionaryHeaders(&metadata, footerStart: size - 8 - length)
        return (metadata, tail)
      } catch {
        throw error.with("file", source.name)
      }
    }
  }

  static func parse(_ reader: inout ThriftReader) throws(TerraceError) -> ParquetMetadata {
    var meta = ParquetMetadata()
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1: meta.version = try r.int(kind)
      case 2:
        try r.list(kind, of: .structure, limit: elementLimit) { r, _ throws(TerraceError) in
          meta.schema.append(try element(&r))
        }
      case 3: meta.rowCount = try r.size(kind)
      case 4:
        try r.list(kind, of: .structure) { r, _ throws(TerraceError) in
          meta.rowGroups.append(try rowGroup(&r))
        }
      case 5:
        try r.list(kind, of: .structure) { r, _ throws(TerraceError) in
          var pair = (key: "", value: "")
          try r.fields { r, id, kind throws(TerraceError) in
            switch id {
            case 1: pair.key = try r.text(kind)
            case 2: pair.value = try r.text(kind)
            default: try r.skip(kind)
            }
          }
          meta.keyValues.append(pair)
        }
      case 6: meta.createdBy = try r.text(kind)
      case 7:
        meta.hasTypeOrder = true
        try r.skip(kind)
      case 8: throw TerraceError(.unsupported, "encrypted Parquet files")
      default: try r.skip(kind)
      }
    }
    var rows = 0
    for i in meta.rowGroups.indices {
      meta.rowGroups[i].firstRow = rows
      let (sum, overflow) = rows.addingReportingOverflow(meta.rowGroups[i].rowCount)
      if overflow { throw reader.broken("row counts overflow") }
      rows = sum
    }
    // Some writers leave the file's count at 0; the groups' counts are checked against their pages.
    meta.rowCount = rows
    return meta
  }

  /// parquet-mr before 1.2.9 left the dictionary page's header out of the chunk's size (PARQUET-816):
  /// such chunks are given the bytes that a header can take.
  private static func coverDictionaryHeaders(_ meta: inout ParquetMetadata, footerStart: Int) {
    let writer = meta.createdBy
    guard writer.hasPrefix("parquet-mr") else { return }
    let version = writer.split(separator: " ").dropFirst(2).first?.split(separator: ".") ?? []
    let numbers = version.map { Int($0.prefix { $0.isNumber }) ?? 0 } + [0, 0, 0]
    guard (numbers[0], numbers[1], numbers[2]) < (1, 2, 9) else { return }
    for group in meta.rowGroups.indices {
      for column in meta.rowGroups[group].columns.indices {
        let chunk = meta.rowGroups[group].columns[column]
        let (end, overflow) = chunk.start.addingReportingOverflow(chunk.compressedBytes)
        if overflow || end > footerStart { continue }
        meta.rowGroups[group].columns[column].compressedBytes += min(100, footerStart - end)
      }
    }
  }

  private static func element(_ reader: inout ThriftReader) throws(TerraceError) -> ParquetElement {
    var out = ParquetElement()
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1:
        let number = try r.int(kind)
        guard let physical = ParquetPhysical(rawValue: number) else {
          throw r.broken("unknown physical type \(number)")
        }
        out.physical = physical
      case 2: out.typeLength = try r.size(kind)
      case 3:
        let number = try r.int(kind)
        guard let repetition = ParquetRepetition(rawValue: number) else {
          throw r.broken("unknown repetition \(number)")
        }
        out.repetition = repetition
      case 4: out.name = try r.text(kind)
      case 5: out.childCount = try r.size(kind)
      case 6: out.convertedType = try r.int(kind)
      case 7: out.scale = try r.int(kind)
      case 8: out.precision = try r.int(kind)
      case 9: out.fieldID = try r.int(kind)
      case 10: out.meaning = try ParquetLogicalType.read(&r, kind)
      default: try r.skip(kind)
      }
    }
    if out.meaning == nil, let old = out.convertedType {
      out.meaning = ParquetLogicalType.meaning(
        converted: old, precision: out.precision, scale: out.scale)
    }
    return out
  }

  private static func rowGroup(
    _ reader: inout ThriftReader
  ) throws(TerraceError) -> ParquetRowGroup {
    var out = ParquetRowGroup()
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1:
        try r.list(kind, of: .structure, limit: elementLimit) { r, _ throws(TerraceError) in
          out.columns.append(try chunk(&r))
        }
      case 2: out.byteCount = try r.int(kind)
      case 3: out.rowCount = try r.size(kind)
      default: try r.skip(kind)
      }
    }
    return out
  }

  private static func chunk(_ reader: inout ThriftReader) throws(TerraceError) -> ParquetChunk {
    var out = ParquetChunk()
    var described = false
    var offsetIndex = (0, 0)
    var columnIndex = (0, 0)
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1: throw TerraceError(.unsupported, "Parquet columns kept in other files")
      case 3:
        try r.expect(kind, .structure)
        try columnMetadata(&r, &out)
        described = true
      case 4: offsetIndex.0 = try r.size(kind)
      case 5: offsetIndex.1 = try r.size(kind)
      case 6: columnIndex.0 = try r.size(kind)
      case 7: columnIndex.1 = try r.size(kind)
      case 8, 9: throw TerraceError(.unsupported, "encrypted Parquet columns")
      default: try r.skip(kind)
      }
    }
    if !described { throw reader.broken("a column chunk has no metadata") }
    if offsetIndex.1 > 0 {
      out.offsetIndex = ParquetRange(offset: offsetIndex.0, count: offsetIndex.1)
    }
    if columnIndex.1 > 0 {
      out.columnIndex = ParquetRange(offset: columnIndex.0, count: columnIndex.1)
    }
    return out
  }

  private static func columnMetadata(
    _ reader: inout ThriftReader, _ out: inout ParquetChunk
  ) throws(TerraceError) {
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1:
        let number = try r.int(kind)
        guard let physical = ParquetPhysical(rawValue: number) else {
          throw r.broken("unknown physical type \(number)")
        }
        out.physical = physical
      case 2: out.encodings = try r.ints(kind, of: .i32, limit: 64)
      case 3:
        try r.list(kind, of: .binary, limit: 1000) { r, _ throws(TerraceError) in
          out.path.append(try r.text(.binary))
        }
      case 4: out.codec = try r.int(kind)
      case 5: out.valueCount = try r.size(kind)
      case 6: out.uncompressedBytes = try r.size(kind)
      case 7: out.compressedBytes = try r.size(kind)
      case 9: out.dataPageOffset = try r.size(kind)
      case 11: out.dictionaryPageOffset = try r.size(kind)
      case 12: out.statistics = try statistics(&r, kind)
      // Development builds used these ids for other things; Thrift skips fields of another type.
      case 14 where kind == .i64: out.bloomFilterOffset = try r.size(kind)
      case 15 where kind == .i32: out.bloomFilterLength = try r.size(kind)
      default: try r.skip(kind)
      }
    }
  }

  static func statistics(
    _ reader: inout ThriftReader, _ kind: ThriftReader.Kind
  ) throws(TerraceError) -> ParquetStatistics {
    try reader.expect(kind, .structure)
    var out = ParquetStatistics()
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1: out.oldMax = try r.binary(kind)
      case 2: out.oldMin = try r.binary(kind)
      case 3: out.nullCount = try r.size(kind)
      case 4: out.distinctCount = try r.size(kind)
      case 5: out.maxValue = try r.binary(kind)
      case 6: out.minValue = try r.binary(kind)
      case 7: out.isMaxExact = try r.bool(kind)
      case 8: out.isMinExact = try r.bool(kind)
      default: try r.skip(kind)
      }
    }
    return out
  }
}
