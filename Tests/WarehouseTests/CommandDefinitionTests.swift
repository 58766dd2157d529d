import Foundation
import XCTest

final class CommandDefinitionTests: XCTestCase {
  func test_db_createsListsAndDrops() throws {
    let folder = try ScratchFolder()
    XCTAssertEqual(
      try folder.terrace("db", "create", "ods").output, "Database 'ods' created successfully.\n")
    try folder.refused(2, "db", "create", "ods")
    try folder.terrace("db", "create", "-i", "ods")
    try folder.terrace("db", "create", "空 間")
    XCTAssertEqual(
      try folder.terrace("db", "list", "-f", "json").output,
      "{\"database\":\"ods\"}\n{\"database\":\"空 間\"}\n")
    XCTAssertEqual(
      try folder.terrace("db", "list", "-f", "csv").output, "database\nods\n空 間\n")
    XCTAssertEqual(
      try folder.terrace("db", "get", "ods", "-f", "json").output,
      "{\"name\":\"ods\",\"options\":{}}\n")
    try folder.terrace("table", "create", "ods.t", "--columns", "a INT")
    XCTAssertTrue(try folder.refused(2, "db", "drop", "ods").errors.contains("--cascade"))
    try folder.terrace("db", "drop", "ods", "--cascade")
    try folder.refused(1, "db", "drop", "ods")
    try folder.terrace("db", "drop", "ods", "-i")
  }

  func test_names_cannotLeaveTheWarehouse() throws {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods")
    try folder.write("outside", "stays")
    for name in ["..", ".", "../x", "a/b", "", "a\\b", "a\nb", String(repeating: "x", count: 300)] {
      try folder.refused(2, "db", "create", name)
      try folder.refused(2, "db", "drop", name, "--cascade", "-i")
    }
    for name in [
      "ods...", "../ods.t", "ods.../t", "ods./etc", "/etc.t", "ods.a/b", ".t", "ods.", "ods", "",
      "a.b.c", "ods.t$branch_../../x", "ods.t$branch_", "ods.t$branch_a$b",
    ] {
      for verb in ["get", "drop", "snapshot"] {
        let run = try folder.terraceRaw("table", verb, name)
        XCTAssertNotEqual(run.code, 0, "\(verb) \(name)")
        XCTAssertFalse(run.wasKilled, "\(verb) \(name)")
      }
      let run = try folder.terraceRaw("table", "create", name, "--columns", "a INT")
      XCTAssertNotEqual(run.code, 0, "create \(name)")
    }
    XCTAssertEqual(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted(), ["outside", "wh"])
    XCTAssertEqual(
      try FileManager.default.contentsOfDirectory(atPath: folder.warehouse), ["ods.db"])
  }

  func test_table_createsFromColumnsAndGetsItBack() throws {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods")
    try folder.terrace(
      "table", "create", "ods.orders", "--columns",
      "id BIGINT, amount DECIMAL(10,2) COMMENT 'in €', m MAP<STRING, ROW<a INT, b ARRAY<DATE>>>, dt STRING",
      "--primary-key", "dt, id", "--partitioned-by", "dt", "--option", "bucket=2",
      "--comment", "paid")
    let schema = try folder.terrace("table", "get", "ods.orders").output
    XCTAssertTrue(schema.contains("\"type\" : \"BIGINT NOT NULL\""), schema)
    XCTAssertTrue(schema.contains("\"description\" : \"in €\""), schema)
    XCTAssertTrue(schema.contains("\"primaryKeys\" : [ \"dt\", \"id\" ]"), schema)
    // What get prints, create understands: the same table once more.
    let file = try folder.write("schema.json", schema)
    try folder.terrace("table", "create", "ods.copy", "-s", file)
    XCTAssertEqual(try folder.terrace("table", "get", "ods.copy").output, schema)
    XCTAssertEqual(
      try folder.terrace("table", "list", "-f", "json").lines,
      ["{\"database\":\"ods\",\"table\":\"copy\"}", "{\"database\":\"ods\",\"table\":\"orders\"}"])
    try folder.refused(2, "table", "create", "ods.orders", "--columns", "a INT")
    try folder.terrace("table", "create", "ods.orders", "--columns", "a INT", "-i")
    try folder.terrace("table", "rename", "ods.copy", "ods.other")
    try folder.refused(1, "table", "get", "ods.copy")
    try folder.refused(2, "table", "rename", "ods.other", "ods.orders")
    try folder.terrace("table", "drop", "ods.other")
    XCTAssertEqual(
      try folder.terrace("db", "list-tables", "ods", "-f", "csv").output, "table\norders\n")
  }

