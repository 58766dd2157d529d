package import Columns

/// Whole columns from one type to another: what a changed column type means for old files.
///
/// The results are those of Paimon's `CastExecutors`: integers wrap when they narrow, decimals round
/// half up and become null when they do not fit, text that is cut keeps its first code points.
package enum Cast {
  /// Whether ``apply(_:to:)`` knows the way.
  package static func isSupported(from: DataType, to: DataType) -> Bool {
    if from.kind == to.kind { return true }
    switch (from.kind, to.kind) {
    case (.array(let a), .array(let b)): return isSupported(from: a, to: b)
    case (.map(let a, let b), .map(let c, let d)):
      return isSupported(from: a, to: c) && isSupported(from: b, to: d)
    case (.multiset(let a), .multiset(let b)): return isSupported(from: a, to: b)
    case (.row(let a), .row(let b)):
      return b.allSatisfy { field in
        guard let old = a.first(where: { $0.id == field.id }) else { return true }
        return isSupported(from: old.type, to: field.type)
      }
    default: break
    }
    switch (Family(from), Family(to)) {
    case (.number, .number), (.number, .text), (.boolean, .text), (.boolean, .number),
      (.number, .boolean), (.text, .text), (.binary, .binary), (.text, .binary),
      (.date, .timestamp), (.timestamp, .date), (.timestamp, .timestamp), (.timestamp, .time),
      (.date, .text), (.time, .text), (.timestamp, .text), (.time, .time), (.text, .number),
      (.text, .boolean):
      return true
    default: return false
    }
  }

  /// The same rows in another type. Members of ROWs are matched by field id; a missing one is null.
  package static func apply(_ column: Column, to type: DataType) throws(TerraceError) -> Column {
    if column.type == type { return column }
    if column.type.kind == type.kind { return column.retyped(type) }
    guard isSupported(from: column.type, to: type) else {
      throw TerraceError(.unsupported, "no cast between these column types")
        .with("from", "\(column.type.kind)").with("to", "\(type.kind)")
    }
    switch type.kind {
    case .array, .map, .multiset, .row: return try nested(column, to: type)
    default: break
    }
    switch (Family(column.type), Family(type)) {
    case (.number, .number): return castNumber(column, to: type)
    case (.boolean, .number):
      return castNumber(column.map(.tinyint) { (v: UInt8) -> Int8 in Int8(v) }, to: type)
    case (.number, .boolean): return numberToBoolean(column)
    case (.text, .text), (.binary, .binary), (.text, .binary), (.binary, .text):
      return castBytes(column, to: type)
    case (.text, .number), (.text, .boolean): return parseText(column, to: type)
    case (_, .text): return try apply(formatText(column), to: type)
    default: return castTime(column, to: type)
    }
  }

  enum Family {
    case boolean, number, text, binary, date, time, timestamp, nested
    init(_ type: DataType) {
      switch type.kind {
      case .boolean: self = .boolean
      case .tinyint, .smallint, .int, .bigint, .float, .double, .decimal: self = .number
      case .char, .varchar: self = .text
      case .binary, .varbinary: self = .binary
      case .date: self = .date
      case .time: self = .time
      case .timestamp, .timestampLTZ: self = .timestamp
      case .array, .map, .multiset, .row: self = .nested
      }
    }
  }

  private static func nested(_ column: Column, to type: DataType) throws(TerraceError) -> Column {
    var children: [Column] = []
    switch type.kind {
    case .array(let element): children = [try apply(column.children[0], to: element)]
    case .map(let key, let value):
      children = [
        try apply(column.children[0], to: key), try apply(column.children[1], to: value),
      ]
    case .multiset(let key):
      children = [try apply(column.children[0], to: key), column.children[1]]
    case .row(let fields):
      guard case .row(let old) = column.type.kind else { break }
      for field in fields {
        if let at = old.firstIndex(where: { $0.id == field.id }) {
          children.append(try apply(column.children[at], to: field.type))
        } else {
          children.append(Column.nulls(field.type, count: column.count))
        }
      }
    default: break
    }
    return column.with(type: type, children: children)
  }

  // MARK: - Text and bytes

  private static func castBytes(_ column: Column, to type: DataType) -> Column {
    switch type.kind {
    case .varchar(DataType.unbounded), .varbinary(DataType.unbounded):
      return column.relabelled(type)
    case .varchar(let length): return cut(column, to: type, length, text: true, pad: nil)
    case .char(let length): return cut(column, to: type, length, text: true, pad: 0x20)
    case .varbinary(let length): return cut(column, to: type, length, text: false, pad: nil)
    case .binary(let length): return cut(column, to: type, length, text: false, pad: 0)
    default: return column
    }
  }

  /// Cuts every row to `length` code points (text) or bytes, and fills shorter ones with `pad`.
  private static func cut(
    _ column: Column, to type: DataType, _ length: Int, text: Bool, pad: UInt8?
  ) -> Column {
    let out = ColumnBuilder(type, capacity: column.count)
    for row in 0..<column.count {
      if column.isNull(row) {
        out.appendNull()
        continue
      }
      let bytes = column.bytes(row)
      var end = bytes.count
      var units = bytes.count
      if text {
        units = 0
        end = 0
        while end < bytes.count {
          // A byte that does not continue a code point begins one.
          if bytes[end] & 0xc0 != 0x80 {
            if units == length { break }
            units += 1
          }
          end += 1
        }
      } else if end > length {
        end = length
        units = length
      }
      let kept = UnsafeRawBufferPointer(rebasing: bytes[0..<end])
      if let pad, units < length {
        var padded = Array(kept)
        padded.append(contentsOf: repeatElement(pad, count: length - units))
        padded.withUnsafeBytes { out.append(bytes: $0) }
      } else {
        out.append(bytes: kept)
      }
    }
    return out.finish()
  }

  // MARK: - Dates and times

  private static func castTime(_ column: Column, to type: DataType) -> Column {
    switch (column.type.kind, type.kind) {
    case (.time, .time): return column.relabelled(type)
    case (.date, _):
      let unit = unitsPerSecond(type)
      if type.physical == .int64 {
        return column.map(type) { (v: Int32) -> Int64 in Int64(v) &* 86400 &* Int64(unit) }
      }
      return column.map(type) { (v: Int32) -> Int128 in Int128(v) * 86400 * unit }
    case (_, .date):
      let day = unitsPerSecond(column.type) * 86400
      if column.physical == .int64 {
        let day = Int64(day)
        return column.map(type) { (v: Int64) -> Int32 in Int32(truncatingIfNeeded: floorDiv(v, day))
        }
      }
      return column.map(type) { (v: Int128) -> Int32 in Int32(truncatingIfNeeded: floorDiv(v, day))
      }
    case (_, .time):
      let unit = unitsPerSecond(column.type)
      let widened = column.widenedTime()
      return widened.map(type) { (v: Int128) -> Int32 in
        let inDay = v - floorDiv(v, unit * 86400) * unit * 86400
        return Int32(truncatingIfNeeded: inDay * 1000 / unit)
      }
    default: return castTimestamp(column, to: type)
    }
  }

  /// Between precisions: finer digits are cut, downwards.
  private static func castTimestamp(_ column: Column, to type: DataType) -> Column {
    let from = unitsPerSecond(column.type)
    let to = unitsPerSecond(type)
    // Precision 4 lies in microseconds with the last two digits zero.
    let precision = precisionOfTime(type)
    let keep = pow10((precision <= 3 ? 3 : precision <= 6 ? 6 : 9) - precision)
    if from == to && (keep == 1 || precisionOfTime(column.type) <= precisionOfTime(type)) {
      return column.relabelled(type)
    }
    let wide = column.widenedTime()
    func convert(_ v: Int128) -> Int128 {
      let scaled = to >= from ? v &* (to / from) : floorDiv(v, from / to)
      return keep == 1 ? scaled : floorDiv(scaled, keep) &* keep
    }
    if type.physical == .int64 {
      return wide.map(type) { (v: Int128) -> Int64 in Int64(truncatingIfNeeded: convert(v)) }
    }
    return wide.map(type) { (v: Int128) -> Int128 in convert(v) }
  }

  static func precisionOfTime(_ type: DataType) -> Int {
    switch type.kind {
    case .timestamp(let p), .timestampLTZ(let p), .time(let p): p
    default: 0
    }
  }

  static func unitsPerSecond(_ type: DataType) -> Int128 {
    switch precisionOfTime(type) {
    case ...3: 1000
    case ...6: 1_000_000
    default: 1_000_000_000
    }
  }
}

