package import Columns

/// Evaluates expressions over whole columns.
///
/// Branches of CASE and later parts of AND and OR are asked only about the rows that reach them,
/// where asking might fail: `CASE WHEN b <> 0 THEN a / b END` divides by no zero.
package struct Evaluator: Sendable {
  package var context: EvaluationContext

  package init(context: EvaluationContext = EvaluationContext()) { self.context = context }

  /// `count` values of an expression over columns of `count` rows.
  ///
  /// - Throws: `invalid`, naming the function and the value, when a row has no answer.
  package func evaluate(
    _ expression: Expression, _ columns: [Column], count: Int
  ) throws(TerraceError) -> Column {
    try vector(expression, columns, count).full(count)
  }

  /// Rows for which a condition is true, ascending: how many, and where (Int32).
  package func select(
    _ condition: Expression, _ columns: [Column], count: Int
  ) throws(TerraceError) -> (rows: Buffer, count: Int) {
    let truth = try truth(condition, columns, count)
    let rows = Buffer(byteCount: count * 4)
    let out = rows.pointer(Int32.self)
    let t = truth.pointer(UInt8.self)
    var n = 0
    for i in 0..<count {
      out[n] = Int32(truncatingIfNeeded: i)
      n &+= bit(t[i] == Truth.yes)
    }
    return (rows, n)
  }

  func vector(
    _ expression: Expression, _ columns: [Column], _ count: Int
  ) throws(TerraceError) -> Vector {
    switch expression {
    case .column(let index, let type):
      let column = columns[index]
      return Vector(column.type == type ? column : column.retyped(type))
    case .literal(let value, let type):
      return Vector(Column.repeating(value, type: type.nullable, count: 1), isConstant: true)
    case .call(let name, let arguments, let type):
      return try call(name, arguments, type, columns, count)
    case .cast(let operand, let type, let orNull):
      let value = try vector(operand, columns, count)
      let cast = TextCast(context: context, orNull: orNull)
      return Vector(try cast.apply(value.column, to: type), isConstant: value.isConstant)
    case .branches(let branches, let otherwise, let type):
      return Vector(try choose(branches, otherwise, type, columns, count))
    default:
      let truth = try truth(expression, columns, count)
      return Vector(Truth.column(truth, expression.type, count))
    }
  }

  private func call(
    _ name: String, _ arguments: [Expression], _ type: DataType, _ columns: [Column], _ count: Int
  ) throws(TerraceError) -> Vector {
    guard let function = FunctionRegistry.function(name) else {
      throw TerraceError(.invalid, "no function \(name)")
    }
    var vectors: [Vector] = []
    for argument in arguments { vectors.append(try vector(argument, columns, count)) }
    // A call of constants is one value, unless each row has its own (RAND).
    let isConstant =
      function.isDeterministic && !vectors.isEmpty && vectors.allSatisfy(\.isConstant)
    let rows = isConstant ? 1 : count
    var validity: Bitmap?
    if !function.seesNulls {
      if vectors.contains(where: { $0.isConstant && $0.isNull(0) }) {
        return Vector(
          Column.repeatingNull(type.nullable, count: 1), isConstant: true)
      }
      validity = Bitmap.all(vectors.compactMap { $0.isConstant ? nil : $0.column.validity })
    }
    let column = try function.kernel(
      FunctionCall(
        name: name, arguments: vectors, count: rows, type: type.nullable, validity: validity,
        context: context))
    return Vector(column, isConstant: isConstant)
  }

  // MARK: - Branches

  /// Whether asking about more rows than needed does no harm: it cannot fail.
  static func isTotal(_ expression: Expression) -> Bool {
    switch expression {
    case .call(let name, let arguments, let type):
      let safe = ["+", "-", "*"].contains(name) && TypeRules.decimalShape(type) != nil
      return safe && arguments.allSatisfy(isTotal)
    case .cast(let operand, let type, _):
      return TypeRules.family(operand.type) == .number && TypeRules.family(type) == .number
        && isTotal(operand)
    case .like(_, let pattern, _):
      if case .literal = pattern { return expression.children.allSatisfy(isTotal) }
      return false
    default: return expression.children.allSatisfy(isTotal)
    }
  }

  private func choose(
    _ branches: [Expression.Branch], _ otherwise: Expression, _ type: DataType,
    _ columns: [Column], _ count: Int
  ) throws(TerraceError) -> Column {
    var rest = Rows(all: count)
    // Of each row: which of `values` holds it, and where.
    let sources = Buffer(byteCount: count * 2)
    let places = Buffer(byteCount: count * 4)
    let source = sources.pointer(UInt16.self)
    let place = places.pointer(Int32.self)
    var values: [Column] = []
    func take(_ rows: Rows, _ value: Expression) throws(TerraceError) {
      if rows.count == 0 { return }
      let number = UInt16(values.count)
      let compact = !Evaluator.isTotal(value) && rows.count < count
      let given = compact ? rows.gather(columns, value.columns) : columns
      let vector = try self.vector(value, given, compact ? rows.count : count)
      values.append(vector.column)
      let r = rows.buffer.pointer(Int32.self)
      for k in 0..<rows.count {
        let i = Int(r[k])
        source[i] = number
        place[i] = vector.isConstant ? 0 : compact ? Int32(truncatingIfNeeded: k) : r[k]
      }
    }
    for branch in branches where rest.count > 0 {
      let given = rest.count < count ? rest.gather(columns, branch.condition.columns) : columns
      let truth = try self.truth(branch.condition, given, rest.count)
      let (yes, no) = rest.split(truth)
      try take(yes, branch.value)
      rest = no
    }
    try take(rest, otherwise)
    if values.isEmpty { return Column.repeatingNull(type.nullable, count: 0) }
    let merged = Column.interleave(
      values, sources: UnsafePointer(source), rows: UnsafePointer(place), count: count)
    return merged.retyped(type.nullable)
  }

  // MARK: - Conditions

  /// Three-valued answers: one byte a row, 0 false, 1 unknown, 2 true.
  func truth(
    _ expression: Expression, _ columns: [Column], _ count: Int
  ) throws(TerraceError) -> Buffer {
    let out = Buffer(byteCount: count)
    let t = out.pointer(UInt8.self)
    switch expression {
    case .and(let parts): try combine(parts, columns, count, t, isAnd: true)
    case .or(let parts): try combine(parts, columns, count, t, isAnd: false)
    case .not(let operand):
      let inner = try truth(operand, columns, count)
      let p = inner.pointer(UInt8.self)
      for i in 0..<count { t[i] = 2 &- p[i] }
    case .compare(let op, let a, let b):
      let left = try vector(a, columns, count)
      let right = try vector(b, columns, count)
      Compare.apply(op, left, right, count, t)
      Truth.markNulls(left, count, t, Truth.unknown)
      Truth.markNulls(right, count, t, Truth.unknown)
    case .distinct(let a, let b, let negated):
      let left = try vector(a, columns, count)
      let right = try vector(b, columns, count)
      Compare.apply(.equal, left, right, count, t)
      for i in 0..<count {
        let (m, n) = (left.isNull(i), right.isNull(i))
        let same = m || n ? m && n : t[i] == Truth.yes
        t[i] = same == negated ? Truth.yes : Truth.no
      }
    case .isNull(let operand):
      t.update(repeating: Truth.no, count: count)
      Truth.markNulls(try vector(operand, columns, count), count, t, Truth.yes)
    case .isNotNull(let operand):
      t.update(repeating: Truth.yes, count: count)
      Truth.markNulls(try vector(operand, columns, count), count, t, Truth.no)
    case .isTruth(let operand, let wanted):
      let inner = try truth(operand, columns, count)
      let p = inner.pointer(UInt8.self)
      let value = wanted.map { $0 ? Truth.yes : Truth.no } ?? Truth.unknown
      for i in 0..<count { t[i] = UInt8(truncatingIfNeeded: bit(p[i] == value)) &* 2 }
    case .inList(let operand, let list):
      let value = try vector(operand, columns, count)
      Compare.membership(value, list, count, t)
      Truth.markNulls(value, count, t, Truth.unknown)
    case .like(let text, let pattern, let escape):
      try like(text, pattern, escape, columns, count, t)
    default:
      let value = try vector(expression, columns, count)
      let p = value.column.pointer(UInt8.self)
      for i in 0..<count { t[i] = (p[i & value.mask] & 1) &* 2 }
      Truth.markNulls(value, count, t, Truth.unknown)
    }
    return out
  }

  /// AND is the minimum, OR the maximum. Parts that might fail come last and see open rows only.
  private func combine(
    _ parts: [Expression], _ columns: [Column], _ count: Int, _ t: UnsafeMutablePointer<UInt8>,
    isAnd: Bool
  ) throws(TerraceError) {
    t.update(repeating: isAnd ? Truth.yes : Truth.no, count: count)
    var isFirst = true
    for part in parts {
      if isFirst || Evaluator.isTotal(part) {
        let one = try truth(part, columns, count)
        let p = one.pointer(UInt8.self)
        if isAnd {
          for i in 0..<count { t[i] = min(t[i], p[i]) }
        } else {
          for i in 0..<count { t[i] = max(t[i], p[i]) }
        }
      } else {
        let decided = isAnd ? Truth.no : Truth.yes
        let open = Rows(count: count) { t[$0] != decided }
        let given = open.gather(columns, part.columns)
        let one = try truth(part, given, open.count)
        let p = one.pointer(UInt8.self)
        let r = open.buffer.pointer(Int32.self)
        for k in 0..<open.count {
          let i = Int(r[k])
          t[i] = isAnd ? min(t[i], p[k]) : max(t[i], p[k])
        }
      }
      isFirst = false
    }
  }

  private func like(
    _ text: Expression, _ pattern: Expression, _ escape: Expression?, _ columns: [Column],
    _ count: Int, _ t: UnsafeMutablePointer<UInt8>
  ) throws(TerraceError) {
    let value = try vector(text, columns, count)
    let patterns = try vector(pattern, columns, count)
    var character: UInt8?
    if let escape {
      let column = try vector(escape, columns, count)
      guard column.isConstant, column.bytes(0).count == 1 else {
        throw TerraceError(.invalid, "the escape of LIKE is one constant ASCII character")
      }
      character = column.bytes(0)[0]
    }
    if patterns.isConstant {
      let like = try LikePattern.sql(patterns.bytes(0), escape: character)
      for i in 0..<count { t[i] = like.matches(value.bytes(i)) ? Truth.yes : Truth.no }
    } else {
      for i in 0..<count where !patterns.isNull(i) {
        let like = try LikePattern.sql(patterns.bytes(i), escape: character)
        t[i] = like.matches(value.bytes(i)) ? Truth.yes : Truth.no
      }
    }
    Truth.markNulls(value, count, t, Truth.unknown)
    Truth.markNulls(patterns, count, t, Truth.unknown)
  }
}

