import Columns

/// The types that values of METADATA columns have before they are cast to what is declared.
extension Connectors {
  /// The table as its connector gives and takes it: a metadata column whose declared type is another than that
  /// of its values has that of its values. The cast between them is the query's.
  ///
  /// Keys that the connector does not know stay as they are: it says so itself when it is opened.
  package static func withOwnMetadata(_ table: ConnectorTable) -> ConnectorTable {
    var own = table
    for column in table.metadata {
      guard let index = table.type.index(of: column.column) else { continue }
      let declared = table.type.fields[index].type
      if let type = type(of: column.key, in: table, declared: declared) {
        own.type.fields[index].type = DataType(type.kind, nullable: declared.isNullable)
      }
    }
    return own
  }

  /// What the connector reads the values as: the declared type, where it can.
  private static func type(
    of key: String, in table: ConnectorTable, declared: DataType
  ) -> DataType? {
    switch table.options["connector"] {
    case "filesystem":
      let own = FileTable.metadataTypes.first { $0.key == key }?.type
      return own ?? formatType(key, table, declared)
    case let name? where KafkaTable.isKafka(name):
      if key.hasPrefix("value.") { return formatType(String(key.dropFirst(6)), table, declared) }
      guard let known = KafkaMetadata(rawValue: key) else { return nil }
      return known.fits(declared) ? declared : known.type
    case "postgres-cdc", "mysql-cdc", "mariadb-cdc":
      return LogMetadata.type(of: key, declared: declared)
    default: return nil
    }
  }

  private static func formatType(
    _ key: String, _ table: ConnectorTable, _ declared: DataType
  ) -> DataType? {
    guard let name = table.options["value.format"] ?? table.options["format"],
      let kind = RecordFormat.Kind(rawValue: name.lowercased()),
      let own = FormatMetadata(Field(id: 0, name: key, type: declared), key: key, kind)
    else { return nil }
    if own.fits { return declared }
    // Times are read as numbers of milliseconds, and are instants.
    return own.type.kind == DataType.bigint.kind ? DataType(.timestampLTZ(3)) : own.type
  }
}
