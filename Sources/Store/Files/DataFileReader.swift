internal import Columns
internal import Formats

/// The rows of one data file, in the columns that the table has now.
///
/// A file is read in the schema it was written with. Fields are matched by id: a missing one is
/// null, one of another type is cast. Keys are read from the table's own columns, so that files with
/// and without `_KEY_` columns are alike.
final class DataFileReader {
  final class Rows: Sendable {
    let values: Batch
    /// Nil for append files.
    let sequences: Column?
    let kinds: Column?

    init(values: Batch, sequences: Column?, kinds: Column?) {
      self.values = values
      self.sequences = sequences
      self.kinds = kinds
    }
  }

  private enum Origin {
    case column(Int)
    case missing
  }

  private let wanted: RowType
  private let origins: [Origin]
  private let fileType: RowType
  /// Where the sequence number and kind lie in `fileType`.
  private let system: (sequence: Int, kind: Int)?
  private let format: Format
  private let path: String

  private enum Format {
    case parquet(ParquetScan)
    case memory(Slices)
  }

  /// A file that was read whole, handed out in parts.
  private final class Slices {
    let batch: Batch
    let step: Int
    var at = 0
    init(_ batch: Batch, step: Int) {
      self.batch = batch
      self.step = step
    }
    func next() -> Batch? {
      if at >= batch.count { return nil }
      let end = min(batch.count, at + step)
      defer { at = end }
      return batch.slice(at..<end)
    }
  }

  private static let batchBytes = 16 << 20

  /// - Parameters:
  ///   - wanted: fields of the table, with their ids.
  ///   - predicate: over `wanted`; rows that cannot match may be left out.
  ///   - keyValue: the file is one of a primary-key table.
  ///   - keys: rows of others may be left out; they are found by the index of an `opened` file, which is
  ///     asked in place of the predicate.
  init(
    _ table: TableFiles, _ file: DataFile, at place: BucketPlace, wanted: RowType,
    predicate: Predicate?, keyValue: Bool, batchRows most: Int, opened: OpenedFiles? = nil,
    keys: ParquetLookupKeys? = nil
  ) throws(TerraceError) {
    if file.writeColumns != nil {
      throw TerraceError(.unsupported, "files with a part of the columns (data evolution)")
        .with("file", file.name)
    }
    // Of rows with megabytes few make a batch; that files are packed makes it no worse than it was.
    let rowBytes = file.byteCount / max(1, file.rowCount)
    let batchRows = min(most, max(1, Self.batchBytes / Int(max(1, rowBytes))))
    self.wanted = wanted
    path = try table.path(of: file, at: place)
    let written = try table.schema(file.schemaID).fields
    var fields: [Field] = []
    var origins: [Origin] = []
    for field in wanted.fields {
      if let old = written.first(where: { $0.id == field.id }) {
        origins.append(.column(fields.count))
        fields.append(old)
      } else {
        origins.append(.missing)
      }
    }
    self.origins = origins
    if keyValue {
      system = (fields.count, fields.count + 1)
      fields += [KeyValueFields.sequence, KeyValueFields.kind]
    } else {
      system = nil
      // Somebody has to say how many rows there are.
      if fields.isEmpty, let any = written.first { fields.append(any) }
    }
    fileType = RowType(fields)

    let path = path
    func open() throws(TerraceError) -> any ByteSource { try table.environment.files.open(path) }
    switch Self.suffix(file.name) {
    case "parquet":
      let pushed = predicate.map { Self.pushed($0, wanted, fields, origins) } ?? .always
      do throws(TerraceError) {
        let held = try opened?.file(file.name, open)
        if let held, let lookup = held.lookup, let keys {
          format = .parquet(try held.file.scan(fileType, lookup, keys, batchRows: batchRows))
        } else {
          let parquet: ParquetFile
          if let held { parquet = held.file } else { parquet = try ParquetFile(try open()) }
          format = .parquet(
            try parquet.scan(
              fileType, predicate: pushed == .always ? nil : pushed, batchRows: batchRows))
        }
      } catch {
        throw error.with("table file", file.name)
      }
    case "avro":
      format = .memory(Slices(try AvroFile.read(try open(), as: fileType), step: batchRows))
    case let other:
      throw TerraceError(.unsupported, "data files of format \(other)").with("file", path)
    }
  }

