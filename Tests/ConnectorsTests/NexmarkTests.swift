import Columns
import Formats
import Store
import XCTest

@testable import Connectors

final class NexmarkTests: XCTestCase {
  func test_events_haveTheModelsShares() throws {
    let fixture = try FileFixture()
    let table = ConnectorTable(
      name: "n", type: NexmarkEvents.columns,
      options: ["connector": "nexmark", "events.num": "5000", "seed": "3"], folder: "/")
    func rows(from position: String?) throws -> [String] {
      let source = try Connectors.source(table, fixture.environment)
      if let position { try source.seek(position) }
      try source.stopAtPresent()
      return try FileFixture.drain(source, rows: 700)
    }
    let all = try rows(from: nil)
    XCTAssertEqual(
      (0..<3).map { kind in all.count { $0.hasPrefix("+I[\(kind),") } }, [100, 300, 4600])
    XCTAssertEqual(try rows(from: "{\"event\":4000}"), Array(all[4000...]))
  }

  /// The figures of the public generator.
  func test_events_haveTheModelsSizesAndDistances() throws {
    let disk = MemoryFileIO()
    XCTAssertTrue(try write(disk, events: 20_000, slice: 100_000).isWhole)
    func texts(_ folder: String, _ name: String) throws -> [String] {
      try lines(folder, disk).map { try JSONValue.parse($0)[name]?.asString ?? "" }
    }
    for (folder, bytes) in [("person", 139.0), ("auction", 391), ("bid", 68)] {
      let extra = try texts(folder, "extra").map { Double($0.utf8.count) }
      XCTAssertEqual(extra.reduce(0, +) / Double(extra.count), bytes, accuracy: 4, folder)
    }
    let urls = try texts("bid", "url")
    XCTAssert(urls.allSatisfy { $0.count { $0 == "/" } == 6 })
    let channels = try texts("bid", "channel")
    let pairs = Set(zip(channels, urls).map { "\($0) \($1)" })
    XCTAssertEqual(pairs.count, Set(channels).count, "a channel has one address")
  }

  func test_options_areThoseOfTheReference() throws {
    let fixture = try FileFixture()
    func open(_ options: [String: String]) throws -> any Source {
      let all = options.merging(["connector": "nexmark"]) { a, _ in a }
      return try Connectors.source(
        ConnectorTable(name: "n", type: NexmarkEvents.columns, options: all, folder: "/"),
        fixture.environment)
    }
    let own = [
      "bid.avg-size": "500", "bid.hot-ratio.auctions": "1", "max-emit-speed": "true",
      "rate.shape": "SINE", "rate.period": "600", "rate.limited": "false", "keep-alive": "true",
    ]
    let batch = try XCTUnwrap(try open(own).poll(rows: 5000, bytes: 0))
    XCTAssertEqual(batch.rows.count, 5000, "nothing is waited for")
    for (name, value) in [("bid.hot-ratio.bidders", "0"), ("bid.avg-size", "-1"), ("stop-at", "x")]
    {
      XCTAssertThrowsError(try open([name: value]), name)
    }
  }

  private let folders = ["person", "auction", "bid"]

  private func write(
    _ disk: MemoryFileIO, events: Int = 2500, seed: Int? = nil, rate: Int? = nil,
    slice: Int = 700, time: ManualTime = ManualTime(),
    isInterrupted: () -> Bool = { false }
  ) throws -> (files: NexmarkFiles, isWhole: Bool) {
    let files = try NexmarkFiles(
      "/n", events: events, seed: seed, baseMillis: nil, rate: rate,
      Environment(files: disk, time: time))
    let isWhole = try files.run(
      sliceSize: slice, progress: { _ in }, isInterrupted: isInterrupted)
    return (files, isWhole)
  }

  private func lines(_ folder: String, _ disk: MemoryFileIO) throws -> [String] {
    try disk.list("/n/" + folder).flatMap { name in
      XCTAssertFalse(name.hasPrefix("."), "\(name) was left behind")
      let bytes = try XCTUnwrap(try disk.readSmall("/n/\(folder)/\(name)"))
      return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
  }

  func test_files_areTheSameForTheSameSeed() throws {
    let (one, again, other) = (MemoryFileIO(), MemoryFileIO(), MemoryFileIO())
    XCTAssertTrue(try write(one, seed: 5).isWhole)
    XCTAssertTrue(try write(again, seed: 5, slice: 300).isWhole)
    XCTAssertTrue(try write(other, seed: 6).isWhole)
    for (folder, count) in zip(folders, [50, 150, 2300]) {
      let found = try lines(folder, one)
      XCTAssertEqual(found.count, count)
      XCTAssertEqual(try lines(folder, again), found)
      XCTAssertNotEqual(try lines(folder, other), found)
    }
    XCTAssertThrowsError(try write(one, seed: 5), "there are events already")
  }

  func test_files_areThoseOfTheSource() throws {
    let disk = MemoryFileIO()
    XCTAssertTrue(try write(disk, events: 50).isWhole)
    let bid = try JSONValue.parse(try XCTUnwrap(try lines("bid", disk).first))
    let names = ["auction", "bidder", "price", "channel", "url", "dateTime", "extra"]
    XCTAssertEqual(names.filter { bid[$0] == nil }, [])
  }

  func test_rate_spreadsTheEventsOverTime() throws {
    let disk = MemoryFileIO()
    let time = ManualTime()
    let start = time.nowMillis()
    let (files, isWhole) = try write(disk, events: 2000, rate: 500, slice: 100_000, time: time)
    XCTAssertTrue(isWhole)
    // A tenth of a second's events come at once.
    XCTAssertTrue((3700...4500).contains(time.nowMillis() - start), "\(time.nowMillis() - start)")
    XCTAssertGreaterThan(files.counts[2].count.files, 10)
    XCTAssertEqual(files.counts.map(\.count.events), [40, 120, 1840])
    let (again, whole) = (MemoryFileIO(), ManualTime())
    _ = try write(again, events: 2000, rate: 500, slice: 33, time: whole)
    for folder in folders { XCTAssertEqual(try lines(folder, again), try lines(folder, disk)) }
  }

  func test_interruption_leavesWholeFiles() throws {
    let disk = MemoryFileIO()
    var looks = 0
    let (files, isWhole) = try write(disk, slice: 100) {
      looks += 1
      return looks > 3
    }
    XCTAssertFalse(isWhole)
    XCTAssertEqual(files.counts.reduce(0) { $0 + $1.count.events }, 300)
  }
}
