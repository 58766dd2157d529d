import Columns
import XCTest

final class ColumnTests: XCTestCase {
  private let types = RandomColumns.scalarTypes + [RandomColumns.nested]

  func test_slice_holdsTheSameRowsWhenCutTwice() {
    var random = SeededRandom(seed: 11)
    for type in types {
      let column = RandomColumns.column(type, count: 300, &random)
      let all = RandomColumns.describe(column)
      let cut = column.slice(65..<260).slice(3..<130)
      XCTAssertEqual(RandomColumns.describe(cut), Array(all[68..<195]), "\(type)")
      XCTAssertEqual(cut.nullCount, all[68..<195].filter { $0 == "null" }.count)
    }
  }

  func test_append_copiesRangesOfOtherColumns() {
    var random = SeededRandom(seed: 12)
    for type in types {
      let column = RandomColumns.column(type, count: 200, &random).slice(7..<190)
      let all = RandomColumns.describe(column)
      let builder = ColumnBuilder(type)
      builder.append(column, 10..<50)
      builder.append(column, 0..<0)
      builder.append(column, 100..<183)
      XCTAssertEqual(RandomColumns.describe(builder.finish()), Array(all[10..<50] + all[100..<183]))
    }
  }

  func test_builder_startsEmptyAfterFinish() {
    let builder = ColumnBuilder(.string)
    builder.append("a")
    builder.appendNull()
    XCTAssertEqual(builder.finish().count, 2)
    builder.append("b")
    let second = builder.finish()
    XCTAssertEqual(RandomColumns.describe(second), ["\(Scalar.text("b"))"])
    XCTAssertNil(second.validity)
  }

  func test_interleave_takesEachRowFromItsSource() {
    var random = SeededRandom(seed: 13)
    for type in types {
      let columns = (0..<3).map { _ in
        RandomColumns.column(type, count: 90, &random).slice(5..<85)
      }
      let sources = (0..<500).map { _ in UInt16.random(in: 0..<3, using: &random) }
      let rows = (0..<500).map { _ in Int32.random(in: 0..<80, using: &random) }
      let merged = Column.interleave(columns, sources: sources, rows: rows, count: 500)
      let expected = zip(sources, rows).map {
        RandomColumns.describe(columns[Int($0)], Int($1))
      }
      XCTAssertEqual(RandomColumns.describe(merged), expected, "\(type)")
    }
  }

  func test_concat_keepsOrderAndNulls() {
    var random = SeededRandom(seed: 14)
    for type in types {
      let parts = (0..<4).map { _ in RandomColumns.column(type, count: 33, &random) }
      XCTAssertEqual(
        RandomColumns.describe(Column.concat(parts)), parts.flatMap { RandomColumns.describe($0) })
    }
  }

  func test_extremes_equalASearchByComparison() {
    var random = SeededRandom(seed: 15)
    for type in RandomColumns.scalarTypes {
      for count in [0, 1, 2, 70] {
        let column = RandomColumns.column(type, count: count, &random)
        let statistics = ColumnStatistics(of: column)
        let values = (0..<count).map { column.scalar($0) }.filter { !$0.isNull }
        let hasNaN = values.contains { $0 == .double(.nan) || isNaN($0) }
        let sorted = values.sorted { Scalar.compare($0, $1) < 0 }
        XCTAssertEqual(statistics.nullCount, count - values.count)
        if hasNaN || values.isEmpty {
          XCTAssertNil(statistics.min)
        } else {
          XCTAssertEqual(statistics.min, sorted.first)
          XCTAssertEqual(statistics.max, sorted.last)
        }
      }
    }
  }

  private func isNaN(_ value: Scalar) -> Bool {
    switch value {
    case .float(let v): v.isNaN
    case .double(let v): v.isNaN
    default: false
    }
  }
}
