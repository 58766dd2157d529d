import Columns
import Dataflow
import Foundation
import Store
import XCTest

@testable import Warehouse

final class TagScheduleTests: XCTestCase {
  private static let minute: Int64 = 60_000
  private static let hour: Int64 = 3_600_000
  private static let day: Int64 = 86_400_000

  private func schedule(
    _ options: [String: String], zone: String = "UTC", columns: [String] = ["id"],
    partitioned: Bool = false
  ) throws -> TagSchedule {
    let schema = try TableSchema.create(
      columns: RowType(columns.map { ($0, DataType(.bigint)) }).fields,
      partitionKeys: partitioned ? ["id"] : [], primaryKeys: [], options: options, timeMillis: 0)
    return try TagSchedule(schema, session: try XCTUnwrap(SessionZone(zone)))
  }

  private func millis(_ text: String) throws -> Int64 { try InstantText.millis(text, for: "test") }

  // MARK: Names

  func test_names_areAsPaimonWritesThem() throws {
    let cases: [([String: String], String)] = [
      ([:], "2026-11-20"),
      (["tag.period-formatter": "without_dashes"], "20261120"),
      (["tag.period-formatter": "without_dashes_and_spaces"], "20261120"),
      (["tag.creation-period": "hourly"], "2026-11-20 07"),
      (["tag.creation-period": "hourly", "tag.period-formatter": "without_dashes"], "20261120 07"),
      (
        ["tag.creation-period": "hourly", "tag.period-formatter": "without_dashes_and_spaces"],
        "2026112007"
      ),
      (["tag.creation-period": "two-hours"], "2026-11-20 06"),
      (["tag.creation-period-duration": "30 min"], "202611200730"),
      (["tag.creation-period-duration": "1 d", "tag.creation-period": "hourly"], "202611200000"),
      (["tag.creation-period-duration": "10 s"], "20261120074550"),
    ]
    let instant = try millis("2026-11-20 07:45:57.123")
    for (options, name) in cases {
      let schedule = try schedule(options)
      let period = try XCTUnwrap(schedule.period(of: instant))
      XCTAssertEqual(schedule.name(of: period), name, "\(options)")
      XCTAssertEqual(schedule.period(named: name), period, name)
    }
  }

  func test_period_isNilForWhatIsNoNameOfTheSchedule() throws {
    let daily = try schedule([:])
    for name in [
      "", "2026-11-2", "2026-11-200", "2026-13-01", "2026-02-30", "20261120", "2026-11-20 00", "v1",
      "0000-01-01", "2026-11-2x", "２026-11-20",
    ] {
      XCTAssertNil(daily.period(named: name), name)
    }
    XCTAssertNil(try schedule(["tag.creation-period": "two-hours"]).period(named: "2026-11-20 07"))
    XCTAssertNil(daily.period(of: .max))
    XCTAssertNil(daily.period(of: .min))
    XCTAssertEqual(daily.due(after: 0, at: .max), [])
    XCTAssertEqual(daily.due(after: 0, at: .min), [])
  }

  // MARK: Options

  func test_options_areReadWithTheirDefaults() throws {
    let plain = try schedule([:], zone: "Asia/Shanghai")
    XCTAssertEqual(plain.mode, .none)
    XCTAssertFalse(plain.isAutomatic)
    XCTAssertEqual(plain.lengthMillis, Self.day)
    XCTAssertTrue(plain.completes)
    XCTAssertNil(plain.partitionColumn)
    let watermark = try schedule(
      [
        "tag.automatic-creation": "watermark", "tag.num-retained-max": "3",
        "tag.default-time-retained": "30 d", "tag.creation-delay": "10 min",
        "tag.automatic-completion": "false", "metastore.tag-to-partition": "dt",
        "metastore.tag-to-partition.preview": "watermark",
      ], zone: "Asia/Shanghai")
    XCTAssertEqual(watermark.zone.name, "UTC")
    XCTAssertEqual(watermark.retainedMax, 3)
    XCTAssertEqual(watermark.timeRetainedMillis, 30 * Self.day)
    XCTAssertEqual(watermark.delayMillis, 10 * Self.minute)
    XCTAssertFalse(watermark.completes)
    XCTAssertEqual(watermark.partitionColumn, "dt")
    XCTAssertEqual(watermark.preview, .watermark)
    let process = try schedule(["tag.automatic-creation": "process-time"], zone: "Asia/Shanghai")
    XCTAssertEqual(process.zone.name, "Asia/Shanghai")
    let named = try schedule([
      "tag.automatic-creation": "process-time", "sink.process-time-zone": "Europe/Paris",
    ])
    XCTAssertEqual(named.zone.name, "Europe/Paris")
  }

