package import Columns
package import Formats
package import Store

/// A table's definition as pypaimon's command line reads and prints it: fields, partitionKeys,
/// primaryKeys, options and comment.
package struct SchemaDocument: Sendable {
  package var columns: [Field] = []
  package var partitionKeys: [String] = []
  package var primaryKeys: [String] = []
  package var options: [String: String] = [:]
  package var comment: String?

  package init() {}

  /// Reads a document that a person wrote or another program printed. Ids of fields may be missing.
  ///
  /// - Throws: kind `invalid`, with file, line and column where it is no JSON.
  package init(file: String, _ files: any FileIO) throws(TerraceError) {
    guard let bytes = try files.readSmall(file, limit: 16 << 20) else {
      throw TerraceError(.notFound, "schema file \(file)")
    }
    do {
      try self.init(json: try parseJSON(bytes))
    } catch {
      var invalid = TerraceError(
        error.kind == .corrupted ? .invalid : error.kind, error.message, hint: error.hint)
      for fact in error.facts { invalid = invalid.with(fact.name, fact.value) }
      throw invalid.with("source", file)
    }
  }

  private init(json: JSONValue) throws(TerraceError) {
    guard let members = json.asMembers else {
      throw TerraceError(.invalid, "a schema is a JSON object, not \(json.kind)")
    }
    let known = ["fields", "partitionKeys", "primaryKeys", "options", "comment"]
    let ignored: Set = ["version", "id", "highestFieldId", "timeMillis"]
    for member in members where !known.contains(member.name) && !ignored.contains(member.name) {
      throw TerraceError(
        .invalid, "a schema has no member “\(member.name)”",
        hint: NearestName.hint(member.name, among: known, else: "it has "))
    }
    for field in try json.array("fields") { columns.append(try Field(document: field)) }
    partitionKeys = json["partitionKeys"].isMissing ? [] : try json.strings("partitionKeys")
    primaryKeys = json["primaryKeys"].isMissing ? [] : try json.strings("primaryKeys")
    comment = try json.optionalString("comment")
    for member in try json.optionalMembers("options") ?? [] {
      switch member.value {
      case .string(let text), .number(let text): options[member.name] = text
      case .int(let number): options[member.name] = String(number)
      case .bool(let flag): options[member.name] = String(flag)
      default:
        throw TerraceError(.invalid, "the option \(member.name) is \(member.value.kind), not text")
      }
    }
  }

  package init(_ schema: TableSchema) {
    columns = schema.fields
    partitionKeys = schema.partitionKeys
    primaryKeys = schema.primaryKeys
    options = schema.options.entries
    comment = schema.comment
  }

  package var json: JSONValue {
    .members([
      ("fields", .array(columns.map(\.json))),
      ("partitionKeys", .array(partitionKeys.map { .string($0) })),
      ("primaryKeys", .array(primaryKeys.map { .string($0) })),
      (
        "options",
        .members(
          options.sorted { $0.key < $1.key }.map {
            ($0.key, .string(Redaction.shown($0.key, $0.value)))
          })
      ),
      ("comment", comment.map { .string($0) } ?? .null),
    ])
  }

  /// The definition of a new table.
  package func schema(timeMillis: Int64) throws(TerraceError) -> TableSchema {
    try TableSchema.create(
      columns: columns, partitionKeys: partitionKeys, primaryKeys: primaryKeys, options: options,
      comment: comment, timeMillis: timeMillis)
  }
}

extension JSONValue? {
  fileprivate var isMissing: Bool { self == nil || self == .null }
}

extension Field {
  /// A field of a schema document; the id is only a hint there, and given anew.
  fileprivate init(document: JSONValue) throws(TerraceError) {
    let name = try document.string("name")
    var complete = document
    if case .object(var members) = document, document["id"].isMissing {
      members.removeAll { $0.name == "id" }
      members.append(JSONValue.Member("id", .int(0)))
      complete = .object(members)
    }
    do {
      try self.init(json: complete)
    } catch {
      let text = document["type"]?.asString ?? ""
      throw TerraceError(
        .invalid, "the type of \(name) cannot be read: \(error.message)",
        hint: text.isEmpty ? "" : ColumnListText.typeHint(text)
      ).with("type", text.isEmpty ? "missing" : text)
    }
  }
}
