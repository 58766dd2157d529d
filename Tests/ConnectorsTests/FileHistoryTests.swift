import Columns
import Formats
import Foundation
import Store
import XCTest

@testable import Connectors

/// Random histories: files come and grow, the reader stops and comes back at any position.
final class FileHistoryTests: XCTestCase {
  private var seed: UInt64 {
    ProcessInfo.processInfo.environment["CI"] != nil ? 7 : UInt64.random(in: 0..<1_000_000)
  }

  func test_seek_givesEachRecordOnceInOrderWhateverHappened() throws {
    let seed = seed
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    for _ in 0..<60 { try history(&random) }
  }

  /// One line of the log: what a position was and which records followed it.
  private struct Mark {
    var position: String
    var table: [DeltaBatch]
    var count: Int
  }

  private func history(_ random: inout SplitMix) throws {
    let fixture = try FileFixture()
    let format = ["json", "csv"].randomElement(using: &random)!
    let table = fixture.table(format)
    var source = try fixture.open(table)
    var texts: [String: String] = [:]
    var written: [Int: String] = [:]
    var next = 0
    var given: [String] = []
    var tables: [DeltaBatch] = []
    var marks = [Mark(position: source.position, table: [], count: 0)]
    for _ in 0..<60 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3:
        let name = "f\(Int.random(in: 0..<6, using: &random)).\(format)"
        var text = texts[name] ?? ""
        for _ in 0..<Int.random(in: 1...20, using: &random) {
          text += format == "json" ? "{\"id\":\(next),\"name\":\"é\"}\n" : "\(next),é\n"
          written[next] = name
          next += 1
        }
        texts[name] = text
        // Sometimes the last line is only half there.
        let cut = Bool.random(using: &random) ? 0 : Int.random(in: 0..<8, using: &random)
        try fixture.put(name, bytes: Array(Array(text.utf8).dropLast(cut)))
        fixture.time.advance(millis: 2000)
      case 3..<8:
        let rows = Int.random(in: 1...12, using: &random)
        if let batch = try source.poll(rows: rows, bytes: 1 << 16) {
          given += FileFixture.text(batch)
          marks.append(Mark(position: source.position, table: tables, count: given.count))
        }
      case 8:
        if let rows = try source.takePositions() {
          tables.append(rows)
          marks = [Mark(position: source.position, table: tables, count: given.count)]
        }
      default:
        // Back at an older position, then as far as the newest one, in the same order.
        let mark = marks.randomElement(using: &random)!
        let newest = source.position
        source.close()
        source = try fixture.open(table)
        for rows in mark.table { try source.restorePositions(rows) }
        try source.seek(mark.position)
        try source.replay(to: newest)
        var again: [String] = []
        while again.count < given.count - mark.count {
          let rows = Int.random(in: 1...12, using: &random)
          let left = given.count - mark.count - again.count
          let batch = try XCTUnwrap(try source.poll(rows: min(rows, left), bytes: 1 << 16))
          again += FileFixture.text(batch)
        }
        XCTAssert(again == Array(given[mark.count...]), "another order")
        marks = marks.filter { $0.count <= mark.count && $0.table.count == mark.table.count }
        marks.append(Mark(position: source.position, table: tables, count: given.count))
      }
    }
    for (name, text) in texts { try fixture.put(name, text) }
    fixture.time.advance(millis: 5000)
    try source.stopAtPresent()
    source.endInput()
    given += try FileFixture.drain(source)
    XCTAssertTrue(source.isDrained)
    let expected = (0..<next).map { "+I[\($0), é]" }
    let difference = given.difference(from: expected.sorted()).count
    XCTAssert(given.sorted() == expected.sorted(), "\(difference) differ")
    for name in texts.keys {
      let own = (0..<next).filter { written[$0] == name }.map { "+I[\($0), é]" }
      let mine = Set(own)
      XCTAssert(given.filter { mine.contains($0) } == own, "\(name) out of order")
    }
  }
}
