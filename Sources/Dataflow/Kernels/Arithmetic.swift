package import Columns

/// + - * / % on numbers. Integers wrap; dividing one by zero fails. Decimals are exact and null
/// where the result does not fit its type.
enum Arithmetic {
  static func apply(_ op: String, _ call: FunctionCall) throws(TerraceError) -> Column {
    switch call.type.kind {
    case .tinyint: return try integers(op, call, Int8.self)
    case .smallint: return try integers(op, call, Int16.self)
    case .int: return try integers(op, call, Int32.self)
    case .bigint: return try integers(op, call, Int64.self)
    case .float: return floats(op, call, Float.self)
    case .double: return floats(op, call, Double.self)
    default: return try decimals(op, call)
    }
  }

  @inline(__always) private static func loop<T: BitwiseCopyable>(
    _ call: FunctionCall, _ compute: (T, T) -> T
  ) -> Column {
    let out = Buffer(byteCount: call.count * MemoryLayout<T>.stride)
    let p = out.pointer(T.self)
    let (left, right) = (call.arguments[0], call.arguments[1])
    let a = left.column.pointer(T.self)
    let b = right.column.pointer(T.self)
    if right.isConstant && !left.isConstant {
      let key = b[0]
      for i in 0..<call.count { p[i] = compute(a[i], key) }
    } else if left.isConstant {
      let key = a[0]
      for i in 0..<call.count { p[i] = compute(key, b[i & right.mask]) }
    } else {
      for i in 0..<call.count { p[i] = compute(a[i], b[i]) }
    }
    return Column(type: call.type, count: call.count, values: out, validity: call.validity)
  }

  private static func integers<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
    _ op: String, _ call: FunctionCall, _: T.Type
  ) throws(TerraceError) -> Column {
    switch op {
    case "+": return loop(call) { (a: T, b: T) in a &+ b }
    case "-": return loop(call) { (a: T, b: T) in a &- b }
    case "*": return loop(call) { (a: T, b: T) in a &* b }
    default:
      let (a, b) = (call.fixed(0, T.self), call.fixed(1, T.self))
      let isDivision = op == "/"
      return try call.map { (i) throws(TerraceError) -> T in
        let (x, y) = (a[i], b[i])
        if y == 0 { throw call.failure("division by zero", "\(x) \(op) 0") }
        if y == -1 { return isDivision ? 0 &- x : 0 }
        return isDivision ? x / y : x % y
      }
    }
  }

  private static func floats<T: BinaryFloatingPoint & BitwiseCopyable>(
    _ op: String, _ call: FunctionCall, _: T.Type
  ) -> Column {
    switch op {
    case "+": loop(call) { (a: T, b: T) in a + b }
    case "-": loop(call) { (a: T, b: T) in a - b }
    case "*": loop(call) { (a: T, b: T) in a * b }
    case "/": loop(call) { (a: T, b: T) in a / b }
    default: loop(call) { (a: T, b: T) in a.truncatingRemainder(dividingBy: b) }
    }
  }

  private static func decimals(_ op: String, _ call: FunctionCall) throws(TerraceError) -> Column {
    guard case .decimal(let precision, let scale) = call.type.kind else {
      throw call.failure("no arithmetic for this type", call.type.text)
    }
    let (left, right) = (call.arguments[0], call.arguments[1])
    let (leftBuffer, s) = left.column.decimals()
    let (rightBuffer, t) = right.column.decimals()
    let a = leftBuffer.pointer(Int128.self)
    let b = rightBuffer.pointer(Int128.self)
    let common = max(s, t)
    let compute: (Int) throws(TerraceError) -> Int128? = {
      (i) throws(TerraceError) -> Int128? in
      let (x, y) = (a[i & left.mask], b[i & right.mask])
      switch op {
      case "+", "-":
        return Decimal.add(x, s, y, t, minus: op == "-", to: scale, precision: precision)
      case "*": return Decimal.multiply(x, y, scale: s + t, to: scale, precision: precision)
      default:
        if y == 0 {
          var text: [UInt8] = []
          Decimal.write(x, s, into: &text)
          throw call.failure("division by zero", "\(String(decoding: text, as: UTF8.self)) \(op) 0")
        }
        if op == "/" {
          return Decimal.divide(x, s, y, t, to: scale, precision: precision)
        }
        guard let m = Decimal.rescale(x, from: s, to: common, precision: 38),
          let n = Decimal.rescale(y, from: t, to: common, precision: 38)
        else { return nil }
        return Decimal.rescale(m % n, from: common, to: scale, precision: precision)
      }
    }
    if call.type.physical == .int64 {
      return try call.mapSome { (i) throws(TerraceError) -> Int64? in
        try compute(i).map { Int64(truncatingIfNeeded: $0) }
      }
    }
    return try call.mapSome(compute)
  }

  /// Both operands in the type that the loops work on; decimals stay as they are.
  static func operands(
    _ op: String, _ a: Expression, _ b: Expression
  ) -> (Expression, Expression, DataType)? {
    guard let type = TypeRules.arithmetic(op, a.type, b.type) else { return nil }
    if case .decimal = type.kind { return (a, b, type) }
    // The remainder has the divisor's type but is taken in the wider one.
    let work = op == "%" ? TypeRules.common([a.type, b.type]) ?? type : type
    return (a.casted(to: work), b.casted(to: work), type)
  }
}

