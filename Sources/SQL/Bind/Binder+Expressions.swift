import Columns
import Dataflow

extension Binder {
  /// A typed expression over the columns of the context's scope, with markers for what is not one.
  func expression(_ e: ExpressionSyntax, _ c: ExpressionContext) throws(TerraceError) -> Expression
  {
    do throws(TerraceError) {
      let bound = try unplaced(e, c)
      switch e.kind {
      case .literal, .column, .and, .or, .not: break
      default: if let refusal = bound.refusal(in: zone) { throw refusal }
      }
      return bound
    } catch { throw placed(error, e.span) }
  }

  private func expressions(_ list: [ExpressionSyntax], _ c: ExpressionContext)
    throws(TerraceError) -> [Expression]
  {
    var out: [Expression] = []
    out.reserveCapacity(list.count)
    for e in list { out.append(try expression(e, c)) }
    return out
  }

  /// A condition: BOOLEAN, or NULL.
  func condition(_ e: ExpressionSyntax, _ c: ExpressionContext, _ what: String? = nil)
    throws(TerraceError) -> Expression
  {
    let bound = try expression(e, c)
    switch TypeRules.family(bound.type) {
    case .boolean: return bound
    case .null: return bound.casted(to: .boolean)
    default:
      throw error("\(what ?? c.clause) takes a BOOLEAN, not \(bound.type.nullable.text)", e.span)
    }
  }

  private func unplaced(_ e: ExpressionSyntax, _ c: ExpressionContext) throws(TerraceError)
    -> Expression
  {
    switch e.kind {
    case .literal(let value): return try literal(value, e.span)
    case .column(let path): return try column(path, c)
    case .star: throw error("'*' stands only in a select list and in COUNT(*)", e.span)
    case .negate(let inner): return try negated(inner, c)
    case .plus(let inner):
      let operand = try expression(inner, c)
      guard [.number, .null].contains(TypeRules.family(operand.type)) else {
        throw error("+ does not take (\(operand.type.nullable.text))", e.span)
      }
      return operand
    case .not(let inner): return .not(try condition(inner, c, "NOT"))
    case .binary(let operation, let a, let b): return try binary(operation, a, b, c)
    case .and(let parts): return .and(try conditions(parts, c, "AND"))
    case .or(let parts): return .or(try conditions(parts, c, "OR"))
    case .test(let inner, let test, let isNegated): return try truth(inner, test, isNegated, c)
    case .distinctFrom(let a, let b, let isNegated):
      return try .distinguishing(try expression(a, c), try expression(b, c), negated: isNegated)
    case .between(let value, let low, let high, let symmetric, let isNegated):
      return try between(value, low, high, symmetric, isNegated, c)
    case .like(let value, let pattern, let escape, let similar, let isNegated):
      if similar { return try self.similar(value, pattern, escape, isNegated, c) }
      return try like(value, pattern, escape, isNegated, c)
    case .inList(let value, let list, let isNegated):
      let found = try membership(value, list, c)
      return isNegated ? .not(found) : found
    case .inQuery(let operand, let query, let isNegated):
      return try inValue(operand, query, isNegated, e.span, c)
    case .exists(let query): return try existsValue(query, e.span, c)
    case .query(let query): return try scalarQuery(query, e.span, c)
    case .choose(let operand, let branches, let otherwise):
      return try choose(operand, branches, otherwise, c)
    case .cast(let inner, let type, _, let isTry):
      let target = DataType(type.kind)
      return try .casting(try expression(inner, c), to: target, orNull: isTry)
    case .call(let call): return try self.call(call, e.span, c)
    case .row(let parts): return try .calling("ROW", try expressions(parts, c))
    case .array(let parts): return try .calling("ARRAY", try expressions(parts, c))
    case .map(let parts): return try .calling("MAP", try expressions(parts, c))
    case .element(let base, let index):
      return try element(try expression(base, c), try expression(index, c), e.span)
    case .member(let base, let name): return try member(try expression(base, c), name)
    case .trim(let side, let characters, let value): return try trim(side, characters, value, c)
    case .unit(let unit): return .text(unit.rawValue.uppercased())
    case .table, .descriptor:
      throw error("a table stands only in a window table function", e.span)
    case .words(let words): throw unsupported("'\(words)' here", e.span)
    }
  }

