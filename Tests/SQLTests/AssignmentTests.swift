import Columns
import Dataflow
import XCTest

@testable import SQL

/// Which types go into columns of which without a CAST.
final class AssignmentTests: XCTestCase {
  /// What `INSERT INTO s SELECT c` of Flink 2.3 plans, of all pairs of these types; it refuses the others.
  private static let taken = """
    BOOLEAN → BOOLEAN
    TINYINT → TINYINT | SMALLINT | INT | BIGINT | FLOAT | DOUBLE | DECIMAL(10,2) |
      DECIMAL(4,2) | DECIMAL(38,10)
    SMALLINT → SMALLINT | INT | BIGINT | FLOAT | DOUBLE | DECIMAL(10,2) | DECIMAL(4,2) |
      DECIMAL(38,10)
    INT → INT | BIGINT | FLOAT | DOUBLE | DECIMAL(10,2) | DECIMAL(4,2) | DECIMAL(38,10)
    BIGINT → BIGINT | FLOAT | DOUBLE | DECIMAL(10,2) | DECIMAL(4,2) | DECIMAL(38,10)
    FLOAT → FLOAT | DOUBLE | DECIMAL(10,2) | DECIMAL(4,2) | DECIMAL(38,10)
    DOUBLE → DOUBLE | DECIMAL(10,2) | DECIMAL(4,2) | DECIMAL(38,10)
    DECIMAL(10,2) → FLOAT | DOUBLE | DECIMAL(10,2) | DECIMAL(4,2) | DECIMAL(38,10)
    DECIMAL(4,2) → FLOAT | DOUBLE | DECIMAL(10,2) | DECIMAL(4,2) | DECIMAL(38,10)
    DECIMAL(38,10) → FLOAT | DOUBLE | DECIMAL(10,2) | DECIMAL(4,2) | DECIMAL(38,10)
    CHAR(3) → CHAR(3) | CHAR(5) | VARCHAR(3) | VARCHAR(5) | STRING
    CHAR(5) → CHAR(3) | CHAR(5) | VARCHAR(3) | VARCHAR(5) | STRING
    VARCHAR(3) → VARCHAR(3) | VARCHAR(5) | STRING
    VARCHAR(5) → VARCHAR(3) | VARCHAR(5) | STRING
    STRING → VARCHAR(3) | VARCHAR(5) | STRING
    BINARY(3) → BINARY(3) | BINARY(5) | VARBINARY(3) | BYTES
    BINARY(5) → BINARY(3) | BINARY(5) | VARBINARY(3) | BYTES
    VARBINARY(3) → VARBINARY(3) | BYTES
    BYTES → VARBINARY(3) | BYTES
    DATE → DATE
    TIME(0) → TIME(0) | TIME(3)
    TIME(3) → TIME(0) | TIME(3)
    TIMESTAMP(0) → DATE | TIME(0) | TIME(3) | TIMESTAMP(0) | TIMESTAMP(3) | TIMESTAMP(6) |
      TIMESTAMP_LTZ(0) | TIMESTAMP_LTZ(3) | TIMESTAMP_LTZ(6)
    TIMESTAMP(3) → DATE | TIME(0) | TIME(3) | TIMESTAMP(0) | TIMESTAMP(3) | TIMESTAMP(6) |
      TIMESTAMP_LTZ(0) | TIMESTAMP_LTZ(3) | TIMESTAMP_LTZ(6)
    TIMESTAMP(6) → DATE | TIME(0) | TIME(3) | TIMESTAMP(0) | TIMESTAMP(3) | TIMESTAMP(6) |
      TIMESTAMP_LTZ(0) | TIMESTAMP_LTZ(3) | TIMESTAMP_LTZ(6)
    TIMESTAMP_LTZ(0) → TIMESTAMP(0) | TIMESTAMP(3) | TIMESTAMP(6) | TIMESTAMP_LTZ(0) |
      TIMESTAMP_LTZ(3) | TIMESTAMP_LTZ(6)
    TIMESTAMP_LTZ(3) → TIMESTAMP(0) | TIMESTAMP(3) | TIMESTAMP(6) | TIMESTAMP_LTZ(0) |
      TIMESTAMP_LTZ(3) | TIMESTAMP_LTZ(6)
    TIMESTAMP_LTZ(6) → TIMESTAMP(0) | TIMESTAMP(3) | TIMESTAMP(6) | TIMESTAMP_LTZ(0) |
      TIMESTAMP_LTZ(3) | TIMESTAMP_LTZ(6)
    ARRAY<INT> → ARRAY<INT> | ARRAY<BIGINT> | ARRAY<INT NOT NULL>
    ARRAY<BIGINT> → ARRAY<BIGINT>
    ARRAY<INT NOT NULL> → ARRAY<INT> | ARRAY<BIGINT> | ARRAY<INT NOT NULL>
    MAP<INT,INT> → MAP<INT,INT> | MAP<INT,BIGINT> | MAP<BIGINT,INT>
    MAP<INT,BIGINT> → MAP<INT,BIGINT>
    MAP<BIGINT,INT> → MAP<BIGINT,INT>
    MULTISET<INT> → MULTISET<INT>
    ROW<a INT,b STRING> → ROW<a INT,b STRING> | ROW<c BIGINT,d STRING> | ROW<a INT NOT
      NULL,b STRING>
    ROW<c BIGINT,d STRING> → ROW<c BIGINT,d STRING>
    ROW<a INT> → ROW<a INT>
    ROW<a INT NOT NULL,b STRING> → ROW<a INT,b STRING> | ROW<c BIGINT,d STRING> | ROW<a INT
      NOT NULL,b STRING>
    """

  private func pairs() throws -> [(from: String, to: Set<String>)] {
    var lines: [String] = []
    for line in AssignmentTests.taken.split(separator: "\n") {
      if line.contains("→") {
        lines.append(String(line))
      } else {
        lines[lines.count - 1] += " " + line.drop { $0 == " " }
      }
    }
    return try lines.map { line in
      let parts = line.components(separatedBy: " → ")
      return (parts[0], Set(try XCTUnwrap(parts.last).components(separatedBy: " | ")))
    }
  }

  private func type(_ text: String) throws -> DataType {
    let source = SourceText("CREATE TABLE s (c \(text))", name: "s.sql")
    guard case .createTable(let create) = try Parser.script(source)[0].kind else {
      throw TerraceError(.invalid, "no CREATE TABLE")
    }
    let binder = Binder(source, resolver: TestCatalog(), isStreaming: false)
    return try binder.shape(of: create.definition).type.fields[0].type
  }

  func test_assign_takesWhatFlinkTakes() throws {
    let pairs = try pairs()
    XCTAssertEqual(pairs.count, 39)
    for (from, taken) in pairs {
      for (to, _) in pairs {
        XCTAssertEqual(
          TypeRules.canAssign(try type(from), try type(to)), taken.contains(to), "\(from) → \(to)")
      }
    }
  }

  func test_assign_isCheckedWhereTheTypesAreGiven() throws {
    XCTAssertEqual(
      TestCatalog.complaint("INSERT INTO u (a, z) VALUES (1.5, 2)"),
      """
      q.sql:1:30: column 1 of the query, 'EXPR$0', is DECIMAL(2, 1) and does not fit column 'a' of 'u', which is INT
        INSERT INTO u (a, z) VALUES (1.5, 2)
                                     ^^^
      hint: write CAST(1.5 AS INT)
      """)
    XCTAssertNil(TestCatalog.complaint("INSERT INTO u (a, z) VALUES (CAST(1.5 AS INT), 2)"))
  }
}
