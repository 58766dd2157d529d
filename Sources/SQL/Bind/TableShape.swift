package import Columns
import Dataflow

/// A table as its definition gives it, all names and types checked.
package struct TableShape: Sendable {
  package struct Metadata: Hashable, Sendable {
    package var column: String
    /// What the connector calls it.
    package var key: String
    package var isVirtual: Bool
  }

  /// Physical and metadata columns: what a reader gives, in the order written.
  package var type: RowType
  package var metadata: [Metadata]
  package var computed: [BoundTable.Computed]
  /// All columns in the order written, computed ones included.
  package var order: [String]
  package var primaryKey: [String]
  package var partitionKeys: [String]
  package var watermark: WatermarkSyntax?
  package var options: [OptionSyntax]
  package var comment: String?
  package var comments: [String: String]

  /// Physical columns and nothing else.
  package init(type: RowType) {
    self.type = type
    metadata = []
    computed = []
    order = type.fields.map(\.name)
    primaryKey = []
    partitionKeys = []
    options = []
    comments = [:]
  }

  /// What an INSERT writes: without computed and virtual columns.
  package var sinkType: RowType {
    let virtual = Set(metadata.filter(\.isVirtual).map(\.column))
    return RowType(type.fields.filter { !virtual.contains($0.name) }.map { ($0.name, $0.type) })
  }

  /// The table as a query reads it.
  ///
  /// - Parameter given: what the reader gives, where it differs in types: it is cast to what is declared.
  package func bound(
    reference: String, isAppendOnly: Bool, text: SourceText, given: RowType? = nil
  ) -> BoundTable {
    var table = BoundTable(
      reference: reference, type: given ?? type, primaryKey: primaryKey,
      isAppendOnly: isAppendOnly, computed: computed, order: computed.isEmpty ? [] : order,
      watermark: watermark, text: text)
    if let given, given != type { table.declared = type }
    return table
  }
}

extension Binder {
  /// Checks a CREATE TABLE: names, keys, computed columns, watermark.
  ///
  /// - Parameter like: the table that LIKE names, with its options and keys.
  package func shape(
    of definition: TableDefinition, like: TableShape? = nil, _ how: LikeSyntax? = nil
  )
    throws(TerraceError) -> TableShape
  {
    var shape = TableShape(type: RowType([Field]()))
    shape.partitionKeys = definition.partitionedBy.map(\.text)
    shape.watermark = definition.watermark
    shape.options = definition.options
    shape.comment = definition.comment
    if let like { try inherit(like, how, definition, &shape) }
    for column in definition.columns { try add(column, to: &shape) }
    try setKey(definition, &shape)
    for name in definition.partitionedBy where shape.type.index(of: name.text) == nil {
      throw error(
        "partition column '\(name.text)' not found", name.span,
        hint: Suggestion.hint(for: name.text, among: shape.type.fields.map(\.name)))
    }
    for (i, name) in definition.partitionedBy.enumerated()
    where definition.partitionedBy[..<i].contains(where: { $0.text == name.text }) {
      throw error("the partition column '\(name.text)' is given twice", name.span)
    }
    try checkExpressions(shape, definition)
    return shape
  }

  private func add(_ column: ColumnSyntax, to shape: inout TableShape) throws(TerraceError) {
    let name = column.name.text
    guard !shape.order.contains(name) else {
      throw error("the column '\(name)' is defined twice", column.name.span)
    }
    shape.order.append(name)
    if let comment = column.comment { shape.comments[name] = comment }
    func field(_ type: DataType) -> Field {
      Field(
        id: shape.type.count, name: name, type: column.isPrimaryKey ? type.notNull : type,
        comment: column.comment)
    }
    switch column.kind {
    case .physical(let type): shape.type.fields.append(field(type))
    case .metadata(let type, let key, let isVirtual):
      shape.type.fields.append(field(type))
      shape.metadata.append(.init(column: name, key: key ?? name, isVirtual: isVirtual))
    case .computed(let value): shape.computed.append(.init(name: name, value: value))
    case .nameOnly: throw error("the column '\(name)' has no type", column.name.span)
    }
    if column.isPrimaryKey { shape.primaryKey.append(name) }
  }

