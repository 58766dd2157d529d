internal import Columns
internal import Glibc

/// Rounding of numbers to a number of digits.
enum Rounding {
  enum Mode { case half, towardsZero, up, down }

  /// A decimal number at `digits` digits behind the point (negative: before it), at its own scale.
  static func decimal(_ value: Int128, _ scale: Int, _ digits: Int, _ mode: Mode) -> Int128? {
    if digits >= scale { return value }
    guard scale - digits <= 38 else { return 0 }
    let unit = Decimal.powers[scale - digits]
    let (quotient, rest) = value.quotientAndRemainder(dividingBy: unit)
    var rounded = quotient
    switch mode {
    case .half: rounded = Decimal.dividedHalfUp(value, unit)
    case .towardsZero: break
    case .up: if rest > 0 { rounded += 1 }
    case .down: if rest < 0 { rounded -= 1 }
    }
    let (result, over) = rounded.multipliedReportingOverflow(by: unit)
    return over ? nil : result
  }

  /// ROUND and TRUNCATE of a double go by its decimal text, so 2.675 rounds to 2.68.
  static func double(_ value: Double, _ digits: Int, _ mode: Mode) -> Double {
    guard value.isFinite else { return value }
    let text = Array(value.description.utf8)
    let parsed = text.withUnsafeBytes { Decimal.parse($0) }
    guard let (unscaled, scale) = parsed,
      let rounded = decimal(unscaled, scale, digits, mode)
    else { return value }
    return Decimal.double(rounded, scale)
  }
}

extension FunctionCall {
  /// A function of a number that keeps its type.
  func keepingType(
    integer: (Int64) -> Int64, decimal: (Int128, Int) -> Int128?, double: (Double) -> Double
  ) throws(TerraceError) -> Column {
    func integers<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(TerraceError) -> Column
    {
      let a = fixed(0, T.self)
      return try map { (i) in T(truncatingIfNeeded: integer(Int64(truncatingIfNeeded: a[i]))) }
    }
    switch type.kind {
    case .tinyint: return try integers(Int8.self)
    case .smallint: return try integers(Int16.self)
    case .int: return try integers(Int32.self)
    case .bigint: return try integers(Int64.self)
    case .float:
      let a = fixed(0, Float.self)
      return try map { (i) in Float(double(Double(a[i]))) }
    case .double:
      let a = fixed(0, Double.self)
      return try map { (i) in double(a[i]) }
    default: return try decimals(decimal)
    }
  }

  /// Decimal to decimal at the scale of the result; nil, and what does not fit, is null.
  func decimals(_ compute: (Int128, Int) -> Int128?) throws(TerraceError) -> Column {
    guard case .decimal(let precision, let target) = type.kind else {
      throw failure("no such function of this type", type.text)
    }
    let mask = arguments[0].mask
    let (values, scale) = arguments[0].column.decimals()
    let v = values.pointer(Int128.self)
    func result(_ i: Int) -> Int128? {
      compute(v[i & mask], scale).flatMap {
        Decimal.rescale($0, from: scale, to: target, precision: precision)
      }
    }
    if type.physical == .int64 {
      return try mapSome { (i) in result(i).map { Int64(truncatingIfNeeded: $0) } }
    }
    return try mapSome { (i) in result(i) }
  }
}

private func rounding(_ name: String, _ mode: Rounding.Mode) -> Function {
  Function(
    name, [.number],
    .rule { (a) throws(TerraceError) -> DataType in
      guard case .decimal(let p, let s) = a[0].type.kind else { return a[0].type }
      // One digit more may come before the point, and Flink keeps room for all.
      return DataType(
        .decimal(s > 0 ? max(p, min(38, p - s + 1)) : p, 0), nullable: a[0].type.isNullable)
    }
  ) { (call) throws(TerraceError) -> Column in
    try call.keepingType(
      integer: { $0 }, decimal: { Rounding.decimal($0, $1, 0, mode) },
      double: { mode == .up ? $0.rounded(.up) : $0.rounded(.down) })
  }
}

/// ROUND and TRUNCATE; the second argument is how many digits stay.
private func digits(_ name: String, _ mode: Rounding.Mode) -> Function {
  Function(
    name, [.number, .int], optional: 1,
    .rule { (a) throws(TerraceError) -> DataType in
      let nullable = a.contains { $0.type.isNullable }
      guard case .decimal(let p, let s) = a[0].type.kind else {
        return DataType(a[0].type.kind, nullable: nullable)
      }
      var kept = a.count == 1 ? 0 : s
      if a.count == 2, case .literal(.int(let n), _) = a[1].folded(in: .utc) { kept = Int(n) }
      if kept >= s { return DataType(.decimal(p, s), nullable: nullable) }
      let scale = max(0, kept)
      return DataType(.decimal(min(38, 1 + p - s + scale), scale), nullable: true)
    }
  ) { (call) throws(TerraceError) -> Column in
    guard call.arguments.count < 2 || call.arguments[1].isConstant else {
      throw call.failure("the number of digits is a constant", "a column")
    }
    let n = call.int(1, 0)
    return try call.keepingType(
      integer: { Int64(truncatingIfNeeded: Rounding.decimal(Int128($0), 0, n, mode) ?? 0) },
      decimal: { Rounding.decimal($0, $1, n, mode) },
      double: { Rounding.double($0, n, mode) })
  }
}

