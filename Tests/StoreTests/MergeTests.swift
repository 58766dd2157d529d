import Columns
import XCTest

@testable import Store

/// The one merge against a dictionary.
final class MergeTests: XCTestCase {
  struct Row: Equatable {
    var key: Int
    var order: Int?
    var sequence: Int64
    var kind: UInt8
    var value: Int
  }

  /// Keys as a number, as text with a long common prefix, or as both.
  enum KeyShape: CaseIterable { case number, text, both }

  static let seeds: [UInt64] = Array(1...40)

  func test_next_keepsTheLastRowOfEachKey() throws {
    for seed in Self.seeds {
      for shape in KeyShape.allCases {
        try check(seed, shape, ordered: false, descending: false)
      }
    }
  }

  func test_next_ordersBySequenceFieldsFirst() throws {
    for seed in Self.seeds {
      try check(seed, .number, ordered: true, descending: false)
      try check(seed, .both, ordered: true, descending: true)
    }
  }

  func test_next_copiesLongStretchesOfOneRun() throws {
    // Runs that hardly interleave make the merge gallop.
    let runs = [
      (0..<5000).map { Row(key: $0, order: nil, sequence: 1, kind: 0, value: 1) },
      [10, 4000, 4999].map { Row(key: $0, order: nil, sequence: 2, kind: 0, value: 2) },
      (4990..<6000).map { Row(key: $0, order: nil, sequence: 3, kind: 0, value: 3) },
    ]
    let merged = try merge(runs, .number, ordered: false, descending: false, targetRows: 700)
    XCTAssertEqual(merged, expected(runs, ordered: false, descending: false))
  }

  func test_next_dropsDeletionsOnlyWhenAsked() throws {
    let runs = [
      [Row(key: 1, order: nil, sequence: 0, kind: 0, value: 1)],
      [Row(key: 1, order: nil, sequence: 1, kind: 3, value: 1)],
    ]
    XCTAssertEqual(try merge(runs, .number, ordered: false, descending: false).map(\.kind), [3])
    XCTAssertEqual(
      try merge(runs, .number, ordered: false, descending: false, dropDeletes: true), [])
    XCTAssertEqual(
      try merge(runs, .number, ordered: false, descending: false, ignoresDeletes: true)
        .map(\.value), [1])
  }

  func test_next_refusesARunThatRepeatsAKeyWithoutEnd() {
    let runs = [
      (0..<200).map { Row(key: 1, order: nil, sequence: Int64($0), kind: 0, value: 1) },
      [Row(key: 2, order: nil, sequence: 0, kind: 0, value: 2)],
    ]
    for shape in KeyShape.allCases {
      XCTAssertThrowsError(
        try merge(runs, shape, ordered: false, descending: false, targetRows: 10)
      ) { error in
        XCTAssertEqual((error as? TerraceError)?.kind, .corrupted)
      }
    }
  }

  // MARK: -

  private func check(
    _ seed: UInt64, _ shape: KeyShape, ordered: Bool, descending: Bool
  ) throws {
    var random = SplitMix(seed: seed)
    let runs = (0..<Int.random(in: 1...9, using: &random)).map { run in
      var keys: Set<Int> = []
      for _ in 0..<Int.random(in: 0...120, using: &random) {
        keys.insert(Int.random(in: -60...60, using: &random))
      }
      return keys.sorted().map { key in
        Row(
          key: key,
          order: Bool.random(using: &random) ? Int.random(in: 0...2, using: &random) : nil,
          sequence: Int64.random(in: 0...5, using: &random),
          kind: UInt8.random(in: 0...3, using: &random), value: run * 1000 + key)
      }
    }
    let merged = try merge(
      runs, shape, ordered: ordered, descending: descending,
      targetRows: Int.random(in: 1...50, using: &random))
    XCTAssertEqual(
      merged, expected(runs, ordered: ordered, descending: descending),
      "seed \(seed), \(shape), ordered \(ordered)")
  }

  private func expected(_ runs: [[Row]], ordered: Bool, descending: Bool) -> [Row] {
    var best: [Int: Row] = [:]
    for run in runs {
      for row in run {
        guard let old = best[row.key] else {
          best[row.key] = row
          continue
        }
        // Null is the least; descending turns the whole order round.
        var order = 0
        if ordered { order = (row.order ?? -1) - (old.order ?? -1) }
        if descending { order = -order }
        if order == 0 { order = row.sequence < old.sequence ? -1 : 1 }
        if order > 0 { best[row.key] = row }
      }
    }
    return best.keys.sorted().compactMap { best[$0] }
  }

  private func merge(
    _ runs: [[Row]], _ shape: KeyShape, ordered: Bool, descending: Bool,
    dropDeletes: Bool = false, ignoresDeletes: Bool = false, targetRows: Int = 16384
  ) throws -> [Row] {
    let text = DataType.string.notNull
    let number = DataType.bigint.notNull
    let type = RowType([
      ("number", number), ("text", text), ("order", DataType.int), ("value", DataType.bigint),
    ])
    let keys = shape == .number ? [0] : shape == .text ? [1] : [1, 0]
    let layout = KeyValueLayout(
      type: type, keyColumns: keys, orderColumns: ordered ? [2] : [], descending: descending)
    var random = SplitMix(seed: UInt64(runs.count))
    let inputs = runs.map { rows -> any KeyValueSource in
      var parts: [KeyValues] = []
      var start = 0
      while start < rows.count {
        let end = min(rows.count, start + Int.random(in: 1...2000, using: &random))
        parts.append(keyValues(Array(rows[start..<end]), layout))
        start = end
      }
      return KeyValueList(parts)
    }
    let reader = MergeReader(
      layout, MergeEngine(ignoresDeletes: ignoresDeletes), inputs, dropDeletes: dropDeletes,
      targetRows: targetRows)
    var merged: [Row] = []
    while let rows = try reader.next() {
      for i in 0..<rows.count {
        merged.append(
          Row(
            key: Int(rows.values.columns[0].pointer(Int64.self)[i]),
            order: rows.values.columns[2].isNull(i)
              ? nil : Int(rows.values.columns[2].pointer(Int32.self)[i]),
            sequence: rows.sequences.pointer(Int64.self)[i],
            kind: rows.kinds.pointer(UInt8.self)[i],
            value: Int(rows.values.columns[3].pointer(Int64.self)[i])))
      }
    }
    return merged
  }

  private func keyValues(_ rows: [Row], _ layout: KeyValueLayout) -> KeyValues {
    let builders = layout.type.fields.map { ColumnBuilder($0.type) }
    let sequences = ColumnBuilder(DataType.bigint.notNull)
    let kinds = ColumnBuilder(DataType.tinyint.notNull)
    for row in rows {
      builders[0].append(Int64(row.key))
      builders[1].append("a long common prefix \(row.key + 500_000)")
      if let order = row.order {
        builders[2].append(Int32(order))
      } else {
        builders[2].appendNull()
      }
      builders[3].append(Int64(row.value))
      sequences.append(row.sequence)
      kinds.append(row.kind)
    }
    return KeyValues(
      layout, values: Batch(layout.type, builders.map { $0.finish() }, count: rows.count),
      sequences: sequences.finish(), kinds: kinds.finish())
  }
}
