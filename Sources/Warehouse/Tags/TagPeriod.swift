import Columns
package import Dataflow

/// A span of time that a tag stands for: from one boundary of the wall clock to the next.
///
/// Jobs hand these on as barriers: the end instant and the length, never a formatted name.
package struct TagPeriod: Hashable, Sendable, Comparable {
  /// Milliseconds since 1970 UTC.
  package var startMillis: Int64
  /// The first instant that is no longer in it.
  package var endMillis: Int64
  /// Of the wall clock; the instants are further apart or closer where the clock is put back or on.
  package var lengthMillis: Int64

  package init(startMillis: Int64, endMillis: Int64, lengthMillis: Int64) {
    self.startMillis = startMillis
    self.endMillis = endMillis
    self.lengthMillis = lengthMillis
  }

  /// By when they end; of two that end together the shorter is first.
  package static func < (a: TagPeriod, b: TagPeriod) -> Bool {
    (a.endMillis, a.lengthMillis) < (b.endMillis, b.lengthMillis)
  }
}

/// Periods of one length in one time zone, end to end: every instant is in exactly one.
///
/// Boundaries are the readings of the wall clock that the length divides, counted from midnight of
/// 1970-01-01, as Paimon counts them. A period begins at the first instant whose reading is its first or a
/// later one. So a reading that comes twice begins its period the first time, and a period that the clock
/// leaves out has no instant and does not exist.
package struct TagCalendar: Hashable, Sendable {
  package let zone: SessionZone
  package let lengthMillis: Int64

  /// Years 0001 to 9999: what has a name that sorts.
  private static let localRange: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999
  static let lengthRange: ClosedRange<Int64> = 1000...(3660 * 86_400_000)

  package init(zone: SessionZone, lengthMillis: Int64) {
    self.zone = zone
    self.lengthMillis = lengthMillis
  }

  /// The wall clock's reading at an instant, as milliseconds since 1970 without a zone.
  func local(_ instant: Int64) -> Int64 { instant + zone.offsetMillis(atInstant: instant) }

  /// The period that an instant is in; nil outside of the years 1 to 9999.
  package func period(of instant: Int64) -> TagPeriod? {
    // A day of margin, so that no offset leads out of the range.
    let range = TagCalendar.localRange
    guard instant > range.lowerBound + 86_400_000, instant < range.upperBound - 86_400_000 else {
      return nil
    }
    var start = floorDivide(local(instant), lengthMillis) * lengthMillis
    // Where the clock was put back, the reading may be one of a period that is over.
    while self.instant(ofLocal: start) > instant { start -= lengthMillis }
    while self.instant(ofLocal: start + lengthMillis) <= instant { start += lengthMillis }
    return period(fromLocal: start)
  }

  /// The period whose first reading this is; nil when the clock leaves it out.
  func period(fromLocal start: Int64) -> TagPeriod? {
    guard TagCalendar.localRange.contains(start), start % lengthMillis == 0 else { return nil }
    let period = TagPeriod(
      startMillis: instant(ofLocal: start), endMillis: instant(ofLocal: start + lengthMillis),
      lengthMillis: lengthMillis)
    return period.startMillis < period.endMillis ? period : nil
  }

  /// The boundary at which a period of this calendar begins. The clock may jump over it.
  func firstReading(of period: TagPeriod) -> Int64 {
    floorDivide(local(period.startMillis), lengthMillis) * lengthMillis
  }

  /// The period that ends at an instant; nil when none does.
  package func period(endingAt end: Int64) -> TagPeriod? {
    guard let period = period(of: end - 1), period.endMillis == end else { return nil }
    return period
  }

  package func isBoundary(_ instant: Int64) -> Bool { period(of: instant)?.startMillis == instant }

  /// The period after another of this calendar.
  package func next(after period: TagPeriod) -> TagPeriod? { self.period(of: period.endMillis) }

  package func previous(before period: TagPeriod) -> TagPeriod? {
    self.period(of: period.startMillis - 1)
  }

  /// The first instant at which the wall clock shows this reading or a later one.
  func instant(ofLocal reading: Int64) -> Int64 {
    let guess = reading - zone.offsetMillis(atLocal: reading)
    if local(guess) == reading { return guess }
    // The clock jumps over the reading. The jump lies within what an offset can change by.
    var (early, late) = (reading - 86_400_000, reading + 86_400_000)
    while early + 1 < late {
      let middle = early + (late - early) / 2
      if local(middle) >= reading { late = middle } else { early = middle }
    }
    return late
  }
}
