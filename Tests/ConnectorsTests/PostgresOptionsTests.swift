import Columns
import Store
import XCTest

@testable import Connectors

/// What the options of PostgreSQL's connectors say, and what is refused.
final class PostgresOptionsTests: XCTestCase {
  private func table(_ options: [String: String], key: [String] = ["id"]) -> ConnectorTable {
    let base = [
      "connector": "postgres-cdc", "hostname": "db", "username": "u", "password": "p",
      "database-name": "shop", "table-name": "orders",
    ]
    return ConnectorTable(
      name: "t", type: RowType([("id", .int), ("v", .string)]), primaryKey: key,
      options: base.merging(options) { $1 }, folder: "/")
  }

  func test_options_areFlinksAndDebeziums() throws {
    let options = try PostgresOptions(
      table([
        "slot.name": "s", "debezium.publication.name": "pub", "decoding.plugin.name": "pgoutput",
        "heartbeat.interval": "5 s", "scan.startup.mode": "latest-offset", "changelog-mode": "all",
        "debezium.publication.autocreate.mode": "disabled", "port": "6432",
      ]))
    XCTAssertEqual(options.publication, "pub")
    XCTAssertEqual(options.server.port, 6432)
    XCTAssertEqual(options.heartbeatMillis, 5000)
    let flinks = [
      "heartbeat.interval.ms": "45s", "scan.newly-added-table.enabled": "false",
      "scan.include-partitioned-tables.enabled": "true",
      "scan.read-changelog-as-append-only.enabled": "false",
    ]
    XCTAssertEqual(try PostgresOptions(table(flinks)).heartbeatMillis, 45_000)
    XCTAssertEqual(options.startup, .latest)
    XCTAssertTrue(options.tellsOldRows)
    XCTAssertFalse(options.makesPublication)
  }

  func test_options_areRefusedByNameWhenTheyCannotBe() {
    let wrong: [([String: String], TerraceError.Kind)] = [
      (["decoding.plugin.name": "wal2json"], .unsupported),
      (["debezium.decimal.handling.mode": "string"], .unsupported),
      (["debezium.slot.drop.on.stop": "true"], .unsupported), (["slotname": "x"], .invalid),
      (["port": "0"], .invalid), (["scan.startup.mode": "sometimes"], .invalid),
      (["changelog-mode": "some"], .invalid), (["sslmode": "sure"], .invalid),
      (["sslmode": "prefer"], .unsupported), (["sslmode": "allow"], .unsupported),
      (["ssl": "true", "sslmode": "disable"], .invalid), (["schema-evolution": "so"], .invalid),
      (["scan.newly-added-table.enabled": "true"], .unsupported),
      (["scan.read-changelog-as-append-only.enabled": "true"], .unsupported),
    ]
    for (given, kind) in wrong {
      XCTAssertThrowsError(try PostgresOptions(table(given)), "\(given)") {
        XCTAssertEqual(($0 as? TerraceError)?.kind, kind, "\(given)")
      }
    }
    XCTAssertThrowsError(try PostgresOptions(table(["changelog-mode": "upsert"], key: [])))
    XCTAssertThrowsError(try PostgresOptions(table(["debezium.snapshot.mode": "exported"]))) {
      let facts = ($0 as? TerraceError)?.facts.map { "\($0.name)=\($0.value)" } ?? []
      XCTAssertTrue(facts.contains("option=debezium.snapshot.mode"), "\(facts)")
      XCTAssertTrue(facts.contains("value=exported"), "\(facts)")
    }
  }

  func test_tls_isVerifiedWhenItIsAskedFor() throws {
    XCTAssertEqual(try PostgresOptions(table([:])).server.tls, [:])
    let asked = try PostgresOptions(table(["sslrootcert": "/ca.pem"])).server.tls
    XCTAssertEqual(asked, ["sslmode": "verify-full", "sslrootcert": "/ca.pem"])
    XCTAssertEqual(
      try PostgresOptions(table(["debezium.database.sslmode": "require"])).server.tls["sslmode"],
      "require")
    XCTAssertEqual(try PostgresOptions(table(["ssl": "true"])).server.tls["sslmode"], "verify-full")
  }

  func test_style_isUpsertsWithAKeyUnlessAllIsAskedFor() throws {
    func name(_ style: ChangeStyle) -> String { "\(style)" }
    XCTAssertEqual(name(try Connectors.style(of: table([:]))), "upserts")
    XCTAssertEqual(name(try Connectors.style(of: table([:], key: []))), "retractions")
    XCTAssertEqual(name(try Connectors.style(of: table(["changelog-mode": "all"]))), "retractions")
  }

