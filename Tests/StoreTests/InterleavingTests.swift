import Columns
import Foundation
import Store
import Synchronization
import XCTest

/// Everything that removes or names snapshots, with another process doing all of its work between
/// two of its file calls; the first then goes on, or dies. Whatever is left must be whole.
///
/// In CI some of the calls by a fixed seed; with TERRACE_SWEEP=all each of them.
final class InterleavingTests: XCTestCase {
  private static let variables = ProcessInfo.processInfo.environment
  private static let time = ManualTime(startMillis: 1000)
  /// Two days old, with snapshots 1…13, merged manifests, tags at 3, 5 and 9 and a branch.
  private static let disk = Result { () throws -> MemoryFileIO in
    let disk = MemoryFileIO(time: time)
    let table = CommitFixture(disk, time: time)
    try table.create(["manifest.merge-min-count": "3"])
    for step in 0..<7 { try replaceData(table, step) }
    let tags = TagDirectory(table.path, table.environment)
    for id in [3, 5, 9] { try tags.create("at \(id)", snapshotID: Int64(id)) }
    try Branches(table.path, table.environment).create("b", tag: "at 5")
    time.advance(millis: 2 * Orphans.standardAgeMillis)
    return disk
  }

  /// Writes a file and merges it with the one before.
  private static func replaceData(_ table: CommitFixture, _ step: Int) throws {
    let old = try liveFiles(table)
    let new = try table.file("data-\(step)")
    var message = table.message(new: [new], changelog: [try table.file("changelog-\(step)")])
    if !old.isEmpty {
      message = table.message(
        new: [new], before: old + [new], after: [try table.file("data-\(step)-merged", level: 5)])
    }
    _ = try table.commit(user: "user \(step)").commit([message])
  }

  private static func liveFiles(_ table: CommitFixture) throws -> [DataFile] {
    let manifests = try ManifestFiles(
      table.path, try table.schemas.latest(), table.environment)
    while let latest = try table.snapshots.latest() {
      do {
        return try TableState(at: latest, manifests).entries.map(\.file)
      } catch {
        // Expired while it was read.
        if try error.kind != .notFound || table.snapshots.find(latest.id) != nil { throw error }
      }
    }
    return []
  }

  private struct Action {
    let name: String
    let run: @Sendable (CommitFixture) throws -> Void
  }

  private static func expire(_ count: Int) -> Action {
    Action(name: "expire all but \(count)") { table in
      let policy = Expiration.Policy(
        retainMin: count, retainMax: count, olderThanMillis: .max, limit: 1000)
      _ = try Expiration(table.path, table.environment).run(policy)
    }
  }

  private static let actions = [
    expire(1), expire(4), expire(8),
    Action(name: "tag snapshot 7") { table in
      try TagDirectory(table.path, table.environment).create("at 7", snapshotID: 7)
    },
    Action(name: "tag snapshot 3 again") { table in
      try TagDirectory(table.path, table.environment).create("again", snapshotID: 3)
    },
    Action(name: "move a tag to 11") { table in
      try TagDirectory(table.path, table.environment).replace("at 5", snapshotID: 11)
    },
    Action(name: "rename a tag") { table in
      try TagDirectory(table.path, table.environment).rename("at 3", to: "renamed")
    },
    Action(name: "delete a tag") { table in
      try TagDirectory(table.path, table.environment).delete("at 3")
    },
    Action(name: "branch from a tag") { table in
      try Branches(table.path, table.environment).create("c", tag: "at 3")
    },
    Action(name: "remove orphans") { table in
      try Orphans(table.path, table.environment).remove()
    },
    Action(name: "commit and expire") { table in
      try replaceData(table, 8)
      try expire(1).run(table)
    },
    Action(name: "expire and delete a tag") { table in
      try expire(2).run(table)
      try TagDirectory(table.path, table.environment).delete("at 9")
    },
  ]

  /// Runs `body` before the call of a number; from another call on, everything fails.
  private final class Between: FileWatcher {
    private let count = Mutex(0)
    private let turn: Int
    private let death: Int
    private let body: @Sendable () -> Void

    init(_ turn: Int, death: Int, _ body: @escaping @Sendable () -> Void) {
      self.turn = turn
      self.death = death
      self.body = body
    }

    var calls: Int { count.withLock { $0 } }

    func before(_ call: FileCall, _ path: String, bytes: Int) throws(TerraceError) -> Int? {
      let number = count.withLock { count in
        defer { count += 1 }
        return count
      }
      if number == turn { body() }
      if number >= death { throw TerraceError(.unavailable, "the process is dead") }
      return nil
    }

    func after(_ call: FileCall, _ path: String, bytes: Int) throws(TerraceError) {}
  }

  /// What another process may make of one's request.
  private func isFair(_ error: any Error) -> Bool {
    guard let error = error as? TerraceError else { return false }
    let isFile = error.facts.contains { $0.name == "call" }
    return error.kind == .notFound && !isFile
      || error.kind == .conflict
  }

  private func check(_ first: Action, _ second: Action, turn: Int, life: Int?) throws -> Bool {
    let disk = try InterleavingTests.disk.get().copy()
    let time = InterleavingTests.time
    let what = "\(first.name), before call \(turn) \(second.name), life \(life ?? -1)"
    let failure = Mutex<(any Error)?>(nil)
    let other = CommitFixture(disk, time: time)
    let between = Between(turn, death: life.map { turn + $0 } ?? .max) {
      do { try second.run(other) } catch { failure.withLock { $0 = error } }
    }
    let table = CommitFixture(
      CommitFixture(disk, time: time), through: WatchedFileIO(disk, between))
    do {
      try first.run(table)
    } catch {
      XCTAssertTrue(isFair(error) || life != nil, "\(what): \(error)")
    }
    if let error = failure.withLock({ $0 }) { XCTAssertTrue(isFair(error), "\(what): \(error)") }
    let after = CommitFixture(
      CommitFixture(disk, time: time), through: disk, names: 9)
    do {
      try after.verify(what)
      for name in try Branches(after.path, after.environment).list() {
        let branch = TablePath(after.path.root, branch: name)
        for tag in try TagDirectory(branch, after.environment).list() {
          try after.verify(tag, what)
        }
      }
    } catch {
      XCTFail("\(what): \(error)")
    }
    return between.calls > turn
  }

  func test_maintenance_leavesAllWholeWhateverAnotherProcessDoesMeanwhile() throws {
    let sweeps = InterleavingTests.variables["TERRACE_SWEEP"] == "all"
    let isFixed = InterleavingTests.variables["CI"] != nil
    let seed = isFixed ? 20_261_121 : UInt64.random(in: 0..<1_000_000_000)
    print("interleavings: seed \(seed)")
    var random = SplitMix(seed: seed)
    for first in InterleavingTests.actions {
      for second in InterleavingTests.actions {
        var turn = 0
        while true {
          let life = [nil, nil, 0, 1, 3, 9][Int(random.next() % 6)]
          guard try check(first, second, turn: turn, life: life) else { break }
          turn += sweeps ? 1 : 1 + Int(random.next() % 144)
        }
        XCTAssertGreaterThan(turn, 0)
      }
    }
  }
}
