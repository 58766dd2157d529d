import Columns
import Store

/// One column of generated rows: each value follows from the seed and the row's number alone.
final class GeneratedColumn {
  private enum Rule {
    case whole(Int64, UInt64)
    case real(Double, Double)
    case boolean
    case text(Int, varies: Bool)
    case binary(Int, varies: Bool)
    case sequence(Int64)
    /// Of a multiset.
    case times
    case time(maxPast: Int64)
    case list(GeneratedColumn, Int)
    case map(GeneratedColumn, GeneratedColumn, Int)
    case row([GeneratedColumn])
  }

  private let type: DataType
  private let rule: Rule
  private let seed: UInt64
  private let nullRate: Double
  /// Rows after which a sequence ends.
  let length: Int64?

  /// - Parameter isInner: an element of a collection, or a member of a ROW: always random.
  init(
    _ name: String, _ type: DataType, seed: UInt64, isInner: Bool = false,
    _ options: inout ConnectorOptions
  ) throws(TerraceError) {
    self.type = type
    self.seed = Self.mixed(
      seed, name.utf8.reduce(0xcbf2_9ce4) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
    let prefix = "fields.\(name)."
    let rate = options.text(prefix + "null-rate") ?? "0"
    guard let nullRate = Double(rate), (0...1).contains(nullRate) else {
      throw options.wrong(prefix + "null-rate", "a number from 0 to 1")
    }
    if nullRate > 0, !type.isNullable {
      throw options.wrong(prefix + "null-rate", "0 where the column is NOT NULL")
    }
    self.nullRate = nullRate
    if !isInner, try options.choice(prefix + "kind", ["random", "sequence"]) == "sequence" {
      guard let start = try options.integer(prefix + "start"),
        let end = try options.integer(prefix + "end")
      else {
        throw TerraceError(.invalid, "a sequence needs the options '\(prefix)start' and 'end'")
          .with("table", options.table.name)
      }
      guard end >= start, case let (span, overflow) = end.subtractingReportingOverflow(start),
        !overflow, span < .max
      else { throw options.wrong(prefix + "end", "a number from 'start' on") }
      guard Self.takesSequences(type) else {
        throw TerraceError(.unsupported, "a sequence of \(type.text)").with("column", name)
      }
      rule = .sequence(start)
      length = span + 1
      return
    }
    length = nil
    rule = try Self.rule(name, prefix, type, self.seed, &options)
  }

  private init(times seed: UInt64) {
    type = DataType.int.notNull
    rule = .times
    self.seed = seed
    nullRate = 0
    length = nil
  }

  private static func takesSequences(_ type: DataType) -> Bool {
    switch type.kind {
    case .tinyint, .smallint, .int, .bigint, .float, .double, .decimal: true
    case .char, .varchar, .binary, .varbinary: true
    default: false
    }
  }

  private static func rule(
    _ name: String, _ prefix: String, _ type: DataType, _ seed: UInt64,
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Rule {
    switch type.kind {
    case .boolean: return .boolean
    case .tinyint: return try whole(prefix, -128, 127, &options)
    case .smallint: return try whole(prefix, -32768, 32767, &options)
    case .int: return try whole(prefix, Int64(Int32.min), Int64(Int32.max), &options)
    case .bigint: return try whole(prefix, .min, .max, &options)
    case .float, .double:
      // Flink's least value of these types is Java's: the one next to zero.
      let wide =
        type.kind == DataType.float.kind
        ? Double(Float.greatestFiniteMagnitude) : .greatestFiniteMagnitude
      return try real(prefix, most: wide, &options)
    case .decimal(let precision, let scale):
      var ten = 1.0
      for _ in 0..<(precision - scale) { ten *= 10 }
      return try real(prefix, most: ten, &options)
    case .char(let most): return .text(try fixedLength(prefix, most, &options), varies: false)
    case .binary(let most): return .binary(try fixedLength(prefix, most, &options), varies: false)
    case .varchar(let most):
      let length = try length(prefix, most, &options)
      return .text(length, varies: try options.flag(prefix + "var-len"))
    case .varbinary(let most):
      let length = try length(prefix, most, &options)
      return .binary(length, varies: try options.flag(prefix + "var-len"))
    case .date, .time: return .time(maxPast: 0)
    case .timestamp, .timestampLTZ:
      return .time(maxPast: try options.duration(prefix + "max-past") ?? 0)
    case .array(let element):
      return .list(try inner(name, "element", element, seed, &options), try count(prefix, &options))
    case .multiset(let element):
      return .map(
        try inner(name, "element", element.notNull, seed, &options),
        GeneratedColumn(times: mixed(seed, 1)), try count(prefix, &options))
    case .map(let key, let value):
      return .map(
        try inner(name, "key", key.notNull, seed, &options),
        try inner(name, "value", value, seed, &options), try count(prefix, &options))
    case .row(let fields):
      var columns: [GeneratedColumn] = []
      for field in fields {
        columns.append(try inner(name, field.name, field.type, seed, &options))
      }
      return .row(columns)
    }
  }

  private static func inner(
    _ name: String, _ part: String, _ type: DataType, _ seed: UInt64,
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> GeneratedColumn {
    try GeneratedColumn(name + "." + part, type, seed: seed, isInner: true, &options)
  }

  private static func count(
    _ prefix: String, _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Int {
    let count = try options.integer(prefix + "length") ?? 3
    guard (0...10_000).contains(count) else {
      throw options.wrong(prefix + "length", "a number of elements from 0 to 10000")
    }
    return Int(count)
  }

  private static func whole(
    _ prefix: String, _ least: Int64, _ most: Int64, _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Rule {
    let low = try options.integer(prefix + "min") ?? least
    let high = try options.integer(prefix + "max") ?? most
    guard low >= least, high <= most, low <= high else {
      throw options.wrong(prefix + "max", "bounds from \(least) to \(most), 'min' below 'max'")
    }
    return .whole(low, UInt64(bitPattern: high) &- UInt64(bitPattern: low))
  }

  private static func real(
    _ prefix: String, most: Double, _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Rule {
    let low = try real(prefix + "min", &options) ?? 0
    let high = try real(prefix + "max", &options) ?? max(most, low)
    guard low <= high else { throw options.wrong(prefix + "max", "a number from 'min' on") }
    return .real(low, high)
  }

  private static func real(
    _ name: String, _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Double? {
    guard let text = options.text(name) else { return nil }
    guard let value = Double(text.trimmed), value.isFinite else {
      throw options.wrong(name, "a number")
    }
    return value
  }

  /// Characters or bytes of CHAR and BINARY, which the type says.
  private static func fixedLength(
    _ prefix: String, _ most: Int, _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Int {
    if let length = try options.integer(prefix + "length"), length != most {
      throw options.wrong(prefix + "length", "\(most), the length of the type")
    }
    return most
  }

  /// The most characters or bytes of a value: what the type allows, 100 without a bound.
  private static func length(
    _ prefix: String, _ most: Int, _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Int {
    let bound = min(most, 1 << 20)
    let length = try options.integer(prefix + "length")
    if let length, !(1...Int64(bound)).contains(length) {
      throw options.wrong(prefix + "length", "a length from 1 to \(bound)")
    }
    return length.map { Int($0) } ?? (most == DataType.unbounded ? 100 : bound)
  }

  private static func mixed(_ seed: UInt64, _ salt: UInt64) -> UInt64 {
    var mix = SplitMix(seed: seed ^ salt &* 0x9e37_79b9_7f4a_7c15)
    return mix.next()
  }

  // MARK: Values

  /// Appends the value of a row.
  ///
  /// - Parameter time: milliseconds since 1970 at which the row is made.
  func append(_ row: Int64, time: Int64, to builder: ColumnBuilder) {
    var random = SplitMix(seed: Self.mixed(seed, UInt64(bitPattern: row)))
    if nullRate > 0, Double.random(in: 0..<1, using: &random) < nullRate {
      return builder.appendNull()
    }
    switch rule {
    case .whole(let low, let span):
      let offset = span == .max ? random.next() : random.next(upperBound: span + 1)
      number(Int64(bitPattern: UInt64(bitPattern: low) &+ offset), builder)
    case .sequence(let start):
      if type.isText { return builder.append(String(start + row)) }
      if builder.physical == .bytes {
        return withUnsafeBytes(of: (start + row).bigEndian) { builder.append(bytes: $0) }
      }
      number(start + row, builder)
    case .times: builder.append(Int32.random(in: 1...10, using: &random))
    case .real(let low, let high):
      let share = Double(random.next() >> 11) / 9_007_199_254_740_992
      real(low * (1 - share) + high * share, builder)
    case .boolean: builder.append(UInt8(truncatingIfNeeded: random.next() & 1))
    case .text(let length, let varies):
      let count = varies ? Int.random(in: 1...length, using: &random) : length
      let target = builder.spareBytes(count)
      for i in 0..<count {
        let digit = UInt8(truncatingIfNeeded: random.next() & 15)
        target.storeBytes(of: digit < 10 ? 48 + digit : 87 + digit, toByteOffset: i, as: UInt8.self)
      }
      builder.append(bytes: UnsafeRawBufferPointer(start: target, count: count))
    case .binary(let length, let varies):
      let count = varies ? Int.random(in: 1...length, using: &random) : length
      let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      bytes.withUnsafeBytes { builder.append(bytes: $0) }
    case .time(let past):
      moment(time - (past > 0 ? Int64.random(in: 0...past, using: &random) : 0), builder)
    case .list(let element, let count):
      for i in 0..<count { element.append(item(row, i), time: time, to: builder.children[0]) }
      builder.endList()
    case .map(let key, let value, let count):
      entries(row, time, key, value, count, builder)
    case .row(let fields):
      for (field, child) in zip(fields, builder.children) {
        field.append(row, time: time, to: child)
      }
      builder.endRow()
    }
  }

  /// A map has a key once, so that it may have fewer entries than were asked for.
  private func entries(
    _ row: Int64, _ time: Int64, _ key: GeneratedColumn, _ value: GeneratedColumn, _ count: Int,
    _ builder: ColumnBuilder
  ) {
    let made = ColumnBuilder(key.type, capacity: count)
    for i in 0..<count { key.append(item(row, i), time: time, to: made) }
    let keys = made.finish()
    var seen: Set<Scalar> = []
    for i in 0..<count where !keys.children.isEmpty || seen.insert(keys.scalar(i)).inserted {
      builder.children[0].append(keys, i..<i + 1)
      value.append(item(row, i), time: time, to: builder.children[1])
    }
    builder.endList()
  }

  private func item(_ row: Int64, _ index: Int) -> Int64 { row &* 10_007 &+ Int64(index) }

  private func number(_ value: Int64, _ builder: ColumnBuilder) {
    switch type.kind {
    case .tinyint: builder.append(Int8(truncatingIfNeeded: value))
    case .smallint: builder.append(Int16(truncatingIfNeeded: value))
    case .int: builder.append(Int32(truncatingIfNeeded: value))
    case .float, .double, .decimal: real(Double(value), builder)
    default: builder.append(value)
    }
  }

  private func real(_ value: Double, _ builder: ColumnBuilder) {
    switch type.kind {
    case .float: builder.append(Float(value))
    case .decimal(let precision, let scale):
      var factor = 1.0
      for _ in 0..<scale { factor *= 10 }
      var most: Int128 = 1
      for _ in 0..<precision { most *= 10 }
      let scaled = (value * factor).rounded()
      let unscaled = scaled.magnitude < 1e38 ? Int128(scaled) : (scaled < 0 ? -most : most)
      let kept = min(max(unscaled, 1 - most), most - 1)
      if builder.physical == .int64 {
        builder.append(Int64(truncatingIfNeeded: kept))
      } else {
        builder.append(kept)
      }
    default: builder.append(value)
    }
  }

  private func moment(_ millis: Int64, _ builder: ColumnBuilder) {
    let day = millis >= 0 ? millis / 86_400_000 : (millis - 86_399_999) / 86_400_000
    switch type.kind {
    case .date: builder.append(Int32(truncatingIfNeeded: day))
    case .time: builder.append(Int32(truncatingIfNeeded: millis - day * 86_400_000))
    case .timestamp(let precision), .timestampLTZ(let precision):
      if precision <= 3 {
        var unit: Int64 = 1
        for _ in precision..<3 { unit *= 10 }
        builder.append(millis / unit * unit)
      } else if precision <= 6 {
        builder.append(millis * 1000)
      } else {
        builder.append(Int128(millis) * 1_000_000)
      }
    default: builder.append(millis)
    }
  }
}
