import Columns

/// What can stand in the way of a commit once others have committed.
struct CommitConflicts {
  let schema: TableSchema

  /// - Parameter replaced: partitions whose files all go with this commit; their number of buckets may
  ///   change.
  /// - Throws: kind `conflict`, saying which files are in the way.
  func check(
    _ changes: [ManifestEntry], on state: TableState, replaced: Set<[UInt8]> = []
  ) throws(TerraceError) {
    try checkRemovals(changes, state)
    try checkBucketCounts(changes, state, replaced)
    try checkKeyRanges(changes, state)
  }

  /// A file can be removed once only.
  private func checkRemovals(
    _ changes: [ManifestEntry], _ state: TableState
  ) throws(TerraceError) {
    var merge = EntryMerge()
    merge.apply(changes)
    for entry in merge.entries {
      if entry.kind == .delete, !state.contains(entry) {
        throw TerraceError(.conflict, "a file to be removed is gone: another writer replaced it")
          .with("data", entry.file.name).with("bucket", entry.bucket)
      }
      if entry.kind == .add, state.contains(entry) {
        throw TerraceError(.conflict, "a file to be added is there already")
          .with("data", entry.file.name).with("bucket", entry.bucket)
      }
    }
  }

  /// All files of a partition agree on its number of buckets.
  private func checkBucketCounts(
    _ changes: [ManifestEntry], _ state: TableState, _ replaced: Set<[UInt8]>
  ) throws(TerraceError) {
    var wanted: [[UInt8]: Int] = [:]
    for entry in changes where entry.kind == .add && entry.totalBuckets > 0 {
      let first = wanted[entry.partition] ?? entry.totalBuckets
      wanted[entry.partition] = first
      if first != entry.totalBuckets { throw bucketConflict(first, entry.totalBuckets) }
    }
    if wanted.isEmpty { return }
    for (place, bucket) in state.buckets where bucket.totalBuckets > 0 {
      guard let count = wanted[place.partition], !replaced.contains(place.partition) else {
        continue
      }
      if count != bucket.totalBuckets { throw bucketConflict(bucket.totalBuckets, count) }
    }
  }

  private func bucketConflict(_ present: Int, _ wanted: Int) -> TerraceError {
    TerraceError(.conflict, "the partition has another number of buckets")
      .with("present", present).with("wanted", wanted)
      .hint("overwrite the partition to change its number of buckets")
  }

  /// Above level 0, files of one bucket and level have disjoint key ranges.
  private func checkKeyRanges(
    _ changes: [ManifestEntry], _ state: TableState
  ) throws(TerraceError) {
    guard schema.hasPrimaryKey else { return }
    let types = schema.trimmedKeyType.fields.map(\.type)
    var touched: [BucketPlace: Set<Int>] = [:]
    for entry in changes where entry.kind == .add && entry.file.level > 0 {
      touched[entry.place, default: []].insert(entry.file.level)
    }
    for (place, levels) in touched {
      var merge = EntryMerge()
      merge.apply(
        state.files(in: place).map {
          ManifestEntry(
            .add, partition: place.partition, bucket: place.bucket, totalBuckets: 0, file: $0)
        })
      merge.apply(changes.filter { $0.place == place })
      for level in levels {
        let files = merge.entries.filter { $0.kind == .add && $0.file.level == level }
        try checkDisjoint(files.map(\.file), types)
      }
    }
  }

  private func checkDisjoint(
    _ files: [DataFile], _ types: [DataType]
  ) throws(TerraceError) {
    var ranges: [(min: [Scalar], max: [Scalar], name: String)] = []
    for file in files {
      ranges.append(
        (try decodeRow(file.minKey, types), try decodeRow(file.maxKey, types), file.name))
    }
    ranges.sort { compareKeys($0.min, $1.min) < 0 }
    for (left, right) in zip(ranges, ranges.dropFirst())
    where compareKeys(left.max, right.min) >= 0 {
      throw TerraceError(.conflict, "files of one level overlap: another writer compacted as well")
        .with("left", left.name).with("right", right.name)
    }
  }
}

/// Orders keys of the same types, column by column.
func compareKeys(_ left: [Scalar], _ right: [Scalar]) -> Int {
  for (a, b) in zip(left, right) {
    let order = Scalar.compare(a, b)
    if order != 0 { return order }
  }
  return 0
}
