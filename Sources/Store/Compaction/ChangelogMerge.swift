internal import Columns

/// The merge of a compaction that also says what changed: old row against new row of each key.
///
/// Paimon's `LookupChangelogMergeFunctionWrapper` and `FullChangelogMergeFunctionWrapper`, for whole
/// chunks: keys that are gone give -D, new ones +I, others -U and +U.
final class ChangelogMerge {
  /// Where the row lies that readers of the changelog have seen last.
  enum Old {
    /// Levels 1 and up of the section, else the runs below it; only keys with a level-0 row changed.
    case levelsAbove0(BucketLookup)
    /// The last level.
    case level(Int)
  }

  private let table: TableFiles
  private let layout: KeyValueLayout
  private let engine: MergeEngine
  private let runLevels: [Int]
  private let old: Old
  private let dropDeletes: Bool
  private let skipsEqual: Bool

  /// - Parameters:
  ///   - runLevels: the level of each run that the groups come from, oldest first.
  ///   - skipsEqual: `changelog-producer.row-deduplicate`.
  init(
    _ table: TableFiles, runLevels: [Int], old: Old, dropDeletes: Bool, skipsEqual: Bool
  ) {
    self.table = table
    layout = table.layout
    engine = table.engine
    self.runLevels = runLevels
    self.old = old
    self.dropDeletes = dropDeletes
    self.skipsEqual = skipsEqual
  }

  /// What is known of a group while its chunk is worked on. Numbers of members; -1 for none.
  private struct Group {
    var winner: Int
    var before: Int
    /// Row of the looked-up batch; -1 for none.
    var found = -1
    var isNews: Bool
  }

  /// The rows that stand, and the changes, in key order.
  func apply(
    _ groups: KeyGroups
  ) throws(TerraceError) -> (rows: KeyValueRows, changes: KeyValueRows) {
    let heads = BatchHeads(groups.batches)
    var states = classify(groups, heads)
    let found = try lookUp(groups, &states)
    return (
      rows(groups, heads, states), changes(groups, heads, states, found)
    )
  }

  private func classify(_ groups: KeyGroups, _ heads: BatchHeads) -> [Group] {
    let starts = groups.starts.pointer(Int32.self)
    let sources = groups.sources.pointer(UInt16.self)
    let levels = groups.runs.map { runLevels[$0] }
    var states: [Group] = []
    states.reserveCapacity(groups.count)
    for group in 0..<groups.count {
      let start = Int(starts[group])
      let end = Int(starts[group + 1])
      var news = false
      // Older runs come first, so the old rows are the first members of their group.
      var oldEnd = start
      for member in start..<end {
        let level = levels[Int(sources[member])]
        switch old {
        case .levelsAbove0: if level > 0 { oldEnd = member + 1 } else { news = true }
        case .level(let top): if level == top { oldEnd = member + 1 } else { news = true }
        }
      }
      states.append(
        Group(
          winner: engine.last(groups, heads, start, end) ?? -1,
          before: oldEnd > start ? engine.last(groups, heads, start, oldEnd) ?? -1 : -1,
          isNews: news))
    }
    return states
  }

  /// Looks up the old rows that the section itself does not hold.
  private func lookUp(
    _ groups: KeyGroups, _ states: inout [Group]
  ) throws(TerraceError) -> KeyValues? {
    guard case .levelsAbove0(let lookup) = old, !lookup.isEmpty else { return nil }
    let starts = groups.starts.pointer(Int32.self)
    let wanted = Selection(capacity: groups.count)
    var asking: [Int] = []
    for (index, state) in states.enumerated() where state.isNews && state.before < 0 {
      let member = Int(starts[index])
      wanted.append(
        groups.sources.pointer(UInt16.self)[member], groups.rows.pointer(Int32.self)[member])
      asking.append(index)
    }
    if asking.isEmpty { return nil }
    let keys = layout.keyColumns.map { column in
      wanted.gather(groups.batches) { $0.values.columns[column] }
    }
    let (rows, matches) = try lookup.rows(keys, count: asking.count)
    for (i, index) in asking.enumerated() {
      states[index].found = Int(matches.pointer(Int32.self)[i])
    }
    return rows
  }

  private func rows(_ groups: KeyGroups, _ heads: BatchHeads, _ states: [Group]) -> KeyValueRows {
    let out = Selection(capacity: groups.count)
    for state in states where state.winner >= 0 {
      let source = groups.sources.pointer(UInt16.self)[state.winner]
      let row = groups.rows.pointer(Int32.self)[state.winner]
      if dropDeletes && heads.kinds[Int(source)][Int(row)] & 1 != 0 { continue }
      out.append(source, row)
    }
    return KeyValueRows(
      values: out.gatherValues(groups.batches, type: layout.type),
      sequences: out.gather(groups.batches) { $0.sequences },
      kinds: out.gather(groups.batches) { $0.kinds })
  }

  // MARK: - Changes

