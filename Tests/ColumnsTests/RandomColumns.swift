import Columns

/// A seeded generator (splitmix64, Steele and others 2014), so that a failure can be run again.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

enum RandomColumns {
  static let scalarTypes: [DataType] = [
    .boolean, .tinyint, .smallint, .int, .bigint, .float, .double, .decimal(9, 2),
    .decimal(18, 4), .decimal(38, 10), .string, .bytes, .date, .timestamp(3), .timestamp(6),
    .timestamp(9),
  ]

  /// Few distinct values and the extremes, so that rows meet.
  static func scalar(_ type: DataType, _ random: inout SeededRandom) -> Scalar {
    if type.isNullable, Int.random(in: 0..<6, using: &random) == 0 { return .null }
    let small = Int64.random(in: -3...3, using: &random)
    let extreme = Int.random(in: 0..<10, using: &random) == 0
    switch type.physical {
    case .boolean: return .boolean(Bool.random(using: &random))
    case .int8: return .int(extreme ? Int64(Int8.min) : small)
    case .int16: return .int(extreme ? Int64(Int16.max) : small)
    case .int32: return .int(extreme ? Int64(Int32.min) : small)
    case .int64: return .int(extreme ? Int64.min : small)
    case .int128: return .int128(extreme ? Int128(Int64.min) * 3 : Int128(small))
    case .float32:
      return .float(
        [0.0, -0.0, 1.5, -1.5, .nan, .infinity, -.infinity].randomElement(using: &random) ?? 0)
    case .float64:
      return .double(
        [0.0, -0.0, 1.5, -2.5, .nan, .infinity, -.infinity].randomElement(using: &random) ?? 0)
    case .bytes:
      let length = Int.random(in: 0...12, using: &random)
      let alphabet: [UInt8] = [0, 1, 97, 98, 255]
      return .bytes((0..<length).map { _ in alphabet.randomElement(using: &random) ?? 0 })
    case .list, .map, .row: preconditionFailure("no scalar")
    }
  }

  static func column(_ type: DataType, count: Int, _ random: inout SeededRandom) -> Column {
    let builder = ColumnBuilder(type)
    for _ in 0..<count { append(type, builder, &random) }
    return builder.finish()
  }

  static func append(_ type: DataType, _ builder: ColumnBuilder, _ random: inout SeededRandom) {
    switch type.kind {
    case .array, .map:
      if type.isNullable, Int.random(in: 0..<5, using: &random) == 0 { return builder.appendNull() }
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        for child in builder.children { append(child.type, child, &random) }
      }
      builder.endList()
    case .row:
      if type.isNullable, Int.random(in: 0..<5, using: &random) == 0 { return builder.appendNull() }
      for child in builder.children { append(child.type, child, &random) }
      builder.endRow()
    default: builder.append(scalar(type, &random))
    }
  }

  /// A value as text, for comparing columns in tests.
  static func describe(_ column: Column, _ row: Int) -> String {
    if column.isNull(row) { return "null" }
    switch column.physical {
    case .list, .map:
      return "["
        + column.listRange(row).map { i in
          column.children.map { describe($0, i) }.joined(separator: ":")
        }.joined(separator: ",") + "]"
    case .row: return "{" + column.children.map { describe($0, row) }.joined(separator: ",") + "}"
    default: return "\(column.scalar(row))"
    }
  }

  static func describe(_ column: Column) -> [String] {
    (0..<column.count).map { describe(column, $0) }
  }

  static let nested: DataType = .array(
    .row([
      Field(id: 0, name: "a", type: .string),
      Field(id: 1, name: "b", type: .map(.int.notNull, .double)),
    ]))
}