  func test_options_thatMakeNoSenseAreRefused() throws {
    let wrong: [[String: String]] = [
      ["tag.automatic-creation": "sometimes"], ["tag.creation-period": "weekly"],
      ["tag.creation-delay": "1 d"],
      ["tag.creation-period": "hourly", "tag.creation-delay": "1 h"],
      ["tag.creation-period-duration": "500 ms"], ["tag.creation-period-duration": "1500 ms"],
      ["tag.creation-period-duration": "99999 d"], ["tag.num-retained-max": "0"],
      ["tag.automatic-creation": "watermark", "sink.watermark-time-zone": "Mars/Base"],
      ["tag.automatic-creation": "process-time", "sink.process-time-zone": "Mars/Base"],
      ["tag.period-formatter": "iso"], ["metastore.tag-to-partition": ""],
    ]
    for options in wrong {
      XCTAssertThrowsError(try schedule(options), "\(options)") {
        XCTAssertEqual(($0 as? TerraceError)?.kind, .invalid, "\(options): \($0)")
      }
    }
  }

  /// Design 5a.10: a real column named like `metastore.tag-to-partition` is refused.
  func test_options_refuseAPartitionColumnThatIsARealOne() throws {
    let options = ["metastore.tag-to-partition": "dt"]
    XCTAssertEqual(try schedule(options).partitionColumn, "dt")
    for column in ["dt", "DT"] {
      XCTAssertThrowsError(try schedule(options, columns: ["id", column])) {
        XCTAssertTrue("\($0)".contains("has a column 'dt' of its own"), "\($0)")
      }
    }
    XCTAssertThrowsError(try schedule(options, partitioned: true))
  }

  // MARK: Due

