package import Columns
package import Formats

/// How a table's options say that its Parquet files are written: `file.compression` and its level,
/// and the names that parquet-mr gives its own settings.
extension TableOptions {
  package func parquetWriteOptions(
    columns: [String]
  ) throws(TerraceError) -> ParquetWriteOptions {
    var parquet = ParquetWriteOptions()
    switch fileCompression {
    case "none", "uncompressed", "null": parquet.codec = .none
    case let name:
      guard let codec = Codec(rawValue: name) else {
        throw TerraceError(.unsupported, "file.compression \(name)")
      }
      parquet.codec = codec
    }
    parquet.level = try zstdLevel
    try setEncodings(&parquet)
    try setSizes(&parquet)
    try setBloomFilters(&parquet, columns)
    let bounds = "parquet.column.statistics.enabled"
    let everywhere = try flag(bounds, true)
    var bounded: Set<String> = []
    for column in columns where try flag("\(bounds)#\(column)", everywhere) {
      bounded.insert(column)
    }
    parquet.boundedColumns = everywhere && bounded.count == columns.count ? nil : bounded
    return parquet
  }

  /// Version 2 means DELTA encodings and version 2 pages, as it does for parquet-mr.
  private func setEncodings(_ parquet: inout ParquetWriteOptions) throws(TerraceError) {
    parquet.dictionary = try flag("parquet.enable.dictionary", true)
    parquet.crc = try flag("parquet.page.write-checksum.enabled", true)
    switch text("parquet.writer.version", "v1").lowercased() {
    case "v1", "parquet_1_0": break
    case "v2", "parquet_2_0":
      parquet.deltaEncodings = true
      parquet.dataPageV2 = true
    case let version:
      throw TerraceError(
        .invalid, "parquet.writer.version is “\(version)”", hint: "PARQUET_1_0 or PARQUET_2_0")
    }
  }

  private func setSizes(_ parquet: inout ParquetWriteOptions) throws(TerraceError) {
    func size(_ name: String) throws(TerraceError) -> Int? {
      guard let size = try bytes(name) else { return nil }
      if size < 1 { throw TerraceError(.invalid, "\(name) must be positive").with(name, size) }
      return size
    }
    // A row group waits in memory until it is whole, once a bucket that is written or compacted.
    parquet.rowGroupBytes = try size("parquet.block.size") ?? 16 << 20
    if let group = try fileBlockBytes { parquet.rowGroupBytes = group }
    if let page = try size("parquet.page.size") { parquet.pageBytes = page }
    if let dictionary = try size("parquet.dictionary.page.size") {
      parquet.dictionaryBytes = dictionary
    }
    // Smaller than parquet-mr's 20,000 rows: key ranges and lookups touch few pages.
    parquet.pageRows = try int("parquet.page.row.count.limit") ?? 8192
    if parquet.pageRows < 1 {
      throw TerraceError(.invalid, "parquet.page.row.count.limit must be positive")
        .with("parquet.page.row.count.limit", parquet.pageRows)
    }
  }

  /// `…#column` is for one column, the bare name for all.
  private func setBloomFilters(
    _ parquet: inout ParquetWriteOptions, _ columns: [String]
  ) throws(TerraceError) {
    let enabled = "parquet.bloom.filter.enabled"
    let rate = "parquet.bloom.filter.fpp"
    let everywhere = try flag(enabled, false)
    let common = try number(rate) ?? 0.01
    for column in columns where try flag("\(enabled)#\(column)", everywhere) {
      let fpp = try number("\(rate)#\(column)") ?? common
      guard fpp > 0, fpp < 1 else {
        throw TerraceError(.invalid, "\(rate) lies between 0 and 1").with("column", column)
          .with("fpp", fpp)
      }
      parquet.bloomFilters[column] = fpp
    }
  }
}
