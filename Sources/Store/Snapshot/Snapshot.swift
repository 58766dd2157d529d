import Columns

/// One version of a table, as `snapshot-N` says (Paimon snapshot version 3).
package struct Snapshot: Hashable, Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    /// New files only; stream readers consume its delta or its changelog.
    case append = "APPEND"
    /// Files were rewritten; the rows are the same.
    case compact = "COMPACT"
    /// Partitions, or the whole table, were replaced.
    case overwrite = "OVERWRITE"
    /// Only the statistics changed.
    case analyze = "ANALYZE"
  }

  package var version = 3
  package var id: Int64
  /// Newest schema when the snapshot was committed.
  package var schemaID: Int
  /// Live files before this commit.
  package var baseManifestList: String
  package var baseManifestListBytes: Int64?
  /// Changes by this commit.
  package var deltaManifestList: String
  package var deltaManifestListBytes: Int64?
  package var changelogManifestList: String?
  package var changelogManifestListBytes: Int64?
  /// Complete list of index files.
  package var indexManifest: String?
  package var commitUser: String
  package var commitIdentifier: Int64
  package var kind: Kind
  /// Milliseconds since 1970 UTC.
  package var timeMillis: Int64
  /// Physical rows of all live files.
  package var totalRecordCount: Int64
  /// Rows added minus rows removed, physically; negative when compaction merged rows.
  package var deltaRecordCount: Int64
  package var changelogRecordCount: Int64?
  /// Milliseconds since 1970.
  package var watermark: Int64?
  /// Name in `statistics/`.
  package var statistics: String?
  package var properties: [String: String]?
  package var nextRowID: Int64?
  package var uuid: String?
  package var writerVersion: String?

  package init(
    id: Int64, schemaID: Int, baseManifestList: String, deltaManifestList: String,
    commitUser: String, commitIdentifier: Int64, kind: Kind, timeMillis: Int64,
    totalRecordCount: Int64, deltaRecordCount: Int64
  ) {
    self.id = id
    self.schemaID = schemaID
    self.baseManifestList = baseManifestList
    self.deltaManifestList = deltaManifestList
    self.commitUser = commitUser
    self.commitIdentifier = commitIdentifier
    self.kind = kind
    self.timeMillis = timeMillis
    self.totalRecordCount = totalRecordCount
    self.deltaRecordCount = deltaRecordCount
  }

  /// The identifier of commits that nobody will ask for again.
  package static let batchIdentifier = Int64.max
}
