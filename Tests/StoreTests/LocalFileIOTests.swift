import Columns
import Formats
import Foundation
import Glibc
import Store
import XCTest

final class LocalFileIOTests: XCTestCase {
  private var folder = ""
  private let files = LocalFileIO()

  override func setUpWithError() throws {
    folder = FileManager.default.temporaryDirectory.path + "/terrace-\(UUID().uuidString)"
    try files.makeDirectories(folder + "/a/b")
  }

  override func tearDownWithError() throws {
    chmod(folder + "/a", 0o755)
    try files.deleteTree(folder)
    XCTAssertFalse(try files.exists(folder))
  }

  private func text(_ name: String) throws -> String? {
    try files.readSmall(folder + "/" + name).map { String(decoding: $0, as: UTF8.self) }
  }

  func test_write_goesThroughTheBufferInAnySizes() throws {
    var random = SplitMix(seed: 5)
    var expected: [UInt8] = []
    let sink = try files.create(folder + "/big")
    for size in [0, 1, 100_000, 300_000, 262_144, 262_143, 7] {
      let part = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      try part.write(to: sink)
      expected += part
    }
    XCTAssertEqual(sink.byteCount, expected.count)
    try sink.sync()
    try sink.close()
    XCTAssertEqual(try files.readSmall(folder + "/big"), expected)
    let source = try files.open(folder + "/big")
    let part = try source.read(at: 262_140, count: 10)
    withExtendedLifetime(part) {
      XCTAssertEqual(Array(part.bytes), Array(expected[262_140..<262_150]))
    }
    XCTAssertThrowsError(try source.read(at: expected.count - 1, count: 2))
    XCTAssertThrowsError(try source.read(at: -1, count: 1))
    XCTAssertThrowsError(try files.readSmall(folder + "/big", limit: 1000))
  }

  func test_publish_neverReplaces() throws {
    let names = RandomNames()
    XCTAssertTrue(try files.publishNew(folder + "/s", Array("one".utf8), names: names))
    XCTAssertFalse(try files.publishNew(folder + "/s", Array("two".utf8), names: names))
    XCTAssertTrue(try files.publishNew(folder + "/s", Array("one".utf8), names: names))
    XCTAssertEqual(try text("s"), "one")
    XCTAssertEqual(try files.list(folder), ["a", "s"])
    XCTAssertThrowsError(try files.create(folder + "/s")) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .conflict)
    }
    try files.replace(folder + "/s", with: Array("three".utf8), durable: true)
    XCTAssertEqual(try text("s"), "three")
    XCTAssertThrowsError(try files.rename(folder + "/s", to: folder + "/a"))
    XCTAssertEqual(try files.list(folder), ["a", "s"])
  }

  func test_missingThings_areAnswersAndRefusalsAreErrors() throws {
    XCTAssertNil(try files.status(folder + "/none"))
    XCTAssertNil(try text("none"))
    XCTAssertFalse(try files.delete(folder + "/none"))
    XCTAssertFalse(try files.deleteDirectory(folder + "/none"))
    XCTAssertFalse(try files.deleteDirectory(folder + "/a"))
    XCTAssertEqual(try files.list(folder + "/none"), [])
    try files.syncDirectory(folder + "/none")
    XCTAssertThrowsError(try files.open(folder)) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .invalid)
    }
    XCTAssertThrowsError(try files.open(folder + "/none")) {
      XCTAssertEqual(
        ($0 as? TerraceError)?.description,
        "not found: No such file or directory (call=open path=\(folder)/none)")
    }
    XCTAssertThrowsError(try files.create(folder + "/" + String(repeating: "x", count: 300)))
  }

  func test_deleteTree_doesNotFollowLinks() throws {
    try files.write([1], to: folder + "/a/kept")
    try files.makeDirectories(folder + "/t/u")
    XCTAssertEqual(symlink(folder + "/a", folder + "/t/link"), 0)
    XCTAssertEqual(symlink(folder + "/a/kept", folder + "/t/u/file"), 0)
    XCTAssertEqual(try files.status(folder + "/t/link")?.kind, .link)
    try files.deleteTree(folder + "/t")
    XCTAssertTrue(try files.exists(folder + "/a/kept"))
    XCTAssertFalse(try files.exists(folder + "/t"))
  }

  func test_lock_isHeldUntilReleased() throws {
    let lock = try files.lock(folder + "/lock")
    XCTAssertThrowsError(try files.lock(folder + "/lock")) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .held)
    }
    lock.unlock()
    let again = try files.lock(folder + "/lock")
    again.unlock()
  }

  func test_names_fromMetadataCannotLeaveTheirFolder() throws {
    for name in ["", ".", "..", "a/b", "../x", "a\0b", String(repeating: "x", count: 256)] {
      XCTAssertThrowsError(try checkFileName(name, "name"), name)
    }
    for name in ["", " ", "..", "a/b", "a\\b", "a\nb", String(repeating: "x", count: 201)] {
      XCTAssertThrowsError(try Tag.checkName(name), name)
    }
    try Tag.checkName("2026-11-21 07")
    let hostile = """
      {"version": 3, "id": 1, "schemaId": 0, "baseManifestList": "../../x", "commitUser": "u",
       "deltaManifestList": "d", "commitIdentifier": 1, "commitKind": "APPEND", "timeMillis": 0}
      """
    XCTAssertThrowsError(try Snapshot(json: try JSONValue.parse(hostile))) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .corrupted)
    }
  }

  func test_counters_countByCallAndRole() throws {
    let counting = CountingFileIO(files)
    try counting.files.write([UInt8](repeating: 1, count: 100), to: folder + "/manifest-1")
    _ = try counting.files.readSmall(folder + "/manifest-1")
    _ = try counting.files.list(folder + "/a")
    XCTAssertEqual(counting.counters.total(.write, .manifest), .init(calls: 1, bytes: 100))
    XCTAssertEqual(counting.counters.total(.read).bytes, 100)
    XCTAssertEqual(counting.counters.total(.sync).calls, 1)
    XCTAssertEqual(counting.counters.total(.list, .other).calls, 1)
    for (path, role) in [
      ("/t/bucket-0/data-1.parquet", FileRole.data), ("/t/bucket-0", .data),
      ("/t/bucket-0/changelog-1.parquet", .changelog), ("/t/changelog/changelog-1", .snapshot),
      ("/t/snapshot/.snapshot-7.u.tmp", .snapshot), ("/t/snapshot/LATEST", .hint),
      ("/t/manifest/manifest-list-1", .manifest), ("/t/tag", .tag), ("/x/y", .other),
      ("/t/index/index-u-1", .index), ("/t/schema/schema-0", .schema),
    ] { XCTAssertEqual(FileRole(path: path), role, path) }
  }
}