  /// The format is the last part of the name; a codec may stand before it.
  static func suffix(_ name: String) -> String {
    name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? ""
  }

  /// The predicate over the file's columns, without what asks for cast or missing ones.
  private static func pushed(
    _ predicate: Predicate, _ wanted: RowType, _ fields: [Field], _ origins: [Origin]
  ) -> Predicate {
    predicate.weakened { index in
      guard case .column(let at) = origins[index],
        fields[at].type.kind == wanted.fields[index].type.kind
      else { return nil }
      return at
    }
  }

  /// The next rows, at least one; nil at the end.
  func next() throws(TerraceError) -> Rows? {
    while true {
      let batch: Batch?
      switch format {
      case .parquet(let scan): batch = try scan.next()
      case .memory(let slices): batch = slices.next()
      }
      guard let batch else { return nil }
      if batch.count > 0 { return try mapped(batch) }
    }
  }

  private func mapped(_ batch: Batch) throws(TerraceError) -> Rows {
    var columns: [Column] = []
    columns.reserveCapacity(origins.count)
    for (field, origin) in zip(wanted.fields, origins) {
      switch origin {
      case .column(let at): columns.append(try Cast.apply(batch.columns[at], to: field.type))
      case .missing: columns.append(Column.nulls(field.type, count: batch.count))
      }
    }
    let values = Batch(wanted, columns, count: batch.count)
    guard let system else { return Rows(values: values, sequences: nil, kinds: nil) }
    let sequences = batch.columns[system.sequence]
    let kinds = batch.columns[system.kind]
    if sequences.validity != nil || kinds.validity != nil {
      throw TerraceError(.corrupted, "a row without sequence number or kind").with("file", path)
    }
    return Rows(values: values, sequences: sequences, kinds: kinds)
  }
}

/// The files of one sorted run, one after another, as input of a merge.
final class RunReader: KeyValueSource {
  private let table: TableFiles
  private let place: BucketPlace
  private let layout: KeyValueLayout
  private let predicate: Predicate?
  private let batchRows: Int
  private let opened: OpenedFiles?
  private let keys: ParquetLookupKeys?
  private var files: ArraySlice<DataFile>
  private var reader: DataFileReader?

  /// Rows a batch, so that all runs of a merge together hold about as much, however many they are.
  static func batchRows(runs: Int) -> Int { min(16384, max(1024, 98_304 / max(runs, 1))) }

  /// - Parameters:
  ///   - files: in key order.
  ///   - predicate: over the layout's columns, and about key columns only unless the run is read
  ///     without others: what it leaves out must not uncover an older row.
  ///   - opened: keeps files open between reads.
  ///   - keys: only their rows are needed.
  init(
    _ table: TableFiles, at place: BucketPlace, _ layout: KeyValueLayout, _ files: [DataFile],
    predicate: Predicate?, batchRows: Int, opened: OpenedFiles? = nil,
    keys: ParquetLookupKeys? = nil
  ) {
    self.table = table
    self.place = place
    self.layout = layout
    self.files = files[...]
    self.predicate = predicate
    self.batchRows = batchRows
    self.opened = opened
    self.keys = keys
  }

  func next() throws(TerraceError) -> KeyValues? {
    while true {
      if let reader {
        if let rows = try reader.next(), let sequences = rows.sequences, let kinds = rows.kinds {
          return KeyValues(layout, values: rows.values, sequences: sequences, kinds: kinds)
        }
        self.reader = nil
      }
      guard let file = files.popFirst() else { return nil }
      reader = try DataFileReader(
        table, file, at: place, wanted: layout.type, predicate: predicate, keyValue: true,
        batchRows: batchRows, opened: opened, keys: keys)
    }
  }
}