extension Expression {
  /// `left op right` for + - * / %.
  ///
  /// - Throws: `invalid`, when they are no numbers.
  package static func arithmetic(
    _ op: String, _ left: Expression, _ right: Expression
  ) throws(TerraceError) -> Expression {
    let a = TypeRules.family(left.type) == .null ? left.casted(to: right.type) : left
    let b = TypeRules.family(right.type) == .null ? right.casted(to: left.type) : right
    guard let (x, y, type) = Arithmetic.operands(op, a, b) else {
      throw TerraceError(
        .invalid,
        "\(op) does not take (\(left.type.nullable.text), \(right.type.nullable.text))")
    }
    if case .decimal = type.kind { return .call(op, [x, y], type.nullable) }
    let call = Expression.call(op, [x, y], DataType(x.type.kind, nullable: type.isNullable))
    return call.casted(to: type)
  }

  /// `-operand`.
  package static func negated(_ operand: Expression) throws(TerraceError) -> Expression {
    switch operand {
    case .literal(.int(let value), let type):
      return .literal(.int(0 &- value), type)
    case .literal(.int128(let value), let type):
      return .literal(.int128(0 &- value), type)
    case .literal(.double(let value), let type): return .literal(.double(-value), type)
    default: return try calling("$NEGATE", [operand])
    }
  }
}

let arithmeticFunctions: [Function] =
  ["+", "-", "*", "/", "%"].map { op in
    Function(
      op, [.number, .number],
      .rule { (arguments) throws(TerraceError) -> DataType in
        try Expression.arithmetic(op, arguments[0], arguments[1]).type
      }
    ) { (call) throws(TerraceError) -> Column in try Arithmetic.apply(op, call) }
  } + [
    Function("$NEGATE", [.number], .argument(0)) { (call) throws(TerraceError) -> Column in
      switch call.type.physical {
      case .int8: return try call.map { (i) in 0 &- call.fixed(0, Int8.self)[i] }
      case .int16: return try call.map { (i) in 0 &- call.fixed(0, Int16.self)[i] }
      case .int32: return try call.map { (i) in 0 &- call.fixed(0, Int32.self)[i] }
      case .int64: return try call.map { (i) in 0 &- call.fixed(0, Int64.self)[i] }
      case .float32: return try call.map { (i) in -call.fixed(0, Float.self)[i] }
      case .float64: return try call.map { (i) in -call.fixed(0, Double.self)[i] }
      default: return try call.map { (i) in 0 &- call.fixed(0, Int128.self)[i] }
      }
    }
  ]
