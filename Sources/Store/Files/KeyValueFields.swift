internal import Columns

/// Columns of the data files of primary-key tables, beside those of the table.
///
/// A file holds `_KEY_` and each trimmed primary-key column, `_SEQUENCE_NUMBER`, `_VALUE_KIND`, then
/// all columns of the table. Ids as Paimon gives them (`SpecialFields`).
enum KeyValueFields {
  static let keyPrefix = "_KEY_"
  static let keyIDOffset = Int(Int32.max) / 2
  static let sequence = Field(
    id: 2_147_483_646, name: "_SEQUENCE_NUMBER", type: DataType.bigint.notNull)
  static let kind = Field(id: 2_147_483_645, name: "_VALUE_KIND", type: DataType.tinyint.notNull)

  static func key(_ field: Field) -> Field {
    Field(id: field.id + keyIDOffset, name: keyPrefix + field.name, type: field.type.notNull)
  }

  /// The row type of a file.
  ///
  /// - Parameter thin: `data-file.thin-mode`: the keys are read from the table's own columns.
  static func fileType(_ schema: TableSchema, thin: Bool) -> RowType {
    let keys = thin ? [] : schema.trimmedKeyType.fields.map(key)
    return RowType(keys + [sequence, kind] + schema.fields)
  }
}