  func test_types_becomeThoseOfFlinksMap() {
    func type(_ oid: UInt32, _ modifier: Int32 = -1) -> String {
      PostgresType(oid: oid, modifier: modifier, name: "").map { $0.columnType.text } ?? "-"
    }
    XCTAssertEqual(type(1700), "DECIMAL(38, 18)")
    XCTAssertEqual(type(1700, (12 << 16 | 3) + 4), "DECIMAL(12, 3)")
    // numeric(3,-2) and numeric(2,5): zeros before and behind the point.
    XCTAssertEqual(type(1700, (3 << 16 | (0x7ff & -2)) + 4), "DECIMAL(5, 0)")
    XCTAssertEqual(type(1700, (2 << 16 | 5) + 4), "DECIMAL(5, 5)")
    XCTAssertEqual(type(1700, (200 << 16 | 5) + 4), "STRING")
    XCTAssertEqual(type(1043, 14), "VARCHAR(10)")
    XCTAssertEqual(type(1114, 3), "TIMESTAMP(3)")
    XCTAssertEqual(type(2950), "STRING")
    XCTAssertEqual(type(999_999), "-")
  }

  // MARK: The sink

  private func sink(_ url: String, _ more: [String: String] = [:]) throws -> PostgresSinkOptions {
    let given = [
      "connector": "jdbc", "url": url, "table-name": "public.t", "username": "u",
    ]
    return try PostgresSinkOptions(
      ConnectorTable(
        name: "t", type: RowType([("id", .int)]), options: given.merging(more) { $1 }, folder: "/"))
  }

  func test_url_isReadAsTheDriverReadsIt() throws {
    let plain = try sink("jdbc:postgresql://db.example:6432/shop%20one?sslmode=require&user=x")
    XCTAssertEqual(plain.server.place, "db.example:6432/shop one")
    XCTAssertEqual(plain.server.tls["sslmode"], "require")
    XCTAssertEqual(plain.server.user, "u")
    XCTAssertEqual(try sink("jdbc:postgresql://[::1]/d").server.host, "::1")
    XCTAssertEqual(try sink("jdbc:postgresql://h/d?ssl=true").server.tls["sslmode"], "verify-full")
    XCTAssertEqual(try sink("jdbc:postgresql:d").server.host, "localhost")
    for url in [
      "jdbc:postgresql://h", "jdbc:postgresql://h:x/d", "jdbc:postgresql://h:99999/d",
      "jdbc:postgresql://a,b/d", "jdbc:postgresql://h/d?socketFactory=x", "jdbc:postgresql://h/",
      "jdbc:oracle:thin:@h", "", "jdbc:postgresql://h/d?sslmode=prefer",
      "jdbc:postgresql://h/d?sslmode=allow",
    ] {
      XCTAssertThrowsError(try sink(url), url)
    }
  }

  func test_urlOfMySQL_isReadAsTheDriverReadsIt() throws {
    func sink(_ url: String) throws -> MySQLSinkOptions {
      try MySQLSinkOptions(
        ConnectorTable(
          name: "t", type: RowType([("id", .int)]),
          options: ["connector": "jdbc", "url": url, "table-name": "t", "username": "u"],
          folder: "/"))
    }
    let plain = try sink("jdbc:mysql://db.example:3307/shop%20one?password=a%26b&useUnicode=true")
    XCTAssertEqual(plain.server.place, "db.example:3307")
    XCTAssertEqual(plain.target.database, "shop one")
    XCTAssertEqual(plain.server.password, "a&b")
    XCTAssertEqual(plain.server.tls, .off)
    XCTAssertEqual(try sink("jdbc:mariadb://[::1]/d").server.host, "::1")
    XCTAssertEqual(try sink("jdbc:mysql://h/d?useSSL=true").server.tls, .verified)
    XCTAssertEqual(try sink("jdbc:mysql://h/d?serverSslCert=/x").server.tls, .verified)
    for url in [
      "jdbc:mysql://h", "jdbc:mysql://h:x/d", "jdbc:mysql://h:99999/d", "jdbc:mysql://a,b/d",
      "jdbc:mysql://h/d?socketFactory=x", "jdbc:mysql://h/", "jdbc:mysql:///d", "jdbc:mysql:d",
      "jdbc:mysql://h/d?sslMode=PREFERRED", "jdbc:mysql://h/d?useSSL=true&sslMode=DISABLED",
    ] {
      XCTAssertThrowsError(try sink(url), url)
    }
  }

  func test_text_isQuotedForStatementsWithoutParameters() {
    XCTAssertEqual(PostgresText.name("a\"b\0"), "\"a\"\"b\"")
    XCTAssertEqual(PostgresText.literal("it's"), "'it''s'")
    XCTAssertEqual(PostgresText.literal("a\\'"), " E'a\\\\'''")
  }
}