@inline(__always) func floorDiv<T: FixedWidthInteger & SignedInteger>(_ a: T, _ b: T) -> T {
  let quotient = a / b
  return a % b < 0 ? quotient - 1 : quotient
}

/// 10 to the power of `exponent`, which is 0…38.
func pow10(_ exponent: Int) -> Int128 {
  var value: Int128 = 1
  for _ in 0..<exponent { value *= 10 }
  return value
}

extension Column {
  /// A column of `count` nulls.
  package static func nulls(_ type: DataType, count: Int) -> Column {
    let builder = ColumnBuilder(type.nullable, capacity: count)
    for _ in 0..<count { builder.appendNull() }
    return builder.finish()
  }

  /// The values through `convert`, one by one, in a tight loop; nulls stay null.
  @inline(__always) func map<From: BitwiseCopyable, To: BitwiseCopyable>(
    _ type: DataType, _ convert: (From) -> To
  ) -> Column {
    let source = pointer(From.self)
    let out = Buffer(byteCount: count * MemoryLayout<To>.stride)
    let target = out.pointer(To.self)
    if let validity {
      for i in 0..<count where validity[i] { target[i] = convert(source[i]) }
    } else {
      for i in 0..<count { target[i] = convert(source[i]) }
    }
    return Column(type: type, count: count, values: out, validity: validity)
  }

