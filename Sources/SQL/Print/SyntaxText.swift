import Columns

/// Syntax as SQL text again, in one form: what SHOW CREATE and an export print, and what tests compare.
///
/// Reading the text gives the same syntax. Names are quoted only where they must be.
package enum SyntaxText {
  static func name(_ text: String) -> String {
    let lower = text.lowercased()
    let isPlain =
      !text.isEmpty && !(Keyword(word: lower)?.isReserved ?? false)
      && text.utf8.enumerated().allSatisfy { i, byte in
        let letter = byte | 0x20
        return (letter >= 0x61 && letter <= 0x7a) || byte == 0x5f
          || (i > 0 && byte >= 48 && byte <= 57)
      }
    return isPlain
      ? text
      : "`"
        + text.split(separator: "`", omittingEmptySubsequences: false)
        .joined(separator: "``") + "`"
  }

  static func path(_ path: NamePath) -> String { path.texts.map(name).joined(separator: ".") }

  static func names(_ names: [Name]) -> String {
    "(" + names.map { name($0.text) }.joined(separator: ", ") + ")"
  }

  static func string(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
  }

  static func options(_ options: [OptionSyntax]) -> String {
    "(" + options.map { "\(string($0.key)) = \(string($0.value))" }.joined(separator: ", ") + ")"
  }

  static func list(_ parts: [ExpressionSyntax]) -> String {
    parts.map(expression).joined(separator: ", ")
  }

  // MARK: Queries

  package static func query(_ query: QuerySyntax) -> String {
    var out = ""
    if !query.with.isEmpty {
      let tables = query.with.map { table in
        name(table.name.text) + (table.columns.isEmpty ? "" : " " + names(table.columns))
          + " AS (\(self.query(table.query)))"
      }
      out +=
        "WITH " + (query.isRecursive ? "RECURSIVE " : "") + tables.joined(separator: ", ") + " "
    }
    switch query.body {
    case .select(let select): out += self.select(select)
    case .values(let rows): out += "VALUES " + rows.map(row).joined(separator: ", ")
    case .set(let kind, let all, let parts):
      let operands = parts.map { part -> String in
        if case .nested = part.body { return self.query(part) }
        if case .set = part.body { return "(\(self.query(part)))" }
        return self.query(part)
      }
      out += operands.joined(separator: " \(kind.rawValue)\(all ? " ALL" : "") ")
    case .nested(let inner): out += "(\(self.query(inner)))"
    }
    if !query.orderBy.isEmpty { out += " ORDER BY " + order(query.orderBy) }
    if let limit = query.limit { out += " LIMIT " + expression(limit) }
    if let offset = query.offset { out += " OFFSET " + expression(offset) }
    return out
  }

  private static func row(_ e: ExpressionSyntax) -> String {
    if case .row(let parts) = e.kind { return "(\(list(parts)))" }
    return expression(e)
  }

  static func order(_ items: [OrderSyntax]) -> String {
    items.map { item in
      expression(item.value) + (item.isDescending ? " DESC" : "")
        + (item.nullsFirst.map { $0 ? " NULLS FIRST" : " NULLS LAST" } ?? "")
    }.joined(separator: ", ")
  }

  private static func select(_ select: SelectSyntax) -> String {
    var out = "SELECT " + hints(select.hints) + (select.isDistinct ? "DISTINCT " : "")
    out += select.items.map { item in
      expression(item.value) + (item.alias.map { " AS \(name($0.text))" } ?? "")
    }.joined(separator: ", ")
    if let from = select.from { out += " FROM " + table(from) }
    if let filter = select.filter { out += " WHERE " + expression(filter) }
    if let groups = select.groupBy {
      out += " GROUP BY " + (groups.isEmpty ? "()" : groups.map(grouping).joined(separator: ", "))
    }
    if let having = select.having { out += " HAVING " + expression(having) }
    if !select.windows.isEmpty {
      out +=
        " WINDOW "
        + select.windows.map { "\(name($0.name.text)) AS \(window($0.window))" }.joined(
          separator: ", ")
    }
    if let qualify = select.qualify { out += " QUALIFY " + expression(qualify) }
    return out
  }

  private static func grouping(_ grouping: SelectSyntax.Grouping) -> String {
    switch grouping {
    case .expression(let e): expression(e)
    case .set(let parts): "(\(list(parts)))"
    case .sets(let sets): "GROUPING SETS (" + sets.map(self.grouping).joined(separator: ", ") + ")"
    case .rollup(let parts): "ROLLUP (\(list(parts)))"
    case .cube(let parts): "CUBE (\(list(parts)))"
    }
  }

  private static func hints(_ hints: [HintSyntax]) -> String {
    if hints.isEmpty { return "" }
    let texts = hints.map { hint in
      let arguments =
        hint.options.map { "\(string($0.key)) = \(string($0.value))" }
        + hint.arguments.map {
          $0.text.split(separator: ".").map { name(String($0)) }.joined(separator: ".")
        }
      return hint.name.text + "(" + arguments.joined(separator: ", ") + ")"
    }
    return "/*+ " + texts.joined(separator: ", ") + " */ "
  }

  // MARK: Tables

  private static func table(_ table: TableSyntax) -> String {
    var out: String
    switch table.kind {
    case .named(let path, let hints, let travel):
      out = self.path(path)
      if !hints.isEmpty { out += " " + self.hints(hints).dropLast() }
      switch travel {
      case .time(let e): out += " FOR SYSTEM_TIME AS OF " + operand(e)
      case .version(let e): out += " VERSION AS OF " + operand(e)
      case nil: break
      }
    case .query(let query, let isLateral):
      out = (isLateral ? "LATERAL " : "") + "(\(self.query(query)))"
    case .function(let call, let isLateral):
      out = (isLateral ? "LATERAL " : "") + "TABLE(\(self.call(call)))"
    case .unnest(let e, let withOrdinality):
      out = "UNNEST(\(expression(e)))" + (withOrdinality ? " WITH ORDINALITY" : "")
    case .join(let kind, let left, let right, let condition):
      return join(kind, left, right, condition)
    }
    if let alias = table.alias {
      out +=
        " AS " + name(alias.name.text) + (alias.columns.isEmpty ? "" : " " + names(alias.columns))
    }
    return out
  }

  private static func join(
    _ kind: TableSyntax.JoinKind, _ left: TableSyntax, _ right: TableSyntax,
    _ condition: TableSyntax.JoinCondition
  ) -> String {
    var second = table(right)
    if case .join = right.kind { second = "(\(second))" }
    var first = table(left)
    if case .join(.comma, _, _, _) = left.kind, kind != .comma { first = "(\(first))" }
    if kind == .comma { return first + ", " + second }
    switch condition {
    case .natural: return "\(first) NATURAL \(kind.rawValue) JOIN \(second)"
    case .none: return "\(first) \(kind.rawValue) JOIN \(second)"
    case .on(let e): return "\(first) \(kind.rawValue) JOIN \(second) ON \(expression(e))"
    case .using(let columns):
      return "\(first) \(kind.rawValue) JOIN \(second) USING \(names(columns))"
    }
  }
}
