import Columns

/// What one writer did to one bucket since its last commit. The files are written and synced.
package struct CommitMessage: Hashable, Sendable {
  /// BinaryRow of the partition columns with its arity before it.
  package var partition: [UInt8]
  package var bucket: Int
  /// Number of buckets of the partition; -1 when unaware.
  package var totalBuckets: Int

  /// New rows: files of level 0 for primary-key tables. Goes into the APPEND snapshot.
  package var newFiles: [DataFile]
  /// Changelog of the new rows (producer `input`). Goes into the APPEND snapshot.
  package var changelogFiles: [DataFile]
  /// Files that compaction read, wrote, and its changelog (producer `lookup`). Goes into the COMPACT
  /// snapshot.
  package var compactBefore: [DataFile]
  package var compactAfter: [DataFile]
  package var compactChangelog: [DataFile]

  package init(
    partition: [UInt8], bucket: Int, totalBuckets: Int, newFiles: [DataFile] = [],
    changelogFiles: [DataFile] = [], compactBefore: [DataFile] = [],
    compactAfter: [DataFile] = [], compactChangelog: [DataFile] = []
  ) {
    self.partition = partition
    self.bucket = bucket
    self.totalBuckets = totalBuckets
    self.newFiles = newFiles
    self.changelogFiles = changelogFiles
    self.compactBefore = compactBefore
    self.compactAfter = compactAfter
    self.compactChangelog = compactChangelog
  }

  package var place: BucketPlace { BucketPlace(partition: partition, bucket: bucket) }
  package var hasAppend: Bool { !newFiles.isEmpty || !changelogFiles.isEmpty }
  package var hasCompaction: Bool {
    !compactBefore.isEmpty || !compactAfter.isEmpty || !compactChangelog.isEmpty
  }
}
