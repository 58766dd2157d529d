import Columns

/// Columns of manifests and manifest lists (Paimon 2.x: `ManifestEntry`, `DataFileMeta`,
/// `ManifestFileMeta`). Files are read by column name; columns that older writers lack are nullable.
enum ManifestFormat {
  /// Of rows in both kinds of files; version 1 is older than Paimon.
  static let version: Int32 = 2

  static let stats = DataType.row([
    field("_MIN_VALUES", DataType.bytes.notNull), field("_MAX_VALUES", DataType.bytes.notNull),
    field("_NULL_COUNTS", .array(.bigint)),
  ]).notNull

  static let file: [Field] = [
    field("_FILE_NAME", DataType.string.notNull),
    field("_FILE_SIZE", DataType.bigint.notNull),
    field("_ROW_COUNT", DataType.bigint.notNull),
    field("_MIN_KEY", DataType.bytes.notNull),
    field("_MAX_KEY", DataType.bytes.notNull),
    field("_KEY_STATS", stats),
    field("_VALUE_STATS", stats),
    field("_MIN_SEQUENCE_NUMBER", DataType.bigint.notNull),
    field("_MAX_SEQUENCE_NUMBER", DataType.bigint.notNull),
    field("_SCHEMA_ID", DataType.bigint.notNull),
    field("_LEVEL", DataType.int.notNull),
    field("_EXTRA_FILES", DataType.array(DataType.string.notNull).notNull),
    field("_CREATION_TIME", .timestamp(3)),
    field("_DELETE_ROW_COUNT", .bigint),
    field("_EMBEDDED_FILE_INDEX", .bytes),
    field("_FILE_SOURCE", .tinyint),
    field("_VALUE_STATS_COLS", .array(DataType.string.notNull)),
    field("_EXTERNAL_PATH", .string),
    field("_FIRST_ROW_ID", .bigint),
    field("_WRITE_COLS", .array(DataType.string.notNull)),
    field("_WRITE_COLS_SEQUENCES", .array(DataType.bigint.notNull)),
  ]

  static let manifest = RowType([
    field("_VERSION", DataType.int.notNull),
    field("_KIND", DataType.tinyint.notNull),
    field("_PARTITION", DataType.bytes.notNull),
    field("_BUCKET", DataType.int.notNull),
    field("_TOTAL_BUCKETS", DataType.int.notNull),
    field("_FILE", DataType.row(file).notNull),
  ])

  static let list = RowType([
    field("_VERSION", DataType.int.notNull),
    field("_FILE_NAME", DataType.string.notNull),
    field("_FILE_SIZE", DataType.bigint.notNull),
    field("_NUM_ADDED_FILES", DataType.bigint.notNull),
    field("_NUM_DELETED_FILES", DataType.bigint.notNull),
    field("_PARTITION_STATS", stats),
    field("_SCHEMA_ID", DataType.bigint.notNull),
    field("_MIN_BUCKET", .int), field("_MAX_BUCKET", .int),
    field("_MIN_LEVEL", .int), field("_MAX_LEVEL", .int),
    field("_MIN_ROW_ID", .bigint), field("_MAX_ROW_ID", .bigint),
  ])

  private static func field(_ name: String, _ type: DataType) -> Field {
    Field(id: 0, name: name, type: type)
  }
}

/// Single values out of the columns of a metadata file.
struct MetadataRow {
  let columns: [Column]
  var row: Int

  func isNull(_ c: Int) -> Bool { columns[c].isNull(row) }
  func int32(_ c: Int) -> Int { Int(columns[c].pointer(Int32.self)[row]) }
  func int8(_ c: Int) -> Int8 { columns[c].pointer(Int8.self)[row] }
  func int64(_ c: Int) -> Int64 { columns[c].pointer(Int64.self)[row] }
  func bytes(_ c: Int) -> [UInt8] { Array(columns[c].bytes(row)) }
  func text(_ c: Int) -> String { String(decoding: columns[c].bytes(row), as: UTF8.self) }
  func optionalInt32(_ c: Int) -> Int? { isNull(c) ? nil : int32(c) }
  func optionalInt64(_ c: Int) -> Int64? { isNull(c) ? nil : int64(c) }
  func inner(_ c: Int) -> MetadataRow { MetadataRow(columns: columns[c].children, row: row) }

  func list<Item>(_ c: Int, _ item: (Column, Int) -> Item) -> [Item] {
    let offsets = columns[c].offsets
    let child = columns[c].children[0]
    return (Int(offsets[row])..<Int(offsets[row + 1])).map { item(child, $0) }
  }

  func texts(_ c: Int) -> [String] {
    list(c) { String(decoding: $0.bytes($1), as: UTF8.self) }
  }

  func stats(_ c: Int) -> SimpleStats {
    let row = inner(c)
    return SimpleStats(
      minValues: row.bytes(0), maxValues: row.bytes(1),
      nullCounts: row.isNull(2)
        ? nil : row.list(2) { $0.isNull($1) ? nil : $0.pointer(Int64.self)[$1] })
  }
}

extension ColumnBuilder {
  func append(raw bytes: [UInt8]) { bytes.withUnsafeBytes { append(bytes: $0) } }

  func append(optional value: Int64?) {
    if let value { append(value) } else { appendNull() }
  }

  func append(optional value: Int?) {
    if let value { append(Int32(clamping: value)) } else { appendNull() }
  }

  func append(texts: [String]?) {
    guard let texts else { return appendNull() }
    for text in texts { children[0].append(text) }
    endList()
  }

  func append(stats: SimpleStats) {
    children[0].append(raw: stats.minValues)
    children[1].append(raw: stats.maxValues)
    if let counts = stats.nullCounts {
      for count in counts { children[2].children[0].append(optional: count) }
      children[2].endList()
    } else {
      children[2].appendNull()
    }
    endRow()
  }
}
