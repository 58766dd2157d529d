import Columns
import Store

/// Which columns of a table lie in the keys of messages, which in the values, and how both are written:
/// `format`, `key.format`, `key.fields`, `key.fields-prefix`, `value.format`, `value.fields-include`.
struct MessageLayout {
  let value: RecordFormat
  let key: RecordFormat?
  /// All columns of a value and of a key, as declared.
  let valueDeclared: RowType
  let keyDeclared: RowType
  /// What stands before the names of the columns that lie in keys.
  let prefix: String
  /// Whether a later message takes the place of an earlier one of its key.
  let isUpsert: Bool

  /// - Parameter isUpsert: a message's key is the primary key, and one without a value deletes its row.
  init(
    _ options: inout ConnectorOptions, isUpsert: Bool
  ) throws(TerraceError) {
    let table = options.table
    self.isUpsert = isUpsert
    let names = ["format", "value.format"].filter { table.options[$0] != nil }
    if names.count > 1 {
      throw TerraceError(.invalid, "'format' and 'value.format' are the same: give one of them")
        .with("table", table.name)
    }
    let own = names.first ?? (isUpsert ? "value.format" : "format")
    value = try RecordFormat(&options, option: own, lead: own == "format" ? "" : "value.")
    let hasKey = isUpsert || options.table.options["key.format"] != nil
    key = hasKey ? try RecordFormat(&options, option: "key.format", lead: "key.") : nil
    prefix = options.text("key.fields-prefix") ?? ""
    let include = try options.choice("value.fields-include", ["ALL", "EXCEPT_KEY"])
    let given = options.text("key.fields")
    let keys = try Self.keys(table, given, hasKey: hasKey, isUpsert: isUpsert)
    let fields = table.declared.fields
    for name in keys where !name.hasPrefix(prefix) {
      throw TerraceError(
        .invalid, "a column of 'key.fields' does not begin with the prefix of key columns"
      ).with("table", table.name).with("column", name).with("prefix", prefix)
    }
    if !prefix.isEmpty, include == "ALL" {
      throw TerraceError(
        .invalid,
        "a prefix for key columns is only allowed with 'value.fields-include' = 'EXCEPT_KEY'"
      ).with("table", table.name).with("option", "key.fields-prefix")
    }
    keyDeclared = RowType(keys.compactMap { name in fields.first { $0.name == name } })
    valueDeclared = RowType(include == "ALL" ? fields : fields.filter { !keys.contains($0.name) })
    try check(table)
  }

  private static func keys(
    _ table: ConnectorTable, _ given: String?, hasKey: Bool, isUpsert: Bool
  ) throws(TerraceError) -> [String] {
    if isUpsert {
      if table.primaryKey.isEmpty {
        throw TerraceError(
          .invalid, "a table of upserts needs a PRIMARY KEY",
          hint: "declare PRIMARY KEY (…) NOT ENFORCED on the columns that the messages' keys hold"
        ).with("table", table.name)
      }
      if given != nil {
        throw TerraceError(.invalid, "the key columns of a table of upserts are its PRIMARY KEY")
          .with("table", table.name).with("option", "key.fields")
      }
      return table.primaryKey
    }
    let names = (given ?? "").split(separator: ";").map { $0.trimmed }.filter { !$0.isEmpty }
    if hasKey == names.isEmpty {
      throw TerraceError(.invalid, "'key.format' and 'key.fields' go together")
        .with("table", table.name)
    }
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw TerraceError(.invalid, "'key.fields' names a column twice")
        .with("table", table.name).with("column", twice)
    }
    for name in names where table.declared.index(of: name) == nil {
      throw TerraceError(.invalid, "'key.fields' names no column of the table")
        .with("table", table.name).with("column", name)
    }
    return names
  }

  private func check(_ table: ConnectorTable) throws(TerraceError) {
    for format in [value, key].compactMap(\.self) {
      if !format.isForMessages {
        throw TerraceError(.unsupported, "format '\(format.kind.rawValue)' in messages")
          .with("table", table.name)
      }
    }
    if isUpsert || key?.isChanges == true,
      let wrong = [value, key].compactMap(\.self).first(where: \.isChanges)
    {
      throw TerraceError(
        .invalid, "format '\(wrong.kind.rawValue)' tells changes and cannot be used here",
        hint: "use the connector 'kafka' with it, or an insert-only format such as 'json'"
      ).with("table", table.name)
    }
    do throws(TerraceError) {
      try value.check(valueDeclared)
      try key?.check(keyDeclared)
    } catch { throw error.with("table", table.name) }
    if valueDeclared.fields.isEmpty {
      throw TerraceError(.invalid, "no column is left for the messages' values")
        .with("table", table.name)
    }
  }

  /// How a source of such messages tells changes.
  func style(_ table: ConnectorTable) -> ChangeStyle {
    if isUpsert { return .upserts }
    if !value.isChanges { return .inserts }
    return table.primaryKey.isEmpty ? .retractions : .upserts
  }

  /// A column as it is called in the messages' keys.
  func keyField(_ field: Field) -> Field {
    Field(id: field.id, name: String(field.name.dropFirst(prefix.count)), type: field.type)
  }
}
