import Columns

/// How the stored values of a leaf become those of the wanted type. Chosen once a column.
enum ParquetConversion {
  case none
  /// Integers between widths; narrowing checks the range.
  case integers(from: Int, signed: Bool)
  /// Integers times `multiply`, or divided and rounded down.
  case scaled(from: Int, multiply: Int64, divide: Int64)
  /// Big-endian two's complement, fixed or of any length, to a decimal.
  case decimalBytes
  case int96(perSecond: Int64)
  case floatToDouble
  case halfToFloat
  case fixedToBytes

  static func from(
    _ leaf: ParquetLeaf, to wanted: DataType
  ) throws(TerraceError) -> ParquetConversion {
    if let refusal = leaf.refusal {
      throw TerraceError(.unsupported, refusal).with("column", leaf.path)
    }
    if let found = choose(leaf, wanted.kind) { return found }
    let stored = leaf.physical.name + (leaf.meaning.map { " (\($0.name))" } ?? "")
    throw TerraceError(.unsupported, "reading Parquet \(stored) as \(wanted.kind)")
      .with("column", leaf.path)
  }

  private static func choose(_ leaf: ParquetLeaf, _ wanted: DataType.Kind) -> ParquetConversion? {
    switch wanted {
    case .boolean: return leaf.physical == .boolean ? ParquetConversion.none : nil
    case .tinyint, .smallint, .int, .bigint: return integers(leaf, DataType(wanted).physical.width)
    case .float:
      if leaf.physical == .float { return ParquetConversion.none }
      return leaf.meaning == .float16 && leaf.typeLength == 2 ? .halfToFloat : nil
    case .double:
      if leaf.physical == .double { return ParquetConversion.none }
      return leaf.physical == .float ? .floatToDouble : nil
    case .decimal(let precision, let scale): return decimal(leaf, precision, scale)
    case .date:
      return leaf.physical == .int32 && [.date, nil].contains(leaf.meaning)
        ? ParquetConversion.none : nil
    case .time: return time(leaf)
    case .timestamp(let precision), .timestampLTZ(let precision): return timestamp(leaf, precision)
    case .char, .varchar, .binary, .varbinary:
      if case .decimal = leaf.meaning { return nil }
      if leaf.meaning == .float16 { return nil }
      if leaf.physical == .fixedLenByteArray { return .fixedToBytes }
      return leaf.physical == .byteArray ? ParquetConversion.none : nil
    case .array, .map, .multiset, .row: return nil
    }
  }

  private static func integers(_ leaf: ParquetLeaf, _ width: Int) -> ParquetConversion? {
    var signed = true
    switch leaf.meaning {
    // A column of unknown type holds nulls only.
    case nil, .null: break
    case .integer(_, let isSigned): signed = isSigned
    default: return nil
    }
    switch leaf.physical {
    case .int32:
      return width == 4 && signed ? ParquetConversion.none : .integers(from: 4, signed: signed)
    case .int64:
      return width == 8 && signed ? ParquetConversion.none : .integers(from: 8, signed: signed)
    default: return nil
    }
  }

  private static func decimal(
    _ leaf: ParquetLeaf, _ precision: Int, _ scale: Int
  ) -> ParquetConversion? {
    if case .integer(64, false) = leaf.meaning, leaf.physical == .int64, precision >= 20, scale == 0
    {
      return .integers(from: 8, signed: false)
    }
    guard case .decimal(let held, scale) = leaf.meaning, held <= precision else { return nil }
    switch leaf.physical {
    case .int32: return .integers(from: 4, signed: true)
    case .int64: return precision <= 18 ? ParquetConversion.none : .integers(from: 8, signed: true)
    case .byteArray: return .decimalBytes
    case .fixedLenByteArray: return .decimalBytes
    default: return nil
    }
  }

  private static func time(_ leaf: ParquetLeaf) -> ParquetConversion? {
    switch (leaf.physical, leaf.meaning) {
    case (.int32, .time(.millis, _)), (.int32, nil): return ParquetConversion.none
    case (.int64, .time(.micros, _)): return .scaled(from: 8, multiply: 1, divide: 1000)
    case (.int64, .time(.nanos, _)): return .scaled(from: 8, multiply: 1, divide: 1_000_000)
    default: return nil
    }
  }

  private static func timestamp(_ leaf: ParquetLeaf, _ precision: Int) -> ParquetConversion? {
    let wanted: ParquetTimeUnit = precision <= 3 ? .millis : precision <= 6 ? .micros : .nanos
    if leaf.physical == .int96 { return .int96(perSecond: wanted.perSecond) }
    guard leaf.physical == .int64 else { return nil }
    let unit: ParquetTimeUnit
    switch leaf.meaning {
    case .timestamp(let stored, _): unit = stored
    case nil: unit = wanted
    default: return nil
    }
    if unit == wanted && wanted != .nanos { return ParquetConversion.none }
    if unit.rawValue <= wanted.rawValue {
      return .scaled(from: 8, multiply: wanted.perSecond / unit.perSecond, divide: 1)
    }
    return .scaled(from: 8, multiply: 1, divide: unit.perSecond / wanted.perSecond)
  }
}