  private func conditions(_ parts: [ExpressionSyntax], _ c: ExpressionContext, _ what: String)
    throws(TerraceError) -> [Expression]
  {
    var out: [Expression] = []
    out.reserveCapacity(parts.count)
    for part in parts { out.append(try condition(part, c, what)) }
    return out
  }

  // MARK: Columns

  func column(_ path: NamePath, _ c: ExpressionContext) throws(TerraceError) -> Expression {
    switch c.scope.find(path.texts) {
    case .column(let index, let parts):
      c.spans[index] = path.span
      c.scope.use(index)
      return try members(.column(index, c.scope.columns[index].type), path, parts)
    case .ambiguous(let hits):
      throw error(
        "column '\(path.text)' is ambiguous", path.span,
        hint: "write \(hits.prefix(3).map(c.scope.text).joined(separator: " or "))")
    case .none: break
    }
    if let outer = c.outer {
      switch outer.find(path.texts) {
      case .column(let index, let parts):
        let marker = Expression.column(Marker.outer + index, outer.columns[index].type)
        c.spans[Marker.outer + index] = path.span
        outer.use(index)
        return try members(marker, path, parts)
      case .ambiguous(let hits):
        throw error(
          "column '\(path.text)' is ambiguous", path.span,
          hint: "write \(hits.prefix(3).map(outer.text).joined(separator: " or "))")
      case .none: break
      }
    }
    throw notFound(path, c)
  }

  private func members(_ base: Expression, _ path: NamePath, _ parts: Int) throws(TerraceError)
    -> Expression
  {
    var base = base
    for name in path.parts[parts...] { base = try member(base, name) }
    return base
  }

  private func notFound(_ path: NamePath, _ c: ExpressionContext) -> TerraceError {
    let name = path.last
    if path.parts.count > 1 {
      let qualifier = path.texts.dropLast()
      if c.scope.hasQualifier(Array(qualifier)) {
        let theirs = c.scope.star(Array(qualifier)).map { c.scope.columns[$0].name }
        return error(
          "column '\(name.text)' not found in '\(qualifier.joined(separator: "."))'", name.span,
          hint: columnHint(name.text, theirs))
      }
      let aliases = c.scope.columns.compactMap(\.qualifier.last)
      return error(
        "table or alias '\(qualifier.joined(separator: "."))' not found", path.parts[0].span,
        hint: Suggestion.hint(for: path.parts[0].text, among: aliases))
    }
    if c.scope.columns.isEmpty {
      return error("column '\(name.text)' not found: there is no FROM", name.span)
    }
    return error(
      "column '\(name.text)' not found", name.span, hint: columnHint(name.text, c.scope.names))
  }

  private func columnHint(_ name: String, _ names: [String]) -> String {
    let hint = Suggestion.hint(for: name, among: names)
    if !hint.isEmpty || names.isEmpty { return hint }
    var seen: Set<String> = []
    let distinct = names.filter { seen.insert($0).inserted }
    let shown = distinct.prefix(8).joined(separator: ", ")
    return "the columns are " + shown + (distinct.count > 8 ? ", …" : "")
  }

  private func member(_ base: Expression, _ name: Name) throws(TerraceError) -> Expression {
    guard case .row(let fields) = base.type.kind else {
      throw error(
        "\(base.type.nullable.text) has no field '\(name.text)': it is no ROW", name.span)
    }
    guard let index = fields.firstIndex(where: { $0.name == name.text }) else {
      throw error(
        "field '\(name.text)' not found", name.span,
        hint: columnHint(name.text, fields.map(\.name)))
    }
    do { return try .calling("$FIELD", [base, .int(index)]) } catch {
      throw placed(error, name.span)
    }
  }

  /// array[i], counted from 1, and map[key].
  private func element(_ base: Expression, _ index: Expression, _ span: SourceSpan)
    throws(TerraceError) -> Expression
  {
    switch TypeRules.family(base.type) {
    case .array: return try .calling("$AT", [base, index])
    case .map: return try .calling("$ELEMENT", [base, index])
    default:
      throw error("[ ] takes an ARRAY or a MAP, not \(base.type.nullable.text)", span)
    }
  }

  // MARK: Operators

