import Columns
import Dataflow

extension Binder {
  func literal(_ literal: LiteralSyntax, _ span: SourceSpan, negative: Bool = false)
    throws(TerraceError) -> Expression
  {
    switch literal {
    case .null: return .untypedNull
    case .boolean(let value): return .boolean(value)
    case .integer(let digits): return try integer(digits, span, negative)
    case .decimal(let digits): return try decimal(digits, span, negative)
    case .approximate(let text):
      guard let value = Double(text), value.isFinite else {
        throw error("the number is too large for a DOUBLE", span)
      }
      return .literal(.double(negative ? -value : value), DataType.double.notNull)
    case .string(let text): return .text(text)
    case .binary(let bytes):
      return .literal(.bytes(bytes), DataType(.binary(max(1, bytes.count)), nullable: false))
    case .date(let text): return try time(text, "DATE", .date, span)
    case .time(let text): return try time(text, "TIME", DataType(.time(0)), span)
    case .timestamp(let text):
      // The precision follows the literal.
      let digits = text.split(separator: ".", omittingEmptySubsequences: false).dropFirst().first
      let precision = digits.map(\.count) ?? 0
      if precision > 9 { throw error("a TIMESTAMP has at most 9 digits after the point", span) }
      return try time(text, "TIMESTAMP", .timestamp(precision), span)
    case .interval:
      throw unsupported(
        "an interval here", span, hint: "intervals are added to and taken from times")
    }
  }

  private func integer(_ digits: String, _ span: SourceSpan, _ negative: Bool)
    throws(TerraceError) -> Expression
  {
    guard let value = Int64((negative ? "-" : "") + digits) else {
      throw error(
        "the integer is too large for a BIGINT", span, hint: "write it with a point, as DECIMAL")
    }
    if let small = Int32(exactly: value) { return .int(Int(small)) }
    return .bigint(value)
  }

  private func decimal(_ text: String, _ span: SourceSpan, _ negative: Bool)
    throws(TerraceError) -> Expression
  {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let whole = parts[0].drop { $0 == "0" }
    let fraction = parts.count > 1 ? parts[1] : ""
    guard whole.count + fraction.count <= 38, let value = Int128("0" + whole + fraction)
    else { throw error("a DECIMAL has at most 38 digits", span) }
    // Zeros before the point count as they are written: 0.7 is DECIMAL(2, 1).
    let precision = min(38, max(1, parts[0].count + fraction.count))
    let signed = negative ? -value : value
    let type = DataType(.decimal(precision, fraction.count), nullable: false)
    return precision <= 18
      ? .literal(.int(Int64(signed)), type) : .literal(.int128(signed), type)
  }

  private func time(_ text: String, _ name: String, _ type: DataType, _ span: SourceSpan)
    throws(TerraceError) -> Expression
  {
    let cast = Expression.cast(.text(text), type.notNull, orNull: false).folded(in: zone)
    guard case .literal(let value, _) = cast, value != .null else {
      let form = name == "DATE" ? "2026-11-19" : name == "TIME" ? "10:30:00" : "2026-11-19 10:30:00"
      throw error("'\(text)' is no \(name)", span, hint: "write \(name) '\(form)'")
    }
    return .literal(value, type.notNull)
  }

  // MARK: Intervals

  /// A span of time: months, or milliseconds.
  struct Interval {
    var isMonths: Bool
    /// BIGINT milliseconds or INT months.
    var value: Expression
  }

  /// The interval that an expression is; nil when it is something else.
  func interval(_ e: ExpressionSyntax, _ c: ExpressionContext) throws(TerraceError) -> Interval? {
    switch e.kind {
    case .literal(.interval(let literal)):
      let (amount, isMonths) = try intervalAmount(literal, e.span)
      return Interval(isMonths: isMonths, value: intervalLiteral(amount, isMonths))
    case .negate(let inner):
      guard var interval = try interval(inner, c) else { return nil }
      do { interval.value = try Expression.negated(interval.value) } catch {
        throw placed(error, e.span)
      }
      return interval
    case .plus(let inner): return try interval(inner, c)
    case .binary(.multiply, let a, let b):
      let left = try interval(a, c)
      let found = left == nil ? try interval(b, c) : left
      guard var interval = found else { return nil }
      let factor = try expression(left == nil ? a : b, c)
      guard TypeRules.isInteger(factor.type) else {
        throw error("an interval is multiplied by whole numbers", e.span)
      }
      do {
        interval.value = try Expression.arithmetic(
          "*", interval.value, factor.casted(to: interval.value.type))
      } catch { throw placed(error, e.span) }
      return interval
    default: return nil
    }
  }

