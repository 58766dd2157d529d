import Columns

extension SyntaxText {
  /// An expression that binds tighter than any operator: in parentheses unless it is a primary.
  static func operand(_ e: ExpressionSyntax) -> String {
    switch e.kind {
    case .negate, .plus, .not, .binary, .and, .or, .test, .distinctFrom, .between, .like, .inList,
      .inQuery:
      "(\(expression(e)))"
    default: expression(e)
    }
  }

  package static func expression(_ e: ExpressionSyntax) -> String {
    func negation(_ negated: Bool) -> String { negated ? "NOT " : "" }
    switch e.kind {
    case .literal(let literal): return self.literal(literal)
    case .column(let path): return self.path(path)
    case .star(let qualifier):
      return (qualifier.map { name($0.text) } + ["*"]).joined(separator: ".")
    case .negate(let inner): return "- \(operand(inner))"
    case .plus(let inner): return "+ \(operand(inner))"
    case .not(let inner): return "NOT \(operand(inner))"
    case .binary(let operation, let a, let b):
      return "\(operand(a)) \(operation.rawValue) \(operand(b))"
    case .and(let parts): return parts.map(operand).joined(separator: " AND ")
    case .or(let parts): return parts.map(operand).joined(separator: " OR ")
    case .test(let inner, let test, let negated):
      return "\(operand(inner)) IS \(negation(negated))\(test.rawValue)"
    case .distinctFrom(let a, let b, let negated):
      return "\(operand(a)) IS \(negation(negated))DISTINCT FROM \(operand(b))"
    case .between(let value, let low, let high, let symmetric, let negated):
      return
        "\(operand(value)) \(negation(negated))BETWEEN \(symmetric ? "SYMMETRIC " : "")\(operand(low)) AND \(operand(high))"
    case .like(let value, let pattern, let escape, let similar, let negated):
      return
        "\(operand(value)) \(negation(negated))\(similar ? "SIMILAR TO" : "LIKE") \(operand(pattern))"
        + (escape.map { " ESCAPE \(operand($0))" } ?? "")
    case .inList(let value, let parts, let negated):
      return "\(operand(value)) \(negation(negated))IN (\(list(parts)))"
    case .inQuery(let value, let query, let negated):
      return "\(operand(value)) \(negation(negated))IN (\(self.query(query)))"
    case .exists(let query): return "EXISTS (\(self.query(query)))"
    case .query(let query): return "(\(self.query(query)))"
    case .choose(let subject, let branches, let otherwise):
      let whens = branches.map { "WHEN \(expression($0.when)) THEN \(expression($0.then)) " }
      return "CASE \(subject.map { expression($0) + " " } ?? "")\(whens.joined())"
        + (otherwise.map { "ELSE \(expression($0)) " } ?? "") + "END"
    case .cast(let inner, let type, _, let isTry):
      return "\(isTry ? "TRY_CAST" : "CAST")(\(expression(inner)) AS \(type.text))"
    case .call(let call): return self.call(call)
    case .row(let parts): return "ROW(\(list(parts)))"
    case .array(let parts): return "ARRAY[\(list(parts))]"
    case .map(let parts): return "MAP[\(list(parts))]"
    case .element(let base, let index): return "\(operand(base))[\(expression(index))]"
    case .member(let base, let member):
      // A column and its fields are one path; after anything else a dot names a field.
      if case .column = base.kind { return "(\(expression(base))).\(name(member.text))" }
      return "\(operand(base)).\(name(member.text))"
    case .trim(let side, let characters, let value):
      return
        "TRIM(\(side.rawValue) \(characters.map { operand($0) + " " } ?? "")FROM \(expression(value)))"
    case .unit(let unit): return unit.rawValue.uppercased()
    case .table(let table): return "TABLE " + self.tableArgument(table)
    case .descriptor(let columns): return "DESCRIPTOR" + names(columns)
    case .words(let words): return words
    }
  }

  private static func tableArgument(_ table: TableSyntax) -> String {
    switch table.kind {
    case .named(let path, _, _): self.path(path)
    case .query(let query, _): "(\(self.query(query)))"
    default: ""
    }
  }

