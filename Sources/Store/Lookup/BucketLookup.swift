internal import Columns
internal import Formats

/// Rows of sorted runs by many keys at a time.
///
/// Each run hands out only the rows whose keys are asked for, and the one merge does the rest. Files
/// outside the key ranges are not opened; pages outside are skipped.
final class BucketLookup {
  private let table: TableFiles
  private let place: BucketPlace
  private let layout: KeyValueLayout
  private let engine: MergeEngine
  /// Oldest first.
  private let runs: [SortedRun]
  private let opened: OpenedFiles?
  private let batchRows = 8192

  /// - Parameters:
  ///   - runs: newest first.
  ///   - opened: keeps files open between calls.
  init(
    _ table: TableFiles, at place: BucketPlace, _ layout: KeyValueLayout, _ engine: MergeEngine,
    _ runs: [SortedRun], _ opened: OpenedFiles? = nil
  ) {
    self.opened = opened
    self.table = table
    self.place = place
    self.layout = layout
    self.engine = engine
    self.runs = runs.reversed()
  }

  var isEmpty: Bool { runs.isEmpty }

  /// The rows of `count` keys, which ascend without repeats.
  ///
  /// - Returns: what was found, in key order, and for each key its row there, or -1. Deletions are
  ///   not found.
  func rows(
    _ keys: [Column], count: Int
  ) throws(TerraceError) -> (found: KeyValues?, matches: Buffer) {
    let encoder = KeyEncoder(layout.keyTypes)
    let wanted = encoder.encode(keys, count: count)
    let sought = ParquetLookupKeys(wanted, encoder)
    let predicate = keyRanges(keys[0], wanted)
    let inputs = runs.compactMap { run -> (any KeyValueSource)? in
      let files = run.files.filter { wanted.contains(from: $0.low, through: $0.high) }
      if files.isEmpty { return nil }
      return SemiJoin(
        RunReader(
          table, at: place, layout, files.map(\.file), predicate: predicate, batchRows: batchRows,
          opened: opened, keys: sought),
        wanted, layout)
    }
    let matches = Buffer(byteCount: count * 4)
    matches.pointer(Int32.self).update(repeating: -1, count: count)
    let merged = MergeReader(layout, engine, inputs, dropDeletes: true)
    var parts: [KeyValueRows] = []
    while !inputs.isEmpty, let rows = try merged.next() { parts.append(rows) }
    if parts.isEmpty { return (nil, matches) }
    let found = KeyValues(
      layout, values: Batch.concat(parts.map(\.values)),
      sequences: Column.concat(parts.map(\.sequences)), kinds: Column.concat(parts.map(\.kinds)))
    var row = 0
    for i in 0..<count {
      if row < found.count && wanted.compare(i, found.keys, row) == 0 {
        matches.pointer(Int32.self)[i] = Int32(row)
        row += 1
      }
    }
    return (found, matches)
  }

  /// A condition on the first key column that holds for all keys: up to 32 ranges, cut where the
  /// keys lie furthest apart.
  private func keyRanges(_ column: Column, _ keys: NormalizedKeys) -> Predicate {
    if keys.count <= 512 {
      return .isIn(column: layout.keyColumns[0], (0..<keys.count).map { column.scalar($0) })
    }
    let limit = 32
    var cuts: [(gap: UInt64, at: Int)] = []
    for i in 1..<max(keys.count, 1) {
      let gap = keys.prefixes[i] - keys.prefixes[i - 1]
      if cuts.count < limit - 1 {
        cuts.append((gap, i))
      } else if let least = cuts.indices.min(by: { cuts[$0].gap < cuts[$1].gap }),
        cuts[least].gap < gap
      {
        cuts[least] = (gap, i)
      }
    }
    let bounds = [0] + cuts.map(\.at).sorted() + [keys.count]
    let index = layout.keyColumns[0]
    let ranges = zip(bounds, bounds.dropFirst()).map { start, end -> Predicate in
      let low = column.scalar(start)
      let high = column.scalar(end - 1)
      if low == high { return .compare(column: index, .equal, low) }
      return .and([
        .compare(column: index, .greaterOrEqual, low), .compare(column: index, .lessOrEqual, high),
      ])
    }
    return ranges.count == 1 ? ranges[0] : .or(ranges)
  }
}

/// The rows of a run whose keys are in a sorted list.
private final class SemiJoin: KeyValueSource {
  private let input: RunReader
  private let wanted: NormalizedKeys
  private let layout: KeyValueLayout
  private var asked = 0

  init(_ input: RunReader, _ wanted: NormalizedKeys, _ layout: KeyValueLayout) {
    self.input = input
    self.wanted = wanted
    self.layout = layout
  }

  func next() throws(TerraceError) -> KeyValues? {
    while asked < wanted.count, let batch = try input.next() {
      let rows = Buffer(byteCount: batch.count * 4)
      let count = join(batch.keys, rows.pointer(Int32.self))
      if count == 0 { continue }
      let chosen = rows.pointer(Int32.self)
      return KeyValues(
        layout, values: batch.values.gather(chosen, count: count),
        sequences: batch.sequences.gather(chosen, count: count),
        kinds: batch.kinds.gather(chosen, count: count))
    }
    return nil
  }

  /// Both sides ascend: one walk, galloping over what the other side lacks.
  private func join(_ keys: NormalizedKeys, _ out: UnsafeMutablePointer<Int32>) -> Int {
    var n = 0
    var row = 0
    while row < keys.count && asked < wanted.count {
      let order = keys.compare(row, wanted, asked)
      if order == 0 {
        out[n] = Int32(truncatingIfNeeded: row)
        n &+= 1
        row &+= 1
        asked &+= 1
      } else if order < 0 {
        row = keys.firstRow(from: row &+ 1, notBelow: wanted, asked)
      } else {
        asked = wanted.firstRow(from: asked &+ 1, notBelow: keys, row)
      }
    }
    return n
  }
}

extension NormalizedKeys {
  /// The first row from `start` on whose key is not below that of `row` of `other`, in ascending keys.
  func firstRow(from start: Int, notBelow other: NormalizedKeys, _ row: Int) -> Int {
    var low = start
    var step = 1
    while low &+ step < count && compare(low &+ step, other, row) < 0 {
      low &+= step &+ 1
      step &*= 2
    }
    var high = min(count, low &+ step &+ 1)
    while low < high {
      let middle = (low &+ high) >> 1
      if compare(middle, other, row) < 0 { low = middle &+ 1 } else { high = middle }
    }
    return low
  }

  /// Whether one of the ascending keys lies in a closed range of key bytes.
  func contains(from low: [UInt8], through high: [UInt8]) -> Bool {
    var first = 0
    var end = count
    while first < end {
      let middle = (first + end) / 2
      if bytes(of: middle).lexicographicallyPrecedes(low) {
        first = middle + 1
      } else {
        end = middle
      }
    }
    return first < count && !high.lexicographicallyPrecedes(bytes(of: first))
  }
}
