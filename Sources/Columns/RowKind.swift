/// What a row of a changelog says. The raw value is the one that Paimon's files store.
public enum RowKind: UInt8, Sendable, CaseIterable {
  case insert = 0
  case updateBefore = 1
  case updateAfter = 2
  case delete = 3

  /// +1 for rows that appear, -1 for rows that go.
  @inlinable public var weight: Int64 { self == .insert || self == .updateAfter ? 1 : -1 }

  /// +I, -U, +U, -D.
  public var text: String {
    switch self {
    case .insert: "+I"
    case .updateBefore: "-U"
    case .updateAfter: "+U"
    case .delete: "-D"
    }
  }

  /// Reads +I, -U, +U, -D.
  public init?(text: some StringProtocol) {
    switch text {
    case "+I": self = .insert
    case "-U": self = .updateBefore
    case "+U": self = .updateAfter
    case "-D": self = .delete
    default: return nil
    }
  }
}
