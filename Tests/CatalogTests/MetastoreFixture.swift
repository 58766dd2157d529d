import Foundation

@testable import Catalog

/// A folder with a metastore's file, removed with the test.
final class MetastoreFixture: Sendable {
  let folder: URL
  var file: String { folder.appendingPathComponent("metastore.db").path }

  init() throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("terrace-metastore-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit {
    // A folder left behind in the temporary directory harms no other test.
    try? FileManager.default.removeItem(at: folder)
  }

  func open() throws -> Metastore { try Metastore.open(file) }

  func partition(
    _ value: String, table: String = "ads.t", snapshot: Int64 = 1
  ) -> TagPartition {
    TagPartition(
      table: table, column: "dt", value: value, tag: value, snapshotID: snapshot, rows: 10,
      bytes: 100, files: 2, createdMillis: 5)
  }
}
