import Columns

/// Random types and rows for round trips.
struct RandomRows {
  var random: SeededRandom
  /// What may be asked for; formats hold different things.
  var timestampLimit = 9
  var timeLimit = 3
  var textIsUnicode = true
  var keysOnlyText = false
  var multisets = true

  init(_ seed: UInt64) { random = SeededRandom(seed) }

  mutating func below(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }

  mutating func rowType(fields: Int, depth: Int = 2) -> RowType {
    RowType((0..<fields).map { ("f\($0)", type(depth)) })
  }

  mutating func type(_ depth: Int) -> DataType {
    DataType(kind(depth), nullable: below(4) != 0)
  }

  mutating func kind(_ depth: Int) -> DataType.Kind {
    switch below(depth > 0 ? 22 : 18) {
    case 0: return .boolean
    case 1: return .tinyint
    case 2: return .smallint
    case 3: return .int
    case 4, 5: return .bigint
    case 6: return .float
    case 7: return .double
    case 8:
      let precision = 1 + below(38)
      return .decimal(precision, below(precision + 1))
    case 9: return .char(1 + below(9))
    case 10, 11: return .varchar(DataType.unbounded)
    case 12: return .binary(1 + below(5))
    case 13: return .varbinary(DataType.unbounded)
    case 14: return .date
    case 15: return .time(below(timeLimit + 1))
    case 16: return .timestamp(below(timestampLimit + 1))
    case 17: return .timestampLTZ(below(timestampLimit + 1))
    case 18: return .array(type(depth - 1))
    case 19:
      let key = keysOnlyText ? DataType.string.notNull : DataType(kind(0), nullable: false)
      return .map(key, type(depth - 1))
    case 20:
      if !multisets { return .array(type(depth - 1)) }
      return .multiset(keysOnlyText ? DataType.string.notNull : DataType(kind(0), nullable: false))
    default: return .row(rowType(fields: 1 + below(3), depth: depth - 1).fields)
    }
  }

  mutating func batch(_ type: RowType, rows: Int) -> Batch {
    var columns: [Column] = []
    for field in type.fields {
      let builder = ColumnBuilder(field.type)
      for _ in 0..<rows { append(to: builder) }
      columns.append(builder.finish())
    }
    return Batch(type, columns, count: rows)
  }

  mutating func append(to builder: ColumnBuilder) {
    if builder.type.isNullable && below(5) == 0 { return builder.appendNull() }
    switch builder.type.kind {
    case .boolean: builder.append(UInt8(below(2)))
    case .tinyint: builder.append(Int8(truncatingIfNeeded: integer()))
    case .smallint: builder.append(Int16(truncatingIfNeeded: integer()))
    case .int: builder.append(Int32(truncatingIfNeeded: integer()))
    case .bigint: builder.append(integer())
    case .float: builder.append(float())
    case .double: builder.append(double())
    case .decimal(let precision, _): decimal(precision, builder)
    case .char(let length), .varchar(let length): builder.append(text(limit: length))
    case .binary(let length), .varbinary(let length):
      let bytes = (0..<below(min(12, length + 1))).map { _ in UInt8(below(256)) }
      bytes.withUnsafeBytes { builder.append(bytes: $0) }
    case .date: builder.append(Int32(below(80_000) - 30_000))
    case .time(let precision):
      builder.append(Int32(below(86_400_000)) / step(3 - precision) * step(3 - precision))
    case .timestamp(let precision), .timestampLTZ(let precision): timestamp(precision, builder)
    case .array:
      for _ in 0..<below(4) { append(to: builder.children[0]) }
      builder.endList()
    case .map:
      for _ in 0..<below(4) {
        append(to: builder.children[0])
        append(to: builder.children[1])
      }
      builder.endList()
    case .multiset:
      for _ in 0..<below(4) {
        append(to: builder.children[0])
        builder.children[1].append(Int32(1 + below(9)))
      }
      builder.endList()
    case .row:
      for child in builder.children { append(to: child) }
      builder.endRow()
    }
  }

  private func step(_ digits: Int) -> Int32 {
    var value: Int32 = 1
    for _ in 0..<max(digits, 0) { value *= 10 }
    return value
  }

  mutating func integer() -> Int64 {
    switch below(8) {
    case 0: return .min
    case 1: return .max
    case 2: return 0
    default: return Int64(bitPattern: random.next()) >> Int64(below(64))
    }
  }

  mutating func double() -> Double {
    switch below(10) {
    case 0: return .nan
    case 1: return .infinity
    case 2: return -.infinity
    case 3: return -0.0
    case 4: return .greatestFiniteMagnitude
    case 5: return .leastNonzeroMagnitude
    case 6: return Double(below(1000)) / 8
    default:
      let value = Double(bitPattern: random.next())
      return value.isNaN ? 1.5 : value
    }
  }

