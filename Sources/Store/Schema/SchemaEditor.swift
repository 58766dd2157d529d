import Columns

/// A schema being changed.
struct SchemaEditor {
  private let original: TableSchema
  private var schema: TableSchema
  private let hasData: Bool

  init(_ schema: TableSchema, hasData: Bool) {
    original = schema
    self.schema = schema
    self.hasData = hasData
  }

  /// The next schema, checked; the original when nothing changed.
  func finish(timeMillis: Int64) throws(TerraceError) -> TableSchema {
    if schema == original { return original }
    var next = schema
    next.version = 3
    next.id = original.id + 1
    next.timeMillis = timeMillis
    try next.checkDefinition()
    return next
  }

  mutating func apply(_ change: SchemaChange) throws(TerraceError) {
    switch change {
    case .setOption(let name, let value): try setOption(name, value)
    case .removeOption(let name): try setOption(name, nil)
    case .setComment(let text): schema.comment = text
    case .addColumn(let path, let type, let comment, let position):
      try add(path, type, comment, position)
    case .dropColumn(let path): try drop(path)
    case .renameColumn(let path, let name): try rename(path, name)
    case .setType(let path, let type): try setType(path, type)
    case .setNullable(let path, let nullable): try setNullable(path, nullable)
    case .setColumnComment(let path, let text):
      try edit(path) { (field) throws(TerraceError) in field.comment = text }
    case .setDefault(let path, let text): try setDefault(path, text)
    case .moveColumn(let path, let position): try move(path, position)
    }
  }

  // MARK: Options

  private mutating func setOption(_ name: String, _ value: String?) throws(TerraceError) {
    if schema.options[name] == value { return }
    if name == "primary-key" || name == "partition" {
      throw wrong("the keys of a table cannot be changed").with("option", name)
    }
    if hasData {
      if SchemaEditor.immutable.contains(name) {
        throw wrong("the option cannot be changed once there is data").with("option", name)
      }
      if name == "bucket" { try checkBucketChange(value) }
    }
    schema.options[name] = value
  }

  /// Options that say how the data that is there was written or is to be understood.
  private static let immutable: Set<String> = [
    "type", "bucket-key", "bucket-function.type", "data-file.path-directory", "merge-engine",
    "sequence.snapshot-ordering", "rowkind.field", "primary-key.nullable",
    "dynamic-bucket.initial-buckets", "force-lookup", "row-tracking.enabled",
    "data-evolution.enabled", "index-file-in-data-file-dir", "pk-clustering-override",
    "aggregation.remove-record-on-delete", "partial-update.remove-record-on-delete",
    "partial-update.remove-record-on-sequence-group", "deletion-vectors.enabled",
    "partition.default-name", "partition.legacy-name",
  ]

  private func checkBucketChange(_ value: String?) throws(TerraceError) {
    let old = try schema.options.bucket
    let new = try with(value).bucket
    if old < 0 || new < 0 {
      throw wrong("a table cannot change between fixed buckets and none")
        .with("from", old).with("to", new)
    }
  }

  private func with(_ bucket: String?) -> TableOptions {
    var options = schema.options
    options["bucket"] = bucket
    return options
  }

  // MARK: Columns

  private mutating func add(
    _ path: [String], _ type: DataType, _ comment: String?, _ position: SchemaChange.Position
  ) throws(TerraceError) {
    guard let name = path.last else { throw wrong("a column needs a name") }
    if !type.isNullable {
      throw wrong("a new column must be nullable: the rows that are there have no value for it")
        .with("column", shown(name))
    }
    if path.count == 1 { try TableSchema.checkColumnName(name) }
    var next = schema.highestFieldID + 1
    var field = Field(id: next, name: name, type: type, comment: comment)
    next += 1
    field.type = type.numbered(&next)
    schema.highestFieldID = next - 1
    try editSiblings(path) { (fields) throws(TerraceError) in
      if fields.contains(where: { $0.name == name }) {
        throw wrong("there is a column of this name").with("column", shown(name))
      }
      try insert(field, position, into: &fields)
    }
  }

  private mutating func drop(_ path: [String]) throws(TerraceError) {
    try checkFree(path, "dropped")
    try editSiblings(path) { (fields) throws(TerraceError) in
      fields.remove(at: try index(of: path.last ?? "", in: fields))
      if fields.isEmpty { throw wrong("the last column cannot be dropped") }
    }
    guard path.count == 1, let name = path.first else { return }
    if schema.options.sequenceFields.contains(name) || schema.options.rowKindField == name {
      throw wrong("an option names the column").with("column", shown(name))
    }
  }

  private mutating func rename(_ path: [String], _ name: String) throws(TerraceError) {
    if path.last == name { return }
    try checkFree(path, "renamed")
    if path.count == 1 { try TableSchema.checkColumnName(name) }
    try editSiblings(path) { (fields) throws(TerraceError) in
      let place = try index(of: path.last ?? "", in: fields)
      if fields.contains(where: { $0.name == name }) {
        throw wrong("there is a column of this name").with("column", shown(name))
      }
      fields[place].name = name
    }
    if path.count == 1, let old = path.first { renameInOptions(old, name) }
  }

