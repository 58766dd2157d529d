package import Columns
import Formats
import Store

/// What a file to import is written in.
package enum ImportFormat: String, CaseIterable, Sendable {
  /// One object a line.
  case json
  case csv
  case parquet

  /// By the end of the name, packed or not.
  package init?(fileName: String) {
    var name = fileName.lowercased()[...]
    for packing in Packing.endings.keys.map({ "." + $0 }) where name.hasSuffix(packing) {
      name = name.dropLast(packing.count)
      break
    }
    guard let point = name.lastIndex(of: ".") else { return nil }
    switch name[name.index(after: point)...] {
    case "json", "jsonl", "ndjson", "jsonlines": self = .json
    case "csv", "tsv", "txt": self = .csv
    case "parquet", "parq", "pq": self = .parquet
    default: return nil
    }
  }
}

/// A record that was left out, as the end of an import shows it.
package struct RejectedSample: Sendable {
  package let error: TerraceError
}

/// One file of an import, read in batches of the table's columns.
final class ImportFile {
  private enum Reader {
    case json(JSONLinesReader, InputStream)
    case csv(CSVReader, InputStream)
    case parquet(ParquetScan, ParquetFile)
  }

  let name: String
  private let type: RowType
  private let ignoresUnknown: Bool
  private let reader: Reader
  private var parquetRows = 0

  init(
    _ path: String, _ type: RowType, _ options: ImportOptions, onReject: RejectPolicy
  ) throws(TerraceError) {
    name = path
    self.type = type
    ignoresUnknown = options.ignoresUnknown
    let format: ImportFormat
    if let named = options.format {
      format = named
    } else if let known = ImportFormat(fileName: path) {
      format = known
    } else {
      throw TerraceError(
        .invalid,
        path == "-"
          ? "standard input has no name to tell its format"
          : "the name \(path) does not tell its format", hint: "--format json, csv or parquet")
    }
    var records = RecordOptions()
    records.batchRows = 16384
    records.onReject = onReject
    switch format {
    case .json:
      let stream = try InputStream(path)
      reader = .json(JSONLinesReader(stream, type: type, options: records), stream)
    case .csv:
      let stream = try InputStream(path)
      var csv = options.csv
      if options.delimiterIsDefault, path.lowercased().contains(".tsv") { csv.delimiter = 0x09 }
      reader = .csv(
        try CSVReader(stream, type: type, format: csv, options: records), stream)
    case .parquet:
      let file = try ParquetFile(try LocalFileIO().open(path))
      try ImportFile.check(file, type, ignoresUnknown: options.ignoresUnknown)
      reader = .parquet(try file.scan(type), file)
    }
  }

  /// A column of the file that the table lacks would be lost without a word.
  private static func checkKnown(
    _ names: [String], _ type: RowType, _ path: String
  ) throws(TerraceError) {
    guard let name = names.first(where: { type.index(of: $0) == nil }) else { return }
    let hint = NearestName.hint(name, among: type.fields.map(\.name), else: "it has ")
    throw TerraceError(
      .invalid, "the table has no column for \(name) of \(path)",
      hint: hint + " (--ignore-unknown leaves such columns out)")
  }

  private static func check(
    _ file: ParquetFile, _ type: RowType, ignoresUnknown: Bool
  ) throws(TerraceError) {
    if !ignoresUnknown { try checkKnown(file.type.fields.map(\.name), type, file.source.name) }
    for field in type.fields where !field.type.isNullable && file.type.index(of: field.name) == nil
    {
      throw TerraceError(
        .invalid, "\(file.source.name) has no column \(field.name), which may not be null")
    }
  }

  func next() throws(TerraceError) -> Batch? {
    switch reader {
    case .json(let reader, _): return try reader.next()
    case .csv(let reader, _):
      let batch = try reader.next()
      if !ignoresUnknown { try ImportFile.checkKnown(reader.unknownColumns, type, name) }
      return batch
    case .parquet(let scan, _):
      let batch = try scan.next()
      parquetRows += batch?.count ?? 0
      return batch
    }
  }

  /// Of the file as it lies on disk.
  var bytesRead: Int {
    switch reader {
    case .json(_, let stream), .csv(_, let stream): return stream.bytesRead
    case .parquet(_, let file):
      guard file.rowCount > 0 else { return file.source.byteCount }
      return Int(Double(file.source.byteCount) * Double(parquetRows) / Double(file.rowCount))
    }
  }

  /// Size of a file before it is opened; 0 where it cannot be told.
  static func byteCount(_ path: String) -> Int {
    // Only for the progress line; the error comes when the file is opened.
    (try? LocalFileIO().status(path))?.map { $0.kind == .file ? $0.byteCount : 0 } ?? 0
  }
}
