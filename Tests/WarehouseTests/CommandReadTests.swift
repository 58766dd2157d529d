import Foundation
import XCTest

final class CommandReadTests: XCTestCase {
  private func read(_ fixture: String, _ words: String...) throws -> CommandRun {
    let folder = try ScratchFolder()
    let warehouse = try folder.copy(fixture: fixture)
    return try CommandRun.run(["--warehouse", warehouse, "table", "read", "fx.t"] + words)
  }

  func test_read_printsEveryTypeAsJSON() throws {
    let first = try XCTUnwrap(read("java09/all_types", "-f", "json", "-w", "k = 1").lines.first)
    for part in [
      #""f_tiny":-128,"#, #""f_big":-9223372036854775808,"#, #""f_bytes":"0x","#,
      #""f_dec_38_10":"1234567890123456789012345678.0123456789","#, #""f_date":"2024-02-29","#,
      #""f_time":"12:34:56.789","#, #""f_ts9":"2024-02-29 12:34:56.789123456","#,
      #""f_ltz6":"2024-02-29 12:34:56.789123Z","#, #""f_arr":[1,null,3],"#,
      #""f_map":[["x",1],["y",null]],"#, #""f_row":{"a":7,"b":"in","c":"1.250"},"#,
      #""f_string":"a longer string 漢字 \u0001","#,
    ] {
      XCTAssertTrue(first.contains(part), "\(part) in \(first)")
    }
  }

  func test_read_selectsFiltersAndLimits() throws {
    let fixture = "pypaimon21/pk_partitioned"
    XCTAssertEqual(
      try read(fixture, "-s", "v, id", "-w", "dt = '2024-01-01' AND id > 2", "-f", "csv").lines
        .sorted(), ["v,id", "v6,6", "w3,3"].sorted())
    XCTAssertEqual(try read(fixture, "-l", "2", "-f", "json").lines.count, 2)
    XCTAssertEqual(try read(fixture, "-l", "0", "-f", "json").lines.count, 7)
    XCTAssertEqual(try read(fixture, "-w", "id IN (100, 7777)", "-f", "json").lines.count, 1)
    let table = try read(fixture, "-l", "2")
    XCTAssertEqual(table.lines.count, 4)
    XCTAssertTrue(table.errors.contains("the first 2 rows; there are more"), table.errors)
    XCTAssertEqual(try read(fixture, "-l", "7").errors, "")
    XCTAssertEqual(try read(fixture, "-w", "id = 5555", "-f", "csv").output, "id,v,dt\n")
  }

  func test_read_travelsInTime() throws {
    let fixture = "pypaimon21/pk_partitioned"
    XCTAssertEqual(try read(fixture, "--snapshot", "1", "-f", "json").lines.count, 9)
    XCTAssertEqual(
      try read(fixture, "--timestamp", "2026-11-21 00:28:26.100", "-f", "json").lines.count, 9)
    XCTAssertEqual(
      try read(fixture, "--timestamp", "1795220906400", "-f", "json").lines.count, 9)
    XCTAssertEqual(try read(fixture, "--snapshot", "9").code, 1)
    XCTAssertEqual(try read(fixture, "--timestamp", "5").code, 1)
    XCTAssertEqual(try read(fixture, "--timestamp", "soon").code, 2)
    XCTAssertEqual(try read(fixture, "--snapshot", "1", "--tag", "x").code, 2)
    XCTAssertEqual(try read(fixture, "--snapshot", "0").code, 2)
    XCTAssertEqual(
      try read("java09/tags_consumer_branch", "--branch", "b1", "-f", "json").lines.count, 14)
  }

