import XCTest

@testable import Catalog

final class MetastoreSchemaTests: XCTestCase {
  func test_text_isTheFileOfTheRepository() {
    XCTAssertTrue(MetastoreSchema.text.contains("version 1"))
  }
}
