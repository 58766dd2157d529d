import Columns
import SQL

/// Names of options that tables have: Paimon's (`CoreOptions`, and those that its engines read), and our own.
///
/// Tables keep options of other tools as well; a name that is nearly one of these is a slip.
enum TableOptionNames {
  /// - Parameter more: names that have a meaning where these options stand.
  /// - Throws: `invalid` at the first name that was meant to be another.
  static func check(
    _ options: [OptionSyntax], more: [String] = [], _ text: SourceText
  ) throws(TerraceError) {
    for option in options where !isKnown(option.key) && !more.contains(option.key) {
      guard let meant = NearestName.find(option.key, among: more + known) else { continue }
      throw text.error(
        "unknown option '\(option.key)'", at: option.keySpan, hint: "did you mean '\(meant)'?")
    }
  }

  /// Behind these stand names of columns, formats and services.
  private static let families = [
    "fields.", "file-index.", "orc.", "parquet.", "avro.", "kafka.", "metadata.iceberg.",
    "schema.", "terrace.", "properties.",
  ]

  private static func isKnown(_ name: String) -> Bool {
    known.contains(name) || families.contains { name.hasPrefix($0) }
  }

  private static let known = layout + writing + reading + keeping + merging

  private static let layout = [
    "bucket", "bucket-key", "path", "type", "auto-create", "branch", "primary-key", "partition",
    "partition.default-name", "partition.legacy-name", "file.format", "file.format.per.level",
    "file.compression", "file.compression.per.level", "file.compression.zstd-level",
    "file.block-size", "target-file-size", "target-file-row-num", "data-file.prefix",
    "data-file.path-directory", "data-file.thin-mode", "data-file.external-paths",
    "data-file.external-paths.strategy", "data-file.external-paths.specific-fs",
    "changelog-file.prefix", "changelog-file.format", "changelog-file.compression",
    "changelog-file.stats-mode", "metadata.stats-mode", "metadata.stats-mode.per.level",
    "metadata.stats-dense-store", "metadata.stats-keep-first-n-columns",
    "metadata.iceberg-compatible", "manifest.format", "manifest.compression",
    "manifest.target-file-size", "manifest.full-compaction-threshold-size",
    "manifest.merge-min-count", "manifest.delete-file-drop-stats",
    "index-file-in-data-file-dir", "row-tracking.enabled", "data-evolution.enabled",
    "type.format", "table.type", "object-location", "storage-file-format",
    "alter-column-null-to-not-null.disabled", "add-column-before-partition",
    "disable-explicit-type-casting",
    "query-auth.enabled", "dynamic-bucket.target-row-num", "dynamic-bucket.initial-buckets",
    "dynamic-bucket.max-buckets", "dynamic-bucket.assigner-parallelism",
  ]
  private static let writing = [
    "write-mode", "write-only", "write-buffer-size", "write-buffer-spillable",
    "write-buffer-spill.max-disk-size", "write-buffer-for-append", "write-manifest-cache",
    "write-max-writers-to-spill", "write.batch-memory", "write.batch-size", "page-size",
    "sort-spill-threshold", "sort-spill-buffer-size", "spill-compression",
    "spill-compression.zstd-level", "local-merge-buffer-size",
    "local-sort.max-num-file-handles", "num-sorted-run.compaction-trigger",
    "num-sorted-run.stop-trigger", "num-levels", "compaction.max-size-amplification-percent",
    "compaction.size-ratio", "compaction.min.file-num", "compaction.max.file-num",
    "compaction.early-max.file-num", "compaction.optimization-interval",
    "compaction.total-size-threshold", "compaction.incremental-size-threshold",
    "compaction.delete-ratio-threshold", "compaction.force-rewrite-all-files",
    "compaction.force-up-level-0", "compaction.offpeak.start.hour",
    "compaction.offpeak.end.hour", "compaction.offpeak-ratio", "full-compaction.delta-commits",
    "lookup-compact", "lookup-compact.max-interval", "lookup-wait", "commit.force-compact",
    "commit.force-create-snapshot", "commit.max-retries", "commit.min-retry-wait",
    "commit.max-retry-wait", "commit.timeout", "commit.callbacks", "commit.user-prefix",
    "commit.strict-mode.last-safe-snapshot", "dynamic-partition-overwrite",
    "async-file-write", "sink.parallelism", "sink.use-managed-memory-allocator",
    "sink.managed.writer-buffer-memory", "sink.committer-cpu", "sink.committer-memory",
    "sink.committer-operator-chaining", "sink.savepoint.auto-tag", "sink.process-time-zone",
    "sink.watermark-time-zone", "sink.clustering.by-columns", "sink.clustering.strategy",
    "sink.operator-uid.suffix", "source.operator-uid.suffix", "clustering.columns",
    "clustering.strategy", "clustering.incremental", "zorder.var-length-contribution",
    "cross-partition-upsert.bootstrap-parallelism", "cross-partition-upsert.index-ttl",
    "postpone.default-bucket-num", "postpone.batch-write-fixed-bucket", "delta-file.format",
  ]
  private static let merging = [
    "merge-engine", "sequence.field", "sequence.field.sort-order", "sequence.snapshot-ordering",
    "rowkind.field", "ignore-delete", "ignore-update-before", "first-row.ignore-delete",
    "deduplicate.ignore-delete", "partial-update.ignore-delete",
    "partial-update.remove-record-on-delete",
    "partial-update.remove-record-on-sequence-group", "aggregation.remove-record-on-delete",
    "changelog-producer", "changelog-producer.row-deduplicate",
    "changelog-producer.row-deduplicate-ignore-fields", "changelog-producer.lookup-wait",
    "deletion-vectors.enabled", "deletion-vector.index-file.target-size",
    "deletion-vectors.bitmap64", "deletion-vectors.merge-on-read", "sort-engine",
    "delete.force-produce-changelog", "force-lookup", "default-value",
  ]
  private static let reading = [
    "scan.mode", "scan.snapshot-id", "scan.tag-name", "scan.timestamp", "scan.timestamp-millis",
    "scan.version", "scan.watermark", "scan.creation-time-millis",
    "scan.file-creation-time-millis", "scan.parallelism", "scan.infer-parallelism",
    "scan.infer-parallelism.max", "scan.max-splits-per-task", "scan.plan-sort-partition",
    "scan.manifest.parallelism", "scan.remove-normalize", "scan.bounded",
    "scan.bounded.watermark", "scan.fallback-branch", "scan.push-down",
    "scan.split-enumerator.batch-size", "scan.split-enumerator.mode", "scan.max-snapshot.count",
    "scan.watermark.alignment.group", "scan.watermark.alignment.max-drift",
    "scan.watermark.alignment.update-interval", "scan.watermark.emit.strategy",
    "scan.watermark.idle-timeout", "scan.dedicated-split-generation",
    "scan.ignore-corrupt-files", "scan.ignore-lost-files", "incremental-between",
    "incremental-between-timestamp", "incremental-between-scan-mode",
    "incremental-between-tag-to-snapshot", "incremental-to-auto-tag", "consumer-id",
    "consumer.expiration-time", "consumer.mode", "consumer.ignore-progress",
    "consumer.changelog-only", "continuous.discovery-interval", "stream-scan-mode",
    "streaming-read-mode", "streaming-read-overwrite", "streaming-read-append-overwrite",
    "streaming.read.snapshot.delay", "read.batch-size", "source.split.target-size",
    "source.split.open-file-cost", "source.checkpoint-align.enabled",
    "source.checkpoint-align.timeout", "file-reader-async-threshold", "lookup.async",
    "lookup.async-thread-number", "lookup.cache", "lookup.cache-file-retention",
    "lookup.cache-max-disk-size", "lookup.cache-max-memory-size",
    "lookup.cache-spill-compression", "lookup.cache.bloom.filter.enabled",
    "lookup.cache.bloom.filter.fpp", "lookup.hash-load-factor", "lookup.local-file-type",
    "lookup.dynamic-partition", "lookup.dynamic-partition.refresh-interval",
    "lookup.refresh.async", "lookup.refresh.async.pending-snapshot-count",
    "lookup.bootstrap-parallelism", "lookup.file-cache.max-size", "log.system",
    "log.consistency", "log.changelog-mode", "log.format", "log.key.format", "log.scan",
    "log.scan.timestamp-millis", "log.system.auto-register", "log.system.partitions",
    "log.system.replication",
  ]
  private static let keeping = [
    "snapshot.num-retained.min", "snapshot.num-retained.max", "snapshot.time-retained",
    "snapshot.expire.limit", "snapshot.expire.execution-mode",
    "snapshot.expire.clean-empty-directories", "snapshot.clean-empty-directories",
    "snapshot.ignore-empty-commit", "snapshot.watermark-idle-timeout",
    "changelog.num-retained.min", "changelog.num-retained.max", "changelog.time-retained",
    "delete-file.thread-num", "end-input.check-partition-expire", "partition.expiration-time",
    "partition.expiration-check-interval", "partition.expiration-strategy",
    "partition.expiration-max-num", "partition.expiration-batch-size",
    "partition.timestamp-formatter", "partition.timestamp-pattern", "partition.time-interval",
    "partition.idle-time-to-done", "partition.idle-time-to-report-statistic",
    "partition.end-input-to-done", "partition.mark-done-action",
    "partition.mark-done-action.mode", "partition.mark-done-action.custom.class",
    "partition.mark-done-action.http.url", "partition.mark-done-action.http.params",
    "partition.mark-done-when-end-input", "partition.sink-strategy",
    "record-level.expire-time", "record-level.time-field", "record-level.time-field-type",
    "tag.automatic-creation", "tag.automatic-completion", "tag.creation-period",
    "tag.creation-period-duration", "tag.creation-delay", "tag.period-formatter",
    "tag.default-time-retained", "tag.time-expire-enabled", "tag.num-retained-max",
    "tag.callbacks", "tag.create-success-file", "tag.batch.customized-name",
    "tag.alignment-timeout", "metastore.partitioned-table", "metastore.tag-to-partition",
    "metastore.tag-to-partition.preview",
  ]
}