  private func changes(
    _ groups: KeyGroups, _ heads: BatchHeads, _ states: [Group], _ found: KeyValues?
  ) -> KeyValueRows {
    let batches = groups.batches + (found.map { [$0] } ?? [])
    let foundSource = UInt16(groups.batches.count)
    let sources = groups.sources.pointer(UInt16.self)
    let rows = groups.rows.pointer(Int32.self)
    let before = Selection(capacity: states.count)
    let after = Selection(capacity: states.count)
    // 1: only before, 2: only after, 3: both.
    var sides: [UInt8] = []
    for state in states where state.isNews {
      var old: (UInt16, Int32)?
      if state.before >= 0 {
        old = (sources[state.before], rows[state.before])
      } else if state.found >= 0 {
        old = (foundSource, Int32(state.found))
      }
      var new = state.winner >= 0 ? (sources[state.winner], rows[state.winner]) : old
      if let there = old, let here = new, there.0 == foundSource,
        isLater(batches[Int(there.0)], Int(there.1), batches[Int(here.0)], Int(here.1))
      {
        new = there
      }
      let had = old.map { !isDelete(batches, $0) } ?? false
      let has = new.map { !isDelete(batches, $0) } ?? false
      if let old, had { before.append(old.0, old.1) }
      if let new, has { after.append(new.0, new.1) }
      if had || has { sides.append((had ? 1 : 0) | (has ? 2 : 0)) }
    }
    return emit(batches, before, after, sides)
  }

  private func isDelete(_ batches: [KeyValues], _ at: (UInt16, Int32)) -> Bool {
    batches[Int(at.0)].kinds.pointer(UInt8.self)[Int(at.1)] & 1 != 0
  }

  /// Whether sequence fields place a looked-up row after the new one.
  private func isLater(_ a: KeyValues, _ row: Int, _ b: KeyValues, _ other: Int) -> Bool {
    guard let left = a.order, let right = b.order else { return false }
    return left.compare(row, right, other) > 0
  }

  private func emit(
    _ batches: [KeyValues], _ before: Selection, _ after: Selection, _ sides: [UInt8]
  ) -> KeyValueRows {
    let equal = skipsEqual ? equalPairs(batches, before, after, sides) : []
    let out = Selection(capacity: sides.count * 2)
    let kinds = Buffer(byteCount: sides.count * 2)
    var b = 0
    var a = 0
    func add(_ selection: Selection, _ index: Int, _ kind: RowKind) {
      kinds.pointer(UInt8.self)[out.count] = kind.rawValue
      out.append(selection.sourcePointer[index], selection.rowPointer[index])
    }
    for (i, side) in sides.enumerated() {
      switch side {
      case 1: add(before, b, .delete)
      case 2: add(after, a, .insert)
      default:
        if !(skipsEqual && equal[i]) {
          add(before, b, .updateBefore)
          add(after, a, .updateAfter)
        }
      }
      b += Int(side & 1)
      a += Int(side >> 1)
    }
    return KeyValueRows(
      values: out.gatherValues(batches, type: layout.type),
      sequences: out.gather(batches) { $0.sequences },
      kinds: Column(type: KeyValueFields.kind.type, count: out.count, values: kinds))
  }

  /// For each side of both: whether all values are the same.
  private func equalPairs(
    _ batches: [KeyValues], _ before: Selection, _ after: Selection, _ sides: [UInt8]
  ) -> [Bool] {
    let left = Selection(capacity: sides.count)
    let right = Selection(capacity: sides.count)
    var b = 0
    var a = 0
    for side in sides {
      if side == 3 {
        left.append(before.sourcePointer[b], before.rowPointer[b])
        right.append(after.sourcePointer[a], after.rowPointer[a])
      }
      b += Int(side & 1)
      a += Int(side >> 1)
    }
    var same = [Bool](repeating: true, count: left.count)
    for index in layout.type.fields.indices {
      let x = left.gather(batches) { $0.values.columns[index] }
      let y = right.gather(batches) { $0.values.columns[index] }
      for row in 0..<left.count where same[row] { same[row] = x.equals(row, y, row) }
    }
    var next = 0
    return sides.map { side in
      if side != 3 { return false }
      next += 1
      return same[next - 1]
    }
  }
}

extension Column {
  /// Whether two values are the same: null equals null, floats by their bits.
  func equals(_ row: Int, _ other: Column, _ otherRow: Int) -> Bool {
    if isNull(row) || other.isNull(otherRow) { return isNull(row) == other.isNull(otherRow) }
    switch physical {
    case .bytes: return compareBytes(bytes(row), other.bytes(otherRow)) == 0
    case .row:
      return children.indices.allSatisfy { children[$0].equals(row, other.children[$0], otherRow) }
    case .list, .map:
      let mine = Int(offsets[row])..<Int(offsets[row + 1])
      let theirs = Int(other.offsets[otherRow])..<Int(other.offsets[otherRow + 1])
      if mine.count != theirs.count { return false }
      return zip(mine, theirs).allSatisfy { a, b in
        children.indices.allSatisfy { children[$0].equals(a, other.children[$0], b) }
      }
    default:
      let width = physical.width
      return compareBytes(
        UnsafeRawBufferPointer(start: values + row * width, count: width),
        UnsafeRawBufferPointer(start: other.values + otherRow * width, count: width)) == 0
    }
  }
}
