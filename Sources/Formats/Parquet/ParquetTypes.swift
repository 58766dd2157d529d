import Columns

/// The Paimon type of a Parquet leaf.
enum ParquetTypes {
  static func deduced(_ leaf: ParquetLeaf) -> DataType {
    switch (leaf.physical, leaf.meaning) {
    case (.boolean, _): return .boolean
    case (_, .decimal(let precision, let scale)):
      if leaf.refusal != nil { return .bytes }
      return .decimal(precision, scale)
    case (.int32, .integer(let bits, let signed)), (.int64, .integer(let bits, let signed)):
      return integer(bits, signed)
    case (.int32, .date): return .date
    case (.int32, .time), (.int64, .time):
      return DataType(.time(3))
    case (.int64, .timestamp(let unit, let utc)):
      let precision = [3, 6, 9][unit.rawValue]
      return DataType(utc ? .timestampLTZ(precision) : .timestamp(precision))
    case (.int32, _): return .int
    case (.int64, _): return .bigint
    case (.int96, _): return .timestamp(9)
    case (.float, _): return .float
    case (.double, _): return .double
    case (.fixedLenByteArray, .float16) where leaf.typeLength == 2: return .float
    case (.fixedLenByteArray, .string), (.byteArray, .string): return .string
    case (.byteArray, .enumeration), (.byteArray, .json): return .string
    case (.fixedLenByteArray, _): return DataType(.binary(leaf.typeLength))
    case (.byteArray, _): return .bytes
    }
  }

  private static func integer(_ bits: Int, _ signed: Bool) -> DataType {
    switch (bits, signed) {
    case (8, true): .tinyint
    case (8, false), (16, true): .smallint
    case (16, false), (32, true): .int
    case (32, false), (64, true): .bigint
    default: .decimal(20, 0)
    }
  }
}
