import Columns
import Dataflow

extension Binder {
  /// A call: an aggregate, a window function, or a scalar function.
  func call(_ call: CallSyntax, _ span: SourceSpan, _ c: ExpressionContext) throws(TerraceError)
    -> Expression
  {
    if call.name.parts.count > 1 {
      throw unsupported("the user function '\(call.name.text)'", call.name.span)
    }
    let name = call.upperName
    if let window = c.groupWindow, let property = windowProperty(name, window) {
      return property
    }
    if let function = Binder.windowOfProperty(name) {
      throw error(
        "\(name) stands beside GROUP BY \(function)(…) only", span,
        hint: "of FROM \(function)(…) the columns are window_start, window_end and window_time")
    }
    if let ignores = call.ignoresNulls, name != "FIRST_VALUE", name != "LAST_VALUE",
      ignores || call.over == nil
    {
      throw unsupported("\(ignores ? "IGNORE" : "RESPECT") NULLS in \(name)", span)
    }
    if call.over != nil { return try overCall(call, name, span, c) }
    if name == "GROUPING" || name == "GROUPING_ID" || name == "GROUP_ID" {
      return try groupingCall(call, name, span, c)
    }
    if AggregateCall.function(named: name) != nil || name == "APPROX_COUNT_DISTINCT" {
      return try aggregate(call, name, span, c)
    }
    if Binder.rankings.contains(name) {
      throw error("\(name) needs OVER (…)", span)
    }
    if ["TUMBLE", "HOP", "SESSION", "CUMULATE"].contains(name) {
      throw error(
        "\(name) stands in GROUP BY or FROM TABLE(…)", span,
        hint: "SELECT … FROM TABLE(\(name)(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE))")
    }
    if call.isDistinct || call.filter != nil || !call.withinGroup.isEmpty || !call.orderBy.isEmpty {
      throw error("\(name) is no aggregate", call.name.span)
    }
    return try scalar(call, name, span, c)
  }

  private static let rankings: Set<String> = [
    "ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST", "NTILE", "LAG", "LEAD",
  ]

  private func scalar(
    _ call: CallSyntax, _ name: String, _ span: SourceSpan, _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    var arguments: [Expression] = []
    for argument in call.arguments {
      if case .star = argument.value.kind { throw notFound(call, name, "takes no '*'") }
      if let name = argument.name {
        throw unsupported("the named argument '\(name.text)'", name.span)
      }
      if case .words(let words) = argument.value.kind {
        throw unsupported("'\(words)' in \(name)", argument.value.span)
      }
      arguments.append(try expression(argument.value, c))
    }
    if case .unit = call.arguments.last?.value.kind, name != "EXTRACT" {
      return try .calling(name == "FLOOR" ? "$FLOOR_TO" : "$CEIL_TO", arguments)
    }
    if arguments.count == ["RAND": 1, "RAND_INTEGER": 2][name] {
      throw unsupported("\(name) with a seed", call.name.span)
    }
    if FunctionRegistry.function(name) != nil { return try .calling(name, arguments) }
    if let built = try composed(name, arguments, span) { return built }
    throw notFound(call, name, nil)
  }

  /// - Parameter problem: what is wrong with the call when there is such a function.
  private func notFound(_ call: CallSyntax, _ name: String, _ problem: String?) -> TerraceError {
    if let problem, FunctionRegistry.function(name) != nil || Binder.composedNames.contains(name) {
      return error("\(name) \(problem)", call.name.span)
    }
    if Binder.unbuiltNames.contains(name) {
      return unsupported("the function \(name)", call.name.span)
    }
    if let meant = Binder.otherDialects[name] {
      return error(
        "function '\(call.name.text)' not found", call.name.span, hint: "Flink has \(meant)")
    }
    return error(
      "function '\(call.name.text)' not found", call.name.span,
      hint: Suggestion.nearest(
        to: name,
        among: FunctionRegistry.names + AggregateCall.Function.allCases.map(\.rawValue)
          + Binder.composedNames
      ).map { "did you mean \($0)?" } ?? "")
  }

  /// Functions of Flink 2.3 that are not here.
  private static let unbuiltNames: Set<String> = [
    "CURRENT_DATABASE", "PRINTF", "JSON_OBJECTAGG", "JSON_ARRAYAGG", "PERCENTILE",
    "GROUP_ID", "BITMAP_BUILD", "PARSE_JSON", "TRY_PARSE_JSON", "ML_PREDICT", "JSON_LENGTH",
    "INET_ATON", "INET_NTOA", "TO_CHANGELOG", "FROM_CHANGELOG", "PARTITION_DATE_TO_STRING",
  ]

