import Columns
import Dataflow

extension Binder {
  /// A window function or an aggregate over a window.
  func overCall(_ call: CallSyntax, _ name: String, _ span: SourceSpan, _ c: ExpressionContext)
    throws(TerraceError) -> Expression
  {
    guard let collector = c.overs, let syntax = call.over else {
      throw error(
        "\(name) OVER stands in SELECT, QUALIFY and ORDER BY, not in \(c.clause)", span,
        hint: c.clause == "WHERE" ? "put it into a sub-query, or use QUALIFY" : "")
    }
    let window = try resolved(syntax, collector)
    // What stands inside may hold aggregates, but no further window.
    c.overs = nil
    defer { c.overs = collector }
    var partition: [Expression] = []
    for e in window.partitionBy { partition.append(try expression(e, c)) }
    var order: [OverCollector.Order] = []
    for item in window.orderBy {
      order.append(
        .init(
          value: try expression(item.value, c), descending: item.isDescending,
          nullsFirst: item.nullsFirst))
    }
    let (function, type) = try windowFunction(call, name, span, c, hasOrder: !order.isEmpty)
    var frame = order.isEmpty ? OverCall.Frame.whole : .upToCurrent
    if let given = window.frame {
      guard case .aggregate = function else {
        throw error("\(name) takes no frame", window.span)
      }
      frame = try self.frame(given, order, window.span, c)
    }
    return collector.marker(
      .init(
        function: function, partition: partition, order: order, frame: frame, type: type,
        name: name))
  }

  /// The window with what its base window says.
  private func resolved(_ window: WindowSyntax, _ collector: OverCollector) throws(TerraceError)
    -> WindowSyntax
  {
    guard let base = window.base else { return window }
    guard let index = collector.windows.firstIndex(where: { $0.name.text == base.text }) else {
      throw error(
        "window '\(base.text)' not found", base.span,
        hint: Suggestion.hint(for: base.text, among: collector.windows.map(\.name.text)))
    }
    var out = window
    let found = collector.windows[index].window
    if found.base != nil { throw unsupported("a window based on another twice over", base.span) }
    out.base = nil
    if out.partitionBy.isEmpty { out.partitionBy = found.partitionBy }
    if out.orderBy.isEmpty { out.orderBy = found.orderBy }
    if out.frame == nil { out.frame = found.frame }
    return out
  }

  private func windowFunction(
    _ call: CallSyntax, _ name: String, _ span: SourceSpan, _ c: ExpressionContext, hasOrder: Bool
  ) throws(TerraceError) -> (OverCollector.Function, DataType) {
    func plain(_ function: OverCollector.Function, _ type: DataType) throws(TerraceError) -> (
      OverCollector.Function, DataType
    ) {
      if !call.arguments.isEmpty { throw error("\(name) takes no arguments", span) }
      if !hasOrder, name != "ROW_NUMBER" { throw error("\(name) needs ORDER BY in OVER (…)", span) }
      return (function, type.notNull)
    }
    switch name {
    case "ROW_NUMBER": return try plain(.rowNumber, .bigint)
    case "RANK": return try plain(.rank, .bigint)
    case "DENSE_RANK": return try plain(.denseRank, .bigint)
    case "PERCENT_RANK": return try plain(.percentRank, .double)
    case "CUME_DIST": return try plain(.cumulativeDistribution, .double)
    case "NTILE":
      let tiles = try constant(call, 0, name, span, c)
      guard tiles > 0, call.arguments.count == 1 else {
        throw error("NTILE takes one positive constant", span)
      }
      return (.tiles(tiles), DataType.bigint.notNull)
    case "LAG", "LEAD":
      guard (1...3).contains(call.arguments.count) else {
        throw error("\(name) takes one to three arguments", span)
      }
      if !hasOrder { throw error("\(name) needs ORDER BY in OVER (…)", span) }
      let value = try expression(call.arguments[0].value, c)
      let offset = call.arguments.count > 1 ? try constant(call, 1, name, span, c) : 1
      var fallback: Expression?
      var type = value.type.nullable
      if call.arguments.count > 2 {
        let given = try expression(call.arguments[2].value, c)
        guard let common = TypeRules.common([value.type, given.type]) else {
          throw error("\(name) has values of different types", span)
        }
        type = common
        fallback = given.casted(to: common)
      }
      return (
        .lag(value.casted(to: type), offset: name == "LAG" ? offset : -offset, fallback: fallback),
        type
      )
    default:
      guard AggregateCall.function(named: name) != nil else {
        throw error("\(name) is no window function", call.name.span)
      }
      if call.isDistinct { throw unsupported("DISTINCT in a window", span) }
      let inner = try aggregateCall(call, name, span, c, grouped: false)
      return (.aggregate(inner), inner.type)
    }
  }

