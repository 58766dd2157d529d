import Columns
import Store

/// What becomes of a job that failed for a reason that may pass: Flink's `restart-strategy`.
///
/// Without one a job is tried again without end, after a second, then two, up to every minute. A failure that
/// trying again cannot mend ends the job whatever the strategy.
package struct RestartPolicy: Hashable, Sendable {
  /// In milliseconds.
  var firstPause: Int64 = 1_000
  var greatestPause: Int64 = 60_000
  var multiplier = 2.0
  /// Failures in a row that are tried again; nil: all.
  var attempts: Int?
  /// Failures within so many milliseconds that are tried again.
  var rate: (count: Int, millis: Int64)? {
    get { rateCount.map { ($0, rateMillis) } }
    set { (rateCount, rateMillis) = (newValue?.count, newValue?.millis ?? 0) }
  }
  private var rateCount: Int?
  private var rateMillis: Int64 = 0

  package init() {}

  /// Of settings that were looked at when the run began.
  init(checked settings: [String: String]) {
    do throws(TerraceError) { try self.init(settings) } catch { self.init() }
  }

  /// - Throws: `invalid` for values that make no sense, with the key.
  init(_ settings: [String: String]) throws(TerraceError) {
    self.init()
    let name = settings["restart-strategy.type"] ?? settings["restart-strategy"]
    guard let name else { return }
    let word = name.lowercased().replacing("-", with: "").replacing("_", with: "")
    func millis(_ key: String, _ standard: Int64) throws(TerraceError) -> Int64 {
      guard let text = settings["restart-strategy." + key] else { return standard }
      guard let value = OptionValue.durationMillis(text), value >= 0 else {
        throw Self.wrong("restart-strategy." + key, "a duration such as 10 s", text)
      }
      return value
    }
    func count(_ key: String, _ standard: Int) throws(TerraceError) -> Int {
      guard let text = settings["restart-strategy." + key] else { return standard }
      guard let value = Int(text.trimmed), value >= 0 else {
        throw Self.wrong("restart-strategy." + key, "a whole number", text)
      }
      return value
    }
    switch word {
    case "none", "off", "disable": attempts = 0
    case "fixeddelay":
      firstPause = try millis("fixed-delay.delay", 1_000)
      greatestPause = firstPause
      attempts = try count("fixed-delay.attempts", 1)
    case "exponentialdelay":
      firstPause = try millis("exponential-delay.initial-backoff", 1_000)
      greatestPause = max(firstPause, try millis("exponential-delay.max-backoff", 60_000))
      if settings["restart-strategy.exponential-delay.attempts-before-reset-backoff"] != nil {
        attempts = try count("exponential-delay.attempts-before-reset-backoff", .max)
      }
      let text = settings["restart-strategy.exponential-delay.backoff-multiplier"] ?? "1.5"
      guard let value = Double(text), value >= 1, value <= 1000 else {
        throw Self.wrong(
          "restart-strategy.exponential-delay.backoff-multiplier", "a number from 1 on", text)
      }
      multiplier = value
    case "failurerate":
      firstPause = try millis("failure-rate.delay", 1_000)
      greatestPause = firstPause
      rate = (
        try count("failure-rate.max-failures-per-interval", 1),
        try millis("failure-rate.failure-rate-interval", 60_000)
      )
    default:
      throw Self.wrong(
        "restart-strategy.type", "none, fixed-delay, exponential-delay, failure-rate", name)
    }
  }

  private static func wrong(_ key: String, _ wanted: String, _ value: String) -> TerraceError {
    TerraceError(.invalid, "'\(key)' takes \(wanted)").with("value", value)
  }

  /// How long to wait before the next try, in milliseconds; nil: the job has failed.
  ///
  /// - Parameters:
  ///   - restarts: failures in a row before this one.
  ///   - failures: instants of the latest failures, this one the last.
  func pause(restarts: Int, failures: [Int64]) -> Int64? {
    if let attempts, restarts >= attempts { return nil }
    if let rate, let now = failures.last,
      failures.count(where: { now - $0 < rate.millis }) > rate.count
    {
      return nil
    }
    var pause = Double(firstPause)
    for _ in 0..<min(restarts, 64) where pause < Double(greatestPause) { pause *= multiplier }
    return min(greatestPause, Int64(pause))
  }
}
