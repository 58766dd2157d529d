import XCTest

@testable import SQL

final class DialectTests: XCTestCase {
  func test_flinkVersion_isTheOneWeFollow() { XCTAssertEqual(Dialect.flinkVersion, "2.3") }
}
