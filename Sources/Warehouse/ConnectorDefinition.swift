import Columns
import Connectors
import Dataflow
import SQL

extension ConnectorTable {
  /// The table outside that a CREATE TABLE describes, as its connector gives and takes it: where its type is
  /// another than the shape's, values are cast.
  ///
  /// - Throws: `invalid` for a metadata column whose values cannot be cast to its type.
  init(
    _ create: CreateTableSyntax, _ shape: TableShape, options: [String: String], folder: String,
    _ text: SourceText
  ) throws(TerraceError) {
    let declared = ConnectorTable(
      name: create.name.last.text, type: shape.type,
      metadata: shape.metadata.map {
        .init(column: $0.column, key: $0.key, isVirtual: $0.isVirtual)
      }, primaryKey: shape.primaryKey, partitionKeys: shape.partitionKeys, options: options,
      folder: folder)
    self = Connectors.withOwnMetadata(declared)
    for (own, field) in zip(type.fields, shape.type.fields) {
      let isVirtual = shape.metadata.first { $0.column == field.name }?.isVirtual ?? true
      if TypeRules.canCast(own.type, field.type),
        isVirtual || TypeRules.canCast(field.type, own.type)
      {
        continue
      }
      let column = create.definition.columns.first { $0.name.text == field.name }
      throw text.error(
        "the metadata of column '\(field.name)' is \(own.type.nullable.text), which is not cast to \(field.type.nullable.text)",
        at: column?.typeSpan ?? create.name.span)
    }
  }
}

extension TableShape {
  /// What an INSERT into the table gives its connector.
  func sink(_ connector: ConnectorTable, takesChanges: Bool) -> SinkTable {
    let taken = connector.written.type
    return SinkTable(
      name: connector.name, type: sinkType, primaryKey: primaryKey, partitionKeys: partitionKeys,
      takesChanges: takesChanges,
      taken: zip(taken.fields, sinkType.fields).allSatisfy { $0.type == $1.type } ? nil : taken)
  }
}
