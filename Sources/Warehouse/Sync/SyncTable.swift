import Columns
import Connectors
import Formats
import SQL
import Store

/// A table of a server that a table here follows.
struct SyncSource: Sendable {
  /// As it is where the log is read; the server may be further.
  var shape: DatabaseTableShape
  let catalog: String
  /// Options of the connector; the metastore does not keep those that are secret.
  var options: [String: String]
  /// Column at the server to column here, where they are called differently.
  var renamed: [String: String] = [:]
  /// Where the change of columns that was followed last stands in the server's log.
  var place: String?

  /// In the spec, and in what people read: `pg.shop.public.orders`.
  var name: String { catalog + "." + shape.table.text }

  func target(of column: String) -> String { renamed[column] ?? column }

  /// Its columns that name a row: the key at the server, or, where it has none, the one that the statement gives it.
  func key(_ statement: SyncStatement) -> [String] {
    if !shape.primaryKey.isEmpty { return shape.primaryKey }
    let given = statement.definition.primaryKey?.columns.map(\.text) ?? []
    return given.compactMap { name in
      shape.columns.first { target(of: $0.name) == name }?.name
    }
  }
}

/// A table here that follows one at a server, or several of one kind.
package struct SyncTable: Sendable {
  package let name: TableName
  let statement: SyncStatement
  var sources: [SyncSource]
  /// The columns of the table, as they are or are to be.
  var fields: [Field]
  let primaryKey: [String]
  var comment: String?

  /// - Parameter stored: the table as it is; nil when it is to be made.
  /// - Throws: `invalid` for tables that cannot be synced so, `unsupported`.
  init(
    _ name: TableName, _ statement: SyncStatement, _ sources: [SyncSource], stored: TableSchema?
  ) throws(TerraceError) {
    self.name = name
    self.statement = statement
    self.sources = sources
    let columns = SyncColumns(statement, sources)
    primaryKey = try columns.primaryKey()
    let fresh = try columns.fields(primaryKey)
    fields = try SyncColumns.merged(fresh, into: stored, statement.options)
    comment = statement.definition.comment ?? sources[0].shape.comment ?? stored?.comment
  }

  /// What the rows of the table are made of, columns aside: old rows are worth nothing when it changes.
  var identity: String {
    let server = ["connector", "hostname", "port"].map { sources[0].options[$0] ?? "" }
    // Shards may come; which tables they are is nobody's business but theirs.
    let isOpen =
      statement.isDatabase || statement.source.texts.contains(where: SyncStatement.isPattern)
    let place = isOpen ? statement.catalog.text : statement.source.text
    let listed = statement.definition.columns.map(\.name.text)
    let computed = SyncText.computed(statement).map { "\($0.name.text)=\(SyncText.value($0))" }
    let text =
      "sync \(server) \(place) \(primaryKey) \(statement.options.metadata) \(listed) \(computed) "
      + "\(statement.options.mapping.sorted())"
    return TextHash.digits(text) + TextHash.digits("2" + text)
  }

  /// The source behind a reference of the job's plan.
  func source(of reference: String) -> Int? {
    sources.firstIndex { reference.hasSuffix("/" + $0.name) }
  }
}

/// Shapes as the metastore keeps them.
extension SyncSource {
  func json(number: Int) -> JSONValue {
    .members([
      ("number", .int(Int64(number))),
      ("database", .string(shape.table.database)),
      ("schema", shape.table.schema.map { .string($0) }),
      ("table", .string(shape.table.table)),
      ("columns", .array(shape.columns.map(SyncSource.json))),
      ("primaryKey", .array(shape.primaryKey.map { .string($0) })),
      ("comment", shape.comment.map { .string($0) }), ("tellsOldRows", .bool(shape.tellsOldRows)),
      ("options", SyncSource.json(options.filter { !SyncSource.isSecret($0.key, $0.value) })),
      ("renamed", SyncSource.json(renamed)), ("place", place.map { .string($0) }),
    ])
  }

  /// It would be readable; where it stands may be written down.
  static func isSecret(_ name: String, _ value: String) -> Bool {
    Redaction.isSecret(name) && !Redaction.isReference(value)
  }

  private static func json(_ field: Field) -> JSONValue {
    .members([
      ("name", .string(field.name)), ("type", .string(field.type.text)),
      ("comment", field.comment.map { .string($0) }),
    ])
  }

  private static func json(_ texts: [String: String]) -> JSONValue {
    .object(texts.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) })
  }

  init(_ json: JSONValue, catalog: String) throws(TerraceError) {
    var columns: [Field] = []
    for column in try json.array("columns") {
      columns.append(
        Field(
          id: columns.count, name: try column.string("name"),
          type: try DataType(text: try column.string("type")),
          comment: try column.optionalString("comment")))
    }
    func texts(_ name: String) throws(TerraceError) -> [String: String] {
      let members = try json.optionalMembers(name) ?? []
      return Dictionary(members.map { ($0.name, $0.value.asString ?? "") }) { $1 }
    }
    shape = DatabaseTableShape(
      table: DatabaseTable(
        database: try json.string("database"), schema: try json.optionalString("schema"),
        table: try json.string("table")), columns: columns,
      primaryKey: try json.strings("primaryKey"), comment: try json.optionalString("comment"),
      tellsOldRows: try json.bool("tellsOldRows"))
    self.catalog = catalog
    options = try texts("options")
    renamed = try texts("renamed")
    place = try json.optionalString("place")
  }
}
