package import Columns
import Formats
import Store

/// Prints one file of a table's `manifest/` folder: a manifest list or a manifest.
///
/// Partitions and keys are shown as values when the file lies in the folder of its table, from whose
/// schema their types come; else as the bytes they are.
package struct ManifestListing {
  private let environment: Environment
  private let file: String
  private let schema: TableSchema?
  private let files: ManifestFiles

  package init(_ file: String) throws(TerraceError) {
    self.file = file
    environment = Environment()
    let (folder, _) = splitPath(file)
    let root = folder == "manifest" ? "." : splitPath(folder).folder
    let path = TablePath(root)
    let schemas = SchemaDirectory(path, environment)
    let latest = try schemas.ids().last
    if let latest { schema = try schemas.schema(latest) } else { schema = nil }
    let fallback = TableSchema(
      id: 0, fields: [], highestFieldID: 0, partitionKeys: [], primaryKeys: [],
      options: TableOptions(), timeMillis: 0)
    files = try ManifestFiles(path, schema ?? fallback, environment)
  }

  package func listing() throws(TerraceError) -> Listing {
    let name = splitPath(file).name
    // Only files of a manifest folder have names that are read through it.
    let source = try environment.files.open(file)
    let schemaText = try AvroFile.schemaText(source)
    if schemaText.contains("_FILE_NAME") && schemaText.contains("_NUM_ADDED_FILES") {
      return try manifestList(name)
    }
    guard schemaText.contains("_FILE") && schemaText.contains("_TOTAL_BUCKETS") else {
      throw TerraceError(
        .invalid, "\(file) is neither a manifest nor a manifest list",
        hint: "“avro cat” prints any Avro file")
    }
    return try entries(name)
  }

  private func manifestList(_ name: String) throws(TerraceError) -> Listing {
    var listing = Listing("manifest", "bytes", "added", "deleted", "schema", "partitions")
    for manifest in try files.readList(name) {
      let low = try partition(manifest.partitionStats.minValues)
      let high = try partition(manifest.partitionStats.maxValues)
      listing.add(
        .string(manifest.name), .int(manifest.byteCount), .int(manifest.addedCount),
        .int(manifest.deletedCount), JSONValue(manifest.schemaID),
        .string(low == high ? low : "\(low) … \(high)"))
    }
    return listing
  }

  private func entries(_ name: String) throws(TerraceError) -> Listing {
    var listing = Listing(
      "kind", "partition", "bucket", "level", "file", "rows", "bytes", "min_key", "max_key",
      "min_sequence", "max_sequence", "schema", "created")
    let keyTypes = schema?.trimmedKeyType.fields.map(\.type) ?? []
    for entry in try files.readEntries(name) {
      listing.add(
        .string(entry.kind == .add ? "+" : "-"), .string(try partition(entry.partition)),
        JSONValue(entry.bucket), JSONValue(entry.file.level), .string(entry.file.name),
        .int(entry.file.rowCount), .int(entry.file.byteCount),
        .string(try values(entry.file.minKey, keyTypes)),
        .string(try values(entry.file.maxKey, keyTypes)), .int(entry.file.minSequence),
        .int(entry.file.maxSequence), JSONValue(entry.file.schemaID),
        JSONValue(millis: entry.file.creationMillis))
    }
    return listing
  }

  private func partition(_ row: [UInt8]) throws(TerraceError) -> String {
    guard let schema else { return ManifestListing.hex(row) }
    return try PartitionPath.values(row, schema).map { "\($0.name)=\($0.text)" }
      .joined(separator: "/")
  }

  private func values(_ row: [UInt8], _ types: [DataType]) throws(TerraceError) -> String {
    if types.isEmpty { return schema == nil ? ManifestListing.hex(row) : "" }
    let scalars = try decodeRow(row, types)
    return zip(scalars, types).map { ValueText.text($0, $1) }.joined(separator: ", ")
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