/// 0 false, 1 unknown, 2 true: AND is the minimum, OR the maximum, NOT is 2 - x.
enum Truth {
  static let no: UInt8 = 0
  static let unknown: UInt8 = 1
  static let yes: UInt8 = 2

  static func markNulls(
    _ value: Vector, _ count: Int, _ t: UnsafeMutablePointer<UInt8>, _ mark: UInt8
  ) {
    guard let validity = value.column.validity else { return }
    if value.isConstant {
      if !validity[0] { t.update(repeating: mark, count: count) }
      return
    }
    for i in 0..<count where !validity[i] { t[i] = mark }
  }

  static func column(_ truth: Buffer, _ type: DataType, _ count: Int) -> Column {
    let t = truth.pointer(UInt8.self)
    let out = Buffer(byteCount: count)
    let values = out.pointer(UInt8.self)
    var unknowns = 0
    for i in 0..<count {
      values[i] = t[i] &>> 1
      unknowns &+= Int(t[i] & 1)
    }
    var validity: Bitmap?
    if unknowns > 0 {
      let bits = Bitmap(count: count, filled: true)
      for i in 0..<count where t[i] == unknown { bits.clear(i) }
      validity = bits
    }
    return Column(type: type.nullable, count: count, values: out, validity: validity)
  }
}

