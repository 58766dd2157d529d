internal import Columns

/// Rows of several runs, grouped by equal keys in key order.
///
/// Row numbers only: which columns are gathered for which rows is the reader's business.
final class KeyGroups {
  /// What `sources` counts.
  let batches: [KeyValues]
  /// The run that each batch comes from, oldest run 0.
  let runs: [Int]
  /// Batch and row of each member, group after group; in a group older runs come first.
  let sources: Buffer
  let rows: Buffer
  let memberCount: Int
  /// `count` + 1 Int32: where each group's members begin.
  let starts: Buffer
  let count: Int

  init(
    batches: [KeyValues], runs: [Int], sources: Buffer, rows: Buffer, memberCount: Int,
    starts: Buffer, count: Int
  ) {
    self.batches = batches
    self.runs = runs
    self.sources = sources
    self.rows = rows
    self.memberCount = memberCount
    self.starts = starts
    self.count = count
  }
}

/// A k-way merge of sorted runs: a loser tree over the heads' key prefixes (Knuth, TAOCP 3, 5.4.1).
///
/// Most comparisons are one of two numbers; key bytes are looked at on ties only. Where one run has
/// the lead for a while, the stretch up to the next run's key is found by galloping and copied as a
/// range.
final class KeyMerge {
  private let inputs: [any KeyValueSource]
  private let targetRows: Int
  private let k: Int
  /// Batches of the group being built; the first k are the runs' current ones after `trim`.
  private var batches: [KeyValues] = []
  private var runOfBatch: [Int] = []
  /// Of batches that were loaded for the group being built; above the most it is handed out.
  private var loadedBytes = 0
  private static let loadedBytesMax = 48 << 20
  // One entry a run.
  private var current: [KeyValues?]
  private let batchIndex: UnsafeMutablePointer<Int>
  /// Key prefixes of each run's current batch.
  private let columns: UnsafeMutablePointer<UnsafePointer<UInt64>?>
  private let positions: UnsafeMutablePointer<Int>
  private let counts: UnsafeMutablePointer<Int>
  private let prefixes: UnsafeMutablePointer<UInt64>
  private let done: UnsafeMutablePointer<Bool>
  private let losers: UnsafeMutablePointer<Int>
  private var winner = 0
  private var started = false
  private var whole = true

  /// - Parameters:
  ///   - inputs: oldest run first.
  ///   - targetRows: members after which a result is handed out, at the next new key.
  init(_ inputs: [any KeyValueSource], targetRows: Int = 16384) {
    precondition(inputs.count < 30_000, "a merge of \(inputs.count) runs")
    self.inputs = inputs
    self.targetRows = targetRows
    k = inputs.count
    current = inputs.map { _ in nil }
    batchIndex = .allocate(capacity: max(k, 1))
    columns = .allocate(capacity: max(k, 1))
    positions = .allocate(capacity: max(k, 1))
    counts = .allocate(capacity: max(k, 1))
    prefixes = .allocate(capacity: max(k, 1))
    done = .allocate(capacity: max(k, 1))
    losers = .allocate(capacity: max(k, 1))
    positions.update(repeating: 0, count: k)
    counts.update(repeating: 0, count: k)
    prefixes.update(repeating: .max, count: k)
    done.update(repeating: true, count: k)
    losers.update(repeating: -1, count: k)
    batchIndex.update(repeating: 0, count: k)
    columns.initialize(repeating: nil, count: k)
  }

  deinit {
    positions.deallocate()
    counts.deallocate()
    prefixes.deallocate()
    done.deallocate()
    losers.deallocate()
    batchIndex.deallocate()
    columns.deallocate()
  }

  /// The next groups; nil when all runs are exhausted.
  func next() throws(TerraceError) -> KeyGroups? {
    if k == 0 { return nil }
    if started { trim() } else { try start() }
    if done[winner] { return nil }

    let sources = Buffer(byteCount: capacity * 2)
    let rows = Buffer(byteCount: capacity * 4)
    let starts = Buffer(byteCount: (capacity + 1) * 4)
    var out = Output(
      sources: sources.pointer(UInt16.self), rows: rows.pointer(Int32.self),
      starts: starts.pointer(Int32.self))
    if whole { try fillWhole(&out) } else { try fill(&out) }
    out.starts[out.groups] = Int32(out.members)
    return KeyGroups(
      batches: batches, runs: runOfBatch, sources: sources, rows: rows, memberCount: out.members,
      starts: starts, count: out.groups)
  }

