internal import Columns

/// Inner, left, right, full, semi and anti joins by equal keys and a further condition.
///
/// The law is (A + a) ⋈ (B + b) - A ⋈ B = a ⋈ B + (A + a) ⋈ b: changes of one side meet the *other*
/// side as it stands, then are added to their own. Weights multiply, so retraction is no case of
/// its own. Both sides number their keys in one ``KeyIndex``, so a row is looked up once.
///
/// Outer, semi and anti joins ask of a row whether it has a partner. Without a further condition
/// that is a fact about the key: the other side's rows of that key. With one, every row counts its
/// partners. When the fact changes, the row is sent or taken back.
final class JoinOperator: Operator {
  let node: Plan.Join
  var index: KeyIndex
  var sides: [JoinSide]
  private let leftCount: Int
  private let rightTypes: [DataType]
  private let leftTypes: [DataType]
  /// By side: a source table plays its state.
  let played: [PlayedSide?]
  /// Sides with a state table.
  let kept: [Int]
  var playedRows: [PlayedRows?] = [nil, nil]
  var keptRows: [(any StateBacking)?] = []
  var keptWholeAfter: Int?

  init(_ node: Plan.Join, _ runtime: Runtime, type: RowType) {
    self.node = node
    let left = node.left.type
    let right = node.right.type
    leftCount = left.count
    leftTypes = left.fields.map(\.type)
    rightTypes = right.fields.map(\.type)
    index = KeyIndex(node.leftKeys.map { left.fields[$0].type.nullable })
    let played = [0, 1].map { side in
      PlayedSide(node, side).flatMap { runtime.played.contains($0.source.reference) ? $0 : nil }
    }
    self.played = played
    kept = [0, 1].filter { played[$0] == nil }
    sides = JoinOperator.sides(node, played, runtime)
    super.init(Plan.join(node).operatorName, runtime, type: type)
  }

  private static func sides(
    _ node: Plan.Join, _ played: [PlayedSide?], _ runtime: Runtime
  ) -> [JoinSide] {
    let hasResidual = node.residual != nil
    let tracksLeft = [.left, .full, .semi, .anti].contains(node.kind)
    let tracksRight = [.right, .full].contains(node.kind)
    return [
      JoinSide(
        node.left.type, keys: node.leftKeys, nullSafe: node.nullSafe,
        isAppendOnly: node.left.isAppendOnly, tracks: tracksLeft,
        counts: tracksLeft && hasResidual, counted: tracksRight && !hasResidual,
        isPlayed: played[0] != nil, runtime),
      JoinSide(
        node.right.type, keys: node.rightKeys, nullSafe: node.nullSafe,
        isAppendOnly: node.right.isAppendOnly, tracks: tracksRight,
        counts: tracksRight && hasResidual, counted: tracksLeft && !hasResidual,
        isPlayed: played[1] != nil, runtime),
    ]
  }

  override var isEvictable: Bool { !node.leftKeys.isEmpty }

  override func forget() {
    let bases = sides.map(\.state.numberBase)
    index = KeyIndex(index.types)
    sides = JoinOperator.sides(node, played, runtime)
    for (side, base) in bases.enumerated() { setBase(side, base) }
  }

  override var stateTables: [StateTable] {
    kept.map { sides[$0].layout.table(["left", "right"][$0]) }
  }

  override func takeState() throws(TerraceError) -> [[DeltaBatch]] {
    var out: [[DeltaBatch]] = []
    for place in kept {
      let side = sides[place]
      out.append(try side.state.takeChanges().map(side.layout.stored))
    }
    return out
  }

  override func restore(_ table: Int, _ rows: Batch) throws(TerraceError) {
    try load(kept[table], rows)
  }

  /// - Parameter input: the side; of one that is played the rows are as they come.
  override func load(_ input: Int, _ rows: Batch) throws(TerraceError) {
    let side = sides[input]
    if side.isPlayed {
      return try meet(try number(DeltaBatch(inserting: rows), side, keepsOrder: true), input)
    }
    let stored = side.layout.split(side.unknown(rows))
    let delta = stored.delta(side.state.rowType)
    try meet(try number(delta, side, keepsOrder: true), input, stored)
  }

  override var stateBytes: Int { sides.reduce(index.byteCount) { $0 + $1.byteCount } }
  override var pendingBytes: Int { sides.reduce(0) { $0 + $1.state.pendingBytes } }
  override func attach(_ backings: [(any StateBacking)?], wholeAfter: Int?) {
    keptRows = backings
    keptWholeAfter = wholeAfter
    var all: [(any StateBacking)?] = playedRows
    for (place, backing) in zip(kept, backings) { all[place] = backing }
    super.attach(all, wholeAfter: wholeAfter)
  }

