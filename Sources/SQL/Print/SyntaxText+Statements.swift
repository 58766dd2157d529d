import Columns

extension SyntaxText {
  /// Statements that define tables and views or fill them; nil for the others.
  package static func statement(_ statement: Statement) -> String? {
    switch statement.kind {
    case .query(let query): return self.query(query)
    case .insert(let insert): return self.insert(insert)
    case .createTable(let table): return create(table)
    case .createMaterializedTable(let table): return create(table)
    case .createView(let view):
      return "CREATE " + (view.orReplace ? "OR REPLACE " : "")
        + (view.isTemporary ? "TEMPORARY " : "") + "VIEW "
        + (view.ifNotExists ? "IF NOT EXISTS " : "") + path(view.name)
        + (view.columns.isEmpty ? "" : " " + names(view.columns))
        + (view.comment.map { " COMMENT \(string($0))" } ?? "") + " AS " + query(view.query)
    case .syncDatabase(let sync): return self.sync(sync)
    default: return nil
    }
  }

  static func insert(_ insert: InsertSyntax) -> String {
    var out = "INSERT \(insert.isOverwrite ? "OVERWRITE" : "INTO") " + path(insert.target)
    for hint in insert.hints where !hint.options.isEmpty {
      out += " /*+ \(hint.name.text)\(options(hint.options)) */"
    }
    if !insert.partition.isEmpty {
      let parts = insert.partition.map { part in
        name(part.column.text) + (part.value.map { " = \(operand($0))" } ?? "")
      }
      out += " PARTITION (\(parts.joined(separator: ", ")))"
    }
    if !insert.columns.isEmpty { out += " " + names(insert.columns) }
    out += " " + query(insert.query)
    if let conflict = insert.onConflict { out += " ON CONFLICT DO \(conflict.rawValue)" }
    return out
  }

  private static func create(_ table: CreateTableSyntax) -> String {
    var out =
      "CREATE " + (table.orReplace ? "OR REPLACE " : "") + (table.isTemporary ? "TEMPORARY " : "")
      + "TABLE " + (table.ifNotExists ? "IF NOT EXISTS " : "") + path(table.name)
    out += definition(table.definition)
    if let like = table.like {
      out += " LIKE " + path(like.source)
      if !like.options.isEmpty {
        out += " (" + like.options.map { "\($0.verb) \($0.what)" }.joined(separator: " ") + ")"
      }
    }
    if let query = table.query { out += " AS " + self.query(query) }
    if let sync = table.sync { out += self.sync(sync) }
    return out
  }

  private static func sync(_ sync: SyncTableSyntax) -> String {
    var out = " AS TABLE " + path(sync.source) + hint(sync.options)
    if !sync.added.isEmpty {
      let columns = sync.added.map { added in
        switch added.place {
        case .first: column(added.column) + " FIRST"
        case .after(let other): column(added.column) + " AFTER " + name(other.text)
        case nil: column(added.column)
        }
      }
      out += " ADD COLUMN (" + columns.joined(separator: ", ") + ")"
    }
    return out
  }

  private static func sync(_ sync: SyncDatabaseSyntax) -> String {
    "CREATE DATABASE " + (sync.ifNotExists ? "IF NOT EXISTS " : "") + path(sync.name)
      + (sync.comment.map { " COMMENT \(string($0))" } ?? "")
      + (sync.withOptions.isEmpty ? "" : " WITH " + options(sync.withOptions))
      + " AS DATABASE " + path(sync.source) + " INCLUDING "
      + (sync.including.map { "TABLE \(string($0.text))" } ?? "ALL TABLES")
      + (sync.excluding.map { " EXCLUDING TABLE \(string($0.text))" } ?? "")
      + hint(sync.options)
  }

  private static func hint(_ options: [OptionSyntax]) -> String {
    options.isEmpty ? "" : " /*+ OPTIONS\(self.options(options)) */"
  }

  private static func create(_ table: CreateMaterializedTableSyntax) -> String {
    var out = "CREATE \(table.orAlter ? "OR ALTER " : "")MATERIALIZED TABLE " + path(table.name)
    out += definition(table.definition)
    if let freshness = table.freshness { out += " FRESHNESS = " + interval(freshness) }
    if let mode = table.refreshMode { out += " REFRESH_MODE = " + mode.rawValue }
    if let start = table.startMode {
      out += " START_MODE = " + start.name + (start.argument.map { "(\(expression($0)))" } ?? "")
    }
    return out + " AS " + query(table.query)
  }

  private static func definition(_ definition: TableDefinition) -> String {
    var out = ""
    if definition.hasColumnList {
      var elements = definition.columns.map(column)
      if let watermark = definition.watermark {
        elements.append("WATERMARK FOR \(path(watermark.column)) AS \(expression(watermark.value))")
      }
      if let key = definition.primaryKey {
        let constraint = key.constraint.map { "CONSTRAINT \(name($0.text)) " } ?? ""
        elements.append("\(constraint)PRIMARY KEY \(names(key.columns)) NOT ENFORCED")
      }
      out += " (" + elements.joined(separator: ", ") + ")"
    }
    if let comment = definition.comment { out += " COMMENT " + string(comment) }
    if let distribution = definition.distribution { out += " " + self.distribution(distribution) }
    if !definition.partitionedBy.isEmpty {
      out += " PARTITIONED BY " + names(definition.partitionedBy)
    }
    if !definition.options.isEmpty { out += " WITH " + options(definition.options) }
    return out
  }

  private static func distribution(_ distribution: DistributionSyntax) -> String {
    var out = "DISTRIBUTED"
    if !distribution.columns.isEmpty {
      switch distribution.kind {
      case .unspecified: out += " BY "
      case .hash: out += " BY HASH "
      case .range: out += " BY RANGE "
      }
      out += names(distribution.columns)
    }
    return out + (distribution.buckets.map { " INTO \($0) BUCKETS" } ?? "")
  }

  private static func column(_ column: ColumnSyntax) -> String {
    var out = name(column.name.text)
    switch column.kind {
    case .physical(let type): out += " " + type.text
    case .metadata(let type, let key, let isVirtual):
      out +=
        " " + type.text + " METADATA" + (key.map { " FROM \(string($0))" } ?? "")
        + (isVirtual ? " VIRTUAL" : "")
    case .computed(let e): out += " AS " + expression(e)
    case .nameOnly: break
    }
    if column.isPrimaryKey { out += " PRIMARY KEY NOT ENFORCED" }
    if let comment = column.comment { out += " COMMENT " + string(comment) }
    return out
  }
}
