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
    let entries = Buffer(byteCount: count * MemoryLayout<SortEntry>.stride)
    let e = entries.pointer(SortEntry.self)
    let shared = isWhole ? 0 : sharedPrefix()
    if shared == 0 {
      for i in 0..<count { e[i] = SortEntry(key: prefixes[i], row: Int32(truncatingIfNeeded: i)) }
    } else {
      for i in 0..<count {
        e[i] = SortEntry(key: word(i, at: shared), row: Int32(truncatingIfNeeded: i))
      }
    }
    let sorted = radixSort(entries, count)
    for i in 0..<count { out[i] = sorted.pointer(SortEntry.self)[i].row }
    if !isWhole { sortTies(sorted.pointer(SortEntry.self), out, from: shared) }
    return rows
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

  private func sortTies(
    _ sorted: UnsafePointer<SortEntry>, _ rows: UnsafeMutablePointer<Int32>, from: Int
  ) {
    var start = 0
    while start < count {
      var end = start + 1
      while end < count && sorted[end].key == sorted[start].key { end += 1 }
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