  private func intervalLiteral(_ amount: Int64, _ isMonths: Bool) -> Expression {
    isMonths ? .int(Int(amount)) : .bigint(amount)
  }

  /// Milliseconds of a constant interval of days or less.
  func milliseconds(_ e: ExpressionSyntax, _ what: String) throws(TerraceError) -> Int64 {
    let context = ExpressionContext(Scope(), clause: what)
    guard let interval = try interval(e, context) else {
      throw error("\(what) takes an interval", e.span, hint: "write INTERVAL '10' MINUTE")
    }
    guard !interval.isMonths, case .literal(.int(let value), _) = interval.value.folded(in: zone)
    else {
      throw error("\(what) takes a constant interval of days or less", e.span)
    }
    return value
  }

  func intervalAmount(_ literal: IntervalSyntax, _ span: SourceSpan) throws(TerraceError) -> (
    Int64, isMonths: Bool
  ) {
    var text = literal.text[...]
    var negative = literal.isNegative
    while text.first == " " { text = text.dropFirst() }
    if text.first == "-" || text.first == "+" {
      if text.first == "-" { negative.toggle() }
      text = text.dropFirst()
    }
    let amount: Int64?
    let isMonths: Bool
    switch literal.from {
    case .year, .quarter, .month:
      isMonths = true
      amount = Binder.months(text, literal)
    default:
      isMonths = false
      amount = Binder.milliseconds(text, literal)
    }
    guard let amount else {
      let unit = [literal.from, literal.to].compactMap { $0?.rawValue.uppercased() }
      throw error("'\(literal.text)' is no interval of \(unit.joined(separator: " TO "))", span)
    }
    return (negative ? -amount : amount, isMonths)
  }

  private static func months(_ text: Substring, _ literal: IntervalSyntax) -> Int64? {
    if literal.to == .month {
      let parts = text.split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count == 2, let years = number(parts[0]), let months = number(parts[1]),
        months < 12, years < 100_000
      else { return nil }
      return years * 12 + months
    }
    guard literal.to == nil, let value = number(text), value < 1_000_000 else { return nil }
    return value * (literal.from == .year ? 12 : literal.from == .quarter ? 3 : 1)
  }

  private static let unitMillis: [TimeUnit: Int64] = [
    .week: 604_800_000, .day: 86_400_000, .hour: 3_600_000, .minute: 60_000, .second: 1000,
  ]

  private static func milliseconds(_ text: Substring, _ literal: IntervalSyntax) -> Int64? {
    guard let unit = unitMillis[literal.from] else { return nil }
    guard let to = literal.to else {
      if literal.from == .second { return seconds(text) }
      guard let value = number(text) else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: unit)
      return overflow ? nil : product
    }
    let units: [TimeUnit] = [.day, .hour, .minute, .second]
    guard let first = units.firstIndex(of: literal.from), let last = units.firstIndex(of: to),
      first < last
    else { return nil }
    // '1 10:30:00.5': days before a blank, the rest with colons.
    let parts = text.split(whereSeparator: { $0 == " " || $0 == ":" })
    guard parts.count == last - first + 1 else { return nil }
    var total: Int64 = 0
    for (part, unit) in zip(parts, units[first...last]) {
      let value =
        unit == .second ? seconds(part) : number(part).map { $0 &* (unitMillis[unit] ?? 0) }
      guard let value, value < 1 << 50 else { return nil }
      total += value
    }
    return total
  }

  private static func number(_ text: Substring) -> Int64? {
    guard !text.isEmpty, text.count <= 12, text.allSatisfy({ $0.isASCII && $0.isNumber }) else {
      return nil
    }
    return Int64(text)
  }

  /// Seconds with up to nine digits after the point, of which three count.
  private static func seconds(_ text: Substring) -> Int64? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, let whole = number(parts[0]) else { return nil }
    var millis: Int64 = 0
    if parts.count == 2 {
      guard parts[1].count <= 9, number(parts[1]) != nil else { return nil }
      millis = Int64((parts[1] + "000").prefix(3)) ?? 0
    }
    return whole * 1000 + millis
  }
}
