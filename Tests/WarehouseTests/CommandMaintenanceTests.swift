import Foundation
import XCTest

final class CommandMaintenanceTests: XCTestCase {
  /// A table with three snapshots: rows 1…3, one a commit.
  private func table(_ options: String...) throws -> ScratchFolder {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods")
    let words =
      [
        "--warehouse", folder.warehouse, "table", "create", "ods.t", "--columns",
        "id INT, item STRING", "--primary-key", "id", "-o", "bucket=1",
      ] + options.flatMap { ["-o", $0] }
    XCTAssertEqual(try CommandRun.run(words).code, 0)
    for id in 1...3 {
      try folder.write("\(id).csv", "id,item\n\(id),row \(id)\n")
      try folder.terrace("table", "import", "ods.t", "\(id).csv")
    }
    return folder
  }

  private func ids(_ folder: ScratchFolder, _ flags: String...) throws -> [String] {
    let run = try CommandRun.run(
      ["--warehouse", folder.warehouse, "table", "read", "ods.t", "-s", "id", "-f", "csv"] + flags)
    return run.code == 0 ? Array(run.lines.dropFirst()) : ["exit \(run.code)"]
  }

  func test_tag_keepsItsSnapshotWhenOthersExpire() throws {
    let folder = try table()
    XCTAssertEqual(
      try folder.terrace("tag", "create", "ods.t", "day 1", "-s", "1").output,
      "Tag 'day 1' created on table 'ods.t'.\n")
    try folder.terrace("tag", "create", "ods.t", "二", "--snapshot", "2", "--time-retained", "7 d")
    try folder.refused(2, "tag", "create", "ods.t", "二")
    try folder.terrace("tag", "create", "ods.t", "二", "-i")
    try folder.refused(1, "tag", "create", "ods.t", "x", "-s", "99")
    try folder.refused(2, "tag", "create", "ods.t", "x", "--time-retained", "soon")
    for name in ["../x", "a/b", "", " ", "a\u{1}"] {
      try folder.refused(2, "tag", "create", "ods.t", name)
    }
    try folder.terrace(
      "expire", "ods.t", "--retain-min", "1", "--retain-max", "1", "--older-than", "2099-01-01")
    XCTAssertEqual(try folder.terrace("snapshot", "list", "ods.t", "-f", "json").lines.count, 1)
    XCTAssertEqual(try ids(folder, "--tag", "day 1"), ["1"])
    XCTAssertEqual(try ids(folder, "--tag", "二"), ["1", "2"])
    XCTAssertEqual(try ids(folder), ["1", "2", "3"])
    let list = try folder.terrace("tag", "list", "ods.t", "-f", "json").lines
    XCTAssertEqual(list.count, 2)
    XCTAssertTrue(list[0].hasPrefix(#"{"tag":"day 1","snapshot":1,"#), list[0])
    XCTAssertTrue(
      try folder.terrace("tag", "get", "ods.t", "二").output.hasPrefix(
        "Tag: 二\n  Snapshot ID: 2\n  Schema ID: 0\n  Record Count: 2\n"))
    try folder.terrace("tag", "rename", "ods.t", "day 1", "first")
    try folder.terrace("tag", "replace", "ods.t", "二", "-s", "3")
    XCTAssertEqual(try ids(folder, "--tag", "二"), ["1", "2", "3"])
    try folder.terrace("tag", "delete", "ods.t", "first")
    let gone = try folder.refused(1, "tag", "delete", "ods.t", "first")
    XCTAssertTrue(gone.errors.contains("not found: tag first of ods.t"), gone.errors)
    try folder.terrace("tag", "delete", "ods.t", "first", "-i")
    XCTAssertEqual(try ids(folder, "--tag", "first"), ["exit 1"])
  }

  func test_consumer_keepsWhatItHasNotRead() throws {
    let folder = try table()
    try folder.terrace("consumer", "set", "ods.t", "etl", "2")
    XCTAssertEqual(
      try folder.terrace("consumer", "list", "ods.t", "-f", "json").output,
      "{\"consumer\":\"etl\",\"next_snapshot\":2}\n")
    let expire = [
      "expire", "ods.t", "--retain-min", "1", "--retain-max", "1", "--older-than", "2099-01-01",
    ]
    let run = try CommandRun.run(["--warehouse", folder.warehouse] + expire)
    XCTAssertEqual(run.code, 0, run.errors)
    XCTAssertEqual(try folder.terrace("snapshot", "list", "ods.t", "-f", "json").lines.count, 2)
    try folder.terrace("consumer", "reset", "ods.t", "etl", "3")
    try folder.refused(2, "consumer", "set", "ods.t", "etl", "0")
    try folder.refused(2, "consumer", "set", "ods.t", "../x", "1")
    try folder.terrace("consumer", "delete", "ods.t", "etl")
    try folder.refused(1, "consumer", "get", "ods.t", "etl")
  }

  func test_branch_hasRowsOfItsOwn() throws {
    let folder = try table()
    try folder.terrace("tag", "create", "ods.t", "two", "-s", "2")
    try folder.terrace("branch", "create", "ods.t", "dev", "-t", "two")
    try folder.refused(2, "branch", "create", "ods.t", "dev")
    try folder.refused(2, "branch", "create", "ods.t", "../x")
    try folder.write("9.csv", "id,item\n9,nine\n")
    try folder.terrace("table", "import", "ods.t$branch_dev", "9.csv")
    XCTAssertEqual(try ids(folder, "-b", "dev"), ["1", "2", "9"])
    XCTAssertEqual(try ids(folder), ["1", "2", "3"])
    try folder.terrace("branch", "rename", "ods.t", "dev", "test")
    XCTAssertEqual(try ids(folder, "-b", "test"), ["1", "2", "9"])
    XCTAssertEqual(
      try folder.terrace("branch", "list", "ods.t", "-f", "csv").output, "branch\ntest\n")
    let missing = try folder.refused(1, "table", "read", "ods.t$branch_tset")
    XCTAssertTrue(missing.errors.contains("did you mean test?"), missing.errors)
    try folder.terrace("branch", "delete", "ods.t", "test")
    try folder.refused(1, "branch", "delete", "ods.t", "test")
    XCTAssertEqual(try ids(folder), ["1", "2", "3"])
  }

  func test_rollback_removesWhatCameLater() throws {
    let folder = try table()
    try folder.refused(2, "table", "rollback", "ods.t")
    try folder.refused(2, "table", "rollback", "ods.t", "--snapshot", "1", "--tag", "x")
    try folder.refused(1, "table", "rollback", "ods.t", "--snapshot", "77")
    XCTAssertEqual(try ids(folder), ["1", "2", "3"])
    try folder.terrace("table", "rollback", "ods.t", "--snapshot", "2")
    XCTAssertEqual(try ids(folder), ["1", "2"])
    try folder.terrace("table", "import", "ods.t", "3.csv")
    XCTAssertEqual(try ids(folder), ["1", "2", "3"])
  }

  func test_compact_mergesRunsAndKeepsRows() throws {
    let folder = try table("write-only=true")
    XCTAssertTrue(
      try folder.terrace("table", "explain", "ods.t").output.contains("levels        L0: 3"))
    XCTAssertTrue(try folder.terrace("compact", "ods.t", "--full").output.contains("snapshot 4"))
    XCTAssertEqual(try ids(folder), ["1", "2", "3"])
    XCTAssertTrue(
      try folder.terrace("table", "explain", "ods.t").output.contains("Files to read   1,"))
    XCTAssertEqual(
      try folder.terrace("compact", "ods.t", "--full").output,
      "Table 'ods.t' has nothing to compact.\n")
    try folder.refused(2, "compact", "ods.t", "-p", "dt=1")
    try folder.refused(1, "compact", "ods.nothing")
  }

  func test_partitions_areListedAndDropped() throws {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods")
    try folder.terrace(
      "table", "create", "ods.t", "--columns", "id INT, dt STRING, hh INT", "--partitioned-by",
      "dt,hh")
    try folder.write("a.csv", "id,dt,hh\n1,a b/c,1\n2,a b/c,2\n3,,1\n4,it's,1\n")
    try folder.terrace("table", "import", "ods.t", "a.csv")
    let list = try folder.terrace("table", "list-partitions", "ods.t", "-f", "json").lines
    XCTAssertEqual(list.count, 4)
    XCTAssertEqual(
      try folder.terrace("table", "list-partitions", "ods.t", "-p", "dt=a*", "-f", "json").lines
        .count, 2)
    for (spec, code) in [
      ("dt=zzz", 1), ("xx=1", 2), ("dt", 2), ("hh=abc", 2), ("dt=a,dt=b", 2), ("", 2),
    ] as [(String, Int32)] {
      try folder.refused(code, "table", "drop-partition", "ods.t", "-p", spec)
    }
    try folder.terrace("table", "drop-partition", "ods.t", "-p", "dt=it's", "-p", "hh=2")
    XCTAssertEqual(try ids(folder), ["1", "3"])
    try folder.terrace("table", "drop-partition", "ods.t", "-p", "dt=__DEFAULT_PARTITION__")
    XCTAssertEqual(try ids(folder), ["1"])
  }

  func test_alter_changesColumnsAndOptions() throws {
    let folder = try table()
    try folder.terrace(
      "table", "alter", "ods.t", "add-column", "-n", "note", "-t", "STRING", "--after", "id")
    try folder.terrace("table", "alter", "ods.t", "rename-column", "-n", "item", "-m", "thing")
    try folder.terrace(
      "table", "alter", "ods.t", "set-option", "-k", "snapshot.num-retained.max", "-v", "90")
    XCTAssertEqual(
      try folder.terrace("table", "read", "ods.t", "-w", "id = 1", "-f", "json").output,
      "{\"id\":1,\"note\":null,\"thing\":\"row 1\"}\n")
    let typo = try folder.refused(1, "table", "alter", "ods.t", "drop-column", "-n", "thnig")
    XCTAssertTrue(typo.errors.contains("did you mean thing?"), typo.errors)
    let type = try folder.refused(
      2, "table", "alter", "ods.t", "add-column", "-n", "x", "-t", "STRNG")
    XCTAssertTrue(type.errors.hasPrefix("--type:1:1: no such type"), type.errors)
    try folder.refused(2, "table", "alter", "ods.t", "drop-column", "-n", "id")
    try folder.refused(2, "table", "alter", "ods.t", "alter-column", "-n", "note")
    try folder.refused(2, "table", "alter", "ods.t", "add-column", "-n", "x")
    try folder.refused(
      2, "table", "alter", "ods.t", "set-option", "-k", "snapshot.num-retained.max", "-v", "many")
    try folder.terrace("table", "alter", "-i", "ods.nothing", "drop-column", "-n", "x")
    XCTAssertEqual(try folder.terrace("schema", "list", "ods.t", "-f", "json").lines.count, 4)
  }

  func test_files_arePrintedWithoutAWarehouse() throws {
    let folder = try table()
    let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.warehouse)
    func first(_ part: String) throws -> String {
      folder.warehouse + "/" + (try XCTUnwrap(paths.sorted().first { $0.contains(part) }))
    }
    let data = try first("data-")
    XCTAssertEqual(
      try folder.terrace("parquet", "cat", data, "-s", "id,item", "-f", "json").lines.count, 1)
    let meta = try folder.terrace("parquet", "meta", data, "-f", "json").lines
    XCTAssertTrue(meta.allSatisfy { $0.contains("\"crc\":true") }, meta.joined())
    XCTAssertTrue(meta.allSatisfy { $0.contains("\"offset_index\":true") }, meta.joined())
    XCTAssertEqual(
      try folder.terrace("parquet", "meta", data, "--pages", "-f", "csv").lines.first,
      "group,column,page,kind,encoding,values,rows,nulls,offset,bytes,uncompressed,crc")
    try folder.terrace("parquet", "copy", data, "copy.parquet", "--delta", "--pages-v2")
    XCTAssertEqual(
      try folder.terrace("parquet", "cat", "copy.parquet", "-f", "csv").output,
      try folder.terrace("parquet", "cat", data, "-f", "csv").output)
    try folder.refused(2, "parquet", "copy", data, "copy.parquet")
    let list = try folder.terrace(
      "manifest", "cat", try first("manifest-list-"), "-f", "json")
    XCTAssertEqual(list.code, 0)
    let entries = try folder.terrace("manifest", "cat", try first("/manifest-"), "-f", "json")
    XCTAssertFalse(entries.output.isEmpty && list.output.isEmpty)
    try folder.terrace("avro", "cat", try first("manifest-list-"))
    try folder.write("junk", String(repeating: "PAR1 junk Obj\u{1}", count: 100))
    for words in [
      ["parquet", "cat"], ["parquet", "meta"], ["parquet", "schema"], ["avro", "cat"],
      ["avro", "schema"], ["manifest", "cat"],
    ] {
      for file in ["junk", "missing", folder.path] {
        let run = try CommandRun.run(words + [file], in: folder.url)
        XCTAssertNotEqual(run.code, 0, "\(words) \(file)")
        XCTAssertFalse(run.wasKilled, "\(words) \(file)")
        XCTAssertTrue(run.errors.hasPrefix("terrace: "), run.errors)
      }
    }
  }

  func test_everyCommand_hasHelpWithAUsageLine() throws {
    var waiting: [[String]] = [[]]
    var seen = 0
    while let path = waiting.popLast() {
      let run = try CommandRun.run(path + ["--help"])
      XCTAssertEqual(run.code, 0, "\(path)")
      let usage = try XCTUnwrap(run.lines.first { $0.hasPrefix("Usage: terrace") }, "\(path)")
      XCTAssertEqual(
        usage.split(separator: " ").dropFirst(2).filter { path.contains(String($0)) }.map(
          String.init),
        path)
      XCTAssertTrue(
        run.output.split(separator: "\n").allSatisfy { $0.count <= 110 }, "\(path) is too wide")
      seen += 1
      guard let start = run.output.range(of: "\nCommands:\n") else { continue }
      for line in run.output[start.upperBound...].split(
        separator: "\n", omittingEmptySubsequences: false)
      {
        guard line.hasPrefix("  ") else { break }
        if !line.hasPrefix("   "), let name = line.split(separator: " ").first {
          waiting.append(path + [String(name)])
        }
      }
    }
    XCTAssertGreaterThan(seen, 50)
  }
}
