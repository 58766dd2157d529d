import Foundation
import XCTest

/// Every setting that a job brings along from a Flink cluster, as `terrace plan` tells it.
final class FlinkSettingsPlanTests: XCTestCase {
  private enum Fate {
    /// Has the meaning that it has there, or one of its own here: nothing is said.
    case honoured
    case noEffect(String)
    case refused(String)
  }

  private let settings: [(key: String, value: String, fate: Fate)] = [
    ("execution.checkpointing.interval", "60 s", .honoured),
    ("execution.checkpointing.mode", "EXACTLY_ONCE", .honoured),
    ("execution.checkpointing.min-pause", "5 s", .honoured),
    ("execution.checkpointing.timeout", "10 min", .noEffect("no barriers to wait for")),
    (
      "execution.checkpointing.tolerable-failed-checkpoints", "3",
      .noEffect("done again as restart-strategy says")
    ),
    ("execution.checkpointing.max-concurrent-checkpoints", "1", .noEffect("every commit is one")),
    ("execution.checkpointing.unaligned.enabled", "true", .noEffect("every commit is one")),
    ("execution.checkpointing.incremental", "true", .noEffect("every commit is one")),
    ("execution.checkpointing.dir", "file:///c", .noEffect("every commit is one")),
    (
      "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION",
      .noEffect("every commit is one")
    ),
    ("heartbeat.timeout", "50000", .noEffect("one process and nothing to lose touch with")),
    ("heartbeat.interval", "10000", .noEffect("one process and nothing to lose touch with")),
    // Translated: the budget of the process.
    ("taskmanager.memory.process.size", "512m", .honoured),
    ("taskmanager.memory.flink.size", "400m", .honoured),
    ("taskmanager.memory.managed.size", "128m", .noEffect("memory.limit bounds")),
    ("taskmanager.memory.managed.fraction", "0.4", .noEffect("memory.limit bounds")),
    ("taskmanager.memory.task.heap.size", "128m", .noEffect("memory.limit bounds")),
    ("taskmanager.memory.task.off-heap.size", "1m", .noEffect("memory.limit bounds")),
    ("taskmanager.memory.framework.heap.size", "128m", .noEffect("memory.limit bounds")),
    ("taskmanager.memory.network.fraction", "0.1", .noEffect("memory.limit bounds")),
    ("taskmanager.memory.network.max", "64m", .noEffect("memory.limit bounds")),
    ("taskmanager.memory.jvm-metaspace.size", "64m", .noEffect("memory.limit bounds")),
    ("taskmanager.memory.jvm-overhead.max", "64m", .noEffect("memory.limit bounds")),
    ("taskmanager.numberOfTaskSlots", "15", .noEffect("there are no slots")),
    ("slotmanager.number-of-slots.max", "30", .noEffect("there are no slots")),
    ("jobmanager.memory.process.size", "1g", .noEffect("no job manager")),
    ("pekko.ask.timeout", "10 s", .noEffect("no cluster")),
    ("akka.ask.timeout", "10 s", .noEffect("no cluster")),
    ("parallelism.default", "15", .noEffect("shares its threads")),
    ("pipeline.max-parallelism", "128", .noEffect("one process")),
    ("state.backend.type", "rocksdb", .noEffect("tables of the warehouse")),
    ("state.checkpoints.dir", "file:///c", .noEffect("tables of the warehouse")),
    ("restart-strategy.type", "fixed-delay", .honoured),
    ("restart-strategy.fixed-delay.attempts", "3", .honoured),
    ("restart-strategy.fixed-delay.delay", "10 s", .honoured),
    ("restart-strategy.exponential-delay.jitter-factor", "0.1", .noEffect("without chance")),
    ("table.exec.source.idle-timeout", "30 s", .honoured),
    ("table.exec.mini-batch.enabled", "true", .noEffect("")),
    ("execution.runtime-mode", "batch", .refused("the layers are streams")),
    ("execution.savepoint.path", "/s", .refused("there are no savepoints")),
    ("properties.max.poll.records", "500", .refused("it is an option of a table")),
    ("scan.startup.mode", "earliest-offset", .refused("it is an option of a table")),
  ]

  private func plan(_ config: [String], _ sets: [String]) throws -> CommandRun {
    let scratch = try ScratchFolder()
    try scratch.write("terrace.conf", config.joined(separator: "\n") + "\n")
    let folder = scratch.url.appendingPathComponent("layers/ods")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let spec =
      sets.joined(separator: "\n") + """

        CREATE TEMPORARY TABLE g (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
        CREATE TABLE t (n INT);
        INSERT INTO t SELECT n FROM g;
        """
    try Data(spec.utf8).write(to: folder.appendingPathComponent("t.sql"))
    return try CommandRun.run(["plan"], in: scratch.url)
  }

  private func check(_ run: CommandRun) {
    XCTAssertEqual(run.code, 0, run.errors)
    let lines = run.errors.split(separator: "\n")
    for (key, _, fate) in settings {
      let told = lines.filter { $0.contains(" \(key) ") }
      switch fate {
      case .honoured: XCTAssertEqual(told, [], key)
      case .noEffect(let why):
        XCTAssertEqual(told.count, 1, "\(key): \(run.errors)")
        XCTAssertTrue(told.first?.contains("\(key) has no effect: ") == true, key)
        XCTAssertTrue(why.isEmpty || told.first?.contains(why) == true, "\(key): \(told)")
      case .refused: XCTAssertEqual(told, [], key)
      }
    }
    XCTAssertFalse(run.errors.contains("unknown"), run.errors)
  }

  func test_plan_tellsWhatBecomesOfEachSetting() throws {
    var taken: [(key: String, value: String)] = []
    for (key, value, fate) in settings {
      guard case .refused(let why) = fate else {
        taken.append((key, value))
        continue
      }
      let run = try plan(["\(key): \(value)"], [])
      XCTAssertEqual(run.code, 2, key)
      XCTAssertTrue(run.errors.contains("not supported: \(key)"), run.errors)
      XCTAssertTrue(run.errors.contains(why), run.errors)
    }
    check(try plan(taken.map { "\($0.key): \($0.value)" }, []))
  }
}
