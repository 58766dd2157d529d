import Columns
import Store
import XCTest

@testable import Warehouse

final class FlinkSettingsTests: XCTestCase {
  private func config(_ lines: String...) throws -> ProjectConfig {
    try ProjectConfig(text: lines.joined(separator: "\n"), file: "terrace.conf", variables: [:])
  }

  private func refusal(_ line: String) -> String {
    do {
      _ = try config(line)
      return ""
    } catch { return "\(error)" }
  }

  func test_settingsOfTheIssue_areHonouredTranslatedOrExplained() throws {
    let config = try config(
      "execution.checkpointing.interval: 60 s", "execution.checkpointing.timeout: 10 min",
      "execution.checkpointing.mode: EXACTLY_ONCE", "execution.checkpointing.min-pause: 5 s",
      "execution.checkpointing.tolerable-failed-checkpoints: 3", "heartbeat.timeout: 50000",
      "heartbeat.interval: 10000", "parallelism.default: 15",
      "taskmanager.numberOfTaskSlots: 15", "taskmanager.memory.process.size: 512m",
      "taskmanager.memory.managed.fraction: 0.4", "state.backend: rocksdb",
      "state.backend.incremental: true", "restart-strategy: fixed-delay",
      "restart-strategy.fixed-delay.attempts: 3", "pipeline.name: join",
      "pipeline.max-parallelism: 128", "table.exec.source.idle-timeout: 30 s")
    XCTAssertEqual(try config.memoryLimitBytes, 512 << 20)
    let told = Set(config.warnings.map { String($0.split(separator: " ")[1]) })
    XCTAssertEqual(
      told,
      [
        "execution.checkpointing.timeout", "execution.checkpointing.tolerable-failed-checkpoints",
        "heartbeat.timeout", "heartbeat.interval", "parallelism.default",
        "taskmanager.numberOfTaskSlots", "taskmanager.memory.managed.fraction", "state.backend",
        "state.backend.incremental", "pipeline.name", "pipeline.max-parallelism",
      ])
    XCTAssertTrue(config.warnings.allSatisfy { $0.contains("has no effect: ") })
  }

  func test_memoryLimit_goesBeforeWhatAProcessWouldHave() throws {
    let config = try config("memory.limit: 256 mb", "taskmanager.memory.process.size: 8g")
    XCTAssertEqual(try config.memoryLimitBytes, 256 << 20)
    XCTAssertThrowsError(try self.config("taskmanager.memory.process.size: 8m"))
  }

  func test_whatWouldChangeResults_isRefused() {
    for line in [
      "execution.savepoint.path: /x", "table.sql-dialect: hive",
      "table.exec.legacy-cast-behaviour: enabled", "execution.runtime-mode: batch",
      "properties.max.poll.records: 500", "scan.watermark.alignment.group: a",
    ] { XCTAssertTrue(refusal(line).contains("not supported"), "\(line): \(refusal(line))") }
  }

  func test_wrongValues_areMistakes() {
    for line in [
      "execution.checkpointing.interval: soon", "execution.checkpointing.mode: sometimes",
      "table.exec.source.idle-timeout: x",
    ] { XCTAssertTrue(refusal(line).contains("takes"), "\(line): \(refusal(line))") }
  }

  func test_restartStrategies() throws {
    func pauses(_ settings: [String: String], _ count: Int = 8) throws -> [Int64?] {
      let policy = try RestartPolicy(settings)
      return (0..<count).map { policy.pause(restarts: $0, failures: [Int64($0)]) }
    }
    XCTAssertEqual(
      try pauses([:]), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
    XCTAssertEqual(try pauses(["restart-strategy": "none"], 2), [nil, nil])
    XCTAssertEqual(
      try pauses(
        [
          "restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": "2",
          "restart-strategy.fixed-delay.delay": "3 s",
        ], 3), [3_000, 3_000, nil])
    XCTAssertEqual(
      try pauses(
        [
          "restart-strategy": "exponential-delay",
          "restart-strategy.exponential-delay.initial-backoff": "100 ms",
          "restart-strategy.exponential-delay.max-backoff": "1 s",
          "restart-strategy.exponential-delay.backoff-multiplier": "3",
        ], 4), [100, 300, 900, 1_000])
    let rate = try RestartPolicy([
      "restart-strategy": "failure-rate",
      "restart-strategy.failure-rate.max-failures-per-interval": "2",
      "restart-strategy.failure-rate.failure-rate-interval": "10 s",
    ])
    XCTAssertNotNil(rate.pause(restarts: 5, failures: [0, 9_000, 20_000]))
    XCTAssertNil(rate.pause(restarts: 1, failures: [12_000, 15_000, 20_000]))
    XCTAssertThrowsError(try RestartPolicy(["restart-strategy": "hope"]))
    XCTAssertThrowsError(
      try RestartPolicy([
        "restart-strategy": "fixed-delay", "restart-strategy.fixed-delay.attempts": "many",
      ]))
  }
}
