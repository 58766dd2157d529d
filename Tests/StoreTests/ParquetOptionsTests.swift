import Columns
import Formats
import XCTest

@testable import Store

final class ParquetOptionsTests: XCTestCase {
  private func options(_ entries: [String: String]) throws -> ParquetWriteOptions {
    try TableOptions(entries).parquetWriteOptions(columns: ["a", "b"])
  }

  func test_options_defaultToWhatOldReadersTake() throws {
    let parquet = try options([:])
    XCTAssertEqual(parquet.codec, .zstd)
    XCTAssertFalse(parquet.deltaEncodings)
    XCTAssertFalse(parquet.dataPageV2)
    XCTAssertTrue(parquet.crc)
    XCTAssertTrue(parquet.bloomFilters.isEmpty)
  }

  func test_options_takeParquetsOwnNames() throws {
    let parquet = try options([
      "parquet.writer.version": "PARQUET_2_0", "parquet.block.size": "1 mb",
      "parquet.page.size": "4096", "parquet.enable.dictionary": "false",
      "parquet.bloom.filter.enabled#b": "true", "parquet.bloom.filter.fpp#b": "0.05",
      "file.compression": "snappy",
    ])
    XCTAssertTrue(parquet.deltaEncodings)
    XCTAssertEqual(parquet.rowGroupBytes, 1 << 20)
    XCTAssertEqual(parquet.pageBytes, 4096)
    XCTAssertFalse(parquet.dictionary)
    XCTAssertEqual(parquet.bloomFilters, ["b": 0.05])
    XCTAssertEqual(parquet.codec, .snappy)
  }

  func test_options_refuseWhatMakesNoSense() {
    let wrong = [
      ["parquet.writer.version": "3"], ["parquet.page.size": "0"],
      ["parquet.bloom.filter.enabled": "true", "parquet.bloom.filter.fpp": "1.5"],
      ["parquet.page.row.count.limit": "0"], ["file.compression": "brotli"],
    ]
    for entries in wrong { XCTAssertThrowsError(try options(entries), "\(entries)") }
  }
}
