import Columns
import Store
import XCTest

/// A table in memory whose data files are a few bytes, for what only looks at metadata.
struct CommitFixture {
  let environment: Environment
  let path = TablePath("/wh/db.db/t")

  init(_ files: any FileIO = MemoryFileIO(), time: any Timekeeper = ManualTime()) {
    environment = Environment(files: files, time: time, names: SeededNames(seed: 7))
  }

  /// The same files, seen through something else.
  init(_ other: CommitFixture, through files: any FileIO, names: UInt64 = 8) {
    environment = Environment(
      files: files, time: other.environment.time, names: SeededNames(seed: names))
  }

  var schemas: SchemaDirectory { SchemaDirectory(path, environment) }
  var snapshots: SnapshotDirectory { SnapshotDirectory(path, environment) }

  func create(_ options: [String: String] = [:], partitioned: Bool = false) throws {
    var columns = [
      Field(id: 0, name: "id", type: .bigint), Field(id: 0, name: "v", type: .string),
    ]
    if partitioned { columns.append(Field(id: 0, name: "dt", type: .string)) }
    let schema = try TableSchema.create(
      columns: columns, partitionKeys: partitioned ? ["dt"] : [],
      primaryKeys: partitioned ? ["dt", "id"] : ["id"],
      options: options.merging(["bucket": "1"]) { given, _ in given }, timeMillis: 0)
    XCTAssertTrue(try schemas.publish(schema))
  }

  func commit(user: String = "u") throws -> Commit {
    try Commit(path, environment, schemas: schemas, snapshots: snapshots, user: user)
  }

  static func partition(_ dt: String?) -> [UInt8] {
    guard let dt else { return SimpleStats.emptyRow }
    return BinaryRow([.text(dt)], [.string]).serialized
  }

  func folder(_ partition: String?, bucket: Int = 0) -> String {
    path.bucket(bucket, partition: partition.map { "dt=\($0)/" } ?? "")
  }

  /// Writes a data file with keys `keys` and makes its content durable.
  func file(
    _ name: String, keys: ClosedRange<Int64> = 0...9, level: Int = 0, dt: String? = nil
  ) throws -> DataFile {
    let folder = folder(dt)
    try environment.files.makeDirectories(folder)
    try environment.files.write(Array(name.utf8), to: folder + "/" + name)
    func key(_ value: Int64) -> [UInt8] {
      BinaryRow([.int(value)], [DataType.bigint]).serialized
    }
    return DataFile(
      name: name, byteCount: Int64(name.utf8.count),
      rowCount: keys.upperBound - keys.lowerBound + 1, minKey: key(keys.lowerBound),
      maxKey: key(keys.upperBound), minSequence: 0, maxSequence: 9, schemaID: 0, level: level,
      creationMillis: 0, deleteRowCount: 0, source: .append, valueStatsColumns: [])
  }

  func message(
    new: [DataFile] = [], before: [DataFile] = [], after: [DataFile] = [],
    changelog: [DataFile] = [], compactChangelog: [DataFile] = [], dt: String? = nil,
    buckets: Int = 1
  ) -> CommitMessage {
    CommitMessage(
      partition: CommitFixture.partition(dt), bucket: 0, totalBuckets: buckets, newFiles: new,
      changelogFiles: changelog, compactBefore: before, compactAfter: after,
      compactChangelog: compactChangelog)
  }

  /// What a new process sees: every snapshot and tag reads, every file they name has its content.
  ///
  /// - Returns: names of the live files of the latest snapshot.
  @discardableResult func verify(
    _ what: String = "", file: StaticString = #filePath, line: UInt = #line
  ) throws -> Set<String> {
    var live: Set<String> = []
    for id in try snapshots.ids() {
      live = try verify(try snapshots.snapshot(id), what, file, line)
    }
    for tag in try TagDirectory(path, environment).list() {
      try verify(tag, what, file: file, line: line)
    }
    return live
  }

  func verify(
    _ tag: Tag, _ what: String = "", file: StaticString = #filePath, line: UInt = #line
  ) throws {
    // A tag does not keep its changelog.
    let snapshot = with(tag.snapshot) { $0.changelogManifestList = nil }
    _ = try verify(snapshot, "\(what), tag \(tag.name)", file, line)
  }

  private func verify(
    _ snapshot: Snapshot, _ what: String, _ file: StaticString, _ line: UInt
  ) throws -> Set<String> {
    let schema = try schemas.latest()
    let manifests = try ManifestFiles(path, schema, environment)
    let state = try TableState(at: snapshot, manifests)
    var entries = state.entries
    let rows = entries.reduce(0) { $0 + $1.file.rowCount }
    XCTAssertEqual(rows, snapshot.totalRecordCount, what, file: file, line: line)
    if let list = snapshot.changelogManifestList {
      for manifest in try manifests.readList(list) {
        entries += try manifests.readEntries(manifest.name)
      }
    }
    for entry in entries {
      let folder = path.bucket(
        entry.bucket, partition: try PartitionPath.text(entry.partition, schema))
      let content = try environment.files.readSmall(folder + "/" + entry.file.name)
      XCTAssertEqual(
        content, Array(entry.file.name.utf8),
        "\(what): snapshot \(snapshot.id) names \(entry.file.name)", file: file, line: line)
    }
    return Set(state.entries.map(\.file.name))
  }
}
