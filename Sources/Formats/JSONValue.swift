package import Columns

/// A JSON document, for metadata files: schemas, snapshots, tags.
///
/// Objects keep the order of their members, integers are exact, any other number is its own text.
/// Rows of data never pass through here; see `JSONLinesReader`.
package enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  /// The text of a number that is not an integer of 64 bits: `1.50`, `1e400`.
  case number(String)
  case string(String)
  indirect case array([JSONValue])
  indirect case object([Member])

  package struct Member: Hashable, Sendable {
    package var name: String
    package var value: JSONValue

    package init(_ name: String, _ value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  /// An object of these members, in this order; those that are nil are left out.
  package static func members(_ pairs: [(String, JSONValue?)]) -> JSONValue {
    .object(pairs.compactMap { pair in pair.1.map { Member(pair.0, $0) } })
  }

  /// The member of an object; of several with one name the last, as Jackson takes it.
  package subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.name == name }?.value
  }

  package var isNull: Bool { self == .null }

  package var asString: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  package var asInt: Int64? {
    if case .int(let value) = self { return value }
    return nil
  }

  package var asBool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  package var asArray: [JSONValue]? {
    if case .array(let items) = self { return items }
    return nil
  }

  package var asMembers: [Member]? {
    if case .object(let members) = self { return members }
    return nil
  }

  /// What it is, for errors.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .int: "an integer"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// Members that must be there, or may be missing or null; anything else is `corrupted`.
extension JSONValue {
  package func int(_ name: String) throws(TerraceError) -> Int64 {
    guard let value = try optionalInt(name) else { throw missing(name) }
    return value
  }

  package func optionalInt(_ name: String) throws(TerraceError) -> Int64? {
    guard let value = self[name], value != .null else { return nil }
    guard let int = value.asInt else { throw wrong(name, "an integer", value) }
    return int
  }

  package func string(_ name: String) throws(TerraceError) -> String {
    guard let value = try optionalString(name) else { throw missing(name) }
    return value
  }

  package func optionalString(_ name: String) throws(TerraceError) -> String? {
    guard let value = self[name], value != .null else { return nil }
    guard let text = value.asString else { throw wrong(name, "a string", value) }
    return text
  }

  package func bool(_ name: String) throws(TerraceError) -> Bool {
    guard let value = self[name], value != .null else { throw missing(name) }
    guard let bool = value.asBool else { throw wrong(name, "a boolean", value) }
    return bool
  }

  package func array(_ name: String) throws(TerraceError) -> [JSONValue] {
    guard let value = try optionalArray(name) else { throw missing(name) }
    return value
  }

  package func optionalArray(_ name: String) throws(TerraceError) -> [JSONValue]? {
    guard let value = self[name], value != .null else { return nil }
    guard let items = value.asArray else { throw wrong(name, "an array", value) }
    return items
  }

  package func strings(_ name: String) throws(TerraceError) -> [String] {
    var texts: [String] = []
    for item in try array(name) {
      guard let text = item.asString else { throw wrong(name, "strings", item) }
      texts.append(text)
    }
    return texts
  }

  package func optionalMembers(_ name: String) throws(TerraceError) -> [Member]? {
    guard let value = self[name], value != .null else { return nil }
    guard let members = value.asMembers else { throw wrong(name, "an object", value) }
    return members
  }

  private func missing(_ name: String) -> TerraceError {
    TerraceError(.corrupted, "a member is missing").with("member", name)
  }

  private func wrong(_ name: String, _ wanted: String, _ found: JSONValue) -> TerraceError {
    TerraceError(.corrupted, "a member is not \(wanted)").with("member", name)
      .with("found", found.kind)
  }
}
