internal import Columns

/// SUM and AVG of decimals, exact; null while the sum has over 38 digits.
///
/// A sum is `sums + overs × 2^128`: it may leave 38 digits on the way and come back.
final class DecimalSumAccumulator: Accumulator {
  private let sums = Lane<Int128>()
  private let overs = Lane<Int64>()
  private let counts = Lane<Int64>()
  private let scale: Int

  init(_ call: AggregateCall, scale: Int) {
    self.scale = scale
    super.init(call)
  }

  override func reserve(_ count: Int) {
    sums.reserve(count)
    overs.reserve(count)
    counts.reserve(count)
  }

  override func add(_ input: AccumulatorInput) {
    guard let column = input.column else { return }
    let c = counts.pointer
    for i in 0..<input.count { c[Int(input.groups[i])] &+= input.weights[i] }
    if column.physical == .int64 {
      let v = column.pointer(Int64.self)
      for i in 0..<input.count {
        add(Int128(v[i]) &* Int128(input.weights[i]), to: Int(input.groups[i]))
      }
    } else {
      let v = column.pointer(Int128.self)
      for i in 0..<input.count {
        let group = Int(input.groups[i])
        switch input.weights[i] {
        case 1: add(v[i], to: group)
        case -1: add(0 &- v[i], to: group)
        default:
          let product = v[i].multipliedFullWidth(by: Int128(input.weights[i]))
          // The low half as a signed number is 2^128 less where its first bit is set.
          let low = Int128(truncatingIfNeeded: product.low)
          overs[group] &+= Int64(truncatingIfNeeded: product.high) &+ (low < 0 ? 1 : 0)
          add(low, to: group)
        }
      }
    }
  }

  @inline(__always) private func add(_ value: Int128, to group: Int) {
    let (sum, over) = sums[group].addingReportingOverflow(value)
    sums[group] = sum
    if over { overs[group] &+= value < 0 ? -1 : 1 }
  }

  override func results(_ groups: UnsafePointer<Int32>, _ n: Int) -> Column {
    guard case .decimal(let precision, let target) = call.type.kind else {
      return super.column(n) { _ in Int128?.none }
    }
    let isSum = call.function == .sum
    return column(n) { i -> Int128? in
      let g = Int(groups[i])
      guard counts[g] > 0, overs[g] == 0, Decimal.fits(sums[g], isSum ? precision : 38) else {
        return nil
      }
      if isSum { return sums[g] }
      return Decimal.divide(
        sums[g], scale, Int128(counts[g]), 0, to: target, precision: precision)
    }
  }

  // MARK: State

  /// `overs` of a sum that its state could not hold: it never gets back to 0.
  private static let lost = Int64.max >> 1

  override var stateTypes: [DataType] {
    [DataType.decimal(38, 0).notNull, DataType.bigint.notNull]
  }

  override func exportState(_ groups: UnsafePointer<Int32>, _ n: Int) -> [Column] {
    let packed = Buffer(byteCount: n * 8)
    let p = packed.pointer(Int64.self)
    for i in 0..<n {
      p[i] = DecimalSumAccumulator.packed(counts[Int(groups[i])], overs[Int(groups[i])])
    }
    return [
      sums.column(groups, n, .decimal(38, 0)), Column(type: .bigint, count: n, values: packed),
    ]
  }

  override func importState(_ columns: [Column], _ groups: UnsafePointer<Int32>, _ n: Int) {
    sums.set(columns[0], groups, n)
    let p = columns[1].pointer(Int64.self)
    for i in 0..<n {
      (counts[Int(groups[i])], overs[Int(groups[i])]) = DecimalSumAccumulator.unpacked(p[i])
    }
  }

  /// Both in one BIGINT: the count alone where nothing is over, as it always was. Else its first two bits are
  /// 01, which no count has, then 30 bits of `over` and 32 of the count. Past that, a billion values of 38
  /// digits, the sum is lost: null from then on.
  static func packed(_ count: Int64, _ over: Int64) -> Int64 {
    if over == 0 { return count }
    let limit: Int64 = 1 << 29
    let fits = (-limit + 1..<limit).contains(over) && (0...Int64(UInt32.max)).contains(count)
    let bits = fits ? over & (limit << 1 - 1) : limit
    return 1 << 62 | bits << 32 | (fits ? count : min(max(count, 0), Int64(UInt32.max)))
  }

  static func unpacked(_ stored: Int64) -> (count: Int64, over: Int64) {
    if stored >> 62 != 1 { return (stored, 0) }
    let bits = stored >> 32 & (1 << 30 - 1)
    let over = bits >= 1 << 29 ? bits - 1 << 30 : bits
    return (stored & Int64(UInt32.max), bits == 1 << 29 ? lost : over)
  }

  override func keep(_ ids: UnsafePointer<Int32>, _ n: Int) {
    sums.keep(ids, n)
    overs.keep(ids, n)
    counts.keep(ids, n)
  }
  override var byteCount: Int { sums.byteCount + overs.byteCount + counts.byteCount }
}