  private func negated(_ inner: ExpressionSyntax, _ c: ExpressionContext) throws(TerraceError)
    -> Expression
  {
    if case .literal(let value) = inner.kind {
      switch value {
      case .integer, .decimal, .approximate:
        return try literal(value, inner.span, negative: true)
      default: break
      }
    }
    return try .negated(try expression(inner, c))
  }

  private func binary(
    _ operation: BinaryOperator, _ a: ExpressionSyntax, _ b: ExpressionSyntax,
    _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    if operation == .add || operation == .subtract,
      let moved = try shifted(operation, a, b, c)
    {
      return moved
    }
    if operation.isComparison, case .row(let left) = a.kind, case .row(let right) = b.kind {
      return try rows(operation, left, right, a.span.to(b.span), c)
    }
    let left = try expression(a, c)
    let right = try expression(b, c)
    if let comparison = Columns.Predicate.Comparison(rawValue: operation.rawValue) {
      return try .comparing(comparison, left, right)
    }
    if operation == .concat { return try .calling("||", [left, right]) }
    return try .arithmetic(operation.rawValue, left, right)
  }

  /// time + interval, interval + time, time - interval; nil for everything else.
  private func shifted(
    _ operation: BinaryOperator, _ a: ExpressionSyntax, _ b: ExpressionSyntax,
    _ c: ExpressionContext
  ) throws(TerraceError) -> Expression? {
    let right = try interval(b, c)
    let left = right == nil ? try interval(a, c) : nil
    guard let interval = right ?? left else { return nil }
    if left != nil, operation == .subtract {
      throw error("a time cannot be taken from an interval", a.span.to(b.span))
    }
    let time = try expression(right == nil ? b : a, c)
    switch TypeRules.family(time.type) {
    case .date, .time, .timestamp, .localTimestamp: break
    default:
      throw error(
        "an interval is added to a DATE, TIME or TIMESTAMP, not to \(time.type.nullable.text)",
        a.span.to(b.span))
    }
    let amount = operation == .subtract ? try Expression.negated(interval.value) : interval.value
    let shifted = try Expression.calling(
      interval.isMonths ? "$ADD_MONTHS" : "$ADD_MILLIS", [time, amount])
    return shifted
  }

  /// (a, b) = (c, d), member by member.
  private func rows(
    _ operation: BinaryOperator, _ left: [ExpressionSyntax], _ right: [ExpressionSyntax],
    _ span: SourceSpan, _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    guard operation == .equal || operation == .notEqual else {
      throw unsupported("\(operation.rawValue) between rows", span)
    }
    guard left.count == right.count else {
      throw error("rows of \(left.count) and \(right.count) values are compared", span)
    }
    var parts: [Expression] = []
    for (a, b) in zip(left, right) {
      parts.append(try .comparing(.equal, try expression(a, c), try expression(b, c)))
    }
    let all = parts.count == 1 ? parts[0] : Expression.and(parts)
    return operation == .equal ? all : .not(all)
  }

  private func truth(
    _ inner: ExpressionSyntax, _ test: TruthTest, _ isNegated: Bool, _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    let tested: Expression
    switch test {
    case .null:
      let operand = try expression(inner, c)
      return isNegated ? .isNotNull(operand) : .isNull(operand)
    case .isTrue: tested = .isTruth(try condition(inner, c, "IS TRUE"), true)
    case .isFalse: tested = .isTruth(try condition(inner, c, "IS FALSE"), false)
    case .unknown: tested = .isTruth(try condition(inner, c, "IS UNKNOWN"), nil)
    case .json, .jsonValue, .jsonObject, .jsonArray, .jsonScalar:
      let name = test.rawValue.split(separator: " ").last ?? ""
      tested = try .calling("$IS_JSON", [try expression(inner, c), .text(String(name))])
    }
    return isNegated ? .not(tested) : tested
  }

  private func between(
    _ value: ExpressionSyntax, _ low: ExpressionSyntax, _ high: ExpressionSyntax, _ symmetric: Bool,
    _ isNegated: Bool, _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    let operand = try expression(value, c)
    let a = try expression(low, c)
    let b = try expression(high, c)
    func within(_ a: Expression, _ b: Expression) throws(TerraceError) -> Expression {
      .and([
        try .comparing(.greaterOrEqual, operand, a), try .comparing(.lessOrEqual, operand, b),
      ])
    }
    let found = symmetric ? Expression.or([try within(a, b), try within(b, a)]) : try within(a, b)
    return isNegated ? .not(found) : found
  }

