import Columns

extension Parser {
  /// A call; the name is already taken, the parenthesis not.
  mutating func call(_ name: NamePath) throws(TerraceError) -> ExpressionSyntax {
    let call = try callSyntax(name)
    return try node(.call(call), name.span.to(previousSpan))
  }

  mutating func callSyntax(_ name: NamePath) throws(TerraceError) -> CallSyntax {
    var call = CallSyntax(name: name, arguments: [])
    try expect(.leftParenthesis, "'('")
    if accept(.distinct) { call.isDistinct = true } else { _ = accept(.all) }
    let isJSON = call.upperName.hasPrefix("JSON_")
    if !isAt(.rightParenthesis) {
      repeat {
        if isJSON {
          try jsonArgument(&call)
        } else {
          call.arguments.append(try argument())
        }
        if isAt(.partition) { call.partitionBy = try partitionBy() }
      } while accept(.comma)
      if try acceptPair(.order, .by) { call.orderBy = try orderItems() }
      _ = try acceptNullTreatment(&call)
    }
    try expect(.rightParenthesis, "')' or ','")
    try callTail(&call)
    return call
  }

  private mutating func acceptNullTreatment(_ call: inout CallSyntax) throws(TerraceError) -> Bool {
    if isAt(.ignore) || isAt(.respect) {
      call.ignoresNulls = isAt(.ignore)
      advance()
      guard current.kind == .word, source.text(current.span).uppercased() == "NULLS" else {
        throw unexpected("NULLS", [.nulls])
      }
      advance()
      return true
    }
    return false
  }

  private mutating func callTail(_ call: inout CallSyntax) throws(TerraceError) {
    _ = try acceptNullTreatment(&call)
    if isAt(.within, .group) {
      advance()
      advance()
      try expect(.leftParenthesis, "'('")
      try expect(.order, .by)
      call.withinGroup = try orderItems()
      try expect(.rightParenthesis, "')'")
    }
    if isAt(.filter), peek().kind == .leftParenthesis {
      advance()
      advance()
      try expect(.where)
      call.filter = try expression()
      try expect(.rightParenthesis, "')'")
    }
    if accept(.over) { call.over = try window() }
  }

  private mutating func argument() throws(TerraceError) -> CallSyntax.Argument {
    var name: Name?
    if current.kind == .word || current.kind == .quoted, peek().kind == .arrow {
      name = takeName()
      advance()
    }
    return CallSyntax.Argument(name: name, value: try argumentValue())
  }

  private mutating func argumentValue() throws(TerraceError) -> ExpressionSyntax {
    let start = current.span
    if isAt(.table), peek().kind != .dot {
      advance()
      let table: TableSyntax
      if accept(.leftParenthesis) {
        let query = try query()
        try expect(.rightParenthesis, "')'")
        table = TableSyntax(.query(query, isLateral: false), span: start.to(previousSpan))
      } else {
        let path = try tablePath()
        let hints = try hints()
        table = TableSyntax(
          .named(path, hints: hints, travel: nil), span: start.to(previousSpan))
      }
      return try node(.table(table), table.span)
    }
    if isAt(.descriptor), peek().kind == .leftParenthesis {
      advance()
      return try node(.descriptor(try nameList()), start.to(previousSpan))
    }
    return try expression()
  }

  /// A JSON function's argument, with KEY … VALUE … and the words that may follow (`NULL ON ERROR`).
  private mutating func jsonArgument(_ call: inout CallSyntax) throws(TerraceError) {
    if isAt(.null) && peek().keyword == .on || isAt(.absent) {
      call.arguments.append(.init(name: nil, value: try words()))
      return
    }
    if current.keyword == .key, peek().kind != .comma, peek().kind != .rightParenthesis {
      advance()
    }
    call.arguments.append(.init(name: nil, value: try expression()))
    if accept(.value) || accept(.colon) {
      call.arguments.append(.init(name: nil, value: try expression()))
    }
    if !isAt(.comma), !isAt(.rightParenthesis), !isAt(.order) {
      call.arguments.append(.init(name: nil, value: try words()))
    }
  }