  override func lookupCount(_ side: Int) -> Int { sides[side].layout.key.count }

  override func setNumberBase(_ table: Int, _ base: Int32) { setBase(kept[table], base) }
  private func setBase(_ side: Int, _ base: Int32) {
    sides[side].state.numberBase = base
    sides[side].firstOwn = base
  }
  override func numberBase(_ table: Int) -> Int32 { sides[kept[table]].state.numberBase }

  /// The output has the columns of both sides.
  private var pairs: Bool { node.kind != .semi && node.kind != .anti }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    let side = sides[input]
    let (plain, loose) = splitNullKeys(delta, side)
    if let loose {
      statistics.nullKeys += loose.count
      // A null key matches nothing: such a row needs no state.
      if side.tracks && node.kind != .semi { try emitAlone(loose, input) }
    }
    if plain.count == 0 { return }
    let keyed = try number(plain, side)
    // Nothing asks for its own rows but those of the other side when they come.
    let keepsOwn = node.kind == .inner && (side.state.isAppendOnly || side.isPlayed)
    try readPlayed(keyed, but: keepsOwn ? input : nil)
    try fetch(
      keyed.ids.pointer(Int32.self), keyed.count, of: index, but: keepsOwn ? input : nil)
    try meet(keyed, input)
  }

  override func endEpoch() throws(TerraceError) {
    for side in sides { try side.compact() }
  }

  // MARK: - Keys

  func splitNullKeys(_ delta: DeltaBatch, _ side: JoinSide) -> (DeltaBatch, DeltaBatch?) {
    let strict = zip(side.keys, node.nullSafe).filter { !$1 }.map { delta.rows.columns[$0.0] }
    guard let validity = Bitmap.all(strict.compactMap(\.validity)) else { return (delta, nil) }
    let valid = Rows(count: delta.count) { validity[$0] }
    let null = Rows(count: delta.count) { !validity[$0] }
    if null.count == 0 { return (delta, nil) }
    return (
      delta.gather(valid.buffer.pointer(Int32.self), count: valid.count),
      delta.gather(null.buffer.pointer(Int32.self), count: null.count)
    )
  }

  /// Rows with the numbers of their keys.
  final class Keyed {
    let delta: DeltaBatch
    let ids: Buffer
    var count: Int { delta.count }

    init(delta: DeltaBatch, ids: Buffer) {
      self.delta = delta
      self.ids = ids
    }
  }

  func number(
    _ delta: DeltaBatch, _ side: JoinSide, keepsOrder: Bool = false
  ) throws(TerraceError) -> Keyed {
    let n = delta.count
    let ids = Buffer(byteCount: n * 4)
    if side.keys.isEmpty {
      ids.pointer(Int32.self).update(repeating: 0, count: n)
      for side in sides { side.reserve(keys: 1) }
      return Keyed(delta: delta, ids: ids)
    }
    var rows = delta
    var keys = KeyIndex.normalized(side.keys.map { delta.rows.columns[$0] })
    var hashes = index.hash(keys, count: n)
    if !keepsOrder, let order = index.partitionOrder(hashes, count: n) {
      // Rows in hash order: the table is met part by part, and so are the rows stored.
      let o = order.pointer(Int32.self)
      rows = delta.gather(o, count: n)
      keys = keys.map { $0.gather(o, count: n) }
      let sorted = Buffer(byteCount: n * 8)
      let from = hashes.pointer(UInt64.self)
      for i in 0..<n { sorted.pointer(UInt64.self)[i] = from[Int(o[i])] }
      hashes = sorted
    }
    try index.insert(keys, hashes: hashes, count: n, into: ids.pointer(Int32.self))
    for side in sides { side.reserve(keys: index.count) }
    return Keyed(delta: rows, ids: ids)
  }

  // MARK: - Meeting the other side

  /// - Parameter stored: the rows come from the state table.
  func meet(
    _ keyed: Keyed, _ input: Int, _ stored: StoredRows? = nil
  ) throws(TerraceError) {
    let mine = sides[input]
    let other = sides[1 - input]
    let n = keyed.count
    let w = keyed.delta.weights.pointer(Int64.self)
    let ids = keyed.ids.pointer(Int32.self)
    let slots = Buffer(byteCount: n * 4)
    // Partners of each of the new rows, where rows count them.
    let partners = mine.counts ? Buffer(byteCount: n * 8) : nil
    partners?.pointer(Int64.self).update(repeating: 0, count: n)
    var changed = Toggles()
    let sends = pairs && !runtime.isRestoring
    if sends || mine.counts || other.counts {
      try forEachPair(keyed, other, input) { (rows, partnersOf, m) throws(TerraceError) in
        let r = rows.pointer(Int32.self)
        let s = partnersOf.pointer(Int32.self)
        if let partners {
          let p = partners.pointer(Int64.self)
          for i in 0..<m { p[Int(r[i])] += other.state.weight(Int(s[i])) }
        }
        if other.counts {
          for i in 0..<m { changed.note(s[i], other.matches, w[Int(r[i])]) }
        }
        if sends { try self.emitPairs(keyed, rows, partnersOf, m, input) }
      }
    }
    // Rows whose answer is known from their key, before this change is counted.
    if mine.tracks { try emitOwn(keyed, partners, input) }
    // Nobody asks for these rows any more.
    if hasEnded(1 - input), !other.tracks { return }
    if mine.isPlayed, node.kind == .inner, !runtime.isRestoring {
      return try applyKnown(keyed, mine, input)
    }
    try mine.state.apply(
      keyed.delta.rows.columns, weights: w, keys: ids, count: n,
      slots: slots.pointer(Int32.self), stored: stored?.numbers)
    if let partners {
      mine.matches.reserve(mine.state.count)
      let p = partners.pointer(Int64.self)
      let s = slots.pointer(Int32.self)
      for i in 0..<n { mine.matches[Int(s[i])] = p[i] }
    }
    if other.tracks && !other.counts {
      try toggleKeys(ids, w, n, mine, other, input)
    } else if mine.counted {
      let totals = mine.totals.pointer
      for i in 0..<n { totals[Int(ids[i])] &+= w[i] }
    }
    if other.counts { try toggle(changed, other, 1 - input) }
  }

  /// Candidates by key, a bounded number at a time, those kept for which the condition holds.
  private func forEachPair(
    _ keyed: Keyed, _ other: JoinSide, _ input: Int,
    _ body: (Buffer, Buffer, Int) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    let ids = keyed.ids.pointer(Int32.self)
    let limit = runtime.pairsMax
    var rows = Buffer(byteCount: limit * 4)
    var slots = Buffer(byteCount: limit * 4)
    let heads = other.state.heads.pointer
    let next = other.state.next.pointer
    // Rows that stay have no weight of 0.
    let weights = other.state.isAppendOnly ? nil : other.state.weights.pointer
    var m = 0
    var i = 0
    // First all heads: loads that do not depend on one another overlap their cache misses.
    let starts = Buffer(byteCount: keyed.count * 4)
    let start = starts.pointer(Int32.self)
    for i in 0..<keyed.count { start[i] = heads[Int(ids[i])] }
    var slot: Int32 = keyed.count > 0 ? start[0] : -1
    while i < keyed.count {
      let r = rows.pointer(Int32.self)
      let s = slots.pointer(Int32.self)
      while i < keyed.count && m < limit {
        if slot < 0 {
          i &+= 1
          if i < keyed.count { slot = start[i] }
          continue
        }
        r[m] = Int32(truncatingIfNeeded: i)
        s[m] = slot
        m &+= weights.map { bit($0[Int(slot)] != 0) } ?? 1
        slot = next[Int(slot)]
      }
      if m == 0 { continue }
      if let residual = node.residual {
        let columns = try pairColumns(keyed, rows, slots, m, input, residual.columns)
        let (kept, count) = try runtime.evaluator.select(residual, columns, count: m)
        let k = kept.pointer(Int32.self)
        for j in 0..<count {
          r[j] = r[Int(k[j])]
          s[j] = s[Int(k[j])]
        }
        m = count
      }
      if m > 0 { try body(rows, slots, m) }
      m = 0
      rows = Buffer(byteCount: limit * 4)
      slots = Buffer(byteCount: limit * 4)
    }
  }

  /// Left columns, then right ones, of pairs; columns not wanted are left as they are.
  private func pairColumns(
    _ keyed: Keyed, _ rows: Buffer, _ slots: Buffer, _ m: Int, _ input: Int, _ wanted: Set<Int>?
  ) throws(TerraceError) -> [Column] {
    let r = rows.pointer(Int32.self)
    let s = slots.pointer(Int32.self)
    let mine = keyed.delta.rows.columns.enumerated().map { c, column in
      wanted?.contains(input == 0 ? c : c + leftCount) == false
        ? column : column.gather(r, count: m)
    }
    let store = sides[1 - input].state.rows
    let theirs = store.types.indices.map { c in
      wanted?.contains(input == 0 ? c + leftCount : c) == false
        ? Column.repeatingNull(store.types[c], count: 0) : store.gather(c, s, m)
    }
    return input == 0 ? mine + theirs : theirs + mine
  }

  private func emitPairs(
    _ keyed: Keyed, _ rows: Buffer, _ slots: Buffer, _ m: Int, _ input: Int
  ) throws(TerraceError) {
    let columns = try pairColumns(keyed, rows, slots, m, input, nil)
    let weights = Buffer(byteCount: m * 8)
    let out = weights.pointer(Int64.self)
    let r = rows.pointer(Int32.self)
    let s = slots.pointer(Int32.self)
    let w = keyed.delta.weights.pointer(Int64.self)
    if sides[1 - input].state.isPlain {
      for i in 0..<m { out[i] = w[Int(r[i])] }
    } else {
      let others = sides[1 - input].state.weights.pointer
      for i in 0..<m { out[i] = w[Int(r[i])] &* others[Int(s[i])] }
    }
    try emit(columns, weights, count: m)
  }

  // MARK: - Rows with and without partner

  /// The new rows themselves: padded where they have no partner, or alone for semi and anti.
  private func emitOwn(_ keyed: Keyed, _ partners: Buffer?, _ input: Int) throws(TerraceError) {
    let ids = keyed.ids.pointer(Int32.self)
    let totals = sides[1 - input].totals
    let wanted = node.kind == .semi
    let p = partners?.pointer(Int64.self)
    let chosen = Rows(count: keyed.count) { i in
      ((p.map { $0[i] } ?? totals[Int(ids[i])]) > 0) == wanted
    }
    if chosen.count == 0 { return }
    try emitAlone(keyed.delta.gather(chosen.buffer.pointer(Int32.self), count: chosen.count), input)
  }

  /// Rows of one side, the other side null; or as they are for semi and anti.
  private func emitAlone(_ delta: DeltaBatch, _ input: Int) throws(TerraceError) {
    var columns = delta.rows.columns
    if pairs {
      let types = input == 0 ? rightTypes : leftTypes
      let nulls = types.map { Column.repeatingNull($0.nullable, count: delta.count) }
      columns = input == 0 ? columns + nulls : nulls + columns
    }
    try emit(columns, delta.weights, count: delta.count)
  }

  /// Counts new rows to their keys; where a key gains its first or loses its last row, the rows of
  /// the other side are sent or taken back.
  private func toggleKeys(
    _ ids: UnsafePointer<Int32>, _ w: UnsafePointer<Int64>, _ n: Int, _ mine: JoinSide,
    _ other: JoinSide, _ input: Int
  ) throws(TerraceError) {
    let touched = IDList()
    for i in 0..<n {
      let id = Int(ids[i])
      if mine.before[id] == JoinSide.untouched {
        mine.before[id] = mine.totals[id]
        touched.append(ids[i])
      }
      mine.totals[id] += w[i]
    }
    let slots = IDList()
    let signs = Lane<Int64>()
    for i in 0..<touched.count {
      let id = Int(touched[i])
      let had = mine.before[id] > 0
      let has = mine.totals[id] > 0
      mine.before[id] = JoinSide.untouched
      if had == has { continue }
      var slot = other.state.heads[id]
      while slot >= 0 {
        if other.state.weight(Int(slot)) != 0 {
          signs.reserve(slots.count + 1)
          signs[slots.count] = has ? 1 : -1
          slots.append(slot)
        }
        slot = other.state.next[Int(slot)]
      }
    }
    try emitToggled(slots, signs, other, 1 - input)
  }

  private func toggle(
    _ changed: Toggles, _ side: JoinSide, _ input: Int
  ) throws(TerraceError) {
    let slots = IDList()
    let signs = Lane<Int64>()
    for (slot, before) in changed.before {
      let has = side.matches[Int(slot)] > 0
      if (before > 0) == has || side.state.weight(Int(slot)) == 0 { continue }
      signs.reserve(slots.count + 1)
      signs[slots.count] = has ? 1 : -1
      slots.append(slot)
    }
    try emitToggled(slots, signs, side, input)
  }

  /// Rows that now have a partner (+1) or no longer have one (-1).
  private func emitToggled(
    _ slots: IDList, _ signs: Lane<Int64>, _ side: JoinSide, _ input: Int
  ) throws(TerraceError) {
    let n = slots.count
    if n == 0 { return }
    let weights = Buffer(byteCount: n * 8)
    let out = weights.pointer(Int64.self)
    let direction: Int64 = node.kind == .semi ? 1 : -1
    for i in 0..<n { out[i] = signs[i] * direction * side.state.weight(Int(slots[i])) }
    let columns = side.state.rows.gather(slots.pointer, n)
    let fields = (input == 0 ? node.left : node.right).type
    let typed = zip(columns, fields.fields).map { $0.retyped($1.type) }
    try emitAlone(DeltaBatch(Batch(fields, typed, count: n), weights: weights), input)
  }
}
