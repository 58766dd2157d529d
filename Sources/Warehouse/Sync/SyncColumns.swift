import Columns
import Connectors
import SQL
import Store

/// The columns of a synced table, out of those of its sources and what the statement adds.
struct SyncColumns {
  private let statement: SyncStatement
  private let sources: [SyncSource]

  init(_ statement: SyncStatement, _ sources: [SyncSource]) {
    self.statement = statement
    self.sources = sources
  }

  private func invalid(_ message: String, hint: String = "") -> TerraceError {
    TerraceError(.invalid, message, hint: hint).with("table", sources[0].name)
  }

  // MARK: The key

  /// That of the server's table, after the metadata that the statement puts into it.
  func primaryKey() throws(TerraceError) -> [String] {
    let options = statement.options
    let metadata = options.keyMetadata.map { options.metadataPrefix + $0 }
    var keys: [[String]] = []
    for source in sources { keys.append(source.shape.primaryKey.map(source.target)) }
    if let other = keys.firstIndex(where: { $0 != keys[0] }) {
      throw invalid(
        "\(sources[0].name) has the primary key (\(keys[0].joined(separator: ", "))), "
          + "\(sources[other].name) has (\(keys[other].joined(separator: ", "))): they cannot make one table",
        hint: "EXCLUDING TABLE leaves one of them out")
    }
    guard let wanted = statement.definition.primaryKey?.columns.map(\.text) else {
      if keys[0].isEmpty {
        throw invalid(
          "\(sources[0].name) has no primary key",
          hint: "CREATE TABLE t (PRIMARY KEY (…) NOT ENFORCED) AS TABLE … says what its key is")
      }
      return metadata + keys[0]
    }
    let isOwn = keys[0].isEmpty
    if isOwn, let source = sources.first(where: { !$0.shape.tellsOldRows }) {
      throw invalid(
        "\(source.name) has no primary key, and its changes do not tell the old row",
        hint: "give it a key, or REPLICA IDENTITY FULL")
    }
    let left = Set(wanted).subtracting(metadata).subtracting(partitionColumns)
    guard isOwn || left == Set(keys[0]).subtracting(partitionColumns) else {
      throw invalid(
        "the primary key is (\(wanted.joined(separator: ", "))), at the server it is "
          + "(\(keys[0].joined(separator: ", "))): deleted rows could not be found",
        hint: "leave PRIMARY KEY out, or name the same columns")
    }
    return metadata.filter { !wanted.contains($0) } + wanted
  }

  private var partitionColumns: Set<String> {
    Set(statement.definition.partitionedBy.map(\.text))
  }

  // MARK: Columns

  /// The columns of a table that is made now.
  func fields(_ key: [String]) throws(TerraceError) -> [Field] {
    let options = statement.options
    var fields: [Field] = []
    func add(_ name: String, _ type: DataType, _ comment: String?) throws(TerraceError) {
      if fields.contains(where: { $0.name == name }) {
        throw invalid(
          "there are two columns '\(name)'", hint: "'metadata-column-prefix' keeps names apart")
      }
      let type = key.contains(name) ? type.notNull : type.nullable
      fields.append(Field(id: fields.count, name: name, type: type, comment: comment))
    }
    func addMetadata(_ keys: [String]) throws(TerraceError) {
      for (name, type) in SyncOptions.metadataTypes where keys.contains(name) {
        try add(options.metadataPrefix + name, type, nil)
      }
    }
    try addMetadata(options.keyMetadata)
    for field in try sourceFields() { try add(field.name, field.type, field.comment) }
    try addMetadata(options.metadata.filter { !options.keyMetadata.contains($0) })
    for column in statement.definition.columns {
      if case .metadata(let type, _, _) = column.kind {
        try add(column.name.text, type, column.comment)
      }
    }
    let types = try computedTypes()
    for column in SyncText.computed(statement) {
      try add(column.name.text, types[column.name.text] ?? .string, column.comment)
    }
    for added in statement.added { try place(added, &fields) }
    for name in key where !fields.contains(where: { $0.name == name }) {
      throw invalid("primary key column '\(name)' not found")
    }
    return fields
  }

