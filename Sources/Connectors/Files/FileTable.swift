import Columns
import Formats
import Store

/// A table of files: its options, checked, and which columns come from where.
struct FileTable {
  /// Where a column's values come from.
  enum Origin {
    /// Number among the columns that the file's reader gives.
    case reader(Int)
    case path, name, size, modified
    /// `name=value` in the path.
    case partition(String)
  }

  let table: ConnectorTable
  let format: RecordFormat
  let style: ChangeStyle
  let path: String
  let pattern: String?
  /// Milliseconds between looks for new files.
  let interval: Int64
  let origins: [Origin]
  /// Columns that are read from the records.
  let physical: RowType
  let metadata: [FormatMetadata]
  private let keys: [Int]

  private static let sinkOptions = [
    "sink.rolling-policy.file-size", "sink.rolling-policy.rollover-interval",
    "sink.rolling-policy.check-interval", "sink.rolling-policy.inactivity-interval",
    "sink.partition-commit.trigger", "sink.partition-commit.delay",
    "sink.partition-commit.watermark-time-zone", "sink.partition-commit.policy.kind",
    "sink.partition-commit.policy.class", "sink.partition-commit.success-file.name",
    "sink.shuffle-by-partition.enable", "sink.parallelism", "auto-compaction",
    "compaction.file-size", "compaction.parallelism", "partition.default-name",
    "partition.time-extractor.kind", "partition.time-extractor.class",
    "partition.time-extractor.timestamp-pattern", "partition.time-extractor.timestamp-formatter",
    "source.report-statistics", "scan.parallelism",
  ]

  init(_ table: ConnectorTable) throws(TerraceError) {
    self.table = table
    var options = ConnectorOptions(table)
    path = try options.required("path")
    try Self.check(path: path)
    pattern = options.text("source.path.regex-pattern")
    interval = max(try options.duration("source.monitor-interval") ?? 1000, 1)
    options.allow(Self.sinkOptions)
    format = try RecordFormat(&options)
    try options.finish()
    style = format.isChanges ? (table.primaryKey.isEmpty ? .retractions : .upserts) : .inserts

    var origins: [Origin] = []
    var physical: [Field] = []
    var metadata: [(place: Int, FormatMetadata)] = []
    for field in table.type.fields {
      if let column = table.metadata.first(where: { $0.column == field.name }) {
        if let origin = try Self.origin(field, column.key, table) {
          origins.append(origin)
        } else {
          guard let own = FormatMetadata(field, key: column.key, format.kind) else {
            throw Self.unknown(column, format.kind, table)
          }
          if !own.fits { throw Self.misfit(field, own.path.last ?? "", table) }
          metadata.append((origins.count, own))
          origins.append(.reader(0))
        }
      } else if table.partitionKeys.contains(field.name) {
        origins.append(.partition(field.name))
      } else {
        origins.append(.reader(physical.count))
        physical.append(field)
      }
    }
    if physical.isEmpty, let first = table.declared.fields.first { physical = [first] }
    for (index, entry) in metadata.enumerated() {
      origins[entry.place] = .reader(physical.count + index)
    }
    self.origins = origins
    self.physical = RowType(physical)
    do throws(TerraceError) { try format.check(self.physical) } catch {
      throw error.with("table", table.name)
    }
    self.metadata = metadata.map(\.1)
    let type = self.physical
    keys = table.primaryKey.compactMap { type.index(of: $0) }
  }

  /// It names a file or a folder of this machine.
  private static func check(path: String) throws(TerraceError) {
    if let end = path.firstRange(of: "://"), !path.hasPrefix("file://") {
      throw TerraceError(
        .unsupported, "files at \(path[..<end.lowerBound])://…",
        hint: "'path' names a file or a folder of this machine"
      ).with("option", "path")
    }
    if path.contains(where: { "*?[{".contains($0) }) {
      throw TerraceError(
        .unsupported, "a pattern in 'path'",
        hint:
          "name the folder: all files in it are read, or those that 'source.path.regex-pattern' picks"
      ).with("option", "path")
    }
  }

  private static func origin(
    _ field: Field, _ key: String, _ table: ConnectorTable
  ) throws(TerraceError) -> Origin? {
    guard let known = metadataTypes.first(where: { $0.key == key }) else { return nil }
    if field.type.kind != known.type.kind { throw misfit(field, key, table) }
    return known.origin
  }

  /// What every file has.
  static let metadataTypes: [(key: String, type: DataType, origin: Origin)] = [
    ("file.path", .string, .path), ("file.name", .string, .name),
    ("file.size", .bigint, .size),
    ("file.modification-time", DataType(.timestampLTZ(3)), .modified),
  ]

  private static func misfit(
    _ field: Field, _ key: String, _ table: ConnectorTable
  ) -> TerraceError {
    TerraceError(.invalid, "metadata column of another type than its values")
      .with("table", table.name).with("column", field.name).with("metadata", key)
      .hint("texts are STRING, sizes BIGINT, times TIMESTAMP_LTZ(3)")
  }

  private static func unknown(
    _ column: ConnectorTable.Metadata, _ kind: RecordFormat.Kind, _ table: ConnectorTable
  ) -> TerraceError {
    let names = metadataTypes.map(\.key)
    return TerraceError(
      .invalid, "no metadata of that name",
      hint: "known: " + (names + FormatMetadata.names(kind)).joined(separator: ", ")
    ).with("table", table.name).with("metadata", column.key)
  }

  func decoder() throws(TerraceError) -> any RecordDecoder {
    // Files of rows have a reader of their own; their records cannot be taken alone.
    if format.isContainer { return NoDecoder() }
    let stored = table.declared.fields.filter { !table.partitionKeys.contains($0.name) }
    return try format.decoder(
      physical, declared: RowType(stored), keys: keys, style: style, metadata: metadata)
  }

  /// The columns of the table from those of a file's batch.
  func batch(
    _ part: FileBatch, _ state: FileState, _ entry: FileListing.Entry, _ full: String
  ) throws(TerraceError) -> Batch {
    let count = part.count
    var columns: [Column] = []
    for (field, origin) in zip(table.type.fields, origins) {
      let value: Scalar
      switch origin {
      case .reader(let index):
        columns.append(
          part.columns.isEmpty
            ? ColumnBuilder(field.type).finish() : part.columns[index].retyped(field.type))
        continue
      case .path: value = .text(full)
      case .name: value = .text(entry.path.split(separator: "/").last.map(String.init) ?? "")
      case .size: value = .int(Int64(entry.status.byteCount))
      case .modified: value = .int(entry.status.modifiedMillis)
      case .partition(let name): value = try partition(name, entry.path, field.type)
      }
      columns.append(Column.repeating(value, type: field.type, count: count))
    }
    return Batch(table.type, columns, count: count)
  }

  private func partition(
    _ name: String, _ path: String, _ type: DataType
  ) throws(TerraceError) -> Scalar {
    for step in path.split(separator: "/").dropLast() {
      guard let equals = step.firstIndex(of: "="), step[..<equals] == name else { continue }
      let text = PercentCode.decoded(step[step.index(after: equals)...])
      let none = table.options["partition.default-name"] ?? "__DEFAULT_PARTITION__"
      if text == none { return .null }
      do throws(TextProblem) { return try ValueParser.scalar(text, type) } catch {
        throw TerraceError(.invalid, "a folder's name is no value of its partition column")
          .with("table", table.name).with("column", name).with("text", text)
      }
    }
    throw TerraceError(.invalid, "a file lies in no folder of its partition")
      .with("table", table.name).with("file", path).with("column", name)
  }
}
