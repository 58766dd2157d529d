internal import Columns

/// Comparing whole columns. Both sides lie alike.
enum Compare {
  /// Writes 2 where it holds and 0 where not; rows with a null are left to the caller.
  ///
  /// -0.0 equals 0.0 and NaN equals NaN. For `>` and its kin NaN is on neither side, as in Flink.
  static func apply(
    _ op: Predicate.Comparison, _ left: Vector, _ right: Vector, _ count: Int,
    _ t: UnsafeMutablePointer<UInt8>
  ) {
    switch left.column.physical {
    case .boolean: integers(UInt8.self, op, left, right, count, t)
    case .int8: integers(Int8.self, op, left, right, count, t)
    case .int16: integers(Int16.self, op, left, right, count, t)
    case .int32: integers(Int32.self, op, left, right, count, t)
    case .int64: integers(Int64.self, op, left, right, count, t)
    case .int128: integers(Int128.self, op, left, right, count, t)
    case .float32: floats(Float.self, op, left, right, count, t)
    case .float64: floats(Double.self, op, left, right, count, t)
    case .bytes:
      if op == .equal || op == .notEqual {
        let yes: UInt8 = op == .equal ? 2 : 0
        for i in 0..<count {
          t[i] = equalBytes(left.bytes(i), right.bytes(i)) ? yes : 2 &- yes
        }
      } else {
        for i in 0..<count {
          t[i] = op.holds(compareBytes(left.bytes(i), right.bytes(i))) ? 2 : 0
        }
      }
    case .list, .map, .row:
      // Keys of nested values order as the values do, and equal keys are equal values.
      let encoder = KeyEncoder([left.type.nullable])
      let a = encoder.encode([left.column], count: left.column.count)
      let b = encoder.encode([right.column.retyped(left.type)], count: right.column.count)
      for i in 0..<count {
        t[i] = op.holds(a.compare(i & left.mask, b, i & right.mask)) ? 2 : 0
      }
    }
  }

  @inline(__always) private static func loop<T: BitwiseCopyable>(
    _ left: Vector, _ right: Vector, _ count: Int, _ t: UnsafeMutablePointer<UInt8>,
    _ test: (T, T) -> Bool
  ) {
    let a = left.column.pointer(T.self)
    let b = right.column.pointer(T.self)
    if right.isConstant && !left.isConstant {
      let key = b[0]
      for i in 0..<count { t[i] = UInt8(truncatingIfNeeded: bit(test(a[i], key)) &* 2) }
    } else if left.isConstant {
      let key = a[0]
      for i in 0..<count {
        t[i] = UInt8(truncatingIfNeeded: bit(test(key, b[i & right.mask])) &* 2)
      }
    } else {
      for i in 0..<count { t[i] = UInt8(truncatingIfNeeded: bit(test(a[i], b[i])) &* 2) }
    }
  }

  @inline(__always) private static func integers<T: FixedWidthInteger & BitwiseCopyable>(
    _: T.Type, _ op: Predicate.Comparison, _ a: Vector, _ b: Vector, _ count: Int,
    _ t: UnsafeMutablePointer<UInt8>
  ) {
    switch op {
    case .equal: loop(a, b, count, t) { (x: T, y: T) in x == y }
    case .notEqual: loop(a, b, count, t) { (x: T, y: T) in x != y }
    case .less: loop(a, b, count, t) { (x: T, y: T) in x < y }
    case .lessOrEqual: loop(a, b, count, t) { (x: T, y: T) in x <= y }
    case .greater: loop(a, b, count, t) { (x: T, y: T) in x > y }
    case .greaterOrEqual: loop(a, b, count, t) { (x: T, y: T) in x >= y }
    }
  }

  @inline(__always) private static func floats<T: BinaryFloatingPoint & BitwiseCopyable>(
    _: T.Type, _ op: Predicate.Comparison, _ a: Vector, _ b: Vector, _ count: Int,
    _ t: UnsafeMutablePointer<UInt8>
  ) {
    switch op {
    case .equal: loop(a, b, count, t) { (x: T, y: T) in x == y || (x != x && y != y) }
    case .notEqual: loop(a, b, count, t) { (x: T, y: T) in !(x == y || (x != x && y != y)) }
    case .less: loop(a, b, count, t) { (x: T, y: T) in x < y }
    case .lessOrEqual: loop(a, b, count, t) { (x: T, y: T) in x <= y }
    case .greater: loop(a, b, count, t) { (x: T, y: T) in x > y }
    case .greaterOrEqual: loop(a, b, count, t) { (x: T, y: T) in x >= y }
    }
  }

  /// 2 where the value is in the list, 1 where it is not but the list has a null, else 0.
  static func membership(
    _ value: Vector, _ list: [Scalar], _ count: Int, _ t: UnsafeMutablePointer<UInt8>
  ) {
    let literals = list.filter { !$0.isNull }
    let miss = literals.count < list.count ? Truth.unknown : Truth.no
    if value.column.physical == .bytes && literals.count > 4 {
      let set = Set(literals)
      for i in 0..<count { t[i] = set.contains(.bytes(Array(value.bytes(i)))) ? 2 : miss }
      return
    }
    t.update(repeating: miss, count: count)
    let one = Buffer(byteCount: count)
    let p = one.pointer(UInt8.self)
    for literal in literals {
      let key = Vector(Column.repeating(literal, type: value.type, count: 1), isConstant: true)
      apply(.equal, value, key, count, p)
      for i in 0..<count { t[i] = max(t[i], p[i]) }
    }
  }
}

@inline(__always) func equalBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool
{
  if a.count != b.count { return false }
  var i = 0
  while i &+ 8 <= a.count {
    if a.loadUnaligned(fromByteOffset: i, as: UInt64.self)
      != b.loadUnaligned(fromByteOffset: i, as: UInt64.self)
    {
      return false
    }
    i &+= 8
  }
  while i < a.count {
    if a[i] != b[i] { return false }
    i &+= 1
  }
  return true
}