  /// How Flink calls what other systems have by these names.
  private static let otherDialects: [String: String] = [
    "LENGTH": "CHAR_LENGTH(text)", "LEN": "CHAR_LENGTH(text)", "NVL": "IFNULL(a, b)",
    "ISNULL": "IFNULL(a, b), and a IS NULL", "IIF": "IF(condition, a, b)",
    "DATE_ADD": "TIMESTAMPADD(DAY, n, time)", "DATEADD": "TIMESTAMPADD(DAY, n, time)",
    "ADDDATE": "TIMESTAMPADD(DAY, n, time)", "DATE_SUB": "TIMESTAMPADD(DAY, -n, time)",
    "ADD_MONTHS": "TIMESTAMPADD(MONTH, n, time)", "DATEDIFF": "TIMESTAMPDIFF(DAY, from, to)",
    "DATE_DIFF": "TIMESTAMPDIFF(DAY, from, to)", "DATE_TRUNC": "FLOOR(time TO DAY)",
    "TRUNC": "TRUNCATE(number, digits), and FLOOR(time TO DAY)",
    "DATE_PART": "EXTRACT(DAY FROM time)", "TO_CHAR": "DATE_FORMAT(time, 'yyyy-MM-dd')",
    "STRFTIME": "DATE_FORMAT(time, 'yyyy-MM-dd')", "STRING_AGG": "LISTAGG(text, ',')",
    "GROUP_CONCAT": "LISTAGG(text, ',')", "ARRAY_LENGTH": "CARDINALITY(array)",
    "SIZE": "CARDINALITY(array)", "STRPOS": "LOCATE(part, text)", "TODAY": "CURRENT_DATE",
    "CURDATE": "CURRENT_DATE", "GETDATE": "NOW()", "SYSDATE": "NOW()",
    "REGEXP_LIKE": "REGEXP(text, pattern)", "RLIKE": "REGEXP(text, pattern)",
    "ANY_VALUE": "FIRST_VALUE(a)", "COLLECT_LIST": "ARRAY_AGG(a)", "LCASE": "LOWER(text)",
    "UCASE": "UPPER(text)", "SPLIT_PART": "SPLIT_INDEX(text, delimiter, n), counted from 0",
    "TO_JSON": "JSON_STRING(a)", "GET_JSON_OBJECT": "JSON_VALUE(text, path)",
    "JSON_EXTRACT": "JSON_VALUE(text, path)", "MEAN": "AVG(a)", "STDDEV_SAMPLE": "STDDEV_SAMP(a)",
  ]

  /// TUMBLE of TUMBLE_START; nil for other names.
  private static func windowOfProperty(_ name: String) -> String? {
    let parts = name.split(separator: "_", maxSplits: 1)
    guard parts.count == 2, ["TUMBLE", "HOP", "SESSION", "CUMULATE"].contains(parts[0]),
      ["START", "END", "ROWTIME", "PROCTIME"].contains(parts[1])
    else { return nil }
    return String(parts[0])
  }

  private static let composedNames = ["COALESCE", "IFNULL", "NULLIF", "IF", "TYPEOF"]

  /// Functions that are CASE in disguise.
  private func composed(_ name: String, _ arguments: [Expression], _ span: SourceSpan)
    throws(TerraceError) -> Expression?
  {
    func need(_ count: Int) throws(TerraceError) {
      if arguments.count != count {
        throw error("\(name) takes \(count) arguments, not \(arguments.count)", span)
      }
    }
    switch name {
    case "COALESCE", "IFNULL":
      if name == "IFNULL" { try need(2) }
      guard let last = arguments.last else { throw error("COALESCE takes arguments", span) }
      if arguments.count == 1 { return last }
      return try .choosing(
        arguments.dropLast().map { (condition: .isNotNull($0), value: $0) }, otherwise: last)
    case "NULLIF":
      try need(2)
      let same = try Expression.comparing(.equal, arguments[0], arguments[1])
      return try .choosing([(condition: same, value: .untypedNull)], otherwise: arguments[0])
    case "TYPEOF":
      guard (1...2).contains(arguments.count) else {
        throw error("TYPEOF takes one argument", span)
      }
      return .text(arguments[0].type.text)
    case "IF":
      try need(3)
      guard [.boolean, .null].contains(TypeRules.family(arguments[0].type)) else {
        throw error("IF takes a BOOLEAN first, not \(arguments[0].type.nullable.text)", span)
      }
      return try .choosing(
        [(condition: arguments[0].casted(to: .boolean), value: arguments[1])],
        otherwise: arguments[2])
    default: return nil
    }
  }

