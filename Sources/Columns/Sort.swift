/// Sorting rows by their normalized keys.
///
/// Least-significant-digit radix sort over (eight key bytes, row), all histograms in one pass,
/// constant bytes skipped (Knuth, TAOCP 3, 5.2.5). Longer keys: the bytes that all keys share are
/// left out, and rows with equal eight bytes are ordered by the rest.
extension NormalizedKeys {
  /// Row numbers in key order; rows of equal keys keep their order. `count` Int32.
  public func sortedRows() -> Buffer {
    let rows = Buffer(byteCount: count * 4)
    let out = rows.pointer(Int32.self)
    if isSorted() {
      for i in 0..<count { out[i] = Int32(truncatingIfNeeded: i) }
      return rows
    }
    let shared = isWhole ? 0 : sharedPrefix()
    let bytes = varyingBytes(at: shared)
    if bytes.count <= 4 {
      let entries = Buffer(byteCount: count * 8)
      pack(bytes, at: shared, into: entries.pointer(UInt64.self))
      let sorted = radixSort(packed: entries, count, digits: bytes.count)
      let e = sorted.pointer(UInt64.self)
      for i in 0..<count { out[i] = Int32(truncatingIfNeeded: e[i]) }
      if !isWhole { sortTies(out, from: shared) { e[$0] >> 32 == e[$1] >> 32 } }
      return withExtendedLifetime(sorted) { rows }
    }
    let entries = Buffer(byteCount: count * MemoryLayout<SortEntry>.stride)
    let e = entries.pointer(SortEntry.self)
    for i in 0..<count {
      e[i] = SortEntry(key: sortWord(i, shared), row: Int32(truncatingIfNeeded: i))
    }
    let sorted = radixSort(entries, count)
    let s = sorted.pointer(SortEntry.self)
    for i in 0..<count { out[i] = s[i].row }
    if !isWhole { sortTies(out, from: shared) { s[$0].key == s[$1].key } }
    return withExtendedLifetime(sorted) { rows }
  }

  /// What rows are sorted by at first: eight bytes behind those that all share.
  @inline(__always) private func sortWord(_ row: Int, _ shared: Int) -> UInt64 {
    shared == 0 ? prefixes[row] : word(row, at: shared)
  }

  /// The bytes of these words, from the lowest, that are not the same in all rows.
  private func varyingBytes(at shared: Int) -> [Int] {
    let first = sortWord(0, shared)
    var differing: UInt64 = 0
    for i in 0..<count { differing |= sortWord(i, shared) ^ first }
    return (0..<8).filter { (differing >> UInt64($0 * 8)) & 255 != 0 }
  }

  /// Up to four bytes of each word, and below them the row: half the memory of whole words.
  private func pack(_ bytes: [Int], at shared: Int, into e: UnsafeMutablePointer<UInt64>) {
    var shifts: SIMD4<UInt64> = .zero
    var masks: SIMD4<UInt64> = .zero
    for (i, byte) in bytes.enumerated() {
      shifts[i] = UInt64(byte * 8)
      masks[i] = 255
    }
    for i in 0..<count {
      let word = sortWord(i, shared)
      let parts = (SIMD4(repeating: word) &>> shifts) & masks
      let key = parts[0] | parts[1] << 8 | parts[2] << 16 | parts[3] << 24
      e[i] = key << 32 | UInt64(i)
    }
  }

  private func isSorted() -> Bool {
    for i in 1..<max(count, 1) where compare(i - 1, self, i) > 0 { return false }
    return true
  }

  /// Bytes that all keys begin with.
  private func sharedPrefix() -> Int {
    let first = key(0)
    var shared = first.count
    for i in 1..<count {
      let other = key(i)
      shared = min(shared, other.count)
      var n = 0
      while n < shared && first[n] == other[n] { n &+= 1 }
      shared = n
      if shared == 0 { break }
    }
    return shared
  }

