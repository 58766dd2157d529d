import Columns

/// Whether a table still looks as it was declared, at a place of the log or now.
enum PostgresDrift {
  struct Column {
    var name: String
    var type: PostgresType
  }

  /// What the table looks like; nil when the declared columns hold all that the log tells.
  ///
  /// - Parameters:
  ///   - columns: in the order of the server.
  ///   - key: as ``key(_:_:_:)`` gives it.
  static func drift(
    _ name: PostgresTableName, _ columns: [Column], key: [String], _ table: ConnectorTable,
    _ options: PostgresOptions
  ) -> SchemaDrift? {
    var reasons: [String] = []
    var held: [String: DataType] = [:]
    for column in columns {
      guard let declared = table.declared.fields.first(where: { $0.name == column.name }) else {
        if options.followsSchema { reasons.append("column \(column.name) is new") }
        continue
      }
      // Where nobody follows, values that do not fit are dead letters, each for itself.
      let isHeld =
        options.followsSchema
        ? holds(declared.type, column.type.columnType) : column.type.fits(declared.type)
      if isHeld {
        held[column.name] = declared.type.nullable
      } else {
        reasons.append("column \(column.name) is \(column.type.name) now")
      }
    }
    let names = Set(columns.map(\.name))
    if options.followsSchema {
      for field in table.declared.fields where !names.contains(field.name) {
        reasons.append("column \(field.name) is gone")
      }
    }
    if key != declaredKey(table) {
      reasons.append("the log tells old rows by (\(key.joined(separator: ", ")))")
    }
    if reasons.isEmpty { return nil }
    let fields = columns.enumerated().map { place, column in
      // What holds it stays: no column becomes narrower.
      let type = held[column.name] ?? column.type.columnType
      return Field(
        id: place, name: column.name, type: key.contains(column.name) ? type.notNull : type)
    }
    return SchemaDrift(
      columns: fields, primaryKey: key,
      reason: "\(name.text): " + reasons.joined(separator: ", "))
  }

  // MARK: The key

  /// Columns of the declared key that come from the server.
  private static func declaredKey(_ table: ConnectorTable) -> [String] {
    table.primaryKey.filter { name in !table.metadata.contains { $0.column == name } }
  }

  /// The key by which rows are told apart: the declared one, unless the server has another by now.
  ///
  /// - Parameters:
  ///   - now: the server's primary key as it is now; of tables that tell whole old rows, the log has no other.
  static func key(
    _ relation: ReplicationRelation, _ table: ConnectorTable, _ options: PostgresOptions,
    now: () throws(TerraceError) -> [String]?
  ) throws(TerraceError) -> [String] {
    let declared = declaredKey(table)
    // Old rows come whole, or their absence is an error.
    if declared.isEmpty { return declared }
    let told = relation.columns.filter(\.isKey).map(\.name)
    switch relation.identity {
    case "f":
      guard options.evolution != nil, let key = try now() else { return declared }
      if options.hasOwnKey, key.isEmpty { return declared }
      return Set(key) == Set(declared) ? declared : key
    case "d" where options.evolution != nil:
      return Set(told) == Set(declared) ? declared : told
    default: return Set(declared).isSubset(of: told) ? declared : told
    }
  }

  /// What a table that is about to be read for the first time looks like; nil: as declared.
  static func drift(
    _ now: PostgresTable, _ table: ConnectorTable, _ options: PostgresOptions
  ) -> SchemaDrift? {
    let declared = declaredKey(table)
    let isOwn = options.hasOwnKey && now.primaryKey.isEmpty
    let isSame = declared.isEmpty || isOwn || Set(now.primaryKey) == Set(declared)
    let columns = now.columns.filter { !$0.isGenerated }
    var found = drift(
      now.name, columns.map { Column(name: $0.name, type: $0.type) },
      key: isSame ? declared : now.primaryKey, table, options)
    found?.take(now)
    return found
  }

  // MARK: Types

  /// Whether every value of a type stands unchanged in a declared one.
  static func holds(_ declared: DataType, _ type: DataType) -> Bool {
    switch (declared.kind, type.kind) {
    case (.varchar(let a), .varchar(let b)), (.varchar(let a), .char(let b)),
      (.char(let a), .char(let b)):
      return a >= b
    // Any value has a text.
    case (.varchar(let a), _): return a == DataType.unbounded
    case (.decimal(let p, let s), .decimal(let q, let t)): return s >= t && p - s >= q - t
    case (.timestamp(let a), .timestamp(let b)), (.timestampLTZ(let a), .timestampLTZ(let b)),
      (.time(let a), .time(let b)):
      return a >= min(b, 6)
    case (.array(let a), .array(let b)): return holds(a, b)
    default: break
    }
    let widths: [DataType.Kind] = [.tinyint, .smallint, .int, .bigint]
    if let a = widths.firstIndex(of: declared.kind), let b = widths.firstIndex(of: type.kind) {
      return a >= b
    }
    if declared.kind == .double, type.kind == .float { return true }
    return declared.kind == type.kind
  }
}

extension SchemaDrift {
  /// Comments, which the log does not tell.
  mutating func take(_ now: PostgresTable) {
    comment = now.comment
    for i in columns.indices { columns[i].comment = now.column(columns[i].name)?.comment }
  }
}
