import Columns
import Connectors
import Store
import XCTest

@testable import Warehouse

final class DeadLettersTests: XCTestCase {
  private func letter(_ place: String, key: String? = nil) -> DeadLetter {
    var letter = DeadLetter(row: 0, place: place, bytes: Array("{".utf8), reason: "no JSON")
    letter.key = key.map { Array($0.utf8) }
    return letter
  }

  /// Letters written by two processes, and one of them taken out by a third, into a table of the newest
  /// columns or of fewer, which an older program made.
  private func letters(columns: Int) throws -> [StoredLetter] {
    let fixture = JobFixture(MemoryFileIO(), ManualTime())
    try fixture.create(
      "dead_letters.ods_t", RowType(Array(DeadLetters.columns.prefix(columns))), key: ["id"])
    var snapshot: Int64?
    var count: Int64 = 0
    func process(_ epoch: Int64, _ work: (DeadLetters) throws -> Void) throws {
      let letters = try DeadLetters(
        "ods.t", fixture.environment, user: "u", at: snapshot, count: count)
      XCTAssertEqual(letters.snapshotID, snapshot)
      try work(letters)
      try letters.commit(identifier: epoch)
      (snapshot, count) = (letters.snapshotID, letters.count)
      letters.close()
    }
    try process(1) {
      try $0.write([letter("t-0@1", key: "k1"), letter("t-0@2")], source: "kafka01")
    }
    try process(2) {
      var tombstone = letter("t-0@3", key: "k3")
      tombstone.isTombstone = true
      try $0.write([tombstone], source: "kafka01")
    }
    try process(3) { try $0.remove([1]) }
    XCTAssertEqual(count, 3)
    return try DeadLetters.stored("ods.t", fixture.warehouse)
  }

  func test_letters_keepKeysAndTombstones() throws {
    let found = try letters(columns: 7)
    XCTAssertEqual(found.map(\.id), [0, 2])
    XCTAssertEqual(found.map(\.place), ["t-0@1", "t-0@3"])
    XCTAssertEqual(found.map(\.key), [Array("k1".utf8), Array("k3".utf8)])
    XCTAssertEqual(found.map(\.isTombstone), [false, true])
    XCTAssertTrue(found.allSatisfy(\.keepsKey))
  }

  func test_letters_goOnInATableWithoutKeys() throws {
    let found = try letters(columns: 6)
    XCTAssertEqual(found.map(\.id), [0, 2])
    XCTAssertEqual(found.map(\.place), ["t-0@1", "t-0@3"])
    XCTAssertEqual(found.map(\.source), ["kafka01", "kafka01"])
    XCTAssertEqual(found.map(\.reason), ["no JSON", "no JSON"])
    XCTAssertEqual(found.map(\.bytes), [Array("{".utf8), []])
    XCTAssertEqual(found.map(\.key), [nil, nil])
    // Nobody takes the missing key for none.
    XCTAssertFalse(found.contains(where: \.keepsKey))
    XCTAssertFalse(found.contains(where: \.isTombstone))
  }
}
