/// The footer of a Parquet file (parquet.thrift, `FileMetaData`).
package struct ParquetMetadata: Sendable {
  package internal(set) var version = 1
  package internal(set) var schema: [ParquetElement] = []
  package internal(set) var rowCount = 0
  package internal(set) var rowGroups: [ParquetRowGroup] = []
  package internal(set) var keyValues: [(key: String, value: String)] = []
  package internal(set) var createdBy = ""
  /// Whether min_value and max_value are in the order the type defines.
  var hasTypeOrder = false
}

/// One line of the flattened schema tree, in depth-first order.
package struct ParquetElement: Sendable {
  package internal(set) var name = ""
  /// Nil for groups.
  package internal(set) var physical: ParquetPhysical?
  package internal(set) var typeLength = 0
  package internal(set) var repetition = ParquetRepetition.required
  package internal(set) var childCount = 0
  package internal(set) var meaning: ParquetMeaning?
  package internal(set) var fieldID: Int?
  var convertedType: Int?
  var scale = 0
  var precision = 0
}

package struct ParquetRowGroup: Sendable {
  package internal(set) var columns: [ParquetChunk] = []
  /// Bytes before compression.
  package internal(set) var byteCount = 0
  package internal(set) var rowCount = 0
  /// Number in the file of its first row.
  package internal(set) var firstRow = 0
}

/// The part of a column that a row group holds.
package struct ParquetChunk: Sendable {
  package internal(set) var physical = ParquetPhysical.boolean
  package internal(set) var path: [String] = []
  package internal(set) var encodings: [Int] = []
  package internal(set) var codec = 0
  /// Values and nulls.
  package internal(set) var valueCount = 0
  package internal(set) var uncompressedBytes = 0
  package internal(set) var compressedBytes = 0
  package internal(set) var dataPageOffset = 0
  package internal(set) var dictionaryPageOffset: Int?
  package internal(set) var statistics: ParquetStatistics?
  package internal(set) var bloomFilterOffset: Int?
  package internal(set) var bloomFilterLength: Int?
  package internal(set) var columnIndex: ParquetRange?
  package internal(set) var offsetIndex: ParquetRange?

  /// Where its first page begins.
  package var start: Int {
    // Some writers note 0 for "no dictionary".
    if let dictionary = dictionaryPageOffset, dictionary > 0, dictionary < dataPageOffset {
      return dictionary
    }
    return dataPageOffset
  }
}

package struct ParquetRange: Sendable {
  package var offset: Int
  package var count: Int
}

/// Bounds of a chunk or page, as stored: see `ParquetBound` for their values.
package struct ParquetStatistics: Sendable {
  package internal(set) var nullCount: Int?
  package internal(set) var distinctCount: Int?
  /// In the order of the type.
  package internal(set) var minValue: [UInt8]?
  package internal(set) var maxValue: [UInt8]?
  package internal(set) var isMinExact: Bool?
  package internal(set) var isMaxExact: Bool?
  /// The older fields, in signed order; to be trusted for signed numbers only.
  package internal(set) var oldMin: [UInt8]?
  package internal(set) var oldMax: [UInt8]?
}
