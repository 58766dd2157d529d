package import Columns
package import Formats

extension Snapshot {
  /// Reads the content of `snapshot-N`, `tag-NAME` or `changelog-N`; unknown members are passed over.
  ///
  /// - Throws: kind `corrupted`; names that lead out of the manifest folder are refused.
  package init(json: JSONValue) throws(TerraceError) {
    let version = try json.optionalInt("version") ?? 1
    guard (1...3).contains(version) else {
      throw TerraceError(.unsupported, "snapshot version \(version)")
    }
    let kindText = try json.string("commitKind")
    guard let kind = Kind(rawValue: kindText) else {
      throw TerraceError(.unsupported, "commit kind \(shown(kindText))")
    }
    let schemaID = try json.int("schemaId")
    let id = try json.int("id")
    guard id > 0, id < Int64.max, schemaID >= 0, schemaID <= Int64(Int32.max) else {
      throw TerraceError(.corrupted, "a snapshot's ids are out of range").with("id", id)
        .with("schema", schemaID)
    }
    self.init(
      id: id, schemaID: Int(schemaID), baseManifestList: try json.string("baseManifestList"),
      deltaManifestList: try json.string("deltaManifestList"),
      commitUser: try json.string("commitUser"),
      commitIdentifier: try json.int("commitIdentifier"), kind: kind,
      timeMillis: try json.int("timeMillis"),
      totalRecordCount: try json.optionalInt("totalRecordCount") ?? 0,
      deltaRecordCount: try json.optionalInt("deltaRecordCount") ?? 0)
    self.version = Int(version)
    baseManifestListBytes = try json.optionalInt("baseManifestListSize")
    deltaManifestListBytes = try json.optionalInt("deltaManifestListSize")
    changelogManifestList = try json.optionalString("changelogManifestList")
    changelogManifestListBytes = try json.optionalInt("changelogManifestListSize")
    indexManifest = try json.optionalString("indexManifest")
    changelogRecordCount = try json.optionalInt("changelogRecordCount")
    watermark = try json.optionalInt("watermark")
    statistics = try json.optionalString("statistics")
    nextRowID = try json.optionalInt("nextRowId")
    uuid = try json.optionalString("uuid")
    writerVersion = try json.optionalString("writerVersion")
    if let members = try json.optionalMembers("properties") {
      var found: [String: String] = [:]
      for member in members { found[member.name] = member.value.asString }
      properties = found
    }
    for name in [
      baseManifestList, deltaManifestList, changelogManifestList, indexManifest, statistics,
    ] {
      if let name { try checkFileName(name, "name of a snapshot's file") }
    }
  }

  package var json: JSONValue {
    let sorted = properties?.sorted { $0.key < $1.key }
    return .members([
      ("version", .int(3)),
      ("id", .int(id)),
      ("schemaId", .int(Int64(schemaID))),
      ("baseManifestList", .string(baseManifestList)),
      ("baseManifestListSize", baseManifestListBytes.map { .int($0) }),
      ("deltaManifestList", .string(deltaManifestList)),
      ("deltaManifestListSize", deltaManifestListBytes.map { .int($0) }),
      ("changelogManifestList", changelogManifestList.map { .string($0) }),
      ("changelogManifestListSize", changelogManifestListBytes.map { .int($0) }),
      ("indexManifest", indexManifest.map { .string($0) }),
      ("commitUser", .string(commitUser)),
      ("commitIdentifier", .int(commitIdentifier)),
      ("commitKind", .string(kind.rawValue)),
      ("timeMillis", .int(timeMillis)),
      ("totalRecordCount", .int(totalRecordCount)),
      ("deltaRecordCount", .int(deltaRecordCount)),
      ("changelogRecordCount", changelogRecordCount.map { .int($0) }),
      ("watermark", watermark.map { .int($0) }),
      ("statistics", statistics.map { .string($0) }),
      ("properties", sorted.map { .members($0.map { ($0.key, .string($0.value)) }) }),
      ("nextRowId", nextRowID.map { .int($0) }),
      ("uuid", uuid.map { .string($0) }),
      ("writerVersion", writerVersion.map { .string($0) }),
    ])
  }
}
