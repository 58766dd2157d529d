import Columns
import Formats
import XCTest

@testable import Store

/// Every table of the kinds that Terrace reads, read equal to its writer's own reader.
final class FixtureReadTests: XCTestCase {
  static let readable = [
    "java09/all_types", "java09/append_fixed_bucket", "java09/append_nobucketkey",
    "java09/append_partitioned", "java09/bloom_index", "java09/changelog_decoupled_expire",
    "java09/changelog_full_compaction", "java09/changelog_input", "java09/changelog_lookup",
    "java09/dynamic_bucket", "java09/manifest_null_codec", "java09/manifest_snappy_codec",
    "java09/partition_types", "java09/pk_avro_format", "java09/pk_dedup", "java09/pk_key_types",
    "java09/pk_partitioned", "java09/pk_sequence_field", "java09/pk_writeonly",
    "java09/rowkind_field", "java09/schema_evolution", "java09/schema_evolution_append",
    "java09/spill_levels", "java09/statistics", "java09/stats_modes", "java09/tag_auto",
    "java09/tag_auto_watermark", "java09/tags_consumer_branch", "pypaimon21/all_types",
    "pypaimon21/append_fixed_bucket", "pypaimon21/append_partitioned",
    "pypaimon21/changelog_input", "pypaimon21/dynamic_bucket", "pypaimon21/pk_dedup",
    "pypaimon21/pk_partitioned", "pypaimon21/pk_rowkind", "pypaimon21/schema_evolution",
    "pypaimon21/tags_consumer_branch", "pypaimon21/thin_mode",
  ]

  private func check(
    _ table: Table, _ snapshot: Snapshot, _ rows: JSONValue, _ what: String, threads: Int = 1
  ) throws {
    let scan = table.scan()
    let found = try scan.read(try scan.plan(snapshot), threads: threads).allRows()
    let wanted = RowText.rows(rows, scan.type).sorted()
    for (left, right) in zip(found.sorted(), wanted) where left != right {
      XCTAssertEqual(left, right, what)
    }
    XCTAssertEqual(found.count, wanted.count, what)
  }

  func test_read_equalsTheWritersOwnReaderAtTheLatestSnapshot() throws {
    for name in Self.readable {
      let fixture = try PaimonFixture(name)
      let table = try fixture.open()
      guard let latest = try table.snapshots.latest(), let rows = fixture.expected["latest"] else {
        XCTFail("\(name) has no snapshot")
        continue
      }
      do {
        try check(table, latest, rows, "\(name) latest")
        try check(table, latest, rows, "\(name) latest, two threads", threads: 2)
      } catch {
        XCTFail("\(name): \(error)")
      }
    }
  }

  func test_read_equalsTheWritersOwnReaderAtEverySnapshotAndTag() throws {
    for name in Self.readable {
      let fixture = try PaimonFixture(name)
      let table = try fixture.open()
      do {
        for member in fixture.expected["snapshots"]?.asMembers ?? [] {
          let id = member.name
          guard let rows = member.value["rows"], rows.asArray != nil, let number = Int64(id) else {
            continue
          }
          let snapshot = try table.snapshots.snapshot(number)
          try check(try table.at(snapshot), snapshot, rows, "\(name) snapshot \(id)")
        }
        for member in fixture.expected["tags"]?.asMembers ?? [] where member.value.asArray != nil {
          let file = table.path.tag(member.name)
          let bytes = try XCTUnwrap(try table.environment.files.readSmall(file))
          let snapshot = try Snapshot(json: try parseJSON(bytes))
          try check(
            try table.at(snapshot), snapshot, member.value, "\(name) tag \(member.name)")
        }
      } catch {
        XCTFail("\(name): \(error)")
      }
    }
  }

  func test_read_equalsTheWritersOwnReaderOnABranch() throws {
    let fixture = try PaimonFixture("java09/tags_consumer_branch", file: "expected-branch-b1.json")
    let table = try fixture.open(branch: "b1")
    let snapshot = try XCTUnwrap(try table.snapshots.latest())
    let rows = fixture.expected["latest"] ?? fixture.expected
    try check(table, snapshot, rows, "branch b1")
  }

  func test_changes_equalTheStreamOfTheWriter() throws {
    for name in Self.readable where name.hasPrefix("java09/") {
      let fixture = try PaimonFixture(name)
      guard let expected = fixture.expected["changelogStreamRead"]?.asArray else { continue }
      let table = try fixture.open()
      do {
        try checkChanges(table, expected, name)
      } catch {
        XCTFail("\(name): \(error)")
      }
    }
  }

  private func checkChanges(_ table: Table, _ expected: [JSONValue], _ name: String) throws {
    // The writer's stream keeps the columns of the snapshot it began with.
    let first = try XCTUnwrap(try table.snapshots.earliest())
    let scan = try table.at(first).changes()
    var wanted: [Int64: [String]] = [:]
    for entry in expected {
      guard let id = entry["snapshot"]?.asInt,
        let kind = entry["kind"]?.asString, let row = entry["row"]
      else { continue }
      wanted[id, default: []].append(RowText.row(kind: kind, row, scan.type))
    }
    let latest = try XCTUnwrap(try table.snapshots.latestID())
    for id in first.id...latest {
      let snapshot = try scan.snapshot(id)
      let read = try scan.changes(of: snapshot)
      var found: [String] = []
      while let changes = try read.next() {
        found += RowText.rows(changes.rows, kinds: changes.kinds)
      }
      XCTAssertEqual(found.sorted(), (wanted[id] ?? []).sorted(), "\(name) changes of \(id)")
    }
  }

  func test_open_refusesWhatItWouldMisread() throws {
    for name in [
      "java09/aggregation", "java09/deletion_vectors", "java09/first_row", "java09/partial_update",
      "java09/partial_update_plain", "pypaimon21/aggregation", "pypaimon21/append_row_tracking",
      "pypaimon21/first_row", "pypaimon21/partial_update", "pypaimon21/postpone_bucket",
    ] {
      XCTAssertThrowsError(try PaimonFixture(name).open(), name) { error in
        XCTAssertEqual((error as? TerraceError)?.kind, .unsupported, name)
      }
    }
  }
}