  private func constant(
    _ call: CallSyntax, _ index: Int, _ name: String, _ span: SourceSpan, _ c: ExpressionContext
  ) throws(TerraceError) -> Int {
    guard call.arguments.count > index,
      case .literal(.int(let value), let type) = try expression(call.arguments[index].value, c)
        .folded(in: zone),
      TypeRules.isInteger(type), value >= 0, value < 1 << 31
    else { throw error("\(name) takes a whole number as constant here", span) }
    return Int(value)
  }

  private func frame(
    _ frame: WindowSyntax.Frame, _ order: [OverCollector.Order], _ span: SourceSpan,
    _ c: ExpressionContext
  ) throws(TerraceError) -> OverCall.Frame {
    let unit: OverCall.Frame.Unit = frame.isRows ? .rows : .range
    if order.isEmpty { throw error("a frame needs ORDER BY", span) }
    func amount(_ e: ExpressionSyntax) throws(TerraceError) -> Int64 {
      if frame.isRows {
        guard case .literal(.int(let value), let type) = try expression(e, c).folded(in: zone),
          TypeRules.isInteger(type), value >= 0
        else { throw error("ROWS takes a whole number as constant", e.span) }
        return value
      }
      if let interval = try interval(e, c) {
        guard order.count == 1, !interval.isMonths,
          case .literal(.int(let value), _) = interval.value.folded(in: zone)
        else { throw error("RANGE takes a constant interval of days or less", e.span) }
        guard let units = Binder.units(value, order[0].value.type) else {
          throw error("RANGE with an interval needs one time to sort by", e.span)
        }
        return units
      }
      guard order.count == 1, TypeRules.isInteger(order[0].value.type),
        case .literal(.int(let value), _) = try expression(e, c).folded(in: zone)
      else {
        throw unsupported("RANGE over \(order[0].value.type.nullable.text)", e.span)
      }
      return value
    }
    /// Rows before the current; nil is unbounded on the near side.
    func before(_ bound: WindowSyntax.Bound) throws(TerraceError) -> Int64? {
      switch bound {
      case .unboundedPreceding, .unboundedFollowing: return nil
      case .currentRow: return 0
      case .preceding(let e): return try amount(e)
      case .following(let e): return 0 - (try amount(e))
      }
    }
    let to = frame.to ?? .currentRow
    if case .unboundedFollowing = frame.from { throw error("a frame cannot start there", span) }
    if case .unboundedPreceding = to { throw error("a frame cannot end there", span) }
    let end = try before(to).map { 0 - $0 }
    let start = try before(frame.from)
    if let start, let end, 0 - start > end {
      throw error("a frame ends behind its start", span, hint: "exchange the two bounds")
    }
    return OverCall.Frame(unit, preceding: start, following: end)
  }

  /// Milliseconds in the units in which a time lies; nil when the type is no time.
  private static func units(_ millis: Int64, _ type: DataType) -> Int64? {
    switch type.kind {
    case .timestamp(let p), .timestampLTZ(let p):
      let factor: Int64 = p <= 3 ? 1 : p <= 6 ? 1000 : 1_000_000
      let (product, overflow) = millis.multipliedReportingOverflow(by: factor)
      return overflow ? nil : product
    case .date: return millis % 86_400_000 == 0 ? millis / 86_400_000 : nil
    default: return nil
    }
  }
}
