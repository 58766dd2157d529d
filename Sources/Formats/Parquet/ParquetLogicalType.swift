import Columns

/// The union `LogicalType` and the older enum `ConvertedType` of parquet.thrift.
enum ParquetLogicalType {
  static func read(
    _ reader: inout ThriftReader, _ kind: ThriftReader.Kind
  ) throws(TerraceError) -> ParquetMeaning? {
    try reader.expect(kind, .structure)
    var meaning: ParquetMeaning?
    try reader.fields { r, id, kind throws(TerraceError) in
      try r.expect(kind, .structure)
      switch id {
      case 5: meaning = try decimal(&r)
      case 7: meaning = try clock(&r, timestamp: false)
      case 8: meaning = try clock(&r, timestamp: true)
      case 10: meaning = try integer(&r)
      default:
        meaning = plain[id] ?? .other("logical type \(id)")
        try r.skip(kind)
      }
    }
    return meaning
  }

  private static let plain: [Int: ParquetMeaning] = [
    1: .string, 2: .map, 3: .list, 4: .enumeration, 6: .date, 11: .null, 12: .json, 13: .bson,
    14: .uuid, 15: .float16, 16: .other("VARIANT"), 17: .other("GEOMETRY"),
    18: .other("GEOGRAPHY"),
  ]

  private static func decimal(
    _ reader: inout ThriftReader
  ) throws(TerraceError) -> ParquetMeaning {
    var precision = 0
    var scale = 0
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1: scale = try r.int(kind)
      case 2: precision = try r.int(kind)
      default: try r.skip(kind)
      }
    }
    return .decimal(precision: precision, scale: scale)
  }

  private static func clock(
    _ reader: inout ThriftReader, timestamp: Bool
  ) throws(TerraceError) -> ParquetMeaning {
    var utc = false
    var unit = ParquetTimeUnit.millis
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1: utc = try r.bool(kind)
      case 2:
        try r.expect(kind, .structure)
        try r.fields { r, id, kind throws(TerraceError) in
          guard let found = ParquetTimeUnit(rawValue: id - 1) else {
            throw r.broken("unknown time unit \(id)")
          }
          unit = found
          try r.skip(kind)
        }
      default: try r.skip(kind)
      }
    }
    return timestamp ? .timestamp(unit, utc: utc) : .time(unit, utc: utc)
  }

  private static func integer(
    _ reader: inout ThriftReader
  ) throws(TerraceError) -> ParquetMeaning {
    var bits = 0
    var signed = true
    try reader.fields { r, id, kind throws(TerraceError) in
      switch id {
      case 1: bits = try r.int(kind)
      case 2: signed = try r.bool(kind)
      default: try r.skip(kind)
      }
    }
    return .integer(bits: bits, signed: signed)
  }

  static func meaning(converted: Int, precision: Int, scale: Int) -> ParquetMeaning {
    switch converted {
    case 0: .string
    case 1, 2: .map
    case 3: .list
    case 4: .enumeration
    case 5: .decimal(precision: precision, scale: scale)
    case 6: .date
    case 7: .time(.millis, utc: true)
    case 8: .time(.micros, utc: true)
    case 9: .timestamp(.millis, utc: true)
    case 10: .timestamp(.micros, utc: true)
    case 11...14: .integer(bits: 8 << (converted - 11), signed: false)
    case 15...18: .integer(bits: 8 << (converted - 15), signed: true)
    case 19: .json
    case 20: .bson
    case 21: .other("INTERVAL")
    default: .other("converted type \(converted)")
    }
  }

  /// The converted type that says the same, for older readers.
  static func converted(_ meaning: ParquetMeaning) -> Int? {
    switch meaning {
    case .string: 0
    case .map: 1
    case .list: 3
    case .enumeration: 4
    case .decimal: 5
    case .date: 6
    // Converted times and timestamps are in UTC by definition.
    case .time(.millis, true): 7
    case .time(.micros, true): 8
    case .timestamp(.millis, true): 9
    case .timestamp(.micros, true): 10
    case .integer(let bits, let signed):
      switch bits {
      case 8: signed ? 15 : 11
      case 16: signed ? 16 : 12
      case 32: signed ? 17 : 13
      default: signed ? 18 : 14
      }
    case .json: 19
    case .bson: 20
    default: nil
    }
  }

  static func write(_ meaning: ParquetMeaning, _ id: Int, _ w: inout ThriftWriter) {
    w.structure(id) { w in
      switch meaning {
      case .decimal(let precision, let scale):
        w.structure(5) { w in
          w.i32(1, scale)
          w.i32(2, precision)
        }
      case .time(let unit, let utc): clock(7, unit, utc, &w)
      case .timestamp(let unit, let utc): clock(8, unit, utc, &w)
      case .integer(let bits, let signed):
        w.structure(10) { w in
          w.i8(1, bits)
          w.bool(2, signed)
        }
      default:
        if let found = plain.first(where: { $0.value == meaning }) {
          w.structure(found.key) { _ in }
        }
      }
    }
  }

  private static func clock(
    _ id: Int, _ unit: ParquetTimeUnit, _ utc: Bool, _ w: inout ThriftWriter
  ) {
    w.structure(id) { w in
      w.bool(1, utc)
      w.structure(2) { w in w.structure(unit.rawValue + 1) { _ in } }
    }
  }
}
