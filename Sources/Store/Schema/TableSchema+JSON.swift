package import Columns
package import Formats

extension TableSchema {
  /// Reads the content of `schema-N`; unknown members are passed over.
  ///
  /// - Throws: kind `corrupted`, or `unsupported` for types that Terrace does not have.
  package init(json: JSONValue) throws(TerraceError) {
    let version = try json.optionalInt("version") ?? 1
    guard (1...3).contains(version) else {
      throw TerraceError(.unsupported, "schema version \(version)")
    }
    let id = try json.int("id")
    guard id >= 0, id <= Int64(Int32.max) else {
      throw TerraceError(.corrupted, "a schema id is out of range").with("id", id)
    }
    var fields: [Field] = []
    for item in try json.array("fields") {
      do {
        fields.append(try Field(json: item))
      } catch {
        throw error.kind == .invalid ? TableSchema.damaged(error) : error
      }
    }
    var options: [String: String] = [:]
    for member in try json.optionalMembers("options") ?? [] {
      switch member.value {
      case .string(let text): options[member.name] = text
      case .int(let value): options[member.name] = String(value)
      case .bool(let value): options[member.name] = String(value)
      case .null: break
      default:
        throw TerraceError(.corrupted, "an option is not text").with("option", shown(member.name))
      }
    }
    self.init(
      id: Int(id), fields: fields, highestFieldID: Int(clamping: try json.int("highestFieldId")),
      partitionKeys: try json["partitionKeys"] == nil ? [] : json.strings("partitionKeys"),
      primaryKeys: try json["primaryKeys"] == nil ? [] : json.strings("primaryKeys"),
      options: TableOptions(options), comment: try json.optionalString("comment"),
      timeMillis: try json.optionalInt("timeMillis") ?? 0)
    try checkStructure()
  }

  private static func damaged(_ error: TerraceError) -> TerraceError {
    var damaged = TerraceError(.corrupted, error.message)
    for fact in error.facts { damaged = damaged.with(fact.name, fact.value) }
    return damaged
  }

  package var json: JSONValue {
    let sorted = options.entries.sorted { $0.key < $1.key }
    return .members([
      ("version", .int(3)),
      ("id", .int(Int64(id))),
      ("fields", .array(fields.map(\.json))),
      ("highestFieldId", .int(Int64(highestFieldID))),
      ("partitionKeys", .array(partitionKeys.map { .string($0) })),
      ("primaryKeys", .array(primaryKeys.map { .string($0) })),
      ("options", .members(sorted.map { ($0.key, .string($0.value)) })),
      ("comment", comment.map { .string($0) }),
      ("timeMillis", .int(timeMillis)),
    ])
  }
}
