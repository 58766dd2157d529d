internal import Columns
internal import Formats
internal import Synchronization

/// Rows of a primary-key table in key order, on their way out of a merge or into a file.
final class KeyValueRows: Sendable {
  let values: Batch
  /// `_SEQUENCE_NUMBER`, one Int64 a row.
  let sequences: Column
  /// `_VALUE_KIND`, one ``RowKind`` raw value a row.
  let kinds: Column

  var count: Int { values.count }

  init(values: Batch, sequences: Column, kinds: Column) {
    self.values = values
    self.sequences = sequences
    self.kinds = kinds
  }
}

/// Names for the files of one writer: one random UUID and a counter, as Paimon makes them.
final class FileNamer: Sendable {
  private let uuid: String
  private let next = Atomic<Int>(0)

  init(_ names: any NameSource) { uuid = names.uuid() }

  func name(_ prefix: String, suffix: String) -> String {
    "\(prefix)\(uuid)-\(next.wrappingAdd(1, ordering: .relaxed).oldValue).\(suffix)"
  }
}

/// Writes rows into files of one bucket and starts the next file when one is long enough.
///
/// Each file is synced before it is handed out.
final class DataFileWriter {
  enum Kind { case data, changelog }

  private let table: TableFiles
  private let place: BucketPlace
  private let kind: Kind
  private let level: Int
  private let source: DataFile.Source
  private let namer: FileNamer
  private let keyValue: Bool
  private let fileType: RowType
  private let targetBytes: Int
  private let folder: String
  private var open: OpenFile?
  private var finished: [DataFile] = []

  private struct OpenFile {
    let name: String
    let sink: any FileSink
    let writer: ParquetWriter
    var rows = 0
    var minKey: [UInt8]
    var maxKey: [UInt8]
    var minSequence = Int64.max
    var maxSequence = Int64.min
    var deletes = 0
  }

  /// - Parameter keyValue: the table has a primary key.
  init(
    _ table: TableFiles, at place: BucketPlace, _ kind: Kind, level: Int,
    source: DataFile.Source, namer: FileNamer, keyValue: Bool
  ) throws(TerraceError) {
    self.table = table
    self.place = place
    self.kind = kind
    self.level = level
    self.source = source
    self.namer = namer
    self.keyValue = keyValue
    fileType =
      keyValue
      ? KeyValueFields.fileType(table.schema, thin: table.thinMode) : table.schema.rowType
    targetBytes = table.targetFileBytes
    folder = try table.folder(of: place)
  }

  /// Rows written so far, in all files.
  private(set) var rowCount = 0

  /// Appends rows of a primary-key table: in key order, and data files with one row a key.
  func write(_ rows: KeyValueRows) throws(TerraceError) {
    var start = 0
    while start < rows.values.count {
      let end = min(rows.values.count, start + step)
      try writePart(
        rows.values.slice(start..<end), rows.sequences.slice(start..<end),
        rows.kinds.slice(start..<end))
      start = end
    }
  }

  /// Appends rows of an append table; their numbers begin at `firstSequence`.
  func write(_ rows: Batch, firstSequence: Int64) throws(TerraceError) {
    var start = 0
    while start < rows.count {
      let end = min(rows.count, start + step)
      var file = try openFile()
      try file.writer.write(rows.slice(start..<end))
      file.minSequence = min(file.minSequence, firstSequence + Int64(start))
      file.maxSequence = max(file.maxSequence, firstSequence + Int64(end) - 1)
      try noteWritten(&file, end - start)
      start = end
    }
  }

  /// Rows between two looks at the file's length.
  private var step: Int { targetBytes < 4 << 20 ? 256 : 16384 }

  private func writePart(
    _ values: Batch, _ sequences: Column, _ kinds: Column
  ) throws(TerraceError) {
    var file = try openFile()
    let keyIndices = table.layout.keyColumns
    var columns: [Column] = []
    if !table.thinMode {
      for index in keyIndices {
        columns.append(values.columns[index].retyped(table.schema.fields[index].type.notNull))
      }
    }
    columns += [sequences, kinds]
    columns += values.columns
    try file.writer.write(Batch(fileType, columns, count: values.count))

    let keys = keyIndices.map { values.columns[$0] }
    let types = table.layout.keyTypes
    if file.rows == 0 { file.minKey = BinaryRow(keys.map { $0.scalar(0) }, types).serialized }
    file.maxKey = BinaryRow(keys.map { $0.scalar(values.count - 1) }, types).serialized
    let numbers = sequences.pointer(Int64.self)
    let marks = kinds.pointer(UInt8.self)
    for i in 0..<values.count {
      file.minSequence = min(file.minSequence, numbers[i])
      file.maxSequence = max(file.maxSequence, numbers[i])
      file.deletes &+= Int(marks[i] & 1)
    }
    try noteWritten(&file, values.count)
  }

