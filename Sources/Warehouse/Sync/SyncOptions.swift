import Columns
import SQL
import Store

/// What the WITH of a synced table or database says: about following the server, and of the tables here.
struct SyncOptions: Sendable {
  /// What becomes of a table whose columns change at the server.
  enum Evolution: String, CaseIterable { case follow, ignore, fail }

  var evolution = Evolution.follow
  var discoveryMillis: Int64 = 60_000
  var prefix = ""
  var suffix = ""
  /// Tables of one name in several databases or schemas make one table.
  var mergesShards = true
  /// Tables that cannot be synced are left out with a warning.
  var ignoresIncompatible = false
  /// Names of the connector's metadata that become columns, in order.
  var metadata: [String] = []
  /// Of those, the ones that are part of the primary key.
  var keyMetadata: [String] = []
  var metadataPrefix = ""
  var mapping: Set<String> = []
  /// Of the tables that are made.
  var table: [OptionSyntax] = []
  /// Of the hint: for the connector.
  var connector: [OptionSyntax] = []

  static let metadataTypes: [(key: String, type: DataType)] = [
    ("database_name", DataType.string.notNull), ("schema_name", DataType.string.notNull),
    ("table_name", DataType.string.notNull),
    ("op_ts", DataType(.timestampLTZ(3), nullable: false)),
    ("row_kind", DataType.string.notNull),
  ]

  /// Switches of the type map: those that this part does itself, and those of the connectors.
  static let ownMappings = [
    "to-nullable", "to-string", "char-to-string", "decimal-no-change", "allow-non-string-to-string",
  ]
  static let serverMappings = [
    "tinyint1-not-bool", "longtext-to-bytes", "bigint-unsigned-to-bigint",
  ]

  /// Of the WITH of a statement, besides those of the tables that are made.
  private static func names(isDatabase: Bool) -> [String] {
    [
      "schema-evolution", "table.discovery-interval", "merge-shards", "ignore-incompatible",
      "metadata-column-prefix", "metadata-columns", "key-metadata-columns", "type-mapping",
    ] + (isDatabase ? ["table-prefix", "table-suffix"] : [])
  }

  init(
    _ options: [OptionSyntax], hint: [OptionSyntax], isDatabase: Bool, _ text: SourceText
  ) throws(TerraceError) {
    connector = hint
    for option in options {
      if !isDatabase, ["table-prefix", "table-suffix"].contains(option.key) {
        throw text.error(
          "'\(option.key)' belongs to CREATE DATABASE", at: option.keySpan,
          hint: "the table is called as CREATE TABLE names it")
      }
      try take(option, text)
    }
    try TableOptionNames.check(table, more: SyncOptions.names(isDatabase: isDatabase), text)
    for key in keyMetadata where !metadata.contains(key) { metadata.append(key) }
  }

  private mutating func take(_ option: OptionSyntax, _ text: SourceText) throws(TerraceError) {
    func wrong(_ wanted: String) -> TerraceError {
      text.error("'\(option.key)' takes \(wanted)", at: option.valueSpan)
    }
    func flag() throws(TerraceError) -> Bool {
      guard let flag = OptionValue.boolean(option.value) else { throw wrong("true or false") }
      return flag
    }
    switch option.key {
    case "schema-evolution":
      guard let found = Evolution(rawValue: option.value.lowercased()) else {
        throw wrong("follow, ignore or fail")
      }
      evolution = found
    case "table.discovery-interval":
      guard let millis = OptionValue.durationMillis(option.value), millis > 0 else {
        throw wrong("a duration such as '1 min'")
      }
      discoveryMillis = millis
    case "table-prefix": prefix = option.value
    case "table-suffix": suffix = option.value
    case "merge-shards": mergesShards = try flag()
    case "ignore-incompatible": ignoresIncompatible = try flag()
    case "metadata-column-prefix": metadataPrefix = option.value
    case "metadata-columns": metadata = try metadataKeys(option, text) + metadata
    case "key-metadata-columns": keyMetadata = try metadataKeys(option, text)
    case "type-mapping":
      let known = SyncOptions.ownMappings + SyncOptions.serverMappings
      for word in option.value.commaList {
        guard known.contains(word) else { throw wrong(known.joined(separator: ", ")) }
        mapping.insert(word)
      }
    case "connector":
      throw text.error(
        "a synced table has no connector of its own", at: option.keySpan,
        hint: "options of the connector stand in /*+ OPTIONS(…) */ behind the name at the server")
    default: table.append(option)
    }
  }

  private func metadataKeys(
    _ option: OptionSyntax, _ text: SourceText
  ) throws(TerraceError) -> [String] {
    let known = SyncOptions.metadataTypes.map(\.key)
    var keys: [String] = []
    for key in option.value.commaList where !keys.contains(key) {
      guard known.contains(key) else {
        throw text.error(
          "'\(option.key)' takes \(known.joined(separator: ", "))", at: option.valueSpan)
      }
      keys.append(key)
    }
    return keys
  }

  /// The column's type under the switches of the statement. Keys become texts where no two have one text.
  func mapped(_ type: DataType, isKey: Bool) -> DataType {
    if isKey, !type.hasOwnTexts { return type }
    switch type.kind {
    case .char, .varchar:
      return mapping.contains("to-string") || mapping.contains("char-to-string") ? .string : type
    default:
      return mapping.contains("to-string") && !type.isNested ? .string : type
    }
  }

  /// Switches that the catalog and the connector go by; nil when there is none.
  var serverMapping: String? {
    let words = SyncOptions.serverMappings.filter(mapping.contains)
    return words.isEmpty ? nil : words.joined(separator: ",")
  }
}
