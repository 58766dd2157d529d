/// How far event time has come in the parts of a source, which have an order of their own each.
///
/// The source is as far as the part that is least far, as in Flink. A part without a record for the idle
/// timeout is not waited for until it has one again.
struct PartWatermarks {
  private var marks: [Int64] = []
  /// When each gave its last record, or was found.
  private var seen: [Int64] = []
  private let idleMillis: Int64?

  init(idleMillis: Int64?) { self.idleMillis = idleMillis }

  mutating func grow(to count: Int, now: Int64) {
    while marks.count < count {
      marks.append(.min)
      seen.append(now)
    }
  }

  subscript(part: Int) -> Int64 { marks[part] }

  mutating func set(_ part: Int, _ mark: Int64, now: Int64) {
    marks[part] = max(marks[part], mark)
    seen[part] = now
  }

  private func isIdle(_ part: Int, _ now: Int64) -> Bool {
    guard let idleMillis else { return false }
    return now - seen[part] >= idleMillis
  }

  /// The least of the other parts that are waited for; nil when there is none.
  func others(than part: Int, now: Int64) -> Int64? {
    var least: Int64?
    for other in marks.indices where other != part && !isIdle(other, now) {
      least = min(least ?? .max, marks[other])
    }
    return least
  }

  /// Nil when all parts are idle.
  func combined(now: Int64) -> Int64? { others(than: -1, now: now) }
}
