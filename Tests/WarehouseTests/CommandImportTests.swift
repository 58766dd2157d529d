import Foundation
import XCTest

final class CommandImportTests: XCTestCase {
  private func shop() throws -> ScratchFolder {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods")
    try folder.terrace(
      "table", "create", "ods.orders", "--columns",
      "id BIGINT, item STRING, amount DECIMAL(10,2), dt STRING", "--primary-key", "dt,id",
      "--partitioned-by", "dt", "--option", "bucket=2")
    return folder
  }

  private let rows = """
    {"id":1,"item":"a","amount":"1.50","dt":"d1"}
    {"id":2,"item":"b, \\"q\\"","amount":2.5,"dt":"d1"}
    {"id":3,"item":"漢字\\n","amount":null,"dt":"d2"}

    """

  func test_import_takesJSONAndCSVTogether() throws {
    let folder = try shop()
    try folder.write("a.jsonl", rows)
    try folder.write(
      "b.csv", "id,item,amount,dt\r\n4,\"x,\n\"\"y\"\"\",4.00,d1\r\n1,neu,9.99,d1\r\n")
    let run = try folder.terrace("table", "import", "ods.orders", "a.jsonl", "b.csv")
    XCTAssertEqual(run.output, "Successfully imported 5 rows into 'ods.orders'.\n")
    XCTAssertEqual(
      try folder.terrace("snapshot", "list", "ods.orders", "-f", "json").lines.count, 1)
    XCTAssertEqual(
      try folder.terrace("table", "read", "ods.orders", "-f", "json").lines.sorted(),
      [
        #"{"id":1,"item":"neu","amount":"9.99","dt":"d1"}"#,
        #"{"id":2,"item":"b, \"q\"","amount":"2.50","dt":"d1"}"#,
        #"{"id":3,"item":"漢字\n","amount":null,"dt":"d2"}"#,
        #"{"id":4,"item":"x,\n\"y\"","amount":"4.00","dt":"d1"}"#,
      ])
    // What CSV prints, import reads back: the same rows in another table.
    let csv = try folder.terrace("table", "read", "ods.orders", "-f", "csv").output
    try folder.write("back.csv", csv)
    let schema = try folder.terrace("table", "get", "ods.orders").output
    try folder.terrace("table", "create", "ods.copy", "-s", try folder.write("s.json", schema))
    try folder.terrace("table", "import", "ods.copy", "-i", "back.csv")
    XCTAssertEqual(try folder.terrace("table", "read", "ods.copy", "-f", "csv").output, csv)
  }

  func test_import_readsStandardInputAndPackedFiles() throws {
    let folder = try shop()
    let piped = try CommandRun.run(
      ["--warehouse", folder.warehouse, "table", "import", "ods.orders", "-", "--format", "json"],
      in: folder.url, input: rows)
    XCTAssertEqual(piped.code, 0, piped.errors)
    try folder.write("a.jsonl", rows)
    let gzip = Process()
    gzip.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    gzip.arguments = ["gzip", folder.path + "/a.jsonl"]
    try gzip.run()
    gzip.waitUntilExit()
    try folder.terrace("table", "import", "ods.orders", "a.jsonl.gz")
    XCTAssertEqual(try folder.terrace("table", "read", "ods.orders", "-f", "json").lines.count, 3)
    XCTAssertEqual(
      try folder.terrace("snapshot", "list", "ods.orders", "-f", "json").lines.count, 2)
  }

  func test_import_pointsAtABadRecordAndLeavesTheTableAlone() throws {
    let folder = try shop()
    let good = String(
      repeating: "{\"id\":1,\"item\":\"a\",\"amount\":1,\"dt\":\"d1\"}\n", count: 20_000)
    for (name, text, place) in [
      ("a.json", good + "{\"id\":\"x\",\"dt\":\"d1\"}\n", "a.json:20001:7: "),
      ("b.json", good + "{\"id\":1\n", "b.json:20001:8: "),
      ("c.csv", "id,dt\n1,d1\n1;d2\n", "c.csv:3:"), ("d.csv", "id,dt\n\"1,d1\n", "d.csv:2:"),
      ("e.json", "{\"id\":null,\"dt\":\"d1\"}\n", "e.json:1:"), ("f.json", "[1]\n", "f.json:1:1: "),
      ("g.csv", "id,amount,dt\n1,12345678901.00,d1\n", "g.csv:2:3: "),
      ("h.json", "{\"id\":9223372036854775808,\"dt\":\"d\"}", "h.json:1:7: "),
    ] {
      try folder.write(name, text)
      let run = try folder.refused(1, "table", "import", "ods.orders", name)
      XCTAssertTrue(run.errors.hasPrefix(place), "\(name): \(run.errors)")
    }
    XCTAssertEqual(try folder.terrace("snapshot", "list", "ods.orders", "-f", "json").output, "")
    XCTAssertEqual(try dataFiles(folder), [])
  }

