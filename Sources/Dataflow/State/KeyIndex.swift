internal import Columns

/// Distinct keys and their numbers: an open-addressing table over hashes, keys in a ``RowStore``.
///
/// Null equals null, NaN equals NaN and -0.0 equals 0.0. The table is addressed by the *top* bits of
/// the hash: rows of a large batch are taken in the order of those bits, so that the part of the
/// table that is worked on stays in the cache (radix partitioning without a second table).
///
/// A single fixed-width key of up to 8 bytes is hashed by a bijection, so equal hashes are equal
/// keys and nothing has to be verified.
final class KeyIndex: @unchecked Sendable {
  private struct Entry: BitwiseCopyable {
    var hash: UInt64
    /// -1 where the entry is free.
    var id: Int32
  }

  let types: [DataType]
  let keys: RowStore
  private let isExact: Bool
  /// The id of the null key of an exact index.
  private var nullID: Int32 = -1
  private var entries = Buffer(byteCount: 0)
  private var bits = 0
  private var used = 0
  /// Nothing but the reason for which `touch` may not be left out.
  private var touched: Int32 = 0

  init(_ types: [DataType]) {
    self.types = types
    keys = RowStore(types.map(\.nullable))
    isExact = types.count == 1 && types[0].physical.width > 0 && types[0].physical.width <= 8
    grow(toBits: 10)
  }

  /// Keys have the numbers below this.
  var count: Int { keys.count }

  var byteCount: Int { entries.byteCount + keys.byteCount }

  private func grow(toBits wanted: Int) {
    let old = entries
    let oldCount = bits == 0 ? 0 : 1 << bits
    bits = wanted
    let capacity = 1 << bits
    entries = Buffer(byteCount: capacity * MemoryLayout<Entry>.stride)
    let to = entries.pointer(Entry.self)
    to.update(repeating: Entry(hash: 0, id: -1), count: capacity)
    let from = old.pointer(Entry.self)
    let shift = UInt64(64 - bits)
    for i in 0..<oldCount where from[i].id >= 0 {
      var at = Int(truncatingIfNeeded: from[i].hash >> shift)
      while to[at].id >= 0 { at = (at &+ 1) & (capacity &- 1) }
      to[at] = from[i]
    }
  }

  /// Hashes of `count` keys.
  func hash(_ columns: [Column], count: Int) -> Buffer {
    let out = Buffer(byteCount: count * 8)
    let h = out.pointer(UInt64.self)
    if !isExact {
      RowHash.hash(columns, count: count, into: h)
      // Spread once more: the table is addressed by the top bits.
      for i in 0..<count { h[i] = h[i] &* 0x9e37_79b9_7f4a_7c15 }
      return out
    }
    let column = columns[0]
    switch column.physical {
    case .boolean, .int8: words(column.pointer(UInt8.self), count, h)
    case .int16: words(column.pointer(UInt16.self), count, h)
    case .int32: words(column.pointer(UInt32.self), count, h)
    case .int64: words(column.pointer(UInt64.self), count, h)
    case .float32:
      let p = column.pointer(Float.self)
      for i in 0..<count { h[i] = KeyIndex.mix(UInt64(orderedBits(p[i] + 0.0))) }
    default:
      let p = column.pointer(Double.self)
      for i in 0..<count { h[i] = KeyIndex.mix(orderedBits(p[i] + 0.0)) }
    }
    return out
  }

  @inline(__always) private func words<T: FixedWidthInteger>(
    _ p: UnsafePointer<T>, _ count: Int, _ h: UnsafeMutablePointer<UInt64>
  ) {
    for i in 0..<count { h[i] = KeyIndex.mix(UInt64(truncatingIfNeeded: p[i])) }
  }

  /// A bijection of 64-bit words that spreads every bit (MurmurHash3's finaliser, A. Appleby).
  @inline(__always) static func mix(_ value: UInt64) -> UInt64 {
    var h = value
    h ^= h >> 33
    h = h &* 0xff51_afd7_ed55_8ccd
    h ^= h >> 33
    h = h &* 0xc4ce_b9fe_1a85_ec53
    return h ^ (h >> 33)
  }

  /// -0.0 becomes 0.0, so that the two hash alike and look alike.
  static func normalized(_ columns: [Column]) -> [Column] {
    columns.map { column in
      switch column.physical {
      case .float32:
        let p = column.pointer(Float.self)
        let out = Buffer(byteCount: column.count * 4)
        for i in 0..<column.count { out.pointer(Float.self)[i] = p[i] + 0.0 }
        return Column(
          type: column.type, count: column.count, values: out, validity: column.validity)
      case .float64:
        let p = column.pointer(Double.self)
        let out = Buffer(byteCount: column.count * 8)
        for i in 0..<column.count { out.pointer(Double.self)[i] = p[i] + 0.0 }
        return Column(
          type: column.type, count: column.count, values: out, validity: column.validity)
      default: return column
      }
    }
  }

