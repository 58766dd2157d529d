internal import Columns

/// Which files a scan reads, and which of them it merges.
package struct ScanPlan: Sendable {
  /// Nil for a table without a commit.
  package let snapshot: Snapshot?
  let splits: [Split]
  /// Live files before pruning by statistics, and files that are read.
  package let filesSeen: Int
  package let filesRead: Int

  package var splitCount: Int { splits.count }
  package var bytesRead: Int { splits.reduce(0) { $0 + $1.byteCount } }
  /// Rows in the files to be read, deletions and older versions included.
  package var rowsRead: Int {
    splits.reduce(0) {
      $0 + $1.sections.reduce(0) { $0 + $1.files.reduce(0) { $0 + Int($1.file.rowCount) } }
    }
  }
  /// Splits with more than one run, whose rows are merged.
  package var mergedSplitCount: Int {
    splits.count { $0.sections.contains { $0.runs.count > 1 } }
  }
}

/// A part of a scan that one thread reads.
struct Split: Sendable {
  let place: BucketPlace
  let sections: [Section]
  var byteCount: Int {
    sections.reduce(0) { $0 + $1.files.reduce(0) { $0 + Int($1.file.byteCount) } }
  }
}

/// Turns a snapshot, a condition and a projection into a plan.
struct ScanPlanner {
  private let table: Table
  private let predicate: Predicate
  /// Small sections of a bucket are read together up to this size.
  private let splitBytes = 16 << 20

  /// - Parameter predicate: over the table's fields.
  init(_ table: Table, _ predicate: Predicate) {
    self.table = table
    self.predicate = predicate
  }

  /// - Parameter leastLevel: files of lower levels are left out.
  func plan(_ snapshot: Snapshot?, leastLevel: Int = 0) throws(TerraceError) -> ScanPlan {
    let state = try table.state(at: snapshot, filter: try filter())
    let pruning = FilePruning(table, predicate)
    var splits: [Split] = []
    var seen = 0
    var read = 0
    let places = state.buckets.keys.sorted {
      $0.partition == $1.partition
        ? $0.bucket < $1.bucket : $0.partition.lexicographicallyPrecedes($1.partition)
    }
    for place in places {
      let files = state.files(in: place).filter { $0.level >= leastLevel }
      seen += files.count
      let sections = try sections(files, pruning)
      read += sections.reduce(0) { $0 + $1.files.count }
      splits += grouped(place, sections)
    }
    return ScanPlan(snapshot: snapshot, splits: splits, filesSeen: seen, filesRead: read)
  }

  private func sections(
    _ files: [DataFile], _ pruning: FilePruning
  ) throws(TerraceError) -> [Section] {
    guard table.schema.hasPrimaryKey else {
      var kept: [RunFile] = []
      let sorted = files.sorted {
        ($0.minSequence, $0.creationMillis ?? 0) < ($1.minSequence, $1.creationMillis ?? 0)
      }
      for file in sorted where try pruning.mayMatchValues(file) {
        kept.append(RunFile(file: file, low: [], high: []))
      }
      return kept.map { Section(runs: [[$0]]) }
    }
    // What is asked of keys may leave out any file; what is asked of values only a file that
    // overlaps no other, for its newest row may hide a match in an older one.
    var kept: [DataFile] = []
    for file in files where try pruning.mayMatchKeys(file) { kept.append(file) }
    let runs = try SortedRun.runs(
      try RunFile.decode(kept, keyTypes: table.files.layout.keyTypes))
    var sections: [Section] = []
    for section in Section.split(runs) {
      if section.runs.count > 1 {
        sections.append(section)
        continue
      }
      var run: [RunFile] = []
      for file in section.runs[0] where try pruning.mayMatchValues(file.file) { run.append(file) }
      if !run.isEmpty { sections.append(Section(runs: [run])) }
    }
    return sections
  }

  private func grouped(_ place: BucketPlace, _ sections: [Section]) -> [Split] {
    var splits: [Split] = []
    var open: [Section] = []
    var bytes = 0
    for section in sections {
      open.append(section)
      bytes += section.files.reduce(0) { $0 + Int($1.file.byteCount) }
      if bytes >= splitBytes {
        splits.append(Split(place: place, sections: open))
        open = []
        bytes = 0
      }
    }
    if !open.isEmpty { splits.append(Split(place: place, sections: open)) }
    return splits
  }