  func test_due_makesUpWhatWasMissed() throws {
    let daily = try schedule(["tag.creation-delay": "10 min"])
    func due(_ after: String, _ at: String) throws -> [String] {
      daily.due(after: try millis(after), at: try millis(at)).map { daily.name(of: $0) }
    }
    XCTAssertEqual(try due("2024-01-01", "2024-01-02 00:09:59.999"), [])
    XCTAssertEqual(try due("2024-01-01", "2024-01-02 00:10:00"), ["2024-01-01"])
    XCTAssertEqual(try due("2024-01-02", "2024-01-02 00:10:00"), [])
    XCTAssertEqual(
      try due("2024-01-01 13:00:00", "2024-01-05 00:11:00"),
      ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"])
    let last = try schedule(["tag.automatic-completion": "false"])
    XCTAssertEqual(
      last.due(after: 0, at: try millis("2024-01-05 01:00:00")).map { last.name(of: $0) },
      ["2024-01-04"])
    let two = try schedule(["tag.num-retained-max": "2"])
    XCTAssertEqual(
      two.due(after: 0, at: try millis("2024-01-05 01:00:00")).map { two.name(of: $0) },
      ["2024-01-03", "2024-01-04"])
    XCTAssertEqual(try schedule([:]).due(after: 0, at: 400 * 365 * Self.day, limit: 50).count, 50)
  }

  // MARK: Common

  func test_common_isTheLeastThatAllHave() throws {
    func common(_ all: (String, String)...) throws -> TagSchedule? {
      try TagSchedule.common(
        try all.map {
          try schedule([
            "tag.automatic-creation": "process-time", "tag.creation-period-duration": $0.0,
            "sink.process-time-zone": $0.1,
          ])
        })
    }
    XCTAssertNil(try TagSchedule.common([try schedule([:])]))
    XCTAssertEqual(try common(("1 h", "UTC"), ("1 d", "UTC"))?.lengthMillis, Self.day)
    XCTAssertEqual(try common(("2 h", "UTC"), ("3 h", "UTC"))?.lengthMillis, 6 * Self.hour)
    XCTAssertEqual(
      try common(("2 h", "UTC"), ("3 h", "UTC"), ("1 d", "UTC"), ("5 h", "UTC"))?.lengthMillis,
      120 * Self.hour)
    let mixed = try XCTUnwrap(try common(("1 h", "UTC"), ("1 d", "Asia/Shanghai")))
    XCTAssertEqual(mixed.zone.name, "Asia/Shanghai")
    XCTAssertEqual(mixed.lengthMillis, Self.day)
    for pair in [
      (("1 d", "UTC"), ("1 d", "Asia/Shanghai")), (("1 h", "UTC"), ("1 d", "Asia/Kathmandu")),
      (("3001 d", "UTC"), ("2 d", "UTC")), (("1 h", "Australia/Lord_Howe"), ("1 d", "UTC")),
    ] {
      XCTAssertThrowsError(try common(pair.0, pair.1), "\(pair)")
    }
    let hourly = try schedule([
      "tag.automatic-creation": "watermark", "tag.creation-period": "hourly",
    ])
    let daily = try schedule(["tag.automatic-creation": "watermark"])
    let both = try XCTUnwrap(try TagSchedule.common([hourly, daily]))
    let barrier = try XCTUnwrap(both.period(of: try millis("2024-01-01 05:00:00")))
    XCTAssertEqual(both.name(of: barrier), "2024-01-01")
    // The same barrier is the last hour of the day there.
    let last = try XCTUnwrap(hourly.calendar.period(endingAt: barrier.endMillis))
    XCTAssertEqual(hourly.name(of: last), "2024-01-01 23")
    XCTAssertNil(daily.calendar.period(endingAt: barrier.endMillis - Self.hour))
  }

  // MARK: Against a model

  /// The model: a period is over when the wall clock first shows its end or a later reading.
  func test_periods_agreeWithAClockThatIsWatchedMinuteByMinute() throws {
    let seed = ProcessInfo.processInfo.environment["CI"] == nil ? UInt64.random(in: 0..<1 << 32) : 3
    print("tag periods: seed \(seed)")
    var random = SplitMix(seed: seed)
    // The days around a change of the clock, among them a midnight that is missing, a day that is missing,
    // half an hour, and a change of the offset without summer time.
    let places: [(String, String)] = [
      ("Europe/Berlin", "2024-03-31"), ("Europe/Berlin", "2024-10-27"),
      ("America/New_York", "2024-11-03"), ("America/Sao_Paulo", "2018-11-04"),
      ("America/Sao_Paulo", "2018-02-18"), ("Australia/Lord_Howe", "2024-04-07"),
      ("Australia/Lord_Howe", "2024-10-06"), ("Pacific/Apia", "2011-12-30"),
      ("Asia/Pyongyang", "2018-05-05"), ("Asia/Kathmandu", "2024-01-01"), ("UTC", "2024-02-29"),
      ("GMT+05:30", "1969-12-31"),
    ]
    let lengths = [15, 30, 45, 60, 90, 120, 180, 420, 1440, 10080].map { Int64($0) * Self.minute }
    for (name, date) in places {
      let zone = try XCTUnwrap(SessionZone(name))
      let clock = try XCTUnwrap(
        name == "GMT+05:30" ? TimeZone(secondsFromGMT: 19800) : TimeZone(identifier: name))
      let from = try millis(date) - 3 * Self.day
      for length in [lengths[0], lengths[1]] + [
        lengths.randomElement(using: &random)!, lengths[3], lengths[8],
      ] {
        let calendar = TagCalendar(zone: zone, lengthMillis: length)
        // Index of the period by instant, from a clock that never goes back.
        var (index, latest): ([Int64], Int64) = ([], .min)
        // Begun long before, so that the highest reading so far is known.
        for t in stride(from: from - Self.day, to: from + 6 * Self.day, by: Int(Self.minute)) {
          let offset = clock.secondsFromGMT(for: Date(timeIntervalSince1970: Double(t) / 1000))
          latest = max(latest, t + Int64(offset) * 1000)
          if t >= from { index.append(floorDivide(latest, length)) }
        }
        for _ in 0..<60 {
          let i = Int.random(in: 0..<index.count, using: &random)
          let t = from + Int64(i) * Self.minute + Int64.random(in: 0..<Self.minute, using: &random)
          let period = try XCTUnwrap(calendar.period(of: t), "\(name) \(t)")
          let context =
            "seed \(seed) \(name) length \(length) at \(InstantText.text(millis: t)): \(period)"
          XCTAssertEqual(calendar.firstReading(of: period), index[i] * length, context)
          if let first = index.firstIndex(of: index[i]), first > 0 {
            XCTAssertEqual(period.startMillis, from + Int64(first) * Self.minute, context)
          }
          if let end = index.lastIndex(of: index[i]), end + 1 < index.count {
            XCTAssertEqual(period.endMillis, from + Int64(end + 1) * Self.minute, context)
            XCTAssertEqual(calendar.next(after: period)?.startMillis, period.endMillis, context)
          }
          XCTAssertEqual(calendar.period(endingAt: period.endMillis), period, context)
          XCTAssertTrue(calendar.isBoundary(period.startMillis), context)
        }
        try checkDue(zone, length, from, index, &random, "seed \(seed) \(name) \(length)")
      }
    }
  }

  private func checkDue(
    _ zone: SessionZone, _ length: Int64, _ from: Int64, _ index: [Int64],
    _ random: inout SplitMix, _ context: String
  ) throws {
    let schedule = try schedule([
      "tag.automatic-creation": "process-time", "tag.creation-period-duration": "\(length) ms",
      "sink.process-time-zone": zone.name,
    ])
    var ends: [(end: Int64, index: Int64)] = []
    for i in 1..<index.count where index[i] != index[i - 1] {
      ends.append((from + Int64(i) * Self.minute, index[i - 1]))
    }
    for _ in 0..<10 {
      // Begun after the first end, whose period began before the model did.
      let a = from + length + Int64.random(in: 0..<(2 * Self.day), using: &random)
      let b = a + Int64.random(in: 0..<(3 * Self.day), using: &random)
      guard b < from + 6 * Self.day else { continue }
      let expected = ends.filter { $0.end > a && $0.end <= b }
      let due = schedule.due(after: a, at: b)
      XCTAssertEqual(due.map(\.endMillis), expected.map(\.end), "\(context) \(a)…\(b)")
      let readings = due.map { schedule.calendar.firstReading(of: $0) }
      XCTAssertEqual(readings, expected.map { $0.index * length }, context)
      for period in due {
        XCTAssertEqual(schedule.period(named: schedule.name(of: period)), period, context)
      }
    }
  }
}