  /// Members of one result: a group that is open when the target is reached has one of each run.
  private var capacity: Int { targetRows + k + 1 }

  /// Only a damaged or foreign file gives a group more members than there are runs.
  private func repeatedKey() -> TerraceError {
    TerraceError(.corrupted, "a sorted run holds a key more than once").with("runs", k)
  }

  private struct Output {
    let sources: UnsafeMutablePointer<UInt16>
    let rows: UnsafeMutablePointer<Int32>
    let starts: UnsafeMutablePointer<Int32>
    var members = 0
    var groups = 0
  }

  private func fill(_ out: inout Output) throws(TerraceError) {
    // Key of the group that is open.
    var lastPrefix: UInt64 = 0
    var last: (keys: NormalizedKeys, row: Int)?
    var streak = 0
    var streakRun = -1
    while !done[winner] {
      let run = winner
      let prefix = prefixes[run]
      let row = positions[run]
      if let (keys, lastRow) = last, prefix == lastPrefix,
        whole || current[run].unsafelyUnwrapped.keys.compare(row, keys, lastRow) == 0
      {
        if out.members >= capacity { throw repeatedKey() }
      } else {
        if out.members >= targetRows || loadedBytes > Self.loadedBytesMax && out.members > 0 {
          return
        }
        out.starts[out.groups] = Int32(truncatingIfNeeded: out.members)
        out.groups &+= 1
        lastPrefix = prefix
        if !whole || last == nil { last = (current[run].unsafelyUnwrapped.keys, row) }
      }
      out.sources[out.members] = UInt16(truncatingIfNeeded: batchIndex[run])
      out.rows[out.members] = Int32(truncatingIfNeeded: row)
      out.members &+= 1

      if run == streakRun { streak &+= 1 } else { (streak, streakRun) = (0, run) }
      if streak >= 16 {
        gallop(run, &out)
        streak = 0
        last = (current[run].unsafelyUnwrapped.keys, positions[run])
        lastPrefix = prefixes[run]
      }
      try advance(run)
      replay(run)
    }
  }

  /// As `fill`, where equal prefixes are equal keys: nothing but flat arrays is touched per row.
  private func fillWhole(_ out: inout Output) throws(TerraceError) {
    let (positions, counts, prefixes) = (positions, counts, prefixes)
    let (done, losers, columns, batchIndex) = (done, losers, columns, batchIndex)
    let (sources, rows, starts) = (out.sources, out.rows, out.starts)
    let k = k
    var target = targetRows
    let capacity = capacity
    var members = 0
    var groups = 0
    var lastKey: UInt64 = 0
    var run = winner
    var streak = 0
    while !done[run] {
      let key = prefixes[run]
      let row = positions[run]
      if groups == 0 || key != lastKey {
        if members >= target { break }
        starts[groups] = Int32(truncatingIfNeeded: members)
        groups &+= 1
        lastKey = key
      } else if members >= capacity {
        throw repeatedKey()
      }
      sources[members] = UInt16(truncatingIfNeeded: batchIndex[run])
      rows[members] = Int32(truncatingIfNeeded: row)
      members &+= 1
      if streak >= 16 {
        (out.members, out.groups) = (members, groups)
        gallop(run, &out)
        (members, groups) = (out.members, out.groups)
        lastKey = prefixes[run]
        streak = 0
      }
      let next = positions[run] &+ 1
      if next < counts[run] {
        positions[run] = next
        prefixes[run] = columns[run].unsafelyUnwrapped[next]
      } else {
        try load(run)
        if loadedBytes > Self.loadedBytesMax { target = 1 }
        // A run may turn out to have longer keys than those before.
        if !whole {
          (out.members, out.groups) = (members, groups)
          replay(run)
          return
        }
      }
      var player = run
      var playerKey = prefixes[run]
      var node = (run &+ k) >> 1
      while node > 0 {
        let other = losers[node]
        let otherKey = prefixes[other]
        if otherKey < playerKey || (otherKey == playerKey && lessOnTie(other, player)) {
          losers[node] = player
          player = other
          playerKey = otherKey
        }
        node >>= 1
      }
      streak = player == run ? streak &+ 1 : 0
      run = player
    }
    winner = run
    (out.members, out.groups) = (members, groups)
  }

