package import Columns

package enum MergeEngineName: String, CaseIterable, Sendable {
  case deduplicate, aggregation
  case partialUpdate = "partial-update"
  case firstRow = "first-row"
}

package enum ChangelogProducerName: String, CaseIterable, Sendable {
  case none, input, lookup
  case fullCompaction = "full-compaction"
}

package enum SortOrder: String, CaseIterable, Sendable { case ascending, descending }

/// Names and defaults of Paimon's options (`CoreOptions`).
extension TableOptions {
  // MARK: Layout

  /// N: fixed; -1: dynamic with a primary key, unaware without; -2: postpone.
  package var bucket: Int { get throws(TerraceError) { try int("bucket") ?? -1 } }
  package var bucketKey: [String] { entries["bucket-key"]?.commaList ?? [] }
  package var partitionDefaultName: String {
    text("partition.default-name", "__DEFAULT_PARTITION__")
  }
  package var partitionLegacyName: Bool {
    get throws(TerraceError) { try flag("partition.legacy-name", true) }
  }
  package var fileFormat: String { text("file.format", "parquet").lowercased() }
  package var fileCompression: String { text("file.compression", "zstd").lowercased() }
  package var zstdLevel: Int {
    get throws(TerraceError) { try int("file.compression.zstd-level") ?? 1 }
  }
  package var fileBlockBytes: Int? { get throws(TerraceError) { try bytes("file.block-size") } }
  /// 128 MB with a primary key, else 256 MB.
  package func targetFileBytes(hasPrimaryKey: Bool) throws(TerraceError) -> Int {
    try bytes("target-file-size") ?? (hasPrimaryKey ? 128 : 256) << 20
  }
  package var dataFilePrefix: String { text("data-file.prefix", "data-") }
  package var changelogFilePrefix: String { text("changelog-file.prefix", "changelog-") }
  package var thinMode: Bool { get throws(TerraceError) { try flag("data-file.thin-mode", false) } }

  // MARK: Writing

  package var writeBufferBytes: Int {
    get throws(TerraceError) { try bytes("write-buffer-size") ?? 256 << 20 }
  }
  package var writeBufferSpillable: Bool {
    get throws(TerraceError) { try flag("write-buffer-spillable", true) }
  }
  package var writeOnly: Bool { get throws(TerraceError) { try flag("write-only", false) } }
  package var dynamicPartitionOverwrite: Bool {
    get throws(TerraceError) { try flag("dynamic-partition-overwrite", true) }
  }

  // MARK: Merging

  package var mergeEngine: MergeEngineName {
    get throws(TerraceError) { try word("merge-engine", .deduplicate) }
  }
  package var changelogProducer: ChangelogProducerName {
    get throws(TerraceError) { try word("changelog-producer", .none) }
  }
  package var changelogRowDeduplicate: Bool {
    get throws(TerraceError) { try flag("changelog-producer.row-deduplicate", false) }
  }
  package var sequenceFields: [String] { entries["sequence.field"]?.commaList ?? [] }
  package var sequenceSortOrder: SortOrder {
    get throws(TerraceError) { try word("sequence.field.sort-order", .ascending) }
  }
  package var rowKindField: String? { entries["rowkind.field"] }
  package var ignoreDelete: Bool {
    get throws(TerraceError) {
      for name in TableOptions.ignoreDeleteNames where entries[name] != nil {
        return try flag(name, false)
      }
      return false
    }
  }
  private static let ignoreDeleteNames = [
    "ignore-delete", "first-row.ignore-delete", "deduplicate.ignore-delete",
    "partial-update.ignore-delete",
  ]
  package var ignoreUpdateBefore: Bool {
    get throws(TerraceError) { try flag("ignore-update-before", false) }
  }
  package var deletionVectors: Bool {
    get throws(TerraceError) { try flag("deletion-vectors.enabled", false) }
  }

  // MARK: Compaction

