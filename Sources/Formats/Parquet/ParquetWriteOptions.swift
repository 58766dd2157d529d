package import Columns

/// How to write a Parquet file. The defaults make files that Java Paimon 0.9 and pypaimon read:
/// version 1 pages, PLAIN and dictionary encodings only.
package struct ParquetWriteOptions: Sendable {
  package var codec = Codec.zstd
  /// Of zstd and gzip.
  package var level = 1
  /// Try a dictionary for every column; it is given up where it does not pay.
  package var dictionary = true
  /// A dictionary that grows over this is closed, and the values after it go plain.
  package var dictionaryBytes = 1 << 20
  /// Use the DELTA encodings and BYTE_STREAM_SPLIT where they are smaller. Java Paimon 0.9 cannot
  /// read them in columns that are not nested.
  package var deltaEncodings = false
  /// Java Paimon 0.9 cannot read version 2 pages of booleans.
  package var dataPageV2 = false
  /// A page is closed at this many bytes before compression, or at this many rows.
  package var pageBytes = 1 << 20
  package var pageRows = 20_000
  /// A row group is closed at this many bytes before compression, or at this many rows.
  package var rowGroupBytes = 128 << 20
  package var rowGroupRows = Int.max
  package var crc = true
  package var pageIndex = true
  /// Top-level columns of which the bounds of each page are written; nil for all. The places of pages are
  /// written for all columns.
  package var boundedColumns: Set<String>?
  /// False-positive rates by the dotted path of the column.
  package var bloomFilters: [String: Double] = [:]
  /// Makes a lookup index, if the file has no nested columns.
  package var lookup: ParquetLookupOptions?
  package var keyValues: [(String, String)] = []
  package var fieldIDs = true
  package var createdBy = "terrace"

  package init() {}
}

/// What was written.
package struct ParquetSummary: Sendable {
  package var rows = 0
  package var byteCount = 0
  /// One a top-level field, bounds in full; of nested fields the null count only.
  package var columns: [ColumnStatistics] = []
}
