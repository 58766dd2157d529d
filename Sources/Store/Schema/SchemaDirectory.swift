package import Columns
package import Formats
import Synchronization

/// The schema files of a table or branch. Schemas are immutable and kept in memory once read.
package final class SchemaDirectory: Sendable {
  package let path: TablePath
  let environment: Environment
  private let known = Mutex<[Int: (identity: UInt64, schema: TableSchema)]>([:])

  package init(_ path: TablePath, _ environment: Environment) {
    self.path = path
    self.environment = environment
  }

  /// Ids in ascending order; empty when there is no table.
  package func ids() throws(TerraceError) -> [Int] {
    try environment.files.list(path.schemas).compactMap { numbered($0, "schema-") }.sorted()
  }

  /// - Throws: kind `notFound` when there is no table here.
  package func latest() throws(TerraceError) -> TableSchema {
    guard let id = try ids().last else {
      throw TerraceError(.notFound, "there is no table here").with("path", path.root)
    }
    return try schema(id)
  }

  package func schema(_ id: Int) throws(TerraceError) -> TableSchema {
    let file = path.schema(id)
    guard let status = try environment.files.status(file) else {
      throw TerraceError(.notFound, "no such schema").with("schema", id).with("path", path.root)
    }
    if let found = known.withLock({ $0[id] }), found.identity == status.identity {
      return found.schema
    }
    guard let bytes = try environment.files.readSmall(file) else {
      throw TerraceError(.notFound, "no such schema").with("schema", id).with("path", path.root)
    }
    let schema: TableSchema
    do {
      schema = try TableSchema(json: try parseJSON(bytes))
    } catch {
      throw error.with("file", file)
    }
    if schema.id != id {
      throw TerraceError(.corrupted, "a schema file holds another id").with("file", file)
        .with("id", schema.id)
    }
    known.withLock { $0[id] = (status.identity, schema) }
    return schema
  }

  /// Publishes a schema under its id.
  ///
  /// - Returns: false when another writer took the id.
  package func publish(_ schema: TableSchema) throws(TerraceError) -> Bool {
    try environment.files.makeDirectories(path.schemas)
    let bytes = Array(schema.json.text(pretty: true).utf8)
    return try environment.files.publishNew(
      path.schema(schema.id), bytes, names: environment.names)
  }
}

/// The number at the end of a name such as `snapshot-17`; nil for other names.
func numbered<Number: FixedWidthInteger>(_ name: String, _ prefix: String) -> Number? {
  guard name.hasPrefix(prefix) else { return nil }
  let digits = name.dropFirst(prefix.count)
  guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
  return Number(digits)
}

package func parseJSON(_ bytes: [UInt8]) throws(TerraceError) -> JSONValue {
  let buffer = bytes.withUnsafeBytes { Buffer(copying: $0) }
  // The parser reads through a bare pointer, which keeps nothing alive.
  defer { withExtendedLifetime(buffer) {} }
  return try JSONValue.parse(buffer.bytes)
}
