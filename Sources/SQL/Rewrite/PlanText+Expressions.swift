import Columns
package import Dataflow

/// Expressions and conditions of a plan, written as SQL has them.
extension PlanText {
  static func predicate(_ predicate: Columns.Predicate, _ fields: [Field]) -> String {
    func value(_ column: Int, _ value: Scalar) -> String { literal(value, fields[column].type) }
    func name(_ column: Int) -> String { fields[column].name }
    func part(_ part: Columns.Predicate) -> String {
      switch part {
      case .and, .or: "(\(self.predicate(part, fields)))"
      default: self.predicate(part, fields)
      }
    }
    switch predicate {
    case .always: return "TRUE"
    case .never: return "FALSE"
    case .compare(let column, let op, let other):
      return "\(name(column)) \(op.rawValue) \(value(column, other))"
    case .isIn(let column, let values):
      return
        "\(name(column)) IN (\(values.map { value(column, $0) }.joined(separator: ", ")))"
    case .isNull(let column): return "\(name(column)) IS NULL"
    case .isNotNull(let column): return "\(name(column)) IS NOT NULL"
    case .like(let column, let pattern):
      return "\(name(column)) LIKE '\(String(decoding: pattern, as: UTF8.self))'"
    case .and(let parts): return parts.map(part).joined(separator: " AND ")
    case .or(let parts): return parts.map(part).joined(separator: " OR ")
    case .not(let inner): return "NOT (\(self.predicate(inner, fields)))"
    }
  }

  /// A value as SQL writes it: 1.50, 'text', DATE '2024-01-01'.
  static func literal(_ value: Scalar, _ type: DataType) -> String {
    func text() -> String {
      let cast = Expression.literal(value, type.notNull).casted(to: .string).folded(in: .utc)
      guard case .literal(.bytes(let bytes), _) = cast else { return plain(value) }
      return String(decoding: bytes, as: UTF8.self)
    }
    if value == .null { return "NULL" }
    switch type.kind {
    case .decimal: return text()
    case .date: return "DATE '\(text())'"
    case .time: return "TIME '\(text())'"
    case .timestamp: return "TIMESTAMP '\(text())'"
    case .timestampLTZ: return "TIMESTAMP_LTZ '\(text())Z'"
    case .binary, .varbinary:
      guard case .bytes(let bytes) = value else { return plain(value) }
      let digits = bytes.prefix(100).map { byte in
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
      return "X'\(digits.joined())'"
    default: return plain(value)
    }
  }

  private static func plain(_ value: Scalar) -> String {
    switch value {
    case .null: "NULL"
    case .boolean(let value): value ? "TRUE" : "FALSE"
    case .int(let value): String(value)
    case .int128(let value): String(value)
    case .float(let value): String(value)
    case .double(let value): String(value)
    case .bytes(let bytes):
      "'\(String(decoding: bytes.prefix(200), as: UTF8.self).replacing("'", with: "''"))'"
    }
  }

  /// An expression over columns of these names.
  package static func expression(_ e: Expression, _ names: [String]) -> String {
    func text(_ e: Expression) -> String { expression(e, names) }
    /// In parentheses, unless nothing can be taken for a part of something else.
    func inner(_ e: Expression) -> String {
      switch e {
      case .column, .literal, .cast, .branches: text(e)
      case .call(let name, let arguments, _):
        isOperator(name, arguments) ? "(\(text(e)))" : text(e)
      default: "(\(text(e)))"
      }
    }
    /// An operand of a comparison: what is computed needs no parentheses there.
    func operand(_ e: Expression) -> String {
      if case .call = e { return text(e) }
      return inner(e)
    }
    /// A part of AND: only OR needs parentheses.
    func part(_ e: Expression, ofOr: Bool) -> String {
      switch e {
      case .or: "(\(text(e)))"
      case .and: ofOr ? "(\(text(e)))" : text(e)
      default: text(e)
      }
    }
    switch e {
    case .column(let index, _): return index < names.count ? names[index] : "$\(index)"
    case .literal(let value, let type): return literal(value, type)
    case .call(let name, let arguments, _):
      if isOperator(name, arguments) {
        return "\(inner(arguments[0])) \(name) \(inner(arguments[1]))"
      }
      return call(name, arguments.map(text), arguments.first.map(inner) ?? "")
    case .cast(let inner, let type, let orNull):
      return "\(orNull ? "TRY_CAST" : "CAST")(\(text(inner)) AS \(type.nullable.text))"
    case .branches(let branches, let otherwise, _):
      let whens = branches.map { "WHEN \(text($0.condition)) THEN \(text($0.value))" }
      return "CASE \(whens.joined(separator: " ")) ELSE \(text(otherwise)) END"
    case .and(let parts): return parts.map { part($0, ofOr: false) }.joined(separator: " AND ")
    case .or(let parts): return parts.map { part($0, ofOr: true) }.joined(separator: " OR ")
    case .not(let other): return "NOT \(inner(other))"
    case .compare(let op, let a, let b): return "\(operand(a)) \(op.rawValue) \(operand(b))"
    case .distinct(let a, let b, let negated):
      return "\(operand(a)) IS \(negated ? "NOT " : "")DISTINCT FROM \(operand(b))"
    case .isNull(let other): return "\(operand(other)) IS NULL"
    case .isNotNull(let other): return "\(operand(other)) IS NOT NULL"
    case .isTruth(let other, let truth):
      return "\(inner(other)) IS \(truth.map { $0 ? "TRUE" : "FALSE" } ?? "UNKNOWN")"
    case .inList(let other, let list):
      let values = list.prefix(20).map { literal($0, other.type) }
      return
        "\(operand(other)) IN (\(values.joined(separator: ", "))\(list.count > 20 ? ", …" : ""))"
    case .like(let value, let pattern, let escape):
      return "\(operand(value)) LIKE \(operand(pattern))"
        + (escape.map { " ESCAPE \(operand($0))" } ?? "")
    }
  }

  private static func isOperator(_ name: String, _ arguments: [Expression]) -> Bool {
    arguments.count == 2 && (name.first.map { !$0.isLetter && $0 != "$" } ?? false)
  }

  /// A call of a function; names that begin with `$` are ours, for what SQL writes otherwise.
  private static func call(_ name: String, _ arguments: [String], _ first: String) -> String {
    switch (name, arguments.count) {
    case ("$NEGATE", 1): return "- \(first)"
    case ("$AT", 2), ("$ELEMENT", 2): return "\(first)[\(arguments[1])]"
    case ("$FLOOR_TO", 2), ("$CEIL_TO", 2):
      let unit = arguments[1].filter { $0 != "'" }
      return "\(name == "$FLOOR_TO" ? "FLOOR" : "CEIL")(\(arguments[0]) TO \(unit))"
    default:
      let shown = name.hasPrefix("$") ? String(name.dropFirst()) : name
      return "\(shown)(\(arguments.joined(separator: ", ")))"
    }
  }
}