  /// Emits rows after the head of `run` as long as no other run has a key as small; the head ends up
  /// at the last row emitted.
  private func gallop(_ run: Int, _ out: inout Output) {
    guard let batch = current[run] else { return }
    var rival = -1
    var node = (run + k) >> 1
    while node > 0 {
      let other = losers[node]
      if rival < 0 || less(other, rival) { rival = other }
      node >>= 1
    }
    let first = positions[run] &+ 1
    let room = max(0, targetRows - out.members)
    var limit = min(counts[run], first &+ room)
    if rival >= 0 && !done[rival], let rivalBatch = current[rival] {
      let rivalRow = positions[rival]
      var step = 8
      var low = first
      // The first row that is not below the rival's key lies in low...limit.
      while low &+ step < limit
        && batch.keys.compare(low &+ step, rivalBatch.keys, rivalRow) < 0
      {
        low &+= step &+ 1
        step &*= 2
      }
      limit = min(limit, low &+ step &+ 1)
      while low < limit {
        let middle = (low &+ limit) >> 1
        if batch.keys.compare(middle, rivalBatch.keys, rivalRow) < 0 {
          low = middle &+ 1
        } else {
          limit = middle
        }
      }
    }
    if limit <= first { return }
    let source = UInt16(truncatingIfNeeded: batchIndex[run])
    var members = out.members
    var groups = out.groups
    for row in first..<limit {
      out.sources[members] = source
      out.rows[members] = Int32(truncatingIfNeeded: row)
      out.starts[groups] = Int32(truncatingIfNeeded: members)
      members &+= 1
      groups &+= 1
    }
    out.members = members
    out.groups = groups
    positions[run] = limit - 1
    prefixes[run] = batch.keys.prefixes[limit - 1]
  }

  // MARK: - Runs

  private func start() throws(TerraceError) {
    started = true
    for run in 0..<k { try load(run) }
    // Building by insertion: a node without a loser yet takes the first that comes by.
    winner = -1
    for run in 0..<k {
      var player = run
      var node = (run + k) >> 1
      while node > 0 {
        if losers[node] < 0 {
          losers[node] = player
          player = -1
          break
        }
        if less(losers[node], player) { swap(&losers[node], &player) }
        node >>= 1
      }
      if player >= 0 { winner = player }
    }
  }

  private func advance(_ run: Int) throws(TerraceError) {
    let row = positions[run] &+ 1
    positions[run] = row
    if row < counts[run] {
      prefixes[run] = current[run].unsafelyUnwrapped.keys.prefixes[row]
    } else {
      try load(run)
    }
  }

  private func load(_ run: Int) throws(TerraceError) {
    positions[run] = 0
    guard let batch = try inputs[run].next() else {
      current[run] = nil
      counts[run] = 0
      prefixes[run] = .max
      done[run] = true
      return
    }
    precondition(batch.count > 0, "a run handed out an empty batch")
    current[run] = batch
    counts[run] = batch.count
    columns[run] = batch.keys.prefixes
    prefixes[run] = batch.keys.prefixes[0]
    done[run] = false
    whole = whole && batch.keys.isWhole
    batchIndex[run] = batches.count
    batches.append(batch)
    runOfBatch.append(run)
    loadedBytes &+= batch.values.byteCount
  }

  /// Forgets the batches that were read to their end.
  private func trim() {
    var kept: [KeyValues] = []
    var runs: [Int] = []
    for run in 0..<k {
      guard let batch = current[run] else { continue }
      batchIndex[run] = kept.count
      kept.append(batch)
      runs.append(run)
    }
    batches = kept
    runOfBatch = runs
    loadedBytes = 0
  }

  // MARK: - Tree

  private func replay(_ run: Int) {
    var player = run
    var node = (run &+ k) >> 1
    while node > 0 {
      let other = losers[node]
      if less(other, player) {
        losers[node] = player
        player = other
      }
      node >>= 1
    }
    winner = player
  }

  @inline(__always) private func less(_ a: Int, _ b: Int) -> Bool {
    let x = prefixes[a]
    let y = prefixes[b]
    return x != y ? x < y : lessOnTie(a, b)
  }

  private func lessOnTie(_ a: Int, _ b: Int) -> Bool {
    if done[a] || done[b] { return done[a] == done[b] ? a < b : done[b] }
    if !whole, let left = current[a], let right = current[b] {
      let order = left.keys.compare(positions[a], right.keys, positions[b])
      if order != 0 { return order < 0 }
    }
    // Older runs first.
    return a < b
  }
}
