import Foundation
import XCTest

/// The metastore of a project, as its commands use it.
final class CommandRepairTests: XCTestCase {
  private func run(_ folder: ScratchFolder, _ words: String...) throws -> CommandRun {
    try CommandRun.run(["-C", folder.path] + words, in: folder.url)
  }

  /// A project with `ads.t`, one row in it, and a metastore.
  private func project() throws -> ScratchFolder {
    let folder = try ScratchFolder()
    try FileManager.default.createDirectory(
      at: folder.url.appendingPathComponent("warehouse"), withIntermediateDirectories: true)
    XCTAssertEqual(try run(folder, "repair").code, 0)
    XCTAssertEqual(try run(folder, "db", "create", "ads").code, 0)
    let created = try run(
      folder, "table", "create", "ads.t", "--columns", "id INT NOT NULL", "--primary-key", "id",
      "-o", "bucket=1", "-o", "metastore.tag-to-partition=dt")
    XCTAssertEqual(created.code, 0, created.errors)
    try folder.write("a.csv", "id\n1\n")
    XCTAssertEqual(try run(folder, "table", "import", "ads.t", "a.csv").code, 0)
    return folder
  }

  private func partitions(_ folder: ScratchFolder) throws -> [String] {
    let run = try run(folder, "table", "list-partitions", "ads.t", "-f", "csv")
    XCTAssertEqual(run.code, 0, run.errors)
    return run.lines.dropFirst().compactMap { $0.split(separator: ",").first.map(String.init) }
  }

  func test_tags_ofSeveralProcessesAreAllPartitions() throws {
    let folder = try project()
    let runs = Runs()
    let url = folder.url
    DispatchQueue.concurrentPerform(iterations: 6) { index in
      for turn in 0..<3 {
        runs.add {
          try CommandRun.run(
            ["-C", url.path, "tag", "create", "ads.t", "day-\(index)-\(turn)"], in: url)
        }
      }
    }
    XCTAssertEqual(runs.failures, [])
    let wanted = (0..<6).flatMap { index in (0..<3).map { "dt=day-\(index)-\($0)" } }.sorted()
    XCTAssertEqual(try partitions(folder), wanted)
    XCTAssertEqual(
      try run(folder, "tag", "sync").errors, "All partitions are as the tags are.\n")
  }

  func test_repair_tellsWhatItDidAndThenNothing() throws {
    let folder = try project()
    XCTAssertEqual(try run(folder, "tag", "create", "ads.t", "2026-11-19").code, 0)
    let file = folder.path + "/catalog/metastore.db"
    try Data("damaged".utf8).write(to: URL(fileURLWithPath: file))
    for suffix in ["-wal", "-shm"] {
      // There is a log only while somebody has the file open.
      try? FileManager.default.removeItem(atPath: file + suffix)
    }
    let refused = try run(folder, "tag", "create", "ads.t", "x")
    XCTAssertEqual(refused.code, 1)
    XCTAssertTrue(refused.errors.contains("the metastore is damaged"), refused.errors)
    XCTAssertTrue(refused.errors.contains("terrace repair"), refused.errors)
    // Reading needs no metastore.
    XCTAssertEqual(try run(folder, "table", "read", "ads.t", "-f", "csv").output, "id\n1\n")
    let dry = try run(folder, "repair", "--dry-run")
    XCTAssertTrue(dry.errors.contains("nothing was changed"), dry.errors)
    XCTAssertEqual(try Data(contentsOf: URL(fileURLWithPath: file)), Data("damaged".utf8))
    let done = try run(folder, "repair", "-f", "csv")
    XCTAssertEqual(done.code, 0, done.errors)
    XCTAssertTrue(done.lines[1].hasPrefix("metastore,set aside,"), done.output)
    XCTAssertEqual(
      done.lines.suffix(3),
      [
        "database,added,ads", "table,added,ads.t", "partition,added,ads.t dt=2026-11-19",
      ])
    XCTAssertEqual(try partitions(folder), ["dt=2026-11-19"])
    XCTAssertEqual(
      try run(folder, "repair").errors,
      "Nothing to repair: the metastore agrees with the warehouse.\n")
    XCTAssertEqual(try CommandRun.run(["--warehouse", folder.path, "repair"]).code, 2)
  }

  func test_commands_useWhatTheConfigurationNames() throws {
    let folder = try ScratchFolder()
    try folder.write("terrace.conf", "warehouse: data\ncatalog.uri: jdbc:sqlite:store.db\n")
    try FileManager.default.createDirectory(
      at: folder.url.appendingPathComponent("data"), withIntermediateDirectories: true)
    XCTAssertEqual(try run(folder, "repair").code, 0)
    XCTAssertEqual(try run(folder, "db", "create", "ads").code, 0)
    for path in ["store.db", "data/ads.db"] {
      XCTAssertTrue(FileManager.default.fileExists(atPath: folder.path + "/" + path), path)
    }
    XCTAssertEqual(
      try run(folder, "repair").errors,
      "Nothing to repair: the metastore agrees with the warehouse.\n")
  }

  func test_hiddenDatabases_areNotListed() throws {
    let folder = try project()
    try FileManager.default.createDirectory(
      at: folder.url.appendingPathComponent("warehouse/_state.db"),
      withIntermediateDirectories: true)
    XCTAssertEqual(try run(folder, "db", "list", "-f", "csv").output, "database\nads\n")
  }
}

private final class Runs: @unchecked Sendable {
  private let lock = NSLock()
  private var found: [String] = []

  func add(_ run: () throws -> CommandRun) {
    do {
      let done = try run()
      if done.code != 0 { lock.withLock { found.append(done.errors) } }
    } catch { lock.withLock { found.append("\(error)") } }
  }

  var failures: [String] { lock.withLock { found } }
}
