/// A signed whole number of up to 255 bits: what sums and differences of decimals pass through that do not
/// fit into 128.
struct WideInteger {
  private var isNegative: Bool
  private var high: UInt128
  private var low: UInt128

  init(_ value: Int128, times factor: Int128) {
    (high, low) = value.magnitude.multipliedFullWidth(by: factor.magnitude)
    isNegative = (value < 0) != (factor < 0)
  }

  /// -1, 0 or 1.
  var sign: Int { high == 0 && low == 0 ? 0 : isNegative ? -1 : 1 }

  func adding(_ other: WideInteger) -> WideInteger {
    var sum = self
    if isNegative == other.isNegative {
      let (low, carry) = low.addingReportingOverflow(other.low)
      sum.low = low
      sum.high = high &+ other.high &+ (carry ? 1 : 0)
      return sum
    }
    let isLess = high == other.high ? low < other.low : high < other.high
    let (large, small) = isLess ? (other, self) : (self, other)
    let (low, borrow) = large.low.subtractingReportingOverflow(small.low)
    sum.low = low
    sum.high = large.high &- small.high &- (borrow ? 1 : 0)
    sum.isNegative = large.isNegative
    return sum
  }

  /// The quotient, rounded half away from zero; nil when it does not fit into 128 bits.
  func divided(by divisor: Int128) -> Int128? {
    let divisor = divisor.magnitude
    if high >= divisor { return nil }
    var (quotient, rest) = divisor.dividingFullWidth((high, low))
    if rest >= divisor - rest {
      let (next, over) = quotient.addingReportingOverflow(1)
      if over { return nil }
      quotient = next
    }
    guard let value = Int128(exactly: quotient) else { return nil }
    return isNegative ? -value : value
  }
}
