import Columns
import XCTest

// Foundation, which XCTest brings along, has a Predicate of its own.
private typealias Predicate = Columns.Predicate

final class PredicateTests: XCTestCase {
  func test_select_equalsARowByRowDecision() {
    for seed in UInt64(1)...80 {
      var random = SeededRandom(seed: seed)
      let types = (0..<3).map { _ in RandomColumns.scalarTypes.randomElement(using: &random) ?? .int
      }
      let columns = types.map { RandomColumns.column($0, count: 50, &random) }
      let predicate = randomPredicate(types, depth: 3, &random)
      let (rows, count) = predicate.select(columns, count: 50)
      let selected = (0..<count).map { Int(rows.pointer(Int32.self)[$0]) }
      let expected = (0..<50).filter { row in decide(predicate, columns, row) == true }
      XCTAssertEqual(selected, expected, "seed \(seed): \(predicate)")

      // Statistics never rule out a group that holds a selected row.
      let statistics = columns.map { ColumnStatistics(of: $0) }
      if !expected.isEmpty {
        XCTAssertTrue(predicate.mayMatch(rows: 50) { statistics[$0] }, "seed \(seed): \(predicate)")
      }
    }
  }

  func test_mayMatch_rulesOutRangesThatLieBeside() {
    let s = ColumnStatistics(nullCount: 0, min: .int(10), max: .int(20))
    let rules: [(Predicate, Bool)] = [
      (.compare(column: 0, .equal, .int(9)), false), (.compare(column: 0, .equal, .int(10)), true),
      (.compare(column: 0, .greater, .int(20)), false),
      (.compare(column: 0, .less, .int(10)), false),
      (.not(.compare(column: 0, .greaterOrEqual, .int(10))), false),
      (.isIn(column: 0, [.int(1), .int(30)]), false), (.isNull(column: 0), false),
    ]
    for (predicate, expected) in rules {
      XCTAssertEqual(predicate.mayMatch(rows: 5) { _ in s }, expected, "\(predicate)")
    }
  }

  func test_like_matchesAsSQLDoes() {
    let cases: [(String, String, Bool)] = [
      ("", "", true), ("%", "", true), ("_", "", false), ("a%", "abc", true), ("%c", "abc", true),
      ("%b%", "abc", true), ("a_c", "aéc", true), ("a\\%", "a%", true), ("a\\%", "ab", false),
      ("%a%b%c%", "xaxbxcx", true), ("%a%b%c%", "xaxcxbx", false), ("a%a", "a", false),
    ]
    for (pattern, text, expected) in cases {
      let like = LikePattern(Array(pattern.utf8))
      XCTAssertEqual(
        Array(text.utf8).withUnsafeBytes { like.matches($0) }, expected, "\(text) LIKE \(pattern)")
    }
  }

  private func randomPredicate(
    _ types: [DataType], depth: Int, _ random: inout SeededRandom
  ) -> Predicate {
    let column = Int.random(in: 0..<types.count, using: &random)
    let choice = Int.random(in: 0..<(depth > 0 ? 7 : 4), using: &random)
    let comparisons: [Predicate.Comparison] = [
      .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual,
    ]
    switch choice {
    case 0, 1:
      return .compare(
        column: column, comparisons.randomElement(using: &random) ?? .equal,
        RandomColumns.scalar(types[column].notNull, &random))
    case 2:
      return .isIn(
        column: column, (0..<3).map { _ in RandomColumns.scalar(types[column].notNull, &random) })
    case 3:
      return Bool.random(using: &random) ? .isNull(column: column) : .isNotNull(column: column)
    case 4: return .not(randomPredicate(types, depth: depth - 1, &random))
    case 5: return .and((0..<2).map { _ in randomPredicate(types, depth: depth - 1, &random) })
    default: return .or((0..<2).map { _ in randomPredicate(types, depth: depth - 1, &random) })
    }
  }

  /// Three-valued truth of one row; nil is unknown.
  private func decide(_ predicate: Predicate, _ columns: [Column], _ row: Int) -> Bool? {
    switch predicate {
    case .always: return true
    case .never: return false
    case .compare(let c, let op, let v):
      let value = columns[c].scalar(row)
      return value.isNull ? Bool?.none : op.holds(Scalar.compare(plain(value), plain(v)))
    case .isIn(let c, let values):
      let value = columns[c].scalar(row)
      return value.isNull
        ? Bool?.none : values.contains { Scalar.compare(plain($0), plain(value)) == 0 }
    case .isNull(let c): return columns[c].isNull(row)
    case .isNotNull(let c): return !columns[c].isNull(row)
    case .like: return nil
    case .and(let parts):
      let truths = parts.map { decide($0, columns, row) }
      return truths.contains(false) ? false : truths.contains(nil) ? nil : true
    case .or(let parts):
      let truths = parts.map { decide($0, columns, row) }
      return truths.contains(true) ? true : truths.contains(nil) ? nil : false
    case .not(let part): return decide(part, columns, row).map { !$0 }
    }
  }

  private func plain(_ value: Scalar) -> Scalar {
    switch value {
    case .float(let v) where v == 0: .float(0)
    case .double(let v) where v == 0: .double(0)
    default: value
    }
  }
}
