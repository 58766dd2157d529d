import Columns
import Formats
import XCTest

@testable import Store

/// A table in memory, for tests that write and read rows of numbers and texts.
struct TestTable {
  let environment: Environment
  let root: String
  let type: RowType

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
    type = schema.rowType
    guard try SchemaDirectory(TablePath(root), environment).publish(schema) else {
      throw TerraceError(.conflict, "the table is there")
    }
  }

  func open() throws -> Table { try Table.open(environment, root) }

  /// Rows of scalars as a batch.
  func batch(_ rows: [[Scalar]]) -> Batch {
    let builders = type.fields.map { ColumnBuilder($0.type) }
    for row in rows {
      for (builder, value) in zip(builders, row) { builder.append(value) }
    }
    return Batch(type, builders.map { $0.finish() }, count: rows.count)
  }

  static func kinds(_ kinds: [RowKind]) -> Buffer {
    let out = Buffer(byteCount: kinds.count)
    for (i, kind) in kinds.enumerated() { out.pointer(UInt8.self)[i] = kind.rawValue }
    return out
  }

  static func rows(_ batch: Batch) -> [[Scalar]] {
    (0..<batch.count).map { row in batch.columns.map { $0.scalar(row) } }
  }

  /// All rows at a snapshot.
  static func read(
    _ table: Table, _ snapshot: Snapshot?, columns: [Int]? = nil,
    predicate: Columns.Predicate = .always,
    threads: Int = 1
  ) throws -> [[Scalar]] {
    let scan = table.scan(columns: columns, predicate: predicate)
    let read = try scan.read(try scan.plan(snapshot), threads: threads)
    var found: [[Scalar]] = []
    while let batch = try read.next() { found += rows(batch) }
    return found
  }
}
