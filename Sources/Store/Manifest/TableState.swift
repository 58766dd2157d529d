package import Columns

/// The live files of a table at one snapshot, by partition and bucket.
package struct TableState: Sendable {
  /// Nil before the first commit.
  package private(set) var snapshot: Snapshot?
  package private(set) var buckets: [BucketPlace: BucketFiles] = [:]

  package struct BucketFiles: Sendable {
    /// Buckets of the partition when the newest file was written; -1 when unaware or dynamic.
    package var totalBuckets: Int
    /// In the order in which the manifests name them.
    package var files: [DataFile]
  }

  /// The empty table.
  package init() {}

  /// Reads the state at a snapshot, or the part of it that a filter keeps.
  ///
  /// - Throws: kind `corrupted` when a file is added twice; `notFound` when a manifest is gone.
  package init(
    at snapshot: Snapshot, _ manifests: ManifestFiles, filter: ManifestFilter = .all
  ) throws(TerraceError) {
    self.snapshot = snapshot
    var merge = EntryMerge()
    for manifest in try manifests.manifests(of: snapshot) where try filter.mayContain(manifest) {
      merge.apply(try manifests.readEntries(manifest.name, filter: filter))
    }
    for entry in merge.entries where entry.kind == .add { insert(entry) }
  }

  private mutating func insert(_ entry: ManifestEntry) {
    buckets[entry.place, default: BucketFiles(totalBuckets: entry.totalBuckets, files: [])]
      .files.append(entry.file)
    buckets[entry.place]?.totalBuckets = entry.totalBuckets
  }

  /// Live files of a bucket; empty when it has none.
  package func files(in place: BucketPlace) -> [DataFile] { buckets[place]?.files ?? [] }

  package var fileCount: Int { buckets.values.reduce(0) { $0 + $1.files.count } }

  /// Every live file, as an entry that adds it.
  package var entries: [ManifestEntry] {
    buckets.flatMap { place, bucket in
      bucket.files.map {
        ManifestEntry(
          .add, partition: place.partition, bucket: place.bucket,
          totalBuckets: bucket.totalBuckets, file: $0)
      }
    }
  }

  /// Goes on to the next snapshot by its changes.
  ///
  /// - Throws: kind `corrupted` when a file goes that was not there.
  package mutating func apply(
    _ changes: [ManifestEntry], of snapshot: Snapshot
  ) throws(TerraceError) {
    // A file that comes and goes within one commit was never live.
    var merge = EntryMerge()
    merge.apply(changes)
    let entries = merge.entries
    for entry in entries where entry.kind == .delete { try remove(entry) }
    for entry in entries where entry.kind == .add { insert(entry) }
    self.snapshot = snapshot
  }

  private mutating func remove(_ entry: ManifestEntry) throws(TerraceError) {
    guard
      let index = buckets[entry.place]?.files.firstIndex(where: {
        $0.level == entry.file.level && $0.name == entry.file.name
      })
    else {
      throw TerraceError(.corrupted, "a file is removed that was not there")
        .with("data", entry.file.name).with("bucket", entry.bucket)
    }
    buckets[entry.place]?.files.remove(at: index)
    if buckets[entry.place]?.files.isEmpty == true { buckets[entry.place] = nil }
  }

  /// Whether this very file, on this level, is live.
  package func contains(_ entry: ManifestEntry) -> Bool {
    files(in: entry.place).contains {
      $0.level == entry.file.level && $0.name == entry.file.name
    }
  }
}

/// Cancels entries that add and remove the same file.
///
/// A removed file never comes back under the same name and level, so the order in which the two are
/// met does not matter; a removal whose addition lies in another manifest stays.
struct EntryMerge {
  private var order: [ManifestEntry?] = []
  private var places: [ManifestEntry.Identity: Int] = [:]

  mutating func apply(_ entries: [ManifestEntry]) {
    for entry in entries {
      let identity = entry.identity
      if let place = places[identity] {
        // The same kind twice says nothing new; the other kind cancels.
        if order[place]?.kind != entry.kind {
          order[place] = nil
          places[identity] = nil
        }
      } else {
        places[identity] = order.count
        order.append(entry)
      }
    }
  }

  func contains(_ identity: ManifestEntry.Identity) -> Bool { places[identity] != nil }

  /// What is left, in the order of arrival.
  var entries: [ManifestEntry] { order.compactMap { $0 } }
}