  private static func literal(_ literal: LiteralSyntax) -> String {
    switch literal {
    case .null: return "NULL"
    case .boolean(let value): return value ? "TRUE" : "FALSE"
    case .integer(let text), .decimal(let text), .approximate(let text): return text
    case .string(let text): return string(text)
    case .binary(let bytes):
      let digits = Array("0123456789abcdef")
      return "X'" + bytes.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined() + "'"
    case .date(let text): return "DATE \(string(text))"
    case .time(let text): return "TIME \(string(text))"
    case .timestamp(let text): return "TIMESTAMP \(string(text))"
    case .interval(let interval): return self.interval(interval)
    }
  }

  static func interval(_ interval: IntervalSyntax) -> String {
    "INTERVAL \(interval.isNegative ? "-" : "")\(string(interval.text)) \(interval.from.rawValue.uppercased())"
      + (interval.to.map { " TO \($0.rawValue.uppercased())" } ?? "")
      + (interval.precision.map { "(\($0))" } ?? "")
  }

  static func call(_ call: CallSyntax) -> String {
    let function = call.name.parts.count == 1 ? call.name.last.text : path(call.name)
    if call.isBare { return function }
    var out = function + "(" + (call.isDistinct ? "DISTINCT " : "") + arguments(call)
    if !call.orderBy.isEmpty { out += " ORDER BY " + order(call.orderBy) }
    out += ")"
    if let ignores = call.ignoresNulls { out += ignores ? " IGNORE NULLS" : " RESPECT NULLS" }
    if !call.withinGroup.isEmpty { out += " WITHIN GROUP (ORDER BY \(order(call.withinGroup)))" }
    if let filter = call.filter { out += " FILTER (WHERE \(expression(filter)))" }
    if let over = call.over { out += " OVER " + window(over) }
    return out
  }

  private static func arguments(_ call: CallSyntax) -> String {
    let texts = call.arguments.enumerated().map { i, argument in
      var text = (argument.name.map { "\(name($0.text)) => " } ?? "") + expression(argument.value)
      if case .table = argument.value.kind, !call.partitionBy.isEmpty {
        text += " PARTITION BY " + list(call.partitionBy)
      }
      return text
    }
    let units = call.arguments.map { argument in
      if case .unit = argument.value.kind { return true }
      return false
    }
    switch call.upperName {
    case "EXTRACT" where units == [true, false]: return texts.joined(separator: " FROM ")
    case "POSITION" where texts.count == 2:
      return operand(call.arguments[0].value) + " IN " + texts[1]
    default: break
    }
    if units == [false, true] { return texts.joined(separator: " TO ") }
    // What follows an argument of a JSON function as words belongs to it, without a comma.
    var out = ""
    for (i, text) in texts.enumerated() {
      if i > 0 {
        if case .words = call.arguments[i].value.kind { out += " " } else { out += ", " }
      }
      out += text
    }
    return out
  }

  static func window(_ window: WindowSyntax) -> String {
    let isNamed = window.partitionBy.isEmpty && window.orderBy.isEmpty && window.frame == nil
    if let base = window.base, isNamed { return name(base.text) }
    var parts: [String] = []
    if let base = window.base { parts.append(name(base.text)) }
    if !window.partitionBy.isEmpty { parts.append("PARTITION BY " + list(window.partitionBy)) }
    if !window.orderBy.isEmpty { parts.append("ORDER BY " + order(window.orderBy)) }
    if let frame = window.frame {
      let unit = frame.isRows ? "ROWS" : "RANGE"
      if let to = frame.to {
        parts.append("\(unit) BETWEEN \(bound(frame.from)) AND \(bound(to))")
      } else {
        parts.append("\(unit) \(bound(frame.from))")
      }
    }
    return "(" + parts.joined(separator: " ") + ")"
  }

  private static func bound(_ bound: WindowSyntax.Bound) -> String {
    switch bound {
    case .unboundedPreceding: "UNBOUNDED PRECEDING"
    case .currentRow: "CURRENT ROW"
    case .unboundedFollowing: "UNBOUNDED FOLLOWING"
    case .preceding(let e): expression(e) + " PRECEDING"
    case .following(let e): expression(e) + " FOLLOWING"
    }
  }
}
