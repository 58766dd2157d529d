import Columns
import Formats
import Foundation
import XCTest

@testable import Store

/// Random writes, deletions, commits, compactions, tags, expirations and reopenings against a
/// dictionary. More seeds: `TERRACE_SEEDS=5000`.
final class TableModelTests: XCTestCase {
  func test_table_equalsADictionaryThroughRandomOperations() throws {
    let count = ProcessInfo.processInfo.environment["TERRACE_SEEDS"].flatMap { Int($0) } ?? 500
    for seed in 1...UInt64(count) {
      do {
        var model = try TableModel(seed: seed)
        try model.run(steps: 9)
      } catch {
        XCTFail("seed \(seed): \(error)")
        if testRun?.totalFailureCount ?? 0 > 3 { return }
      }
    }
  }
}

struct ModelFailure: Error, CustomStringConvertible {
  let description: String
}

/// One table and what should be in it.
struct TableModel {
  private var random: SplitMix
  private let files = MemoryFileIO()
  private let test: TestTable
  private let log: String
  private var table: Table
  private var writer: TableWriter
  private let hasKey: Bool
  private let ordered: Bool
  private let partitioned: Bool
  private let producer: String
  private var nextIdentifier: Int64 = 0

  /// Rows that were written, and those that a commit made visible. By key, or all for append tables.
  private var written: [[Scalar]: [Scalar]] = [:]
  private var appended: [[Scalar]] = []
  /// What a reader of the changelog has.
  private var followed: [[Scalar]: [Scalar]] = [:]
  private var followedID: Int64 = 0
  private var visible: [[Scalar]] = []
  private var tags: [String: [[Scalar]]] = [:]

  init(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    hasKey = Int.random(in: 0..<8, using: &random) > 0
    partitioned = Bool.random(using: &random)
    ordered = hasKey && Int.random(in: 0..<4, using: &random) == 0
    producer = hasKey ? ["none", "none", "input", "lookup"].randomElement(using: &random)! : "none"
    var options = [
      "bucket": hasKey ? "\(Int.random(in: 1...3, using: &random))" : "-1",
      "num-sorted-run.compaction-trigger": "\(Int.random(in: 2...5, using: &random))",
      "target-file-size": ["1 kb", "4 kb", "128 mb"].randomElement(using: &random)!,
      "file.compression": ["none", "zstd", "snappy"].randomElement(using: &random)!,
    ]
    if producer != "none" { options["changelog-producer"] = producer }
    if ordered { options["sequence.field"] = "s" }
    if seed % 3 == 0 { options[Table.lookupOption] = "64 b" }
    // Without compactions nobody writes the changelog of `lookup`.
    if producer != "lookup" && Int.random(in: 0..<6, using: &random) == 0 {
      options["write-only"] = "true"
    }
    let text = Bool.random(using: &random)
    let keyType = text ? DataType.string : DataType.int
    let threads = Int.random(in: 0..<4, using: &random) == 0 ? 2 : 0
    let environment = Environment(
      files: files, workers: Workers(count: threads), names: SeededNames(seed: seed))
    test = try TestTable(
      environment,
      [("p", DataType.string.notNull), ("k", keyType.notNull), ("v", .string), ("s", .bigint)],
      primaryKeys: hasKey ? (partitioned ? ["p", "k"] : ["k"]) : [],
      partitionKeys: partitioned ? ["p"] : [], options: options)
    log = "\(options)"
    table = try test.open()
    writer = try table.writer(user: "model")
    self.random = random
  }

  mutating func run(steps: Int) throws {
    do {
      for _ in 0..<steps { try step() }
      try commit(wait: true)
      try checkEverything()
    } catch {
      throw ModelFailure(description: "\(error) with \(log)")
    }
    writer.close()
  }

  private mutating func step() throws {
    switch Int.random(in: 0..<16, using: &random) {
    case 0..<6: try write()
    case 6: writer.flush()
    case 7..<10: try commit(wait: false)
    case 10: try commit(wait: true)
    case 11:
      try writer.compact(full: Bool.random(using: &random))
      try commit(wait: false)
    case 12: try reopen()
    case 13: try tag()
    case 14: try expire()
    default: try foreignCompaction()
    }
  }

