import Columns

extension Parser {
  // MARK: CREATE TABLE

  /// After CREATE [OR REPLACE] [TEMPORARY] TABLE.
  mutating func createTable(isTemporary: Bool, orReplace: Bool) throws(TerraceError)
    -> CreateTableSyntax
  {
    let ifNotExists = accept(.if, .not, .exists)
    var table = CreateTableSyntax(
      name: try tablePath(), isTemporary: isTemporary, ifNotExists: ifNotExists,
      orReplace: orReplace, definition: TableDefinition())
    try definition(&table.definition, namesOnly: true)
    if accept(.like) { table.like = try like() }
    if accept(.as) {
      if isAtSyncedTable { table.sync = try syncTable() } else { table.query = try query() }
    }
    if table.query == nil {
      for column in table.definition.columns {
        if case .nameOnly = column.kind {
          throw error("the column '\(column.name.text)' has no type", at: column.name.span)
        }
      }
    }
    return table
  }

  /// Column list, COMMENT, DISTRIBUTED, PARTITIONED BY and WITH, each of which may be missing.
  mutating func definition(_ definition: inout TableDefinition, namesOnly: Bool)
    throws(TerraceError)
  {
    if accept(.leftParenthesis) {
      definition.hasColumnList = true
      repeat { try element(&definition) } while accept(.comma)
      try expect(.rightParenthesis, "')' or ','")
    }
    if accept(.comment) { definition.comment = try string() }
    if accept(.distributed) { definition.distribution = try distribution() }
    if accept(.partitioned, .by) { definition.partitionedBy = try nameList() }
    if accept(.with) { definition.options = try options() }
    try checkNames(definition)
  }

  private func checkNames(_ definition: TableDefinition) throws(TerraceError) {
    var seen: Set<String> = []
    for column in definition.columns where !seen.insert(column.name.text).inserted {
      throw error("the column '\(column.name.text)' is defined twice", at: column.name.span)
    }
  }

  private mutating func element(_ definition: inout TableDefinition) throws(TerraceError) {
    if isAt(.primary) || isAt(.constraint) {
      let span = current.span
      let key = try primaryKey()
      if definition.primaryKey != nil || definition.columns.contains(where: \.isPrimaryKey) {
        throw error("the primary key is given twice", at: span)
      }
      definition.primaryKey = key
    } else if isAt(.watermark), peek().keyword == .for {
      let span = current.span
      let watermark = try watermark()
      if definition.watermark != nil { throw error("the watermark is given twice", at: span) }
      definition.watermark = watermark
    } else if isAt(.unique) || isAt(.check) {
      throw unsupported(
        "the constraint \(source.text(current.span).uppercased())", at: current.span)
    } else {
      definition.columns.append(try column())
    }
  }

  mutating func primaryKey() throws(TerraceError) -> PrimaryKeySyntax {
    let start = current.span
    var constraint: Name?
    if accept(.constraint) { constraint = try name("a constraint name") }
    if isAt(.unique) || isAt(.check) {
      throw unsupported(
        "the constraint \(source.text(current.span).uppercased())", at: current.span)
    }
    try expect(.primary, .key)
    let columns = try nameList()
    try notEnforced(start)
    return PrimaryKeySyntax(constraint: constraint, columns: columns, span: start.to(previousSpan))
  }

  private mutating func notEnforced(_ start: SourceSpan) throws(TerraceError) {
    if accept(.not, .enforced) { return }
    if isAt(.enforced) {
      throw error(
        "a primary key cannot be ENFORCED", at: current.span,
        hint: "write PRIMARY KEY … NOT ENFORCED")
    }
    throw error(
      "a primary key must be NOT ENFORCED", at: start.to(previousSpan),
      hint: "write PRIMARY KEY … NOT ENFORCED")
  }

  mutating func watermark() throws(TerraceError) -> WatermarkSyntax {
    try expect(.watermark, .for)
    let column = try path("a column name")
    try expect(.as)
    return WatermarkSyntax(column: column, value: try expression())
  }

  /// A column of CREATE TABLE or ALTER TABLE ADD.
  mutating func column() throws(TerraceError) -> ColumnSyntax {
    let name = try name("a column name")
    var column = ColumnSyntax(name: name, kind: .nameOnly)
    if isAt(.comma) || isAt(.rightParenthesis) { return column }
    if accept(.as) {
      column.kind = .computed(try expression())
    } else {
      let start = current.span
      let type = try type()
      column.typeSpan = start.to(previousSpan)
      column.kind = .physical(type)
      if accept(.metadata) {
        var key: String?
        if accept(.from) { key = try string("the key in quotes") }
        column.kind = .metadata(type, key: key, isVirtual: accept(.virtual))
      }
    }
    try columnTail(&column)
    return column
  }

  private mutating func columnTail(_ column: inout ColumnSyntax) throws(TerraceError) {
    while true {
      let start = current.span
      if isAt(.primary) || isAt(.constraint) {
        if accept(.constraint) { _ = try name("a constraint name") }
        try expect(.primary, .key)
        try notEnforced(start)
        column.isPrimaryKey = true
      } else if accept(.comment) {
        column.comment = try string()
      } else if isAt(.default) {
        throw unsupported("DEFAULT of a column", at: start)
      } else if isAt(.unique) || isAt(.check) || isAt(.references) {
        throw unsupported("the constraint \(source.text(start).uppercased())", at: start)
      } else if accept(.not, .null) {
        // NOT NULL may follow METADATA and constraints too.
        switch column.kind {
        case .physical(let type): column.kind = .physical(type.notNull)
        case .metadata(let type, let key, let isVirtual):
          column.kind = .metadata(type.notNull, key: key, isVirtual: isVirtual)
        default: throw unexpected("',' or ')'")
        }
      } else {
        return
      }
    }
  }

