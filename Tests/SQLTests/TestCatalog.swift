import Columns
import Dataflow

@testable import SQL

/// A small fixed catalog.
struct TestCatalog: TableResolver {
  static let text = SourceText(
    """
    CREATE TABLE bid (
      auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING,
      ts TIMESTAMP(3), extra STRING, WATERMARK FOR ts AS ts - INTERVAL '4' SECOND);
    CREATE TABLE auction (
      id BIGINT, itemName STRING, seller BIGINT, category BIGINT, ts TIMESTAMP(3), expires TIMESTAMP(3),
      PRIMARY KEY (id) NOT ENFORCED);
    CREATE TABLE person (id BIGINT NOT NULL, name STRING, city STRING, state STRING);
    CREATE TABLE t (
      a INT, b STRING, c DECIMAL(10, 2), d DOUBLE, e BIGINT NOT NULL, f BOOLEAN, g DATE,
      h ARRAY<INT>, i MAP<STRING, INT>, j ROW<x INT, y STRING>, k DECIMAL(8, 4), l SMALLINT,
      m TINYINT, n FLOAT, o TIMESTAMP(3), p CHAR(3), q VARCHAR(5) NOT NULL,
      PRIMARY KEY (e) NOT ENFORCED);
    CREATE TABLE u (a INT, b STRING, z INT NOT NULL);
    """, name: "catalog.sql")

  /// Shapes by name; PK tables take updates.
  static let shapes: [String: TableShape] = {
    var shapes: [String: TableShape] = [:]
    do {
      for statement in try Parser.script(text) {
        guard case .createTable(let create) = statement.kind else { continue }
        let binder = Binder(text, resolver: TestCatalog(), isStreaming: true)
        shapes[create.name.text] = try binder.shape(of: create.definition)
      }
    } catch {
      preconditionFailure("\(error)")
    }
    return shapes
  }()

  func resolve(_ reference: TableReference) throws(TerraceError) -> ResolvedTable? {
    guard let name = reference.path.last else { return nil }
    if name == "v" {
      let text = SourceText("SELECT a, COUNT(*) AS n FROM t GROUP BY a", name: "v.sql")
      return .view(try Parser.query(text), text, columns: ["a", "n"])
    }
    if name == "circle" {
      let text = SourceText("SELECT * FROM circle", name: "circle.sql")
      return .view(try Parser.query(text), text, columns: [])
    }
    guard let shape = TestCatalog.shapes[name] else { return nil }
    if let option = reference.options.first(where: { $0.key == "bad" }) {
      throw TerraceError(.invalid, "unknown option '\(option.key)'")
    }
    return .table(
      shape.bound(reference: name, isAppendOnly: shape.primaryKey.isEmpty, text: TestCatalog.text))
  }

  var tableNames: [String] { ["bid", "auction", "person", "t", "u", "v"] }

  /// The plan of a query over this catalog.
  static func bind(_ text: String, streaming: Bool = false) throws(TerraceError) -> BoundQuery {
    let source = SourceText(text, name: "q.sql")
    let query = try Parser.query(source)
    return try Binder(source, resolver: TestCatalog(), isStreaming: streaming).bind(query)
  }

  /// What a user would read; nil when the statement is in order.
  static func complaint(_ text: String, streaming: Bool = true) -> String? {
    let source = SourceText(text, name: "q.sql")
    do {
      for statement in try Parser.script(source) {
        let binder = Binder(source, resolver: TestCatalog(), isStreaming: streaming)
        switch statement.kind {
        case .query(let query): _ = try binder.bind(query)
        case .insert(let insert):
          guard let shape = shapes[insert.target.text] else {
            return "no table \(insert.target.text)"
          }
          let sink = SinkTable(
            name: insert.target.text, type: shape.sinkType, primaryKey: shape.primaryKey)
          _ = try binder.bind(insert, into: sink)
        case .createTable(let table): _ = try binder.shape(of: table.definition)
        default: break
        }
      }
      return nil
    } catch {
      return source.describe(error)
    }
  }
}
