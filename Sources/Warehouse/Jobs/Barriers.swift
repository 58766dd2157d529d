import Columns
import Dataflow
import Store

/// When a job tags its target, and as what.
///
/// By the clock, by the watermark of its sources, or as its source tables are tagged: then all of them must
/// stand at the same barrier.
final class Barriers {
  enum Kind { case none, clock, watermark, aligned }

  private let own: TagSchedule
  private let timeoutMillis: Int64?
  private(set) var kind = Kind.none
  /// Of the target; nil when it is not tagged by itself.
  private(set) var schedule: TagSchedule?
  /// End instant of the last period that has passed.
  var last: Int64?
  private var waitingSince: Int64?
  /// What is waited for.
  private(set) var waiting: String?

  /// - Throws: `invalid` for options that make no sense.
  init(_ table: Table, zone: SessionZone) throws(TerraceError) {
    own = try TagSchedule(table.schema, session: zone)
    timeoutMillis = try table.schema.options.millis("tag.alignment-timeout")
  }

  /// Looks which of the source tables are tagged. They may turn out to be only when they have a root.
  func settle(_ feeds: [Feed]) throws(TerraceError) {
    let tagged = feeds.compactMap { ($0 as? TableFeed)?.tags.schedule }.filter(\.isAutomatic)
    if tagged.isEmpty {
      schedule = own.isAutomatic ? own : nil
      kind = own.mode == .processTime ? .clock : own.mode == .watermark ? .watermark : .none
      return
    }
    kind = .aligned
    if let common = try TagSchedule.common(tagged + (own.isAutomatic ? [own] : [])) {
      schedule = own.inheriting(common)
    }
  }

  /// The instant at which the next tag is due by clock or watermark.
  var nextDue: Int64? {
    guard let schedule, let last, let period = schedule.next(after: last) else { return nil }
    return schedule.dueMillis(period)
  }

  /// The end of the period that is tagged next.
  var nextEnd: Int64? {
    guard let schedule, let last else { return nil }
    return schedule.next(after: last)?.endMillis
  }

  /// A table without a barrier begins with the period of its first data, or of the clock.
  func begin(at instant: Int64) {
    if last == nil, let period = schedule?.period(of: instant) { last = period.startMillis }
  }

  struct Passing {
    var periods: [TagPeriod]
    var end: Int64
    var partial: [String] = []
  }

  /// The barrier that all sources have reached; nil when there is none.
  ///
  /// - Parameters:
  ///   - standing: by feed, where it stands; nil for feeds that are not waited for.
  ///   - now: of the clock.
  func passing(_ standing: [(feed: Feed, end: Int64?)], now: Int64) -> Passing? {
    guard let schedule else { return nil }
    if kind == .clock { return passingClock(standing, schedule, now) }
    waiting = nil
    let there = standing.compactMap(\.end)
    guard let end = there.min(), end < .max else {
      waitingSince = nil
      return nil
    }
    let missing = standing.filter { $0.end == nil }.map(\.feed.name)
    guard isWaitedFor(missing, end, now) else { return nil }
    waitingSince = nil
    waiting = nil
    let inexact = standing.filter(\.feed.passedInexactly).map(\.feed.name)
    let partial = Array(Set(missing + inexact)).sorted()
    return Passing(
      periods: periods(upTo: end, standing, schedule, isPartial: !partial.isEmpty), end: end,
      partial: partial)
  }

  /// Whether nothing is missing, or the time to wait for it is over.
  private func isWaitedFor(_ missing: [String], _ end: Int64, _ now: Int64) -> Bool {
    if missing.isEmpty { return true }
    let since = waitingSince ?? now
    waitingSince = since
    let names = missing.joined(separator: ", ")
    waiting = "tag at \(InstantText.text(millis: end)), which \(names) has not reached,"
    guard let timeoutMillis, now - since >= timeoutMillis else { return false }
    return true
  }

  /// Sources that know when records were committed are cut at the very end of each period, one period after
  /// the other, however late that is; others give a period what was taken until then.
  private func passingClock(
    _ standing: [(feed: Feed, end: Int64?)], _ schedule: TagSchedule, _ now: Int64
  ) -> Passing? {
    begin(at: now)
    let due = schedule.due(after: last ?? now, at: now)
    waiting = nil
    guard !standing.isEmpty else {
      return due.last.map { Passing(periods: due, end: $0.endMillis) }
    }
    guard let period = due.first else {
      waitingSince = nil
      return nil
    }
    let missing = standing.filter { $0.end == nil }.map(\.feed.name)
    guard isWaitedFor(missing, period.endMillis, now) else { return nil }
    waitingSince = nil
    waiting = nil
    return Passing(periods: [period], end: period.endMillis, partial: Array(Set(missing)).sorted())
  }

  /// Periods that one step of a watermark may pass and have their tags.
  private static let mostAtOnce = 1_000

  private func periods(
    upTo end: Int64, _ standing: [(feed: Feed, end: Int64?)], _ schedule: TagSchedule,
    isPartial: Bool
  ) -> [TagPeriod] {
    if kind == .watermark {
      // One row of a time far ahead would make a tag of each day until then, and there is not a row in them.
      let due = schedule.due(
        after: last ?? end - 1, at: end + schedule.delayMillis, limit: Self.mostAtOnce + 1)
      return due.count > Self.mostAtOnce ? due.suffix(1) : due
    }
    // A source that began later than this has no such day, and so has the target.
    return schedule.due(after: last ?? end - 1, at: end).filter { period in
      isPartial
        || standing.allSatisfy { feed, end in
          end == .max || ((feed as? TableFeed)?.tags.has(period.endMillis) ?? true)
        }
    }
  }
}
