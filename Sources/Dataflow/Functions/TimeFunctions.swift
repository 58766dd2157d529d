internal import Columns

/// Units of EXTRACT, FLOOR … TO and their kin.
enum TimeField: String {
  case millennium = "MILLENNIUM", century = "CENTURY", decade = "DECADE", year = "YEAR"
  case quarter = "QUARTER", month = "MONTH", week = "WEEK", day = "DAY", hour = "HOUR"
  case minute = "MINUTE", second = "SECOND", millisecond = "MILLISECOND"
  case microsecond = "MICROSECOND", nanosecond = "NANOSECOND", epoch = "EPOCH"
  case dayOfWeek = "DOW", isoDayOfWeek = "ISODOW", dayOfYear = "DOY", isoYear = "ISOYEAR"

  /// The value in a local moment; Sunday is day 1 of the week, weeks are ISO's.
  func value(_ days: Int, _ nanos: Int64) -> Int64 {
    let date = Calendar.date(days)
    let seconds = nanos / 1_000_000_000
    switch self {
    case .millennium: return Int64((date.year + 999) / 1000)
    case .century: return Int64((date.year + 99) / 100)
    case .decade: return Int64(date.year / 10)
    case .year: return Int64(date.year)
    case .quarter: return Int64((date.month + 2) / 3)
    case .month: return Int64(date.month)
    case .week: return Int64(Calendar.isoWeek(days).week)
    case .day: return Int64(date.day)
    case .hour: return seconds / 3600
    case .minute: return seconds / 60 % 60
    case .second: return seconds % 60
    case .millisecond: return nanos / 1_000_000 % 1000
    case .microsecond: return nanos / 1000 % 1_000_000
    case .nanosecond: return nanos % 1_000_000_000
    // Of the wall clock, as in Flink, and cut towards 1970.
    case .epoch: return (Int64(days) &* Calendar.millisPerDay &+ nanos / 1_000_000) / 1000
    case .dayOfWeek: return Int64(Calendar.isoWeekday(days) % 7 + 1)
    case .isoDayOfWeek: return Int64(Calendar.isoWeekday(days))
    case .dayOfYear: return Int64(Calendar.dayOfYear(days))
    case .isoYear: return Int64(Calendar.isoWeek(days).year)
    }
  }

  /// The beginning of the unit that a moment lies in; nil where it has none.
  func floor(_ days: Int, _ nanos: Int64) -> (days: Int, nanos: Int64)? {
    let date = Calendar.date(days)
    func day(_ year: Int, _ month: Int) -> (Int, Int64) { (Calendar.days(year, month, 1), 0) }
    func cut(_ unit: Int64) -> (Int, Int64) { (days, nanos / unit * unit) }
    switch self {
    case .millennium: return day((date.year - 1) / 1000 * 1000 + 1, 1)
    case .century: return day((date.year - 1) / 100 * 100 + 1, 1)
    case .decade: return day(date.year / 10 * 10, 1)
    case .year: return day(date.year, 1)
    case .quarter: return day(date.year, (date.month - 1) / 3 * 3 + 1)
    case .month: return day(date.year, date.month)
    // Flink's weeks begin on Sunday here.
    case .week: return (days - Calendar.isoWeekday(days) % 7, 0)
    case .day: return (days, 0)
    case .hour: return cut(3_600_000_000_000)
    case .minute: return cut(60_000_000_000)
    case .second: return cut(1_000_000_000)
    case .millisecond: return cut(1_000_000)
    case .microsecond: return cut(1000)
    default: return nil
    }
  }

  /// The unit's length: months, or nanoseconds.
  var span: (months: Int, nanos: Int64)? {
    switch self {
    case .year: (12, 0)
    case .quarter: (3, 0)
    case .month: (1, 0)
    case .decade: (120, 0)
    case .century: (1200, 0)
    case .millennium: (12000, 0)
    case .week: (0, 604_800_000_000_000)
    case .day: (0, 86_400_000_000_000)
    case .hour: (0, 3_600_000_000_000)
    case .minute: (0, 60_000_000_000)
    case .second: (0, 1_000_000_000)
    case .millisecond: (0, 1_000_000)
    case .microsecond: (0, 1000)
    case .nanosecond: (0, 1)
    default: nil
    }
  }
}

extension FunctionCall {
  func field(_ i: Int) throws(TerraceError) -> TimeField {
    guard let name = constantText(i), let field = TimeField(rawValue: name.uppercased()) else {
      throw failure("no such unit of time", constantText(i) ?? "a column")
    }
    return field
  }

