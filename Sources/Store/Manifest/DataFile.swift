import Columns

/// What a manifest says about one data or changelog file (Paimon `DataFileMeta`, record `_FILE`).
package struct DataFile: Hashable, Sendable {
  package enum Source: Int8, Sendable { case append = 0, compact = 1 }

  /// Bare name inside the bucket folder.
  package var name: String
  package var byteCount: Int64
  /// Physical rows, deletes included.
  package var rowCount: Int64
  /// Trimmed primary key of the first and last row: BinaryRow with its arity before it.
  package var minKey: [UInt8]
  package var maxKey: [UInt8]
  package var keyStats: SimpleStats
  package var valueStats: SimpleStats
  package var minSequence: Int64
  package var maxSequence: Int64
  /// The schema that the file was written with.
  package var schemaID: Int
  package var level: Int
  /// Files that live and die with this one, such as `data-….parquet.index`.
  package var extraFiles: [String] = []
  /// Wall clock of the writer in its time zone, as if that were UTC; for ordering only.
  package var creationMillis: Int64?
  /// Rows of kind -U or -D.
  package var deleteRowCount: Int64?
  package var embeddedIndex: [UInt8]?
  /// An upgraded file keeps `append`.
  package var source: Source?
  /// Columns that `valueStats` covers, in its order; nil: all columns of the schema.
  package var valueStatsColumns: [String]?
  /// Full path of a file outside the table's folder.
  package var externalPath: String?
  package var firstRowID: Int64?
  package var writeColumns: [String]?
  package var writeColumnSequences: [Int64]?

  package init(
    name: String, byteCount: Int64, rowCount: Int64, minKey: [UInt8] = SimpleStats.emptyRow,
    maxKey: [UInt8] = SimpleStats.emptyRow, keyStats: SimpleStats = .empty,
    valueStats: SimpleStats = .empty, minSequence: Int64, maxSequence: Int64, schemaID: Int,
    level: Int, extraFiles: [String] = [], creationMillis: Int64? = nil,
    deleteRowCount: Int64? = nil, embeddedIndex: [UInt8]? = nil, source: Source? = nil,
    valueStatsColumns: [String]? = nil, externalPath: String? = nil, firstRowID: Int64? = nil,
    writeColumns: [String]? = nil, writeColumnSequences: [Int64]? = nil
  ) {
    self.name = name
    self.byteCount = byteCount
    self.rowCount = rowCount
    self.minKey = minKey
    self.maxKey = maxKey
    self.keyStats = keyStats
    self.valueStats = valueStats
    self.minSequence = minSequence
    self.maxSequence = maxSequence
    self.schemaID = schemaID
    self.level = level
    self.extraFiles = extraFiles
    self.creationMillis = creationMillis
    self.deleteRowCount = deleteRowCount
    self.embeddedIndex = embeddedIndex
    self.source = source
    self.valueStatsColumns = valueStatsColumns
    self.externalPath = externalPath
    self.firstRowID = firstRowID
    self.writeColumns = writeColumns
    self.writeColumnSequences = writeColumnSequences
  }

  /// The same file on another level: an upgrade is a DELETE of the old and an ADD of the new.
  package func onLevel(_ level: Int) -> DataFile {
    var copy = self
    copy.level = level
    return copy
  }
}

/// Bounds and null counts as manifests hold them: two BinaryRows, each with its arity before it.
package struct SimpleStats: Hashable, Sendable {
  package var minValues: [UInt8]
  package var maxValues: [UInt8]
  package var nullCounts: [Int64?]?

  package init(minValues: [UInt8], maxValues: [UInt8], nullCounts: [Int64?]?) {
    self.minValues = minValues
    self.maxValues = maxValues
    self.nullCounts = nullCounts
  }

  /// A row of no fields: arity 0 and eight zero bytes.
  package static let emptyRow = [UInt8](repeating: 0, count: 12)
  package static let empty = SimpleStats(
    minValues: emptyRow, maxValues: emptyRow, nullCounts: [])
}
