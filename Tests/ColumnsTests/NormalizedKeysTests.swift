import Columns
import XCTest

final class NormalizedKeysTests: XCTestCase {
  /// Keys of random types order as a comparison value by value does, across batches.
  func test_compare_ordersAsTheValuesDo() {
    for seed in UInt64(1)...60 {
      var random = SeededRandom(seed: seed)
      let types = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        let type = RandomColumns.scalarTypes.randomElement(using: &random) ?? .int
        return Bool.random(using: &random) ? type : type.notNull
      }
      let descending = types.map { _ in Int.random(in: 0..<4, using: &random) == 0 }
      let encoder = KeyEncoder(types, descending: descending)
      let left = types.map { RandomColumns.column($0, count: 40, &random) }
      let right = types.map { RandomColumns.column($0, count: 40, &random) }
      let leftKeys = encoder.encode(left, count: 40)
      let rightKeys = encoder.encode(right, count: 40)
      for i in 0..<40 {
        for j in 0..<40 {
          var expected = 0
          for (c, type) in types.enumerated() where expected == 0 {
            _ = type
            let order = Scalar.compare(left[c].scalar(i), right[c].scalar(j))
            expected = descending[c] ? -order : order
          }
          XCTAssertEqual(
            leftKeys.compare(i, rightKeys, j).signum(), expected.signum(), "seed \(seed) \(types)")
        }
      }
    }
  }

  func test_sortedRows_isStableAndOrdered() {
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      let count = Int.random(in: 0...400, using: &random)
      let types: [DataType] = [
        [.bigint.notNull], [.int.notNull, .int.notNull], [.string.notNull],
        [.string, .bigint], [.decimal(38, 10).notNull],
      ][Int(seed % 5)]
      let columns = types.map { RandomColumns.column($0, count: count, &random) }
      let keys = KeyEncoder(types).encode(columns, count: count)
      let rows = keys.sortedRows()
      let order = (0..<count).map { Int(rows.pointer(Int32.self)[$0]) }
      XCTAssertEqual(order.sorted(), Array(0..<count), "a permutation, seed \(seed)")
      for i in 1..<max(count, 1) {
        let c = keys.compare(order[i - 1], keys, order[i])
        XCTAssertTrue(c < 0 || (c == 0 && order[i - 1] < order[i]), "seed \(seed) at \(i)")
      }
    }
  }

  func test_sortedRows_ordersTextWithALongSharedPrefix() {
    let builder = ColumnBuilder(.string.notNull)
    for i in stride(from: 999, through: 0, by: -1) {
      builder.append("a shared beginning of the key " + String(1000 + i))
    }
    let column = builder.finish()
    let keys = KeyEncoder([.string.notNull]).encode([column], count: 1000)
    let rows = keys.sortedRows()
    XCTAssertEqual(
      (0..<1000).map { rows.pointer(Int32.self)[$0] }, (0..<1000).map { Int32(999 - $0) })
  }

  /// Few bytes differ in the first eight, or in all of the key: the short form of the sort.
  func test_sortedRows_ordersKeysThatDifferInFewBytes() {
    var random = SeededRandom(seed: 17)
    for (spread, tail) in [(3, 0), (200, 0), (200, 5), (1 << 30, 5), (1 << 30, 0)] {
      let numbers = ColumnBuilder(.bigint.notNull)
      let texts = ColumnBuilder(.string.notNull)
      for _ in 0..<3000 {
        numbers.append(Int64(random.next() % UInt64(spread)) * 65_536)
        texts.append(tail == 0 ? "" : "text \(random.next() % UInt64(tail))")
      }
      let columns = [numbers.finish(), texts.finish()]
      let types: [DataType] = tail == 0 ? [.bigint.notNull] : [.bigint.notNull, .string.notNull]
      let keys = KeyEncoder(types).encode(Array(columns[..<types.count]), count: 3000)
      let rows = keys.sortedRows()
      let expected = (0..<3000).sorted {
        let order = keys.compare($0, keys, $1)
        return order != 0 ? order < 0 : $0 < $1
      }
      XCTAssertEqual(
        (0..<3000).map { rows.pointer(Int32.self)[$0] }, expected.map { Int32($0) },
        "spread \(spread), tail \(tail)")
    }
  }
}
