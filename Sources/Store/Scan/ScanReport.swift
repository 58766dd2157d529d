package import Columns

/// What a scan would read and why, step by step, without opening a data file.
package struct ScanReport: Sendable {
  /// Files that are left after each step of pruning, in the order in which the steps are taken.
  package struct Funnel: Sendable {
    package var live = 0
    package var byPartition = 0
    package var byBucket = 0
    package var byKey = 0
    package var byStatistics = 0
  }

  package struct SplitReport: Sendable {
    /// `dt=2026-11-20/`, "" without partitions.
    package let partition: String
    package let bucket: Int
    /// The most runs that are merged at one key.
    package let runs: Int
    package let files: [DataFile]

    package var byteCount: Int64 { files.reduce(0) { $0 + $1.byteCount } }
    package var rowCount: Int64 { files.reduce(0) { $0 + $1.rowCount } }
  }

  package let snapshot: Snapshot?
  package var funnel = Funnel()
  package var liveBytes: Int64 = 0
  package var splits: [SplitReport] = []
}

extension TableScan {
  package func report(_ snapshot: Snapshot?) throws(TerraceError) -> ScanReport {
    let schema = table.schema
    let plan = try plan(snapshot)
    var report = ScanReport(snapshot: snapshot)
    let keys = schema.partitionIndices
    let partition = predicate.weakened { keys.firstIndex(of: $0) }
    let state = try table.state(at: snapshot)
    let filter = ManifestFilter(
      partitionType: schema.partitionType, partition: partition == .always ? nil : partition)
    for (place, bucket) in state.buckets {
      report.funnel.live += bucket.files.count
      report.liveBytes += bucket.files.reduce(0) { $0 + $1.byteCount }
      if try filter.keeps(partition: place.partition) {
        report.funnel.byPartition += bucket.files.count
      }
    }
    report.funnel.byBucket = plan.filesSeen
    report.funnel.byStatistics = plan.filesRead
    report.funnel.byKey = try filesWithWantedKeys(plan, state)
    for split in plan.splits {
      report.splits.append(
        ScanReport.SplitReport(
          partition: try PartitionPath.text(split.place.partition, schema),
          bucket: split.place.bucket, runs: split.sections.map(\.runs.count).max() ?? 0,
          files: split.sections.flatMap { $0.files.map(\.file) }))
    }
    return report
  }

  /// Key bounds leave out files before statistics of values are asked.
  private func filesWithWantedKeys(
    _ plan: ScanPlan, _ state: TableState
  ) throws(TerraceError) -> Int {
    guard table.schema.hasPrimaryKey else { return plan.filesSeen }
    let pruning = FilePruning(table, predicate)
    let filter = try ScanPlanner(table, predicate).filter()
    var count = 0
    for (place, bucket) in state.buckets where try filter.keeps(partition: place.partition) {
      if let wants = filter.bucket, !wants(place.bucket, bucket.totalBuckets) { continue }
      for file in bucket.files where try pruning.mayMatchKeys(file) { count += 1 }
    }
    return count
  }
}
