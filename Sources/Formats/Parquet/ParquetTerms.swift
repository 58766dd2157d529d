/// How a value is stored (parquet.thrift, `Type`).
package enum ParquetPhysical: Int, Sendable {
  case boolean = 0
  case int32, int64, int96, float, double, byteArray, fixedLenByteArray

  package var name: String {
    switch self {
    case .boolean: "BOOLEAN"
    case .int32: "INT32"
    case .int64: "INT64"
    case .int96: "INT96"
    case .float: "FLOAT"
    case .double: "DOUBLE"
    case .byteArray: "BYTE_ARRAY"
    case .fixedLenByteArray: "FIXED_LEN_BYTE_ARRAY"
    }
  }
}

package enum ParquetRepetition: Int, Sendable {
  case required = 0
  case optional, repeated

  package var name: String {
    switch self {
    case .required: "required"
    case .optional: "optional"
    case .repeated: "repeated"
    }
  }
}

/// How the values of a page are encoded (parquet.thrift, `Encoding`).
package enum ParquetEncoding: Int, Sendable {
  case plain = 0
  case plainDictionary = 2
  case rle, bitPacked, deltaBinaryPacked, deltaLengthByteArray, deltaByteArray, rleDictionary
  case byteStreamSplit

  package var name: String {
    switch self {
    case .plain: "PLAIN"
    case .plainDictionary: "PLAIN_DICTIONARY"
    case .rle: "RLE"
    case .bitPacked: "BIT_PACKED"
    case .deltaBinaryPacked: "DELTA_BINARY_PACKED"
    case .deltaLengthByteArray: "DELTA_LENGTH_BYTE_ARRAY"
    case .deltaByteArray: "DELTA_BYTE_ARRAY"
    case .rleDictionary: "RLE_DICTIONARY"
    case .byteStreamSplit: "BYTE_STREAM_SPLIT"
    }
  }
}

package enum ParquetTimeUnit: Int, Sendable {
  case millis = 0
  case micros, nanos
  /// Units a second.
  var perSecond: Int64 {
    switch self {
    case .millis: 1000
    case .micros: 1_000_000
    case .nanos: 1_000_000_000
    }
  }
}

/// What the stored value means: the logical type, or what the older converted type says.
package enum ParquetMeaning: Hashable, Sendable {
  case string, map, list, enumeration, date, null, json, bson, uuid, float16
  case decimal(precision: Int, scale: Int)
  case time(ParquetTimeUnit, utc: Bool)
  case timestamp(ParquetTimeUnit, utc: Bool)
  case integer(bits: Int, signed: Bool)
  /// One that this reader does not know; refused when the column is read.
  case other(String)

  package var name: String {
    switch self {
    case .string: "STRING"
    case .map: "MAP"
    case .list: "LIST"
    case .enumeration: "ENUM"
    case .date: "DATE"
    case .null: "NULL"
    case .json: "JSON"
    case .bson: "BSON"
    case .uuid: "UUID"
    case .float16: "FLOAT16"
    case .decimal(let precision, let scale): "DECIMAL(\(precision), \(scale))"
    case .time(let unit, let utc): "TIME(\(unit), utc=\(utc))"
    case .timestamp(let unit, let utc): "TIMESTAMP(\(unit), utc=\(utc))"
    case .integer(let bits, let signed): "\(signed ? "INT" : "UINT")_\(bits)"
    case .other(let name): name
    }
  }
}

/// Codecs by their number in parquet.thrift.
package enum ParquetCodec {
  static func number(_ codec: Codec) -> Int {
    switch codec {
    case .none: 0
    case .snappy: 1
    case .gzip: 2
    case .zstd: 6
    case .lz4: 7
    }
  }

  package static func name(_ number: Int) -> String {
    switch number {
    case 0: "UNCOMPRESSED"
    case 1: "SNAPPY"
    case 2: "GZIP"
    case 3: "LZO"
    case 4: "BROTLI"
    case 5: "LZ4"
    case 6: "ZSTD"
    case 7: "LZ4_RAW"
    default: "codec \(number)"
    }
  }
}
