import Columns
package import Dataflow

/// A plan as EXPLAIN shows it: one operator a line, its inputs below it and indented.
package enum PlanText {
  package static func text(_ plan: Plan) -> String {
    var lines: [String] = []
    write(plan, 0, &lines)
    return lines.joined(separator: "\n")
  }

  private static func write(_ plan: Plan, _ depth: Int, _ lines: inout [String]) {
    lines.append(String(repeating: "  ", count: depth) + plan.operatorName + detail(plan))
    for input in plan.inputs { write(input, depth + 1, &lines) }
  }

  private static func detail(_ plan: Plan) -> String {
    let names = plan.inputs.flatMap { $0.type.fields.map(\.name) }
    func name(_ column: Int) -> String { column < names.count ? names[column] : "$\(column)" }
    func list(_ columns: [Int]) -> String { columns.map(name).joined(separator: ", ") }
    switch plan {
    case .source(let source):
      let columns = source.columns.map { source.tableType.fields[$0].name }
      var out = " \(source.reference)[\(columns.joined(separator: ", "))]"
      if source.predicate != .always { out += " where \(predicate(source.predicate, columns))" }
      return out
    case .values(let values):
      return "[\(values.rows.count) row\(values.rows.count == 1 ? "" : "s")]"
    case .map(let map):
      let items = zip(map.expressions, map.names).map { e, alias in
        let text = expression(e, names)
        return text == alias ? text : "\(text) AS \(alias)"
      }
      return "[\(items.joined(separator: ", "))]"
        + (map.condition.map { " where \(expression($0, names))" } ?? "")
    case .join(let join):
      let width = join.left.type.count
      let keys = zip(join.leftKeys, join.rightKeys).enumerated().map { i, pair in
        "\(name(pair.0)) \(join.nullSafe[i] ? "IS NOT DISTINCT FROM" : "=") \(name(width + pair.1))"
      }
      return "[\(keys.joined(separator: ", "))]" + (join.isNullAware ? " null-aware" : "")
        + (join.residual.map { " and \(expression($0, names))" } ?? "")
    case .aggregate(let node):
      return
        "[\((node.keys.map(name) + node.calls.map { call($0, name) }).joined(separator: ", "))]"
    case .windowAggregate(let node):
      let parts = node.keys.map(name) + node.calls.map { call($0, name) }
      return "[\(parts.joined(separator: ", "))] \(window(node.window)) by \(name(node.timeColumn))"
    case .windowTable(let node): return " \(window(node.window)) by \(name(node.timeColumn))"
    case .rank(let rank):
      return
        "[\(rank.function.rawValue) \(rank.ranks.lowerBound)…\(rank.ranks.upperBound), partition (\(list(rank.partition))), order (\(order(rank.order, name)))]"
    case .over(let over):
      return
        "[\(over.calls.map(\.name).joined(separator: ", ")), partition (\(list(over.partition))), order (\(order(over.order, name)))]"
    case .union(let inputs): return "[\(inputs.count)]"
    case .setOperation(let node): return node.all ? " all" : ""
    case .sort(let sort):
      return "[\(order(sort.order, name))]" + (sort.offset > 0 ? " offset \(sort.offset)" : "")
        + (sort.limit.map { " limit \($0)" } ?? "")
    case .unnest(let node): return "[\(name(node.column))]"
    case .watermark(let node):
      return "[\(name(node.timeColumn)): \(expression(node.expression, names))]"
    case .upsert(let node): return "[key (\(list(node.key)))]"
    }
  }

  private static func order(_ keys: [SortKey], _ name: (Int) -> String) -> String {
    keys.map { key in
      let usual = key.nullsFirst == !key.descending
      return name(key.column) + (key.descending ? " DESC" : "")
        + (usual ? "" : key.nullsFirst ? " NULLS FIRST" : " NULLS LAST")
    }.joined(separator: ", ")
  }

  private static func call(_ call: AggregateCall, _ name: (Int) -> String) -> String {
    call.function.rawValue + "(" + (call.isDistinct ? "DISTINCT " : "")
      + (call.argument.map(name) ?? "*") + ")" + (call.filter.map { " FILTER \(name($0))" } ?? "")
  }

  private static func window(_ window: Window) -> String {
    switch window {
    case .tumble(let size, _): "TUMBLE(\(size) ms)"
    case .hop(let size, let slide, _): "HOP(\(slide) ms, \(size) ms)"
    case .cumulate(let size, let step, _): "CUMULATE(\(step) ms, \(size) ms)"
    case .session(let gap): "SESSION(\(gap) ms)"
    }
  }

  private static func predicate(_ predicate: Columns.Predicate, _ names: [String]) -> String {
    switch predicate {
    case .always: "TRUE"
    case .never: "FALSE"
    case .compare(let column, let op, let value): "\(names[column]) \(op.rawValue) \(scalar(value))"
    case .isIn(let column, let values):
      "\(names[column]) IN (\(values.map(scalar).joined(separator: ", ")))"
    case .isNull(let column): "\(names[column]) IS NULL"
    case .isNotNull(let column): "\(names[column]) IS NOT NULL"
    case .like(let column, let pattern):
      "\(names[column]) LIKE '\(String(decoding: pattern, as: UTF8.self))'"
    case .and(let parts): parts.map { self.predicate($0, names) }.joined(separator: " AND ")
    case .or(let parts):
      "(" + parts.map { self.predicate($0, names) }.joined(separator: " OR ") + ")"
    case .not(let part): "NOT (\(self.predicate(part, names)))"
    }
  }

  private static func scalar(_ value: Scalar) -> String {
    switch value {
    case .null: "NULL"
    case .boolean(let value): value ? "TRUE" : "FALSE"
    case .int(let value): String(value)
    case .int128(let value): String(value)
    case .float(let value): String(value)
    case .double(let value): String(value)
    case .bytes(let bytes): "'\(String(decoding: bytes.prefix(200), as: UTF8.self))'"
    }
  }

  /// An expression over columns of these names.
  package static func expression(_ e: Expression, _ names: [String]) -> String {
    func text(_ e: Expression) -> String { expression(e, names) }
    func joined(_ parts: [Expression], _ word: String) -> String {
      "(" + parts.map(text).joined(separator: word) + ")"
    }
    switch e {
    case .column(let index, _): return index < names.count ? names[index] : "$\(index)"
    case .literal(let value, _): return scalar(value)
    case .call(let name, let arguments, _):
      if arguments.count == 2, name.first.map({ !$0.isLetter && $0 != "$" }) ?? false {
        return "(\(text(arguments[0])) \(name) \(text(arguments[1])))"
      }
      return "\(name)(\(arguments.map(text).joined(separator: ", ")))"
    case .cast(let inner, let type, let orNull):
      return "\(orNull ? "TRY_CAST" : "CAST")(\(text(inner)) AS \(type.nullable.text))"
    case .branches(let branches, let otherwise, _):
      let whens = branches.map { "WHEN \(text($0.condition)) THEN \(text($0.value))" }
      return "CASE \(whens.joined(separator: " ")) ELSE \(text(otherwise)) END"
    case .and(let parts): return joined(parts, " AND ")
    case .or(let parts): return joined(parts, " OR ")
    case .not(let inner): return "NOT \(text(inner))"
    case .compare(let op, let a, let b): return "\(text(a)) \(op.rawValue) \(text(b))"
    case .distinct(let a, let b, let negated):
      return "\(text(a)) IS \(negated ? "NOT " : "")DISTINCT FROM \(text(b))"
    case .isNull(let inner): return "\(text(inner)) IS NULL"
    case .isNotNull(let inner): return "\(text(inner)) IS NOT NULL"
    case .isTruth(let inner, let truth):
      return "\(text(inner)) IS \(truth.map { $0 ? "TRUE" : "FALSE" } ?? "UNKNOWN")"
    case .inList(let inner, let list):
      return "\(text(inner)) IN (\(list.prefix(20).map(scalar).joined(separator: ", ")))"
    case .like(let value, let pattern, let escape):
      return "\(text(value)) LIKE \(text(pattern))" + (escape.map { " ESCAPE \(text($0))" } ?? "")
    }
  }
}
