import Columns
import Foundation
import Store
import XCTest

/// What daily tags of a slowly changing table cost on the disk.
final class TagCostTests: XCTestCase {
  private static let day: Int64 = 86_400_000

  /// A table whose rows change by hundredths, and its folder's size day by day.
  private struct Story {
    var rows = 10_000
    var commitsPerDay = 4
    var options: [String: String] = [:]

    /// Bytes of all files after each number of days, in multiples of what the same rows take alone.
    func costs(after days: [Int]) throws -> [Int: Double] {
      let time = ManualTime()
      let disk = MemoryFileIO(time: time)
      let environment = Environment(files: disk, time: time, names: SeededNames(seed: 7))
      var all = options
      all["bucket"] = all["bucket"] ?? "1"
      let table = try TestTable(
        environment,
        [
          ("id", DataType(.bigint, nullable: false)), ("shop", DataType(.int)),
          ("amount", DataType(.bigint)), ("note", .string),
        ], primaryKeys: ["id"], options: all)
      var random = SplitMix(seed: 11)
      let opened = try table.open()
      let writer = try opened.writer(user: "job")
      defer { writer.close() }
      func write(_ keys: [Int64], _ identifier: Int64, beforeTag: Bool = false) throws {
        let batch = table.batch(
          keys.map { key in
            // Some hundred bytes, so that a row is more than its share of a file's frame.
            let text = (0..<30).map { _ in String(random.next(), radix: 36) }.joined()
            return [
              .int(key), .int(Int64(random.next() % 1000)), .int(Int64(random.next() >> 20)),
              .bytes(Array(text.utf8)),
            ]
          })
        try writer.write(batch)
        _ = try writer.commit(
          identifier: identifier, properties: ["terrace.root.job": "j"], beforeTag: beforeTag)
      }
      try write((0..<Int64(rows)).map { $0 }, 1)
      var contents: [(tag: String, rows: [[Scalar]])] = []
      var (found, identifier): ([Int: Double], Int64) = ([:], 1)
      let tags = TagDirectory(TablePath(table.root), environment)
      for day in 1...(days.max() ?? 0) {
        for turn in 1...commitsPerDay {
          identifier += 1
          time.advance(millis: TagCostTests.day / Int64(commitsPerDay))
          let keys = (0..<(rows / 100 / commitsPerDay)).map { _ in
            Int64(random.next() % UInt64(rows))
          }
          try write(keys, identifier, beforeTag: turn == commitsPerDay)
        }
        try tags.create("2026-day-\(day)")
        if let failure = opened.maintain() { throw failure }
        if days.contains(day) {
          contents.append(
            ("2026-day-\(day)", try TestTable.read(opened, try opened.snapshots.latest())))
          found[day] =
            Double(try size(table.root, environment)) / Double(try alone(table, environment))
        }
      }
      for (tag, rows) in contents {
        let snapshot = try tags.tag(tag).snapshot
        XCTAssertEqual(try TestTable.read(opened, snapshot), rows, "\(tag) is not what it was")
      }
      return found
    }

    /// What the newest rows take in a table of their own, fully compacted.
    private func alone(_ table: TestTable, _ environment: Environment) throws -> Int {
      let files = MemoryFileIO(time: environment.time)
      let copy = try TestTable(
        Environment(files: files, time: environment.time),
        table.type.fields.map { ($0.name, $0.type) }, primaryKeys: ["id"],
        options: options.merging(["bucket": "1"]) { old, _ in old })
      let opened = try table.open()
      let rows = try TestTable.read(opened, try opened.snapshots.latest())
      let writer = try copy.open().writer()
      try writer.write(copy.batch(rows))
      try writer.compact(full: true)
      _ = try writer.commit(waitCompaction: true)
      writer.close()
      _ = try Expiration(TablePath(copy.root), copy.environment).run(
        Expiration.Policy(retainMin: 1, retainMax: 1, olderThanMillis: .max))
      return try size(copy.root, copy.environment)
    }

    private func size(_ folder: String, _ environment: Environment) throws -> Int {
      var total = 0
      for name in try environment.files.list(folder) {
        let path = folder + "/" + name
        guard let status = try environment.files.status(path) else { continue }
        total += status.isDirectory ? try size(path, environment) : status.byteCount
      }
      return total
    }
  }

  func test_dailyTags_costLessThanTheTableTwiceAndFourTimes() throws {
    let all = ProcessInfo.processInfo.environment["TERRACE_TAGS"] == "all"
    let more = [
      Story(rows: 100_000, commitsPerDay: 6), Story(rows: 100_000, commitsPerDay: 50),
      Story(rows: 100_000, options: ["bucket": "4"]),
      Story(rows: 100_000, options: ["changelog-producer": "input"]),
    ]
    for story in [Story(), Story(commitsPerDay: 1)] + (all ? more : []) {
      let costs = try story.costs(after: [10, 30, 100])
      let text = costs.sorted { $0.key < $1.key }.map {
        "\($0.key) tags \(($0.value * 100).rounded() / 100)×"
      }
      print(
        "tags: 1 % of \(story.rows) rows a day in \(story.commitsPerDay) commits \(story.options): \(text.joined(separator: ", "))"
      )
      XCTAssertLessThan(try XCTUnwrap(costs[10]), 2, "\(story)")
      XCTAssertLessThan(try XCTUnwrap(costs[100]), 4, "\(story)")
    }
  }
}