  // MARK: - Manifests

  func filter() throws(TerraceError) -> ManifestFilter {
    let schema = table.schema
    let keys = schema.partitionIndices
    let partition = predicate.weakened { keys.firstIndex(of: $0) }
    var filter = ManifestFilter(
      partitionType: schema.partitionType, partition: partition == .always ? nil : partition)
    if let hashes = try bucketHashes() {
      filter.bucket = { bucket, total in
        total <= 0 || hashes.contains { BucketHash.bucket($0, of: total) == bucket }
      }
    }
    return filter
  }

  /// Hashes of all bucket keys that can match, when the condition names them one by one.
  private func bucketHashes() throws(TerraceError) -> [Int32]? {
    guard case .fixed = try table.schema.bucketMode else { return nil }
    let columns = table.schema.bucketKeyIndices
    let types = table.schema.bucketKeyType.fields.map(\.type)
    var rows: [[Scalar]] = [[]]
    for column in columns {
      guard let values = equalValues(column), rows.count * values.count <= 1000 else { return nil }
      rows = rows.flatMap { row in values.map { row + [$0] } }
    }
    return columns.isEmpty ? nil : rows.map { BucketHash.hash(BinaryRow($0, types)) }
  }

  private func equalValues(_ column: Int) -> [Scalar]? {
    let parts: [Predicate]
    if case .and(let all) = predicate { parts = all } else { parts = [predicate] }
    for part in parts {
      switch part {
      case .compare(column: column, .equal, let value): return [value]
      case .isIn(column: column, let values): return values
      default: continue
      }
    }
    return nil
  }
}

/// What the statistics in manifests say about a condition.
struct FilePruning {
  private let table: Table
  private let predicate: Predicate
  private let keyPredicate: Predicate

  init(_ table: Table, _ predicate: Predicate) {
    self.table = table
    self.predicate = predicate
    let keys = table.schema.trimmedKeyIndices
    keyPredicate = predicate.weakened { keys.firstIndex(of: $0) }
  }

  /// False only when no key of the file can match.
  func mayMatchKeys(_ file: DataFile) throws(TerraceError) -> Bool {
    if keyPredicate == .always { return true }
    let written = try table.files.schema(file.schemaID)
    let types = table.schema.trimmedKeyType.fields.map(\.type)
    guard written.trimmedKeyType.fields.map(\.type) == types else { return true }
    let columns = statistics(file.keyStats, types) ?? types.map { _ in ColumnStatistics() }
    // The key bounds are exact for the first column, whatever the statistics leave out.
    let low = try decodeRow(file.minKey, types)
    let high = try decodeRow(file.maxKey, types)
    return keyPredicate.mayMatch(rows: Int(clamping: file.rowCount)) { index in
      index == 0 && !low[0].isNull && !high[0].isNull
        ? ColumnStatistics(nullCount: 0, min: low[0], max: high[0]) : columns[index]
    }
  }

  /// False only when no row of the file can match.
  func mayMatchValues(_ file: DataFile) throws(TerraceError) -> Bool {
    if predicate == .always { return true }
    let written = try table.files.schema(file.schemaID)
    let names = file.valueStatsColumns ?? written.fields.map(\.name)
    let indices = names.map { name in written.fields.firstIndex { $0.name == name } }
    guard !indices.contains(nil) else { return true }
    let fields = indices.compactMap { $0.map { written.fields[$0] } }
    guard let columns = statistics(file.valueStats, fields.map(\.type)) else { return true }
    let schema = table.schema
    return predicate.mayMatch(rows: Int(clamping: file.rowCount)) { index in
      let wanted = schema.fields[index]
      if let at = fields.firstIndex(where: { $0.id == wanted.id }) {
        return fields[at].type.kind == wanted.type.kind ? columns[at] : nil
      }
      // The file was written before the column came: all null.
      return written.fields.contains { $0.id == wanted.id }
        ? nil : ColumnStatistics(nullCount: Int(clamping: file.rowCount))
    }
  }

  private func statistics(_ stats: SimpleStats, _ types: [DataType]) -> [ColumnStatistics]? {
    // Statistics of another shape say nothing.
    try? stats.columnStatistics(types)
  }
}