  func test_table_refusesDefinitionsThatMakeNoSense() throws {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods")
    let bad: [[String]] = [
      [], ["--columns", ""], ["--columns", "id"], ["--columns", "id BIGIN"],
      ["--columns", "id INT, id INT"], ["--columns", "id INT", "--primary-key", "nope"],
      ["--columns", "id INT", "--option", "bucket"], ["--columns", "id INT", "--option", "=2"],
      ["--columns", "id INT", "--option", "bucket=two"],
      ["--columns", "id INT", "--partitioned-by", "x"],
      ["--columns", "id INT", "--schema", "x.json"],
    ]
    for flags in bad {
      let run = try CommandRun.run(
        ["--warehouse", folder.warehouse, "table", "create", "ods.t"] + flags)
      XCTAssertEqual(run.code, 2, "\(flags): \(run.errors)")
    }
    XCTAssertEqual(
      try folder.refused(2, "table", "create", "ods.t", "--columns", "id BIGIN").errors,
      "--columns:1:4: no such type: BIGIN\n  id BIGIN\n     ^^^^^\n  hint: did you mean BIGINT?\n")
    let nosuch = try folder.refused(1, "table", "create", "nope.t", "--columns", "id INT")
    XCTAssertTrue(nosuch.errors.contains("not found: database nope"), nosuch.errors)
    XCTAssertEqual(try folder.terrace("table", "list", "-f", "csv").output, "database,table\n")
  }

  func test_table_refusesSchemaFilesThatAreBroken() throws {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods")
    for (text, part) in [
      ("", ":1:1: "), ("{\"fields\":[}", ":1:12: "), ("[]", "JSON object"), ("{}", "fields"),
      ("{\"fields\":[{\"name\":\"a\",\"type\":\"INTT\"}]}", "did you mean INT?"),
      ("{\"fields\":[{\"name\":\"a\"}]}", "type"), ("{\"fields\":5}", "fields"),
      ("{\"fields\":[],\"primaryKey\":[]}", "did you mean primaryKeys?"),
      (String(repeating: "[", count: 100_000), "deep"), ("\u{0}", ":1:1: "),
    ] {
      let file = try folder.write("bad.json", text)
      let run = try folder.terraceRaw("table", "create", "ods.t", "-s", file)
      XCTAssertEqual(run.code, 2, "\(text.prefix(40)): \(run.errors)")
      XCTAssertTrue(run.errors.contains(part), "\(text.prefix(40)): \(run.errors)")
    }
    try folder.refused(1, "table", "create", "ods.t", "-s", "missing.json")
  }

  func test_warehouse_isFoundByEveryFlag() throws {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods", warehouse: folder.path + "/warehouse")
    let list = ["db", "list", "-f", "csv"]
    let expected = "database\nods\n"
    XCTAssertEqual(try CommandRun.run(list, in: folder.url).output, expected)
    XCTAssertEqual(try CommandRun.run(["-C", folder.path] + list).output, expected)
    XCTAssertEqual(try CommandRun.run(list + ["-C", folder.path]).output, expected)
    XCTAssertEqual(
      try CommandRun.run(["--warehouse", "file://\(folder.path)/warehouse/"] + list).output,
      expected)
    let config = try folder.write(
      "paimon.yaml", "metastore: filesystem\nwarehouse: \"\(folder.path)/warehouse\"\n")
    XCTAssertEqual(try CommandRun.run(["-c", config] + list).output, expected)
    XCTAssertEqual(try CommandRun.run(["-c", config, "-C", "."] + list).code, 2)
    XCTAssertEqual(try CommandRun.run(["-c", "missing.yaml"] + list).code, 1)
    XCTAssertEqual(try CommandRun.run(["-C", "/nowhere"] + list).code, 1)
    XCTAssertEqual(try CommandRun.run(["--warehouse", "/nowhere"] + list).code, 1)
    XCTAssertEqual(try CommandRun.run(["--warehouse", "s3://bucket/x"] + list).code, 1)
    XCTAssertEqual(try CommandRun.run(["--warehouse", ""] + list).code, 2)
  }
}
