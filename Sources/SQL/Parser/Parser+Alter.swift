import Columns

extension Parser {
  mutating func alter() throws(TerraceError) -> Statement.Kind {
    advance()
    if accept(.materialized) {
      try expect(.table)
      let name = try tablePath()
      return .alterMaterializedTable(name, try alterMaterializedTable())
    }
    if accept(.view) {
      let name = try tablePath()
      if accept(.rename) {
        try expect(.to)
        return .alterView(name, .rename(try tablePath()))
      }
      try expect(.as)
      return .alterView(name, .asQuery(try query()))
    }
    if accept(.database) {
      let name = try name("a database name")
      try expect(.set)
      return .alterDatabase(name, try options())
    }
    if isAt(.table) {
      advance()
      return .alterTable(try alterTable())
    }
    if isAt(.catalog) || isAt(.function) || isAt(.model) {
      throw unsupported("ALTER \(source.text(current.span).uppercased())", at: current.span)
    }
    throw unexpected(
      "TABLE, MATERIALIZED TABLE, VIEW or DATABASE", [.table, .materialized, .view, .database])
  }

  private mutating func alterMaterializedTable() throws(TerraceError) -> AlterMaterializedTable {
    if accept(.suspend) { return .suspend }
    if accept(.resume) { return .resume(accept(.with) ? try options() : []) }
    if accept(.refresh) {
      return .refresh(partition: accept(.partition) ? try partitionSpec() : [])
    }
    if accept(.as) { return .asQuery(try query()) }
    if isAt(.set) {
      advance()
      if isAt(.freshness) || isAt(.refresh_mode) {
        throw unsupported(
          "SET \(source.text(current.span).uppercased())", at: current.span,
          hint: "write CREATE OR ALTER MATERIALIZED TABLE")
      }
      return .setOptions(try options())
    }
    if accept(.reset) { return .resetOptions(try keyList()) }
    if isAt(.add) || isAt(.modify) || isAt(.drop) || isAt(.rename) {
      throw unsupported(
        "ALTER MATERIALIZED TABLE … \(source.text(current.span).uppercased())", at: current.span,
        hint: "write CREATE OR ALTER MATERIALIZED TABLE")
    }
    throw unexpected(
      "SUSPEND, RESUME, REFRESH, AS, SET or RESET",
      [.suspend, .resume, .refresh, .as, .set, .reset])
  }

  private mutating func alterTable() throws(TerraceError) -> AlterTableSyntax {
    let ifExists = accept(.if, .exists)
    var alter = AlterTableSyntax(name: try tablePath(), ifExists: ifExists, changes: [])
    switch current.keyword {
    case .add: try alterAdd(&alter)
    case .modify: try alterColumns(&alter, isAdd: false)
    case .drop: try alterDrop(&alter)
    case .rename:
      advance()
      if accept(.to) {
        alter.changes = [.renameTable(try tablePath())]
      } else {
        _ = accept(.column)
        let old = try name("a column name")
        try expect(.to)
        alter.changes = [.renameColumn(old, to: try name("a column name"))]
      }
    case .set:
      advance()
      alter.changes = [.setOptions(try options())]
    case .reset:
      advance()
      alter.changes = [.resetOptions(try keyList())]
    default:
      throw unexpected(
        "ADD, MODIFY, DROP, RENAME, SET or RESET", [.add, .modify, .drop, .rename, .set, .reset])
    }
    return alter
  }

  private mutating func alterAdd(_ alter: inout AlterTableSyntax) throws(TerraceError) {
    let isPartition =
      peek().keyword == .partition
      || peek().keyword == .if && peek(4).keyword == .partition
    guard isPartition else { return try alterColumns(&alter, isAdd: true) }
    advance()
    let ifNotExists = accept(.if, .not, .exists)
    var partitions: [[OptionSyntax]] = []
    while accept(.partition) { partitions.append(try partitionSpec()) }
    alter.changes = [.addPartitions(partitions, ifNotExists: ifNotExists)]
  }

  /// ADD or MODIFY, of one thing or of several in parentheses.
  private mutating func alterColumns(_ alter: inout AlterTableSyntax, isAdd: Bool)
    throws(TerraceError)
  {
    advance()
    let isList = accept(.leftParenthesis)
    repeat {
      if isAt(.primary) || isAt(.constraint) {
        let key = try primaryKey()
        alter.changes.append(isAdd ? .addPrimaryKey(key) : .modifyPrimaryKey(key))
      } else if isAt(.watermark), peek().keyword == .for {
        let watermark = try watermark()
        alter.changes.append(isAdd ? .addWatermark(watermark) : .modifyWatermark(watermark))
      } else if isAt(.distribution) {
        throw unsupported("changing the distribution of a table", at: current.span)
      } else {
        if isAt(.column), isName(peek()) { advance() }
        let column = try column()
        if case .nameOnly = column.kind { throw unexpected("a type") }
        var place: AlterTableSyntax.Place?
        if accept(.first) {
          place = .first
        } else if accept(.after) {
          place = .after(try name("a column name"))
        }
        alter.changes.append(isAdd ? .addColumn(column, place) : .modifyColumn(column, place))
      }
    } while isList && accept(.comma)
    if isList { try expect(.rightParenthesis, "')' or ','") }
  }

  private mutating func alterDrop(_ alter: inout AlterTableSyntax) throws(TerraceError) {
    advance()
    if accept(.primary, .key) {
      alter.changes = [.dropPrimaryKey]
    } else if accept(.constraint) {
      alter.changes = [.dropConstraint(try name("a constraint name"))]
    } else if isAt(.watermark), !isName(peek()) {
      advance()
      alter.changes = [.dropWatermark]
    } else if isAt(.partition) || isAt(.if) && peek(2).keyword == .partition {
      let ifExists = accept(.if, .exists)
      var partitions: [[OptionSyntax]] = []
      repeat {
        try expect(.partition)
        partitions.append(try partitionSpec())
      } while accept(.comma)
      alter.changes = [.dropPartitions(partitions, ifExists: ifExists)]
    } else if isAt(.leftParenthesis) {
      alter.changes = [.dropColumns(try nameList())]
    } else {
      if isAt(.column), isName(peek()) { advance() }
      alter.changes = [.dropColumns([try name("a column name")])]
    }
  }

  /// `('k', 'l')`
  private mutating func keyList() throws(TerraceError) -> [Name] {
    try expect(.leftParenthesis, "'('")
    var keys: [Name] = []
    repeat {
      let span = current.span
      keys.append(Name(try string("an option key in quotes"), span))
    } while accept(.comma)
    try expect(.rightParenthesis, "')' or ','")
    return keys
  }

  /// `(dt = '2026-11-19', hour = 3)`
  mutating func partitionSpec() throws(TerraceError) -> [OptionSyntax] {
    try expect(.leftParenthesis, "'('")
    var parts: [OptionSyntax] = []
    repeat {
      let column = try name("a partition column")
      try expect(.equal, "'='")
      let span = current.span
      let value: String
      switch current.kind {
      case .integer, .decimal:
        value = source.text(span)
        advance()
      default:
        if isAt(.date) { advance() }
        value = try string("a partition value")
      }
      parts.append(
        OptionSyntax(key: column.text, value: value, keySpan: column.span, valueSpan: span))
    } while accept(.comma)
    try expect(.rightParenthesis, "')' or ','")
    return parts
  }
}
