import Columns
import Foundation
import XCTest

@testable import Connectors

/// The log that MariaDB 10.11 wrote of two rows of twenty types: inserted, updated, deleted.
final class BinlogTests: XCTestCase {
  private static let columns: [(String, String, String, DataType)] = [
    ("id", "int", "int(11)", DataType.int.notNull), ("a", "tinyint", "tinyint(4)", .tinyint),
    ("b", "smallint", "smallint(5) unsigned", .int),
    ("c", "bigint", "bigint(20) unsigned", .decimal(20, 0)),
    ("d", "decimal", "decimal(12,3)", .decimal(12, 3)), ("e", "float", "float", .float),
    ("f", "double", "double", .double), ("g", "date", "date", .date),
    ("h", "datetime", "datetime(3)", .timestamp(3)),
    ("i", "timestamp", "timestamp(6)", .timestamp(6)), ("j", "time", "time(2)", .string),
    ("k", "year", "year(4)", .int), ("l", "varchar", "varchar(300)", .string),
    ("m", "char", "char(5)", .string), ("n", "enum", "enum('a','b')", .string),
    ("o", "set", "set('x','y','z')", .array(.string)),
    ("p", "bit", "bit(12)", DataType(.binary(2))), ("q", "blob", "blob", .bytes),
    ("r", "text", "text", .string), ("s", "varbinary", "varbinary(20)", .bytes),
  ]

  private func bytes() throws -> [UInt8] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
    return Array(
      try Data(
        contentsOf: folder.appendingPathComponent("Fixtures/binlog/mariadb-10.11-types.binlog")))
  }

  private func subscription() throws -> MySQLSubscription {
    let name = MySQLTableName(database: "shop", table: "t")
    let fractions = ["h": 3, "i": 6, "j": 2]
    let made = Self.columns.map { column in
      MySQLColumn(
        name: column.0, base: column.1, full: column.2, charset: column.0 == "m" ? "latin1" : nil,
        isNullable: true, length: 0, precision: column.0 == "d" ? 12 : 0,
        scale: column.0 == "d" ? 3 : 0, fraction: fractions[column.0] ?? 0, isGenerated: false,
        comment: nil)
    }
    var table = ConnectorTable(
      name: "t", type: RowType(Self.columns.map { ($0.0, $0.3) }), primaryKey: ["id"],
      options: [
        "connector": "mysql-cdc", "hostname": "h", "username": "u", "password": "p",
        "database-name": "shop", "table-name": "t", "server-time-zone": "UTC",
      ], folder: "/")
    table.reader = "r"
    let wants = MySQLSubscription.Wants(
      table: table, options: try MySQLOptions(table), zone: "UTC",
      tables: [
        name: MySQLTable(
          name: name, columns: made, primaryKey: ["id"], comment: nil, isTransactional: true)
      ])
    return try MySQLSubscription(wants, from: LogPlace(place, records: 0))
  }

  private let place = MySQLPosition(.file, file: "b.000001", offset: 4)

  /// Takes the events of a log, as far as they go.
  private func take(_ log: [UInt8], into table: MySQLSubscription) throws {
    var parser = BinlogParser()
    var routes: [UInt64: MySQLSubscription.Route] = [:]
    var at = 4
    let transaction = LogTransaction(
      position: MySQLPosition(.file, file: "b.000001", offset: 100), number: 1, millis: 0)
    try log.withUnsafeBytes { raw in
      while at + BinlogHeader.byteCount <= raw.count {
        let length = Int(
          UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: at + 9, as: UInt32.self)))
        guard length >= BinlogHeader.byteCount, length <= raw.count - at else { return }
        let event = UnsafeRawBufferPointer(rebasing: raw[at..<at + length])
        at += length
        switch try parser.parse(event).event {
        case .tableMap(let map):
          routes[map.id] = try table.route(map, NoServer())
        case .rows(let rows):
          if let route = routes[rows.tableID] { table.take(rows, route, transaction) }
        default: break
        }
      }
    }
  }

  func test_rows_areWhatTheServerHad() throws {
    let table = try subscription()
    try take(try bytes(), into: table)
    let batch = try table.drain()
    let rows = FileFixture.text(batch)
    XCTAssertEqual(rows.count, 7, "\(rows)")
    guard rows.count == 7 else { return }
    XCTAssertEqual(
      rows[0],
      "+I[1, -5, 65535, 18446744073709551615, -123.456, 1.5, -2.25, 2024-02-29, 2024-03-01 01:02:03.456, 2024-03-01 01:02:03.456789, -12:34:56.78, 2024, 中文, é, b, [\"x\",\"z\"], 0x0005, 0x00ff, text, 0x01]"
    )
    XCTAssert(rows[1].hasPrefix("+I[2, NULL, NULL"), rows[1])
    XCTAssert(rows[2].hasPrefix("-U[1, -5"), rows[2])
    XCTAssert(rows[3].hasPrefix("+U[1, 7"), rows[3])
    XCTAssert(rows[6].hasPrefix("-D[1, 7"), rows[6])
  }

  /// Whatever the bytes are, an event ends in rows or in an error.
  func test_greeting_saysWhetherThereIsTLS() {
    func packet(_ capabilities: UInt16, version: String = "8.0.46") -> [UInt8] {
      let body =
        [10] + Array(version.utf8) + [0, 7, 0, 0, 0] + [UInt8](repeating: 65, count: 8)
        + [0, UInt8(capabilities & 0xff), UInt8(capabilities >> 8)]
      return [UInt8(body.count), 0, 0, 0] + body
    }
    XCTAssertEqual(MySQLGreeting.hasTLS(packet(0xffff)), true)
    XCTAssertEqual(MySQLGreeting.hasTLS(packet(0xf7ff)), false)
    for count in 0..<packet(0).count {
      XCTAssertNil(MySQLGreeting.hasTLS(Array(packet(0).prefix(count))))
    }
    XCTAssertNil(MySQLGreeting.hasTLS([5, 0, 0, 0, 0xff, 1, 2, 3, 4]))
  }

  func test_damagedLogs_neverCrash() throws {
    let seed =
      ProcessInfo.processInfo.environment["CI"] == nil ? UInt64.random(in: 1...1_000_000_000) : 7
    var state = seed
    func random(_ below: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(truncatingIfNeeded: (state >> 33) % UInt64(below))
    }
    let log = try bytes()
    var failures = 0
    for _ in 0..<2000 {
      var damaged = log
      for _ in 0...random(6) {
        // Not the headers' lengths, which only end the reading.
        damaged[4 + random(log.count - 4)] = UInt8(truncatingIfNeeded: random(256))
      }
      if random(4) == 0 { damaged.removeLast(random(log.count / 2)) }
      let table = try subscription()
      do { try take(damaged, into: table) } catch { failures += 1 }
      do { _ = try table.drain() } catch { failures += 1 }
    }
    XCTAssertGreaterThan(failures, 0, "seed \(seed)")
  }
}

/// The log is all there is.
private final class NoServer: LogQuestions {
  func schema() throws(TerraceError) -> MySQLSchema {
    throw TerraceError(.notFound, "no server here")
  }
  func movesAhead(_ name: MySQLTableName) throws(TerraceError) -> Bool { false }
}