  // MARK: - Operations

  private func key(_ row: [Scalar]) -> [Scalar] {
    partitioned && hasKey ? [row[0], row[1]] : hasKey ? [row[1]] : row
  }

  private mutating func write() throws {
    var rows: [[Scalar]] = []
    var kinds: [RowKind] = []
    for _ in 0..<Int.random(in: 1...40, using: &random) {
      let number = Int64.random(in: 0..<40, using: &random)
      let isText: Bool
      if case .varchar = test.type.fields[1].type.kind { isText = true } else { isText = false }
      let row: [Scalar] = [
        .text("p\(Int.random(in: 0..<2, using: &random))"),
        isText ? .text("a key with a long beginning \(number)") : .int(number),
        Bool.random(using: &random) ? .null : .text("v\(Int.random(in: 0..<99, using: &random))"),
        Bool.random(using: &random) ? .null : .int(Int64.random(in: 0..<9, using: &random)),
      ]
      rows.append(row)
      // What a deletion leaves behind decides against late rows only until it is compacted away.
      let deletes = hasKey && !ordered && producer != "input"
      kinds.append(deletes && Int.random(in: 0..<4, using: &random) == 0 ? .delete : .insert)
    }
    for (row, kind) in zip(rows, kinds) { note(row, kind) }
    try writer.write(test.batch(rows), kinds: hasKey ? TestTable.kinds(kinds) : nil)
  }

  private mutating func note(_ row: [Scalar], _ kind: RowKind) {
    if !hasKey {
      appended.append(row)
    } else if kind == .delete {
      written[key(row)] = nil
    } else if ordered, let old = written[key(row)], Scalar.compare(row[3], old[3]) < 0 {
      // A late row.
    } else {
      written[key(row)] = row
    }
  }

  private mutating func commit(wait: Bool) throws {
    var outcome = try writer.commit(identifier: nextIdentifier, waitCompaction: wait)
    nextIdentifier += 1
    // Another process compacted the same files; the next commit compacts anew.
    for _ in 0..<3 where outcome.droppedCompaction != nil {
      outcome = try writer.commit(identifier: nextIdentifier, waitCompaction: wait)
      nextIdentifier += 1
    }
    visible = hasKey ? Array(written.values) : appended
    try check()
    try follow()
  }

  /// Rows that were not committed are lost with their writer.
  private mutating func reopen() throws {
    try commit(wait: false)
    writer.close()
    table = try test.open()
    writer = try table.writer(user: "model")
  }

  private mutating func tag() throws {
    guard try table.snapshots.latest() != nil else { return }
    let name = "t\(tags.count)"
    try TagDirectory(table.path, table.environment).create(name)
    tags[name] = visible
  }

  private mutating func expire() throws {
    // Only what the follower has read: it stands for a consumer.
    guard followedID == (try table.snapshots.latestID() ?? 0) else { return }
    _ = try Expiration(table.path, table.environment).run(
      Expiration.Policy(retainMin: 1, retainMax: 2, olderThanMillis: .max))
    try check()
  }

  /// Another process compacts what is committed; our writer finds out at its next commit.
  private mutating func foreignCompaction() throws {
    guard try table.snapshots.latest() != nil else { return }
    do {
      try test.open().compact(full: Bool.random(using: &random))
    } catch let error as TerraceError where error.kind == .conflict {
      return
    }
    try check()
  }

  // MARK: - Checks

  private func sorted(_ rows: [[Scalar]]) -> [String] { rows.map { "\($0)" }.sorted() }

  private mutating func check() throws {
    let latest = try table.snapshots.latest()
    let found = try TestTable.read(
      table, latest, threads: Int.random(in: 0...2, using: &random))
    try equal(found, visible, "rows")
    let number = Scalar.int(Int64.random(in: 0..<9, using: &random))
    let predicate = Columns.Predicate.and([
      .compare(column: 3, .greaterOrEqual, number), .isNotNull(column: 2),
    ])
    try equal(
      try TestTable.read(table, latest, columns: [1, 3], predicate: predicate),
      visible.filter { !$0[2].isNull && !$0[3].isNull && Scalar.compare($0[3], number) >= 0 }
        .map { [$0[1], $0[3]] }, "rows where s >= \(number)")
    if let some = visible.randomElement(using: &random) {
      try equal(
        try TestTable.read(table, latest, predicate: .compare(column: 1, .equal, some[1])),
        visible.filter { $0[1] == some[1] }, "rows where k = \(some[1])")
    }
    if hasKey { try checkLookup(latest) }
  }

