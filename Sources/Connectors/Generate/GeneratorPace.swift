import Columns
import Store

/// Which rows of a generator there are by now: so many a second, up to its end.
struct GeneratorPace {
  /// Rows a second.
  let rate: Int64
  /// Rows in all; nil: no end.
  let total: Int64?
  /// Number of the next row.
  private(set) var next: Int64 = 0
  private let time: any Timekeeper
  /// Since when the rate counts, and from which row on.
  private var start: (millis: Int64, row: Int64)
  private var isStopped: Bool

  /// - Parameter isPaced: false when rows come as fast as they are taken.
  init(rate: Int64, total: Int64?, isPaced: Bool = true, _ time: any Timekeeper) {
    isStopped = !isPaced
    self.rate = rate
    self.total = total
    self.time = time
    start = (time.nowMillis(), 0)
  }

  /// Numbers of the next rows, `most` at most; nil when there are none yet, or no more.
  mutating func take(_ most: Int) -> Range<Int64>? {
    var count = Int64(max(most, 1))
    if let left { count = min(count, left) }
    if !isStopped {
      let seconds = Double(max(time.nowMillis() - start.millis, 0)) / 1000
      // A tenth of a second's rows may come at once, as a limiter lets them.
      let allowed = min(Double(rate) * (seconds + 0.1), 9e18)
      count = min(count, start.row + max(Int64(allowed), 1) - next)
    }
    if count <= 0 { return nil }
    defer { next += count }
    return next..<next + count
  }

  /// Milliseconds from the first row to this one.
  func millis(_ row: Int64) -> Int64 {
    row / rate &* 1000 &+ row % rate &* 1000 / rate
  }

  var left: Int64? { total.map { $0 - next } }
  var isDone: Bool { left.map { $0 <= 0 } ?? false }

  mutating func seek(_ row: Int64) {
    next = row
    start = (time.nowMillis(), row)
  }

  /// From here on all rows come at once.
  ///
  /// - Throws: `invalid` for a generator without an end.
  mutating func stop(endOption: String) throws(TerraceError) {
    if total == nil {
      throw TerraceError(
        .invalid, "a generator without an end", hint: "set '\(endOption)', or let it run")
    }
    isStopped = true
  }
}
