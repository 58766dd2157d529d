internal import Columns

/// Puts small files of an append table together, in the order of their rows.
struct AppendCompactor: Sendable {
  private let table: TableFiles
  private let place: BucketPlace
  private let namer: FileNamer

  init(_ table: TableFiles, at place: BucketPlace, namer: FileNamer) {
    self.table = table
    self.place = place
    self.namer = namer
  }

  /// Neighbouring small files that are worth a new one; empty when there are none.
  ///
  /// A file that outweighs all that come after it is left alone until they have grown: what is written anew stays
  /// in proportion to what came.
  ///
  /// - Parameter full: also take two small neighbours, where otherwise `compaction.min.file-num` are
  ///   needed, whatever their size.
  func pick(_ files: [DataFile], full: Bool) throws(TerraceError) -> [DataFile] {
    let options = table.schema.options
    let ratio = try options.number("compaction.small-file-ratio") ?? 0.7
    let small = Int64(Double(table.targetFileBytes) * ratio)
    let least = full ? 2 : max(2, try options.appendCompactionMinFiles)
    let sorted = files.sorted {
      ($0.minSequence, $0.maxSequence, $0.name) < ($1.minSequence, $1.maxSequence, $1.name)
    }
    var run: [DataFile] = []
    for file in sorted {
      if file.byteCount < small {
        run.append(file)
        // Enough for a whole file: no need to hold more back.
        let bytes = run.reduce(Int64(0)) { $0 + $1.byteCount }
        if !full && run.count >= least && bytes >= table.targetFileBytes { return run }
      } else {
        if run.count >= least { return full ? run : AppendCompactor.balanced(run, least) }
        run = []
      }
    }
    if full { return run.count >= least ? run : [] }
    return AppendCompactor.balanced(run, least)
  }

  /// Without the first files that outweigh what comes after them, if enough are left.
  private static func balanced(_ run: [DataFile], _ least: Int) -> [DataFile] {
    var after = run.reduce(Int64(0)) { $0 + $1.byteCount }
    for (i, file) in run.enumerated() where run.count - i >= least {
      after -= file.byteCount
      if file.byteCount <= after { return Array(run[i...]) }
    }
    return []
  }

  func run(_ files: [DataFile]) throws(TerraceError) -> CompactionResult {
    let writer = try DataFileWriter(
      table, at: place, .data, level: 0, source: .compact, namer: namer, keyValue: false)
    do throws(TerraceError) {
      var sequence = files[0].minSequence
      for file in files {
        let reader = try DataFileReader(
          table, file, at: place, wanted: table.schema.rowType, predicate: nil, keyValue: false,
          batchRows: 16384)
        while let rows = try reader.next() {
          try writer.write(rows.values, firstSequence: sequence)
          sequence += Int64(rows.values.count)
        }
      }
      return CompactionResult(before: files, after: try writer.finish())
    } catch {
      writer.abandon()
      throw error
    }
  }
}