  private mutating func distribution() throws(TerraceError) -> DistributionSyntax {
    var distribution = DistributionSyntax(kind: .unspecified, columns: [], buckets: nil)
    if accept(.by) {
      if accept(.hash) {
        distribution.kind = .hash
      } else if accept(.range) {
        distribution.kind = .range
      }
      distribution.columns = try nameList()
      if !isAt(.into) { return distribution }
    }
    try expect(.into)
    distribution.buckets = try integer("a number of buckets")
    try expect(.buckets)
    return distribution
  }

  private mutating func like() throws(TerraceError) -> LikeSyntax {
    var like = LikeSyntax(source: try tablePath(), options: [])
    guard accept(.leftParenthesis) else { return like }
    while !isAt(.rightParenthesis) {
      let verb = source.text(current.span).uppercased()
      guard isAt(.including) || isAt(.excluding) || isAt(.overwriting) else {
        throw unexpected(
          "INCLUDING, EXCLUDING or OVERWRITING", [.including, .excluding, .overwriting])
      }
      advance()
      switch current.keyword {
      case .all, .constraints, .distribution, .partitions, .generated, .metadata, .options,
        .watermarks:
        like.options.append(.init(verb: verb, what: source.text(current.span).uppercased()))
        advance()
      default:
        throw unexpected(
          "what to take from the table",
          [
            .all, .constraints, .distribution, .partitions, .generated, .metadata, .options,
            .watermarks,
          ])
      }
    }
    try expect(.rightParenthesis, "')'")
    return like
  }

  /// `('key' = 'value', …)`; may be empty.
  mutating func options() throws(TerraceError) -> [OptionSyntax] {
    try expect(.leftParenthesis, "'('")
    var options: [OptionSyntax] = []
    if accept(.rightParenthesis) { return options }
    repeat {
      let option = try option()
      if options.contains(where: { $0.key == option.key }) {
        throw error("the option '\(option.key)' is given twice", at: option.keySpan)
      }
      options.append(option)
    } while accept(.comma)
    try expect(.rightParenthesis, "')' or ','")
    return options
  }

  mutating func option() throws(TerraceError) -> OptionSyntax {
    let keySpan = current.span
    let key = try string("an option key in quotes")
    try expect(.equal, "'='")
    let valueSpan = current.span
    if current.kind == .integer || current.kind == .word {
      throw error(
        "the value of an option is a string", at: valueSpan,
        hint: "write '\(source.text(valueSpan))'")
    }
    let value = try string("a value in quotes")
    return OptionSyntax(key: key, value: value, keySpan: keySpan, valueSpan: valueSpan)
  }

  // MARK: CREATE MATERIALIZED TABLE

  /// After CREATE [OR ALTER] MATERIALIZED TABLE.
  mutating func createMaterializedTable(orAlter: Bool) throws(TerraceError)
    -> CreateMaterializedTableSyntax
  {
    if isAt(.if), peek().keyword == .not {
      throw unsupported(
        "IF NOT EXISTS for a materialized table", at: current.span,
        hint: "write CREATE OR ALTER MATERIALIZED TABLE")
    }
    let name = try tablePath()
    var definition = TableDefinition()
    try self.definition(&definition, namesOnly: true)
    var freshness: IntervalSyntax?
    var freshnessSpan: SourceSpan?
    if accept(.freshness) {
      try expect(.equal, "'='")
      let start = current.span
      try expect(.interval)
      let value = try interval()
      freshnessSpan = start.to(previousSpan)
      switch value.from {
      case .second, .minute, .hour, .day: break
      default:
        throw error("FRESHNESS takes SECOND, MINUTE, HOUR or DAY", at: start.to(previousSpan))
      }
      guard let number = Int(value.text), number > 0, value.to == nil, !value.isNegative else {
        throw error(
          "FRESHNESS takes a positive whole number of one unit", at: start.to(previousSpan),
          hint: "write FRESHNESS = INTERVAL '3' MINUTE")
      }
      freshness = value
    }
    let refreshMode = try refreshMode()
    let startMode = try startMode()
    try expect(.as)
    return CreateMaterializedTableSyntax(
      name: name, orAlter: orAlter, definition: definition, freshness: freshness,
      freshnessSpan: freshnessSpan, refreshMode: refreshMode, startMode: startMode,
      query: try query())
  }

  private mutating func refreshMode() throws(TerraceError) -> RefreshMode? {
    guard accept(.refresh_mode) else { return nil }
    try expect(.equal, "'='")
    if accept(.continuous) { return .continuous }
    if accept(.full) { return .full }
    throw unexpected("CONTINUOUS or FULL", [.continuous, .full])
  }

  private mutating func startMode() throws(TerraceError) -> StartModeSyntax? {
    guard accept(.start_mode) else { return nil }
    try expect(.equal, "'='")
    let span = current.span
    let name = source.text(span).uppercased()
    let known = ["FROM_BEGINNING", "FROM_NOW", "FROM_TIMESTAMP"]
    let all = known + known.map { "RESUME_OR_" + $0 }
    guard all.contains(name) else {
      throw error(
        "unknown START_MODE '\(source.text(span))'", at: span,
        hint: Suggestion.nearest(to: name, among: all).map { "did you mean \($0)?" } ?? "")
    }
    advance()
    var mode = StartModeSyntax(name: name)
    if accept(.leftParenthesis) {
      mode.argument = try expression()
      try expect(.rightParenthesis, "')'")
    }
    return mode
  }
}
