import Columns
import Store
import XCTest

@testable import Connectors

final class DatagenTests: XCTestCase {
  private func source(
    _ type: RowType, _ options: [String: String], _ fixture: FileFixture
  ) throws -> any Source {
    var all = ["connector": "datagen", "number-of-rows": "200"]
    all.merge(options) { $1 }
    return try Connectors.source(
      ConnectorTable(name: "g", type: type, options: all, folder: "/"), fixture.environment)
  }

  private func rows(_ type: RowType, _ options: [String: String]) throws -> Batch {
    let source = try source(type, options, FileFixture())
    try source.stopAtPresent()
    return try XCTUnwrap(try source.poll(rows: 1000, bytes: 1 << 20)).rows
  }

  func test_defaults_areThoseOfTheTypes() throws {
    let batch = try rows(
      RowType([
        ("c", DataType(.char(5))), ("v", DataType(.varchar(150))), ("s", .string),
        ("d", .decimal(5, 2)),
        ("x", .double), ("f", .float), ("b", DataType(.binary(7))), ("a", .array(.int)),
      ]), [:])
    XCTAssertEqual(batch.count, 200)
    for (column, length) in [(0, 5), (1, 150), (2, 100), (6, 7)] {
      XCTAssertTrue((0..<200).allSatisfy { batch.columns[column].bytes($0).count == length })
    }
    let decimals = (0..<200).map { batch.columns[3].pointer(Int64.self)[$0] }
    XCTAssertTrue(decimals.allSatisfy { (0...99_999).contains($0) })
    XCTAssertGreaterThan(Set(decimals).count, 100)
    XCTAssertTrue((0..<200).allSatisfy { batch.columns[4].pointer(Double.self)[$0] >= 0 })
    XCTAssertTrue((0..<200).allSatisfy { batch.columns[5].pointer(Float.self)[$0] >= 0 })
    XCTAssertEqual(batch.columns[7].children[0].count, 600)
  }

  func test_innerFields_haveOptionsOfTheirOwn() throws {
    let row = RowType([("a", .int), ("s", .string)])
    let batch = try rows(
      RowType([
        ("r", .row(row.fields)), ("l", .array(.string)), ("m", .map(.int, .bigint)),
        ("e", DataType(.multiset(DataType(.varchar(9))))),
      ]),
      [
        "fields.r.a.min": "3", "fields.r.a.max": "4", "fields.r.s.null-rate": "0.5",
        "fields.l.length": "2", "fields.l.element.length": "6", "fields.l.null-rate": "0.5",
        "fields.m.length": "8", "fields.m.key.min": "1", "fields.m.key.max": "5",
        "fields.m.value.max": "-1", "fields.e.element.length": "1",
        "fields.e.element.var-len": "true",
      ])
    let a = batch.columns[0].children[0]
    XCTAssertEqual(Set((0..<200).map { a.pointer(Int32.self)[$0] }), [3, 4])
    XCTAssertTrue((60...140).contains(batch.columns[0].children[1].nullCount))
    let (list, map, set) = (batch.columns[1], batch.columns[2], batch.columns[3])
    XCTAssertTrue((60...140).contains(list.nullCount))
    XCTAssertEqual(list.children[0].count, 2 * (200 - list.nullCount))
    XCTAssertTrue(
      (0..<list.children[0].count).allSatisfy { list.children[0].bytes($0).count == 6 })
    for row in 0..<200 {
      let keys = (map.offsets[row]..<map.offsets[row + 1]).map {
        map.children[0].pointer(Int32.self)[Int($0)]
      }
      XCTAssertEqual(Set(keys).count, keys.count, "a key twice")
      XCTAssertTrue(keys.allSatisfy { (1...5).contains($0) })
    }
    XCTAssertTrue(
      (0..<map.children[1].count).allSatisfy { map.children[1].pointer(Int64.self)[$0] < 0 })
    XCTAssertTrue(
      (0..<set.children[1].count).allSatisfy {
        (1...10).contains(set.children[1].pointer(Int32.self)[$0])
      })
  }

  func test_sequences_countInAllTypesThatFlinkCountsIn() throws {
    let kinds: [DataType] = [
      .tinyint, .smallint, .int, .bigint, .float, .double, .decimal(9, 1), DataType(.char(3)),
      DataType(.varchar(9)),
      DataType(.binary(8)), .bytes,
    ]
    var options: [String: String] = [:]
    for index in kinds.indices {
      options["fields.c\(index).kind"] = "sequence"
      options["fields.c\(index).start"] = "11"
      options["fields.c\(index).end"] = "\(20 + index)"
    }
    let batch = try rows(
      RowType(kinds.enumerated().map { ("c\($0.offset)", $0.element) }), options)
    // The shortest one ends them all.
    XCTAssertEqual(batch.count, 10)
    XCTAssertEqual(
      batch.columns.map { $0.scalar(1) },
      [
        .int(12), .int(12), .int(12), .int(12), .float(12), .double(12), .int(120), .text("12"),
        .text("12"), .bytes([0, 0, 0, 0, 0, 0, 0, 12]), .bytes([0, 0, 0, 0, 0, 0, 0, 12]),
      ])
  }

