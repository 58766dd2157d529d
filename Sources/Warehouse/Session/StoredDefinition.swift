package import Columns
package import SQL
package import Store

/// The definition of a stored table in SQL's terms, and back.
///
/// Computed columns and the watermark lie in the schema's options under Flink's names for columns that are
/// not physical (`schema.2.name`, `schema.2.expr`, `schema.watermark.0.rowtime`, …), where Paimon's
/// Flink catalog puts them too.
package struct StoredDefinition: Sendable {
  package let shape: TableShape
  /// What the spans of computed columns and watermark refer to: a CREATE TABLE made of the schema.
  package let text: SourceText

  package init(_ schema: TableSchema) throws(TerraceError) {
    let columns = schema.fields.map(\.name)
    var shape = TableShape(type: schema.rowType)
    shape.order = columns
    shape.primaryKey = schema.primaryKeys
    shape.partitionKeys = schema.partitionKeys
    shape.comment = schema.comment
    for field in schema.fields { shape.comments[field.name] = field.comment }
    guard schema.options.entries.keys.contains(where: { $0.hasPrefix("schema.") }) else {
      text = SourceText("", name: "schema")
      self.shape = shape
      return
    }
    text = SourceText(TableDDL.createTable("t", schema, withOptions: false), name: "schema")
    guard case .createTable(let create) = try Parser.script(text).first?.kind else {
      throw TerraceError(.corrupted, "the computed columns of a table cannot be read")
    }
    shape.order = create.definition.columns.map(\.name.text)
    for column in create.definition.columns {
      if case .computed(let value) = column.kind {
        shape.computed.append(.init(name: column.name.text, value: value))
      }
    }
    shape.watermark = create.definition.watermark
    self.shape = shape
  }
}

extension TableShape {
  /// The schema of a new table of this shape.
  ///
  /// A primary-key table without `bucket` gets a fixed number of buckets: see ``TableDefaults``.
  ///
  /// - Parameter computedTypes: types of the computed columns, by name.
  /// - Throws: `unsupported` for metadata columns, which only connectors have.
  package func schema(
    timeMillis: Int64, computedTypes: [String: DataType] = [:],
    distribution: DistributionSyntax? = nil
  ) throws(TerraceError) -> TableSchema {
    if let column = metadata.first {
      throw TerraceError(.unsupported, "the metadata column '\(column.column)' in a stored table")
        .hint("only tables with a connector have metadata columns")
    }
    var values: [String: String] = [:]
    for option in options where option.key != "connector" { values[option.key] = option.value }
    if let distribution { try TableDefaults.distribute(distribution, &values) }
    TableDefaults.setBuckets(
      &values, hasPrimaryKey: !primaryKey.isEmpty || values["primary-key"] != nil,
      isPartitioned: !partitionKeys.isEmpty || values["partition"] != nil)
    storeComputed(computedTypes, &values)
    let fields = type.fields.map { field in
      var field = field
      field.comment = comments[field.name] ?? field.comment
      return field
    }
    return try TableSchema.create(
      columns: fields, partitionKeys: partitionKeys, primaryKeys: primaryKey, options: values,
      comment: comment, timeMillis: timeMillis)
  }

  /// Computed columns and the watermark as options of a schema.
  func storedExpressions(_ types: [String: DataType]) -> [String: String] {
    var values: [String: String] = [:]
    storeComputed(types, &values)
    return values
  }

  private func storeComputed(_ types: [String: DataType], _ values: inout [String: String]) {
    for (index, name) in order.enumerated() {
      guard let column = computed.first(where: { $0.name == name }) else { continue }
      values["schema.\(index).name"] = name
      values["schema.\(index).expr"] = SyntaxText.expression(column.value)
      if let type = types[name] { values["schema.\(index).data-type"] = type.text }
      if let comment = comments[name] { values["schema.\(index).comment"] = comment }
    }
    guard let watermark else { return }
    values["schema.watermark.0.rowtime"] = watermark.column.text
    values["schema.watermark.0.strategy.expr"] = SyntaxText.expression(watermark.value)
    if let type = type.fields.first(where: { $0.name == watermark.column.text })?.type
      ?? types[watermark.column.text]
    {
      values["schema.watermark.0.strategy.data-type"] = type.text
    }
  }
}

/// What Terrace chooses where a definition is silent.
package enum TableDefaults {
  /// Buckets of a table with a primary key whose definition does not say how many: 2, so that two
  /// threads can write and read it, and 1 where partitions divide it already. Paimon's own default, dynamic
  /// buckets, would need an index that Terrace does not write.
  package static func setBuckets(
    _ options: inout [String: String], hasPrimaryKey: Bool, isPartitioned: Bool
  ) {
    if hasPrimaryKey, options["bucket"] == nil { options["bucket"] = isPartitioned ? "1" : "2" }
  }

  /// DISTRIBUTED BY as the options that mean the same.
  static func distribute(
    _ distribution: DistributionSyntax, _ options: inout [String: String]
  ) throws(TerraceError) {
    if case .range = distribution.kind {
      throw TerraceError(.unsupported, "DISTRIBUTED BY RANGE").hint("write DISTRIBUTED BY HASH")
    }
    if let buckets = distribution.buckets { options["bucket"] = String(buckets) }
    if !distribution.columns.isEmpty {
      options["bucket-key"] = distribution.columns.map(\.text).joined(separator: ",")
      if options["bucket"] == nil { options["bucket"] = "2" }
    }
  }
}