/// GREATEST and LEAST: null when one is null.
private func extreme(_ name: String, _ op: Predicate.Comparison) -> Function {
  Function(name, [.common], repeats: true, .argument(0)) { (call) throws(TerraceError) -> Column in
    let n = call.count
    let columns = call.arguments.map { $0.full(n) }
    let sources = Buffer(byteCount: n * 2)
    let rows = Buffer(byteCount: n * 4)
    let s = sources.pointer(UInt16.self)
    for i in 0..<n {
      s[i] = 0
      rows.pointer(Int32.self)[i] = Int32(i)
    }
    var best = columns[0]
    let truth = Buffer(byteCount: n)
    for (k, column) in columns.enumerated().dropFirst() {
      Compare.apply(op, Vector(column), Vector(best), n, truth.pointer(UInt8.self))
      for i in 0..<n where truth.pointer(UInt8.self)[i] == Truth.yes { s[i] = UInt16(k) }
      best = Column.interleave(
        columns, sources: UnsafePointer(s), rows: rows.pointer(Int32.self), count: n)
    }
    return best.replacingValidity(call.validity).retyped(call.type)
  }
}

let numericFunctions: [Function] = [
  Function("ABS", [.number], .argument(0)) { (call) throws(TerraceError) -> Column in
    try call.keepingType(
      integer: { $0 < 0 ? 0 &- $0 : $0 }, decimal: { v, _ in v < 0 ? -v : v }, double: { abs($0) })
  },
  Function("SIGN", [.number], .argument(0)) { (call) throws(TerraceError) -> Column in
    try call.keepingType(
      integer: { $0.signum() },
      decimal: { v, s in Decimal.powers[s] * Int128(v.signum()) },
      double: { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 })
  },
  Function(
    "MOD", [.number, .number],
    .rule { (a) throws(TerraceError) -> DataType in
      try Expression.arithmetic("%", a[0], a[1]).type
    }
  ) { (call) throws(TerraceError) -> Column in
    let cast = TextCast(context: call.context, orNull: true)
    if case .decimal = call.type.kind { return try Arithmetic.apply("%", call) }
    guard let work = TypeRules.common(call.arguments.map(\.type)) else {
      throw call.failure("no remainder of these", call.type.text)
    }
    var wide: [Vector] = []
    for argument in call.arguments {
      wide.append(
        Vector(try cast.apply(argument.column, to: work), isConstant: argument.isConstant))
    }
    let result = try Arithmetic.apply(
      "%",
      FunctionCall(
        name: "MOD", arguments: wide, count: call.count, type: work.nullable,
        validity: call.validity, context: call.context))
    return try cast.apply(result, to: call.type)
  },
  rounding("CEIL", .up), rounding("FLOOR", .down),
  Function("$ORDER", [.number, .number], .type(.int)) { (call) throws(TerraceError) -> Column in
    let (left, s) = call.arguments[0].column.decimals()
    let (right, t) = call.arguments[1].column.decimals()
    let a = left.pointer(Int128.self)
    let b = right.pointer(Int128.self)
    defer { withExtendedLifetime((left, right)) {} }
    return try call.map { (i) in
      let (x, y) = (a[i & call.arguments[0].mask], b[i & call.arguments[1].mask])
      return Int32(Decimal.order(x, s, y, t))
    }
  },
  digits("ROUND", .half), digits("TRUNCATE", .towardsZero),
  extreme("GREATEST", .greater), extreme("LEAST", .less),
  Function("POWER", [.double, .double], .type(.double)) { (call) throws(TerraceError) -> Column in
    let (a, b) = (call.fixed(0, Double.self), call.fixed(1, Double.self))
    return try call.map { (i) in pow(a[i], b[i]) }
  },
  Function("ATAN2", [.double, .double], .type(.double)) { (call) throws(TerraceError) -> Column in
    let (a, b) = (call.fixed(0, Double.self), call.fixed(1, Double.self))
    return try call.map { (i) in atan2(a[i], b[i]) }
  },
  Function("LOG", [.double, .double], optional: 1, .type(.double)) {
    (call) throws(TerraceError) -> Column in
    let a = call.fixed(0, Double.self)
    if call.arguments.count == 1 { return try call.map { (i) in log(a[i]) } }
    let b = call.fixed(1, Double.self)
    return try call.map { (i) in log(b[i]) / log(a[i]) }
  },
  .real("SQRT") { $0.squareRoot() }, .real("LN") { log($0) }, .real("LOG10") { log10($0) },
  .real("LOG2") { log2($0) }, .real("EXP") { exp($0) }, .real("SIN") { sin($0) },
  .real("COS") { cos($0) }, .real("TAN") { tan($0) }, .real("COT") { 1 / tan($0) },
  .real("ASIN") { asin($0) }, .real("ACOS") { acos($0) }, .real("ATAN") { atan($0) },
  .real("SINH") { sinh($0) }, .real("COSH") { cosh($0) }, .real("TANH") { tanh($0) },
  .real("DEGREES") { $0 / .pi * 180 }, .real("RADIANS") { $0 / 180 * .pi },
  Function("PI", [], .notNull(.double)) { (call) throws(TerraceError) -> Column in
    try call.map { _ in Double.pi }
  },
  Function("E", [], .notNull(.double)) { (call) throws(TerraceError) -> Column in
    try call.map { _ in M_E }
  },
  Function("RAND", [.int], optional: 1, .notNull(.double), isDeterministic: false) {
    (call) throws(TerraceError) -> Column in
    try call.map { _ in Double.random(in: 0..<1) }
  },
  Function("RAND_INTEGER", [.int], .type(.int), isDeterministic: false) {
    (call) throws(TerraceError) -> Column in
    let bound = call.fixed(0, Int32.self)
    return try call.map { (i) throws(TerraceError) -> Int32 in
      guard bound[i] > 0 else { throw call.failure("the bound is not positive", bound[i]) }
      return Int32.random(in: 0..<bound[i])
    }
  },
  .text("BIN", [.bigint]) { (call, i, out) throws(TerraceError) in
    out += Array(String(UInt64(bitPattern: call.fixed(0, Int64.self)[i]), radix: 2).utf8)
    return true
  },
]