  // MARK: Aggregates

  private func aggregate(
    _ call: CallSyntax, _ name: String, _ span: SourceSpan, _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    guard let collector = c.aggregates else {
      throw error(
        "\(name) is an aggregate, which \(c.clause) does not take", span,
        hint: c.clause == "WHERE" ? "conditions on aggregates stand in HAVING" : "")
    }
    if c.isInsideAggregate { throw error("an aggregate inside an aggregate", span) }
    c.isInsideAggregate = true
    defer { c.isInsideAggregate = false }
    return collector.marker(try aggregateCall(call, name, span, c, grouped: collector.isGrouped))
  }

  func aggregateCall(
    _ call: CallSyntax, _ name: String, _ span: SourceSpan, _ c: ExpressionContext, grouped: Bool
  ) throws(TerraceError) -> AggregateCollector.Call {
    if !call.withinGroup.isEmpty || !call.orderBy.isEmpty {
      throw unsupported("ORDER BY inside \(name)", span)
    }
    let function = AggregateCall.function(named: name) ?? .count
    let distinct = call.isDistinct || name == "APPROX_COUNT_DISTINCT"
    var argument: Expression?
    var separator: [UInt8] = [UInt8(ascii: ",")]
    let isStar: Bool
    if case .star(let qualifier)? = call.arguments.first?.value.kind, qualifier.isEmpty {
      isStar = true
    } else {
      isStar = false
    }
    if isStar {
      guard function == .count, call.arguments.count == 1, !distinct else {
        throw error("'*' stands only in COUNT(*)", span)
      }
    } else {
      let most = function == .listAggregate ? 2 : function == .count ? 64 : 1
      guard (1...most).contains(call.arguments.count), let first = call.arguments.first else {
        throw error("\(name) takes one argument\(most == 2 ? ", or two" : "")", span)
      }
      argument = try expression(first.value, c)
      if function == .count, call.arguments.count > 1 {
        // A row counts when all its columns are there.
        let parts = try call.arguments.map { (a) throws(TerraceError) in
          try expression(a.value, c)
        }
        let whole = Expression.and(parts.map { .isNotNull($0) })
        argument = try .choosing(
          [(condition: whole, value: try .calling("ROW", parts))], otherwise: .untypedNull)
      } else if call.arguments.count == 2 {
        let second = call.arguments[1].value
        guard case .literal(.bytes(let bytes), _) = try expression(second, c).folded(in: zone)
        else {
          throw error("the separator of LISTAGG is a constant text", second.span)
        }
        separator = bytes
      }
    }
    let filter = try call.filter.map { (e) throws(TerraceError) in try condition(e, c, "FILTER") }
    if call.ignoresNulls == false, function == .first || function == .last {
      throw unsupported("RESPECT NULLS", span)
    }
    if let given = argument, TypeRules.family(given.type) == .null {
      argument = given.casted(to: function == .listAggregate ? .string : .int)
    }
    guard
      let type = AggregateCall.resultType(
        function, argument?.type, grouped: grouped, filtered: filter != nil)
    else {
      throw error("\(name) does not take \(argument?.type.nullable.text ?? "this")", span)
    }
    return .init(
      function: function, argument: argument, isDistinct: distinct, filter: filter,
      separator: separator, type: type)
  }

  /// TUMBLE_START and its like, where GROUP BY has such a window.
  private func windowProperty(_ name: String, _ window: GroupWindow) -> Expression? {
    let parts = name.split(separator: "_", maxSplits: 1)
    guard parts.count == 2, window.call.upperName == parts[0] else { return nil }
    let bound = DataType.timestamp(3).notNull
    switch parts[1] {
    case "START": return .column(Marker.window, bound)
    case "END": return .column(Marker.window + 1, bound)
    case "ROWTIME": return .column(Marker.window + 2, Window.timeType(of: window.time.type))
    default: return nil
    }
  }
}
