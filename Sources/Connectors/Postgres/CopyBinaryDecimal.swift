import Columns

/// Numbers in PostgreSQL's binary form: how many digits to the base 10000, the place of the first, the sign,
/// the digits after the point that are shown, and the digits.
extension CopyBinaryColumn {
  func decimals(_ cells: CopyCells, _ builder: ColumnBuilder, _ refused: inout Set<Int>) {
    guard case .decimal(let precision, let scale) = type.kind else { return }
    if type.physical == .int128 {
      decimals(cells, builder, Int128.self, precision, scale, &refused)
    } else {
      decimals(cells, builder, Int64.self, precision, scale, &refused)
    }
  }

  private func decimals<Value: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
    _ cells: CopyCells, _ builder: ColumnBuilder, _: Value.Type, _ precision: Int, _ scale: Int,
    _ refused: inout Set<Int>
  ) {
    var limit: Value = 1
    for _ in 0..<precision { limit *= 10 }
    let out = builder.spare(cells.count, of: Value.self)
    for row in 0..<cells.count {
      let length = cells.length(row)
      if length >= 8,
        let value = Self.decimal(cells.start(row), length, Value.self, scale, limit)
      {
        out[row] = value
        continue
      }
      out[row] = 0
      builder.markNull(row)
      if length >= 0 || !type.isNullable { refused.insert(row) }
    }
    builder.advance(cells.count)
  }

  /// The number times ten to the power of `scale`; nil when it is none, must be rounded, or is not below
  /// `limit`.
  @inline(__always)
  static func decimal<Value: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
    _ at: UnsafeMutableRawPointer, _ length: Int, _: Value.Type, _ scale: Int, _ limit: Value
  ) -> Value? {
    func number(_ place: Int) -> Int {
      Int(Int16(bigEndian: (at + place).loadUnaligned(as: Int16.self)))
    }
    let count = number(0)
    let sign = UInt16(truncatingIfNeeded: number(4))
    guard count >= 0, length == 8 &+ 2 &* count, sign == 0 || sign == 0x4000 else { return nil }
    var sum: Value = 0
    // The power of ten that the digit in hand stands for.
    var power = 4 &* number(2) &+ scale
    for i in 0..<count {
      let digit = number(8 &+ 2 &* i)
      if digit < 0 || digit > 9999 { return nil }
      if power <= -4 {
        if digit != 0 { return nil }
      } else if power < 0 {
        let divisor = power == -1 ? 10 : power == -2 ? 100 : 1000
        let (whole, rest) = digit.quotientAndRemainder(dividingBy: divisor)
        if rest != 0 { return nil }
        guard let next = joined(sum, power == -1 ? 1000 : power == -2 ? 100 : 10, whole) else {
          return nil
        }
        sum = next
      } else {
        guard let next = joined(sum, 10_000, digit) else { return nil }
        sum = next
      }
      power &-= 4
    }
    // Zeros that were left out behind the last digit.
    power &+= 4
    if sum != 0, count > 0 {
      if power > 38 { return nil }
      while power > 0 {
        guard let next = joined(sum, 10, 0) else { return nil }
        sum = next
        power &-= 1
      }
    }
    if sum >= limit { return nil }
    return sign == 0 ? sum : 0 &- sum
  }

  @inline(__always)
  private static func joined<Value: FixedWidthInteger>(
    _ sum: Value, _ factor: Int, _ digit: Int
  ) -> Value? {
    let (product, isOver) = sum.multipliedReportingOverflow(by: Value(truncatingIfNeeded: factor))
    let (next, isPast) = product.addingReportingOverflow(Value(truncatingIfNeeded: digit))
    return isOver || isPast ? nil : next
  }
}
