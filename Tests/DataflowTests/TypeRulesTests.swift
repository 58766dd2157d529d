import Columns
import XCTest

@testable import Dataflow

final class TypeRulesTests: XCTestCase {
  func test_arithmetic_derivesDecimalsAsFlinkDoes() {
    let (a, b) = (DataType.decimal(10, 2), DataType.decimal(8, 4))
    XCTAssertEqual(TypeRules.arithmetic("+", a, b), .decimal(13, 4))
    XCTAssertEqual(TypeRules.arithmetic("*", a, b), .decimal(19, 6))
    XCTAssertEqual(TypeRules.arithmetic("/", a, b), .decimal(23, 11))
    XCTAssertEqual(TypeRules.arithmetic("%", a, b), .decimal(8, 4))
    let (c, d) = (DataType.decimal(38, 10), DataType.decimal(38, 18))
    XCTAssertEqual(TypeRules.arithmetic("*", c, c), .decimal(38, 6))
    XCTAssertEqual(TypeRules.arithmetic("+", c, d), .decimal(38, 9))
    XCTAssertEqual(TypeRules.arithmetic("/", c, c), .decimal(38, 6))
    XCTAssertEqual(TypeRules.arithmetic("/", .int, .decimal(2, 1)), .decimal(17, 6))
    XCTAssertEqual(TypeRules.arithmetic("+", .smallint, .int), .int)
    XCTAssertEqual(TypeRules.arithmetic("*", .decimal(5, 2), .float), .double)
  }

  func test_common_widensWithinAFamilyOnly() {
    XCTAssertEqual(TypeRules.common([.int, .decimal(2, 1)]), .decimal(11, 1))
    XCTAssertEqual(TypeRules.common([.int, .decimal(5, 2)]), .decimal(12, 2))
    XCTAssertEqual(
      TypeRules.common([Expression.text("a").type, Expression.text("bcd").type]),
      DataType(.varchar(3), nullable: false))
    XCTAssertNil(TypeRules.common([.int, .string]))
    XCTAssertNil(TypeRules.comparable(.int, .string))
    XCTAssertNil(TypeRules.comparable(.timestamp(3), .date))
    XCTAssertEqual(TypeRules.comparable(.string, .date), .date)
  }
}