  /// Options that name the column go with it.
  private mutating func renameInOptions(_ old: String, _ new: String) {
    for name in ["sequence.field", "rowkind.field"] {
      guard let text = schema.options[name] else { continue }
      schema.options[name] = text.commaList.map { $0 == old ? new : $0 }.joined(separator: ",")
    }
    let prefix = "fields.\(old)."
    for (name, value) in schema.options.entries where name.hasPrefix(prefix) {
      schema.options[name] = nil
      schema.options["fields.\(new)." + name.dropFirst(prefix.count)] = value
    }
  }

  private mutating func setType(_ path: [String], _ type: DataType) throws(TerraceError) {
    try checkFree(path, "changed in type")
    var next = schema.highestFieldID + 1
    let numbered = type.numbered(&next)
    try edit(path) { (field) throws(TerraceError) in
      let wanted = DataType(numbered.kind, nullable: field.type.isNullable)
      if field.type == wanted { return }
      if field.type.isNested || wanted.isNested {
        throw wrong("members of a nested column are changed one by one")
          .with("column", shown(path.joined(separator: ".")))
      }
      guard field.type.widens(to: wanted), Cast.isSupported(from: field.type, to: wanted) else {
        throw wrong("the type cannot be changed without losing values")
          .with("column", shown(path.joined(separator: ".")))
          .with("from", field.type.text).with("to", wanted.text)
      }
      field.type = wanted
    }
  }

  private mutating func setNullable(_ path: [String], _ nullable: Bool) throws(TerraceError) {
    if path.count == 1, nullable, schema.primaryKeys.contains(path[0]) {
      throw wrong("a primary key column is never null").with("column", shown(path[0]))
    }
    let allowed =
      try !schema.options.flag("alter-column-null-to-not-null.disabled", true) || !hasData
    try edit(path) { (field) throws(TerraceError) in
      if field.type.isNullable, !nullable, !allowed {
        throw wrong("the column may hold nulls already")
          .with("column", shown(path.joined(separator: ".")))
          .hint("set alter-column-null-to-not-null.disabled to false if you know that it does not")
      }
      field.type.isNullable = nullable
    }
  }

  private mutating func setDefault(_ path: [String], _ text: String?) throws(TerraceError) {
    try checkFree(path, "given a default")
    try edit(path) { (field) throws(TerraceError) in field.defaultValue = text }
  }

  private mutating func move(
    _ path: [String], _ position: SchemaChange.Position
  ) throws(TerraceError) {
    try editSiblings(path) { (fields) throws(TerraceError) in
      let field = fields.remove(at: try index(of: path.last ?? "", in: fields))
      try insert(field, position, into: &fields)
    }
  }

  /// Columns that decide where a row lies stay as they are.
  private func checkFree(_ path: [String], _ what: String) throws(TerraceError) {
    guard path.count == 1, let name = path.first else { return }
    for (kind, keys) in [
      ("partition", schema.partitionKeys), ("primary key", schema.primaryKeys),
      ("bucket-key", schema.options.bucketKey),
    ] where keys.contains(name) {
      throw wrong("a \(kind) column cannot be \(what)").with("column", shown(name))
    }
  }

  // MARK: Paths

  private mutating func edit(
    _ path: [String], _ body: (inout Field) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    try editSiblings(path) { (fields) throws(TerraceError) in
      try body(&fields[try index(of: path.last ?? "", in: fields)])
    }
  }

  /// The fields among which the last name of the path stands.
  private mutating func editSiblings(
    _ path: [String], _ body: (inout [Field]) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    guard let first = path.first else { throw wrong("a column needs a name") }
    if path.count == 1 {
      try body(&schema.fields)
    } else {
      let place = try index(of: first, in: schema.fields)
      var type = schema.fields[place].type
      try descend(&type, path.dropFirst(), body)
      schema.fields[place].type = type
    }
  }
}

private func index(of name: String, in fields: [Field]) throws(TerraceError) -> Int {
  guard let index = fields.firstIndex(where: { $0.name == name }) else {
    throw wrong("no such column").with("column", shown(name))
  }
  return index
}

private func insert(
  _ field: Field, _ position: SchemaChange.Position, into fields: inout [Field]
) throws(TerraceError) {
  switch position {
  case .first: fields.insert(field, at: 0)
  case .last: fields.append(field)
  case .after(let name): fields.insert(field, at: try index(of: name, in: fields) + 1)
  case .before(let name): fields.insert(field, at: try index(of: name, in: fields))
  }
}

private func descend(
  _ type: inout DataType, _ path: ArraySlice<String>,
  _ body: (inout [Field]) throws(TerraceError) -> Void
) throws(TerraceError) {
  guard let name = path.first else { throw wrong("a column needs a name") }
  switch (type.kind, name) {
  case (.row(var fields), _):
    if path.count == 1 {
      try body(&fields)
    } else {
      try descend(&fields[try index(of: name, in: fields)].type, path.dropFirst(), body)
    }
    type.kind = .row(fields)
  case (.array(var element), "element") where path.count > 1:
    try descend(&element, path.dropFirst(), body)
    type.kind = .array(element)
  case (.multiset(var element), "element") where path.count > 1:
    try descend(&element, path.dropFirst(), body)
    type.kind = .multiset(element)
  case (.map(var key, let value), "key") where path.count > 1:
    try descend(&key, path.dropFirst(), body)
    type.kind = .map(key, value)
  case (.map(let key, var value), "value") where path.count > 1:
    try descend(&value, path.dropFirst(), body)
    type.kind = .map(key, value)
  default: throw wrong("no such column").with("column", shown(name))
  }
}

private func wrong(_ message: String) -> TerraceError { TerraceError(.invalid, message) }
