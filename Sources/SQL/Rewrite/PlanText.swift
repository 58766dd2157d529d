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
      if source.predicate != .always {
        out +=
          " where \(predicate(source.predicate, source.columns.map { source.tableType.fields[$0] }))"
      }
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
}
