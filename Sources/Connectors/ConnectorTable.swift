package import Columns

/// A table that lies outside: what CREATE TABLE … WITH ('connector' = …) says, names and types checked.
package struct ConnectorTable: Hashable, Sendable {
  package struct Metadata: Hashable, Sendable {
    package var column: String
    /// What the connector calls it.
    package var key: String
    package var isVirtual: Bool

    package init(column: String, key: String, isVirtual: Bool) {
      self.column = column
      self.key = key
      self.isVirtual = isVirtual
    }
  }

  /// A last column BYTES that a source of upserts adds to its ``Source/type`` when its records may leave
  /// values out that did not change (PostgreSQL's TOAST): bit c of byte c / 8 is set when declared column c
  /// keeps the value that the last row of its key has; null when the row is whole. An update of the key
  /// itself is a -D (or -U) of the old key, for which this is not null, and right behind it a +U of the new one,
  /// which keeps values of the old one. A row whose values are not known at all becomes a dead letter.
  package static let unchangedColumn = "__unchanged"

  /// For messages: the name the spec gives it.
  package var name: String
  /// Physical and metadata columns, in the order written; computed columns are the query's business.
  package var type: RowType
  package var metadata: [Metadata]
  /// Physical columns as declared, also where ``type`` was pruned to those that are read: records
  /// without names, as in CSV, have all of them.
  package var declared: RowType
  package var primaryKey: [String]
  package var partitionKeys: [String]
  /// As written, `${…}` resolved; `connector` among them.
  package var options: [String: String]
  /// Tells this reader from all others of the project, always the same: job and source.
  package var reader = ""
  /// Written once, for people and for `terrace table import`.
  package var isExport = false
  /// Folder that relative paths are relative to: the project's.
  package var folder: String

  package init(
    name: String, type: RowType, metadata: [Metadata] = [], primaryKey: [String] = [],
    partitionKeys: [String] = [], options: [String: String], folder: String
  ) {
    self.name = name
    self.type = type
    self.metadata = metadata
    declared = RowType(
      type.fields.filter { field in !metadata.contains { $0.column == field.name } })
    self.primaryKey = primaryKey
    self.partitionKeys = partitionKeys
    self.options = options
    self.folder = folder
  }

  /// The table as a sink has it: columns that are only read are no columns of the rows that are written.
  package var written: ConnectorTable {
    let virtual = Set(metadata.filter(\.isVirtual).map(\.column))
    var written = self
    written.type = RowType(type.fields.filter { !virtual.contains($0.name) })
    written.metadata = metadata.filter { !$0.isVirtual }
    return written
  }
}
