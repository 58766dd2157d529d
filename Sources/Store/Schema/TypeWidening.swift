package import Columns

extension DataType {
  /// Whether every value of this type has its place in the other: what a column may be changed to.
  ///
  /// Numbers may become longer ones, and texts and bytes longer ones; DATE may become a timestamp;
  /// everything scalar may become an unbounded STRING. Integers to floats follow Paimon's implicit casts.
  package func widens(to other: DataType) -> Bool {
    switch (kind, other.kind) {
    case (let a, let b) where a == b: return true
    case (.float, .double): return true
    case (.decimal(let p, let s), .decimal(let q, let t)): return t >= s && q - t >= p - s
    case (.decimal, .float), (.decimal, .double): return true
    case (.char(let n), .char(let m)), (.char(let n), .varchar(let m)),
      (.varchar(let n), .varchar(let m)), (.binary(let n), .binary(let m)),
      (.binary(let n), .varbinary(let m)), (.varbinary(let n), .varbinary(let m)):
      return m >= n
    case (.date, .timestamp), (.date, .timestampLTZ): return true
    case (.time(let p), .time(let q)), (.timestamp(let p), .timestamp(let q)),
      (.timestampLTZ(let p), .timestampLTZ(let q)):
      return q >= p
    case (_, .varchar(DataType.unbounded)):
      return !isNested && !isBinary
    default: return integerWidens(to: other)
    }
  }

  private var isBinary: Bool {
    switch kind {
    case .binary, .varbinary: true
    default: false
    }
  }

  private func integerWidens(to other: DataType) -> Bool {
    guard let digits = integerDigits else { return false }
    switch other.kind {
    case .decimal(let precision, let scale): return precision - scale >= digits
    case .float, .double: return true
    default: return other.integerDigits.map { $0 >= digits } ?? false
    }
  }

  /// Decimal digits that any value of an integer type fits in.
  private var integerDigits: Int? {
    switch kind {
    case .tinyint: 3
    case .smallint: 5
    case .int: 10
    case .bigint: 19
    default: nil
    }
  }
}