/// Some rows of a batch, ascending.
final class Rows {
  let buffer: Buffer
  let count: Int

  convenience init(all count: Int) { self.init(count: count) { _ in true } }

  @inline(__always) init(count: Int, where test: (Int) -> Bool) {
    buffer = Buffer(byteCount: count * 4)
    let out = buffer.pointer(Int32.self)
    var n = 0
    for i in 0..<count {
      out[n] = Int32(truncatingIfNeeded: i)
      n &+= bit(test(i))
    }
    self.count = n
  }

  private init(_ buffer: Buffer, _ count: Int) {
    self.buffer = buffer
    self.count = count
  }

  /// The wanted columns, these rows only; the others stay as they are and must not be read.
  func gather(_ columns: [Column], _ wanted: Set<Int>) -> [Column] {
    let rows = buffer.pointer(Int32.self)
    return columns.enumerated().map { i, column in
      wanted.contains(i) ? column.gather(rows, count: count) : column
    }
  }

  /// By answers for these rows: those that are true, and the others.
  func split(_ truth: Buffer) -> (Rows, Rows) {
    let yes = Buffer(byteCount: count * 4)
    let no = Buffer(byteCount: count * 4)
    let t = truth.pointer(UInt8.self)
    let r = buffer.pointer(Int32.self)
    var m = 0
    var n = 0
    for k in 0..<count {
      yes.pointer(Int32.self)[m] = r[k]
      no.pointer(Int32.self)[n] = r[k]
      m &+= bit(t[k] == Truth.yes)
      n &+= bit(t[k] != Truth.yes)
    }
    return (Rows(yes, m), Rows(no, n))
  }
}

