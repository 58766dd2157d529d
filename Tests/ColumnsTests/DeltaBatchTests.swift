import Columns
import XCTest

final class DeltaBatchTests: XCTestCase {
  func test_consolidated_sumsWeightsOfEqualRows() {
    for seed in UInt64(1)...30 {
      var random = SeededRandom(seed: seed)
      let types: [DataType] = [.int, .string, RandomColumns.nested]
      let count = Int.random(in: 0...120, using: &random)
      let columns = [
        RandomColumns.column(.boolean, count: count, &random),
        RandomColumns.column(types[Int(seed % 3)], count: count, &random),
      ]
      let type = RowType([("a", .boolean), ("b", types[Int(seed % 3)])])
      let kinds = (0..<count).map { _ in UInt8.random(in: 0...3, using: &random) }
      let delta = DeltaBatch(Batch(type, columns, count: count), kinds: kinds)

      var expected: [String: Int64] = [:]
      for row in 0..<count {
        expected[text(columns, row), default: 0] += RowKind(rawValue: kinds[row])?.weight ?? 0
      }
      let result = delta.consolidated()
      var found: [String: Int64] = [:]
      for row in 0..<result.count {
        let key = text(result.rows.columns, row)
        XCTAssertNil(found[key], "each row once, seed \(seed)")
        found[key] = result.weights.pointer(Int64.self)[row]
      }
      XCTAssertEqual(found, expected.filter { $0.value != 0 }, "seed \(seed)")
    }
  }

  func test_hash_isEqualForEqualRowsInOtherBatches() {
    var random = SeededRandom(seed: 5)
    for type in RandomColumns.scalarTypes + [RandomColumns.nested] {
      let column = RandomColumns.column(type, count: 100, &random)
      let indices = (0..<100).map { Int32(99 - $0) }
      let reversed = column.gather(indices, count: 100)
      let a = UnsafeMutablePointer<UInt64>.allocate(capacity: 200)
      defer { a.deallocate() }
      RowHash.hash([column], count: 100, into: a)
      RowHash.hash([reversed], count: 100, into: a + 100)
      for i in 0..<100 { XCTAssertEqual(a[i], a[199 - i], "\(type)") }
    }
  }

  func test_budget_refusesWhatDoesNotFitAndKeepsThePeak() {
    let budget = MemoryBudget(limitBytes: 100)
    XCTAssertTrue(budget.reserve(60))
    XCTAssertFalse(budget.reserve(41))
    XCTAssertTrue(budget.reserve(40))
    budget.release(100)
    XCTAssertEqual(budget.usedBytes, 0)
    XCTAssertEqual(budget.peakBytes, 100)
  }

  private func text(_ columns: [Column], _ row: Int) -> String {
    columns.map { RandomColumns.describe($0, row) }.joined(separator: "|")
  }
}