  func test_pastTimes_lieWithinMaxPast() throws {
    let fixture = try FileFixture()
    let type = RowType([("t", .timestamp(3)), ("z", DataType(.timestampLTZ(6))), ("d", .date)])
    let source = try source(
      type, ["rows-per-second": "1000", "fields.t.max-past": "1 h", "fields.z.max-past": "0 s"],
      fixture)
    try source.stopAtPresent()
    let batch = try XCTUnwrap(try source.poll(rows: 1000, bytes: 1 << 20)).rows
    let now = fixture.time.nowMillis()
    for row in 0..<200 {
      let made = now + Int64(row)
      let past = made - batch.columns[0].pointer(Int64.self)[row]
      XCTAssertTrue((0...3_600_000).contains(past))
      XCTAssertEqual(batch.columns[1].pointer(Int64.self)[row], made * 1000)
      XCTAssertEqual(Int64(batch.columns[2].pointer(Int32.self)[row]), made / 86_400_000)
    }
  }

  func test_options_areRefusedWhereTheyMeanNothing() throws {
    let type = RowType([
      ("n", .int), ("f", .boolean), ("c", DataType(.char(5))), ("v", DataType(.varchar(9))),
      ("d", .date),
      ("l", .array(.int)), ("t", .timestamp(3)),
    ])
    let bad: [[String: String]] = [
      ["fields.f.max": "1"], ["fields.c.length": "4"], ["fields.c.var-len": "true"],
      ["fields.v.length": "10"], ["fields.v.length": "0"], ["fields.d.max-past": "1 h"],
      ["fields.l.element.kind": "sequence"], ["fields.n.kind": "sequence"],
      ["fields.n.kind": "sequence", "fields.n.start": "2", "fields.n.end": "1"],
      ["fields.t.kind": "sequence", "fields.t.start": "1", "fields.t.end": "2"],
      ["fields.n.start": "1"], ["fields.n.min": "3", "fields.n.max": "2"], ["fields.n.min": "x"],
      ["fields.n.max": "3000000000"], ["fields.n.null-rate": "2"], ["fields.n.kind": "other"],
      ["rows-per-second": "0"], ["number-of-rows": "-1"], ["fields.zz.min": "1"],
      ["fields.l.length": "-1"],
    ]
    for options in bad {
      XCTAssertThrowsError(try source(type, options, FileFixture()), "\(options)")
    }
    XCTAssertNoThrow(try source(type, ["fields.c.length": "5"], FileFixture()))
  }

  func test_rows_areTheSameFromAnyPosition() throws {
    let fixture = try FileFixture()
    let type = RowType([
      ("n", .int), ("s", .string), ("d", .decimal(10, 2)), ("t", .timestamp(3)),
      ("l", .array(.bigint)), ("q", .bigint), ("b", .bytes),
    ])
    let table = ConnectorTable(
      name: "g", type: type,
      options: [
        "connector": "datagen", "number-of-rows": "100", "fields.n.min": "5", "fields.n.max": "9",
        "fields.s.length": "4", "fields.q.kind": "sequence", "fields.q.start": "11",
        "fields.q.end": "200", "fields.t.max-past": "1 h", "fields.d.null-rate": "0.5",
      ], folder: "/")
    let source = try Connectors.source(table, fixture.environment)
    try source.stopAtPresent()
    var all: [String] = []
    var marks: [(String, Int)] = []
    while let batch = try source.poll(rows: 7, bytes: 1 << 20) {
      marks.append((source.position, all.count + batch.rows.count))
      all += FileFixture.text(batch)
    }
    XCTAssertTrue(source.isDrained)
    XCTAssertEqual(all.count, 100)
    XCTAssert(all[0].contains(", 11, "), all[0])
    XCTAssert(all.contains { $0.contains("NULL") } && all.contains { !$0.contains("NULL") })
    fixture.time.advance(millis: 10_000)
    for (position, count) in marks {
      let other = try Connectors.source(table, fixture.environment)
      try other.seek(position)
      try other.stopAtPresent()
      XCTAssertEqual(try FileFixture.drain(other, rows: 13), Array(all[count...]))
    }
    var bad = table
    bad.options["fields.zz.min"] = "1"
    XCTAssertThrowsError(try Connectors.source(bad, fixture.environment))
  }

  func test_rows_keepTheirRate() throws {
    let fixture = try FileFixture()
    let table = ConnectorTable(
      name: "g", type: RowType([("n", .int)]),
      options: ["connector": "datagen", "rows-per-second": "10"], folder: "/")
    let source = try Connectors.source(table, fixture.environment)
    XCTAssertEqual(try FileFixture.drain(source).count, 1)
    fixture.time.advance(millis: 2000)
    XCTAssertEqual(try FileFixture.drain(source).count, 20)
    XCTAssertThrowsError(try source.stopAtPresent())
  }
}