  private mutating func checkLookup(_ latest: Snapshot?) throws {
    var keys = visible.map(key).filter { _ in Bool.random(using: &random) }
    let isText =
      keys.first.map { if case .bytes = $0[$0.count - 1] { true } else { false } } ?? false
    for number in 0..<3 {
      let last: Scalar = isText ? .text("missing \(number)") : .int(Int64(1000 + number))
      keys.append(partitioned ? [.text("p0"), last] : [last])
    }
    if keys.count == 3 { return }
    keys.shuffle(using: &random)
    keys.append(keys[0])
    let fields = test.open(keysOf: table)
    let builders = fields.map { ColumnBuilder($0.type) }
    for key in keys { for (builder, value) in zip(builders, key) { builder.append(value) } }
    let batch = Batch(RowType(fields), builders.map { $0.finish() }, count: keys.count)
    let found = try table.lookup(at: latest).lookup(batch)
    let rows = TestTable.rows(found.rows)
    for (i, key) in keys.enumerated() {
      let match = Int(found.matches.pointer(Int32.self)[i])
      let wanted = visible.first { self.key($0) == key }
      if (match < 0 ? nil : rows[match]) != wanted {
        throw ModelFailure(
          description: "lookup of \(key) found row \(match), wanted \(wanted ?? [])")
      }
    }
  }

  /// The changelog, played back, gives the table.
  private mutating func follow() throws {
    guard hasKey, producer != "none", let latest = try table.snapshots.latestID() else { return }
    let scan = table.changes()
    while followedID < latest {
      followedID += 1
      let read = try scan.changes(of: try scan.snapshot(followedID))
      while let changes = try read.next() { try play(changes) }
    }
    // Compactions may be behind; with lookup-wait they are not.
    try equal(Array(followed.values), visible, "changelog")
  }

  private mutating func play(_ changes: Changes) throws {
    for (i, row) in TestTable.rows(changes.rows).enumerated() {
      let kind = RowKind(rawValue: changes.kinds.pointer(UInt8.self)[i])
      let old = followed[key(row)]
      if producer == "lookup" {
        let expectsOld = kind == .updateBefore || kind == .delete
        if expectsOld && old != row {
          throw ModelFailure(description: "\(kind?.text ?? "?") \(row) against \(old ?? [])")
        }
        if kind == .insert && old != nil {
          throw ModelFailure(description: "+I \(row) against \(old ?? [])")
        }
      }
      switch kind {
      case .insert, .updateAfter:
        // The input changelog holds late rows, too.
        if producer == "input", ordered, let old, Scalar.compare(row[3], old[3]) < 0 { continue }
        followed[key(row)] = row
      default: followed[key(row)] = nil
      }
    }
  }

  private mutating func checkEverything() throws {
    for (name, rows) in tags.sorted(by: { $0.key < $1.key }) {
      let tag = try TagDirectory(table.path, table.environment).tag(name)
      try equal(try TestTable.read(table, tag.snapshot), rows, "tag \(name)")
    }
  }

  private func equal(_ found: [[Scalar]], _ wanted: [[Scalar]], _ what: String) throws {
    let left = sorted(found)
    let right = sorted(wanted)
    if left == right { return }
    let extra = Set(left).subtracting(right).prefix(3)
    let missing = Set(right).subtracting(left).prefix(3)
    throw ModelFailure(
      description: "\(what): \(left.count) rows, wanted \(right.count); extra \(Array(extra)), "
        + "missing \(Array(missing))")
  }
}

extension TestTable {
  func open(keysOf table: Table) -> [Field] {
    table.schema.type(of: table.schema.primaryKeys).fields
  }
}
