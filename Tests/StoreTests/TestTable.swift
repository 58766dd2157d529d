import Columns
import Formats
import XCTest

@testable import Store

/// A table in memory or on disk, for tests that read and write rows.
struct TestTable {
  let environment: Environment
  let root: String

  /// Creates a table with these columns.
  init(
    _ environment: Environment, _ columns: [(String, DataType)], primaryKeys: [String] = [],
    partitionKeys: [String] = [], options: [String: String] = [:], root: String = "/wh/db.db/t"
  ) throws {
    self.environment = environment
    self.root = root
    let schema = try TableSchema.create(
      columns: RowType(columns).fields, partitionKeys: partitionKeys, primaryKeys: primaryKeys,
      options: options, timeMillis: environment.time.nowMillis())
    let schemas = SchemaDirectory(TablePath(root), environment)
    XCTAssertTrue(try schemas.publish(schema))
  }

  func open() throws -> Table { try Table.open(environment, root) }
}