extension Bitmap {
  /// The AND of bitmaps of one length; nil when there are none.
  static func all(_ bitmaps: [Bitmap]) -> Bitmap? {
    guard let first = bitmaps.first else { return nil }
    if bitmaps.count == 1 { return first }
    let out = Bitmap(copying: first.words, from: 0, count: first.count)
    for other in bitmaps.dropFirst() {
      for i in 0..<out.wordCount { out.words[i] &= other.words[i] }
    }
    return out
  }
}

extension Column {
  static func repeatingNull(_ type: DataType, count: Int) -> Column {
    let builder = ColumnBuilder(type.nullable, capacity: count)
    for _ in 0..<count { builder.appendNull() }
    return builder.finish()
  }
}

extension LikePattern {
  /// A pattern with SQL's escape: without one a backslash is itself.
  ///
  /// - Throws: `invalid`, when the escape stands before anything but `%`, `_` and itself.
  static func sql(
    _ pattern: UnsafeRawBufferPointer, escape: UInt8?
  ) throws(TerraceError) -> LikePattern {
    var out: [UInt8] = []
    var i = 0
    while i < pattern.count {
      let byte = pattern[i]
      if let escape, byte == escape {
        i += 1
        guard i < pattern.count,
          pattern[i] == UInt8(ascii: "%") || pattern[i] == UInt8(ascii: "_")
            || pattern[i] == escape
        else {
          throw TerraceError(.invalid, "a pattern of LIKE escapes a character that needs none")
            .with("pattern", String(decoding: pattern, as: UTF8.self))
        }
        out.append(UInt8(ascii: "\\"))
        out.append(pattern[i])
      } else if byte == UInt8(ascii: "\\") {
        out.append(byte)
        out.append(byte)
      } else {
        out.append(byte)
      }
      i += 1
    }
    return LikePattern(out)
  }
}
