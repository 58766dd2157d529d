import Columns

extension Parser {
  /// What follows FROM: tables joined by commas.
  mutating func tableList() throws(TerraceError) -> TableSyntax {
    var left = try joinedTable()
    while accept(.comma) {
      let right = try joinedTable()
      left = try table(.join(.comma, left, right, .none), left.span.to(right.span))
    }
    return left
  }

  private func table(_ kind: TableSyntax.Kind, _ span: SourceSpan) throws(TerraceError)
    -> TableSyntax
  {
    let table = TableSyntax(kind, span: span)
    if table.depth > Parser.depthMax { throw tooDeep(span) }
    return table
  }

  /// A table and the JOINs after it.
  private mutating func joinedTable() throws(TerraceError) -> TableSyntax {
    try enter()
    defer { leave() }
    var left = try tablePrimary()
    while let (kind, isNatural) = try joinKind() {
      let right = try tablePrimary()
      var condition = TableSyntax.JoinCondition.none
      if isNatural {
        condition = .natural
      } else if accept(.on) {
        condition = .on(try expression())
      } else if accept(.using) {
        condition = .using(try nameList())
      } else if kind != .cross {
        // LATERAL views and UNNEST join without a condition too.
        switch right.kind {
        case .unnest, .function(_, isLateral: true), .query(_, isLateral: true): break
        default: throw unexpected("ON or USING", [.on, .using])
        }
      }
      left = try table(.join(kind, left, right, condition), left.span.to(previousSpan))
    }
    return left
  }

  private mutating func joinKind() throws(TerraceError) -> (TableSyntax.JoinKind, Bool)? {
    let isNatural = accept(.natural)
    let kind: TableSyntax.JoinKind
    switch current.keyword {
    case .join: kind = .inner
    case .inner: kind = .inner
    case .left: kind = .left
    case .right: kind = .right
    case .full: kind = .full
    case .cross: kind = .cross
    default:
      if isNatural { throw unexpected("JOIN", [.join]) }
      return nil
    }
    if !isAt(.join) {
      advance()
      if kind != .inner, kind != .cross { _ = accept(.outer) }
    }
    if current.kind == .word {
      let word = source.text(current.span).uppercased()
      if word == "SEMI" || word == "ANTI" {
        throw unsupported(
          "\(kind.rawValue) \(word) JOIN", at: current.span,
          hint: word == "SEMI" ? "use IN or EXISTS" : "use NOT EXISTS")
      }
    }
    try expect(.join)
    return (kind, isNatural)
  }

  private mutating func tablePrimary() throws(TerraceError) -> TableSyntax {
    var table = try tableWithoutAlias()
    try refuseTableSuffixes()
    if accept(.as) {
      table.alias = AliasSyntax(name: try name("an alias name"), columns: [])
    } else if isAtName, !isAt(.window) {
      implicitAlias = current
      table.alias = AliasSyntax(name: takeName(), columns: [])
    }
    if table.alias != nil {
      if isAt(.leftParenthesis) { table.alias?.columns = try nameList() }
      table.span = table.span.to(previousSpan)
      // Flink lets hints follow the alias as well.
      if isAt(.hintStart), case .named(let path, let before, let travel) = table.kind {
        table.kind = .named(path, hints: before + (try hints()), travel: travel)
      }
    }
    try refuseTableSuffixes()
    return table
  }

  private func refuseTableSuffixes() throws(TerraceError) {
    switch current.keyword {
    case .tablesample, .pivot, .unpivot, .match_recognize:
      throw unsupported(source.text(current.span).uppercased(), at: current.span)
    default: break
    }
  }

  private mutating func tableWithoutAlias() throws(TerraceError) -> TableSyntax {
    let start = current.span
    if isAt(.unnest) { return try unnest() }
    if accept(.lateral) {
      if isAt(.unnest) { return try unnest() }
      if accept(.table) { return try tableFunction(start, isLateral: true, inParentheses: true) }
      if accept(.leftParenthesis) {
        let query = try query()
        try expect(.rightParenthesis, "')'")
        return try table(.query(query, isLateral: true), start.to(previousSpan))
      }
      return try tableFunction(start, isLateral: true, inParentheses: false)
    }
    if isAt(.table), peek().kind == .leftParenthesis {
      advance()
      return try tableFunction(start, isLateral: false, inParentheses: true)
    }
    if accept(.leftParenthesis) { return try parenthesizedTable(start) }
    if isAt(.values) {
      let query = try query()
      return try table(.query(query, isLateral: false), start.to(previousSpan))
    }
    return try namedTable(start)
  }

  private mutating func parenthesizedTable(_ start: SourceSpan) throws(TerraceError) -> TableSyntax
  {
    if isAtQuery {
      let query = try query()
      try expect(.rightParenthesis, "')'")
      return try table(.query(query, isLateral: false), start.to(previousSpan))
    }
    var inner = try joinedTable()
    if case .query(let first, isLateral: false) = inner.kind, inner.alias == nil, isAtQueryTail {
      let query = try queryRest(first)
      inner = try table(.query(query, isLateral: false), start)
    }
    try expect(.rightParenthesis, "')'")
    inner.span = start.to(previousSpan)
    return inner
  }

  private mutating func unnest() throws(TerraceError) -> TableSyntax {
    let start = current.span
    advance()
    try expect(.leftParenthesis, "'('")
    let value = try expression()
    try expect(.rightParenthesis, "')'")
    let withOrdinality = accept(.with, .ordinality)
    return try table(.unnest(value, withOrdinality: withOrdinality), start.to(previousSpan))
  }

  private mutating func tableFunction(_ start: SourceSpan, isLateral: Bool, inParentheses: Bool)
    throws(TerraceError) -> TableSyntax
  {
    if inParentheses { try expect(.leftParenthesis, "'('") }
    guard current.kind == .word || current.kind == .quoted else {
      throw unexpected("a table function")
    }
    var parts = [takeName()]
    while accept(.dot) { parts.append(try memberName()) }
    let call = try callSyntax(NamePath(parts))
    if inParentheses { try expect(.rightParenthesis, "')'") }
    return try table(.function(call, isLateral: isLateral), start.to(previousSpan))
  }

  private mutating func namedTable(_ start: SourceSpan) throws(TerraceError) -> TableSyntax {
    let path = try path("a table name")
    if isAt(.leftParenthesis) {
      let call = try callSyntax(path)
      return try table(.function(call, isLateral: false), start.to(previousSpan))
    }
    if path.parts.count > 3 { throw source.serverTable(path) }
    let hints = try hints()
    var travel: TableSyntax.TimeTravel?
    if accept(.for, .system_time, .as) {
      try expect(.of)
      travel = .time(try operand())
    } else if accept(.version, .as, .of) {
      travel = .version(try operand())
    } else if accept(.timestamp, .as, .of) {
      travel = .time(try operand())
    }
    return try table(.named(path, hints: hints, travel: travel), start.to(previousSpan))
  }
}
