package import Columns

/// Values of an expression for some rows: a column of as many rows, or one value for all of them.
package final class Vector {
  package let column: Column
  /// The column has one row, which stands for all.
  package let isConstant: Bool
  /// ANDed with a row number gives the row in the column.
  let mask: Int

  package init(_ column: Column, isConstant: Bool = false) {
    self.column = column
    self.isConstant = isConstant
    mask = isConstant ? 0 : ~0
  }

  var type: DataType { column.type }

  @inline(__always) func isNull(_ row: Int) -> Bool { column.isNull(row & mask) }
  @inline(__always) func bytes(_ row: Int) -> UnsafeRawBufferPointer { column.bytes(row & mask) }

  /// A column of `count` rows.
  func full(_ count: Int) -> Column {
    if !isConstant || count == 1 && column.count == 1 { return column }
    let rows = Buffer(byteCount: count * 4)
    let zeros = rows.pointer(Int32.self)
    zeros.update(repeating: 0, count: count)
    return column.gather(zeros, count: count)
  }
}

/// The arguments of one call of a function, and what its kernel needs to know beside them.
package final class FunctionCall {
  package let name: String
  package let arguments: [Vector]
  /// Rows wanted.
  package let count: Int
  /// Type of the result.
  package let type: DataType
  /// Rows without a null argument; nil is all. Only where the function does not see nulls itself.
  package let validity: Bitmap?
  package let context: EvaluationContext

  package init(
    name: String, arguments: [Vector], count: Int, type: DataType, validity: Bitmap?,
    context: EvaluationContext
  ) {
    self.name = name
    self.arguments = arguments
    self.count = count
    self.type = type
    self.validity = validity
    self.context = context
  }

  /// Row `row` counts: no argument is null.
  @inline(__always) func isValid(_ row: Int) -> Bool { validity.map { $0[row] } ?? true }

  func failure(_ message: String, _ value: some CustomStringConvertible) -> TerraceError {
    TerraceError(.invalid, message).with("function", Function.shown(name)).with("value", value)
  }

  /// Values of a fixed-width argument.
  @inline(__always) func fixed<T: BitwiseCopyable>(_ i: Int, _: T.Type = T.self) -> Fixed<T> {
    Fixed(base: arguments[i].column.pointer(T.self), mask: arguments[i].mask)
  }

  @inline(__always) func bytes(_ i: Int, _ row: Int) -> UnsafeRawBufferPointer {
    arguments[i].bytes(row)
  }

  /// Text of one argument of one row; for code that is slow anyway.
  func text(_ i: Int, _ row: Int) -> String {
    String(decoding: arguments[i].bytes(row), as: UTF8.self)
  }

  /// One argument as Swift Strings of constants are: nil when it varies by row or is null.
  func constantText(_ i: Int) -> String? {
    guard i < arguments.count, arguments[i].isConstant, !arguments[i].isNull(0) else { return nil }
    return text(i, 0)
  }

  struct Fixed<T: BitwiseCopyable> {
    let base: UnsafePointer<T>
    let mask: Int
    @inline(__always) subscript(row: Int) -> T { base[row & mask] }
  }

  /// A fixed-width result, row by row; `body` may fail, and is asked about valid rows only.
  @inline(__always) func map<R: BitwiseCopyable>(
    _ body: (Int) throws(TerraceError) -> R
  ) throws(TerraceError) -> Column {
    let out = Buffer(byteCount: count * MemoryLayout<R>.stride)
    let p = out.pointer(R.self)
    if let validity {
      for i in 0..<count where validity[i] { p[i] = try body(i) }
    } else {
      for i in 0..<count { p[i] = try body(i) }
    }
    return Column(type: type, count: count, values: out, validity: validity)
  }

  /// As `map`, where nil is null.
  @inline(__always) func mapSome<R: BitwiseCopyable>(
    _ body: (Int) throws(TerraceError) -> R?
  ) throws(TerraceError) -> Column {
    let out = Buffer(byteCount: count * MemoryLayout<R>.stride)
    let p = out.pointer(R.self)
    let bits = Bitmap(count: count, filled: false)
    for i in 0..<count where isValid(i) {
      if let value = try body(i) {
        p[i] = value
        bits.set(i)
      }
    }
    return Column(
      type: type, count: count, values: out, validity: bits.setCount == count ? nil : bits)
  }

  /// A boolean result.
  @inline(__always) func test(
    _ body: (Int) throws(TerraceError) -> Bool
  ) throws(TerraceError) -> Column {
    try map { (i) throws(TerraceError) -> UInt8 in UInt8(truncatingIfNeeded: bit(try body(i))) }
  }

  /// A text or bytes result; `body` appends exactly one row for each valid one.
  @inline(__always) func build(
    _ body: (ColumnBuilder, Int) throws(TerraceError) -> Void
  ) throws(TerraceError) -> Column {
    let out = ColumnBuilder(type, capacity: count)
    for i in 0..<count {
      if isValid(i) { try body(out, i) } else { out.appendNull() }
    }
    return out.finish()
  }
}

/// What an evaluation depends on beside its rows.
package struct EvaluationContext: Sendable {
  /// Milliseconds since 1970 UTC: what NOW() gives.
  package var now: Int64
  package var zone: SessionZone
  /// Milliseconds; what CURRENT_WATERMARK gives. Nil before the first.
  package var watermark: Int64?

  package init(now: Int64 = 0, zone: SessionZone = .utc, watermark: Int64? = nil) {
    self.now = now
    self.zone = zone
    self.watermark = watermark
  }
}

extension Column {
  /// The same values with other nulls.
  func replacingValidity(_ validity: Bitmap?) -> Column {
    func copy(_ base: UnsafeRawPointer, _ bytes: Int) -> Buffer {
      Buffer(copying: UnsafeRawBufferPointer(start: base, count: bytes))
    }
    var held: Buffer?
    if physical == .bytes {
      held = copy(values, Int(offsets[count]))
    } else if physical.width > 0 {
      held = copy(values, count * physical.width)
    }
    return Column(
      type: type, count: count, values: held,
      offsets: physical.hasOffsets ? copy(offsets, (count + 1) * 4) : nil, validity: validity,
      children: children)
  }
}
