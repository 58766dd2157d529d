import Columns
import Warehouse
import XCTest

final class ColumnListTextTests: XCTestCase {
  func test_init_readsNamesTypesAndComments() throws {
    let list = try ColumnListText(
      """
      id BIGINT NOT NULL, `order by` decimal(10, 2) COMMENT 'it''s, paid',
      m MAP<STRING, ROW<a INT 'x, y', b ARRAY<INT>>>, 名 STRING, PRIMARY KEY (id, 名) NOT ENFORCED
      """)
    XCTAssertEqual(list.fields.map(\.name), ["id", "order by", "m", "名"])
    XCTAssertEqual(list.fields[0].type, DataType.bigint.notNull)
    XCTAssertEqual(list.fields[1].type, DataType.decimal(10, 2))
    XCTAssertEqual(list.fields[1].comment, "it's, paid")
    XCTAssertEqual(list.primaryKeys, ["id", "名"])
  }

  func test_init_pointsAtTheMistake() {
    for (text, column, hint) in [
      ("id BIGIN", "4", "did you mean BIGINT?"), ("id", "1", nil), ("id INT, id INT", "9", nil),
      ("id INT,", "8", nil), ("", "1", nil), ("id text", "4", "did you mean STRING?"),
      ("id DECIMAL(40, 2)", "4", ""), ("1 INT, (", "8", nil), ("id INT COMMENT x", "8", nil),
      ("`id INT", "1", nil), ("id INT, PRIMARY KEY id", "9", nil),
    ] as [(String, String, String?)] {
      XCTAssertThrowsError(try ColumnListText(text), text) { thrown in
        let error = thrown as? TerraceError
        XCTAssertEqual(error?.kind, .invalid, text)
        XCTAssertEqual(error?.fact("column"), column, text)
        if let hint { XCTAssertEqual(error?.hint, hint, text) }
      }
    }
  }
}
