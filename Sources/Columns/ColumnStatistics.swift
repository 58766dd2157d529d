/// How many rows of a column are null, and between which values the others lie.
///
/// A missing bound means unknown: never conclude "no match" from it.
public struct ColumnStatistics: Hashable, Sendable {
  public var nullCount: Int?
  public var min: Scalar?
  public var max: Scalar?

  public init(nullCount: Int? = nil, min: Scalar? = nil, max: Scalar? = nil) {
    self.nullCount = nullCount
    self.min = min
    self.max = max
  }

  /// Exact statistics of a column; no bounds for nested columns, for columns without a valid value,
  /// and for floats with a NaN.
  public init(of column: Column) {
    nullCount = column.nullCount
    if let (low, high) = column.extremes() {
      min = column.scalar(low)
      max = column.scalar(high)
    }
  }

  /// Widens by the statistics of more rows of the same column. A missing bound in `other` makes the
  /// bound unknown, unless all of its rows are null.
  public mutating func merge(_ other: ColumnStatistics, selfRows: Int, otherRows: Int) {
    let selfEmpty = nullCount == selfRows
    let otherEmpty = other.nullCount == otherRows
    nullCount = nullCount.flatMap { mine in other.nullCount.map { mine + $0 } }
    if otherEmpty { return }
    if selfEmpty {
      min = other.min
      max = other.max
      return
    }
    min = min.flatMap { mine in
      other.min.map { Scalar.compare($0, mine) < 0 ? $0 : mine }
    }
    max = max.flatMap { mine in
      other.max.map { Scalar.compare($0, mine) > 0 ? $0 : mine }
    }
  }
}

extension Column {
  /// Rows that hold the least and the greatest valid value in key order; nil when there is none,
  /// when a float is NaN, and for nested columns.
  public func extremes() -> (min: Int, max: Int)? {
    switch physical {
    case .boolean: return extremes(UInt8.self) { $0 }
    case .int8: return extremes(Int8.self) { $0 }
    case .int16: return extremes(Int16.self) { $0 }
    case .int32: return extremes(Int32.self) { $0 }
    case .int64: return extremes(Int64.self) { $0 }
    case .int128: return extremes(Int128.self) { $0 }
    case .float32:
      let p = pointer(Float.self)
      for i in 0..<count where p[i].isNaN && !isNull(i) { return nil }
      return extremes(Float.self) { orderedBits($0) }
    case .float64:
      let p = pointer(Double.self)
      for i in 0..<count where p[i].isNaN && !isNull(i) { return nil }
      return extremes(Double.self) { orderedBits($0) }
    case .bytes: return extremeBytes()
    case .list, .map, .row: return nil
    }
  }

  @inline(__always) private func extremes<T: BitwiseCopyable, K: Comparable>(
    _ type: T.Type, _ key: (T) -> K
  ) -> (min: Int, max: Int)? {
    let p = pointer(type)
    guard let first = (0..<count).first(where: { !isNull($0) }) else { return nil }
    var low = first
    var high = first
    var lowKey = key(p[first])
    var highKey = lowKey
    if validity == nil {
      for i in 1..<Swift.max(count, 1) {
        let k = key(p[i])
        if k < lowKey { (low, lowKey) = (i, k) }
        if k > highKey { (high, highKey) = (i, k) }
      }
    } else {
      for i in first..<count where !isNull(i) {
        let k = key(p[i])
        if k < lowKey { (low, lowKey) = (i, k) }
        if k > highKey { (high, highKey) = (i, k) }
      }
    }
    return (low, high)
  }

  private func extremeBytes() -> (min: Int, max: Int)? {
    guard let first = (0..<count).first(where: { !isNull($0) }) else { return nil }
    var low = first
    var high = first
    for i in first..<count where !isNull(i) {
      let row = bytes(i)
      if compareBytes(row, bytes(low)) < 0 { low = i }
      if compareBytes(row, bytes(high)) > 0 { high = i }
    }
    return (low, high)
  }
}

/// Unsigned lexicographic order; a prefix comes first.
@inlinable public func compareBytes(
  _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer
) -> Int {
  let n = Swift.min(a.count, b.count)
  var i = 0
  while i &+ 8 <= n {
    let x = UInt64(bigEndian: a.loadUnaligned(fromByteOffset: i, as: UInt64.self))
    let y = UInt64(bigEndian: b.loadUnaligned(fromByteOffset: i, as: UInt64.self))
    if x != y { return x < y ? -1 : 1 }
    i &+= 8
  }
  while i < n {
    if a[i] != b[i] { return a[i] < b[i] ? -1 : 1 }
    i &+= 1
  }
  return a.count &- b.count
}