  func test_import_skipsBadRecordsWhenAsked() throws {
    let folder = try shop()
    try folder.write("a.json", rows + "{\"id\":\"x\"}\nnonsense\n")
    let run = try folder.terrace(
      "table", "import", "ods.orders", "a.json", "--on-error", "skip", "--rejects", "bad.txt")
    XCTAssertEqual(run.output, "Successfully imported 3 rows into 'ods.orders'.\n")
    XCTAssertTrue(run.errors.hasPrefix("2 records left out, the first:\na.json:4:7: "), run.errors)
    XCTAssertEqual(
      try String(contentsOf: folder.url.appendingPathComponent("bad.txt"), encoding: .utf8),
      "{\"id\":\"x\"}\nnonsense\n")
    try folder.refused(
      1, "table", "import", "ods.orders", "a.json", "--on-error", "skip", "--max-errors", "1")
    try folder.refused(2, "table", "import", "ods.orders", "a.json", "--max-errors", "1")
    try folder.refused(
      2, "table", "import", "ods.orders", "a.json", "--on-error", "skip", "--rejects", "bad.txt")
  }

  func test_import_refusesFilesThatDoNotFit() throws {
    let folder = try shop()
    try folder.write("typo.csv", "id;item;amout;dt\n1;a;1;d1\n")
    let typo = try folder.refused(2, "table", "import", "ods.orders", "typo.csv", "-d", ";")
    XCTAssertTrue(typo.errors.contains("did you mean amount?"), typo.errors)
    try folder.terrace("table", "import", "ods.orders", "typo.csv", "-d", ";", "--ignore-unknown")
    try folder.refused(2, "table", "import", "ods.orders", "typo.csv")
    try folder.refused(1, "table", "import", "ods.orders", "missing.csv")
    try folder.refused(2, "table", "import", "ods.orders")
    try folder.refused(2, "table", "import", "ods.orders", "-")
    try folder.refused(2, "table", "import", "ods.orders", folder.path, "--format", "csv")
    try folder.write("broken.parquet", "PAR1 no more")
    let broken = try folder.refused(1, "table", "import", "ods.orders", "broken.parquet")
    XCTAssertTrue(broken.errors.contains("corrupted"), broken.errors)
    try folder.write("broken.json.gz", "\u{1f}\u{8b}nonsense")
    try folder.refused(1, "table", "import", "ods.orders", "broken.json.gz")
    try folder.refused(1, "table", "import", "ods.nothing", "typo.csv")
  }

  func test_import_deletesThroughTheRowKindField() throws {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods")
    try folder.terrace(
      "table", "create", "ods.k", "--columns", "id INT, op STRING", "--primary-key", "id",
      "--option", "bucket=1", "-o", "rowkind.field=op", "-o", "changelog-producer=input")
    try folder.write("k.csv", "id,op\n1,+I\n2,+I\n1,-D\n")
    try folder.terrace("table", "import", "ods.k", "k.csv")
    XCTAssertEqual(
      try folder.terrace("table", "read", "ods.k", "-f", "csv").output, "id,op\n2,+I\n")
    XCTAssertEqual(
      try folder.terrace("table", "read", "ods.k", "--changes", "-f", "json", "-s", "id").lines
        .sorted(),
      [
        "{\"rowkind\":\"+I\",\"id\":1}", "{\"rowkind\":\"+I\",\"id\":2}",
        "{\"rowkind\":\"-D\",\"id\":1}",
      ])
    try folder.write("x.csv", "id,op\n1,+X\n")
    let run = try folder.refused(1, "table", "import", "ods.k", "x.csv")
    XCTAssertTrue(run.errors.hasPrefix("x.csv: record 1: "), run.errors)
  }

  func test_import_endsInOrderWhenInterrupted() throws {
    let folder = try shop()
    let process = Process()
    process.executableURL = CommandRun.binary
    process.arguments = [
      "--warehouse", folder.warehouse, "table", "import", "ods.orders", "-", "--format", "json",
    ]
    let input = Pipe()
    let errors = Pipe()
    process.standardInput = input
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let chunk = Data(
      String(repeating: "{\"id\":1,\"item\":\"a\",\"amount\":1,\"dt\":\"d1\"}\n", count: 20_000)
        .utf8)
    // The process may end before it has read everything, which is what is wanted.
    signal(SIGPIPE, SIG_IGN)
    let pipe = input.fileHandleForWriting
    for round in 0..<6 {
      if round == 2 { process.interrupt() }
      do { try pipe.write(contentsOf: chunk) } catch { break }
    }
    try pipe.close()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    XCTAssertEqual(process.terminationStatus, 130, text)
    XCTAssertEqual(process.terminationReason, .exit, text)
    XCTAssertTrue(text.contains("interrupted; 0 rows committed"), text)
    XCTAssertEqual(try dataFiles(folder), [])
    XCTAssertEqual(try folder.terrace("snapshot", "list", "ods.orders", "-f", "json").output, "")
  }

  private func dataFiles(_ folder: ScratchFolder) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder.warehouse)
      .filter { $0.hasSuffix(".parquet") }
  }
}