  package var compactionTrigger: Int {
    get throws(TerraceError) { try int("num-sorted-run.compaction-trigger") ?? 5 }
  }
  package var stopTrigger: Int {
    get throws(TerraceError) {
      let trigger = try compactionTrigger
      return try int("num-sorted-run.stop-trigger") ?? trigger.addingClamped(3)
    }
  }
  package var levelCount: Int {
    get throws(TerraceError) {
      let trigger = try compactionTrigger
      return try int("num-levels") ?? trigger.addingClamped(1)
    }
  }
  package var compactionSizeRatio: Int {
    get throws(TerraceError) { try int("compaction.size-ratio") ?? 1 }
  }
  package var maxSizeAmplificationPercent: Int {
    get throws(TerraceError) { try int("compaction.max-size-amplification-percent") ?? 200 }
  }
  package var fullCompactionDeltaCommits: Int? {
    get throws(TerraceError) { try int("full-compaction.delta-commits") }
  }
  package var forceCompact: Bool {
    get throws(TerraceError) { try flag("commit.force-compact", false) }
  }
  package var lookupWait: Bool { get throws(TerraceError) { try flag("lookup-wait", true) } }
  package var appendCompactionMinFiles: Int {
    get throws(TerraceError) { try int("compaction.min.file-num") ?? 5 }
  }
  package var sortSpillThreshold: Int {
    get throws(TerraceError) {
      let trigger = try stopTrigger
      return try int("sort-spill-threshold") ?? trigger.addingClamped(1)
    }
  }

  // MARK: Commits and manifests

  package var commitMaxRetries: Int {
    get throws(TerraceError) { try int("commit.max-retries") ?? 10 }
  }
  package var commitMinRetryWaitMillis: Int64 {
    get throws(TerraceError) { try millis("commit.min-retry-wait") ?? 10 }
  }
  package var commitMaxRetryWaitMillis: Int64 {
    get throws(TerraceError) { try millis("commit.max-retry-wait") ?? 10_000 }
  }
  package var commitTimeoutMillis: Int64? {
    get throws(TerraceError) { try millis("commit.timeout") }
  }
  package var commitUserPrefix: String? { entries["commit.user-prefix"] }
  package var forceCreateSnapshot: Bool {
    get throws(TerraceError) { try flag("commit.force-create-snapshot", false) }
  }
  package var ignoreEmptyCommit: Bool? {
    get throws(TerraceError) {
      entries["snapshot.ignore-empty-commit"] == nil
        ? nil : try flag("snapshot.ignore-empty-commit", true)
    }
  }
  package var manifestTargetBytes: Int {
    get throws(TerraceError) { try bytes("manifest.target-file-size") ?? 8 << 20 }
  }
  package var manifestMergeMinCount: Int {
    get throws(TerraceError) { try int("manifest.merge-min-count") ?? 30 }
  }
  package var manifestFullCompactionBytes: Int {
    get throws(TerraceError) { try bytes("manifest.full-compaction-threshold-size") ?? 16 << 20 }
  }
  package var manifestCompression: String { text("manifest.compression", "zstd").lowercased() }

  // MARK: Retention

  package var snapshotRetainedMin: Int {
    get throws(TerraceError) { try int("snapshot.num-retained.min") ?? 10 }
  }
  package var snapshotRetainedMax: Int {
    get throws(TerraceError) { try int("snapshot.num-retained.max") ?? Int(Int32.max) }
  }
  package var snapshotTimeRetainedMillis: Int64 {
    get throws(TerraceError) { try millis("snapshot.time-retained") ?? 3_600_000 }
  }
  package var snapshotExpireLimit: Int {
    get throws(TerraceError) { try int("snapshot.expire.limit") ?? 50 }
  }
  package var cleanEmptyDirectories: Bool {
    get throws(TerraceError) { try flag("snapshot.clean-empty-directories", false) }
  }
  package var changelogRetainedMin: Int {
    get throws(TerraceError) {
      let snapshots = try snapshotRetainedMin
      return try int("changelog.num-retained.min") ?? snapshots
    }
  }
  package var changelogRetainedMax: Int {
    get throws(TerraceError) {
      let snapshots = try snapshotRetainedMax
      return try int("changelog.num-retained.max") ?? snapshots
    }
  }
  package var changelogTimeRetainedMillis: Int64 {
    get throws(TerraceError) {
      let snapshots = try snapshotTimeRetainedMillis
      return try millis("changelog.time-retained") ?? snapshots
    }
  }
  /// Whether changelogs live longer than snapshots do.
  package var changelogLivesLonger: Bool {
    get throws(TerraceError) {
      let time = try changelogTimeRetainedMillis > snapshotTimeRetainedMillis
      let min = try changelogRetainedMin > snapshotRetainedMin
      let max = try changelogRetainedMax > snapshotRetainedMax
      return time || min || max
    }
  }
  package var consumerExpirationMillis: Int64? {
    get throws(TerraceError) { try millis("consumer.expiration-time") }
  }
  package var tagDefaultTimeRetainedMillis: Int64? {
    get throws(TerraceError) { try millis("tag.default-time-retained") }
  }
  package var tagTimeExpireEnabled: Bool {
    get throws(TerraceError) { try flag("tag.time-expire-enabled", true) }
  }
}

extension Int {
  func addingClamped(_ more: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(more)
    return overflow ? Int.max : sum
  }
}
