import Columns
import Dataflow

extension Binder {
  /// TUMBLE, HOP, CUMULATE and SESSION in FROM.
  func tableFunction(_ call: CallSyntax, _ span: SourceSpan, _ outer: Scope?) throws(TerraceError)
    -> Relation
  {
    let name = call.upperName
    let parameters: [String]
    switch name {
    case "TUMBLE": parameters = ["DATA", "TIMECOL", "SIZE", "OFFSET"]
    case "HOP": parameters = ["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"]
    case "CUMULATE": parameters = ["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"]
    case "SESSION": parameters = ["DATA", "TIMECOL", "GAP"]
    default:
      throw unsupported(
        "the table function '\(call.name.text)'", call.name.span,
        hint: Suggestion.nearest(to: name, among: ["TUMBLE", "HOP", "CUMULATE", "SESSION"]).map {
          "did you mean \($0)?"
        } ?? "")
    }
    let arguments = try matched(call, name, parameters, span)
    guard let data = arguments["DATA"], let time = arguments["TIMECOL"],
      parameters.dropFirst(2).filter({ $0 != "OFFSET" }).allSatisfy({ arguments[$0] != nil })
    else {
      throw error(
        "\(name) takes \(parameters.filter { $0 != "OFFSET" }.joined(separator: ", "))", span,
        hint:
          "\(name)(TABLE t, DESCRIPTOR(ts), \(parameters.count > 4 ? "INTERVAL '5' MINUTE, " : "")INTERVAL '10' MINUTE)"
      )
    }
    let input = try windowInput(data, outer)
    let timeColumn = try self.timeColumn(time, input.scope, name)
    let window = try self.window(name, arguments, span)
    if !call.partitionBy.isEmpty, name != "SESSION" {
      throw error("\(name) takes no PARTITION BY", span)
    }
    var keys: [Int] = []
    let context = ExpressionContext(input.scope, clause: "PARTITION BY")
    for e in call.partitionBy {
      guard case .column(let index, _) = try expression(e, context) else {
        throw unsupported("an expression in PARTITION BY of SESSION", e.span)
      }
      keys.append(index)
    }
    let table = Plan.WindowTable(input: input.plan, timeColumn: timeColumn, window: window)
    let plan = Plan.windowTable(table)
    var scope = input.scope
    for (i, field) in plan.type.fields.suffix(3).enumerated() {
      var column = Scope.Column(name: field.name, qualifier: [], type: field.type)
      column.isEventTime = i == 2 && input.scope.columns[timeColumn].isEventTime
      if i == 0, name == "SESSION" { column.sessionKeys = keys }
      scope.columns.append(column)
    }
    return Relation(plan: plan, scope: scope)
  }

  private func matched(
    _ call: CallSyntax, _ name: String, _ parameters: [String], _ span: SourceSpan
  ) throws(TerraceError) -> [String: ExpressionSyntax] {
    var found: [String: ExpressionSyntax] = [:]
    for (i, argument) in call.arguments.enumerated() {
      let parameter: String
      if let given = argument.name {
        parameter = given.text.uppercased()
        guard parameters.contains(parameter) else {
          throw error(
            "\(name) has no parameter '\(given.text)'", given.span,
            hint: "they are \(parameters.joined(separator: ", "))")
        }
      } else {
        guard i < parameters.count else { throw error("\(name) takes fewer arguments", span) }
        parameter = parameters[i]
      }
      if found.updateValue(argument.value, forKey: parameter) != nil {
        throw error("the argument \(parameter) of \(name) is given twice", argument.value.span)
      }
    }
    return found
  }

  private func windowInput(_ e: ExpressionSyntax, _ outer: Scope?) throws(TerraceError) -> Relation
  {
    switch e.kind {
    case .table(let table): return try from(table, outer)
    case .query(let query):
      return try from(TableSyntax(.query(query, isLateral: false), span: e.span), outer)
    case .column(let path):
      throw error(
        "a window function takes a table here", e.span, hint: "write TABLE \(path.text)")
    default: throw error("a window function takes a table here", e.span)
    }
  }

