internal import Columns

/// What one compaction took away and put in its place. The new files are written and synced.
struct CompactionResult: Sendable {
  var before: [DataFile] = []
  var after: [DataFile] = []
  var changelog: [DataFile] = []

  var isEmpty: Bool { before.isEmpty && after.isEmpty && changelog.isEmpty }
}

/// Merges sorted runs of one bucket into one level.
///
/// Sections of a single large file are moved by name alone; the rest is merged and rewritten. Small
/// files beside one another are rewritten together.
final class Compactor: Sendable {
  private let table: TableFiles
  private let place: BucketPlace
  private let namer: FileNamer
  private let producer: ChangelogProducerName

  init(_ table: TableFiles, at place: BucketPlace, namer: FileNamer) throws(TerraceError) {
    self.table = table
    self.place = place
    self.namer = namer
    producer = try table.schema.options.changelogProducer
  }

  struct Job: Sendable {
    /// Newest first.
    let runs: [SortedRun]
    let outputLevel: Int
    let maxLevel: Int
    /// Nothing older can lie below: deletions need no record any more.
    let dropDeletes: Bool
    /// Runs that stay, newest first: where old values are looked up.
    let below: [SortedRun]
  }

  /// A single file below this size is rewritten with its neighbours rather than moved.
  private var smallBytes: Int { table.targetFileBytes / 10 * 7 }

  func run(_ job: Job) throws(TerraceError) -> CompactionResult {
    var result = CompactionResult()
    var waiting: [Section] = []
    do throws(TerraceError) {
      for section in Section.split(job.runs) {
        if section.runs.count > 1 {
          waiting.append(section)
          continue
        }
        for file in section.runs[0] {
          let alone = Section(runs: [[file]])
          if file.file.byteCount < smallBytes || mustRewrite(file.file, job) {
            waiting.append(alone)
          } else {
            try rewrite(waiting, job, &result)
            waiting = []
            upgrade(file.file, job, &result)
          }
        }
      }
      try rewrite(waiting, job, &result)
    } catch {
      remove(result)
      throw error
    }
    return result
  }

  private func mustRewrite(_ file: DataFile, _ job: Job) -> Bool {
    // Files that do not say how many deletions they hold may hold some.
    if job.dropDeletes && file.deleteRowCount != 0 { return true }
    return givesChangelog(file, job)
  }

  /// Whether the rows of a file are news to the readers of the changelog.
  private func givesChangelog(_ file: DataFile, _ job: Job) -> Bool {
    switch producer {
    case .lookup: file.level == 0
    case .fullCompaction: job.outputLevel == job.maxLevel && file.level != job.maxLevel
    default: false
    }
  }

  private func upgrade(_ file: DataFile, _ job: Job, _ result: inout CompactionResult) {
    if file.level == job.outputLevel { return }
    result.before.append(file)
    result.after.append(file.onLevel(job.outputLevel))
  }

  private func rewrite(
    _ sections: [Section], _ job: Job, _ result: inout CompactionResult
  ) throws(TerraceError) {
    let files = sections.flatMap { $0.files.map(\.file) }
    guard let first = files.first else { return }
    if files.count == 1 && !mustRewrite(first, job) {
      upgrade(first, job, &result)
      return
    }
    let writer = try DataFileWriter(
      table, at: place, .data, level: job.outputLevel, source: .compact, namer: namer,
      keyValue: true)
    let changes = try DataFileWriter(
      table, at: place, .changelog, level: job.outputLevel, source: .append, namer: namer,
      keyValue: true)
    do throws(TerraceError) {
      for section in sections {
        if section.files.contains(where: { givesChangelog($0.file, job) }) {
          try mergeWithChangelog(section, job, writer, changes)
        } else {
          try merge(section, job, writer)
        }
      }
      result.after += try writer.finish()
      result.changelog += try changes.finish()
    } catch {
      writer.abandon()
      changes.abandon()
      throw error
    }
    result.before += files
  }

  private func inputs(_ section: Section) -> [any KeyValueSource] {
    let batchRows = RunReader.batchRows(runs: section.runs.count)
    return section.runs.map {
      RunReader(
        table, at: place, table.layout, $0.map(\.file), predicate: nil, batchRows: batchRows)
    }
  }

  private func merge(
    _ section: Section, _ job: Job, _ writer: DataFileWriter
  ) throws(TerraceError) {
    let reader = MergeReader(
      table.layout, table.engine, inputs(section), dropDeletes: job.dropDeletes)
    while let rows = try reader.next() {
      try writer.write(rows)
    }
  }

  private func mergeWithChangelog(
    _ section: Section, _ job: Job, _ writer: DataFileWriter, _ changes: DataFileWriter
  ) throws(TerraceError) {
    let levels = section.runs.map { $0[0].file.level }
    let old: ChangelogMerge.Old
    if producer == .lookup {
      old = .levelsAbove0(
        BucketLookup(table, at: place, table.layout, table.engine, job.below))
    } else {
      old = .level(job.maxLevel)
    }
    let merge = ChangelogMerge(
      table, runLevels: levels, old: old, dropDeletes: job.dropDeletes,
      skipsEqual: try table.schema.options.changelogRowDeduplicate)
    let groups = KeyMerge(inputs(section))
    while let group = try groups.next() {
      let (rows, changed) = try merge.apply(group)
      if rows.values.count > 0 { try writer.write(rows) }
      if changed.values.count > 0 { try changes.write(changed) }
    }
  }

  /// Removes the new files of a compaction that will not be committed.
  func remove(_ result: CompactionResult) {
    let kept = Set(result.before.map(\.name))
    // A place without a folder has no files of ours: what there is, `orphans` finds.
    let folder = try? table.folder(of: place)
    guard let folder else { return }
    table.remove(
      (result.after + result.changelog).filter { !kept.contains($0.name) }
        .map { folder + "/" + $0.name })
  }
}