  /// Eight bytes of a key from `at` on, zero-padded.
  @inline(__always) private func word(_ row: Int, at: Int) -> UInt64 {
    let start = Int(offsets[row]) &+ at
    let length = Int(offsets[row &+ 1]) &- start
    if length <= 0 { return 0 }
    let word = UInt64(
      bigEndian: UnsafeRawPointer(bytes + start).loadUnaligned(as: UInt64.self))
    return length >= 8 ? word : word & (~0 << UInt64(64 &- length &* 8))
  }

  /// Puts rows that the first bytes do not tell apart in order.
  ///
  /// - Parameter same: whether two places of the sorted rows are such.
  private func sortTies(
    _ rows: UnsafeMutablePointer<Int32>, from: Int, _ same: (Int, Int) -> Bool
  ) {
    var start = 0
    while start < count {
      var end = start + 1
      while end < count && same(end, start) { end += 1 }
      if end - start > 1 {
        var ties = UnsafeMutableBufferPointer(start: rows + start, count: end - start)
        ties.sort { a, b in
          let order = compareBytes(
            UnsafeRawBufferPointer(rebasing: key(Int(a))[from...]),
            UnsafeRawBufferPointer(rebasing: key(Int(b))[from...]))
          return order != 0 ? order < 0 : a < b
        }
      }
      start = end
    }
  }
}

/// Eight bytes of a key and the row they belong to.
@usableFromInline struct SortEntry: BitwiseCopyable {
  @usableFromInline var key: UInt64
  @usableFromInline var row: Int32
}

/// Sorts entries by key, stable. Returns the buffer that holds them sorted: the given or a new one.
private func radixSort(_ buffer: Buffer, _ count: Int) -> Buffer {
  let entries = buffer.pointer(SortEntry.self)
  var from = buffer
  var to = Buffer(byteCount: buffer.byteCount)
  withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 8 * 256) { histograms in
    histograms.update(repeating: 0)
    let h = histograms.baseAddress.unsafelyUnwrapped
    for i in 0..<count {
      var key = entries[i].key
      for digit in 0..<8 {
        h[digit &* 256 &+ Int(key & 255)] &+= 1
        key >>= 8
      }
    }
    for digit in 0..<8 {
      let counts = h + digit * 256
      let shift = UInt64(digit * 8)
      // A byte that all keys share moves nothing.
      if counts[Int((from.pointer(SortEntry.self)[0].key >> shift) & 255)] == UInt32(count) {
        continue
      }
      var sum: UInt32 = 0
      for b in 0..<256 {
        let n = counts[b]
        counts[b] = sum
        sum &+= n
      }
      let source = from.pointer(SortEntry.self)
      let target = to.pointer(SortEntry.self)
      for i in 0..<count {
        let entry = source[i]
        let b = Int((entry.key >> shift) & 255)
        target[Int(counts[b])] = entry
        counts[b] &+= 1
      }
      swap(&from, &to)
    }
  }
  return from
}

/// As above, of entries that hold some bytes of the key over the row, of which `digits` count.
private func radixSort(packed buffer: Buffer, _ count: Int, digits: Int) -> Buffer {
  var from = buffer
  var to = Buffer(byteCount: buffer.byteCount)
  withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 4 * 256) { histograms in
    histograms.update(repeating: 0)
    let h = histograms.baseAddress.unsafelyUnwrapped
    let entries = buffer.pointer(UInt64.self)
    for i in 0..<count {
      let key = entries[i] >> 32
      for digit in 0..<digits { h[digit &* 256 &+ Int((key >> UInt64(digit &* 8)) & 255)] &+= 1 }
    }
    for digit in 0..<digits {
      let counts = h + digit * 256
      var sum: UInt32 = 0
      for b in 0..<256 {
        let n = counts[b]
        counts[b] = sum
        sum &+= n
      }
      let shift = UInt64(32 + digit * 8)
      let source = from.pointer(UInt64.self)
      let target = to.pointer(UInt64.self)
      for i in 0..<count {
        let entry = source[i]
        let b = Int((entry >> shift) & 255)
        target[Int(counts[b])] = entry
        counts[b] &+= 1
      }
      swap(&from, &to)
    }
  }
  return from
}
