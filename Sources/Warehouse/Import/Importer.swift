package import Columns
package import Formats
package import Store

package struct ImportOptions: Sendable {
  /// Nil: told by each file's name.
  package var format: ImportFormat?
  package var csv = CSVOptions()
  package var delimiterIsDefault = true
  /// Columns of CSV and Parquet files that the table does not have are left out.
  package var ignoresUnknown = false
  /// Records that are no rows are counted and left out.
  package var skipsErrors = false
  /// More of them end the import all the same.
  package var errorLimit = Int.max
  /// Rows after which a snapshot is committed; nil for one snapshot in the end.
  package var commitRows: Int?
  /// Where the records that were left out go, as they are.
  package var rejectsPath: String?

  package init() {}
}

package struct ImportProgress: Sendable {
  package var rows = 0
  package var bytes = 0
  package var totalBytes = 0
  package var file = ""
  package var fileNumber = 0
  package var fileCount = 0
  package var rejected = 0
}

package struct ImportOutcome: Sendable {
  package var rows = 0
  package var bytes = 0
  package var rejected = 0
  /// The first few records that were left out.
  package var samples: [TerraceError] = []
  /// The newest snapshot; nil when there was nothing to commit.
  package var snapshot: Snapshot?
  package var commits = 0
  /// Somebody asked for the end: what was not committed by then is not in the table.
  package var isInterrupted = false
  /// Rows of `rows` that are committed.
  package var committedRows = 0
  /// Why old snapshots could not be cleared away after the last commit.
  package var maintenanceFailure: TerraceError?
}

/// Writes the rows of files into a table.
package final class Importer {
  private let table: Table
  private let options: ImportOptions
  private let rejects: Rejects
  private let writer: TableWriter
  /// Rows that wait in memory. More would make fewer files of level 0 and gain no speed; with files
  /// being read, written and merged beside them an import stays under 256 MiB.
  private static let bufferBytes = 40 << 20

  /// - Parameter table: opened in an environment with threads to write with.
  package init(_ table: Table, _ options: ImportOptions) throws(TerraceError) {
    self.table = table
    self.options = options
    rejects = try Rejects(options.rejectsPath)
    writer = try table.writer(
      settings: TableWriter.Settings(budget: MemoryBudget(limitBytes: Importer.bufferBytes)))
  }

  /// Imports all files, in order.
  ///
  /// - Parameters:
  ///   - progress: called after each batch.
  ///   - isInterrupted: asked after each batch.
  /// - Throws: kind `invalid` with file, line and column for a record that is no row. What was not
  ///   committed by then is taken away again.
  package func run(
    _ paths: [String], progress: (ImportProgress) -> Void, isInterrupted: () -> Bool
  ) throws(TerraceError) -> ImportOutcome {
    var outcome = ImportOutcome()
    do throws(TerraceError) {
      try read(paths, &outcome, progress, isInterrupted)
      if !outcome.isInterrupted { try commit(&outcome, isLast: true) }
      try rejects.close()
    } catch {
      writer.abandon()
      throw outcome.committedRows == 0
        ? error : error.with("committed_rows", outcome.committedRows)
    }
    if outcome.isInterrupted { writer.abandon() } else { writer.close() }
    if outcome.commits > 0 { outcome.maintenanceFailure = table.maintain() }
    outcome.rejected = rejects.count
    outcome.samples = rejects.samples
    return outcome
  }

  private func read(
    _ paths: [String], _ outcome: inout ImportOutcome, _ progress: (ImportProgress) -> Void,
    _ isInterrupted: () -> Bool
  ) throws(TerraceError) {
    var state = ImportProgress()
    state.fileCount = paths.count
    for path in paths { state.totalBytes += ImportFile.byteCount(path) }
    for (index, path) in paths.enumerated() {
      state.fileNumber = index + 1
      state.file = path
      let rejects = rejects
      let policy: RejectPolicy = options.skipsErrors ? .skip { rejects.add($0) } : .fail
      let file = try ImportFile(path, table.schema.rowType, options, onReject: policy)
      let before = state.bytes
      var fileRows = 0
      while let batch = try file.next() {
        try write(batch, of: path, after: fileRows)
        fileRows += batch.count
        outcome.rows += batch.count
        state.rows = outcome.rows
        state.bytes = before + file.bytesRead
        state.rejected = rejects.count
        progress(state)
        try rejects.check(limit: options.errorLimit)
        if let every = options.commitRows, outcome.rows - outcome.committedRows >= every {
          try commit(&outcome, isLast: false)
        }
        if isInterrupted() {
          outcome.isInterrupted = true
          return
        }
      }
      try rejects.check(limit: options.errorLimit)
      state.bytes = before + file.bytesRead
      outcome.bytes = state.bytes
    }
  }

  /// A row that the table refuses is told by its number in the file, from 1.
  private func write(_ batch: Batch, of path: String, after rows: Int) throws(TerraceError) {
    do throws(TerraceError) {
      try writer.write(batch)
    } catch {
      guard let row = error.fact("row").flatMap({ Int($0) }) else { throw error }
      var named = TerraceError(error.kind, error.message, hint: error.hint)
      for fact in error.facts where fact.name != "row" { named = named.with(fact.name, fact.value) }
      throw named.with("file", path).with("record", rows + row + 1)
    }
  }

  private func commit(_ outcome: inout ImportOutcome, isLast: Bool) throws(TerraceError) {
    if outcome.rows == outcome.committedRows { return }
    let made = try writer.commit(waitCompaction: isLast)
    outcome.snapshot = made.snapshots.last ?? outcome.snapshot
    outcome.commits += 1
    outcome.committedRows = outcome.rows
  }
}

/// Records that were left out: how many, the first few, and all of them in a file.
private final class Rejects {
  private(set) var count = 0
  private(set) var samples: [TerraceError] = []
  private let sink: (any FileSink)?
  private var failure: TerraceError?
  private static let sampleMax = 5

  init(_ path: String?) throws(TerraceError) {
    sink = try path.map { (path) throws(TerraceError) in try Rejects.create(path) }
  }

  private static func create(_ path: String) throws(TerraceError) -> any FileSink {
    let files = LocalFileIO()
    if try files.exists(path) {
      throw TerraceError(.invalid, "\(path) exists already", hint: "nothing is overwritten")
    }
    return try files.create(path)
  }

  func add(_ record: RejectedRecord) {
    count += 1
    if samples.count < Rejects.sampleMax { samples.append(record.error) }
    guard let sink, failure == nil else { return }
    do throws(TerraceError) {
      try sink.write(record.bytes)
      try [UInt8(ascii: "\n")].write(to: sink)
    } catch {
      failure = error
    }
  }

  func check(limit: Int) throws(TerraceError) {
    if let failure { throw failure }
    if count > limit, let first = samples.first {
      var error = TerraceError(
        .invalid, "more than \(limit) records are no rows; the first: \(first.message)",
        hint: first.hint)
      for fact in first.facts { error = error.with(fact.name, fact.value) }
      throw error
    }
  }

  func close() throws(TerraceError) {
    if let failure { throw failure }
    try sink?.close()
  }
}
