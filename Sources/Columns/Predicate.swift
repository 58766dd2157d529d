/// A condition on rows, over column numbers of the batch it is asked of.
///
/// Three-valued as SQL's: a comparison with null is unknown, and only rows for which the whole
/// condition is true are selected.
public indirect enum Predicate: Hashable, Sendable {
  public enum Comparison: String, Hashable, Sendable {
    case equal = "=", notEqual = "<>", less = "<", lessOrEqual = "<=", greater = ">"
    case greaterOrEqual = ">="

    /// Holds of a value that orders against the literal as `order` says (negative, zero, positive).
    @inlinable public func holds(_ order: Int) -> Bool {
      switch self {
      case .equal: order == 0
      case .notEqual: order != 0
      case .less: order < 0
      case .lessOrEqual: order <= 0
      case .greater: order > 0
      case .greaterOrEqual: order >= 0
      }
    }

    public var negated: Comparison {
      switch self {
      case .equal: .notEqual
      case .notEqual: .equal
      case .less: .greaterOrEqual
      case .lessOrEqual: .greater
      case .greater: .lessOrEqual
      case .greaterOrEqual: .less
      }
    }
  }

  case always
  case never
  /// The literal is never null and lies as the column does.
  case compare(column: Int, Comparison, Scalar)
  /// The literals are never null.
  case isIn(column: Int, [Scalar])
  case isNull(column: Int)
  case isNotNull(column: Int)
  /// SQL LIKE with % and _ over text; the escape character is a backslash.
  case like(column: Int, pattern: [UInt8])
  case and([Predicate])
  case or([Predicate])
  case not(Predicate)

  /// Columns asked for.
  public var columns: Set<Int> {
    switch self {
    case .always, .never: []
    case .compare(let c, _, _), .isIn(let c, _), .isNull(let c), .isNotNull(let c),
      .like(let c, _):
      [c]
    case .and(let parts), .or(let parts): parts.reduce(into: []) { $0.formUnion($1.columns) }
    case .not(let part): part.columns
    }
  }

  /// The predicate over other column numbers; nil when it asks for a column that `map` does not have.
  public func remapped(_ map: (Int) -> Int?) -> Predicate? {
    switch self {
    case .always, .never: return self
    case .compare(let c, let op, let v): return map(c).map { .compare(column: $0, op, v) }
    case .isIn(let c, let v): return map(c).map { .isIn(column: $0, v) }
    case .isNull(let c): return map(c).map { .isNull(column: $0) }
    case .isNotNull(let c): return map(c).map { .isNotNull(column: $0) }
    case .like(let c, let p): return map(c).map { .like(column: $0, pattern: p) }
    case .and(let parts), .or(let parts):
      var mapped: [Predicate] = []
      for part in parts {
        guard let one = part.remapped(map) else { return nil }
        mapped.append(one)
      }
      if case .and = self { return .and(mapped) }
      return .or(mapped)
    case .not(let part): return part.remapped(map).map { .not($0) }
    }
  }

  /// A weaker predicate that asks only for columns in `map`, with their new numbers: conjuncts over
  /// other columns are dropped. `.always` when nothing is left.
  public func weakened(_ map: (Int) -> Int?) -> Predicate {
    guard case .and(let parts) = self else { return remapped(map) ?? .always }
    let kept = parts.map { $0.weakened(map) }.filter { $0 != .always }
    return kept.isEmpty ? .always : kept.count == 1 ? kept[0] : .and(kept)
  }

  /// False only when no row of a group with these statistics can match.
  ///
  /// - Parameters:
  ///   - rows: rows of the group.
  ///   - statistics: of a column, or nil when nothing is known.
  public func mayMatch(rows: Int, _ statistics: (Int) -> ColumnStatistics?) -> Bool {
    switch self {
    case .always: return true
    case .never: return false
    case .compare(let c, let op, let v):
      guard let s = statistics(c) else { return true }
      if s.nullCount == rows { return false }
      return Predicate.mayMatch(s, op, v)
    case .isIn(let c, let values):
      guard let s = statistics(c) else { return true }
      if s.nullCount == rows { return false }
      return values.contains { Predicate.mayMatch(s, .equal, $0) }
    case .isNull(let c): return statistics(c)?.nullCount.map { $0 > 0 } ?? true
    case .isNotNull(let c): return statistics(c)?.nullCount.map { $0 < rows } ?? true
    case .like(let c, let pattern):
      guard let s = statistics(c) else { return true }
      if s.nullCount == rows { return false }
      return Predicate.mayMatch(s, prefix: LikePattern.literalPrefix(pattern))
    case .and(let parts): return parts.allSatisfy { $0.mayMatch(rows: rows, statistics) }
    case .or(let parts): return parts.contains { $0.mayMatch(rows: rows, statistics) }
    case .not(let part): return part.pushedNegation.mayMatch(rows: rows, statistics)
    }
  }

  /// NOT moved inwards one step, where that is possible; otherwise a predicate that is never ruled out.
  var pushedNegation: Predicate {
    switch self {
    case .always: .never
    case .never: .always
    case .compare(let c, let op, let v): .compare(column: c, op.negated, v)
    case .isNull(let c): .isNotNull(column: c)
    case .isNotNull(let c): .isNull(column: c)
    case .and(let parts): .or(parts.map { .not($0) })
    case .or(let parts): .and(parts.map { .not($0) })
    case .not(let part): part
    case .isIn(let c, _), .like(let c, _): .isNotNull(column: c)
    }
  }

  private static func mayMatch(_ s: ColumnStatistics, _ op: Comparison, _ v: Scalar) -> Bool {
    let low = s.min.map { Scalar.compare($0.withoutNegativeZero, v.withoutNegativeZero) }
    let high = s.max.map { Scalar.compare($0.withoutNegativeZero, v.withoutNegativeZero) }
    switch op {
    case .equal: return (low ?? -1) <= 0 && (high ?? 1) >= 0
    case .notEqual: return !(low == 0 && high == 0)
    case .less: return (low ?? -1) < 0
    case .lessOrEqual: return (low ?? -1) <= 0
    case .greater: return (high ?? 1) > 0
    case .greaterOrEqual: return (high ?? 1) >= 0
    }
  }

  private static func mayMatch(_ s: ColumnStatistics, prefix: [UInt8]) -> Bool {
    if prefix.isEmpty { return true }
    if case .bytes(let max)? = s.max, max.lexicographicallyPrecedes(prefix) { return false }
    if case .bytes(let min)? = s.min {
      // The least value is past every text with this prefix.
      let head = Array(min.prefix(prefix.count))
      if prefix.lexicographicallyPrecedes(head) { return false }
    }
    return true
  }
}