  /// Rows in the order of the top bits of their hashes, or nil when the table is small enough to
  /// be met in any order.
  func partitionOrder(_ hashes: Buffer, count: Int) -> Buffer? {
    guard count >= 1 << 14, (used + count) * MemoryLayout<Entry>.stride > 1 << 21 else {
      return nil
    }
    let h = hashes.pointer(UInt64.self)
    let out = Buffer(byteCount: count * 4)
    let order = out.pointer(Int32.self)
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 256) { starts in
      let s = starts.baseAddress.unsafelyUnwrapped
      s.update(repeating: 0, count: 256)
      for i in 0..<count { s[Int(truncatingIfNeeded: h[i] >> 56)] &+= 1 }
      var sum = 0
      for b in 0..<256 {
        let n = s[b]
        s[b] = sum
        sum &+= n
      }
      for i in 0..<count {
        let b = Int(truncatingIfNeeded: h[i] >> 56)
        order[s[b]] = Int32(truncatingIfNeeded: i)
        s[b] &+= 1
      }
    }
    return out
  }

  /// Numbers of `count` keys; keys that are new are added.
  ///
  /// - Parameters:
  ///   - columns: normalized (see `normalized`), in the order in which they should be stored.
  ///   - out: `count` numbers.
  func insert(
    _ columns: [Column], hashes: Buffer, count n: Int, into out: UnsafeMutablePointer<Int32>
  ) throws(TerraceError) {
    while (used + n) * 4 > (1 << bits) * 3 { grow(toBits: bits + 1) }
    let h = hashes.pointer(UInt64.self)
    let table = entries.pointer(Entry.self)
    let mask = (1 << bits) &- 1
    let shift = UInt64(64 - bits)
    let fresh = Buffer(byteCount: n * 4)
    let new = fresh.pointer(Int32.self)
    var added = 0
    let base = Int32(keys.count)
    let validity = isExact ? columns[0].validity : nil
    var next = 0
    for i in 0..<n {
      if i == next { next = touch(h, i, n) }
      if let validity, !validity[i] {
        if nullID < 0 {
          nullID = base &+ Int32(truncatingIfNeeded: added)
          new[added] = Int32(truncatingIfNeeded: i)
          added &+= 1
        }
        out[i] = nullID
        continue
      }
      let hash = h[i]
      var at = Int(truncatingIfNeeded: hash >> shift)
      while table[at].id >= 0 && table[at].hash != hash { at = (at &+ 1) & mask }
      if table[at].id < 0 {
        table[at] = Entry(hash: hash, id: base &+ Int32(truncatingIfNeeded: added))
        new[added] = Int32(truncatingIfNeeded: i)
        added &+= 1
        used &+= 1
      }
      out[i] = table[at].id
    }
    if added > 0 {
      try keys.append(
        added == n ? columns : columns.map { $0.gather(new, count: added) }, count: added)
    }
    if !isExact { try resolveCollisions(columns, h, n, out, added) }
  }

  /// Numbers of `count` keys, -1 where there is no such key.
  func find(
    _ columns: [Column], hashes: Buffer, count n: Int, into out: UnsafeMutablePointer<Int32>
  ) {
    let h = hashes.pointer(UInt64.self)
    let table = entries.pointer(Entry.self)
    let mask = (1 << bits) &- 1
    let shift = UInt64(64 - bits)
    let validity = isExact ? columns[0].validity : nil
    var next = 0
    for i in 0..<n {
      if i == next { next = touch(h, i, n) }
      if let validity, !validity[i] {
        out[i] = nullID
        continue
      }
      let hash = h[i]
      var at = Int(truncatingIfNeeded: hash >> shift)
      while table[at].id >= 0 && table[at].hash != hash { at = (at &+ 1) & mask }
      out[i] = table[at].id
    }
    if isExact { return }
    let wrong = mismatches(columns, n, out)
    for i in wrong { out[i] = probe(columns, i, h[i]) }
  }

  /// Reads the entries of the next rows, so that their cache misses overlap instead of following
  /// one another. Returns the row after the last one read.
  @inline(__always) private func touch(_ h: UnsafePointer<UInt64>, _ from: Int, _ n: Int) -> Int {
    let end = min(from &+ 64, n)
    let table = entries.pointer(Entry.self)
    let shift = UInt64(64 - bits)
    var seen: Int32 = 0
    for i in from..<end { seen ^= table[Int(truncatingIfNeeded: h[i] >> shift)].id }
    touched = seen
    return end
  }

  // MARK: - Hashes that collide

  /// Rows whose key is not the key of the number they were given: 64-bit hashes have collided.
  private func mismatches(
    _ columns: [Column], _ n: Int, _ ids: UnsafePointer<Int32>
  ) -> [Int] {
    var wrong: [Int] = []
    for c in types.indices {
      let column = columns[c]
      let chunks = keys.chunks[c]
      for i in 0..<n where ids[i] >= 0 {
        let id = Int(ids[i])
        let chunk = chunks[id >> RowStore.chunkShift]
        if !column.equals(i, chunk, id & (RowStore.chunkRows - 1)) { wrong.append(i) }
      }
    }
    return Array(Set(wrong)).sorted()
  }

  private func resolveCollisions(
    _ columns: [Column], _ h: UnsafePointer<UInt64>, _ n: Int,
    _ out: UnsafeMutablePointer<Int32>, _ added: Int
  ) throws(TerraceError) {
    let wrong = mismatches(columns, n, out)
    for i in wrong {
      let found = probe(columns, i, h[i])
      if found >= 0 {
        out[i] = found
        continue
      }
      let id = Int32(keys.count)
      try keys.append(columns.map { $0.slice(i..<i + 1) }, count: 1)
      add(h[i], id)
      out[i] = id
    }
  }

  /// The number of one key, looking at every entry with its hash.
  private func probe(_ columns: [Column], _ row: Int, _ hash: UInt64) -> Int32 {
    let table = entries.pointer(Entry.self)
    let mask = (1 << bits) &- 1
    var at = Int(truncatingIfNeeded: hash >> UInt64(64 - bits))
    while table[at].id >= 0 {
      if table[at].hash == hash {
        let same = types.indices.allSatisfy { c in
          let (chunk, place) = keys.place(c, Int(table[at].id))
          return columns[c].equals(row, chunk, place)
        }
        if same { return table[at].id }
      }
      at = (at &+ 1) & mask
    }
    return -1
  }

  private func add(_ hash: UInt64, _ id: Int32) {
    if (used + 1) * 4 > (1 << bits) * 3 { grow(toBits: bits + 1) }
    let table = entries.pointer(Entry.self)
    let mask = (1 << bits) &- 1
    var at = Int(truncatingIfNeeded: hash >> UInt64(64 - bits))
    while table[at].id >= 0 { at = (at &+ 1) & mask }
    table[at] = Entry(hash: hash, id: id)
    used += 1
  }

  /// Keeps the keys `ids`, ascending, which are numbered anew in that order.
  func keep(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    let map = Buffer(byteCount: max(count, 1) * 4)
    let to = map.pointer(Int32.self)
    to.update(repeating: -1, count: count)
    for i in 0..<n { to[Int(ids[i])] = Int32(i) }
    let old = entries
    let oldCount = 1 << bits
    nullID = nullID < 0 ? -1 : to[Int(nullID)]
    try keys.keep(ids, n)
    used = 0
    entries = Buffer(byteCount: 0)
    bits = 0
    var wanted = 10
    while n * 4 > (1 << wanted) * 2 { wanted += 1 }
    grow(toBits: wanted)
    let from = old.pointer(Entry.self)
    for i in 0..<oldCount where from[i].id >= 0 {
      let id = to[Int(from[i].id)]
      if id >= 0 { add(from[i].hash, id) }
    }
  }
}