  private func timeColumn(_ e: ExpressionSyntax, _ scope: Scope, _ name: String)
    throws(TerraceError) -> Int
  {
    guard case .descriptor(let names) = e.kind else {
      throw error("\(name) takes DESCRIPTOR(time column)", e.span)
    }
    guard names.count == 1 else { throw error("DESCRIPTOR takes one column here", e.span) }
    let context = ExpressionContext(scope, clause: "DESCRIPTOR")
    guard case .column(let index, let type) = try column(NamePath(names), context) else {
      throw error("DESCRIPTOR takes a column of the table", names[0].span)
    }
    try checkTime(type, scope.columns[index].isEventTime, names[0].text, names[0].span)
    return index
  }

  /// Windows need a TIMESTAMP, and in a streaming query one with a watermark.
  private func checkTime(_ type: DataType, _ isEventTime: Bool, _ name: String, _ span: SourceSpan)
    throws(TerraceError)
  {
    switch type.kind {
    case .timestamp, .timestampLTZ: break
    default:
      throw error(
        "the time column '\(name)' must be a TIMESTAMP, not \(type.nullable.text)", span)
    }
    if isStreaming, !isEventTime {
      throw error(
        "the time column '\(name)' has no watermark", span,
        hint: "declare WATERMARK FOR it in CREATE TABLE; joins and aggregates lose it")
    }
  }

  private func window(
    _ name: String, _ arguments: [String: ExpressionSyntax], _ span: SourceSpan
  ) throws(TerraceError) -> Window {
    func length(_ parameter: String) throws(TerraceError) -> Int64 {
      guard let e = arguments[parameter] else { return 0 }
      let value = try milliseconds(e, name)
      if parameter != "OFFSET", value <= 0 {
        throw error("the \(parameter.lowercased()) of a window is positive", e.span)
      }
      return value
    }
    let offset = try length("OFFSET")
    let size = try length("SIZE")
    func divides(_ part: Int64, _ what: String) throws(TerraceError) {
      if size % part != 0 {
        throw error("the size of \(name) is a multiple of its \(what)", span)
      }
      if size / part > 10_000 {
        throw error("the \(what) of \(name) is too small: over 10,000 fit into its size", span)
      }
    }
    switch name {
    case "TUMBLE": return .tumble(size: size, offset: offset)
    case "HOP":
      let slide = try length("SLIDE")
      try divides(slide, "slide")
      return .hop(size: size, slide: slide, offset: offset)
    case "CUMULATE":
      let step = try length("STEP")
      try divides(step, "step")
      return .cumulate(size: size, step: step, offset: offset)
    default: return .session(gap: try length("GAP"))
    }
  }

  /// GROUP BY TUMBLE(time, size), HOP(time, slide, size) or SESSION(time, gap), as older queries
  /// have it; nil when the call is none of them.
  func groupWindow(_ call: CallSyntax, _ span: SourceSpan, _ c: ExpressionContext)
    throws(TerraceError) -> GroupWindow?
  {
    let name = call.upperName
    guard ["TUMBLE", "HOP", "SESSION"].contains(name), let first = call.arguments.first else {
      return nil
    }
    let parameters =
      name == "TUMBLE" ? ["SIZE", "OFFSET"] : name == "HOP" ? ["SLIDE", "SIZE"] : ["GAP"]
    let given = call.arguments.dropFirst().map(\.value)
    let least = name == "HOP" ? 2 : 1
    guard given.count >= least, given.count <= parameters.count else {
      throw error("\(name) takes a time and \(least) interval\(least == 1 ? "" : "s")", span)
    }
    let time = try expression(first.value, c)
    var isEventTime = false
    if case .column(let index, _) = time, !Marker.isMarker(index) {
      isEventTime = c.scope.columns[index].isEventTime
    }
    try checkTime(time.type, isEventTime, source.text(first.value.span), first.value.span)
    var arguments: [String: ExpressionSyntax] = [:]
    for (parameter, value) in zip(parameters, given) { arguments[parameter] = value }
    return GroupWindow(call: call, time: time, window: try window(name, arguments, span))
  }
}
