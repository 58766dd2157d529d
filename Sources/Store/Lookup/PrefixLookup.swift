package import Columns
internal import Formats

/// Rows of an unpartitioned primary-key table of one bucket by the first columns of their key, many keys
/// at a time: what lies under operator state.
///
/// Files stay open between calls, with their footers and page indexes, so that a lookup of a few keys
/// reads little more than the pages with their rows. One thread calls.
package final class PrefixLookup {
  private let table: Table
  private let layout: KeyValueLayout
  private let prefixTypes: [DataType]
  private var place: BucketPlace?
  private var runs: [SortedRun] = []
  private let opened: OpenedFiles
  private let batchRows = 8192
  /// Of all files that are read.
  package private(set) var rowCount = 0
  package private(set) var byteCount = 0

  /// - Parameters:
  ///   - width: how many of the key's columns a lookup gives.
  ///   - snapshot: whose rows are found.
  package init(_ table: Table, width: Int, at snapshot: Snapshot) throws(TerraceError) {
    self.table = table
    layout = table.files.layout
    opened = OpenedFiles(keyTypes: layout.keyTypes)
    prefixTypes = Array(layout.keyTypes[..<width])
    try advance(to: snapshot)
  }

  /// Goes on to another snapshot.
  package func advance(to snapshot: Snapshot) throws(TerraceError) {
    let state = try table.state(at: snapshot)
    place = state.buckets.keys.first
    let live = place.map { state.files(in: $0) } ?? []
    rowCount = live.reduce(0) { $0 + Int(clamping: $1.rowCount) }
    byteCount = live.reduce(0) { $0 + Int(clamping: $1.byteCount) }
    runs = try SortedRun.runs(try RunFile.decode(live, keyTypes: layout.keyTypes)).reversed()
    opened.keep(Set(live.map(\.name)))
  }

  /// All rows of the keys, in key order; nil for none.
  ///
  /// - Parameter keys: columns of the prefix, never null, in any order, without repeats.
  package func rows(_ keys: [Column], count: Int) throws(TerraceError) -> Batch? {
    guard let place, count > 0 else { return nil }
    let order = KeyEncoder(prefixTypes).encode(keys, count: count).sortedRows()
    let sorted = keys.map { $0.gather(order.pointer(Int32.self), count: count) }
    let wanted = KeyPrefixes(
      sorted, prefixTypes, count: count, isWholeKey: prefixTypes.count == layout.keyTypes.count)
    let predicate = condition(sorted[0], wanted)
    let inputs = runs.compactMap { run -> (any KeyValueSource)? in
      let files = run.files.filter { wanted.meets(from: $0.low, through: $0.high) }
      if files.isEmpty { return nil }
      return PrefixJoin(
        RunReader(
          table.files, at: place, layout, files.map(\.file), predicate: predicate,
          batchRows: batchRows, opened: opened, keys: wanted.sought), wanted, layout)
    }
    if inputs.isEmpty { return nil }
    let merged = MergeReader(layout, table.files.engine, inputs, dropDeletes: true)
    var parts: [Batch] = []
    while let rows = try merged.next() { parts.append(rows.values) }
    return parts.isEmpty ? nil : Batch.concat(parts)
  }

  /// What holds for the first column of all keys: its values when they are few, else ranges.
  private func condition(_ column: Column, _ keys: KeyPrefixes) -> Predicate {
    let index = layout.keyColumns[0]
    let count = column.count
    if count <= 512 { return .isIn(column: index, (0..<count).map { column.scalar($0) }) }
    return .and([
      .compare(column: index, .greaterOrEqual, column.scalar(0)),
      .compare(column: index, .lessOrEqual, column.scalar(count - 1)),
    ])
  }
}

/// Ascending first parts of keys.
private final class KeyPrefixes {
  let keys: NormalizedKeys
  /// The same for the index of a file.
  let sought: ParquetLookupKeys
  /// Bytes of a key that is whole in its prefix.
  private let wholeBytes: Int
  /// Bytes behind a key that do not belong to it.
  private let tail: Int
  /// The prefix is all of the key: nothing may follow it.
  private let isWholeKey: Bool
  var count: Int { keys.count }

