internal import Columns

/// Rows whose count of partners has changed, with what it was.
struct Toggles {
  private(set) var before: [Int32: Int64] = [:]

  mutating func note(_ slot: Int32, _ matches: Lane<Int64>, _ change: Int64) {
    if before[slot] == nil { before[slot] = matches[Int(slot)] }
    matches[Int(slot)] += change
  }
}

/// What a join keeps of one of its inputs.
final class JoinSide {
  static let untouched = Int64.min
  let keys: [Int]
  /// Whether a row has a partner decides what is sent for it.
  let tracks: Bool
  /// Rows count their partners themselves, since a further condition decides.
  let counts: Bool
  let state: KeyedState
  let layout: RowLayout
  /// Its rows are those of a source table, and what is here is what was read of it.
  let isPlayed: Bool
  /// The other side asks how many rows a key has here.
  let counted: Bool
  /// Rows (by weight) of each key, if asked for.
  let totals = Lane<Int64>()
  /// The totals of keys before the batch being handled; `untouched` for the others.
  let before = Lane<Int64>()
  /// Partners (by weight) of each row, where rows count them.
  let matches = Lane<Int64>()
  private var keyCount = 0

  init(
    _ type: RowType, keys: [Int], nullSafe: [Bool], isAppendOnly: Bool, tracks: Bool, counts: Bool,
    counted: Bool, isPlayed: Bool, _ runtime: Runtime
  ) {
    self.keys = keys
    self.tracks = tracks
    self.counts = counts
    self.counted = counted
    self.isPlayed = isPlayed
    state = KeyedState(
      type, isAppendOnly: isAppendOnly, recordsChanges: runtime.recordsChanges && !isPlayed,
      mayBePlain: true)
    layout = RowLayout(type, key: keys, nullable: nullSafe)
  }

  /// Rows that stay and have this number or a greater one were never forgotten since they came.
  var firstOwn = Int32.max

  /// Rows of the table without those that are in memory, although others of their key were not.
  func unknown(_ rows: Batch) -> Batch {
    if !state.isAppendOnly || firstOwn == .max { return rows }
    let numbers = rows.columns[layout.key.count].pointer(Int32.self)
    let kept = Rows(count: rows.count) { numbers[$0] < firstOwn }
    if kept.count == rows.count { return rows }
    return rows.gather(kept.buffer.pointer(Int32.self), count: kept.count)
  }

  func reserve(keys count: Int) {
    state.reserve(keys: count)
    if !counted { return }
    totals.reserve(count)
    before.reserve(count)
    if count > keyCount {
      for i in keyCount..<count { before[i] = JoinSide.untouched }
      keyCount = count
    }
  }

  var byteCount: Int {
    state.byteCount + totals.byteCount + before.byteCount + matches.byteCount
  }

  func compact() throws(TerraceError) {
    let matches = self.matches
    let counts = self.counts
    try state.compact { ids, n in if counts { matches.keep(ids, n) } }
  }
}