  /// As `map`, for conversions that may fail: nil becomes null.
  @inline(__always) func mapSome<From: BitwiseCopyable, To: BitwiseCopyable>(
    _ type: DataType, zero: To, _ convert: (From) -> To?
  ) -> Column {
    let source = pointer(From.self)
    let out = Buffer(byteCount: count * MemoryLayout<To>.stride)
    let target = out.pointer(To.self)
    var nulls: Bitmap?
    for i in 0..<count {
      target[i] = zero
      if isNull(i) {
        nulls?.clear(i)
      } else if let value = convert(source[i]) {
        target[i] = value
        continue
      }
      if nulls == nil {
        let fresh = Bitmap(count: count, filled: true)
        for row in 0..<i where isNull(row) { fresh.clear(row) }
        nulls = fresh
      }
      nulls?.clear(i)
    }
    return Column(type: type, count: count, values: out, validity: nulls)
  }

  /// The same values under a type of the same layout, whatever its kind.
  func relabelled(_ type: DataType) -> Column { retyped(type) }

  /// The same offsets and validity over other children.
  func with(type: DataType, children: [Column]) -> Column {
    var offsetBuffer: Buffer?
    if physical.hasOffsets {
      offsetBuffer = Buffer(
        copying: UnsafeRawBufferPointer(start: offsets, count: (count + 1) * 4))
    }
    return Column(
      type: type, count: count, values: nil, offsets: offsetBuffer, validity: validity,
      children: children)
  }

  /// A timestamp column as 128-bit numbers of its own unit.
  func widenedTime() -> Column {
    if physical == .int128 { return self }
    return map(.timestamp(9)) { (v: Int64) -> Int128 in Int128(v) }
  }
}
