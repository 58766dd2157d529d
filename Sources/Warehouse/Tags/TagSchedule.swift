package import Columns
package import Dataflow
package import Store

/// When a table is tagged by itself, and what the tags are called: its options `tag.*`.
///
/// Names, defaults and meanings are Paimon's, but for `tag.automatic-completion`, which is on here: a period
/// that ended while nobody was looking gets its tag. Lengths below a minute, which Paimon's names cannot tell
/// apart, have names with seconds.
package struct TagSchedule: Hashable, Sendable {
  package enum Mode: String, CaseIterable, Sendable {
    case none, batch, watermark
    case processTime = "process-time"
  }

  package enum Period: String, CaseIterable, Sendable {
    case daily, hourly
    case twoHours = "two-hours"

    var millis: Int64 {
      switch self {
      case .daily: 86_400_000
      case .hourly: 3_600_000
      case .twoHours: 7_200_000
      }
    }
  }

  package let mode: Mode
  package let calendar: TagCalendar
  package let names: TagNames
  /// How long after a period's end late rows are waited for. Less than the period.
  package let delayMillis: Int64
  /// How many tags of this schedule are kept; nil for all.
  package let retainedMax: Int?
  /// How long a new tag is kept; nil for ever.
  package let timeRetainedMillis: Int64?
  /// Whether every period that ended meanwhile gets its tag, or only the last.
  package let completes: Bool
  /// The column under which tags are partitions (`metastore.tag-to-partition`); nil for none.
  package let partitionColumn: String?
  /// Whether the period that is not over yet is shown as a partition too, and by which time.
  package let preview: Mode
  private let hasOwnStyle: Bool

  package var lengthMillis: Int64 { calendar.lengthMillis }
  package var zone: SessionZone { calendar.zone }
  /// Whether tags come by themselves while the table is written by a stream.
  package var isAutomatic: Bool { mode == .processTime || mode == .watermark }

  /// Reads a table's options.
  ///
  /// - Parameter session: the zone of process time, unless the table names one.
  /// - Throws: `invalid` with the fact `option`, also for a real column that is called as the partition column.
  package init(_ schema: TableSchema, session: SessionZone) throws(TerraceError) {
    let options = schema.options
    let mode: Mode = try options.word("tag.automatic-creation", .none)
    let preview: Mode = try options.word("metastore.tag-to-partition.preview", .none)
    self.mode = mode
    self.preview = preview
    // A preview has its own clock; both are the same unless somebody mixes them.
    let clock = mode == .none || mode == .batch ? preview : mode
    let zone = try TagSchedule.zone(options, clock, session)
    let length = try TagSchedule.length(options)
    calendar = TagCalendar(zone: zone, lengthMillis: length.millis)
    names = TagNames(
      try options.word("tag.period-formatter", .withDashes), lengthMillis: length.millis,
      isDuration: length.isDuration)
    let delay = try options.millis("tag.creation-delay") ?? 0
    if delay < 0 || delay >= length.millis {
      throw TerraceError(.invalid, "the delay of tags must be shorter than their period")
        .with("option", "tag.creation-delay").with("value", delay).with("period", length.millis)
    }
    delayMillis = delay
    hasOwnStyle = options["tag.period-formatter"] != nil
    retainedMax = try options.int("tag.num-retained-max")
    if let most = retainedMax, most < 1 {
      throw TerraceError(.invalid, "at least one tag must be retained")
        .with("option", "tag.num-retained-max").with("value", most)
    }
    timeRetainedMillis = try options.tagDefaultTimeRetainedMillis
    completes = try options.flag("tag.automatic-completion", true)
    partitionColumn = try TagSchedule.partitionColumn(schema)
  }

  private static func length(
    _ options: TableOptions
  ) throws(TerraceError) -> (millis: Int64, isDuration: Bool) {
    let period: Period = try options.word("tag.creation-period", .daily)
    guard let millis = try options.millis("tag.creation-period-duration") else {
      return (period.millis, false)
    }
    guard TagCalendar.lengthRange.contains(millis), millis % 1000 == 0 else {
      throw TerraceError(.invalid, "a tag's period is whole seconds, at most ten years")
        .with("option", "tag.creation-period-duration").with("value", millis)
    }
    return (millis, true)
  }

  private static func zone(
    _ options: TableOptions, _ clock: Mode, _ session: SessionZone
  ) throws(TerraceError) -> SessionZone {
    let isWatermark = clock == .watermark
    let option = isWatermark ? "sink.watermark-time-zone" : "sink.process-time-zone"
    guard let name = options[option] else { return isWatermark ? .utc : session }
    guard let zone = SessionZone(name) else {
      throw TerraceError(.invalid, "there is no such time zone").with("option", option)
        .with("value", shown(name))
    }
    return zone
  }

  private static func partitionColumn(_ schema: TableSchema) throws(TerraceError) -> String? {
    let option = "metastore.tag-to-partition"
    guard let column = schema.options[option] else { return nil }
    guard !column.isEmpty else {
      throw TerraceError(.invalid, "the partition column has no name").with("option", option)
    }
    if schema.fields.contains(where: { $0.name.lowercased() == column.lowercased() }) {
      throw TerraceError(
        .invalid, "the table has a column \(shown(column)) of its own",
        hint: "tags need another name: 'metastore.tag-to-partition' makes a column"
      ).with("option", option).with("column", column)
    }
    guard schema.partitionKeys.isEmpty else {
      throw TerraceError(
        .invalid, "a table with partitions of its own cannot show its tags as partitions"
      ).with("option", option)
    }
    return column
  }

  /// `model` with another clock, calendar and style of names.
  private init(
    _ model: TagSchedule, _ mode: Mode, _ calendar: TagCalendar, _ style: TagNames.Style,
    isDuration: Bool, delayMillis: Int64
  ) {
    self.mode = mode
    self.calendar = calendar
    self.delayMillis = delayMillis
    names = TagNames(style, lengthMillis: calendar.lengthMillis, isDuration: isDuration)
    retainedMax = model.retainedMax
    timeRetainedMillis = model.timeRetainedMillis
    completes = model.completes
    partitionColumn = model.partitionColumn
    preview = model.preview
    hasOwnStyle = model.hasOwnStyle
  }

  // MARK: Periods

  /// The period that is running at an instant; nil for instants that no calendar should know.
  package func period(of instant: Int64) -> TagPeriod? { calendar.period(of: instant) }

  /// The first period that is not over yet when this barrier has passed.
  package func next(after end: Int64) -> TagPeriod? { calendar.period(of: end) }

  /// The instant at which a period's tag is due: its end and the delay.
  package func dueMillis(_ period: TagPeriod) -> Int64 { period.endMillis + delayMillis }

  /// The last period whose tag is due at a time (a watermark or the clock).
  package func lastDue(at time: Int64) -> TagPeriod? {
    guard let running = calendar.period(of: time.subtractingClamped(delayMillis)) else {
      return nil
    }
    return calendar.previous(before: running)
  }

  /// Periods that ended after `barrier` and whose tags are due at `time`, oldest first: what must be tagged.
  ///
  /// Without completion only the last of them. Of more than are retained only those that would stay.
  ///
  /// - Parameters:
  ///   - barrier: the end instant of the last tagged period; for a table without one, the instant at which
  ///     it began.
  ///   - limit: of the newest.
  package func due(after barrier: Int64, at time: Int64, limit: Int = 10_000) -> [TagPeriod] {
    guard let last = lastDue(at: time), last.endMillis > barrier else { return [] }
    let most = completes ? min(limit, retainedMax ?? limit) : 1
    var found = [last]
    while found.count < most, let period = calendar.previous(before: found[found.count - 1]),
      period.endMillis > barrier
    {
      found.append(period)
    }
    return found.reversed()
  }

  // MARK: Names

  package func name(of period: TagPeriod) -> String {
    names.text(local: calendar.firstReading(of: period))
  }

  /// The period that a tag's name says; nil when it is no name of this schedule.
  package func period(named name: String) -> TagPeriod? {
    guard let local = names.local(name) else { return nil }
    return calendar.period(fromLocal: local)
  }

  // MARK: Several schedules

  /// The schedule on which several tables' tags fall together: hourly and daily give daily, two and three
  /// hours give six. Its tags are named as the first table names its own. Nil without an automatic one.
  ///
  /// - Throws: `unsupported` when boundaries in different time zones never meet.
  package static func common(_ schedules: [TagSchedule]) throws(TerraceError) -> TagSchedule? {
    let automatic = schedules.filter(\.isAutomatic)
    guard let first = automatic.first else { return nil }
    var calendar = first.calendar
    for other in automatic.dropFirst() {
      calendar = try calendar.common(with: other.calendar)
    }
    let isSame = calendar.lengthMillis == first.lengthMillis
    let isUsual = [Period.daily, .hourly, .twoHours].map(\.millis).contains(calendar.lengthMillis)
    return TagSchedule(
      first, first.mode, calendar, first.names.style,
      isDuration: isSame ? first.names.isDuration : !isUsual, delayMillis: 0)
  }

  /// The schedule of a table that is tagged as its sources are: their periods, in its own style of names
  /// where it has one. How long tags are kept and shown stays its own.
  package func inheriting(_ common: TagSchedule) -> TagSchedule {
    TagSchedule(
      self, common.mode, common.calendar, hasOwnStyle ? names.style : common.names.style,
      isDuration: common.names.isDuration, delayMillis: 0)
  }

  // MARK: In a root

  /// The property of a root that says by which schedule its table is tagged, for a table that inherits it.
  package static let propertyName = "terrace.root.tag-schedule"

  /// What ``inheriting(_:)`` needs to know, as text.
  package var encoded: String {
    [
      mode.rawValue, String(lengthMillis), names.style.rawValue,
      names.isDuration ? "duration" : "period", zone.name,
    ].joined(separator: ";")
  }

  /// The schedule of a table whose newest root has this text; nil when the text is none.
  package func inheriting(encoded text: String) -> TagSchedule? {
    let parts = text.split(separator: ";", maxSplits: 4, omittingEmptySubsequences: false)
      .map(String.init)
    guard parts.count == 5, let mode = Mode(rawValue: parts[0]), let length = Int64(parts[1]),
      TagCalendar.lengthRange.contains(length), let style = TagNames.Style(rawValue: parts[2]),
      let zone = SessionZone(parts[4])
    else { return nil }
    return TagSchedule(
      self, mode, TagCalendar(zone: zone, lengthMillis: length), hasOwnStyle ? names.style : style,
      isDuration: parts[3] == "duration", delayMillis: 0)
  }
}