  /// Columns of all sources by name, each as wide as it must be.
  private func sourceFields() throws(TerraceError) -> [Field] {
    var fields: [Field] = []
    for source in sources {
      for column in source.shape.columns {
        let name = source.target(of: column.name)
        let isKey = source.shape.primaryKey.contains(column.name)
        let type = typeOverride(name) ?? statement.options.mapped(column.type, isKey: isKey)
        guard let index = fields.firstIndex(where: { $0.name == name }) else {
          fields.append(Field(id: fields.count, name: name, type: type, comment: column.comment))
          continue
        }
        let known = fields[index].type
        if known.widens(to: type) {
          fields[index].type = type
        } else if !type.widens(to: known) {
          throw invalid(
            "column \(name) is \(known.nullable.text) in \(sources[0].name) and "
              + "\(type.nullable.text) in \(source.name): they cannot make one table")
        }
        if fields[index].comment == nil { fields[index].comment = column.comment }
      }
    }
    for column in statement.definition.columns {
      guard case .physical(let type) = column.kind,
        !fields.contains(where: { $0.name == column.name.text })
      else { continue }
      throw statement.text.error(
        "\(sources[0].name) has no column '\(column.name.text)'", at: column.name.span,
        hint: "a column of its own is computed: \(column.name.text) AS CAST(… AS \(type.text))")
    }
    return fields
  }

  /// A column that the statement lists with a type of its own.
  private func typeOverride(_ name: String) -> DataType? {
    for column in statement.definition.columns where column.name.text == name {
      if case .physical(let type) = column.kind { return type }
    }
    return nil
  }

  private func place(
    _ added: SyncTableSyntax.Added, _ fields: inout [Field]
  ) throws(TerraceError) {
    guard let place = added.place,
      let index = fields.firstIndex(where: { $0.name == added.column.name.text })
    else { return }
    let field = fields.remove(at: index)
    switch place {
    case .first: fields.insert(field, at: 0)
    case .after(let other):
      guard let at = fields.firstIndex(where: { $0.name == other.text }) else {
        throw statement.text.error(
          "column '\(other.text)' not found", at: other.span,
          hint: NearestName.hint(other.text, among: fields.map(\.name)) ?? "")
      }
      fields.insert(field, at: at + 1)
    }
  }

  private func computedTypes() throws(TerraceError) -> [String: DataType] {
    if SyncText.computed(statement).isEmpty { return [:] }
    do throws(TerraceError) {
      let text = SourceText(SyncText.source(sources[0], statement), name: sources[0].name)
      guard case .createTable(let create)? = try Parser.script(text).first?.kind else { return [:] }
      let none = OneTable(
        table: TableShape(type: RowType([Field]())).bound(
          reference: "", isAppendOnly: true, text: text))
      let shape = try Binder(text, resolver: none, isStreaming: true).shape(of: create.definition)
      let table = OneTable(table: shape.bound(reference: "t", isAppendOnly: true, text: text))
      let query = try Parser.query(SourceText("SELECT * FROM t"))
      let type = try Binder(text, resolver: table, isStreaming: false).bind(query).type
      return Dictionary(type.fields.map { ($0.name, $0.type) }) { first, _ in first }
    } catch {
      throw TerraceError(error.kind, error.message, hint: error.hint)
        .with("table", sources[0].name)
    }
  }

  // MARK: A table that is there

  /// The columns of a table that is there, with those that came; what went at the server stays.
  static func merged(
    _ fresh: [Field], into stored: TableSchema?, _ options: SyncOptions
  ) throws(TerraceError) -> [Field] {
    guard let stored else { return fresh }
    var fields = stored.fields
    for field in fresh {
      guard let index = fields.firstIndex(where: { $0.name == field.name }) else {
        if options.evolution == .follow { fields.append(field) }
        continue
      }
      let known = fields[index].type
      if options.evolution != .ignore, let comment = field.comment {
        fields[index].comment = comment
      }
      if field.type.widens(to: known) { continue }
      guard options.evolution == .follow, known.widens(to: field.type) else {
        throw TerraceError(
          .invalid,
          "column \(field.name) is \(known.nullable.text) here and \(field.type.nullable.text) at the server",
          hint: "drop the table, and the next run makes it anew")
      }
      fields[index].type =
        known.isNullable ? field.type.nullable : field.type.notNull
    }
    return fields
  }
}