  private func like(
    _ value: ExpressionSyntax, _ pattern: ExpressionSyntax, _ escape: ExpressionSyntax?,
    _ isNegated: Bool, _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    func text(_ e: ExpressionSyntax) throws(TerraceError) -> Expression {
      let bound = try expression(e, c)
      switch TypeRules.family(bound.type) {
      case .text: return bound
      case .null: return bound.casted(to: .string)
      default: throw error("LIKE takes text, not \(bound.type.nullable.text)", e.span)
      }
    }
    var sign: Expression?
    if let escape {
      let bound = try text(escape)
      guard case .literal(.bytes(let bytes), _) = bound,
        String(decoding: bytes, as: UTF8.self).unicodeScalars.count == 1
      else { throw error("ESCAPE takes one character", escape.span) }
      sign = bound
    }
    let found = Expression.like(try text(value), pattern: try text(pattern), escape: sign)
    return isNegated ? .not(found) : found
  }

  /// SQL's own regular expressions, as REGEXP of the whole text.
  private func similar(
    _ value: ExpressionSyntax, _ pattern: ExpressionSyntax, _ escape: ExpressionSyntax?,
    _ isNegated: Bool, _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    func constant(_ e: ExpressionSyntax) throws(TerraceError) -> [Unicode.Scalar] {
      guard case .literal(.bytes(let bytes), _) = try expression(e, c).folded(in: zone) else {
        throw unsupported("SIMILAR TO with a pattern that is no constant", e.span)
      }
      return Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    }
    var sign: Unicode.Scalar?
    if let escape {
      let given = try constant(escape)
      guard given.count == 1 else { throw error("ESCAPE takes one character", escape.span) }
      sign = given[0]
    }
    guard let regex = SimilarPattern.regex(try constant(pattern), escape: sign) else {
      throw error("the pattern ends in the middle of something", pattern.span)
    }
    let text = try expression(value, c)
    guard [.text, .null].contains(TypeRules.family(text.type)) else {
      throw error("SIMILAR TO takes text, not \(text.type.nullable.text)", value.span)
    }
    let found = try Expression.calling("REGEXP", [text.casted(to: .string), .text(regex)])
    return isNegated ? .not(found) : found
  }

  private func membership(
    _ value: ExpressionSyntax, _ list: [ExpressionSyntax], _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    guard case .row(let left) = value.kind else {
      return try .membership(
        of: try expression(value, c), in: try expressions(list, c), zone: zone)
    }
    var parts: [Expression] = []
    for member in list {
      guard case .row(let right) = member.kind else {
        throw error("a row is compared with a single value", member.span)
      }
      parts.append(try rows(.equal, left, right, member.span, c))
    }
    return parts.count == 1 ? parts[0] : .or(parts)
  }

  private func choose(
    _ operand: ExpressionSyntax?, _ branches: [(when: ExpressionSyntax, then: ExpressionSyntax)],
    _ otherwise: ExpressionSyntax?, _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    let subject = try operand.map { (e) throws(TerraceError) in try expression(e, c) }
    var bound: [(condition: Expression, value: Expression)] = []
    for branch in branches {
      let test: Expression
      if let subject {
        let value = try expression(branch.when, c)
        do { test = try .comparing(.equal, subject, value) } catch {
          throw placed(error, branch.when.span)
        }
      } else {
        test = try condition(branch.when, c, "WHEN")
      }
      bound.append((test, try expression(branch.then, c)))
    }
    let last = try otherwise.map { (e) throws(TerraceError) in try expression(e, c) }
    return try .choosing(bound, otherwise: last)
  }

  private func trim(
    _ side: TrimSide, _ characters: ExpressionSyntax?, _ value: ExpressionSyntax,
    _ c: ExpressionContext
  ) throws(TerraceError) -> Expression {
    let name =
      switch side {
      case .both: "BTRIM"
      case .leading: "LTRIM"
      case .trailing: "RTRIM"
      }
    var arguments = [try expression(value, c)]
    if let characters { arguments.append(try expression(characters, c)) }
    return try .calling(name, arguments)
  }
}