extension TagCalendar {
  /// The calendar of the boundaries that both have.
  package func common(with other: TagCalendar) throws(TerraceError) -> TagCalendar {
    let (long, short) = lengthMillis >= other.lengthMillis ? (self, other) : (other, self)
    var (a, b) = (long.lengthMillis, short.lengthMillis)
    while b != 0 { (a, b) = (b, a % b) }
    let (length, overflow) = (long.lengthMillis / a)
      .multipliedReportingOverflow(by: short.lengthMillis)
    guard !overflow, TagCalendar.lengthRange.contains(length) else {
      throw TerraceError(.unsupported, "tags whose periods have no common length under ten years")
        .with("periods", "\(lengthMillis) ms, \(other.lengthMillis) ms")
    }
    if long.zone != short.zone, !long.meets(short) {
      throw TerraceError(
        .unsupported, "tags of \(long.zone.name) and \(short.zone.name): their periods never meet",
        hint: "set sink.process-time-zone or sink.watermark-time-zone of the sources alike")
    }
    return TagCalendar(zone: long.zone, lengthMillis: length)
  }

  /// Whether the boundaries of this calendar are boundaries of a shorter one in another zone: the clocks'
  /// difference is always a multiple of the shorter length. Looked at weekly from 2000 to 2050.
  private func meets(_ short: TagCalendar) -> Bool {
    stride(from: Int64(946_684_800_000), to: 2_524_608_000_000, by: 7 * 86_400_000).allSatisfy {
      (zone.offsetMillis(atInstant: $0) - short.zone.offsetMillis(atInstant: $0))
        % short.lengthMillis == 0
    }
  }
}

extension Int64 {
  fileprivate func subtractingClamped(_ less: Int64) -> Int64 {
    let (difference, overflow) = subtractingReportingOverflow(less)
    return overflow ? .min : difference
  }
}