extension Column {
  /// Whether two rows hold the same value, null and NaN equal to themselves.
  func equals(_ row: Int, _ other: Column, _ otherRow: Int) -> Bool {
    let (a, b) = (isNull(row), other.isNull(otherRow))
    if a || b { return a && b }
    switch physical {
    case .boolean, .int8: return pointer(UInt8.self)[row] == other.pointer(UInt8.self)[otherRow]
    case .int16: return pointer(UInt16.self)[row] == other.pointer(UInt16.self)[otherRow]
    case .int32: return pointer(UInt32.self)[row] == other.pointer(UInt32.self)[otherRow]
    case .int64: return pointer(UInt64.self)[row] == other.pointer(UInt64.self)[otherRow]
    case .int128: return pointer(UInt128.self)[row] == other.pointer(UInt128.self)[otherRow]
    case .float32:
      let (x, y) = (pointer(Float.self)[row], other.pointer(Float.self)[otherRow])
      return x == y || (x.isNaN && y.isNaN)
    case .float64:
      let (x, y) = (pointer(Double.self)[row], other.pointer(Double.self)[otherRow])
      return x == y || (x.isNaN && y.isNaN)
    case .bytes: return equalBytes(bytes(row), other.bytes(otherRow))
    case .list, .map:
      let mine = Int(offsets[row])..<Int(offsets[row + 1])
      let theirs = Int(other.offsets[otherRow])..<Int(other.offsets[otherRow + 1])
      guard mine.count == theirs.count else { return false }
      return zip(children, other.children).allSatisfy { x, y in
        zip(mine, theirs).allSatisfy { x.equals($0, y, $1) }
      }
    case .row:
      return zip(children, other.children).allSatisfy { $0.equals(row, $1, otherRow) }
    }
  }
}