  func test_read_followsTheColumnsOfTheVersion() throws {
    XCTAssertEqual(
      try read("java09/schema_evolution", "--snapshot", "1", "-f", "json").lines.sorted(),
      [#"{"id":1,"a":1,"b":"b1","c":1.5}"#, #"{"id":2,"a":2,"b":"b2","c":2.5}"#])
    XCTAssertTrue(
      try read("java09/schema_evolution", "-f", "csv").output.hasPrefix("e,id,a,b_new,d,c\n"))
  }

  func test_read_printsTheChangelog() throws {
    let all = try read("java09/changelog_lookup", "--changes", "-f", "json").lines
    XCTAssertEqual(all.count, 11)
    XCTAssertEqual(all.first, #"{"rowkind":"+I","id":1,"name":"a","qty":1}"#)
    XCTAssertEqual(
      try read("java09/changelog_lookup", "--changes", "--from", "3", "--to", "4", "-f", "json")
        .lines.count, 4)
    XCTAssertEqual(try read("java09/changelog_lookup", "--from", "3").code, 2)
    XCTAssertEqual(try read("java09/changelog_lookup", "--changes", "--tag", "x").code, 2)
  }

  func test_read_pointsAtTheMistakeInACondition() throws {
    let run = try read("pypaimon21/pk_partitioned", "-w", "dt = '2024-01-01' AND idd > 2")
    XCTAssertEqual(run.code, 2)
    XCTAssertEqual(
      run.errors,
      """
      --where:1:23: fx.t has no column idd
        dt = '2024-01-01' AND idd > 2
                              ^^^
        hint: did you mean id?

      """)
    XCTAssertEqual(try read("pypaimon21/pk_partitioned", "-s", "nope").code, 2)
  }

  func test_read_refusesWhatItCannotReadByName() throws {
    for (fixture, feature) in [
      ("java09/deletion_vectors", "deletion-vectors"), ("java09/aggregation", "aggregation"),
      ("pypaimon21/append_row_tracking", "row-tracking"),
    ] {
      let run = try read(fixture)
      XCTAssertEqual(run.code, 1)
      XCTAssertTrue(run.errors.hasPrefix("terrace: not supported: "), run.errors)
      XCTAssertTrue(run.errors.contains(feature), run.errors)
    }
  }

  func test_read_saysWhichFileIsDamaged() throws {
    let folder = try ScratchFolder()
    for name in ["snapshot/snapshot-10", "schema/schema-0", "manifest", "bucket-0", "bucket-1"] {
      let warehouse = try folder.copy(fixture: "java09/pk_dedup")
      let target = URL(fileURLWithPath: warehouse + "/fx.db/t/" + name)
      var files = [target]
      if let inside = try? FileManager.default.contentsOfDirectory(atPath: target.path) {
        files = inside.map { target.appendingPathComponent($0) }
      }
      for file in files { try Data("damaged".utf8).write(to: file) }
      let run = try CommandRun.run(["--warehouse", warehouse, "table", "read", "fx.t"])
      XCTAssertEqual(run.code, 1, "\(name): \(run.output)")
      XCTAssertFalse(run.wasKilled, name)
      XCTAssertTrue(run.errors.contains("fx.db/t/"), "\(name): \(run.errors)")
    }
  }

  func test_output_endsQuietlyWhenNobodyReadsOn() throws {
    let folder = try ScratchFolder()
    try folder.terrace("db", "create", "ods")
    try folder.terrace("table", "create", "ods.t", "--columns", "a INT, b STRING")
    try folder.write(
      "a.csv", "a,b\n" + (0..<50_000).map { "\($0),some text that fills the pipe\n" }.joined())
    try folder.terrace("table", "import", "ods.t", "a.csv")
    for format in ["table", "csv", "json"] {
      let shell = Process()
      shell.executableURL = URL(fileURLWithPath: "/bin/bash")
      shell.arguments = [
        "-c",
        "\"$0\" --warehouse \"$1\" table read ods.t -l 0 -f \(format) | head -1 >/dev/null; "
          + "exit ${PIPESTATUS[0]}", CommandRun.binary.path, folder.warehouse,
      ]
      let errors = Pipe()
      shell.standardError = errors
      try shell.run()
      let text = errors.fileHandleForReading.readDataToEndOfFile()
      shell.waitUntilExit()
      XCTAssertEqual(shell.terminationStatus, 0, format)
      XCTAssertEqual(String(decoding: text, as: UTF8.self), "", format)
    }
  }

  func test_output_isRefusedWhenTheDiskIsFull() throws {
    let folder = try ScratchFolder()
    let warehouse = try folder.copy(fixture: "pypaimon21/pk_partitioned")
    let process = Process()
    process.executableURL = CommandRun.binary
    process.arguments = ["--warehouse", warehouse, "table", "read", "fx.t"]
    process.standardOutput = FileHandle(forWritingAtPath: "/dev/full")
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    XCTAssertEqual(process.terminationStatus, 1)
    XCTAssertTrue(text.contains("cannot write to standard output"), text)
  }

  func test_explain_showsWhatIsLeftOut() throws {
    let folder = try ScratchFolder()
    let warehouse = try folder.copy(fixture: "pypaimon21/pk_partitioned")
    let run = try folder.terrace(
      "table", "explain", "fx.t", "-w", "dt = '2024-01-01' AND id = 3", "-f", "json",
      warehouse: warehouse)
    XCTAssertTrue(
      run.output.contains(
        #""files":{"live":6,"afterPartition":3,"afterBucket":2,"afterKey":2,"afterStatistics":2}"#),
      run.output)
    let text = try folder.terrace("table", "explain", "fx.t", "-v", warehouse: warehouse).output
    XCTAssertTrue(text.contains("Live files      6"), text)
    XCTAssertTrue(text.contains("data-bef66d17-f518-4f20-8538-0004f21c9966-0.parquet"), text)
  }
}