  /// A date or time result, from a moment a row, which is local unless a zone is given; nil is null.
  func moments(
    in zone: SessionZone? = nil,
    _ compute: (Int) throws(TerraceError) -> (days: Int, nanos: Int64)?
  ) throws(TerraceError) -> Column {
    let out = ColumnBuilder(type, capacity: count)
    for i in 0..<count {
      if isValid(i), let (days, nanos) = try compute(i) {
        Moment.append(out, days, nanos, zone ?? context.zone)
      } else {
        out.appendNull()
      }
    }
    return out.finish()
  }
}

extension Calendar {
  /// Whole months between two moments. Those backwards are counted from the earlier day, as in Flink: from
  /// the 29th of February back to the 31st of January is one.
  static func months(from a: (days: Int, nanos: Int64), to b: (days: Int, nanos: Int64)) -> Int {
    func between(_ early: Int, _ late: Int) -> Int {
      let (x, y) = (date(early), date(late))
      let months = (y.year - x.year) * 12 + y.month - x.month
      return adding(months: months, to: early) > late ? months - 1 : months
    }
    let months = a.days <= b.days ? between(a.days, b.days) : -between(b.days, a.days)
    return adding(months: months, to: a.days) == b.days && b.nanos < a.nanos ? months - 1 : months
  }
}

extension Moment {
  /// A moment some nanoseconds on.
  static func adding(_ nanos: Int128, _ days: Int, _ of: Int64) -> (Int, Int64) {
    let day: Int128 = 86_400_000_000_000
    let total = Int128(of) + nanos
    let whole = floorDivide(total, day)
    // Wider spans than a calendar has are all the same.
    let far = Int128(1) << 40
    return (days + Int(min(max(whole, -far), far)), Int64(total - whole * day))
  }
}

private let momentType: Function.Result = .rule { (a) throws(TerraceError) -> DataType in
  let time = a.first { TypeRules.family($0.type) != .text && !TypeRules.isInteger($0.type) }
  return DataType(time?.type.kind ?? .timestamp(3), nullable: a.contains { $0.type.isNullable })
}

private func part(_ name: String, _ field: TimeField) -> Function {
  .value(name, [.temporal], .bigint) { (call, i) throws(TerraceError) -> Int64? in
    let (days, nanos) = call.moment(0, i)
    return field.value(days, nanos)
  }
}

private func rounded(_ name: String, up: Bool) -> Function {
  Function(name, [.temporal, .text], momentType) { (call) throws(TerraceError) -> Column in
    let field = try call.field(1)
    if field.floor(0, 0) == nil {
      throw call.failure("rounds to YEAR, MONTH, DAY, HOUR and the like", field.rawValue)
    }
    return try call.moments { (i) throws(TerraceError) -> (days: Int, nanos: Int64)? in
      let (days, nanos) = call.moment(0, i)
      guard let floor = field.floor(days, nanos) else { return nil }
      if !up || floor == (days, nanos) { return floor }
      guard let span = field.span else { return floor }
      if span.months > 0 { return (Calendar.adding(months: span.months, to: floor.days), 0) }
      return Moment.adding(Int128(span.nanos), floor.days, floor.nanos)
    }
  }
}

/// An instant from seconds or milliseconds, or from the wall clock of a zone, UTC's unless another is named.
private let toInstant = Function(
  "TO_TIMESTAMP_LTZ", [.any, .any, .text], optional: 2,
  .rule { (a) throws(TerraceError) -> DataType in
    let isText = TypeRules.family(a[0].type) == .text
    let fits =
      a.count == 1
      || (isText
        ? TypeRules.family(a[1].type) == .text : a.count == 2 && TypeRules.isInteger(a[1].type))
    guard fits, isText || TypeRules.family(a[0].type) == .number else {
      throw invalid("TO_TIMESTAMP_LTZ", a)
    }
    return DataType(.timestampLTZ(3))
  }
) { (call) throws(TerraceError) -> Column in
  if TypeRules.family(call.arguments[0].type) == .text {
    return try call.mapSome { (i) throws(TerraceError) -> Int64? in
      let zone = call.arguments.count > 2 ? SessionZone(call.text(2, i)) : .utc
      guard let zone, let (days, nanos) = try DatePattern.read(call, i, cutsDays: true) else {
        return nil
      }
      let local = Int64(days) &* Calendar.millisPerDay &+ nanos / 1_000_000
      return local &- zone.offsetMillis(atLocal: local)
    }
  }
  let cast = TextCast(context: call.context, orNull: false)
  let isReal = TypeRules.isApproximate(call.arguments[0].type)
  let value = try cast.apply(call.arguments[0].full(call.count), to: isReal ? .double : .bigint)
  var digits: Column?
  if call.arguments.count > 1 {
    digits = try cast.apply(call.arguments[1].full(call.count), to: .int)
  }
  return try call.mapSome { (i) throws(TerraceError) -> Int64? in
    let precision = digits.map { Int($0.pointer(Int32.self)[i]) } ?? 3
    guard precision == 0 || precision == 3 else {
      throw call.failure("the precision is 0 or 3", precision)
    }
    let scale = precision == 0 ? 1000 : 1
    if !isReal { return value.pointer(Int64.self)[i] &* Int64(scale) }
    let millis = value.pointer(Double.self)[i] * Double(scale)
    return abs(millis) < 9e18 ? Int64(millis) : nil
  }
}

