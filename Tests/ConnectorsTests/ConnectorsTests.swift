import Columns
import Store
import XCTest

@testable import Connectors

final class ConnectorsTests: XCTestCase {
  func test_source_isRefusedByNameWhenUnknown() {
    let table = ConnectorTable(
      name: "t", type: RowType([Field]()), options: ["connector": "carrier-pigeon"], folder: "/")
    XCTAssertThrowsError(try Connectors.source(table, Environment())) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .unsupported)
    }
  }
}
