package import Columns

/// Result types as Flink 2.3 derives them: of arithmetic, of several branches, of casts.
package enum TypeRules {
  /// The type of NULL before it meets another type. No column has it.
  package static let untypedNull = DataType(.char(0))

  /// What a value can be compared and combined with.
  package enum Family: Hashable, Sendable {
    case boolean, number, text, binary, date, time, timestamp, localTimestamp, array, map, row, null
  }

  package static func family(_ type: DataType) -> Family {
    if type.kind == untypedNull.kind { return .null }
    switch type.kind {
    case .boolean: return .boolean
    case .tinyint, .smallint, .int, .bigint, .float, .double, .decimal: return .number
    case .char, .varchar: return .text
    case .binary, .varbinary: return .binary
    case .date: return .date
    case .time: return .time
    case .timestamp: return .timestamp
    case .timestampLTZ: return .localTimestamp
    case .array: return .array
    case .map, .multiset: return .map
    case .row: return .row
    }
  }

  package static func isInteger(_ type: DataType) -> Bool { integerRank(type) != nil }

  static func integerRank(_ type: DataType) -> Int? {
    switch type.kind {
    case .tinyint: 0
    case .smallint: 1
    case .int: 2
    case .bigint: 3
    default: nil
    }
  }

  package static func isApproximate(_ type: DataType) -> Bool {
    type.kind == .float || type.kind == .double
  }

  /// Precision and scale of a number as a decimal: INT is DECIMAL(10, 0), BIGINT (19, 0).
  package static func decimalShape(_ type: DataType) -> (precision: Int, scale: Int)? {
    switch type.kind {
    case .tinyint: (3, 0)
    case .smallint: (5, 0)
    case .int: (10, 0)
    case .bigint: (19, 0)
    case .decimal(let precision, let scale): (precision, scale)
    default: nil
    }
  }

  /// The type that values of all these types are cast to in CASE, COALESCE, UNION, IN, ARRAY[…].
  /// Nil when there is none. Nullable when one of them is.
  package static func common(_ types: [DataType]) -> DataType? {
    var result: DataType?
    for type in types where family(type) != .null {
      guard let sofar = result else {
        result = type
        continue
      }
      guard let next = common(sofar, type) else { return nil }
      result = next
    }
    guard let found = result else { return types.isEmpty ? nil : untypedNull }
    return DataType(found.kind, nullable: types.contains { $0.isNullable })
  }

  private static func common(_ a: DataType, _ b: DataType) -> DataType? {
    if a.kind == b.kind { return a }
    switch (a.kind, b.kind) {
    case (.char(let m), .char(let n)), (.char(let m), .varchar(let n)),
      (.varchar(let m), .char(let n)), (.varchar(let m), .varchar(let n)):
      return DataType(.varchar(max(m, n)))
    case (.binary(let m), .binary(let n)), (.binary(let m), .varbinary(let n)),
      (.varbinary(let m), .binary(let n)), (.varbinary(let m), .varbinary(let n)):
      return DataType(.varbinary(max(m, n)))
    case (.timestamp(let m), .timestamp(let n)): return .timestamp(max(m, n))
    case (.timestampLTZ(let m), .timestampLTZ(let n)): return DataType(.timestampLTZ(max(m, n)))
    case (.time(let m), .time(let n)): return DataType(.time(max(m, n)))
    case (.date, .timestamp), (.date, .timestampLTZ): return b
    case (.timestamp, .date), (.timestampLTZ, .date): return a
    case (.array(let m), .array(let n)): return common([m, n]).map { .array($0) }
    case (.map(let k, let v), .map(let l, let w)):
      guard let key = common([k, l]), let value = common([v, w]) else { return nil }
      return .map(key, value)
    case (.row(let m), .row(let n)) where m.count == n.count:
      var fields: [Field] = []
      for (x, y) in zip(m, n) {
        guard let type = common([x.type, y.type]) else { return nil }
        fields.append(Field(id: x.id, name: x.name, type: type))
      }
      return .row(fields)
    default: return commonNumber(a, b)
    }
  }

  private static func commonNumber(_ a: DataType, _ b: DataType) -> DataType? {
    guard family(a) == .number, family(b) == .number else { return nil }
    if let m = integerRank(a), let n = integerRank(b) { return m >= n ? a : b }
    if a.kind == .double || b.kind == .double { return .double }
    if isApproximate(a) || isApproximate(b) {
      // FLOAT with a decimal loses digits: both go to DOUBLE.
      let other = isApproximate(a) ? b : a
      return isInteger(other) ? .float : .double
    }
    guard let (p, s) = decimalShape(a), let (q, t) = decimalShape(b) else { return nil }
    let whole = max(p - s, q - t)
    let scale = max(s, t)
    // Over 38 digits those behind the point give way.
    return .decimal(min(38, whole + scale), min(scale, 38 - whole))
  }

  /// Whether two decimals have a type that holds the values of both.
  package static func holdsBoth(_ a: DataType, _ b: DataType) -> Bool {
    guard let (p, s) = decimalShape(a), let (q, t) = decimalShape(b) else { return true }
    return max(p - s, q - t) + max(s, t) <= 38
  }

  /// Type of `a op b` for + - * / % on numbers; nil when they are no numbers.
  package static func arithmetic(_ op: String, _ a: DataType, _ b: DataType) -> DataType? {
    guard family(a) == .number, family(b) == .number else { return nil }
    let nullable = a.isNullable || b.isNullable
    func typed(_ type: DataType) -> DataType { DataType(type.kind, nullable: nullable) }
    if let m = integerRank(a), let n = integerRank(b) {
      return typed(op == "%" ? b : m >= n ? a : b)
    }
    // As Flink has it: of FLOAT and DOUBLE the left one.
    if isApproximate(a) && isApproximate(b) { return typed(a) }
    if isApproximate(a) || isApproximate(b) { return commonNumber(a, b).map(typed) }
    guard let (p, s) = decimalShape(a), let (q, t) = decimalShape(b) else { return nil }
    switch op {
    case "+", "-":
      let scale = max(s, t)
      return typed(adjusted(max(p - s, q - t) + scale + 1, scale))
    case "*": return typed(adjusted(p + q + 1, s + t))
    case "/":
      let scale = max(6, s + q + 1)
      return typed(adjusted(p - s + t + scale, scale))
    default:
      let scale = max(s, t)
      return typed(adjusted(min(p - s, q - t) + scale, scale))
    }
  }

  /// Over 38 digits the scale gives way, down to min(scale, 6).
  package static func adjusted(_ precision: Int, _ scale: Int) -> DataType {
    if precision <= 38 { return .decimal(max(precision, 1), scale) }
    let whole = precision - scale
    return .decimal(38, max(38 - whole, min(scale, 6)))
  }

  private static func digits(of type: DataType) -> Int {
    switch type.kind {
    case .timestamp(let precision), .timestampLTZ(let precision): precision
    default: 0
    }
  }

  /// Whether `a = b` is a question, and over which type it is decided. Text and numbers are not
  /// compared, nor TIMESTAMP and DATE; text is read as a date, time or timestamp beside one.
  package static func comparable(_ a: DataType, _ b: DataType) -> DataType? {
    let (f, g) = (family(a), family(b))
    if f == .null { return b }
    if g == .null { return a }
    let temporal: Set<Family> = [.date, .time, .timestamp, .localTimestamp]
    if f == .text && temporal.contains(g) { return b }
    if g == .text && temporal.contains(f) { return a }
    // A wall clock is read in the session's zone.
    if [f, g] == [.timestamp, .localTimestamp] || [f, g] == [.localTimestamp, .timestamp] {
      return DataType(.timestampLTZ(max(digits(of: a), digits(of: b))))
    }
    guard f == g, f != .map else { return nil }
    return common([a, b])
  }

  /// Whether CAST knows the way.
  package static func canCast(_ from: DataType, _ to: DataType) -> Bool {
    let (f, g) = (family(from), family(to))
    switch (f, g) {
    case (.null, _), (_, .text): return true
    case (.boolean, .boolean), (.boolean, .number), (.number, .boolean), (.number, .number):
      return true
    case (.text, .boolean), (.text, .number), (.text, .date), (.text, .time), (.text, .timestamp),
      (.text, .localTimestamp), (.text, .binary):
      return true
    case (.binary, .binary), (.date, .date), (.time, .time): return true
    case (.date, .timestamp), (.date, .localTimestamp), (.timestamp, .date),
      (.localTimestamp, .date), (.timestamp, .time), (.localTimestamp, .time),
      (.time, .timestamp), (.time, .localTimestamp), (.timestamp, .timestamp),
      (.timestamp, .localTimestamp), (.localTimestamp, .timestamp),
      (.localTimestamp, .localTimestamp):
      return true
    case (.array, .array), (.map, .map), (.row, .row): return agree(from, to, canCast)
    default: return false
    }
  }

  /// Whether the members of two nested types fit, each by the rule.
  private static func agree(
    _ from: DataType, _ to: DataType, _ rule: (DataType, DataType) -> Bool
  ) -> Bool {
    switch (from.kind, to.kind) {
    case (.array(let a), .array(let b)), (.multiset(let a), .multiset(let b)): return rule(a, b)
    case (.map(let k, let v), .map(let l, let w)): return rule(k, l) && rule(v, w)
    case (.row(let m), .row(let n)):
      return m.count == n.count && zip(m, n).allSatisfy { rule($0.type, $1.type) }
    default: return false
    }
  }

  /// Whether a value goes into a column of another type without a written CAST: NULL does anywhere, and
  /// what `LogicalTypeCasts.supportsImplicitCast` of Flink lets pass does. Whole numbers go into wider
  /// ones, every number into DECIMAL; texts and bytes into any length, though not VARCHAR into CHAR.
  package static func canAssign(_ from: DataType, _ to: DataType) -> Bool {
    switch (family(from), family(to)) {
    case (.null, _), (.boolean, .boolean), (.date, .date), (.time, .time): return true
    case (.number, .number): return canAssignNumber(from, to)
    case (.text, .text):
      if case .varchar = from.kind, case .char = to.kind { return false }
      return true
    case (.binary, .binary):
      if case .varbinary = from.kind, case .binary = to.kind { return false }
      return true
    case (.timestamp, .date), (.timestamp, .time), (.timestamp, .timestamp),
      (.timestamp, .localTimestamp), (.localTimestamp, .timestamp),
      (.localTimestamp, .localTimestamp):
      return true
    case (.array, .array), (.map, .map), (.row, .row): return agree(from, to, canAssign)
    default: return false
    }
  }

  private static func canAssignNumber(_ from: DataType, _ to: DataType) -> Bool {
    if case .decimal = to.kind { return true }
    if let rank = integerRank(to) { return integerRank(from).map { $0 <= rank } ?? false }
    return to.kind == .double || from.kind != .double
  }
}