  mutating func float() -> Float {
    switch below(6) {
    case 0: return .nan
    case 1: return -.infinity
    case 2: return Float(below(1000)) / 8
    default:
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
      return value.isNaN ? 1.5 : value
    }
  }

  mutating func decimal(_ precision: Int, _ builder: ColumnBuilder) {
    var limit: Int128 = 1
    for _ in 0..<(1 + below(precision)) { limit *= 10 }
    let raw = Int128(truncatingIfNeeded: random.next()) << 64 | Int128(random.next())
    let value = below(6) == 0 ? limit - 1 : raw % limit
    if builder.physical == .int64 { builder.append(Int64(value)) } else { builder.append(value) }
  }

  mutating func timestamp(_ precision: Int, _ builder: ColumnBuilder) {
    // Years 1900 to 2200, at the precision.
    let seconds = Int64(below(9_467_000_000)) - 2_208_000_000
    var fraction: Int64 = 0
    for digit in 0..<9 { fraction = fraction * 10 + (digit < precision ? Int64(below(10)) : 0) }
    switch precision {
    case 0...3: builder.append(seconds * 1_000 + fraction / 1_000_000)
    case 4...6: builder.append(seconds * 1_000_000 + fraction / 1_000)
    default: builder.append(Int128(seconds) * 1_000_000_000 + Int128(fraction))
    }
  }

  mutating func text(limit: Int) -> String {
    let pool: [Character] =
      textIsUnicode
      ? [
        "a", "b", "Z", "0", " ", "\"", "\\", ",", "\n", "\t", "/", "é", "日", "😀", "\u{1}", "'", "{",
      ]
      : ["a", "b", "c", "Z", "0", " "]
    var text = ""
    for _ in 0..<min(limit, below(below(6) == 0 ? 60 : 10)) { text.append(pool[below(pool.count)]) }
    return text
  }
}

/// The first difference of two columns, as text; nil when they are equal, NaN to NaN.
func difference(_ a: Column, _ b: Column, _ path: String = "") -> String? {
  if a.count != b.count { return "\(path): \(a.count) rows, \(b.count) rows" }
  if a.physical != b.physical { return "\(path): \(a.physical), \(b.physical)" }
  for row in 0..<a.count {
    if let found = difference(a, row, b, row, "\(path)[\(row)]") { return found }
  }
  return nil
}

func difference(_ a: Column, _ i: Int, _ b: Column, _ j: Int, _ path: String) -> String? {
  if a.isNull(i) || b.isNull(j) {
    return a.isNull(i) == b.isNull(j) ? nil : "\(path): null on one side"
  }
  func same<T: BitwiseCopyable & Equatable>(_ type: T.Type) -> String? {
    let (x, y) = (a.pointer(type)[i], b.pointer(type)[j])
    return x == y ? nil : "\(path): \(x), \(y)"
  }
  switch a.physical {
  case .boolean, .int8: return same(Int8.self)
  case .int16: return same(Int16.self)
  case .int32: return same(Int32.self)
  case .int64: return same(Int64.self)
  case .int128: return same(Int128.self)
  case .float32:
    let (x, y) = (a.pointer(Float.self)[i], b.pointer(Float.self)[j])
    if x.isNaN && y.isNaN { return nil }
    return x.bitPattern == y.bitPattern ? nil : "\(path): \(x), \(y)"
  case .float64:
    let (x, y) = (a.pointer(Double.self)[i], b.pointer(Double.self)[j])
    if x.isNaN && y.isNaN { return nil }
    return x.bitPattern == y.bitPattern ? nil : "\(path): \(x), \(y)"
  case .bytes:
    let (x, y) = (Array(a.bytes(i)), Array(b.bytes(j)))
    return x == y
      ? nil
      : "\(path): \(String(decoding: x, as: UTF8.self)), \(String(decoding: y, as: UTF8.self))"
  case .list, .map:
    let (s, t) = (Int(a.offsets[i]), Int(b.offsets[j]))
    let count = Int(a.offsets[i + 1]) - s
    if count != Int(b.offsets[j + 1]) - t { return "\(path): lists of different lengths" }
    for k in 0..<count {
      for (x, y) in zip(a.children, b.children) {
        if let found = difference(x, s + k, y, t + k, "\(path)[\(k)]") { return found }
      }
    }
    return nil
  case .row:
    for (x, y) in zip(a.children, b.children) {
      if let found = difference(x, i, y, j, "\(path).") { return found }
    }
    return nil
  }
}

func difference(_ a: Batch, _ b: Batch) -> String? {
  if a.columns.count != b.columns.count { return "other columns" }
  for (index, field) in a.type.fields.enumerated() {
    if let found = difference(
      a.columns[index], b.columns[index], "\(field.name) \(field.type.kind)")
    {
      return found
    }
  }
  return nil
}
