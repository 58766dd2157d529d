import Columns
import XCTest

@testable import Store

final class CastTests: XCTestCase {
  private func column(_ type: DataType, _ values: [Scalar]) -> Column {
    let builder = ColumnBuilder(type)
    for value in values { builder.append(value) }
    return builder.finish()
  }

  private func check(
    _ from: DataType, _ values: [Scalar], _ to: DataType, _ expected: [Scalar],
    line: UInt = #line
  ) throws {
    let cast = try Cast.apply(column(from, values), to: to)
    XCTAssertEqual(cast.type, to, line: line)
    XCTAssertEqual((0..<cast.count).map { cast.scalar($0) }, expected, line: line)
  }

  func test_apply_widensIntegers() throws {
    try check(.tinyint, [.int(-128), .null, .int(127)], .bigint, [.int(-128), .null, .int(127)])
    try check(.int, [.int(7)], .double, [.double(7)])
    try check(.int, [.int(-7), .null], .decimal(12, 2), [.int(-700), .null])
    try check(.bigint, [.int(.max)], .decimal(38, 4), [.int128(Int128(Int64.max) * 10000)])
    try check(.smallint, [.int(12)], .string, [.text("12")])
  }

  func test_apply_wrapsWhatNarrowsAsJavaDoes() throws {
    try check(.bigint, [.int(4_294_967_298)], .int, [.int(2)])
    try check(
      .double, [.double(1e300), .double(.nan), .double(-2.9)], .int,
      [
        .int(2_147_483_647), .int(0), .int(-2),
      ])
  }

  func test_apply_roundsDecimalsHalfUpAndDropsWhatDoesNotFit() throws {
    try check(
      .decimal(10, 3), [.int(1235), .int(-1235), .int(1234)], .decimal(10, 2),
      [
        .int(124), .int(-124), .int(123),
      ])
    try check(.decimal(10, 0), [.int(12345)], .decimal(5, 2), [.null])
    try check(.decimal(10, 2), [.int(1299)], .int, [.int(12)])
    try check(.decimal(10, 2), [.int(-5)], .string, [.text("-0.05")])
    try check(.double, [.double(1.005)], .decimal(5, 2), [.int(101)])
  }

  func test_apply_movesDatesAndTimestamps() throws {
    try check(.date, [.int(-1), .null], .timestamp(3), [.int(-86_400_000), .null])
    try check(.timestamp(3), [.int(-1)], .date, [.int(-1)])
    try check(.timestamp(3), [.int(-1)], .timestamp(9), [.int128(-1_000_000)])
    try check(.timestamp(6), [.int(-1)], .timestamp(0), [.int(-1000)])
    try check(.timestamp(6), [.int(1_234_567)], .timestamp(4), [.int(1_234_500)])
    try check(
      .timestamp(3), [.int(1_700_000_000_123)], .string,
      [
        .text("2023-11-14 22:13:20.123")
      ])
    try check(.date, [.int(-719_528)], .string, [.text("0000-01-01")])
  }

  func test_apply_cutsAndPadsText() throws {
    try check(.string, [.text("héllo"), .null], DataType(.varchar(2)), [.text("hé"), .null])
    try check(.string, [.text("a")], DataType(.char(3)), [.text("a  ")])
    try check(DataType(.varchar(5)), [.text("abc")], .string, [.text("abc")])
    try check(.bytes, [.bytes([1, 2, 3])], DataType(.varbinary(2)), [.bytes([1, 2])])
  }

  func test_apply_writesFloatsAsJavaDoes() throws {
    try check(
      .double,
      [
        .double(1e10), .double(0.1), .double(123456), .double(-0.0), .double(1.5e-5),
        .double(.infinity), .double(1234567), .double(12345678),
      ], .string,
      [
        .text("1.0E10"), .text("0.1"), .text("123456.0"), .text("-0.0"), .text("1.5E-5"),
        .text("Infinity"), .text("1234567.0"), .text("1.2345678E7"),
      ])
  }

  func test_apply_readsNumbersFromText() throws {
    try check(.string, [.text(" 12 "), .text("x"), .text("1e3")], .int, [.int(12), .null, .null])
    try check(
      .string, [.text("1.255"), .text("1e3")], .decimal(10, 2), [.int(126), .int(100_000)])
    try check(.string, [.text("TRUE"), .text("maybe")], .boolean, [.boolean(true), .null])
  }

  func test_apply_matchesRowMembersById() throws {
    let old = DataType.row([
      Field(id: 5, name: "a", type: .int), Field(id: 6, name: "gone", type: .int),
    ])
    let new = DataType.row([
      Field(id: 9, name: "fresh", type: .string), Field(id: 5, name: "renamed", type: .bigint),
    ])
    let builder = ColumnBuilder(old)
    builder.children[0].append(Int32(4))
    builder.children[1].append(Int32(5))
    builder.endRow()
    builder.appendNull()
    let cast = try Cast.apply(builder.finish(), to: new)
    XCTAssertEqual(cast.children[1].scalar(0), .int(4))
    XCTAssertTrue(cast.children[0].isNull(0))
    XCTAssertTrue(cast.isNull(1))
  }

  func test_apply_refusesWhatHasNoMeaning() {
    XCTAssertThrowsError(try Cast.apply(column(.date, []), to: .boolean)) { error in
      XCTAssertEqual((error as? TerraceError)?.kind, .unsupported)
    }
  }
}
