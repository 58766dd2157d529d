import Columns

/// Which files an overwrite replaces.
package enum OverwriteScope: Sendable {
  case table
  /// Partitions by their BinaryRow with its arity.
  case partitions(Set<[UInt8]>)
  /// Partitions that a predicate over the partition columns keeps.
  case matching(ManifestFilter)

  func covers(_ partition: [UInt8]) throws(TerraceError) -> Bool {
    switch self {
    case .table: true
    case .partitions(let set): set.contains(partition)
    case .matching(let filter): try filter.keeps(partition: partition)
    }
  }
}

/// One snapshot to be.
struct CommitPlan {
  var kind: Snapshot.Kind
  var identifier: Int64
  var watermark: Int64?
  var properties: [String: String]?
  var changes: [ManifestEntry] = []
  var changelog: [ManifestEntry] = []
  /// For overwrites: the removals are found anew at each attempt.
  var scope: OverwriteScope?
  var statistics: String?
  /// Folders of data files, whose names are to be made durable.
  var folders: [String] = []
  /// Manifest lists that are written already.
  var prepared: PreparedLists?
  /// Those of the second half of this commit.
  var pending: PreparedLists?

  init(
    _ kind: Snapshot.Kind, _ identifier: Int64, _ watermark: Int64?,
    _ properties: [String: String]?
  ) {
    self.kind = kind
    self.identifier = identifier
    self.watermark = watermark
    self.properties = properties
  }
}

/// Manifests and manifest lists of the changes and the changelog of a commit.
struct PreparedLists {
  var delta: (name: String, byteCount: Int64)
  var deltaManifests: [Manifest]
  var changelog: (name: String, byteCount: Int64)?
  var changelogManifests: [Manifest]
}

extension Snapshot {
  /// Names, in the properties of the first half of a commit, the manifest lists of the second:
  /// `DELTA` or `DELTA CHANGELOG`.
  static let pendingProperty = "terrace.commit.pending"

  /// Manifest lists of the second half of this commit; empty when there is none.
  package var pendingLists: [String] {
    properties?[Snapshot.pendingProperty]?.split(separator: " ").map(String.init) ?? []
  }

  /// What later snapshots repeat.
  var lastingProperties: [String: String]? {
    guard var properties else { return nil }
    properties[Snapshot.pendingProperty] = nil
    return properties.isEmpty ? nil : properties
  }
}

extension TerraceError {
  /// Whether nobody can say if the commit happened: what it wrote must stay.
  var isUnknownOutcome: Bool { facts.contains { $0.name == "outcome" } }
}