  private func setKey(_ definition: TableDefinition, _ shape: inout TableShape) throws(TerraceError)
  {
    guard let key = definition.primaryKey else { return }
    var seen: Set<String> = []
    for name in key.columns {
      guard let index = shape.type.index(of: name.text) else {
        if shape.computed.contains(where: { $0.name == name.text }) {
          throw error(
            "the computed column '\(name.text)' cannot be part of the primary key", name.span)
        }
        throw error(
          "primary key column '\(name.text)' not found", name.span,
          hint: Suggestion.hint(for: name.text, among: shape.type.fields.map(\.name)))
      }
      guard seen.insert(name.text).inserted else {
        throw error("column '\(name.text)' is given twice", name.span)
      }
      shape.type.fields[index].type = shape.type.fields[index].type.notNull
    }
    shape.primaryKey = key.columns.map(\.text)
  }

  private func checkExpressions(_ shape: TableShape, _ definition: TableDefinition)
    throws(TerraceError)
  {
    let scope = Scope(shape.type, qualifier: [])
    let c = ExpressionContext(scope, clause: "a computed column")
    var visible = scope
    let own = Set(definition.columns.map(\.name.text))
    for computed in shape.computed where own.contains(computed.name) {
      let value = try expression(computed.value, c)
      visible.columns.append(
        Scope.Column(name: computed.name, qualifier: [], type: value.type))
    }
    guard let watermark = definition.watermark else { return }
    let w = ExpressionContext(visible, clause: "WATERMARK")
    let column = try self.column(watermark.column, w)
    switch column.type.kind {
    case .timestamp(let precision) where precision <= 3: break
    case .timestampLTZ(let precision) where precision <= 3: break
    default:
      throw error(
        "the watermark column '\(watermark.column.text)' must be TIMESTAMP(3) or TIMESTAMP_LTZ(3), not \(column.type.nullable.text)",
        watermark.column.span)
    }
    let value = try expression(watermark.value, w)
    guard TypeRules.family(value.type) == TypeRules.family(column.type) else {
      throw error(
        "the watermark is \(value.type.nullable.text), its column \(column.type.nullable.text)",
        watermark.value.span)
    }
  }

  // MARK: LIKE

  private func inherit(
    _ like: TableShape, _ how: LikeSyntax?, _ definition: TableDefinition, _ shape: inout TableShape
  ) throws(TerraceError) {
    /// INCLUDING unless told otherwise; options are overwritten by default.
    func verb(_ what: String) -> String {
      how?.options.last { $0.what == what }?.verb ?? how?.options.last { $0.what == "ALL" }?.verb
        ?? (what == "OPTIONS" ? "OVERWRITING" : "INCLUDING")
    }
    let own = Set(definition.columns.map(\.name.text))
    let metadata = Set(like.metadata.map(\.column))
    for field in like.type.fields {
      if metadata.contains(field.name) {
        if verb("METADATA") == "EXCLUDING" { continue }
        if own.contains(field.name), verb("METADATA") == "OVERWRITING" { continue }
      }
      shape.type.fields.append(field)
      shape.order.append(field.name)
    }
    shape.metadata = like.metadata.filter { shape.order.contains($0.column) }
    if verb("GENERATED") != "EXCLUDING" {
      for computed in like.computed
      where !(own.contains(computed.name) && verb("GENERATED") == "OVERWRITING") {
        shape.computed.append(computed)
        shape.order.append(computed.name)
      }
    }
    if verb("CONSTRAINTS") != "EXCLUDING", definition.primaryKey == nil,
      !definition.columns.contains(where: \.isPrimaryKey)
    {
      shape.primaryKey = like.primaryKey
    }
    if verb("PARTITIONS") != "EXCLUDING", shape.partitionKeys.isEmpty {
      shape.partitionKeys = like.partitionKeys
    }
    if verb("WATERMARKS") != "EXCLUDING", shape.watermark == nil {
      shape.watermark = like.watermark
    }
    if verb("OPTIONS") != "EXCLUDING" {
      for option in like.options {
        guard let mine = shape.options.first(where: { $0.key == option.key }) else {
          shape.options.append(option)
          continue
        }
        if verb("OPTIONS") == "INCLUDING" {
          throw error(
            "the option '\(option.key)' is in the table of LIKE as well", mine.keySpan,
            hint: "write OVERWRITING OPTIONS")
        }
      }
    }
    if shape.comment == nil { shape.comment = like.comment }
  }
}
