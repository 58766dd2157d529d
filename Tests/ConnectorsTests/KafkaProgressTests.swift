import Columns
import Store
import XCTest

@testable import Connectors

final class KafkaProgressTests: XCTestCase {
  private typealias Partition = KafkaProgress.Partition

  private struct Random {
    var state: UInt64
    mutating func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
  }

  func test_text_isShortForManyPartitions() throws {
    var progress = KafkaProgress()
    for i in 0..<2000 { progress.add(Partition(topic: "orders", number: Int32(i)), at: 5) }
    XCTAssertEqual(progress.take()?.count, 2000)
    XCTAssertEqual(progress.text, "")
    for i in 0..<2000 { progress.advance(i % 3, to: progress.next[i % 3] + 7) }
    progress.advance(1999, to: 12)
    progress.advance(1999, to: 17)
    XCTAssertTrue(progress.text.hasSuffix("1999:12"), progress.text.suffix(20).description)
    XCTAssertEqual(progress.take()?.count, 4)
  }

  /// A position and the table lead to the same offsets, and what lies between two positions comes in order.
  func test_seekAndSteps_areWhatWasGiven() throws {
    for seed in 1...200 {
      var random = Random(state: UInt64(seed))
      var progress = KafkaProgress()
      var tables: [DeltaBatch] = []
      var marks: [(text: String, next: [Int64], given: Int)] = []
      var given: [(id: Int, offset: Int64)] = []
      for _ in 0..<60 {
        switch random.next(12) {
        case 0:
          let number = Int32(progress.partitions.count)
          progress.add(Partition(topic: "t-\(seed)/x", number: number), at: Int64(random.next(50)))
        case 1:
          if let rows = progress.take() { tables.append(rows) }
          marks = []
        case 2, 3: marks.append((progress.text, progress.next, given.count))
        default:
          if progress.partitions.isEmpty { continue }
          let id = random.next(progress.partitions.count)
          let from = progress.next[id]
          let to = from + Int64(random.next(4))
          for offset in from..<to { given.append((id, offset)) }
          progress.advance(id, to: to)
        }
      }
      marks.append((progress.text, progress.next, given.count))
      for (index, mark) in marks.enumerated() {
        var back = try restored(tables)
        try back.seek(mark.text)
        XCTAssertEqual(back.next, mark.next, "seed \(seed)")
        XCTAssertEqual(back.text, mark.text, "seed \(seed)")
        for later in marks[index...] {
          var copy = back
          var again: [(Int, Int64)] = []
          for step in try copy.steps(to: later.text) {
            for _ in 0..<step.count {
              again.append((step.id, copy.next[step.id]))
              copy.advance(step.id, to: copy.next[step.id] + 1)
            }
          }
          XCTAssertEqual(copy.next, later.next, "seed \(seed)")
          let wanted = given[mark.given..<later.given]
          XCTAssertTrue(again.elementsEqual(wanted) { $0.0 == $1.id && $0.1 == $1.offset })
        }
      }
      let offsets = try progress.offsets(at: progress.text)
      XCTAssertEqual(offsets.map(\.1), progress.next, "seed \(seed)")
    }
  }

  /// The rows of a table that was written again and again: the last one of each number.
  private func restored(_ tables: [DeltaBatch]) throws -> KafkaProgress {
    var progress = KafkaProgress()
    guard !tables.isEmpty else { return progress }
    let all = Batch.concat(tables.map(\.rows))
    var last: [Int32: Int32] = [:]
    for row in 0..<all.count {
      last[all.columns[0].pointer(Int32.self)[row]] = Int32(row)
    }
    let rows = Array(last.values)
    try progress.restore(DeltaBatch(inserting: all.gather(rows, count: rows.count)))
    return progress
  }

  func test_texts_thatAreNoPositionAreRefused() {
    for text in ["x", "1", "1:", ":1", "1:0", "9:5", "+a@5", "+a/b@5", "+a/1@", "0:x", "-1:5"] {
      var progress = KafkaProgress()
      progress.add(Partition(topic: "a", number: 0), at: 0)
      _ = progress.take()
      XCTAssertThrowsError(try progress.seek(text), text) {
        XCTAssertEqual(($0 as? TerraceError)?.kind, .corrupted)
      }
    }
    var progress = KafkaProgress()
    progress.add(Partition(topic: "a", number: 0), at: .max - 1)
    _ = progress.take()
    XCTAssertThrowsError(try progress.seek("0:1000"))
  }
}
