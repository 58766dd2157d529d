package import Columns
package import Formats

/// Types in schema files: SQL text for scalars, objects for nested types, where the `type` member
/// carries the nullability.
///
///     {"type": "ARRAY NOT NULL", "element": "INT"}
///     {"type": "ROW", "fields": [{"id": 30, "name": "a", "type": "INT"}]}
extension DataType {
  package init(json: JSONValue) throws(TerraceError) {
    if let text = json.asString {
      self = try DataType(text: text)
      return
    }
    guard json.asMembers != nil else {
      throw TerraceError(.corrupted, "a type is neither text nor an object")
        .with("found", json.kind)
    }
    var words = try json.string("type").uppercased().split(separator: " ")
    let isNullable = words.suffix(2) != ["NOT", "NULL"]
    if !isNullable { words.removeLast(2) }
    guard words.count == 1 else {
      throw TerraceError(.corrupted, "no such nested type").with("type", shown(words.joined()))
    }
    let kind: Kind
    switch words[0] {
    case "ARRAY": kind = .array(try DataType(member: "element", of: json))
    case "MULTISET": kind = .multiset(try DataType(member: "element", of: json))
    case "MAP":
      kind = .map(try DataType(member: "key", of: json), try DataType(member: "value", of: json))
    case "ROW":
      var fields: [Field] = []
      for item in try json.array("fields") { fields.append(try Field(json: item)) }
      kind = .row(fields)
    default: throw TerraceError(.unsupported, "type \(shown(String(words[0])))")
    }
    self.init(kind, nullable: isNullable)
  }

  private init(member: String, of json: JSONValue) throws(TerraceError) {
    guard let inner = json[member] else {
      throw TerraceError(.corrupted, "a nested type lacks a member").with("member", member)
    }
    self = try DataType(json: inner)
  }

  package var json: JSONValue {
    let suffix = isNullable ? "" : " NOT NULL"
    return switch kind {
    case .array(let element):
      .members([("type", .string("ARRAY" + suffix)), ("element", element.json)])
    case .multiset(let element):
      .members([("type", .string("MULTISET" + suffix)), ("element", element.json)])
    case .map(let key, let value):
      .members([("type", .string("MAP" + suffix)), ("key", key.json), ("value", value.json)])
    case .row(let fields):
      .members([("type", .string("ROW" + suffix)), ("fields", .array(fields.map(\.json)))])
    default: .string(text)
    }
  }
}

extension Field {
  package init(json: JSONValue) throws(TerraceError) {
    let name = try json.string("name")
    let id = try json.int("id")
    guard id >= 0, id <= Int64(Int32.max), let type = json["type"] else {
      throw TerraceError(.corrupted, "a field lacks its type or has a wrong id")
        .with("field", shown(name))
    }
    self.init(
      id: Int(id), name: name, type: try DataType(json: type),
      comment: try json.optionalString("description"),
      defaultValue: try json.optionalString("defaultValue"))
  }

  package var json: JSONValue {
    .members([
      ("id", .int(Int64(id))), ("name", .string(name)), ("type", type.json),
      ("description", comment.map { .string($0) }),
      ("defaultValue", defaultValue.map { .string($0) }),
    ])
  }
}