  /// The tokens up to the end of the argument, as upper-case words (strings keep their case).
  private mutating func words() throws(TerraceError) -> ExpressionSyntax {
    let start = current.span
    var words: [String] = []
    var open = 0
    while current.kind != .endOfText {
      if open == 0, isAt(.comma) || isAt(.rightParenthesis) { break }
      if isAt(.leftParenthesis) { open += 1 }
      if isAt(.rightParenthesis) { open -= 1 }
      let text = source.text(current.span)
      words.append(current.kind == .word ? text.uppercased() : text)
      advance()
    }
    return try node(.words(words.joined(separator: " ")), start.to(previousSpan))
  }

  // MARK: Functions with a grammar of their own

  /// EXTRACT, SUBSTRING, TRIM and their like; nil for ordinary calls.
  mutating func special(_ keyword: Keyword) throws(TerraceError) -> ExpressionSyntax? {
    switch keyword {
    case .extract: return try extract()
    case .substring: return try substring()
    case .trim: return try trim()
    case .position: return try position()
    case .overlay: return try overlay()
    case .floor, .ceil, .ceiling: return try rounding()
    case .timestampadd, .timestampdiff: return try timestampArithmetic()
    default: return nil
    }
  }

  private mutating func open() throws(TerraceError) -> Name {
    let name = takeName()
    try expect(.leftParenthesis, "'('")
    return name
  }

  private mutating func close(_ name: Name, _ arguments: [ExpressionSyntax]) throws(TerraceError)
    -> ExpressionSyntax
  {
    try expect(.rightParenthesis, "')'")
    var call = CallSyntax(name: NamePath([name]), arguments: [])
    call.arguments = arguments.map { CallSyntax.Argument(name: nil, value: $0) }
    return try node(.call(call), name.span.to(previousSpan))
  }

  private mutating func unitArgument() throws(TerraceError) -> ExpressionSyntax {
    let span = current.span
    return try node(.unit(try timeUnit()), span)
  }

  private mutating func extract() throws(TerraceError) -> ExpressionSyntax {
    let name = try open()
    let unit = try unitArgument()
    try expect(.from)
    return try close(name, [unit, try expression()])
  }

  private mutating func substring() throws(TerraceError) -> ExpressionSyntax {
    let name = try open()
    var arguments = [try expression()]
    if accept(.from) {
      arguments.append(try expression())
      if accept(.for) { arguments.append(try expression()) }
    } else {
      while accept(.comma) { arguments.append(try expression()) }
    }
    return try close(name, arguments)
  }

  private mutating func trim() throws(TerraceError) -> ExpressionSyntax {
    let name = try open()
    var side = TrimSide.both
    var hasSide = true
    switch current.keyword {
    case .both: side = .both
    case .leading: side = .leading
    case .trailing: side = .trailing
    default: hasSide = false
    }
    if hasSide { advance() }
    var characters: ExpressionSyntax?
    var value: ExpressionSyntax
    if hasSide, accept(.from) {
      value = try expression()
    } else {
      value = try expression()
      if accept(.from) {
        characters = value
        value = try expression()
      } else if hasSide {
        throw unexpected("FROM", [.from])
      }
    }
    try expect(.rightParenthesis, "')'")
    return try node(.trim(side, characters, value), name.span.to(previousSpan))
  }

  private mutating func position() throws(TerraceError) -> ExpressionSyntax {
    let name = try open()
    // The needle must not take the IN that follows it for its own.
    let needle = try operand()
    if accept(.comma) { return try close(name, [needle, try expression()]) }
    try expect(.in)
    let text = try expression()
    guard accept(.from) else { return try close(name, [needle, text]) }
    return try close(Name("LOCATE", name.span), [needle, text, try expression()])
  }

