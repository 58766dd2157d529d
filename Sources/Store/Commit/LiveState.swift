import Columns

/// The live files of a running committer, kept up with the snapshots of all writers: reading a whole
/// table happens once, later commits cost what changed.
final class LiveState {
  private(set) var state = TableState()
  private var isLoaded = false
  private let snapshots: SnapshotDirectory
  private let manifests: ManifestFiles
  /// Where more snapshots than this came between, reading the state anew is cheaper.
  private static let stepsMax: Int64 = 64

  init(_ snapshots: SnapshotDirectory, _ manifests: ManifestFiles) {
    self.snapshots = snapshots
    self.manifests = manifests
  }

  /// The state at `latest`; nil is the table before its first commit.
  func advance(to latest: Snapshot?) throws(TerraceError) -> TableState {
    if isLoaded, state.snapshot == latest { return state }
    do {
      if try step(to: latest) { return state }
    } catch {
      // Expired on the way, or rolled back: the whole state decides.
      isLoaded = false
      if error.kind != .notFound && error.kind != .corrupted { throw error }
    }
    isLoaded = false
    if let latest {
      state = try TableState(at: latest, manifests)
    } else {
      state = TableState()
    }
    isLoaded = true
    return state
  }

  /// Applies the changes of the snapshots in between; false when that cannot be done.
  private func step(to latest: Snapshot?) throws(TerraceError) -> Bool {
    guard isLoaded, let latest else { return false }
    let known = state.snapshot?.id ?? 0
    guard latest.id > known, latest.id - known <= LiveState.stepsMax else { return false }
    // Another snapshot under the known id means a rollback.
    if let snapshot = state.snapshot, try snapshots.find(known) != snapshot { return false }
    if known == 0, latest.id > 1, try snapshots.find(1) == nil { return false }
    for id in (known + 1)...latest.id {
      let snapshot = id == latest.id ? latest : try snapshots.snapshot(id)
      var changes: [ManifestEntry] = []
      for manifest in try manifests.readList(snapshot.deltaManifestList) {
        changes += try manifests.readEntries(manifest.name)
      }
      try state.apply(changes, of: snapshot)
    }
    return true
  }

  /// Goes on by a commit of our own.
  func committed(_ changes: [ManifestEntry], _ snapshot: Snapshot) {
    guard isLoaded, (state.snapshot?.id ?? 0) + 1 == snapshot.id else { return forget() }
    do {
      try state.apply(changes, of: snapshot)
    } catch {
      forget()
    }
  }

  func forget() { isLoaded = false }
}
