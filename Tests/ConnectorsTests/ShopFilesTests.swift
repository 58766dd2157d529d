import Columns
import Formats
import Store
import XCTest

@testable import Connectors

final class ShopFilesTests: XCTestCase {
  private func settings(_ changesPerDay: Int = 3000, seed: Int64 = 7) -> ShopFiles.Settings {
    var settings = ShopFiles.Settings()
    settings.changesPerDay = changesPerDay
    settings.seed = seed
    return settings
  }

  /// The lines of a stream, file after file.
  private func lines(_ stream: ShopStreamName, _ disk: MemoryFileIO) throws -> [String] {
    var found: [String] = []
    for name in try disk.list("/shop/\(stream.rawValue)") {
      XCTAssertFalse(name.hasPrefix("."), "\(name) was left behind")
      let bytes = try XCTUnwrap(try disk.readSmall("/shop/\(stream.rawValue)/\(name)"))
      found += String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
    return found
  }

  @discardableResult private func write(
    _ environment: Environment, _ settings: ShopFiles.Settings?, _ end: ShopFiles.End,
    slice: Int = 100
  ) throws -> ShopFiles {
    let shop = try ShopFiles("/shop", settings, environment)
    XCTAssertTrue(
      try shop.run(to: end, sliceSize: slice, rate: nil, progress: { _ in }) { false })
    return shop
  }

  func test_run_writesTheSameLinesHoweverTheyAreCut() throws {
    let whole = MemoryFileIO()
    let parts = MemoryFileIO()
    try write(Environment(files: whole), settings(), .days(2))
    try write(Environment(files: parts), settings(), .changes(1234), slice: 77)
    try write(Environment(files: parts), nil, .changes(1), slice: 9)
    try write(Environment(files: parts), nil, .days(2), slice: 501)
    for stream in ShopStreamName.allCases {
      let expected = try lines(stream, whole)
      XCTAssertGreaterThan(expected.count, 20)
      XCTAssertEqual(try lines(stream, parts), expected)
    }
    let other = MemoryFileIO()
    try write(Environment(files: other), settings(seed: 8), .days(2))
    XCTAssertNotEqual(try lines(.orders, other), try lines(.orders, whole))
  }

  /// The state before a change is what was said of the key last; deletes end it.
  func test_run_tellsEachKeysHistoryWithoutAGap() throws {
    let disk = MemoryFileIO()
    try write(Environment(files: disk), settings(20_000), .days(3), slice: 5000)
    var rows: [Int64: JSONValue] = [:]
    var operations: [String: Int] = [:]
    for line in try lines(.orders, disk) {
      let message = try parseJSON(Array(line.utf8))
      let before = try XCTUnwrap(message["before"])
      let after = try XCTUnwrap(message["after"])
      let id = try (after.isNull ? before : after).int("order_id")
      XCTAssertEqual(rows[id] ?? .null, before)
      rows[id] = after.isNull ? nil : after
      operations[try message.string("op"), default: 0] += 1
    }
    XCTAssertEqual(Set(operations.keys), ["c", "u", "d"])
    XCTAssertGreaterThan(operations["d"] ?? 0, 10)
    var payments: [String: JSONValue] = [:]
    var kinds: [String: Int] = [:]
    for line in try lines(.payments, disk) {
      let message = try parseJSON(Array(line.utf8))
      let row = try XCTUnwrap(try message.array("data").first)
      let id = try row.string("order_id")
      let kind = try message.string("type")
      kinds[kind, default: 0] += 1
      if kind == "UPDATE" {
        let old = try XCTUnwrap(try message.array("old").first)
        XCTAssertEqual(old["status"], payments[id]?["status"])
        XCTAssertEqual(old["updated_at"], payments[id]?["updated_at"])
      } else {
        XCTAssertEqual(payments[id] == nil, kind == "INSERT")
      }
      payments[id] = kind == "DELETE" ? nil : row
    }
    XCTAssertEqual(Set(kinds.keys), ["INSERT", "UPDATE", "DELETE"])
  }

  func test_run_hasAChangeOfOrdersUsersAndProductsInEveryHourWhenSmall() throws {
    let disk = MemoryFileIO()
    try write(Environment(files: disk), settings(200), .days(3), slice: 50)
    for stream in [ShopStreamName.orders, .users, .products] {
      var hours: Set<Substring> = []
      for line in try lines(stream, disk) {
        for part in line.split(separator: "\"updated_at\":\"").dropFirst() {
          hours.insert(part.prefix(13))
        }
      }
      XCTAssertEqual(hours.filter { $0 >= "2026-11-16 06" && $0 < "2026-11-19 00" }.count, 66)
      XCTAssertTrue(hours.contains("2026-11-19 00"))
    }
  }

  func test_init_finishesTheSliceOfAKilledGenerator() throws {
    let whole = MemoryFileIO()
    try write(Environment(files: whole), settings(), .changes(3000))
    let broken = MemoryFileIO()
    let environment = Environment(files: broken)
    try write(environment, settings(), .changes(2900))
    let state = try XCTUnwrap(try broken.readSmall("/shop/.shop.json"))
    // As it stands when the power goes between the files of a slice.
    let text = String(decoding: state, as: UTF8.self)
      .replacingOccurrences(of: "\"pending\":0", with: "\"pending\":50")
      .replacingOccurrences(of: "\"pending\": 0", with: "\"pending\": 50")
    XCTAssertTrue(text.contains("50"))
    try broken.replace("/shop/.shop.json", with: Array(text.utf8), durable: false)
    try write(environment, nil, .changes(50))
    for stream in ShopStreamName.allCases {
      XCTAssertEqual(try lines(stream, broken), try lines(stream, whole))
    }
  }

  func test_init_refusesASecondHistoryAndAMissingOne() throws {
    let environment = Environment(files: MemoryFileIO())
    XCTAssertThrowsError(try ShopFiles("/shop", nil, environment)) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .notFound)
    }
    try write(environment, settings(), .changes(10))
    XCTAssertThrowsError(try ShopFiles("/shop", settings(), environment)) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .conflict)
    }
  }

  func test_run_keepsTheRate() throws {
    let time = ManualTime()
    let disk = MemoryFileIO()
    let shop = try ShopFiles("/shop", settings(), Environment(files: disk, time: time))
    let start = time.nowMillis()
    XCTAssertTrue(
      try shop.run(to: .changes(1000), sliceSize: 1, rate: 500, progress: { _ in }) { false })
    XCTAssertEqual(time.nowMillis() - start, 2200)
    XCTAssertEqual(shop.counts.values.reduce(0) { $0 + $1.changes }, 1000)
  }
}
