internal import Columns

/// Reads one split: merges where runs overlap, streams files where they do not, filters, projects.
final class SplitReader {
  struct Request: Sendable {
    let files: TableFiles
    /// The first fields of its type are the columns asked for.
    let layout: KeyValueLayout
    let columns: [Int]
    /// Over the table's fields.
    let predicate: Predicate
    let keyValue: Bool
  }

  private let request: Request
  private let split: Split
  /// The condition over the layout's columns.
  private let predicate: Predicate
  private let keyPredicate: Predicate
  private var sections: ArraySlice<Section>
  private var merge: MergeReader?
  private var rawFiles: ArraySlice<RunFile> = []
  private var raw: DataFileReader?

  init(_ request: Request, _ split: Split) {
    self.request = request
    self.split = split
    sections = split.sections[...]
    let layout = request.layout
    let schema = request.files.schema
    func place(_ field: Int) -> Int? { layout.type.index(ofID: schema.fields[field].id) }
    predicate = request.predicate.weakened(place)
    let keys = layout.keyColumns
    keyPredicate = request.predicate.weakened { field in
      place(field).flatMap { keys.contains($0) ? $0 : nil }
    }
  }

  /// The next rows, at least one; nil at the end.
  func next() throws(TerraceError) -> Batch? {
    while let values = try nextValues() {
      let kept = predicate.filter(values)
      if kept.count == 0 { continue }
      if kept.type.count == request.columns.count { return kept }
      return kept.project(Array(0..<request.columns.count))
    }
    return nil
  }

  private func nextValues() throws(TerraceError) -> Batch? {
    while true {
      if let merge {
        if let rows = try merge.next() { return rows.values }
        self.merge = nil
      }
      if let raw {
        if let rows = try raw.next() {
          if let values = standing(rows) { return values }
          continue
        }
        self.raw = nil
      }
      if let file = rawFiles.popFirst() {
        // Kinds are read only where there may be deletions.
        raw = try DataFileReader(
          request.files, file.file, at: split.place, wanted: request.layout.type,
          predicate: predicate, keyValue: request.keyValue && file.file.deleteRowCount != 0,
          batchRows: 16384)
        continue
      }
      guard let section = sections.popFirst() else { return nil }
      if section.runs.count == 1 { rawFiles = section.runs[0][...] } else { open(section) }
    }
  }

  private func open(_ section: Section) {
    let batchRows = RunReader.batchRows(runs: section.runs.count)
    let inputs = section.runs.map {
      RunReader(
        request.files, at: split.place, request.layout, $0.map(\.file),
        predicate: keyPredicate, batchRows: batchRows)
    }
    merge = MergeReader(request.layout, request.files.engine, inputs, dropDeletes: true)
  }

  /// The rows that are no deletions; nil when there are none.
  private func standing(_ rows: DataFileReader.Rows) -> Batch? {
    guard let kinds = rows.kinds?.pointer(UInt8.self) else { return rows.values }
    let chosen = Buffer(byteCount: rows.values.count * 4)
    let out = chosen.pointer(Int32.self)
    var n = 0
    for i in 0..<rows.values.count {
      out[n] = Int32(truncatingIfNeeded: i)
      n &+= 1 &- Int(kinds[i] & 1)
    }
    if n == 0 { return nil }
    return n == rows.values.count ? rows.values : rows.values.gather(out, count: n)
  }
}
