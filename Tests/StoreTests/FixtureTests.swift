import Columns
import Foundation
import Store
import XCTest

/// Metadata that Java Paimon 0.9 and pypaimon 2.1 wrote.
final class FixtureTests: XCTestCase {
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures")

  static func tables() throws -> [(name: String, path: String)] {
    var found: [(String, String)] = []
    for writer in ["java09", "pypaimon21"] {
      let folder = fixtures.appending(path: writer)
      for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
        let table = folder.appending(path: name + "/wh/fx.db/t").path
        if FileManager.default.fileExists(atPath: table) {
          found.append((writer + "/" + name, table))
        }
      }
    }
    return found
  }

  func test_read_parsesEverySchemaSnapshotAndManifest() throws {
    let tables = try FixtureTests.tables()
    XCTAssertEqual(tables.count, 49)
    for (name, folder) in tables {
      let path = TablePath(folder)
      let environment = Environment()
      let schemas = SchemaDirectory(path, environment)
      for id in try schemas.ids() { _ = try schemas.schema(id) }
      let schema = try schemas.latest()
      let snapshots = SnapshotDirectory(path, environment)
      let manifests = try ManifestFiles(path, schema, environment)
      for id in try snapshots.ids() {
        let snapshot = try snapshots.snapshot(id)
        let state = try TableState(at: snapshot, manifests)
        let rows = state.entries.reduce(0) { $0 + $1.file.rowCount }
        XCTAssertEqual(rows, snapshot.totalRecordCount, "\(name) snapshot \(id)")
        for entry in state.entries {
          let bucket = path.bucket(
            entry.bucket, partition: try PartitionPath.text(entry.partition, schema))
          let status = try environment.files.status(bucket + "/" + entry.file.name)
          XCTAssertEqual(status?.byteCount, Int(entry.file.byteCount), "\(name) \(entry.file.name)")
        }
        if let list = snapshot.changelogManifestList {
          var rows: Int64 = 0
          for manifest in try manifests.readList(list) {
            rows += try manifests.readEntries(manifest.name).reduce(0) { $0 + $1.file.rowCount }
          }
          XCTAssertEqual(rows, snapshot.changelogRecordCount, name)
        }
      }
    }
  }

  func test_writeThenRead_givesTheSameMetadata() throws {
    for (name, folder) in try FixtureTests.tables() {
      let environment = Environment()
      let schemas = SchemaDirectory(TablePath(folder), environment)
      let copy = Environment(files: MemoryFileIO())
      let path = TablePath("/wh/t")
      let schema = try schemas.latest()
      let again = SchemaDirectory(path, copy)
      XCTAssertTrue(try again.publish(schema), name)
      XCTAssertFalse(try again.publish(with(schema) { $0.comment = "another" }), name)
      XCTAssertEqual(try again.schema(schema.id), schema, name)

      let source = try ManifestFiles(TablePath(folder), schema, environment)
      let target = try ManifestFiles(path, schema, copy)
      guard let snapshot = try SnapshotDirectory(TablePath(folder), environment).latest() else {
        continue
      }
      for manifest in try source.manifests(of: snapshot) {
        let entries = try source.readEntries(manifest.name)
        let written = try target.writeEntries(entries, schemaID: schema.id)
        XCTAssertEqual(written.count, 1)
        let list = try target.writeList(written)
        XCTAssertEqual(try target.readList(list.name), written, name)
        let first = try XCTUnwrap(written.first)
        XCTAssertEqual(try target.readEntries(first.name), entries, name)
        XCTAssertEqual(first.addedCount, manifest.addedCount, name)
        XCTAssertEqual(first.partitionStats, manifest.partitionStats, name)
      }
    }
  }

  func test_checkReadable_refusesByNameWhatWouldBeMisread() throws {
    var refused: [String: String] = [:]
    for (name, folder) in try FixtureTests.tables() {
      let schema = try SchemaDirectory(TablePath(folder), Environment()).latest()
      do {
        try schema.checkReadable()
      } catch {
        XCTAssertEqual(error.kind, .unsupported)
        refused[name] = error.message
      }
    }
    XCTAssertEqual(
      refused,
      [
        "java09/aggregation": "merge-engine aggregation",
        "java09/deletion_vectors": "deletion-vectors.enabled",
        "java09/first_row": "merge-engine first-row",
        "java09/partial_update": "merge-engine partial-update",
        "java09/partial_update_plain": "merge-engine partial-update",
        "pypaimon21/aggregation": "merge-engine aggregation",
        "pypaimon21/append_row_tracking": "row-tracking.enabled",
        "pypaimon21/first_row": "merge-engine first-row",
        "pypaimon21/partial_update": "merge-engine partial-update",
        "pypaimon21/postpone_bucket": "bucket -2 (postpone)",
      ])
  }
}

func with<Value>(_ value: Value, _ change: (inout Value) -> Void) -> Value {
  var copy = value
  change(&copy)
  return copy
}