  private func noteWritten(_ file: inout OpenFile, _ rows: Int) throws(TerraceError) {
    file.rows += rows
    rowCount += rows
    open = file
    if file.writer.bytesWritten >= targetBytes { try finishFile() }
  }

  private func openFile() throws(TerraceError) -> OpenFile {
    if let open { return open }
    let prefix =
      kind == .data
      ? table.schema.options.dataFilePrefix : table.schema.options.changelogFilePrefix
    let name = namer.name(prefix, suffix: "parquet")
    try table.prepare(folder: folder)
    let sink = try table.environment.files.create(folder + "/" + name)
    let file = OpenFile(
      name: name, sink: sink,
      writer: try ParquetWriter(
        sink, type: fileType,
        options: kind == .data && keyValue ? table.parquetOptions : table.plainOptions),
      minKey: SimpleStats.emptyRow, maxKey: SimpleStats.emptyRow)
    open = file
    return file
  }

  private func finishFile() throws(TerraceError) {
    guard let file = open else { return }
    let summary = try file.writer.finish()
    try file.sink.sync()
    let bytes = file.sink.byteCount
    try file.sink.close()
    // Not before: a file that cannot be finished is removed by `abandon`.
    open = nil
    let skipped = keyValue ? fileType.count - table.schema.fields.count : 0
    let types = table.schema.fields.map(\.type)
    var values: [ColumnStatistics] = []
    for (i, mode) in table.statsModes.enumerated() {
      values.append(mode.reduced(summary.columns[skipped + i], types[i]))
    }
    let keyIndices = table.layout.keyColumns
    let keyStats =
      keyValue
      ? SimpleStats(
        keyIndices.map {
          StatsMode.truncate(16).reduced(summary.columns[skipped + $0], types[$0])
        }, types: table.layout.keyTypes) : .empty
    finished.append(
      DataFile(
        name: file.name, byteCount: Int64(bytes), rowCount: Int64(file.rows), minKey: file.minKey,
        maxKey: file.maxKey, keyStats: keyStats,
        valueStats: SimpleStats(values, types: types), minSequence: file.minSequence,
        maxSequence: file.maxSequence, schemaID: table.schema.id, level: level,
        creationMillis: table.environment.time.nowMillis(),
        deleteRowCount: Int64(file.deletes), source: source))
  }

  /// Copies of files that another writer of this bucket wrote, under names of this one's kind; instead of rows.
  func copy(_ files: [DataFile]) throws(TerraceError) -> [DataFile] {
    let prefix =
      kind == .data
      ? table.schema.options.dataFilePrefix : table.schema.options.changelogFilePrefix
    for file in files {
      var copied = file
      copied.name = namer.name(prefix, suffix: "parquet")
      let source = try table.environment.files.open(folder + "/" + file.name)
      let sink = try table.environment.files.create(folder + "/" + copied.name)
      // From here on `abandon` removes it.
      finished.append(copied)
      var at = 0
      while at < source.byteCount {
        let part = try source.read(at: at, count: min(1 << 20, source.byteCount - at))
        try sink.write(part.bytes)
        at += part.byteCount
      }
      try sink.sync()
      try sink.close()
    }
    return try finish()
  }

  /// Ends the last file. In the order they were written; their names are made durable by the commit.
  func finish() throws(TerraceError) -> [DataFile] {
    try finishFile()
    defer { finished = [] }
    return finished
  }

  /// Gives up: removes what was written.
  ///
  /// - Parameter files: those that were handed out and that nobody will name.
  func abandon(_ files: [DataFile] = []) {
    var names = (files + finished).map(\.name)
    if let open { names.append(open.name) }
    open = nil
    finished = []
    table.remove(names.map { folder + "/" + $0 })
  }
}