private func clock(_ name: String, _ type: DataType, local: Bool) -> Function {
  Function(name, [], .notNull(type), isDeterministic: false) {
    (call) throws(TerraceError) -> Column in
    let context = call.context
    let millis = context.now + (local ? context.zone.offsetMillis(atInstant: context.now) : 0)
    let days = floorDivide(millis, Calendar.millisPerDay)
    switch type.physical {
    case .int32 where type.kind == .date:
      return try call.map { _ in Int32(truncatingIfNeeded: days) }
    case .int32:
      return try call.map { _ in
        Int32(truncatingIfNeeded: millis - days * Calendar.millisPerDay)
      }
    default: return try call.map { _ in millis }
    }
  }
}

let timeFunctions: [Function] = [
  part("YEAR", .year), part("QUARTER", .quarter), part("MONTH", .month), part("WEEK", .week),
  part("DAYOFYEAR", .dayOfYear), part("DAYOFMONTH", .day), part("DAYOFWEEK", .dayOfWeek),
  part("HOUR", .hour), part("MINUTE", .minute), part("SECOND", .second),
  Function("EXTRACT", [.text, .temporal], .type(.bigint)) { (call) throws(TerraceError) -> Column in
    let field = try call.field(0)
    return try call.map { (i) in
      let (days, nanos) = call.moment(1, i)
      return field.value(days, nanos)
    }
  },
  rounded("$FLOOR_TO", up: false), rounded("$CEIL_TO", up: true),
  Function(
    "$ADD_MILLIS", [.temporal, .bigint],
    .rule { (a) throws(TerraceError) -> DataType in
      let nullable = a.contains { $0.type.isNullable }
      return DataType(a[0].type.kind, nullable: nullable)
    }
  ) { (call) throws(TerraceError) -> Column in
    let amount = call.fixed(1, Int64.self)
    return try call.moments(in: .utc) { (i) in
      let (days, nanos) = call.instant(0, i)
      return Moment.adding(Int128(amount[i]) * 1_000_000, days, nanos)
    }
  },
  Function("$ADD_MONTHS", [.temporal, .int], momentType) { (call) throws(TerraceError) -> Column in
    try call.moments(in: .utc) { (i) in
      let (days, nanos) = call.instant(0, i)
      return (Calendar.adding(months: call.int(1, i), to: days), nanos)
    }
  },
  Function(
    "TIMESTAMPADD", [.text, .bigint, .temporal],
    .rule { (a) throws(TerraceError) -> DataType in
      let nullable = a.contains { $0.type.isNullable }
      // A DATE becomes a time when hours are added to it.
      guard a[2].type.kind == .date, case .literal(.bytes(let unit), _) = a[0],
        ["HOUR", "MINUTE", "SECOND", "MILLISECOND"].contains(String(decoding: unit, as: UTF8.self))
      else { return DataType(a[2].type.kind, nullable: nullable) }
      return DataType(.timestamp(3), nullable: nullable)
    }
  ) { (call) throws(TerraceError) -> Column in
    guard let span = try call.field(0).span else {
      throw call.failure("no span of time", call.constantText(0) ?? "")
    }
    let amount = call.fixed(1, Int64.self)
    return try call.moments(in: .utc) { (i) in
      let (days, nanos) = call.instant(2, i)
      if span.months > 0 {
        let months = Int(truncatingIfNeeded: amount[i] &* Int64(span.months))
        return (Calendar.adding(months: months, to: days), nanos)
      }
      return Moment.adding(Int128(amount[i]) * Int128(span.nanos), days, nanos)
    }
  },
  Function("TIMESTAMPDIFF", [.text, .temporal, .temporal], .type(.int)) {
    (call) throws(TerraceError) -> Column in
    guard let span = try call.field(0).span else {
      throw call.failure("no span of time", call.constantText(0) ?? "")
    }
    let isInstant = call.arguments[1...].allSatisfy {
      TypeRules.family($0.type) == .localTimestamp
    }
    return try call.map { (i) -> Int32 in
      let (d1, n1) = isInstant ? call.instant(1, i) : call.moment(1, i)
      let (d2, n2) = isInstant ? call.instant(2, i) : call.moment(2, i)
      if span.months > 0 {
        let months = Calendar.months(from: (d1, n1), to: (d2, n2))
        return Int32(truncatingIfNeeded: months / span.months)
      }
      let nanos = Int128(d2 - d1) * 86_400_000_000_000 + Int128(n2 - n1)
      return Int32(truncatingIfNeeded: nanos / Int128(span.nanos))
    }
  },
  clock("CURRENT_DATE", .date, local: true), clock("CURRENT_TIME", DataType(.time(0)), local: true),
  clock("LOCALTIME", DataType(.time(0)), local: true),
  clock("LOCALTIMESTAMP", .timestamp(3), local: true),
  clock("CURRENT_TIMESTAMP", DataType(.timestampLTZ(3)), local: false),
  clock("NOW", DataType(.timestampLTZ(3)), local: false),
  clock("CURRENT_ROW_TIMESTAMP", DataType(.timestampLTZ(3)), local: false),
  clock("PROCTIME", DataType(.timestampLTZ(3)), local: false),
  Function(
    "CURRENT_WATERMARK", [.timestamp],
    .rule { (a) throws(TerraceError) -> DataType in
      a[0].type.nullable
    }, isDeterministic: false, seesNulls: true
  ) { (call) throws(TerraceError) -> Column in
    let unit = TimeUnit.perSecond(call.type)
    let watermark = call.context.watermark
    if call.type.physical == .int128 {
      return try call.mapSome { _ in watermark.map { Int128($0) * 1_000_000 } }
    }
    return try call.mapSome { _ in watermark.map { $0 &* (unit / 1000) } }
  },
  .text("DATE_FORMAT", [.timestamp, .text]) { (call, i, out) throws(TerraceError) in
    let (days, nanos) = call.moment(0, i)
    try DatePattern(call.text(1, i)).write(days, nanos, into: &out)
    return true
  },
  Function("TO_DATE", [.text, .text], optional: 1, .nullable(.date)) {
    (call) throws(TerraceError) -> Column in
    try call.moments { (i) throws(TerraceError) -> (days: Int, nanos: Int64)? in
      try DatePattern.read(call, i).map { ($0.days, 0) }
    }
  },
  Function("TO_TIMESTAMP", [.text, .text], optional: 1, .nullable(.timestamp(3))) {
    (call) throws(TerraceError) -> Column in
    try call.moments { (i) throws(TerraceError) -> (days: Int, nanos: Int64)? in
      try DatePattern.read(call, i, cutsDays: true)
    }
  },
  toInstant,
  .text("FROM_UNIXTIME", [.bigint, .text], optional: 1) { (call, i, out) throws(TerraceError) in
    let seconds = call.fixed(0, Int64.self)[i]
    let local = seconds &+ call.context.zone.offsetMillis(atInstant: seconds &* 1000) / 1000
    let days = floorDivide(local, 86400)
    let pattern = call.arguments.count > 1 ? call.text(1, i) : "yyyy-MM-dd HH:mm:ss"
    let rest = local &- days &* 86400
    try DatePattern(pattern).write(Int(days), rest * 1_000_000_000, into: &out)
    return true
  },
  Function(
    "UNIX_TIMESTAMP", [.text, .text], optional: 2, .nullable(.bigint), isDeterministic: false
  ) {
    (call) throws(TerraceError) -> Column in
    if call.arguments.isEmpty {
      let now = floorDivide(call.context.now, 1000)
      return try call.map { _ in now }
    }
    return try call.mapSome { (i) throws(TerraceError) -> Int64? in
      guard let (days, nanos) = try DatePattern.read(call, i)
      else { return Int64.min }
      let local = Int64(days) * 86400 + nanos / 1_000_000_000
      return local - call.context.zone.offsetMillis(atLocal: local &* 1000) / 1000
    }
  },
  .text("CONVERT_TZ", [.text, .text, .text]) { (call, i, out) throws(TerraceError) in
    // A name that is no zone is UTC, as in Java.
    let from = SessionZone(call.text(1, i)) ?? .utc
    let to = SessionZone(call.text(2, i)) ?? .utc
    guard let (days, nanos) = Calendar.parseTimestamp(call.bytes(0, i)) else { return false }
    let local = Int64(days) * Calendar.millisPerDay + nanos / 1_000_000
    let instant = local - from.offsetMillis(atLocal: local)
    let there = instant + to.offsetMillis(atInstant: instant)
    let day = floorDivide(there, Calendar.millisPerDay)
    Calendar.write(date: Int(day), into: &out)
    out.append(0x20)
    Calendar.write(
      nanosOfDay: (there - day * Calendar.millisPerDay) * 1_000_000, digits: 0, into: &out)
    return true
  },
]
