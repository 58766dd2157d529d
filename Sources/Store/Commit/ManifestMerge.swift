import Columns

/// Keeps the number of manifests small by rewriting the smaller ones into fewer.
///
/// A removal whose addition lies in a manifest that is not rewritten is kept (Paimon
/// `ManifestFileMerger`).
struct ManifestMerge {
  let files: ManifestFiles
  let targetBytes: Int64
  let minCount: Int
  let fullBytes: Int64

  init(_ files: ManifestFiles, _ options: TableOptions) throws(TerraceError) {
    self.files = files
    targetBytes = Int64(try options.manifestTargetBytes)
    minCount = max(2, try options.manifestMergeMinCount)
    fullBytes = Int64(try options.manifestFullCompactionBytes)
  }

  struct Result {
    var manifests: [Manifest]
    /// Those that were written here; to be removed when the commit fails.
    var written: [Manifest] = []
  }

  func merge(_ manifests: [Manifest], schemaID: Int) throws(TerraceError) -> Result {
    if let full = try mergeAll(manifests, schemaID: schemaID) { return full }
    return try mergeSmall(manifests, schemaID: schemaID)
  }

  /// Joins neighbours until they reach the target size; a rest is joined when it is numerous.
  private func mergeSmall(
    _ manifests: [Manifest], schemaID: Int
  ) throws(TerraceError) -> Result {
    var result = Result(manifests: [])
    var candidates: [Manifest] = []
    var bytes: Int64 = 0
    do {
      for manifest in manifests {
        candidates.append(manifest)
        bytes = bytes.addingClamped(manifest.byteCount)
        if bytes >= targetBytes {
          try join(candidates, into: &result, schemaID: schemaID)
          candidates = []
          bytes = 0
        }
      }
      if candidates.count >= minCount {
        try join(candidates, into: &result, schemaID: schemaID)
      } else {
        result.manifests += candidates
      }
    } catch {
      files.discard(result.written)
      throw error
    }
    return result
  }

  private func join(
    _ candidates: [Manifest], into result: inout Result, schemaID: Int
  ) throws(TerraceError) {
    if candidates.count == 1 {
      result.manifests += candidates
      return
    }
    var merge = EntryMerge()
    for manifest in candidates { merge.apply(try files.readEntries(manifest.name)) }
    let written = try files.writeEntries(merge.entries, schemaID: schemaID)
    result.manifests += written
    result.written += written
  }

  /// Once manifests that are small or hold removals amount to much, rewrites them and those that
  /// hold what they remove. Nil when there is no need.
  private func mergeAll(
    _ manifests: [Manifest], schemaID: Int
  ) throws(TerraceError) -> Result? {
    let isChanging = manifests.map { $0.deletedCount > 0 || $0.byteCount < targetBytes }
    var bytes: Int64 = 0
    for (manifest, changing) in zip(manifests, isChanging) where changing {
      bytes = bytes.addingClamped(manifest.byteCount)
    }
    if bytes < fullBytes { return nil }
    var merge = EntryMerge()
    for (manifest, changing) in zip(manifests, isChanging) where changing {
      merge.apply(try files.readEntries(manifest.name))
    }
    var removed = Set(merge.entries.lazy.filter { $0.kind == .delete }.map(\.identity))
    var result = Result(manifests: [])
    for (manifest, changing) in zip(manifests, isChanging) where !changing {
      if removed.isEmpty {
        result.manifests.append(manifest)
        continue
      }
      let entries = try files.readEntries(manifest.name)
      if entries.contains(where: { removed.contains($0.identity) }) {
        for entry in entries { removed.remove(entry.identity) }
        merge.apply(entries)
      } else {
        result.manifests.append(manifest)
      }
    }
    let written = try files.writeEntries(merge.entries, schemaID: schemaID)
    result.manifests += written
    result.written = written
    return result
  }
}
