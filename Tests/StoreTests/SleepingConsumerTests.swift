import Columns
import Store
import XCTest

/// A reader that is away for long while the table is written, compacted, tagged and expired.
final class SleepingConsumerTests: XCTestCase {
  func test_consumer_readsOnWithoutAGapWhenItSleptThroughExpiration() throws {
    let time = ManualTime()
    let environment = Environment(files: MemoryFileIO(time: time), time: time)
    let table = try TestTable(
      environment, [("id", DataType(.bigint, nullable: false)), ("value", DataType(.bigint))],
      primaryKeys: ["id"],
      options: [
        "bucket": "2", "changelog-producer": "input", "snapshot.num-retained.min": "1",
        "snapshot.num-retained.max": "3", "snapshot.time-retained": "1 s",
      ])
    let opened = try table.open()
    let consumers = Consumers(opened.path, environment)
    let writer = try opened.writer(user: "job")
    defer { writer.close() }
    var (random, rows, next): (SplitMix, [Int64: Int64], Int64) = (SplitMix(seed: 5), [:], 1)
    // What the reader has put together from the changes alone.
    var seen: [Int64: Int64] = [:]
    func wake() throws {
      while let latest = try opened.snapshots.latestID(), next <= latest {
        let snapshot = try opened.snapshots.snapshot(next)
        let read = try opened.changes().changes(of: snapshot)
        while let changes = try read.next() {
          let kinds = changes.kinds.pointer(UInt8.self)
          for (i, row) in TestTable.rows(changes.rows).enumerated() {
            guard case .int(let id) = row[0], case .int(let value) = row[1] else { continue }
            switch RowKind(rawValue: kinds[i]) {
            case .insert?, .updateAfter?: seen[id] = value
            default:
              XCTAssertEqual(seen[id], value, "a change takes back what was never given")
              seen[id] = nil
            }
          }
        }
        next += 1
      }
      try consumers.set("reader", next: next)
    }
    try consumers.set("reader", next: 1)
    for sleep in [1, 40, 3, 80] {
      for _ in 0..<sleep {
        time.advance(millis: 3_600_000)
        var (out, kinds): ([[Scalar]], [RowKind]) = ([], [])
        for _ in 0..<20 {
          let (id, value) = (Int64(random.next() % 50), Int64(random.next() % 1_000_000))
          if let old = rows[id] {
            out += [[.int(id), .int(old)], [.int(id), .int(value)]]
            kinds += [.updateBefore, .updateAfter]
          } else {
            out.append([.int(id), .int(value)])
            kinds.append(.insert)
          }
          rows[id] = value
        }
        try writer.write(table.batch(out), kinds: TestTable.kinds(kinds))
        try writer.commit(waitCompaction: true)
        if let failure = opened.maintain() { throw failure }
      }
      // It sleeps, and nothing it has not read is gone.
      XCTAssertLessThanOrEqual(try XCTUnwrap(try opened.snapshots.earliestID()), next)
      try wake()
      XCTAssertEqual(seen, rows)
      if let failure = opened.maintain() { throw failure }
    }
    // Without it the same snapshots do go: the expiration was at work.
    try consumers.delete("reader")
    for _ in 0..<9 { if let failure = opened.maintain() { throw failure } }
    XCTAssertLessThanOrEqual(try opened.snapshots.ids().count, 3)
  }
}
