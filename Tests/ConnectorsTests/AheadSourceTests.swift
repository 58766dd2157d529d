import Columns
import Store
import XCTest

@testable import Connectors

final class AheadSourceTests: XCTestCase {
  private static let lines = 500

  private func fixture() throws -> (FileFixture, ConnectorTable) {
    let fixture = try FileFixture()
    for file in 0..<5 {
      let text = (0..<Self.lines).map { "{\"id\": \(file * Self.lines + $0), \"name\": \"x\"}\n" }
      try fixture.put("f\(file).json", text.joined())
    }
    return (fixture, fixture.table("json"))
  }

  private func count(_ batch: SourceBatch?) -> Int { batch?.rows.count ?? 0 }

  /// Wherever it is left, one that seeks to its position goes on behind the last batch given.
  func test_position_isThatOfTheLastBatchGiven() throws {
    let (fixture, table) = try fixture()
    for stop in [0, 1, 2, 3, 7, 20, 100] {
      let first = AheadSource(try fixture.open(table))
      var seen = 0
      for _ in 0..<stop { seen += count(try first.poll(rows: 40, bytes: 1 << 20)) }
      let position = first.position
      first.close()
      let second = AheadSource(try fixture.open(table))
      defer { second.close() }
      try second.seek(position)
      try second.stopAtPresent()
      while !second.isDrained { seen += count(try second.poll(rows: 40, bytes: 1 << 20)) }
      XCTAssertEqual(seen, 5 * Self.lines, "left after \(stop) polls")
    }
  }

  /// Positions taken in between, with those behind them, say the same.
  func test_takePositions_countsWhatWasGivenOnly() throws {
    let (fixture, table) = try fixture()
    let source = AheadSource(try fixture.open(table))
    var seen = 0
    var rows: [DeltaBatch] = []
    for poll in 0..<30 {
      seen += count(try source.poll(rows: 40, bytes: 1 << 20))
      if poll % 3 == 2, let taken = try source.takePositions() { rows.append(taken) }
    }
    XCTAssertFalse(rows.isEmpty, "positions are taken at last")
    let position = source.position
    source.close()
    let second = AheadSource(try fixture.open(table))
    defer { second.close() }
    for taken in rows { try second.restorePositions(taken) }
    try second.seek(position)
    try second.stopAtPresent()
    while !second.isDrained { seen += count(try second.poll(rows: 40, bytes: 1 << 20)) }
    XCTAssertEqual(seen, 5 * Self.lines)
  }

  func test_failure_comesInItsPlace() throws {
    let fixture = try FileFixture()
    try fixture.put("a.json", "{\"id\": 1, \"name\": \"x\"}\n{\"id\": 2, \"name\": \"x\"}\n")
    try fixture.put("b.json", "no record\n")
    let source = AheadSource(try fixture.open(fixture.table("json", ["on-error": "fail"])))
    defer { source.close() }
    var seen = 0
    XCTAssertThrowsError(
      try { while let batch = try source.poll(rows: 1, bytes: 1 << 20) { seen += count(batch) } }())
    XCTAssertEqual(seen, 2)
  }
}
