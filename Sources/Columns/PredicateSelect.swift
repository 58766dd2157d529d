/// Deciding a predicate for all rows of a batch, a column at a time.
extension Predicate {
  /// Rows of `columns` for which the predicate is true, ascending: how many, and where.
  public func select(_ columns: [Column], count: Int) -> (rows: Buffer, count: Int) {
    let truth = Buffer(byteCount: count)
    decide(columns, count, truth.pointer(UInt8.self))
    let rows = Buffer(byteCount: count * 4)
    let out = rows.pointer(Int32.self)
    let t = truth.pointer(UInt8.self)
    var n = 0
    for i in 0..<count {
      out[n] = Int32(truncatingIfNeeded: i)
      n &+= bit(t[i] == Truth.yes)
    }
    return (rows, n)
  }

  /// The rows of a batch for which the predicate is true.
  public func filter(_ batch: Batch) -> Batch {
    if self == .always { return batch }
    let (rows, count) = select(batch.columns, count: batch.count)
    if count == batch.count { return batch }
    return batch.gather(rows.pointer(Int32.self), count: count)
  }

  /// 0 false, 1 unknown, 2 true: AND is the minimum, OR the maximum, NOT is 2 - x.
  private enum Truth {
    static let no: UInt8 = 0
    static let unknown: UInt8 = 1
    static let yes: UInt8 = 2
  }

  private func decide(_ columns: [Column], _ count: Int, _ out: UnsafeMutablePointer<UInt8>) {
    switch self {
    case .always: out.update(repeating: Truth.yes, count: count)
    case .never: out.update(repeating: Truth.no, count: count)
    case .compare(let c, let op, let literal):
      columns[c].compare(op, literal, out)
      columns[c].markNulls(out, Truth.unknown)
    case .isIn(let c, let literals):
      out.update(repeating: Truth.no, count: count)
      let one = Buffer(byteCount: count)
      for literal in literals {
        columns[c].compare(.equal, literal, one.pointer(UInt8.self))
        for i in 0..<count { out[i] = max(out[i], one.pointer(UInt8.self)[i]) }
      }
      columns[c].markNulls(out, Truth.unknown)
    case .isNull(let c):
      out.update(repeating: Truth.no, count: count)
      columns[c].markNulls(out, Truth.yes)
    case .isNotNull(let c):
      out.update(repeating: Truth.yes, count: count)
      columns[c].markNulls(out, Truth.no)
    case .like(let c, let pattern):
      let like = LikePattern(pattern)
      for i in 0..<count { out[i] = like.matches(columns[c].bytes(i)) ? Truth.yes : Truth.no }
      columns[c].markNulls(out, Truth.unknown)
    case .and(let parts): combine(parts, columns, count, out, Truth.yes) { min($0, $1) }
    case .or(let parts): combine(parts, columns, count, out, Truth.no) { max($0, $1) }
    case .not(let part):
      part.decide(columns, count, out)
      for i in 0..<count { out[i] = 2 &- out[i] }
    }
  }

  @inline(__always) private func combine(
    _ parts: [Predicate], _ columns: [Column], _ count: Int, _ out: UnsafeMutablePointer<UInt8>,
    _ start: UInt8, _ join: (UInt8, UInt8) -> UInt8
  ) {
    out.update(repeating: start, count: count)
    let one = Buffer(byteCount: count)
    let truth = one.pointer(UInt8.self)
    for part in parts {
      part.decide(columns, count, truth)
      for i in 0..<count { out[i] = join(out[i], truth[i]) }
    }
  }
}

extension Column {
  fileprivate func markNulls(_ out: UnsafeMutablePointer<UInt8>, _ mark: UInt8) {
    guard let validity else { return }
    for i in 0..<count where !validity[i] { out[i] = mark }
  }

  /// Writes 2 where the comparison holds and 0 where not, nulls not looked at.
  fileprivate func compare(
    _ op: Predicate.Comparison, _ literal: Scalar, _ out: UnsafeMutablePointer<UInt8>
  ) {
    switch (physical, literal) {
    case (.boolean, .boolean(let v)): loop(UInt8.self, op, v ? 1 : 0, out)
    case (.int8, .int(let v)): loop(Int8.self, op, v, out)
    case (.int16, .int(let v)): loop(Int16.self, op, v, out)
    case (.int32, .int(let v)): loop(Int32.self, op, v, out)
    case (.int64, .int(let v)): loop(Int64.self, op, v, out)
    case (.int128, .int128(let v)): loop(Int128.self, op, v, out)
    case (.int128, .int(let v)): loop(Int128.self, op, Int128(v), out)
    case (.float32, .float(let v)):
      // Adding 0.0 makes -0.0 equal to it, as SQL has it.
      let p = pointer(Float.self)
      let key = orderedBits(v + 0.0)
      for i in 0..<count { out[i] = op.truth(orderedBits(p[i] + 0.0), key) }
    case (.float64, .double(let v)):
      let p = pointer(Double.self)
      let key = orderedBits(v + 0.0)
      for i in 0..<count { out[i] = op.truth(orderedBits(p[i] + 0.0), key) }
    case (.bytes, .bytes(let v)):
      v.withUnsafeBytes { key in
        for i in 0..<count { out[i] = op.holds(compareBytes(bytes(i), key)) ? 2 : 0 }
      }
    default: preconditionFailure("compared \(type) with \(literal)")
    }
  }

  @inline(__always) private func loop<T: FixedWidthInteger & BitwiseCopyable, V: BinaryInteger>(
    _ type: T.Type, _ op: Predicate.Comparison, _ literal: V, _ out: UnsafeMutablePointer<UInt8>
  ) {
    let p = pointer(type)
    guard let key = T(exactly: literal) else {
      // Outside the type's range: all values lie on one side of it.
      let holds = op.holds(literal > 0 ? -1 : 1)
      out.update(repeating: holds ? 2 : 0, count: count)
      return
    }
    switch op {
    case .equal: for i in 0..<count { out[i] = UInt8(truncatingIfNeeded: bit(p[i] == key) &* 2) }
    case .notEqual: for i in 0..<count { out[i] = UInt8(truncatingIfNeeded: bit(p[i] != key) &* 2) }
    case .less: for i in 0..<count { out[i] = UInt8(truncatingIfNeeded: bit(p[i] < key) &* 2) }
    case .lessOrEqual:
      for i in 0..<count { out[i] = UInt8(truncatingIfNeeded: bit(p[i] <= key) &* 2) }
    case .greater: for i in 0..<count { out[i] = UInt8(truncatingIfNeeded: bit(p[i] > key) &* 2) }
    case .greaterOrEqual:
      for i in 0..<count { out[i] = UInt8(truncatingIfNeeded: bit(p[i] >= key) &* 2) }
    }
  }
}

extension Predicate.Comparison {
  @inline(__always) fileprivate func truth<T: Comparable>(_ value: T, _ key: T) -> UInt8 {
    holds(value < key ? -1 : value == key ? 0 : 1) ? 2 : 0
  }
}