  private mutating func overlay() throws(TerraceError) -> ExpressionSyntax {
    let name = try open()
    var arguments = [try expression()]
    if accept(.placing) {
      arguments.append(try expression())
      try expect(.from)
      arguments.append(try expression())
      if accept(.for) { arguments.append(try expression()) }
    } else {
      while accept(.comma) { arguments.append(try expression()) }
    }
    return try close(name, arguments)
  }

  private mutating func rounding() throws(TerraceError) -> ExpressionSyntax {
    let name = try open()
    var arguments = [try expression()]
    if accept(.to) { arguments.append(try unitArgument()) }
    return try close(name, arguments)
  }

  private mutating func timestampArithmetic() throws(TerraceError) -> ExpressionSyntax {
    let name = try open()
    let unit = try unitArgument()
    try expect(.comma, "','")
    let first = try expression()
    try expect(.comma, "','")
    return try close(name, [unit, first, try expression()])
  }

  // MARK: Windows and orders

  /// What follows OVER: a name or a specification.
  mutating func window() throws(TerraceError) -> WindowSyntax {
    let start = current.span
    if !isAt(.leftParenthesis) {
      let base = try name("a window name or '('")
      return WindowSyntax(base: base, partitionBy: [], orderBy: [], frame: nil, span: base.span)
    }
    advance()
    var window = WindowSyntax(base: nil, partitionBy: [], orderBy: [], frame: nil, span: start)
    if isAtName, !isAt(.partition), !isAt(.range), !isAt(.rows) { window.base = takeName() }
    if isAt(.partition) { window.partitionBy = try partitionBy() }
    if try acceptPair(.order, .by) { window.orderBy = try orderItems() }
    if isAt(.rows) || isAt(.range) {
      let isRows = isAt(.rows)
      advance()
      if accept(.between) {
        let from = try frameBound()
        try expect(.and)
        window.frame = .init(isRows: isRows, from: from, to: try frameBound())
      } else {
        window.frame = .init(isRows: isRows, from: try frameBound(), to: nil)
      }
    }
    try expect(.rightParenthesis, "')'")
    window.span = start.to(previousSpan)
    return window
  }

  private mutating func partitionBy() throws(TerraceError) -> [ExpressionSyntax] {
    try expect(.partition, .by)
    var parts: [ExpressionSyntax] = []
    // SESSION(TABLE t PARTITION BY (a, b), …) and PARTITION BY a before DESCRIPTOR(…).
    repeat { parts.append(try expression()) } while isAt(.comma) && !endsPartition && accept(.comma)
    if parts.count == 1, case .row(let inner) = parts[0].kind { return inner }
    return parts
  }

  /// Whether the comma here ends PARTITION BY of a table argument.
  private var endsPartition: Bool {
    peek().keyword == .descriptor || peek().keyword == .interval || peek(2).kind == .arrow
  }

  private mutating func frameBound() throws(TerraceError) -> WindowSyntax.Bound {
    if accept(.unbounded, .preceding) { return .unboundedPreceding }
    if accept(.unbounded, .following) { return .unboundedFollowing }
    if accept(.current, .row) { return .currentRow }
    let value = try expression()
    if accept(.preceding) { return .preceding(value) }
    if accept(.following) { return .following(value) }
    throw unexpected("PRECEDING or FOLLOWING", [.preceding, .following])
  }

  mutating func orderItems() throws(TerraceError) -> [OrderSyntax] {
    var items: [OrderSyntax] = []
    repeat {
      var item = OrderSyntax(value: try expression(), isDescending: false, nullsFirst: nil)
      if accept(.desc) { item.isDescending = true } else { _ = accept(.asc) }
      if accept(.nulls) {
        if accept(.first) {
          item.nullsFirst = true
        } else {
          try expect(.last)
          item.nullsFirst = false
        }
      }
      items.append(item)
    } while accept(.comma)
    return items
  }
}