  init(_ columns: [Column], _ types: [DataType], count: Int, isWholeKey: Bool) {
    self.isWholeKey = isWholeKey
    wholeBytes = types.reduce(0) { $0 + $1.physical.width }
    if isWholeKey {
      tail = 0
      let encoder = KeyEncoder(types)
      keys = encoder.encode(columns, count: count)
      sought = ParquetLookupKeys(keys, encoder)
      return
    }
    // Text at the end of a key has no end mark: with another column behind it, it has one.
    let zeros = Buffer(byteCount: count)
    zeros.pointer(UInt8.self).update(repeating: 0, count: count)
    let type = DataType.tinyint.notNull
    tail = 1
    let encoder = KeyEncoder(types + [type])
    keys = encoder.encode(
      columns + [Column(type: type, count: count, values: zeros)], count: count)
    sought = ParquetLookupKeys(keys, encoder, tail: 1)
  }

  private func length(_ i: Int) -> Int { keys.isWhole ? wholeBytes : keys.key(i).count - tail }

  /// How the first bytes of a row's key order against key `i`.
  @inline(__always) func compare(_ row: Int, of rows: NormalizedKeys, _ i: Int) -> Int {
    let length = length(i)
    let mask: UInt64 = length >= 8 ? ~0 : length == 0 ? 0 : ~0 << UInt64(64 &- length &* 8)
    let a = rows.prefixes[row] & mask
    let b = keys.prefixes[i] & mask
    if a != b { return a < b ? -1 : 1 }
    if length > 8 {
      let mine = UnsafeRawBufferPointer(rebasing: keys.key(i)[..<length])
      let theirs = rows.key(row)
      let order = compareBytes(
        UnsafeRawBufferPointer(rebasing: theirs[..<min(length, theirs.count)]), mine)
      if order != 0 { return order }
    }
    return isWholeKey && !rows.isWhole && rows.key(row).count > length ? 1 : 0
  }

  /// Whether rows of one of the keys may lie in a closed range of key bytes.
  func meets(from low: [UInt8], through high: [UInt8]) -> Bool {
    var first = 0
    var end = count
    while first < end {
      let middle = (first + end) / 2
      let key = keys.bytes(of: middle).prefix(length(middle))
      if key.lexicographicallyPrecedes(low.prefix(key.count)) {
        first = middle + 1
      } else {
        end = middle
      }
    }
    if first == count { return false }
    let key = keys.bytes(of: first).prefix(length(first))
    return !high.prefix(key.count).lexicographicallyPrecedes(key)
  }
}

/// The rows of a run whose keys begin with one of a sorted list.
private final class PrefixJoin: KeyValueSource {
  private let input: RunReader
  private let wanted: KeyPrefixes
  private let layout: KeyValueLayout
  private var asked = 0

  init(_ input: RunReader, _ wanted: KeyPrefixes, _ layout: KeyValueLayout) {
    self.input = input
    self.wanted = wanted
    self.layout = layout
  }

  func next() throws(TerraceError) -> KeyValues? {
    while asked < wanted.count, let batch = try input.next() {
      let rows = Buffer(byteCount: batch.count * 4)
      let chosen = rows.pointer(Int32.self)
      var n = 0
      var row = 0
      while row < batch.count && asked < wanted.count {
        let order = wanted.compare(row, of: batch.keys, asked)
        if order > 0 {
          asked &+= 1
          continue
        }
        chosen[n] = Int32(truncatingIfNeeded: row)
        n &+= bit(order == 0)
        row &+= 1
      }
      if n == 0 { continue }
      return KeyValues(
        layout, values: batch.values.gather(chosen, count: n),
        sequences: batch.sequences.gather(chosen, count: n),
        kinds: batch.kinds.gather(chosen, count: n))
    }
    return nil
  }
}

extension Table {
  package func prefixLookup(
    width: Int, at snapshot: Snapshot
  ) throws(TerraceError) -> PrefixLookup {
    try PrefixLookup(self, width: width, at: snapshot)
  }
}
